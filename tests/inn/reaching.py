"""The way from a test to a server in a private folder."""

from __future__ import annotations

from pathlib import Path

from realm_tui.runtime.inn.servers.contract import Patience
from realm_tui.runtime.inn.servers.wire import Wire

PATIENCE = Patience(connect_s=5, answer_s=20, load_s=20, health_s=5)


def wire(room: Path, *, key: str = "") -> Wire:
    """The way to the server that listens in ``room``."""
    return Wire(str(room / "s"), label="the Inn", patience=PATIENCE, key=key)


async def read_there(path: str) -> bytes:
    """Read a file where the server stands: here."""
    return Path(path).read_bytes()
