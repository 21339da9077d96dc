"""How soon an order counts: steps and milliseconds from sending ``pause`` to its confirmation while the hero trains.

    python -m benchmarks.control [--orders 60] [--json FILE]

One real engine trains a new save. Between two orders it trains on for a random while, so that they arrive anywhere within a
step, an exam or a save. Steps are counted by the engine's own records: those that ended after the order was sent and not after
the step it was confirmed at. "While training" are the orders that met neither exam nor save. The connection is open before, as
in the game.

Takes about 1.2 s an order and 10 s to wake the hero.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.face import new_save
from benchmarks.figures import spread, table
from benchmarks.living import engine, home
from benchmarks.options import parser
from configs import clock
from configs.paths import SaveFolder
from engine.link.client import EngineClient
from engine.link.protocol import Command, Verb
from engine.link.ring import RingReader
from engine.link.state import EngineState

LOOKED_AT = 512
"""Newest step records searched for those between order and confirmation."""


@dataclass(frozen=True, slots=True)
class Order:
    """One pause and the resume after it."""

    met: str
    """What the engine was doing when it was sent."""
    steps: int
    """Optimizer steps that ended between sending and taking effect."""
    pause_ms: float
    resume_ms: float
    step_ms: float
    """The median of the last steps before it."""


async def order(client: EngineClient, ring: RingReader) -> Order:
    """Pause and resume."""
    before, recent = ring.snapshot(), ring.steps(15)
    assert before is not None
    sent_at, sent = clock.now(), time.perf_counter()
    paused = await client.send(Command(Verb.PAUSE))
    pause_s = time.perf_counter() - sent
    paused.value()
    assert paused.step is not None
    steps = sum(r.at > sent_at and r.step <= paused.step for r in ring.steps(LOOKED_AT))
    sent = time.perf_counter()
    (await client.send(Command(Verb.RESUME))).value()
    resume_s = time.perf_counter() - sent
    durations = sorted(r.seconds for r in recent)
    return Order(
        met=str(before.state),
        steps=steps,
        pause_ms=1000 * pause_s,
        resume_ms=1000 * resume_s,
        step_ms=1000 * durations[len(durations) // 2],
    )


async def orders(folder: SaveFolder, ring: RingReader, count: int) -> list[Order]:
    """``count`` orders at random moments."""
    moments = random.Random(0)
    given = []
    async with await EngineClient.connect(folder, name="benchmark") as client:
        for _ in range(count):
            await asyncio.sleep(0.5 + moments.random())
            given.append(await order(client, ring))
    return given


def summary(given: list[Order]) -> list[dict[str, Any]]:
    """A row for all orders, and one for those that met the engine training."""
    rows = []
    for name, own in (
        ("while training", [o for o in given if o.met == EngineState.TRAINING]),
        ("all", given),
    ):
        times = spread([o.pause_ms for o in own], 1)
        rows.append(
            {
                "orders": name,
                "n": len(own),
                "steps: orders": ", ".join(f"{s}: {n}" for s, n in sorted(Counter(o.steps for o in own).items())),
                "most steps": max((o.steps for o in own), default=None),
                "pause ms (median)": times["median"],
                "p95": times["p95"],
                "max": times["max"],
                "resume ms (median)": spread([o.resume_ms for o in own], 1)["median"],
                "step ms (median)": spread([o.step_ms for o in own], 1)["median"],
            }
        )
    return rows


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("control", __doc__)
    command.add_argument("--orders", type=int, default=60)
    options = command.parse_args(arguments)
    with home() as place:
        folder = new_save(place)
        with engine(folder) as ring:
            given = asyncio.run(orders(folder, ring, options.orders))
    rows = summary(given)
    table("From sending `pause` to its confirmation", rows)
    if options.json:
        each = [
            {"met": o.met, "steps": o.steps, "pause_ms": round(o.pause_ms, 2), "resume_ms": round(o.resume_ms, 2)}
            for o in given
        ]
        options.json.write_text(json.dumps({"summary": rows, "orders": each}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
