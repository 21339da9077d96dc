"""``realm saga`` and ``realm lore`` on a save with a story in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from configs.loader import load_game
from configs.paths import SaveFolder, config_dir
from lore.own_file import forget
from realm_tui.runtime.campaigns import remember
from saves.database import open_save
from saves.retention import prune
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]
DAY = "2025-11-24"


def test_the_saga_tells_the_story_in_order_and_in_both_voices(
    realm: Realm, played: SaveFolder, golden: Callable[[str, str], None]
) -> None:
    answer = realm("saga", "--voice", "plain")
    assert answer.code == 0
    golden("saga.txt", answer.out)
    times = [line[:16] for line in answer.out.splitlines()]
    assert times == sorted(times)
    assert realm("saga", "--voice", "tavern").out != answer.out
    assert realm("saga").out == realm("saga", "--voice", "tavern").out, "the rules' names are the tavern's"


def test_the_saga_leaves_out_what_the_battle_log_tells(realm: Realm, played: SaveFolder) -> None:
    told, everything = realm("saga", "--json").json, realm("saga", "--all", "--size", "500", "--json").json
    assert len(everything) > len(told)
    assert {x["source"] for x in told} <= {x["source"] for x in everything}
    assert {"checkpoint.saved"} <= {x["type"] for x in everything} - {x["type"] for x in told}
    assert {x["channel"] for x in realm("saga", "--channel", "vault", "--json").json} == {"vault"}


def test_pages_follow_each_other_without_a_gap(realm: Realm, played: SaveFolder) -> None:
    whole = realm("saga", "--size", "500", "--json").json
    pages: list[object] = []
    number = 1
    while part := realm("saga", "--size", "3", "--page", str(number), "--json").json:
        pages = [*part, *pages]
        number += 1
    assert pages == whole and number > 3
    assert realm("saga", "--page", "99").out == "there is no such page\n"


def test_search_and_day_narrow_it(realm: Realm, played: SaveFolder) -> None:
    won = realm("saga", "--search", "level up", "--json").json
    assert {x["type"] for x in won} == {"hero.skill_level_up"} and len(won) == 2
    whole = realm("saga", "--size", "500", "--json").json
    assert realm("saga", "--day", DAY, "--size", "500", "--json").json == whole
    assert realm("saga", "--day", "2025-11-25", "--json").json == []
    assert realm("saga", "--day", "2025-11-25").out == "nothing is told yet\n"


def test_a_search_ends_somewhere_and_says_where(
    realm: Realm, played: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = realm("saga", "--search", "level up", "--json")
    assert len(whole.json) == 2 and not whole.err
    monkeypatch.setattr("realm_tui.runtime.saga_view.SEARCH_REACH", 1)
    monkeypatch.setattr("realm_tui.runtime.saga_view._FIRST_LOOK", 1)
    short = realm("saga", "--search", "level up", "--size", "2")
    assert "searched back to 2025-11-24" in short.err and "--far" in short.err
    assert realm("saga", "--search", "level up", "--far", "--json").json == whole.json
    assert realm("saga", "--search", "no such words").out == "nothing like that is told\n"


@pytest.mark.parametrize(
    "asked", [("saga", "--day", "soon"), ("saga", "--voice", "elvish"), ("saga", "--channel", "gossip"), ("saga", "chronicle", "x")]
)  # fmt: skip
def test_what_cannot_be_told_is_refused(realm: Realm, played: SaveFolder, asked: tuple[str, ...]) -> None:
    answer = realm(*asked)
    assert answer.code == 2 and "fix:" in answer.err and not answer.out


def test_the_chronicle_sums_up_a_day(realm: Realm, played: SaveFolder, golden: Callable[[str, str], None]) -> None:
    assert [(d["day"], d["steps"]) for d in realm("saga", "chronicle", "--json").json] == [(DAY, 1250)]
    golden("chronicle.txt", realm("saga", "chronicle", DAY, "--voice", "plain").out)
    page = realm("saga", "chronicle", DAY, "--json").json
    assert (page["steps"], page["won"], page["lost"], page["open"]) == (1250, {"bin": [0, 2]}, {"bin": [1]}, True)
    empty = realm("saga", "chronicle", "2025-12-24", "--voice", "plain").out
    assert empty.startswith("2025-12-24: no training")


def test_the_journey_is_one_page(realm: Realm, played: SaveFolder, golden: Callable[[str, str], None]) -> None:
    golden("journey.txt", realm("saga", "journey", "--voice", "plain").out)
    page = realm("saga", "journey", "--json").json
    assert (page["steps"], page["levels"], page["quests_completed"], page["crashes"]) == (1250, {"bin": 2}, 1, 0)
    assert page["champion"] and page["region"] == "novice_valley"


def test_the_story_of_a_campaign_outlives_it(realm: Realm, played: SaveFolder) -> None:
    saga, journey = realm("saga", "--json").json, realm("saga", "journey", "--json").json
    assert realm("campaign", "new").code == 0
    archived = realm("campaign", "archive", "campaign-001", "--then", "campaign-002")
    assert "realm saga journey campaign-001" in archived.out
    assert len(realm("saga", "--json").json) < len(saga), "the new campaign has a story of its own"
    *told, last = realm("saga", "--campaign", "campaign-001", "--json").json
    assert told == saga and last["plain"] == "Campaign: archived"
    after = realm("saga", "journey", "campaign-001", "--json").json
    assert after["archived_at"] and after["region"] == journey["region"] and after["earned"] == journey["earned"]
    assert realm("saga", "journey", "campaign-099").code == 2


def test_pruning_changes_no_word_of_it(realm: Realm, played: SaveFolder) -> None:
    asked = (("saga", "--size", "500"), ("saga", "chronicle", DAY), ("saga", "journey"), ("saga", "map"))
    before = [realm(*words).out for words in asked]
    tight = load_game().retention.model_copy(
        update={"windows_kept": 4, "merge_factor": 4, "exam_items_kept": 1, "decisions_kept": 0}
    )
    with closing(open_save(played, write=True)) as conn:
        assert prune(conn, "campaign-001", tight).windows > 0
    for words, told in zip(asked, before, strict=True):
        # Merged windows know the moment of a step less exactly, so sentences of one minute may change places.
        assert sorted(realm(*words).out.splitlines()) == sorted(told.splitlines())


def test_the_map_says_what_the_next_region_asks(
    realm: Realm, played: SaveFolder, golden: Callable[[str, str], None]
) -> None:
    golden("map.txt", realm("saga", "map", "--voice", "tavern").out)
    found = realm("saga", "map", "--json").json
    assert (found["here"], found["leading"], found["level"], found["age"]) == ("novice_valley", "bin", 2, 1)


def test_on_a_fresh_save_every_page_is_calm(realm: Realm, fresh: SaveFolder) -> None:
    assert realm("saga").out == "nothing is told yet\n"
    assert realm("saga", "chronicle").out.splitlines() == ["DAY  STEPS  TRAINING"]
    assert "Nothing trained yet" in realm("saga", "journey", "--voice", "plain").out
    assert realm("saga", "map", "--json").json["here"] == "inn"


def test_a_players_words_are_cleaned(realm: Realm, played: SaveFolder) -> None:
    remember(played, "a \x1b[31mred\x07 note \u202eback")
    (line,) = [x for x in realm("saga", "--voice", "plain").out.splitlines() if "Note:" in x]
    assert line.endswith("Note: a red note back")


def test_superseded_deeds_are_not_told(realm: Realm, played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        conn.execute("UPDATE runs SET superseded_after = 500")
    told = realm("saga", "--json").json
    assert [x["data"]["level"] for x in told if x["type"] == "hero.skill_level_up"] == [1]


# ---------------------------------------------------------------- lore


def test_lore_explains_a_word(realm: Realm, home: object, golden: Callable[[str, str], None]) -> None:
    golden("lore.txt", realm("lore", "region.reasoning_mountains").out)
    assert realm("lore", "training.loss", "--json").json["plain"] == "Loss"
    missing = realm("lore", "training.lose")
    assert missing.code == 2 and "UNKNOWN_WORD" in realm("lore", "training.lose", "--json").err


def test_lore_lists_and_searches(realm: Realm, home: object) -> None:
    every = realm("lore", "--json").json
    assert len(every) >= 75 and len({x["key"] for x in every}) == len(every)
    found = {x["key"] for x in realm("lore", "--search", "mountains", "--json").json}
    assert "region.reasoning_mountains" in found and len(found) < len(every)
    assert realm("lore", "--search", "xyzzy", "--json").json == []


def test_lore_shows_the_laws(realm: Realm, home: object) -> None:
    assert list(realm("lore", "--laws", "--json").json) == [f"law-{n}" for n in range(1, 15)]
    assert "law-14" in realm("lore", "--laws").out


def test_doctor_tells_a_breach_of_the_laws_and_a_broken_file_of_the_lore(realm: Realm, fresh: SaveFolder) -> None:
    said = {f["name"]: f for f in realm("doctor", "--json").json["findings"]}
    assert said["laws"]["state"] == "ok"
    with closing(open_save(fresh, write=True)) as conn:
        conn.execute("UPDATE campaigns SET name = ' '")
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / "world.yaml").write_text("regions: {summit: {opens: {tier: mithril}}}\n")
    forget()
    try:
        answer = realm("doctor", "--json")
    finally:
        forget()
    said = {f["name"]: f for f in answer.json["findings"]}
    assert answer.code == 0 and "law-12" in said["law"]["text"]
    assert "mithril" in said["lore"]["text"] and "world.yaml" in said["lore"]["text"]
