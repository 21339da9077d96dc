"""What the hero of a save is called now, the same for screen and command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lore.titles import Titles, standings, title_rules, titles
from realm_tui.runtime.opened import OpenedSave
from saves import exams, steps

_NEWEST_EXAMS = 8
"""Among them is the newest gate exam, of which a badge may speak."""


def titles_of(save: OpenedSave, primitives: Mapping[str, float]) -> Titles:
    """What holds of the active campaign.

    Args:
        save: an open save.
        primitives: `primitive_shares` of the save, as far as they are known.
    """
    conn, campaign = save.conn, save.campaign
    won = exams.level_ups(conn, campaign.id)
    proofs = {e.id: e for e in exams.recent_exams(conn, campaign.id, limit=_NEWEST_EXAMS)}
    for up in won:
        proofs |= {e.id: e for i in up.exam_ids if i not in proofs and (e := exams.exam(conn, i)) is not None}
    holds = [h for skill in save.hero.skills for h in exams.holds(conn, campaign.id, skill).values()]
    newest = steps.windows(conn, campaign.id, 1)
    reached = max(newest[0].last_step if newest else 0, won[-1].step if won else 0)
    done = max(0, reached - campaign.starting_step)
    return titles(done, standings(won, proofs.values(), holds), primitives=primitives)


def primitive_shares(save: OpenedSave) -> dict[str, float]:
    """Accuracy by primitive, of those asked often enough to speak of it."""
    from realm_tui.runtime.primitives import standing

    least = save.rules.primitives.weak_samples
    return {
        one.primitive: one.tally.correct / one.tally.items for one in standing(save) if one.tally.items >= max(1, least)
    }


@dataclass(frozen=True, slots=True)
class TitleLine:
    """One title there is."""

    id: str
    label: str
    plain: str
    shown: str
    """title, badge or warning."""
    holds: bool
    worn: bool
    asks: Mapping[str, Any]
    """The conditions it names, as its file does."""

    def as_dict(self) -> dict[str, Any]:
        """The machine form."""
        return {
            "id": self.id,
            "label": self.label,
            "plain": self.plain,
            "shown": self.shown,
            "holds": self.holds,
            "worn": self.worn,
            "asks": dict(self.asks),
        }


_WORDS = frozenset({"label", "plain", "shown", "icon", "ascii"})


def title_lines(save: OpenedSave) -> list[TitleLine]:
    """Every title there is, in the order of their file."""
    measured = primitive_shares(save)
    now = titles_of(save, measured)
    held = {t.id for t in (*now.held, *now.badges, *now.warnings)}
    worn = now.worn.id if now.worn is not None else None
    return [
        TitleLine(
            id=name,
            label=rule.label,
            plain=rule.plain,
            shown=rule.shown,
            holds=name in held,
            worn=name == worn,
            asks=rule.model_dump(mode="json", exclude=set(_WORDS), exclude_defaults=True),
        )
        for name, rule in title_rules().items()
    ]
