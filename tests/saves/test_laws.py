"""Every law of the world: a save that keeps it, and one that breaks it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configs.loader import load_hero
from configs.paths import SaveFolder
from lore.effects import effect_rules
from lore.laws import laws
from realm_tui.runtime import laws as checks
from realm_tui.runtime.game import read_game
from realm_tui.runtime.opened import opened
from saves.database import create_save, open_save
from tests.cli.story import write_story

Break = Callable[[sqlite3.Connection], object]


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    from configs import clock

    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_SAVE", raising=False)
    folder = SaveFolder.named("main")
    create_save(folder, load_hero("pip"), seed=7)
    with closing(open_save(folder, write=True)) as conn:
        write_story(conn, folder)
        # The story keeps its forms in the ledger only: names and the champion's folder are put right here.
        conn.execute("UPDATE checkpoints SET path = 'checkpoints/' || name")
        conn.execute("UPDATE champions SET export_path = NULL")
    yield folder
    clock.use()


def broken_laws(folder: SaveFolder, *how: str) -> set[str]:
    with closing(sqlite3.connect(folder.database)) as conn:
        conn.execute("PRAGMA ignore_check_constraints = ON")
        for statement in how:
            conn.execute(statement)
        conn.commit()
    with opened(folder) as save:
        return {breach.law for breach in checks.breaches(save, read_game(save))}


def test_every_law_has_something_that_looks_at_it() -> None:
    assert list(checks.CHECKS) == list(laws())


def test_a_save_that_was_played_keeps_every_law(played: SaveFolder) -> None:
    assert broken_laws(played) == set()


@pytest.mark.parametrize(
    ("law", "how"),
    [
        ("law-2", ("UPDATE step_windows SET strain_sum = -1 WHERE first_step = 51",)),
        ("law-3", ("UPDATE level_ups SET to_level = 5 WHERE to_level = 2",)),
        ("law-4", ("UPDATE exams SET skill = 'alchemy' WHERE level = 3",)),
        ("law-6", ("UPDATE runs SET environment_json = '{}'",)),
        ("law-7", ("UPDATE runs SET ended_at = started_at - 1",)),
        ("law-7", ("UPDATE quest_attempts SET ended_at = started_at - 1",)),
        ("law-7", ("UPDATE campaigns SET archived_at = created_at - 1",)),
        ("law-9", ("DROP INDEX one_checkpoint_per_step", "UPDATE checkpoints SET step = 900, deleted_at = NULL")),
        ("law-10", ("UPDATE exams SET weights = '' WHERE level = 3",)),
        ("law-11", ("UPDATE checkpoints SET deleted_at = 1 WHERE step = 900",)),
        ("law-12", ("UPDATE campaigns SET name = ' '",)),
        ("law-14", ("UPDATE quest_attempts SET ended_at = NULL",)),
    ],
)  # fmt: skip
def test_a_breach_is_told(played: SaveFolder, law: str, how: tuple[str, ...]) -> None:
    assert law in broken_laws(played, *how)


def test_law_8_two_active_campaigns(played: SaveFolder) -> None:
    """No save with two active campaigns can be opened for play, so the rows alone are looked at."""
    from saves.verify import check_facts

    with closing(open_save(played, write=True)) as conn:
        conn.execute("UPDATE campaigns SET status = 'archived'")
        assert "law-8" in {f.law for f in check_facts(conn)}


def test_law_1_a_region_that_the_map_does_not_know(played: SaveFolder) -> None:
    with opened(played) as save:
        game = read_game(save)
        game.part("world").regions.pop("novice_valley")
        game.part("world").regions.pop("inn")
        assert {b.law for b in checks.breaches(save, game)} == {"law-1"}


def test_law_5_an_effect_without_a_cure(played: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = dict(effect_rules())
    rules["confusion"] = rules["confusion"].model_copy(update={"cure": " "})
    monkeypatch.setattr(checks, "effect_rules", lambda: rules)
    assert broken_laws(played) == {"law-5"}
