"""How primitives stand, what is drilled first, and what was learnt without being trained."""

from __future__ import annotations

import json
from typing import Any

import pytest

from configs.curriculum import PrimitiveRules
from configs.errors import UsageError
from configs.loader import load_game
from engine.curriculum.primitives import PrimitiveStanding, Seen, profile, remembered, transfer
from engine.curriculum.remediation import DRILLS, DrillOrder, drill_draws, drill_for, exercised_by, prescribe
from engine.curriculum.state import CurriculumState, start
from skills.registry import get_skill

RULES = PrimitiveRules.model_validate({})
BIN, PRIM = get_skill("bin"), get_skill(DRILLS)


def stand(**shares: tuple[int, int]) -> tuple[PrimitiveStanding, ...]:
    """A profile with these counts, each from one exam."""
    return profile({name: (Seen(1, "bin", 3, *counts),) for name, counts in shares.items()}, RULES, 0.05)


def trained(mastered: int = 3, **more: int) -> dict[str, Any]:
    """PIP's skill, and others with the levels won."""
    found: dict[str, Any] = {"bin": (BIN, record("bin", "hatchling", 30, mastered))}
    return found | {s: (get_skill(s), record(s, "full", 10, won)) for s, won in more.items()}


def record(skill: str, mix: str, top: int, mastered: int) -> CurriculumState:
    return start(skill, mix, top, load_game().exams, mastered=mastered)


# ---------------------------------------------------------------- the profile


def test_accuracy_is_made_of_the_newest_answers_over_all_skills() -> None:
    seen: dict[str, tuple[Seen, ...]] = {}
    for step in range(1, 21):
        told = {"attn_count": {"correct": 2 if step <= 10 else 8, "items": 8}, "never": {"correct": 0, "items": 0}}
        seen = remembered(seen, told, RULES, step=step, skill="bin" if step % 2 else "sy", level=3)
    (one,) = profile(seen, RULES, 0.05)
    assert (one.tally, one.accuracy, one.weak, set(one.skills)) == ((64, 64), 1.0, False, {"bin", "sy"})
    assert len(seen["attn_count"]) == 8, "what lies beyond the window is gone"


def test_weak_needs_enough_answers_and_too_few_right() -> None:
    one = {s.primitive: s for s in stand(few=(0, 4), weak=(3, 5), bar=(7, 10), spar=(79, 100), good=(80, 100))}
    assert {name: (s.weak, s.spar) for name, s in one.items()} == {
        "few": (False, False),
        "weak": (True, True),
        "bar": (False, True),
        "spar": (False, True),
        "good": (False, False),
    }
    assert [s.primitive for s in stand(a=(9, 10), b=(1, 10), c=(5, 10))] == ["b", "c", "a"]
    assert one["weak"].interval[0] < 0.6 < one["weak"].interval[1]


def test_the_trend_sets_the_newer_exams_beside_the_older() -> None:
    rising = (Seen(1, "bin", 1, 0, 8), Seen(2, "bin", 1, 2, 8), Seen(3, "bin", 1, 6, 8), Seen(4, "bin", 1, 8, 8))
    assert profile({"a": rising}, RULES, 0.05)[0].trend == pytest.approx(0.75)
    assert profile({"a": rising[:1]}, RULES, 0.05)[0].trend is None


# ---------------------------------------------------------------- remedies


def test_what_a_weak_primitive_builds_on_comes_first() -> None:
    found = prescribe(stand(logic_chain=(1, 10), logic_deduce=(4, 10), seq_reverse=(9, 10)), RULES)
    assert found is not None and found[0].primitive == "logic_deduce"
    assert "logic_chain (0.10) builds on it" in found[1]
    found = prescribe(stand(logic_chain=(1, 10), logic_deduce=(9, 10)), RULES)
    assert found is not None and found[0].primitive == "logic_chain"
    assert prescribe(stand(logic_chain=(9, 10)), RULES) is None


def test_a_drill_goes_on_until_its_own_bar_is_reached() -> None:
    between = stand(logic_chain=(72, 100), seq_reverse=(10, 100))
    kept, fresh = prescribe(between, RULES, last="logic_chain"), prescribe(between, RULES)
    assert kept is not None and kept[0].primitive == "logic_chain" and "until 0.75" in kept[1]
    assert fresh is not None and fresh[0].primitive == "seq_reverse"
    done = prescribe(stand(logic_chain=(75, 100)), RULES, last="logic_chain")
    assert done is None


def test_a_drill_uses_the_heros_own_problems_where_it_can() -> None:
    own = drill_for("bitwise_xor", trained(), PRIM, RULES, "because")
    assert (own.skill, own.mix, own.operations, own.levels) == ("bin", "hatchling", ("xor",), (1, 2, 3, 4))
    assert own.text == "drill bitwise_xor: bin xor at L1 to L4, 50 steps"
    assert DrillOrder.from_dict(json.loads(json.dumps(own.as_dict()))) == own
    assert own.as_dict()["drill_mode"] is True
    catalogue = drill_for("reverse_string", trained(prim=4), PRIM, RULES, "because", steps=7)
    assert (catalogue.primitive, catalogue.skill, catalogue.levels, catalogue.steps) == (
        "seq_reverse",
        DRILLS,
        (1, 2, 3, 4, 5),
        7,
    )
    guest = drill_for("seq_reverse", trained(), PRIM, RULES, "because")
    assert (guest.skill, guest.levels) == (DRILLS, (1, 2, 3))
    with pytest.raises(UsageError, match="nothing drills") as caught:
        drill_for("seq_reverse", trained(), None, RULES, "because")
    assert caught.value.code == "NO_DRILL"
    with pytest.raises(UsageError, match="nothing drills nonsense"):
        drill_for("nonsense", trained(), PRIM, RULES, "because")


def test_a_drill_holds_nothing_but_its_primitive() -> None:
    order = drill_for("binary_add_with_carry", trained(5), PRIM, RULES, "because")
    drawn = [d for step in range(20) for d in drill_draws(order, BIN, seed=4, step=step, count=16)]
    assert drawn[:16] == drill_draws(order, BIN, seed=4, step=0, count=16)
    assert {d.level for d in drawn} == set(order.levels) and {d.operation for d in drawn} <= {"add", "increment"}
    asked = [BIN.generate(d.level, d.index, "train", order.mix, operation=d.operation) for d in drawn]
    assert sum(order.primitive in p.primitives for p in asked) > 0.97 * len(asked)
    assert len({p.digest for p in asked}) > 100


def test_what_operations_exercise_is_learnt_by_looking() -> None:
    found = exercised_by(BIN, "hatchling", 5)
    assert found["bitwise_and"] == ("and",)
    assert set(found["binary_compare"]) == {"equals", "lessthan", "greaterthan", "minimum", "maximum"}


# ---------------------------------------------------------------- transfer


def test_transfer_names_what_gained_without_being_trained() -> None:
    def seen(correct: int, items: int) -> tuple[Seen, ...]:
        return (Seen(1, "bin", 1, correct, items),)

    before = {
        "add": seen(10, 100),
        "count": seen(10, 100),
        "rank": seen(90, 100),
        "chain": seen(50, 100),
        "gone": seen(1, 2),
    }
    after = {"add": seen(90, 100), "count": seen(60, 100), "rank": seen(30, 100), "chain": seen(52, 100)}
    found = transfer(before, after, {"add"}, 0.05)
    assert [(t.primitive, t.trained, t.finding) for t in found] == [
        ("add", True, "gained"),
        ("count", False, "gained"),
        ("chain", False, "unclear"),
        ("rank", False, "lost"),
    ]
    assert found[0].gain == pytest.approx(0.8) and found[0].low > 0.5
