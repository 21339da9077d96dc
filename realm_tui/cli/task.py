"""``realm task``: what the Task Master begins by itself, and beginning it now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

app = typer.Typer(
    help="Tasks: work begun by itself while a box of the Inn idles, or now.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

WaitOption = Annotated[bool, typer.Option("--wait", help="Work on it here until it is done.")]


@app.command("list")
def list_tasks(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """List the tasks, the next one first, with why each of them waits."""
    from configs import clock
    from configs.facilities import load_facilities
    from configs.paths import SaveFolder
    from configs.tasks import load_tasks
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.taskmaster import lines

    rules = load_tasks()
    with opened(SaveFolder.named(save)) as found:
        listed = lines(found.conn, load_facilities().here(), found.campaign.id, rules)
    if as_json:
        data({"enabled": rules.enabled, "tasks": [line.as_dict() for line in listed]})
        return
    if not rules.enabled:
        say("tasks do not begin by themselves (`enabled: true` in config/tasks.yaml lets them)")
    now = clock.now()
    table(
        ("TASK", "PRIORITY", "EVERY", "LAST", "OUTCOME", "WHAT", "WAITS"),
        [
            (
                one.id,
                str(one.rule.priority),
                f"{one.rule.cooldown_s:,.0f} s",
                f"{now - one.last.started_at:,.0f} s ago" if one.last else "–",
                one.last.outcome if one.last else "–",
                one.rule.title,
                one.waits,
            )
            for one in listed
        ],
        right=(1, 2, 3),
    )


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="TASK", help="The task, as `realm task list` names it.")],
    wait: WaitOption = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a task now, whatever its cooldown."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.taskmaster import begin

    folder = SaveFolder.named(save)
    with opened(folder, write=True) as found:
        _, job = begin(found.conn, name)
    _say(folder, name, job, wait=wait, as_json=as_json)


@app.command()
def once(wait: WaitOption = False, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Begin the task whose turn it is, if there is one."""
    from configs.facilities import load_facilities
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.taskmaster import step
    from saves.patrols import last_runs

    folder = SaveFolder.named(save)
    with opened(folder, write=True) as found:
        name = step(found.conn, load_facilities().here(), found.campaign.id, asked=True)
        begun = last_runs(found.conn).get(name) if name else None
    if name is None or begun is None or begun.job_id is None:
        if as_json:
            data({"task": None, "job": None})
        else:
            say("no task's turn has come (`realm task list` says why each waits)")
        return
    _say(folder, name, begun.job_id, wait=wait, as_json=as_json)


def _say(folder: Any, name: str, number: int, *, wait: bool, as_json: bool) -> None:
    from realm_tui.runtime.jobs.asking import wait_for
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.taskmaster import settle
    from saves import jobs

    if wait:
        job = wait_for(folder, number, say)
        with opened(folder, write=True) as found:
            settle(found.conn)
    else:
        with opened(folder) as found:
            job = jobs.job(found.conn, number)
    if as_json:
        data({"task": name, "job": job.id, "status": job.status, "result": job.result, "error": job.error})
    else:
        said = f"{name} is job {job.id}: {job.status}"
        say(said + (f" ({job.error})" if job.error else ""))
        if not wait:
            say("the face or `realm watch` does it; `realm task run NAME --wait` does it here")
