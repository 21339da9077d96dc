"""The screen's own writes to the save (settings, what was seen), one after another on a thread of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

from configs.paths import SaveFolder


class SaveWriter:
    """Writes without making the screen wait; `close` waits for what is still to be written."""

    def __init__(self, folder: SaveFolder) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="save-writer")

    def setting(self, key: str, value: Any) -> Future[None]:
        """Keep a setting."""
        from saves.campaigns import set_setting

        return self._put(lambda conn: set_setting(conn, key, value))

    def seen(self, key: str, value: Any) -> Future[None]:
        """Remember what the player has seen."""
        from saves.campaigns import mark_seen

        return self._put(lambda conn: mark_seen(conn, key, value))

    def _put(self, work: Callable[[sqlite3.Connection], None]) -> Future[None]:
        def write() -> None:
            from saves.database import open_save

            with closing(open_save(self._folder, write=True)) as conn:
                work(conn)

        return self._thread.submit(write)

    def close(self) -> None:
        """Wait for the last write."""
        self._thread.shutdown(wait=True)
