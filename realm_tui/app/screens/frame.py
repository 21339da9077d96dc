"""What every full screen has: header, tabs, warning line and footer around its own part, and a polite line when too small."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Static

from configs.schema import GameConfig
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Drawing, Look
from realm_tui.app.facts import Facts
from realm_tui.app.kept import KeptContainer, KeptLines
from realm_tui.app.widgets.banner import Banner
from realm_tui.app.widgets.footer import Footer
from realm_tui.app.widgets.header import Header
from realm_tui.app.widgets.tabs import Tabs

if TYPE_CHECKING:
    from realm_tui.app.app import RealmApp

LEAST_WIDTH, LEAST_HEIGHT = 61, 21
"""Below this a polite line is all that is drawn."""
WIDE_WIDTH, WIDE_HEIGHT = 110, 30
TALL_HEIGHT = 32


class Frame(Screen[None]):
    """A full screen of the game.

    The classes ``-tiny``, ``-compact`` (less than 110×30) and ``-tall`` (32 lines or more) follow the terminal's size.
    """

    AUTO_FOCUS: ClassVar[str | None] = None
    keys: ClassVar[tuple[Action, ...]] = ()
    """The screen's own actions; it answers each with its method ``action_<id>``."""

    def __init__(self) -> None:
        super().__init__()
        self._styles_cache = KeptLines()
        self.place = ""
        """Id in the registry of screens."""
        self._composed = False
        self._around: tuple[Facts, Look, str] | None = None

    @property
    def realm(self) -> RealmApp:
        """The app: orders, look and the newest facts."""
        return cast("RealmApp", self.app)

    @property
    def rules(self) -> GameConfig:
        """The rules that the game was opened with; a file that breaks meanwhile closes no screen."""
        return self.realm.rules

    def body(self) -> ComposeResult:
        """The screen's own part, between the tabs and the footer."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        self._fit(*self.app.size)  # before there is anything whose style would have to be found anew
        yield Static(
            f"The Realm needs {LEAST_WIDTH}×{LEAST_HEIGHT} characters.\n"
            "The hero trains on; make the window larger to watch.\n\nq leaves",
            id="too-small",
            markup=False,
        )
        yield Header("header")
        yield Tabs("tabs", self.place)
        yield Banner("banner", self.rules.face.stale_s)
        with KeptContainer("stage"):
            yield from self.body()
        yield Footer("footer", own=self.keys, on_battle=self.place == "battle")

    def on_mount(self) -> None:
        self._composed = True
        if self._around is not None:
            self.show_around(*self._around)

    def on_resize(self, event: Resize) -> None:
        self._fit(*event.size)

    def _fit(self, width: int, height: int) -> None:
        """Arrange the screen for a terminal of this size."""
        tiny = width < LEAST_WIDTH or height < LEAST_HEIGHT
        wide = width >= WIDE_WIDTH and height >= WIDE_HEIGHT
        self.set_class(tiny, "-tiny")
        self.set_class(not wide and not tiny, "-compact")
        self.set_class(height >= TALL_HEIGHT, "-tall")

    def show_around(self, facts: Facts, look: Look, pending: str = "") -> None:
        """Hand new facts to header, tabs, warning line and footer; before there are any, keep them for the first frame."""
        self._around = (facts, look, pending)
        if not self._composed:
            return
        header = self.query_one("#header", Header)
        header.pending = pending
        header.show(facts, look)
        self.query_one("#tabs", Tabs).show(look)
        self.query_one("#banner", Banner).show(facts, look)
        self.query_one("#footer", Footer).show(facts, look)

    def repaint(self) -> None:
        """Paint everything anew (after a change of theme)."""
        for drawing in self.query(Drawing):
            drawing.redraw(fully=True)
