"""The Jobs screen: what it shows, what its keys do, and how it looks."""

from __future__ import annotations

import time as clocks
from collections.abc import Callable, Iterator

import pytest
from textual.pilot import Pilot

from configs import clock
from configs.paths import SaveFolder
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.runtime.jobs import view
from saves import jobs
from saves.connection import SaveConnection
from tests.face import samples
from tests.face.test_screen import drawn, settle, until
from tests.saves.conftest import Clock

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
ODD = "‮evil\x1b[2J\x07" + "long" * 500


@pytest.fixture
def errands(
    folder: SaveFolder, save: SaveConnection, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SaveFolder]:
    """A save with a job of every sort; holders of leases live."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    clocks.tzset()
    monkeypatch.setattr(view, "lives", lambda owner: not owner.startswith("dead"))
    time.at = samples.NOW - 4000

    def taken(kind: str, owner: str) -> int:
        held = jobs.claim(save, owner, [kind])
        assert held is not None and jobs.begin(save, held.id, owner, "here")
        return held.id

    for kind, payload in (
        ("archive", {"keep": "champion"}),
        ("layer_drift", {"form": "latest", "against": "champion"}),
        ("data_profile", {"quest": ODD}),
        ("eval", {"skill": "bin", "level": 3}),
        ("eval", {"request": 12}),
        ("sparring", {}),
        ("report", {}),
    ):
        jobs.submit(save, kind, payload)
    time.move(60)
    jobs.complete(
        save, taken("archive", "p/1"), "p/1", {"file": "papers/main-job1.realm.tar.gz", "bytes": 123456, "files": 7}
    )
    jobs.fail(save, taken("layer_drift", "p/2"), "p/2", "validation", "there is no champion yet. Way out: promote one.")
    jobs.fail(save, taken("data_profile", "p/3"), "p/3", "transport", ODD)
    jobs.cancel(save, 6)
    time.move(3000)
    taken("report", "dead/4")
    time.at = samples.NOW - 20
    taken("eval", "p/5")
    jobs.submit(save, "inference", {"prompt": "Compute: 1 + 1"}, priority="high")
    time.at = samples.NOW
    yield folder
    clock.use()


def app(folder: SaveFolder, names: str = "tavern") -> RealmApp:
    link = samples.FakeLink()
    link.folder = folder
    look = Look(names="plain" if names == "plain" else "tavern")
    return samples.app(source=samples.FakeSource(samples.facts(), folder=folder), link=link, look=look)


async def opened(pilot: Pilot[int], running: RealmApp) -> None:
    running.action_go("jobs")
    await settle(pilot)
    page = running.top
    await until(pilot, lambda: getattr(page, "data", None) is not None and not page._looking)  # type: ignore[attr-defined]
    await settle(pilot)


async def test_jobs_are_called_off_sent_again_ordered_and_found(errands: SaveFolder, save: SaveConnection) -> None:
    running = app(errands)
    async with running.run_test(size=(120, 40)) as pilot:
        await opened(pilot, running)
        page = running.top
        lines = drawn(running, "#lines", page)
        assert "report" in lines and "\x1b" not in lines and "‮" not in lines
        listing = page.query_one("#lines")
        listing.go_to("8")  # type: ignore[attr-defined]
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        await pilot.press("y")
        await until(pilot, lambda: jobs.job(save, 8).status == "cancelled")
        await settle(pilot)
        listing.go_to("2")  # type: ignore[attr-defined]
        await settle(pilot)
        await until(pilot, lambda: "no champion yet" in drawn(running, "#sheet", page))
        await pilot.press("r")
        await until(pilot, lambda: jobs.job(save, 2).status == "pending")
        await settle(pilot)
        await pilot.press("o")
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: jobs.counts(save)["pending"] > 2)
        assert jobs.jobs(save, kinds=["health_check"])[0].status == "pending"
        await settle(pilot)
        await pilot.press("f")
        await until(pilot, lambda: "archive" not in drawn(running, "#lines", page))


async def test_what_hangs_is_marked_and_said(errands: SaveFolder) -> None:
    running = app(errands)
    async with running.run_test(size=(120, 40)) as pilot:
        await opened(pilot, running)
        page = running.top
        page.query_one("#lines").go_to("7")  # type: ignore[attr-defined]
        await until(pilot, lambda: "whoever worked" in drawn(running, "#sheet", page))


def looked() -> Callable[[Pilot[int]], object]:
    async def look(pilot: Pilot[int]) -> None:
        running = pilot.app
        assert isinstance(running, RealmApp)
        await opened(pilot, running)

    return look


@SIZES
def test_the_jobs_screen(snap_compare: Compare, errands: SaveFolder, size: tuple[int, int]) -> None:
    assert snap_compare(app(errands), terminal_size=size, run_before=looked())


@SIZES
def test_the_jobs_screen_of_a_new_save(
    snap_compare: Compare, folder: SaveFolder, time: Clock, size: tuple[int, int]
) -> None:
    assert snap_compare(app(folder, "plain"), terminal_size=size, run_before=looked())
