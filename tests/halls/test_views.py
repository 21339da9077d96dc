"""What the halls show is what the save says, and what cannot be known is said to be unknown."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from configs import clock
from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from realm_tui.app.drawing import Look
from realm_tui.app.widgets.guild import levels_rows
from realm_tui.runtime import board
from realm_tui.runtime.board_view import board_view, peek
from realm_tui.runtime.forge_view import forge_view, judge, proposals, sample_problems
from realm_tui.runtime.guild_view import AHEAD_STEPS, guild_view
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.papers_view import MOST, papers_view
from realm_tui.runtime.standing import standing
from saves import quests
from saves.database import open_save
from saves.exams import latest_exam
from saves.quests import add_quest, next_quest
from tests.cli.story import NOW
from tests.halls.town import lay_quest_files
from tests.saves import facts


def chats(path: Path, count: int) -> Path:
    path.write_text(
        "".join(
            json.dumps(
                {
                    "messages": [
                        {"role": "user", "content": f"say {i}"},
                        {"role": "assistant", "content": "word " * 3 + str(i)},
                    ]
                }
            )
            + "\n"
            for i in range(count)
        )
    )
    return path


# ---------------------------------------------------------------- the board


def test_the_board_says_what_waits_and_what_it_will_take(folder: SaveFolder, tmp_path: Path) -> None:
    board.add(folder, chats(tmp_path / "mine.jsonl", 40), priority="high", epochs=3)
    with opened(folder) as save:
        view = board_view(save)
        room = save.hero.training.batch_size * save.hero.training.accumulation
    by_name = {q.quest.name: q for q in view.quests}
    assert (by_name["mine"].place, by_name["later"].place, by_name["chats"].place) == (1, 2, None)
    assert by_name["mine"].steps == 3 * -(-40 // room)
    assert not by_name["mine"].planned
    assert view.steps_per_s == pytest.approx(1.0, rel=0.05)
    assert by_name["mine"].seconds == pytest.approx(by_name["mine"].steps, rel=0.05)
    assert (by_name["chats"].planned, by_name["chats"].done, by_name["chats"].seconds) == (True, 100, None)


def test_the_estimate_is_what_the_engine_plans(folder: SaveFolder, tmp_path: Path) -> None:
    from engine.quests.plan import QuestRecipe, plan_quest

    added = board.add(folder, chats(tmp_path / "mine.jsonl", 200))
    with opened(folder) as save:
        training = save.hero.training
        estimate = next(q.steps for q in board_view(save).quests if q.quest.id == added.id)
    lengths = (round(added.counts["tokens"] / 200),) * 200
    recipe = QuestRecipe(
        digest=added.digest,
        lengths=lengths,
        epochs=1,
        step_examples=training.batch_size * training.accumulation,
        step_tokens=training.batch_tokens * training.accumulation,
        replay_share=0.2,
    )
    assert estimate is not None
    assert abs(estimate - len(plan_quest(recipe, 1).steps)) <= 1


def test_a_story_tells_every_try_and_whose_failures_a_sparring_quest_holds(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        form = conn.execute("SELECT id, name FROM checkpoints ORDER BY step LIMIT 1").fetchone()
        clock.use(lambda: NOW)
        number = quests.add_quest(
            conn, name="bout", file="bout.jsonl", digest="aa", format="messages", counts={"examples": 6},
            source="sparring", origin="sparring", checkpoint_id=form["id"], asked_step=400,
        )  # fmt: skip
    with opened(folder) as save:
        story = board_view(save, chosen=number).story
        told = board_view(save, chosen=1).story
    assert story is not None
    assert story.form == form["name"]
    assert "beyond" in (story.stale or "")
    assert told is not None
    assert [a.state for a in told.attempts] == ["completed"]


def test_examples_come_from_all_over_the_file(folder: SaveFolder, tmp_path: Path) -> None:
    added = board.add(folder, chats(tmp_path / "mine.jsonl", 101))
    shown = peek(folder, added, 5)
    assert [one.line for one in shown] == [1, 26, 51, 76, 101]
    assert shown[1].turns == (("user", "say 25"), ("assistant", "word word word 25"))
    (folder.quests / added.file).unlink()
    with pytest.raises(RealmError) as caught:
        peek(folder, added)
    assert caught.value.code == "QUEST_FILE_GONE"


def test_a_quest_moves_in_the_queue_and_one_that_ended_does_not(folder: SaveFolder) -> None:
    assert board.prioritise(folder, "later", "high").priority == "high"
    with pytest.raises(BlockedError) as caught:
        board.prioritise(folder, "chats", "low")
    assert caught.value.code == "QUEST_ENDED"
    with pytest.raises(UsageError):
        board.prioritise(folder, "later", "soon")


def waiting(folder: SaveFolder) -> list[str]:
    with opened(folder) as save:
        view = board_view(save)
    return [q.quest.name for q in sorted(view.quests, key=lambda q: q.place or 0) if q.place is not None]


def test_a_quest_moves_among_those_of_its_priority_and_the_engine_takes_them_so(
    folder: SaveFolder, tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        board.add(folder, chats(tmp_path / f"{name}.jsonl", 9))
    board.prioritise(folder, "later", "low")
    first = waiting(folder)
    assert first[-1] == "later" and first[-4:-1] == ["one", "two", "three"]
    moved = board.move(folder, "three", -1)
    assert moved is not None and moved[1].name == "two"
    board.move_before(folder, "three", "one")
    assert waiting(folder)[-4:-1] == ["three", "one", "two"]
    assert board.move(folder, "three", 1) is not None
    assert waiting(folder)[-4:-1] == ["one", "three", "two"]
    assert board.move(folder, "later", -1) is None
    with pytest.raises(UsageError):
        board.move_before(folder, "later", "one")
    for name in waiting(folder)[:-4]:
        board.remove(folder, name)
    with opened(folder) as save:
        taken = next_quest(save.conn)
    assert taken is not None and taken.name == "one"


def test_failures_from_sparring_go_before_what_waits_with_the_same_priority(folder: SaveFolder) -> None:
    board.prioritise(folder, "later", "normal")
    with opened(folder, write=True) as save:
        add_quest(
            save.conn, name="failures", file="f.jsonl", digest="d", format="messages", priority="normal",
            counts={"examples": 4}, source="sparring", origin="sparring", asked_step=1,
        )  # fmt: skip
    names = waiting(folder)
    assert names.index("failures") < names.index("later")


def test_a_quest_that_ended_is_taken_again_and_its_history_stays(folder: SaveFolder) -> None:
    lay_quest_files(folder)
    made = board.again(folder, "chats")
    assert (made.name, made.state, made.priority, made.failures) == ("chats-again", "queued", "high", 0)
    with opened(folder) as save:
        view = board_view(save, removed=True)
        assert {q.quest.name: q.quest.state for q in view.quests} == {
            "chats": "removed", "chats-again": "queued", "later": "queued",
        }  # fmt: skip
        assert quests.completed_quests(save.conn) == 1
    with pytest.raises(BlockedError) as caught:
        board.again(folder, "later")
    assert caught.value.code == "QUEST_WAITS"


def test_a_quest_that_failed_for_good_is_tried_again(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        number = quests.quest(conn, "later").id
        for _ in range(3):
            tried = quests.start_attempt(conn, number, 1, first_step=1200)
            quests.finish_attempt(conn, tried, "failed", last_step=1200, reason="the mask is wrong")
        assert quests.next_quest(conn) is None
    lay_quest_files(folder)
    made = board.again(folder, "later")
    with closing(open_save(folder, write=False)) as conn:
        waiting = quests.next_quest(conn)
        assert waiting is not None
        assert waiting.id == made.id


# ---------------------------------------------------------------- skills


def test_levels_are_held_lost_or_only_won(save: OpenedSave) -> None:
    (skill,) = guild_view(save).skills
    assert (skill.won, skill.held, skill.lost, skill.training) == (2, 1, (1,), 3)
    assert [one.state for one in skill.levels[:4]] == ["lost", "won", "training", "ahead"]
    first, second, third = skill.levels[:3]
    assert first.peak is not None
    assert (first.won_step, first.peak, first.now) == (400, (180, 192), (50, 80))
    assert (second.now, second.screened_step) == (None, None)
    assert (third.peak, third.now) == (None, (104, 128))
    assert (skill.streak, skill.streak_needed) == (0, 3)


def test_a_level_whose_exams_are_passed_says_what_still_holds_it_back(folder: SaveFolder) -> None:
    asked = {"add": {"correct": 12, "items": 30}, "xor": {"correct": 30, "items": 30}, "or": {"correct": 0, "items": 1}}
    with closing(open_save(folder, write=True)) as conn:
        for step in (1210, 1220, 1230):
            facts.exam(conn, 1, step, correct=60, level=3, at=NOW, operations=asked)
    with opened(folder) as save:
        (skill,) = guild_view(save).skills
        told = standing(save)["bin"]
    assert (skill.streak, skill.held_back, told.held_back) == (3, ("add",), ("add",))
    rows = "\n".join("".join(text for text, _ in row) for row in levels_rows(skill, Look(), 60))
    assert "passed, but held back: add below 0.50" in rows


def test_the_course_has_a_reason_and_shares_all_steps(save: OpenedSave) -> None:
    view = guild_view(save)
    assert view.course.decision.reason
    assert sum(view.turns.values()) == AHEAD_STEPS
    assert (view.budget.won, view.budget.lost) == (2, 1)


# ---------------------------------------------------------------- exams


def test_every_exam_is_listed_and_the_chosen_one_has_its_items(save: OpenedSave) -> None:
    view = papers_view(save)
    assert [one.step for one in view.lines] == [1200, 1150, 900, 850, 800, 400, 350, 300]
    assert view.paper is not None
    assert (view.paper.exam.step, len(view.paper.items)) == (1200, 64)
    assert sum(item.correct for item in view.paper.items) == 51
    older = papers_view(save, chosen=view.lines[3].id).paper
    assert older is not None
    assert older.exam.step == 850
    assert papers_view(save, "asked").lines == ()
    assert len(papers_view(save, "gate").lines) == 8
    assert view.complete
    assert view.measured_share == pytest.approx(8 * 1.5 / 1250, rel=0.01)


def test_the_list_stays_short_and_quick_to_paint_however_many_exams_there_are(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        newest = latest_exam(conn, facts.CAMPAIGN)
        assert newest is not None
        conn.execute("BEGIN")
        for _ in range(MOST):
            conn.execute(
                """INSERT INTO exams (run_id, step, skill, level, mix, kind, first_index, items, correct, operations_json,
                       results_json, sequence, weights, duration_s, at) VALUES (1, 1201, 'bin', 3, 'hatchling', 'quick',
                       0, 64, 50, '{}', '{}', '', 'ema', 1.0, ?)""",
                (NOW,),
            )
        conn.execute("COMMIT")
    with opened(folder) as save:
        view = papers_view(save)
    assert (len(view.lines), view.complete) == (MOST, False)


# ---------------------------------------------------------------- the forge


def test_a_weak_primitive_comes_first_and_has_its_drill(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        facts.exam(
            conn, 1, 1240, correct=40, level=3, at=NOW,
            primitives={"binary_add_with_carry": {"correct": 6, "items": 40}, "bitwise_and": {"correct": 60, "items": 60}},
        )  # fmt: skip
    with opened(folder) as save:
        view = forge_view(save)
        weak = guild_view(save).primitives
    assert (
        [one.standing.primitive for one in view.drills]
        == [one.primitive for one in weak]
        == ["binary_add_with_carry", "bitwise_and"]
    )
    assert (view.suggested, view.drills[0].standing.weak) == ("binary_add_with_carry", True)
    assert view.drills[0].drill is not None
    assert view.drills[0].drill.skill == "bin"
    assert "carry" in view.reason


def test_a_forge_without_anything_is_empty_and_says_nothing_made_up(save: OpenedSave) -> None:
    view = forge_view(save)
    assert (view.drills, view.suggested, view.rounds, view.latest, view.proposals) == ((), None, (), None, ())


@pytest.fixture
def forged(folder: SaveFolder, tmp_path: Path) -> str:
    """A skill that the Skill Forge proposed from sums."""
    from skills.forge.proposal import propose

    source = tmp_path / "sums.jsonl"
    pairs = [(a, b) for a in range(2, 32) for b in range(3, 13)]
    source.write_text(
        "".join(json.dumps({"question": f"What is {a} plus {b}?", "answer": str(a + b)}) + "\n" for a, b in pairs)
    )
    return propose(source, "sums", levels=3).declared.id


def test_a_forged_skill_waits_for_a_person_and_shows_its_problems(forged: str) -> None:
    (one,) = proposals()
    assert (one.id, one.state, one.levels, one.doubts) == (forged, "proposed", 3, ())
    found = sample_problems(forged)
    assert {level for level, _, _ in found} == {1, 2, 3}
    assert all("plus" in prompt and answer.isdigit() for _, prompt, answer in found)
    assert "accepted" in judge(forged, accept=True)
    assert proposals()[0].state == "accepted"
    judge(forged, accept=False)
    assert proposals()[0].state == "rejected"


def test_a_broken_skill_is_named_and_hides_no_other(folder: SaveFolder, forged: str) -> None:
    from configs.declared import own_skills_dir

    (own_skills_dir() / "torn.yaml").write_text("id: torn\nname: 7\n")
    assert [(one.id, one.state) for one in proposals()] == [(forged, "proposed"), ("torn", "broken")]
    assert "torn" in proposals()[1].trouble
