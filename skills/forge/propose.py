"""Puts a proposal together: operations from explained clusters, wordings of one problem joined, levels laid over them."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

from pydantic import ValidationError

from configs.declared import DeclaredOperation, DeclaredSkill
from configs.errors import BlockedError, RealmError
from skills.declared.expression import ExpressionError, evaluate, read
from skills.declared.skill import make
from skills.forge.decompose import primitives_of
from skills.forge.ladder import choice_levels, int_levels, length_levels
from skills.forge.samples import Sample
from skills.forge.search import Explained, explain
from skills.forge.templates import Cluster, Row, SlotKind, mine

LEAST_SAMPLES = 6
"""Samples of a template below which any expression may fit by accident."""
LEVELS = 5
_FIRST_LEVEL = 400
"""Problems of the first level where the samples span as many: a fifth of them are held out, 64 make an exam."""
_TELLING = 12
"""Samples from which something that never happened counts as excluded."""
_LETTERS = ("reverse(", "sorted(", "len(", "count(", "split(", "first(", "last(", "[1:]", "[:-1]", " in ")


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


@dataclass(slots=True)
class Mined:
    """What the samples gave."""

    found: list[Found] = field(default_factory=list)
    odd: list[tuple[Sample, str]] = field(default_factory=list)
    """Samples that are not explained, with the reason."""


def mined(samples: Sequence[Sample]) -> Mined:
    """Explained clusters of the samples, and what could not be explained."""
    result = Mined()
    for cluster in mine(samples):
        _explain(cluster, result)
    kept = []
    for one in _joined(result.found):
        if why := _unusable(one):
            result.odd += [(row.sample, why) for row in one.rows]
        else:
            kept.append(one)
    result.found = kept
    return result


def declaration(skill_id: str, name: str, found: Sequence[Found], levels: int = LEVELS) -> dict[str, Any]:
    """The declared skill as its YAML says it.

    Raises:
        BlockedError: nothing was explained.
    """
    if not found:
        raise BlockedError(
            "no sample could be explained",
            why="no template with an answer that follows from its slots was found",
            fix="give samples whose answers can be computed from the question, more of each wording",
            code="NOTHING_EXPLAINED",
        )
    ordered = sorted(found, key=lambda f: (f.explained.size, -len(f.rows), f.templates[0]))
    operations: dict[str, Any] = {}
    for position, one in enumerate(ordered):
        key = _operation_name(one, operations)
        operations[key] = _operation(one, levels, first=1 + position * (levels - 1) // (2 * len(ordered)))
    return {
        "id": skill_id,
        "name": name,
        "description": f"{name}, learnt from samples: {len(operations)} operation{'s' * (len(operations) > 1)}.",
        "version": "1.0.0",
        "category": "math" if all(_numeric(one) for one in found) else "reasoning",
        "max_level": levels,
        "operations": operations,
    }


# ---- explaining


def _unusable(one: Found) -> str:
    """Why an explained cluster makes no operation; empty: it does."""
    try:
        operation = DeclaredOperation.model_validate(_operation(one, LEVELS, first=1))
        for level in (1, LEVELS):
            make("it", operation, Random(0), level)
    except ValidationError as error:
        return f"its wording or its slots are beyond what a declared skill holds: {error.errors()[0]['msg']}"
    except RealmError as error:
        return error.text()
    return ""


def _explain(cluster: Cluster, result: Mined, *, split: bool = True) -> None:
    rows, kinds = cluster.rows(), cluster.slots()
    if len(rows) < LEAST_SAMPLES or not kinds:
        why = f"only {len(rows)} samples of this wording" if len(rows) < LEAST_SAMPLES else "nothing in it varies"
        result.odd += [(row.sample, why) for row in rows]
        return
    if (name := by_heart(rows, kinds)) is not None:
        why = f"its answers are facts about {{{name}}}: an exam would ask for what was never taught"
        result.odd += [(row.sample, why) for row in rows]
        return
    one = None if split and _tied(rows, kinds) else _fitted(cluster, rows, kinds)
    if one is not None:
        result.found.append(one)
        result.odd += [
            (row.sample, f"its answer is not {one.answer}")
            for row, agrees in zip(rows, one.explained.agrees, strict=True)
            if not agrees
        ]
        return
    words = [
        n
        for n, k in kinds.items()
        if k == "word" and 1 < len({row.values[n] for row in rows}) <= max(2, len(rows) // 4)
    ]
    if split and words:
        parts = cluster.by_word(min(words, key=lambda n: len({row.values[n] for row in rows})))
        for part in parts:
            _explain(part, result, split=len(words) > 1)
        return
    one = _fitted(cluster, rows, kinds)
    if one is not None:
        result.found.append(one)
        return
    result.odd += [(row.sample, "no expression gives its answer") for row in rows]


def by_heart(rows: Sequence[Row], kinds: Mapping[str, SlotKind]) -> str | None:
    """The slot whose single word decides the answer, which is another word; None when answers follow from the question."""
    if set(kinds.values()) != {"word"}:
        return None
    for name in kinds:
        told: dict[str, set[str]] = {}
        for row in rows:
            told.setdefault(row.values[name], set()).add(row.sample.answer)
        answers = {answer for known in told.values() for answer in known}
        fixed = all(len(known) == 1 for known in told.values())
        if fixed and len(told) <= len(rows) // 3 and len(answers) > 2 and not _spelt(told):
            return name
    return None


def _spelt(told: Mapping[str, set[str]]) -> bool:
    """Whether the answers are made of the letters of the words."""
    return all(set(answer.lower()) <= set(word.lower()) for word, answers in told.items() for answer in answers)


def _tied(rows: Sequence[Row], kinds: Mapping[str, SlotKind]) -> bool:
    """Whether two words always change together, so that drawing them apart would word it wrongly."""
    words = [n for n, k in kinds.items() if k == "word"]
    for position, one in enumerate(words):
        for other in words[position + 1 :]:
            pairs = {(row.values[one], row.values[other]) for row in rows}
            firsts, seconds = {p[0] for p in pairs}, {p[1] for p in pairs}
            if 1 < len(firsts) == len(pairs) == len(seconds) <= len(rows) // 4:
                return True
    return False


def _fitted(cluster: Cluster, rows: list[Row], kinds: dict[str, SlotKind]) -> Found | None:
    answers = [row.sample.answer for row in rows]
    for before, after in _frames(answers):
        cores = [a[len(before) : len(a) - len(after)] for a in answers]
        if len(set(cores)) < 2:
            continue
        explained = explain([row.values for row in rows], cores, kinds, cluster.separator())
        if explained is not None:
            source = explained.source
            if before or after:
                source = " + ".join(
                    [*([repr(before)] if before else []), f"text({source})", *([repr(after)] if after else [])]
                )
            return Found(
                [cluster.template()], kinds, explained, source, rows, cluster.separator(), plain=not (before or after)
            )
    return None


def _frames(answers: Sequence[str]) -> list[tuple[str, str]]:
    """Words around the answers' changing part: none, or what all answers begin and end with."""
    before, after = _shared(answers), _shared([a[::-1] for a in answers])[::-1]
    before = re.sub(r"[\w-]*$", "", before)
    after = re.sub(r"^[\w]*", "", after)
    return [("", "")] if not before and not after else [("", ""), (before, after)]


def _shared(texts: Sequence[str]) -> str:
    low, high = min(texts), max(texts)
    return low[: next((i for i, c in enumerate(low) if i >= len(high) or c != high[i]), len(low))]


def _joined(found: Sequence[Found]) -> list[Found]:
    """Wordings of one problem joined: the same kinds of slots in the same order, and the same answer."""
    homes: dict[tuple[Any, ...], Found] = {}
    for one in found:
        used = [n for n in one.kinds if _uses(one, n)]
        key = (one.answer, tuple(one.kinds.items()), one.separator, tuple(used), str(sorted(one.explained.facts)))
        home = homes.get(key)
        if home is None:
            homes[key] = one
            continue
        home.templates += one.templates
        home.rows += one.rows
        merged = {name: {**known, **one.explained.facts.get(name, {})} for name, known in home.explained.facts.items()}
        home.explained = Explained(
            home.explained.source, home.explained.size, (*home.explained.agrees, *one.explained.agrees), merged
        )
    return list(homes.values())


# ---- writing down


def _uses(one: Found, name: str) -> bool:
    return re.search(rf"\b{name}(?:_fact)?\b", one.explained.source) is not None


def _numeric(one: Found) -> bool:
    return all(row.sample.answer.removeprefix("-").isdigit() for row in one.rows)


def _operation_name(one: Found, taken: Mapping[str, Any]) -> str:
    words = re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " ", one.templates[0]).lower())
    common = {
        "the",
        "a",
        "an",
        "is",
        "are",
        "of",
        "what",
        "how",
        "many",
        "much",
        "to",
        "and",
        "in",
        "does",
        "do",
        "by",
        "with",
    }
    stem = "_".join([w for w in words if w not in common][:3] or words[:2]) or "operation"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name


def _operation(one: Found, levels: int, first: int) -> dict[str, Any]:
    slots = {name: _slot(one, name, kind, levels) for name, kind in one.kinds.items()}
    where = _conditions(one)
    operation: dict[str, Any] = {"templates": list(dict.fromkeys(one.templates)), "slots": slots, "answer": one.answer}
    if where:
        operation["where"] = where
    if one.plain and _numeric(one):
        operation["compare"] = "number"
    if drawn_on := primitives_of(one.explained.source, one.kinds):
        operation["primitives"] = list(drawn_on)
    if first > 1:
        operation["first_level"] = first
    return operation


def _slot(one: Found, name: str, kind: SlotKind, levels: int) -> dict[str, Any]:
    values = [row.values[name] for row in one.rows]
    if kind == "int":
        values = [row.values[n] for row in one.rows for n in _alike(one, name)]
        numbers = sum(k == "int" for k in one.kinds.values())
        return {"kind": "int", "levels": int_levels(values, levels, round(_FIRST_LEVEL ** (1 / numbers)))}
    if kind == "list":
        members = [v for value in values for v in value]
        return {
            "kind": "list",
            "length": length_levels([len(v) for v in values], levels),
            "values": [min(members), max(members)],
            "separator": one.separator,
        }
    known = one.explained.facts.get(name)
    lower = all(v.isalpha() and v.islower() for v in values)
    if known is None and lower and _uses(one, name) and any(form in one.answer for form in _LETTERS):
        return {
            "kind": "letters",
            "alphabet": "".join(sorted({c for v in values for c in v})),
            "levels": length_levels([len(v) for v in values], levels),
        }
    slot: dict[str, Any] = {"kind": "choice", "levels": choice_levels(values, levels)}
    if known is not None:
        slot["facts"] = {word: known[word] for word in sorted(known)}
    elif not _uses(one, name):
        slot["wording"] = True
    return slot


def _alike(one: Found, name: str) -> list[str]:
    """The number slots that share one range with ``name``: those compared with each other, or a constant answer would often be right."""
    compared = {
        side.id
        for node in ast.walk(read(one.explained.source))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Name) and one.kinds.get(side.id) == "int"
    }
    return sorted(compared) if name in compared else [name]


def _conditions(one: Found) -> str:
    """What holds in every sample and would not hold by chance: no negative result, no remainder, no tie."""
    values = [row.values for row in one.rows]
    if len(values) < _TELLING:
        return ""
    ints = [n for n, k in one.kinds.items() if k == "int"]
    answer = one.explained.source
    found = []
    for a in ints:
        for b in ints:
            if a == b:
                continue
            if f"{a} - {b}" in answer and "abs(" not in answer:
                found.append(f"{a} >= {b}")
            if f"{a} // {b}" in answer or f"{a} % {b}" in answer:
                found.append(f"{b} != 0")
            if f"{a} // {b}" in answer:
                found.append(f"{a} % {b} == 0")
            if f"{a} > {b}" in answer or f"{a} < {b}" in answer:
                found.append(f"{a} != {b}")
    if "split" not in answer and (letters := [n for n, k in one.kinds.items() if k == "word"]) and len(letters) > 1:
        found += [f"{a} != {b}" for a, b in pairwise(letters) if f"{a} if" in answer or f"{b} if" in answer]
    return " and ".join(c for c in dict.fromkeys(found) if all(_holds(c, row) for row in values))


def _holds(condition: str, values: Mapping[str, Any]) -> bool:
    try:
        return bool(evaluate(condition, values))
    except ExpressionError:
        return False


def summary(result: Mined) -> dict[str, int]:
    """How many samples went unexplained, by reason."""
    return dict(Counter(why for _, why in result.odd).most_common())


def valid(data: Mapping[str, Any]) -> DeclaredSkill:
    """A declaration as the game reads it."""
    return DeclaredSkill.model_validate(dict(data))
