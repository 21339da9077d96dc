"""ChatML: from messages to token ids, and which of them are trained.

Marks are placed by id and all other text is encoded with the marks switched off, so a message that contains the
letters of ``<|im_end|>`` stays text. The ids up to an assistant's answer are exactly the ids the hero is prompted with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from configs.errors import RealmError
from engine.hero.tokenizer import END_OF_TURN, ROLES, START_OF_TURN

if TYPE_CHECKING:
    from engine.hero.model import Hero

Message = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``."""

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
"""The template that travels with an exported hero: no default system turn, no injected thinking."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as tokens."""

    ids: list[int]
    trained: list[bool]
    """True where the token is an answer's text or its end mark, so that the loss is taken there."""

    @property
    def trained_tokens(self) -> int:
        """Number of tokens that carry loss (the very first token of an example never does)."""
        return sum(self.trained[1:])


class Template:
    """ChatML over one tokenizer; remembers the ids of strings it has seen lately.

    Args:
        hero_id: names the hero in errors.
        tokenizer: a fast transformers tokenizer; it is copied, because marks are switched off in texts here.
        remember: strings whose ids are kept.
    """

    def __init__(self, hero_id: str, tokenizer: Any, remember: int = 32_768) -> None:
        fast = getattr(tokenizer, "backend_tokenizer", None)
        if fast is None:
            raise RealmError(
                f"the tokenizer of {hero_id} is not a fast one",
                why="its folder has no tokenizer.json",
                fix="choose a model whose folder has a tokenizer.json",
                code="TEMPLATE_UNKNOWN",
            )
        self._texts = Tokenizer.from_str(fast.to_str())
        self._texts.encode_special_tokens = True
        start, end = (self._texts.token_to_id(mark) for mark in (START_OF_TURN, END_OF_TURN))
        if start is None or end is None:
            raise RealmError(
                f"the tokenizer of {hero_id} has no {START_OF_TURN} and {END_OF_TURN}",
                why="only models with ChatML marks can be trained",
                fix="choose a model of the Qwen family, or one made for ChatML",
                code="TEMPLATE_UNKNOWN",
            )
        self.start, self.end = int(start), int(end)
        self.plain = lru_cache(maxsize=remember)(self._plain)
        self.newline = self.plain("\n")
        self.answer_header = (self.start, *self.plain("assistant\n"))

    def _plain(self, text: str) -> tuple[int, ...]:
        return tuple(self._texts.encode(text, add_special_tokens=False).ids)


def encode_messages(hero: Hero, messages: Sequence[Message]) -> Encoded:
    """A whole conversation; every assistant turn is trained from its first token to its end mark.

    Raises:
        RealmError: no messages, or a role that the template does not know.
    """
    template = hero.template
    ids: list[int] = []
    trained: list[bool] = []
    for number, message in enumerate(messages):
        role, content = _turn(message)
        before = list(template.newline) if number else []
        if role == "assistant":
            header = [*before, *template.answer_header]
            answer = [*template.plain(content), template.end]
            ids += header
            ids += answer
            trained += [False] * len(header)
            trained += [True] * len(answer)
        else:
            turn = [*before, template.start, *template.plain(f"{role}\n{content}"), template.end]
            ids += turn
            trained += [False] * len(turn)
    return _checked(ids, trained)


def encode_prompt(hero: Hero, messages: Sequence[Message]) -> list[int]:
    """The conversation so far and the head of the assistant's next turn."""
    template = hero.template
    ids: list[int] = []
    for message in messages:
        role, content = _turn(message)
        text = template.plain(content) if role == "assistant" else template.plain(f"{role}\n{content}")
        head = template.answer_header if role == "assistant" else (template.start,)
        ids += [*head, *text, template.end, *template.newline]
    ids += template.answer_header
    return ids


def encode_text(hero: Hero, text: str) -> Encoded:
    """A raw text: all of it is trained, and it ends with the tokenizer's end-of-text mark."""
    ids = [*hero.template.plain(text), hero.end_of_text]
    return _checked(ids, [True] * len(ids))


def decode(hero: Hero, ids: Sequence[int]) -> str:
    """Token ids as text, marks included; ids past the vocabulary are dropped."""
    return str(hero.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def answer_text(hero: Hero, ids: Sequence[int]) -> str:
    """What the hero answered: the text before its end mark."""
    stops = hero.stop_ids
    kept: list[int] = []
    for token in ids:
        if token in stops:
            break
        kept.append(token)
    return decode(hero, kept)


def tokens_as_text(hero: Hero, ids: Sequence[int]) -> list[str]:
    """One piece of text per token, for showing them side by side; parts of a character read as U+FFFD."""
    return [decode(hero, [token]) for token in ids]


def with_system(messages: Sequence[Message], system: str) -> list[Message]:
    """``messages`` under the hero's system turn; a conversation that brings its own has it appended."""
    turns = list(messages)
    if not system:
        return turns
    if turns and turns[0]["role"] == "system":
        return [{"role": "system", "content": f"{system}\n{turns[0]['content']}"}, *turns[1:]]
    return [{"role": "system", "content": system}, *turns]


def _turn(message: Message) -> tuple[str, str]:
    role, content = message["role"], message["content"]
    if role not in ROLES:
        raise RealmError(f"{role!r} is no role", fix=f"use one of {', '.join(ROLES)}", code="BAD_ROLE")
    return role, content


def _checked(ids: list[int], trained: list[bool]) -> Encoded:
    if not any(trained[1:]):
        raise RealmError(
            "an example has nothing to learn from",
            why="no assistant turn, or an empty text",
            fix="give every example an answer",
            code="NOTHING_TRAINED",
        )
    return Encoded(ids, trained)
