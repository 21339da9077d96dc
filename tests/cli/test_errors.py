"""Whatever is broken, a person gets one clear message with the way out, and a script an exit code."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from configs.paths import SaveFolder
from engine.link.client import Reply
from realm_tui.runtime import status as status_module
from saves.database import open_save
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]


def assert_clear(answer: Answer, code: int) -> None:
    assert answer.code == code
    assert answer.out == ""
    assert answer.err.startswith("realm: ")
    assert "fix: " in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("command", ["status", "events", "ledger list", "quest list", "log"])
def test_a_broken_save(realm: Realm, fresh: SaveFolder, command: str) -> None:
    fresh.database.write_bytes(b"this is no database" * 500)
    assert_clear(realm(*command.split()), 1)


def test_a_save_of_a_newer_version(realm: Realm, fresh: SaveFolder) -> None:
    with closing(open_save(fresh, write=True)) as conn:
        conn.execute("PRAGMA user_version = 999")
    assert_clear(realm("status"), 1)


@pytest.mark.parametrize(
    "text",
    ["exams: {items: 3}", "exams: [1", "nonsense: 1", "- a\n- list", "face: {names: elvish}", "\x00"],
    ids=["out of bounds", "not yaml", "unknown key", "a list", "unknown choice", "control"],
)
def test_a_broken_configuration(realm: Realm, home: Path, fresh: SaveFolder, text: str) -> None:
    (home / "config").mkdir()
    (home / "config" / "game.yaml").write_text(text)
    assert_clear(realm("status"), 1)
    checked = realm("config", "check")
    assert checked.code == 1
    assert f"BAD  {home / 'config' / 'game.yaml'}" in checked.out


def test_a_broken_hero_of_ones_own_is_named_by_its_field(realm: Realm, home: Path) -> None:
    (home / "config" / "heroes").mkdir(parents=True)
    (home / "config" / "heroes" / "zoe.yaml").write_text("id: zoe\nname: ZOE\n")
    answer = realm("config", "check", "--json")
    assert answer.code == 1
    wrong = [f for f in answer.json["files"] if not f["ok"]]
    assert [f["source"] for f in wrong] == ["hero zoe"]
    assert "training" in wrong[0]["reason"]


def test_an_error_for_machines_is_json_on_stderr(realm: Realm) -> None:
    answer = realm("events", "--json")
    assert (answer.code, answer.out) == (3, "")
    error = json.loads(answer.err)["error"]
    assert error["code"] == "NO_SAVE"
    assert set(error) == {"code", "what", "why", "fix"}


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("status", "--nonsense"),
        ("status", "--save", "../up"),
        ("skill", "show", "nonsense"),
        ("skill", "sample", "bin", "--level", "31"),
        ("run", "--until", "bin"),
        ("run", "--until", "bin:31"),
        ("run", "--steps", "0"),
        ("events", "--since", "soon"),
        ("hero", "show", "nobody"),
        ("config", "explain", "nonsense"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_a_usage_error(realm: Realm, fresh: SaveFolder, args: tuple[str, ...]) -> None:
    answer = realm(*args)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err


@pytest.mark.parametrize("command", ["pause", "resume", "skip", "checkpoint", "promote", "ask hello"])
def test_orders_without_an_engine_are_blocked(realm: Realm, fresh: SaveFolder, command: str) -> None:
    assert_clear(realm(*command.split()), 3)


def test_stopping_what_does_not_run_is_no_error(realm: Realm, fresh: SaveFolder) -> None:
    assert realm("stop").code == 0
    assert realm("stop", "--json").json == {"verb": "stop", "step": None, "running": False}


def test_an_engine_is_stopped_without_opening_its_save(
    realm: Realm, fresh: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a save that only an engine of an older version keeps from being upgraded could never be opened again."""
    with closing(open_save(fresh, write=True)) as conn:
        conn.execute("PRAGMA user_version = 1")
    stopped: list[SaveFolder] = []

    def stop(folder: SaveFolder, **_: object) -> Reply:
        stopped.append(folder)
        return Reply(True, 12, {})

    monkeypatch.setattr("realm_tui.runtime.engine_process.stop_engine", stop)
    answer = realm("stop")
    assert (answer.out, answer.err) == ("stopped at step 12\n", "") and stopped == [fresh]
    with closing(sqlite3.connect(fresh.database)) as seen:
        assert seen.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_fault_of_the_program_goes_to_a_file(
    realm: Realm, home: Path, fresh: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(status_module, "collect", fail)
    answer = realm("status")
    assert_clear(answer, 1)
    assert "ZeroDivisionError: by nothing" in answer.err
    log = home / "faults.log"
    assert str(log) in answer.err
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("command", ["quest show", "exam show", "job show", "incident resolve"])
def test_a_number_beyond_all_rows_is_refused_like_any_other(realm: Realm, fresh: SaveFolder, command: str) -> None:
    answer = realm(*command.split(), "9" * 21, "--json")
    assert answer.code == 2 and json.loads(answer.err)["error"]["code"] == "NUMBER_TOO_LARGE"


def test_a_file_that_the_machine_refuses_is_no_fault_of_the_program(
    realm: Realm, home: Path, fresh: SaveFolder, tmp_path: Path
) -> None:
    answer = realm("campaign", "export", str(tmp_path / ("a" * 5000)), "--json")
    told = json.loads(answer.err)["error"]
    assert (answer.code, told["code"], told["fix"]) == (1, "FILE_REFUSED", "take a shorter name")
    assert len(told["what"]) < 300 and not (home / "faults.log").exists()


@pytest.mark.parametrize("group", ["quest", "campaign", "lore", "saga"])
def test_shell_completion_is_offered_by_the_program_and_not_by_its_commands(realm: Realm, group: str) -> None:
    assert "--install-completion" not in realm(group, "--help").out


def test_a_near_name_is_proposed(realm: Realm) -> None:
    assert "'status'" in realm("statsu").err


def test_the_list_of_commands(realm: Realm, golden: Callable[[str, str], None]) -> None:
    golden("help.txt", realm("--help").out)


def test_a_shell_completes_commands_and_options(home: Path) -> None:
    def completed(words: str, at: int) -> list[str]:
        env = {**os.environ, "_REALM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        done = subprocess.run([sys.executable, "-m", "realm_tui"], env=env, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert completed("realm st", 1) == ["status", "stop"]
    assert "check" in completed("realm quest ch", 2)
    assert "--json" in completed("realm status --j", 2)
