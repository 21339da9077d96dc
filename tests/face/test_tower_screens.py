"""Watchtower and Strain as a player meets them: on a save with a history, key by key, at both sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.spans import SpanPage
from realm_tui.app.screens.strain import StrainScreen
from realm_tui.app.screens.watchtower import ChartsPanel, WatchtowerScreen
from realm_tui.runtime.samples import Sample
from saves.campaigns import active_campaign, set_setting
from saves.database import create_save, open_save
from tests.face import samples
from tests.face import tower as world
from tests.face.test_screen import drawn, settle, until

Compare = Callable[..., bool]
SMALL, WIDE = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One moment, one time zone, no colour settings of the machine that runs the test."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    clock.use(lambda: samples.NOW, lambda: 0.0)
    yield
    clock.use()
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> SaveFolder:
    """A save with a campaign, two others beside it, and an engine's log."""
    found = SaveFolder(tmp_path_factory.mktemp("tower") / "saves" / "main")
    found.root.parent.mkdir()
    create_save(found, load_hero("pip"), seed=1)
    with closing(open_save(found, write=True)) as conn:
        world.story(conn)
        world.other_campaign(conn, "First try", levels=1, last=2000)
        world.other_campaign(conn, "Best so far", levels=3, last=2400)
    found.logs.mkdir(parents=True, exist_ok=True)
    lines = [f"2026-11-21 10:{i:02d}:00 cli asks for checkpoint" for i in range(30)]
    (found.logs / "keeper.log").write_text("\n".join([*lines, "2026-11-21 10:59:00 the keeper ends", ""]))
    return found


@pytest.fixture
def empty(tmp_path: Path) -> SaveFolder:
    """A save in which nothing was trained."""
    found = SaveFolder(tmp_path / "saves" / "main")
    found.root.parent.mkdir()
    create_save(found, load_hero("pip"), seed=1)
    return found


def looked() -> tuple[Sample, ...]:
    """Memory that grows a little, a card that grows warm."""
    return tuple(
        Sample(step, step * 0.05, (300 << 20) + step * 20_000, 40 + step / 150, 120.0, (900 << 20) + step * 9000, 0.9)
        for step in range(1000, 3000, 40)
    )


def app_on(folder: SaveFolder, **options: Any) -> RealmApp:
    found = samples.facts(samples=looked())
    return samples.app(found, source=samples.FakeSource(found, folder=folder), **options)


async def shown(pilot: Pilot[int], place: str) -> SpanPage[Any]:
    """Open a screen and wait for its data."""
    app = pilot.app
    assert isinstance(app, RealmApp)
    app.action_go(place)
    await settle(pilot)
    page = app.top
    assert isinstance(page, SpanPage)
    await until(pilot, lambda: page.data is not None)
    await settle(pilot)
    return page


async def pressed(pilot: Pilot[int], page: Page[Any], *keys: str) -> None:
    """Press keys and wait until what they asked for is shown."""
    await pilot.press(*keys)
    if isinstance(page, SpanPage) and not _same(page):
        await until(pilot, lambda: _same(page))
    await pilot.pause()


def _same(page: SpanPage[Any]) -> bool:
    return page.data is not None and replace(page.data.wish, rival="") == replace(page.wish, rival="")


# ---------------------------------------------------------------- the Watchtower


async def test_every_chart_is_reached_by_the_arrows_and_shown_alone_by_enter(folder: SaveFolder) -> None:
    app = app_on(folder, look=Look(names="plain"))
    async with app.run_test(size=SMALL) as pilot:
        page = await shown(pilot, "watchtower")
        for name in ("Loss", "Held-out loss", "Exam accuracy", "Learning rate", "Gradient norm", "Tokens per second",
                     "Step time split", "Memory", "GPU temperature", "Loss"):  # fmt: skip
            assert f"▸ {name}" in drawn(app, "#charts", page)
            await pressed(pilot, page, "down")
        await pressed(pilot, page, "up", "enter")
        assert drawn(app, "#charts", page).startswith("▸ Loss") and "Held-out" not in drawn(app, "#charts", page)
        await pressed(pilot, page, "enter", "up")
        assert "▸ GPU temperature  60 °C" in drawn(app, "#charts", page)


async def test_zoom_pan_and_follow_change_the_steps_below(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "watchtower")

        def steps() -> str:
            return drawn(app, "#charts", page).splitlines()[-1]

        assert "1 – 3,000" in steps()
        await pressed(pilot, page, "+")
        assert "1,501 – 3,000" in steps() and "newest" in steps()
        await pressed(pilot, page, "left", "left")
        assert "751 – 2,250" in steps() and "newest" not in steps()
        await pressed(pilot, page, "right", "right", "right")
        assert "1,501 – 3,000" in steps() and "newest" in steps()
        await pressed(pilot, page, "-")
        assert "1 – 3,000" in steps()
        await pressed(pilot, page, "end")
        assert "2,626 – 3,000" in steps()
        await pressed(pilot, page, "home")
        assert "1 – 3,000" in steps()


async def test_log_axis_smoothing_and_filter_are_named_where_they_act(folder: SaveFolder) -> None:
    app = app_on(folder, look=Look(names="plain"))
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "watchtower")
        await pressed(pilot, page, "y", "i", "i")
        title = drawn(app, "#charts", page).splitlines()[0]
        assert "log ~.90" in title
        await pressed(pilot, page, "f")
        assert "only your own files" in drawn(app, "#charts", page)
        await pressed(pilot, page, "f", "i", "i", "y")
        assert "only" not in drawn(app, "#charts", page) and "log" not in drawn(app, "#charts", page).splitlines()[0]


async def test_a_second_campaign_is_chosen_from_a_list_and_taken_away_again(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "watchtower")
        await pilot.press("o")
        await until(pilot, lambda: bool(app.screen.query(OptionList)))
        words = [str(o.prompt) for o in app.screen.query_one(OptionList).options]
        assert words == ["nothing", "Best so far · personal best", "First try · campaign-002"]
        await pilot.press("down", "enter")
        await until(pilot, lambda: page.data is not None and page.data.rival is not None)
        await settle(pilot)
        assert "○ Best so far, personal best" in drawn(app, "#charts", page)
        await pilot.press("o")
        await until(pilot, lambda: bool(app.screen.query(OptionList)))
        await pilot.press("up", "enter")
        await until(pilot, lambda: page.data is not None and page.data.rival is None)


async def test_words_find_charts_and_lines_of_the_log(folder: SaveFolder) -> None:
    app = app_on(folder, look=Look(names="plain"))
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "watchtower")
        await pilot.press("slash")
        await until(pilot, lambda: bool(app.screen.query(Input)))
        await pilot.press(*"memory", "enter")
        await until(pilot, lambda: app.screen is page)
        await settle(pilot)
        assert drawn(app, "#charts", page).startswith("▸ Memory") and "Loss" not in drawn(app, "#charts", page)
        assert "the keeper ends" in drawn(app, "#watch-log", page)


async def test_the_log_takes_more_room_or_none(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "watchtower")
        few = drawn(app, "#watch-log", page)
        await pressed(pilot, page, "l")
        assert len(drawn(app, "#watch-log", page).splitlines()) > len(few.splitlines())
        assert not page.query_one("#charts").display
        await pressed(pilot, page, "l")
        assert not page.query_one("#watch-log").display and page.query_one("#charts").display


async def test_a_click_chooses_a_chart_and_the_wheel_looks_closer(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "watchtower")
        assert isinstance(page, WatchtowerScreen)
        await pilot.click(ChartsPanel, offset=(60, 3))
        await settle(pilot)
        chosen = page.shown
        assert chosen.chart == "held_out" and not chosen.alone
        await pilot.click(ChartsPanel, offset=(60, 3))
        await settle(pilot)
        assert drawn(app, "#charts", page).count("▸") == 1 and "lowest" in drawn(app, "#charts", page)
        page.query_one(ChartsPanel).post_message(ChartsPanel.Wheel(closer=True))
        await until(pilot, lambda: page.wish.span.width == 1500)


@pytest.mark.parametrize("place", ["watchtower", "strain"])
async def test_before_the_first_step_every_key_is_harmless(empty: SaveFolder, place: str) -> None:
    app = app_on(empty)
    async with app.run_test(size=SMALL) as pilot:
        page = await shown(pilot, place)
        for one in page.keys:
            if one.id != "find":
                await pilot.press(one.key)
        await settle(pilot)
        assert app.is_running and app.top is page and page.wish.span.width is None


async def test_the_time_chart_alone_says_what_is_told_apart_and_what_is_not(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=SMALL) as pilot:
        page = await shown(pilot, "watchtower")
        assert isinstance(page, WatchtowerScreen)
        while page.shown.chart != "time":
            await pilot.press("down")
        await pilot.press("enter")
        await settle(pilot)
        told = drawn(app, "#charts", page)
        await pilot.press("escape")
        assert not page.shown.alone and app.top is page, "escape shows all charts first"
        await pilot.press("escape")
        assert app.top.place == "battle"
    assert "50 ms a step" in told.splitlines()[0]
    assert "█ undivided 89%" in told.splitlines()[1] and "░ rest" in told.splitlines()[1]
    assert "█ steps whose parts were not measured" in told.splitlines()[2]


# ---------------------------------------------------------------- Strain


async def test_the_best_campaign_walks_along_until_the_player_calls_another(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "strain")
        assert isinstance(page, StrainScreen)
        assert "○ Best so far, personal best" in drawn(app, "#strain-page", page)
        await pilot.press("o")
        await until(pilot, lambda: bool(app.screen.query(OptionList)))
        assert app.screen.query_one(OptionList).highlighted == 1, "the cursor stands on the ghost that is shown"
        await pilot.press("up", "enter")
        await until(pilot, lambda: page.data is not None and page.data.ghost is None)
        await settle(pilot)
        assert "o calls a ghost" in drawn(app, "#strain-page", page)
    kept = app._keeper
    assert isinstance(kept, samples.FakeKeeper)
    assert [value for key, value in kept.kept.items() if key.startswith("face.ghost.")] == [""]


@pytest.mark.parametrize(("kept", "says"), [("", "o calls a ghost"), ("campaign-099", "○ Best so far, personal best")])
async def test_the_ghost_that_was_called_last_walks_along_after_a_restart(
    folder: SaveFolder, kept: str, says: str
) -> None:
    with closing(open_save(folder, write=True)) as conn:
        set_setting(conn, f"face.ghost.{active_campaign(conn).id}", kept)
        app = app_on(folder)
        async with app.run_test(size=WIDE) as pilot:
            page = await shown(pilot, "strain")
            told = drawn(app, "#strain-page", page)
        conn.execute("DELETE FROM settings")
        conn.commit()
    assert says in told


async def test_strain_is_zoomed_filtered_and_spoken_in_both_voices(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await shown(pilot, "strain")
        assert "Price of levels" in drawn(app, "#strain-page", page)
        await pressed(pilot, page, "v")
        assert "Cost of levels" in drawn(app, "#strain-page", page)
        await pressed(pilot, page, "+", "f")
        assert "1,501 – 3,000" in drawn(app, "#strain-page", page) and "only BIN" in drawn(app, "#strain-page", page)


@pytest.mark.parametrize("place", ["watchtower", "strain"])
async def test_a_hostile_name_stays_one_short_line(empty: SaveFolder, place: str) -> None:
    with closing(open_save(empty, write=True)) as conn:
        world.story(conn)
        world.other_campaign(conn, "\x1b[31m\u202eevil\n" + "💥" * 10_000, levels=3)
    app = app_on(empty)
    async with app.run_test(size=SMALL) as pilot:
        page = await shown(pilot, place)
        await pilot.press("o")
        await until(pilot, lambda: bool(app.screen.query(OptionList)))
        assert app.screen.query_one(OptionList).size.height < 12
        await pilot.press("home", "down", "enter")
        await until(pilot, lambda: app.screen is page)
        await settle(pilot)
        text = drawn(app, "#charts" if place == "watchtower" else "#strain-page", page)
        assert "evil" in text and not set(text) & {"\x1b", "\u202e"}
        assert max(cell_len(line) for line in text.splitlines()) <= 80


# ---------------------------------------------------------------- pictures


def _opening(place: str, *keys: str) -> Callable[[Any], Any]:
    async def run(pilot: Pilot[int]) -> None:
        page = await shown(pilot, place)
        await pressed(pilot, page, *keys)

    return run


@SIZES
def test_watchtower(snap_compare: Compare, folder: SaveFolder, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(folder), terminal_size=size, run_before=_opening("watchtower"))


@SIZES
def test_watchtower_alone(snap_compare: Compare, folder: SaveFolder, size: tuple[int, int]) -> None:
    look = Look(names="plain")
    assert snap_compare(app_on(folder, look=look), terminal_size=size, run_before=_opening("watchtower", "enter", "y"))


@SIZES
def test_watchtower_before_the_first_step(snap_compare: Compare, empty: SaveFolder, size: tuple[int, int]) -> None:
    found = samples.facts(samples=())
    app = samples.app(found, source=samples.FakeSource(found, folder=empty))
    assert snap_compare(app, terminal_size=size, run_before=_opening("watchtower"))


@SIZES
def test_strain(snap_compare: Compare, folder: SaveFolder, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(folder), terminal_size=size, run_before=_opening("strain"))


@SIZES
def test_strain_ascii(snap_compare: Compare, folder: SaveFolder, size: tuple[int, int]) -> None:
    look = Look(names="plain", ascii=True)
    assert snap_compare(app_on(folder, look=look), terminal_size=size, run_before=_opening("strain", "+"))
