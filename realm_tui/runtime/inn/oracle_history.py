"""What the Oracle said, as text: for a person, for a program, or as a quest the hero can train on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from configs.errors import RealmError, UsageError
from lore.figures import number
from realm_tui.runtime.foreign import clean
from saves.oracle import Turn

FORMATS = (".md", ".jsonl", ".json")


def told(turn: Turn) -> str:
    """Who answered and how, in one line."""
    who = turn.name if turn.step is None else f"{turn.name}, step {number(turn.step)}"
    parts = [clean(who), clean(str(turn.detail.get("place") or turn.box))]
    if turn.error_code:
        parts.append(turn.error_code)
    elif turn.finish == "stopped":
        parts.append("stopped")
    elif turn.finish == "length":
        parts.append("cut at its length")
    if turn.tokens is not None:
        speed = turn.tokens_per_s
        parts.append(f"{number(turn.tokens)} tokens" + (f", {speed:.1f}/s" if speed is not None else ""))
    if turn.first_token_s is not None:
        parts.append(f"first after {turn.first_token_s:.2f} s")
    proof = "asked for" if turn.error_code else "proved" if turn.strict else "NOT PROVED"
    parts.append(f"{proof} {turn.digest[:12]}")
    return " · ".join(part for part in parts if part)


def facts(turn: Turn) -> dict[str, Any]:
    """A turn for a machine."""
    return {
        "id": turn.id,
        "talk": turn.talk,
        "kind": turn.kind,
        "at": turn.at,
        "form": turn.name,
        "step": turn.step,
        "digest": turn.digest,
        "strict": turn.strict,
        "place": turn.detail.get("place") or turn.box,
        "worker": turn.worker,
        "server": turn.server,
        "messages": [dict(m) for m in turn.messages],
        "question": turn.question,
        "answer": turn.answer,
        "finish": turn.finish,
        "sampling": dict(turn.sampling),
        "prompt_tokens": turn.prompt_tokens,
        "tokens": turn.tokens,
        "seconds": turn.seconds,
        "first_token_s": turn.first_token_s,
        "tokens_per_s": turn.tokens_per_s,
        "forgotten": turn.detail.get("forgotten", 0),
        "error": {"code": turn.error_code, "text": turn.error} if turn.error_code else None,
    }


def as_text(turns: Iterable[Turn]) -> str:
    """A conversation to read (Markdown)."""
    out = []
    for turn in turns:
        at = datetime.fromtimestamp(turn.at).astimezone().strftime("%Y-%m-%d %H:%M")
        out += [f"## {at}", "", _quoted(turn.question), ""]
        out += [_block(turn.answer) if turn.answer is not None else f"*{clean(turn.error or 'no answer')}*", ""]
        out += [f"<sub>{told(turn)}</sub>", ""]
    return "\n".join(out)


def as_quest(turns: Iterable[Turn]) -> str:
    """The whole answers as a quest file: each line a conversation that ends with what the form said."""
    lines = []
    for turn in turns:
        if turn.answer and turn.finish == "stop":
            messages = [*(dict(m) for m in turn.messages), {"role": "assistant", "content": turn.answer}]
            lines.append(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    return "".join(lines)


def export(turns: Sequence[Turn], target: Path) -> Path:
    """Write turns to a new file; its ending says how: ``.md`` to read, ``.json`` with every figure, ``.jsonl`` as a quest.

    Raises:
        UsageError: the file exists, has another ending, or there is nothing to write.
        RealmError: it cannot be written.
    """
    place = target.expanduser().absolute()
    if place.suffix not in FORMATS:
        raise UsageError(
            f"{place.name} says not in which form", fix=f"end it with {', '.join(FORMATS)}", code="BAD_ARGUMENT"
        )
    text = {
        ".md": lambda: as_text(turns),
        ".json": lambda: json.dumps([facts(t) for t in turns], ensure_ascii=False, indent=2) + "\n",
        ".jsonl": lambda: as_quest(turns),
    }[place.suffix]()
    if not turns or not text:
        raise UsageError("there is no answer to export", fix="ask something first", code="NOTHING_SAID")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{place} exists already", fix="name a file that does not exist yet", code="EXISTS") from None
    except OSError as error:
        raise RealmError(
            f"{place} cannot be written", why=str(error), fix="choose another place", code="CANNOT_WRITE"
        ) from error
    return place


def _quoted(text: str) -> str:
    return "\n".join(f"> {clean(line)}" for line in text.splitlines() or [""])


def _block(text: str) -> str:
    """Foreign text that no reader takes for markup."""
    fence = "```"
    while fence in text:
        fence += "`"
    return "\n".join([fence, *(clean(line) for line in text.splitlines() or [""]), fence])
