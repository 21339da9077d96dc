"""Terminals that know no colour, or nothing but ASCII: every screen says there what it says elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.pilot import Pilot

import lore
import realm_tui
from configs import clock
from configs.loader import hero_ids, load_hero
from configs.paths import SaveFolder
from realm_tui.app.app import RealmApp
from realm_tui.app.ascii import to_ascii
from realm_tui.app.charts import FILLS
from realm_tui.app.drawing import Look
from realm_tui.app.screens.help import HelpScreen
from realm_tui.app.screens.registry import SCREENS
from realm_tui.app.source import SaveSource
from realm_tui.app.widgets.strain_page import ZONE_FILLS
from realm_tui.app.widgets.time_split import APART
from saves.database import create_save, open_save
from saves.incidents import raise_incident
from tests.cli.story import NOW, write_story
from tests.face import samples
from tests.face.tour import opened_page

DRAWN = Path(realm_tui.__file__).parent / "app"
WORDS = Path(lore.__file__).parent


def _literals(file: Path) -> Iterator[str]:
    """Strings of a module that are no docstring: what it may draw."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def _drawn() -> Iterator[tuple[str, str]]:
    """Where a text that may be drawn stands, and the text."""
    for file in sorted(DRAWN.rglob("*.py")):
        if file.name != "ascii.py":
            yield from ((file.name, text) for text in _literals(file))
    for file in sorted(WORDS.rglob("*.yaml")):
        yield file.name, file.read_text(encoding="utf-8")
    for hero in hero_ids():
        yield hero, "".join(load_hero(hero).display.portrait)


def test_every_sign_that_the_screens_draw_has_a_twin_in_ascii() -> None:
    strange = {
        (place, char)
        for place, text in _drawn()
        for char in text
        if not char.isascii() and "?" in to_ascii(char) and not "\u2800" <= char <= "\u28ff"
    }
    assert strange == set()


def test_a_twin_takes_as_many_cells() -> None:
    assert all(cell_len(to_ascii(char)) == cell_len(char) for _, text in _drawn() for char in set(text) - {"\n", "\t"})


@pytest.mark.parametrize(
    "fills",
    [FILLS, ZONE_FILLS, tuple(p.fill for p in APART[:5]), ("█", "▓", "▒", "·"), ("■", "▣", "×", "▸", "·")],
    ids=["times", "zones", "step", "gate", "ladder"],
)
def test_what_a_meter_is_filled_with_is_told_apart_without_colour(fills: tuple[str, ...]) -> None:
    assert len({to_ascii(fill) for fill in fills}) == len(fills)


def test_what_was_cut_is_seen_to_be_cut() -> None:
    assert to_ascii("a long na…") == "a long na~"


# ---------------------------------------------------------------------------------------- every screen


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """A short, eventful campaign."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    for name in ("REALM_CONFIG_DIR", "REALM_SAVE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    folder = SaveFolder.named("main")
    folder.root.parent.mkdir(parents=True)
    create_save(folder, load_hero("pip"), seed=1)
    with closing(open_save(folder, write=True)) as conn:
        write_story(conn, folder)
        raise_incident(
            conn, "disk_low", category="infra", severity="high", title="little room is left", fix="free some"
        )
    clock.use(lambda: NOW, lambda: 0.0)
    yield folder
    clock.use()


def painted(app: RealmApp) -> list[Segment]:
    """What the screen in front sends to the terminal, as the app's filters leave it."""
    out: list[Segment] = []
    for strip in app.screen._compositor.render_strips():
        segments = list(strip)
        for one in app._filters:
            if one.enabled:
                segments = one.apply(segments, app.screen.background_colors[0])
        out += segments
    return out


async def every_screen(
    folder: SaveFolder, size: tuple[int, int], look: Look, judge: Callable[[str, list[Segment]], None]
) -> None:
    """Open every screen, the help and the way out, and judge what is painted on each."""
    link = samples.FakeLink()
    link.folder = folder
    with ThreadPoolExecutor(max_workers=1) as reader:
        source = SaveSource(folder)
        app = samples.app(source=source, link=link, reader=reader, look=look)

        async def judged(pilot: Pilot[int], name: str) -> None:
            await pilot.pause()
            await pilot.pause()
            judge(name, painted(app))

        async with app.run_test(size=size) as pilot:
            for one in SCREENS:
                if one.id != "battle":
                    await opened_page(app, pilot, one.id)
                    await judged(pilot, one.id)
            app.action_home()
            await judged(pilot, "battle")
            await pilot.press("question_mark")
            await pilot.pause()
            assert isinstance(app.screen, HelpScreen)
            await judged(pilot, "help")
            await pilot.press("escape", "q")
            await judged(pilot, "leave")
        reader.submit(source.close).result()


SIZES = pytest.mark.parametrize(
    "size", [(80, 24), pytest.param((120, 40), marks=pytest.mark.full)], ids=["80x24", "120x40"]
)


@SIZES
async def test_every_screen_does_with_ascii_alone_and_without_any_colour(
    story: SaveFolder, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    def judge(name: str, segments: list[Segment]) -> None:
        text = "".join(segment.text for segment in segments)
        assert text.isascii(), (name, sorted({c for c in text if not c.isascii()}))
        assert "??" not in text, name
        styles = [segment.style for segment in segments if segment.style is not None]
        colours = {colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None}
        assert all(colour.is_default for colour in colours), (name, colours)

    await every_screen(story, size, Look(ascii=True), judge)
