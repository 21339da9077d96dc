"""The long proofs: the real PIP, honest rules, processes killed at random, compared with lives that were never disturbed."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.game.world import Realm, write_chats

pytestmark = [pytest.mark.engine, pytest.mark.full, pytest.mark.timeout(1500)]

STEPS = 700
SEED = "11"
RULES: dict[str, Any] = {"engine": {"min_free_gb": 0.0, "max_restarts": 100, "pause_on_battery": False}}


def live_facts(realm: Realm) -> dict[str, list[Any]]:
    queries = {
        "exams": "SELECT step, level, kind, first_index, correct, sequence FROM live_exams ORDER BY step, id",
        "level_ups": "SELECT step, to_level, steps, effort, start_loss, end_loss FROM live_level_ups ORDER BY id",
        "holds": "SELECT step, level, items, correct, lost FROM live_holds ORDER BY step, id",
        "quests": "SELECT name, state, loss_before, loss_after, examples_done, last_step FROM quest_states ORDER BY id",
        "sums": "SELECT sum(steps), sum(tokens), sum(trained_tokens), sum(new_bests), sum(misses) FROM live_step_windows",
    }
    return {name: realm.rows(query) for name, query in queries.items()}


@pytest.fixture
def life(tmp_path: Path) -> Callable[[str], Realm]:
    """Makes realms that all begin as copies of one PIP, a step old, with one quest waiting."""
    born = Realm(tmp_path / "born", rules=RULES, tiny=False)
    born.run("save", "new", "main", "--seed", SEED)
    born.run("run", "--steps", "1")
    born.run("quest", "add", str(write_chats(tmp_path / "chats.jsonl", 80)), "--epochs", "2")

    def make(name: str) -> Realm:
        shutil.copytree(born.home, tmp_path / name)
        return Realm(tmp_path / name, made=True)

    return make


def test_a_life_with_many_deaths_is_the_same_life(life: Callable[[str], Realm]) -> None:
    calm = life("calm")
    calm.run("run", "--steps", str(STEPS))
    haunted = life("haunted")
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    print(f"killed at moments of seed {seed}")
    game = haunted.start("run", "--steps", str(STEPS))
    deaths = 0
    while game.poll() is None and deaths < 6:
        step = haunted.status()["step"] or 0
        wanted = step + moments.randint(1, 120)
        while game.poll() is None and (haunted.status()["step"] or 0) < wanted:
            time.sleep(0.05)
        pid = haunted.trainer_pid()
        if game.poll() is None and pid is not None:
            haunted.kill(pid)
            deaths += 1
            haunted.wait_for_another_trainer(pid)
    out, err = game.communicate(timeout=900)
    assert game.returncode == 0, f"{out}\n{err}"
    assert deaths >= 3
    assert live_facts(calm) == live_facts(haunted)
    last = "SELECT step, digest FROM live_checkpoints ORDER BY step DESC, id DESC LIMIT 1"
    assert calm.rows(last) == haunted.rows(last)
    assert calm.rows(last)[0][0] == STEPS + 1
    assert calm.rows("SELECT 1 FROM live_level_ups"), "no level was won on the way: raise STEPS"
    assert haunted.one("PRAGMA integrity_check") == "ok"
    for realm in (calm, haunted):
        assert realm.run("save", "verify")


def test_keeper_and_trainer_dying_in_any_order_leave_a_game_that_goes_on(life: Callable[[str], Realm]) -> None:
    realm = life("storm")
    moments = random.Random(5)
    won: list[Any] = []
    for _ in range(8):
        realm.run("run", "--steps", "1", "--leave")
        step = realm.status()["step"] or 0
        realm.wait_for_step(step + moments.randint(1, 60))
        won = realm.rows("SELECT to_level, step FROM level_ups ORDER BY id")
        victims = [realm.keeper_pid(), realm.trainer_pid()]
        moments.shuffle(victims)
        for victim in victims[: moments.randint(1, 2)]:
            realm.kill(victim)
        realm.stop()
        live = realm.rows("SELECT to_level, step FROM live_level_ups ORDER BY id")
        assert live[: len(won)] == won
        assert realm.one("PRAGMA integrity_check") == "ok"
    assert realm.one("SELECT count(*) FROM live_quest_attempts WHERE state = 'completed'") <= 1
