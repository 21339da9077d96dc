"""Jobs: work beside training as it waits, runs and ends; cancel one, try one again, order one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on, work

from configs.paths import SaveFolder
from lore.lexicon import label
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import FIND, ListPage
from realm_tui.app.widgets import jobs as rows
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.runtime.jobs import asking
from realm_tui.runtime.jobs.view import JobsView, jobs_view
from realm_tui.runtime.opened import OpenedSave
from saves.jobs import Job

ORDERED = {
    "health_check": "look after program, machine and save",
    "report": "write a report of the campaign",
    "analytics": "sum up how the campaign goes",
    "archive": "pack the save into one file",
    "layer_stats": "measure every matrix of the newest form",
    "eval": "examine the living hero",
    "retention": "let go of what the rules do not keep",
}
"""Kinds that need no further word, in the order in which they are offered."""


class JobsScreen(ListPage[JobsView]):
    """The one table of jobs."""

    word = "screen.jobs"
    about = "jobs.sheet"
    refresh_s = 1.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "order_job",
            "o",
            "order",
            "send out",
            "Order a job: a report, an archive, an exam and others.",
            footer_order=20,
        ),
        Action(
            "cancel_job",
            "x",
            "cancel",
            "call off",
            "End the job under the cursor; whoever works on it stops.",
            confirm="End this job? What it has done so far is dropped.",
            footer_order=21,
        ),
        Action(
            "retry_job",
            "r",
            "try again",
            "send again",
            "Let a job that failed wait again, with all its tries.",
            footer_order=22,
        ),
        Action(
            "ended_jobs",
            "f",
            "ended too",
            "the past too",
            "Show also what has ended, or only what is not.",
            footer_order=23,
        ),
        FIND,
    )

    def __init__(self) -> None:
        super().__init__()
        self._every = True
        self._job: int | None = None

    def read(self, save: OpenedSave) -> JobsView:
        return jobs_view(save, self._job, every=self._every)

    def items(self, data: JobsView, look: Look) -> Sequence[Item]:
        wanted = self.find.casefold()
        keys = {
            str(j.id)
            for j in data.jobs
            if wanted in f"{j.id} {j.kind} {j.status} {j.school} {j.error or ''}".casefold()
        }
        return [one for one in rows.items(data, look) if one.key in keys]

    def heads(self, data: JobsView, look: Look, width: int) -> Sequence[Row]:
        return rows.head(look, width) if data.jobs else ()

    def empty(self, data: JobsView, look: Look, width: int) -> Sequence[Row]:
        return rows.empty(self._every)

    def heading(self, data: JobsView, look: Look) -> str:
        return super().heading(data, look) or rows.summary(data)

    def sheet(self, data: JobsView, key: str | None, look: Look, width: int) -> Sequence[Row]:
        return rows.sheet(data, key, look, width)

    def sheet_title(self, data: JobsView, key: str | None, look: Look) -> str:
        one = next((j for j in data.jobs if str(j.id) == key), None)
        name = label(self.about, look.names)
        return name if one is None else f"{name} {one.id}: {one.kind}"

    @on(Listing.Moved)
    def _job_moved(self, event: Listing.Moved) -> None:
        if self._job != int(event.key):
            self._job = int(event.key)
            self.reload()

    def narrowed(self) -> bool:
        return bool(self.find) or not self._every

    def widen(self) -> None:
        super().widen()
        self._every = True
        self.reload()

    # ------------------------------------------------------------------ what can be done

    def action_ended_jobs(self) -> None:
        self._every = not self._every
        self.reload()

    @work
    async def action_cancel_job(self) -> None:
        number = self._number()
        if number is not None and await self.sure("cancel_job"):
            self._change(number, "cancel", "calling a job off")

    def action_retry_job(self) -> None:
        number = self._number()
        if number is not None:
            self._change(number, "retry", "sending a job again")

    @work
    async def action_order_job(self) -> None:
        from realm_tui.app.screens.pick import Pick

        chosen = await self.app.push_screen_wait(
            Pick("Which job?", tuple((k, f"{k}: {w}") for k, w in ORDERED.items()))
        )
        if chosen is not None:
            self._carry_out(
                "order a job",
                lambda folder: f"Job {asking.submit_job(folder, chosen, {}).id} ({chosen}) waits",
                "ordering a job",
            )

    def _number(self) -> int | None:
        if self.chosen is None:
            self.notify("There is no job under the cursor.", markup=False)
            return None
        return int(self.chosen)

    def _change(self, number: int, what: str, words: str) -> None:
        self._carry_out(what, lambda folder: _told(asking.change(folder, number, what)), words)

    def _carry_out(self, name: str, deed: Callable[[SaveFolder], str], words: str) -> None:
        async def carried_out() -> str:
            done = await self.realm.link.carry_out(name, lambda folder, tell: deed(folder), lambda text: None)
            self.reload()
            return done

        self.realm.do(name, carried_out, words)


def _told(job: Job) -> str:
    return f"Job {job.id} ({job.kind}) is {job.status}"
