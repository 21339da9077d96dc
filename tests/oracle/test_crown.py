"""Putting a form to work at the Inn: every stage, everything that can fail on the way, and the way back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from realm_tui.runtime.inn import crown, forms
from realm_tui.runtime.opened import opened
from saves import ceremonies, ledger
from saves.ceremonies import Ceremony
from tests.cli.test_ledger_and_gate import meet
from tests.oracle.places import Parrot, Village, add_answers, forget_exam


def book(folder: SaveFolder) -> tuple[Ceremony, ...]:
    with opened(folder) as save:
        return ceremonies.ceremonies(save.conn)


def champion(folder: SaveFolder) -> int | None:
    """Step of the champion."""
    with opened(folder) as save:
        found = ledger.champion(save.conn)
        return None if found is None else ledger.checkpoint(save.conn, found.checkpoint_id).step


def digest(folder: SaveFolder, step: int) -> str:
    with opened(folder) as save:
        return forms.speaker(save, str(step)).digest


async def test_a_form_passes_gate_sync_swap_and_canary_before_it_is_crowned(told: SaveFolder, village: Village) -> None:
    add_answers(told, 400, "Compute: and(①, ①)", "①")
    village.servers["inn"].says = lambda name, words: "①" if words == "Compute: and(①, ①)" else "?"
    stages: list[str] = []
    done = await crown.promote(village, told, "400", "inn", tell=stages.append)
    assert [text.split(":")[0] for text in stages if ":" in text] == ["gate", "sync", "swap", "canary", "champion"]
    assert (done.step, done.sent_bytes, done.before) == (400, 120, None)
    assert done.canary["same"] is True and done.canary["digest"] == done.digest == digest(told, 400)
    assert done.doubt == "the two never answered the same questions"
    assert champion(told) == 400 and set(village.servers["inn"].holds) == {done.digest}
    assert set(done.seconds) == {"gate", "sync", "swap", "canary"}
    (row,) = book(told)
    assert (row.state, row.worker, row.detail["crowned"]) == ("crowned", "inn-worker", True) and row.ended_at
    sampling = village.servers["inn"].heard[-1].sampling
    assert sampling.temperature == 0.0


async def test_a_ceremony_that_is_stopped_while_the_crown_moves_comes_to_its_end(
    told: SaveFolder, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving, go_on, set_it = asyncio.Event(), threading.Event(), crown._crown
    loop = asyncio.get_running_loop()

    def slow(folder: SaveFolder, name: str) -> str:
        loop.call_soon_threadsafe(moving.set)
        assert go_on.wait(60)
        return set_it(folder, name)

    monkeypatch.setattr(crown, "_crown", slow)
    ceremony = asyncio.create_task(crown.promote(village, told, "400", "inn"))
    await asyncio.wait_for(moving.wait(), 60)
    ceremony.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait({ceremony}, timeout=60)
    assert [row.state for row in book(told)] == ["crowned"] and champion(told) == 400
    assert set(village.servers["inn"].holds) == {digest(told, 400)}


async def test_the_gate_asks_for_an_exam_and_refuses_what_is_shown_to_be_worse(
    told: SaveFolder, village: Village
) -> None:
    with pytest.raises(BlockedError) as unexamined:
        await crown.promote(village, told, "1250", "inn")
    assert unexamined.value.code == "NOT_EXAMINED"
    meet(told, 400, "C" * 64, "M" * 64)
    with pytest.raises(BlockedError) as worse:
        await crown.promote(village, told, "400", "inn")
    assert worse.value.code == "GATE_WORSE"
    assert book(told) == () and not village.brought and champion(told) == 900
    done = await crown.promote(village, told, "400", "inn", anyway=True)
    assert done.doubt == "it is shown to be worse than the champion" and champion(told) == 400


@pytest.mark.parametrize(("fault", "code"), [("lies", "MODEL_MISMATCH"), ("silent", "CANARY_SILENT")])
async def test_a_canary_that_does_not_sing_gives_the_place_back(
    told: SaveFolder, village: Village, fault: str, code: str
) -> None:
    await crown.promote(village, told, "900", "inn")
    server = village.servers["inn"]
    if fault == "lies":
        server.lies = True
    else:
        server.says = lambda name, words: ""
    with pytest.raises(RealmError) as failed:
        await crown.promote(village, told, "400", "inn")
    assert failed.value.code == code
    assert set(server.holds) == {digest(told, 900)} and champion(told) == 900
    newest, first = book(told)
    assert (newest.state, newest.error_code, newest.detail["stage"]) == ("failed", code, "canary")
    with opened(told) as save:
        assert ceremonies.at_work(save.conn, "inn") == first


async def test_a_road_that_breaks_leaves_everything_as_it_was(told: SaveFolder, village: Village) -> None:
    await crown.promote(village, told, "900", "inn")
    village.refuses["inn"] = BlockedError("the disk there is full", code="DISK_FULL_THERE")
    with pytest.raises(BlockedError):
        await crown.promote(village, told, "400", "inn")
    assert champion(told) == 900 and set(village.servers["inn"].holds) == {digest(told, 900)}
    assert book(told)[0].detail["stage"] == "sync"


async def test_a_place_that_proves_nothing_gets_no_champion(told: SaveFolder, village: Village) -> None:
    with pytest.raises(BlockedError) as failed:
        await crown.promote(village, told, "400", "study")
    assert failed.value.code == "NOT_STRICT" and champion(told) == 900 and book(told)[0].detail["stage"] == "swap"
    from tests.oracle.test_screen import with_places

    with_places(told)
    with pytest.raises(BlockedError) as known:  # where the places say so, nothing is begun
        await crown.promote(village, told, "400", "study")
    assert known.value.code == "NOT_STRICT" and len(book(told)) == 1


async def test_one_step_back_restores_what_worked_and_who_reigned(told: SaveFolder, village: Village) -> None:
    with pytest.raises(BlockedError) as nothing:
        await crown.take_back(village, told, "inn")
    assert nothing.value.code == "NOTHING_AT_WORK"
    await crown.promote(village, told, "900", "inn")
    await crown.promote(village, told, "400", "inn")
    back = await crown.take_back(village, told, "inn")
    assert back["undone"] and back["uncrowned"] and back["name"] == back["champion"]
    assert champion(told) == 900 and set(village.servers["inn"].holds) == {digest(told, 900)}
    with opened(told) as save:
        working = ceremonies.at_work(save.conn, "inn")
        assert working is not None and working.step == 900
    again = await crown.take_back(village, told, "inn")
    assert again == {"undone": working.name, "name": None, "uncrowned": False, "champion": None}
    assert champion(told) == 900


async def test_auto_deploy_follows_the_champion_and_what_is_shown_to_be_better(
    told: SaveFolder, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await crown.auto_deploy(village, told, "inn") is None  # the rules do not ask for it

    def rules(**changes: Any) -> None:
        (told.root.parent.parent / "config").mkdir(exist_ok=True)
        (told.root.parent.parent / "config" / "game.yaml").write_text("inn: {crown: {auto_deploy: true}}\n")

    rules()
    first = await crown.auto_deploy(village, told, "inn")
    assert first is not None and first.step == 900 and not first.champion
    assert await crown.auto_deploy(village, told, "inn") is None
    await crown.take_back(village, told, "inn")
    assert await crown.auto_deploy(village, told, "inn") is None  # the player took it back
    forget_exam(told, 900)
    meet(told, 400, "M" * 64, "C" * 64)
    better = await crown.auto_deploy(village, told, "inn")
    assert better is not None and better.step == 400 and champion(told) == 400
    assert book(told)[0].kind == "auto"


async def test_one_ceremony_at_a_time_and_what_a_dead_process_left_is_ended_by_the_next(
    told: SaveFolder, village: Village
) -> None:
    village.servers["inn"].gate = asyncio.Event()
    stages: list[str] = []
    first = asyncio.create_task(crown.promote(village, told, "900", "inn", tell=stages.append))
    async with asyncio.timeout(20):
        while not any(text.startswith("canary") for text in stages):
            await asyncio.sleep(0.01)
    for other in (crown.promote(village, told, "400", "inn"), crown.take_back(village, told, "inn")):
        with pytest.raises(BlockedError) as held:
            await other
        assert held.value.code == "CEREMONY_HELD"
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    (stopped,) = book(told)
    assert (stopped.state, stopped.error_code, stopped.detail["stage"]) == ("failed", "STOPPED", "canary")
    village.servers["inn"].gate = None
    with opened(told, write=True) as save:
        save.conn.execute("UPDATE ceremonies SET state = 'swap', ended_at = NULL")
    await crown.promote(village, told, "400", "inn")
    assert [c.state for c in book(told)] == ["crowned", "failed"] and book(told)[1].error_code == "INTERRUPTED"


def test_what_a_crash_left_half_done_is_ended(told: SaveFolder) -> None:
    with opened(told, write=True) as save:
        number = ceremonies.begin(
            save.conn,
            Ceremony(
                campaign_id=save.campaign.id, kind="promote", name="x", step=1, digest="d", box="inn", state="swap",
                before_digest=None, before_name=None, begun_at=1.0,
            ),
        )  # fmt: skip
        assert ceremonies.sweep(save.conn, 60.0) == 1 and ceremonies.sweep(save.conn, 60.0) == 0
        (row,) = ceremonies.ceremonies(save.conn)
        assert row.id == number and row.state == "failed" and row.error_code == "INTERRUPTED"
        assert ceremonies.working_places(save.conn) == {}


def test_the_parrot_is_a_server() -> None:
    from realm_tui.runtime.inn.servers.contract import Server

    server: Server = Parrot()
    assert server.strict


async def test_the_house_brings_the_champion_to_the_hub_by_itself_where_that_is_wanted(
    told: SaveFolder, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    from realm_tui.runtime.house import House
    from realm_tui.runtime.inn import reach
    from tests.oracle.test_screen import with_places

    monkeypatch.setattr(reach, "InnReach", lambda folder: village)
    with_places(told)
    (told.root.parent.parent / "config" / "game.yaml").write_text("inn: {crown: {auto_deploy: true}}\n")
    troubles: list[str] = []
    house = House(told, boxes=dict, on_trouble=troubles.append, look_s=0.01)
    keeping = asyncio.create_task(house.run())
    async with asyncio.timeout(20):
        while not any(c.state == "crowned" for c in book(told)):
            await asyncio.sleep(0.02)
    house.stop()
    await asyncio.wait_for(keeping, 60)
    assert set(village.servers["inn"].holds) == {digest(told, 900)} and village.closed and not troubles
