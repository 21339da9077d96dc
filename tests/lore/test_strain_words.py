"""Strain in words: zones, trend and hint follow the rules, and say nothing where nothing is known."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.loader import load_game
from configs.schema import StrainRules, Zone
from lore import strain
from lore.strain import Hint

RULES = StrainRules.model_validate(load_game().strain.model_dump())
strains = st.lists(st.floats(0, 5, allow_nan=False), max_size=80)


def test_worked_example() -> None:
    losses, floor = [0.8, 0.7, 0.6], 0.5
    found = [strain.strain(loss, floor) for loss in losses]
    assert found == pytest.approx([0.3, 0.2, 0.1])
    assert [strain.zone_word(strain.zone(s, RULES)) for s in found] == ["Stretch", "Productive", "Productive"]
    assert strain.effort(found) == pytest.approx(0.6)
    gained = strain.gain(0.8, 0.6)
    assert gained == pytest.approx(0.2)
    assert strain.efficiency(gained, strain.effort(found)) == pytest.approx(0.333, abs=5e-4)


def test_a_loss_below_its_floor_is_no_strain() -> None:
    assert strain.strain(0.4, 0.5) == 0


def test_refused_steps_add_no_effort() -> None:
    assert strain.effort([0.2, math.nan, 0.1, math.inf]) == pytest.approx(0.3)


def test_efficiency_without_effort_or_gain() -> None:
    assert strain.efficiency(0.2, 0.0) == 0
    assert strain.efficiency(strain.gain(None, 0.3), 1.0) is None


def test_without_a_floor_there_is_neither_zone_nor_hint() -> None:
    assert strain.zone(None, RULES) is None and strain.zone(math.nan, RULES) is None
    assert strain.zone_word(None) == "–" and strain.zone_word(None, "plain") == "–"
    assert strain.hint([math.nan] * 50, RULES) is None


@given(st.lists(st.floats(0, 5), max_size=9))
def test_nine_samples_of_any_kind_wait(values: list[float]) -> None:
    found = strain.hint(values, RULES)
    assert found is not None and (found.kind, found.confidence) == ("wait", 0.3)


@pytest.mark.parametrize(
    ("level", "rate", "kind", "confidence"),
    [
        (0.9, 0.0, "back_off", 0.8),
        (0.9, 0.02, "back_off", 0.8),
        (0.9, -0.02, "continue", 0.7),
        (0.4, -0.02, "continue", 0.7),
        (0.4, 0.0, "continue", 0.5),
        (0.05, 0.0, "level_up", 0.8),
        (0.05, -0.02, "continue", 0.5),
        (0.2, -0.02, "continue", 0.9),
        (0.2, 0.02, "continue", 0.5),
    ],
)
def test_hint_rules_in_order(level: float, rate: float, kind: str, confidence: float) -> None:
    found = strain.hint([level] * 10, RULES, rate=rate)
    assert found is not None and (found.kind, found.confidence) == (kind, confidence)


def test_the_hint_looks_at_the_last_ten_only() -> None:
    found = strain.hint([3.0] * 40 + [0.05] * 10, RULES, rate=0.0)
    assert found is not None and found.zone == "recovery"


def test_the_hint_reads_as_a_sentence_in_both_voices() -> None:
    found = Hint("continue", 0.9, "productive", "improving")
    assert found.text("plain") == "continue: productive and falling"
    assert found.text("tavern") == "press on: productive and falling"
    assert Hint("wait", 0.3, None, None).text("plain") == "wait: too few steps to say"


def test_trend_bounds_are_exclusive() -> None:
    assert strain.trend(-0.005, RULES) == "stable" and strain.trend(0.005, RULES) == "stable"
    assert strain.trend(-0.0051, RULES) == "improving" and strain.trend(0.0051, RULES) == "worsening"
    assert strain.trend(None, RULES) is None


def test_rate_of_a_straight_line_is_its_slope() -> None:
    assert strain.strain_rate([5.0 - 0.01 * i for i in range(200)], RULES) == pytest.approx(-0.01)
    assert strain.strain_rate([1.0], RULES) is None


@given(strains)
def test_rate_stays_between_the_smallest_and_the_largest_change(values: list[float]) -> None:
    rate = strain.strain_rate(values, RULES)
    if len(values) < 2:
        assert rate is None
    else:
        changes = [b - a for a, b in itertools.pairwise(values)]
        assert rate is not None and min(0.0, *changes) - 1e-9 <= rate <= max(0.0, *changes) + 1e-9


@given(st.lists(st.floats(0, 5), min_size=2, max_size=80))
def test_rate_is_the_engines_own(losses: list[float]) -> None:
    """The lore may not import the engine; where no engine runs, its number is computed here and must agree."""
    from engine.strain import StrainTracker

    tracker = StrainTracker(RULES, 0.02)
    for loss in losses:
        tracker.push(loss)
    ours = strain.strain_rate([max(0.0, loss - 0.02) for loss in losses], RULES)
    assert ours == pytest.approx(tracker.rate, abs=1e-12)


@given(st.floats(0, 10))
def test_bands_and_zones_agree(value: float) -> None:
    value = round(value, 6)
    homes: list[Zone] = [name for name, low, high in strain.bands(RULES) if low <= value < high]
    assert homes == [strain.zone(value, RULES)]


def test_marks_differ_so_that_colour_never_carries_alone() -> None:
    zones: tuple[Zone | None, ...] = ("recovery", "productive", "stretch", "overload", None)
    for ascii_only in (False, True):
        assert len({strain.zone_mark(z, ascii_only=ascii_only) for z in zones}) == 5
