"""Exams that the engine asked to have answered outside: each open request becomes a job, and a strict server answers it."""

from __future__ import annotations

import sqlite3

from configs import clock
from configs.errors import RealmError
from realm_tui.runtime.jobs.kinds import Done, JobError, NotYetError, Workplace
from realm_tui.runtime.opened import opened
from saves import answers, jobs
from saves.jobs import Job

AGAIN_S = 600.0
"""Rest before a request whose job has failed is asked anew."""


def collect(conn: sqlite3.Connection) -> int:
    """See to it that a job stands for each request that nobody has answered; how many requests there are.

    One whose job failed rests first, and one whose job the player cancelled waits for the player.
    """
    waiting = answers.unanswered(conn)
    for one in waiting:
        key = f"exam-request-{one.id}"
        last = jobs.newest(conn, key)
        if last is None or (last.status in ("failed", "timeout") and (last.ended_at or 0.0) <= clock.now() - AGAIN_S):
            jobs.submit(conn, "eval", {"request": one.id}, priority="high", key=key)
    return len(waiting)


async def answer_request(job: Job, number: int, place: Workplace) -> Done:
    """Let a server that proves who speaks answer every question of a request; the engine marks them at a step boundary.

    Raises:
        NotYetError: no such server can be reached now.
        JobError: another form answered, or not every question.
    """
    with opened(place.folder) as save:
        asked = answers.request(save.conn, number)
        answered = answers.answers_to(save.conn, number) is not None
    if asked.state != "open" or answered:
        return Done({"request": number, "state": "answered" if asked.state == "open" else asked.state})
    if place.desk is None:
        raise NotYetError("no server that proves who answers can be reached from here")
    from realm_tui.runtime.inn.servers.contract import Ask, Sampling
    from realm_tui.runtime.jobs.work.sanctum import seated

    asks = [
        Ask(
            asked.digest,
            ids=tuple(int(t) for t in item["ids"]),
            sampling=Sampling(temperature=0.0, max_tokens=int(item["max_tokens"])),
        )
        for item in asked.items
    ]
    with await seated(place, place.desk, None, digest=asked.digest, strict=True) as seat:
        came = await seat.server.ask_all(asks)
    proved = {a.digest for a in came}
    if proved - {asked.digest}:
        raise JobError(
            "model_mismatch",
            f"exam request {number} was answered by another form",
            why=f"asked was {asked.digest[:12]}, {seat.worker} proved {', '.join(sorted(str(d)[:12] for d in proved))}",
            fix="the answers were thrown away; look at `realm worker list`",
            code="MODEL_MISMATCH",
        )
    seconds = max((a.seconds for a in came), default=0.0)
    texts = [a.text for a in came]

    def write(conn: sqlite3.Connection) -> None:
        try:
            answers.answer(conn, number, texts, digest=asked.digest, worker=seat.worker, seconds=seconds, job_id=job.id)
        except RealmError as error:
            raise JobError("validation", error.what, why=error.why, fix=error.fix, code=error.code) from error

    told = {"request": number, "state": "answered", "answers": len(texts), "seconds": seconds}
    return Done(told, write, seat.worker)
