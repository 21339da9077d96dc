"""A walk through every screen that presses every key, for tests on real saves."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot
from textual.screen import ModalScreen

from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Drawing, width_of
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.registry import SCREENS
from realm_tui.app.widgets.banner import Banner

LIMIT_S = 60.0


async def walk(app: RealmApp, pilot: Pilot[int]) -> dict[str, str]:
    """Open every screen, press each of its own keys, and answer whatever it asks with escape.

    Returns:
        What each screen shows after it was opened, by its id.
    """
    shown: dict[str, str] = {}
    for one in SCREENS:
        if one.id == "battle":
            continue
        page = await opened_page(app, pilot, one.id)
        shown[one.id] = text_of(page)
        for deed in page.keys:
            await pilot.press(deed.key)
            await _quiet(pilot)
            for _ in range(4):
                if not isinstance(app.screen, ModalScreen):
                    break
                await pilot.press("escape")
                await _quiet(pilot)
            assert app.is_running, f"{one.id}: {deed.key} ended the app"
            if app.top.place != one.id:
                app.action_go(one.id)
                await _quiet(pilot)
        page = await opened_page(app, pilot, one.id)
        page.reload()
        await opened_page(app, pilot, one.id)
    app.action_home()
    await _quiet(pilot)
    return shown


def text_of(page: Page[object]) -> str:
    """What the screen's own part draws; no row is wider than its place."""
    rows = []
    for drawing in page.query("#stage Drawing").results(Drawing):
        if drawing.display and drawing.content_size.width:
            assert all(width_of(row) == drawing.content_size.width for row in drawing._rows), drawing.id
        rows += ["".join(text for text, _ in row) for row in drawing._rows]
    return "\n".join(rows)


async def _quiet(pilot: Pilot[int]) -> None:
    for _ in range(2):
        await pilot.pause()


async def _until(pilot: Pilot[int], true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, what
        await pilot.pause(0.02)


async def opened_page(app: RealmApp, pilot: Pilot[int], place: str) -> Page[object]:
    """The page called ``place`` once it has read, also where the away report or a late answer came in front of it."""

    def there() -> bool:
        if isinstance(app.screen, ModalScreen):
            app.screen.dismiss(None)
        elif app.top.place != place:
            app.action_go(place)
        elif isinstance(app.top, Page):
            return app.top.data is not None or bool(app.top.query_one("#banner", Banner).trouble)
        return False

    await _until(pilot, there, f"{place} showed nothing")
    await _quiet(pilot)
    await _until(pilot, there, f"{place} did not stay")
    page = app.top
    assert isinstance(page, Page)
    trouble = page.query_one("#banner", Banner).trouble
    assert not trouble, f"{place}: {trouble}"
    return page
