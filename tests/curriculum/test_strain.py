"""Strain, effort, zones."""

from __future__ import annotations

import json
import math

import pytest

from configs.errors import RealmError
from configs.schema import StrainRules
from engine.strain import HISTORY, StrainTracker

RULES = StrainRules.model_validate({})


def test_the_worked_example() -> None:
    tracker = StrainTracker(RULES, 0.5)
    seen = []
    for loss in (0.8, 0.7, 0.6):
        strain = tracker.push(loss)
        assert strain is not None
        seen.append((round(strain, 6), tracker.zone))
    assert seen == [(0.3, "stretch"), (0.2, "productive"), (0.1, "productive")]
    assert tracker.effort == pytest.approx(0.6)
    assert tracker.plastic_gain == pytest.approx(0.2)
    assert tracker.efficiency == pytest.approx(1 / 3)
    assert tracker.is_learning


@pytest.mark.parametrize(
    ("loss", "zone"), [(0.3, "recovery"), (0.599, "recovery"), (0.6, "productive"), (0.8, "stretch"), (1.0, "overload")]
)
def test_zones_include_their_lower_bound(loss: float, zone: str) -> None:
    tracker = StrainTracker(RULES, 0.5)
    tracker.push(loss)
    assert tracker.zone == zone


def test_the_rate_is_a_running_mean_of_changes() -> None:
    tracker = StrainTracker(RULES, 0.0)
    tracker.push(1.0)
    assert tracker.rate is None, "one step has no change"
    tracker.push(0.9)
    assert tracker.rate == pytest.approx(-0.01)
    tracker.push(0.9)
    assert tracker.rate == pytest.approx(-0.009)
    tracker.push(1.9)
    assert tracker.rate == pytest.approx(0.1 - 0.0081)
    assert not tracker.is_learning


def test_a_loss_below_the_floor_costs_no_effort() -> None:
    tracker = StrainTracker(RULES, 0.5)
    assert tracker.push(0.2) == 0.0
    assert (tracker.effort, tracker.zone, tracker.efficiency) == (0.0, "recovery", 0.0)


def test_a_loss_that_is_not_a_number_changes_nothing() -> None:
    tracker = StrainTracker(RULES, 0.0)
    tracker.push(0.8)
    before = tracker.state()
    assert tracker.push(math.nan) is None
    assert tracker.push(math.inf) is None
    assert tracker.state() == {**before, "nonfinite": 2}


def test_without_a_floor_there_is_no_zone() -> None:
    tracker = StrainTracker(RULES, None)
    assert tracker.zone is None
    assert tracker.push(0.8) == 0.8
    assert (tracker.strain, tracker.zone, tracker.effort) == (0.8, None, 0.8)


def test_a_new_floor_does_not_rewrite_past_effort() -> None:
    tracker = StrainTracker(RULES, 0.0)
    tracker.push(0.8)
    tracker.floor = 0.5
    tracker.push(0.6)
    assert tracker.effort == pytest.approx(0.9)


def test_means_look_at_the_newest_steps() -> None:
    tracker = StrainTracker(RULES, 0.0)
    assert tracker.mean_strain() is None
    for loss in range(60):
        tracker.push(float(loss))
    assert tracker.mean_strain() == pytest.approx(54.5)
    assert tracker.mean_strain(2) == pytest.approx(58.5)
    assert tracker.mean_strain(1000) == pytest.approx(sum(range(10, 60)) / HISTORY)


def test_a_stretch_tells_what_a_level_cost() -> None:
    tracker = StrainTracker(RULES, 0.0)
    tracker.push(2.0)
    tracker.mark()
    assert tracker.since_mark().plastic_gain is None
    for loss in (1.0, 0.75, 0.5):
        tracker.push(loss)
    cost = tracker.since_mark()
    assert (cost.steps, cost.effort, cost.start_loss, cost.end_loss) == (3, 2.25, 1.0, 0.5)
    assert cost.efficiency == pytest.approx(0.5 / 2.25)


def test_a_resumed_tracker_goes_on_to_the_last_bit() -> None:
    whole, first = StrainTracker(RULES, 0.02), StrainTracker(RULES, 0.02)
    losses = [1 / 3 + math.sin(n) / 7 for n in range(200)]
    for number, loss in enumerate(losses[:77]):
        for tracker in (whole, first):
            tracker.push(loss)
            if number == 40:
                tracker.mark()
    resumed = StrainTracker(RULES, None)
    resumed.load(json.loads(json.dumps(first.state())))
    for loss in losses[77:]:
        assert whole.push(loss) == resumed.push(loss)
        assert (whole.rate, whole.effort, whole.mean_strain()) == (resumed.rate, resumed.effort, resumed.mean_strain())
    assert whole.state() == resumed.state()
    assert whole.since_mark() == resumed.since_mark()


@pytest.mark.parametrize("broken", [{}, {"floor": 0.0}, {"samples": "many"}])
def test_a_broken_record_is_named(broken: dict[str, object]) -> None:
    state = {**StrainTracker(RULES, 0.0).state(), **broken} if "samples" in broken else broken
    with pytest.raises(RealmError, match="strain record"):
        StrainTracker(RULES, 0.0).load(state)
