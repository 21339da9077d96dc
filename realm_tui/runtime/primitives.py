"""How the hero stands in primitives, what a drill would do about it, and what it learnt without being trained in it."""

from __future__ import annotations

from dataclasses import dataclass

from configs.errors import RealmError, UsageError
from engine.curriculum import record
from engine.curriculum.primitives import PrimitiveStanding, Seen, Transfer, newest, profile, transfer
from engine.curriculum.remediation import DRILLS, DrillOrder, drill_for, exercised_by, prescribe
from realm_tui.runtime.course import CourseView, course
from realm_tui.runtime.opened import OpenedSave
from skills.contract import Skill


@dataclass(frozen=True, slots=True)
class Advice:
    """A weak primitive, why it comes first, and the drill for it."""

    standing: PrimitiveStanding
    reason: str
    drill: DrillOrder | None
    """None where nothing drills it."""


def standing(save: OpenedSave) -> tuple[PrimitiveStanding, ...]:
    """Every primitive that was asked, weakest first."""
    seen = record.primitives_seen(record.hero_exams(save.conn, save.campaign.id, record.PROFILE_EXAMS))
    return profile(seen, save.rules.primitives, save.rules.exams.alpha)


def advice(save: OpenedSave) -> Advice | None:
    """What to drill first; None where no primitive is weak."""
    last = record.last_drilled(save.conn, save.campaign.id)
    found = prescribe(standing(save), save.rules.primitives, last=last)
    if found is None:
        return None
    one, reason = found
    try:
        return Advice(one, reason, drill(save, one.primitive, reason))
    except UsageError:
        return Advice(one, reason, None)


def drill(save: OpenedSave, name: str, reason: str) -> DrillOrder:
    """The drill for a primitive, as the engine would order it; `UsageError` where nothing drills it."""
    from skills.registry import get_skill

    view = course(save, ask_engine=False)
    trained = {skill: (get_skill(skill), one.state) for skill, one in view.skills.items()}
    return drill_for(name, trained, catalogue_drills(), save.rules.primitives, reason)


def transferred(save: OpenedSave) -> tuple[Transfer, ...]:
    """How each primitive changed up to its newest exams, largest gain first.

    It is held against the base model where that was asked, else against the first exams: then the earliest and the newest
    window of answers are compared, and fewer answers than two windows are halved.
    """
    window = save.rules.primitives.window_items
    seen = record.primitives_seen(record.hero_exams(save.conn, save.campaign.id))
    base = record.primitives_seen(record.base_exams(save.conn, save.campaign.id))
    first: dict[str, tuple[Seen, ...]] = dict(base)
    last: dict[str, tuple[Seen, ...]] = {}
    for name, all_seen in seen.items():
        if name in base:
            last[name] = newest(all_seen, window)
            continue
        items = min(window, sum(one.items for one in all_seen) // 2)
        last[name] = newest(all_seen, items)
        rest = all_seen[: len(all_seen) - len(last[name])]
        first[name] = tuple(reversed(newest(tuple(reversed(rest)), items)))
    return transfer(first, last, trained_in(save), save.rules.exams.alpha, base=base)


def trained_in(save: OpenedSave) -> set[str]:
    """Primitives that training exercises: those of the levels drawn now, and those drilled."""
    from saves.decisions import recent_decisions
    from skills.registry import get_skill

    view: CourseView = course(save, ask_engine=False)
    found = {row.detail["primitive"] for row in recent_decisions(save.conn, save.campaign.id, kind="drill")}
    for skill_id, one in view.skills.items():
        if not one.state.steps:
            continue
        for level in {1, one.state.training, one.top}:
            found |= set(exercised_by(get_skill(skill_id), one.state.mix, level))
    return found


def catalogue_drills() -> Skill | None:
    """The catalogue's drills as a skill; None where they are disabled."""
    from skills.registry import get_skill

    try:
        return get_skill(DRILLS)
    except RealmError:
        return None
