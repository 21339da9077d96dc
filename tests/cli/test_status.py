"""What ``realm status`` says: on the page, in one line, for machines; from the save alone and from a living engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from engine.link.ring import RingWriter
from engine.link.snapshot import Snapshot
from engine.link.state import EngineState
from realm_tui.runtime import headless
from realm_tui.runtime.engine_state import engine_state
from realm_tui.runtime.opened import opened
from realm_tui.runtime.status import STALE_AFTER_S, collect
from realm_tui.runtime.status_text import status_line, status_text
from saves import incidents, runs
from saves.database import create_save, open_save
from saves.locks import FileLock
from saves.runs import latest_run
from tests.cli.conftest import Answer
from tests.cli.story import NOW
from tests.saves import facts

Realm = Callable[..., Answer]
Golden = Callable[[str, str], None]


@contextmanager
def living(folder: SaveFolder, snapshot: Snapshot | None) -> Iterator[None]:
    """An engine as far as a face can tell: it holds the locks and shows itself in the ring."""
    locks = [FileLock(folder.keeper_lock), FileLock(folder.trainer_lock)]
    assert all(lock.acquire() for lock in locks)
    try:
        with RingWriter(folder.ring, run_id=1) as ring:
            if snapshot is not None:
                ring.publish(snapshot)
            yield
    finally:
        for lock in locks:
            lock.release()


def training(**over: object) -> Snapshot:
    values: dict[str, object] = {
        "state": EngineState.TRAINING, "heartbeat_at": NOW - 0.2, "pid": 1, "run_id": 1, "step": 1304,
        "stepped_at": NOW - 0.1, "loss": 0.25, "loss_ema": 0.28, "strain": 0.23, "strain_rate": -0.01, "effort": 812.5,
        "floor": 0.02, "learning_rate": 0.02, "grad_norm": 0.8, "tokens_per_s": 1900.0, "steps_per_s": 16.0,
        "quest": "BIN L3 drill", "quest_step": 60, "quest_steps": 200, "next_exam_step": 1325, "last_checkpoint_step": 1250,
    }  # fmt: skip
    return Snapshot(**(values | over))  # type: ignore[arg-type]


def test_without_a_save_status_is_blocked_and_says_how_to_begin(realm: Realm) -> None:
    answer = realm("status")
    assert (answer.code, answer.out) == (3, "")
    assert "there is no save called 'main' yet" in answer.err
    assert "realm play" in answer.err
    machine = realm("status", "--json")
    assert (machine.code, machine.out) == (3, "")
    assert '"code": "NO_SAVE"' in machine.err


def test_a_new_save_knows_nothing_and_says_so(realm: Realm, fresh: SaveFolder, golden: Golden) -> None:
    answer = realm("status")
    assert answer.code == 0
    golden("status_fresh.txt", answer.out)
    told = realm("status", "--json").json
    assert told["state"] == "none"
    for unknown in ("run", "loss", "strain", "zone", "effort", "tokens_per_s", "quest", "champion", "gain"):
        assert told[unknown] is None, unknown
    assert told["skills"]["bin"]["accuracy"] is None


def test_the_page_the_line_and_the_json_of_a_played_save(realm: Realm, played: SaveFolder, golden: Golden) -> None:
    golden("status_played.txt", realm("status").out)
    golden("status_line.txt", realm("status", "--line").out)
    golden("status_played.json", realm("status", "--json").out)


def test_page_line_and_json_agree_on_every_number(played: SaveFolder) -> None:
    with living(played, training()):
        now = collect(played)
    told, page, line = now.as_dict(), status_text(now), status_line(now)
    skill = told["skills"]["bin"]
    assert (told["step"], told["loss"], told["queue"]) == (1304, 0.25, {"high": 0, "normal": 0, "low": 1})
    for text in (page, line):
        assert "1,304" in text and "0.250" in text and f"{skill['correct']}/{skill['items']}" in text
        assert f"{skill['mastered']} won" in text and f"{skill['held']} held" in text
    assert f"{told['quest']['step']} of {told['quest']['steps']}" in page


def test_held_counts_mastered_levels_that_are_not_lost(realm: Realm, played: SaveFolder) -> None:
    skill = realm("status", "--json").json["skills"]["bin"]
    assert (skill["mastered"], skill["held"], skill["lost"], skill["training"]) == (2, 1, [1], 3)


def test_an_accuracy_below_the_gate_is_never_rounded_up(realm: Realm, played: SaveFolder) -> None:
    skill = realm("status", "--json").json["skills"]["bin"]
    assert (skill["correct"], skill["items"], skill["streak"]) == (51, 64, 0)
    assert ".79 = 51/64" in realm("status").out


def test_operations_are_pooled_and_compared_with_chance(realm: Realm, played: SaveFolder) -> None:
    skill = realm("status", "--json").json["skills"]["bin"]
    assert skill["operations"]["equals"]["correct"] == 18
    assert skill["operations"]["equals"]["items"] == 32
    assert skill["operations"]["add"]["correct"] == 30
    assert skill["at_chance"] == ["equals"]
    assert skill["weakest"] == "equals"


def test_a_living_engine_speaks_for_itself(realm: Realm, played: SaveFolder) -> None:
    with living(played, training()):
        told = realm("status", "--json").json
    assert (told["state"], told["step"], told["loss"], told["zone"]) == ("training", 1304, 0.25, "productive")
    assert told["ages_s"]["heartbeat"] == pytest.approx(0.2)
    assert told["quest"] == {
        "name": "BIN L3 drill", "id": None, "step": 60, "steps": 200, "eta_s": 8.75, "held_out_loss": None,
    }  # fmt: skip
    assert not told["stale"]


def test_a_ring_without_its_engine_is_not_believed(realm: Realm, played: SaveFolder) -> None:
    with living(played, training()):
        pass
    told = realm("status", "--json").json
    assert (told["state"], told["step"], told["tokens_per_s"]) == ("stopped", 1250, None)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"kernel": "lean"}, "on cpu, 1 CPU thread; weights float32; products float32; passes by hand"),
        (
            {"device": "cuda", "threads": 8, "weights": "bfloat16", "compute": "bfloat16", "attention": "varlen",
             "kernels": "liger", "checkpointed_blocks": 7},
            "on cuda, 8 CPU threads; weights bfloat16; products bfloat16; attention varlen; norms liger; 7 blocks computed twice",
        ),
        ({"checkpointed_blocks": -1}, "attention sdpa; norms own; all blocks computed twice"),
    ],
)  # fmt: skip
def test_how_the_engine_computes_is_shown(played: SaveFolder, chosen: dict[str, object], words: str) -> None:
    recorded = {
        "device": "cpu", "threads": 1, "weights": "float32", "compute": "float32", "kernel": "model", "attention": "sdpa",
    }  # fmt: skip
    with closing(open_save(played, write=True)) as conn:
        conn.execute("UPDATE runs SET environment_json = ?", (json.dumps({"placement": recorded | chosen}),))
    assert words in status_text(collect(played))


def test_unknown_strain_has_no_zone(realm: Realm, played: SaveFolder) -> None:
    with living(played, training(strain=None, floor=None)):
        told = realm("status", "--json").json
    assert (told["strain"], told["zone"]) == (None, None)


def test_a_silent_engine_is_stale_and_blocks(realm: Realm, played: SaveFolder) -> None:
    with living(played, training(heartbeat_at=NOW - STALE_AFTER_S - 1)):
        told = realm("status", "--json").json
    assert told["stale"]
    assert [b["code"] for b in told["blockers"]] == ["ENGINE_SILENT"]


def test_an_engine_that_shows_nothing_yet_is_starting(realm: Realm, played: SaveFolder) -> None:
    with living(played, None):
        told = realm("status", "--json").json
    assert (told["state"], told["step"], told["ages_s"]["heartbeat"]) == ("starting", 1250, None)


def test_a_trainer_whose_run_is_over_is_stopping_and_not_starting_again(played: SaveFolder) -> None:
    with opened(played) as save:
        run = latest_run(save.conn, save.campaign.id)
    assert run is not None
    own = replace(run, pid=os.getpid(), ended_at=NOW, end_reason="stopped")
    with living(played, None):
        assert engine_state(played, own)[0] is EngineState.STOPPING
        assert engine_state(played, replace(own, ended_at=None))[0] is EngineState.STARTING
        assert engine_state(played, replace(own, pid=own.pid + 1))[0] is EngineState.STARTING


def test_a_keeper_that_outlives_its_trainer_is_stopping_and_one_that_has_none_yet_is_starting(
    played: SaveFolder,
) -> None:
    with opened(played) as save:
        run = latest_run(save.conn, save.campaign.id)
    assert run is not None
    ended = replace(run, ended_at=NOW, end_reason="stopped")
    lock = FileLock(played.keeper_lock)
    assert lock.acquire()
    try:
        os.utime(played.keeper_lock, (NOW - 60, NOW - 60))
        assert engine_state(played, ended)[0] is EngineState.STOPPING
        assert engine_state(played, replace(ended, end_reason="crashed"))[0] is EngineState.STARTING
        os.utime(played.keeper_lock, (NOW + 60, NOW + 60))
        assert engine_state(played, ended)[0] is EngineState.STARTING
    finally:
        lock.release()


def test_a_damaged_ring_is_a_blocker_not_a_traceback(realm: Realm, played: SaveFolder) -> None:
    with living(played, training()):
        played.ring.write_bytes(b"\0" * 400_000)
        answer = realm("status", "--json")
    assert answer.code == 0
    assert answer.json["blockers"][0]["code"].startswith("RING_")
    assert answer.json["blockers"][0]["fix"]


def test_an_open_run_without_an_engine_is_a_crash(realm: Realm, fresh: SaveFolder) -> None:
    with closing(open_save(fresh, write=True)) as conn:
        facts.begin(conn)
    told = realm("status", "--json").json
    assert told["state"] == "crashed"
    assert told["blockers"][0]["code"] == "ENGINE_DOWN"
    assert "realm run" in told["blockers"][0]["fix"]


@pytest.mark.parametrize("end", ["stopped", "crashed: KeyError"])
def test_an_engine_that_was_given_up_says_why_and_a_headless_game_ends_with_it(
    realm: Realm, fresh: SaveFolder, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    with closing(open_save(fresh, write=True)) as conn:
        run_id = facts.begin(conn)
        runs.close_run(conn, run_id, 7, end)
        incidents.raise_incident(
            conn,
            "engine_given_up",
            category="infra",
            severity="critical",
            title="the engine was not started again: the well is dry",
            fix="dig deeper",
        )
    told = realm("status", "--json").json
    assert told["state"] == end.partition(":")[0]
    (down,) = [b for b in told["blockers"] if b["code"] == "ENGINE_DOWN"]
    assert "the well is dry" in down["reason"] and "dig deeper" in down["fix"] and "realm run" in down["fix"]

    def quiet(said: Any) -> None: ...

    for goal in (headless.Goal(), headless.Goal(steps=5)):
        game = headless.HeadlessGame(fresh, goal, on_event=quiet, on_status=quiet, say=quiet)
        monkeypatch.setattr(game, "_begin", lambda: None)
        outcome = game.play()
        assert not outcome.reached and not outcome.left_training
        assert "the well is dry" in outcome.reason and "Way out: dig deeper" in outcome.reason


def test_an_incident_that_blocks_is_listed_with_its_way_out(realm: Realm, played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        incidents.raise_incident(
            conn, "disk_pressure", category="infra", severity="high", title="the disk is full", fix="free some space",
            detail={}, blocks=True,
        )  # fmt: skip
    told = realm("status", "--json").json
    assert told["blockers"] == [{"code": "DISK_PRESSURE", "reason": "the disk is full", "fix": "free some space"}]
    assert "BLOCKED   DISK_PRESSURE: the disk is full" in realm("status").out


def test_a_hero_whose_model_is_missing_is_blocked_with_the_fix(realm: Realm) -> None:
    create_save(SaveFolder.named("dio"), load_hero("dio"), seed=1)
    blockers = realm("status", "--save", "dio", "--json").json["blockers"]
    assert [b["code"] for b in blockers] == ["MODEL_MISSING"]
    assert "realm hero install dio" in blockers[0]["fix"]


def test_ages_come_from_the_facts(played: SaveFolder) -> None:
    ages = collect(played).ages_s
    assert ages == {"heartbeat": None, "step": 2750, "exam": 2800, "checkpoint": 2750, "level_up": 3100}
    assert clock.now() == NOW
