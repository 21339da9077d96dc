"""Old facts become sums, and the sums tell the same game, also after a resume."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

import pytest

from configs.loader import load_game
from configs.schema import RetentionRules
from saves import exams, forged, ledger, retention, runs, steps
from saves.connection import SaveConnection
from saves.rows import Balance, read
from tests.saves import facts
from tests.saves.facts import CAMPAIGN

RULES = RetentionRules(
    exam_items_kept=2, backups=7, windows_kept=100, merge_factor=5, forged_kept=100, decisions_kept=100, log_mb=1.0
)  # fmt: skip


def _fold(save: SaveConnection) -> dict[str, Any]:
    """Everything of the game that is folded from facts which retention touches."""
    totals = steps.totals(save, CAMPAIGN)
    live, lifetime = asdict(totals.live), asdict(totals.lifetime)
    live.pop("windows"), lifetime.pop("windows")
    return {
        "live": live,
        "lifetime": lifetime,
        "forged": forged.forged_counts(save, CAMPAIGN),
        "exams": [(e.id, e.correct, e.results, e.operations, e.sequence) for e in exams.recent_exams(save, CAMPAIGN)],
    }


def _life(save: SaveConnection, seed: int) -> None:
    """A long life with crashes, checkpoints, drills, exams and quests."""
    rng = random.Random(seed)
    parent = None
    reached = 0
    for _ in range(4):
        run = facts.begin(save, parent=parent)
        reached = parent.step if parent else 0
        for _ in range(60):
            drill = forged.start_forged(save, run, "bin", {"seed": reached}, first_step=reached + 1)
            facts.train(
                save, run, reached + 1, reached + 40, size=10, floor=rng.choice([None, 0.5]), misses=rng.randrange(3),
                loss_sum=rng.randrange(64) / 8, strain_sum=rng.randrange(64) / 8, longest_streak=rng.randrange(99),
                loss_min=rng.choice([None, rng.randrange(64) / 8]), skill=rng.choice(["bin", None]),
            )  # fmt: skip
            reached += 40
            forged.finish_forged(save, drill, rng.choice(["completed", "skipped"]), last_step=reached)
            facts.exam(save, run, reached, correct=rng.choice([5, 7, 8]), items=8, level=rng.randrange(1, 3))
            if rng.random() < 0.2:
                facts.checkpoint(save, run, reached)
        runs.repair(save)
        parent = rng.choice(ledger.live_checkpoints(save, CAMPAIGN)[-3:])


@pytest.mark.parametrize("seed", range(3))
def test_the_game_is_the_same_before_and_after_pruning(save: SaveConnection, seed: int) -> None:
    _life(save, seed)
    before = _fold(save)
    done = retention.prune(save, CAMPAIGN, RULES)
    assert done.windows > 0 and done.exam_items > 0 and done.forged_quests > 0
    assert _fold(save) == before
    assert retention.prune(save, CAMPAIGN, RULES) == retention.Pruned()
    assert save.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("seed", range(3))
def test_a_resume_after_pruning_leaves_behind_exactly_what_it_would_have_without(
    save: SaveConnection, seed: int
) -> None:
    _life(save, seed)
    copy = SaveConnection(":memory:")
    save.backup(copy)
    retention.prune(save, CAMPAIGN, RULES)
    copy.isolation_level, copy.row_factory = None, save.row_factory
    for target in ledger.live_checkpoints(save, CAMPAIGN)[::-1]:
        for conn in (save, copy):
            facts.begin(conn, parent=target)
        assert _fold(save) == _fold(copy), f"resumed from step {target.step}"
        # Pruning again under the new bounds changes nothing either.
        retention.prune(save, CAMPAIGN, RULES)
        assert _fold(save) == _fold(copy)
    copy.close()


def test_a_year_of_history_stays_within_its_bound(save: SaveConnection) -> None:
    run = facts.begin(save)
    for day in range(20):
        facts.train(save, run, day * 2500 + 1, (day + 1) * 2500)
        facts.checkpoint(save, run, (day + 1) * 2500)
        if day > 2:
            for old in ledger.live_checkpoints(save, CAMPAIGN)[:-3]:
                ledger.mark_deleted(save, old.id)
        retention.prune(save, CAMPAIGN, RULES)
        assert len(steps.windows(save, CAMPAIGN)) <= RULES.windows_kept
    totals = steps.totals(save, CAMPAIGN).live
    assert (totals.steps, totals.strain_sum, totals.tokens) == (50_000, 25_000.0, 5_000_000)
    newest = steps.windows(save, CAMPAIGN, 20)
    assert all(w.steps == 50 for w in newest), "recent history keeps its grain"


def test_no_sum_crosses_a_checkpoint(save: SaveConnection) -> None:
    run = facts.begin(save)
    facts.train(save, run, 1, 30_000)
    for step in (500, 7_300, 7_350):
        facts.checkpoint(save, run, step)
    retention.prune(save, CAMPAIGN, RULES)
    ends = {w.last_step for w in steps.windows(save, CAMPAIGN)}
    assert {500, 7_300, 7_350} <= ends


def test_merging_keeps_where_the_seconds_went_and_what_is_unknown_stays_unknown(save: SaveConnection) -> None:
    run = facts.begin(save)
    facts.train(save, run, 1, 5_000)
    facts.checkpoint(save, run, 5_000)
    facts.train(save, run, 5_001, 10_000, data_s=5.0, compute_s=30.0, update_s=10.0)
    assert retention.prune(save, CAMPAIGN, RULES).windows > 0
    old, new = ([w for w in steps.windows(save, CAMPAIGN) if (w.last_step > 5_000) is later] for later in (False, True))
    assert {(w.data_s, w.compute_s, w.forward_s, w.update_s) for w in old} == {(None,) * 4}
    assert sum(w.data_s or 0.0 for w in new) == 500.0 and sum(w.compute_s or 0.0 for w in new) == 3_000.0
    assert {w.forward_s for w in new} == {None}
    assert all((w.data_s or 0.0) + (w.compute_s or 0.0) + (w.update_s or 0.0) <= w.active_s for w in new)


def test_failed_winning_and_recent_exams_keep_their_items(save: SaveConnection) -> None:
    run = facts.begin(save)
    good = [facts.exam(save, run, 25 * i, correct=8, items=8) for i in range(1, 7)]
    failed = facts.exam(save, run, 175, correct=6, items=8)
    screened = facts.exam(save, run, 180, correct=6, items=8, kind="screen")
    exams.mark_won(save, good[:1])
    later = [facts.exam(save, run, 200 + i, correct=8, items=8) for i in range(2)]
    dropped = retention.drop_items(save, CAMPAIGN, 2)
    whole = {i for i in (*good, failed, screened, *later) if exams.exam_items(save, i)}
    assert whole == {good[0], failed, *later}
    assert dropped == 8 * 6
    counted = exams.exam(save, good[3])
    assert counted is not None and counted.sequence == "CCCCCCCC" and counted.results == {"crit": 8, "miss": 0}


def test_balances_grow_with_the_checkpoints_kept_not_with_time(save: SaveConnection) -> None:
    run = facts.begin(save)
    for drill in range(600):
        number = forged.start_forged(save, run, "bin", {}, first_step=200 * drill + 1)
        forged.finish_forged(save, number, "completed", last_step=200 * (drill + 1))
        retention.fold_forged(save, CAMPAIGN, kept=100)
    rows = [read(Balance, r) for r in save.execute("SELECT * FROM balances").fetchall()]
    assert len(rows) == 1 and rows[0].first_step == 1
    assert forged.forged_counts(save, CAMPAIGN) == {"bin": {"completed": 600}}


def test_the_shipped_rules_are_what_prune_takes(save: SaveConnection) -> None:
    assert retention.prune(save, CAMPAIGN, load_game().retention) == retention.Pruned()
