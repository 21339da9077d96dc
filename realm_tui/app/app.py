"""The app: one timer that reads the facts off the event loop, one batch that paints them, and the answers to the keys."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from configs.errors import RealmError
from configs.schema import GameConfig
from engine.link.protocol import Verb
from engine.link.state import LIVING, EngineState
from realm_tui.app.actions import ACTIONS, action
from realm_tui.app.ascii import AsciiFilter
from realm_tui.app.drawing import Look
from realm_tui.app.facts import Facts
from realm_tui.app.link import Link
from realm_tui.app.palette import ActionCommands
from realm_tui.app.screens.battle import BattleScreen
from realm_tui.app.theme import THEMES
from realm_tui.runtime.foreign import clean

if TYPE_CHECKING:
    from lore.lexicon import Voice
    from lore.narrator import Tale

_LOOK_S = 30.0
"""How often it is remembered what the player has seen; a killed screen repeats at most that much."""
_RESTING = frozenset({EngineState.PAUSED, EngineState.PARKED, EngineState.BLOCKED})


class Source(Protocol):
    """Where the facts come from. Called on one thread, never two calls at once."""

    def read(self) -> Facts:
        """The facts now; `RealmError` when the save cannot be read."""

    def away(self) -> Sequence[Tale]:
        """The away report's lines; empty when nothing happened since the last look."""


class Keeper(Protocol):
    """Where the screen's own choices are kept."""

    def setting(self, key: str, value: Any) -> object:
        """Keep a setting."""

    def seen(self, key: str, value: Any) -> object:
        """Remember what was seen."""


class RealmApp(App[int]):
    """The Battle screen and everything it can do."""

    TITLE = "Realm of Training"
    CSS_PATH: ClassVar[Any] = sorted(Path(__file__).with_name("styles").glob("*.tcss"))
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[Any]] = {ActionCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(a.key, a.id, a.plain, show=False, id=a.id) for a in ACTIONS),
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
            ask_names: ask which words the screen should use.
            read_only: another screen has this save open.
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
        self.animation_level = "none"
        self.rules, self.look, self.facts = rules, look, first
        self._source, self._link, self._keeper = source, link, keeper
        self._start_engine, self._ask_names, self._read_only = start_engine, ask_names, read_only
        self._away: Sequence[Tale] = ()
        self._reader = reader or ThreadPoolExecutor(max_workers=1, thread_name_prefix="facts")
        self._own_reader = reader is None
        self._reading = False
        self._pending: dict[str, str] = {}
        self._trouble = ""
        self._battle = BattleScreen(rules)

    # ------------------------------------------------------------------ life

    def get_default_screen(self) -> Screen[Any]:
        return self._battle

    async def on_mount(self) -> None:
        self.set_class(self.look.ascii, "-ascii")
        self.set_class(self.no_color, "-nocolour")
        self._watch_signals()
        self.theme_changed_signal.subscribe(self, lambda _: self._battle.repaint())
        if self.facts is not None:
            self._paint()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """What follows the first frame: engine, timer, and the questions that are still open."""
        gc.freeze()  # what was made so far lives as long as the app
        gc.enable()
        self.set_interval(self.rules.face.refresh_s, self.refresh_facts)
        if self._start_engine and not self._read_only:
            self.do("start", self._link.start, "calling the hero", quiet=True)
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
        self.remember_look()
        if self._own_reader:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def remember_look(self) -> None:
        """Keep how far the player has seen, for the next away report."""
        if self.facts is not None and not self._read_only and not self._terminal_behind:
            from realm_tui.runtime.away import LOOK, mark_of

            self._keeper.seen(LOOK, mark_of(self.facts.status).as_dict())

    @work
    async def opening(self) -> None:
        """The first questions, then the away report."""
        if self._ask_names:
            from realm_tui.app.screens.first_run import ask_names

            chosen = await self.push_screen_wait(ask_names())
            names: Voice = "plain" if chosen == "plain" else "tavern"
            self.look = replace(self.look, names=names)
            self._keep("face.names", names)
            self._paint()
        try:
            self._away = await asyncio.get_running_loop().run_in_executor(self._reader, self._source.away)
        except RealmError as error:
            self.notify(clean(error.text()), severity="error", timeout=10, markup=False)
        self.remember_look()
        self.set_interval(_LOOK_S, self.remember_look)
        if self._away:
            await self.push_screen_wait(self._away_screen())

    # ------------------------------------------------------------------ facts

    @property
    def _terminal_behind(self) -> bool:
        return bool(getattr(self._driver, "behind", False))

    def refresh_facts(self) -> None:
        """Read the facts on their thread, unless a read is under way or the terminal does not keep up."""
        if self._reading or self._terminal_behind or not self.is_running:
            return
        if not self.is_headless and _hung_up():
            self.exit(0)
            return
        self._reading = True
        self._read()

    @work(exit_on_error=False)
    async def _read(self) -> None:
        try:
            self.facts = await asyncio.get_running_loop().run_in_executor(self._reader, self._source.read)
        except RealmError as error:
            if error.what != self._trouble:
                self._trouble = error.what
                self.notify(clean(error.text()), severity="error", timeout=10, markup=False)
        else:
            self._trouble = ""
            self._paint()
        finally:
            self._reading = False

    def _paint(self) -> None:
        if self.facts is None:
            return
        with self.batch_update():
            self._battle.show(self.facts, self.look, ", ".join(self._pending.values()))

    # ------------------------------------------------------------------ deeds

    def do(
        self,
        name: str,
        deed: Callable[[], Awaitable[object]],
        words: str,
        done: str = "",
        *,
        quiet: bool = False,
    ) -> None:
        """Carry something out in the background; the header says so meanwhile, a toast says how it ended.

        Args:
            name: what it is; one of a name at a time.
            deed: does it.
            words: what the header says meanwhile.
            done: what the toast says when it worked; empty: the deed's own words.
            quiet: no toast when it worked.
        """
        if name in self._pending:
            return
        self._pending[name] = words
        self._paint()
        self._carry_out(name, deed, done, quiet)

    @work
    async def _carry_out(self, name: str, deed: Callable[[], Awaitable[object]], done: str, quiet: bool) -> None:
        try:
            result = await deed()
        except RealmError as error:
            self.notify(clean(error.text()), severity="error", timeout=8, markup=False)
        else:
            if not quiet:
                self.notify(clean(done or str(result)), timeout=4, markup=False)
        finally:
            self._pending.pop(name, None)
            self._paint()
            self.refresh_facts()

    def _progress(self, name: str) -> Callable[[str], None]:
        def tell(text: str) -> None:
            if name in self._pending:
                self._pending[name] = clean(text)
                self._paint()

        return tell

    def _order(self, verb: Verb, words: str, done: str, args: dict[str, Any] | None = None) -> None:
        name = str(verb)

        async def deed() -> str:
            step = await self._link.order(verb, args or {}, self._progress(name))
            return f"{done} (step {step:,})" if step is not None else done

        self.do(name, deed, words)

    def _keep(self, key: str, value: Any) -> None:
        if not self._read_only:
            self._keeper.setting(key, value)

    @property
    def state(self) -> EngineState:
        """What the engine does, as far as the screen knows."""
        return self.facts.status.state if self.facts is not None else EngineState.NONE

    # ------------------------------------------------------------------ answers to the keys

    def action_pause_or_resume(self) -> None:
        if self.state in _RESTING:
            self._order(Verb.RESUME, "resuming", "Training goes on")
        elif self.state in LIVING:
            self._order(Verb.PAUSE, "pausing", "Paused")
        else:
            self.do("start", self._link.start, "calling the hero", quiet=True)

    def action_checkpoint(self) -> None:
        self._order(Verb.CHECKPOINT, "saving a checkpoint", "Checkpoint saved")

    def action_promote(self) -> None:
        self.do("promote", lambda: self._link.promote(self._progress("promote")), "crowning a champion")

    @work
    async def action_skip(self) -> None:
        if await self._sure("skip"):
            self._order(Verb.SKIP, "skipping the quest", "Quest skipped")

    @work
    async def action_stop(self) -> None:
        if self.state not in LIVING:
            self.notify("No engine is running.", markup=False)
            return
        again = self.state is EngineState.STOPPING or "stop" in self._pending
        if again or await self._sure("stop"):
            name = "stop now" if again else "stop"
            self.do(name, lambda: self._link.stop(again, self._progress(name)), "saving and stopping", "Stopped")

    async def _sure(self, action_id: str) -> bool:
        from realm_tui.app.screens.dialog import confirm

        return await self.push_screen_wait(confirm(action(action_id).confirm)) == "yes"

    @work
    async def action_add_quest(self) -> None:
        from realm_tui.app.screens.add_quest import AddQuestScreen

        added = await self.push_screen_wait(AddQuestScreen(self._link.add_file, Path.cwd()))
        if added:
            self.notify(clean(added), markup=False)
            self.refresh_facts()

    def action_ask(self, question: str = "") -> None:
        from realm_tui.app.screens.ask import AskScreen

        champion = self.facts.status.champion if self.facts is not None else None
        self.push_screen(AskScreen(self._link, champion.name if champion is not None else None, question))

    def action_spar(self) -> None:
        from realm_tui.app.screens.spar import SparScreen

        self.push_screen(SparScreen(self._link))

    def action_names(self) -> None:
        names: Voice = "plain" if self.look.tavern else "tavern"
        self.look = replace(self.look, names=names)
        self._keep("face.names", names)
        self._paint()

    def action_ascii(self) -> None:
        self.look = replace(self.look, ascii=not self.look.ascii)
        self._ascii.enabled = self.look.ascii
        self.set_class(self.look.ascii, "-ascii")
        self._keep("face.ascii", self.look.ascii)
        self._paint()
        self._battle.repaint()
        self.refresh_css(animate=False)

    def action_zoom(self) -> None:
        from realm_tui.app.widgets.strain import StrainPanel

        panel = self._battle.query_one(StrainPanel)
        panel.recent = not panel.recent
        self._paint()

    def action_theme(self) -> None:
        self.search_themes()

    def action_palette(self) -> None:
        self.action_command_palette()

    def action_help(self) -> None:
        from realm_tui.app.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.look))

    def _away_screen(self) -> Screen[Any]:
        from realm_tui.app.screens.away import AwayScreen

        return AwayScreen(self._away, self.look)

    def action_away(self) -> None:
        if self._away:
            self.push_screen(self._away_screen())
        else:
            self.notify("Nothing happened while you were away.", markup=False)

    @work(exclusive=True, group="leave")
    async def action_leave(self) -> None:
        from realm_tui.app.screens.dialog import leave

        if self._battle.has_class("-tiny"):
            self.exit(0)
            return
        answer = await self.push_screen_wait(leave(self.state in LIVING))
        if answer == "leave":
            self.exit(0)
        elif answer == "stop":
            try:
                self._pending["leave"] = "saving and stopping"
                self._paint()
                await self._link.stop(False, self._progress("leave"))
            except RealmError as error:
                self._pending.pop("leave", None)
                self.notify(clean(error.text()), severity="error", timeout=10, markup=False)
            else:
                self.exit(0)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return ()


def _hung_up() -> bool:
    """Whether the terminal is gone without a signal (the program was started so as to ignore SIGHUP)."""
    import select

    poll = select.poll()
    poll.register(0, select.POLLHUP)
    return any(event & (select.POLLHUP | select.POLLNVAL) for _, event in poll.poll(0)) and os.isatty(0) is False
