"""The curriculum's record: resumed, it takes the decisions it would have taken."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import RealmError
from configs.schema import CurriculumRules
from engine.curriculum.gate import due
from engine.curriculum.sampling import draw, observe
from engine.curriculum.state import CurriculumState, Tally, from_dict, pinned, start, stepped
from tests.curriculum.school import RULES, CountingSkill, sit

SAMPLING = CurriculumRules.model_validate({})
SKILL = CountingSkill(pools={1: 30, 2: 116}, held_out={"equals": 3})


def through_json(state: CurriculumState) -> CurriculumState:
    return from_dict(json.loads(json.dumps(state.as_dict())))


def train(
    state: CurriculumState, first: int, last: int, *, resume_at: frozenset[int] = frozenset()
) -> tuple[CurriculumState, list[object]]:
    """Steps ``first`` to ``last``; answers are a fixed function of the question, so that only decisions can differ."""
    story: list[object] = []
    for step in range(first, last + 1):
        draws = draw(state, SKILL, "full", SAMPLING, seed=5, step=step, count=16)
        matches = [Random(f"{d.level}/{d.index}").random() < min(0.97, step / 300) for d in draws]
        state = stepped(observe(state, draws, matches, SAMPLING))
        story.append(draws)
        if due(state, step):
            luck = Random(step)
            right = sum(luck.random() < min(0.95, 0.3 + step / 500) for _ in range(30 if state.training == 1 else 64))
            screens = {2: [8, 30]} if step % 3 == 0 else {}
            state, verdict = sit(state, SKILL, right, step=step, screens=screens)
            story.append(verdict)
        if step in resume_at:
            state = through_json(state)
    return state, story


def test_a_run_resumed_from_any_step_decides_as_one_never_interrupted() -> None:
    fresh = start("count", "full", 30, RULES)
    whole, story = train(fresh, 1, 900)
    assert whole.mastered >= 3, "the story crosses level-ups"
    assert any(getattr(event, "action", "") == "lost" for event in story), "and a lost level"
    broken, told = train(fresh, 1, 900, resume_at=frozenset(range(1, 901, 7)))
    assert told == story
    assert broken == whole
    assert broken.as_dict() == whole.as_dict()


def test_the_saved_form_holds_only_json() -> None:
    state, _ = train(start("count", "full", 30, RULES), 1, 120)
    text = json.dumps(state.as_dict(), allow_nan=False)
    assert through_json(state) == state
    assert json.dumps(through_json(state).as_dict()) == text


@settings(max_examples=60, deadline=None)
@given(
    matches=st.dictionaries(
        st.integers(1, 30), st.dictionaries(st.sampled_from(("add", "xor")), st.floats(0, 1), max_size=2), max_size=5
    ),
    counters=st.dictionaries(st.integers(1, 30), st.integers(0, 10**12), max_size=5),
    pin=st.one_of(st.none(), st.just("max"), st.integers(1, 30)),
)
def test_every_state_survives_json(matches: dict[int, dict[str, float]], counters: dict[int, int], pin: object) -> None:
    state = CurriculumState("count", "full", 30, matches=matches, exam_counters=counters, pin=pin)  # type: ignore[arg-type]
    assert through_json(state) == state


@pytest.mark.parametrize(
    "change", [{"version": 99}, {"gate": [{}]}, {"matches": None}, {"mastered": "three"}, {"pin": [1]}]
)
def test_a_broken_state_is_named_with_the_way_out(change: dict[str, object]) -> None:
    data = {**start("count", "full", 30, RULES).as_dict(), **change}
    with pytest.raises(RealmError) as caught:
        from_dict(data)
    assert caught.value.code == "CHECKPOINT_BROKEN"
    assert caught.value.fix


def test_a_missing_state_is_named() -> None:
    with pytest.raises(RealmError, match="cannot be read"):
        from_dict({})


def test_steps_are_counted_at_the_level_in_training() -> None:
    state = stepped(stepped(start("count", "full", 30, RULES), 10))
    assert (state.steps, state.steps_at_level) == (11, 11)
    state = stepped(pinned(state, 3), 5)
    assert (state.steps, state.steps_at_level, pinned(state, None).steps_at_level) == (16, 5, 11)


def test_a_tally_of_nothing_has_no_share_and_reaches_none() -> None:
    assert Tally(0, 0).share is None
    assert not Tally(0, 0).reaches(0.0)
    assert Tally(56, 80).reaches(0.70)
    assert Tally(24, 30).reaches(0.80)


def test_a_record_from_before_progress_and_effort_were_kept_is_read() -> None:
    data = start("count", "full", 30, RULES, mastered=4).as_dict()
    for name in ("sampling", "progress", "effort_new", "effort_held", "attempt"):
        del data[name]
    assert from_dict(data) == start("count", "full", 30, RULES, mastered=4)
