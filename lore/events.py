"""Events, read off the facts: nothing here is stored, and the same rows always give the same events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from configs.errors import RealmError
from configs.schema import ExamRules
from lore.deeds import of_decision, of_drift, of_note, of_retired, of_sparring, of_trial
from lore.event import Event as Event
from lore.rules import LoreRules
from lore.rules import rules as lore_rules
from saves.rows import (
    Champion,
    Checkpoint,
    Decision,
    Drift,
    Exam,
    Hold,
    Incident,
    JournalEntry,
    LevelUp,
    Milestone,
    Quest,
    QuestAttempt,
    Run,
    Sparring,
    StepWindow,
    Trial,
)
from skills.registry import get_skill

CLOSED = frozenset({"resolved", "wontfix"})
FALLS = frozenset({"crashed", "killed", "oom", "nan", "cuda", "disk", "data", "config", "unknown"})
"""First words of a run's `end_reason` when it did not end by itself in good order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """The rows of one campaign over a stretch of time; live ones, except for runs, quests and incidents."""

    runs: Iterable[Run] = ()
    windows: Iterable[StepWindow] = ()
    quests: Iterable[Quest] = ()
    """Every quest that an attempt of the chapter belongs to, and those added in it."""
    attempts: Iterable[QuestAttempt] = ()
    exams: Iterable[Exam] = ()
    holds: Iterable[Hold] = ()
    level_ups: Iterable[LevelUp] = ()
    checkpoints: Iterable[Checkpoint] = ()
    """Those of the chapter, and those its champions stand for."""
    champions: Iterable[Champion] = ()
    incidents: Iterable[Incident] = ()
    journal: Iterable[JournalEntry] = ()
    trials: Iterable[Trial] = ()
    drifts: Iterable[Drift] = ()
    sparring: Iterable[Sparring] = ()
    notes: Iterable[Milestone] = ()
    """What the player wrote down."""
    decisions: Iterable[Decision] = ()


def events(
    chapter: Chapter, exam_rules: ExamRules, *, since: float | None = None, rules: LoreRules | None = None
) -> list[Event]:
    """The events of a chapter, oldest first; with ``since``, only those later than that moment (UTC seconds)."""
    numbers = rules or lore_rules()
    quests = {q.id: q for q in chapter.quests}
    checkpoints = {c.id: c for c in chapter.checkpoints}
    exams = {e.id: e for e in chapter.exams}
    found: list[Event] = []
    found += _each(chapter.runs, of_run)
    found += _each(chapter.windows, lambda w: of_window(w, numbers))
    found += _each(quests.values(), of_quest)
    found += _each(chapter.attempts, lambda a: of_attempt(a, quests[a.quest_id]) if a.quest_id in quests else ())
    found += _each(chapter.exams, lambda e: of_exam(e, exam_rules))
    found += of_holds(chapter.holds)
    found += _each(chapter.level_ups, of_level_up)
    found += _each(chapter.checkpoints, of_checkpoint)
    found += _each(
        chapter.champions,
        lambda c: (
            of_champion(c, checkpoints[c.checkpoint_id], exams.get(c.exam_id or 0))
            if c.checkpoint_id in checkpoints
            else ()
        ),
    )
    found += _each(
        chapter.champions,
        lambda c: of_retired(c, checkpoints[c.checkpoint_id]) if c.checkpoint_id in checkpoints else (),
    )
    found += _each(chapter.incidents, of_incident)
    found += _each(chapter.journal, of_command)
    found += _each(chapter.trials, of_trial)
    found += _each(chapter.drifts, of_drift)
    found += _each(chapter.sparring, of_sparring)
    found += _each(chapter.notes, of_note)
    found += _each(chapter.decisions, of_decision)
    kept = found if since is None else [e for e in found if e.at > since]
    return sorted(kept, key=order)


def order(event: Event) -> tuple[float, int, int, str]:
    """Where an event stands among others."""
    return event.at, -1 if event.step is None else event.step, _RANK.get(event.type, 5), event.source


_RANK = {"training.started": 0, "exam.taken": 6, "skill.held": 7, "skill.lost": 7, "hero.skill_level_up": 9}
"""Order at one moment and step: a run begins first, an exam comes before what it decides."""


def _each(rows: Iterable[Any], make: Callable[[Any], Iterable[Event]]) -> Iterator[Event]:
    for row in rows:
        yield from make(row)


def of_run(run: Run) -> Iterator[Event]:
    """A run's beginning and, once known, its end."""
    source = f"runs:{run.id}"
    begun = {"run": run.id, "resumed": run.parent_checkpoint_id is not None, "exact": run.exact}
    yield Event("training.started", run.started_at, source, run.id, run.first_step, begun)
    if run.ended_at is not None:
        reason = run.end_reason or "unknown"
        kind = "training.crashed" if reason.split(":")[0] in FALLS else "training.stopped"
        ended = {"run": run.id, "reason": reason}
        yield Event(kind, run.ended_at, source, run.id, run.last_step, ended)


def of_window(window: StepWindow, rules: LoreRules | None = None) -> Iterator[Event]:
    """Hero levels reached within a step window; the moment is placed between its first and last step."""
    size = (rules or lore_rules()).hero.level_steps
    for level in range((window.first_step - 1) // size + 1, window.last_step // size + 1):
        step = level * size
        part = (step - window.first_step + 1) / (window.last_step - window.first_step + 1)
        at = window.first_at + part * (window.last_at - window.first_at)
        yield Event("hero.level_up", at, f"step_windows:{step}", window.run_id, step, {"level": level})


def of_quest(quest: Quest) -> Iterator[Event]:
    """A quest's arrival on the board."""
    data = {"quest": quest.name, "priority": quest.priority, "examples": quest.counts.get("examples")}
    yield Event("quest.received", quest.created_at, f"quests:{quest.id}", None, None, data)


_QUEST_END = {"completed": "quest.completed", "failed": "quest.failed", "skipped": "quest.abandoned"}


def of_attempt(attempt: QuestAttempt, quest: Quest) -> Iterator[Event]:
    """An attempt's beginning and end. An interrupted one has no end: the next run continues it."""
    source = f"quest_attempts:{attempt.id}"
    begun = {"quest": quest.name, "quest_id": quest.id, "continued": attempt.continues_id is not None}
    yield Event("quest.started", attempt.started_at, source, attempt.run_id, attempt.first_step, begun)
    kind = _QUEST_END.get(attempt.state)
    if kind is not None and attempt.ended_at is not None:
        steps = None if attempt.last_step is None else attempt.last_step - attempt.first_step + 1
        ended = {
            "quest": quest.name,
            "quest_id": quest.id,
            "steps": steps,
            "loss_before": attempt.loss_before,
            "loss_after": attempt.loss_after,
            "reason": attempt.reason,
        }
        yield Event(kind, attempt.ended_at, source, attempt.run_id, attempt.last_step, ended)


def passed(exam: Exam, rules: ExamRules) -> bool:
    """Whether an exam reached the gate's share, or the one its skill sets for the level; never by rounding up."""
    return exam.items > 0 and exam.correct / exam.items >= _needed(exam, rules)


def _needed(exam: Exam, rules: ExamRules) -> float:
    try:
        return get_skill(exam.skill).config.pass_share(exam.level, rules.pass_share)
    except RealmError:
        # A skill that is no longer installed: what the rules say.
        return rules.pass_share


def of_exam(exam: Exam, rules: ExamRules) -> Iterator[Event]:
    """An exam taken. Screens are told by the holds they decide; looks at many levels at once are for tables, not for tales."""
    if exam.kind in ("screen", "full", "backfill"):
        return
    data = {
        "skill": exam.skill,
        "level": exam.level,
        "kind": exam.kind,
        "plan": exam.plan,
        "items": exam.items,
        "correct": exam.correct,
        "apprentice": exam.apprentice,
        "passed": passed(exam, rules),
        "won_level": exam.won_level,
    }
    yield Event("exam.taken", exam.at, f"exams:{exam.id}", exam.run_id, exam.step, data)


def of_holds(holds: Iterable[Hold]) -> Iterator[Event]:
    """One event for the levels found held at one moment, and one for those found lost."""

    def moment(hold: Hold) -> tuple[int, int, str, bool]:
        return (hold.run_id, hold.step, hold.skill, hold.lost)

    for (run_id, step, skill, lost), group in groupby(sorted(holds, key=lambda h: (*moment(h), h.level)), moment):
        found = list(group)
        shown = [{"level": h.level, "correct": h.correct, "items": h.items} for h in found]
        yield Event(
            "skill.lost" if lost else "skill.held",
            max(h.at for h in found),
            f"holds:{run_id}/{step}/{skill}",
            run_id,
            step,
            {"skill": skill, "levels": shown},
        )


def of_level_up(level_up: LevelUp) -> Iterator[Event]:
    """A level won."""
    data = {
        "skill": level_up.skill,
        "level": level_up.to_level,
        "steps": level_up.steps,
        "effort": level_up.effort,
        "exams": list(level_up.exam_ids),
        "start_loss": level_up.start_loss,
        "end_loss": level_up.end_loss,
    }
    yield Event("hero.skill_level_up", level_up.at, f"level_ups:{level_up.id}", level_up.run_id, level_up.step, data)


def of_checkpoint(checkpoint: Checkpoint) -> Iterator[Event]:
    """A checkpoint written."""
    data = {"name": checkpoint.name, "reasons": list(checkpoint.reasons), "bytes": checkpoint.bytes}
    yield Event(
        "checkpoint.saved", checkpoint.at, f"checkpoints:{checkpoint.id}", checkpoint.run_id, checkpoint.step, data
    )


def of_champion(champion: Champion, checkpoint: Checkpoint, exam: Exam | None = None) -> Iterator[Event]:
    """A crowning, with the exam it rests on where that is at hand."""
    data: dict[str, Any] = {"name": checkpoint.name, "step": checkpoint.step, "exported": champion.export_path}
    if exam is not None:
        data |= {"skill": exam.skill, "level": exam.level, "correct": exam.correct, "items": exam.items}
    yield Event("champion.crowned", champion.at, f"champions:{champion.id}", checkpoint.run_id, checkpoint.step, data)


def of_incident(incident: Incident) -> Iterator[Event]:
    """An incident's first appearance and, once it is closed, its end."""
    source = f"incidents:{incident.id}"
    data = {
        "rule": incident.rule,
        "severity": incident.severity,
        "category": incident.category,
        "title": incident.title,
        "fix": incident.fix,
        "blocks": incident.blocks,
        "count": incident.count,
        "open": incident.status not in CLOSED,
    }
    yield Event("system.incident", incident.at, source, incident.run_id, incident.step, data)
    if incident.status in CLOSED and incident.resolved_at is not None:
        yield Event("system.resolved", incident.resolved_at, source, incident.run_id, incident.step, data)


_COMMANDS = {"pause": "training.paused", "park": "training.paused", "resume": "training.resumed"}


def of_command(entry: JournalEntry) -> Iterator[Event]:
    """Rest and return; other commands show in the facts they make."""
    kind = _COMMANDS.get(entry.verb)
    if kind is not None:
        yield Event(kind, entry.at, f"journal:{entry.seq}", entry.run_id, entry.step, {"verb": entry.verb})
