"""Finds what gives the answers of one cluster: an expression alone, in a frame of words, or in a sentence of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skills.forge.search import AGREEING, Explained, agreement, explain
from skills.forge.templates import Cluster, Row, SlotKind, tokens_of


@dataclass(slots=True)
class Found:
    """An explained cluster."""

    templates: list[str]
    kinds: dict[str, SlotKind]
    explained: Explained
    answer: str
    rows: list[Row]
    separator: str
    plain: bool
    """The answer is the expression's value alone, without words around it."""


def fitted(cluster: Cluster, rows: list[Row], kinds: dict[str, SlotKind]) -> Found | None:
    answers = [row.sample.answer for row in rows]
    values, separator = [row.values for row in rows], cluster.separator()
    for before, after in _frames(answers):
        cores = [a[len(before) : len(a) - len(after)] for a in answers]
        if len(set(cores)) < 2:
            continue
        explained = explain(values, cores, kinds, separator)
        if explained is not None:
            source = explained.source
            if before or after:
                source = " + ".join(
                    [*([repr(before)] if before else []), f"text({source})", *([repr(after)] if after else [])]
                )
            return Found([cluster.template()], kinds, explained, source, rows, separator, plain=not (before or after))
    explained = _shaped(values, answers, kinds, separator)
    if explained is None:
        return None
    return Found([cluster.template()], kinds, explained, explained.source, rows, separator, plain=False)


def _shaped(
    values: Sequence[Mapping[str, Any]], answers: Sequence[str], kinds: Mapping[str, SlotKind], separator: str
) -> Explained | None:
    """Answers that are a sentence of their own: all alike but for some numbers and words, each explained by itself."""
    told = [tokens_of(answer) for answer in answers]
    shapes = [tuple(t.text if t.kind == "mark" else t.kind for t in tokens) for tokens in told]
    shape = Counter(shapes).most_common(1)[0][0]
    fits = [one == shape for one in shapes]
    if sum(fits) < AGREEING * len(answers):
        return None
    chosen = [(value, tokens) for value, tokens, fit in zip(values, told, fits, strict=True) if fit]
    pieces: list[str | Explained] = []
    size, facts = 0, dict[str, Mapping[str, int | str]]()
    for position in range(len(shape)):
        column = [tokens[position].text for _, tokens in chosen]
        if len(set(column)) == 1:
            pieces.append(column[0])
            continue
        part = explain([value for value, _ in chosen], column, kinds, separator)
        if part is None:
            return None
        pieces.append(part)
        size, facts = size + part.size + 1, {**facts, **part.facts}
    source = _spelt_out(pieces)
    agrees = agreement(source, values, answers, facts)
    return Explained(source, size, agrees, facts) if sum(agrees) >= AGREEING * len(answers) else None


def _spelt_out(pieces: Sequence[str | Explained]) -> str:
    """Texts and expressions put together."""
    joined: list[str] = []
    text = ""
    for piece in (*pieces, None):
        if isinstance(piece, str):
            text += piece
            continue
        if text:
            joined.append(repr(text))
            text = ""
        if piece is not None:
            joined.append(f"text({piece.source})")
    return " + ".join(joined)


def _frames(answers: Sequence[str]) -> list[tuple[str, str]]:
    """Words around the answers' changing part: none, or what all answers begin and end with."""
    before, after = _shared(answers), _shared([a[::-1] for a in answers])[::-1]
    before = re.sub(r"[\w-]*$", "", before)
    after = re.sub(r"^[\w]*", "", after)
    return [("", "")] if not before and not after else [("", ""), (before, after)]


def _shared(texts: Sequence[str]) -> str:
    low, high = min(texts), max(texts)
    return low[: next((i for i, c in enumerate(low) if i >= len(high) or c != high[i]), len(low))]


def uses(one: Found, name: str) -> bool:
    """Whether the answer depends on a slot."""
    return re.search(rf"\b{name}(?:_fact)?\b", one.explained.source) is not None
