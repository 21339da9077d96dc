"""Whether the active campaign moves, what keeps it from moving, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import RealmError, UsageError
from configs.loader import load_hero
from configs.paths import SaveFolder
from engine.link.state import EngineState
from realm_tui.runtime.campaigns import Line, NextAction, line, next_action
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.status import Status, collect_from

MOVING = frozenset(
    {EngineState.TRAINING, EngineState.EXAMINING, EngineState.LOADING, EngineState.STARTING, EngineState.SAVING}
)


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Something in a campaign's way."""

    code: str
    severity: str
    """critical and high keep it from moving; medium and low are only told."""
    tried: str
    """What was done about it so far."""
    why: str
    fix: str
    action: str | None
    """The command that clears it, or goes on once it is cleared; None where only the player can."""

    @property
    def stops(self) -> bool:
        """Whether the campaign cannot move."""
        return self.severity in ("critical", "high")


_KNOWN: dict[str, tuple[str, str, str | None]] = {
    "ENGINE_DOWN": ("high", "the trainer was woken again until it fell too often", "run"),
    "ENGINE_SILENT": ("high", "the engine was asked, and did not answer", "stop"),
    "ENGINE_HOLDS": ("high", "training waits at its last step", "resume"),
    "MODEL_MISSING": ("high", "the hero's folder and the Hugging Face cache were searched", "hero install"),
    "DISK_FULL": ("high", "no checkpoint is begun without room for it", "ledger list"),
}
"""Blocker to severity, what was tried, and the command; an incident that blocks is critical, and training waits for it."""


@dataclass(frozen=True, slots=True)
class Momentum:
    """The state of a campaign in one word, with every hindrance and the next step."""

    status: str
    """go, blocked or idle."""
    hindrances: tuple[Hindrance, ...]
    next: NextAction

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "status": self.status,
            "blockers": [asdict(h) | {"stops": h.stops} for h in self.hindrances],
            "next": asdict(self.next),
        }


def momentum(folder: SaveFolder) -> Momentum:
    """How the active campaign of a save moves.

    Raises:
        BlockedError: there is no save.
        RealmError: it cannot be read.
    """
    try:
        with opened(folder) as save:
            return momentum_of(save)
    except RealmError as error:
        if error.code != "NO_ACTIVE_CAMPAIGN":
            raise
        return _nobody(folder, error)


def momentum_of(save: OpenedSave, own: Line | None = None) -> Momentum:
    """`momentum` for a save that is open already.

    Args:
        save: the save.
        own: the active campaign in short, when it was read already.
    """
    status = collect_from(save)
    found = (*_from_status(status), *_from_save(save, status))
    what = next_action(
        status.state in MOVING,
        status.xp,
        status.queue.total,
        bool(save.hero.skills),
        save.rules.campaign,
        outcome=(own or line(save, save.campaign)).outcome,
    )
    stopped = any(h.stops for h in found)
    return Momentum("blocked" if stopped else "go" if status.state in MOVING else "idle", found, what)


def _from_status(status: Status) -> Iterator[Hindrance]:
    for blocker in status.blockers:
        told = ("critical", "training waits until it is cleared", "resume")
        severity, tried, action = _KNOWN.get(blocker.code, told)
        yield Hindrance(blocker.code, severity, tried, blocker.reason, blocker.fix, action)


def _from_save(save: OpenedSave, status: Status) -> Iterator[Hindrance]:
    option = f" --save {save.folder.name}"
    if not save.hero.skills and not status.queue.total and status.quest is None:
        yield Hindrance(
            "QUEUE_EMPTY",
            "medium",
            "the board was looked at",
            "no quest waits, and this hero has no skill to practise by itself",
            f"drop a file into the inbox, or `realm quest add FILE{option}`",
            "quest add",
        )
    yield from _from_roster(save)
    if _wants_a_card(save, status):
        from realm_tui.runtime.machine import graphics_card

        if graphics_card() is None:
            yield Hindrance(
                "GPU_UNAVAILABLE",
                "high" if save.rules.engine.device == "cuda" else "low",
                "the driver was asked for its cards",
                "this campaign has trained on a card, and none is seen",
                "mend the driver, or set `engine.device: cpu`",
                "doctor",
            )


def _from_roster(save: OpenedSave) -> Iterator[Hindrance]:
    """A campaign keeps the hero it began with; what its YAML says today is only told."""
    hero = save.hero
    try:
        today = load_hero(hero.id)
    except UsageError:
        yield Hindrance(
            "MISSING_HERO_CONFIG",
            "low",
            "the roster was searched",
            f"no YAML describes {hero.id} any more",
            "nothing needs to be done: the campaign keeps its hero as it was; other campaigns cannot begin with it",
            "hero list",
        )
        return
    except RealmError as error:
        yield Hindrance(
            "MISSING_HERO_CONFIG", "low", "the hero's YAML was read", error.text(), error.fix, "config check"
        )
        return
    fixed = ("source", "name", "shape", "context_length")
    changed = [key for key in fixed if getattr(today.model, key) != getattr(hero.model, key)]
    if changed:
        yield Hindrance(
            "CONFIG_LOCKED",
            "low",
            "the hero's YAML was compared with the campaign's",
            f"{', '.join(f'model.{key}' for key in changed)} was changed, and stays as it was within a campaign",
            "begin a campaign with the hero as it is today (`realm campaign new`)",
            "campaign new",
        )


def _wants_a_card(save: OpenedSave, status: Status) -> bool:
    trained_on = (status.computes or {}).get("device")
    return status.state not in MOVING and (save.rules.engine.device == "cuda" or trained_on == "cuda")


def _nobody(folder: SaveFolder, error: RealmError) -> Momentum:
    """A save without an active campaign; its campaigns can still be switched to."""
    from saves.campaigns import campaigns
    from saves.database import open_save

    with closing(open_save(folder, write=False)) as conn:
        waiting = [c.id for c in campaigns(conn) if c.status != "archived"]
    fix = f"`realm campaign switch {waiting[-1]} --save {folder.name}`" if waiting else error.fix
    found = Hindrance(error.code, "critical", "every campaign was looked at", error.what, fix, "campaign switch")
    return Momentum("blocked", (found,), NextAction("switch", None, "switch to a campaign"))
