"""A terminal that grows or shrinks while one looks: every screen then shows what it would have shown at that size at once."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from configs.paths import SaveFolder
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Drawing, width_of
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.registry import SCREENS
from tests.face.test_halls import SMALL, WIDE, app_on
from tests.face.test_halls import folder as folder
from tests.face.test_screen import settle, until

OFTEN = ("guild", "evals", "campaign", "settings")
PLACES = [
    pytest.param(s.id, marks=() if s.id in OFTEN else pytest.mark.full, id=s.id) for s in SCREENS if s.id != "battle"
]
MAY_STAND_ELSEWHERE = {"saga": "sheet"}
"""A long sheet keeps the line where it stood, which a fresh one chooses by its height."""


def parts(app: RealmApp) -> dict[str, list[str]]:
    """What each part of the screen in front shows, by its id; parts that are hidden are left out."""
    found: dict[str, list[str]] = {}
    for drawing in app.top.query(Drawing):
        if drawing.region.area and drawing.id not in ("header", None):
            rows = drawing._rows
            assert len(rows) == drawing.content_size.height, drawing.id
            assert all(width_of(row) == drawing.content_size.width for row in rows), drawing.id
            found[str(drawing.id)] = ["".join(text for text, _ in row) for row in rows]
    return found


async def shown(app: RealmApp, pilot: Pilot[int], place: str) -> None:
    """Open a screen and wait until it has read."""
    app.action_go(place)
    await settle(pilot)
    page = app.top
    assert isinstance(page, Page)
    await until(pilot, lambda: page.data is not None)
    await settle(pilot)


async def resized(app: RealmApp, pilot: Pilot[int], size: tuple[int, int]) -> None:
    await pilot.resize_terminal(*size)
    await settle(pilot)
    page = app.top
    assert isinstance(page, Page)
    page.repaint_data()
    await settle(pilot)


@pytest.mark.parametrize("place", PLACES)
async def test_a_screen_that_was_resized_looks_as_if_it_had_been_opened_so(folder: SaveFolder, place: str) -> None:
    looks = []
    for first, then in ((WIDE, SMALL), (SMALL, SMALL)):
        app = app_on(folder)
        async with app.run_test(size=first) as pilot:
            await shown(app, pilot, place)
            await resized(app, pilot, then)
            looks.append(parts(app))
            looks[-1].pop(MAY_STAND_ELSEWHERE.get(place, ""), None)
    assert looks[0] == looks[1]


@pytest.mark.parametrize("place", ["guild", "forge"])
async def test_parts_are_drawn_whole_without_waiting_for_new_data(folder: SaveFolder, place: str) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        await shown(app, pilot, place)
        for size in (SMALL, WIDE, SMALL):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            drawn = parts(app)
            assert all(any(row.strip() for row in rows) for rows in drawn.values()), drawn


@pytest.mark.parametrize("place", ["guild", "forge", "evals"])
async def test_a_screen_that_lay_behind_another_when_the_terminal_shrank_comes_back_whole(
    folder: SaveFolder, place: str
) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        for size in (SMALL, WIDE):
            await shown(app, pilot, place)
            await shown(app, pilot, "board")
            await pilot.resize_terminal(*size)
            await settle(pilot)
            app.action_go(place)
            await settle(pilot)
            drawn = parts(app)
            assert all(any(row.strip() for row in rows) for rows in drawn.values()), drawn
