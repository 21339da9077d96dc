"""Skills made of kinds: deterministic, two streams that never meet, pools that end, whatever the kinds are."""

from __future__ import annotations

from random import Random

import pytest

from configs.errors import RealmError, UsageError
from configs.schema import SkillConfig
from skills.contract import Result
from skills.split import side
from skills.streams import Kind, Made, StreamSkill


def _sum(random: Random, level: int) -> Made:
    a, b = random.randrange(10**level), random.randrange(10**level)
    return Made(f"{min(a, b)}+{max(a, b)}", f"{a} + {b} =", str(a + b), primitives=("add",))


def _parity(random: Random, level: int) -> Made:
    a = random.randrange(20)
    return Made(str(a), f"{a} is", "odd" if a % 2 else "even")


def _one(random: Random, level: int) -> Made:
    return Made("the only one", "say it", "it")


def made(*kinds: Kind, **more: object) -> StreamSkill:
    config = {
        "id": "sums",
        "name": "Sums",
        "rpg_name": "Sums",
        "version": "1",
        "description": "",
        "category": "math",
        "display": {"icon": "+", "colour": "#000000", "short_name": "SUM"},
        "max_level": 3,
        "level_names": {1: "one", 3: "three"},
        "mixes": {"full": {"operations": dict.fromkeys([k.name for k in kinds], 1)}},
        **more,
    }
    return StreamSkill(SkillConfig.model_validate(config), kinds)


SUMS = made(Kind("sum", _sum), Kind("parity", _parity, chance=0.5))


def test_streams_are_the_same_every_time_and_never_meet() -> None:
    again = made(Kind("sum", _sum), Kind("parity", _parity))
    for level in (1, 2, 3):
        held = {SUMS.generate(level, i, "exam").problem_digest for i in range(SUMS.exam_pool(level, "full", 300))}
        for i in range(300):
            problem = SUMS.generate(level, i, "train")
            assert problem == again.generate(level, i, "train")
            assert side(bytes.fromhex(problem.problem_digest)) == "train"
            assert problem.problem_digest not in held
        for i in range(60):
            assert SUMS.generate(level, i, "exam") == again.generate(level, i, "exam")


def test_a_swapped_sum_is_the_same_problem() -> None:
    seen = {}
    for i in range(4000):
        problem = SUMS.generate(1, i, "train", operation="sum")
        a, b = problem.prompt.removesuffix(" =").split(" + ")
        seen[a, b] = problem.problem_digest
    swapped = [(key, digest) for key, digest in seen.items() if key[::-1] in seen and key[0] != key[1]]
    assert swapped and all(seen[key[::-1]] == digest for key, digest in swapped)


def test_a_used_up_pool_repeats_itself_and_says_so() -> None:
    alone = made(Kind("parity", _parity))
    pool = alone.exam_pool(1, "full", 64)
    assert 0 < pool < 20 == len({alone.generate(1, i, "train").prompt for i in range(2000)}) + pool
    first = [alone.generate(1, i, "exam") for i in range(pool)]
    assert len({p.problem_digest for p in first}) == pool and not any(p.repeat for p in first)
    again = alone.generate(1, pool, "exam")
    assert again.repeat and again.problem_digest == first[0].problem_digest


def test_a_small_kind_leaves_the_exam_when_it_is_used_up_and_the_others_go_on() -> None:
    asked = [SUMS.generate(2, i, "exam") for i in range(200)]
    assert len({p.problem_digest for p in asked}) == 200
    assert 0 < sum(p.operation == "parity" for p in asked) < 20
    assert {p.operation for p in asked[-20:]} == {"sum"}


def test_a_kind_with_one_problem_is_refused_by_name_instead_of_looping() -> None:
    lonely = made(Kind("one", _one))
    split = side(bytes.fromhex(_digest_of_the_only_one()))
    other = "exam" if split == "train" else "train"
    with pytest.raises(RealmError) as caught:
        lonely.generate(1, 0, other)  # type: ignore[arg-type]
    assert caught.value.code in ("GENERATOR_STUCK", "NO_EXAM") and "level 1" in caught.value.text()


def _digest_of_the_only_one() -> str:
    from skills.split import problem_hash

    return problem_hash("sums|one|the only one").hex()


def test_answers_are_judged_after_thinking_cues_and_case() -> None:
    problem = SUMS.generate(1, 0, "train", operation="parity")
    assert SUMS.score(problem, problem.answer).result is Result.CRIT
    assert SUMS.score(problem, f"<think>hm</think>\n{problem.answer}").result is Result.CRIT
    assert SUMS.score(problem, f"The answer is {problem.answer.upper()}.").result is Result.HIT
    assert SUMS.score(problem, "perhaps").result is Result.MISS
    assert SUMS.score(problem, "<think>hm").result is Result.CRIT_MISS
    assert SUMS.score(problem, "").result is Result.CRIT_MISS
    assert SUMS.score(problem, "even odd " * 300).result is Result.CRIT_MISS


def test_levels_are_named_and_checked() -> None:
    assert [SUMS.level_name(n) for n in (1, 2, 3)] == ["one", "one+1", "three"]
    for call in (lambda: SUMS.generate(4, 0, "train"), lambda: SUMS.operations(0, "full"), lambda: SUMS.mix("light")):
        with pytest.raises(UsageError):
            call()


def test_a_mix_with_an_unknown_operation_is_refused() -> None:
    with pytest.raises(RealmError, match="cannot be asked"):
        made(Kind("sum", _sum), mixes={"full": {"operations": {"summ": 1}}})


def test_chance_is_the_commonest_answer_or_what_the_kind_says() -> None:
    assert SUMS.chance("parity", 1) == 0.5
    assert 0.4 < made(Kind("parity", _parity)).chance("parity", 1) < 0.7
    assert SUMS.chance("sum", 3) < 0.05
