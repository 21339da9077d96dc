"""``realm config`` and ``realm hero``: the rules in force, and who can play."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from configs.paths import SaveFolder
from configs.schema import GameConfig
from realm_tui.runtime.rules import rules_in_force
from saves.campaigns import set_overrides
from saves.database import open_save
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]


def test_every_rule_is_explained(home: Path) -> None:
    rules = rules_in_force()
    assert {rule.key.split(".")[0] for rule in rules} == set(GameConfig.model_fields)
    assert all(rule.meaning for rule in rules)


def test_later_layers_win_and_are_named(realm: Realm, home: Path, fresh: SaveFolder) -> None:
    mine = home / "config" / "game.yaml"
    mine.parent.mkdir()
    mine.write_text("exams: {items: 128, streak: 4}\n")
    with closing(open_save(fresh, write=True)) as conn:
        set_overrides(conn, "campaign-001", {"exams": {"streak": 5}})
    told = realm("config", "show", "--json").json
    assert told["exams.items"] == {"value": 128, "source": str(mine)}
    assert told["exams.streak"] == {"value": 5, "source": "campaign-001"}
    assert told["exams.alpha"]["source"] == "shipped"
    assert "exams.items = 128 (shipped: 64; yours: " in realm("config", "explain", "exams.items").out


def test_explain_tells_value_bounds_and_meaning(realm: Realm, golden: Callable[[str, str], None]) -> None:
    golden("config_explain_exams.txt", realm("config", "explain", "exams").out)
    assert [one["key"] for one in realm("config", "explain", "face.names", "--json").json] == ["face.names"]


def test_paths_follow_realm_home(realm: Realm, home: Path) -> None:
    told = realm("config", "path", "--json", "--save", "other").json
    assert told["home"]["path"] == str(home)
    assert told["save"] == {"path": str(home / "saves" / "other"), "exists": False}


def test_the_roster_says_who_is_ready(realm: Realm) -> None:
    roster = {hero["id"]: hero for hero in realm("hero", "list", "--json").json}
    assert roster["pip-hatchling"]["ready"]
    dio = roster["dio-qwen3-0.6b"]
    assert not dio["ready"]
    assert "Qwen/Qwen3-0.6B" in dio["missing"]
    assert "realm hero install dio" in dio["fix"]


def test_a_hero_of_ones_own_can_begin_a_save(realm: Realm, home: Path) -> None:
    made = realm("hero", "new", "zoe", "--from", "pip", "--name", "ZOE", "--json")
    assert Path(made.json["file"]) == home / "config" / "heroes" / "zoe.yaml"
    assert realm("config", "check").code == 0
    assert realm("save", "new", "second", "--hero", "zoe").code == 0
    assert realm("status", "--save", "second", "--json").json["hero"]["name"] == "ZOE"
    assert realm("hero", "new", "zoe").code == 2


def test_a_folder_that_is_no_model_is_refused_with_what_it_lacks(realm: Realm, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    answer = realm("hero", "install", "dio", "--path", str(tmp_path))
    assert answer.code == 3
    assert "tokenizer.json" in answer.err and "*.safetensors" in answer.err


def test_a_local_folder_makes_dio_ready(realm: Realm, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    assert realm("hero", "install", "dio", "--path", str(tmp_path)).code == 0
    dio = realm("hero", "show", "dio", "--json").json
    assert (dio["ready"], dio["where"], dio["config"]["model"]["path"]) == (True, str(tmp_path), str(tmp_path))


def test_a_missing_shard_is_named(realm: Realm, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "model-1.safetensors"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
    )
    assert "lacks model-2.safetensors" in realm("hero", "install", "dio", "--path", str(tmp_path)).err


def test_offline_the_installation_says_plainly_what_is_missing(
    realm: Realm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    answer = realm("hero", "install", "dio")
    assert answer.code == 3
    assert "Qwen/Qwen3-0.6B could not be downloaded" in answer.err
    assert "config, tokenizer and weights" in answer.err
    assert "--path FOLDER" in answer.err


def test_pip_needs_nothing(realm: Realm) -> None:
    assert realm("hero", "install", "pip").out == "PIP is ready: made on the spot\n"
