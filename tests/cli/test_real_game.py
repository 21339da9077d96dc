"""The headless game on a real engine, from outside: ``realm`` processes, a real hero, its real levels."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.loader import load_hero
from configs.paths import SaveFolder
from engine.link.client import engine_alive
from realm_tui.runtime import saga_view
from realm_tui.runtime.game import read_game
from realm_tui.runtime.laws import breaches
from realm_tui.runtime.opened import opened
from realm_tui.runtime.world_view import map_view

pytestmark = pytest.mark.engine

DEADLINE_S = 240.0
EASY: dict[str, Any] = {
    "exams": {
        "items": 16,
        "pass_share": 0.0,
        "streak": 1,
        "interval_steps": 10,
        "operation_floor": 0.0,
        "held_share": 0.0,
    },
    "engine": {"min_free_gb": 0.0, "device": "cpu", "nice": 0},
    "quests": {"samples": 2, "held_out_share": 0.2},
}
"""Rules under which a level is won every ten steps: the same game, without the wait."""


class World:
    """One realm with a tiny hero, played by processes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        hero = load_hero("pip").model_dump(mode="json", exclude_none=True)
        hero |= {"id": "mote", "name": "MOTE"}
        hero["model"]["shape"] |= {"hidden_size": 32, "layers": 2, "heads": 2, "intermediate_size": 64}
        hero["training"] |= {"batch_size": 8, "warmup_steps": 5}
        (home / "config" / "heroes").mkdir(parents=True)
        (home / "config" / "heroes" / "mote.yaml").write_text(yaml.safe_dump(hero))
        (home / "config" / "game.yaml").write_text(yaml.safe_dump({**EASY, "default_hero": "mote"}))
        self.folder = SaveFolder(home / "saves" / "main")
        self.env = {**os.environ, "REALM_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self.env.pop("REALM_SAVE", None)

    def start(self, *args: str, **how: Any) -> subprocess.Popen[str]:
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True} | how
        return subprocess.Popen([sys.executable, "-m", "realm_tui", *args], env=self.env, **how)

    def realm(self, *args: str, code: int = 0) -> str:
        """Standard output of a command that must end with ``code``."""
        process = self.start(*args)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == code, f"realm {' '.join(args)} ended with {process.returncode}\n{out}\n{err}"
        return out

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.realm("status", "--json"))
        return found


def until(what: Callable[[], Any]) -> Any:
    """Wait until ``what`` is true, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("realm") / "home")
    yield made
    made.realm("stop")


@dataclass(frozen=True)
class Played:
    """A first game, whose talk went to a terminal."""

    code: int
    events: str
    terminal: str


@pytest.fixture(scope="module")
def played(world: World) -> Played:
    """Played until two levels were won."""
    ours, theirs = pty.openpty()
    process = world.start("run", "--until", "bin:2", "--seed", "5", stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # what Linux says when nobody has the other end any more
            break
    os.close(ours)
    out, _ = process.communicate(timeout=DEADLINE_S)
    return Played(process.returncode, out, seen.decode())


@pytest.fixture(scope="module")
def living(world: World, played: Played) -> None:
    """An engine that was left training."""
    world.realm("run", "--steps", "3", "--leave")


def test_run_plays_until_a_level_is_won_and_stops_its_engine(world: World, played: Played) -> None:
    assert played.code == 0
    for told in ("Run 1 started", "Exam BIN L1 passed", "BIN level 1 won", "BIN level 2 won", "Run 1 stopped"):
        assert played.events.count(told) == 1, told
    assert not engine_alive(world.folder)
    told_now = world.status()
    assert told_now["state"] == "stopped"
    assert told_now["skills"]["bin"]["mastered"] >= 2
    assert told_now["hero"]["id"] == "mote"
    assert told_now["last_checkpoint_step"] == told_now["step"]


def test_the_story_of_a_real_campaign_is_told_and_it_keeps_every_law(world: World, played: Played) -> None:
    with opened(world.folder) as save:
        game = read_game(save)
        told = saga_view.newest_lines(save, game, 500)
        (day, *_) = saga_view.trained_days(save)
        page = saga_view.day_page(save, game, day.day)
        here = map_view(save, game).world.here
        broken = breaches(save, game)
    assert [x.event.data["level"] for x in told if x.event.type == "hero.skill_level_up"][-2:] == [2, 1]
    assert {"training.started", "hero.achievement"} <= {x.event.type for x in told}
    assert page.report.steps == day.steps and here == "novice_valley"
    assert broken == []


def test_a_goal_that_is_reached_already_starts_no_engine(world: World, played: Played) -> None:
    assert world.realm("run", "--until", "bin:1") == ""
    assert not engine_alive(world.folder)


def test_steps_are_additional_and_exact(world: World, played: Played) -> None:
    before = world.status()["step"]
    lines = [json.loads(line) for line in world.realm("run", "--steps", "17", "--json").splitlines()]
    assert world.status()["step"] == before + 17
    assert lines[0]["type"] == "training.started"
    assert all({"type", "time", "step", "data"} <= set(line) for line in lines)


def test_a_terminal_sees_a_progress_line_that_takes_itself_away(world: World, played: Played, living: None) -> None:
    """Watched on an engine that is left training, so that a fast hero cannot be done before the first line."""
    ours, theirs = pty.openpty()
    process = world.start("run", "--steps", "100000000", stderr=theirs)
    os.close(theirs)
    seen = ""

    def lines() -> list[str]:
        nonlocal seen
        if select.select([ours], [], [], 0.05)[0]:
            seen += os.read(ours, 4096).decode(errors="replace")
        return [part for part in seen.split("\r")[:-1] if "MOTE training | step " in part]

    shown = until(lines)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)
    os.close(ours)
    assert shown
    assert all(part.endswith("\x1b[K") for part in shown)
    assert played.terminal.splitlines()[-1].startswith("\x1b[Krealm: bin level 2 is won")
    assert "\r" not in played.events


def test_a_living_engine_is_met_obeyed_and_left(world: World, living: None) -> None:
    assert engine_alive(world.folder)
    before = until(lambda: world.status()["step"])
    world.realm("run", "--steps", "2")
    assert engine_alive(world.folder)
    assert world.status()["step"] >= before + 2
    assert world.realm("pause").startswith("paused at step")
    paused = world.status()
    assert (paused["state"], paused["step"]) == ("paused", world.status()["step"])
    assert world.realm("checkpoint").startswith(f"saved checkpoint-{paused['step']}")
    saved = json.loads(world.realm("checkpoint", "--json"))
    forms = json.loads(world.realm("ledger", "list", "--json"))
    assert saved["result"]["name"] in [form["name"] for form in forms]
    assert json.loads(world.realm("ask", "who are you?", "--form", "live", "--json"))["step"] == paused["step"]
    crowned = json.loads(world.realm("promote", "--json"))
    assert world.status()["champion"]["name"] == crowned["name"]
    assert (Path(crowned["path"]) / "model.safetensors").is_file()
    world.realm("resume")
    until(lambda: world.status()["step"] > paused["step"])


def test_an_interrupted_watcher_leaves_the_engine_training(world: World, living: None) -> None:
    process = world.start("watch")
    assert process.stderr is not None
    assert "attached" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert engine_alive(world.folder)


def test_a_closed_terminal_leaves_the_engine_training(world: World, living: None) -> None:
    process = world.start("watch")
    assert process.stderr is not None
    assert "attached" in process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert engine_alive(world.folder)


def test_train_adds_a_file_trains_it_and_reports(world: World, living: None, tmp_path: Path) -> None:
    file = tmp_path / "my chats.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"say {i}"}, {"role": "assistant", "content": f"{i}!"}]}
        for i in range(40)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bytes_before = file.read_bytes()
    report = json.loads(world.realm("train", str(file), "--epochs", "2", "--json"))
    assert (report["state"], report["name"]) == ("completed", "my-chats")
    assert report["counts"]["examples"] == 40
    assert report["loss_after"] < report["loss_before"]
    assert len(report["samples"]) == 2
    assert file.read_bytes() == bytes_before
    assert "held-out  loss" in world.realm("quest", "show", "my-chats")
    events = [json.loads(line)["type"] for line in world.realm("events", "--json").splitlines()]
    assert "quest.completed" in events


def test_a_goal_that_is_not_reached_ends_with_1(world: World, living: None) -> None:
    process = world.start("run", "--steps", "100000000")
    assert process.stderr is not None
    assert "attached" in process.stderr.readline()
    world.realm("stop")
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert "the engine ended before the goal" in err


def test_a_hero_without_its_model_is_blocked_with_what_is_missing(world: World, tmp_path: Path) -> None:
    world.env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    process = world.start("run", "--save", "dio", "--hero", "dio", "--steps", "1")
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3, err
    assert "Qwen/Qwen3-0.6B is not in the Hugging Face cache" in err
    assert "realm hero install dio" in err
