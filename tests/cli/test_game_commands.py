"""``realm effect``, ``achievement`` and ``incident``: what a person reads, what a script gets, and closing an incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from configs.paths import SaveFolder
from lore import own_file
from realm_tui.runtime.game_view import newly_earned, tell, view_of
from realm_tui.runtime.opened import opened
from saves import incidents
from saves.database import open_save
from saves.ledger import newest_checkpoint
from saves.runs import go_back
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]


@pytest.fixture(autouse=True)
def rules_read_anew() -> Iterator[None]:
    own_file.forget()
    yield
    own_file.forget()


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("effect list", "effect_list"),
        ("effect show confusion", "effect_show"),
        ("title list", "title_list"),
        ("title show binary_novice", "title_show"),
        ("achievement list", "achievement_list"),
        ("achievement show century", "achievement_show"),
        ("incident list", "incident_list"),
        ("incident show 1", "incident_show"),
    ],
)
def test_a_person_reads(
    realm: Realm, played: SaveFolder, golden: Callable[[str, str], None], command: str, name: str
) -> None:
    answer = realm(*command.split())
    assert answer.code == 0
    golden(f"{name}.txt", answer.out + answer.err)


def test_a_script_gets_the_same(realm: Realm, played: SaveFolder) -> None:
    active = realm("effect", "list", "--json").json
    assert [e["id"] for e in active] == ["reality_tear", "confusion"] and all(e["active"] for e in active)
    assert active[0]["source"] == "incidents:1" and active[0]["cure"]
    assert realm("effect", "show", "confusion", "--json").json == active[1]
    every = realm("effect", "list", "--all", "--json").json
    assert len(every) == 18 and sum(e["active"] for e in every) == 2
    deeds = {a["id"]: a for a in realm("achievement", "list", "--json").json}
    assert deeds["century"]["step"] == 100 and deeds["curator"]["have"] is None
    titles = {t["id"]: t for t in realm("title", "list", "--all", "--json").json}
    held = {t["id"] for t in realm("title", "list", "--json").json}
    assert held == {name for name, t in titles.items() if t["holds"]} and sum(t["worn"] for t in titles.values()) == 1
    assert realm("title", "show", "master", "--json").json == titles["master"]
    assert titles["master"]["asks"] == {"priority": 50, "steps": 200_000} and not titles["master"]["holds"]
    earned = realm("achievement", "list", "--earned", "--json").json
    assert {a["id"] for a in earned} == {name for name, a in deeds.items() if a["earned"]}
    (card,) = realm("incident", "list", "--json").json
    assert (card["id"], card["rule"], card["monster"]) == ("1", "nan_loss", "NaN Dragon")
    assert realm("incident", "show", "1", "--json").json == card


def test_closing_an_incident_cures_what_stood_on_it(realm: Realm, played: SaveFolder) -> None:
    assert realm("incident", "resolve", "1", "--json").json == {"id": 1, "rule": "nan_loss", "status": "resolved"}
    assert realm("incident", "list", "--json").json == []
    assert [card["status"] for card in realm("incident", "list", "--all", "--json").json] == ["resolved"]
    assert [e["id"] for e in realm("effect", "list", "--json").json] == ["confusion"]
    again = realm("incident", "resolve", "1")
    assert again.code == 2 and "closed already" in again.err


def test_in_a_fresh_save_nothing_stands(realm: Realm, fresh: SaveFolder) -> None:
    assert realm("effect", "list").out == "" and realm("incident", "list").out == ""
    assert realm("effect", "list", "--json").json == [] and realm("incident", "list", "--json").json == []
    assert realm("achievement", "list", "--earned", "--json").json == []


@pytest.mark.parametrize(
    ("command", "near"),
    [
        ("effect show confusoin", "confusion"),
        ("title show binary_novise", "binary_novice"),
        ("achievement show maraton", "marathon"),
        ("incident show 77", "realm incident list"),
        ("incident show told.val_gap", "realm incident list"),
        ("incident resolve 77", "realm incident list"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(realm: Realm, played: SaveFolder, command: str, near: str) -> None:
    answer = realm(*command.split())
    assert answer.code == 2 and near in answer.err and answer.out == ""


def test_a_broken_file_of_the_players_own_is_named_and_the_shipped_rules_are_used(
    realm: Realm, home: Path, played: SaveFolder
) -> None:
    (home / "config").mkdir()
    own = home / "config" / "achievements.yaml"
    own.write_text("achievements:\n  marathon:\n    icon: too long\n")
    answer = realm("achievement", "list", "--json")
    assert answer.code == 0 and len(answer.json) == 33
    assert f"{own}, line 3" in answer.err


def test_foreign_text_in_an_incident_draws_no_escapes(realm: Realm, played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        incidents.raise_incident(
            conn,
            "quest_failed",
            category="data",
            severity="medium",
            title="quest \x1b[31m\u202eevil\n" + "x" * 10_000,
            fix="f",
            detail={"why": "\x1b]0;gone\x07" + "y" * 10_000},
        )
    for command in ("incident list", "incident show 2"):
        out = realm(*command.split()).out
        assert "\x1b" not in out and "\u202e" not in out and max(map(len, out.splitlines())) < 500


def test_an_achievement_is_told_once_and_then_stays(played: SaveFolder) -> None:
    with opened(played, write=True) as save:
        view = view_of(save)
        new = {a.id for a in tell(save, view)}
        assert {"first_steps", "century", "first_save"} <= new
        again = view_of(save)
        assert newly_earned(again) == () and tell(save, again) == ()
        newest = newest_checkpoint(save.conn, save.campaign.id)
        assert newest is not None
        go_back(save.conn, replace(newest, step=50), pid=1)
        left = {a.id: a for a in view_of(save).achievements()}
        assert left["century"].have == 50 and all(left[name].earned for name in new)
