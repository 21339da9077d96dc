"""Explains the samples cluster by cluster: apart where one word decides, together where only the wording differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pydantic import ValidationError

from configs.declared import DeclaredOperation
from configs.errors import RealmError
from skills.declared.skill import make
from skills.forge.declare import LEVELS, operation_of
from skills.forge.fitting import Found, fitted, uses
from skills.forge.samples import Sample
from skills.forge.search import Explained
from skills.forge.templates import Cluster, Row, SlotKind, mine

MOST_CLUSTERS = 120
"""Wordings that are looked at, those with the most samples first."""
LEAST_SAMPLES = 6
"""Samples of a template below which any expression may fit by accident."""


@dataclass(slots=True)
class Mined:
    """What the samples gave."""

    found: list[Found] = field(default_factory=list)
    odd: list[tuple[Sample, str]] = field(default_factory=list)
    """Samples that are not explained, with the reason."""


def mined(samples: Sequence[Sample]) -> Mined:
    """Explained clusters of the samples, and what could not be explained."""
    result = Mined()
    clusters = mine(samples)
    for cluster in clusters[:MOST_CLUSTERS]:
        _explain(cluster, result)
    for cluster in clusters[MOST_CLUSTERS:]:
        result.odd += [(sample, "more wordings than are looked at") for sample, _ in cluster.members]
    kept = []
    for one in _joined(result.found):
        if why := _unusable(one):
            result.odd += [(row.sample, why) for row in one.rows]
        else:
            kept.append(one)
    result.found = kept
    return result


def _unusable(one: Found) -> str:
    """Why an explained cluster makes no operation; empty: it does."""
    try:
        operation = DeclaredOperation.model_validate(operation_of(one, LEVELS, first=1))
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
    one = None if split and _tied(rows, kinds) else fitted(cluster, rows, kinds)
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
    one = fitted(cluster, rows, kinds)
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


def _joined(found: Sequence[Found]) -> list[Found]:
    """Wordings of one problem joined: the same kinds of slots in the same order, and the same answer."""
    homes: dict[tuple[Any, ...], Found] = {}
    for one in found:
        used = [n for n in one.kinds if uses(one, n)]
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


def summary(result: Mined) -> dict[str, int]:
    """How many samples went unexplained, by reason."""
    return dict(Counter(why for _, why in result.odd).most_common())
