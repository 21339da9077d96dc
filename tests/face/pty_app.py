"""Runs the real app with the real driver on fixed facts that change at every look; the pseudo-terminal tests start it.

    python -m tests.face.pty_app HEARTBEAT_FILE [ascii]

A thread of its own proves that the event loop lives: every tick of the loop is written to HEARTBEAT_FILE.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.driver import FrameDroppingDriver
from realm_tui.app.facts import Facts
from tests.face import samples


class Running(samples.FakeSource):
    """A step more, and another text, at every look."""

    def read(self) -> Facts:
        self.reads += 1
        step = 1204 + self.reads
        battle = replace(samples.BATTLE, step=step, tokens=tuple(f"token{step + i} " for i in range(40)))
        return replace(
            self.facts,
            status=samples.status(step=step, loss=0.1 + step % 7 / 10),
            battle=replace(battle, losses=tuple((step + i) % 5 / 2 for i in range(40))),
        )


class Beating(RealmApp):
    """The app, with a heartbeat of its event loop."""

    beat_file = Path()

    async def on_mount(self) -> None:
        await super().on_mount()
        self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        with self.beat_file.open("a", encoding="ascii") as file:
            while True:
                file.write(f"{time.monotonic()}\n")
                file.flush()
                await asyncio.sleep(0.05)


def main() -> int:
    Beating.beat_file = Path(sys.argv[1])
    rules = samples.RULES.model_copy(update={"face": samples.RULES.face.model_copy(update={"refresh_s": 0.25})})
    app = Beating(
        Running(samples.facts()),
        samples.FakeLink(),
        samples.FakeKeeper(),
        rules,
        look=Look(ascii="ascii" in sys.argv),
        first=samples.facts(),
        driver_class=FrameDroppingDriver,
    )
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
