"""Whether a save keeps the laws of the world: each law with what looks at it. Nothing is ever repaired here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from configs.errors import RealmError
from lore.effects import effect_rules
from lore.fold import Game
from lore.laws import Breach, one_region, overlapping
from lore.world import WorldPart
from lore.world_rules import world_rules
from realm_tui.runtime.opened import OpenedSave
from saves.laws import check_laws, skills_asked
from saves.verify import Finding, check_champions, check_facts, check_names
from skills.registry import get_skill


@dataclass(frozen=True, slots=True)
class Sight:
    """What the laws are checked on."""

    save: OpenedSave
    game: Game
    rows: tuple[Finding, ...]
    """What is wrong with the rows of the save."""


def sight(save: OpenedSave, game: Game) -> Sight:
    """Look at the rows once, for every law that speaks of them."""
    conn = save.conn
    rows = [*check_names(conn), *check_facts(conn), *check_laws(conn), *check_champions(save.folder, conn)]
    return Sight(save, game, tuple(rows))


def breaches(save: OpenedSave, game: Game) -> list[Breach]:
    """Everything that breaks a law, in the order of the laws."""
    seen = sight(save, game)
    return [breach for check in CHECKS.values() for breach in check(seen)]


def _rows(law: str, also: str = "") -> Callable[[Sight], Iterable[Breach]]:
    """The findings in the rows that speak of a law."""

    def check(seen: Sight) -> Iterator[Breach]:
        yield from (Breach(law, f.entity, f.text) for f in seen.rows if f.law in (law, also))

    return check


def _region(seen: Sight) -> Iterator[Breach]:
    yield from one_region(WorldPart().view(seen.game.part("world")), world_rules())


def _judges(seen: Sight) -> Iterator[Breach]:
    for skill in skills_asked(seen.save.conn):
        try:
            get_skill(skill)
        except RealmError as error:
            yield Breach("law-4", skill, f"it was asked or drilled, and no scorer is known: {error.what}")


def _cures(seen: Sight) -> Iterator[Breach]:
    del seen
    for name, rule in effect_rules().items():
        if not rule.when or not rule.cause.strip() or not rule.cure.strip():
            yield Breach("law-5", name, "it has no cause or no cure")


def _blessings(seen: Sight) -> Iterator[Breach]:
    del seen
    # Nothing blesses effort yet: no stretch of steps can be blessed twice.
    yield from overlapping(())


CHECKS: Mapping[str, Callable[[Sight], Iterable[Breach]]] = {
    "law-1": _region,
    "law-2": _rows("law-2"),
    "law-3": _rows("law-3"),
    "law-4": _judges,
    "law-5": _cures,
    "law-6": _rows("law-6"),
    "law-7": _rows("law-7"),
    "law-8": _rows("law-8"),
    "law-9": _rows("law-9"),
    "law-10": _rows("law-10"),
    "law-11": _rows("law-11", "champion"),
    "law-12": _rows("law-12"),
    "law-13": _blessings,
    "law-14": _rows("law-14"),
}
"""What looks at each law."""
