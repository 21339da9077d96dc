"""Sparring: the hero answers fresh problems; each failure is shown as the wrong answer, the mirror, and the mended one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.text import Text
from textual import work
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from configs.errors import RealmError
from realm_tui.app.link import Link, at_the_keys
from realm_tui.app.screens.dialog import Dialog, plain
from realm_tui.runtime.foreign import clean

SHOWN = 12
"""Failures that are listed."""


class SparScreen(Dialog[None]):
    """One round, asked when it opens."""

    heading = "Sparring"

    def __init__(self, link: Link) -> None:
        """
        Args:
            link: the way to the engine.
        """
        super().__init__()
        self._link = link

    def body(self) -> Iterable[Widget]:
        yield plain("The hero answers problems it trains on; what it gets wrong comes back as a quest.", classes="hint")
        with VerticalScroll(classes="scroll"):
            yield Static("…", id="bout")
        yield plain("esc closes", classes="hint")

    def on_mount(self) -> None:
        self.spar()

    @work(exclusive=True)
    async def spar(self) -> None:
        """Let the hero spar and show what came of it; errors say what to do."""
        shown = self.query_one("#bout", Static)
        try:
            found = await self._link.spar(lambda so_far: shown.update(Text(clean(so_far))))
        except RealmError as error:
            shown.set_class(True, "trouble")
            shown.update(Text(clean(at_the_keys(error).text(), newline="\n")))
        else:
            shown.update(told(found))


def told(found: Mapping[str, Any]) -> Text:
    """A round in words: what was wrong, problem by problem, and the quest that was made of it."""
    failed = found["failed"]
    text = Text(f"{len(failed)} of {found['asked']} wrong at {found['skill'].upper()} level {found['level']}\n")
    if found.get("quest"):
        text.append(f"{clean(str(found['quest']))}: {found['records']} records, first on the board\n", "bold")
    elif not failed:
        text.append("nothing to mend\n")
    for one in failed[:SHOWN]:
        text.append(f"\n{clean(str(one['prompt']), newline=' ')}\n")
        text.append(f"  ✗ {clean(str(one['wrong']).strip(), newline=' ') or '(no answer)'}", "red")
        text.append(f"  {clean(str(one['reason']))}\n", "dim")
        text.append(f"  ✓ {clean(str(one['right']), newline=' ')}\n", "green")
    if len(failed) > SHOWN:
        text.append(f"\nand {len(failed) - SHOWN} more\n", "dim")
    return text
