"""A dialog is answered once, however fast keys are pressed."""

from __future__ import annotations

from textual.app import App

from realm_tui.app.screens.dialog import Dialog, Line, confirm
from realm_tui.app.screens.pick import Pick


class Asking(App[None]):
    """Asks one thing after the other, as screens do, and keeps what was answered."""

    def __init__(self, dialog: Dialog[str]) -> None:
        super().__init__()
        self.dialog, self.answers = dialog, list[str | None]()

    def on_mount(self) -> None:
        self.run_worker(self.ask())

    async def ask(self) -> None:
        self.answers.append(await self.push_screen_wait(self.dialog))


async def answered_twice(dialog: Dialog[str], first: str | None) -> None:
    app = Asking(dialog)
    async with app.run_test() as pilot:
        await pilot.pause()
        dialog.dismiss(first)
        dialog.dismiss(None)
        await pilot.pause()
        assert app.answers == [first]
        assert len(app.screen_stack) == 1


async def test_a_second_key_before_a_dialog_has_gone_changes_nothing() -> None:
    await answered_twice(Pick("Which?", [("a", "one"), ("b", "two")]), "b")
    await answered_twice(Line("Name it", "how?"), "tim")
    await answered_twice(confirm("Sure?"), "yes")
    await answered_twice(confirm("Sure?"), None)
