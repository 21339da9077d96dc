"""The game is a fold over the save's facts: the same facts give the same game, in one go, bit by bit, and after pruning."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs.loader import load_game
from configs.paths import SaveFolder
from configs.schema import RetentionRules
from lore.combat import combat
from lore.fold import Game
from lore.progress import ProgressPart
from realm_tui.runtime.game import GameReader, annals_of, read_game
from realm_tui.runtime.opened import OpenedSave, ensure_save, opened
from saves import retention
from saves.connection import transaction
from saves.database import open_save
from saves.exams import mark_won, recent_exams
from saves.rows import LevelUp, insert
from saves.runs import go_back
from saves.stream import settled_step
from tests.saves import facts
from tests.saves.facts import CAMPAIGN

TIGHT = RetentionRules(
    exam_items_kept=1, backups=1, windows_kept=100, merge_factor=5, forged_kept=100, decisions_kept=100, log_mb=1.0
)


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SaveFolder:
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    folder = SaveFolder.named("main")
    ensure_save(folder, seed=1)
    return folder


def live(conn: Any, run: int, first: int, last: int, *, size: int = 10) -> None:
    """Steps with an exam every 50 of them, of which more and more answers are right, and a checkpoint every 200."""
    for start in range(first, last + 1, 50):
        facts.train(conn, run, start, start + 49, size)
        step = start + 49
        facts.exam(conn, run, step, correct=min(64, 20 + step // 20))
        if step % 200 == 0:
            facts.checkpoint(conn, run, step)


def plain(game: Game) -> Any:
    """Everything of a game that can be compared."""
    return game.step, {name: repr(state) for name, state in game.states.items()}, game.happenings, game.counts


def game_of(folder: SaveFolder, reader: GameReader | None = None) -> Game:
    with opened(folder) as found:
        return (reader or GameReader(keep=False)).read(found)


def test_what_is_folded_is_what_the_rows_add_up_to(save: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realm_tui.runtime.game.parts", lambda profile=None: (ProgressPart(),))
    with closing(open_save(save, write=True)) as conn:
        live(conn, facts.begin(conn), 1, 1000)
        rows = recent_exams(conn, CAMPAIGN)
    with opened(save) as found:
        game = read_game(found)
        progress = game.part("progress")
        assert (game.step, progress.steps, progress.exams, progress.checkpoints) == (1000, 1000, 20, 5)
        assert progress.effort == pytest.approx(500.0) and progress.zones == {"stretch": 1000}
        (mine,), theirs = progress.disciplines.values(), combat(rows, {"bin": 1.2})["bin"]
        assert (mine.xp, mine.answers, mine.correct, mine.streak, mine.best_streak, mine.crits) == (
            theirs.xp, theirs.answers, theirs.correct, theirs.streak, theirs.best_streak, theirs.crits,
        )  # fmt: skip
        assert [m.rank for m in progress.marks] == list(range(2, mine.rank + 1)) and mine.rank >= 2
        assert game.counts == {"hero.rank_up": mine.rank - 1}


def test_bit_by_bit_and_in_one_go(save: SaveFolder) -> None:
    reader = GameReader()
    with closing(open_save(save, write=True)) as conn:
        run = facts.begin(conn)
        for first in range(1, 1400, 50):
            live(conn, run, first, first + 49)
            bit_by_bit = game_of(save, reader)
            assert plain(bit_by_bit) == plain(game_of(save))
    cache = save.game_cache(CAMPAIGN)
    assert json.loads(cache.read_text())["step"] == 1200, "folded for good up to the checkpoint before the newest"
    assert plain(game_of(save, GameReader())) == plain(bit_by_bit), "another face goes on from the cache"
    cache.unlink()
    assert plain(game_of(save, GameReader())) == plain(bit_by_bit)


def test_a_level_won_is_put_on_top_of_the_exams_that_won_it(save: SaveFolder) -> None:
    reader = GameReader()
    with closing(open_save(save, write=True)) as conn:
        run = facts.begin(conn)
        live(conn, run, 1, 650)
        assert game_of(save, reader).part("progress").transitions == []
        won = [exam.id for exam in recent_exams(conn, CAMPAIGN, limit=3)]
        mark_won(conn, won)
        form = _checkpoints(conn)[0]
        with transaction(conn):
            insert(conn, LevelUp(
                run_id=run, step=650, skill="bin", from_level=0, to_level=1, exam_ids=tuple(won), steps=650, effort=100.0,
                start_loss=1.2, end_loss=0.2, checkpoint_id=form.id, at=650.0,
            ))  # fmt: skip
        on_top = game_of(save, reader)
        assert [t.to_level for t in on_top.part("progress").transitions] == [1]
        assert plain(on_top) == plain(game_of(save))
        live(conn, run, 651, 900)
        assert plain(game_of(save, reader)) == plain(game_of(save))


def test_how_many_rows_are_read_at_once_does_not_show(save: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_save(save, write=True)) as conn:
        live(conn, facts.begin(conn), 1, 700)
    whole = plain(game_of(save))
    for rows in (1, 3, 7):
        monkeypatch.setattr("saves.stream._AT_ONCE", rows)
        assert plain(game_of(save)) == whole


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 99, "fingerprint": ""}'])
def test_a_damaged_cache_costs_nothing_but_folding_anew(save: SaveFolder, damage: str) -> None:
    with closing(open_save(save, write=True)) as conn:
        live(conn, facts.begin(conn), 1, 600)
    whole = game_of(save, GameReader())
    save.game_cache(CAMPAIGN).write_text(damage)
    assert plain(game_of(save, GameReader())) == plain(whole)


def test_what_a_resume_left_behind_is_no_part_of_the_game(save: SaveFolder) -> None:
    reader = GameReader()
    with closing(open_save(save, write=True)) as conn:
        first = facts.begin(conn)
        live(conn, first, 1, 1000)
        before = game_of(save, reader)
        back = next(c for c in _checkpoints(conn) if c.step == 400)
        go_back(conn, back, pid=1)
        again = game_of(save, reader)
        assert again.step == 400 and again.part("progress").steps == 400
        assert again.part("progress").disciplines["bin"].xp < before.part("progress").disciplines["bin"].xp
        second = facts.begin(conn, parent=back)
        assert second > first
        live(conn, second, 401, 1000)
        assert plain(game_of(save, reader)) == plain(game_of(save))
        assert game_of(save, reader).part("progress").steps == 1000


def test_pruning_leaves_the_game_as_it_was(save: SaveFolder) -> None:
    reader = GameReader()
    with closing(open_save(save, write=True)) as conn:
        live(conn, facts.begin(conn), 1, 3000)
        before = plain(game_of(save, reader))
        windows = conn.execute("SELECT count(*) FROM step_windows").fetchone()[0]
        gone = retention.prune(conn, CAMPAIGN, TIGHT)
        assert gone.windows > 0 and gone.exam_items > 0
        assert conn.execute("SELECT count(*) FROM step_windows").fetchone()[0] < windows
        save.game_cache(CAMPAIGN).unlink()
    after = game_of(save)
    assert _rounded(plain(after)) == _rounded(before)
    assert _rounded(plain(game_of(save, reader))) == _rounded(before), "what was folded before goes on, too"


def test_another_rule_is_another_game(save: SaveFolder) -> None:
    with closing(open_save(save, write=True)) as conn:
        live(conn, facts.begin(conn), 1, 600)
    reader = GameReader()
    with opened(save) as found:
        one = reader.read(found)
        other = OpenedSave(
            found.folder, found.conn, found.campaign, found.hero, load_game({"exams": {"pass_share": 0.9}})
        )
        cached = json.loads(save.game_cache(CAMPAIGN).read_text())["fingerprint"]
        assert plain(reader.read(other)) == plain(one), "this rule changes nothing that was folded"
        assert json.loads(save.game_cache(CAMPAIGN).read_text())["fingerprint"] != cached, "but it might have"


def test_an_exam_of_another_form_or_of_the_players_asking_pays_nothing(save: SaveFolder) -> None:
    with closing(open_save(save, write=True)) as conn:
        run = facts.begin(conn)
        live(conn, run, 1, 400)
        paid = game_of(save).part("progress").disciplines["bin"].xp
        form = facts.checkpoint(conn, run, 350)
        facts.exam(conn, run, 400, kind="asked")
        facts.exam(conn, run, 350, kind="gate", checkpoint_id=form.id, weights=form.digest)
    assert game_of(save).part("progress").disciplines["bin"].xp == paid


def test_a_new_save_has_a_game_without_anything_in_it(save: SaveFolder) -> None:
    with opened(save) as found:
        assert settled_step(found.conn, CAMPAIGN) == -1
        game, annals = GameReader().read(found), annals_of(found)
    assert game.step == 0 and game.happenings == () and game.part("progress").disciplines == {}
    assert annals.campaign.id == CAMPAIGN and annals.runs == ()
    assert not save.game_cache(CAMPAIGN).exists()


def _checkpoints(conn: Any) -> list[Any]:
    from saves.ledger import live_checkpoints

    return live_checkpoints(conn, CAMPAIGN)


def _rounded(value: Any) -> Any:
    """Sums of fractions differ in their last digit by the order in which they were added."""
    step, states, happenings, counts = value
    return step, {n: _near(s) for n, s in states.items()}, [replace(h, source="") for h in happenings], counts


def _near(text: str) -> str:
    import re

    return re.sub(r"\d+\.\d+", lambda m: f"{float(m[0]):.6f}", text)


def test_nothing_is_folded_again_while_nobody_writes(save: SaveFolder) -> None:
    reader = GameReader()
    with closing(open_save(save, write=True)) as conn:
        run = facts.begin(conn)
        live(conn, run, 1, 600)
        with opened(save) as found:
            one = reader.read(found)
            assert reader.read(found) is one
            steps = one.part("progress").steps
            live(conn, run, 601, 650)
            two = reader.read(found)
            assert (two.part("progress").steps, one.part("progress").steps) == (650, steps), "a game never changes"


def test_a_fact_that_comes_late_stands_where_it_belongs(save: SaveFolder) -> None:
    reader = GameReader()
    with closing(open_save(save, write=True)) as conn:
        run = facts.begin(conn)
        live(conn, run, 1, 500)
        game_of(save, reader)
        facts.exam(conn, run, 480, correct=60)
        assert plain(game_of(save, reader)) == plain(game_of(save))
        live(conn, run, 501, 550)
        retention.prune(conn, CAMPAIGN, TIGHT)
        live(conn, run, 551, 700)
        assert _rounded(plain(game_of(save, reader))) == _rounded(plain(game_of(save)))
