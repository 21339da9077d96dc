"""The Garrison finds what is wrong at a place, says it once, and forgets it when it is right again."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from configs import clock
from configs.errors import RealmError
from configs.garrison import GarrisonRules
from configs.inn import LinkRules
from configs.paths import SaveFolder
from realm_tui.cli.main import app
from realm_tui.runtime.garrison import Look, judged, look_at, patrol, road_of
from realm_tui.runtime.house import House
from realm_tui.runtime.inn.box import LinkState, LocalBox
from saves import patrols
from saves.database import open_save
from saves.locks import FileLock
from saves.workers import Worker, put

RULES, LINK = GarrisonRules.model_validate({}), LinkRules.model_validate({})
WELL = Look("open", "online", "", "", 0.002, 10.0, disk=1000, disk_free=900, skew_s=0.2, servers={"main": True})


class Gone(LocalBox):
    """A place whose machine does not answer."""

    async def run(self, *_: Any, **__: Any) -> Any:
        raise RealmError("nobody answers at outpost port 22", fix="switch it on", code="HOST_UNREACHABLE")


class Frozen(LocalBox):
    """A place that never answers and never refuses."""

    async def run(self, *_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()


def changed(**facts: Any) -> list[tuple[str, str]]:
    look = Look(**{**{n: getattr(WELL, n) for n in Look.__dataclass_fields__}, **facts})
    return [(one.rule, one.severity) for one in judged("The Inn", look, RULES, LINK)[1]]


def test_each_trouble_has_facts_that_give_it_and_facts_that_take_it_away() -> None:
    assert judged("The Inn", WELL, RULES, LINK) == ("healthy", [])
    assert changed(disk_free=199) == [("disk", "medium")]
    assert changed(disk_free=99) == [("disk", "critical")]
    assert changed(skew_s=-31.0) == [("clock", "low")]
    assert changed(road="muddy") == changed(road="storm") == [("road", "low")]
    assert changed(servers={"main": False}) == [("server:main", "medium")]
    assert changed(endpoints={"inn-vllm": ("broken", "a swap failed")}) == [("endpoint:inn-vllm", "medium")]
    assert changed(endpoints={"inn-vllm": ("wrong_model", "it serves hero@1")}) == [("endpoint:inn-vllm", "medium")]
    assert changed(road="closed") == changed(road="avalanche") == [("unreachable", "high")]
    assert judged("The Inn", Look("closed", "offline", "", "", None, None), RULES, LINK)[0] == "offline"


def test_unknown_is_no_trouble() -> None:
    assert judged("The Inn", Look("open", "online", "", "", None, None), RULES, LINK) == ("healthy", [])


def test_roads() -> None:
    now = clock.now()
    assert road_of(LinkState("online", now, now, 0.01), LINK) == "open"
    assert road_of(LinkState("online", now, now, 0.3), LINK) == "muddy"
    assert road_of(LinkState("online", now, now, 0.01, losses=(now, now - 5, now - 9)), LINK) == "storm"
    assert road_of(LinkState("online", now, now, 0.01, losses=(now - 9999,) * 3), LINK) == "open"
    assert road_of(LinkState("changed_key", now), LINK) == road_of(LinkState("offline", now), LINK) == "closed"
    assert road_of(LinkState("timeout", now), LINK) == "avalanche"


async def test_a_look_at_this_machine_finds_its_disk_and_writes_it_down(folder: SaveFolder, tmp_path: Path) -> None:
    states = await patrol(folder, {"arena": LocalBox("arena", tmp_path)}, RULES)
    with closing(open_save(folder, write=False)) as conn:
        seen = patrols.newest_patrols(conn)["arena"]
    assert seen.status == states["arena"]
    assert seen.facts["disk"] > seen.facts["disk_free"] > 0
    assert seen.facts["forms"] == 0 and seen.facts["road"] == "open"


async def test_a_place_that_is_gone_is_called_out_once_until_it_is_back(folder: SaveFolder, tmp_path: Path) -> None:
    for _ in range(3):
        await patrol(folder, {"outpost": Gone("outpost", tmp_path, "Scout Outpost")}, RULES)
    with closing(open_save(folder, write=False)) as conn:
        (alert,) = patrols.open_alerts(conn)
    assert (alert.rule, alert.count, alert.title) == ("unreachable", 3, "Scout Outpost cannot be reached")
    assert "switch it on" in alert.fix and alert.fix not in alert.why
    await patrol(folder, {"outpost": LocalBox("outpost", tmp_path, "Scout Outpost")}, RULES)
    with closing(open_save(folder, write=False)) as conn:
        assert [a for a in patrols.open_alerts(conn) if a.rule == "unreachable"] == []


async def test_a_worker_that_answers_as_another_is_called_out_until_it_answers_right(
    folder: SaveFolder, tmp_path: Path
) -> None:
    box = LocalBox("inn", tmp_path, "The Inn")
    worker = Worker(
        id="inn-vllm", box="inn", kind="vllm", strict=True, address="s", origin="started", state="wrong_model",
        why="it serves another form", created_at=clock.now(),
    )  # fmt: skip
    for state, rules in (("wrong_model", ["endpoint:inn-vllm"]), ("up", [])):
        with closing(open_save(folder, write=True)) as conn:
            put(conn, replace(worker, state=state))
        await patrol(folder, {"inn": box}, RULES)
        with closing(open_save(folder, write=False)) as conn:
            assert [a.rule for a in patrols.open_alerts(conn) if a.rule.startswith("endpoint")] == rules


async def test_a_place_that_says_nothing_is_an_avalanche_and_holds_nobody_up(tmp_path: Path) -> None:
    look = await look_at(Frozen("outpost", tmp_path, "Scout Outpost"), RULES.model_copy(update={"link_s": 0.05}))
    assert look.road == "avalanche"
    assert "did not answer within 0.05 s" in look.why


async def test_one_process_keeps_house_and_the_next_takes_over(folder: SaveFolder, tmp_path: Path) -> None:
    other = FileLock(folder.run / "house.lock")
    looked = asyncio.Event()

    def boxes() -> dict[str, LocalBox]:
        looked.set()
        return {"arena": LocalBox("arena", tmp_path)}

    held = os.fork()
    if held == 0:  # another process of the same save
        os._exit(0 if other.acquire() else 1)
    assert os.waitpid(held, 0)[1] == 0
    with closing(open_save(folder, write=True)) as conn:  # a place that was taken out of the player's files since
        patrols.looked(conn, "moon", "healthy", {}, [patrols.Called("disk", "low", "it is full")])
    house = House(folder, boxes=boxes, look_s=0.01)
    keeping = asyncio.create_task(house.run())
    await asyncio.wait_for(looked.wait(), 60)
    house.stop()
    await asyncio.wait_for(keeping, 60)
    with closing(open_save(folder, write=False)) as conn:
        assert list(patrols.newest_patrols(conn)) == ["arena"] and patrols.open_alerts(conn, box="moon") == []


async def test_a_place_that_answers_nonsense_does_not_end_the_keeping_of_the_house(
    folder: SaveFolder, tmp_path: Path
) -> None:
    class Odd(LocalBox):
        async def run(self, *_: Any, **__: Any) -> Any:
            raise KeyError("disk")

    told, tasks = [], asyncio.Event()

    def trouble(text: str) -> None:
        told.append(text)

    house = House(folder, boxes=lambda: {"arena": Odd("arena", tmp_path)}, on_trouble=trouble, look_s=0.01)
    house._tasks = tasks.set  # type: ignore[method-assign]
    keeping = asyncio.create_task(house.run())
    await asyncio.wait({keeping, asyncio.create_task(tasks.wait())}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    house.stop()
    await asyncio.wait_for(keeping, 60)
    assert tasks.is_set() and told == ["patrol: the program met a fault of its own: KeyError: 'disk'"]
    assert "Traceback" in (folder.logs / "jobs.log").read_text(encoding="utf-8")


def realm(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, [*words, "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout.strip() else None


def test_the_command_line_looks_and_tells(folder: SaveFolder) -> None:
    code, told = realm("garrison", "look")
    assert code in (0, 1) and told["places"]["arena"]["disk"] > 0
    assert realm("garrison", "status")[1]["places"]["arena"]["at"] == told["places"]["arena"]["at"]


def test_a_look_forgets_places_that_were_taken_out_of_the_players_files(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        patrols.looked(conn, "moon", "critical", {}, [patrols.Called("disk", "critical", "it is full")])
    code, told = realm("garrison", "look")
    assert code in (0, 1) and "moon" not in told["places"]
    assert all(alert["box"] != "moon" for alert in told["alerts"])
