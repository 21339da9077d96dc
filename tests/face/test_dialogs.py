"""A dialog is answered once, however fast keys are pressed."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.widgets import Button, Static

from configs.loader import load_hero
from realm_tui.app.app import RealmApp
from realm_tui.app.screens.dialog import Asked, Dialog, Line, confirm
from realm_tui.app.screens.first_run import Welcome
from realm_tui.app.screens.pick import Pick
from realm_tui.app.theme import THEMES


class Asking(App[None]):
    """Asks one thing after the other, as screens do, and keeps what was answered."""

    CSS_PATH = RealmApp.CSS_PATH

    def __init__(self, dialog: Dialog[str]) -> None:
        super().__init__()
        self.dialog, self.answers = dialog, list[str | None]()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

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


@pytest.mark.parametrize("size", [(80, 24), (61, 21)], ids=["80x24", "61x21"])
async def test_the_answers_to_a_long_question_are_always_in_sight(size: tuple[int, int]) -> None:
    app = Asking(confirm("Shall this be done, whatever it takes? " * 60))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert all(button.region.bottom <= size[1] - 2 and button.region.height for button in app.screen.query(Button))
        asked = app.screen.query_one(Asked)
        await pilot.press("pagedown")
        await pilot.pause()
        assert asked.scroll_y > 0
        await pilot.press("y")
        await pilot.pause()
    assert app.answers == ["yes"]


@pytest.mark.parametrize("size", [(80, 24), (61, 21), (120, 40)], ids=["80x24", "61x21", "120x40"])
async def test_the_welcome_can_be_answered_wherever_the_files_lie(size: tuple[int, int]) -> None:
    face = load_hero("pip").display.portrait
    app = Asking(Welcome("PIP, the Hatchling", face, "/srv/homes/" + "a-long-name/" * 9 + "saves/main"))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        buttons = list(app.screen.query(Button))
        assert [button.region.height for button in buttons] == [1, 1]
        assert all(button.region.bottom <= size[1] - 2 for button in buttons)
        assert app.screen.query_one("#face").display == (size == (120, 40))


async def test_the_welcome_calls_the_players_home_by_its_short_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    app = Asking(Welcome("PIP, the Hatchling", (), "/home/me/realm/saves/main"))
    async with app.run_test() as pilot:
        await pilot.pause()
        said = " ".join(str(one.content) for one in app.screen.query(Static))
    assert "Its files lie in ~/realm/saves/main." in said
