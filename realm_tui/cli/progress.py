"""One line on stderr that is written over and over, where a person looks; nothing at all elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from types import TracebackType


class ProgressLine:
    """The line; used as a context, it takes itself away at the end."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._text = ""

    def show(self, text: str) -> None:
        """Write ``text`` over the line, cut to the terminal's width."""
        if not self._on:
            return
        self._text = text[: max(10, shutil.get_terminal_size().columns - 1)]
        self._write(f"\r{self._text}\x1b[K")

    def tell(self, write: Callable[[], None]) -> None:
        """Let ``write`` print whole lines; the line reappears below them."""
        if self._text:
            self._write("\r\x1b[K")
        write()
        sys.stdout.flush()
        if self._text:
            self._write(f"{self._text}\x1b[K")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._text:
            self._write("\r\x1b[K")
            self._text = ""
