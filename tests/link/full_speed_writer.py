"""A writer that fills a ring as fast as it can; every value follows from the step, so that a reader can tell a torn one.

Ends when its standard input is closed, with the last step on standard output.
"""

import sys
import threading
from pathlib import Path

from engine.link.ring import RingWriter
from engine.link.snapshot import BattleText, Snapshot, StepRecord
from engine.link.state import EngineState


def record(step: int) -> StepRecord:
    return StepRecord(
        step, step * 1.5, step * 0.25, step * 0.125, step * 2.0, step + 0.5, step * 3 % 100_000, step * 0.5
    )


def snapshot(step: int) -> Snapshot:
    return Snapshot(EngineState.TRAINING, 1.0, 7, step=step, loss=step * 0.25, progress=f"step {step} " * (step % 17))


def battle(step: int) -> BattleText:
    count = 1 + step % 50
    return BattleText(step, step * 1.5, f"battle {step}", (str(step),) * count, (step * 0.25,) * count)


def main(path: Path) -> None:
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    with RingWriter(path, run_id=1) as ring:
        step = 0
        while not ended.is_set():
            step += 1
            ring.append(record(step))
            ring.publish(snapshot(step))
            if step % 3 == 0:
                ring.show(battle(step))
            if step == 1:
                sys.stdout.write("writing\n")
                sys.stdout.flush()
    sys.stdout.write(f"{step}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
