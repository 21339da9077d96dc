"""The app in a real terminal: it leaves cleanly whatever happens, and a terminal that does not read never stops it."""

from __future__ import annotations

import os
import re
import select
import signal
import termios
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from realm_tui.app.driver import FrameWriter
from tests.face.terminal import LIMIT_S, Terminal, app_command

ALTERNATE_OFF = b"\x1b[?1049l"


@pytest.fixture
def beats(tmp_path: Path) -> Path:
    return tmp_path / "beats"


@pytest.fixture
def shown(beats: Path) -> Iterator[Terminal]:
    terminal = Terminal(app_command(beats))
    try:
        terminal.until_shown("PIP", "1,204", "53/64")
        yield terminal
    finally:
        terminal.close()


def _times(beats: Path) -> list[float]:
    return [float(line) for line in beats.read_text().split()]


def test_a_closed_terminal_ends_the_app_in_good_order(shown: Terminal) -> None:
    assert shown.hang_up() == 0


def test_a_polite_kill_ends_it_and_gives_the_terminal_back(shown: Terminal) -> None:
    os.kill(shown.process.pid, signal.SIGTERM)
    assert shown.wait() == 0
    shown.until(lambda: ALTERNATE_OFF in shown.output, "the terminal's own screen")
    assert "Traceback" not in shown.text


def test_a_continue_that_no_stop_came_before_starts_nothing_twice(shown: Terminal) -> None:
    """A terminal that is closed sends one with its farewell; a second thread that reads would never end."""
    running = psutil.Process(shown.process.pid)
    before, rounds = running.num_threads(), 12
    for _ in range(rounds):
        shown.output.clear()
        os.kill(shown.process.pid, signal.SIGCONT)
        shown.type("?")
        shown.until_shown("Pause training at the next step")
        shown.type("?")
    assert running.num_threads() < before + rounds, "a thread for each, and then those that read the save"
    assert shown.hang_up() == 0


def test_keys_and_the_screen_come_back_after_a_suspension(shown: Terminal) -> None:
    running = psutil.Process(shown.process.pid)
    for _ in range(2):
        os.kill(shown.process.pid, signal.SIGTSTP)
        shown.until(lambda: running.status() == psutil.STATUS_STOPPED, "the stop")
        shown.pump()
        shown.output.clear()
        os.kill(shown.process.pid, signal.SIGCONT)
        shown.until_shown("PIP")
    shown.type("q")
    shown.until_shown("leave it training")
    shown.type("q")
    assert shown.wait() == 0


def test_modes_that_a_shell_changed_are_set_again_on_continue(shown: Terminal) -> None:
    running = psutil.Process(shown.process.pid)
    taken = termios.tcgetattr(shown.master)
    os.kill(shown.process.pid, signal.SIGSTOP)
    shown.until(lambda: running.status() == psutil.STATUS_STOPPED, "the stop")
    changed = termios.tcgetattr(shown.master)
    changed[tty.LFLAG] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(shown.master, termios.TCSANOW, changed)
    while shown.pump():
        pass
    shown.output.clear()
    os.kill(shown.process.pid, signal.SIGCONT)
    shown.until(lambda: termios.tcgetattr(shown.master)[tty.LFLAG] == taken[tty.LFLAG], "the modes")
    shown.until_shown("PIP")


def test_quit_asks_and_leaves(shown: Terminal) -> None:
    shown.type("q")
    shown.until_shown("leave it training")
    shown.type("q")
    assert shown.wait() == 0


def _beats_on(beats: Path, more: int) -> list[float]:
    """Wait for so many more beats of the event loop, without reading the terminal."""
    have = len(_times(beats))
    end = time.monotonic() + LIMIT_S
    while len(_times(beats)) < have + more:
        assert time.monotonic() < end, "the event loop stood still"
        time.sleep(0.05)
    return _times(beats)[have:]


def test_a_terminal_that_stops_reading_drops_frames_and_not_the_loop(shown: Terminal, beats: Path) -> None:
    shown.until_shown("1,206")
    for _ in range(100):  # each repaints most of the screen: together far more than terminal and queue can hold
        shown.type("v")
        _beats_on(beats, 1)
    _beats_on(beats, 20)
    shown.type("?")
    shown.until_shown("Pause training at the next step")
    shown.type("\x1b")
    _beats_on(beats, 8)
    shown.type("q")
    shown.until_shown("leave it training")
    shown.type("q")
    assert shown.wait() == 0


def test_a_stalled_terminal_does_not_keep_the_app_from_ending(shown: Terminal, beats: Path) -> None:
    shown.until_shown("1,206")
    for _ in range(40):
        shown.type("v")
        _beats_on(beats, 1)
    os.kill(shown.process.pid, signal.SIGTERM)
    assert shown.process.wait(LIMIT_S) == 0


def _behind(writer: FrameWriter) -> bool:
    return writer.behind


def test_the_writer_drops_whole_frames_and_asks_for_a_new_one_when_the_terminal_reads_again() -> None:
    source, sink = os.pipe()
    drained = threading.Event()
    writer = FrameWriter(sink, drained.set)
    writer.start()
    frame = "x" * 49_999 + "\n"
    for _ in range(20):
        writer.write(frame)
    assert writer.behind
    assert 0 < writer.frames_dropped < 20
    got = bytearray()
    while not drained.is_set() or select.select([source], [], [], 0)[0]:
        if select.select([source], [], [], 0.05)[0]:
            got += os.read(source, 65536)
    assert not _behind(writer)
    assert len(got) == (20 - writer.frames_dropped) * len(frame)
    writer.write("new frame")
    writer.stop()
    assert not writer.is_alive()
    assert os.read(source, 65536) == b"new frame"
    os.close(source)
    os.close(sink)


def test_the_writer_gives_up_on_a_terminal_that_is_gone() -> None:
    source, sink = os.pipe()
    os.close(source)
    writer = FrameWriter(sink, lambda: None)
    writer.start()
    writer.write("anybody?")
    writer.join(LIMIT_S)
    assert not writer.is_alive()
    assert _behind(writer)
    writer.write("nobody")
    writer.stop()
    os.close(sink)


def test_ascii_mode_sends_only_ascii(beats: Path) -> None:
    terminal = Terminal(app_command(beats, "ascii"))
    try:
        terminal.until_shown("PIP", "53/64", "1,206")
        terminal.type("?")
        terminal.until_shown("Pause training at the next step")
        terminal.type("\x1b")
        _beats_on(beats, 8)  # an escape followed at once by a letter would be another key
        terminal.type("q")
        terminal.until_shown("leave it training")
        assert bytes(terminal.output).isascii()
        terminal.type("q")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_no_color_sends_no_colour(beats: Path) -> None:
    terminal = Terminal(app_command(beats), env={"NO_COLOR": "1"})
    try:
        terminal.until_shown("PIP", "53/64", "1,206")
        codes = {
            code for found in re.findall(rb"\x1b\[([0-9;]*)m", bytes(terminal.output)) for code in found.split(b";")
        }
        colours = {b"38", b"48", *(str(n).encode() for n in (*range(30, 38), *range(40, 48), *range(90, 108)))}
        assert not codes & colours
        terminal.type("q")
        terminal.until_shown("leave it training")
        terminal.type("q")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_growing_out_of_a_small_terminal_shows_the_game(beats: Path) -> None:
    terminal = Terminal(app_command(beats), size=(60, 20))
    try:
        terminal.until_shown("The Realm needs 61×21")
        terminal.resize(80, 24)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        terminal.until_shown("PIP", "53/64")
        terminal.type("q")
        terminal.until_shown("leave it training")
        terminal.type("q")
        assert terminal.wait() == 0
    finally:
        terminal.close()
