"""A terminal driver that drops frames rather than wait, so that a stalled terminal never stops the event loop.

Textual's own writer blocks its caller once thirty writes are queued; a dozing laptop at the far end of a connection would
freeze the app. Here the queue is bounded in bytes: what does not fit is dropped whole, and as soon as the terminal has
taken everything that was queued the app is asked to paint the screen anew.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual._xterm_parser import XTermParser
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver

from configs import clock
from realm_tui.app.thrift import thrifty

if TYPE_CHECKING:
    from textual.app import App

MOST_PENDING_BYTES = 262_144
"""Output that waits at most; a full repaint of a large screen takes about a quarter of it."""
_CLOSING_S = 1.0
"""How long leaving waits for a terminal that does not read."""


_AWAKE_S, _TICK_S = 1.0, 0.1
"""How long after a key, and how often, it is looked whether an escape was a key of its own or the beginning of a longer one."""


class HeardEvent(threading.Event):
    """An event that also ends a wait for what can be read, by `reader`."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)

    def set(self) -> None:
        if not self.is_set():
            super().set()
            os.write(self._writer, b"!")

    def clear(self) -> None:
        if self.is_set():
            super().clear()
            os.read(self.reader, 1)

    def close(self) -> None:
        """Let go of what `reader` stands for."""
        os.close(self.reader)
        os.close(self._writer)


class FrameWriter(WriterThread):
    """Writes to the terminal from a thread of its own; `write` never waits."""

    def __init__(self, fileno: int, on_drained: Callable[[], None]) -> None:
        super().__init__(sys.__stderr__)  # type: ignore[arg-type]
        self._fd = fileno
        self._on_drained = on_drained
        self._changed = threading.Condition()
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._dropped = False
        self._closing = False
        self._ending = False
        self.frames_dropped = 0

    @property
    def behind(self) -> bool:
        """Output was dropped, or much of it waits: painting more now would be for nothing."""
        return self._dropped or self._pending_bytes > MOST_PENDING_BYTES // 4

    def write(self, text: str) -> None:
        data = thrifty(text).encode("utf-8", "replace")
        with self._changed:
            full = self._pending_bytes + len(data) > MOST_PENDING_BYTES
            if (full or self._dropped) and not self._closing:
                self._dropped = True
                self.frames_dropped += 1
                return
            self._pending.append(data)
            self._pending_bytes += len(data)
            self._changed.notify()

    def fileno(self) -> int:
        return self._fd

    def run(self) -> None:
        while True:
            with self._changed:
                while not self._pending and not self._ending:
                    self._changed.wait()
                if not self._pending:
                    return
                data = b"".join(self._pending)
                self._pending.clear()
            if not self._put(data):
                return
            with self._changed:
                self._pending_bytes -= len(data)
                drained = self._dropped and not self._pending
                if drained:
                    self._dropped = False
            if drained:
                self._on_drained()

    def _put(self, data: bytes) -> bool:
        """Write everything; False when the terminal is gone."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except InterruptedError:
                continue
            except OSError:
                with self._changed:
                    self._dropped = True
                return False
        return True

    def close_gently(self) -> None:
        """From now on nothing is dropped; a screen that waits to be painted gives way to what restores the terminal."""
        with self._changed:
            self._closing = True
            if self._dropped:
                self._pending_bytes -= sum(map(len, self._pending))
                self._pending.clear()

    def stop(self) -> None:
        """Let the terminal take what is queued, but do not wait for one that does not read."""
        with self._changed:
            self._closing = self._ending = True
            self._changed.notify()
        self.join(_CLOSING_S)


class FrameDroppingDriver(LinuxDriver):
    """Textual's driver with a `FrameWriter`; writes to whichever of stderr and stdout is the terminal.

    Keys are waited for asleep: nothing runs until there are some, where Textual's own looks ten times a second.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if sys.__stderr__ is not None and not sys.__stderr__.isatty() and sys.__stdout__ is not None:
            self._file = sys.__stdout__
        self._leaving: HeardEvent | None = None
        self._suspended = False

    def run_input_thread(self) -> None:
        """Hand on what is typed, until `exit_event` is set."""
        parser, decoder = XTermParser(self._debug), getincrementaldecoder("utf-8")()
        waiting = select.poll()
        assert self._leaving is not None
        for source in (self.fileno, self._leaving.reader):
            waiting.register(source, select.POLLIN)

        def take(ready: bool) -> bool:
            data = os.read(self.fileno, 4096) if ready else b""
            for message in (*(parser.feed(text) if (text := decoder.decode(data)) else ()), *parser.tick()):
                self.process_message(message)
            return bool(data) or not ready

        awake_until = 0.0
        while not self.exit_event.is_set():
            awake = clock.monotonic() < awake_until
            ready = any(source == self.fileno for source, _ in waiting.poll(1000 * _TICK_S if awake else None))
            if ready:
                awake_until = clock.monotonic() + _AWAKE_S
            if not take(ready):
                self.exit_event.wait(_TICK_S)  # the input has ended
        take(bool(select.select([self.fileno], [], [], _TICK_S)[0]))  # late answers of the terminal are for nobody else

    def close(self) -> None:
        super().close()
        if self._leaving is not None:
            self._leaving.close()
            self._leaving = None

    @property
    def behind(self) -> bool:
        """Whether the terminal does not keep up; the app then skips its refresh."""
        writer = self._writer_thread
        return isinstance(writer, FrameWriter) and writer.behind

    def suspend_application_mode(self) -> None:
        self._suspended = True
        super().suspend_application_mode()

    def resume_application_mode(self) -> None:
        """Take the terminal over again after it was given back.

        A continue that no suspension came before (a terminal that is closed sends one, and so does whoever stopped the
        program from outside) starts nothing twice: what a shell may have changed meanwhile is set again, no more.
        """
        if self._suspended:
            self._suspended = False
            super().resume_application_mode()
        elif self._key_thread is not None and self._key_thread.is_alive():
            try:
                modes = termios.tcgetattr(self.fileno)
                modes[tty.LFLAG] = self._patch_lflag(modes[tty.LFLAG])
                modes[tty.IFLAG] = self._patch_iflag(modes[tty.IFLAG])
                termios.tcsetattr(self.fileno, termios.TCSANOW, modes)
            except termios.error:
                return  # the terminal is gone
            self._loop.call_soon_threadsafe(self._repaint)

    def _repaint(self) -> None:
        if self._app.is_running:
            self._app.refresh(layout=True)

    def start_application_mode(self) -> None:
        self.exit_event = self._leaving = HeardEvent()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        loop, file, opening = self._loop, self._file, self._writer_thread

        def drained() -> None:
            loop.call_soon_threadsafe(self._repaint)

        assert file is not None
        writer = FrameWriter(file.fileno(), drained)
        writer.start()
        if opening is not None:
            opening.stop()  # it has only the few bytes that prepare the terminal
        self._writer_thread = writer

    def stop_application_mode(self) -> None:
        if isinstance(self._writer_thread, FrameWriter):
            self._writer_thread.close_gently()
        super().stop_application_mode()
