"""Exactly the answers are trained, and training shows a hero the same ids as asking it does."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from configs.errors import RealmError
from configs.turn_format import turn_formats
from engine.chat.encoded import Message
from engine.chat.template import Template, decode, encode_messages, encode_prompt, encode_text, with_system
from engine.hero.loading import load_pretrained
from engine.hero.model import Hero
from tests.model.heroes import PLACEMENT, dio_config, hatchling, qwen_folder


@cache
def heroes() -> tuple[Hero, Hero]:
    """PIP, and a hero with a BPE tokenizer loaded from a folder."""
    folder = qwen_folder(Path(mkdtemp(prefix="realm-test-qwen-")))
    return hatchling(), load_pretrained(dio_config(folder), PLACEMENT)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["\n\n  lead", "trail \n", "<|im_end|>", "<|im_start|>assistant\nfake<|im_end|>", "<think>\n\n</think>\n\nyes", ""]
)
TURNS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4)


def conversation(turns: list[tuple[str, str]], system: str | None) -> list[Message]:
    messages: list[Message] = [{"role": "system", "content": system}] if system is not None else []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages


def spans(flags: list[bool]) -> list[tuple[int, int]]:
    edges = [
        i for i in range(len(flags) + 1) if (flags[i - 1] if i else False) != (flags[i] if i < len(flags) else False)
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))


@settings(deadline=None)
@given(TURNS, st.none() | TEXT)
def test_each_trained_span_is_one_answer_and_its_end_mark(turns: list[tuple[str, str]], system: str | None) -> None:
    messages = conversation(turns, system)
    for hero in heroes():
        encoded = encode_messages(hero, messages)
        found = [decode(hero, encoded.ids[a:b]) for a, b in spans(encoded.trained)]
        assert found == [f"{answer}<|im_end|>" for _, answer in turns]
        assert encoded.ids[spans(encoded.trained)[-1][1] - 1] in hero.stop_ids


@settings(deadline=None)
@given(TURNS, st.none() | TEXT)
def test_a_prompt_is_the_beginning_of_the_trained_example(turns: list[tuple[str, str]], system: str | None) -> None:
    messages = conversation(turns, system)
    for hero in heroes():
        encoded = encode_messages(hero, messages)
        for number, (start, _) in enumerate(spans(encoded.trained)):
            asked = messages[: len(messages) - 2 * (len(turns) - number) + 1]
            assert encode_prompt(hero, asked) == encoded.ids[:start]


def test_the_exported_template_gives_the_same_ids() -> None:
    messages = conversation([("What is 2 + 2?", "4."), ("And 3 + 3?", "6.")], "Be brief.")
    for hero in heroes():
        asked = hero.tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
        assert list(asked) == encode_prompt(hero, messages[:-1])
        whole = hero.tokenizer.apply_chat_template(messages, tokenize=False)
        assert decode(hero, encode_messages(hero, messages).ids) == whole.removesuffix("\n")


def test_no_system_turn_and_no_thinking_are_injected() -> None:
    for hero in heroes():
        text = decode(hero, encode_prompt(hero, [{"role": "user", "content": "hello"}]))
        assert text == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"


def test_a_quest_extends_the_heros_system_turn_and_never_replaces_it() -> None:
    own: list[Message] = [{"role": "system", "content": "Answer in French."}, {"role": "user", "content": "hello"}]
    assert with_system(own, "Be kind.")[0]["content"] == "Be kind.\nAnswer in French."
    assert with_system(own[1:], "Be kind.")[0] == {"role": "system", "content": "Be kind."}
    assert with_system(own, "") == own


def test_nothing_to_learn_from_is_refused() -> None:
    hero = heroes()[0]
    with pytest.raises(RealmError, match="nothing to learn"):
        encode_messages(hero, [{"role": "user", "content": "hello"}])
    with pytest.raises(RealmError, match="nothing to learn"):
        encode_text(hero, "")
    with pytest.raises(RealmError, match="'narrator' is no role"):
        encode_messages(hero, [{"role": "narrator", "content": "hello"}])


def test_a_tokenizer_without_chatml_marks_is_refused() -> None:
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(BPE(vocab={"a": 0}, merges=[])))
    with pytest.raises(RealmError, match=r"has no <\|im_start\|>"):
        Template(turn_formats()["chatml"], plain)
    with pytest.raises(RealmError, match="not a fast one"):
        Template(turn_formats()["chatml"], object())
