"""Folds the game of a save on a thread of its own, so that a first fold of a million facts holds up no screen."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from queue import SimpleQueue

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from lore.fold import Game
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.opened import OpenedSave, opened

FIRST_WAIT_S = 0.2
"""How long a caller waits for the first fold; a short history takes less."""
NEXT_WAIT_S = 2.0
"""How long it waits for what came since; that takes milliseconds."""


class GameThread:
    """Gives the game of one save; to be asked from one thread, and closed."""

    def __init__(self, folder: SaveFolder) -> None:
        self._folder = folder
        self._orders: SimpleQueue[threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._done: threading.Event | None = None
        self._asked: int | None = None
        self._game: Game | None = None
        self._error: RealmError | None = None
        self._facts = 0

    def read(self, save: OpenedSave) -> Game:
        """The game now, or the newest there is while what came since takes its time.

        Args:
            save: an open save; always the same one.

        Raises:
            BlockedError: the first fold is under way (``GAME_FOLDING``).
            RealmError: the save could not be folded.
        """
        version = int(save.conn.execute("PRAGMA data_version").fetchone()[0])
        if self._done is not None and self._done.is_set():
            self._done = None
        if self._done is None and version != self._asked:
            self._asked, self._done = version, threading.Event()
            self._start()
            self._orders.put(self._done)
        if self._done is not None and self._done.wait(FIRST_WAIT_S if self._game is None else NEXT_WAIT_S):
            self._done = None
        if self._error is not None:
            raise self._error
        if self._game is None:
            raise BlockedError(
                f"the game is being read from the facts, {self._facts:,} so far",
                why="the history is long, and this is its first look, or the rules of the game changed",
                fix="wait; this fills by itself",
                code="GAME_FOLDING",
            )
        return self._game

    def close(self) -> None:
        """Let the thread end; a fold under way ends with the program."""
        self._orders.put(None)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="game", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        reader, save = GameReader(), None
        with ExitStack() as held:
            while (done := self._orders.get()) is not None:
                try:
                    if save is None:
                        save = held.enter_context(opened(self._folder))
                    self._game = reader.read(save, self._progress)
                    self._error = None
                except RealmError as error:
                    self._error = error
                finally:
                    done.set()

    def _progress(self, facts: int) -> None:
        self._facts = facts
