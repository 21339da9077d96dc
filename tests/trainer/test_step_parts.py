"""Where a step's seconds go: parts of what the step took, never more, and nothing that is not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
import torch

from configs import clock
from engine.batch import make_batch
from engine.step import StepLoop
from engine.step_clock import StepClock, StepParts
from saves import steps
from tests.model.heroes import PLACEMENT, examples, hatchling
from tests.trainer.conftest import World


@pytest.fixture
def ticking() -> Iterator[list[float]]:
    """A clock that shows what the test puts into it."""
    shown = [0.0]
    clock.use(monotonic=lambda: shown[0])
    yield shown
    clock.use()


def test_a_trained_window_knows_where_its_seconds_went(make_world: Callable[..., World]) -> None:
    game = make_world().train(21)
    windows = steps.windows(game.conn, game.campaign.id)
    assert sum(w.steps for w in windows) == 21
    for w in windows:
        assert w.data_s and w.compute_s and w.update_s
        assert w.forward_s is None, "this kernel's passes are one call"
        assert w.data_s + w.compute_s + w.update_s <= w.active_s + 1e-9


@pytest.mark.parametrize("kernel", ["lean", "model"])
def test_passes_are_told_apart_where_they_are_two_calls(kernel: str) -> None:
    placement = dataclasses.replace(PLACEMENT, kernel=kernel)
    hero = hatchling(placement)
    parts = StepLoop(hero, placement).train([make_batch(examples(hero, 4))]).parts
    assert parts.compute_s > 0 and parts.update_s and parts.update_s > 0
    assert parts.forward_s is None if kernel == "lean" else parts.forward_s and 0 < parts.forward_s < parts.compute_s


def test_laps_are_summed_by_part_over_the_passes_of_a_step(ticking: list[float]) -> None:
    watch = StepClock(card=False)
    ticking[0] = 5.0
    watch.begin()
    for _ in range(2):
        for part, seconds in (("data", 0.5), ("forward", 1.0), ("backward", 2.0)):
            ticking[0] += seconds
            watch.lap(part)  # type: ignore[arg-type]
    ticking[0] += 0.25
    watch.lap("update")
    assert watch.parts() == StepParts(1.0, 6.0, 2.0, 0.25)
    assert watch.parts().with_data(3.0).data_s == 4.0
    watch.begin()
    assert watch.parts() == StepParts(0.0, 0.0, None, 0.0), "a new step begins with nothing"


@pytest.mark.parametrize(("took", "wanted"), [(4.0, (0.5, 3.0, 1.0, 0.5)), (1.75, (0.25, 1.5, 0.5, 0.0))])
def test_on_a_card_the_rest_of_a_step_is_its_update_and_the_parts_never_exceed_it(
    took: float, wanted: tuple[float, ...], ticking: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = iter([0.0, 500.0, 1500.0, 3500.0])

    class Event:
        """One that the card passes at the next of these milliseconds."""

        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = next(passed)

        def elapsed_time(self, end: Event) -> float:
            return end.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    watch = StepClock(card=True)
    for part in ("data", "forward", "backward", "update"):
        watch.lap(part)
    ticking[0] = took
    assert watch.parts() == StepParts(*wanted)
