"""Incidents that strike again, and how long nobody looked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import clock
from configs.errors import UsageError
from configs.loader import load_hero
from configs.paths import SaveFolder
from saves import incidents, journal, runs
from saves.database import create_save, open_save
from saves.steps import newest_windows
from tests.saves import facts
from tests.saves.facts import CAMPAIGN


@pytest.fixture
def now() -> Iterator[list[float]]:
    moment = [10_000.0]
    clock.use(lambda: moment[0])
    yield moment
    clock.use()


@pytest.fixture
def conn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    folder = SaveFolder.named("main")
    create_save(folder, load_hero("pip"), seed=1)
    found = open_save(folder, write=True)
    yield found
    found.close()


def strike(conn: sqlite3.Connection, step: int, **detail: object) -> int:
    return incidents.raise_incident(
        conn, "nan_loss", category="training", severity="critical", title="t", fix="f", detail=detail, step=step
    )


def test_one_that_strikes_again_keeps_its_first_step(conn: sqlite3.Connection, now: list[float]) -> None:
    number = strike(conn, 100, loss="nan")
    for step in (101, 105):
        now[0] += 10
        assert strike(conn, step, loss="inf") == number
    (found,) = incidents.open_incidents(conn)
    assert (found.step, found.count, found.detail) == (105, 3, {"loss": "inf", "first_step": 100})
    now[0] += incidents.COOLDOWN_S + 1
    assert strike(conn, 900) != number, "after the cooldown it is another one"


def test_one_is_closed_once(conn: sqlite3.Connection, now: list[float]) -> None:
    found = incidents.closable(conn, strike(conn, 5))
    assert incidents.close(conn, found, wontfix=True) == {"id": found.id, "rule": "nan_loss", "status": "wontfix"}
    for number in (found.id, 99, None, "1"):
        with pytest.raises(UsageError):
            incidents.closable(conn, number)


def test_the_longest_time_without_a_command(conn: sqlite3.Connection, now: list[float]) -> None:
    assert journal.longest_unattended(conn, CAMPAIGN) is None
    run = facts.begin(conn)

    def order(verb: str, after: float) -> None:
        now[0] += after
        journal.add(conn, run, 1, verb, {}, changes_training=False)

    order("checkpoint", 3600)
    order("pause", 7200)
    order("resume", 50_000)
    now[0] += 1800
    runs.close_run(conn, run, 10, "stopped")
    assert journal.longest_unattended(conn, CAMPAIGN) == 7200, "a pause is no watch"
    second = facts.begin(conn, first_step=10)
    facts.train(conn, second, 11, 60, last_at=now[0] + 9000.0)
    assert journal.longest_unattended(conn, CAMPAIGN) == 9000, "a run that goes on counts up to its newest step"


def test_the_newest_windows_are_those_that_count(conn: sqlite3.Connection, now: list[float]) -> None:
    first = facts.begin(conn)
    facts.train(conn, first, 1, 200, 50)
    facts.begin(conn, first_step=100)
    second = runs.latest_run(conn, CAMPAIGN)
    assert second is not None
    facts.train(conn, second.id, 101, 150, 50)
    found = newest_windows(conn, CAMPAIGN, 2)
    assert [(w.run_id, w.first_step) for w in found] == [(first, 51), (second.id, 101)]
