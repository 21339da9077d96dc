"""What a save of a year's play costs the screen: first frame, a look, going from screen to screen, and memory.

    python -m benchmarks.scale [--facts 1000000] [--runs 5] [--rounds 3] [--pruned] [--json FILE]

The save is made for the purpose (`benchmarks.big_save`): a million facts over ten million steps, windows not merged yet; its game was
folded once before, as it is after the first visit. First frames are those of the real program under a pseudo-terminal, as in
`benchmarks.face`. Screens are opened one after the other in the app without a terminal, at 120×40: *shown* is the time from the
key to the screen's frame, *filled* that to its data, which is read beside the event loop. *Read* is processor time of one look at
the data alone. Memory is the most the process ever held.

Takes about 15 s to make the save, 15 s to fold it, and a minute.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.face import first_frame, last_facts
from benchmarks.figures import spread, table
from benchmarks.fold import made_apart, timed
from benchmarks.machine import child_environment
from benchmarks.options import parser
from configs.paths import SaveFolder
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.opened import opened
from saves.locks import FileLock

PATIENCE_S = 30.0
"""How long a screen may take to be filled."""


async def tour(folder: SaveFolder) -> dict[str, dict[str, float]]:
    """Open every screen once; what each took, in milliseconds."""
    from realm_tui.app.app import RealmApp
    from realm_tui.app.drawing import Look
    from realm_tui.app.link import EngineLink
    from realm_tui.app.screens.page import Page
    from realm_tui.app.screens.registry import HOME, SCREENS
    from realm_tui.app.source import SaveSource
    from realm_tui.runtime.writer import SaveWriter

    reading = ThreadPoolExecutor(max_workers=1)
    source = SaveSource(folder)
    opening = reading.submit(source.opening).result()
    times: dict[str, dict[str, float]] = {}
    with closing(SaveWriter(folder)) as writer:
        app = RealmApp(
            source,
            EngineLink(folder, read_only=True),
            writer,
            opening.rules,
            look=Look("tavern", False),
            first=opening.facts,
            reader=reading,
            read_only=True,
        )
        loop = asyncio.get_running_loop()
        async with app.run_test(size=(120, 40)) as pilot:
            await loop.run_in_executor(reading, source.read)
            for entry in SCREENS:
                if entry.id == HOME or not entry.cls:
                    continue
                began = time.perf_counter()
                app.action_go(entry.id)
                painted = asyncio.Event()
                app.screen.call_after_refresh(painted.set)
                await painted.wait()
                found = times[entry.id] = {"shown": 1000 * (time.perf_counter() - began)}
                page = app.screen
                if isinstance(page, Page):
                    while page.data is None and time.perf_counter() - began < PATIENCE_S:
                        await asyncio.sleep(0.002)
                    found["filled"] = 1000 * (time.perf_counter() - began)
                    look = partial(source.look_up, page.read, None)
                    found["read"] = 1000 * (await loop.run_in_executor(reading, timed, look))[0]
                app.action_home()
                await pilot.pause()
        reading.submit(source.close).result()
        reading.shutdown()
    return times


def inside(folder: SaveFolder) -> int:
    """Go through the screens in this process, and write what was found to the standard output."""
    times = asyncio.run(tour(folder))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"screens": times, "memory_mb": memory}))
    return 0


def looks(folder: SaveFolder) -> dict[str, float]:
    """Milliseconds of processor time of the Battle screen's looks at the save."""
    from realm_tui.app.source import SaveSource

    with closing(SaveSource(folder)) as source:
        found = {"opening_ms": timed(source.opening)[0], "first_look_ms": timed(source.read)[0]}
        found["look_without_news_ms"] = statistics.median(timed(source.read)[0] for _ in range(20))
    return {name: round(1000 * s, 2) for name, s in found.items()}


def main(arguments: list[str]) -> int:
    """Print the tables; write them as JSON where asked."""
    if arguments[:1] == ["--inside"]:
        return inside(SaveFolder(Path(arguments[1])))
    command = parser("scale", __doc__)
    command.add_argument("--facts", type=int, default=1_000_000)
    command.add_argument("--runs", type=int, default=5, help="first frames")
    command.add_argument("--rounds", type=int, default=3, help="tours of the screens, each in a process of its own")
    command.add_argument("--pruned", action="store_true", help="a save as retention leaves it")
    options = command.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="realm-scale-") as name:
        folder = SaveFolder(Path(name) / "saves" / "main")
        facts = made_apart(folder, options.facts, pruned=options.pruned)
        with opened(folder) as save:
            GameReader().read(save)
        environment = child_environment(REALM_HOME=name)
        step, share = last_facts(folder)
        holder = FileLock(folder.face_lock)  # a second screen only reads: it starts no engine
        holder.acquire()
        first_frame(folder, step, share, environment)  # the very first may have to compile the game
        frames = [first_frame(folder, step, share, environment) for _ in range(options.runs)]
        holder.release()
        command_line = [sys.executable, "-m", "benchmarks.scale", "--inside", str(folder.root)]
        tours = []
        for _ in range(options.rounds):
            said = subprocess.run(command_line, env=environment, check=True, capture_output=True, text=True).stdout
            tours.append(json.loads(said.splitlines()[-1]))
        found: dict[str, Any] = {
            "facts": facts,
            "first_frame_s": spread([t for t in frames if t is not None]),
            "looks": looks(folder),
            "memory_mb": spread([tour["memory_mb"] for tour in tours], 1),
            "screens": [_row(name, tours) for name in tours[0]["screens"]],
        }
    table(f"Screens over {facts:,} facts, milliseconds (medians of {len(tours)})", found["screens"])
    table("Looks of the Battle screen, milliseconds of processor time", [found["looks"]])
    print(f"  first frame: median {found['first_frame_s']['median']} s; memory {found['memory_mb']['max']} MB")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


def _row(name: str, tours: list[dict[str, Any]]) -> dict[str, Any]:
    cells: dict[str, Any] = {"screen": name}
    for what in ("shown", "filled", "read"):
        known = [tour["screens"][name][what] for tour in tours if what in tour["screens"][name]]
        cells[what] = round(statistics.median(known), 1) if known else None
    return cells


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
