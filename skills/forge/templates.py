"""Mines templates: prompts that are equal but for numbers, lists and single words become one template with slots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from skills.forge.samples import Sample

MOST_WORDINGS = 200
"""Templates of one length that prompts are compared with; prompts that fit none of them stay alone."""
SlotKind = Literal["int", "list", "word"]
_LIST = re.compile(r"(?<![\w.)-])-?\d+(, |,| )-?\d+(?:\1-?\d+)+(?![\w.]\d)")
_TOKEN = re.compile(r"\d+(?:\.\d+)+|(?<![\w)\]])-?\d+|\d+|[^\W\d_]+|\s+|.", re.DOTALL)
_INT = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a prompt."""

    kind: Literal["int", "list", "word", "mark"]
    text: str

    @property
    def key(self) -> str:
        """What pieces of one template share: numbers and lists only their kind."""
        return f"<{self.kind}>" if self.kind in ("int", "list") else self.text


@dataclass(frozen=True, slots=True)
class Row:
    """A sample as values of a template's slots."""

    sample: Sample
    values: dict[str, Any]


@dataclass(slots=True)
class Cluster:
    """Prompts of one template."""

    members: list[tuple[Sample, tuple[Token, ...]]] = field(default_factory=list)

    @property
    def varied(self) -> tuple[int, ...]:
        """Positions that differ between the prompts, or hold a number or list."""
        columns = zip(*(tokens for _, tokens in self.members), strict=True)
        return tuple(
            i
            for i, column in enumerate(columns)
            if column[0].kind in ("int", "list") or len({t.text for t in column}) > 1
        )

    def slots(self) -> dict[str, SlotKind]:
        """The slots by name, in the order in which they stand."""
        first = self.members[0][1]
        found: dict[str, SlotKind] = {}
        counts = {"int": 0, "list": 0, "word": 0}
        for position in self.varied:
            kind = first[position].kind
            named: SlotKind = "word" if kind == "mark" else kind
            found[_name(named, counts[named])] = named
            counts[named] += 1
        return found

    def template(self) -> str:
        """The prompt with its slots; braces of the prompt itself cannot be slots and stay as they are."""
        names = dict(zip(self.varied, self.slots(), strict=True))
        return "".join(f"{{{names[i]}}}" if i in names else token.text for i, token in enumerate(self.members[0][1]))

    def rows(self) -> list[Row]:
        """The samples as slot values."""
        names = dict(zip(self.varied, self.slots(), strict=True))
        return [Row(sample, {name: _value(tokens[i]) for i, name in names.items()}) for sample, tokens in self.members]

    def separator(self) -> str:
        """What stands between the numbers of its lists."""
        texts = [token.text for _, tokens in self.members for token in tokens if token.kind == "list"]
        found = _LIST.match(texts[0]) if texts else None
        return found[1] if found else ", "

    def by_word(self, name: str) -> list[Cluster]:
        """Itself taken apart by the words of one slot."""
        position = dict(zip(self.slots(), self.varied, strict=True))[name]
        parts: dict[str, Cluster] = {}
        for sample, tokens in self.members:
            parts.setdefault(tokens[position].text, Cluster()).members.append((sample, tokens))
        return [parts[key] for key in sorted(parts)]


def tokens_of(prompt: str) -> tuple[Token, ...]:
    """A prompt in pieces: lists of three numbers or more, numbers, words, and everything else character by character."""
    found: list[Token] = []
    at = 0
    for match in _LIST.finditer(prompt):
        found.extend(_plain(prompt[at : match.start()]))
        found.append(Token("list", match[0]))
        at = match.end()
    found.extend(_plain(prompt[at:]))
    return tuple(found)


def mine(samples: Iterable[Sample]) -> list[Cluster]:
    """Clusters of samples with one template each, largest first."""
    groups: dict[tuple[str, ...], Cluster] = {}
    for sample in samples:
        tokens = tokens_of(sample.prompt)
        groups.setdefault(tuple(t.key for t in tokens), Cluster()).members.append((sample, tokens))
    merged: dict[tuple[str, ...], list[_Merge]] = {}
    alone: list[Cluster] = []
    for key in sorted(groups, key=lambda k: (-len(groups[k].members), k)):
        cluster = groups[key]
        shape = tuple("<word>" if t.kind == "word" else t.key for t in cluster.members[0][1])
        homes = merged.setdefault(shape, [])
        home = next((h for h in homes if h.takes(key, shape)), None)
        if home is None and len(homes) >= MOST_WORDINGS:
            alone.append(cluster)
            continue
        if home is None:
            homes.append(home := _Merge(key))
        home.add(key, cluster)
    found = [*(home.cluster for homes in merged.values() for home in homes), *alone]
    return sorted(found, key=lambda c: (-len(c.members), c.members[0][0].line))


class _Merge:
    """A cluster that grows by prompts which differ in a few words."""

    def __init__(self, key: tuple[str, ...]) -> None:
        self._key = key
        self._free: set[int] = set()
        self.cluster = Cluster()

    def takes(self, key: tuple[str, ...], shape: Sequence[str]) -> bool:
        words = shape.count("<word>")
        free = self._free | self._differing(key)
        return len(free) <= min(max(2, words // 2), words - 1)

    def add(self, key: tuple[str, ...], cluster: Cluster) -> None:
        self._free |= self._differing(key)
        self.cluster.members.extend(cluster.members)

    def _differing(self, key: tuple[str, ...]) -> set[int]:
        return {i for i, (ours, theirs) in enumerate(zip(self._key, key, strict=True)) if ours != theirs}


def _plain(text: str) -> list[Token]:
    return [
        Token("int" if _INT.fullmatch(m[0]) else "word" if m[0][0].isalpha() or m[0][0].isdigit() else "mark", m[0])
        for m in _TOKEN.finditer(text)
    ]


def _value(token: Token) -> Any:
    if token.kind == "int":
        return int(token.text)
    if token.kind == "list":
        return [int(v) for v in _INT.findall(token.text)]
    return token.text


def _name(kind: SlotKind, position: int) -> str:
    if kind == "int":
        return "abcdefghijklmnop"[position] if position < 16 else f"n{position}"
    letter = "x" if kind == "list" else "w"
    return letter if position == 0 else f"{letter}{position + 1}"
