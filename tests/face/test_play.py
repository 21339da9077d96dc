"""``realm play``: when it draws, when it speaks in lines, and what it never loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.cli.play import has_screen
from saves.campaigns import set_setting
from saves.database import create_save, open_save
from saves.locks import FileLock
from tests.face.terminal import Terminal

ROOT = Path(__file__).parents[2]


class Stream:
    """A standard stream that says whether it is a terminal."""

    def __init__(self, tty: bool) -> None:
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.mark.parametrize(
    ("keys", "err", "out", "term", "screen"),
    [
        (True, True, True, "xterm-256color", True),
        (True, False, True, "xterm-256color", True),
        (True, True, False, "xterm-256color", True),
        (False, True, True, "xterm-256color", False),
        (True, False, False, "xterm-256color", False),
        (True, True, True, "dumb", False),
        (True, True, True, "", False),
    ],
)
def test_the_screen_needs_keys_and_a_place_to_draw(
    monkeypatch: pytest.MonkeyPatch, keys: bool, err: bool, out: bool, term: str, screen: bool
) -> None:
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    monkeypatch.setenv("TERM", term)
    for name, tty in (("__stdin__", keys), ("__stderr__", err), ("__stdout__", out)):
        monkeypatch.setattr(sys, name, Stream(tty))
    assert has_screen() is screen


def test_the_screen_loads_neither_torch_nor_what_the_first_frame_does_not_need() -> None:
    code = (
        "import sys, realm_tui.app.main, realm_tui.app.source, realm_tui.app.app, realm_tui.app.driver\n"
        "heavy = {'torch', 'transformers', 'accelerate', 'numpy', 'realm_tui.app.screens.add_quest',\n"
        "         'textual.widgets._data_table', 'textual.widgets._markdown', 'realm_tui.app.screens.help'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_second_screen_looks_on_and_gives_no_orders(tmp_path: Path) -> None:
    folder = SaveFolder(tmp_path / "saves" / "main")
    folder.root.parent.mkdir()
    create_save(folder, load_hero("pip"), seed=1)
    conn = open_save(folder, write=True)
    set_setting(conn, "face.names", "plain")
    conn.close()
    first = FileLock(folder.face_lock)
    assert first.acquire()
    shown = Terminal(
        [sys.executable, "-m", "realm_tui", "play"],
        env={"REALM_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    try:
        shown.until_shown("PIP", "no engine", "this one only reads")
        shown.type("p")
        shown.until_shown("this screen only reads")
        shown.type("q")
        shown.until_shown("No engine is running")
        shown.type("q")
        assert shown.wait() == 0
    finally:
        shown.close()
        first.release()
    assert not folder.keeper_lock.exists() and not folder.ring.exists()
