"""Opens a save for one command: its folder, database, active campaign, hero and the rules in force."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from configs.errors import BlockedError, UsageError
from configs.loader import load_game, load_hero, on_this_machine
from configs.paths import SaveFolder
from configs.reading import parse
from configs.schema import GameConfig, HeroConfig
from saves.rows import Campaign


@dataclass(frozen=True, slots=True)
class OpenedSave:
    """Everything a command asks first."""

    folder: SaveFolder
    conn: sqlite3.Connection
    campaign: Campaign
    hero: HeroConfig
    """As it was when the campaign began."""
    rules: GameConfig


def must_exist(folder: SaveFolder) -> None:
    """Check that there is a save, without opening it.

    Raises:
        BlockedError: there is none yet.
    """
    if not folder.database.is_file():
        raise BlockedError(
            f"there is no save called {folder.name!r} yet",
            why=f"{folder.database} does not exist",
            fix=f"`realm play{_option(folder)}` makes it, or `realm save new {folder.name}`",
            code="NO_SAVE",
        )


@contextmanager
def opened(folder: SaveFolder, *, write: bool = False) -> Iterator[OpenedSave]:
    """The save in ``folder``; closed at the end of the block.

    Raises:
        BlockedError: there is no save yet.
        RealmError: the save is broken, newer than this program, or its configuration is not valid.
    """
    from saves.campaigns import active_campaign
    from saves.database import open_save

    must_exist(folder)
    with closing(open_save(folder, write=write)) as conn:
        campaign = active_campaign(conn)
        hero = on_this_machine(parse(HeroConfig, campaign.hero, f"the hero of {campaign.id}"))
        yield OpenedSave(folder, conn, campaign, hero, load_game(campaign.overrides))


def ensure_save(folder: SaveFolder, hero: str | None = None, *, seed: int | None = None) -> bool:
    """Make the save when there is none; True when it was made.

    Args:
        folder: where it lies.
        hero: the hero it starts with (default: `GameConfig.default_hero`).
        seed: of the campaign; chosen at random when not given.

    Raises:
        UsageError: the save exists and its hero is another one.
    """
    from saves.database import create_save

    if folder.database.exists():
        if hero is not None:
            wanted = load_hero(hero)
            with opened(folder) as save:
                if save.hero.id != wanted.id:
                    raise UsageError(
                        f"the save {folder.name!r} belongs to {save.hero.title}, not to {wanted.title}",
                        fix=f"choose another save: `--save {wanted.id.split('-')[0]}`",
                        code="OTHER_HERO",
                    )
        return False
    create_save(folder, load_hero(hero or load_game().default_hero), seed=_seed() if seed is None else seed)
    return True


def mix_in_force(skill_id: str, mix: str | None, save: str | None) -> str:
    """The mix a command means: the one named, else that of the named save's hero, else ``full``."""
    if mix is not None:
        return mix
    if save is not None:
        with opened(SaveFolder.named(save)) as found:
            return found.hero.skills.get(skill_id, "full")
    return "full"


def _seed() -> int:
    return secrets.randbelow(1 << 31)


def _option(folder: SaveFolder) -> str:
    return "" if folder == SaveFolder.named() else f" --save {folder.name}"
