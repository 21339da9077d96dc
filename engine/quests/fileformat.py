"""Reads and checks a player's file: JSONL in UTF-8, each line a conversation (`messages`) or a raw text (`text`).

Deny by default: a line that is not one of the two is an error with its number and reason, and a file with any error is refused.
The first record decides the form of the whole file. Blank lines are skipped; keys beside the known ones are ignored.
Roles are system, user, assistant and tool; an assistant's message may hold `tool_calls` and `reasoning_content`.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from configs.errors import RealmError, UsageError
from engine.chat.encoded import ROLES, Message
from engine.quests.masking import EXEMPT, MaskCheck, MaskReport

if TYPE_CHECKING:
    from engine.quests.reader import Reader, Reading

VALIDATOR = "quest_file 1.1.0"
FORMATS = ("messages", "text")
LINE_LIMIT_BYTES = 64 << 20
"""Longest line that is read."""
_SHOWN = 40
_TOLD_LINES = 500


@dataclass(frozen=True, slots=True)
class LineError:
    """One reason to refuse a file; lines count from 1."""

    line: int
    reason: str


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


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a check found."""

    ok: bool
    format: str | None
    """``messages`` or ``text``; None when no record was readable."""
    errors: tuple[LineError, ...]
    complete: bool
    """False when the check stopped at its limit of errors."""
    counts: dict[str, int | None]
    """``examples, assistant_turns, duplicates, bytes, characters`` and, None without a tokenizer, ``tokens`` with what
    becomes of them (``trained, masked, truncated, dropped``), ``longest, longest_line`` (the longest example and its line)."""
    digest: str
    """Hash of the file's bytes, as far as they were read."""
    masking: MaskReport | None = None
    """Whether exactly the answers are trained; None without a tokenizer."""
    unfinished: bool = False
    """True when the only fault is a last line that stops in the middle, as in a copy that still runs."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the file is refused, one line each."""
        masks = self.masking.reasons if self.masking is not None and self.masking.verdict == "abort" else ()
        return (*(f"line {e.line}: {e.reason}" for e in self.errors), *masks)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "ok": self.ok,
            "format": self.format,
            "errors": [{"line": e.line, "reason": e.reason} for e in self.errors],
            "reasons": list(self.reasons),
            "complete": self.complete,
            "counts": dict(self.counts),
            "digest": self.digest,
            "validator": VALIDATOR,
            "masking": self.masking.as_dict() if self.masking is not None else None,
        }


class QuestRefusedError(RealmError):
    """A file that cannot become a quest; ``report`` holds every line and reason."""

    def __init__(self, name: str, report: FileReport) -> None:
        self.report = report
        if not report.errors:
            super().__init__(
                f"{name}: the wrong tokens would be trained",
                why="; ".join(report.reasons),
                fix="give the answers longer questions, say --long-answers for code and long answers, or write `text` records",
                code="MASKED_TOO_LITTLE",
            )
            return
        first = report.errors[0]
        more = len(report.errors) - 1
        others = f", and {more}{'' if report.complete else ' or more'} other line{'s' * (more != 1)}" if more else ""
        super().__init__(
            f"{name}, line {first.line}: {first.reason}{others}",
            fix="mend the file (`realm quest check` lists every line), then add it again",
            code="QUEST_REFUSED",
        )


class _BadLineError(Exception):
    """A line that is no record; says why."""


@dataclass(slots=True)
class _Tally:
    """What a running check has counted."""

    examples: int = 0
    assistant_turns: int = 0
    duplicates: int = 0
    size_bytes: int = 0
    characters: int = 0
    tokens: int = 0
    trained: int = 0
    masked: int = 0
    truncated: int = 0
    longest: int = 0
    longest_line: int = 0
    seen: set[str] = field(default_factory=set)

    def add(self, example: Example, reading: Reading | None) -> None:
        self.examples += 1
        self.characters += len(example.rendered)
        self.assistant_turns += sum(m["role"] == "assistant" for m in example.messages or ())
        self.duplicates += example.digest in self.seen
        self.seen.add(example.digest)
        if reading is None:
            return
        self.tokens += reading.tokens
        if reading.tokens > self.longest:
            self.longest, self.longest_line = reading.tokens, example.line
        if reading.encoded is not None:
            trained = sum(reading.encoded.trained)
            self.trained += trained
            self.masked += len(reading.encoded.ids) - trained
            self.truncated += reading.truncated

    def counts(self, *, measured: bool, exact: bool) -> dict[str, int | None]:
        used = self.trained + self.masked + self.truncated
        return {
            "examples": self.examples,
            "assistant_turns": self.assistant_turns,
            "duplicates": self.duplicates,
            "bytes": self.size_bytes,
            "characters": self.characters,
            "tokens": self.tokens if measured else None,
            "trained": self.trained if exact else None,
            "masked": self.masked if exact else None,
            "truncated": self.truncated if exact else None,
            "dropped": self.tokens - used if exact else None,
            "longest": self.longest if measured else None,
            "longest_line": self.longest_line if measured and self.longest_line else None,
        }


def check_file(
    path: Path,
    *,
    reader: Reader | None = None,
    long_answers: bool = False,
    max_errors: int = 100,
    on_progress: Callable[[str], None] | None = None,
) -> FileReport:
    """Read a whole file and say whether it can become a quest.

    Args:
        path: a regular file; it is only read.
        reader: reads examples for the hero; what it refuses is an error. None: lengths and masks are not judged.
        long_answers: code or long answers, of which less needs to be masked.
        max_errors: the check stops after so many.
        on_progress: told from time to time how many lines were read.

    Raises:
        UsageError: there is no such file, or it is a folder, device or pipe.
        RealmError: it cannot be read.
    """
    errors: list[LineError] = []
    tally = _Tally()
    marks = reader.marks if reader is not None else None
    masks = MaskCheck(marks, long_answers or reader.long_answers) if reader is not None and marks is not None else None
    hashed = blake2b(digest_size=16)
    form: str | None = None
    unfinished = False
    with open_quest(path) as file:
        for number, raw in _lines(file):
            hashed.update(raw)
            tally.size_bytes += len(raw)
            if on_progress is not None and number % _TOLD_LINES == 0:
                on_progress(f"{number:,} lines checked")
            try:
                example = _read(raw, tally.examples, number, form)
            except _BadLineError as error:
                unfinished = not errors and not raw.endswith(b"\n")
                errors.append(LineError(number, str(error)))
            else:
                if example is None:
                    continue
                form = form or ("text" if example.messages is None else "messages")
                reading = reader.read(example) if reader is not None else None
                tally.add(example, reading)
                if reading is not None and reading.refusal is not None:
                    errors.append(LineError(number, reading.refusal))
                elif reading is not None and reading.encoded is not None and masks is not None and form == "messages":
                    masks.add(reading.encoded, f"line {number}")
            if len(errors) >= max_errors:
                break
        stopped = bool(file.read(1)) if len(errors) >= max_errors else False
    if not errors and not tally.examples:
        errors.append(LineError(1, "the file is empty" if not tally.size_bytes else "the file holds only blank lines"))
    masking = None if masks is None else EXEMPT if form == "text" else masks.report()
    counts = tally.counts(measured=reader is not None, exact=masks is not None)
    return FileReport(
        ok=not errors and (masking is None or masking.verdict != "abort"),
        format=form,
        errors=tuple(errors),
        complete=not stopped,
        counts={**counts, "long_answers": 1} if long_answers else counts,
        digest=hashed.hexdigest(),
        masking=masking,
        unfinished=unfinished,
    )


def read_examples(path: Path) -> Iterator[Example]:
    """The records of a file that passed its check, in order.

    Raises:
        RealmError: the file is gone, unreadable, or no longer what was checked.
    """
    form: str | None = None
    index = 0
    with open_quest(path) as file:
        for number, raw in _lines(file):
            try:
                example = _read(raw, index, number, form)
            except _BadLineError as error:
                raise RealmError(
                    f"{path.name}, line {number}: {error}",
                    fix="check the file (`realm quest check`) and add it again",
                    code="QUEST_REFUSED",
                ) from error
            if example is not None:
                form = form or ("text" if example.messages is None else "messages")
                index += 1
                yield example


def open_quest(path: Path) -> BinaryIO:
    """A regular file opened for reading; anything else is refused before it is opened, so that a pipe never blocks."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is not a file", fix="name one JSONL file", code="NOT_A_FILE")
        return path.open("rb")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", fix="check the path", code="NO_SUCH_FILE") from error
    except OSError as error:
        raise RealmError(
            f"cannot read {path}",
            why=error.strerror or str(error),
            fix="check the file's permissions",
            code="UNREADABLE",
        ) from error


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while raw := file.readline(LINE_LIMIT_BYTES):
        number += 1
        yield number, raw


def _read(raw: bytes, index: int, line: int, form: str | None) -> Example | None:
    """One line as a record; None when it is blank."""
    if len(raw) >= LINE_LIMIT_BYTES:
        raise _BadLineError(f"the line is longer than {LINE_LIMIT_BYTES >> 20} MiB")
    try:
        text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise _BadLineError(f"not UTF-8: byte {error.object[error.start]:#04x} at column {error.start + 1}") from error
    if not text.strip():
        return None
    try:
        record = json.loads(text)
    except RecursionError as error:
        raise _BadLineError("not JSON that can be read: nested too deeply") from error
    except ValueError as error:
        why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise _BadLineError(f"not JSON: {why}") from error
    if not isinstance(record, dict):
        raise _BadLineError(f"a record must be an object with `messages` or `text`, not {_kind(record)}")
    found = [name for name in FORMATS if name in record]
    if len(found) != 1:
        raise _BadLineError("holds both `messages` and `text`" if found else "holds neither `messages` nor `text`")
    if form is not None and found[0] != form:
        raise _BadLineError(f"holds `{found[0]}`, but the file began with `{form}`")
    if found[0] == "text":
        return Example(index, line, None, _text(record["text"]), _digest(record["text"]))
    messages = _messages(record["messages"])
    return Example(index, line, messages, None, _digest([_told(m) for m in messages]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _BadLineError(f"`text` must be a string, not {_kind(value)}")
    if not value.strip():
        raise _BadLineError("`text` is empty")
    return _unicode(value, "`text`")


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise _BadLineError("`messages` must be a list of messages" if value != [] else "`messages` is empty")
    turns = []
    for number, message in enumerate(value, start=1):
        if not isinstance(message, dict):
            raise _BadLineError(f"message {number} must be an object, not {_kind(message)}")
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise _BadLineError(f"message {number} has the role {_short(role)}; known are {', '.join(ROLES)}")
        beside = _beside(message, number) if role == "assistant" else {}
        if content is None and "tool_calls" in beside:
            content = ""
        if not isinstance(content, str):
            raise _BadLineError(f"message {number} has no `content` text")
        if role == "assistant" and not content.strip() and "tool_calls" not in beside:
            raise _BadLineError(f"message {number}: the assistant's answer is empty")
        turns.append({"role": str(role), "content": _unicode(content, f"message {number}"), **beside})
    if all(turn["role"] != "assistant" for turn in turns):
        raise _BadLineError("no assistant answer to learn from")
    if turns[-1]["role"] != "assistant":
        raise _BadLineError("the last message must be the assistant's")
    return tuple(turns)


def _beside(message: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What an assistant's message holds beside its words: calls of tools and a thought that stands apart."""
    beside: dict[str, Any] = {}
    calls = message.get("tool_calls")
    if calls:
        if not isinstance(calls, list):
            raise _BadLineError(f"message {number}: `tool_calls` must be a list, not {_kind(calls)}")
        beside["tool_calls"] = [_call(call, number) for call in calls]
    thought = message.get("reasoning_content")
    if thought is not None and not isinstance(thought, str):
        raise _BadLineError(f"message {number}: `reasoning_content` must be a string, not {_kind(thought)}")
    if thought and thought.strip():
        beside["reasoning_content"] = _unicode(thought, f"message {number}: `reasoning_content`")
    return beside


def _call(call: object, number: int) -> dict[str, Any]:
    """One call of a tool as its name and arguments, arguments that are text read as JSON."""
    made = call.get("function", call) if isinstance(call, dict) else None
    name = made.get("name") if isinstance(made, dict) else None
    if not isinstance(made, dict) or not isinstance(name, str) or not name.strip():
        raise _BadLineError(f"message {number}: a call of a tool has no `name`")
    arguments = made.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError) as error:
            raise _BadLineError(f"message {number}: the arguments of {_short(name)} are not JSON") from error
    if not isinstance(arguments, dict):
        raise _BadLineError(f"message {number}: the arguments of {_short(name)} must be an object")
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
        raise _BadLineError(f"{where} holds half of a character pair, which is no text") from error
    return text


def _digest(content: object) -> str:
    return blake2b(json.dumps(content, ensure_ascii=False).encode(), digest_size=16).hexdigest()


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
