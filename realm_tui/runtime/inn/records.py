"""What is remembered of a machine between two looks at it: when it answered last, how fast, and as whom it let us in."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs.paths import realm_home


@dataclass(frozen=True, slots=True)
class HostRecord:
    """The last word about a machine."""

    state: str
    """A name of `realm_tui.runtime.inn.box.LinkState`."""
    at: float
    """When it was looked at (seconds since the epoch)."""
    seen_at: float | None = None
    """When it last answered."""
    rtt_s: float | None = None
    user: str | None = None
    """Who was let in last."""
    skew_s: float | None = None
    """How far its clock was ahead of ours."""
    why: str = ""


def record(host: str) -> HostRecord | None:
    """What is remembered of a machine; None: it was never looked at."""
    try:
        data: Any = json.loads(_path(host).read_text(encoding="utf-8"))
        return HostRecord(**data)
    except (OSError, ValueError, TypeError):
        return None


def remember(host: str, **facts: Any) -> None:
    """Lay ``facts`` (fields of `HostRecord`) over what is remembered; without ``state`` and ``at`` only of a known machine.

    What is None now is not known better than before and changes nothing.
    """
    old, facts = record(host), {name: value for name, value in facts.items() if value is not None}
    if old is None and not {"state", "at"} <= set(facts):
        return
    data = {**(asdict(old) if old is not None else {}), **facts}
    path = _path(host)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    beside.write_text(json.dumps(data), encoding="utf-8")
    beside.replace(path)


def forget(host: str) -> None:
    """Remember nothing of a machine."""
    _path(host).unlink(missing_ok=True)


def _path(host: str) -> Path:
    return realm_home() / "inn" / "hosts" / f"{host}.json"
