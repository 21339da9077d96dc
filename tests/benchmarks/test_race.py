"""What the race against SFTTrainer is made of, and how its figures are counted. SFTTrainer itself is not run here."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.against_trl import Racer, fastest, speed, summary
from benchmarks.parity import Ours, distance, packed_or_not
from benchmarks.race import material
from benchmarks.race.contestants import OWN, SAME, Contestant
from benchmarks.race.racer import Watch


def turn(trained: int, processor: float) -> dict[str, float]:
    return {"trained": trained, "processor": processor, "wall": 2 * processor}


@pytest.mark.parametrize("name", list(material.MODELS))
def test_the_quest_is_the_same_every_time_and_its_lengths_are_log_uniform(name: str) -> None:
    items = material.uneven(name, 2000)
    assert [one.ids for one in items] == [one.ids for one in material.uneven(name, 2000)]
    lengths = sorted(len(one.ids) for one in items)
    assert lengths[0] >= 16
    assert lengths[-1] <= material.CONTEXT
    assert lengths[1000] == pytest.approx(math.sqrt(16 * 513), rel=0.1)
    assert all(0 < one.trained_tokens < len(one.ids) for one in items)
    assert all(token in material.tokens(name) for token in items[0].ids)


@pytest.mark.parametrize("name", list(material.MODELS))
def test_identical_rows_have_no_padding(name: str) -> None:
    steps, examples, length = material.MODELS[name].even
    rows = material.even(name)
    assert [len(step) for step in rows] == [examples] * steps
    assert {len(one.ids) for step in rows for one in step} == {length}


def test_every_contestant_has_a_name_of_its_own() -> None:
    for entered in (SAME, OWN):
        assert len({who.name for who in entered}) == len(entered)


def test_the_best_form_of_the_rival_counts() -> None:
    turns = {
        "ours": [turn(90, 1.0), turn(80, 1.0), turn(100, 1.0)],
        "SFTTrainer, slow": [turn(10, 1.0)] * 3,
        "SFTTrainer, fast": [turn(45, 1.0), turn(40, 1.0), turn(50, 1.0)],
    }
    assert fastest(turns) == "SFTTrainer, fast"
    ours = summary(turns, fastest(turns))[0]
    assert ours["trained tokens/s"] == 90
    assert ours["times SFTTrainer, fast"] == pytest.approx(2.0)
    assert speed(turns["ours"][0], "wall") == 45


def test_parts_inside_each_other_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 1.0, 4.0, 6.0])
    monkeypatch.setattr("time.process_time", lambda: next(ticks))
    watch = Watch()
    watch.around("model", watch.around("head", lambda: None))()
    assert watch.take() == {"model": 3.0, "head": 3.0, "optimizer": 0.0}
    assert set(watch.take().values()) == {0.0}


def test_a_contestant_trains_a_turn_when_told_and_ends_when_nobody_asks(tmp_path: Path) -> None:
    folder = material.write("pip", tmp_path)
    spec = {"model": "pip", "folder": str(folder), "items": 40, "batch": 16, "even": False}
    racer = Racer(Contestant("ours", "ours"), spec, parts=True)
    first, second = racer.turn(), racer.turn()
    racer.end()
    items = material.uneven("pip", 40)
    for made in (first, second):
        assert made["steps"] == 3
        assert made["tokens"] == sum(len(one.ids) for one in items)
        assert made["trained"] == sum(one.trained_tokens for one in items)
        assert made["processor"] >= sum(made["parts"].values()) > 0
    assert second["losses"][0] < first["losses"][0]


def test_trap_04_packed_rows_have_the_gradient_of_single_ones(tmp_path: Path) -> None:
    found = packed_or_not("pip", material.write("pip", tmp_path), material.uneven("pip", 6))
    assert found["gap to one by one"] < 1e-5
    assert found["gradient, one by one"] < 1e-5
    assert found["gradient, modules"] < 1e-5


def test_the_distance_of_gradients_is_a_share_of_their_length(tmp_path: Path) -> None:
    ours = Ours("pip", material.write("pip", tmp_path))
    _, gradient = ours.gradient([material.uneven("pip", 2)])
    assert distance(gradient, gradient) == 0
    assert distance(gradient, {name: 1.5 * g for name, g in gradient.items()}) == pytest.approx(0.5)
