"""One contestant as a process: trains a turn whenever it is told to, and says what the turn cost.

It reads one line per turn and answers with one line of JSON. A turn is one epoch: of some steps of identical rows, or of the
uneven quest. Processor seconds are those of this process, which uses one thread.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

import engine.head
import engine.lean.passes
from benchmarks.race import material
from benchmarks.race.contestants import Contestant
from engine.batch import Batch, make_batch, make_batches
from engine.chat.encoded import Encoded
from engine.step import StepLoop

PARTS = ("model", "head", "optimizer")


@dataclass(slots=True)
class Turn:
    """What one turn did and cost."""

    steps: int = 0
    tokens: int = 0
    """Real tokens, without padding."""
    trained: int = 0
    """Tokens with loss."""
    processor: float = 0.0
    wall: float = 0.0
    losses: list[float] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)
    """Processor seconds per part; only where they were asked for."""


class Watch:
    """Processor seconds of parts, one inside the other counted once."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)
        self._open: list[list[float]] = []

    def around(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """``work``, counted as ``part``, less the parts counted inside it."""

        def timed(*given: Any, **named: Any) -> Any:
            began, inner = time.process_time(), [0.0]
            self._open.append(inner)
            try:
                return work(*given, **named)
            finally:
                self._open.pop()
                whole = time.process_time() - began
                self.spent[part] += whole - inner[0]
                if self._open:
                    self._open[-1][0] += whole

        return timed

    def take(self) -> dict[str, float]:
        """What was spent since the last call."""
        taken, self.spent = self.spent, dict.fromkeys(PARTS, 0.0)
        return taken


def ours(spec: dict[str, Any], who: Contestant, watch: Watch | None) -> Iterator[Turn]:
    """Turns of the engine's step loop."""
    hero_config = material.config(spec["model"], Path(spec["folder"]), precision=who.precision)
    where = material.placement(hero_config)
    if who.kernel == "model":
        where = replace(where, kernel="model", attention=who.attention)
    hero = material.read(spec["model"], Path(spec["folder"]), hero_config, where)
    loop = StepLoop(hero, where)
    if watch is not None:
        _watch_ours(watch, loop)
    print(json.dumps({"placement": where.as_dict(), "parameters": hero.parameters}), flush=True)
    if spec["even"]:
        todo = material.even(spec["model"])
    else:
        quest = material.uneven(spec["model"], spec["items"])
        todo = [quest[i : i + spec["batch"]] for i in range(0, len(quest), spec["batch"])]
    while True:
        wait()
        turn = Turn()
        wall, processor = time.perf_counter(), time.process_time()
        for rows in todo:
            outcome = loop.train(
                _batches(rows, hero_config.training.batch_tokens, where.row_tokens or 64, whole=spec["even"])
            )
            turn.steps += 1
            turn.tokens += outcome.tokens
            turn.trained += outcome.trained_tokens
            turn.losses.append(outcome.loss)
        turn.processor, turn.wall = time.process_time() - processor, time.perf_counter() - wall
        yield turn


def _batches(rows: list[Encoded], limit: int, row_tokens: int, *, whole: bool) -> list[Batch]:
    """Identical rows are taken as they are; a quest's examples as the engine packs them."""
    if whole:
        return [make_batch(rows, row_tokens=len(rows[0].ids))]
    return make_batches(rows, max_tokens=limit, row_tokens=row_tokens)


def _watch_ours(watch: Watch, loop: StepLoop) -> None:
    for module, name in ((engine.head, "head_gradients"), (engine.lean.passes, "head_pass")):
        setattr(module, name, watch.around("head", getattr(module, name)))
    loop._pass = watch.around("model", loop._pass)  # type: ignore[method-assign]
    for name in ("step", "zero_grad"):
        setattr(loop.optimizer, name, watch.around("optimizer", getattr(loop.optimizer, name)))
    loop._accelerator.clip_grad_norm_ = watch.around("optimizer", loop._accelerator.clip_grad_norm_)


def theirs(spec: dict[str, Any], who: Contestant, watch: Watch | None) -> None:
    """Turns of SFTTrainer; it keeps the loop, and waits between two turns for its next line."""
    from benchmarks.race.sft import run

    run(spec, who, watch, Turn, wait)


def wait() -> None:
    """Until the next turn is asked for; ends the process when nobody asks any more."""
    if not sys.stdin.readline():
        os._exit(0)


def say(turn: Turn, watch: Watch | None) -> None:
    """Report one turn."""
    if watch is not None:
        turn.parts = watch.take()
    print(json.dumps(asdict(turn)), flush=True)


def main() -> None:
    """The contestant named by the JSON of the first argument."""
    spec = json.loads(sys.argv[1])
    who = Contestant(**spec["contestant"])
    watch = Watch() if spec["parts"] else None
    torch.set_num_threads(1)
    torch.manual_seed(material.SEED)
    if who.trainer == "trl":
        theirs(spec, who, watch)
        return
    for turn in ours(spec, who, watch):
        say(turn, watch)


if __name__ == "__main__":
    main()
