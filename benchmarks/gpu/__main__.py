"""Qwen3-0.6B full, 4B full under 24 GiB and 8B QLoRA under 24 GiB on a card: tokens/s, MFU and memory beside ``trl.SFTTrainer``.

    python -m benchmarks.gpu [--case 0.6b-full ...] [--steps 12] [--warm-up 4] [--rounds 1] [--json FILE]

Random weights of the true shapes; the same seeded examples of random tokens for every contestant, half of each trained. Ours takes what the hero's YAML says; SFTTrainer
its chunked loss, bf16, checkpointing and the same optimizer, padded, with and without Liger's kernels. MFU is the work the losses and gradients need, nothing counted twice, over the
data sheet's bf16 rate. The cap is enforced on what torch allocates. 8-bit and paged states need bitsandbytes, Liger needs liger-kernel, SFTTrainer needs trl: on a
machine without a registry bring the wheels of bitsandbytes, liger-kernel, peft, trl, datasets, dill, multiprocess and xxhash, as many as are missing.

Without a card it says so and measures nothing. Takes about 15 minutes on a card of the H100's kind.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.figures import table
from benchmarks.gpu.cases import CASES, Case, peak_tflops
from benchmarks.machine import ROOT, child_environment
from benchmarks.options import parser

REAL = tuple(case for case in CASES if case.name != "tiny")


def card() -> str | None:
    """The name of the card, or None."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def run(case: Case, contestant: str, steps: int, warm_up: int) -> dict[str, Any]:
    """What one contestant took; its last words where it failed."""
    command = [sys.executable, "-m", "benchmarks.gpu.racer", case.name, contestant, str(steps), str(warm_up)]
    done = subprocess.run(command, cwd=ROOT, env=child_environment(), capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        found: dict[str, Any] = json.loads(lines[-1])
        return found
    return {"failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:120]}


def row(case: Case, contestant: str, found: dict[str, Any], peak: float | None) -> dict[str, Any]:
    """A line of the table; what is not known is a dash."""
    tflops = found.get("tflops")
    return {
        "case": case.name,
        "trainer": contestant,
        "trained tokens/s": found.get("trained_tokens_per_s"),
        "MFU %": None if tflops is None or peak is None else 100 * tflops / peak,
        "s/step": found.get("seconds_per_step"),
        "peak device GiB": found.get("peak_device_gib"),
        "reserved GiB": found.get("reserved_device_gib"),
        "host GiB": found.get("peak_host_gib"),
        "note": found.get("failed", ""),
    }


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    from benchmarks.gpu.racer import CONTESTANTS, OURS

    command = parser("gpu", __doc__)
    command.add_argument("--case", nargs="+", choices=[case.name for case in CASES], help="default: all but tiny")
    command.add_argument("--contestant", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    command.add_argument("--steps", type=int, default=12, help="optimizer steps of one run")
    command.add_argument("--warm-up", type=int, default=4, help="of which this many are not timed")
    command.add_argument("--rounds", type=int, default=1, help="how often every contestant runs, in turns")
    options = command.parse_args(arguments)
    if not 0 < options.warm_up < options.steps:
        command.error("--warm-up must be at least 1 and less than --steps")
    name = card()
    cases = [case for case in CASES if case.name in options.case] if options.case else list(REAL)
    if name is None:
        cases = [case for case in cases if case.name == "tiny"]
        print("no card here: nothing of the true shapes was measured")
    peak = peak_tflops(name) if name else None
    rows, runs = [], []
    for case in cases:
        for number in range(options.rounds):
            for contestant in options.contestant if number % 2 == 0 else reversed(options.contestant):
                found = run(case, contestant, options.steps, options.warm_up)
                runs.append({"case": case.name, "contestant": contestant, "round": number + 1, **found})
                rows.append(row(case, contestant, found, peak))
                print(f"{case.name}, {contestant}: {found.get('failed') or 'done'}", flush=True)
    table(f"Training on {name or 'this processor'}", rows)
    for case in cases:
        print(f"{case.name}, to beat: {case.to_beat}")
    facts = {
        "measured": name is not None,
        "card": name,
        "peak_tflops": peak,
        "steps": options.steps,
        "warm_up": options.warm_up,
        "runs": runs,
    }
    if options.json:
        options.json.write_text(json.dumps(facts))
    return 1 if any("failed" in run for run in runs if run["contestant"] == OURS) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
