"""Reads the project's papers: their code, their links, the first column of their tables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAPERS = tuple(
    sorted(p.name for p in ROOT.glob("*.md")) + sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))
)
GENERATED = "docs/LORE.md"
WRITTEN = tuple(paper for paper in PAPERS if paper != GENERATED)
"""The papers that people write."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A ``realm …`` command found in a paper."""

    paper: str
    words: tuple[str, ...]
    """Without ``realm`` itself."""
    whole: bool
    """From a block of shell: meant to be typed as it stands."""

    def __str__(self) -> str:
        return f"{self.paper}: realm {' '.join(self.words)}"


def text_of(paper: str) -> str:
    """A paper's text."""
    return (ROOT / paper).read_text(encoding="utf-8")


def blocks(paper: str, language: str) -> list[str]:
    """The fenced blocks in one language."""
    return [body for found, body in _BLOCK.findall(text_of(paper)) if found == language]


def spans(paper: str) -> list[str]:
    """Everything in backticks outside fenced blocks."""
    return _SPAN.findall(_BLOCK.sub("", text_of(paper)))


def links(paper: str) -> list[str]:
    """Targets of links and pictures."""
    return _LINK.findall(text_of(paper))


def anchors(paper: str) -> set[str]:
    """What `#…` may name in a paper: its headings, as web viewers spell them."""
    heads = re.findall(r"^#+ (.+)$", text_of(paper), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def commands(paper: str) -> list[CommandLine]:
    """Every ``realm …`` command in a paper, also inside ``ssh``, ``tmux`` or ``textual serve "…"``."""
    typed = [line for body in blocks(paper, "sh") for line in body.splitlines()]
    found = [CommandLine(paper, words, True) for line in typed for words in _realm_words(line)]
    return found + [CommandLine(paper, words, False) for span in spans(paper) for words in _realm_words(span)]


def table_rows(paper: str) -> Iterator[list[str]]:
    """Cells of every table row."""
    for line in text_of(paper).splitlines():
        if line.startswith("|") and not set(line) <= set("|-: "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def first_cells(paper: str, heading: str) -> set[str]:
    """The names in backticks in the first column of the tables below ``heading``, up to the next heading of its rank."""
    rank = heading.split(" ")[0]
    _, _, rest = text_of(paper).partition(f"\n{heading}\n")
    assert rest, f"{paper} has no {heading!r}"
    part = re.split(rf"^{rank} ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| ")]
    return {name for cell in rows for name in _SPAN.findall(cell)}


def _realm_words(line: str) -> Iterator[tuple[str, ...]]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return
    for i, word in enumerate(words):
        if word == "realm" and (i == 0 or words[i - 1] not in ("-m", "cd")) and i + 1 < len(words):
            yield tuple(words[i + 1 :])
        elif word.startswith("realm ") and i:
            yield tuple(shlex.split(word)[1:])
