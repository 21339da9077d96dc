"""The home screen: every panel at once, or one column of them on a small terminal."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Static

from configs.schema import GameConfig
from realm_tui.app.drawing import Drawing, Look
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.banner import Banner
from realm_tui.app.widgets.battle import BattlePanel
from realm_tui.app.widgets.exam import ExamPanel
from realm_tui.app.widgets.footer import Footer
from realm_tui.app.widgets.header import Header
from realm_tui.app.widgets.hero import HeroPanel
from realm_tui.app.widgets.log import LogPanel
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.widgets.quests import QuestsPanel
from realm_tui.app.widgets.skills import SkillsPanel
from realm_tui.app.widgets.strain import StrainPanel

LEAST_WIDTH, LEAST_HEIGHT = 61, 21
"""Below this a polite line is all that is drawn."""
WIDE_WIDTH, WIDE_HEIGHT = 110, 30
TALL_HEIGHT = 32


class BattleScreen(Screen[None]):
    """Who is learning, that it is learning, what it reads, and what comes next."""

    AUTO_FOCUS: ClassVar[str | None] = None

    def __init__(self, rules: GameConfig) -> None:
        super().__init__()
        self._rules = rules
        self._shown: tuple[Facts, Look] | None = None
        self._composed = False

    def compose(self) -> ComposeResult:
        yield Static(
            f"The Battle screen needs {LEAST_WIDTH}×{LEAST_HEIGHT} characters.\n"
            "The hero trains on; make the window larger to watch.\n\nq leaves",
            id="too-small",
            markup=False,
        )
        yield Header("header")
        yield Banner("banner", self._rules.face.stale_s)
        with Container(id="stage"):
            with Container(id="top"):
                yield HeroPanel("hero", "panel")
                yield StrainPanel("strain", self._rules.strain, "panel")
            with Container(id="middle"):
                yield BattlePanel("battle", "panel")
                yield ExamPanel("exam", "panel")
            with Container(id="bottom"):
                yield QuestsPanel("quests", "panel")
                yield SkillsPanel("skills", "panel")
                yield LogPanel("log", "panel")
        yield Footer("footer")

    def on_mount(self) -> None:
        self._composed = True
        if self._shown is not None:
            self.show(*self._shown)

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        tiny = width < LEAST_WIDTH or height < LEAST_HEIGHT
        wide = width >= WIDE_WIDTH and height >= WIDE_HEIGHT
        self.set_class(tiny, "-tiny")
        self.set_class(not wide and not tiny, "-compact")
        self.set_class(height >= TALL_HEIGHT, "-tall")

    def show(self, facts: Facts, look: Look, pending: str = "") -> None:
        """Hand new facts to every panel; before there are any, keep them for the first frame."""
        self._shown = (facts, look)
        if not self._composed:
            return
        self.query_one(Header).pending = pending
        for panel in self.query(Panel):
            panel.show(facts, look)
        self.query_one(Footer).show(facts, look)

    def repaint(self) -> None:
        """Paint everything anew (after a change of theme)."""
        for drawing in self.query(Drawing):
            drawing.redraw(fully=True)
