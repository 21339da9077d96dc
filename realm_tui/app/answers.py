"""What the app answers to its keys: orders to the engine, dialogs, and how things are drawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import work
from textual.app import App

from configs.errors import RealmError
from engine.link.protocol import Verb
from engine.link.state import LIVING, EngineState
from realm_tui.app.actions import action
from realm_tui.app.ascii import AsciiFilter
from realm_tui.app.drawing import Look
from realm_tui.app.facts import Facts
from realm_tui.app.link import Link, at_the_keys
from realm_tui.app.screens.battle import BattleScreen
from realm_tui.app.screens.frame import Frame
from realm_tui.app.screens.page import Page
from realm_tui.runtime.foreign import clean

if TYPE_CHECKING:
    from lore.lexicon import Voice
    from realm_tui.app.contracts import Keeper
    from realm_tui.runtime.away import AwayView

_RESTING = frozenset({EngineState.PAUSED, EngineState.PARKED, EngineState.BLOCKED})


class Answers(App[int]):
    """One method for each key of `realm_tui.app.actions`; what they need of the app is declared here."""

    look: Look
    facts: Facts | None
    link: Link
    sound: bool
    """Whether the bell rings."""
    away: AwayView | None
    """What happened between the last look and this one."""
    _battle: BattleScreen
    _ascii: AsciiFilter
    _keeper: Keeper
    _read_only: bool
    _pending: dict[str, str]
    """What is being carried out, by name, in the header's words."""

    @property
    def top(self) -> Frame:
        """The full screen in front, below whatever dialog is open."""
        raise NotImplementedError

    def action_go(self, screen_id: str) -> None:
        """Open a screen in place of the one in front; the Battle screen always lies below."""
        raise NotImplementedError

    def repaint_top(self) -> None:
        """Draw the facts at hand on the screen in front."""
        raise NotImplementedError

    def refresh_facts(self) -> None:
        """Read the facts on their thread, unless a read is under way or the terminal does not keep up."""
        raise NotImplementedError

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
        self.repaint_top()
        self._carry_out(name, deed, done, quiet)

    @work
    async def _carry_out(self, name: str, deed: Callable[[], Awaitable[object]], done: str, quiet: bool) -> None:
        try:
            result = await deed()
        except RealmError as error:
            self.tell_error(error)
        else:
            if not quiet:
                self.notify(clean(done or str(result)), timeout=4, markup=False)
        finally:
            self._pending.pop(name, None)
            self.repaint_top()
            self.refresh_facts()

    def tell_error(self, error: RealmError) -> None:
        """Say in a toast what was refused, with the way out that is nearest to one who sits before the screen."""
        self.notify(clean(at_the_keys(error).text()), severity="error", timeout=8, markup=False)

    def progress(self, name: str) -> Callable[[str], None]:
        """Hears what a deed under way says of itself; the header shows it."""

        def tell(text: str) -> None:
            if name in self._pending:
                self._pending[name] = clean(text)
                self.repaint_top()

        return tell

    def _order(self, verb: Verb, words: str, done: str, args: dict[str, Any] | None = None) -> None:
        name = str(verb)

        async def deed() -> str:
            step = await self.link.order(verb, args or {}, self.progress(name))
            return f"{done} (step {step:,})" if step is not None else done

        self.do(name, deed, words)

    def keep(self, key: str, value: Any) -> None:
        """Keep a choice of the player in the save; one who only looks on keeps nothing."""
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
            self.do("start", self.link.start, "calling the hero", quiet=True)

    def action_checkpoint(self) -> None:
        self._order(Verb.CHECKPOINT, "saving a checkpoint", "Checkpoint saved")

    def action_promote(self) -> None:
        self.do("promote", lambda: self.link.promote(self.progress("promote")), "crowning a champion")

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
            self.do(name, lambda: self.link.stop(again, self.progress(name)), "saving and stopping", "Stopped")

    async def _sure(self, action_id: str) -> bool:
        from realm_tui.app.screens.dialog import confirm

        return await self.push_screen_wait(confirm(action(action_id).confirm)) == "yes"

    @work
    async def action_add_quest(self) -> None:
        from realm_tui.app.screens.add_quest import AddQuestScreen

        added = await self.push_screen_wait(AddQuestScreen(self.link.add_file, Path.cwd()))
        if added:
            self.notify(clean(added), markup=False)
            self.refresh_facts()

    def action_ask(self, question: str = "") -> None:
        from realm_tui.app.screens.ask import AskScreen

        champion = self.facts.status.champion if self.facts is not None else None
        self.push_screen(AskScreen(self.link, champion.name if champion is not None else None, question))

    def action_spar(self) -> None:
        from realm_tui.app.screens.spar import SparScreen

        self.push_screen(SparScreen(self.link))

    def action_names(self) -> None:
        names: Voice = "plain" if self.look.tavern else "tavern"
        self.look = replace(self.look, names=names)
        self.keep("face.names", names)
        self._paint_look()

    def _paint_look(self) -> None:
        """After a change of look: the screen in front, with the data it holds."""
        self.repaint_top()
        if isinstance(self.top, Page):
            self.top.repaint_data()

    def action_ascii(self) -> None:
        self.look = replace(self.look, ascii=not self.look.ascii)
        self._ascii.enabled = self.look.ascii
        self.set_class(self.look.ascii, "-ascii")
        self.keep("face.ascii", self.look.ascii)
        self._paint_look()
        self.top.repaint()
        self.refresh_css(animate=False)

    def action_sound(self) -> None:
        self.sound = not self.sound
        self.keep("face.bell", self.sound)
        if self.sound:
            self.bell()
        self.notify("The bell rings for what is worth a look." if self.sound else "The bell is silent.", markup=False)

    def action_zoom(self) -> None:
        from realm_tui.app.widgets.strain import StrainPanel

        panel = self._battle.query_one(StrainPanel)
        panel.recent = not panel.recent
        self.repaint_top()

    def action_theme(self) -> None:
        self.search_themes()

    def action_palette(self) -> None:
        self.action_command_palette()

    def action_help(self) -> None:
        from realm_tui.app.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.look, self.top.keys, on_battle=self.top is self._battle))

    def action_away(self) -> None:
        if self.away is not None:
            self.action_go("away")
        else:
            self.notify("Nothing happened while you were away.", markup=False)

    @work(exclusive=True, group="leave")
    async def action_leave(self) -> None:
        from realm_tui.app.screens.dialog import leave

        if self.top.has_class("-tiny"):
            self.exit(0)
            return
        answer = await self.push_screen_wait(leave(self.state in LIVING))
        if answer == "leave":
            self.exit(0)
        elif answer == "stop":
            try:
                self._pending["leave"] = "saving and stopping"
                self.repaint_top()
                await self.link.stop(False, self.progress("leave"))
            except RealmError as error:
                self._pending.pop("leave", None)
                self.notify(clean(error.text()), severity="error", timeout=10, markup=False)
            else:
                self.exit(0)
