"""The readings that facts of the stream give: what effects and bounties are watched by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lore.fold import AttemptFact, DriftFact, ExamFact, HoldFact, LevelUpFact, TrialFact

Read = tuple[str, str, float]
"""Reading, subject, value."""


def _of_exam(fact: ExamFact) -> Sequence[Read]:
    if fact.kind != "gate" or not fact.items:
        return ()
    skill, share = fact.skill, fact.correct / fact.items
    return (
        ("accuracy", f"{skill}:{fact.level}", share),
        ("training_accuracy", skill, share),
        ("unreadable", skill, fact.format_failures / fact.items),
    )


def _of_hold(fact: HoldFact) -> Sequence[Read]:
    return (("lost", f"{fact.skill}:{fact.level}", float(fact.lost)),)


def _of_level_up(fact: LevelUpFact) -> Sequence[Read]:
    return (("lost", f"{fact.skill}:{fact.to_level}", 0.0),)


def _of_drift(fact: DriftFact) -> Sequence[Read]:
    fallen = max(0.0, fact.baseline - fact.share) if fact.severity != "none" else 0.0
    return (("drop", f"{fact.skill}:{fact.level}", round(fallen, 9)),)


def _of_trial(fact: TrialFact) -> Sequence[Read]:
    return (("trial", fact.discipline, float(fact.passed)),)


def _of_attempt(fact: AttemptFact) -> Sequence[Read]:
    found: list[Read] = []
    if fact.state in ("completed", "failed"):
        found.append(("failed", "", float(fact.state == "failed")))
    if fact.state == "completed" and fact.loss_after is not None:
        if fact.loss_before is not None:
            found.append(("gain", "", fact.loss_before - fact.loss_after))
        if fact.train_loss is not None:
            found.append(("gap", "", fact.loss_after - fact.train_loss))
    return found


READINGS: Mapping[str, tuple[Callable[[Any], Sequence[Read]], tuple[str, ...]]] = {
    "exams": (_of_exam, ("accuracy", "training_accuracy", "unreadable")),
    "holds": (_of_hold, ("lost",)),
    "level_ups": (_of_level_up, ("lost",)),
    "drifts": (_of_drift, ("drop",)),
    "trials": (_of_trial, ("trial",)),
    "quest_attempts": (_of_attempt, ("failed", "gain", "gap")),
}
"""By table what makes readings of its facts, and their names."""
