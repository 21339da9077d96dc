"""A quest's story in words: what it holds, how far it is, what it changed."""

from __future__ import annotations

from typing import Any

from lore.figures import number
from realm_tui.runtime.figures import moment
from realm_tui.runtime.foreign import clean
from saves.rows import Quest


def quest_facts(quest: Quest) -> dict[str, Any]:
    """The machine form of a quest."""
    return {
        "id": quest.id,
        "name": quest.name,
        "state": quest.state,
        "priority": quest.priority,
        "epochs": quest.epochs,
        "format": quest.format,
        "digest": quest.digest,
        "source": quest.source,
        "counts": dict(quest.counts),
        "steps_total": quest.steps_total,
        "examples_done": quest.examples_done,
        "tokens": dict(quest.tokens or {}),
        "loss_before": quest.loss_before,
        "loss_after": quest.loss_after,
        "samples": [dict(s) for s in quest.samples or ()],
        "failures": quest.failures,
        "reason": quest.reason,
        "created_at": quest.created_at,
        "started_at": quest.started_at,
        "ended_at": quest.ended_at,
    }


def quest_report(quest: Quest) -> str:
    """The page of ``realm quest show``; after training, before and after."""
    lines = [
        f"{clean(quest.name)}: {quest.state}, {quest.priority} priority, {quest.epochs} epoch{'s' * (quest.epochs != 1)}"
    ]

    def fact(label: str, text: str) -> None:
        lines.append(f"  {label:<9} {text}")

    counts = quest.counts
    fact("file", f"{quest.format}, from {clean(quest.source)}, added {moment(quest.created_at)}")
    fact("holds", f"{number(counts.get('examples'))} examples, {number(counts.get('tokens'))} tokens")
    if quest.examples_done is not None:
        fact("trained", f"{number(quest.examples_done)} examples, {number(quest.steps_total)} steps planned")
    kept = {k: v for k, v in (quest.tokens or {}).items() if isinstance(v, int | float)}
    if kept:
        fact("tokens", ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in kept.items()))
    if quest.loss_before is not None or quest.loss_after is not None:
        fact("held-out", f"loss {number(quest.loss_before, 3)} before, {number(quest.loss_after, 3)} after")
    if quest.reason:
        fact("reason", clean(quest.reason))
    for sample in quest.samples or ():
        lines.append("")
        for label in ("prompt", "before", "answer", "after", "expected"):
            if sample.get(label) is not None:
                fact(label, clean(str(sample[label])))
    return "\n".join(lines)
