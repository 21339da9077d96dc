"""What the Watchtower and the Strain page cost on a long campaign: each look at the save, and drawing what it gave.

    python -m benchmarks.charts [--facts 1000000] [--pruned] [--json FILE]

The save is made for the purpose (`benchmarks.big_save`): a million facts over ten million steps, windows not merged yet. A page
reads a history too long for one look in parts, the newest first; the longest look is what the facts thread is held up by.
Seconds are wall time on one thread, drawing is at 120×40.

Takes about 15 s to make the save and 10 s to look at it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmarks.figures import spread, table
from benchmarks.fold import made_apart
from benchmarks.options import parser
from configs.paths import SaveFolder
from realm_tui.app.drawing import Look
from realm_tui.app.widgets.charts import Shown, charts_rows
from realm_tui.app.widgets.strain_page import Now, strain_page_rows
from realm_tui.runtime.buckets import Span
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.strain_view import StrainReader
from realm_tui.runtime.watch_view import Tower, Wish

AGAIN = 10
WIDTH, HEIGHT = 118, 36


class Looked(Protocol):
    """What a page reads."""

    @property
    def complete(self) -> bool: ...


L = TypeVar("L", bound=Looked)


def looks(read: Callable[[], L]) -> tuple[list[float], L]:
    """Milliseconds of every look until the history is whole, and what the last one gave."""
    took: list[float] = []
    while True:
        began = time.perf_counter()
        found = read()
        took.append(1000 * (time.perf_counter() - began))
        if found.complete:
            return took, found


def page(read: Callable[[Wish], L], draw: Callable[[L], object]) -> dict[str, Any]:
    """The figures of one page."""
    first, found = looks(lambda: read(Wish()))
    again = [looks(lambda: read(Wish()))[0][0] for _ in range(AGAIN)]
    zoom, _ = looks(lambda: read(Wish(span=Span(100_000))))
    began = time.perf_counter()
    draw(found)
    return {
        "looks": len(first),
        "first_look_ms": round(first[0], 1),
        "longest_look_ms": round(max(first), 1),
        "whole_ms": round(sum(first), 1),
        "zoom_ms": round(sum(zoom), 1),
        "again_ms": spread(again, 2),
        "draw_ms": round(1000 * (time.perf_counter() - began), 1),
    }


def measure(save: OpenedSave) -> dict[str, Any]:
    """Both pages."""
    tower, reader, look = Tower(), StrainReader(), Look()
    rules = save.rules.strain
    return {
        "watchtower": page(
            lambda wish: tower.read(save, wish), lambda found: charts_rows(found, Shown(), look, WIDTH, HEIGHT)
        ),
        "strain": page(
            lambda wish: reader.read(save, wish, unset=True),
            lambda found: strain_page_rows(found, Now(), look, WIDTH, HEIGHT, rules),
        ),
    }


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("charts", __doc__)
    command.add_argument("--facts", type=int, default=1_000_000)
    command.add_argument("--pruned", action="store_true", help="a save as retention leaves it")
    options = command.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="realm-charts-") as name:
        folder = SaveFolder(Path(name) / "saves" / "main")
        facts = made_apart(folder, options.facts, pruned=options.pruned)
        with opened(folder) as save:
            found = measure(save)
    rows = [
        {
            "": which,
            "looks": one["looks"],
            "longest ms": one["longest_look_ms"],
            "whole ms": one["whole_ms"],
            "again ms": one["again_ms"]["median"],
            "zoom ms": one["zoom_ms"],
            "draw ms": one["draw_ms"],
        }
        for which, one in found.items()
    ]
    table(f"Charts over {facts:,} facts", rows)
    if options.json:
        options.json.write_text(json.dumps({"facts": facts, **found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
