"""Killing keeper, trainer or both with -9 at any moment loses nothing but steps since the last checkpoint."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.game.world import EASY, Realm, until, write_chats

pytestmark = pytest.mark.engine


@pytest.fixture
def realm(tmp_path: Path) -> Iterator[Realm]:
    # Each kill is the first as far as the keeper remembers, so that it waits a second, and not longer every time.
    made = Realm(tmp_path / "home", rules={**EASY, "engine": {**EASY["engine"], "restart_window_s": 0.01}})
    yield made
    made.stop()


def announced(realm: Realm) -> list[tuple[int, int]]:
    """Every level that was ever announced, with its step, superseded or not."""
    return realm.rows("SELECT to_level, step FROM level_ups ORDER BY id")


def check_nothing_is_lost(realm: Realm, before: list[tuple[int, int]]) -> None:
    assert realm.one("PRAGMA integrity_check") == "ok"
    live = realm.rows("SELECT to_level, step FROM live_level_ups ORDER BY id")
    assert live[: len(before)] == before, "a level that was announced was lost"
    assert [level for level, _ in live] == list(range(1, len(live) + 1)), "a level was skipped or won twice"


def test_the_trainer_killed_at_random_moments_is_woken_again_and_loses_no_level(realm: Realm) -> None:
    moments = random.Random(5)
    realm.run("run", "--steps", "1", "--leave")
    for _ in range(4):
        step = realm.one("SELECT coalesce(max(last_step), 0) FROM step_windows")
        wanted = step + moments.randint(3, 45)
        realm.wait_for_step(wanted)
        before = announced(realm)
        pid = realm.trainer_pid()
        realm.kill(pid)
        realm.wait_for_another_trainer(pid)
        check_nothing_is_lost(realm, before)
    until(lambda: len(announced(realm)) >= 5, "more levels")
    realm.stop()
    check_nothing_is_lost(realm, announced(realm))
    assert realm.status()["state"] == "stopped"


def test_killed_in_a_quest_it_is_completed_once_and_its_anchor_holds(realm: Realm, tmp_path: Path) -> None:
    realm.run("run", "--steps", "1", "--leave")
    realm.run("quest", "add", str(write_chats(tmp_path / "chats.jsonl", 200)), "--epochs", "4")
    for _ in range(2):
        until(lambda: realm.rows("SELECT 1 FROM quest_attempts WHERE state = 'processing'"), "the quest to begin")
        pid = realm.trainer_pid()
        realm.kill(pid)
        realm.wait_for_another_trainer(pid)
    until(lambda: realm.rows("SELECT 1 FROM quest_states WHERE state = 'completed'"), "the quest to end")
    assert realm.one("SELECT examples_done FROM quest_states") == 4 * 190
    pid = realm.trainer_pid()
    realm.kill(pid)
    realm.wait_for_another_trainer(pid)
    assert realm.one("SELECT state FROM quest_states") == "completed"
    completed = realm.one("SELECT count(*) FROM live_quest_attempts WHERE state = 'completed'")
    assert completed == 1


def test_without_its_keeper_the_trainer_saves_and_stops_and_the_next_start_goes_on(realm: Realm) -> None:
    realm.run("run", "--steps", "5", "--leave")
    realm.kill(realm.keeper_pid())
    until(realm.at_rest, "the trainer to stop")
    last = realm.rows("SELECT last_step, end_reason FROM runs ORDER BY id DESC LIMIT 1")[0]
    assert last[1] == "keeper lost"
    assert realm.one("SELECT max(step) FROM checkpoints") == last[0]
    realm.run("run", "--steps", "3")
    assert realm.status()["step"] == last[0] + 3


def test_keeper_and_trainer_killed_together_leave_a_save_that_goes_on(realm: Realm) -> None:
    realm.run("run", "--steps", "40", "--leave")
    before = announced(realm)
    trainer = realm.trainer_pid()
    realm.kill(realm.keeper_pid())
    realm.kill(trainer)
    until(realm.at_rest, "both to be gone")
    assert realm.status()["state"] == "crashed"
    realm.run("run", "--steps", "2")
    check_nothing_is_lost(realm, before)
    assert realm.one("SELECT end_reason FROM runs ORDER BY id LIMIT 1") == "crashed"
