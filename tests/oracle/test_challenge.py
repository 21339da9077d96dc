"""Auto-deploy asks the gate what it lacks: the best form against the champion, one question at a time, where exams are asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from configs import clock
from configs.paths import SaveFolder
from realm_tui.runtime.inn import challenge, crown
from realm_tui.runtime.inn.challenge import ask_at_gate
from realm_tui.runtime.jobs.kinds import kind_of
from realm_tui.runtime.opened import opened
from saves import jobs, ledger
from saves.jobs import Job
from tests.cli.test_ledger_and_gate import meet
from tests.oracle.places import Village, forget_exam
from tests.oracle.test_screen import with_places


@pytest.fixture(autouse=True)
def an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine runs."""
    monkeypatch.setattr(challenge, "engine_alive", lambda folder: True)


@pytest.fixture
def rivals(told: SaveFolder) -> SaveFolder:
    """A hub, a champion of step 900, and a best examined form of step 400 that never met it; the player wants auto-deploy."""
    with_places(told)
    forget_exam(told, 900)
    rules(told)
    return told


def rules(folder: SaveFolder, **more: Any) -> None:
    wanted = "".join(f", {name}: {value}" for name, value in more.items())
    (folder.root.parent.parent / "config" / "game.yaml").write_text(f"inn: {{crown: {{auto_deploy: true{wanted}}}}}\n")


def name(folder: SaveFolder, step: int) -> str:
    with opened(folder) as save:
        return ledger.find(save.conn, str(step)).name


def job(folder: SaveFolder, number: int | None) -> Job:
    assert number is not None
    with opened(folder) as save:
        return jobs.job(save.conn, number)


def over(folder: SaveFolder, number: int | None, status: str = "completed") -> None:
    """Let a job have ended long ago."""
    with opened(folder, write=True) as save:
        save.conn.execute("UPDATE jobs SET status = ?, ended_at = 1.0 WHERE id = ?", (status, number))


def test_the_best_form_and_the_champion_are_asked_one_question_at_a_time(rivals: SaveFolder) -> None:
    first = job(rivals, ask_at_gate(rivals, "inn"))
    assert (first.kind, first.priority) == ("eval", "low")
    asked = kind_of("eval").read(first.payload)
    assert (asked.form, asked.against, asked.items) == (name(rivals, 400), name(rivals, 900), 64)
    assert asked.elsewhere is False  # a hatchling's exams are its own machine's
    assert ask_at_gate(rivals, "inn") is None  # one at a time
    over(rivals, first.id)
    meet(rivals, 400, "C" * 20, "C" * 18 + "MM")
    second = job(rivals, ask_at_gate(rivals, "inn"))
    assert second.id != first.id and second.key != first.key
    over(rivals, second.id)
    meet(rivals, 400, "M" * 64, "C" * 64, first=9000)  # decided: nothing is lacking any more
    assert ask_at_gate(rivals, "inn") is None


async def test_what_it_shows_is_what_auto_deploy_brings(rivals: SaveFolder, village: Village) -> None:
    assert await crown.auto_deploy(village, rivals, "inn") is None  # the champion of this save was never examined
    over(rivals, ask_at_gate(rivals, "inn"))
    meet(rivals, 400, "M" * 64, "C" * 64)
    brought = await crown.auto_deploy(village, rivals, "inn")
    assert brought is not None and brought.step == 400
    assert ask_at_gate(rivals, "inn") is None  # it reigns now


def test_questions_that_prove_nothing_end_at_the_rules_bound(rivals: SaveFolder) -> None:
    rules(rivals, ask_items=64, ask_most=80)
    meet(rivals, 400, "C" * 64, "C" * 64)
    assert job(rivals, ask_at_gate(rivals, "inn")).payload["items"] == 16
    meet(rivals, 400, "C" * 16, "C" * 16, first=9000)
    over(rivals, 1)
    assert ask_at_gate(rivals, "inn") is None


def test_a_hero_whose_exams_are_asked_elsewhere_is_never_asked_on_the_machine_that_trains_it(
    rivals: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenge, "asked_elsewhere", lambda *_: True)
    assert job(rivals, ask_at_gate(rivals, "inn")).payload["elsewhere"] is True


async def test_the_newest_form_is_asked_only_where_that_holds_nothing_up(
    rivals: SaveFolder, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(rivals, 400, "C" * 64, "M" * 64)  # the best examined one is shown to be worse
    assert ask_at_gate(rivals, "inn") is None
    monkeypatch.setattr(challenge, "asked_elsewhere", lambda *_: True)
    asked = job(rivals, ask_at_gate(rivals, "inn"))
    assert (asked.payload["form"], asked.payload["against"]) == (name(rivals, 1250), name(rivals, 900))
    over(rivals, asked.id)
    meet(rivals, 1250, "M" * 64, "C" * 64, first=9000)
    assert ask_at_gate(rivals, "inn") is None
    brought = await crown.auto_deploy(village, rivals, "inn")
    assert brought is not None and brought.step == 1250


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_what_nobody_answered_rests_and_what_the_player_cancelled_is_not_asked_again(
    rivals: SaveFolder, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = ask_at_gate(rivals, "inn")
    over(rivals, number, status)
    monkeypatch.setattr(clock, "now", lambda: 1.0 + challenge.REST_S / 2)
    assert ask_at_gate(rivals, "inn") is None
    monkeypatch.setattr(clock, "now", lambda: 2.0 + challenge.REST_S)
    assert (ask_at_gate(rivals, "inn") is None) == (status == "cancelled")


@pytest.mark.parametrize("why", ["rules", "none", "engine", "place", "undone"])
async def test_nothing_is_asked_where_nobody_wants_it_or_it_would_be_of_no_use(
    rivals: SaveFolder, village: Village, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "rules":
        (rivals.root.parent.parent / "config" / "game.yaml").unlink()
    elif why == "none":
        rules(rivals, ask_items=0)
    elif why == "engine":
        monkeypatch.setattr(challenge, "engine_alive", lambda folder: False)
    elif why == "undone":
        await crown.promote(village, rivals, "400", "inn")
        await crown.take_back(village, rivals, "inn")
    assert ask_at_gate(rivals, "study" if why == "place" else "inn") is None
    with opened(rivals) as save:
        assert jobs.counts(save.conn).get("pending", 0) == 0


async def test_the_house_asks(rivals: SaveFolder, village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    from realm_tui.runtime.house import House
    from realm_tui.runtime.inn import reach

    monkeypatch.setattr(reach, "InnReach", lambda folder: village)
    troubles: list[str] = []
    house = House(rivals, boxes=dict, on_trouble=troubles.append, look_s=0.01)
    keeping = asyncio.create_task(house.run())
    async with asyncio.timeout(20):
        while True:
            with opened(rivals) as save:
                if any((j.key or "").startswith(challenge.KEY) for j in jobs.jobs(save.conn)):
                    break
            await asyncio.sleep(0.02)
    house.stop()
    await asyncio.wait_for(keeping, 60)
    assert not troubles
