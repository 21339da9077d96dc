"""``realm curriculum``: what trains next and why."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from configs.paths import SaveFolder
from saves import decisions
from saves.database import open_save
from saves.rows import Decision
from tests.cli.conftest import Answer
from tests.cli.story import at

Realm = Callable[..., Answer]


def test_a_new_hero_has_a_course_before_its_first_step(
    realm: Realm, fresh: SaveFolder, golden: Callable[[str, str], None]
) -> None:
    golden("curriculum_fresh.txt", realm("curriculum", "show").out)
    told = realm("curriculum", "show", "--json").json
    assert (told["step"], told["live"], told["settings"]["preset"]) == (0, False, "balanced")
    assert told["next"]["skill"] == "bin" and told["next"]["reason"]
    assert told["forgetting"] == {"won": 0, "lost": 0, "allowed": 0, "spent": None, "exceeded": False}
    assert told["skills"]["bin"]["maintenance_multiplier"] is None, "unknown is null, never 0"


def test_levels_below_their_peak_are_shown(realm: Realm, played: SaveFolder) -> None:
    (fallen,) = realm("curriculum", "show", "--json").json["skills"]["bin"]["regressed"]
    assert (fallen["level"], fallen["peak"], fallen["now"], fallen["proved"]) == (1, [180, 192], [50, 80], True)
    assert "bin L1 is 0.31 below its peak (proved)" in realm("curriculum", "show").out


def test_presets_are_listed(realm: Realm, golden: Callable[[str, str], None]) -> None:
    golden("curriculum_presets.txt", realm("curriculum", "presets").out)
    assert len(realm("curriculum", "presets", "--json").json["presets"]) == 8


def test_a_preview_changes_nothing(realm: Realm, fresh: SaveFolder) -> None:
    before = realm("curriculum", "show", "--json").json
    told = realm("curriculum", "preview", "--strategy", "bandit", "--steps", "50", "--json").json
    assert (told["turns"], told["settings"]["strategy"], told["skills"]["bin"]["sampling"]) == (
        {"bin": 50},
        "bandit",
        "progress",
    )
    assert "next BIN L1" in realm("curriculum", "preview", "--target", "bin=4").out
    assert realm("curriculum", "show", "--json").json == before


@pytest.mark.parametrize(
    "options",
    [
        ("--preset", "sy_only"),
        ("--preset", "nonsense"),
        ("--focus", "chess"),
        ("--skill", "bin"),
        ("--skill", "bin=much"),
        ("--target", "bin=31"),
        ("--disable", "bin"),
        ("--strategy", "luck"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_with_the_way_out(realm: Realm, fresh: SaveFolder, options: tuple[str, ...]) -> None:
    answer = realm("curriculum", "preview", *options)
    assert answer.code == 2 and "fix:" in answer.err and not answer.out


def test_a_change_needs_an_engine_and_something_to_change(realm: Realm, fresh: SaveFolder) -> None:
    assert realm("curriculum", "set").code == 2
    answer = realm("curriculum", "set", "--focus", "bin")
    assert answer.code == 3 and "realm run" in answer.err


def test_the_log_tells_decisions_with_their_reasons(realm: Realm, fresh: SaveFolder, played: SaveFolder) -> None:
    assert realm("curriculum", "log").out == ""
    with closing(open_save(played, write=True)) as conn:
        for step, kind, text, reason in (
            (1, "strategy", "bin 100 %", "the only skill in training"),
            (400, "attempt", "L1 won after 3 exams: effort 31.0 new, 0.0 kept (×0.00)", "nothing won was lost"),
        ):
            row = Decision(run_id=1, step=step, kind=kind, skill="bin", strategy="equal", decision=text, reason=reason,
                           at=at(step))  # fmt: skip
            decisions.add_decision(conn, row)
    assert [one["step"] for one in realm("curriculum", "log", "--json").lines] == [1, 400]
    assert realm("curriculum", "log", "--kind", "attempt").out.startswith(
        "step     400  attempt   L1 won after 3 exams"
    )


def test_peaks_are_asked_of_the_forms_that_won_them(realm: Realm, played: SaveFolder) -> None:
    assert realm("curriculum", "peaks", "chess").code == 2
    assert realm("curriculum", "peaks", "bin", "--level", "9").err == "level 9 of bin was not won\n"
    answer = realm("curriculum", "peaks", "bin")
    assert answer.code == 3 and "engine" in answer.err, "level 1 stands below its peak, and only an engine can ask"
