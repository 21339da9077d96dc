"""What every screen but the Battle screen shares: its data is read on the facts thread, and shown in one batch."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from configs.errors import RealmError
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.frame import Frame
from realm_tui.app.widgets.banner import Banner
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave

D = TypeVar("D")


class Page(Frame, Generic[D]):
    """A screen over data of type ``D``, a frozen dataclass."""

    word: ClassVar[str] = ""
    """Lexicon key of its name and explanation."""
    refresh_s: ClassVar[float] = 2.0
    """Seconds between two looks while it is the top screen."""
    lives: ClassVar[bool] = False
    """Whether its data changes without a write to the database (the engine's ring, a log, the disks): read every time."""
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init_subclass__(cls, **options: Any) -> None:
        own = [
            Binding(a.key, a.id, a.plain, show=False, id=f"{cls.__name__}.{a.id}") for a in cls.__dict__.get("keys", ())
        ]
        if own:
            cls.BINDINGS = [*cls.__dict__.get("BINDINGS", ()), *own]
        super().__init_subclass__(**options)

    def __init__(self) -> None:
        super().__init__()
        self.data: D | None = None
        """What is shown now; None before the first read."""
        self._version: int | None = None
        self._looking = self._again = False
        self._timer: Timer | None = None

    # ------------------------------------------------------------------ what a screen brings

    @abstractmethod
    def read(self, save: OpenedSave) -> D:
        """What the screen shows. Runs on the facts thread: it reads the save and the page's plain attributes, no widget."""

    @abstractmethod
    def body(self) -> ComposeResult:
        """The widgets between the tabs and the footer."""

    @abstractmethod
    def show(self, data: D, look: Look) -> None:
        """Hand the data to the widgets, on the event loop, in one batch; cursor and scroll stay where they are."""

    # ------------------------------------------------------------------ life

    def on_mount(self) -> None:
        super().on_mount()
        self._timer = self.set_interval(self.refresh_s, self.look_again)
        self.reload()

    def on_screen_resume(self) -> None:
        """Back in front: what is old is read anew at once."""
        self.look_again()

    def reload(self) -> None:
        """Read now, also when nothing was written: after a change of filter, or of what is chosen."""
        self._version = None
        self._again = self._looking
        self.look_again()

    def look_again(self) -> None:
        """Read unless it is hidden, a read is under way or the terminal does not keep up; show either way."""
        if self._looking or not self._composed or not self.realm.may_look(self):
            return
        self._looking = True
        self._look()

    @work(exit_on_error=False, group="page")
    async def _look(self) -> None:
        known = None if self.lives else self._version
        try:
            found = await self.realm.look_up(self.read, known)
        except RealmError as error:
            self._tell_trouble(error.text())
        except Exception as error:
            self._tell_trouble(f"This screen could not be read: {type(error).__name__}: {error}")
            self.log.error(error)
        else:
            self._tell_trouble("")
            if found is not None:
                self._version, self.data = found
            self.repaint_data()
        finally:
            self._looking = False
        if self._again:
            self._again = False
            self.look_again()

    def repaint_data(self) -> None:
        """Show the data that is held again, after a change that needs no read (voice, sorting, what is unfolded)."""
        if self.data is not None and self._composed and self.is_attached:
            with self.app.batch_update():
                self.show(self.data, self.realm.look)

    def _tell_trouble(self, text: str) -> None:
        if not self.is_attached:
            return
        banner = self.query_one("#banner", Banner)
        trouble = clean(text)
        if banner.trouble != trouble:
            banner.trouble = trouble
            if self.realm.facts is not None:
                banner.show(self.realm.facts, self.realm.look)

    # ------------------------------------------------------------------ for the screens

    def own(self, action_id: str) -> Action:
        """One of the screen's own actions; `KeyError` when it has none of that id."""
        for one in self.keys:
            if one.id == action_id:
                return one
        raise KeyError(action_id)

    async def sure(self, action_id: str, question: str = "") -> bool:
        """Ask before an own action is done; to be awaited in a worker (``@work``).

        Args:
            action_id: whose ``confirm`` is asked.
            question: asked instead.
        """
        from realm_tui.app.screens.dialog import confirm

        return await self.app.push_screen_wait(confirm(question or self.own(action_id).confirm)) == "yes"
