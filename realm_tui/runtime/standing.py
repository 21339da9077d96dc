"""How far each skill of the hero is, with the evidence: levels won and held, the newest exams, operations against chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from configs.schema import ExamRules
from engine.statistics import at_chance, interval
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.status import OperationStatus, SkillStatus
from saves.rows import Exam
from skills.contract import Skill


def standing(save: OpenedSave) -> dict[str, SkillStatus]:
    """Skill id to its status, for every skill the hero trains."""
    from skills.registry import get_skill

    return {skill_id: _of(save, get_skill(skill_id), mix) for skill_id, mix in save.hero.skills.items()}


def _of(save: OpenedSave, skill: Skill, mix: str) -> SkillStatus:
    from saves import exams

    config, rules = skill.config, save.rules.exams
    mastered = exams.mastered_level(save.conn, save.campaign.id, config.id)
    lost = exams.lost_levels(save.conn, save.campaign.id, config.id) if mastered else []
    level = min(mastered + 1, config.max_level)
    gate = exams.recent_exams(
        save.conn, save.campaign.id, limit=rules.streak, skill=config.id, level=level, kind="gate"
    )
    newest = gate[0] if gate else None
    operations = _pooled(gate, skill, level)
    passed = 0 if mastered >= config.max_level else _streak(gate, config.pass_share(level, rules.pass_share))
    return SkillStatus(
        name=config.name,
        mix=mix,
        max_level=config.max_level,
        mastered=mastered,
        held=mastered - len(lost),
        lost=tuple(lost),
        training=level,
        level_name=skill.level_name(level),
        accuracy=newest.correct / newest.items if newest is not None and newest.items else None,
        correct=newest.correct if newest is not None else None,
        items=newest.items if newest is not None else None,
        interval=interval(newest.correct, newest.items, rules.alpha) if newest is not None else None,
        exam_id=newest.id if newest is not None else None,
        streak=passed,
        streak_needed=rules.streak,
        operations=operations,
        at_chance=tuple(
            name
            for name, op in operations.items()
            if op.chance is not None and at_chance(op.correct, op.items, op.chance)
        ),
        weakest=_weakest(operations),
        not_yet=tuple(skill.mix(mix).not_yet),
        held_back=held_back(gate, skill, level, mix, rules) if passed >= rules.streak else (),
    )


def held_back(gate: Iterable[Exam], skill: Skill, level: int, mix: str, rules: ExamRules) -> tuple[str, ...]:
    """Operations of a level that lie under their floor over the gate's newest exams, weakest first."""
    from engine.curriculum.standing import floor_applies, tallies
    from engine.curriculum.state import pool

    rules = skill.config.rules_at(level, rules)
    under = [
        (tally.correct / tally.items, operation)
        for operation, tally in pool(tallies(exam.operations) for exam in gate).items()
        if tally.items
        and not tally.reaches(rules.operation_floor)
        and floor_applies(operation, tally, skill, level, mix, rules)
    ]
    return tuple(operation for _, operation in sorted(under))


def _streak(newest_first: Iterable[Exam], needed: float) -> int:
    count = 0
    for exam in newest_first:
        if not exam.items or exam.correct / exam.items < needed:
            break
        count += 1
    return count


def _pooled(gate: Sequence[Exam], skill: Skill, level: int) -> dict[str, OperationStatus]:
    sums: dict[str, OperationStatus] = {}
    for exam in gate:
        for name, counted in exam.operations.items():
            known = sums.get(name)
            if known is None:
                # An exam says what chance was worth; to work it out again takes as long as everything else here.
                known = OperationStatus(0, 0, counted.get("chance") or skill.chance(name, level))
            sums[name] = replace(
                known, correct=known.correct + counted["correct"], items=known.items + counted["items"]
            )
    return dict(sorted(sums.items()))


def _weakest(operations: dict[str, OperationStatus]) -> str | None:
    asked = {name: op.correct / op.items for name, op in operations.items() if op.items}
    return min(asked, key=lambda name: (asked[name], name)) if asked else None
