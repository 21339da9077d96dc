"""The Battle screen as it looks, at the sizes and in the modes that are promised."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from configs import clock
from engine.link.state import EngineState
from realm_tui.app.drawing import Look
from realm_tui.app.facts import Facts
from realm_tui.app.screens.page import Page
from realm_tui.runtime.status import Blocker, QueueStatus
from tests.face import samples
from tests.face.test_screen import settle, until

Compare = Callable[..., bool]
SMALL, WIDE = (80, 24), (120, 40)


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


def pressing(*keys: str) -> Callable[[object], Awaitable[None]]:
    """Press keys and wait until the screen they open has read and shown what it has."""

    async def press(pilot: object) -> None:
        app = pilot.app  # type: ignore[attr-defined]
        for key in keys:
            await settle(pilot)  # type: ignore[arg-type]
            await pilot.press(key)  # type: ignore[attr-defined]
            await settle(pilot)  # type: ignore[arg-type]
            page = app.top
            if isinstance(page, Page):
                await until(pilot, lambda page=page: page.data is not None)  # type: ignore[arg-type,misc]
        await settle(pilot)  # type: ignore[arg-type]

    return press


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_more(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(samples.app(), terminal_size=size, run_before=pressing("m"))


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_what_is_promised(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(samples.app(), terminal_size=size, run_before=pressing("7"))


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_away(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = samples.FakeSource(samples.facts(), samples.LOG)
    assert snap_compare(samples.app(source=source), terminal_size=size, run_before=pressing("w"))


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_welcome(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = samples.app(ask_names=True, where="/home/me/realm/saves/main")
    assert snap_compare(app, terminal_size=size, run_before=pressing())


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_dark(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(samples.app(), terminal_size=size)


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_plain_names(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(samples.app(look=Look(names="plain")), terminal_size=size)


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_no_color(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(samples.app(), terminal_size=size)


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_ascii(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(samples.app(look=Look(ascii=True)), terminal_size=size)


def test_light(snap_compare: Compare) -> None:
    async def by_day(pilot: object) -> None:
        app = pilot.app  # type: ignore[attr-defined]
        app.theme = "tavern-day"

    assert snap_compare(samples.app(), terminal_size=WIDE, run_before=by_day)


def test_too_small(snap_compare: Compare) -> None:
    assert snap_compare(samples.app(), terminal_size=(60, 20))


def test_a_new_hero_shows_what_is_not_known_as_a_dash(snap_compare: Compare) -> None:
    assert snap_compare(samples.app(newborn()), terminal_size=WIDE)


def test_what_stands_in_the_way_is_said_with_the_way_out(snap_compare: Compare) -> None:
    found = samples.facts(
        status=samples.status(
            state=EngineState.BLOCKED,
            blockers=(Blocker("DISK_FULL", "0.4 GB are free where the save lies", "free some disk space"),),
        )
    )
    assert snap_compare(samples.app(found), terminal_size=SMALL)


def newborn() -> Facts:
    """A save without a single step."""
    status = samples.status(
        state=EngineState.NONE,
        step=None,
        xp=0,
        loss=None,
        strain=None,
        strain_rate=None,
        zone=None,
        floor=None,
        effort=None,
        gain=None,
        learning_rate=None,
        grad_norm=None,
        tokens_per_s=None,
        steps_per_s=None,
        queue=QueueStatus(),
        quest=None,
        next_exam_step=None,
        last_checkpoint_step=None,
        hero=replace(samples.status().hero, level=0, steps=0),
        skills={
            "bin": replace(samples.status().skills["bin"], mastered=0, held=0, training=1, operations={}, at_chance=())
        },
        ages_s=dict.fromkeys(("heartbeat", "step", "exam", "checkpoint", "level_up")),
    )
    return Facts(status=status)


def test_newborn_is_drawn_without_a_number_that_is_not_known() -> None:
    from realm_tui.app.widgets.battle import figures
    from realm_tui.app.widgets.header import header_rows

    look = Look(names="plain")
    header = "".join(text for text, _ in header_rows(newborn(), look, 120)[0])
    assert "step –" in header and "– tok/s" in header
    assert "".join(text for text, _ in figures(newborn(), look)).count("–") == 3
