"""Jobs in words: how old, how it ended, what is in a payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from configs import clock
from realm_tui.runtime.foreign import clean
from saves.jobs import Job

_MOST_ROWS = 40
_MOST_CELLS = 100


def age(job: Job) -> str:
    """How long it waited, runs, or took, in short: ``4 s``, ``3 min``, ``2 h``, ``5 d``."""
    now = clock.now()
    if job.ended_at is not None:
        return span(job.ended_at - (job.started_at or job.claimed_at or job.ended_at))
    return span(now - (job.started_at or job.claimed_at or job.created_at))


def span(seconds: float) -> str:
    """A length of time in its largest unit."""
    whole = max(0.0, seconds)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole / size:.0f} {unit}"
    return f"{whole:.0f} s"


def outcome(job: Job) -> str:
    """What there is to say of it in one line: its error or what it waits for, else its result, else what it was given."""
    if job.error:
        return clean(job.error)
    found = job.result if job.result is not None else job.payload
    return clean(
        ", ".join(f"{k}={_short(v)}" for k, v in found.items() if v is not None and not isinstance(v, (dict, list)))
    )[:_MOST_CELLS]


def shown(found: Mapping[str, Any]) -> Iterator[str]:
    """A payload or a result, a field on each line and those of a table below it; long ones are cut and say so."""
    lines = [line for name, value in found.items() for line in _lines(str(name), value)]
    yield from lines[:_MOST_ROWS]
    if len(lines) > _MOST_ROWS:
        yield f"…: {len(lines) - _MOST_ROWS} more (`realm job show --json` has them)"


def _lines(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield f"{clean(name)}.{clean(str(key))}: {_plain(inner)}"
    else:
        yield f"{clean(name)}: {_plain(value)}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        text = ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    elif isinstance(value, float):
        text = f"{value:.4g}"
    elif isinstance(value, list):
        text = ", ".join(_plain(v) for v in value[:20]) + (f" and {len(value) - 20} more" if len(value) > 20 else "")
    else:
        text = "–" if value is None else str(value)
    text = clean(" ".join(text.split()))
    return text if len(text) <= _MOST_CELLS * 4 else text[: _MOST_CELLS * 4] + "…"


def moment(at: float) -> str:
    """A time of day in UTC."""
    return f"{clock.utc(at):%Y-%m-%d %H:%M:%S}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
