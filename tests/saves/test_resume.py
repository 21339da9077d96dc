"""Resuming from a checkpoint: what lies beyond it stays written, but no longer counts."""

from __future__ import annotations

from typing import Any

from saves import exams, forged, journal, ledger, quests, runs, steps
from saves.connection import SaveConnection
from saves.rows import Hold, LevelUp
from tests.saves import facts
from tests.saves.facts import CAMPAIGN


def _board(save: SaveConnection, name: str = "tales", **changes: Any) -> int:
    values: dict[str, Any] = {
        "name": name, "file": f"{name}.jsonl", "digest": "d" * 64, "format": "messages", "counts": {"examples": 9},
        "source": "board",
    }  # fmt: skip
    return quests.add_quest(save, **(values | changes))


def _level_up(save: SaveConnection, run: int, step: int, level: int, won_by: tuple[int, ...] = ()) -> None:
    form = facts.checkpoint(save, run, step, reasons=("level_up",))
    exams.add_level_up(
        save,
        LevelUp(
            run_id=run, step=step, skill="bin", from_level=level - 1, to_level=level, exam_ids=won_by, steps=100,
            effort=9.5, start_loss=2.0, end_loss=0.5, checkpoint_id=form.id, at=1000.0 + step,
        ),
    )  # fmt: skip


def test_facts_beyond_the_checkpoint_are_left_behind_but_stay_in_the_lifetime(save: SaveConnection) -> None:
    first = facts.begin(save)
    facts.train(save, first, 1, 100)
    _level_up(save, first, 100, 1, (facts.exam(save, first, 75), facts.exam(save, first, 100)))
    facts.train(save, first, 101, 250)
    _level_up(save, first, 200, 2)
    facts.exam(save, first, 225, level=3)
    assert exams.mastered_level(save, CAMPAIGN, "bin") == 2

    anchor = ledger.live_checkpoints(save, CAMPAIGN)[0]
    runs.repair(save)
    second = facts.begin(save, parent=anchor)
    assert runs.run(save, first).superseded_after == 100 and runs.run(save, first).end_reason == "crashed"
    assert exams.mastered_level(save, CAMPAIGN, "bin") == 1
    assert [e.step for e in exams.recent_exams(save, CAMPAIGN)] == [100, 75]
    assert [c.step for c in ledger.live_checkpoints(save, CAMPAIGN)] == [100]
    assert [c.step for c in ledger.kept_checkpoints(save)] == [100, 200], "the disk still knows the other"

    facts.train(save, second, 101, 150)
    sums = steps.totals(save, CAMPAIGN)
    assert (sums.live.steps, sums.live.last_step) == (150, 150)
    assert (sums.lifetime.steps, sums.lifetime.strain_sum) == (300, 150.0)
    assert [(w.run_id, w.first_step) for w in steps.windows(save, CAMPAIGN, 2)] == [(first, 51), (second, 101)]


def test_going_further_back_leaves_every_later_run_behind(save: SaveConnection) -> None:
    first = facts.begin(save)
    facts.train(save, first, 1, 100)
    early, late = facts.checkpoint(save, first, 50), facts.checkpoint(save, first, 100)
    second = facts.begin(save, parent=late)
    facts.train(save, second, 101, 200)
    latest = facts.checkpoint(save, second, 200)
    third = facts.begin(save, parent=early)
    facts.train(save, third, 51, 60)
    bounds = [r.superseded_after for r in runs.runs(save, CAMPAIGN)]
    assert bounds == [50, 50, None]
    assert steps.totals(save, CAMPAIGN).live.steps == 60
    newest = ledger.newest_checkpoint(save, CAMPAIGN)
    assert newest is not None and newest.id == early.id and latest.step == 200

    # From a later checkpoint on, an earlier bound stays where it is.
    facts.begin(save, parent=facts.checkpoint(save, third, 60))
    assert [r.superseded_after for r in runs.runs(save, CAMPAIGN)] == [50, 50, 60, None]


def test_a_quest_is_neither_lost_nor_counted_twice(save: SaveConnection) -> None:
    number = _board(save)
    run = facts.begin(save)
    attempt = quests.start_attempt(save, number, run, first_step=1, steps_total=100, loss_before=2.5)
    assert quests.quest(save, number).state == "processing" and quests.next_quest(save) is None
    quests.update_attempt(save, attempt, examples_done=40, tokens={"trained": 400})
    facts.train(save, run, 1, 50)
    anchor = facts.checkpoint(save, run, 50)
    # Completed, but killed before the checkpoint that would have made it final.
    quests.finish_attempt(save, attempt, "completed", last_step=100, loss_after=1.5)
    assert quests.completed_quests(save) == 1

    runs.repair(save)
    again = facts.begin(save, parent=anchor)
    found = quests.next_quest(save)
    assert found is not None and found.id == number and found.state == "queued"
    assert quests.completed_quests(save) == 0
    assert (found.loss_before, found.examples_done, found.tokens) == (2.5, 40, {"trained": 400})

    second = quests.start_attempt(save, number, again, first_step=51, continues_id=attempt, examples_done=20)
    quests.finish_attempt(save, second, "completed", last_step=100, loss_after=1.4, examples_done=80)
    facts.checkpoint(save, again, 100)
    assert quests.next_quest(save) is None and quests.completed_quests(save) == 1
    assert quests.quest(save, "tales").loss_after == 1.4
    assert [a.state for a in quests.attempts(save, number)] == ["completed", "completed"]
    # A removed quest keeps its place in the count.
    quests.remove_quest(save, number)
    assert quests.quests(save) == [] and quests.completed_quests(save) == 1


def test_an_attempt_begun_after_the_checkpoint_is_gone_with_its_run(save: SaveConnection) -> None:
    number = _board(save)
    run = facts.begin(save)
    anchor = facts.checkpoint(save, run, 50)
    quests.finish_attempt(
        save, quests.start_attempt(save, number, run, first_step=51), "failed", last_step=60, reason="x"
    )
    assert quests.quest(save, number).failures == 1
    facts.begin(save, parent=anchor)
    found = quests.quest(save, number)
    assert (found.state, found.failures, found.attempt_id) == ("queued", 0, None)


def test_quests_are_taken_high_to_low_then_oldest_first(save: SaveConnection) -> None:
    run = facts.begin(save)
    for name, priority in (("a", "low"), ("b", "normal"), ("c", "high"), ("d", "normal"), ("e", "high")):
        _board(save, name, priority=priority)
    taken = []
    while (quest := quests.next_quest(save)) is not None:
        taken.append(quest.name)
        attempt = quests.start_attempt(save, quest.id, run, first_step=1)
        quests.finish_attempt(save, attempt, "skipped" if quest.name == "b" else "completed", last_step=2)
    assert taken == ["c", "e", "b", "d", "a"]


def test_a_quest_that_keeps_failing_is_given_up(save: SaveConnection) -> None:
    run, number = facts.begin(save), _board(save)
    for tries in range(3):
        found = quests.next_quest(save, max_failures=3)
        assert found is not None and found.failures == tries
        attempt = quests.start_attempt(save, number, run, first_step=tries + 1)
        quests.finish_attempt(save, attempt, "failed", last_step=tries + 1, reason="nothing to learn")
    assert quests.next_quest(save, max_failures=3) is None and quests.quest(save, number).state == "failed"


def test_repair_closes_what_a_dead_engine_left(save: SaveConnection) -> None:
    number, run = _board(save), facts.begin(save)
    quests.start_attempt(save, number, run, first_step=1)
    forged.start_forged(save, run, "bin", {"seed": 1}, first_step=1)
    facts.train(save, run, 1, 50)
    facts.exam(save, run, 75)
    assert runs.repair(save) == [run] and runs.repair(save) == []
    closed = runs.run(save, run)
    assert (closed.end_reason, closed.last_step, closed.ended_at) == ("crashed", 75, 1075.0)
    assert quests.quest(save, number).state == "queued"
    assert [a.state for a in quests.attempts(save, number)] == ["interrupted"]
    assert forged.forged_counts(save, CAMPAIGN) == {"bin": {"interrupted": 1}}


def test_the_newest_live_screening_says_what_is_held(save: SaveConnection) -> None:
    run = facts.begin(save)
    for level in (1, 2):
        _level_up(save, run, 10 * level, level)
    anchor = ledger.newest_checkpoint(save, CAMPAIGN)

    def screen(step: int, level: int, lost: bool) -> None:
        exams.add_hold(
            save, Hold(run_id=run, step=step, skill="bin", level=level, items=16, correct=9, lost=lost, at=1.0)
        )

    screen(15, 1, False)
    screen(30, 1, True)
    screen(30, 2, False)
    assert exams.lost_levels(save, CAMPAIGN, "bin") == [1]
    facts.begin(save, parent=anchor)
    assert exams.lost_levels(save, CAMPAIGN, "bin") == []


def test_a_resumed_run_takes_in_what_came_from_outside_at_the_same_steps(save: SaveConnection) -> None:
    run = facts.begin(save)
    applied = journal.add(save, run, 50, "set", {"priority": "high"}, changes_training=True, command_id="c" * 36)
    anchor = facts.checkpoint(save, run, 50)
    late = journal.add(save, run, 50, "skip", {}, changes_training=True)
    journal.add(save, run, 55, "pause", {}, changes_training=False)
    far = journal.add(save, run, 80, "set", {"effort": 2}, changes_training=True)

    second = facts.begin(save, parent=anchor)
    again = journal.replayable(save, CAMPAIGN, 50, applied.seq)
    assert [(e.step, e.verb) for e in again] == [(50, "skip"), (80, "set")]
    # A new command before the crash of the second run comes in between when the third resumes.
    new = journal.add(save, second, 60, "exam", {"level": 3}, changes_training=True)
    assert journal.replayable(save, CAMPAIGN, 50, applied.seq) == [late, new, far]
    assert journal.replayable(save, CAMPAIGN, 60, new.seq) == [far]


def test_a_command_sent_twice_is_one_entry(save: SaveConnection) -> None:
    run = facts.begin(save)
    first = journal.add(save, run, 5, "skip", {}, changes_training=True, command_id="same-command")
    journal.set_result(save, first.seq, {"skipped": "tales"})
    again = journal.add(save, run, 9, "skip", {}, changes_training=True, command_id="same-command")
    assert (again.seq, again.step, again.result) == (first.seq, 5, {"skipped": "tales"})
    assert len(journal.recent(save, CAMPAIGN)) == 1
