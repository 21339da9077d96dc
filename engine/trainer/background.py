"""One piece of work on a thread of its own, whose end the training loop looks for at step boundaries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Work that began when this was made.

    The thread dies with its process: whatever it was writing then must be of a kind that the next start sweeps away.

    Args:
        work: what to do; it must touch neither the save's connection nor anything the training loop changes.
        name: of the thread.
        on_end: called on that thread when the work is done or has failed.
    """

    def __init__(self, work: Callable[[], T], name: str, on_end: Callable[[], None] | None = None) -> None:
        self._work, self._on_end = work, on_end
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether `result` would return at once."""
        return self._ended.is_set()

    def result(self) -> T:
        """Wait for the end; what the work returned, or the error it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()
            if self._on_end is not None:
                self._on_end()
