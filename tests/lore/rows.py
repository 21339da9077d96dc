"""Rows as a save would give them, short enough to read in a test."""

from __future__ import annotations

from typing import Any

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

START = 1_764_000_000.0


def at(step: float) -> float:
    """The moment of a step: one step a second."""
    return START + step


def run(number: int = 1, first: int = 0, last: int | None = None, end: str | None = None, **over: Any) -> Run:
    base: dict[str, Any] = {
        "id": number, "campaign_id": "campaign-001", "parent_run_id": None, "parent_checkpoint_id": None,
        "first_step": first, "superseded_after": None, "exact": True, "pid": 7, "environment": {},
        "started_at": at(first), "ended_at": None if end is None else at(last or first), "end_reason": end,
        "last_step": last,
    }  # fmt: skip
    return Run(**(base | over))


def window(
    first: int, last: int, *, loss: float = 0.8, strain: float = 0.3, run_id: int = 1, **over: Any
) -> StepWindow:
    n = last - first + 1
    base: dict[str, Any] = {
        "run_id": run_id, "first_step": first, "last_step": last, "first_at": at(first), "last_at": at(last),
        "active_s": float(n), "skill": "bin", "quest_attempt_id": None, "floor": 0.02, "steps": n,
        "loss_sum": loss * n, "loss_min": loss, "loss_last": loss, "strain_sum": strain * n, "strain_last": strain,
        "zone_recovery": 0, "zone_productive": 0, "zone_stretch": n, "zone_overload": 0, "zone_unknown": 0,
        "new_bests": 0, "misses": 0, "nonfinite": 0, "longest_streak": n, "tokens": 100 * n, "trained_tokens": 10 * n,
        "examples": 32 * n, "grad_norm_sum": 0.5 * n, "grad_norm_max": 0.5, "learning_rate": 0.02,
    }  # fmt: skip
    return StepWindow(**(base | over))


def exam(number: int, step: int, correct: int, items: int = 64, level: int = 1, **over: Any) -> Exam:
    base: dict[str, Any] = {
        "id": number, "run_id": 1, "step": step, "skill": "bin", "level": level, "mix": "hatchling", "kind": "gate",
        "first_index": 0, "items": items, "correct": correct, "sequence": "C" * correct + "M" * (items - correct),
        "weights": "ema", "duration_s": 1.0, "at": at(step),
    }  # fmt: skip
    return Exam(**(base | over))


def hold(number: int, step: int, level: int, correct: int, items: int = 16, *, lost: bool = False) -> Hold:
    return Hold(
        id=number, run_id=1, step=step, skill="bin", level=level, items=items, correct=correct, lost=lost, at=at(step)
    )


def level_up(number: int, step: int, level: int, exam_ids: tuple[int, ...] = ()) -> LevelUp:
    return LevelUp(
        id=number, run_id=1, step=step, skill="bin", from_level=level - 1, to_level=level, exam_ids=exam_ids,
        steps=400, effort=120.0, start_loss=2.1, end_loss=0.3, checkpoint_id=1, at=at(step),
    )  # fmt: skip


def checkpoint(number: int, step: int, *reasons: str) -> Checkpoint:
    name = f"checkpoint-{step}-20251124-1600"
    return Checkpoint(
        id=number, run_id=1, campaign_id="campaign-001", step=step, name=name, path=f"checkpoints/{name}", digest="0" * 64,
        bytes=2_000_000, reasons=reasons or ("anchor",), facts={}, at=at(step),
    )  # fmt: skip


def champion(number: int, checkpoint_id: int, exam_id: int | None = None, step: int = 0) -> Champion:
    return Champion(id=number, checkpoint_id=checkpoint_id, exam_id=exam_id, export_path=None, at=at(step))


def incident(number: int, step: int, severity: str = "critical", *, blocks: bool = True, **over: Any) -> Incident:
    base: dict[str, Any] = {
        "id": number, "run_id": 1, "step": step, "rule": "nan_loss", "category": "training", "severity": severity,
        "status": "open", "title": "loss is not finite", "fix": "go back to the last anchor", "blocks": blocks,
        "detail": {}, "at": at(step), "last_at": at(step),
    }  # fmt: skip
    return Incident(**(base | over))


def quest(number: int = 1, name: str = "my_chats.jsonl", **over: Any) -> Quest:
    base: dict[str, Any] = {
        "id": number, "name": name, "file": name, "digest": "0" * 64, "format": "messages", "priority": "high",
        "epochs": 1, "counts": {"examples": 412}, "source": "cli", "created_at": at(0), "removed_at": None,
        "attempt_id": None, "run_id": None, "first_step": None, "last_step": None, "steps_total": None,
        "examples_done": None, "tokens": None, "loss_before": None, "loss_after": None, "samples": None, "reason": None,
        "started_at": None, "ended_at": None, "failures": 0, "state": "queued",
    }  # fmt: skip
    return Quest(**(base | over))


def attempt(number: int, first: int, last: int | None, state: str, quest_id: int = 1, **over: Any) -> QuestAttempt:
    base: dict[str, Any] = {
        "id": number, "quest_id": quest_id, "run_id": 1, "continues_id": None, "first_step": first, "last_step": last,
        "state": state, "steps_total": 100, "examples_done": 0, "tokens": {}, "loss_before": None, "loss_after": None,
        "samples": (), "reason": None, "started_at": at(first), "ended_at": None if last is None else at(last),
    }  # fmt: skip
    return QuestAttempt(**(base | over))


def command(number: int, step: int, verb: str) -> JournalEntry:
    return JournalEntry(
        seq=number,
        command_id=f"id-{number}",
        run_id=1,
        step=step,
        verb=verb,
        args={},
        changes_training=False,
        at=at(step),
    )


def trial(
    number: int, step: int, correct: int, level: int = 1, discipline: str = "logic_weaving", **over: Any
) -> Trial:
    base: dict[str, Any] = {
        "id": number, "run_id": 1, "step": step, "discipline": discipline, "level": level, "items": 100,
        "correct": correct, "threshold": 0.6, "passed": correct >= 60, "at": at(step),
    }  # fmt: skip
    return Trial(**(base | over))


def drift(number: int, step: int, severity: str = "warning", **over: Any) -> Drift:
    base: dict[str, Any] = {
        "id": number, "run_id": 1, "step": step, "plan": "core_gate", "skill": "bin", "level": 2, "baseline": 0.9,
        "share": 0.7, "severity": severity, "at": at(step),
    }  # fmt: skip
    return Drift(**(base | over))


def sparring(number: int, step: int, failed: int) -> Sparring:
    return Sparring(
        id=number, run_id=1, step=step, checkpoint_id=None, skill="bin", level=1, asked=20, failed=failed,
        records=3 * failed, quest_id=None, at=at(step),
    )  # fmt: skip


def note(number: int, step: int, text: str) -> Milestone:
    return Milestone(id=number, campaign_id="campaign-001", step=step, kind="note", note=text, at=at(step))


def decision(number: int, step: int, kind: str, text: str) -> Decision:
    return Decision(
        id=number, run_id=1, step=step, kind=kind, skill="bin", decision=text, reason="it says so", at=at(step)
    )
