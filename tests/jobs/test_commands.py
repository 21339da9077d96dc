"""`realm job` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from configs.paths import SaveFolder
from realm_tui.cli.main import app
from saves import jobs
from saves.connection import SaveConnection


def realm(*words: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, list(words), prog_name="realm")
    assert found.exit_code == code, found.output
    return found.stdout if code == 0 else found.output


def said(*words: str) -> Any:
    return json.loads(realm(*words, "--json"))


def test_a_job_is_asked_for_listed_cancelled_and_tried_again(folder: SaveFolder, save: SaveConnection) -> None:
    made = said("job", "submit", "data_gen", "skill=bin", "level=2", "add=false", "--priority", "high", "--key", "k")
    assert made["payload"] == {"skill": "bin", "level": 2, "add": False} and made["status"] == "pending"
    assert said("job", "submit", "data_gen", "skill=bin", "level=2", "--key", "k")["id"] == made["id"]
    assert [j["id"] for j in said("job", "list")["jobs"]] == [made["id"]]
    assert said("job", "cancel", str(made["id"]))["status"] == "cancelled"
    assert said("job", "list")["jobs"] == [] and len(said("job", "list", "--all")["jobs"]) == 1
    assert said("job", "retry", str(made["id"]))["status"] == "pending"
    events = [e["event"] for e in said("job", "show", str(made["id"]))["events"]]
    assert events == ["submitted", "cancelled", "retried"]


def test_waiting_does_it_here(folder: SaveFolder, save: SaveConnection) -> None:
    text = realm("job", "submit", "data_gen", "skill=bin", "level=1", "count=3", "--wait")
    assert "completed" in text and "quest: bin_L1_3_job1" in text
    assert jobs.job(save, 1).status == "completed"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("submit", "dance"), "UNKNOWN_JOB_KIND"),
        (("submit", "data_gen", "level=1"), "BAD_PAYLOAD"),
        (("submit", "data_gen", "skil=bin"), "BAD_PAYLOAD"),
        (("submit", "report", "--payload", "[1]"), "BAD_PAYLOAD"),
        (("submit", "report", "--priority", "urgent"), "BAD_JOB_PRIORITY"),
        (("list", "--status", "lost"), "BAD_JOB_STATUS"),
        (("show", "77"), "UNKNOWN_JOB"),
        (("cancel", "77"), "UNKNOWN_JOB"),
    ],
)
def test_what_cannot_be_is_said(folder: SaveFolder, words: tuple[str, ...], code: str) -> None:
    found = CliRunner().invoke(app, ["job", *words, "--json"], prog_name="realm")
    assert found.exit_code in (1, 2) and f'"code": "{code}"' in found.output


def test_nothing_to_do_ends_at_once(folder: SaveFolder, save: SaveConnection) -> None:
    assert "0 jobs" in CliRunner().invoke(app, ["job", "work", "--once"], prog_name="realm").output
    assert {k["kind"] for k in said("job", "kinds")} >= {"eval", "layer_drift"}


def test_a_file_is_meant_where_the_player_stands(
    folder: SaveFolder, save: SaveConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = said("job", "submit", "data_convert", "file=pairs.csv", "out=talk.jsonl")
    assert made["payload"] == {"file": str(tmp_path / "pairs.csv"), "out": str(tmp_path / "talk.jsonl")}
