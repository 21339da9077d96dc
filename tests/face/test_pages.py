"""Going from screen to screen, and what every page does with the data it reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot

from configs.errors import RealmError
from configs.loader import player_game_file
from realm_tui.app.actions import Action
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.screens import registry
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.registry import SCREENS, ScreenEntry
from realm_tui.app.widgets.banner import Banner
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.runtime.opened import OpenedSave
from tests.face import samples
from tests.face.test_screen import drawn, settle, until

SMALL, WIDE = (80, 24), (120, 40)
KEYED = [s for s in SCREENS if s.key]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What stands on the page of this test."""

    names: tuple[str, ...]


class ShelfScreen(Page[Shelf]):
    """A page with a list and one action of its own."""

    word = "screen.vault"
    AUTO_FOCUS: ClassVar[str | None] = "#shelf"
    keys = (Action("drop", "x", "drop", "let go", "Let the first one go.", confirm="Really?"),)
    shelf: ClassVar[tuple[str, ...]] = ()
    broken: ClassVar[bool] = False
    dropped: ClassVar[int] = 0

    def read(self, save: OpenedSave) -> Shelf:
        if self.broken:
            raise RealmError("the shelf fell down", fix="put it up again", code="X")
        return Shelf(self.shelf)

    def body(self) -> ComposeResult:
        yield Listing("shelf", self.word, empty="Nothing stands here; c keeps a form.")

    def show(self, data: Shelf, look: Look) -> None:
        self.query_one(Listing).draw([Item(n, ((f" {n}", "text"),)) for n in data.names], look)

    def action_drop(self) -> None:
        type(self).dropped += 1


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> type[ShelfScreen]:
    """The page of this test stands where the oracle's promise is."""
    mine = ScreenEntry("oracle", "6", "screen.oracle", "", "", "A test.", promised="A test.")
    monkeypatch.setattr(registry, "SCREENS", tuple(mine if s.id == "oracle" else s for s in SCREENS))

    def made(self: ScreenEntry) -> Page[Shelf]:
        page = ShelfScreen()
        page.place = self.id
        return page

    monkeypatch.setattr(ScreenEntry, "made", made)
    ShelfScreen.shelf, ShelfScreen.broken, ShelfScreen.dropped = tuple(f"form {i:02d}" for i in range(60)), False, 0
    return ShelfScreen


async def opened(pilot: Pilot[int], app: RealmApp, key: str) -> None:
    """Press a key that opens a screen and wait for what it shows."""
    await pilot.press(key)
    await settle(pilot)
    page = app.top
    if isinstance(page, Page):
        await until(pilot, lambda: page.data is not None or bool(page.query_one("#banner", Banner).trouble))
    await settle(pilot)


async def test_every_key_opens_its_screen_from_every_other_one_and_escape_leads_back() -> None:
    promised = {s.id: s for s in SCREENS if not s.cls or s.id in ("battle", "more")}
    app = samples.app()
    async with app.run_test(size=WIDE) as pilot:
        for one in [*KEYED, *reversed(KEYED)]:
            if one.id in promised:
                await opened(pilot, app, one.key)
                assert app.top.place == one.id
                assert len(app.screen_stack) == (1 if one.id == "battle" else 2)
        await opened(pilot, app, "m")
        await pilot.press("escape")
        assert app.top.place == "battle"


async def test_a_rules_file_that_breaks_meanwhile_closes_no_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    app = samples.app()
    async with app.run_test(size=SMALL) as pilot:
        player_game_file().parent.mkdir(parents=True)
        player_game_file().write_text("exams: [1")
        await opened(pilot, app, "m")
        assert app.top.place == "more"


async def test_what_is_not_built_says_what_it_will_show() -> None:
    app = samples.app()
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, "7")
        said = drawn(app, "#promise", app.top)
    assert "not built yet" in said and "orders of the temple" in said


async def test_more_lists_every_screen_and_enter_opens_one() -> None:
    app = samples.app()
    async with app.run_test(size=(120, 60)) as pilot:
        await opened(pilot, app, "m")
        listed = drawn(app, "#screens", app.top)
        assert all(s.help[:20] in listed for s in SCREENS if s.id not in ("more",))
        app.top.query_one(Listing).go_to("temple")
        await pilot.press("enter")
        await settle(pilot)
        assert app.top.place == "temple"


async def test_a_page_keeps_its_cursor_when_rows_come_and_go(shelf: type[ShelfScreen]) -> None:
    source = samples.FakeSource(samples.facts())
    app = samples.app(source=source)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, "6")
        listing = app.top.query_one(Listing)
        await pilot.press(*["down"] * 30)
        before = drawn(app, "#shelf", app.top)
        assert listing.chosen == "form 30"
        shelf.shelf = ("newest", *shelf.shelf[5:])
        source.version += 1
        page = app.top
        assert isinstance(page, ShelfScreen)
        page.look_again()
        await until(pilot, lambda: page.data is not None and page.data.names[0] == "newest")
        assert listing.chosen == "form 30" and drawn(app, "#shelf", app.top) == before
        await opened(pilot, app, "1")
        await opened(pilot, app, "6")
        assert app.top.query_one(Listing).chosen == "form 30"


async def test_a_page_is_read_again_only_after_a_write(shelf: type[ShelfScreen]) -> None:
    source = samples.FakeSource(samples.facts())
    app = samples.app(source=source)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, "6")
        page = app.top
        assert isinstance(page, ShelfScreen)
        first = page.data
        page.look_again()
        await settle(pilot)
        assert page.data is first
        page.reload()
        await until(pilot, lambda: page.data is not first)


async def test_a_page_that_cannot_be_read_says_why_and_recovers(shelf: type[ShelfScreen]) -> None:
    shelf.broken = True
    app = samples.app()
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot, app, "6")
        assert "the shelf fell down. Way out: put it up again" in drawn(app, "#banner", app.top)
        shelf.broken = False
        page = app.top
        assert isinstance(page, ShelfScreen)
        page.reload()
        await until(pilot, lambda: page.data is not None)
        assert not page.query_one("#banner", Banner).trouble


async def test_an_own_key_works_on_its_page_only_and_orders_work_on_every_one(shelf: type[ShelfScreen]) -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("x")
        assert shelf.dropped == 0
        await opened(pilot, app, "6")
        await pilot.press("x", "c")
        await settle(pilot)
        assert shelf.dropped == 1 and link.told == [("checkpoint", {})]
        assert "x let go" in drawn(app, "#footer", app.top)
        await pilot.press("v")
        await settle(pilot)
        assert "x drop" in drawn(app, "#footer", app.top)


async def test_an_empty_page_says_what_will_stand_there(shelf: type[ShelfScreen]) -> None:
    shelf.shelf = ()
    app = samples.app()
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, "6")
        assert "Nothing stands here; c keeps a form." in drawn(app, "#shelf", app.top)


async def test_the_tabs_answer_the_mouse() -> None:
    app = samples.app()
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot, app, "m")
        from realm_tui.app.widgets.tabs import tab_cells

        start = next(x for one, _, x, _ in tab_cells(Look(), 120, "more") if one.id == "temple")
        await pilot.click("#tabs", offset=(start, 0))
        await settle(pilot)
        assert app.top.place == "temple"


async def test_five_notices_are_seen_and_the_oldest_gives_way() -> None:
    app = samples.app()
    async with app.run_test(size=WIDE) as pilot:
        for i in range(9):
            app.notify(f"notice {i}")
        await settle(pilot)
        assert [note.message for note in app._notifications] == [f"notice {i}" for i in range(4, 9)]
