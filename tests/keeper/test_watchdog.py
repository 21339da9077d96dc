"""The watchdog: tells slow from stuck from dead, and leaves a resting trainer in peace."""

from __future__ import annotations

from dataclasses import replace

from engine.keeper.watchdog import LOOK_S, STUCK_EXAMINING_S, STUCK_S, WARN_S, Verdict, Watchdog
from engine.link.snapshot import Snapshot
from engine.link.state import EngineState

TRAINING = Snapshot(state=EngineState.TRAINING, step=5, heartbeat_at=1000.0)


def verdicts(
    first: Snapshot | None, *, beats: bool, until_s: float, moves: bool = False
) -> list[tuple[float, Verdict]]:
    """What is found worth saying, and when, while looking every half minute."""
    watchdog = Watchdog(0.0)
    found: list[tuple[float, Verdict]] = []
    snapshot, now = first, 0.0
    while now <= until_s:
        if snapshot is not None and beats:
            snapshot = replace(snapshot, heartbeat_at=snapshot.heartbeat_at + LOOK_S)
        if snapshot is not None and moves:
            snapshot = replace(snapshot, step=(snapshot.step or 0) + 1)
        verdict = watchdog.look(snapshot, now)
        if verdict is not Verdict.WELL:
            found.append((now, verdict))
        now += LOOK_S
    return found


def test_a_trainer_that_steps_is_well_for_as_long_as_it_likes() -> None:
    assert verdicts(TRAINING, beats=True, moves=True, until_s=10 * STUCK_S) == []


def test_a_standing_step_is_told_after_ten_minutes_and_is_an_incident_after_fifteen_each_once() -> None:
    found = verdicts(TRAINING, beats=True, until_s=10 * STUCK_S)
    assert found == [(WARN_S, Verdict.SLOW), (STUCK_S, Verdict.STUCK)]


def test_an_exam_may_take_half_an_hour() -> None:
    examining = replace(TRAINING, state=EngineState.EXAMINING)
    found = verdicts(examining, beats=True, until_s=STUCK_EXAMINING_S)
    assert found == [(WARN_S, Verdict.SLOW), (STUCK_EXAMINING_S, Verdict.STUCK)]


def test_a_resting_trainer_is_left_in_peace_while_its_heart_beats() -> None:
    for state in (EngineState.PAUSED, EngineState.PARKED, EngineState.BLOCKED):
        assert verdicts(replace(TRAINING, state=state), beats=True, until_s=10 * STUCK_S) == []


def test_a_heart_that_stands_still_is_death_in_any_state() -> None:
    for state in (EngineState.TRAINING, EngineState.PAUSED):
        found = verdicts(replace(TRAINING, state=state), beats=False, until_s=STUCK_S)
        assert found[-1] == (STUCK_S, Verdict.DEAD)


def test_a_trainer_that_never_shows_itself_is_given_the_longest_time() -> None:
    found = verdicts(None, beats=False, until_s=STUCK_EXAMINING_S)
    assert found == [(WARN_S, Verdict.SLOW), (STUCK_EXAMINING_S, Verdict.DEAD)]


def test_progress_after_a_warning_starts_the_watch_anew() -> None:
    watchdog = Watchdog(0.0)
    watchdog.look(TRAINING, 0.0)
    moved = replace(TRAINING, step=6, heartbeat_at=2000.0)
    assert watchdog.look(replace(TRAINING, heartbeat_at=1500.0), WARN_S) is Verdict.SLOW
    assert watchdog.look(moved, WARN_S + 1) is Verdict.WELL
    assert watchdog.look(replace(moved, heartbeat_at=3000.0), 2 * WARN_S) is Verdict.WELL
    assert watchdog.look(replace(moved, heartbeat_at=4000.0), 2 * WARN_S + 2) is Verdict.SLOW
