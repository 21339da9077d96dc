"""The game without a screen: sees that an engine runs, tells what happens, and ends when the goal is reached."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from configs import clock
from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from engine.link.client import engine_alive, send_command
from engine.link.protocol import Command, Verb
from engine.link.state import EngineState
from lore.events import Event
from realm_tui.runtime.engine_process import ensure_engine, stop_engine
from realm_tui.runtime.events import EventFeed
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.status import Status, collect_from

LOOK_S = 0.5
"""Between two looks at the engine."""
AIM_S = 5.0
"""For the engine's answer to what is its last step, before events are told again and it is asked once more."""
STATUS_S = 1.0
"""Between two status reports."""


@dataclass(frozen=True, slots=True)
class Goal:
    """When the headless game ends by itself; without any goal it plays until the engine stops."""

    steps: int | None = None
    """Optimizer steps in addition to those done."""
    seconds: float | None = None
    level: tuple[str, int] | None = None
    """A skill and the level of it to win."""
    quest_id: int | None = None
    """A player's quest to finish, one way or the other."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the headless game ended."""

    reached: bool
    """The goal was reached; without a goal, the engine ended because it was told to."""
    reason: str
    step: int | None
    left_training: bool
    """The engine goes on."""
    hangup: bool = False
    """The terminal is gone: there is nobody to tell."""
    interrupted: bool = False
    """The player ended it (Ctrl-C, or TERM)."""


class GameInterruptedError(Exception):
    """The player asked to end (Ctrl-C, TERM), or the terminal is gone (``hangup``)."""

    def __init__(self, hangup: bool) -> None:
        self.hangup = hangup
        super().__init__()


class HeadlessGame:
    """One headless game.

    Args:
        folder: the save, which must exist.
        goal: when to end.
        on_event: told every event once.
        on_status: told the status about once a second; for a progress line.
        say: told what the game itself does.
        leave: at the end, leave an engine training that this game started.
    """

    def __init__(
        self,
        folder: SaveFolder,
        goal: Goal,
        *,
        on_event: Callable[[Event], None],
        on_status: Callable[[Status], None],
        say: Callable[[str], None],
        leave: bool = False,
    ) -> None:
        self._folder, self._goal = folder, goal
        self._on_event, self._on_status, self._say, self._leave = on_event, on_status, say, leave
        self._started = False
        self._target: int | None = None
        self._order: Command | None = None
        """What tells the engine its last step, until it answered."""

    def play(self) -> Outcome:
        """Play until the goal, the engine's end, or an interruption."""
        with opened(self._folder) as save, _signals():
            feed = EventFeed(save, since=clock.now())
            met = self._already(save)
            if met is not None:
                return Outcome(True, met, collect_from(save).step, engine_alive(self._folder))
            interrupted = False
            try:
                self._begin()
                reached, reason = self._watch(save, feed)
                self._end(reason)
            except GameInterruptedError as interruption:
                if interruption.hangup:
                    return Outcome(False, "the terminal was closed", None, engine_alive(self._folder), hangup=True)
                reached, reason, interrupted = False, "interrupted", True
                self._end(reason)
            for event in feed.news():
                self._on_event(event)
            step, alive = collect_from(save).step, engine_alive(self._folder)
            return Outcome(reached, reason, step, alive, interrupted=interrupted)

    def _already(self, save: OpenedSave) -> str | None:
        return self._level_won(save) or self._quest_done(save)

    def _begin(self) -> None:
        self._started = not engine_alive(self._folder)
        hello = ensure_engine(self._folder)
        self._say("the engine is starting" if self._started else f"attached to the living engine ({hello.state})")

    def _watch(self, save: OpenedSave, feed: EventFeed) -> tuple[bool, str]:
        begun = clock.monotonic()
        next_status = begun
        while True:
            now = clock.monotonic()
            alive = engine_alive(self._folder)
            status = collect_from(save)
            for event in feed.news():
                self._on_event(event)
            if now >= next_status:
                next_status = now + STATUS_S
                self._on_status(status)
            met = self._already(save)
            if met is not None:
                return True, met
            if self._goal.steps is not None:
                if self._target is None:
                    self._target = self._aim(status)
                if self._target is not None and status.step is not None and status.step >= self._target:
                    return True, f"{self._goal.steps} steps are done"
            if self._goal.seconds is not None and now - begun >= self._goal.seconds:
                return True, "the time is over"
            if not alive:
                return self._engine_ended(save)
            if status.state is EngineState.BLOCKED:
                self._blocked(status)
            time.sleep(LOOK_S)

    def _aim(self, status: Status) -> int | None:
        """The step at which ``--steps`` is reached: counted from where the run of an engine of ours begins, and the engine
        is told before its first step; from the step now where the engine lived before. None while that is not known."""
        assert self._goal.steps is not None
        if not self._started:
            training = status.state in (EngineState.TRAINING, EngineState.EXAMINING, EngineState.SAVING)
            return status.step + self._goal.steps if training and status.step is not None else None
        if self._leave:
            return status.step + self._goal.steps if status.step is not None else None
        if self._order is None:
            self._order = Command(Verb.STOP, {"steps": self._goal.steps})
        try:
            reply = send_command(self._folder, self._order, timeout_s=AIM_S)
        except RealmError as error:
            # A big hero may load for longer; the same order, sent again, only asks for its answer.
            if error.code in ("ENGINE_GONE", "ENGINE_BUSY", "ENGINE_SILENT", "NO_ENGINE", "TIMED_OUT"):
                return None
            raise
        if not reply.ok:
            self._order = None
            return None
        return int(reply.result["at_step"])

    def _level_won(self, save: OpenedSave) -> str | None:
        if self._goal.level is None:
            return None
        from saves.exams import mastered_level

        skill, level = self._goal.level
        won = mastered_level(save.conn, save.campaign.id, skill)
        return f"{skill} level {level} is won" if won >= level else None

    def _quest_done(self, save: OpenedSave) -> str | None:
        if self._goal.quest_id is None:
            return None
        from saves.quests import quest

        found = quest(save.conn, self._goal.quest_id)
        ended = found.state in ("completed", "skipped", "removed") or (
            found.state == "failed" and found.failures >= save.rules.quests.max_attempts
        )
        return f"{found.name} is {found.state}" if ended else None

    def _engine_ended(self, save: OpenedSave) -> tuple[bool, str]:
        """What it means that no engine lives any more."""
        status = collect_from(save)
        met = self._already(save)
        if met is not None:
            return True, met
        if self._target is not None and status.step is not None and status.step >= self._target:
            return True, f"{self._goal.steps} steps are done"
        down = next((one for one in status.blockers if one.code == "ENGINE_DOWN"), None)
        if status.state is EngineState.STOPPED and down is None and self._goal == Goal():
            return True, "the engine was stopped"
        reason = next((one for one in status.blockers if one is not down), down)
        if reason is not None and reason is not down:
            raise BlockedError("the engine ended before the goal", why=reason.reason, fix=reason.fix, code=reason.code)
        if reason is None:
            return False, "the engine ended before the goal: it was stopped"
        return False, f"the engine ended before the goal: {reason.reason}. Way out: {reason.fix}"

    def _blocked(self, status: Status) -> None:
        first = next(iter(status.blockers), None)
        if self._started and not self._leave:
            stop_engine(self._folder)
        raise BlockedError(
            "training is blocked",
            why=first.reason if first is not None else status.progress or "",
            fix=first.fix if first is not None else "see `realm log`",
            code=first.code if first is not None else "ENGINE_HOLDS",
        )

    def _end(self, reason: str) -> None:
        if not engine_alive(self._folder):
            return
        if not self._started or self._leave:
            self._say(f"{reason}; the hero trains on")
            return
        self._say(f"{reason}; saving and stopping")
        try:
            stop_engine(self._folder, on_progress=self._say)
        except GameInterruptedError as interruption:
            if not interruption.hangup:
                self._say("stopping at once")
                stop_engine(self._folder, now=True)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn INT, TERM and HUP into `GameInterruptedError` while the game plays."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise GameInterruptedError(hangup=number == signal.SIGHUP)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
