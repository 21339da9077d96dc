"""The card's benchmark on a tiny model and this processor: it really trains, counts the work there is, and measures nothing it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.__main__ import main
from benchmarks.gpu.cases import CASES, Example, flops, peak_tflops, steps_of
from benchmarks.gpu.models import dimensions, our_hero
from benchmarks.gpu.racer import OURS
from engine.batch import make_batch
from engine.chat.encoded import Encoded
from engine.step import TrainingPass

TINY = CASES[-1]


def test_without_a_card_nothing_of_the_true_shapes_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.gpu.__main__.card", lambda: None)
    assert main(["--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["measured"] is False and found["runs"] == [] and found["card"] is None
    assert "no card here" in capsys.readouterr().out


def test_the_engine_really_trains_the_tiny_case(tmp_path: Path) -> None:
    words = ["--case", "tiny", "--contestant", OURS, "--steps", "3", "--warm-up", "1", "--json", str(tmp_path / "f")]
    assert main(words) == 0
    (run,) = json.loads((tmp_path / "f").read_text())["runs"]
    assert run["steps"] == 2 and len(set(run["losses"])) == 3
    assert run["trained_tokens_per_s"] > 0 and run["peak_host_gib"] > 0


def test_the_counted_work_is_the_work_of_the_products() -> None:
    shape = dimensions(TINY)
    example = Example([n % shape.vocab_size for n in range(128)], 64)
    hero, placement = our_hero(TINY)
    batch = make_batch([Encoded(example.ids, [False] * 64 + [True] * 64)], row_tokens=None)
    with FlopCounterMode(display=False) as counter:
        TrainingPass(hero, placement)(batch)[0].backward()
    products = sum(
        n for op, n in counter.get_flop_counts()["Global"].items() if op in (torch.ops.aten.mm, torch.ops.aten.addmm)
    )
    attention = 2.0 * 3 * shape.layers * 2 * shape.heads * shape.head_dim * 128 * 129 / 2
    unseen = (
        2.0 * 64 * shape.vocab_size * shape.hidden_size
    )  # the head's gradient: torch counts no product added in place
    assert flops(shape, example, frozen=False) - attention == products + unseen


def test_everybody_gets_the_same_examples() -> None:
    one, again = (steps_of(TINY, 320, 3) for _ in range(2))
    assert one == again
    assert all(TINY.shortest <= len(e.ids) <= TINY.longest for step in one for e in step)
    assert [len(step) for step in one] == [TINY.examples] * 3


def test_a_card_nobody_knows_has_no_known_peak() -> None:
    assert peak_tflops("NVIDIA H200") == 989.0
    assert peak_tflops("Voodoo 2") is None
