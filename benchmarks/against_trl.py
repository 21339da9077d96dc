"""Trained tokens/s beside trl.SFTTrainer, on PIP and on a Qwen3 of 33.6 million parameters, on one thread of this CPU.

    python -m benchmarks.against_trl [--models pip medium] [--rounds 5] [--screening 1] [--finalists 2] [--json FILE]

Two races per model. "Identical rows": both are fed the same rows, all tokens real, half of them trained; fp32, AdamW (fused), global
clip, constant rate. "Own set-up": one quest with lengths log-uniform from 16 to 512; the engine packs as it does in the game and takes
the precision it chooses here; SFTTrainer runs padded, grouped by length, packed (bfd, wrapped), each in fp32 and in its default bf16, with
its default attention (sdpa). All of them are screened with short runs, the fastest ones race, and the best one counts.

Every contestant is a process of its own that stays alive; they train in turns, in changing order (some steps each, or one epoch of
the quest). Figures are medians over rounds, in processor seconds of the contestant, so that other programs on the machine disturb
little; the wall clock's are in the JSON. SFTTrainer runs without what only slows it down here: gradient checkpointing and logging.
A last turn, not counted, splits a step's cost into model, head, optimizer and rest.

Takes about ten minutes on a quiet core.
"""

from __future__ import annotations

import importlib.util
import json
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.figures import paired_ratio, table
from benchmarks.machine import child_environment
from benchmarks.options import parser
from benchmarks.race import material
from benchmarks.race.contestants import OWN, SAME, Contestant

SCREENING_STEPS = 1
"""Steps of the short runs that choose which of SFTTrainer's forms race."""


class Racer:
    """A contestant's process."""

    def __init__(self, who: Contestant, spec: dict[str, Any], *, parts: bool = False) -> None:
        self.who = who
        full = {**spec, "contestant": asdict(who), "parts": parts}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.race.racer", json.dumps(full)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if not spec.get("loud") else None,
            env=child_environment(),
            text=True,
        )
        self.facts = self._answer()

    def turn(self) -> dict[str, Any]:
        """Let it train one turn."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        said = self._process.stderr.read() if self._process.stderr else ""
        raise SystemExit(f"{self.who.name} broke off:\n{said[-3000:]}")


def speed(turn: dict[str, Any], clock: str = "processor") -> float:
    """Trained tokens a second."""
    return float(turn["trained"] / turn[clock])


def race(entered: list[Contestant], spec: dict[str, Any], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Every contestant's turns: one per round after one that is not counted, in changing order."""
    order = random.Random(0)
    racers = [Racer(who, spec) for who in entered]
    turns: dict[str, list[dict[str, Any]]] = {racer.who.name: [] for racer in racers}
    for racer in racers:
        racer.turn()
    for number in range(rounds):
        for racer in order.sample(racers, len(racers)):
            turns[racer.who.name].append(racer.turn())
        said = ", ".join(f"{name} {speed(made[-1]):,.0f}" for name, made in turns.items())
        print(f"  round {number + 1}: {said}", flush=True)
    for racer in racers:
        racer.end()
    return turns


def screen(entered: list[Contestant], spec: dict[str, Any], turns: int) -> dict[str, float]:
    """The best turn of each, one contestant after the other; the first turn is for getting warm where there are several."""
    found = {}
    for who in entered:
        racer = Racer(who, spec)
        found[who.name] = max(speed(racer.turn()) for _ in range(turns))
        racer.end()
        print(f"  {who.name}: {found[who.name]:,.0f}", flush=True)
    return found


def split(who: Contestant, spec: dict[str, Any], model: material.Model, peak: dict[str, float]) -> dict[str, Any]:
    """Milliseconds of a step in model, head, optimizer and rest, and the useful arithmetic beside the machine's peak."""
    racer = Racer(who, spec, parts=True)
    racer.turn()
    turn = racer.turn()
    racer.end()
    steps = turn["steps"]
    cost = {part: round(1e3 * spent / steps, 2) for part, spent in turn["parts"].items()}
    whole = 1e3 * turn["processor"] / steps
    done = material.useful_flop(model, turn["tokens"], turn["trained"]) / turn["processor"] / 1e9
    products = (racer.facts["placement"] or {}).get("matmul", "highest")
    mode = "bf16" if who.precision == "bfloat16" else "medium" if products == "medium" else "fp32"
    return {
        "contestant": who.name,
        "ms a step": round(whole, 2),
        **cost,
        "rest": round(whole - sum(cost.values()), 2),
        "useful GFLOP/s": round(done, 1),
        "of the peak": f"{100 * done / peak[mode]:.0f} % of {mode}",
    }


def summary(turns: dict[str, list[dict[str, Any]]], rival: str, clock: str = "processor") -> list[dict[str, Any]]:
    """Trained tokens/s (medians), and the paired ratio to the rival's."""
    rows = []
    for name, made in turns.items():
        rates = [speed(turn, clock) for turn in made]
        ratio = paired_ratio([(a, speed(b, clock)) for a, b in zip(rates, turns[rival], strict=True)])
        rows.append(
            {
                "contestant": name,
                "trained tokens/s": round(statistics.median(rates)),
                "min": round(min(rates)),
                "max": round(max(rates)),
                f"times {rival}": ratio["ratio"],
                "95 %": ratio["interval"],
            }
        )
    return rows


def fastest(turns: dict[str, list[dict[str, Any]]], clock: str = "processor") -> str:
    """The name of SFTTrainer's fastest form."""
    theirs = [name for name in turns if name.startswith("SFTTrainer")]
    return max(theirs, key=lambda name: statistics.median(speed(turn, clock) for turn in turns[name]))


def compare(model: material.Model, folder: Path, options: Any, peak: dict[str, float]) -> dict[str, Any]:
    """Both races of one model, with the split of their costs."""
    spec = {"model": model.name, "folder": str(folder), "items": options.items or model.items, "batch": model.batch}
    found: dict[str, Any] = {"about": model.about, "items": spec["items"], "batch": model.batch, "even": model.even}
    for title, entered, even in (("identical rows", SAME, True), ("own set-up", OWN, False)):
        print(f"\n{model.about}: {title}", flush=True)
        here = spec | {"even": even}
        contestants, screened = list(entered), None
        if not even:
            rivals = [who for who in entered if who.trainer == "trl"]
            screened = screen(rivals, {**here, "items": SCREENING_STEPS * model.batch}, options.screening)
            best = sorted(rivals, key=lambda who: -screened[who.name])[: options.finalists]
            contestants = [*(who for who in entered if who.trainer == "ours"), *best]
        turns = race(contestants, here, options.rounds)
        rival = fastest(turns)
        rows = summary(turns, rival)
        table(f"{model.about}: {title}; trained tokens/s of a processor second, {options.rounds} rounds", rows)
        shown = [who for who in contestants if who.trainer == "ours" or who.name == rival]
        parts = [split(who, here, model, peak) for who in shown]
        table("What a step costs (ms), and the useful arithmetic", parts)
        found[title] = {
            "screened": screened,
            "best of SFTTrainer": rival,
            "summary": rows,
            "wall clock": summary(turns, fastest(turns, "wall"), "wall"),
            "parts": parts,
            "turns": {
                name: [{k: v for k, v in t.items() if k != "parts"} for t in made] for name, made in turns.items()
            },
        }
    return found


def main(arguments: list[str]) -> int:
    """Race, print, write."""
    command = parser("against_trl", __doc__)
    command.add_argument("--models", nargs="+", choices=list(material.MODELS), default=list(material.MODELS))
    command.add_argument("--rounds", type=int, default=5, help="counted turns of every contestant")
    command.add_argument("--screening", type=int, default=1, help="turns of each of SFTTrainer's forms before the race")
    command.add_argument("--finalists", type=int, default=2, help="forms of SFTTrainer that race")
    command.add_argument("--items", type=int, default=0, help="examples of the uneven quest; 0: the model's own number")
    options = command.parse_args(arguments)
    if importlib.util.find_spec("trl") is None:
        print('trl is not installed here. Way out: pip install -e ".[bench]"', file=sys.stderr)
        return 3
    asked = subprocess.run(
        [sys.executable, "-m", "benchmarks.race.peak"],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    peak: dict[str, float] = json.loads(asked.stdout)
    table("Matrix products, GFLOP/s on one thread (the best of a model's shapes)", [peak])
    facts: dict[str, Any] = {"peak": peak, "models": {}}
    with tempfile.TemporaryDirectory(prefix="realm-trl-") as name:
        for chosen in options.models:
            folder = material.write(chosen, Path(name))
            facts["models"][chosen] = compare(material.MODELS[chosen], folder, options, peak)
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
