"""Binary Alchemy: what is held out, in which order exams ask it, and what levels and mixes promise."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from configs.errors import RealmError, UsageError
from configs.loader import load_skill
from configs.schema import SkillConfig
from skills.bin import build
from skills.registry import get_skill

BIN = get_skill("bin")
MIXES = ("full", "hatchling")
LEVELS = range(1, 31)
GOLDEN = [
    ("Compute: add(⓪⓪, ⓪①)", "⓪⓪①", "397274ae1e6fd9b5742f34a0"),
    ("Compute: subtract(①①, ⓪⓪)", "①①", "6f4e979d8dc3e74798e5ab7a"),
    ("Compute: decrement(⓪⓪①①⓪①①⓪①⓪⓪⓪①)", "⓪⓪①①⓪①①⓪①⓪⓪⓪⓪", "4826680c0819b6c620b8d23c"),
]


@pytest.mark.parametrize("mix", MIXES)
def test_trap_28_training_and_exam_problems_are_disjoint_over_all_levels_and_mixes(mix: str) -> None:
    train, exam = set(), set()
    for level in LEVELS:
        train |= {BIN.generate(level, i, "train", mix).problem_digest for i in range(300)}
        exam |= {BIN.generate(level, i, "exam", mix).problem_digest for i in range(150)}
    other = "hatchling" if mix == "full" else "full"
    for level in range(1, 6):
        train |= {BIN.generate(level, i, "train", other).problem_digest for i in range(500)}
        exam |= {BIN.generate(level, i, "exam", other).problem_digest for i in range(300)}
    assert not train & exam


def test_a_problem_keeps_its_side_at_every_width_and_in_every_tier() -> None:
    """`add(1, 2)` is one problem, however many zeros stand before it and however much work is shown."""
    small = {p.problem_digest for p in (BIN.generate(1, i, "exam", "hatchling") for i in range(29))}
    wider = {
        p.problem_digest for level in (2, 3) for p in (BIN.generate(level, i, "train", "full") for i in range(8000))
    }
    assert not small & wider


def test_one_problem_in_five_is_held_out() -> None:
    assert 0.17 < BIN.held_out(5, "hatchling", "add", 10_000) / 64**2 < 0.23
    assert 0.17 < BIN.held_out(4, "hatchling", "and", 10_000) / 32**2 < 0.23


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_no_exam_problem_comes_twice_before_the_pool_is_used_up(mix: str, level: int) -> None:
    pool = BIN.exam_pool(level, mix, 100_000)
    first = [BIN.generate(level, i, "exam", mix) for i in range(pool)]
    assert len({p.problem_digest for p in first}) == pool
    assert not any(p.repeat for p in first)
    again = BIN.generate(level, pool, "exam", mix)
    assert again.repeat and again.problem_digest == first[0].problem_digest
    held = sum(BIN.held_out(level, mix, o, 100_000) for o in BIN.operations(level, mix))
    assert held == pool


@pytest.mark.parametrize("level", [5, 7, 9, 16, 30])
def test_wide_levels_do_not_repeat_in_a_hundred_exams(level: int) -> None:
    digests = [BIN.generate(level, i, "exam", "hatchling").problem_digest for i in range(1400)]
    assert len(set(digests)) == len(digests)
    assert BIN.exam_pool(level, "hatchling", 1400) == 1400


@pytest.mark.parametrize("mix", MIXES)
def test_exams_ask_every_operation_equally_often(mix: str) -> None:
    for level in (8, 20):
        operations = BIN.operations(level, mix)
        asked = Counter(BIN.generate(level, 37 + i, "exam", mix).operation for i in range(64))
        assert set(asked) == set(operations)
        assert max(asked.values()) - min(asked.values()) <= 1


def test_exams_ask_the_published_tiers() -> None:
    """Operations of the easy tier follow the shares exactly; the others begin in their own tier."""
    shares = BIN.mix("full").tiers
    for level, span in ((3, "1-5"), (8, "6-10"), (30, "26-30")):
        tiers: Counter[str] = Counter()
        for operation in ("add", "xor", "minimum"):
            pool = BIN.held_out(level, "full", operation, 300)
            tiers.update(BIN.generate(level, i, "exam", "full", operation=operation).tier for i in range(pool))
        total = sum(tiers.values())
        for tier, share in shares[span].items():
            assert abs(100 * tiers[tier] / total - share) < 3, (level, tier, tiers)
        signed = {BIN.generate(level, i, "exam", "full", operation="add_signed").tier for i in range(40)}
        assert "easy" not in signed
        assert {BIN.generate(level, i, "exam", "full", operation="divide").tier for i in range(40)} <= {
            "hard",
            "expert",
        }


def test_a_new_process_makes_the_same_problems() -> None:
    code = (
        "from skills.registry import get_skill; s = get_skill('bin');"
        "print(s.generate(9, 700, 'exam', 'full').digest, s.generate(9, 10**12, 'train', 'full').digest)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert out == [BIN.generate(9, 700, "exam", "full").digest, BIN.generate(9, 10**12, "train", "full").digest]


def test_the_published_problems_stay_what_they_are() -> None:
    """Golden: a changed generator would move problems across the split and must raise the skill's version."""
    seen = [BIN.generate(1, i, "exam", "hatchling") for i in range(2)] + [BIN.generate(12, 5, "train", "plain")]
    assert [(p.prompt, p.answer, p.problem_digest) for p in seen] == GOLDEN


def test_the_order_of_questions_does_not_matter() -> None:
    fresh = build(load_skill("bin"))
    backwards = [fresh.generate(6, i, "exam", "hatchling") for i in reversed(range(80))]
    assert backwards[::-1] == [BIN.generate(6, i, "exam", "hatchling") for i in range(80)]


def test_small_levels_hold_enough_back_for_every_operation_of_the_hatchling() -> None:
    assert BIN.exam_pool(1, "hatchling", 1000) == 29
    for operation in BIN.operations(1, "hatchling"):
        assert BIN.held_out(1, "hatchling", operation, 100) >= 2
    for operation in BIN.operations(3, "hatchling"):
        assert BIN.held_out(3, "hatchling", operation, 100) >= 2


def test_counts_stop_at_their_limit() -> None:
    assert BIN.exam_pool(30, "full", 100) == 100
    assert BIN.held_out(30, "full", "add", 12) == 12
    assert BIN.held_out(1, "hatchling", "increment", 12) == 0


def test_unary_operations_join_the_hatchling_at_level_three() -> None:
    late = {"increment", "decrement", "multiply_by_2", "divide_by_2"}
    assert len(BIN.operations(2, "hatchling")) == 10
    assert set(BIN.operations(3, "hatchling")) - set(BIN.operations(2, "hatchling")) == late
    mix = BIN.mix("hatchling")
    assert set(mix.operations) | set(mix.not_yet) == set(BIN.mix("full").operations)
    assert not set(mix.operations) & set(mix.not_yet)


def test_chance_is_half_for_verdicts_and_small_for_wide_results() -> None:
    assert {BIN.chance(o, 6) for o in ("equals", "lessthan", "greaterthan")} == {0.5}
    assert 0.4 < BIN.chance("and", 1) < 0.7, "⓪⓪ is right more than half the time at two digits"
    for operation in ("add", "subtract", "xor", "tobinary", "todecimal"):
        assert BIN.chance(operation, 12) < 0.05


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (1, "Tiny"),
        (2, "Tiny+"),
        (8, "Unlock"),
        (11, "Medium+1"),
        (14, "Medium+4"),
        (16, "2 bytes+1"),
        (30, "Full 32-bit"),
    ],
)
def test_level_names(level: int, name: str) -> None:
    assert BIN.level_name(level) == name


@pytest.mark.parametrize(("level", "bits"), [(1, 2), (12, 13), (29, 30), (30, 32)])
def test_level_widths(level: int, bits: int) -> None:
    prompt = BIN.generate(level, 0, "train", "hatchling", operation="not").prompt
    assert len(prompt.split("(")[1].rstrip(")")) == bits


def test_special_tokens_cover_a_hatchling_prompt() -> None:
    tokens = BIN.special_tokens()
    assert len(tokens) == len(set(tokens)) < 50
    for operation in BIN.operations(3, "hatchling"):
        rest = BIN.generate(3, 0, "train", "hatchling", operation=operation).prompt
        for token in sorted(tokens, key=len, reverse=True):
            rest = rest.replace(token, "")
        assert rest == ")"


def test_what_does_not_exist_is_refused_with_the_way_out() -> None:
    for wrong in (
        lambda: BIN.generate(31, 0, "train"),
        lambda: BIN.generate(0, 0, "exam"),
        lambda: BIN.generate(1, -1, "train"),
        lambda: BIN.generate(1, 0, "train", "chef"),
        lambda: BIN.generate(1, 0, "train", operation="bake"),
        lambda: BIN.generate(1, 0, "exam", "full", operation="not"),
        lambda: BIN.mix("chef"),
    ):
        with pytest.raises(UsageError) as caught:
            wrong()
        assert caught.value.fix


@pytest.mark.parametrize(
    ("operations", "tiers"),
    [
        ({"bake": 1}, {"1-30": {"easy": 100}}),
        ({"add": 2}, {"1-30": {"easy": 100}}),
        ({"add": 1}, {"1-29": {"easy": 100}}),
        ({"add": 1}, {"1-30": {"easy": 90}}),
        ({"add": 1}, {"1-30": {"simple": 100}}),
        ({"add": 1}, {"1-20": {"easy": 100}, "20-30": {"easy": 100}}),
        ({"add": 1}, {"all": {"easy": 100}}),
    ],
)
def test_a_mix_that_cannot_be_asked_is_refused(operations: dict[str, int], tiers: dict[str, dict[str, float]]) -> None:
    data = load_skill("bin").model_dump()
    data["mixes"]["full"] |= {"operations": operations, "tiers": tiers}
    with pytest.raises(RealmError, match="full"):
        build(SkillConfig.model_validate(data))
