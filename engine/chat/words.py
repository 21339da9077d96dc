"""What an assistant or a tool says, as text and marks: thoughts, words, calls of tools and their results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from configs.errors import RealmError
from configs.turn_format import TurnFormat
from engine.chat.encoded import Message


class Mark(str):
    """A mark that is placed by its id; any other piece is text."""

    __slots__ = ()


def split_marks(text: str, marks: Sequence[str]) -> list[str]:
    """``text`` of a turn format as pieces: `Mark` for each of ``marks``, plain strings between; empty ones left out."""
    if not marks:
        return [text] if text else []
    pattern = "|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True))
    pieces = re.split(f"({pattern})", text)
    return [Mark(piece) if number % 2 else piece for number, piece in enumerate(pieces) if piece]


def answer_pieces(form: TurnFormat, message: Message, marks: Sequence[str], *, thinking: bool) -> list[str]:
    """An assistant's turn between header and end mark: thought, words, calls of tools.

    What the player wrote is text even where it has the letters of a mark; marks come from the turn format alone.
    """
    pieces: list[str] = []
    thought = message.get("reasoning_content") if thinking else None
    if thought:
        pieces += [*split_marks(form.think_open, marks), thought, *split_marks(form.think_close, marks)]
    words = message.get("content") or ""
    if words:
        pieces.append(words)
    calls = message.get("tool_calls") or ()
    if calls:
        tools = form.tools
        pieces += split_marks((tools.behind_words if words else "") + tools.open, marks)
        for number, call in enumerate(calls):
            pieces += split_marks(tools.join if number else "", marks)
            pieces += _filled(tools.call, _call_values(call), marks)
        pieces += split_marks(tools.close, marks)
    lead = form.assistant.lead
    if lead and not (pieces and isinstance(pieces[0], Mark)):
        pieces.insert(0, lead)
    return joined(pieces)


def result_pieces(form: TurnFormat, contents: Sequence[str], marks: Sequence[str]) -> list[str]:
    """A tool's turn between header and end mark; several results where the format lets them share a turn."""
    pieces: list[str] = []
    for number, content in enumerate(contents):
        pieces += ["\n"] if number else []
        pieces += _filled(form.tools.result, {"content": content, "quoted": _json(content)}, marks)
    return joined(pieces)


def joined(pieces: Sequence[str]) -> list[str]:
    """The same pieces with neighbouring texts as one."""
    out: list[str] = []
    for piece in pieces:
        if out and not isinstance(piece, Mark) and not isinstance(out[-1], Mark):
            out[-1] += piece
        else:
            out.append(piece)
    return out


def _filled(pattern: str, values: dict[str, str], marks: Sequence[str]) -> Iterator[str]:
    """``pattern`` with its ``{names}`` replaced; only the pattern's own letters can become marks."""
    for number, piece in enumerate(re.split(r"\{(\w+)\}", pattern)):
        if number % 2:
            yield values[piece]
        else:
            yield from split_marks(piece.replace("{{", "{").replace("}}", "}"), marks)


def _call_values(call: Any) -> dict[str, str]:
    made = call.get("function", call)
    name, arguments = made.get("name"), made.get("arguments", {})
    if not isinstance(name, str):
        raise RealmError(
            "a call of a tool has no name",
            fix='write tool calls as {"function": {"name": …, "arguments": {…}}}',
            code="BAD_TOOL_CALL",
        )
    given = arguments if isinstance(arguments, str) else _json(arguments)
    return {"name": _json(name), "arguments": given, "call": f'{{"name": {_json(name)}, "arguments": {given}}}'}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
