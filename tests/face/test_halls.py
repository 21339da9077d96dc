"""Settings, battle log, saga, map, Garrison and the book of words, played with real keys on a real save."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from textual.pilot import Pilot
from textual.widgets import Input

from configs import clock
from configs.loader import load_hero, own_hero_file, player_game_file
from configs.paths import SaveFolder
from lore.event import Event
from lore.lexicon import chapters
from lore.narrator import Tale, Tone
from lore.saga import Alert, Channel, Line
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.main import ANOTHER_CAMPAIGN
from realm_tui.app.screens.list_page import ListPage
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.settings import SettingsScreen
from realm_tui.app.widgets.banner import Banner
from realm_tui.app.widgets.listing import Listing
from realm_tui.runtime import garrison_view
from realm_tui.runtime.garrison_view import Disk, Errands, GarrisonView, Host, PlaceLine, Room, Sentry
from realm_tui.runtime.log_view import LogView, SagaView
from realm_tui.runtime.machine import Graphics
from realm_tui.runtime.opened import opened
from saves import patrols
from saves.database import create_save, open_save
from saves.incidents import open_incidents, raise_incident
from saves.jobs import Job
from saves.locks import FileLock
from tests.cli.story import NOW, write_story
from tests.face import samples
from tests.face.test_screen import drawn, settle, until

Compare = Callable[..., bool]
SMALL, WIDE = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """A short, eventful campaign."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    for name in ("REALM_CONFIG_DIR", "REALM_SAVE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    found = SaveFolder.named("main")
    clock.use(lambda: NOW, lambda: 0.0)
    create_save(found, load_hero("pip"), seed=7)
    with closing(open_save(found, write=True)) as conn:
        write_story(conn, found)
    yield found
    clock.use()
    monkeypatch.undo()
    time.tzset()


def app_on(folder: SaveFolder, look: Look | None = None) -> RealmApp:
    link = samples.FakeLink()
    link.folder = folder
    return samples.app(source=samples.FakeSource(samples.facts(), folder=folder), link=link, look=look)


async def go(pilot: Pilot[int], place: str) -> ListPage[Any]:
    """Open a screen and wait for what it shows."""
    app = pilot.app
    assert isinstance(app, RealmApp)
    app.action_go(place)
    await settle(pilot)
    page = app.top
    assert isinstance(page, Page)
    await until(pilot, lambda: page.data is not None or bool(page.query_one("#banner", Banner).trouble))
    await settle(pilot)
    assert not page.query_one("#banner", Banner).trouble
    return page  # type: ignore[return-value]  # the Garrison has no list, and its test asks for none


def listed(page: ListPage[Any]) -> str:
    return drawn(page.realm, "#lines", page)


def sheet(page: ListPage[Any]) -> str:
    return drawn(page.realm, "#sheet", page)


# ---------------------------------------------------------------- settings


async def test_a_rule_is_found_changed_and_taken_back(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "settings")
        await pilot.press("slash", *"in an exam", "enter")
        await settle(pilot)
        assert page.listing.chosen == "exams.items" and "fresh problems in an exam" in sheet(page)
        await pilot.press("enter")
        await settle(pilot)
        app.screen.query_one(Input).value = "96"
        await pilot.press("enter")
        await until(pilot, lambda: "96 yours" in listed(page))
        assert yaml.safe_load(player_game_file().read_text()) == {"exams": {"items": 96}}
        await pilot.press("x")
        await until(pilot, lambda: "yours" not in listed(page))
        assert player_game_file().read_text() == ""
        await pilot.press("escape")
        await settle(pilot)
        assert app.top is page and "strain" in listed(page)
        await pilot.press("escape")
        await settle(pilot)
        assert app.top.place == "battle"


async def test_a_wrong_value_is_refused_in_words_and_nothing_is_written(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "settings")
        page.listing.go_to("exams.items")
        await pilot.press("enter")
        await settle(pilot)
        app.screen.query_one(Input).value = "-5"
        await pilot.press("enter")
        await until(pilot, lambda: any("exams.items = -5" in n.message for n in app._notifications))
    assert not player_game_file().exists()


async def test_the_calculator_answers_as_its_fields_turn(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "settings")
        await pilot.press("f")
        await until(pilot, lambda: "card" in listed(page))
        before = sheet(page)
        await pilot.press("down", "right")
        await until(pilot, lambda: sheet(page) != before)
        assert "GiB of" in sheet(page) and page.listing.chosen == "card"
        await pilot.press("left")
        await until(pilot, lambda: sheet(page) == before)


async def test_the_suggested_profile_is_taken_only_after_a_yes(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "settings")
        assert isinstance(page, SettingsScreen)
        await pilot.press("f")
        await until(pilot, lambda: "hero" in listed(page))
        while "pip-hatchling" in listed(page) or "suggested" not in sheet(page):
            before = listed(page), sheet(page)
            await pilot.press("right")
            await until(pilot, lambda before=before: (listed(page), sheet(page)) != before)  # type: ignore[misc]
        assert page.data is not None and page.data.calculation is not None
        hero = page.data.calculation.question.hero
        for answer in ("n", "y"):
            await pilot.press("enter")
            await settle(pilot)
            assert not own_hero_file(hero).exists()
            await pilot.press(answer)
            await settle(pilot)
        await until(pilot, own_hero_file(hero).exists)
    assert "memory_profile" in yaml.safe_load(own_hero_file(hero).read_text())


async def test_starting_over_wants_the_saves_name_and_an_engine_that_rests(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "settings")
        await pilot.press("f", "f")
        await until(pilot, lambda: "every campaign of this hero" in listed(page))
        assert "history" in sheet(page) and "campaign-001" in sheet(page)

        async def typed(name: str) -> None:
            await pilot.press("enter")
            await settle(pilot)
            app.screen.query_one(Input).value = name
            await pilot.press("enter")
            await settle(pilot)

        await typed("mian")
        assert any("nothing was changed" in n.message for n in app._notifications)
        engine = FileLock(folder.trainer_lock)
        assert engine.acquire()
        try:
            await typed("main")
            await until(pilot, lambda: any("realm stop" in n.message for n in app._notifications))
        finally:
            engine.release()
        with opened(folder) as save:
            assert save.conn.execute("SELECT count(*) FROM exams").fetchone()[0] > 0
        await typed("main")
        await until(pilot, lambda: app.return_value == ANOTHER_CAMPAIGN)
    with opened(folder) as save:
        assert save.conn.execute("SELECT count(*) FROM exams").fetchone()[0] == 0
    assert list(folder.backups.glob("*.db"))


# ---------------------------------------------------------------- the log, the saga, the map, the book


async def test_the_log_is_narrowed_by_channel_level_and_word_and_escape_widens_it(folder: SaveFolder) -> None:
    app = app_on(folder, Look("plain"))
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "log")
        everything = listed(page)
        assert "loss not finite: step 1205 was refused" in everything and "Checkpoint saved" in everything
        await pilot.press("l", "l")
        await settle(pilot)
        assert "loss not finite" in listed(page) and "Checkpoint saved" not in listed(page)
        await pilot.press("escape")
        await settle(pilot)
        assert listed(page).replace("▌", " ") == everything.replace("▌", " ")
        await pilot.press("slash", *"Checkpoint saved", "enter")
        await settle(pilot)
        assert "not finite" not in listed(page)
        page.query_one("#find", Input).value = "system.incident"
        await settle(pilot)
        assert "not finite" in listed(page) and "Checkpoint saved" not in listed(page), "types are found, too"
        await pilot.press("escape")
        await settle(pilot)
        while "checkpoint" not in str(page.listing.border_title):
            await pilot.press("f")
            await settle(pilot)
        assert "Checkpoint saved" in listed(page) and "not finite" not in listed(page)
        await pilot.press("v")
        await settle(pilot)
        assert "Anchor saved" in listed(page)


async def test_the_cursor_stays_on_its_event_when_newer_ones_come(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "log")
        await pilot.press("down", "down", "down")
        at, text = page.listing.chosen, sheet(page)
        with closing(open_save(folder, write=True)) as conn:
            conn.execute("UPDATE incidents SET status = 'resolved', resolved_at = ?", (NOW - 1,))
            conn.commit()
        source = app._source
        assert isinstance(source, samples.FakeSource)
        source.version += 1
        page.look_again()
        await until(pilot, lambda: "is beaten" in listed(page))
        assert page.listing.chosen == at
        assert sheet(page) == text


async def test_the_saga_turns_day_by_day_and_tells_the_whole_page(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        conn.execute("UPDATE runs SET started_at = started_at - 86400")
        conn.commit()
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "saga")
        newest = str(page.query_one("#sheet").border_title)
        await pilot.press("y")
        await settle(pilot)
        assert str(page.query_one("#sheet").border_title) != newest
        assert "PIP sets out" in sheet(page) and "comes home" not in sheet(page)


async def test_the_saga_has_pages_for_the_days_and_for_the_journey(folder: SaveFolder) -> None:
    app = app_on(folder, Look("plain"))
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "saga")
        await pilot.press("f")
        await until(pilot, lambda: "1,250 steps" in listed(page))
        assert "2025-11-24" in sheet(page)
        await pilot.press("f")
        await until(pilot, lambda: "Campaign summary" in str(page.query_one("#sheet").border_title))
        await until(pilot, lambda: "2 skill levels" in sheet(page) or "1,250" in sheet(page))
        await pilot.press("f")
        await until(pilot, lambda: "Run 1 started" in listed(page))


async def test_a_monster_is_laid_to_rest_and_left_be(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        raise_incident(conn, "gremlin", category="data", severity="low", title="a small thing", fix="look at it")
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "incidents")
        assert "a small thing" in listed(page) and "NaN Dragon" in listed(page)
        page.listing.go_to("2")
        await pilot.press("X")
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        assert "a small thing" in listed(page)
        await pilot.press("X")
        await settle(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "a small thing" not in listed(page))
        page.listing.go_to("1")
        await pilot.press("x")
        await until(pilot, lambda: "NaN Dragon" not in listed(page))
        await pilot.press("f")
        await settle(pilot)
        assert "NaN Dragon" in listed(page) and "wontfix" in listed(page)
    with opened(folder) as save:
        assert not open_incidents(save.conn)


async def test_what_training_waits_for_is_not_closed_behind_its_back(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        conn.execute("UPDATE incidents SET blocks = 1")
        conn.commit()
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "incidents")
        page.listing.go_to("1")
        await pilot.press("x")
        await settle(pilot)
        assert any("Training waits" in n.message for n in app._notifications)
    with opened(folder) as save:
        assert len(open_incidents(save.conn)) == 1


async def test_an_incident_of_foreign_words_spoils_no_screen(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        raise_incident(
            conn,
            "odd\x1b[31m",
            category="data",
            severity="low",
            title="\x1b[31m" + "☃é" * 5000,
            fix="y\u202e" * 3000,
            detail={"k\x07": "v\x1b]0;t\x07" * 900},
        )
    app = app_on(folder)
    async with app.run_test(size=SMALL) as pilot:
        for place in ("incidents", "log", "saga", "garrison"):
            page = await go(pilot, place)
            if place != "garrison":
                assert "☃é☃é" in listed(page)
                await pilot.press("down", "tab", "pagedown")
                await settle(pilot)
            text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
            assert not {char for char in text if not char.isprintable()} - {"\n"}


async def test_the_deeds_are_shown_by_kind(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "achievements")
        assert "Ultramarathon" in listed(page) and "First Steps" in listed(page)
        await pilot.press("f")
        await settle(pilot)
        assert "Ultramarathon" not in listed(page) and "First Steps" in listed(page)
        await pilot.press("f")
        await settle(pilot)
        assert "Ultramarathon" in listed(page) and "First Steps" not in listed(page)


async def test_the_map_shows_where_the_hero_is_and_what_the_next_region_asks(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=WIDE) as pilot:
        page = await go(pilot, "map")
        assert "◀ PIP" in next(line for line in listed(page).splitlines() if "Novice Valley" in line)
        page.listing.go_to("logic_foothills")
        await pilot.press("down", "up")
        await settle(pilot)
        assert "2 of 4" in sheet(page) and "Foothills Guardian" in sheet(page)


async def test_the_book_of_words_is_searched(folder: SaveFolder) -> None:
    app = app_on(folder)
    async with app.run_test(size=SMALL) as pilot:
        page = await go(pilot, "lore")
        await pilot.press("slash", *"demon lord", "enter")
        await settle(pilot)
        assert page.listing.chosen == "incident.critical" and page.query_one(Listing).has_focus


async def test_a_screen_on_an_empty_save_says_what_will_stand_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    folder = SaveFolder.named("main")
    create_save(folder, load_hero("pip"), seed=7)
    app = app_on(folder)
    async with app.run_test(size=SMALL) as pilot:
        for place, says in (
            ("log", "nothing has happened yet"),
            ("saga", "the story begins"),
            ("incidents", "nothing is wrong"),
            ("achievements", "First Steps"),
        ):
            assert says in listed(await go(pilot, place))
        assert "The Inn" in listed(await go(pilot, "map"))


# ---------------------------------------------------------------- pictures


def fixed_garrison(folder: SaveFolder) -> GarrisonView:
    """A machine that is the same everywhere."""
    with opened(folder) as save:
        found = tuple(open_incidents(save.conn))
    rooms = ("checkpoints", 4_200_000_000, 96), ("realm.db", 312_000_000, 2), ("backups", 98_000_000, 7)
    return GarrisonView(
        Host("anvil", 16, 64_000_000_000, 21_000_000_000, 3.2, Graphics("RTX 4090", 24 * 1024**3), "warning"),
        Disk("saves", 500_000_000_000, 80_000_000_000, "warning"),
        tuple(Room(*room) for room in rooms),
        (Sentry("trainer", 4711, 2_100_000_000), Sentry("keeper", 4710, 24_000_000), Sentry("face", None)),
        found,
        (
            PlaceLine("inn", "The Inn", "vllm", True, "healthy", "open", "", 0.0021, 10**12, 4 * 10**11, 3, "RTX 3090 12 %", NOW - 40),
            PlaceLine(
                "outpost", "Scout Outpost", "own", True, "offline", "closed",
                "nobody answers at outpost.lan port 22. Way out: look whether it is switched on.", None, None, None, None, "", NOW - 40,
            ),
        ),
        errands=Errands(
            (errand(12, "eval", "running", worker="inn/main", started_at=NOW - 95),),
            (errand(13, "report", "pending"), errand(14, "sync", "queued", error="nobody answers at outpost.lan")),
            {"running": 1, "pending": 1, "queued": 1, "completed": 40, "failed": 2},
            1,
        ),
        alerts=(
            patrols.Alert(box="outpost", rule="unreachable", severity="high", title="Scout Outpost cannot be reached",
                  fix="look whether it is switched on", at=NOW - 400, last_at=NOW - 40),
        ),
        at=NOW,
    )  # fmt: skip


def errand(number: int, kind: str, status: str, **more: Any) -> Job:
    """A job as the table holds it."""
    known: dict[str, Any] = dict.fromkeys(f.name for f in fields(Job))
    known |= {
        "id": number,
        "kind": kind,
        "school": "",
        "status": status,
        "priority": "normal",
        "payload": {},
        "attempts": 1,
    }
    return Job(**known | {"max_attempts": 3, "created_at": NOW - 200, "not_before": 0.0} | more)


def line(at: float, step: int, kind: str, channel: Channel, alert: Alert, tale: tuple[str, str, str, Tone]) -> Line:
    plain, tavern, icon, tone = tale
    event = Event(kind, at, f"{kind.split('.')[0]}s:{step}", 1, step, {"step": step, "reason": "stopped"})
    return Line(event, Tale(at, plain, tavern, tone, icon, "*"), channel, alert, True)


def fixed_story() -> tuple[Line, ...]:
    """Two days, newest first."""
    return (
        line(
            NOW - 60, 1250, "training.stopped", "training", "notice", ("Run 1 stopped", "PIP comes home", "○", "text")
        ),
        line(
            NOW - 90,
            1205,
            "system.incident",
            "system",
            "crisis",
            ("Incident: loss not finite", "A Demon Lord appears", "!", "bad"),
        ),
        line(
            NOW - 120,
            1000,
            "checkpoint.saved",
            "checkpoint",
            "whisper",
            ("Checkpoint saved", "Anchor saved", "▼", "text"),
        ),
        line(
            NOW - 86400,
            400,
            "skill.lost",
            "eval",
            "warning",
            ("BIN lost: L1 .62", "PIP has lost BIN L1 .62", "▯", "warn"),
        ),
        line(
            NOW - 86500,
            300,
            "exam.taken",
            "eval",
            "notice",
            ("Exam BIN L3 passed", "PIP stands the trial of BIN L3", "✓", "good"),
        ),
    )


@SIZES
@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ("settings", ("slash", *"strain.", "enter")),
        ("settings-danger", ("f", "f")),
        ("log", ("down", "down")),
        ("saga", ("down",)),
        ("map", ("down", "down")),
        ("incidents", ()),
        ("achievements", ("f", "down")),
        ("lore", ("down",)),
        ("garrison", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pictures(
    snap_compare: Compare,
    folder: SaveFolder,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    place: str,
    keys: tuple[str, ...],
) -> None:
    app = app_on(folder)
    view = replace(fixed_garrison(folder))
    source = app._source
    assert isinstance(source, samples.FakeSource)
    source.pages = {"log": LogView(fixed_story()), "saga": SagaView(fixed_story(), hero="PIP"), "lore": chapters()[:2]}
    monkeypatch.setattr(garrison_view, "_host", lambda *_: view.host)
    monkeypatch.setattr(garrison_view, "_disk", lambda *_: view.disk)
    monkeypatch.setattr(garrison_view, "_rooms", lambda *_: view.rooms)
    monkeypatch.setattr(garrison_view, "_sentries", lambda *_: view.sentries)
    monkeypatch.setattr(garrison_view, "_places", lambda *_: (view.places, ""))
    monkeypatch.setattr(garrison_view, "_errands", lambda *_: view.errands)
    monkeypatch.setattr(patrols, "open_alerts", lambda *_: list(view.alerts))

    async def played(pilot: Pilot[int]) -> None:
        page = await go(pilot, place.split("-")[0])
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        if place == "settings-danger":
            await until(pilot, lambda: "every campaign of this hero" in listed(page))

    assert snap_compare(app, terminal_size=size, run_before=played)
