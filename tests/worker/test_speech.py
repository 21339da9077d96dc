"""What is said piece by piece is what is said at once: no half characters, no beginnings of a stop text."""

from __future__ import annotations

import random

import pytest

from engine.chat.template import answer_text, decode
from engine.worker.speech import Speech
from tests.chat.speakers import FORMATS, Voice

TEXTS = (
    "The quick brown fox answers: 12 + 30 = 42.",
    "  two spaces before, naïve café, 日本語 🦊 end",
    "\nline\n\nline ",
    "",
)


def told(speech: Speech, ids: list[int]) -> list[str]:
    """The pieces as they come."""
    pieces = []
    for token in ids:
        pieces.append(speech.add(token))
        if speech.stopped:
            break
    return [*pieces, speech.end()]


@pytest.mark.parametrize("format_id", FORMATS)
def test_the_pieces_are_the_answer(format_id: str) -> None:
    voice = Voice(format_id)
    lead = voice.template.format.assistant.lead
    rng = random.Random(4)
    plain = [token for token in range(5, 200) if token not in voice.stop_ids]
    answers = [list(voice.template.plain(f"{lead}{text}")) for text in TEXTS]
    answers += [[rng.choice(plain) for _ in range(30)] for _ in range(20)]
    for ids in answers:
        speech = Speech(voice, lead)
        pieces = told(speech, ids)
        assert "".join(pieces) == speech.text == answer_text(voice, ids)
        assert "".join(told(Speech(voice), ids)) == decode(voice, ids)


@pytest.mark.parametrize("format_id", FORMATS)
def test_a_stop_text_is_never_said_nor_its_beginning(format_id: str) -> None:
    voice = Voice(format_id)
    ids = list(voice.template.plain("one two three four five six"))
    text = decode(voice, ids)
    for stop in ("three", "o t", "e fo", "six", "x"):
        speech = Speech(voice, "", ("never", stop))
        pieces = told(speech, ids)
        assert "".join(pieces) == speech.text == text[: text.index(stop)]
        assert speech.stopped
    speech = Speech(voice, "", ("sixty", "5"))
    assert "".join(told(speech, ids)) == text
    assert not speech.stopped


def test_a_character_of_several_tokens_is_said_when_it_is_whole() -> None:
    voice = Voice("chatml")
    ids = list(voice.template.plain("🦊🦊"))
    assert len(ids) > 2
    pieces = told(Speech(voice), ids)
    assert [piece for piece in pieces if piece] == ["🦊", "🦊"]
