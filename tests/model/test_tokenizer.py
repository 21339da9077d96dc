"""Any text a player can write survives the hatchling's tokenizer; skills' words are single tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import RealmError
from engine.chat.template import answer_text, decode, encode_text, tokens_as_text
from engine.hero.tokenizer import VOCABULARY, build_hatchling_tokenizer
from skills.registry import get_skill
from tests.model.heroes import SPECIAL, hatchling

HERO = hatchling()
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
MARKED = st.lists(
    st.one_of(
        UNICODE, st.sampled_from(["<|im_end|>", "<|im_start|>", "<|endoftext|>", "user", "⓪", "Compute: ", " ", "\n"])
    ),
    max_size=12,
).map("".join)


@given(st.one_of(UNICODE, MARKED))
def test_every_text_comes_back_unchanged(text: str) -> None:
    assert decode(HERO, HERO.template.plain(text)) == text


@given(MARKED)
def test_letters_of_a_mark_in_a_text_never_become_the_mark(text: str) -> None:
    marks = set(HERO.tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>", "<|endoftext|>"]))
    assert not marks & set(HERO.template.plain(text))


def test_a_byte_is_its_own_id_and_skill_words_are_one_token() -> None:
    assert HERO.template.plain("A~") == (65, 126)
    assert HERO.template.plain("é") == tuple("é".encode())
    for word in (*SPECIAL, "user", "assistant", "system"):
        assert len(HERO.template.plain(word)) == 1, word


def test_every_skill_fits_the_vocabulary() -> None:
    tokenizer = build_hatchling_tokenizer(list(get_skill("bin").special_tokens()))
    assert tokenizer.get_vocab_size() <= VOCABULARY
    with pytest.raises(RealmError, match="fewer skills"):
        build_hatchling_tokenizer([f"word{n}" for n in range(100)])


def test_ids_beyond_the_vocabulary_and_broken_bytes_are_drawn_without_a_crash() -> None:
    assert decode(HERO, [65, VOCABULARY - 1]) == "A"
    assert tokens_as_text(HERO, list("é".encode())) == ["�", "�"]


def test_a_raw_text_ends_with_the_end_of_text_and_is_trained_whole() -> None:
    encoded = encode_text(HERO, "ab")
    assert encoded.ids == [97, 98, HERO.end_of_text]
    assert encoded.trained_tokens == 2
    assert answer_text(HERO, encoded.ids) == "ab"
