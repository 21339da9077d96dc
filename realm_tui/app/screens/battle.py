"""The home screen: every panel at once, or one column of them on a small terminal."""

from __future__ import annotations

from textual.app import ComposeResult

from lore.lexicon import entry
from realm_tui.app.drawing import Look
from realm_tui.app.facts import Facts
from realm_tui.app.kept import KeptContainer
from realm_tui.app.pulse import Heart
from realm_tui.app.screens.frame import Frame
from realm_tui.app.screens.registry import HOME
from realm_tui.app.widgets.battle import BattlePanel
from realm_tui.app.widgets.exam import ExamPanel
from realm_tui.app.widgets.hero import HeroPanel
from realm_tui.app.widgets.log import LogPanel
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.widgets.quests import QuestsPanel
from realm_tui.app.widgets.skills import SkillsPanel
from realm_tui.app.widgets.strain import StrainPanel


class BattleScreen(Frame):
    """Who is learning, that it is learning, what it reads, and what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.place = HOME
        self._shown: tuple[Facts, Look] | None = None
        self._heart = Heart()

    def body(self) -> ComposeResult:
        with KeptContainer("top"):
            yield HeroPanel("hero", "panel")
            yield StrainPanel("strain", self.rules.strain, "panel")
        with KeptContainer("middle"):
            yield BattlePanel("battle", "panel")
            yield ExamPanel("exam", "panel")
        with KeptContainer("bottom"):
            yield QuestsPanel("quests", "panel")
            yield SkillsPanel("skills", "panel")
            yield LogPanel("log", "panel")

    def on_mount(self) -> None:
        super().on_mount()
        if self._shown is not None:
            self.show(*self._shown)

    def show(self, facts: Facts, look: Look, pending: str = "", *, calm: bool = False) -> None:
        """Hand new facts to every panel; before there are any, keep them for the first frame.

        Args:
            calm: only time has passed since the last facts, so that those panels stay as they are that tell no ages.
        """
        self._shown = (facts, look)
        self.show_around(facts, look, pending)
        if not self._composed:
            return
        pulse = self._heart.beat(facts)
        hero = self.query_one(HeroPanel)
        hero.pulse = pulse
        for shining in (hero, self.query_one(SkillsPanel)):
            shining.set_class(bool(pulse.won) and not pulse.gold, "-won")
            shining.set_class(bool(pulse.won) and pulse.gold, "-gold")
        for panel in self.query("#stage Panel").results(Panel):
            if panel.ages or not calm:
                panel.show(facts, look)
        for kind, words in pulse.told:
            self._tell(kind, words, look)

    def _tell(self, kind: str, words: str, look: Look) -> None:
        word = entry(f"news.{kind}")
        self.app.notify(
            f"{word.icon} {word.named(look.names)}: {words}",
            severity="warning" if kind == "incident" else "information",
            markup=False,
        )

    def on_screen_resume(self) -> None:
        """Back in front: the panels take in what happened meanwhile."""
        self.realm.repaint_top()
