"""``realm config set`` and ``unset``: one value changes, everything else stays as the player wrote it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from configs.editing import with_value, without
from configs.errors import RealmError
from configs.loader import load_hero, own_hero_file
from configs.paths import SaveFolder
from configs.physics import memory_profile
from realm_tui.runtime.own_rules import take_profile
from saves.campaigns import set_overrides
from saves.database import open_save
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]

WRITTEN = """\
# mine
exams:            # harder
  # more items
  items: 128      # twice
  streak: 4
strain: {productive: 0.2, stretch: 0.4}

engine:
  nice: 5
"""


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("exams.items", 96, "  items: 96      # twice"),
        ("exams.alpha", 0.1, "  alpha: 0.1"),
        ("strain.productive", 0.15, "strain: {productive: 0.15, stretch: 0.4}"),
        ("strain.overload", 0.6, "strain: {overload: 0.6, productive: 0.2, stretch: 0.4}"),
        ("face.names", "plain", "  names: plain"),
        ("engine.nice", None, "  nice: null"),
    ],
)
def test_one_value_changes_and_every_comment_stays(path: str, value: object, line: str) -> None:
    changed = with_value(WRITTEN, path.split("."), value, "game.yaml")
    assert line in changed.splitlines()
    assert [text for text in WRITTEN.splitlines() if "#" in text and "items:" not in text] == [
        text for text in changed.splitlines() if "#" in text and "items:" not in text
    ]
    group, key = path.split(".")
    assert yaml.safe_load(changed)[group][key] == value


def test_taking_back_what_was_just_added_gives_the_same_values() -> None:
    wanted = yaml.safe_load(WRITTEN)
    for path in ("exams.alpha", "strain.overload", "face.names", "memory.cards"):
        there = with_value(WRITTEN, path.split("."), 1, "game.yaml")
        assert yaml.safe_load(without(there, path.split("."), "game.yaml")) == wanted


def test_a_group_that_is_left_empty_goes() -> None:
    assert "engine" not in without(WRITTEN, ["engine", "nice"], "game.yaml")
    assert without("engine: {nice: 5}\n", ["engine", "nice"], "game.yaml") == ""
    assert without(WRITTEN, ["engine", "pause"], "game.yaml") == WRITTEN


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "exams:\n", "exams: \n# end", "{}", "strain: {productive: 0.2}"]
)
def test_a_file_may_be_empty_or_begun(text: str) -> None:
    changed = with_value(text, ["exams", "items"], 32, "game.yaml")
    assert yaml.safe_load(changed)["exams"] == {"items": 32}


def test_what_cannot_be_changed_alone_is_left_to_the_player() -> None:
    text = "exams: &a {items: 32}\nother: *a\n"
    with pytest.raises(RealmError, match="without touching more"):
        with_value(text, ["other", "items"], 64, "game.yaml")


def test_set_writes_the_players_file_and_says_when_it_holds(realm: Realm, home: Path) -> None:
    answer = realm("config", "set", "exams.items", "96")
    assert answer.code == 0 and "exams.items = 96 (was 64)" in answer.out and "until they start again" in answer.err
    mine = home / "config" / "game.yaml"
    assert yaml.safe_load(mine.read_text()) == {"exams": {"items": 96}}
    assert realm("config", "unset", "exams.items", "--json").json["new"] == 64
    assert mine.read_text() == ""
    assert realm("config", "unset", "exams.items").code == 3


@pytest.mark.parametrize(
    ("key", "value", "code", "says"),
    [
        ("exams.items", "-1", 1, "exams.items = -1"),
        ("exams.itms", "32", 2, "exams.items"),
        ("face.names", "tavren", 1, "tavern"),
        ("exams.items", "[1", 2, "as a value"),
        ("strain.productive", "0.9", 1, "strain"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_and_nothing_is_written(
    realm: Realm, home: Path, key: str, value: str, code: int, says: str
) -> None:
    answer = realm("config", "set", key, "--", value)
    assert answer.code == code and says in answer.err
    assert not (home / "config" / "game.yaml").exists()


def test_a_broken_file_is_named_with_its_line_and_left_alone(realm: Realm, home: Path) -> None:
    mine = home / "config" / "game.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("exams:\n  items: [1\n")
    answer = realm("config", "set", "exams.items", "32")
    assert answer.code == 1 and "line 3" in answer.err
    assert mine.read_text() == "exams:\n  items: [1\n"


def test_a_campaign_that_says_otherwise_is_named(realm: Realm, home: Path, fresh: SaveFolder) -> None:
    with closing(open_save(fresh, write=True)) as conn:
        set_overrides(conn, "campaign-001", {"exams": {"streak": 5}})
    answer = realm("config", "set", "exams.streak", "4", "--json")
    assert answer.json["held_by"] == "campaign-001" and answer.json["new"] == 5


def test_a_memory_profile_lands_in_the_players_own_file_and_wins(home: Path) -> None:
    own = own_hero_file("dio-qwen3-0.6b")
    own.parent.mkdir(parents=True)
    own.write_text("# my dio\nname: DIO\n")
    with pytest.raises(RealmError, match="no_such_profile"):
        take_profile("dio-qwen3-0.6b", "no_such_profile")
    assert own.read_text() == "# my dio\nname: DIO\n"
    assert take_profile("dio-qwen3-0.6b", "24gb_lora") == own
    hero, wanted = load_hero("dio"), memory_profile("24gb_lora")
    assert hero.memory_profile == "24gb_lora" and own.read_text().startswith("# my dio\n")
    assert {key: getattr(hero.training, key) for key in wanted.training} == dict(wanted.training)
    assert hero.model.context_length <= wanted.context_length
