"""Facts of the stream and small tables, short enough to read in a test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from configs.loader import load_game
from lore.fold import (
    Annals,
    AttemptFact,
    CheckpointFact,
    DriftFact,
    ExamFact,
    Fact,
    Fold,
    HoldFact,
    LevelUpFact,
    Setting,
    TrialFact,
    WindowFact,
)
from lore.parts import parts
from lore.rules import rules
from saves.rows import Campaign

SETTING = Setting(rules=rules(), exam_rules=load_game({}).exams, multipliers={"bin": 1.2}, skills=("bin", "sy"))


def exam(step: int, sequence: str = "", *, skill: str = "bin", level: int = 1, **over: Any) -> ExamFact:
    """A gate exam with these results (C H G M X)."""
    base: dict[str, Any] = {
        "id": step, "run_id": 1, "step": step, "skill": skill, "level": level, "kind": "gate", "items": len(sequence),
        "correct": sequence.count("C") + sequence.count("H"), "sequence": sequence,
        "primitives_json": "{}", "format_failures": sequence.count("X"), "at": float(step),
    }  # fmt: skip
    return ExamFact(**(base | over))


def right(step: int, correct: int, items: int = 64, **over: Any) -> ExamFact:
    """A gate exam with so many right, never five wrong or ten right in a row where that can be had."""
    wrong, letters = items - correct, []
    for _ in range(items):
        take = correct * (wrong + 1) >= wrong * (correct + 1) if correct and wrong else bool(correct)
        letters.append("C" if take else "M")
        correct, wrong = correct - take, wrong - (not take)
    return exam(step, "".join(letters), **over)


def hold(step: int, level: int, *, lost: bool, skill: str = "bin") -> HoldFact:
    return HoldFact(step, 1, step, skill, level, lost, float(step))


def level_up(step: int, level: int, skill: str = "bin") -> LevelUpFact:
    return LevelUpFact(step, 1, step, skill, level - 1, level, 100, 40.0, 2.0, 0.5, float(step))


def drift(step: int, share: float, baseline: float = 0.9, severity: str = "warning") -> DriftFact:
    return DriftFact(step, 1, step, "arithmetic", 1, baseline, share, severity, float(step))


def trial(step: int, *, passed: bool) -> TrialFact:
    return TrialFact(step, 1, step, "logic_weaving", 1, 100, 70 if passed else 40, 0.6, passed, float(step))


def attempt(step: int, before: float | None = 2.0, after: float | None = 1.0, **over: Any) -> AttemptFact:
    """A finished try at a quest with its held-out loss before and after."""
    base: dict[str, Any] = {
        "id": step, "run_id": 1, "step": step, "quest_id": 1, "state": "completed", "loss_before": before,
        "loss_after": after, "examples_done": 100, "train_loss": after, "at": float(step),
    }  # fmt: skip
    return AttemptFact(**(base | over))


def saved(step: int, number: int | None = None) -> CheckpointFact:
    return CheckpointFact(number or step, 1, step, float(step))


def steps(last: int, count: int = 100, zone: str = "stretch") -> WindowFact:
    """Steps in one zone, the last of them ``last``."""
    zones = {f"zone_{name}": 0 for name in ("recovery", "productive", "stretch", "overload", "unknown")}
    zones[f"zone_{zone}"] = count
    base: dict[str, Any] = {
        "run_id": 1, "first_step": last - count + 1, "last_step": last, "last_at": float(last), "active_s": 1.0,
        "skill": "bin", "steps": count, "strain_sum": 1.0, "new_bests": 0, "misses": 0, "nonfinite": 0,
        "longest_streak": count, "trained_tokens": 10,
    }  # fmt: skip
    return WindowFact(**(base | zones))


def campaign(**over: Any) -> Campaign:
    base: dict[str, Any] = {
        "id": "campaign-001", "hero_id": "pip", "hero": {"data": {"profile": "plain_sft"}}, "name": "The first",
        "status": "active", "seed": 1, "starting_checkpoint_id": None, "starting_step": 0, "overrides": {},
        "created_at": 0.0, "archived_at": None,
    }  # fmt: skip
    return Campaign(**(base | over))


def annals(*, profile: str = "plain_sft", hero: dict[str, Any] | None = None, **over: Any) -> Annals:
    found = hero if hero is not None else {"data": {"profile": profile}}
    return Annals(**({"campaign": campaign(hero=found)} | over))


def folded(facts: Iterable[Fact], *, profile: str = "plain_sft", chosen: Sequence[Any] | None = None) -> Fold:
    """The shipped parts, or others, after these facts."""
    fold = Fold(parts(profile) if chosen is None else chosen, SETTING)
    fold.take(facts)
    return fold
