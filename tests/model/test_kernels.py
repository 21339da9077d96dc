"""Whose kernels run is decided in one place: by measurement on a card, and never without one."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from engine.kernels import LIGER, OWN, apply_kernels, choose_kernels, faster


def test_without_a_card_or_a_known_width_the_own_kernels_run() -> None:
    assert choose_kernels("cpu", 1024) == OWN
    assert choose_kernels("cuda", None) == OWN


@pytest.mark.parametrize(
    ("own", "theirs", "chosen"), [(2.0, 1.0, LIGER), (1.0, 1.0, OWN), (1.02, 1.0, OWN), (1.0, 2.0, OWN)]
)
def test_the_others_must_be_clearly_faster(own: float, theirs: float, chosen: str) -> None:
    assert faster(own, theirs) == chosen


def test_a_card_with_liger_is_measured_at_the_heros_width(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())

    def measured(width: int) -> tuple[float, float]:
        asked.append(width)
        return 3.0, 1.0

    monkeypatch.setattr("engine.kernels._measured", measured)
    assert choose_kernels("cuda", 2560) == LIGER
    assert asked == [2560]


def test_liger_replaces_norms_and_products_but_never_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    patches = types.ModuleType("liger_kernel.transformers.monkey_patch")
    patches._apply_liger_kernel_to_instance = lambda **how: given.update(how)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "liger_kernel", types.ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", types.ModuleType("liger_kernel.transformers"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers.monkey_patch", patches)
    apply_kernels("a model", OWN)
    assert given == {}
    apply_kernels("a model", LIGER)
    assert given["model"] == "a model" and given["rms_norm"] and given["swiglu"]
    assert not given["fused_linear_cross_entropy"] and not given["cross_entropy"]
