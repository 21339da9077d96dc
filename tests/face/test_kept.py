"""What the screen spares itself: lines kept from the frame before are those it would paint anew, and a calm screen rests."""

from __future__ import annotations

import select
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.segment import Segment
from textual.pilot import Pilot

from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Drawing, Look
from realm_tui.app.driver import HeardEvent
from realm_tui.app.facts import Facts
from realm_tui.app.kept import runs
from realm_tui.app.theme import DAY
from realm_tui.app.widgets.hero import HeroPanel
from realm_tui.app.widgets.log import LogPanel
from tests.face import samples
from tests.face.test_screen import WIDE, settle, until


def painted(app: RealmApp) -> list[list[Segment]]:
    """Every line of the screen, as it would be sent to the terminal now."""
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def painted_anew(app: RealmApp) -> list[list[Segment]]:
    """The same with nothing kept from before."""
    for widget in (app.screen, *app.screen.query("*")):
        widget._styles_cache.clear()
        widget.notify_style_update()
    for drawing in app.screen.query(Drawing):
        drawing.redraw(fully=True)
    return painted(app)


def moved_on() -> Facts:
    """A later moment: another step, text and log."""
    battle = replace(samples.BATTLE, step=1300, tokens=tuple(f"word{n} " for n in range(40)), losses=(0.5,) * 40)
    status = samples.status(step=1300, xp=1300, loss=1.9, strain=1.4, zone="stretch")
    return samples.facts(status=status, battle=battle, log=samples.LOG[1:])


def another_quest() -> Facts:
    status = samples.facts().status
    assert status.quest is not None
    return samples.facts(status=replace(status, quest=replace(status.quest, name="Another quest", step=99)))


async def _in_ascii(app: RealmApp, pilot: Pilot[int]) -> None:
    app._ascii.enabled = True
    app._repaint_all()


async def _by_day(app: RealmApp, pilot: Pilot[int]) -> None:
    app.theme = DAY.name


async def _smaller(app: RealmApp, pilot: Pilot[int]) -> None:
    await pilot.resize_terminal(80, 24)


async def _won(app: RealmApp, pilot: Pilot[int]) -> None:
    app._battle.query_one(HeroPanel).add_class("-won")


@pytest.mark.parametrize("change", [None, _in_ascii, _by_day, _smaller, _won])
async def test_kept_lines_are_those_that_would_be_painted_anew(
    change: Callable[[RealmApp, Pilot[int]], object] | None,
) -> None:
    source = samples.FakeSource(samples.facts())
    app = samples.app(source=source)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        if change is not None:
            await change(app, pilot)  # type: ignore[misc]
            await settle(pilot)
        frames = []
        for facts in (moved_on(), another_quest(), samples.facts(), moved_on()):
            source.facts = facts
            app.refresh_facts()
            await until(pilot, lambda: not app._reading)
            await settle(pilot)
            frames.append(painted(app))
            assert frames[-1] == painted_anew(app)
        assert frames[0] != frames[1] != frames[2]


async def test_a_new_title_is_painted_without_its_panel() -> None:
    source = samples.FakeSource(samples.facts())
    app = samples.app(source=source)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        panel = app._battle.query_one("#battle", Drawing)
        asked: list[tuple[int, int]] = []
        refresh = panel.refresh

        def noted(*regions, **options):  # type: ignore[no-untyped-def]
            asked.extend((region.y, region.height) for region in regions)
            assert regions, "the whole panel was painted"
            return refresh(*regions, **options)

        panel.refresh = noted  # type: ignore[method-assign]
        source.facts = another_quest()
        app.refresh_facts()
        await until(pilot, lambda: not app._reading)
        await settle(pilot)
        assert asked == [(-1, 1)]
        assert "Another quest" in "".join(text for text, *_ in painted(app)[panel.region.y])


async def test_while_only_time_passes_only_ages_are_drawn_and_the_screen_rests() -> None:
    source = samples.FakeSource(samples.facts())
    app = samples.app(source=source)
    app.rules = app.rules.model_copy(update={"face": app.rules.face.model_copy(update={"refresh_s": 3600.0})})
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        source.facts = another_quest()
        app.refresh_facts()
        await until(pilot, lambda: not app._reading)
        drawn: list[str] = []
        for panel in (app._battle.query_one(LogPanel), app._battle.query_one(HeroPanel)):
            show = panel.show

            def noted(facts: Facts, look: Look, show=show, key=panel.id) -> None:  # type: ignore[no-untyped-def]
                drawn.append(str(key))
                show(facts, look)

            panel.show = noted  # type: ignore[method-assign]

        async def turns(count: int) -> int:
            before = source.reads
            for _ in range(count):
                source.facts = replace(source.facts, status=replace(source.facts.status, at=source.facts.status.at + 1))
                app._turn()
                await until(pilot, lambda: not app._reading)
            return source.reads - before

        assert await turns(10) == 10
        assert set(drawn) == {"hero"}
        assert await turns(9) == 3
        source.facts = moved_on()
        assert await turns(3) >= 1
        assert "log" in drawn
        assert await turns(5) == 5


def test_an_event_is_heard_by_who_waits_for_something_to_read() -> None:
    event = HeardEvent()
    assert not select.select([event.reader], [], [], 0)[0]
    event.set()
    event.set()
    assert event.is_set()
    assert select.select([event.reader], [], [], 0)[0]
    event.clear()
    assert not event.is_set()
    assert not select.select([event.reader], [], [], 0)[0]
    event.close()


def test_numbers_become_stretches() -> None:
    assert list(runs([5, 1, 2, 9, 3])) == [(1, 3), (5, 1), (9, 1)]
    assert list(runs([])) == []
