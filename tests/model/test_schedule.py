"""The learning rate over a campaign, and where each schedule begins, bends and ends."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from configs.training import HeroTraining
from engine.schedule import rate_share


def training(**values: object) -> HeroTraining:
    return HeroTraining.model_validate({"learning_rate": 1e-3, "warmup_steps": 4, **values})


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd"])
def test_every_schedule_warms_up_and_starts_from_the_full_rate(schedule: str) -> None:
    t = training(schedule=schedule, schedule_steps=100)
    assert [rate_share(t, n) for n in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rate_share(t, 4) == pytest.approx(1.0, abs=0.01)


def test_constant_stays_for_good() -> None:
    t = training(schedule="constant")
    assert {rate_share(t, n) for n in (4, 100, 10**7)} == {1.0}


@pytest.mark.parametrize("schedule", ["linear", "cosine", "wsd"])
def test_falling_schedules_end_at_their_lowest_share_and_stay_there(schedule: str) -> None:
    t = training(schedule=schedule, schedule_steps=100, min_rate_share=0.2)
    shares = [rate_share(t, n) for n in range(4, 200)]
    assert shares == sorted(shares, reverse=True)
    assert rate_share(t, 99) == pytest.approx(0.2)
    assert rate_share(t, 98) > 0.2
    assert rate_share(t, 5000) == pytest.approx(0.2)


def test_cosine_is_half_way_in_the_middle_and_linear_falls_evenly() -> None:
    cosine = training(schedule="cosine", schedule_steps=104, min_rate_share=0.0)
    assert rate_share(cosine, 4 + 49) == pytest.approx(0.5)
    assert rate_share(cosine, 4 + 24) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    linear = training(schedule="linear", schedule_steps=104, min_rate_share=0.0)
    steps = [rate_share(linear, n) - rate_share(linear, n + 1) for n in range(4, 103)]
    assert steps == pytest.approx([0.01] * 99)


def test_wsd_holds_the_full_rate_until_its_last_part() -> None:
    t = training(schedule="wsd", schedule_steps=100, decay_share=0.2, min_rate_share=0.0)
    assert {rate_share(t, n) for n in range(4, 80)} == {1.0}
    assert rate_share(t, 80) == pytest.approx(0.95)
    assert rate_share(t, 99) == pytest.approx(0.0)


@pytest.mark.parametrize("wrong", [{"schedule": "cosine"}, {"schedule_steps": 4}, {"schedule": "sawtooth"}])
def test_a_schedule_that_cannot_be_followed_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        training(**wrong)
