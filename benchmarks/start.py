"""How long each door of the game lets you wait: status, help, first frame, first training step, attaching.

    python -m benchmarks.start [--runs 15] [--frames 7] [--fresh 5] [--hellos 50] [--train 20] [--json FILE]

Every command is a process of its own, timed from its start to its end, or to the moment described:

first frame          `realm play` on a save with history: hero, step and last exam of that save stand on the terminal
first step           `realm play` where there was no save at all: the engine's first optimizer step is done
hello                connecting to a running engine and hearing its state, in a process that has everything imported

`python -c pass` is timed beside them, for scale. The disk's caches are warm: nothing here measures a machine's first start.
Takes about fresh x 10 s, frames x 6 s, and 60 s.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.face import Terminal
from benchmarks.figures import spread, table
from benchmarks.living import REALM, WAKING_S, home
from benchmarks.options import parser
from configs import clock
from configs.errors import RealmError
from configs.loader import load_game
from configs.paths import SaveFolder
from engine.link.client import engine_alive, say_hello
from engine.link.ring import RECORDS, RingReader
from realm_tui.app.words import whole
from realm_tui.runtime.engine_process import stop_engine
from realm_tui.runtime.heroes import proposed_hero
from realm_tui.runtime.opened import opened
from realm_tui.runtime.status import collect
from saves.campaigns import set_setting
from saves.database import open_save
from saves.exams import latest_exam

SIZE = (120, 40)
COMMANDS = {
    "python -c pass": (sys.executable, "-c", "pass"),
    "realm --help": (*REALM, "--help"),
    "realm status --json": (*REALM, "status", "--json"),
}
HEAVY = ("torch", "transformers", "textual", "numpy", "pydantic", "rich")
_MODULES = """
import atexit, json, sys
sys.argv[0] = "realm"
target = sys.argv.pop(1)
atexit.register(lambda: json.dump(sorted(sys.modules), open(target, "w")))
from realm_tui.cli.main import run
run()
"""


def command_times(runs: int, which: dict[str, tuple[str, ...]]) -> dict[str, list[float]]:
    """Wall seconds of every command, in turn."""
    times: dict[str, list[float]] = {name: [] for name in which}
    for _ in range(runs):
        for name, command in which.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - began)
    return times


def imported(*words: str) -> dict[str, Any]:
    """How many modules a command loads, and which of the heavy ones."""
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "modules.json"
        command = [sys.executable, "-c", _MODULES, str(target), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        modules = json.loads(target.read_text())
    return {"modules": len(modules), "heavy": [name for name in HEAVY if name in modules]}


def play(folder: SaveFolder) -> Terminal:
    """`realm play` under a pseudo-terminal; where a bigger hero would be proposed, PIP is named."""
    default = load_game().default_hero
    named = ["--hero", default] if not folder.database.exists() and proposed_hero() != default else []
    return Terminal.open([*REALM, "play", "--save", folder.name, *named], SIZE, dict(os.environ))


def answer_questions(folder: SaveFolder) -> None:
    """The questions of the first screen, so that none covers the later ones."""
    with closing(open_save(folder, write=True)) as conn:
        set_setting(conn, "face.names", "tavern")


def leave(shown: Terminal, folder: SaveFolder, *, stop: bool) -> None:
    """Close the screen, and let the engine that it started go as well."""
    shown.close()
    if stop and engine_alive(folder):
        stop_engine(folder, now=True, timeout_s=60)


def fresh_start(folder: SaveFolder, *, stop: bool) -> dict[str, Any]:
    """Seconds from `realm play` without any save to the hero on the screen, the awake trainer, and its first step."""
    began = clock.now()
    shown = play(folder)
    try:
        frame = shown.read_until("PIP")
        until = time.perf_counter() + WAKING_S
        while time.perf_counter() < until:
            shown.read_for(0.02)
            try:
                with RingReader(folder.ring) as ring:
                    steps, started = ring.steps(RECORDS), ring.started_at
            except RealmError as error:
                if error.code != "NO_RING":
                    raise
                continue
            if steps:
                return {"first_frame_s": frame, "trainer_up_s": started - began, "first_step_s": steps[0].at - began}
        raise SystemExit(f"no training step within {WAKING_S:g} s of `realm play`")
    finally:
        leave(shown, folder, stop=stop)


def first_frame(folder: SaveFolder, *, stop: bool = True) -> float | None:
    """Seconds from `realm play` until name, step and last exam of this save stand on the screen; None: they never did."""
    status = collect(folder)
    with opened(folder) as save:
        exam = latest_exam(save.conn, save.campaign.id)
    if exam is None or status.step is None:
        raise SystemExit("the save has no exam yet: give --train more seconds")
    shown = play(folder)
    try:
        return shown.read_until(status.hero.name, f"{exam.correct}/{exam.items}", whole(status.step))
    finally:
        leave(shown, folder, stop=stop)


def hello_ms(folder: SaveFolder) -> float:
    """Milliseconds until a running engine has said hello."""
    began = time.perf_counter()
    say_hello(folder)
    return 1000 * (time.perf_counter() - began)


def living_frame(folder: SaveFolder) -> float | None:
    """Seconds from `realm play` beside a running engine until the hero and a step of this engine stand on the screen."""
    shown = play(folder)
    try:
        with RingReader(folder.ring) as ring:
            until = time.perf_counter() + 20
            while time.perf_counter() < until:
                shown.read_for(0.02)
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.output.decode("utf-8", "replace"))
                newest = {whole(r.step) for r in ring.steps(120) if r.at > time.time() - 3}
                if "PIP" in text and any(step in text for step in newest):
                    return time.perf_counter() - shown.started
        return None
    finally:
        leave(shown, folder, stop=False)


def main(arguments: list[str]) -> int:
    """Print the tables; write them as JSON where asked."""
    command = parser("start", __doc__)
    command.add_argument("--runs", type=int, default=15, help="of each short command")
    command.add_argument("--frames", type=int, default=7, help="first frames on a save with history")
    command.add_argument("--fresh", type=int, default=5, help="games begun from nothing")
    command.add_argument("--hellos", type=int, default=50, help="attachments to a running engine")
    command.add_argument("--train", type=float, default=20.0, help="seconds of history the save gets")
    options = command.parse_args(arguments)
    if min(options.runs, options.frames, options.fresh, options.hellos) < 1:
        command.error("every count must be at least 1")
    begun: list[dict[str, Any]] = []
    for _ in range(options.fresh - 1):
        with home():
            begun.append(fresh_start(SaveFolder.named(), stop=True))
    with home():
        folder = SaveFolder.named()
        begun.append(fresh_start(folder, stop=False))
        try:
            answer_questions(folder)
            time.sleep(options.train)
            hellos = [hello_ms(folder) for _ in range(options.hellos)]
            beside = [living_frame(folder) for _ in range(options.frames)]
            living = command_times(options.runs, {"realm status --json": COMMANDS["realm status --json"]})
        finally:
            stop_engine(folder, timeout_s=60)
        alone = command_times(options.runs, COMMANDS)
        loads = {"realm --help": imported("--help"), "realm status --json": imported("status", "--json")}
        frames = [first_frame(folder) for _ in range(options.frames)]
    facts = report(alone, living, loads, begun, frames, beside, hellos)
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1))
    return 0


def report(
    alone: dict[str, list[float]],
    living: dict[str, list[float]],
    loads: dict[str, dict[str, Any]],
    begun: list[dict[str, Any]],
    frames: list[float | None],
    beside: list[float | None],
    hellos: list[float],
) -> dict[str, Any]:
    """Print what was found; the same as JSON values."""
    commands = [{"seconds": name, **spread(times), **loads.get(name, {})} for name, times in alone.items()]
    commands += [{"seconds": f"{name}, engine running", **spread(times)} for name, times in living.items()]
    table("Short commands, wall seconds, and the modules they load", commands)
    screens = [
        {"seconds": "first frame, save with history: hero, step, last exam", **_seen(frames)},
        {"seconds": "first frame with a live step, engine running", **_seen(beside)},
        {"seconds": "first frame, no save before", **_seen([b["first_frame_s"] for b in begun])},
        {"seconds": "trainer up (its imports follow), no save before", **_seen([b["trainer_up_s"] for b in begun])},
        {"seconds": "first training step, no save before", **_seen([b["first_step_s"] for b in begun])},
    ]
    table("`realm play` under a 120x40 terminal, wall seconds", screens)
    greetings = [{"milliseconds": "hello of a running engine", **spread(hellos, 2)}]
    table("Attaching", greetings)
    return {
        "commands": commands,
        "play": screens,
        "attach": greetings,
        "each": {"first_frame_s": frames, "beside_engine_s": beside, "no_save_before": begun, "hello_ms": hellos},
    }


def _seen(times: list[float | None]) -> dict[str, Any]:
    """The spread of those that came, and how many did not."""
    return {**spread([t for t in times if t is not None]), "never": sum(t is None for t in times)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
