"""Jobs over workers that are killed at random: how many are lost, how many count twice, and what the table itself costs.

    python -m benchmarks.jobs [--jobs 1000] [--workers 4] [--kills 30] [--work-ms 100] [--seed 1] [--json FILE]

Each worker is a process with a dispatcher of its own, four jobs at once; one of them is killed (SIGKILL) and started anew at random moments
until all kills are spent. A job waits a while and then adds one to a counter of its own in the save, in one transaction with its result:
a job that counted twice would show. A job that was under way in a killed worker is taken by another one as soon as a sweep finds its
owner gone (twice a second here, every 30 s by the shipped rules). Then the same without kills and without waiting: what claiming, beginning
and completing a job costs. Fails when a job is lost or counted twice.

Takes about half a minute.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import table
from benchmarks.machine import child_environment
from benchmarks.options import parser
from configs.jobs import JobRules, load_jobs
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.runtime.jobs.dispatcher import Dispatcher
from realm_tui.runtime.jobs.kinds import Done, JobKind, Nothing, Work, Workplace
from saves import jobs
from saves.database import create_save, open_save
from saves.jobs import Job

KIND: Final = "report"


def rules() -> JobRules:
    """The shipped ones, with quick looks and enough attempts for jobs that are hit again and again."""
    told = load_jobs().model_dump()
    told |= {"poll_s": 0.02, "retry": {"first_s": 0, "factor": 1, "most_s": 0}}
    told["lease"]["sweep_s"] = 0.5
    told["kinds"][KIND]["attempts"] = 20
    return JobRules.model_validate(told)


@dataclass(frozen=True, slots=True)
class Counting(JobKind):
    """A kind that waits, and counts itself."""

    wait_s: float = 0.0

    @property
    def work(self) -> Work:
        async def do(job: Job, payload: Any, place: Workplace) -> Done:
            if self.wait_s:
                await asyncio.sleep(self.wait_s)
            return Done(
                {},
                lambda conn: conn.execute(
                    """INSERT INTO settings VALUES (?, '1', 0)
                       ON CONFLICT (key) DO UPDATE SET value_json = CAST(value_json AS INTEGER) + 1""",
                    (f"done.{job.id}",),
                ),
            )

        return do


def work(save: Path, wait_ms: float) -> None:
    """One worker, until it is killed or nothing is left."""
    kind = Counting(KIND, Nothing, "waits and counts itself", "", wait_s=wait_ms / 1000)
    dispatcher = Dispatcher(SaveFolder(save), kinds={KIND: kind}, rules=rules())

    async def serve() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, dispatcher.stop)
        await dispatcher.run()

    asyncio.run(serve())


def measure(count: int, workers: int, kills: int, wait_ms: float, seed: int) -> dict[str, Any]:
    """Let the workers do that many jobs while some are killed; what became of the jobs."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="realm-jobs-") as room:
        folder = SaveFolder(Path(room) / "saves" / "main")
        folder.root.parent.mkdir()
        create_save(folder, load_hero("pip"), seed=seed)
        with closing(open_save(folder, write=True)) as conn:
            for _ in range(count):
                jobs.submit(conn, KIND, {}, rules=rules())
            command = [sys.executable, "-P", "-m", "benchmarks.jobs", "--worker", str(folder.root)]

            def started() -> subprocess.Popen[bytes]:
                return subprocess.Popen([*command, "--work-ms", str(wait_ms)], env=child_environment())

            crew = [started() for _ in range(workers)]
            try:
                done, killed, began = 0, 0, 0.0
                while done < count:
                    time.sleep(0.02)
                    done = sum(jobs.counts(conn)[status] for status in jobs.ENDED)
                    began = began or (time.perf_counter() if done else 0.0)
                    # a kill comes due as the work goes on, at a random one of the workers
                    if killed < kills and done > (killed + chance.random()) * count / (kills + 1):
                        victim = chance.randrange(workers)
                        crew[victim].kill()
                        crew[victim].wait()
                        crew[victim] = started()
                        killed += 1
                seconds = time.perf_counter() - began
            finally:
                for one in crew:
                    one.terminate()
                for one in crew:
                    one.wait(20)
            counted = conn.execute(
                "SELECT count(*) AS jobs, coalesce(sum(CAST(value_json AS INTEGER)), 0) AS times FROM settings WHERE key LIKE 'done.%'"
            ).fetchone()
            told = dict(conn.execute("SELECT event, count(*) FROM job_events GROUP BY event").fetchall())
            most = conn.execute("SELECT max(attempts) FROM jobs").fetchone()[0]
            completed = jobs.counts(conn)["completed"]
    return {
        "jobs": count,
        "workers": workers,
        "kills": killed,
        "under way when killed": told.get("expired", 0),
        "most attempts": most,
        "completed": completed,
        "lost": count - counted["jobs"],
        "counted twice": counted["times"] - counted["jobs"],
        "seconds": round(seconds, 2),
        "jobs/s": round(count / seconds, 1),
    }


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("jobs", __doc__)
    command.add_argument("--jobs", type=int, default=1000)
    command.add_argument("--workers", type=int, default=4)
    command.add_argument("--kills", type=int, default=30)
    command.add_argument("--work-ms", type=float, default=100.0, help="how long one job takes")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--worker", type=Path, metavar="SAVE", help="be one of the workers")
    options = command.parse_args(arguments)
    if options.worker is not None:
        work(options.worker, options.work_ms)
        return 0
    rows = [
        measure(options.jobs, options.workers, options.kills, options.work_ms, options.seed),
        measure(options.jobs, options.workers, 0, 0.0, options.seed),
    ]
    table("Jobs over workers that are killed, and without kills and without waiting", rows)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows}))
    return 1 if any(row["lost"] or row["counted twice"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
