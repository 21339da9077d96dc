"""One line of a player's file as a record: a conversation or a raw text, or the reason why it is neither."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from engine.chat.encoded import ROLES, Message

FORMATS = ("messages", "text")
LINE_LIMIT_BYTES = 64 << 20
"""Longest line that is read."""
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Example:
    """One record of a quest."""

    index: int
    """Position among the file's records, from 0."""
    line: int
    messages: tuple[Message, ...] | None
    """Turns of role and content, with an assistant's ``tool_calls`` and ``reasoning_content``; None for raw texts."""
    text: str | None
    digest: str
    """Hash of what the record says, whatever its spelling in JSON."""

    @property
    def rendered(self) -> str:
        """The record as ChatML, for measuring its length where nothing better is at hand."""
        if self.messages is None:
            return f"{self.text}<|endoftext|>"
        return "\n".join(f"<|im_start|>{m['role']}\n{_words(m)}<|im_end|>" for m in self.messages)


class BadLineError(Exception):
    """A line that is no record; says why."""


def read_record(raw: bytes, index: int, line: int, form: str | None) -> Example | None:
    """One line as a record; None when it is blank.

    Args:
        raw: the line's bytes.
        index: position among the file's records.
        line: its number, from 1.
        form: ``messages`` or ``text``, what the file began with; None at its first record.

    Raises:
        BadLineError: it is neither form, or not the file's.
    """
    if len(raw) >= LINE_LIMIT_BYTES:
        raise BadLineError(f"the line is longer than {LINE_LIMIT_BYTES >> 20} MiB")
    try:
        text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise BadLineError(f"not UTF-8: byte {error.object[error.start]:#04x} at column {error.start + 1}") from error
    if not text.strip():
        return None
    try:
        record = json.loads(text)
    except RecursionError as error:
        raise BadLineError("not JSON that can be read: nested too deeply") from error
    except ValueError as error:
        why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise BadLineError(f"not JSON: {why}") from error
    if not isinstance(record, dict):
        raise BadLineError(f"a record must be an object with `messages` or `text`, not {_kind(record)}")
    found = [name for name in FORMATS if name in record]
    if len(found) != 1:
        raise BadLineError("holds both `messages` and `text`" if found else "holds neither `messages` nor `text`")
    if form is not None and found[0] != form:
        raise BadLineError(f"holds `{found[0]}`, but the file began with `{form}`")
    if found[0] == "text":
        return Example(index, line, None, _text(record["text"]), _digest(record["text"]))
    messages = _messages(record["messages"])
    return Example(index, line, messages, None, _digest([_told(m) for m in messages]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadLineError(f"`text` must be a string, not {_kind(value)}")
    if not value.strip():
        raise BadLineError("`text` is empty")
    return _unicode(value, "`text`")


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise BadLineError("`messages` must be a list of messages" if value != [] else "`messages` is empty")
    turns = []
    for number, message in enumerate(value, start=1):
        if not isinstance(message, dict):
            raise BadLineError(f"message {number} must be an object, not {_kind(message)}")
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise BadLineError(f"message {number} has the role {_short(role)}; known are {', '.join(ROLES)}")
        beside = _beside(message, number) if role == "assistant" else {}
        if content is None and "tool_calls" in beside:
            content = ""
        if not isinstance(content, str):
            raise BadLineError(f"message {number} has no `content` text")
        if role == "assistant" and not content.strip() and "tool_calls" not in beside:
            raise BadLineError(f"message {number}: the assistant's answer is empty")
        turns.append({"role": str(role), "content": _unicode(content, f"message {number}"), **beside})
    if all(turn["role"] != "assistant" for turn in turns):
        raise BadLineError("no assistant answer to learn from")
    if turns[-1]["role"] != "assistant":
        raise BadLineError("the last message must be the assistant's")
    return tuple(turns)


def _beside(message: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What an assistant's message holds beside its words: calls of tools and a thought that stands apart."""
    beside: dict[str, Any] = {}
    calls = message.get("tool_calls")
    if calls:
        if not isinstance(calls, list):
            raise BadLineError(f"message {number}: `tool_calls` must be a list, not {_kind(calls)}")
        beside["tool_calls"] = [_call(call, number) for call in calls]
    thought = message.get("reasoning_content")
    if thought is not None and not isinstance(thought, str):
        raise BadLineError(f"message {number}: `reasoning_content` must be a string, not {_kind(thought)}")
    if thought and thought.strip():
        beside["reasoning_content"] = _unicode(thought, f"message {number}: `reasoning_content`")
    return beside


def _call(call: object, number: int) -> dict[str, Any]:
    """One call of a tool as its name and arguments, arguments that are text read as JSON."""
    made = call.get("function", call) if isinstance(call, dict) else None
    name = made.get("name") if isinstance(made, dict) else None
    if not isinstance(made, dict) or not isinstance(name, str) or not name.strip():
        raise BadLineError(f"message {number}: a call of a tool has no `name`")
    arguments = made.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError) as error:
            raise BadLineError(f"message {number}: the arguments of {_short(name)} are not JSON") from error
    if not isinstance(arguments, dict):
        raise BadLineError(f"message {number}: the arguments of {_short(name)} must be an object")
    _unicode(json.dumps([name, arguments], ensure_ascii=False), f"message {number}: `tool_calls`")
    return {"name": name, "arguments": arguments}


def _told(message: Message) -> list[Any]:
    """What a message says, for its digest; what it holds beside its words only where there is any."""
    beside = {k: message[k] for k in ("tool_calls", "reasoning_content") if k in message}
    return [message["role"], message["content"], *([beside] if beside else [])]


def _words(message: Message) -> str:
    calls = message.get("tool_calls")
    return str(message["content"]) + (json.dumps(calls, ensure_ascii=False) if calls else "")


def _unicode(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadLineError(f"{where} holds half of a character pair, which is no text") from error
    return text


def _digest(content: object) -> str:
    return blake2b(json.dumps(content, ensure_ascii=False).encode(), digest_size=16).hexdigest()


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
