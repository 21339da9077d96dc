"""The Campaign, Vault, Champion gate and Heroes screens on a real save: what the keys do, and how they look."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Drawing, Look
from realm_tui.app.link import EngineLink
from realm_tui.app.main import ANOTHER_CAMPAIGN
from realm_tui.app.screens.dialog import Choice, Line
from realm_tui.app.screens.page import Page
from realm_tui.app.source import SaveSource
from realm_tui.app.theme import THEMES
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.campaigns import archive, begin, remember
from realm_tui.runtime.opened import opened
from saves import campaigns, ledger
from saves.database import create_save, open_save
from tests.cli.story import NOW, write_story
from tests.cli.test_ledger_and_gate import meet, on_disk
from tests.face import samples

SIZES = [(80, 24), (120, 40)]
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("REALM_SAVE", raising=False)
    monkeypatch.setattr("realm_tui.runtime.ledger_view._free", lambda _: 64_000_000_000)
    time.tzset()
    clock.use(lambda: NOW)
    yield
    clock.use()
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def folder() -> SaveFolder:
    """A save with a story in it, whose forms at 400 and 900 lie on the disk, and three campaigns."""
    clock.use(lambda: NOW - 5000)
    found = SaveFolder.named("main")
    create_save(found, load_hero("pip"), seed=7)
    with closing(open_save(found, write=True)) as conn:
        write_story(conn, found)
    clock.use(lambda: NOW)
    on_disk(found, 400)
    on_disk(found, 900)
    remember(found, "moved the box to the \x1b[31mother room")
    begin(found, name="the second", seed=5)
    archive(found, begin(found, name="the old one", seed=6).id)
    return found


class HomeLink(EngineLink):
    """The real link; `start` is only written down, so that no engine is woken."""

    async def start(self) -> None:
        return None


class SavedApp(RealmApp):
    """The app over a real save, which lets go of it when it ends."""

    def __init__(self, folder: SaveFolder, look: Look) -> None:
        self.saved, self.thread = SaveSource(folder), ThreadPoolExecutor(max_workers=1)
        super().__init__(
            self.saved,
            HomeLink(folder),
            samples.FakeKeeper(),
            samples.RULES,
            look=look,
            first=samples.facts(),
            reader=self.thread,
        )

    async def on_unmount(self) -> None:
        await super().on_unmount()
        self.thread.submit(self.saved.close).result()
        self.thread.shutdown()


def app(folder: SaveFolder, look: Look | None = None) -> RealmApp:
    return SavedApp(folder, look or Look(names="plain"))


@asynccontextmanager
async def opened_screen(folder: SaveFolder, place: str, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[int]]:
    """A page of the app, with its data shown."""
    realm = app(folder)
    async with realm.run_test(size=size) as pilot:
        realm.action_go(place)
        await shown(pilot)
        yield pilot


def page(pilot: Pilot[int]) -> Page[Any]:
    top = pilot.app.top  # type: ignore[attr-defined]
    assert isinstance(top, Page)
    return top


async def settled(pilot: Pilot[int], saying: str, true: Callable[[], bool]) -> None:
    """Until something is true on the screen."""
    for _ in range(400):
        await pilot.pause(0.01)
        if true():
            return
    raise AssertionError(f"waited in vain until {saying}")


async def shown(pilot: Pilot[int]) -> None:
    await settled(pilot, "data is shown", lambda: page(pilot).data is not None)
    await pilot.pause()


async def dialog(pilot: Pilot[int], kind: type[Any]) -> Any:
    await settled(pilot, f"a {kind.__name__} opens", lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()
    return pilot.app.screen


def said(pilot: Pilot[int], key: str) -> str:
    """What a part of the page says."""
    found = page(pilot).query_one(f"#{key}", Drawing)
    return "\n".join("".join(text for text, _ in row).rstrip() for row in found._rows)


def steps(folder: SaveFolder) -> list[int]:
    with opened(folder) as save:
        return [form.step for form in ledger.kept_checkpoints(save.conn)]


def champion(folder: SaveFolder) -> int | None:
    with opened(folder) as save:
        reigning = ledger.champion(save.conn)
        return ledger.checkpoint(save.conn, reigning.checkpoint_id).step if reigning else None


# ---------------------------------------------------------------- how they look


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize("place", ["campaign", "vault", "gate", "heroes"])
def test_screens(snap_compare: Compare, folder: SaveFolder, place: str, size: tuple[int, int]) -> None:
    meet(folder, 1250, "C" * 20 + "M" * 44, "C" * 17 + "MMM" + "C" * 13 + "M" * 31)

    async def go(pilot: Pilot[int]) -> None:
        pilot.app.action_go(place)  # type: ignore[attr-defined]
        await shown(pilot)
        if place == "gate":
            await pilot.press("down")
            await shown(pilot)
            await settled(pilot, "they met", lambda: "no difference" in said(pilot, "verdict"))

    assert snap_compare(app(folder), terminal_size=size, run_before=go)


def test_comparison(snap_compare: Compare, folder: SaveFolder) -> None:
    async def go(pilot: Pilot[int]) -> None:
        pilot.app.action_go("vault")  # type: ignore[attr-defined]
        await shown(pilot)
        await pilot.press("end", "y", "up")
        await settled(pilot, "two are compared", lambda: "change" in said(pilot, "form"))

    assert snap_compare(app(folder, Look()), terminal_size=(120, 40), run_before=go)


# ---------------------------------------------------------------- lists


class Themed(App[None]):
    """An app with the colours of the house."""

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name


async def test_the_cursor_stays_on_its_line_when_the_list_changes() -> None:
    class Host(Themed):
        def compose(self) -> ComposeResult:
            yield Listing("list")

    def items(*keys: str) -> list[Item]:
        return [Item(key, ((f"line {key}", "text"),)) for key in keys]

    host = Host()
    async with host.run_test(size=(30, 6)) as pilot:
        listing = host.query_one(Listing)
        listing.draw(items(*"abcdefghij"), Look(), head=lambda _: [(("a head", "muted"),)])
        listing.focus()
        await pilot.press("down", "down", "pagedown")
        at = listing.chosen
        assert at is not None and at not in "abc"
        listing.draw(items("new", *"abcdefghij"), Look())
        assert listing.chosen == at
        listing.draw(items(*(key for key in "abcdefghij" if key != at)), Look())
        assert listing.chosen not in (None, at)
        await pilot.press("home")
        assert listing.chosen == "a"
        await pilot.press("end", "down")
        assert listing.chosen == ("j" if at != "j" else "i")
        listing.draw(items(*"abcdefghij"), Look(), at="c")
        assert listing.chosen == "c"
        listing.draw([], Look())
        await pilot.press("down", "enter")
        assert listing.chosen is None


async def test_a_click_stands_on_the_line_under_the_mouse_below_the_heads() -> None:
    class Host(Themed):
        def compose(self) -> ComposeResult:
            yield Listing("list", classes="")

    host = Host()
    async with host.run_test(size=(30, 8)) as pilot:
        listing = host.query_one(Listing)
        heads = [(("one", "muted"),), (("two", "muted"),)]
        listing.draw([Item(key, ((key, "text"),)) for key in "abcd"], Look(), head=lambda _: heads)
        await pilot.click(listing, offset=(3, 4))
        assert listing.chosen == "c"
        await pilot.click(listing, offset=(3, 1))
        assert listing.chosen == "c"


async def test_a_sheet_scrolls_no_further_than_its_end_and_stays_where_it_was() -> None:
    class Host(Themed):
        def compose(self) -> ComposeResult:
            yield Scroll("sheet")

    host = Host()
    async with host.run_test(size=(20, 5)) as pilot:
        sheet = host.query_one(Scroll)
        rows = [((f"row {i}", "text"),) for i in range(30)]
        sheet.fill(lambda _: rows, Look(), subject="a")
        sheet.focus()
        await pilot.press("end", "down", "up")
        first = sheet._rows[0]
        sheet.fill(lambda _: rows, Look(), subject="a")
        assert sheet._rows[0] == first and sheet._rows[0] != rows[0]
        sheet.fill(lambda _: rows, Look(), subject="b")
        assert "row 0" in sheet._rows[0][0][0]
        sheet.fill(lambda _: rows, Look(), subject="b", spot=("x", lambda found: 20))
        assert any("row 20" in row[0][0] for row in sheet._rows)
        await pilot.press("home")
        sheet.fill(lambda _: rows, Look(), subject="b", spot=("x", lambda found: 20))
        assert "row 0" in sheet._rows[0][0][0]


# ---------------------------------------------------------------- the vault


async def test_forms_are_searched_ordered_and_filtered_by_their_reason(folder: SaveFolder) -> None:
    async with opened_screen(folder, "vault") as pilot:
        await pilot.press("slash", *"bin l1", "enter")
        assert said(pilot, "forms").count("level_up") == 1 and "400" in said(pilot, "forms")
        await pilot.press("escape")
        assert len(said(pilot, "forms").split("level_up")) == 3 and page(pilot).place == "vault"
        await pilot.press("f")
        assert "1,250" not in said(pilot, "forms")
        await pilot.press("f")
        assert "900" not in said(pilot, "forms") and "1,250" in said(pilot, "forms")
        await pilot.press("f", "o", "o", "o")
        assert said(pilot, "forms").splitlines()[1].split()[0] == "♛"
        await pilot.press("slash", *"zzz")
        assert "no form fits" in said(pilot, "forms")
        assert page(pilot).query_one(Input).has_focus


async def test_two_forms_are_compared_while_the_cursor_moves(folder: SaveFolder) -> None:
    async with opened_screen(folder, "vault") as pilot:
        await pilot.press("end", "y")
        assert "checkpoint-400" in said(pilot, "form")
        await pilot.press("up")
        assert "+1 ✓" in said(pilot, "form") and "= 400" in said(pilot, "form")
        await pilot.press("end", "y", "up")
        assert "checkpoint-900" in said(pilot, "form")


async def test_a_form_is_deleted_only_after_it_was_said_what_is_lost(folder: SaveFolder) -> None:
    async with opened_screen(folder, "vault") as pilot:
        await pilot.press("D")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, Choice), "the newest form is not even asked about"
        await pilot.press("end", "D")
        question = await dialog(pilot, Choice)
        assert "the only copy" in question._question
        await pilot.press("n")
        assert 400 in steps(folder)
        await pilot.press("D")
        await dialog(pilot, Choice)
        await pilot.press("y")
        await settled(pilot, "it is gone", lambda: 400 not in steps(folder))
        await settled(pilot, "the list says so", lambda: " 400 " not in said(pilot, "forms"))


async def test_a_form_is_crowned_and_exported_from_the_vault(folder: SaveFolder, tmp_path: Path) -> None:
    async with opened_screen(folder, "vault") as pilot:
        await pilot.press("end", "C")
        await dialog(pilot, Choice)
        await pilot.press("y")
        await settled(pilot, "it reigns", lambda: champion(folder) == 400)
        await pilot.press("x")
        line = await dialog(pilot, Line)
        assert "exports" in line.query_one(Input).value
        line.query_one(Input).value = str(tmp_path / "out" / "mine")
        await pilot.press("enter")
        await settled(pilot, "it is exported", lambda: (tmp_path / "out" / "mine" / "model.safetensors").is_file())


async def test_an_adapter_is_exported_alone_or_merged_into_its_base(
    folder: SaveFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merges: list[dict[str, Any]] = []
    monkeypatch.setattr("realm_tui.runtime.orders.once", lambda _, verb, args, **__: merges.append({verb: args}))
    with closing(open_save(folder, write=True)) as conn:
        forms = conn.execute("SELECT path FROM checkpoints").fetchall()
        conn.execute("UPDATE checkpoints SET facts_json = json_set(facts_json, '$.kind', 'adapter')")
        conn.commit()
    for form in forms:
        (folder.root / form["path"]).mkdir(parents=True, exist_ok=True)
        (folder.root / form["path"] / "adapter_config.json").write_text("{}")
    async with opened_screen(folder, "vault") as pilot:
        await pilot.press("end", "x")
        question = await dialog(pilot, Choice)
        assert "adapter" in question._question
        await pilot.press("g")
        line = await dialog(pilot, Line)
        line.query_one(Input).value = str(tmp_path / "out" / "whole")
        await pilot.press("enter")
        await settled(pilot, "it is merged", lambda: bool(merges))
    assert merges[0]["merge"]["target"] == str(tmp_path / "out" / "whole")


async def test_going_back_says_first_what_is_left_behind(folder: SaveFolder) -> None:
    async with opened_screen(folder, "vault") as pilot:
        await pilot.press("end", "r")
        question = await dialog(pilot, Choice)
        assert "850 steps, 1 level won" in question._question
        await pilot.press("y")
        await settled(pilot, "the later ones are left behind", lambda: "∅" in said(pilot, "forms"))
    with opened(folder) as save:
        newest = ledger.newest_checkpoint(save.conn, save.campaign.id)
        assert newest is not None and newest.step == 400


# ---------------------------------------------------------------- the gate


async def test_a_better_challenger_is_crowned_by_one_key_and_one_key_takes_it_back(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        conn.execute("UPDATE checkpoints SET facts_json = '{}' WHERE step = 1250")
    meet(folder, 400, "C" * 20 + "M" * 44, "C" * 50 + "M" * 14)
    async with opened_screen(folder, "gate") as pilot:
        assert "better" in said(pilot, "verdict")
        await pilot.press("C")
        await settled(pilot, "it reigns", lambda: champion(folder) == 400)
        await settled(pilot, "the screen says so", lambda: "checkpoint-900" in said(pilot, "verdict").split("undo")[-1])
        await pilot.press("u")
        await settled(pilot, "the old one reigns again", lambda: champion(folder) == 900)


async def test_a_challenger_that_was_never_asked_is_crowned_only_after_a_question(folder: SaveFolder) -> None:
    async with opened_screen(folder, "gate") as pilot:
        await pilot.press("C")
        question = await dialog(pilot, Choice)
        assert "never answered" in question._question
        await pilot.press("n")
        assert champion(folder) == 900


async def test_asking_both_needs_an_engine_and_says_so(folder: SaveFolder) -> None:
    async with opened_screen(folder, "gate") as pilot:
        await pilot.press("i")
        assert "128 more for each" in said(pilot, "verdict")
        await pilot.press("f")
        await settled(
            pilot, "a toast says why", lambda: any("no engine" in n.message for n in pilot.app._notifications)
        )


# ---------------------------------------------------------------- campaigns


async def test_the_cursor_shows_another_campaign_and_playing_it_opens_the_screen_anew(folder: SaveFolder) -> None:
    async with opened_screen(folder, "campaign") as pilot:
        assert "train 1,000 more steps" in said(pilot, "way")
        assert "other room" in said(pilot, "milestones") and "\x1b" not in said(pilot, "milestones")
        await pilot.press("down")
        await settled(pilot, "the second is shown", lambda: "the second" in said(pilot, "way"))
        await pilot.press("g")
        await dialog(pilot, Choice)
        await pilot.press("y")
        await settled(pilot, "the app is left", lambda: pilot.app.return_value is not None)
    assert pilot.app.return_value == ANOTHER_CAMPAIGN
    with opened(folder) as save:
        assert save.campaign.name == "the second"


async def test_a_campaign_is_begun_with_a_name_and_waits(folder: SaveFolder) -> None:
    async with opened_screen(folder, "campaign") as pilot:
        await pilot.press("b")
        await dialog(pilot, Choice)
        await pilot.press("n")
        line = await dialog(pilot, Line)
        assert line.query_one(Input).value == "PIP, the Hatchling 2"
        line.query_one(Input).value = "once more"
        await pilot.press("enter")
        await dialog(pilot, Choice)
        await pilot.press("l")
        await settled(pilot, "it is listed", lambda: "once more" in said(pilot, "campaigns"))
        await pilot.press("b")
        await dialog(pilot, Choice)
        await pilot.press("f")
        await dialog(pilot, Line)
        await pilot.press("enter")
        await dialog(pilot, Choice)
        await pilot.press("n")
        await settled(pilot, "it is refused with a reason", lambda: bool(pilot.app._notifications))
    with opened(folder) as save:
        assert campaigns.campaign(save.conn, "once more").status == "paused" and save.campaign.id == "campaign-001"


async def test_a_campaign_goes_to_the_hall_and_a_note_stands_among_the_milestones(folder: SaveFolder) -> None:
    async with opened_screen(folder, "campaign") as pilot:
        await pilot.press("i")
        line = await dialog(pilot, Line)
        line.query_one(Input).value = "a new lamp"
        await pilot.press("enter")
        await settled(pilot, "the note is shown", lambda: "a new lamp" in said(pilot, "milestones"))
        await pilot.press("down")
        await settled(pilot, "the second is shown", lambda: "the second" in said(pilot, "way"))
        await pilot.press("A")
        await dialog(pilot, Choice)
        await pilot.press("y")
        await settled(pilot, "it rests", lambda: said(pilot, "campaigns").count("▪") == 2)


async def test_the_played_campaign_is_archived_only_with_one_that_follows(folder: SaveFolder) -> None:
    async with opened_screen(folder, "campaign") as pilot:
        await pilot.press("A")
        question = await dialog(pilot, Choice)
        assert "Which campaign is played after" in question._question
        await pilot.press("1")
        await settled(pilot, "the app is left", lambda: pilot.app.return_value is not None)
    with opened(folder) as save:
        assert save.campaign.name == "the second"
        assert campaigns.campaign(save.conn, "campaign-001").status == "archived"


async def test_a_recipe_is_written_to_a_named_file(folder: SaveFolder, tmp_path: Path) -> None:
    async with opened_screen(folder, "campaign") as pilot:
        await pilot.press("x")
        line = await dialog(pilot, Line)
        line.query_one(Input).value = str(tmp_path / "method.yaml")
        await pilot.press("enter")
        await settled(pilot, "it is written", lambda: (tmp_path / "method.yaml").is_file())


# ---------------------------------------------------------------- heroes


async def test_the_roster_and_the_hall(folder: SaveFolder) -> None:
    async with opened_screen(folder, "heroes") as pilot:
        assert "PIP, the Hatchling" in said(pilot, "hero-closely")
        await pilot.press("down")
        assert "DIO" in said(pilot, "hero-closely")
        await pilot.press("h")
        assert "the old one" in said(pilot, "hero-closely")
        await pilot.press("h")
        assert "DIO" in said(pilot, "hero-closely")
        await pilot.press("i")
        question = await dialog(pilot, Choice)
        assert "Download" in question._question
        await pilot.press("n", "b")
        line = await dialog(pilot, Line)
        assert line.query_one(Input).value == "DIO, the Skeptic"
        await pilot.press("escape")
        await pilot.pause()
        assert page(pilot).place == "heroes"
