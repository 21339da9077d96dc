"""Keeps one save's trainer running, and answers for it.

The keeper holds the save's lock and its socket for as long as it lives, so that a face finds somebody to talk to even while the
trainer is being started again. It trains nothing, loads no torch, and survives the face, the terminal and the trainer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from configs import clock
from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from configs.schema import EngineRules
from engine.keeper import logs
from engine.keeper.desk import Desk, Listener
from engine.keeper.door import Door
from engine.keeper.records import record_crash, record_end_by_force, record_given_up, record_stuck
from engine.keeper.trainer import TrainerCommand, TrainerProcess
from engine.keeper.watchdog import LOOK_S, Verdict, Watchdog
from engine.link.ending import Crash, Ending, classify
from engine.link.protocol import Command, Verb
from engine.link.ring import RingReader
from engine.link.snapshot import Snapshot
from engine.link.state import EngineState
from saves.locks import FileLock, holder, is_held, start_ticks

NOW = "now"
"""Argument of ``stop``: end at once, without a checkpoint."""
AT_STEP = "at_step"
"""Argument of ``stop``: end when that step is done; answered at once, and told to every further trainer."""
STEPS = "steps"
"""Argument of ``stop``: as `AT_STEP`, counted from the step at which the run began; the answer names the step."""


@dataclass(frozen=True)
class Patience:
    """How long the keeper waits for what, in seconds."""

    restart_s: float = 1.0
    """Before a trainer is started again; doubled each time within the window."""
    restart_most_s: float = 60.0
    """More than that is never waited before it is started again."""
    stop_now_s: float = 5.0
    """For a trainer told to stop at once, before it is killed."""
    silent_stop_s: float = 60.0
    """For the heartbeat of a trainer that was told to stop, before it is killed; saving a big hero may take long."""
    older_asked_s: float = 15.0
    """For a trainer that an earlier keeper left behind, before it is asked to stop."""
    older_s: float = 180.0
    """For the same, before the keeper gives up."""
    look_s: float = LOOK_S
    """Between two looks at the trainer's progress."""


class Keeper:
    """One save's keeper.

    Args:
        folder: the save.
        rules: how often a trainer may be started again.
        command: the command line of a trainer.
        log_bytes: size at which a log file starts anew.
        patience: how long it waits for what.
    """

    def __init__(
        self,
        folder: SaveFolder,
        rules: EngineRules,
        command: TrainerCommand,
        *,
        log_bytes: float,
        patience: Patience | None = None,
    ) -> None:
        self._folder, self._rules, self._command, self._log_bytes = folder, rules, command, log_bytes
        self._patience = patience or Patience()
        self._desk = Desk()
        self._trainer: TrainerProcess | None = None
        self._state = EngineState.STARTING
        self._note: str | None = None
        self._stops = 0
        self._stopping = False
        self._at_once = False
        self._stop_wanted = asyncio.Event()
        self._forced = False
        self._last_step: int | None = None
        self._restarts: deque[float] = deque()
        self._saved: int | None = None
        """Step of the newest checkpoint when a trainer ended badly."""
        self._fruitless = 0
        """Restarts since then."""
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> int:
        """Keep until the trainer ended politely (0) or cannot be kept (1).

        Raises:
            BlockedError: another keeper has this save (``ENGINE_RUNNING``).
        """
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        lock = FileLock(self._folder.keeper_lock)
        if not lock.acquire():
            raise already_kept(self._folder)
        try:
            return asyncio.run(self._keep())
        finally:
            lock.release()

    async def _keep(self) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminated)
        door = Door(self._folder, self._take, self._facts, self._say)
        await door.open()
        looking = asyncio.create_task(self._look_after())
        try:
            code = await self._supervise()
            if code == 0:
                self._confirm_stops()
            else:
                self._desk.release()
        finally:
            looking.cancel()
            for task in self._tasks:
                task.cancel()
            self._desk.close(
                RealmError("the engine has ended", why=self._note or "", fix="start it again", code="ENGINE_STOPPED")
            )
            await door.close()
        self._say("the keeper ends")
        return code

    # ---------------------------------------------------------------- the life of trainers

    async def _supervise(self) -> int:
        if not await self._older_trainer_gone():
            return 0 if self._stopping else 1
        while True:
            ending, last = await self._one_trainer()
            if self._stopping or ending.polite:
                return self._stopped(ending, last)
            self._say(f"the trainer ended: {ending.reason}")
            record_crash(self._folder, ending, last, self._say)
            if not self._may_restart(ending, last):
                return 1
            self._note = f"starting again: {ending.reason}"
            pause = min(self._patience.restart_s * 2 ** (len(self._restarts) - 1), self._patience.restart_most_s)
            if await self._stop_within(pause):
                return 0

    async def _one_trainer(self) -> tuple[Ending, Snapshot | None]:
        """Start a trainer and live with it; how it ended, and what it last showed."""
        self._state = EngineState.STARTING
        logs.rotate(self._folder.logs / "trainer.log", self._log_bytes)
        try:
            trainer = self._trainer = await TrainerProcess.start(self._folder, self._command)
        except OSError as error:
            self._say(f"cannot start a trainer: {error}")
            return classify(127, str(error)), None
        self._say(f"started trainer {trainer.pid}")
        for command in self._desk.unanswered():
            self._hand_over(command)
        if self._last_step is not None:
            trainer.tell(Command(Verb.STOP, {AT_STEP: self._last_step}))
        try:
            ending = await trainer.lived(self._heard, self._say)
            return ending, self._snapshot(trainer)
        finally:
            self._trainer = None
            self._desk.trainer_ended()

    def _stopped(self, ending: Ending, last: Snapshot | None) -> int:
        """What to make of a trainer that ended after it was told to, or by itself without a fault."""
        self._state, self._note = EngineState.STOPPED, None
        if ending.polite:
            return 0
        if self._forced or (self._at_once and ending.crash is Crash.KILLED):
            record_end_by_force(self._folder, last.step if last is not None else None, self._say)
            return 0
        self._state, self._note = EngineState.CRASHED, ending.reason
        self._say(f"the trainer ended while it stopped: {ending.reason}")
        record_crash(self._folder, ending, last, self._say)
        return 1

    def _may_restart(self, ending: Ending, last: Snapshot | None) -> bool:
        """Whether another trainer is started: not beyond the rules' number within their window, nor without a new checkpoint."""
        now = clock.monotonic()
        saved = last.last_checkpoint_step if last is not None else None
        if saved is not None and saved != self._saved:
            self._saved, self._fruitless = saved, 0
        while self._restarts and now - self._restarts[0] > self._rules.restart_window_s:
            self._restarts.popleft()
        count = max(len(self._restarts), self._fruitless)
        if ending.restartable and count < self._rules.max_restarts:
            self._restarts.append(now)
            self._fruitless += 1
            return True
        self._state, self._note = EngineState.CRASHED, ending.reason
        self._say(f"giving up after {count} restarts: {ending.reason}")
        record_given_up(self._folder, ending, count, self._say)
        return False

    async def _older_trainer_gone(self) -> bool:
        """Wait for a trainer that an earlier keeper left behind; it saves and stops by itself once it sees that."""
        began, asked = clock.monotonic(), False
        while is_held(self._folder.trainer_lock):
            older = holder(self._folder.trainer_lock)
            name = f"trainer {older.pid}" if older is not None else "a trainer"
            self._note = f"{name} of an earlier keeper still saves; waiting for it"
            waited = clock.monotonic() - began
            if older is not None and not asked and waited > self._patience.older_asked_s:
                asked = True
                if start_ticks(older.pid) == older.start_ticks:
                    self._say(f"asking {name} to stop")
                    os.kill(older.pid, signal.SIGTERM)
            if waited > self._patience.older_s:
                self._state, self._note = EngineState.CRASHED, f"{name} of an earlier keeper does not end"
                record_stuck(
                    self._folder, f"{self._note}; end it: `kill {older.pid if older else '…'}`", None, self._say
                )
                return False
            if await self._stop_within(0.1):
                return False
        self._note = None
        return True

    async def _stop_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop_wanted.wait(), seconds)
        except TimeoutError:
            return False
        return True

    # ---------------------------------------------------------------- commands

    def _take(self, command: Command, listener: Listener) -> None:
        if not self._desk.take(command, listener):
            return
        if _stops_now(command):
            self._stop(command)
        else:
            self._hand_over(command)

    def _terminated(self) -> None:
        """SIGTERM is a stop that nobody waits for; a second one ends the trainer at once."""
        command = Command(Verb.STOP)
        self._desk.take(command)
        self._stop(command)

    def _confirm_stops(self) -> None:
        """The trainer is gone: every stop that it did not live to answer came true all the same."""
        for command in self._desk.unanswered():
            if _stops_now(command):
                result = {NOW: True} if self._at_once else {}
                self._desk.hold({"type": "done", "id": command.id, "ok": True, "step": None, "result": result})

    def _stop(self, command: Command) -> None:
        """First time politely: the trainer saves. Second time, or with ``now``: at once."""
        self._at_once = self._stops > 0 or bool(command.args.get(NOW))
        self._stops += 1
        self._stopping = True
        self._stop_wanted.set()
        if self._trainer is None:
            return
        self._state = EngineState.STOPPING
        if self._at_once:
            self._hand_over(Command(Verb.STOP, {**command.args, NOW: True}, command.id))
            self._later(self._patience.stop_now_s, self._kill, self._trainer)
        else:
            self._hand_over(command)

    def _hand_over(self, command: Command) -> None:
        if self._trainer is not None:
            self._desk.given(command.id)
            self._trainer.tell(command)

    def _heard(self, message: dict[str, Any]) -> None:
        """Take what the trainer says."""
        kind = message["type"]
        if kind == "report":
            self._state, self._note = EngineState(message["state"]), None
        elif kind == "progress":
            self._desk.progress(message)
        elif kind == "done":
            self._heard_answer(message)

    def _heard_answer(self, message: dict[str, Any]) -> None:
        command = self._desk.waiting(str(message.get("id")))
        if command is not None and _stops_now(command):
            if message.get("ok"):
                # It still has to save; whether the stop came true is known when the process has ended.
                self._desk.hold(message)
                return
            if self._at_once:
                return
            # It goes on. A second stop ends it all the same.
            self._stopping = False
            self._stop_wanted.clear()
        elif command is not None and command.verb is Verb.STOP and message.get("ok"):
            self._last_step = (message.get("result") or {}).get(AT_STEP, command.args.get(AT_STEP))
        self._desk.answer(message)

    def _facts(self) -> dict[str, Any]:
        return {
            "state": str(self._state),
            "trainer_pid": self._trainer.pid if self._trainer is not None else None,
            "note": self._note,
        }

    # ---------------------------------------------------------------- looking after

    async def _look_after(self) -> None:
        """Every half minute: the trainer's progress, and the size of the logs."""
        watched: TrainerProcess | None = None
        watchdog = Watchdog(clock.monotonic())
        while True:
            await asyncio.sleep(self._patience.look_s)
            for name in ("keeper.log", "trainer.log"):
                logs.rotate(self._folder.logs / name, self._log_bytes)
            trainer = self._trainer
            if trainer is None:
                continue
            if trainer is not watched:
                watched, watchdog = trainer, Watchdog(trainer.started_at)
            snapshot = self._snapshot(trainer)
            now = clock.monotonic()
            verdict = watchdog.look(snapshot, now)
            if verdict is Verdict.SLOW:
                self._say("no progress for ten minutes")
            elif verdict is Verdict.STUCK:
                record_stuck(self._folder, "the engine makes no progress though its heart beats", snapshot, self._say)
            elif verdict is Verdict.DEAD or (self._stopping and watchdog.silent_s(now) > self._patience.silent_stop_s):
                record_stuck(self._folder, "the engine stopped answering and was ended", snapshot, self._say)
                self._kill(trainer)

    def _snapshot(self, trainer: TrainerProcess) -> Snapshot | None:
        """What this trainer last showed of itself; None when it has shown nothing."""
        try:
            with RingReader(self._folder.ring) as ring:
                snapshot = ring.snapshot()
        except RealmError:
            return None
        return snapshot if snapshot is not None and snapshot.pid == trainer.pid else None

    def _kill(self, trainer: TrainerProcess) -> None:
        if trainer is self._trainer:
            self._say(f"killing trainer {trainer.pid}")
            self._forced = self._stopping
            trainer.end(signal.SIGKILL)

    def _later(self, seconds: float, act: Any, *args: Any) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            act(*args)

        task = asyncio.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say(self, text: str) -> None:
        """One line in the keeper's log; on a full disk it goes unsaid."""
        with suppress(OSError):
            sys.stderr.write(f"{clock.utc(clock.now()):%Y-%m-%d %H:%M:%S} {text}\n")
            sys.stderr.flush()


def _stops_now(command: Command) -> bool:
    """Whether a command ends the trainer as soon as it is carried out."""
    return command.verb is Verb.STOP and command.args.get(AT_STEP) is None and command.args.get(STEPS) is None


def already_kept(folder: SaveFolder) -> BlockedError:
    """The refusal of a second keeper."""
    owner = holder(folder.keeper_lock)
    return BlockedError(
        f"an engine already has the save {folder.name!r}",
        why=f"its keeper is process {owner.pid}" if owner is not None else "",
        fix="`realm play` attaches to it, `realm stop` ends it",
        code="ENGINE_RUNNING",
    )
