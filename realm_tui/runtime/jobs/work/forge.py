"""The Data Forge: making, checking, measuring, converting and sifting files that a hero can be taught from."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from configs.errors import UsageError
from realm_tui.runtime.jobs.kinds import Convert, File, Filter, Generate, JobError, Validate, Workplace
from saves.rows import Quest

_TOLD = 2000
_PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("question", "answer"),
    ("instruction", "output"),
    ("input", "output"),
)
"""Names under which files keep a question and its answer."""
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}


def data_gen(number: int, payload: Generate, place: Workplace) -> Mapping[str, Any]:
    """Worked training problems of a skill; the same payload always gives the same file."""
    from realm_tui.runtime import board
    from realm_tui.runtime.opened import opened
    from skills.registry import get_skill, skill_id

    name = f"{skill_id(payload.skill)}_L{payload.level}_{payload.count}_job{number}"
    with opened(place.folder) as save:
        known = _quest(save.conn, name)
        mix = payload.mix or save.hero.skills.get(skill_id(payload.skill), "full")
    if known is not None:
        return {"quest": known.name, "examples": known.counts.get("examples"), "file": known.file}
    skill = get_skill(payload.skill)

    def records() -> Iterator[dict[str, Any]]:
        for index in range(payload.first, payload.first + payload.count):
            problem = skill.generate(payload.level, index, "train", mix, operation=payload.operation)
            yield {"messages": [_turn("user", problem.prompt), _turn("assistant", problem.answer)]}

    path = place.papers / f"{name}.jsonl"
    written = _write(path, records(), place)
    if not payload.add:
        return {"quest": None, "examples": written, "file": str(path)}
    quest = board.add(place.folder, path, priority=payload.priority, name=name, source="data forge")
    path.unlink()
    return {"quest": quest.name, "examples": written, "file": quest.file}


def data_validate(number: int, payload: Validate, place: Workplace) -> Mapping[str, Any]:
    """The verdict on a file, as `realm quest check` gives it."""
    from realm_tui.runtime import board
    from realm_tui.runtime.opened import opened

    path = _source(payload, place)
    with opened(place.folder) as save:
        report = board.check(path, save.hero, save.rules, long_answers=payload.long_answers, on_progress=place.tell)
    return {**report.as_dict(), "file": str(path)}


def data_profile(number: int, payload: File, place: Workplace) -> Mapping[str, Any]:
    """How many records a file holds, how long they are, who speaks in them, and how many say the same."""
    from engine.quests.fileformat import read_examples
    from engine.quests.reader import reader_for
    from realm_tui.runtime.opened import opened

    path = _source(payload, place)
    with opened(place.folder) as save:
        reader = reader_for(save.hero)
    seen: set[str] = set()
    roles: Counter[str] = Counter()
    characters, tokens, turns, answers = [], [], [], []
    duplicates = 0
    for example in read_examples(path):
        duplicates += example.digest in seen
        seen.add(example.digest)
        characters.append(len(example.rendered))
        tokens.append(reader.read(example).tokens)
        if example.messages is not None:
            roles.update(str(m["role"]) for m in example.messages)
            turns.append(len(example.messages))
            answers.append(sum(len(str(m.get("content") or "")) for m in example.messages if m["role"] == "assistant"))
        if len(characters) % _TOLD == 0:
            place.tell(f"{len(characters):,} records measured")
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "records": len(characters),
        "duplicates": duplicates,
        "roles": dict(sorted(roles.items())),
        "characters": _spread(characters),
        "tokens": _spread(tokens),
        "tokens_exact": getattr(reader, "exact", True),
        "turns": _spread(turns),
        "answer_characters": _spread(answers),
    }


def data_convert(number: int, payload: Convert, place: Workplace) -> Mapping[str, Any]:
    """Records from JSON lines of many makes, a table with a heading, or plain text with blank lines between its pieces."""
    path = _source(payload, place)
    out = _target(payload.out, path, f"{payload.to}-job{number}", place)
    left_out: Counter[str] = Counter()

    def records() -> Iterator[dict[str, Any]]:
        for found in _read_any(path):
            turns = _turns(found)
            text = found.get("text") if isinstance(found.get("text"), str) else None
            if payload.to == "messages" and turns:
                yield {"messages": turns}
            elif payload.to == "text" and (text or turns):
                yield {"text": text or "\n\n".join(str(t["content"]) for t in turns or ())}
            else:
                left_out["no question and answer in it" if payload.to == "messages" else "no text in it"] += 1

    written = _write(out, records(), place)
    if not written:
        out.unlink()
        raise JobError(
            "validation",
            f"{path.name} holds nothing that could become {payload.to} records",
            why="; ".join(f"{n} × {why}" for why, n in left_out.items()) or "it is empty",
            fix=f"name its columns like one of these pairs: {', '.join('/'.join(p) for p in _PAIRS)}",
            code="NOTHING_TO_CONVERT",
        )
    return {"file": str(out), "records": written, "left_out": dict(left_out)}


def data_filter(number: int, payload: Filter, place: Workplace) -> Mapping[str, Any]:
    """The records that pass every test, and how many each test kept out."""
    from engine.quests.fileformat import read_examples
    from engine.quests.reader import reader_for
    from realm_tui.runtime.opened import opened

    path = _source(payload, place)
    out = _target(payload.out, path, f"filtered-job{number}", place)
    reader = None
    if payload.max_tokens is not None:
        with opened(place.folder) as save:
            reader = reader_for(save.hero)
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    words = [w.casefold() for w in payload.without]

    def kept() -> Iterator[dict[str, Any]]:
        for example in read_examples(path):
            reason = ""
            rendered = example.rendered
            last = str((example.messages or ({},))[-1].get("content") or "")
            if not payload.duplicates and example.digest in seen:
                reason = "duplicate"
            elif len(rendered) < payload.min_characters:
                reason = "too short"
            elif payload.max_characters is not None and len(rendered) > payload.max_characters:
                reason = "too long"
            elif example.messages is not None and len(last) < payload.min_answer:
                reason = "answer too short"
            elif any(w in rendered.casefold() for w in words):
                reason = "unwanted words"
            elif reader is not None and reader.read(example).tokens > (payload.max_tokens or 0):
                reason = "too many tokens"
            seen.add(example.digest)
            if reason:
                left_out[reason] += 1
            else:
                yield {"messages": list(example.messages)} if example.messages is not None else {"text": example.text}

    written = _write(out, kept(), place)
    return {"file": str(out), "records": written, "left_out": dict(left_out)}


# ---------------------------------------------------------------- files


def _quest(conn: Any, name: str) -> Quest | None:
    from saves.quests import quests

    return next((q for q in quests(conn) if q.name == name), None)


def _source(payload: File, place: Workplace) -> Path:
    if payload.file is not None:
        path = Path(payload.file).expanduser()
        return path if path.is_absolute() else place.folder.root / path
    from realm_tui.runtime.opened import opened

    with opened(place.folder) as save:
        found = _quest(save.conn, str(payload.quest))
    if found is None:
        raise UsageError(
            f"there is no quest called {payload.quest!r}", fix="see `realm quest list`", code="UNKNOWN_QUEST"
        )
    return place.folder.quests / found.file


def _target(chosen: str | None, source: Path, ending: str, place: Workplace) -> Path:
    """Where a file goes; a file of the player's is never written over."""
    if chosen is None:
        return place.papers / f"{source.name.removesuffix('.jsonl').removesuffix(source.suffix)}-{ending}.jsonl"
    path = Path(chosen).expanduser()
    if path.exists():
        raise UsageError(f"{path} already exists", fix="choose another file", code="EXISTS")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a folder", fix="choose another place", code="NO_FOLDER")
    return path


def _write(path: Path, records: Iterable[Mapping[str, Any]], place: Workplace) -> int:
    """The records as JSON lines; the file appears whole."""
    if path.parent == place.papers:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    count = 0
    try:
        with part.open("w", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                count += 1
                if count % _TOLD == 0:
                    place.tell(f"{count:,} records written")
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _read_any(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of any make, one after the other.

    Raises:
        UsageError: there is no such file, or it is not what its name says; the line is named.
    """
    from engine.quests.fileformat import open_quest

    number = 0
    with open_quest(path) as raw:
        lines = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        try:
            if path.suffix in (".csv", ".tsv"):
                number = 1
                for row in csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ","):
                    number += 1
                    yield row
            elif path.suffix == ".json" and lines.read(1) == "[":
                lines.seek(0)
                yield from (found for found in json.load(lines) if isinstance(found, dict))
            elif path.suffix in (".jsonl", ".json", ".ndjson"):
                lines.seek(0)
                for line in lines:
                    number += 1
                    if line.strip():
                        found = json.loads(line)
                        yield found if isinstance(found, dict) else {}
            else:
                for _, piece in groupby(lines, lambda line: bool(line.strip())):
                    text = "".join(piece).strip()
                    if text:
                        yield {"text": text}
        except (ValueError, csv.Error) as error:
            where = f"{path.name}, line {number}" if number else path.name
            raise UsageError(
                f"{where}: this cannot be read", why=str(error), fix="mend the file", code="UNREADABLE"
            ) from error


def _turns(found: Mapping[str, Any]) -> list[dict[str, str]] | None:
    """The turns of a record of any make; None when there are none."""
    for key in ("messages", "conversations", "conversation"):
        spoken = found.get(key)
        if isinstance(spoken, list) and spoken:
            turns = [
                _turn(
                    _ROLES.get(str(t.get("role") or t.get("from")), str(t.get("role") or t.get("from"))),
                    str(t.get("content") if t.get("content") is not None else t.get("value", "")),
                )
                for t in spoken
                if isinstance(t, dict)
            ]
            return turns if any(t["role"] == "assistant" for t in turns) else None
    folded = {str(k).strip().casefold(): v for k, v in found.items()}
    for asked, told in _PAIRS:
        question, answer = folded.get(asked), folded.get(told)
        if isinstance(question, str) and isinstance(answer, str) and question.strip() and answer.strip():
            more = folded.get("input") if asked == "instruction" else None
            whole = f"{question}\n\n{more}" if isinstance(more, str) and more.strip() else question
            system = folded.get("system")
            first = [_turn("system", system)] if isinstance(system, str) and system.strip() else []
            return [*first, _turn("user", whole), _turn("assistant", answer)]
    return None


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _spread(values: Sequence[int]) -> dict[str, float] | None:
    """Least, middle, most and the edges of a row of numbers; None for none."""
    if not values:
        return None
    row = sorted(values)

    def at(share: float) -> int:
        return row[min(len(row) - 1, int(share * len(row)))]

    return {"min": row[0], "median": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": row[-1], "sum": sum(row)}
