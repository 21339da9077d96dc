"""What the fold says of a save, ready to be shown: effects, achievements and bounties, the same for screen and command line."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from configs.declared import own_skill_files, read_declared
from configs.errors import RealmError
from lore.achievements import Earned, achievements
from lore.bounties import Card, cards
from lore.effects import ActiveEffect, active_effects
from lore.fold import Annals, Game, Setting
from realm_tui.runtime.game import annals_of, read_game, setting_of
from realm_tui.runtime.opened import OpenedSave
from saves.campaigns import last_seen, mark_seen

TOLD = "achievements"
"""Where the save keeps which achievements the player was told of."""


@dataclass(frozen=True, slots=True)
class GameView:
    """One moment of a save's game."""

    game: Game
    setting: Setting
    annals: Annals
    told_before: tuple[str, ...] = ()
    forged_skills: int = 0

    def effects(self) -> tuple[ActiveEffect, ...]:
        """Effects in force, debuffs before buffs, worst first."""
        return active_effects(self.game.part("effects"), self.annals, self.game.step)

    def achievements(self) -> tuple[Earned, ...]:
        """Every achievement, in the order of their file."""
        return achievements(
            self.game,
            self.setting,
            self.annals,
            forged_skills=self.forged_skills,
            told_before=self.told_before,
        )

    def earned(self) -> tuple[str, ...]:
        """Ids of the achievements that are earned; those the player was told of come first, in the order they were told."""
        every = [found.id for found in self.achievements() if found.earned]
        return (*self.told_before, *(name for name in every if name not in self.told_before))

    def bounties(self) -> tuple[Card, ...]:
        """The Bounty Board: open ones first, worst first."""
        return cards(self.annals, self.game.part("bounties"))


def view_of(save: OpenedSave, game: Game | None = None, annals: Annals | None = None) -> GameView:
    """The view of a save.

    Args:
        save: an open save.
        game: its game where a `GameReader` has just read it; None: it is folded here.
        annals: its small tables where they were just read.
    """
    seen = last_seen(save.conn, TOLD)
    told = tuple(str(name) for name in seen.value) if seen is not None and isinstance(seen.value, list) else ()
    return GameView(game or read_game(save), setting_of(save), annals or annals_of(save), told, _forged_skills())


def _forged_skills() -> int:
    """Skills of the player's own that were accepted; a file that cannot be read is none, and is told where skills are listed."""
    count = 0
    for path in own_skill_files().values():
        with suppress(OSError):
            count += _is_accepted(path, path.stat().st_mtime_ns)
    return count


@lru_cache(maxsize=256)
def _is_accepted(path: Path, _: int) -> bool:
    """Whether a declared skill was accepted; looked at again when its file has changed."""
    try:
        return read_declared(path).review.state == "accepted"
    except RealmError:
        return False


def newly_earned(view: GameView) -> tuple[Earned, ...]:
    """Achievements the player was not told of yet."""
    return tuple(found for found in view.achievements() if found.earned and found.id not in view.told_before)


def tell(save: OpenedSave, view: GameView) -> tuple[Earned, ...]:
    """Note that the player is told of what is earned by now, and return what is new. From then on it is never taken back.

    Args:
        save: a save opened for writing.
        view: its view.
    """
    new = newly_earned(view)
    if new:
        mark_seen(save.conn, TOLD, [*view.told_before, *(found.id for found in new)])
    return new
