"""How fast this machine multiplies matrices of a model's own shapes, on one thread: the yardstick of a step."""

from __future__ import annotations

import json
import sys
import time

import torch

SIZES = ((2048, 512, 1024), (2048, 512, 3072), (2048, 1536, 512), (1024, 1024, 1024), (2048, 96, 576))
"""Tokens, inputs, outputs."""
REPEATS = 12


def peaks() -> dict[str, float]:
    """GFLOP/s of the best shape: fp32 factors in full precision, as the mode "medium" takes them, and bf16 factors."""
    found = {}
    for name, precision, dtype in (
        ("fp32", "highest", torch.float32),
        ("medium", "medium", torch.float32),
        ("bf16", "highest", torch.bfloat16),
    ):
        torch.set_float32_matmul_precision(precision)
        found[name] = round(max(_speed(*size, dtype) for size in SIZES) / 1e9, 1)
    return found


def _speed(rows: int, inner: int, columns: int, dtype: torch.dtype) -> float:
    a, b = torch.randn(rows, inner).to(dtype), torch.randn(columns, inner).to(dtype)
    out = torch.empty(rows, columns, dtype=dtype)
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        torch.mm(a, b.T, out=out)
        best = min(best, time.process_time() - began)
    return 2 * rows * inner * columns / best


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write(json.dumps(peaks()))
