"""The halls as screens: what they show, what their keys do, and how they look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from configs.paths import SaveFolder
from engine.link.client import Reply
from engine.link.protocol import Verb
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.screens.dialog import Line
from realm_tui.app.screens.peek import PeekScreen
from realm_tui.app.screens.study import StudyScreen
from realm_tui.app.widgets.listing import Listing
from realm_tui.runtime import board
from realm_tui.runtime.opened import opened
from realm_tui.runtime.study import ways
from tests.face import samples
from tests.face.test_screen import drawn, settle, until
from tests.halls.town import ODD, forge_skill, lay_quest_files

Compare = Callable[..., bool]
SMALL, WIDE = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])


def app(town: SaveFolder, names: str = "tavern") -> RealmApp:
    """The app over that save; orders to an engine are only written down."""
    link = samples.FakeLink()
    link.folder = town
    look = Look(names="plain" if names == "plain" else "tavern")
    return samples.app(source=samples.FakeSource(samples.facts(), folder=town), link=link, look=look)


async def gone(pilot: Pilot[int], running: RealmApp, screen_id: str) -> None:
    """Open a screen and wait for what it shows."""
    running.action_go(screen_id)
    await settle(pilot)
    await until(pilot, lambda: getattr(running.top, "data", None) is not None)
    await settle(pilot)


def states(town: SaveFolder) -> dict[str, tuple[str, str]]:
    """Name to state and priority of every quest, also those off the board."""
    with opened(town) as save:
        return {q.name: (q.state, q.priority) for q in board.listed(save, removed=True)}


# ---------------------------------------------------------------- the board


async def test_the_board_moves_quests_takes_them_again_and_takes_them_down(town: SaveFolder) -> None:
    lay_quest_files(town)
    running = app(town)
    async with running.run_test(size=WIDE) as pilot:
        await gone(pilot, running, "board")
        page = running.top
        listing = page.query_one("#board-list", Listing)
        with opened(town) as save:
            ids = {q.name: str(q.id) for q in board.listed(save)}

        async def on(name: str) -> None:
            listing.go_to(ids[name])
            await settle(pilot)

        await on("later")
        await pilot.press("u")
        await until(pilot, lambda: states(town)["later"] == ("queued", "normal"))
        await settle(pilot)
        await on("chats")
        await pilot.press("r")
        await until(pilot, lambda: "chats-again" in states(town))
        assert states(town)["chats"][0] == "removed"
        await until(pilot, lambda: "chats-again" in drawn(running, "#board-list", page))
        await on("later")
        await pilot.press("x")
        await settle(pilot)
        await pilot.press("y")
        await until(pilot, lambda: states(town)["later"][0] == "removed")
        await until(pilot, lambda: "later" not in drawn(running, "#board-list", page))
        assert "chats  " not in drawn(running, "#board-list", page)
        await pilot.press("o")
        await until(pilot, lambda: "taken down" in drawn(running, "#board-list", page))


async def test_the_board_moves_a_quest_up_and_down_within_its_priority(town: SaveFolder, tmp_path: Path) -> None:
    def order() -> list[str]:
        with opened(town) as save:
            return [q.name for q in board.listed(save) if q.name in ("first", "second")]

    for name in ("first", "second"):
        file = tmp_path / f"{name}.jsonl"
        file.write_text('{"text": "a line to read"}\n' * 5)
        board.add(town, file, priority="low")
    running = app(town)
    async with running.run_test(size=SMALL) as pilot:
        await gone(pilot, running, "board")
        with opened(town) as save:
            running.top.query_one("#board-list", Listing).go_to(
                next(str(q.id) for q in board.listed(save) if q.name == "second")
            )
        await settle(pilot)
        await pilot.press("U")
        await until(pilot, lambda: order() == ["second", "first"])
        await settle(pilot)
        await pilot.press("L")
        await until(pilot, lambda: order() == ["first", "second"])


async def test_the_cursor_stays_on_its_quest_while_the_board_changes(town: SaveFolder) -> None:
    lay_quest_files(town)
    running = app(town)
    async with running.run_test(size=WIDE) as pilot:
        await gone(pilot, running, "board")
        page = running.top
        await pilot.press("end", "up")
        await settle(pilot)
        before = page.query_one("#board-list", Listing).chosen
        board.again(town, "chats")
        page.reload()  # type: ignore[attr-defined]
        await until(pilot, lambda: "chats-again" in drawn(running, "#board-list", page))
        assert page.query_one("#board-list", Listing).chosen == before


async def test_a_name_of_ten_thousand_letters_and_escapes_breaks_no_line(town: SaveFolder) -> None:
    running = app(town)
    async with running.run_test(size=SMALL) as pilot:
        await gone(pilot, running, "board")
        page = running.top
        listing = page.query_one("#board-list", Listing)
        with opened(town) as save:
            listing.go_to(next(str(q.id) for q in board.listed(save) if q.name == ODD))
        await settle(pilot)
        await until(pilot, lambda: "inbox" in drawn(running, "#board-quest", page))
        text = drawn(running, "#board-list", page) + drawn(running, "#board-quest", page)
        assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
        assert "evil" in text and "look at" in drawn(running, "#board-quest", page)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(running.screen, PeekScreen))
        await settle(pilot)
        shown = drawn(running, "#peek", running.screen)
        assert "riddle 0" in shown and "answer 0" in shown and "\x1b" not in shown


# ---------------------------------------------------------------- skills


async def test_a_way_to_study_shows_what_it_would_do_and_is_ordered(town: SaveFolder) -> None:
    running = app(town)
    async with running.run_test(size=WIDE) as pilot:
        await gone(pilot, running, "guild")
        assert "lost" in drawn(running, "#guild-levels", running.top)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(running.screen, StudyScreen))
        await settle(pilot)
        box = running.screen
        assert "All skills in turn" in drawn(running, "#ways", box)
        assert "1,000" in drawn(running, "#way", box)
        await pilot.press("down", "enter")
        await until(pilot, lambda: ("set the curriculum",) in running.link.told)  # type: ignore[attr-defined]


def test_ways_that_this_hero_cannot_take_say_why_and_come_last(town: SaveFolder) -> None:
    found = ways(town)
    assert [one.name for one in found if one.in_force] == ["balanced"]
    assert found[-1].trouble
    assert "sy" in found[-1].trouble
    assert all(sum(one.turns.values()) == 1000 for one in found if not one.trouble)


@pytest.mark.parametrize(
    ("key", "said", "told"),
    [
        ("y", "7", {"skill": "bin", "pin": 7}),
        ("y", "max", {"skill": "bin", "pin": "max"}),
        ("y", "own", {"skill": "bin", "pin": None}),
        ("u", "2,5", {"curriculum": {"skills": {"bin": {"weight": 2.5}}}}),
    ],
)
async def test_a_skill_is_held_at_a_level_or_given_more_steps(
    town: SaveFolder, monkeypatch: pytest.MonkeyPatch, key: str, said: str, told: dict[str, object]
) -> None:
    ordered: list[object] = []

    def order(folder: SaveFolder, verb: Verb, args: dict[str, object], **_: object) -> Reply:
        if verb is Verb.SET:
            ordered.append(args)
        return Reply(True, step=9, result={})

    monkeypatch.setattr("realm_tui.runtime.orders.order", order)
    running = app(town)
    async with running.run_test(size=SMALL) as pilot:
        await gone(pilot, running, "guild")
        await pilot.press(key)
        await until(pilot, lambda: isinstance(running.screen, Line))
        await settle(pilot)
        running.screen.query_one(Input).value = said
        await pilot.press("enter")
        await until(pilot, lambda: ordered == [told])


async def test_the_plan_says_when_each_exam_comes_and_one_is_asked_at_once(
    town: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def order(folder: SaveFolder, verb: Verb, args: dict[str, object], **_: object) -> Reply:
        asked.append((verb, args))
        return Reply(True, step=9, result={"exams": [{"skill": "bin", "level": 1, "correct": 3, "items": 4}]})

    monkeypatch.setattr("realm_tui.runtime.orders.order", order)
    running = app(town, "plain")
    async with running.run_test(size=SMALL) as pilot:
        await gone(pilot, running, "evals")
        await pilot.press("l")
        await until(pilot, lambda: "Core gate" in drawn(running, "#evals-plan", running.top))
        assert "next checkpoint" in drawn(running, "#evals-plan", running.top)
        running.top.query_one("#evals-plan", Listing).go_to("core_gate")
        await settle(pilot)
        shown = drawn(running, "#evals-entry", running.top)
        assert "BIN, L1: 50 questions each" in shown and "raises an alarm" in shown
        await pilot.press("r")
        await until(pilot, lambda: asked == [(Verb.EXAM, {"plan": "core_gate"})])
        await until(pilot, lambda: any("BIN L1 3/4" in n.message for n in running._notifications))
        await pilot.press("l")
        await settle(pilot)
        assert running.top.query_one("#evals-list").display


async def test_a_small_terminal_shows_one_part_at_a_time(town: SaveFolder) -> None:
    running = app(town)
    async with running.run_test(size=SMALL) as pilot:
        await gone(pilot, running, "guild")
        page = running.top
        parts = ("guild-course", "guild-levels", "guild-primitives")
        seen = []
        for _ in range(4):
            seen.append([name for name in parts if page.query_one(f"#{name}").display])
            await pilot.press("l")
            await settle(pilot)
        assert seen == [["guild-course"], ["guild-levels"], ["guild-primitives"], ["guild-course"]]


# ---------------------------------------------------------------- exams


async def test_an_exam_is_opened_down_to_its_wrong_answers(town: SaveFolder) -> None:
    running = app(town)
    async with running.run_test(size=WIDE) as pilot:
        await gone(pilot, running, "evals")
        page = running.top
        assert "3 mumbled" in drawn(running, "#evals-paper", page)
        await pilot.press("down")
        await until(pilot, lambda: "51 of 64" in drawn(running, "#evals-paper", page))
        await pilot.press("enter")
        await settle(pilot)
        await until(pilot, lambda: "CRIT" in drawn(running, "#evals-items", page))
        await pilot.press("x")
        await until(pilot, lambda: "CRIT" not in drawn(running, "#evals-items", page))
        assert "was ④" in drawn(running, "#evals-items", page)
        assert "⑤" in drawn(running, "#evals-item", page)
        await pilot.press("i", "f", "f")
        await until(pilot, lambda: "No exam of this kind" in drawn(running, "#evals-list", page))


# ---------------------------------------------------------------- the forge


async def test_the_forge_orders_drills_and_writes_down_a_judgement(town: SaveFolder, tmp_path: Path) -> None:
    from configs.declared import own_skill_files, read_declared

    forge_skill(tmp_path)
    running = app(town)
    async with running.run_test(size=WIDE) as pilot:
        await gone(pilot, running, "forge")
        page = running.top
        assert "drill first: binary_add_with_carry" in drawn(running, "#forge-rounds", page)
        await pilot.press("g")
        await until(pilot, lambda: ("drill",) in running.link.told)  # type: ignore[attr-defined]
        await pilot.press("i")
        await until(pilot, lambda: "problems it makes" in drawn(running, "#forge-proposal", page))
        await pilot.press("y")
        await settle(pilot)
        await pilot.press("y")
        await until(pilot, lambda: read_declared(own_skill_files()["sums"]).review.state == "accepted")
        await until(pilot, lambda: "taken in" in drawn(running, "#forge-proposals", page))
        await pilot.press("x")
        await settle(pilot)
        await pilot.press("y")
        await until(pilot, lambda: read_declared(own_skill_files()["sums"]).review.state == "rejected")


@pytest.mark.parametrize(
    ("screen_id", "keys"), [("forge", "g"), ("forge", "u"), ("guild", "oy")], ids=["drill", "spar", "train or not"]
)
async def test_an_order_without_an_engine_says_that_none_runs(town: SaveFolder, screen_id: str, keys: str) -> None:
    running = app(town)
    async with running.run_test(size=WIDE) as pilot:
        await gone(pilot, running, screen_id)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        await until(pilot, lambda: any("no engine is running" in n.message for n in running._notifications))


# ---------------------------------------------------------------- how they look


def looked(town: SaveFolder, screen_id: str, *keys: str) -> Callable[[Pilot[int]], object]:
    """Opens a screen before the picture is taken."""

    async def before(pilot: Pilot[int]) -> None:
        running = pilot.app
        assert isinstance(running, RealmApp)
        await gone(pilot, running, screen_id)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        page = running.top
        await until(pilot, lambda: not page._looking)  # type: ignore[attr-defined]
        await settle(pilot)

    return before


@SIZES
def test_the_exam_plan(snap_compare: Compare, town: SaveFolder, size: tuple[int, int]) -> None:
    assert snap_compare(app(town), terminal_size=size, run_before=looked(town, "evals", "l"))


@SIZES
@pytest.mark.parametrize("screen_id", ["board", "guild", "evals", "forge"])
def test_the_halls(
    snap_compare: Compare, town: SaveFolder, tmp_path: Path, screen_id: str, size: tuple[int, int]
) -> None:
    if screen_id == "forge":
        forge_skill(tmp_path)
    assert snap_compare(app(town), terminal_size=size, run_before=looked(town, screen_id))


def test_the_questions_of_an_exam(snap_compare: Compare, town: SaveFolder) -> None:
    assert snap_compare(app(town, "plain"), terminal_size=SMALL, run_before=looked(town, "evals", "x"))


@pytest.mark.parametrize("screen_id", ["board", "guild", "evals", "forge"])
def test_the_halls_of_a_newborn(snap_compare: Compare, realm: SaveFolder, screen_id: str) -> None:
    from configs.loader import load_hero
    from saves.database import create_save

    create_save(realm, load_hero("pip"), seed=1)
    assert snap_compare(app(realm, "plain"), terminal_size=SMALL, run_before=looked(realm, screen_id))
