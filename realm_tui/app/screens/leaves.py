"""What the halls' pages share: orders about the save, and parts of a page that a small terminal shows one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from configs.errors import RealmError
from configs.paths import SaveFolder
from realm_tui.app.actions import Action
from realm_tui.app.screens.page import D, Page
from realm_tui.runtime.foreign import clean

T = TypeVar("T")

TURN = Action(
    "turn",
    "l",
    "next part",
    "turn the leaf",
    "Show the next part of the page, where the terminal is too small for all; on a large one, go to it.",
    footer_order=1,
)


class Deeds(Page[D]):
    """A page that gives orders about its save."""

    def order(self, name: str, deed: Callable[[SaveFolder], str], words: str) -> None:
        """Carry something out on a thread; a toast says how it ended, and the page looks again.

        Args:
            name: what it is; one of a name at a time.
            deed: does it, and says in words what was done.
            words: what the header says meanwhile.
        """

        async def carried_out() -> str:
            done = await self.realm.link.carry_out(name, lambda folder, tell: deed(folder), lambda text: None)
            self.reload()
            return str(done)

        self.realm.do(name, carried_out, words)

    async def find(self, name: str, read: Callable[[SaveFolder], T]) -> T | None:
        """What ``read`` finds on a thread; None when it failed, which a toast has said."""
        try:
            return await self.realm.link.carry_out(
                name, lambda folder, tell: read(folder), lambda text: None, writes=False
            )
        except RealmError as error:
            self.notify(clean(error.text()), severity="error", timeout=8, markup=False)
            return None


class Leaves(Deeds[D]):
    """A page whose parts a compact terminal shows one at a time."""

    leaves: ClassVar[tuple[str, ...]] = ()
    """Ids of the parts, in the order in which they are turned."""

    def __init__(self) -> None:
        super().__init__()
        self._leaf = 0

    def on_mount(self) -> None:
        super().on_mount()
        self._lay()

    def _lay(self) -> None:
        for i, name in enumerate(self.leaves):
            self.query_one(f"#{name}").set_class(i == self._leaf, "-shown")

    def action_turn(self) -> None:
        """Show, and go to, the next part."""
        self._leaf = (self._leaf + 1) % len(self.leaves)
        self._lay()
        part = self.query_one(f"#{self.leaves[self._leaf]}")
        for widget in (part, *part.query("*")):
            if widget.can_focus:
                widget.focus()
                return
