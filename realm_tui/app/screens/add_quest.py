"""Add a file of the player's as a quest: pick it in the tree or type its path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DirectoryTree, Input, Static

from configs.errors import RealmError
from realm_tui.app.screens.dialog import Dialog, plain
from realm_tui.runtime.foreign import clean

PRIORITIES = ("normal", "high", "low")
AddFile = Callable[[Path, str], str]
"""Takes a file and a priority, puts the quest on the board and says what was added; `RealmError` when it is refused."""


class QuestFiles(DirectoryTree):
    """Folders, and the files a quest can be made from."""

    ICON_NODE, ICON_NODE_EXPANDED, ICON_FILE = "+ ", "- ", ""

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return [p for p in paths if not p.name.startswith(".") and (p.is_dir() or p.suffix in (".jsonl", ".json"))]


class AddQuestScreen(Dialog[str]):
    """Answers what was added, in words."""

    heading = "Add a quest"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+r", "priority", "priority", show=False, priority=True)]

    def __init__(self, add: AddFile, start: Path) -> None:
        super().__init__()
        self._add, self._start = add, start
        self._priority = PRIORITIES[0]

    def body(self) -> Iterable[Widget]:
        yield plain("A .jsonl file of `messages` or `text` records. It is checked and copied; yours is not touched.")
        yield Input(placeholder="path of a file, then enter", id="path")
        yield QuestFiles(self._start, id="files")
        yield plain(self._priority_line(), "priority", classes="hint")
        yield plain("", "said")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def _priority_line(self) -> str:
        return f"priority: {self._priority} (ctrl+r changes it)   tab: tree   esc closes"

    def action_priority(self) -> None:
        """The next priority."""
        self._priority = PRIORITIES[(PRIORITIES.index(self._priority) + 1) % len(PRIORITIES)]
        self.query_one("#priority", Static).update(self._priority_line())

    @on(DirectoryTree.FileSelected)
    def _picked(self, event: DirectoryTree.FileSelected) -> None:
        path = self.query_one(Input)
        path.value = str(event.path)
        path.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.add(Path(event.value.strip()).expanduser())

    @work(thread=True, exclusive=True)
    def add(self, path: Path) -> None:
        """Check and copy on a thread; a large file takes its time."""
        say = self.app.call_from_thread
        say(self._say, f"checking {path.name} …", False)
        try:
            done = self._add(path, self._priority)
        except RealmError as error:
            say(self._say, error.text(), True)
        else:
            say(self.dismiss, done)

    def _say(self, text: str, trouble: bool) -> None:
        said = self.query_one("#said", Static)
        said.set_class(trouble, "trouble")
        said.update(clean(text, newline="\n"))
