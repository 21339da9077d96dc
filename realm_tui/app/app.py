"""The app: one timer that reads the facts off the event loop, one batch that paints them, and the way between screens."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.timer import Timer

from configs.errors import RealmError
from configs.schema import GameConfig
from realm_tui.app.actions import ACTIONS
from realm_tui.app.answers import Answers
from realm_tui.app.ascii import AsciiFilter
from realm_tui.app.bell import Bell
from realm_tui.app.contracts import Keeper, Source
from realm_tui.app.drawing import Look
from realm_tui.app.facts import Facts
from realm_tui.app.link import Link
from realm_tui.app.palette import ActionCommands
from realm_tui.app.screens.battle import BattleScreen
from realm_tui.app.screens.frame import Frame
from realm_tui.app.screens.registry import HOME, MORE, SCREENS, screen
from realm_tui.app.theme import THEMES
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave

if TYPE_CHECKING:
    from lore.lexicon import Voice
    from realm_tui.runtime.away import AwayView
    from realm_tui.runtime.game import Games

T = TypeVar("T")

_TOASTS = 5
"""Notices that are seen at once; an older one gives way."""
_CALM_LOOKS, _CALM_TURNS = 10, 3
"""After so many looks that found nothing new the screen looks at every third turn only, until something is new."""
_HURRY_S = 0.8
"""How long after a change of screens no memory is tidied up: with a long history that takes a tenth of a second at once."""
_BEGIN_S = 1.0
"""When the game begins at the latest, although the first frame does not stand yet."""
_LOOK_S = 30.0
"""How often it is remembered what the player has seen; a killed screen repeats at most that much."""


class RealmApp(Answers):
    """The screens and everything that can be done on all of them."""

    TITLE = "Realm of Training"
    CSS_PATH: ClassVar[Any] = sorted(Path(__file__).with_name("styles").glob("*.tcss"))
    NOTIFICATION_TIMEOUT = 4.0
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[Any]] = {ActionCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(a.key, a.id, a.plain, show=False, id=a.id) for a in ACTIONS),
        *(Binding(s.key, s.action, s.id, show=False, id=f"screen.{s.id}") for s in SCREENS if s.key and s.id != MORE),
        Binding("ctrl+c,ctrl+q", "leave", show=False, priority=True),
    ]

    def __init__(
        self,
        source: Source,
        link: Link,
        keeper: Keeper,
        rules: GameConfig,
        *,
        look: Look,
        first: Facts | None = None,
        reader: ThreadPoolExecutor | None = None,
        hero_colour: str = "#FACC15",
        start_engine: bool = False,
        ask_names: bool = False,
        read_only: bool = False,
        where: str = "",
        sound: bool = False,
        driver_class: type[Driver] | None = None,
    ) -> None:
        """
        Args:
            source: gives the facts.
            link: carries orders out.
            keeper: keeps settings.
            rules: the rules of the game in force.
            look: how to draw, until the player changes it.
            first: facts for the first frame.
            reader: the one thread on which ``source`` is used; made here when None.
            hero_colour: the hero's own colour.
            start_engine: start or attach to the engine after the first frame.
            ask_names: welcome a new player and ask which words the screen should use.
            read_only: another screen has this save open.
            where: the folder in which the save lies, for the first questions.
            sound: ring the terminal's bell for what one would look up for.
            driver_class: what drives the terminal.
        """
        self.hero_colour = hero_colour
        super().__init__(driver_class=driver_class)
        if self.no_color:
            self._filters = [NoColor() if isinstance(f, Monochrome) else f for f in self._filters]
        self._ascii = AsciiFilter(enabled=look.ascii)
        self._filters.append(self._ascii)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self._colours = self.get_css_variables()
        """Those that the style sheets were read with."""
        self.stylesheet.set_variables(self._colours)
        self.animation_level = "none"
        self.rules, self.look, self.facts = rules, look, first
        self._source, self.link, self._keeper = source, link, keeper
        self._start_engine, self._ask_names, self._read_only = start_engine, ask_names, read_only
        self._where = where
        self.away: AwayView | None = None
        self._begun = False
        self.sound, self._chimes = sound, Bell()
        self._deeds: tuple[str, ...] = ()
        """Achievements the save knows the player was told of: what was told once stays."""
        self._reader = reader or ThreadPoolExecutor(max_workers=1, thread_name_prefix="facts")
        self._own_reader = reader is None
        self._reading = False
        self._calm = self._passed = 0
        """Looks in a row that found nothing new, and turns to look that were passed over since the last one."""
        self._hurried: Timer | None = None
        self._pending: dict[str, str] = {}
        self._trouble = ""
        self._battle = BattleScreen()
        self._opened: dict[str, Frame] = {HOME: self._battle}

    # ------------------------------------------------------------------ life

    def get_default_screen(self) -> Screen[Any]:
        return self._battle

    def refresh_css(self, animate: bool = True) -> None:
        """Read the style sheets again, unless no colour has changed since: the first theme comes before the first reading."""
        colours = self.get_css_variables()
        if colours != self._colours:
            self._colours = colours
            super().refresh_css(animate)

    async def on_mount(self) -> None:
        self.set_class(self.look.ascii, "-ascii")
        self.set_class(self.no_color, "-nocolour")
        self._watch_signals()
        self.theme_changed_signal.subscribe(self, lambda _: self._repaint_all())
        if self.facts is not None:
            self._paint()
        self.call_after_refresh(self._begin)
        self.set_timer(_BEGIN_S, self._begin)  # for one who is on another screen before the first frame stands

    def _begin(self) -> None:
        """What follows the first frame, once: engine, timer, and the questions that are still open."""
        if self._begun:
            return
        self._begun = True
        gc.freeze()  # what was made so far lives as long as the app
        gc.enable()
        self.set_interval(self.rules.face.refresh_s, self._turn)
        if self._start_engine and not self._read_only:
            self.do("start", self.link.start, "calling the hero", quiet=True)
        if self._read_only:
            self.notify("Another screen has this save open; this one only reads.", severity="warning", markup=False)
        self.opening()
        self.refresh_facts()

    def _watch_signals(self) -> None:
        """A closed terminal and a polite kill end the app in good order; the engine is a process of its own."""
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self.exit, 0)

    async def on_unmount(self) -> None:
        gc.enable()
        self.remember_look()
        if self._own_reader:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def remember_look(self) -> None:
        """Keep how far the player has seen, for the next away report."""
        if self.facts is not None and not self._read_only and not self._terminal_behind:
            from realm_tui.runtime.away import LOOK, mark_of
            from realm_tui.runtime.game_view import TOLD

            self._keeper.seen(LOOK, mark_of(self.facts.status).as_dict())
            deeds = self.facts.hero.deeds
            if deeds and deeds != self._deeds:
                self._deeds = deeds
                self._keeper.seen(TOLD, list(deeds))

    @work
    async def opening(self) -> None:
        """The first questions, then the away report."""
        if self._ask_names:
            from realm_tui.app.screens.first_run import Welcome

            hero = self.facts.hero if self.facts is not None else None
            name = self.facts.status.hero if self.facts is not None else None
            chosen = await self.push_screen_wait(
                Welcome(
                    f"{name.name}, {name.epithet}" if name is not None else "",
                    hero.portrait if hero is not None else (),
                    self._where,
                )
            )
            names: Voice = "plain" if chosen == "plain" else "tavern"
            self.look = replace(self.look, names=names)
            self.keep("face.names", names)
            self._paint()
        try:
            self.away = await asyncio.get_running_loop().run_in_executor(self._reader, self._source.away)
        except RealmError as error:
            self.notify(clean(error.text()), severity="error", timeout=10, markup=False)
        self.remember_look()
        self.set_interval(_LOOK_S, self.remember_look)
        # Who has gone to another screen meanwhile is not called back; the report stays one key away.
        if self.away is not None and self.top is self._battle:
            self.action_go("away")

    # ------------------------------------------------------------------ facts

    @property
    def _terminal_behind(self) -> bool:
        return bool(getattr(self._driver, "behind", False))

    def _turn(self) -> None:
        """Look; where nothing has happened for a while, only at every third turn."""
        if self._calm >= _CALM_LOOKS and self._passed < _CALM_TURNS - 1 and not self._pending:
            self._passed += 1
            return
        self._passed = 0
        self.refresh_facts()

    def refresh_facts(self) -> None:
        if self._reading or self._terminal_behind or not self.is_running:
            return
        if not self.is_headless and _hung_up():
            self.exit(0)
            return
        self._reading = True
        self._read()

    @work(exit_on_error=False)
    async def _read(self) -> None:
        before = self.facts
        try:
            self.facts = await asyncio.get_running_loop().run_in_executor(self._reader, self._source.read)
        except RealmError as error:
            if error.what != self._trouble:
                self._trouble = error.what
                self.notify(clean(error.text()), severity="error", timeout=10, markup=False)
        else:
            self._trouble = ""
            self._ring()
            calm = before is not None and self.facts.same(before)
            self._calm = self._calm + 1 if calm else 0
            self._paint(calm=calm)
        finally:
            self._reading = False

    def _ring(self) -> None:
        """Sound the bell for what is new, where the player wants to hear it."""
        strokes = self._chimes.hear(self.facts) if self.facts is not None else ()
        if self.sound:
            for after in strokes:
                self.set_timer(after, self.bell) if after else self.bell()

    def _paint(self, *, calm: bool = False) -> None:
        """Show the facts on the screen in front; ``calm``: only time has passed since they were shown there."""
        if self.facts is None:
            return
        top, pending = self.top, ", ".join(self._pending.values())
        with self.batch_update():
            if top is self._battle:
                self._battle.show(self.facts, self.look, pending, calm=calm)
            else:
                top.show_around(self.facts, self.look, pending)

    def repaint_top(self) -> None:
        self._paint()

    def _repaint_all(self) -> None:
        """Paint every open screen anew: equal rows look different now."""
        for opened in self._opened.values():
            if opened.is_attached:
                opened.repaint()

    # ------------------------------------------------------------------ screens

    @property
    def games(self) -> Games:
        """Gives the game of the save to a page that reads; `BlockedError` while the first fold is under way."""
        return self._source.games

    @property
    def top(self) -> Frame:
        return next((s for s in reversed(self.screen_stack) if isinstance(s, Frame)), self._battle)

    def may_look(self, page: Frame) -> bool:
        """Whether a page may read now: it is in front, and the terminal keeps up."""
        return self.is_running and page is self.top and not self._terminal_behind

    async def look_up(self, read: Callable[[OpenedSave], T], known: int | None) -> tuple[int, T] | None:
        """What ``read`` makes of the save, on the facts thread; None when the database is still at the ``known`` version.

        Raises:
            RealmError: the save cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._source.look_up, read, known)

    def action_go(self, screen_id: str) -> None:
        wanted, top = screen(screen_id), self.top
        if top.place == wanted.id:
            return
        if wanted.id == HOME:
            self.action_home()
            return
        self._hurry()
        page = self._opened.get(wanted.id)
        if page is None:
            page = self._opened[wanted.id] = wanted.made()
            self.install_screen(page, wanted.id)
        if self.facts is not None:
            page.show_around(self.facts, self.look, ", ".join(self._pending.values()))
        if top is self._battle:
            self.push_screen(page)
        else:
            self.switch_screen(page)

    def action_home(self) -> None:
        if self.top is not self._battle:
            self._hurry()
            self.pop_screen()

    def _hurry(self) -> None:
        """Let the next frames come first, and tidy up memory after them."""
        if self._hurried is not None:
            self._hurried.stop()
        gc.disable()
        self._hurried = self.set_timer(_HURRY_S, gc.enable)

    def action_more(self) -> None:
        self.action_go(MORE)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An action that is not offered on the screen in front does nothing there."""
        one = next((a for a in ACTIONS if a.id == action), None)
        return one is None or not self.is_running or one.offered(on_battle=self.top is self._battle)

    def notify(self, message: str, **options: Any) -> None:
        """Tell something in a toast; at most five are seen, the oldest gives way.

        Args:
            message: the words.
            options: as in `textual.app.App.notify`.
        """
        super().notify(message, **options)
        self.call_later(self._trim_toasts)

    def _trim_toasts(self) -> None:
        for old in sorted(self._notifications, key=lambda n: n.raised_at)[:-_TOASTS]:
            self._unnotify(old, refresh=False)
        self._refresh_notifications()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return ()


def _hung_up() -> bool:
    """Whether the terminal is gone without a signal (the program was started so as to ignore SIGHUP)."""
    import select

    poll = select.poll()
    poll.register(0, select.POLLHUP)
    return any(event & (select.POLLHUP | select.POLLNVAL) for _, event in poll.poll(0)) and os.isatty(0) is False
