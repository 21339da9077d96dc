"""What the screen costs: first frame, bytes and processor while training and at rest, and how often each panel is repainted.

    python -m benchmarks.face [--seconds 30] [--runs 5] [--json FILE]

The real app runs under a pseudo-terminal on a save that a second process writes to like an engine (`benchmarks.playback`).
Bytes are what reaches the terminal, uncompressed; processor time is the app's own, in percent of one core. There is new data
for every panel all the time: 15 steps and an exam a second, far more exams than a game has. What the app sent is drawn again
afterwards, and each change of the curve (its braille), the battle view and the log is counted: how many a second, and the longest
time a panel stood still. *Idle* is the whole game on the same save once that engine has ended, with everything that keeps house
and works on jobs; no engine is started.

Takes about 3 x (seconds + 8), 2 x seconds, runs x 2 s, and 40 s. First frames are those of a game whose bytecode is on disk.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.canvas import Canvas, Frame, Part, change_times, inside
from benchmarks.figures import table
from benchmarks.machine import child_environment
from benchmarks.options import parser
from configs.paths import SaveFolder
from saves.locks import FileLock

SIZES = ((120, 40), (80, 24), (200, 50))
SETTLE_S = 8.0
"""Until the notices of the start are gone."""
REST_S = 20.0
"""Until a screen on which nothing happens has come to rest."""
PANELS = {"curve": "Strain", "battle": "Battle", "log": "Adventure log"}
"""What must be repainted all the time, and how the title of its panel begins."""
SAME_FRAME_S = 0.05
"""Output that follows sooner belongs to the same frame."""
EXAM_EVERY = 15
_TICKS = os.sysconf("SC_CLK_TCK")
_SHOW = "import sys; from configs.paths import SaveFolder; from pathlib import Path; from realm_tui.app.main import run; sys.exit(run(SaveFolder(Path(sys.argv[1])), read_only=True))"
_REST = """
import sys
from pathlib import Path
from configs.paths import SaveFolder
from realm_tui.app.link import EngineLink
from realm_tui.app.main import run
async def stay(link): pass
EngineLink.start = stay
sys.exit(run(SaveFolder(Path(sys.argv[1]))))
"""
_PLAY = [sys.executable, "-m", "realm_tui", "play"]


@dataclass
class Terminal:
    """A process under a pseudo-terminal whose output is read and kept."""

    process: subprocess.Popen[bytes]
    master: int
    started: float
    output: bytearray = field(default_factory=bytearray)
    moments: list[tuple[float, int]] = field(default_factory=list)
    """When output came, and how much there was then."""

    @classmethod
    def open(cls, command: list[str], size: tuple[int, int], environment: dict[str, str]) -> Terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )
        os.close(slave)
        return cls(process, master, started)

    def read_for(self, seconds: float) -> int:
        """Read what comes; the number of bytes."""
        until, before = time.perf_counter() + seconds, len(self.output)
        while (left := until - time.perf_counter()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self._take()
        return len(self.output) - before

    def read_until(self, *wanted: str, limit_s: float = 20.0) -> float | None:
        """Seconds from the start until everything wanted was shown; None when it never was."""
        until = time.perf_counter() + limit_s
        while time.perf_counter() < until:
            if select.select([self.master], [], [], 0.05)[0]:
                self._take()
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.output.decode("utf-8", "replace"))
                if all(one in text for one in wanted):
                    return time.perf_counter() - self.started
        return None

    def pieces(self) -> list[tuple[float, bytes]]:
        """What came when."""
        starts = [0, *(length for _, length in self.moments)]
        return [(at, bytes(self.output[start:end])) for (at, end), start in zip(self.moments, starts, strict=False)]

    def _take(self) -> None:
        self.output += os.read(self.master, 65536)
        self.moments.append((time.perf_counter(), len(self.output)))

    def processor_s(self) -> float:
        """Processor seconds the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def close(self) -> None:
        """End it politely."""
        self.process.send_signal(signal.SIGTERM)
        until = time.perf_counter() + 5
        while self.process.poll() is None and time.perf_counter() < until:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    os.read(self.master, 65536)
                except OSError:
                    break
        self.process.wait(5)
        os.close(self.master)


def new_save(home: Path) -> SaveFolder:
    """A save of PIP's under ``home``."""
    from configs.loader import load_hero
    from saves.campaigns import set_setting
    from saves.database import create_save, open_save

    folder = SaveFolder(home / "saves" / "main")
    folder.root.parent.mkdir(parents=True)
    create_save(folder, load_hero("pip"), seed=1)
    conn = open_save(folder, write=True)
    set_setting(conn, "face.names", "tavern")
    conn.close()
    return folder


def live(folder: SaveFolder, size: tuple[int, int], seconds: float, environment: dict[str, str]) -> dict[str, Any]:
    """Cost at one size while the engine trains."""
    shown = Terminal.open([sys.executable, "-c", _SHOW, str(folder.root)], size, environment)
    try:
        shown.read_until("Strain")
        shown.read_for(SETTLE_S)
        before, mark, begun = shown.processor_s(), len(shown.output), time.perf_counter()
        shown.read_for(seconds)
        took = time.perf_counter() - begun
        used = shown.processor_s() - before
        sent = bytes(shown.output[mark:])
    finally:
        shown.close()
    return {
        "size": f"{size[0]}x{size[1]}",
        "processor_percent": round(100 * used / took, 2),
        "kb_per_s": round(len(sent) / took / 1000, 2),
        "exit_code": shown.process.returncode,
        "repaints": repaints(shown, size, begun, begun + took),
    }


def idle(folder: SaveFolder, size: tuple[int, int], seconds: float, environment: dict[str, str]) -> dict[str, Any]:
    """Cost of the whole game while no engine lives and nothing happens, house-keeping and work on jobs among it."""
    shown = Terminal.open([sys.executable, "-c", _REST, str(folder.root)], size, environment)
    try:
        shown.read_until("Strain")
        shown.read_for(2.0)
        os.write(shown.master, b"\x1b")  # the away report
        shown.read_for(REST_S)
        before, mark, begun = shown.processor_s(), len(shown.output), time.perf_counter()
        shown.read_for(seconds)
        took = time.perf_counter() - begun
        used, sent = shown.processor_s() - before, len(shown.output) - mark
    finally:
        shown.close()
    return {"processor_percent": round(100 * used / took, 2), "kb_per_s": round(sent / took / 1000, 2)}


def repaints(shown: Terminal, size: tuple[int, int], begun: float, ended: float) -> dict[str, dict[str, float] | None]:
    """For each panel that must live: changes a second, and the longest time it stood still; None: it is not shown."""
    pieces = shown.pieces()
    canvas = Canvas(*size)
    canvas.write(b"".join(data for at, data in pieces if at <= ended).decode("utf-8", "replace"))
    frames = canvas.frames()
    parts: dict[str, Part] = {}
    for name, title in PANELS.items():
        frame = next((f for f in frames if f.title.startswith(title)), None)
        if frame is not None:
            parts[name] = _part(frame, braille=name == "curve")
    times = change_times(*size, pieces, parts)
    found: dict[str, dict[str, float] | None] = dict.fromkeys(PANELS)
    for name, at in times.items():
        own = [t for t in at if begun <= t <= ended]
        frames_drawn = [t for t, before in zip(own, [begun - 1, *own], strict=False) if t - before > SAME_FRAME_S]
        still = [after - before for before, after in zip([begun, *own], [*own, ended], strict=True)]
        found[name] = {
            "per_s": round(len(frames_drawn) / (ended - begun), 2),
            "longest_still_s": round(max(still), 2),
        }
    return found


def _part(frame: Frame, *, braille: bool) -> Part:
    def within(row: int, column: int, character: str) -> bool:
        return inside(frame, row, column) and (not braille or "\u2800" <= character <= "\u28ff")

    return within


def first_frame(folder: SaveFolder, step: str, share: str, environment: dict[str, str]) -> float | None:
    """Seconds from the command until name, step and last exam stand on the screen."""
    shown = Terminal.open([*_PLAY, "--save", folder.name], (120, 40), environment)
    try:
        return shown.read_until("PIP", step, share)
    finally:
        shown.close()


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("face", __doc__)
    command.add_argument("--seconds", type=float, default=30.0, help="at each size")
    command.add_argument("--runs", type=int, default=5, help="first frames")
    options = command.parse_args(arguments)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="realm-face-") as name:
        folder = new_save(Path(name))
        environment = child_environment(REALM_HOME=name)
        engine = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.playback", str(folder.root), "--exam-every", str(EXAM_EVERY)],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            time.sleep(12)  # an exam and a few windows are in the save by then
            found["live"] = [live(folder, size, options.seconds, environment) for size in SIZES]
        finally:
            engine.terminate()
            engine.wait(10)
        found["idle"] = idle(folder, SIZES[0], 2 * options.seconds, environment)
        step, share = last_facts(folder)
        holder = FileLock(folder.face_lock)  # a second screen only reads: it starts no engine
        holder.acquire()
        first_frame(folder, step, share, environment)  # the very first may have to compile the game
        times = [first_frame(folder, step, share, environment) for _ in range(options.runs)]
        holder.release()
        known = [t for t in times if t is not None]
        found["first_frame_s"] = {
            "median": round(statistics.median(known), 3) if known else None,
            "all": [None if t is None else round(t, 3) for t in times],
        }
    print("size      processor  output     exit")
    for row in found["live"]:
        print(
            f"{row['size']:<9} {row['processor_percent']:>6.2f} %  {row['kb_per_s']:>6.2f} KB/s  {row['exit_code']:>4}"
        )
    print(f"idle, 120x40: {found['idle']['processor_percent']} % of a core, {found['idle']['kb_per_s']} KB/s")
    table("Changes a second, and the longest time without one", [_row(row) for row in found["live"]])
    print(f"first frame: median {found['first_frame_s']['median']} s of {found['first_frame_s']['all']}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


def _row(row: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {"size": row["size"]}
    for name in PANELS:
        cells[f"{name} /s"] = row["repaints"][name] and row["repaints"][name]["per_s"]
        cells[f"{name} still s"] = row["repaints"][name] and row["repaints"][name]["longest_still_s"]
    return cells


def last_facts(folder: SaveFolder) -> tuple[str, str]:
    """Step and exam result as the screen writes them."""
    from realm_tui.app.words import whole
    from realm_tui.runtime.opened import opened
    from saves.exams import latest_exam
    from saves.steps import windows

    with opened(folder) as save:
        conn, campaign = save.conn, save.campaign.id
        newest = windows(conn, campaign, 1)
        exam = latest_exam(conn, campaign, kind="gate") or latest_exam(conn, campaign)
        return whole(newest[0].last_step), f"{exam.correct}/{exam.items}" if exam is not None else "–"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
