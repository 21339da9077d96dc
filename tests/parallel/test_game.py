"""The game itself with two processes: kept by the keeper, or started by a launcher; left and gone on with by one process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from engine.parallel.launch import LOOPBACK
from tests.game.world import EASY, Realm, until

pytestmark = pytest.mark.engine


def rules(parallel: str, processes: int = 2) -> dict[str, Any]:
    engine = {**EASY["engine"], "processes": processes, "parallel": parallel, "max_restarts": 1, "nice": 0}
    return {**EASY, "engine": engine}


def two(home: Path, parallel: str) -> Realm:
    """A home with MOTE, an AdamW one where its weights are spread, and two processes."""
    realm = Realm(home, rules=rules(parallel))
    if parallel == "fsdp2":
        path = home / "config" / "heroes" / "mote.yaml"
        hero = yaml.safe_load(path.read_text())
        hero["training"]["optimizer"] = "adamw"
        path.write_text(yaml.safe_dump(hero))
    return realm


def alone(realm: Realm) -> None:
    """From now on one process plays."""
    (realm.home / "config" / "game.yaml").write_text(
        yaml.safe_dump({**rules("none", processes=1), "default_hero": "mote"})
    )


def others(realm: Realm) -> list[psutil.Process]:
    """The processes beside the trainer."""
    return psutil.Process(realm.trainer_pid()).children()


def environments(realm: Realm) -> list[dict[str, Any]]:
    return [json.loads(text) for (text,) in realm.rows("SELECT environment_json FROM runs ORDER BY id")]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    Realm(tmp_path / "home", made=True).stop()


def test_two_processes_obey_the_keeper_and_one_goes_on_where_they_stopped(home: Path) -> None:
    realm = two(home, "fsdp2")
    realm.run("run", "--steps", "16", "--leave")
    (other,) = others(realm)
    paused = json.loads(realm.run("pause", "--json"))
    saved = json.loads(realm.run("checkpoint", "--json"))
    assert saved["step"] == paused["step"] >= 16
    answer = json.loads(realm.run("ask", "Compute: xor(⓪①, ①①)", "--json"))
    assert answer["step"] == saved["step"]
    realm.run("stop")
    until(realm.at_rest, "the engine to end")
    assert not other.is_running()
    assert realm.rows("SELECT 1 FROM exams WHERE kind = 'gate'"), "no exam was sat by two processes"
    alone(realm)
    realm.run("run", "--steps", "2")
    with_two, with_one = environments(realm)
    assert (with_two["processes"], with_two["parallel"]) == (2, "fsdp2") and "processes" not in with_one
    assert realm.rows("SELECT first_step, exact FROM runs ORDER BY id DESC LIMIT 1") == [(saved["step"], 0)]


@pytest.mark.full
def test_a_process_that_dies_takes_the_trainer_along_and_both_come_back(home: Path) -> None:
    realm = two(home, "ddp")
    realm.run("run", "--steps", "3", "--leave")
    first, (other,) = realm.trainer_pid(), others(realm)
    other.kill()
    realm.wait_for_another_trainer(first)
    realm.wait_for_step(5, "by two new ones")
    first, (other,) = realm.trainer_pid(), others(realm)
    realm.run("stop", "--now")
    until(realm.at_rest, "the engine to end")
    until(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE, "the other process to end")


@pytest.mark.full
@pytest.mark.parametrize("parallel", ["ddp", "fsdp2"])
def test_accelerate_launch_goes_on_where_one_process_stopped_and_the_other_way_round(home: Path, parallel: str) -> None:
    realm = two(home, parallel)
    alone(realm)
    realm.run("run", "--steps", "10")
    ways = ["--multi_gpu"] if parallel == "ddp" else ["--use_fsdp", "--fsdp_version", "2"]
    launch = ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command = [sys.executable, "-m", "accelerate.commands.launch", *ways, *launch, "-m", "engine", "trainer"]
    launcher = subprocess.Popen(
        [*command, "--save-dir", str(realm.folder.root)],
        env={**realm.env, "GLOO_SOCKET_IFNAME": LOOPBACK, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        realm.wait_for_step(20, "by two processes")
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(timeout=60)
    finally:
        launcher.kill()
        until(realm.at_rest, "the trainers to end")
    ran = realm.rows("SELECT end_reason, last_step FROM runs ORDER BY id DESC LIMIT 1")[0]
    assert ran[0] == "terminated"
    assert realm.one("SELECT max(step) FROM checkpoints") == ran[1] >= 20
    assert environments(realm)[-1]["parallel"] == parallel
    realm.run("run", "--steps", "5")
    assert realm.rows("SELECT first_step, exact FROM runs ORDER BY id DESC LIMIT 1") == [(ran[1], 0)]
