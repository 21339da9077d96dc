"""The guild hall: every skill with its levels won, held and lost, primitives, and what the curriculum does next and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.curriculum.forgetting import Budget, budget
from engine.curriculum.primitives import PrimitiveStanding
from engine.curriculum.state import NOTHING, Tally
from realm_tui.runtime.course import CourseView, course
from realm_tui.runtime.opened import OpenedSave
from saves import decisions, exams
from saves.rows import Decision

AHEAD_STEPS = 1000
"""Steps that the preview looks ahead."""
_DECISIONS = 40

LevelState = Literal["held", "lost", "won", "training", "ahead"]
"""``won``: never screened since."""


@dataclass(frozen=True, slots=True)
class LevelView:
    """One level of a skill."""

    level: int
    name: str
    state: LevelState
    won_step: int | None
    peak: Tally | None
    """The exams that won it, together; None before."""
    now: Tally | None
    """Its newest screening, or at the level in training the newest exams of the gate."""
    screened_step: int | None


@dataclass(frozen=True, slots=True)
class SkillView:
    """One skill of the hero."""

    id: str
    name: str
    mix: str
    won: int
    held: int
    lost: tuple[int, ...]
    training: int
    max_level: int
    streak: int
    """Exams at the training level in a row that reach the gate."""
    streak_needed: int
    share: float | None
    """Of the steps to come."""
    held_back: tuple[str, ...]
    """Operations under their floor that keep the training level from being won though its exams are passed."""
    floor: float
    """Share that each operation must reach there."""
    levels: tuple[LevelView, ...]

    @property
    def complete(self) -> bool:
        """Every level is won."""
        return self.won >= self.max_level


@dataclass(frozen=True, slots=True)
class GuildView:
    """Everything in the hall."""

    skills: tuple[SkillView, ...]
    primitives: tuple[PrimitiveStanding, ...]
    """Weakest first."""
    budget: Budget
    """Levels lost of those won, by the newest screenings."""
    course: CourseView
    turns: Mapping[str, int]
    """How many of the next `AHEAD_STEPS` steps each skill gets."""
    decisions: tuple[Decision, ...]
    """Newest first."""


def guild_view(save: OpenedSave, *, ask_engine: bool = False) -> GuildView:
    """Read the hall; with ``ask_engine`` the course is the living engine's own, which waits for its next step."""
    from engine.curriculum.strategy import Rules
    from realm_tui.runtime.primitives import standing

    view = course(save, ask_engine=ask_engine)
    skills = tuple(_skill(save, skill, view) for skill in save.hero.skills)
    return GuildView(
        skills=skills,
        primitives=standing(save),
        budget=budget([(one.won, len(one.lost)) for one in skills], save.rules.forgetting),
        course=view,
        turns=view.preview(Rules.of(save.rules), AHEAD_STEPS) if save.hero.skills else {},
        decisions=tuple(decisions.recent_decisions(save.conn, save.campaign.id, limit=_DECISIONS)),
    )


def _skill(save: OpenedSave, skill_id: str, view: CourseView) -> SkillView:
    from realm_tui.runtime.standing import held_back
    from skills.registry import get_skill

    conn, campaign = save.conn, save.campaign.id
    skill, mix = get_skill(skill_id), save.hero.skills[skill_id]
    on_course = view.skills.get(skill_id)
    won = {up.to_level: up for up in exams.level_ups(conn, campaign, skill=skill_id)}
    screened = exams.holds(conn, campaign, skill_id)
    mastered, last = max(won, default=0), skill.config.max_level
    lost = tuple(level for level, hold in screened.items() if hold.lost and level <= mastered)
    pinned = on_course.state.training if on_course is not None and on_course.state.pin is not None else None
    training = pinned or min(mastered + 1, last)
    gate = exams.recent_exams(
        conn, campaign, skill=skill_id, level=training, kind="gate", limit=save.rules.exams.streak
    )
    levels: list[LevelView] = []
    for level in range(1, last + 1):
        up, hold = won.get(level), screened.get(level)
        peak = NOTHING
        for paper in (exams.exam(conn, i) for i in up.exam_ids) if up is not None else ():
            peak = peak.plus(Tally(paper.correct, paper.items)) if paper is not None else peak
        now = Tally(hold.correct, hold.items) if hold is not None else None
        if level == training and level not in won and gate:
            now = Tally(sum(e.correct for e in gate), sum(e.items for e in gate))
        levels.append(
            LevelView(
                level=level,
                name=skill.level_name(level),
                state=_state(level, level in won, level in lost, hold is not None, level == training),
                won_step=up.step if up is not None else None,
                peak=peak if peak.items else None,
                now=now,
                screened_step=hold.step if hold is not None else None,
            )
        )
    rules, streak = skill.config.rules_at(training, save.rules.exams), 0
    for paper in gate:
        if not Tally(paper.correct, paper.items).reaches(rules.pass_share):
            break
        streak += 1
    full = streak >= rules.streak and mastered < last
    return SkillView(
        id=skill_id,
        name=skill.config.name,
        mix=mix,
        won=mastered,
        held=mastered - len(lost),
        lost=lost,
        training=training,
        max_level=last,
        streak=0 if mastered >= last else streak,
        streak_needed=save.rules.exams.streak,
        share=on_course.share if on_course is not None else None,
        held_back=held_back(gate, skill, training, mix, save.rules.exams) if full else (),
        floor=rules.operation_floor,
        levels=tuple(levels),
    )


def _state(level: int, won: bool, lost: bool, screened: bool, training: bool) -> LevelState:
    if won:
        return "lost" if lost else "held" if screened else "won"
    return "training" if training else "ahead"
