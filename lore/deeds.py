"""Events of trials, drifts, sparring, notes and decisions, and those that the fold tells."""

from __future__ import annotations

from collections.abc import Iterator

from configs.discipline import disciplines
from lore.event import Event
from lore.fold import Happening
from saves.rows import Champion, Checkpoint, Decision, Drift, Milestone, Sparring, Trial

PASSING = frozenset({"strategy", "drill", "remedy"})
"""Kinds of decisions that only say what is trained next."""


def of_trial(trial: Trial) -> Iterator[Event]:
    """A try at a discipline's next level."""
    known = disciplines().get(trial.discipline)
    data = {
        "discipline": trial.discipline,
        "name": known.rpg_name if known is not None else trial.discipline,
        "level": trial.level,
        "items": trial.items,
        "correct": trial.correct,
        "threshold": trial.threshold,
        "passed": trial.passed,
    }
    yield Event("hero.trial", trial.at, f"trials:{trial.id}", trial.run_id, trial.step, data)


def of_drift(drift: Drift) -> Iterator[Event]:
    """Something watched that fell below its best; nothing where all is well."""
    if drift.severity == "none":
        return
    data = {
        "skill": drift.skill,
        "level": drift.level,
        "plan": drift.plan,
        "severity": drift.severity,
        "baseline": drift.baseline,
        "share": drift.share,
    }
    yield Event("skill.drifted", drift.at, f"drifts:{drift.id}", drift.run_id, drift.step, data)


def of_sparring(sparring: Sparring) -> Iterator[Event]:
    """A round against the hero's own mistakes."""
    data = {
        "skill": sparring.skill,
        "level": sparring.level,
        "asked": sparring.asked,
        "failed": sparring.failed,
        "records": sparring.records,
    }
    yield Event("hero.sparred", sparring.at, f"sparring:{sparring.id}", sparring.run_id, sparring.step, data)


def of_note(milestone: Milestone) -> Iterator[Event]:
    """A moment that was written down."""
    data = {"note": milestone.note, "kind": milestone.kind}
    yield Event("campaign.noted", milestone.at, f"milestones:{milestone.id}", None, milestone.step, data)


def of_decision(decision: Decision) -> Iterator[Event]:
    """Something the curriculum decided, or found."""
    data = {
        "kind": decision.kind,
        "skill": decision.skill,
        "decision": decision.decision,
        "because": decision.reason,
    }
    kind = "curriculum.decided" if decision.kind in PASSING else "curriculum.found"
    yield Event(kind, decision.at, f"decisions:{decision.id}", decision.run_id, decision.step, data)


def of_retired(champion: Champion, checkpoint: Checkpoint) -> Iterator[Event]:
    """A champion that made room for another."""
    if champion.retired_at is not None:
        data = {"name": checkpoint.name, "step": checkpoint.step}
        source = f"champions:{champion.id}"
        yield Event("champion.retired", champion.retired_at, source, checkpoint.run_id, checkpoint.step, data)


def of_happening(happening: Happening) -> Event:
    """Something that follows from the facts, as an event of its own; told by the fact that brought it about."""
    what = next((v for v in happening.data.values() if isinstance(v, str)), "")
    source = f"{happening.source}/{what}" if what else happening.source
    return Event(happening.kind, happening.at, source, None, happening.step, happening.data)
