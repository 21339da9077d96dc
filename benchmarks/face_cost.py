"""Steps/s of one running engine with and without a screen attached.

    python -m benchmarks.face_cost [--pairs 24] [--seconds 10] [--settle 12] [--size 120x40] [--json FILE]

The real app attaches to a real engine under a pseudo-terminal that is read all the time. A pair is one stretch with it and one
without, in random order. The away report is read and closed, then the screen gets a while to come to rest (it repaints more
often after a key); the engine gets one after the screen has left. Steps are counted by the engine's own records. The ratio of a
pair is steps/s with a face over steps/s without; its interval is a bootstrap over whole pairs. "Whole time" counts all steps of
a stretch, exams and saves included; "a step" compares the median duration of a step alone.

Takes about pairs x (2 x seconds + settle + 9) and 30 s.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from typing import Any

from benchmarks.face import Terminal, new_save
from benchmarks.figures import paired_ratio, spread, table
from benchmarks.living import REALM, engine, home
from benchmarks.options import parser
from configs import clock
from configs.paths import SaveFolder
from engine.link.ring import RECORDS, RingReader

REPORT_S = 2.0
"""Until the away report stands on a new screen."""
ESCAPE = b"\x1b"
ALONE_S = 4.0
"""Between a screen's end and the stretch without one."""


def stretch(ring: RingReader, seconds: float, wait: Any) -> dict[str, float]:
    """Steps/s and the median step over ``seconds``, which ``wait`` lets pass."""
    began = clock.now()
    wait(seconds)
    ended = clock.now()
    own = [r for r in ring.steps(RECORDS) if began < r.at <= ended]
    if len(own) < 3:
        raise SystemExit(f"only {len(own)} steps in {seconds:g} s: give --seconds more")
    whole = (len(own) - 1) / (own[-1].at - own[0].at)
    return {"steps_per_s": whole, "step_ms": 1000 * statistics.median(r.seconds for r in own)}


def with_face(
    folder: SaveFolder, ring: RingReader, seconds: float, settle: float, size: tuple[int, int]
) -> dict[str, Any]:
    """A stretch with the app attached."""
    shown = Terminal.open([*REALM, "play", "--save", folder.name], size, dict(os.environ))
    try:
        if shown.read_until("Strain", limit_s=30) is None:
            raise SystemExit("the screen did not come up")
        shown.read_for(REPORT_S)
        os.write(shown.master, ESCAPE)
        shown.read_for(settle)
        busy, mark = shown.processor_s(), len(shown.output)
        found: dict[str, Any] = stretch(ring, seconds, shown.read_for)
        found["face_percent"] = 100 * (shown.processor_s() - busy) / seconds
        found["face_kb_per_s"] = (len(shown.output) - mark) / seconds / 1000
        return found
    finally:
        shown.close()


def without_face(ring: RingReader, seconds: float) -> dict[str, Any]:
    """A stretch alone."""
    time.sleep(ALONE_S)
    return stretch(ring, seconds, time.sleep)


def main(arguments: list[str]) -> int:
    """Print the tables; write them as JSON where asked."""
    command = parser("face_cost", __doc__)
    command.add_argument("--pairs", type=int, default=24)
    command.add_argument("--seconds", type=float, default=10.0, help="one stretch")
    command.add_argument("--settle", type=float, default=12.0, help="seconds after the last key")
    command.add_argument("--size", default="120x40", help="columns x rows")
    options = command.parse_args(arguments)
    columns, rows = (int(part) for part in options.size.split("x"))
    order = random.Random(0)
    pairs: list[dict[str, Any]] = []
    with home() as place:
        folder = new_save(place)
        with engine(folder) as ring:
            for number in range(options.pairs):
                pair: dict[str, Any] = {}
                for attached in order.sample((True, False), 2):
                    if attached:
                        pair["with"] = with_face(folder, ring, options.seconds, options.settle, (columns, rows))
                    else:
                        pair["without"] = without_face(ring, options.seconds)
                pairs.append(pair)
                print(
                    f"pair {number + 1}: {pair['with']['steps_per_s']:.2f} steps/s with a face,"
                    f" {pair['without']['steps_per_s']:.2f} without",
                    flush=True,
                )
    whole = paired_ratio([(p["with"]["steps_per_s"], p["without"]["steps_per_s"]) for p in pairs])
    alone = paired_ratio([(p["without"]["step_ms"], p["with"]["step_ms"]) for p in pairs])
    summary = [
        {"speed with a face / without": name, **found} for name, found in (("whole time", whole), ("a step", alone))
    ]
    table(f"{len(pairs)} interleaved pairs of {options.seconds:g} s at {options.size}", summary)
    speeds = [{"stretches": name, **spread([p[name]["steps_per_s"] for p in pairs], 2)} for name in ("with", "without")]
    table("Steps/s", speeds)
    face = {
        "processor_percent": spread([p["with"]["face_percent"] for p in pairs], 2),
        "kb_per_s": spread([p["with"]["face_kb_per_s"] for p in pairs], 2),
    }
    print(
        f"  the face meanwhile: {face['processor_percent']['median']} % of a core,"
        f" {face['kb_per_s']['median']} KB/s (medians)"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"summary": summary, "steps_per_s": speeds, "face": face, "pairs": pairs}, indent=1)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
