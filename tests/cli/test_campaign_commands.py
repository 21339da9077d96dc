"""``realm campaign`` and ``realm reset`` on a save with a story in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from configs.paths import SaveFolder
from tests.cli.conftest import Answer

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
    assert found["status"] in ("idle", "blocked") and found["next"]["steps"] == 1000
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
