"""Reads and checks a player's file: JSONL in UTF-8, each line a conversation (`messages`) or a raw text (`text`).

Deny by default: a line that is not one of the two is an error with its number and reason, and a file with any error is refused.
The first record decides the form of the whole file. Blank lines are skipped; keys beside the known ones are ignored.
Roles are system, user, assistant and tool; an assistant's message may hold `tool_calls` and `reasoning_content`.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from configs.errors import RealmError, UsageError
from engine.quests.masking import EXEMPT, MaskCheck, MaskReport
from engine.quests.records import LINE_LIMIT_BYTES, BadLineError, Example, read_record

if TYPE_CHECKING:
    from engine.quests.reader import Reader, Reading

VALIDATOR = "quest_file 1.1.0"
_TOLD_LINES = 500


@dataclass(frozen=True, slots=True)
class LineError:
    """One reason to refuse a file; lines count from 1."""

    line: int
    reason: str


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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks odd about its masks, where it is no reason to refuse the file."""
        return self.masking.reasons if self.masking is not None and self.masking.verdict == "warn" else ()

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
            trained = reading.encoded.trained_tokens
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
                example = read_record(raw, tally.examples, number, form)
            except BadLineError as error:
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
                example = read_record(raw, index, number, form)
            except BadLineError as error:
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
