"""Reads and checks a player's file: JSONL in UTF-8, each line a conversation (`messages`) or a raw text (`text`).

Deny by default: a line that is not one of the two is an error with its number and reason, and a file with any error is refused.
The first record decides the form of the whole file. Blank lines are skipped; keys beside the known one are ignored.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from configs.errors import RealmError, UsageError

VALIDATOR = "quest_file 1.0.0"
ROLES = ("system", "user", "assistant")
FORMATS = ("messages", "text")
LINE_LIMIT_BYTES = 64 << 20
"""Longest line that is read."""
_SHOWN = 40

CountTokens: TypeAlias = Callable[[str], int]
"""Number of tokens of a rendered example, marks included."""


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
    messages: tuple[Mapping[str, str], ...] | None
    """Turns of role and content; None in a file of raw texts."""
    text: str | None
    digest: str
    """Hash of what the record says, whatever its spelling in JSON."""

    @property
    def rendered(self) -> str:
        """The record as ChatML, for measuring its length."""
        if self.messages is None:
            return f"{self.text}<|endoftext|>"
        return "\n".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>" for m in self.messages)


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
    """``examples, assistant_turns, duplicates, bytes, characters`` and, None without a tokenizer, ``tokens, longest,
    longest_line`` (the longest example in tokens and its line)."""
    digest: str
    """Hash of the file's bytes, as far as they were read."""
    unfinished: bool = False
    """True when the only fault is a last line that stops in the middle, as in a copy that still runs."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "ok": self.ok,
            "format": self.format,
            "errors": [{"line": e.line, "reason": e.reason} for e in self.errors],
            "complete": self.complete,
            "counts": dict(self.counts),
            "digest": self.digest,
            "validator": VALIDATOR,
        }


class QuestRefusedError(RealmError):
    """A file that cannot become a quest; ``report`` holds every line and reason."""

    def __init__(self, name: str, report: FileReport) -> None:
        self.report = report
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
    longest: int = 0
    longest_line: int = 0
    seen: set[str] = field(default_factory=set)

    def add(self, example: Example, tokens: int | None) -> None:
        self.examples += 1
        self.characters += len(example.rendered)
        self.assistant_turns += sum(m["role"] == "assistant" for m in example.messages or ())
        self.duplicates += example.digest in self.seen
        self.seen.add(example.digest)
        if tokens is not None:
            self.tokens += tokens
            if tokens > self.longest:
                self.longest, self.longest_line = tokens, example.line

    def counts(self, *, measured: bool) -> dict[str, int | None]:
        return {
            "examples": self.examples,
            "assistant_turns": self.assistant_turns,
            "duplicates": self.duplicates,
            "bytes": self.size_bytes,
            "characters": self.characters,
            "tokens": self.tokens if measured else None,
            "longest": self.longest if measured else None,
            "longest_line": self.longest_line if measured and self.longest_line else None,
        }


def check_file(
    path: Path, *, max_tokens: int | None = None, count_tokens: CountTokens | None = None, max_errors: int = 100
) -> FileReport:
    """Read a whole file and say whether it can become a quest.

    Args:
        path: a regular file; it is only read.
        max_tokens: the hero's context; longer examples are errors. None: length is not judged.
        count_tokens: tokens of a rendered example; None: lengths stay unknown and are not judged.
        max_errors: the check stops after so many.

    Raises:
        UsageError: there is no such file, or it is a folder, device or pipe.
        RealmError: it cannot be read.
    """
    errors: list[LineError] = []
    tally = _Tally()
    hashed = blake2b(digest_size=16)
    form: str | None = None
    unfinished = False
    with open_quest(path) as file:
        for number, raw in _lines(file):
            hashed.update(raw)
            tally.size_bytes += len(raw)
            try:
                example = _read(raw, tally.examples, number, form)
            except _BadLineError as error:
                unfinished = not errors and not raw.endswith(b"\n")
                errors.append(LineError(number, str(error)))
            else:
                if example is None:
                    continue
                form = form or ("text" if example.messages is None else "messages")
                tokens = count_tokens(example.rendered) if count_tokens else None
                tally.add(example, tokens)
                if tokens is not None and max_tokens is not None and tokens > max_tokens:
                    errors.append(LineError(number, f"too long: {tokens} tokens, the hero reads {max_tokens}"))
            if len(errors) >= max_errors:
                break
        stopped = bool(file.read(1)) if len(errors) >= max_errors else False
    if not errors and not tally.examples:
        errors.append(LineError(1, "the file is empty" if not tally.size_bytes else "the file holds only blank lines"))
    return FileReport(
        ok=not errors,
        format=form,
        errors=tuple(errors),
        complete=not stopped,
        counts=tally.counts(measured=count_tokens is not None),
        digest=hashed.hexdigest(),
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
    return Example(index, line, messages, None, _digest([[m["role"], m["content"]] for m in messages]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _BadLineError(f"`text` must be a string, not {_kind(value)}")
    if not value.strip():
        raise _BadLineError("`text` is empty")
    return _unicode(value, "`text`")


def _messages(value: object) -> tuple[Mapping[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise _BadLineError("`messages` must be a list of messages" if value != [] else "`messages` is empty")
    turns = []
    for number, message in enumerate(value, start=1):
        if not isinstance(message, dict):
            raise _BadLineError(f"message {number} must be an object, not {_kind(message)}")
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise _BadLineError(f"message {number} has the role {_short(role)}; known are {', '.join(ROLES)}")
        if not isinstance(content, str):
            raise _BadLineError(f"message {number} has no `content` text")
        if role == "assistant" and not content.strip():
            raise _BadLineError(f"message {number}: the assistant's answer is empty")
        turns.append({"role": str(role), "content": _unicode(content, f"message {number}")})
    if all(turn["role"] != "assistant" for turn in turns):
        raise _BadLineError("no assistant answer to learn from")
    if turns[-1]["role"] != "assistant":
        raise _BadLineError("the last message must be the assistant's")
    return tuple(turns)


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
