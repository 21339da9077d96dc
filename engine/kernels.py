"""The one place that decides whose norms and feed-forward products run on a card: transformers' own modules, or liger-kernel's.

The head is always ours (`engine.head`): Liger's takes no weight for a token and gives no loss of a token, which training needs; `python -m benchmarks head` compares
the two. Liger's norms and products are taken where they are there, know the model's family and were measured to be clearly faster on this card at the hero's width. The
measurement is made once per campaign and recorded with its placement.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

OWN, LIGER = "own", "liger"
_CLEARLY_FASTER = 1.05
_TOKENS = 4096
_RUNS = 20


def choose_kernels(device: str, hidden_size: int | None) -> str:
    """`OWN` or `LIGER`.

    Args:
        device: where the hero trains.
        hidden_size: its width; None where it is not known before loading, and nothing can be measured.
    """
    if device != "cuda" or hidden_size is None or importlib.util.find_spec("liger_kernel") is None:
        return OWN
    return faster(*_measured(hidden_size))


def faster(own_s: float, liger_s: float) -> str:
    """Whose kernels to take, by seconds of the same work; ours unless the others are clearly faster."""
    return LIGER if own_s > liger_s * _CLEARLY_FASTER else OWN


def apply_kernels(model: Any, kernels: str) -> None:
    """Put the chosen kernels into a loaded model; families that Liger does not know keep their own."""
    if kernels != LIGER:
        return
    from liger_kernel.transformers.monkey_patch import _apply_liger_kernel_to_instance

    # The rotary positions stay: Liger would replace the function for every model of the process.
    _apply_liger_kernel_to_instance(
        model=model, rope=False, rms_norm=True, swiglu=True, cross_entropy=False, fused_linear_cross_entropy=False
    )


def _measured(hidden_size: int) -> tuple[float, float]:
    """Seconds of a norm and a gated product with their gradients, ours and Liger's, on this card."""
    from liger_kernel.ops import LigerSiLUMulFunction
    from liger_kernel.transformers.rms_norm import LigerRMSNorm
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    norms = [made(hidden_size).to("cuda", torch.bfloat16) for made in (LlamaRMSNorm, LigerRMSNorm)]

    def own(x: Tensor) -> Tensor:
        normed: Tensor = norms[0](x)
        return torch.nn.functional.silu(normed) * x

    def theirs(x: Tensor) -> Tensor:
        made: Tensor = LigerSiLUMulFunction.apply(norms[1](x), x)
        return made

    return _seconds(own, hidden_size), _seconds(theirs, hidden_size)


def _seconds(work: Callable[[Tensor], Tensor], hidden_size: int) -> float:
    """Median of some runs on the card, forward and backward."""
    times = []
    for _ in range(_RUNS):
        x = torch.randn(_TOKENS, hidden_size, device="cuda", dtype=torch.bfloat16, requires_grad=True)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        torch.autograd.backward(work(x).sum())
        end.record()
        torch.cuda.synchronize()
        times.append(float(start.elapsed_time(end)) / 1000)
    return float(statistics.median(times[_RUNS // 4 :]))
