"""The Oracle as a screen: asking, stopping, comparing, going on with an old talk, putting a form to work, and how it looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from configs.errors import BlockedError
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.screens.dialog import Choice, Line
from realm_tui.app.screens.pick import Pick
from realm_tui.runtime.inn.forms import speaker
from realm_tui.runtime.opened import opened
from saves import ceremonies
from saves.database import create_save
from saves.oracle import Turn, newest_turns
from tests.face import samples
from tests.face.test_screen import drawn, settle, until
from tests.oracle.places import Village

Compare = Callable[..., bool]
SMALL, WIDE = (80, 24), (120, 40)
PLACES = """
hosts: {inn-box: {address: inn-box}}
facilities:
  inn: {type: hub, host: inn-box, base_path: ~/realm, server: {kind: vllm}}
  study: {name: "Somebody's study", type: laboratory, base_path: /srv/study, server: {kind: openai, endpoint: "http://127.0.0.1:8000"}}
"""


def with_places(folder: SaveFolder) -> None:
    """Let the player have two more places."""
    own = folder.root.parent.parent / "config" / "facilities"
    own.mkdir(parents=True, exist_ok=True)
    (own / "local.yaml").write_text(PLACES)


def app(folder: SaveFolder, village: Village, names: str = "tavern") -> RealmApp:
    """The app over that save, with those places."""
    link = samples.FakeLink()
    link.folder, link.reach = folder, village
    look = Look(names="plain" if names == "plain" else "tavern")
    return samples.app(source=samples.FakeSource(samples.facts(), folder=folder), link=link, look=look)


async def opened_oracle(pilot: Pilot[int], running: RealmApp) -> None:
    running.action_go("oracle")
    await settle(pilot)
    await until(pilot, lambda: getattr(running.top, "data", None) is not None)
    await settle(pilot)


async def say(pilot: Pilot[int], running: RealmApp, words: str) -> None:
    """Write a line and send it."""
    await pilot.press("i")
    running.top.query_one(Input).value = words
    await pilot.press("enter")
    await settle(pilot)


def talk(running: RealmApp) -> str:
    return drawn(running, "#oracle-talk", running.top)


async def answered(pilot: Pilot[int], running: RealmApp, words: str) -> None:
    """Wait until the answer with these words is whole, and in the save."""

    def whole() -> bool:
        page = running.top
        return words in talk(running) and page._asking is None and page._live is None  # type: ignore[attr-defined]

    await until(pilot, whole)


def serves(running: RealmApp, step: int) -> bool:
    """Whether the form of a step works at the place that is chosen."""
    lines = drawn(running, "#oracle-voice", running.top).splitlines()
    return any("In service" in line and f"step {step}" in line for line in lines)


def kept(folder: SaveFolder) -> tuple[Turn, ...]:
    with opened(folder) as save:
        return newest_turns(save.conn, limit=50)


async def test_a_question_is_answered_by_the_form_that_was_called(told: SaveFolder, village: Village) -> None:
    running = app(told, village)
    async with running.run_test(size=WIDE) as pilot:
        await opened_oracle(pilot, running)
        assert "the champion" in drawn(running, "#oracle-forms", running.top)
        await say(pilot, running, "who are you?")
        await until(pilot, lambda: "heard: who are you?" in talk(running) and "5 tokens" in talk(running))
        assert "10.0/s" in talk(running) and "✓" in talk(running)
        await pilot.press("escape", "end", "enter")
        await say(pilot, running, "and you?")
        await answered(pilot, running, "heard: and you?")
        assert "step 400" in talk(running) and "step 900" in talk(running)
        first, second = kept(told)[::-1]
        assert (first.step, second.step) == (900, 400) and first.talk == second.talk and first.kind == "chat"
        await pilot.press("escape", "g")
        await until(pilot, lambda: "heard" not in talk(running))


async def test_an_answer_can_be_stopped_and_another_question_waits_for_it(told: SaveFolder, village: Village) -> None:
    village.servers["arena"].gate = asyncio.Event()
    running = app(told, village)
    async with running.run_test(size=WIDE) as pilot:
        await opened_oracle(pilot, running)
        await say(pilot, running, "count to a million")
        await until(pilot, lambda: "checkpoint-900" in talk(running))
        await say(pilot, running, "hello?")
        assert running.top.query_one(Input).value == "hello?"
        await pilot.press("escape", "x")
        await until(pilot, lambda: len(kept(told)) == 1 and "hushed ·" in talk(running))
        (turn,) = kept(told)
        assert turn.finish == "stopped" and turn.answer == turn.name


async def test_two_forms_answer_side_by_side(told: SaveFolder, village: Village) -> None:
    running = app(told, village)
    async with running.run_test(size=WIDE) as pilot:
        await opened_oracle(pilot, running)
        await pilot.press("end", "y")
        await settle(pilot)
        await say(pilot, running, "who?")
        await until(pilot, lambda: talk(running).count("✓") == 2)
        head = next(line for line in talk(running).splitlines() if "│" in line)
        assert "step 900" in head and "step 400" in head
        assert {turn.kind for turn in kept(told)} == {"compare"}
        await pilot.press("escape", "y")
        await settle(pilot)
        await say(pilot, running, "alone")
        await answered(pilot, running, "heard: alone")
        assert len(kept(told)) == 3


async def test_what_goes_wrong_stands_in_the_talk_with_its_way_out(told: SaveFolder, village: Village) -> None:
    village.refuses["arena"] = BlockedError("the worker does not start", fix="see its log", code="SERVER_GONE")
    running = app(told, village)
    async with running.run_test(size=WIDE) as pilot:
        await opened_oracle(pilot, running)
        await say(pilot, running, "who?")
        await until(pilot, lambda: "Way out: see its log" in talk(running) and "SERVER_GONE" in talk(running))
        village.refuses.clear()
        await pilot.press("escape", "r")
        await answered(pilot, running, "heard: who?")


async def test_an_old_talk_is_gone_on_with_and_written_down(told: SaveFolder, village: Village, target: Path) -> None:
    running = app(told, village)
    async with running.run_test(size=WIDE) as pilot:
        await opened_oracle(pilot, running)
        await say(pilot, running, "first")
        await answered(pilot, running, "heard: first")
        await pilot.press("escape", "g", "o")
        await until(pilot, lambda: isinstance(running.screen, Pick))
        await pilot.press("enter")
        await answered(pilot, running, "heard: first")
        await pilot.press("b")
        await say(pilot, running, "second")
        await answered(pilot, running, "heard: second")
        assert [m["content"] for m in kept(told)[0].messages] == ["first", kept(told)[1].answer, "second"]
        await pilot.press("escape", "X")
        await until(pilot, lambda: isinstance(running.screen, Line))
        running.screen.query_one(Input).value = str(target / "talk.jsonl")
        await pilot.press("enter")
        await until(pilot, lambda: (target / "talk.jsonl").is_file())
        lines = (target / "talk.jsonl").read_text().splitlines()
        assert [json.loads(line)["messages"][-1]["content"] for line in lines][1] == kept(told)[0].answer


async def test_a_form_is_put_to_work_at_another_place_and_called_back(told: SaveFolder, village: Village) -> None:
    with_places(told)
    running = app(told, village)
    async with running.run_test(size=WIDE) as pilot:
        await opened_oracle(pilot, running)
        await pilot.press("h")
        await until(pilot, lambda: isinstance(running.screen, Pick))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "The Inn" in drawn(running, "#oracle-voice", running.top))
        for step, key in ((900, "home"), (400, "end")):
            await pilot.press(key, "enter", "escape", "C")
            await until(pilot, lambda: isinstance(running.screen, Choice))
            await pilot.press("y")
            await until(pilot, lambda step=step: serves(running, step))  # type: ignore[misc]
        with opened(told) as save:
            assert [c.state for c in ceremonies.ceremonies(save.conn)] == ["crowned", "crowned"]
            older = speaker(save, "900")
        await say(pilot, running, "sing")
        await answered(pilot, running, "heard: sing")
        await pilot.press("escape", "u")
        await until(pilot, lambda: serves(running, 900))
        assert set(village.servers["inn"].holds) == {older.digest}
        await say(pilot, running, "and now")
        await until(pilot, lambda: isinstance(running.screen, Choice))
        assert "heard: and now" not in talk(running) and len(kept(told)) == 1
        await pilot.press("y")
        await answered(pilot, running, "heard: and now")


async def test_words_from_outside_are_drawn_plainly(told: SaveFolder, village: Village) -> None:
    village.servers["arena"].says = lambda name, words: "\x1b[31mred\x07[b]bold[/b]‮evil\n\nnew line " + "x" * 300
    running = app(told, village)
    async with running.run_test(size=SMALL) as pilot:
        await opened_oracle(pilot, running)
        await say(pilot, running, "[red]ask[/red]\x1b]0;title\x07")
        await until(pilot, lambda: "new line" in talk(running))
        assert "\x1b" not in talk(running) and "‮" not in talk(running) and "\x07" not in talk(running)
        assert talk(running).count("x") >= 300


async def test_nobody_can_be_asked_before_a_form_was_kept(realm: SaveFolder, village: Village) -> None:
    create_save(realm, load_hero("pip"), seed=1)
    running = app(realm, village)
    async with running.run_test(size=SMALL) as pilot:
        await opened_oracle(pilot, running)
        assert "no form that was kept yet" in drawn(running, "#oracle-forms", running.top)
        await pilot.press("i")
        await settle(pilot)
        assert not running.top.query_one(Input).has_focus
        await pilot.press("C", "u", "o", "X", "r", "x", "y", "escape")
        await settle(pilot)
        assert running.top.place == "battle" and not village.brought


# ---------------------------------------------------------------- how it looks


async def conversation(pilot: Pilot[int]) -> None:
    """A question to one form and one to two."""
    running = pilot.app
    assert isinstance(running, RealmApp)
    await opened_oracle(pilot, running)
    await say(pilot, running, "Compute: add(⓪①, ①⓪)")
    await until(pilot, lambda: len(kept(running.link.folder)) == 1)  # type: ignore[attr-defined]
    await pilot.press("escape", "end", "y")
    await say(pilot, running, "Who are you, and what have you learnt on your way?")
    await until(pilot, lambda: len(kept(running.link.folder)) == 3 and talk(running).count("✓") == 3)  # type: ignore[attr-defined]
    await pilot.press("escape")
    await settle(pilot)


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_the_oracle(
    snap_compare: Compare,
    told: SaveFolder,
    village: Village,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from realm_tui.app.screens import oracle

    monkeypatch.setattr(oracle, "new_talk", lambda: "talk-1")
    with_places(told)
    village.servers["arena"].says = lambda name, words: (
        "⓪①①" if words.startswith("Compute") else f"I am what became of PIP: {name}. I know how to add, and to compare."
    )
    assert snap_compare(app(told, village), terminal_size=size, run_before=conversation)


def test_the_oracle_of_a_newborn(snap_compare: Compare, realm: SaveFolder, village: Village) -> None:
    create_save(realm, load_hero("pip"), seed=1)

    async def before(pilot: Pilot[int]) -> None:
        running = pilot.app
        assert isinstance(running, RealmApp)
        await opened_oracle(pilot, running)

    assert snap_compare(app(realm, village, "plain"), terminal_size=SMALL, run_before=before)
