"""Where the hours went: what the Watchtower's chart of times is stacked of, and the words for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from realm_tui.app.charts import FILLS, Cells, draw_stack, seconds
from realm_tui.app.drawing import Row, shorten, width_of

Values = Sequence[float | None]
Lines = Mapping[str, Values]


@dataclass(frozen=True, slots=True)
class Part:
    """One layer."""

    series: str
    word: str
    fill: str
    role: str


_TRAINING = Part("train_s", "training", FILLS[0], "curve")
_EXAMS = Part("exam_s", "exams", FILLS[1], "accent")
_REST = Part("rest_s", "rest", FILLS[2], "faint")
WHOLE = (_TRAINING, _EXAMS, _REST)
"""Small: a step is one layer."""
APART = (
    Part("both_s", "forward+backward", "▓", "curve"),
    Part("forward_s", "forward", "▀", "curve"),
    Part("backward_s", "backward", "▄", "curve"),
    Part("update_s", "update", "▚", "skill"),
    Part("data_s", "data", "▌", "warn"),
    Part("step_s", "undivided", FILLS[0], "curve"),
    _EXAMS,
    _REST,
)
"""Alone on the screen: a step in its parts, from the bottom up; what was not told apart ends the training."""
_LEAST = 0.005
"""Share below which a part of a step is not named."""
_NOT_APART = "█ steps whose parts were not measured; nothing is guessed for them"


def draw_split(cells: Cells, lines: Sequence[Values], parts: Sequence[Part]) -> None:
    """Shares of the time, each part on the one before it."""
    draw_stack(cells, _shares(lines), 1.0, [p.role for p in parts], [p.fill for p in parts])


def split_title(lines: Lines, *, shares: bool) -> str:
    """``41 ms █81% ▒12% ░7%``: the newest mean time of a step, and shares over everything that is looked at."""
    newest = next((v for v in reversed(lines["train_s"]) if v is not None and math.isfinite(v)), None)
    if not shares:
        return f"{seconds(newest)} a step"
    return " ".join([seconds(newest), *(f"{p.fill}{100 * part:.0f}%" for p, part in _sums(lines, WHOLE))])


def split_rows(lines: Lines, width: int) -> list[Row]:
    """The parts with their words and shares over everything that is looked at, as many lines as they need."""
    told = [(p, part) for p, part in _sums(lines, APART) if part >= _LEAST or p in WHOLE]
    rows: list[Row] = []
    row: list[tuple[str, str]] = []
    for part, value in told:
        text = f"  {part.fill} {part.word} {100 * value:.0f}%"
        if row and width_of(tuple(row)) + len(text) > width:
            rows.append(tuple(row))
            row = []
        row.append((text, part.role))
    rows += [tuple(row)] if row else []
    apart = zip(*(lines[p.series] for p in APART[:-3]), strict=True)
    if any(v is not None and set(parts) == {None} for v, parts in zip(lines["step_s"], apart, strict=True)):
        rows.append(((f"  {shorten(_NOT_APART, width - 2)}", "faint"),))
    return rows


def _sums(lines: Lines, parts: Sequence[Part]) -> list[tuple[Part, float]]:
    """Each part's share of all the time that is looked at; nothing while there is none."""
    sums = [math.fsum(v for v in lines[p.series] if v is not None) for p in parts]
    total = math.fsum(sums)
    return [(p, value / total) for p, value in zip(parts, sums, strict=True)] if total > 0 else []


def _shares(parts: Sequence[Values]) -> list[list[float | None]]:
    """Parts of one whole, column by column."""
    out: list[list[float | None]] = [[] for _ in parts]
    for column in zip(*parts, strict=True):
        total = math.fsum(v for v in column if v is not None)
        for line, value in zip(out, column, strict=True):
            # A part that a column does not tell apart has no layer there: its seconds lie in another one.
            line.append((value or 0.0) / total if total > 0 else None)
    return out
