"""Peak memory and time of the head: loss and both gradients over a vocabulary of 151,936, ours beside the plain loss (and Liger's on a card).

    python -m benchmarks.head [--hidden 1024 2560 4096] [--tokens 512] [--rounds 3] [--device auto] [--json FILE]

Every contestant is given the same random states, weight, targets and weights of tokens, and gives the weighted sum of the losses with its gradients for states
and weight. Memory is what a process of its own takes beyond these inputs at its highest (on a card: what torch allocates). Times are interleaved in one process, medians;
on a CPU in fp32 with one thread, on a card in bf16. The plain loss keeps all logits: on a CPU the tokens are few so that it fits.

Takes about 5 minutes on a laptop core.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil
import torch
from torch import Tensor

from benchmarks.figures import table
from benchmarks.machine import ROOT, child_environment
from benchmarks.options import parser
from engine.head import head_loss, slice_tokens

VOCABULARY = 151_936
OURS, PLAIN, LIGER = "ours", "plain", "liger"


def inputs(hidden: int, tokens: int, device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """States [N, H] and weight [V, H] with gradients, targets [N], token weights [N]."""
    generator = torch.Generator(device).manual_seed(0)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    states = torch.randn(tokens, hidden, generator=generator, device=device).to(dtype).requires_grad_()
    weight = torch.randn(VOCABULARY, hidden, generator=generator, device=device).mul_(0.02).to(dtype).requires_grad_()
    targets = torch.randint(VOCABULARY, (tokens,), generator=generator, device=device)
    return states, weight, targets, torch.rand(tokens, generator=generator, device=device)


def run_ours(states: Tensor, weight: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return head_loss(states, weight, targets, weights).total


def run_plain(states: Tensor, weight: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    losses = torch.nn.functional.cross_entropy((states @ weight.T).float(), targets, reduction="none")
    return (losses * weights).sum()


def run_liger(states: Tensor, weight: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Liger has no weights for tokens: it gives the plain sum, which is the same work."""
    from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction

    found = LigerFusedLinearCrossEntropyFunction.apply(
        states, weight, targets, None, None, -100, 0.0, 0.0, "sum", None, False, torch.float32
    )
    loss: Tensor = found[0] if isinstance(found, tuple) else found
    return loss


RUNS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    OURS: run_ours,
    PLAIN: run_plain,
    LIGER: run_liger,
}


def contestants(device: str) -> list[str]:
    """Who can run here: Liger's kernels need a card."""
    with_liger = device == "cuda" and importlib.util.find_spec("liger_kernel") is not None
    return [OURS, PLAIN, *([LIGER] if with_liger else [])]


def once(name: str, given: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[float, float]:
    """Seconds of one loss with its gradients, and the loss."""
    states, weight = given[0], given[1]
    states.grad = weight.grad = None
    began = time.perf_counter()
    loss = RUNS[name](*given)
    torch.autograd.backward(loss)
    value = float(loss.detach())
    return time.perf_counter() - began, value


def peak_bytes(name: str, hidden: int, tokens: int, device: str) -> int:
    """What one run takes beyond its inputs, at its highest; in this process, which must do nothing else."""
    given = inputs(hidden, tokens, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        once(name, given)
        return torch.cuda.max_memory_allocated() - before
    before = psutil.Process().memory_info().rss
    with Highest() as highest:
        once(name, given)
    return highest.bytes - before


class Highest:
    """The most memory this process has held since it was entered, looked at every few milliseconds.

    The system's own maximum would not do: making the inputs may have taken more, and it is handed on to child processes.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        process = psutil.Process()
        while not self._over.wait(0.002):
            self.bytes = max(self.bytes, process.memory_info().rss)

    def __enter__(self) -> Highest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def peak_in_child(name: str, hidden: int, tokens: int, device: str) -> int:
    command = [sys.executable, "-m", "benchmarks.head", "--only", name, "--hidden", str(hidden)]
    command += ["--tokens", str(tokens), "--device", device]
    done = subprocess.run(command, cwd=ROOT, env=child_environment(), capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def compare(hidden: int, tokens: int, rounds: int, device: str) -> list[dict[str, Any]]:
    """A row for each contestant at one width."""
    names = contestants(device)
    given = inputs(hidden, tokens, device)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    losses: dict[str, float] = {}
    for name in names:
        once(name, given)
    for _ in range(rounds):
        for name in names:
            took, losses[name] = once(name, given)
            seconds[name].append(took)
    del given
    peaks = {name: peak_in_child(name, hidden, tokens, device) for name in names}
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return [
        {
            "hidden": hidden,
            "head": name,
            "seconds (median)": round(median[name], 3),
            "times plain": round(median[name] / median[PLAIN], 3),
            "peak MiB beyond inputs": round(peaks[name] / 2**20),
            "of plain": round(peaks[name] / peaks[PLAIN], 3),
            "loss": losses[name],
        }
        for name in names
    ]


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("head", __doc__)
    command.add_argument("--hidden", type=int, nargs="+", default=[1024, 2560, 4096], help="widths of the states")
    command.add_argument("--tokens", type=int, default=None, help="default: 512 on a CPU, 8192 on a card")
    command.add_argument("--rounds", type=int, default=3, help="how often every contestant is timed")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--only", choices=tuple(RUNS), help="print the peak memory of one contestant and end")
    options = command.parse_args(arguments)
    device = options.device if options.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    tokens = options.tokens or (8192 if device == "cuda" else 512)
    torch.set_num_threads(1)
    if options.only:
        print(peak_bytes(options.only, options.hidden[0], tokens, device))
        return 0
    rows = [row for hidden in options.hidden for row in compare(hidden, tokens, options.rounds, device)]
    table(f"Loss and gradients over {tokens} tokens, vocabulary {VOCABULARY:,}, {device}", rows)
    if LIGER not in contestants(device):
        print("Liger's kernels: not measured, they need a card and the extra `gpu`")
    facts = {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "dtype": "bfloat16" if device == "cuda" else "float32",
        "tokens": tokens,
        "vocabulary": VOCABULARY,
        "tokens_at_a_time": slice_tokens(VOCABULARY, device),
        "rounds": options.rounds,
        "liger": LIGER in contestants(device),
        "heads": rows,
    }
    if options.json:
        options.json.write_text(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
