"""``realm primitive``: the catalogue, the profile, the advice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from configs.paths import SaveFolder
from saves.database import open_save
from tests.cli.conftest import Answer
from tests.cli.story import exam

Realm = Callable[..., Answer]


@pytest.fixture
def asked(played: SaveFolder) -> SaveFolder:
    """The story, with exams that say what they said of primitives."""
    told = (
        (1101, {"bitwise_xor": {"correct": 1, "items": 32}, "binary_compare": {"correct": 30, "items": 32}}),
        (1151, {"bitwise_xor": {"correct": 2, "items": 32}, "binary_compare": {"correct": 32, "items": 32}}),
        (1201, {"bitwise_xor": {"correct": 40, "items": 64}, "binary_compare": {"correct": 64, "items": 64}}),
    )
    with closing(open_save(played, write=True)) as conn:
        for step, primitives in told:
            exam(conn, 1, step, 3, 40, primitives=primitives, skill_version="2.0.0")
        exam(conn, 1, 1090, 3, 40, primitives={"bitwise_xor": {"correct": 64, "items": 64}}, weights="0badc0de")
        exam(conn, 1, 1090, 3, 4, primitives={"binary_compare": {"correct": 4, "items": 64}}, weights="base")
    return played


def test_the_profile_shows_the_weakest_first(realm: Realm, asked: SaveFolder) -> None:
    told = realm("primitive", "profile", "--json").json
    assert [(one["primitive"], one["correct"], one["samples"], one["weak"]) for one in told] == [
        ("bitwise_xor", 40, 64, True),
        ("binary_compare", 64, 64, False),
    ]
    assert [one["primitive"] for one in realm("primitive", "weak", "--json").json] == ["bitwise_xor"]
    assert realm("primitive", "profile").out.splitlines()[1].split()[:3] == ["bitwise_xor", ".62", "64"]


def test_the_advice_is_a_drill_with_its_reason(realm: Realm, asked: SaveFolder) -> None:
    told = realm("primitive", "suggest", "--json").json
    assert (told["primitive"], told["drill"]["operations"], told["drill"]["drill_mode"]) == (
        "bitwise_xor",
        ["xor"],
        True,
    )
    answer = realm("primitive", "suggest")
    assert answer.out.startswith("drill bitwise_xor: bin xor at L1") and "0.62 over 64 answers" in answer.out
    assert "realm primitive drill bitwise_xor" in answer.err


def test_the_transfer_report_sets_first_answers_beside_newest(realm: Realm, asked: SaveFolder) -> None:
    told = {one["primitive"]: one for one in realm("primitive", "transfer", "--json").json}
    xor = told["bitwise_xor"]
    assert (xor["before"], xor["after"], xor["finding"]) == (
        {"correct": 3, "items": 64},
        {"correct": 40, "items": 64},
        "gained",
    )
    compare = told["binary_compare"]
    assert (xor["against"], compare["against"], compare["before"]) == ("first", "base", {"correct": 4, "items": 64})
    assert "base .06" in realm("primitive", "transfer").out


def test_before_any_exam_nothing_is_claimed(realm: Realm, fresh: SaveFolder) -> None:
    for command in ("profile", "weak", "transfer"):
        assert realm("primitive", command, "--json").json == []
        answer = realm("primitive", command)
        assert answer.out == "" and answer.err
    assert realm("primitive", "suggest", "--json").json is None


def test_the_catalogue_is_listed_and_shown_rung_by_rung(realm: Realm) -> None:
    told = realm("primitive", "list", "--json").json
    assert len(told) >= 40 and {"id", "track", "difficulty", "finite"} <= set(told[0])
    assert {one["track"] for one in realm("primitive", "list", "--track", "logic", "--json").json} == {"logic"}
    shown = realm("primitive", "show", "reverse_string", "--json").json
    assert shown["id"] == "seq_reverse" and len(shown["rungs"]) == 10
    assert "sequence/seq_reverse@v1" in realm("primitive", "show", "seq_reverse").out
    answer = realm("primitive", "show", "seq_revers")
    assert answer.code == 2 and "seq_reverse" in answer.err


def test_a_drill_needs_an_engine(realm: Realm, fresh: SaveFolder) -> None:
    assert realm("primitive", "drill", "bitwise_xor").code == 3
