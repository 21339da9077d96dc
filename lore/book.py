"""Writes ``docs/LORE.md`` from the lexicon: ``python -m lore.book docs/LORE.md``."""

from __future__ import annotations

import sys
from pathlib import Path

from lore.laws import laws
from lore.lexicon import Entry, chapters
from lore.titles import title_rules

_HEAD = """# Lore: the words of the realm

Every word of the game has a twin. The tavern's word tells the story, the plain one is the field's own; `v` switches between them on
screen. This book is generated from the chapters in `lore/words/`, `lore/titles.yaml` and `lore/laws.yaml` (`python -m lore.book docs/LORE.md`); numbers in it are
those the game ships with (`realm config explain` shows the ones in force).
"""


def book() -> str:
    """The whole book as Markdown, in the order of the lexicon."""
    parts = [_HEAD]
    for chapter in chapters():
        parts.append(f"## {chapter.chapter}\n")
        parts.append("| Tavern | Plain | What it is | Technical | Key |\n|---|---|---|---|---|")
        parts.append("\n".join(_row(key, entry) for key, entry in chapter.entries.items()) + "\n")
    parts.append("## Titles\n")
    parts.append("| Title | For | Shown |\n|---|---|---|")
    parts.append("\n".join(f"| {r.label} | {_cell(r.plain)} | {_shown(r.shown)} |" for r in title_rules().values()))
    parts.append("\n## The laws of the world\n")
    parts.append("| Law | What must hold | As the tavern says it |\n|---|---|---|")
    parts.append("\n".join(f"| {name} | {_cell(law.plain)} | {_cell(law.tavern)} |" for name, law in laws().items()))
    return "\n".join(parts) + "\n"


def _row(key: str, entry: Entry) -> str:
    told = entry.tooltip + (f" **{entry.warning}**" if entry.warning else "")
    cells = (f"{_cell(entry.icon)} {entry.label}", entry.named("plain"), told, entry.technical, f"`{key}`")
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shown(where: str) -> str:
    return "worn" if where == "title" else f"{where} beside the title"


def main(arguments: list[str]) -> int:
    """Write the book to the file named."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m lore.book FILE\n")
        return 2
    Path(arguments[0]).write_text(book(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
