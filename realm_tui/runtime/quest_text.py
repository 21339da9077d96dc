"""A quest's story in words: what it holds, how far it is, what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.quests.fileformat import FileReport
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


_FLOWS = ("trained", "masked", "truncated", "dropped")
_COUNTED = ("examples", "assistant_turns", "duplicates", "bytes", "characters", "longest", "longest_line")


_EXAMPLES = (
    ("examples", "trained"),
    ("truncated_examples", "of them cut"),
    ("dropped_examples", "dropped"),
    ("held_out_examples", "held out"),
)


def check_report(report: FileReport, file: str) -> list[str]:
    """What ``realm quest check`` prints: every error with its line, the mask check, the verdict with its counts."""
    lines = [f"{file}:{error.line}: {error.reason}" for error in report.errors]
    masking = report.masking
    if masking is not None and not report.errors:
        share = "" if masking.masked_share is None else f", {masking.masked_share:.1%} masked"
        lines.append(f"masks: {masking.verdict}{share}")
        lines += [f"  {f.severity:<5} {f.validator}: {f.detail}" for f in masking.findings]
    elif masking is None and not report.errors:
        lines.append("masks: not checked, because the hero's tokenizer is not on this machine")
    if report.counts.get("tokens") is not None:
        lines.append(f"tokens: {token_line({**report.counts, 'in': report.counts['tokens']})}")
    counts = ", ".join(
        f"{name.replace('_', ' ')} {report.counts[name]}" for name in _COUNTED if report.counts.get(name)
    )
    lines.append(f"{'ok' if report.ok else 'REFUSED'}: {report.format or 'no known format'}; {counts}")
    return lines


def token_line(tokens: Mapping[str, Any]) -> str:
    """The token ledger as a sum: ``in`` = trained + masked + truncated + dropped; what is not known is left out."""
    parts = [f"{number(tokens[name])} {name}" for name in _FLOWS if tokens.get(name) is not None]
    return f"{number(tokens.get('in'))} in" + (f" = {' + '.join(parts)}" if parts else " (estimated)")


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
    tokens = quest.tokens or {}
    if tokens.get("in") is not None:
        fact("tokens", token_line(tokens))
        fact("examples", ", ".join(f"{number(tokens[k])} {word}" for k, word in _EXAMPLES if tokens.get(k)))
        if tokens.get("held_out"):
            fact("", f"{number(tokens['held_out'])} tokens are held out beside them")
    masking = tokens.get("masking")
    if masking:
        share = masking.get("masked_share")
        fact("masks", masking["verdict"] + ("" if share is None else f", {share:.1%} masked"))
        for found in masking["findings"]:
            if found["severity"] != "ok":
                fact("", f"{found['validator']}: {found['detail']}")
    if tokens.get("plan"):
        fact("plan", str(tokens["plan"]))
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
