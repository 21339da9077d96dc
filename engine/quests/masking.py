"""Checks that exactly the answers are trained: five validators over encoded examples and packed rows.

They do not trust the flags they check. Where an answer begins and ends is found anew, from the marks among the ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.chat.encoded import Encoded, TurnMarks

VALIDATOR = "masking 1.0.0"
ABORT_BELOW, WARN_BELOW, WARN_ABOVE = 0.25, 0.30, 0.85
LONG_ABORT_BELOW, LONG_WARN_ABOVE = 0.15, 0.95
SPANS_TRAINED = 0.90
"""Least share of answers that must be trained from their first token to their end mark."""
ONE_LABEL = 0.80
"""Share of one token among the trained ones from which labels count as abnormally concentrated."""
LABELS_JUDGED = 64
"""Trained tokens from which their distribution says something."""
_NAMED = 5
"""Examples named in a finding."""

Severity = Literal["ok", "warn", "abort"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one validator says."""

    validator: str
    severity: Severity
    detail: str

    @property
    def ok(self) -> bool:
        """The validator passes."""
        return self.severity == "ok"


@dataclass(frozen=True, slots=True)
class MaskReport:
    """What the five validators say about a quest, or about a sample of its batches."""

    masked_share: float | None
    """Masked tokens of all; None in a quest of raw texts, which mask nothing and are exempt."""
    findings: tuple[Finding, ...]
    examples: int

    @property
    def verdict(self) -> Severity:
        """``abort`` where training would learn the wrong tokens; ``warn`` where the data look odd."""
        found = {f.severity for f in self.findings}
        return "abort" if "abort" in found else "warn" if "warn" in found else "ok"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the validators that do not pass say."""
        return tuple(f"{f.validator}: {f.detail}" for f in self.findings if not f.ok)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "validator": VALIDATOR,
            "verdict": self.verdict,
            "masked_share": None if self.masked_share is None else round(self.masked_share, 4),
            "examples": self.examples,
            "findings": [{"validator": f.validator, "severity": f.severity, "detail": f.detail} for f in self.findings],
        }


@dataclass(slots=True)
class MaskCheck:
    """Counts examples one by one and reports at the end; nothing is kept of them but numbers."""

    marks: TurnMarks
    long_answers: bool = False
    sample: bool = False
    """Only a part of a quest is seen: its masked share is not judged."""
    _tokens: int = 0
    _masked: int = 0
    _examples: int = 0
    _spans: int = 0
    _whole_spans: int = 0
    _labels: Counter[int] = field(default_factory=Counter)
    _miscounted: list[str] = field(default_factory=list)
    _marked: list[str] = field(default_factory=list)
    _joined: list[str] = field(default_factory=list)
    _shifted: list[str] = field(default_factory=list)

    def add(self, encoded: Encoded, name: str) -> None:
        """Take in one conversation.

        Args:
            encoded: its tokens.
            name: how findings call it, e.g. ``line 7``.
        """
        ids, trained = encoded.ids, encoded.trained
        marks = self.marks
        spans, regions = list(answers(ids, marks)), list(_regions(ids, trained, marks.end))
        self._examples += 1
        self._tokens += len(ids)
        self._masked += len(ids) - sum(trained)
        self._spans += len(spans)
        whole = sum(all(trained[a:b]) for a, b in spans)
        self._whole_spans += whole
        if len(regions) != len(spans):
            self._miscounted.append(name)
        if regions and regions[0][0] == 0:
            self._joined.append(name)
        foreign = False
        for a, b in regions:
            said = ids[a:b]
            self._labels.update(said)
            foreign = foreign or any(i in marks.openers for i in said)
        if foreign:
            self._marked.append(name)

    def shifted(self, name: str) -> None:
        """Note a packed row whose labels are not the tokens they should predict."""
        self._shifted.append(name)

    def report(self) -> MaskReport:
        """What the five validators say about everything added so far."""
        share = self._masked / self._tokens if self._tokens else None
        return MaskReport(
            share,
            (
                self._ratio(share),
                _named("ResponseTemplateCount", self._miscounted, "more or fewer trained regions than answers"),
                _named("TrainedTokenContent", self._marked, "marks of other turns are trained"),
                self._packed(),
                self._distribution(),
            ),
            self._examples,
        )

    def _ratio(self, share: float | None) -> Finding:
        low, high = (LONG_ABORT_BELOW, LONG_WARN_ABOVE) if self.long_answers else (ABORT_BELOW, WARN_ABOVE)
        warn = LONG_ABORT_BELOW if self.long_answers else WARN_BELOW
        if share is None:
            return Finding("MaskingRatio", "ok", "nothing to judge")
        shown = f"{share:.1%} of the tokens are masked"
        if self.sample:
            return Finding("MaskingRatio", "ok", f"{shown} in this sample")
        if share < low:
            return Finding("MaskingRatio", "abort", f"{shown}, and at least {low:.0%} should be")
        if share < warn or share > high:
            return Finding("MaskingRatio", "warn", f"{shown}; {warn:.0%} to {high:.0%} is usual")
        return Finding("MaskingRatio", "ok", shown)

    def _packed(self) -> Finding:
        share = self._whole_spans / self._spans if self._spans else 1.0
        if self._shifted:
            return _named("PackedSequence", self._shifted, "labels are not the tokens they stand before")
        if self._joined:
            return _named("PackedSequence", self._joined, "an answer stands before any question")
        if share < SPANS_TRAINED:
            return Finding("PackedSequence", "abort", f"only {share:.1%} of the answers are trained whole")
        return Finding("PackedSequence", "ok", f"{share:.1%} of the answers are trained whole")

    def _distribution(self) -> Finding:
        said = self._labels.copy()
        said.pop(self.marks.end, None)
        total = sum(said.values())
        if total < LABELS_JUDGED:
            return Finding("LabelDistribution", "ok", f"{total} trained tokens beside end marks")
        token, count = said.most_common(1)[0]
        detail = (
            f"the most frequent of {len(said)} different trained tokens (id {token}) is {count / total:.1%} of them"
        )
        return Finding("LabelDistribution", "warn" if count / total > ONE_LABEL else "ok", detail)


EXEMPT = MaskReport(None, (Finding("MaskingRatio", "ok", "raw texts are trained whole, and exempt"),), 0)
"""The report of a quest of raw texts."""


def answers(ids: list[int], marks: TurnMarks) -> Iterator[tuple[int, int]]:
    """Where the answers stand: from behind their header to their end mark inclusive, found from the marks alone."""
    header, width = list(marks.answer_header), len(marks.answer_header)
    position = 0
    while position < len(ids):
        if header:
            if ids[position] != header[0] or ids[position : position + width] != header:
                position += 1
                continue
            start = position + width
        else:
            opens = ids[position] in marks.answer_after and ids[position + 1 : position + 2]
            if not opens or ids[position + 1] in marks.openers:
                position += 1
                continue
            start = position + 1
        stop = next((i + 1 for i in range(start, len(ids)) if ids[i] == marks.end), len(ids))
        yield start, stop
        position = stop


def _regions(ids: list[int], trained: list[bool], end: int) -> Iterator[tuple[int, int]]:
    """Unbroken stretches of trained tokens; an end mark closes one."""
    start: int | None = None
    for position, (token, flag) in enumerate(zip(ids, trained, strict=True)):
        if flag and start is None:
            start = position
        if start is not None and (not flag or token == end):
            yield start, position + flag
            start = None
    if start is not None:
        yield start, len(trained)


def _named(validator: str, names: list[str], fault: str) -> Finding:
    if not names:
        return Finding(validator, "ok", "as it should be")
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return Finding(validator, "abort", f"{fault}: {', '.join(names[:_NAMED])}{more}")
