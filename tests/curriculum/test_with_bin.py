"""The gate on the real skill: small levels, real pools, real chance levels."""

from __future__ import annotations

from configs.loader import load_game
from engine.curriculum.gate import ExamPlan, Screening, Verdict, judge, plan_exam, record_gate, record_screen, settle
from engine.curriculum.sampling import draw
from engine.curriculum.standing import standings, streak, tallies
from engine.curriculum.state import NOTHING, CurriculumState, Tally, start
from skills.contract import Problem
from skills.registry import get_skill

GAME = load_game()
BIN = get_skill("bin")
MIX = "hatchling"


class Sitting:
    """Asks the real problems of each plan and remembers them; ``fails`` names operations that are always wrong."""

    def __init__(self, *fails: str) -> None:
        self.fails, self.asked = fails, list[Problem]()

    def ask(self, plan: ExamPlan) -> dict[str, Tally]:
        counts: dict[str, Tally] = {}
        for index in plan.indices:
            problem = BIN.generate(plan.level, index, "exam", plan.mix)
            self.asked.append(problem)
            answer = "" if problem.operation in self.fails else problem.answer
            right = BIN.score(problem, answer).correct
            counts[problem.operation] = counts.get(problem.operation, NOTHING).plus(Tally(right, 1))
        return counts

    def exam(self, state: CurriculumState) -> tuple[CurriculumState, Verdict]:
        step = state.next_exam_step
        plan = plan_exam(state, BIN, GAME.exams)
        state = record_gate(state, plan, self.ask(plan), GAME.exams, step=step)
        screening = Screening()
        while (verdict := judge(state, BIN, GAME.exams, screening)).plans:
            for screen in verdict.plans:
                counts = self.ask(screen).values()
                tally = Tally(sum(t.correct for t in counts), sum(t.items for t in counts))
                state, screening = record_screen(state, screening, screen, tally)
        return settle(state, verdict, GAME.exams, step=step), verdict


def fresh(mastered: int = 0) -> CurriculumState:
    return start("bin", MIX, BIN.config.max_level, GAME.exams, mastered=mastered)


def test_a_hero_that_knows_everything_wins_a_level_every_three_exams() -> None:
    state, sitting, won = fresh(), Sitting(), []
    for _ in range(9):
        state, verdict = sitting.exam(state)
        if verdict.action == "level_up":
            won.append(verdict.level)
    assert (won, state.held) == ([1, 2, 3], 3)


def test_the_first_level_is_an_apprentices_and_asks_all_it_has() -> None:
    sitting, state = Sitting(), fresh()
    plan = plan_exam(state, BIN, GAME.exams)
    assert plan.apprentice and plan.items == BIN.exam_pool(1, MIX, 64) < 64
    sitting.ask(plan)
    assert len({p.problem_digest for p in sitting.asked}) == plan.items
    assert not any(p.repeat for p in sitting.asked)


def test_no_problem_is_asked_twice_before_the_pool_is_used_up() -> None:
    state, sitting = fresh(mastered=2), Sitting("add", "subtract", "xor")
    for _ in range(6):
        state, _ = sitting.exam(state)
    digests = [p.problem_digest for p in sitting.asked]
    assert len(digests) == len(set(digests)) == 6 * 64


def test_nothing_that_is_sampled_is_ever_examined() -> None:
    examined = {
        BIN.generate(level, index, "exam", MIX).problem_digest
        for level in (1, 2, 3)
        for index in range(BIN.exam_pool(level, MIX, 1000))
    }
    drawn = [d for step in range(60) for d in draw(fresh(), BIN, MIX, GAME.curriculum, seed=1, step=step, count=32)]
    trained = {BIN.generate(d.level, d.index, "train", MIX, operation=d.operation).problem_digest for d in drawn}
    assert len(trained) > 100
    assert not trained & examined


def test_one_failing_operation_blocks_where_it_has_enough_problems() -> None:
    state, sitting = fresh(mastered=4), Sitting("add")
    for _ in range(3):
        state, verdict = sitting.exam(state)
    assert (verdict.action, [s.operation for s in verdict.weak], verdict.at_chance) == ("weak", ["add"], ("add",))


def test_standings_read_the_rows_of_the_save() -> None:
    row = {
        "add": {"correct": 1, "items": 10},
        "equals": {"correct": 6, "items": 10},
        "xor": {"correct": 10, "items": 10},
    }
    found = standings([tallies(row)] * 3, BIN, 5, MIX, GAME.exams)
    assert [(s.operation, s.tally, s.weak) for s in found] == [
        ("add", Tally(3, 30), True),
        ("equals", Tally(18, 30), False),
        ("xor", Tally(30, 30), False),
    ]
    assert [(s.chance, s.at_chance) for s in found[1:]] == [(0.5, True), (found[2].chance, False)]
    assert standings([], BIN, 5, MIX, GAME.exams) == ()
    passed, failed = Tally(52, 64), Tally(51, 64)
    assert streak([passed, failed, passed, passed], GAME.exams) == 2
    assert streak([passed] * 5, GAME.exams) == 3
    assert streak([passed, failed], GAME.exams) == 0
