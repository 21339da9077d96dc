"""Data profiles: the same form in training and exams, and what is scored of an answer in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.training import HeroData
from engine.chat.encoded import Message
from engine.chat.profiles import (
    COMPLETION_SEALS,
    MEDITATION_SIGILS,
    asked_form,
    scored_text,
    thoughtful,
    trained_form,
)
from skills.contract import Result
from skills.registry import get_skill

PROFILES = ("plain_sft", "emoji_think", "regime3")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["So"]), min_size=1, max_size=30).filter(
    lambda text: text == text.strip() and "<" not in text
)
INDEX = st.integers(0, 2**48)


def data(profile: str, **more: Any) -> HeroData:
    return HeroData.model_validate({"profile": profile, **more})


def talk(answer: str, thought: str = "") -> list[Message]:
    told: dict[str, Any] = {"role": "assistant", "content": answer}
    return [{"role": "user", "content": "What is it?"}, told | ({"reasoning_content": thought} if thought else {})]


@pytest.mark.parametrize("profile", PROFILES)
@given(answer=WORDS, thought=WORDS | st.just(""), index=INDEX)
def test_what_is_scored_is_the_answer_and_a_question_is_asked_as_it_was_trained(
    profile: str, answer: str, thought: str, index: int
) -> None:
    form = data(profile)
    messages = talk(answer, thought)
    trained = trained_form(form, messages, index)
    assert scored_text(form, trained[-1]["content"]) == answer
    assert asked_form(form, messages[:1], index) == trained[:1]
    assert trained_form(form, messages, index) == trained, "the same index, the same form"


def test_stances_alternate_by_index_and_a_meditation_has_its_signs() -> None:
    form = data("emoji_think")
    stances = [thoughtful(form, index) for index in range(10)]
    assert stances == [True, False] * 5
    signs = set()
    for index in range(0, 400, 2):
        trained = trained_form(form, talk("42", "six times seven"), index)
        opened, reason, sealed, answer = trained[-1]["content"].split("\n")
        sigil, seal = opened[0], sealed[0]
        assert sigil in MEDITATION_SIGILS and set(opened) == {sigil} and 2 <= len(opened) <= 8
        assert seal in COMPLETION_SEALS and set(sealed) == {seal} and 2 <= len(sealed) <= 4
        assert (reason, answer) == ("six times seven", "42")
        assert trained[0]["content"].endswith(
            f"Think with {sigil} ×{len(opened)}, then close with {seal} ×{len(sealed)}."
        )
        assert "reasoning_content" not in trained[-1], "it is thought once"
        signs |= {(sigil, len(opened)), (seal, len(sealed))}
    assert len(signs) > 60, "all signs and counts occur"
    quick = trained_form(form, talk("<think>\nsix times seven\n</think>\n\n42"), 1)
    assert quick == talk("42")
    assert trained_form(data("emoji_think", stance="quick"), talk("42"), 0) == talk("42")
    assert trained_form(data("emoji_think", stance="thoughtful"), talk("42"), 1) != talk("42")


@pytest.mark.parametrize(
    ("profile", "answer", "scored"),
    [
        ("emoji_think", "🤔🤔\nhmm", ""),
        ("emoji_think", "🤔🤔\nhmm\n🛑🛑\n", ""),
        ("emoji_think", "🤔 🤔 🤔 hmm 🛑 🛑 12", "12"),
        ("emoji_think", "⚡\ufe0f⚡\ufe0fhmm⏹\ufe0f⏹\ufe0f12", "12"),
        ("emoji_think", "<think>\nx\n</think>\n\n🧠🧠a✋✋12", "12"),
        ("emoji_think", "12", "12"),
        ("regime3", "so <<ANS_START>>12<<ANS_END>> it is", "12"),
        ("regime3", "<<ANS_START>>11<<ANS_END>> no: <<ANS_START>>12<<ANS_END>>", "12"),
        ("regime3", "12", ""),
        ("regime3", "<<ANS_START>>12", ""),
        ("plain_sft", "<think>x</think>12", "<think>x</think>12"),
    ],
)
def test_an_answer_is_read_back_and_what_was_never_finished_is_nothing(profile: str, answer: str, scored: str) -> None:
    assert scored_text(data(profile), answer) == scored


@pytest.mark.parametrize("profile", PROFILES)
def test_a_skill_scores_the_stripped_answer_and_an_unfinished_one_as_a_critical_miss(profile: str) -> None:
    skill = get_skill("bin")
    problem = skill.generate(2, 6, "exam", "hatchling")
    form = data(profile)
    told = trained_form(form, talk(problem.answer, "column by column"), problem.index)[-1]["content"]
    assert skill.score(problem, scored_text(form, told)).result is Result.CRIT
    unfinished = {"emoji_think": "🤔🤔🤔 column by column", "regime3": f"<<ANS_START>>{problem.answer}"}
    if profile in unfinished:
        assert skill.score(problem, scored_text(form, unfinished[profile])).result is Result.CRIT_MISS


def test_calls_of_tools_and_answers_in_their_form_already_stay_as_they_are() -> None:
    call: Mapping[str, Any] = {"role": "assistant", "content": "", "tool_calls": [{"name": "clock", "arguments": {}}]}
    for profile in PROFILES:
        assert trained_form(data(profile), [call], 0) == [call]
    for profile in ("emoji_think", "regime3"):
        form = data(profile, stance="thoughtful")
        once = trained_form(form, talk("42"), 0)
        assert trained_form(form, [talk("42")[0], once[1]], 0) == once
