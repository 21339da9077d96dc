"""A conversation as token ids, and which of them are trained, in the turn format of the hero's family.

Marks are placed by id and all other text is encoded with the marks switched off, so a message that contains the
letters of ``<|im_end|>`` stays text. Turns are encoded one by one, so a mask never shifts, and the ids up to an
assistant's answer are exactly the ids the hero is prompted with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from configs.errors import RealmError
from configs.turn_format import Turn, TurnFormat
from engine.chat.encoded import ROLES, Encoded, Message, TurnMarks
from engine.chat.jinja import chat_template
from engine.chat.words import Mark, answer_pieces, joined, result_pieces, split_marks

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_Ids = tuple[int, ...]
_REMEMBERED_CHARACTERS = 256
"""Longest text whose ids are kept: long ones hardly come twice, and many of them would fill the memory."""


class Template:
    """One turn format over one tokenizer; remembers the ids of texts it has seen lately.

    Args:
        form: how the hero's family writes conversations.
        tokenizer: a fast transformers tokenizer or a `tokenizers.Tokenizer`; it is copied, because marks are switched
            off in texts here.
        hero_id: names the hero in errors.
        thinking: render thoughts that stand apart (``reasoning_content``) before their answers, and train them.
        remember: how many short texts' ids are kept.

    Raises:
        RealmError: the tokenizer is no fast one, or lacks a mark of the format.
    """

    def __init__(
        self, form: TurnFormat, tokenizer: Any, *, hero_id: str = "", thinking: bool = False, remember: int = 32_768
    ) -> None:
        from tokenizers import Tokenizer  # a tenth of a second, which commands that only read names need not pay

        fast = tokenizer if isinstance(tokenizer, Tokenizer) else getattr(tokenizer, "backend_tokenizer", None)
        if fast is None:
            raise RealmError(
                f"the tokenizer of {hero_id} is not a fast one",
                why="its folder has no tokenizer.json",
                fix="choose a model whose folder has a tokenizer.json",
                code="TEMPLATE_UNKNOWN",
            )
        missing = [mark for mark in form.marks if fast.token_to_id(mark) is None]
        if missing:
            raise RealmError(
                f"the tokenizer of {hero_id} has no {' and '.join(missing)}",
                why=f"the turn format {form.id} needs them",
                fix="name the turn format the model was made for as `model.template` in the hero's YAML (see `configs/chat/`)",
                code="TEMPLATE_UNKNOWN",
            )
        self.format, self.thinking = form, thinking
        found = ((mark, fast.token_to_id(mark)) for mark in (*form.marks, *form.optional_marks))
        self._id: dict[str, int] = {mark: number for mark, number in found if number is not None}
        self.marks = tuple(self._id)
        data = json.loads(fast.to_str())
        for token in data.get("added_tokens", ()):
            # Some tokenizers do not call their marks special; only what is special can be switched off.
            token["special"] = token["special"] or token["content"] in (*form.marks, form.end_of_text)
        self._swallows = {
            t["content"] for t in data.get("added_tokens", ()) if t["rstrip"] and t["content"] in self._id
        }
        self._whole = _without_marks(data)
        self._texts = _without_marks(data, behind_marks=True)
        self._short: Callable[[str], _Ids] = lru_cache(maxsize=remember)(self._plain)
        self._spaced = self._texts.encode("\na", add_special_tokens=False).ids[-1:] != list(self._plain("a"))
        self._begin = (self._id[form.begin],) if form.begin else ()
        self._turns = {
            role: _Shell(self, turn)
            for role, turn in zip(ROLES, (form.system, form.user, form.assistant, form.tool), strict=True)
            if turn is not None
        }
        answer = self._turns["assistant"]
        self.answer_header: _Ids = answer.header
        """What the hero is prompted with before its turn; empty where the user's end mark alone opens it."""
        self.end = answer.end[0]
        """The mark that ends an answer, and is trained."""
        self.end_of_text = self._id.get(form.end_of_text, self.end)
        """The token that ends a raw text."""
        stops = (self.end, self.end_of_text, *(self._id[m] for m in form.stop if m in self._id))
        self.stop_ids: _Ids = tuple(dict.fromkeys(stops))
        """Tokens that end an answer."""

    @property
    def turn_marks(self) -> TurnMarks:
        """The ids by which turns are told apart."""
        heads = {i for shell in self._turns.values() for i in shell.head_marks}
        ends = {shell.end[-1] for role, shell in self._turns.items() if role in ("user", "tool") and shell.end}
        return TurnMarks(
            self.answer_header, frozenset({*ends, *self._begin, self.end}), frozenset({*heads, *self._begin}), self.end
        )

    # ---------------------------------------------------------------- conversations

    def messages(self, messages: Sequence[Message]) -> Encoded:
        """A whole conversation; every assistant turn is trained from its first token to its end mark.

        Raises:
            RealmError: no messages, or a role that the format does not know.
        """
        ids: list[int] = list(self._begin)
        trained: list[bool] = [False] * len(ids)
        after: _Ids = ()
        for role, pieces in self._said(messages):
            shell = self._turns[role]
            before = (*after, *shell.header) if role == "assistant" else (*after, *shell.marked_header)
            words = self._words(shell, pieces, role)
            turn = (*before, *words, *shell.end)
            ids += turn
            answered = role == "assistant"
            kept = len(turn) - len(before) - len(shell.end) + 1 if answered else 0
            trained += [False] * len(before) + [True] * kept + [False] * (len(turn) - len(before) - kept)
            after = shell.after
        if not any(trained[1:]):
            raise _nothing()
        return Encoded(ids, trained)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The conversation so far and the head of the assistant's next turn."""
        ids: list[int] = list(self._begin)
        for role, pieces in self._said(messages):
            shell = self._turns[role]
            header = shell.header if role == "assistant" else shell.marked_header
            ids += (*header, *self._words(shell, pieces, role), *shell.end, *shell.after)
        ids += self.answer_header
        return ids

    def text(self, text: str) -> Encoded:
        """A raw text: all of it is trained, and it ends with the tokenizer's end-of-text mark."""
        words = self._whole.encode(text, add_special_tokens=False).ids
        ids = [*self._begin, *words, self.end_of_text]
        if len(ids) < 2 + len(self._begin):
            raise _nothing()
        return Encoded(ids, [False] * len(self._begin) + [True] * (len(words) + 1))

    def jinja(self) -> str:
        """The same format as a template that other programs read; it travels with an exported hero."""
        return chat_template(self.format, thinking=self.thinking)

    # ---------------------------------------------------------------- turns

    def _said(self, messages: Sequence[Message]) -> Iterator[tuple[str, list[str]]]:
        """Role and pieces of every turn, with the system's words and shared results where the format puts them."""
        form = self.format
        waiting: str | None = None
        number = 0
        while number < len(messages):
            message = messages[number]
            role, content = message["role"], message.get("content") or ""
            number += 1
            if role not in ROLES:
                raise RealmError(f"{role!r} is no role", fix=f"use one of {', '.join(ROLES)}", code="BAD_ROLE")
            if role == "system" and form.system is None:
                waiting = content if waiting is None else f"{waiting}\n{content}"
                continue
            if waiting is not None and role == "user":
                content, waiting = f"{waiting}{form.system_join}{content}", None
            elif waiting is not None:
                yield "user", [waiting]
                waiting = None
            if role == "assistant":
                yield role, answer_pieces(form, message, self.marks, thinking=self.thinking)
            elif role == "tool":
                results = [content]
                while form.tools.merge and number < len(messages) and messages[number]["role"] == "tool":
                    results.append(messages[number].get("content") or "")
                    number += 1
                yield role, result_pieces(form, results, self.marks)
            else:
                yield role, [content]
        if waiting is not None:
            yield "user", [waiting]

    def _words(self, shell: _Shell, pieces: Sequence[str], role: str) -> _Ids:
        """Ids of a turn's words, with the text that its header and end add to them."""
        if role == "assistant":
            if len(pieces) == 1 and not isinstance(pieces[0], Mark):
                return self._continued(shell.tail, pieces[0])
            ids: list[int] = []
            for number, piece in enumerate(pieces):
                if isinstance(piece, Mark):
                    ids.append(self._id[piece])
                else:
                    ids += self.plain(piece) if number else self._continued(shell.tail, piece)
            return tuple(ids)
        if len(pieces) == 1:
            return self.plain(f"{shell.tail}{pieces[0]}{shell.end_text}")
        return self._ids(joined([shell.tail, *pieces, shell.end_text]))

    def _ids(self, pieces: Sequence[str]) -> _Ids:
        ids: list[int] = []
        for piece in pieces:
            ids += (self._id[piece],) if isinstance(piece, Mark) else self.plain(piece)
        return tuple(ids)

    def _continued(self, before: str, text: str) -> _Ids:
        """Ids of ``text`` where it follows ``before`` without a mark between: no first space of its own."""
        if not before or not self._spaced:
            return self.plain(text)
        head, both = self.plain(before), self.plain(before + text)
        return both[len(head) :] if both[: len(head)] == head else self.plain(text)

    def plain(self, text: str) -> _Ids:
        """Ids of a text that follows a mark, its own letters never taken for one."""
        return self._short(text) if len(text) <= _REMEMBERED_CHARACTERS else self._plain(text)

    def _plain(self, text: str) -> _Ids:
        return tuple(self._texts.encode(text, add_special_tokens=False).ids) if text else ()


class _Shell:
    """What stands around one role's words, as ids where it never changes."""

    def __init__(self, template: Template, turn: Turn) -> None:
        header = split_marks(turn.header, template.marks)
        end = split_marks(turn.end, template.marks)
        # A header's last text is encoded with the words it precedes, as one text, unless its mark swallows it.
        tail = header.pop() if header and not isinstance(header[-1], Mark) else ""
        if tail and header and header[-1] in template._swallows:
            tail = tail.lstrip()
        self.tail = tail
        self.end_text = end.pop(0) if end and not isinstance(end[0], Mark) else ""
        self.marked_header = template._ids(header)
        self.head_marks = tuple(template._id[piece] for piece in header if isinstance(piece, Mark))
        self.header = (*self.marked_header, *template.plain(tail))
        self.end = template._ids(end)
        after = turn.after.lstrip() if end and end[-1] in template._swallows else turn.after
        self.after = template._ids(split_marks(after, template.marks))


def _without_marks(data: dict[str, Any], *, behind_marks: bool = False) -> Tokenizer:
    """A copy of a tokenizer that reads marks as letters; ``behind_marks``: its texts never begin an input."""
    from tokenizers import Tokenizer

    copy = json.loads(json.dumps(data))
    if behind_marks:
        for part in _parts(copy.get("pre_tokenizer")):
            if part.get("type") == "Metaspace" and part.get("prepend_scheme") == "first":
                part["prepend_scheme"] = "never"
    made = Tokenizer.from_str(json.dumps(copy))
    made.encode_special_tokens = True
    made.no_padding()
    made.no_truncation()
    return made


def _parts(step: Any) -> Iterator[dict[str, Any]]:
    if isinstance(step, dict):
        yield step
        for inner in step.get("pretokenizers", ()):
            yield from _parts(inner)


def _nothing() -> RealmError:
    return RealmError(
        "an example has nothing to learn from",
        why="no assistant turn, or an empty text",
        fix="give every example an answer",
        code="NOTHING_TRAINED",
    )


# ---------------------------------------------------------------- for a hero


class Speaking(Protocol):
    """What a hero needs to speak."""

    template: Template
    tokenizer: Any
    stop_ids: tuple[int, ...]


def encode_messages(hero: Speaking, messages: Sequence[Message]) -> Encoded:
    """See `Template.messages`."""
    return hero.template.messages(messages)


def encode_prompt(hero: Speaking, messages: Sequence[Message]) -> list[int]:
    """See `Template.prompt`."""
    return hero.template.prompt(messages)


def encode_text(hero: Speaking, text: str) -> Encoded:
    """See `Template.text`."""
    return hero.template.text(text)


def decode(hero: Speaking, ids: Sequence[int]) -> str:
    """Token ids as text, marks included; ids past the vocabulary are dropped."""
    return str(hero.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def answer_text(hero: Speaking, ids: Sequence[int]) -> str:
    """What the hero answered: the text before its end mark, without the space its format puts first."""
    stops = hero.stop_ids
    kept: list[int] = []
    for token in ids:
        if token in stops:
            break
        kept.append(token)
    return decode(hero, kept).removeprefix(hero.template.format.assistant.lead)


def tokens_as_text(hero: Speaking, ids: Sequence[int]) -> list[str]:
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
