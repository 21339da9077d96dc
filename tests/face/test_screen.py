"""What a player does with the screen, and what it does in return; no engine needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from configs.errors import BlockedError
from engine.link.state import EngineState
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Drawing, Look
from realm_tui.app.screens.add_quest import AddQuestScreen
from realm_tui.app.screens.ask import AskScreen
from realm_tui.app.screens.away import AwayScreen
from realm_tui.app.screens.dialog import Choice
from realm_tui.app.screens.help import HelpScreen
from realm_tui.app.screens.spar import SparScreen
from realm_tui.app.widgets.footer import footer_actions
from realm_tui.app.widgets.header import Header
from realm_tui.app.widgets.log import LogPanel
from realm_tui.runtime.away import AwayView
from tests.face import samples

WIDE = (120, 40)


async def settle(pilot: Pilot[int]) -> None:
    """Let the app finish what it was asked, workers included."""
    for _ in range(3):
        await pilot.pause()


async def until(pilot: Pilot[int], true: Callable[[], bool]) -> None:
    """Wait for what a thread of the app does."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never came"
        await pilot.pause(0.02)


def drawn(app: RealmApp, selector: str, screen: Screen[Any] | None = None) -> str:
    """The text of a part of a screen, of the Battle screen when none is named."""
    part = (screen or app._battle).query_one(selector, Drawing)
    return "\n".join("".join(text for text, _ in row) for row in part._rows)


def title(app: RealmApp, selector: str) -> str:
    """The words in a panel's upper border."""
    return str(app._battle.query_one(selector).border_title)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (EngineState.TRAINING, "pause"),
        (EngineState.EXAMINING, "pause"),
        (EngineState.PAUSED, "resume"),
        (EngineState.BLOCKED, "resume"),
        (EngineState.STOPPED, "start"),
        (EngineState.CRASHED, "start"),
    ],
)
async def test_p_pauses_resumes_or_starts(state: EngineState, told: str) -> None:
    link = samples.FakeLink()
    app = samples.app(samples.facts(status=samples.status(state=state)), link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("p")
        await settle(pilot)
    assert [one[0] for one in link.told] == [told]


async def test_checkpoint_and_promote_are_one_key() -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("c")
        await settle(pilot)
        await pilot.press("P")
        await settle(pilot)
    assert [one[0] for one in link.told] == ["checkpoint", "promote"]


@pytest.mark.parametrize("key", ["s", "k"])
async def test_what_cannot_be_taken_back_happens_only_after_yes(key: str) -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press(key)
        await settle(pilot)
        assert isinstance(app.screen, Choice)
        await pilot.press("n")
        await settle(pilot)
        assert link.told == []
        await pilot.press(key)
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
    assert [one[0] for one in link.told] == [{"s": "stop", "k": "skip"}[key]]


@pytest.mark.parametrize(("answer", "told"), [("q", []), ("s", [("stop", False)])])
async def test_q_asks_whether_the_hero_trains_on(answer: str, told: list[object]) -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("q")
        await settle(pilot)
        assert isinstance(app.screen, Choice)
        await pilot.press(answer)
        await settle(pilot)
    assert link.told == told and app.return_code == 0


async def test_leaving_can_be_taken_back() -> None:
    app = samples.app()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("q")
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, Choice) and app.is_running


async def test_the_engine_is_called_after_the_first_frame_and_only_then() -> None:
    link = samples.FakeLink()
    async with samples.app(link=link, start_engine=True).run_test(size=WIDE) as pilot:
        await settle(pilot)
    assert link.told == [("start",)]
    link = samples.FakeLink()
    async with samples.app(link=link, start_engine=True, read_only=True).run_test(size=WIDE) as pilot:
        await settle(pilot)
    assert link.told == []


async def test_a_refused_order_is_said_with_its_way_out_and_the_app_goes_on() -> None:
    class Refusing(samples.FakeLink):
        async def order(self, verb: object, args: object, on_progress: object) -> int | None:
            raise BlockedError("the disk is full", fix="free [some] space", code="DISK_FULL")

    app = samples.app(link=Refusing())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("c")
        await settle(pilot)
        said = [str(note.message) for note in app._notifications]
        assert said == ["the disk is full. Way out: free [some] space."]
        assert app._battle.query_one(Header).pending == ""


async def test_where_no_engine_runs_the_way_out_is_a_key_and_no_command() -> None:
    class Alone(samples.FakeLink):
        async def order(self, verb: object, args: object, on_progress: object) -> int | None:
            raise BlockedError("no engine is running for the save 'main'", fix="`realm play`", code="NO_ENGINE")

    app = samples.app(link=Alone())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("c")
        await settle(pilot)
        assert [str(note.message) for note in app._notifications] == [
            "no engine is running. Way out: `p` on any screen starts one."
        ]


async def test_v_switches_every_name_and_is_remembered() -> None:
    keeper = samples.FakeKeeper()
    app = samples.app(keeper=keeper)
    async with app.run_test(size=WIDE) as pilot:
        assert "blow" in drawn(app, "#header") and title(app, "#exam").startswith("Trial")
        await pilot.press("v")
        await settle(pilot)
        assert "step 1,204" in drawn(app, "#header")
        assert title(app, "#exam").startswith("Exam")
        assert "Checkpoint saved" in drawn(app, "#log")
        assert keeper.kept["face.names"] == "plain"


async def test_the_first_question_is_asked_once_and_kept() -> None:
    keeper = samples.FakeKeeper()
    app = samples.app(keeper=keeper, ask_names=True, where="/home/me/realm/saves/main")
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, Choice)
        said = " ".join(str(one.content) for one in app.screen.query(Static))
        assert "PIP, the Hatchling" in said and "│ o o │" in said
        assert "/home/me/realm/saves/main" in said and "Nothing leaves this machine" in said
        await pilot.press("p")
        await settle(pilot)
        assert app.look == Look(names="plain") and keeper.kept["face.names"] == "plain"


async def test_the_welcome_can_be_skipped_and_is_not_asked_again() -> None:
    keeper = samples.FakeKeeper()
    app = samples.app(keeper=keeper, ask_names=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, Choice) and app.top.place == "battle"
    assert keeper.kept["face.names"] == "tavern"


async def test_the_away_report_opens_first_and_can_be_read_again() -> None:
    source = samples.FakeSource(samples.facts(), samples.LOG[:3])
    app = samples.app(source=source)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, AwayScreen)
        await settle(pilot)
        told = drawn(app, "#tales", app.screen)
        assert "finest moment: PIP stands the trial of BIN L3" in told and "darkest moment" in told
        assert told.index("Level up: BIN 2") < told.index("PIP stands the trial")
        short = drawn(app, "#short", app.screen)
        assert "in battle 2 h 00 min (25 %)" in short and "idle 5 h 56 min (74 %)" in short
        await pilot.press("escape")
        await settle(pilot)
        await pilot.press("w")
        await settle(pilot)
        assert isinstance(app.screen, AwayScreen)


async def test_who_went_elsewhere_before_the_away_report_came_is_not_called_back() -> None:
    let = threading.Event()

    class Slow(samples.FakeSource):
        def away(self) -> AwayView | None:
            assert let.wait(60)
            return super().away()

    app = samples.app(source=Slow(samples.facts(), samples.LOG[:3]))
    async with app.run_test(size=WIDE) as pilot:
        app.action_go("more")
        await settle(pilot)
        let.set()
        await until(pilot, lambda: app.away is not None)
        await settle(pilot)
        assert app.top.place == "more"


async def test_the_game_begins_for_one_who_leaves_the_first_screen_before_its_first_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What waits for the repaint of a screen that is covered never comes."""
    real = RealmApp.call_after_refresh

    def covered(self: RealmApp, call: Any, *args: Any, **more: Any) -> bool:
        return call.__name__ != "_begin" and real(self, call, *args, **more)

    monkeypatch.setattr(RealmApp, "call_after_refresh", covered)
    app = samples.app(source=samples.FakeSource(samples.facts(), samples.LOG[:3]))
    async with app.run_test(size=WIDE) as pilot:
        app.action_go("more")
        await until(pilot, lambda: app.away is not None)


async def test_what_was_seen_is_remembered_when_the_screen_closes() -> None:
    keeper = samples.FakeKeeper()
    app = samples.app(keeper=keeper)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
    assert keeper.kept["look"]["step"] == 1204 and keeper.kept["look"]["mastered"] == {"bin": 2}


async def test_a_file_is_added_by_its_path(tmp_path: Path) -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("d")
        await settle(pilot)
        assert isinstance(app.screen, AddQuestScreen)
        app.screen.query_one(Input).value = str(tmp_path / "chats.jsonl")
        await pilot.press("ctrl+r", "enter")
        await until(pilot, lambda: not isinstance(app.screen, AddQuestScreen))
    assert link.told == [("add", "chats.jsonl", "high")]


async def test_a_refused_file_says_why_and_the_question_stays_open(tmp_path: Path) -> None:
    class Refusing(samples.FakeLink):
        def add_file(self, path: Path, priority: str) -> str:
            raise BlockedError(f"{path.name}, line 3: no assistant answer", fix="mend the line", code="QUEST_REFUSED")

    app = samples.app(link=Refusing())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("d")
        await settle(pilot)
        app.screen.query_one(Input).value = "bad.jsonl"
        await pilot.press("enter")
        said = app.screen.query_one("#said", Static)
        await until(pilot, lambda: "line 3: no assistant answer" in str(said.content))
        assert isinstance(app.screen, AddQuestScreen)


async def test_ask_shows_the_answer_without_what_steers_a_terminal() -> None:
    link = samples.FakeLink()
    link.answer = "\x1b[31mfour\x1b[0m\nor [bold]five[/]"
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await settle(pilot)
        await pilot.press(*"2+2", "enter")
        await settle(pilot)
        assert isinstance(app.screen, AskScreen)
        assert str(app.screen.query_one("#answer", Static).content) == "four\nor [bold]five[/]"
    assert link.told == [("ask", "2+2")]


async def test_sparring_shows_the_wrong_answer_and_the_mended_one() -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("M")
        await settle(pilot)
        assert isinstance(app.screen, SparScreen)
        shown = str(app.screen.query_one("#bout", Static).content)
        await pilot.press("escape")
    assert link.told == [("spar",)]
    assert "1 of 100 wrong at BIN level 3" in shown and "sparring_bin_L3: 3 records" in shown
    assert "✗ ①⓪⓪" in shown and "✓ ⓪①①" in shown and "\x1b" not in shown


async def test_the_way_out_of_a_long_round_of_sparring_is_in_sight_on_a_small_terminal() -> None:
    class Losing(samples.FakeLink):
        async def spar(self, on_progress: object) -> dict[str, Any]:
            found = await super().spar(on_progress)  # type: ignore[arg-type]
            return {**found, "failed": found["failed"] * 12}

    app = samples.app(link=Losing())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("M")
        await settle(pilot)
        hints = [one.region for one in app.screen.query(".hint")]
        assert len(hints) == 2 and all(one.height and one.bottom < 23 for one in hints)


async def test_ask_from_the_palette_asks_at_once() -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        await app.run_action("ask('what is add(1, 1)?')")
        await settle(pilot)
    assert link.told == [("ask", "what is add(1, 1)?")]


async def test_help_opens_with_every_key_and_escape_closes_it() -> None:
    app = samples.app()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, HelpScreen)


async def test_the_footer_answers_the_mouse() -> None:
    link = samples.FakeLink()
    app = samples.app(link=link)
    async with app.run_test(size=WIDE) as pilot:
        start = next(x for one, x, _ in footer_actions(Look(), 120) if one.id == "checkpoint")
        await pilot.click("#footer", offset=(start, 0))
        await settle(pilot)
    assert [one[0] for one in link.told] == ["checkpoint"]


async def test_equal_facts_repaint_nothing_and_new_ones_only_their_lines() -> None:
    app = samples.app()
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        panel = app._battle.query_one(LogPanel)
        asked: list[object] = []
        panel.refresh = lambda *regions, **_: asked.append(regions)  # type: ignore[method-assign,assignment]
        panel.show(samples.facts(), Look())
        assert asked == []
        panel.show(samples.facts(log=samples.LOG[1:]), Look())
        assert len(asked) == 1


async def test_reads_stop_while_the_terminal_is_behind() -> None:
    source = samples.FakeSource(samples.facts())
    app = samples.app(source=source)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        app._driver.behind = True  # type: ignore[union-attr]
        before = source.reads
        app.refresh_facts()
        await settle(pilot)
        assert source.reads == before
        app._driver.behind = False  # type: ignore[union-attr]
        app.refresh_facts()
        await settle(pilot)
        assert source.reads == before + 1
