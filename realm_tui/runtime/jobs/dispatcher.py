"""Takes jobs from the save's one table and does them. Any number of dispatchers may run at once: leases keep them apart.

A job's handler runs under its kind's time-out while its lease is renewed. When the lease is lost (cancelled, or swept because the clock
jumped), the handler is stopped and what it would have written is dropped. A dispatcher that leaves gives its jobs back; one that is
killed is noticed by the next sweep of any other.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from configs import clock
from configs.errors import RealmError
from configs.jobs import JobRules, load_jobs
from configs.paths import SaveFolder
from realm_tui.runtime.jobs.kinds import Desk, JobKind, NotYetError, Workplace, error_class_of, job_kinds
from realm_tui.runtime.jobs.owner import lives, new_owner
from realm_tui.runtime.troubles import log_trouble, own_fault
from saves import jobs
from saves.jobs import Job

T = TypeVar("T")

FORGET_S = 3600.0
"""Between two clearings of old jobs and events."""
OnChange = Callable[[Job, str], None]


@dataclass(slots=True)
class _Under:
    """A job under way here."""

    job: Job
    owner: str
    renewed: float
    """When its lease was last renewed, on the steady clock."""
    said: str = ""
    """What is being done, in the worker's words."""
    told: str = ""
    """The same, as far as it is in the save."""
    over: bool = False
    """The work is done or has failed, and that is being written."""
    lost: bool = False

    def say(self, text: str) -> None:
        """Hears from any thread what is being done; it is written with the next look."""
        self.said = text


class Dispatcher:
    """One dispatcher of one save; `run` it on an event loop.

    Args:
        folder: the save.
        kinds: what can be done here; None: everything.
        desk: the way to servers; None: none can be asked.
        rules: None: those in force.
        on_change: told a job and what became of it, in a word of `saves.jobs.JobEvent.event`.
        courier: looks, on the save's thread, for work that the engine left; called before each sweep.
    """

    def __init__(
        self,
        folder: SaveFolder,
        *,
        kinds: Mapping[str, JobKind] | None = None,
        desk: Desk | None = None,
        rules: JobRules | None = None,
        on_change: OnChange | None = None,
        courier: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        self._folder, self._desk = folder, desk
        self._kinds = dict(kinds or job_kinds())
        self._rules = rules or load_jobs()
        self._on_change = on_change or (lambda job, event: None)
        self._courier = courier
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jobs")
        self._conn: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """The save's file as it was opened."""
        self._tasks: dict[asyncio.Task[bool], _Under] = {}
        self._stopping = asyncio.Event()

    # ------------------------------------------------------------------ life

    async def run(self, *, until_idle: bool = False) -> int:
        """Work until stopped; how many jobs came to an end here.

        Args:
            until_idle: also end when nothing is under way here and nothing can be taken now.

        Raises:
            RealmError: the save cannot be opened or read, or another one stands in its place by now (``CHANGED_MEANWHILE``).
        """
        ended = 0
        next_sweep = next_forget = 0.0
        try:
            await self._db(self._open)
            while not self._stopping.is_set():
                now = clock.monotonic()
                if now >= next_sweep:
                    next_sweep = now + self._rules.lease.sweep_s
                    await self._sweep()
                if now >= next_forget:
                    next_forget = now + FORGET_S
                    await self._db(lambda conn: jobs.forget(conn, rules=self._rules))
                await self._fill()
                if until_idle and not self._tasks:
                    return ended
                ended += await self._wait()
                await self._hold()
        finally:
            await self._leave()
        return ended

    def stop(self) -> None:
        """Let `run` end soon; what is under way is given back. On the loop's thread only."""
        self._stopping.set()

    async def _sweep(self) -> None:
        def look(conn: sqlite3.Connection) -> list[Job]:
            if self._courier is not None:
                self._courier(conn)
            return jobs.sweep(conn, alive=lives, rules=self._rules)

        for swept in await self._db(look):
            self._on_change(swept, "expired")

    async def _fill(self) -> None:
        """Take jobs while there are seats and work."""
        while len(self._tasks) < self._rules.slots and not self._stopping.is_set():
            owner = new_owner()
            job = await self._db(partial(self._claim, owner))
            if job is None:
                return
            under = _Under(job, owner, clock.monotonic())
            self._tasks[asyncio.create_task(self._do(under), name=f"job-{job.id}")] = under
            self._on_change(job, "claimed")

    def _claim(self, owner: str, conn: sqlite3.Connection) -> Job | None:
        if _identity(self._folder) != self._file:
            raise RealmError(
                f"another file stands in the place of the save {self._folder.name}",
                why="it was imported, restored or removed meanwhile",
                fix="nothing needs to be done: its jobs are looked for in the new one",
                code="CHANGED_MEANWHILE",
            )
        waits = conn.execute(
            "SELECT 1 FROM jobs WHERE status IN ('pending', 'queued') AND not_before <= ? LIMIT 1", (clock.now(),)
        ).fetchone()
        if waits is None:
            return None  # looked at without the write lock, which is the engine's
        kinds = list(self._kinds)
        if jobs.mode(conn, rules=self._rules) == "catch_up":
            kinds = [k for k in kinds if (rule := self._rules.kind(k)) and rule.school == "inference"]
        return jobs.claim(conn, owner, kinds, rules=self._rules)

    async def _wait(self) -> int:
        """Until a job ends, it is time to look again, or this dispatcher is told to stop; how many jobs ended."""
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait(
                {stopping, *self._tasks}, timeout=self._rules.poll_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopping.cancel()
        ended = 0
        for task in done - {stopping}:
            del self._tasks[task]
            ended += bool(task.result())
        return ended

    async def _hold(self) -> None:
        """Renew leases in time, and stop what is held by nobody here any more (cancelled, or swept)."""
        if not self._tasks:
            return
        now, lease = clock.monotonic(), self._rules.lease
        due = {u.job.id for u in self._tasks.values() if now - u.renewed >= lease.renew_s}

        def look(conn: sqlite3.Connection) -> set[int]:
            held = set()
            for under in self._tasks.values():
                row = conn.execute("SELECT lease_owner FROM jobs WHERE id = ?", (under.job.id,)).fetchone()
                mine = row is not None and row["lease_owner"] == under.owner
                if mine and under.job.id in due:
                    mine = jobs.renew(conn, under.job.id, under.owner, lease_s=lease.seconds)
                if mine and under.said != under.told and not under.over:
                    under.told = under.said
                    mine = jobs.doing(conn, under.job.id, under.owner, under.told)
                if mine:
                    held.add(under.job.id)
            return held

        held = await self._db(look)
        for task, under in self._tasks.items():
            if under.job.id in held:
                under.renewed = now if under.job.id in due else under.renewed
            elif not task.done() and not under.over and not under.lost:
                under.lost = True
                task.cancel()

    async def _leave(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            if self._desk is not None:
                await self._desk.aclose()
        finally:
            await self._db(self._close)
            self._thread.shutdown(wait=False)

    # ------------------------------------------------------------------ one job

    async def _do(self, under: _Under) -> bool:
        """Do a job and say what became of it; True when it has ended."""
        job, kind = under.job, self._kinds[under.job.kind]
        rule = self._rules.kind(job.kind)
        assert rule is not None
        try:
            payload = kind.read(job.payload)
            if not await self._mine(under, lambda c: jobs.begin(c, job.id, under.owner, f"process {os.getpid()}")):
                return False
            async with asyncio.timeout(rule.timeout_s) as limit:
                place = Workplace(self._folder, under.say, self._desk, rule.timeout_s, partial(_anew, limit))
                done = await kind.work(job, payload, place)
            under.over = True
            counted = await self._mine(
                under,
                lambda c: jobs.complete(c, job.id, under.owner, done.result, worker=done.worker, effect=done.effect),
            )
            if counted:
                self._on_change(job, "completed")
            return counted
        except asyncio.CancelledError:
            if not under.lost:
                await self._mine(under, lambda c: jobs.put_off(c, job.id, under.owner, "its worker left"))
                raise
            self._on_change(job, "lost")
            return False
        except NotYetError as wait:
            under.over = True
            why, until = wait.why, clock.now() + wait.wait_s
            await self._mine(under, lambda c: jobs.put_off(c, job.id, under.owner, why, until=until))
            self._on_change(job, "put_off")
            return False
        except TimeoutError:
            return await self._failed(under, "timeout", f"not done within {rule.timeout_s:g} s")
        except RealmError as error:
            return await self._failed(under, error_class_of(error), error.text())
        except Exception as error:
            log_trouble(
                self._folder, f"job {job.id} ({job.kind})\n{''.join(traceback.format_exception(error)).rstrip()}"
            )
            return await self._failed(under, "fault", own_fault(error))

    async def _failed(self, under: _Under, error_class: str, text: str) -> bool:
        under.over = True
        after = await self._mine(
            under, lambda c: jobs.fail(c, under.job.id, under.owner, error_class, text, rules=self._rules)
        )
        if after is not None:
            self._on_change(after, "failed" if after.ended else "again")
        return after is not None and after.ended

    # ------------------------------------------------------------------ the save's thread

    def _open(self, conn: sqlite3.Connection | None) -> None:
        from saves.database import open_save

        self._conn = open_save(self._folder, write=True)
        self._file = _identity(self._folder)

    def _close(self, conn: sqlite3.Connection | None) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    async def _db(self, act: Callable[[Any], T]) -> T:
        """``act`` with the connection, on the one thread that uses it; a cancelled wait does not undo what is written."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: act(self._conn))

    async def _mine(self, under: _Under, act: Callable[[sqlite3.Connection], T]) -> T:
        """A transition of a job, carried to its end also when this task is cancelled meanwhile."""
        writing = asyncio.ensure_future(self._db(act))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            with suppress(RealmError):
                await writing
            raise


def _identity(folder: SaveFolder) -> tuple[int, int] | None:
    """Which file the save is; None: there is none."""
    try:
        found = folder.database.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _anew(limit: asyncio.Timeout, seconds: float) -> None:
    limit.reschedule(asyncio.get_running_loop().time() + seconds)
