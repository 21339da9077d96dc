"""Parts of the Battle screen's facts that are made of the save's rows alone: quests, the newest exam, the course, strain, the game."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.link.state import LIVING
from lore.strain import hint, trend
from realm_tui.app.facts import CourseView, EffectLine, ExamAnswer, ExamView, QuestLine, StrainView, TokenFlow
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.status import Status
from saves import exams, quests

if TYPE_CHECKING:
    from lore.fold import Game
    from lore.health import Health

HINT_STEPS = 64
"""Newest steps that a hint is given on."""


@dataclass(frozen=True, slots=True)
class GameLines:
    """What the hero's sheet takes from the game (`lore.fold`)."""

    best_streak: int | None = None
    effects: tuple[EffectLine, ...] | None = None
    region: str | None = None
    health: Health | None = None
    deeds: tuple[str, ...] | None = None


def game_lines(save: OpenedSave, game: Game) -> GameLines:
    """Effects, health, place and deeds as the hero's sheet shows them."""
    from lore.effects import health_of
    from lore.world import WorldPart
    from realm_tui.runtime.game_view import view_of

    view = view_of(save, game)
    found = view.effects()
    effects = tuple(
        EffectLine(
            e.named("tavern"),
            e.named("plain"),
            e.rule.icon,
            "good" if e.buff else "bad" if e.severity in ("high", "critical") else "warn",
            e.left(game.step),
        )
        for e in found
    )
    streaks = (d.best_streak for d in game.part("progress").disciplines.values())
    here = WorldPart().view(game.part("world")).here
    return GameLines(max(streaks, default=None), effects, here, health_of(found), view.earned())


def course_of(save: OpenedSave) -> CourseView | None:
    """The newest decision, and what is lost of what was won."""
    from engine.curriculum.forgetting import budget
    from saves import decisions

    conn, campaign, skills = save.conn, save.campaign.id, list(save.hero.skills)
    newest = decisions.latest_decision(conn, campaign, kind="strategy")
    if newest is None:
        return None
    attempt = decisions.latest_decision(conn, campaign, kind="attempt")
    spent = budget(
        [(exams.mastered_level(conn, campaign, s), len(exams.lost_levels(conn, campaign, s))) for s in skills],
        save.rules.forgetting,
    )
    return CourseView(
        plan=newest.decision if len(skills) > 1 else "",
        reason=newest.reason,
        won=spent.won,
        lost=spent.lost,
        allowed=spent.allowed,
        keeping=attempt.detail.get("multiplier") if attempt is not None else None,
    )


def quest_lines(conn: sqlite3.Connection) -> tuple[QuestLine, ...]:
    """The board, as the save orders it."""
    return tuple(
        QuestLine(q.name, q.priority, q.counts.get("examples"), q.state, _flow(q.tokens)) for q in quests.quests(conn)
    )


def _flow(tokens: Mapping[str, Any] | None) -> TokenFlow | None:
    if not tokens or tokens.get("in") is None:
        return None
    return TokenFlow(tokens["in"], tokens["trained"], tokens["truncated"] + tokens["dropped"])


def newest_exam(conn: sqlite3.Connection, save: OpenedSave) -> ExamView | None:
    """The newest gate exam with its answers; before there is one, whatever exam there is."""
    found = exams.latest_exam(conn, save.campaign.id, kind="gate") or exams.latest_exam(conn, save.campaign.id)
    if found is None:
        return None
    from engine.statistics import interval

    answers = tuple(
        ExamAnswer(prompt, answer or "", expected, result or "", bool(correct))
        for prompt, answer, expected, result, correct in exams.exam_answers(conn, found.id)
    )
    return ExamView(
        id=found.id,
        step=found.step,
        skill=found.skill,
        level=found.level,
        kind=found.kind,
        items=found.items,
        correct=found.correct,
        interval=interval(found.correct, found.items, save.rules.exams.alpha) if found.items else None,
        apprentice=found.apprentice,
        repeats=found.repeats,
        answers=answers,
        at=found.at,
    )


def strain_of(save: OpenedSave, status: Status, recent: list[float]) -> StrainView:
    """Trend, and a hint on the newest steps; neither while no floor is known."""
    if status.strain is None or status.state not in LIVING:
        return StrainView()
    rules = save.rules.strain
    rate = status.strain_rate
    return StrainView(trend(rate, rules), hint(recent, rules, rate=rate))
