"""The warning line speaks of what is old, and only of that."""

from __future__ import annotations

from typing import Any

import pytest

from engine.link.state import EngineState
from realm_tui.app.widgets.banner import banner_rows
from tests.face import samples

STALE_S = 60.0


def told(**changes: Any) -> str:
    """The first line of the banner; empty when it takes no room."""
    rows = banner_rows(samples.facts(status=samples.status(**changes)), STALE_S)
    return "".join(text for text, _ in rows[0]) if rows else ""


def test_nothing_is_said_while_steps_come() -> None:
    assert told() == ""


def test_an_engine_that_is_silent() -> None:
    assert "said nothing for" in told(stale=True, ages_s={"heartbeat": 75.0, "step": 80.0})
    assert "said nothing for" in told(ages_s={"heartbeat": 75.0, "step": 80.0}), "whoever judged it, it is old"


def test_an_engine_that_lives_and_does_no_step() -> None:
    found = told(ages_s={"heartbeat": 0.2, "step": 120.0})
    assert "No step was done for" in found and "2" in found and "said nothing" not in found


@pytest.mark.parametrize("state", [EngineState.PAUSED, EngineState.EXAMINING, EngineState.STOPPED])
def test_who_rests_or_is_asked_does_no_steps(state: EngineState) -> None:
    assert told(state=state, ages_s={"heartbeat": 0.2, "step": 4000.0}) == ""


def test_a_hero_just_woken_is_not_blamed_for_the_hours_before() -> None:
    assert told(steps_per_s=None, ages_s={"heartbeat": 0.2, "step": 4000.0}) == ""
