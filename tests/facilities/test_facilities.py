"""Machines and places are the player's YAML: read whole, resolved exactly, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import RealmError, UsageError
from configs.facilities import Facilities, load_facilities
from configs.reading import parse, read_yaml, shipped


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A realm of its own."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_CONFIG_DIR", raising=False)
    monkeypatch.delenv("REALM_FACILITY", raising=False)
    return tmp_path


def write(home: Path, text: str, name: str = "local.yaml") -> Path:
    file = home / "config" / "facilities" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


INN = """
hosts:
  box: {address: box.lan, user: hero}
facilities:
  inn:
    type: hub
    host: box
    base_path: ~/realm
    paths: {store: inn/store}
    server: {kind: vllm}
"""


def test_without_a_file_there_is_this_machine_alone(home: Path) -> None:
    found = load_facilities()
    assert list(found.facilities) == ["arena"]
    assert found.facilities["arena"].is_local
    assert found.here() == "arena"
    assert found.resolve("@saves/main") == found.resolve("facility:arena:saves/main")
    assert found.resolve("@saves/main").path == str(home / "saves" / "main")


def test_the_example_is_valid_and_never_loaded(home: Path) -> None:
    example = shipped() / "facilities" / "example.yaml"
    found = parse(Facilities, read_yaml(example), "the example", [example])
    assert {place.type for place in found.facilities.values()} == {"hub", "outpost", "archive", "laboratory"}
    assert found.facilities["inn"].title == "The Inn"
    assert "inn" not in load_facilities().facilities


def test_places_on_other_machines_keep_their_own_home_folder(home: Path) -> None:
    write(home, INN)
    place = load_facilities().resolve("facility:inn:store/blobs")
    assert (place.host, place.path) == ("box", "~/realm/inn/store/blobs")


def test_local_yaml_has_the_last_word_and_hubs_serve_first(home: Path) -> None:
    write(home, INN, "boxes.yaml")
    write(home, "facilities: {inn: {base_path: /srv/realm, available: true}}\n")
    found = load_facilities()
    assert found.facilities["inn"].base_path == "/srv/realm"
    assert found.serving() == ["inn", "arena"]
    write(home, "facilities: {inn: {available: false}}\n")
    assert load_facilities().serving() == ["arena"]


@pytest.mark.parametrize(
    ("spec", "code", "word"),
    [
        ("facility:in:store", "UNKNOWN_FACILITY", "inn"),
        ("facility:inn:stor", "UNKNOWN_PATH", "store"),
        ("facility:inn:store/../../etc", "BAD_PATH", "folder"),
        ("@nothing", "UNKNOWN_PATH", "saves"),
        ("${NOT_SET_ANYWHERE}/x", "UNKNOWN_VARIABLE", "NOT_SET_ANYWHERE"),
    ],
)
def test_what_is_unknown_is_an_error_and_no_guess(home: Path, spec: str, code: str, word: str) -> None:
    write(home, INN)
    with pytest.raises(UsageError, match=word) as told:
        load_facilities().resolve(spec)
    assert told.value.code == code


def test_plain_paths_and_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_facilities()
    monkeypatch.setenv("ATTIC", "/srv/attic")
    assert found.resolve("${ATTIC}/old").path == "/srv/attic/old"
    assert found.resolve("${NOT_SET_ANYWHERE:-/var/x}/old").path == "/var/x/old"
    assert found.resolve("old", base=home).path == str(home / "old")
    assert found.resolve("~/old").path == str(Path.home() / "old")


def test_where_this_process_stands_can_be_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, INN)
    monkeypatch.setenv("REALM_FACILITY", "inn")
    assert load_facilities().resolve("@store").host == "box"
    monkeypatch.setenv("REALM_FACILITY", "cellar")
    with pytest.raises(UsageError, match="cellar"):
        load_facilities().here()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("facilities: {inn: {type: hub, host: gone, base_path: x}}\n", "gone"),
        ("facilities: {inn: {type: tavern, base_path: x}}\n", "tavern"),
        ("facilities: {inn: {type: hub, base_path: x, paths: {store: /etc}}}\n", "store"),
        ("facilities: {inn: {type: hub, base_path: x, server: {kind: openai}}}\n", "endpoint"),
        ("hosts: {Box!: {address: x}}\n", "Box!"),
        ("hosts: {box: {address: x, password: secret}}\n", "password"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(home: Path, text: str, word: str) -> None:
    file = write(home, text)
    with pytest.raises(RealmError, match=word) as told:
        load_facilities()
    assert str(file) in told.value.text()
