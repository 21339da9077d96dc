"""``realm campaign`` and ``realm reset`` on a save with a story in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from configs.paths import SaveFolder
from saves import decisions
from saves.database import open_save
from saves.rows import Decision
from tests.cli.conftest import Answer
from tests.cli.story import at

Realm = Callable[..., Answer]


def test_campaigns_are_begun_listed_switched_and_archived(realm: Realm, played: SaveFolder) -> None:
    assert [c["id"] for c in realm("campaign", "list", "--json").json] == ["campaign-001"]
    made = realm(
        "campaign", "new", "dio", "--name", "the tall one", "--seed", "5", "--rule", "curriculum.horizon=12", "--json"
    )
    assert made.json["id"] == "campaign-002" and made.json["overrides"] == {"curriculum": {"horizon": 12}}
    assert realm("campaign", "switch", "2").out == "campaign-002: the tall one is played now\n"
    assert realm("status", "--json").json["campaign"] == "campaign-002"
    shown = realm("campaign", "show", "1", "--json").json
    assert (
        shown["status"] == "paused" and shown["levels"]["bin"] >= 1 and shown["milestones"][0]["kind"] == "first_step"
    )
    assert realm("campaign", "archive").code == 3
    put = realm("campaign", "archive", "1", "--json")
    assert put.json["summary"]["levels"] == shown["levels"]
    assert [c["id"] for c in realm("campaign", "hall", "--json").json] == ["campaign-001"]
    assert "PIP" in realm("campaign", "hall").out
    assert realm("campaign", "switch", "nobody").code == 2


def test_the_next_action_and_what_is_in_the_way(realm: Realm, played: SaveFolder) -> None:
    found = realm("campaign", "next", "--json").json
    assert (found["status"], found["next"]["action"], found["next"]["steps"]) == ("idle", "train", 1000)
    assert not any(one["stops"] for one in found["blockers"])
    assert realm("campaign", "note", "moved the box").code == 0
    assert "moved the box" in realm("campaign", "show").out


def test_a_recipe_is_written_once_and_read_back(realm: Realm, played: SaveFolder, tmp_path: Path) -> None:
    file = tmp_path / "method.yaml"
    written = realm("campaign", "export", str(file), "--json").json
    assert written["levels"] >= 1 and written["steps"] > 0
    assert realm("campaign", "export", str(file)).code == 3
    laps = realm("campaign", "race", str(file), "--ghost", "--json").json["laps"]
    assert laps and laps[-1]["levels"] == laps[-1]["ghost_levels"] == written["levels"]
    again = realm("campaign", "new", "--recipe", str(file), "--json").json
    assert again["status"] == "paused"
    assert realm("campaign", "new", "pip", "--recipe", str(file)).code == 2
    file.write_text(file.read_text().replace("seed:", "sead:"))
    broken = realm("campaign", "race", str(file))
    assert broken.code == 1 and "sead" in broken.err


def test_a_reset_is_a_dry_run_until_it_is_meant_and_typed(realm: Realm, played: SaveFolder) -> None:
    before = realm("campaign", "list", "--json").json
    dry = realm("reset", "full", "--json").json
    assert dry["done"] is False and dry["facts"] > 0
    assert realm("campaign", "list", "--json").json == before
    assert realm("reset", "full", "--really").code == 3
    assert realm("reset", "everything").code == 2
    done = realm("reset", "full", "--really", "--confirm", played.name, "--json").json
    assert done["done"] and (played.backups / done["copy"]).is_file()
    (left,) = realm("campaign", "list", "--json").json
    assert left["step"] == 0 and left["levels"] == {} and left["status"] == "active"
    assert json.loads(realm("quest", "list", "--all", "--json").out) == []


def test_what_only_is_told_stops_nothing_and_what_stops_says_what_was_tried(
    realm: Realm, played: SaveFolder, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = home / "config" / "heroes" / "pip-hatchling.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("model: {context_length: 128}\n")
    told = {b["code"]: b for b in realm("campaign", "next", "--json").json["blockers"]}
    assert (told["CONFIG_LOCKED"]["severity"], told["CONFIG_LOCKED"]["stops"]) == ("low", False)
    assert "context_length" in told["CONFIG_LOCKED"]["why"]
    (home / "config" / "game.yaml").write_text("engine: {device: cuda, min_free_gb: 1.0e+9}\n")
    monkeypatch.setattr("realm_tui.runtime.machine.graphics_card", lambda: None)
    found = realm("campaign", "next", "--json").json
    told = {b["code"]: b for b in found["blockers"]}
    assert found["status"] == "blocked" and told["GPU_UNAVAILABLE"]["stops"] and told["DISK_FULL"]["stops"]
    assert all(b["tried"] and b["why"] and b["fix"] for b in found["blockers"])
    text = realm("campaign", "next").out
    assert "DISK_FULL (high)" in text and "tried: no checkpoint is begun without room for it" in text


def test_a_save_without_an_active_campaign_says_so_and_can_be_mended(realm: Realm, played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        conn.execute("UPDATE campaigns SET status = 'paused'")
    found = realm("campaign", "next", "--json").json
    assert (found["status"], found["blockers"][0]["code"]) == ("blocked", "NO_ACTIVE_CAMPAIGN")
    assert "campaign switch campaign-001" in found["blockers"][0]["fix"]
    assert realm("campaign", "switch", "1").code == 0
    assert realm("campaign", "next", "--json").json["status"] == "idle"


def test_a_cap_that_was_found_asks_for_the_archive_until_a_level_is_won_after_it(
    realm: Realm, played: SaveFolder
) -> None:
    found = "bin level 3: no gain above 0.05 shown in 2,000,000 tokens, 95 %"
    with closing(open_save(played, write=True)) as conn:
        row = Decision(run_id=1, step=1240, kind="maxed", skill="bin", decision=found, reason="archive", at=at(1240))
        decisions.add_decision(conn, row)
    for quest in realm("quest", "list", "--json").json:
        if quest["state"] == "queued":
            assert realm("quest", "remove", quest["name"]).code == 0
    assert realm("campaign", "next", "--json").json["next"]["action"] == "archive"
    assert f"cap   {found}" in realm("campaign", "show").out
    assert realm("campaign", "new", "--name", "after", "--json").code == 0
    kept = realm("campaign", "archive", "--then", "2", "--json").json["summary"]
    assert (kept["outcome"], kept["caps"], kept["levels"]) == ("capped", [found], {"bin": 2})
    assert kept["champion"] and kept["effort_by_skill"]["bin"] > 0
    assert "cap found" in realm("campaign", "hall").out


def test_an_open_face_keeps_its_campaign(realm: Realm, played: SaveFolder) -> None:
    assert realm("campaign", "new", "--name", "other").code == 0
    code = "import sys; from pathlib import Path; from saves.locks import FileLock; FileLock(Path(sys.argv[1])).acquire(); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(played.face_lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as face:
        assert face.stdout is not None and face.stdout.readline() == "\n"
        for words in (("campaign", "switch", "2"), ("reset", "campaign", "--really")):
            refused = realm(*words)
            assert refused.code == 3 and "close it first" in refused.err
        face.communicate("\n")
    assert realm("campaign", "switch", "2").code == 0


def test_the_ghost_is_raced_until_it_is_let_go(realm: Realm, played: SaveFolder) -> None:
    assert realm("campaign", "race").code == 2
    assert realm("campaign", "race", "campaign-001", "--ghost").code == 0
    laps = realm("campaign", "race", "--json").json
    assert laps["against"] and laps["laps"][-1]["levels"] == laps["laps"][-1]["ghost_levels"] == 2
    assert realm("campaign", "race", "--no-ghost").code == 0
    assert realm("campaign", "race").code == 2


def test_peaks_stand_among_the_milestones_with_their_step(realm: Realm, played: SaveFolder) -> None:
    shown = realm("campaign", "show", "--json").json
    peaks = {m["note"].split(":")[0]: m["step"] for m in shown["milestones"] if m["kind"] == "peak"}
    assert peaks == {
        "lowest loss": shown["peaks"]["steps"]["train_loss"],
        "lowest held-out loss": 1000,
        "best exam": 300,
    }
    assert [m["at"] for m in shown["milestones"]] == sorted(m["at"] for m in shown["milestones"])
