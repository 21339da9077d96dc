"""Measures the game on this machine: prints tables, and writes them as JSON with machine, versions and date.

    python -m benchmarks --list
    python -m benchmarks                    # all of them, one after the other
    python -m benchmarks start control      # some
    python -m benchmarks --quick            # short runs: to see that they work, not to quote
    python -m benchmarks trl --rounds 9     # one, with options of its own (python -m benchmarks trl --help)

Each benchmark is a process of its own. Nothing here passes or fails by its timings: quote figures from a quiet machine only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, child_environment, machine, versions

RESULTS = Path(__file__).parent / "results"
BUSY_PERCENT = 15.0
"""Above this share of the whole machine, other programs disturb the figures."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One entry of the list."""

    name: str
    module: str
    takes: str
    """How long it takes by default."""
    about: str
    quick: tuple[str, ...]
    """Options that make it short."""


BENCHMARKS = (
    Benchmark(
        "start",
        "benchmarks.start",
        "3 min",
        "status, help, first frame, first training step, attaching: how long each lets you wait",
        ("--runs", "3", "--frames", "1", "--fresh", "1", "--hellos", "10"),
    ),
    Benchmark(
        "control",
        "benchmarks.control",
        "2 min",
        "how many steps and milliseconds lie between an order and its confirmation",
        ("--orders", "15"),
    ),
    Benchmark(
        "face",
        "benchmarks.face",
        "3 min",
        "processor and bytes the screen takes, and its first frame",
        ("--seconds", "5", "--runs", "1"),
    ),
    Benchmark(
        "face_cost",
        "benchmarks.face_cost",
        "16 min",
        "steps/s of one engine with and without a screen attached",
        ("--pairs", "2", "--seconds", "5"),
    ),
    Benchmark(
        "fold",
        "benchmarks.fold",
        "1 min",
        "the game of a million facts: folded anew, gone on with after a new fact, read from its cache",
        ("--facts", "20000", "--rounds", "5"),
    ),
    Benchmark(
        "charts",
        "benchmarks.charts",
        "1 min",
        "Watchtower and Strain over ten million steps: how long a look at the save holds the facts thread up",
        ("--facts", "20000"),
    ),
    Benchmark(
        "scale",
        "benchmarks.scale",
        "2 min",
        "a save of a million facts: first frame, looks, going from screen to screen, memory",
        ("--facts", "20000", "--runs", "1", "--rounds", "1"),
    ),
    Benchmark(
        "parity",
        "benchmarks.parity",
        "10 min",
        "losses and gradients beside trl.SFTTrainer's, packed rows beside single ones (needs the extra `bench`)",
        ("--models", "pip", "--steps", "5"),
    ),
    Benchmark(
        "trl",
        "benchmarks.against_trl",
        "25 min",
        "trained tokens/s beside trl.SFTTrainer, on the same rows and each set up its own way (needs the extra `bench`)",
        ("--models", "pip", "--rounds", "2", "--items", "64", "--finalists", "1"),
    ),
    Benchmark(
        "checkpoint",
        "benchmarks.checkpoint",
        "5 min",
        "how long a checkpoint holds up the steps, how large it is, and how long waking from it takes",
        ("--models", "pip", "--saves", "2"),
    ),
    Benchmark(
        "learning",
        "benchmarks.learning",
        "55 min",
        "levels PIP wins and holds in ten minutes, five seeds, with accuracy per operation",
        ("--seeds", "1", "--marks", "1"),
    ),
    Benchmark(
        "curriculum",
        "benchmarks.curriculum",
        "5 h",
        "levels learnt by the game against plain training on uniform mixes and SFTTrainer, in the same processor time",
        ("--seeds", "1", "--marks", "0.5", "--ways", "game", "uniform-8"),
    ),
    Benchmark(
        "head",
        "benchmarks.head",
        "5 min",
        "peak memory and time of the loss over a vocabulary of 151,936, beside the plain loss (and Liger's on a card)",
        ("--hidden", "64", "--tokens", "64", "--rounds", "1"),
    ),
    Benchmark(
        "gpu",
        "benchmarks.gpu",
        "15 min",
        "0.6B full, 4B full and 8B QLoRA under 24 GiB on a card: tokens/s, MFU, memory beside SFTTrainer",
        ("--steps", "3", "--warm-up", "1"),
    ),
    Benchmark(
        "generators",
        "benchmarks.generators",
        "2 min",
        "problems a second each skill makes and judges on one core, level by level",
        ("--count", "50"),
    ),
    Benchmark(
        "worker",
        "benchmarks.worker",
        "3 min",
        "the own inference worker: batched answers beside one by one, what strictness costs, how long loading takes",
        ("--models", "pip", "--rounds", "1", "--tokens", "4"),
    ),
    Benchmark(
        "jobs",
        "benchmarks.jobs",
        "1 min",
        "a thousand jobs over four workers that are killed at random: lost, counted twice, and what the table costs",
        ("--jobs", "50", "--kills", "2", "--work-ms", "20"),
    ),
    Benchmark(
        "inn",
        "benchmarks.inn",
        "1 min",
        "putting a form to work here and over SSH: each stage, until the first answer; what a question costs beside its answer",
        ("--forms", "2", "--questions", "3"),
    ),
    Benchmark(
        "sync",
        "benchmarks.sync",
        "2 min",
        "a box over SSH on the loopback: bringing forms there beside plain SFTP, again, after a cut; noticing a lost line",
        ("--mb", "20", "--rounds", "1", "--losses", "1"),
    ),
    Benchmark("gate", "benchmarks.gate", "3 min", "how often the gate and the screenings err", ("--runs", "20")),
)


def measure(benchmark: Benchmark, arguments: list[str], results: Path) -> int:
    """Run one benchmark and write what it found; its exit code."""
    here = machine()
    if here["busy_percent_before"] > BUSY_PERCENT:
        print(f"! other programs use {here['busy_percent_before']:.0f} % of this machine: do not quote these figures")
    began, date = time.perf_counter(), datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="realm-bench-") as name:
        found = Path(name) / "found.json"
        command = [sys.executable, "-m", benchmark.module, *arguments, "--json", str(found)]
        code = subprocess.run(command, env=child_environment(), check=False).returncode
        if code != 0 or not found.exists():
            return code
        facts: dict[str, Any] = json.loads(found.read_text())
    report = {
        "benchmark": benchmark.name,
        "date": date.isoformat(timespec="seconds"),
        "arguments": arguments,
        "seconds": round(time.perf_counter() - began, 1),
        "machine": here,
        "versions": versions(),
        "found": facts,
    }
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{benchmark.name}.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    print(f"\n{benchmark.name}: {report['seconds']} s, written to {path}")
    return 0


def show_list() -> None:
    """Names, durations and what each one measures."""
    for one in BENCHMARKS:
        print(f"{one.name:<10} {one.takes:>7}  {one.about}")


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 when one of them failed, 2 when one is unknown."""
    about, _, how = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=about,
        epilog=how,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=not {one.name for one in BENCHMARKS} & set(arguments),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones; none: all")
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument("--quick", action="store_true", help="short runs, not to be quoted")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help=f"default: {RESULTS.name}/")
    options, own = parser.parse_known_args(arguments)
    if options.list:
        show_list()
        return 0
    known = {one.name: one for one in BENCHMARKS}
    unknown = [name for name in options.names if name not in known]
    if unknown or (own and len(options.names) != 1):
        what = f"there is no benchmark {unknown[0]!r}" if unknown else f"{own[0]} needs exactly one benchmark's name"
        print(f"{what}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    if "--help" in own or "-h" in own:
        return subprocess.run(
            [sys.executable, "-m", known[options.names[0]].module, "--help"], cwd=ROOT, check=False
        ).returncode
    failed = []
    for one in [known[name] for name in options.names] or BENCHMARKS:
        print(f"\n── {one.name}: {one.about}", flush=True)
        if measure(one, [*(one.quick if options.quick else ()), *own], options.results) != 0:
            failed.append(one.name)
    if failed:
        print(f"\nnot measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
