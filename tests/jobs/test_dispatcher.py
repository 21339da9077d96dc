"""Dispatchers come and go; every job is done once, and what goes wrong is said in the job itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from configs.jobs import JobRules, load_jobs
from configs.paths import SaveFolder
from realm_tui.runtime.jobs import service
from realm_tui.runtime.jobs.dispatcher import Dispatcher
from realm_tui.runtime.jobs.kinds import Done, JobError, JobKind, Nothing, NotYetError, Work, Workplace
from realm_tui.runtime.jobs.owner import lives, new_owner
from realm_tui.runtime.jobs.service import JobService
from saves import jobs
from saves.connection import SaveConnection

Act = Callable[[jobs.Job], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class Acting(JobKind):
    """A kind that does what a test says."""

    act: Act | None = None

    @property
    def work(self) -> Work:
        async def do(job: jobs.Job, payload: Any, place: Workplace) -> Done:
            assert self.act is not None
            return await self.act(job)

        return do


def rules(**kind: Any) -> JobRules:
    """Quick ones: no waiting between attempts, and a look every hundredth of a second."""
    told = load_jobs().model_dump()
    told["poll_s"] = 0.01
    told["retry"] = {"first_s": 0, "factor": 1, "most_s": 0}
    told["kinds"]["report"] |= kind
    return JobRules.model_validate(told)


def dispatcher(folder: SaveFolder, act: Act, **kind: Any) -> Dispatcher:
    acting = Acting("report", Nothing, "does as told", "", act=act)
    return Dispatcher(folder, kinds={"report": acting}, rules=rules(**kind))


async def test_a_job_is_done_and_its_effect_comes_with_its_result(folder: SaveFolder, save: SaveConnection) -> None:
    made = [jobs.submit(save, "report", {}) for _ in range(6)]

    async def act(job: jobs.Job) -> Done:
        return Done(
            {"of": job.id}, lambda conn: conn.execute("INSERT INTO settings VALUES (?, 'true', 0)", (f"j{job.id}",))
        )

    assert await dispatcher(folder, act).run(until_idle=True) == 6
    assert [jobs.job(save, j.id).result for j in made] == [{"of": j.id} for j in made]
    assert save.execute("SELECT count(*) FROM settings").fetchone()[0] == 6


async def test_no_job_is_taken_from_a_save_that_was_replaced(folder: SaveFolder, save: SaveConnection) -> None:
    async def act(job: jobs.Job) -> Done:
        return Done({})

    there, begun = dispatcher(folder, act), asyncio.Event()
    there._on_change = lambda job, event: begun.set()
    jobs.submit(save, "report", {})
    working = asyncio.create_task(there.run())
    await asyncio.wait_for(begun.wait(), 60)
    copy = folder.root / "copy.db"
    save.execute("VACUUM INTO ?", (str(copy),))
    copy.replace(folder.database)  # as `realm save restore` does
    left = jobs.submit(save, "report", {})
    with pytest.raises(RealmError) as replaced:
        await asyncio.wait_for(working, 60)
    assert replaced.value.code == "CHANGED_MEANWHILE"
    assert jobs.job(save, left.id).status == "pending"


async def test_what_is_too_slow_is_stopped_and_in_the_end_timed_out(folder: SaveFolder, save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {})
    stopped = []

    async def act(job: jobs.Job) -> Done:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(job.attempts)
        raise AssertionError

    assert await dispatcher(folder, act, timeout_s=0.01).run(until_idle=True) == 1
    found = jobs.job(save, made.id)
    assert (found.status, found.attempts, stopped) == ("timeout", 3, [1, 2, 3])
    assert found.error == "not done within 0.01 s"


@pytest.mark.parametrize(
    ("error", "status", "attempts", "error_class"),
    [
        (JobError("connection_refused", "nobody there"), "failed", 3, "connection_refused"),
        (JobError("model_mismatch", "another form"), "failed", 1, "model_mismatch"),
        (RealmError("so it is", code="MODEL_DAMAGED"), "failed", 1, "validation"),
        (RuntimeError("a fault"), "failed", 1, "fault"),
    ],
)
async def test_an_error_is_tried_again_by_its_class(
    folder: SaveFolder, save: SaveConnection, error: Exception, status: str, attempts: int, error_class: str
) -> None:
    made = jobs.submit(save, "report", {})

    async def act(job: jobs.Job) -> Done:
        raise error

    await dispatcher(folder, act).run(until_idle=True)
    found = jobs.job(save, made.id)
    assert (found.status, found.attempts, found.error_class) == (status, attempts, error_class)
    if error_class == "fault":
        assert "RuntimeError: a fault" in (folder.logs / "jobs.log").read_text(encoding="utf-8")


async def test_what_cannot_be_done_yet_waits_and_costs_no_attempt(folder: SaveFolder, save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {})

    async def act(job: jobs.Job) -> Done:
        raise NotYetError("no engine is running")

    assert await dispatcher(folder, act).run(until_idle=True) == 0
    found = jobs.job(save, made.id)
    assert (found.status, found.attempts, found.error) == ("queued", 0, "no engine is running")


async def test_cancelling_stops_the_work_and_its_result_is_dropped(folder: SaveFolder, save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {})
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def act(job: jobs.Job) -> Done:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    here = dispatcher(folder, act)
    running = asyncio.create_task(here.run())
    await begun.wait()
    jobs.cancel(save, made.id)
    await stopped.wait()
    here.stop()
    await running
    assert jobs.job(save, made.id).status == "cancelled"


async def test_a_dispatcher_that_leaves_gives_its_jobs_back(folder: SaveFolder, save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {})
    begun = asyncio.Event()

    async def wait(job: jobs.Job) -> Done:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def act(job: jobs.Job) -> Done:
        return Done({"by": "the next"})

    here = dispatcher(folder, wait)
    running = asyncio.create_task(here.run())
    await begun.wait()
    here.stop()
    await running
    found = jobs.job(save, made.id)
    assert (found.status, found.attempts, found.error) == ("pending", 0, "its worker left")
    assert await dispatcher(folder, act).run(until_idle=True) == 1
    assert jobs.job(save, made.id).result == {"by": "the next"}


_KILLED = """
import asyncio, sys
from pathlib import Path
from configs.paths import SaveFolder
from realm_tui.runtime.jobs.kinds import Done
from tests.jobs.test_dispatcher import dispatcher

async def act(job):
    print("begun", flush=True)
    await asyncio.Event().wait()

asyncio.run(dispatcher(SaveFolder(Path(sys.argv[1])), act).run())
"""


async def test_the_jobs_of_a_killed_dispatcher_are_done_by_another_at_once(
    folder: SaveFolder, save: SaveConnection
) -> None:
    made = jobs.submit(save, "report", {})
    with subprocess.Popen([sys.executable, "-c", _KILLED, str(folder.root)], stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None and victim.stdout.readline() == b"begun\n"
        held = jobs.job(save, made.id)
        assert held.status == "running" and lives(held.lease_owner or "") is True
        victim.kill()
    assert lives(held.lease_owner or "") is False

    async def act(job: jobs.Job) -> Done:
        return Done({"by": "another"})

    assert await dispatcher(folder, act).run(until_idle=True) == 1
    assert jobs.job(save, made.id).attempts == 2
    assert [e.event for e in jobs.events(save, made.id)].count("completed") == 1


async def test_two_dispatchers_share_the_work_and_do_none_of_it_twice(folder: SaveFolder, save: SaveConnection) -> None:
    wanted = sorted(jobs.submit(save, "report", {}).id for _ in range(30))
    done: list[int] = []

    async def act(job: jobs.Job) -> Done:
        done.append(job.id)
        return Done({})

    counts = await asyncio.gather(*(dispatcher(folder, act).run(until_idle=True) for _ in range(2)))
    assert sorted(done) == wanted and sum(counts) == 30


async def test_a_wrong_payload_is_named_and_not_tried_again(folder: SaveFolder, save: SaveConnection) -> None:
    made = jobs.submit(save, "layer_drift", {"form": "latest", "agianst": "champion"})
    await Dispatcher(folder, rules=rules()).run(until_idle=True)
    found = jobs.job(save, made.id)
    assert (found.status, found.error_class, found.attempts) == ("failed", "bad_payload", 1)
    assert "agianst" in (found.error or "")


def test_an_owner_tells_whether_it_lives() -> None:
    mine = new_owner()
    assert mine != new_owner() and lives(mine) is True
    pid, ticks, boot = mine.rpartition("/")[0].split(".")
    assert lives(f"{pid}.{int(ticks) + 1}.{boot}/1") is False
    assert lives(f"{pid}.{ticks}.another0/1") is False
    assert lives("somebody") is None


def test_a_service_that_falls_is_told_and_started_again(
    folder: SaveFolder, save: SaveConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FIRST_BACK_OFF_S", 0.0)
    made = jobs.submit(save, "report", {})
    told: list[str] = []
    done: list[JobService] = []
    falls = iter([RealmError("the disk was gone", code="SAVE_UNUSABLE"), RuntimeError("a fault")])

    async def act(job: jobs.Job) -> Done:
        return Done({})

    def make() -> Dispatcher:
        if (error := next(falls, None)) is not None:
            raise error
        there = dispatcher(folder, act)
        there._on_change = lambda job, event: done.append(here) if event == "completed" else None
        return there

    here = JobService(folder, on_trouble=told.append, make=make).start()
    while not done:
        os.sched_yield()
    here.close()
    assert jobs.job(save, made.id).status == "completed"
    assert here.restarts == 2
    assert told == ["the disk was gone.", "the program met a fault of its own: RuntimeError: a fault"]
    assert "RuntimeError: a fault" in (folder.logs / "jobs.log").read_text(encoding="utf-8")


def test_a_service_of_a_broken_save_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    with JobService(SaveFolder(tmp_path / "none"), on_trouble=told.append):
        while not told:
            os.sched_yield()
    assert "there is no save" in told[0]


_LEAVES = """
import sys, time
from pathlib import Path
from configs.paths import SaveFolder
from realm_tui.runtime.aside import on_thread
from realm_tui.runtime.jobs.kinds import Done
from realm_tui.runtime.jobs.service import JobService
from tests.jobs.test_dispatcher import dispatcher

async def act(job):
    print("begun", flush=True)
    await on_thread(lambda: time.sleep(600), "an engine that is slow to answer")
    return Done({})

folder = SaveFolder(Path(sys.argv[1]))
with JobService(folder, make=lambda: dispatcher(folder, act)):
    sys.stdin.read()
"""


def test_leaving_never_waits_for_an_engine_that_is_slow_to_answer(folder: SaveFolder, save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {})
    command = [sys.executable, "-c", _LEAVES, str(folder.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as leaving:
        assert leaving.stdout is not None and leaving.stdout.readline() == b"begun\n"
        assert leaving.stdin is not None
        leaving.stdin.close()
        assert leaving.wait(60) == 0
    assert jobs.job(save, made.id).status == "pending"


async def test_what_is_being_done_is_told_while_it_is_done(folder: SaveFolder, save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {})
    seen: list[str | None] = []

    @dataclass(frozen=True, slots=True)
    class Telling(JobKind):
        @property
        def work(self) -> Work:
            async def do(job: jobs.Job, payload: Any, place: Workplace) -> Done:
                place.tell("the second half")
                while not seen:
                    await asyncio.sleep(0)
                    if (told := jobs.job(save, made.id).error) is not None:
                        seen.append(told)
                return Done({})

            return do

    kinds = {"report": Telling("report", Nothing, "tells", "")}
    await Dispatcher(folder, kinds=kinds, rules=rules()).run(until_idle=True)
    assert seen == ["the second half"] and jobs.job(save, made.id).error is None


async def test_bringing_a_server_up_has_a_time_out_of_its_own(folder: SaveFolder, save: SaveConnection) -> None:
    made = [jobs.submit(save, "report", {"more": more}) for more in (True, False)]

    @dataclass(frozen=True, slots=True)
    class Slow(JobKind):
        @property
        def work(self) -> Work:
            async def do(job: jobs.Job, payload: Any, place: Workplace) -> Done:
                if job.payload["more"]:
                    place.allow(60.0)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), 0.1)
                return Done({})

            return do

    class Either(Nothing):
        more: bool

    told = rules(timeout_s=0.02, attempts=1)
    await Dispatcher(folder, kinds={"report": Slow("report", Either, "is slow", "")}, rules=told).run(until_idle=True)
    assert [jobs.job(save, j.id).status for j in made] == ["completed", "timeout"]
