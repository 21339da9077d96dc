"""Data profiles: how a conversation is reshaped before it is trained, asked the same way, and read back before scoring.

``plain_sft`` leaves it as it is. ``emoji_think`` trains two stances: a Thoughtful Strike opens with meditation sigils, reasons,
closes with completion seals and then answers; a Quick Draw only answers. ``regime3`` puts the answer between two signs.
All are pure functions of the conversation and its index, so training, exams and a resumed run agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from configs.training import HeroData
from engine.chat.encoded import Message

MEDITATION_SIGILS = ("🤔", "💭", "🧠", "💡", "🎯", "🔍", "🤨", "🧐", "⚡", "✨")
COMPLETION_SEALS = ("🛑", "⛔", "🚫", "❌", "🔴", "⏹", "🔚", "✋", "🚦", "🛡")
ANSWER_START, ANSWER_END = "<<ANS_START>>", "<<ANS_END>>"
_VARIANT = "\ufe0f?"
_OPENED = re.compile(rf"\s*(?:(?:{'|'.join(MEDITATION_SIGILS)}){_VARIANT}\s?){{2,}}")
_SEALED = re.compile(rf"(?:(?:{'|'.join(COMPLETION_SEALS)}){_VARIANT}\s?){{2,}}")
_THOUGHT = re.compile(r"\s*<think>\n?(.*?)\n?</think>\s*", re.DOTALL)


def trained_form(data: HeroData, messages: Sequence[Message], index: int) -> list[Message]:
    """A conversation as it is trained: questions and answers in the profile's form.

    Args:
        data: profile, stance and thinking of the hero.
        messages: the conversation as the player or a skill wrote it.
        index: the example's number, which decides its stance and signs.
    """
    if data.profile == "plain_sft":
        return list(messages)
    shown = asked_form(data, messages, index)
    return [_answered(data, m, index) if _is_answer(m) else m for m in shown]


def asked_form(data: HeroData, messages: Sequence[Message], index: int) -> list[Message]:
    """The questions of a conversation in the profile's form; answers stay as they are."""
    turns = list(messages)
    if data.profile != "emoji_think" or not thoughtful(data, index):
        return turns
    sigil, opens, seal, closes = _signs(index)
    wish = f"Think with {sigil} ×{opens}, then close with {seal} ×{closes}."
    for number, message in enumerate(turns):
        if message["role"] == "user":
            turns[number] = {**message, "content": f"{message['content']}\n\n{wish}"}
    return turns


def scored_text(data: HeroData, answer: str) -> str:
    """What of an answer is scored: thinking and signs stripped; empty where the form was begun and never finished.

    An Unfinished Meditation, and in ``regime3`` an answer that is not between its signs, has nothing to score.
    """
    if data.profile == "plain_sft":
        return answer
    text = _without_thought(answer)
    if data.profile == "regime3":
        _, start, rest = text.rpartition(ANSWER_START)
        found, end, _ = rest.partition(ANSWER_END)
        return found.strip() if start and end else ""
    if not _OPENED.match(text):
        return text
    sealed = _SEALED.search(text, _end_of_opening(text))
    return text[sealed.end() :].strip() if sealed else ""


def thoughtful(data: HeroData, index: int) -> bool:
    """Whether example ``index`` is a Thoughtful Strike; every second one where stances alternate."""
    return data.stance == "thoughtful" or (data.stance == "alternating" and index % 2 == 0)


def thoughts(message: Message) -> list[str]:
    """What an answer thinks before it speaks, apart or in a block before its words."""
    found = [message["reasoning_content"]] if message.get("reasoning_content") else []
    block = _THOUGHT.match(message.get("content") or "")
    return found + ([block[1]] if block and block[1].strip() else [])


def _is_answer(message: Message) -> bool:
    return message["role"] == "assistant" and bool(message.get("content")) and not message.get("tool_calls")


def _answered(data: HeroData, message: Message, index: int) -> Message:
    content = str(message["content"])
    if data.profile == "regime3":
        block = _THOUGHT.match(content)
        thought, words = (content[: block.end()], content[block.end() :]) if block else ("", content)
        if ANSWER_START in words:
            return message
        return {**message, "content": f"{thought}{ANSWER_START}{words}{ANSWER_END}"}
    if _OPENED.match(content):
        return message
    rest: dict[str, Any] = {k: v for k, v in message.items() if k != "reasoning_content"}
    words = _without_thought(content)
    if not thoughtful(data, index):
        return {**rest, "content": words}
    sigil, opens, seal, closes = _signs(index)
    reasoned = "".join(f"{thought.strip()}\n" for thought in thoughts(message))
    return {**rest, "content": f"{sigil * opens}\n{reasoned}{seal * closes}\n{words}"}


def _signs(index: int) -> tuple[str, int, str, int]:
    """Sigil and how often (2 to 8), seal and how often (2 to 4), of example ``index``."""
    a, b, c, d = blake2b(str(index).encode(), digest_size=4, person=b"stance").digest()
    return MEDITATION_SIGILS[a % 10], 2 + b % 7, COMPLETION_SEALS[c % 10], 2 + d % 3


def _without_thought(text: str) -> str:
    block = _THOUGHT.match(text)
    return text[block.end() :] if block else text


def _end_of_opening(text: str) -> int:
    opened = _OPENED.match(text)
    return opened.end() if opened else 0
