"""What the exam plan asks next: a pure function, within its budget."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from configs.exam_plan import DriftRules, ExamPlanConfig, load_exam_plan
from engine.curriculum.drift import weigh
from engine.curriculum.exam_plan import (
    Occasion,
    PlanRecord,
    Pupil,
    School,
    Sitting,
    Taken,
    credit,
    due,
    left_out,
    question_cost,
    wanted,
)
from engine.curriculum.state import CurriculumState, Tally

PLAN = load_exam_plan()


def plan(**entries: dict[str, Any]) -> ExamPlanConfig:
    """A plan of a few entries, with the shipped budget and rules."""
    return ExamPlanConfig.model_validate(
        {
            "budget": PLAN.budget.model_dump(),
            "drift": PLAN.drift.model_dump(),
            "entries": {name: {"title": name, "kind": "suite", **entry} for name, entry in entries.items()},
        }
    )


def pupil(mastered: int = 2, **changes: Any) -> Pupil:
    states = {"bin": CurriculumState("bin", "hatchling", 30, mastered=mastered)}
    return replace(Pupil(states, hatchling=True, step_examples=32), **changes)


everything = School(lambda skill, mix: "", lambda skill, mix, level, limit: limit)
"""Whatever is named can be asked without end."""


def take(record: PlanRecord, sitting: Sitting, step: int, **changes: Any) -> PlanRecord:
    """The record after a sitting in which every answer was right."""
    for want in sitting.wanted:
        taken = Taken(
            sitting.entry, step, want.skill, want.mix, want.level, Tally(want.items, want.items), asked=want.items
        )
        record = record.after(replace(taken, **changes), gate=False, baseline_items=20)
    return record


def names(found: list[Sitting]) -> list[str]:
    return [sitting.entry for sitting in found]


def test_the_shipped_plan_holds_every_kind_suite_and_passive() -> None:
    kinds = {entry.kind for entry in PLAN.entries.values()}
    assert kinds == {"quick", "full", "backfill", "suite", "passive", "transfer"}
    suites = [name for name, entry in PLAN.entries.items() if entry.kind == "suite"]
    assert suites == ["core_gate", "skill_coverage", "level_progression", "stress_test", "edge_cases"]
    passives = [entry for entry in PLAN.entries.values() if entry.kind == "passive"]
    assert len(passives) == 11
    assert sum(entry.when.trigger == "checkpoint" for entry in passives) == 4, "the core ones"
    for entry in PLAN.entries.values():
        assert (
            sum(q.items * (len(q.levels) if isinstance(q.levels, tuple) else 1) for q in entry.asks)
            <= entry.limit.items
        )


def test_entries_wait_for_their_occasion_and_their_steps() -> None:
    made = plan(
        now={"asks": [{"items": 20}], "when": {"trigger": "checkpoint"}},
        spaced={"asks": [{"levels": [1], "items": 20}], "when": {"trigger": "checkpoint", "every_steps": 500}},
        steps={"asks": [{"levels": [2], "items": 20}], "when": {"trigger": "steps", "every_steps": 300}},
        told={"asks": [{"levels": [1], "items": 20}], "when": {"trigger": "command"}},
    )
    record = PlanRecord()
    assert names(due(made, pupil(), record, Occasion(299), everything)) == []
    assert names(due(made, pupil(), record, Occasion(299, checkpoint=True), everything)) == ["now"]
    found = due(made, pupil(), record, Occasion(300, checkpoint=True), everything)
    assert names(found) == ["now", "steps"]
    for sitting in found:
        record = take(record, sitting, 300)
    assert names(due(made, pupil(), record, Occasion(300, checkpoint=True), everything)) == []
    assert names(due(made, pupil(), record, Occasion(500, checkpoint=True), everything)) == ["now", "spaced"]
    assert names(due(made, pupil(), record, Occasion(600), everything)) == ["steps"]


def test_what_was_asked_at_this_step_is_not_asked_again() -> None:
    made = plan(quick={"asks": [{"items": 64}], "when": {"trigger": "checkpoint"}})
    gate = Taken("", 400, "bin", "hatchling", 3, Tally(60, 64), asked=64)
    record = PlanRecord().after(gate, gate=True, baseline_items=20)
    assert due(made, pupil(), record, Occasion(400, checkpoint=True), everything) == []
    assert names(due(made, pupil(mastered=3), record, Occasion(400, checkpoint=True), everything)) == ["quick"]
    assert names(due(made, pupil(), record, Occasion(401, checkpoint=True), everything)) == ["quick"]
    assert record.outside == {}, "the gate's problems are counted by the curriculum"


def test_spans_of_levels() -> None:
    def levels(span: Any, who: Pupil, record: PlanRecord | None = None, **at: Any) -> list[int]:
        made = plan(e={"asks": [{"levels": span, "items": 16}], "when": {"trigger": "command"}})
        occasion = Occasion(900, **at)
        return [w.level for w in wanted(made, "e", who, record or PlanRecord(), occasion, everything)]

    assert levels("training", pupil()) == [3]
    assert levels("known", pupil()) == [1, 2, 3, 4]
    assert levels("next", pupil()) == [3, 4, 5]
    assert levels("known", pupil(mastered=30)) == list(range(1, 31))
    assert levels("stale", pupil(), newest_checkpoint=800) == [1, 2]
    fresh = PlanRecord().after(
        Taken("", 850, "bin", "hatchling", 1, Tally(16, 16), asked=16), gate=False, baseline_items=20
    )
    assert levels("stale", pupil(), fresh, newest_checkpoint=800) == [2]
    assert levels((8, 10), pupil()) == [8, 10]


def test_skills_that_are_missing_or_not_trained_are_left_out_with_the_reason() -> None:
    only_bin = replace(everything, reason=lambda skill, mix: "" if skill == "bin" else f"no skill is called {skill!r}")
    found = list(wanted(PLAN, "core_gate", pupil(), PlanRecord(), Occasion(1), only_bin))
    assert [(w.skill, w.mix, w.level, w.items) for w in found] == [("bin", "hatchling", 1, 50)]
    assert left_out(PLAN, "core_gate", pupil(), only_bin) == ["no skill is called 'sy'"]
    assert left_out(PLAN, "quick", pupil(), only_bin) == []
    assert left_out(PLAN, "core_gate", pupil(), everything) == ["it does not train sy"]
    assert [w.skill for w in wanted(PLAN, "core_gate", pupil(), PlanRecord(), Occasion(1), everything)] == ["bin"]
    told = wanted(PLAN, "core_gate", pupil(), PlanRecord(), Occasion(1), everything, commanded=True)
    assert [w.skill for w in told] == ["bin", "sy"]
    assert left_out(PLAN, "passive_logic", pupil(), everything) == [
        "a hatchling began knowing nothing: only on command"
    ]


def test_a_level_is_asked_no_more_than_it_has() -> None:
    few = replace(everything, pool=lambda skill, mix, level, limit: min(limit, 29))
    assert [w.items for w in wanted(PLAN, "core_gate", pupil(hatchling=False), PlanRecord(), Occasion(1), few)] == [
        29,
        29,
    ]


def test_passives_are_first_asked_long_and_then_briefly_and_never_of_a_hatchling() -> None:
    occasion = Occasion(500, checkpoint=True)
    assert not [n for n in names(due(PLAN, pupil(), PlanRecord(), occasion, everything)) if n.startswith("passive")]
    model = pupil(hatchling=False, step_examples=256)
    found = [s for s in due(PLAN, model, PlanRecord(), occasion, everything) if s.entry.startswith("passive")]
    assert names(found) == ["passive_arithmetic", "passive_logic", "passive_binary_arithmetic", "passive_word_puzzles"]
    assert {s.questions for s in found} == {30}
    record = PlanRecord()
    for sitting in found:
        record = take(record, sitting, 500)
    later = due(PLAN, model, record, Occasion(1000, checkpoint=True), everything)
    assert {s.questions for s in later if s.entry.startswith("passive")} == {5}


@pytest.mark.parametrize("hatchling", [True, False])
def test_exams_never_cost_more_than_their_share_and_the_gate_goes_first(hatchling: bool) -> None:
    """A campaign with a checkpoint every ninth step and a gate exam every 25: what is spent stays within what was earned."""
    who = pupil(mastered=12, hatchling=hatchling, step_examples=32 if hatchling else 256)
    record, sat = PlanRecord(), 0
    for step in range(1, 6001):
        if step % 25 == 0:
            gate = Taken("", step, "bin", "hatchling", 13, Tally(40, 64), asked=64)
            record = record.after(gate, gate=True, baseline_items=20)
        before = credit(PLAN, who, record, step)
        found = due(PLAN, who, record, Occasion(step, checkpoint=step % 9 == 0), everything)
        price = sum(s.questions for s in found) * question_cost(PLAN, who)
        assert not found or price <= before
        for sitting in found:
            record = take(record, sitting, step)
            sat += 1
    assert sat > 20, "and yet the plan is not starved"


def test_idle_entries_are_asked_in_slices_only_while_the_hero_rests() -> None:
    made = plan(long={"asks": [{"levels": [1, 2], "items": 100}], "when": {"trigger": "idle", "cooldown_s": 600}})
    record, step = PlanRecord(), 40
    assert due(made, pupil(), record, Occasion(step, checkpoint=True), everything) == []
    assert due(made, pupil(), record, Occasion(step, rested_s=299), everything) == []
    asked = []
    while found := due(made, pupil(), record, Occasion(step, rested_s=301, now=1000.0), everything):
        want = replace(found[0].wanted[0], items=min(64, found[0].wanted[0].items))
        asked.append((want.level, want.items))
        record = take(record, Sitting("long", (want,)), step, at=1000.0)
    assert asked == [(1, 64), (1, 36), (2, 64), (2, 36)]
    assert due(made, pupil(), record, Occasion(step + 5, rested_s=301, now=1500.0), everything) == []
    assert due(made, pupil(), record, Occasion(step + 5, rested_s=301, now=1601.0), everything)


def test_the_best_exam_is_one_that_is_large_enough_and_of_the_same_version() -> None:
    record = PlanRecord()
    place = ("prim", "passive_logic", 2)
    for step, correct, items, version in (
        (10, 5, 5, "1.0.0"),
        (20, 20, 30, "1.0.0"),
        (30, 25, 30, "1.0.0"),
        (40, 22, 30, "1.0.0"),
        (50, 12, 30, "1.1.0"),
    ):
        taken = Taken("passive_logic", step, *place, Tally(correct, items), version=version, asked=items)
        record = record.after(taken, gate=False, baseline_items=20)
    assert record.best["passive_logic", place, "1.0.0"] == (25, 30)
    assert record.best_step["passive_logic", place, "1.0.0"] == 30
    assert record.best["passive_logic", place, "1.1.0"] == (12, 30)


def test_drops_are_weighed() -> None:
    rules = DriftRules.model_validate({})
    assert weigh(Tally(29, 30), Tally(33, 35), rules).severity == "none"
    assert weigh(Tally(29, 30), Tally(25, 35), rules).severity == "warning"
    assert weigh(Tally(29, 30), Tally(18, 35), rules).severity == "critical"
    assert weigh(Tally(29, 30), Tally(3, 5), rules).by_chance < 0.1
    assert weigh(Tally(20, 30), Tally(2, 5), rules).severity == "none", "so few may fail by luck"


def test_a_hero_that_stands_still_is_hardly_ever_alarmed_and_one_that_fell_is() -> None:
    """Two hundred campaigns of forty looks each at what is .85 throughout, judged as the game does: with more asked first."""
    rules = PLAN.drift

    def alarms(before: float, after: float, looks: int, seed: int) -> int:
        luck, best, found = Random(seed), Tally(0, 0), 0

        def ask(share: float, items: int) -> Tally:
            return Tally(sum(luck.random() < share for _ in range(items)), items)

        best = ask(before, 30)
        for _ in range(looks):
            now = ask(after, 5)
            if (best.share or 0) - (now.share or 0) >= rules.warning:
                now = now.plus(ask(after, rules.confirm_items))
            found += weigh(best, now, rules).severity != "none"
        return found

    quiet = sum(alarms(0.85, 0.85, 40, seed) for seed in range(200))
    assert quiet / (200 * 40) < 0.005
    heard = sum(alarms(0.85, 0.45, 10, seed) > 0 for seed in range(200))
    assert heard / 200 > 0.95
