"""``realm job``: work beside training, as it waits, runs and ends in the save's one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, line, say, table

if TYPE_CHECKING:
    from saves.jobs import Job

app = typer.Typer(
    help="Jobs beside training: list, submit, cancel, retry.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", help="The job's number.")]


@app.command("list")
def list_jobs(
    status: Annotated[
        str | None,
        typer.Option("--status", help="pending, queued, claimed, running, completed, failed, cancelled or timeout."),
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="One kind, e.g. eval.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Ended ones, too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs: those under way first, then what waits in its order, then what ended."""
    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from realm_tui.runtime.jobs.owner import lives
    from realm_tui.runtime.jobs.text import age, outcome
    from realm_tui.runtime.opened import opened
    from saves import jobs

    if status is not None and status not in jobs.STATUSES:
        raise UsageError(
            f"{status!r} is no status of a job", fix=f"choose one of {', '.join(jobs.STATUSES)}", code="BAD_JOB_STATUS"
        )
    chosen = (status,) if status else jobs.STATUSES if every else (*jobs.HELD, *jobs.WAITING)
    with opened(SaveFolder.named(save)) as found:
        listed = jobs.jobs(found.conn, statuses=chosen, kinds=(kind,) if kind else (), limit=limit)
        warned = jobs.warnings(found.conn, alive=lives)
        counted, mode = jobs.counts(found.conn), jobs.mode(found.conn)
    if as_json:
        data(
            {
                "mode": mode,
                "counts": counted,
                "warnings": [{"job": w.job.id, "warning": w.kind, "since": w.since} for w in warned],
                "jobs": [facts(j) for j in listed],
            }
        )
        return
    if listed:
        table(
            ("NO", "KIND", "STATUS", "PRIORITY", "TRIES", "AGE", "WHAT"),
            [
                (str(j.id), j.kind, j.status, j.priority, f"{j.attempts}/{j.max_attempts}", age(j), outcome(j))
                for j in listed
            ],
            right=(0,),
        )
    else:
        say("no jobs" if every or status else "nothing waits and nothing runs")
    for warning in warned:
        say(f"job {warning.job.id} ({warning.job.kind}): {warning.kind.replace('_', ' ')}")


@app.command()
def show(number: NumberArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show one job: what it was given, what happened to it, and what came of it."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.jobs.text import moment, shown
    from realm_tui.runtime.opened import opened
    from saves import jobs

    with opened(SaveFolder.named(save)) as found:
        job, events = jobs.job(found.conn, number), jobs.events(found.conn, number)
    if as_json:
        told = [
            {"event": e.event, "status": e.status, "attempt": e.attempt, "owner": e.owner, "text": e.text, "at": e.at}
            for e in events
        ]
        data({**facts(job), "events": told})
        return
    typer.echo(f"job {job.id}: {job.kind}, {job.status}, {job.priority} priority")
    for name, value in (("given", job.payload), ("result", job.result)):
        if value:
            typer.echo(f"{name}:")
            for text in shown(value):
                typer.echo(f"  {text}")
    if job.error:
        typer.echo(f"{'error' if job.error_class else 'does now' if job.lease_owner else 'waits'}: {job.error}")
    for event in events:
        typer.echo(f"{moment(event.at)}  {event.event:<9}  try {event.attempt}  {event.text}".rstrip())


@app.command()
def submit(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="One of `realm job kinds`.")],
    given: Annotated[
        list[str] | None, typer.Argument(metavar="[FIELD=VALUE]...", help="What it reads, e.g. skill=bin level=3.")
    ] = None,
    payload: Annotated[
        str | None, typer.Option("--payload", metavar="JSON", help="The same as one JSON object.")
    ] = None,
    priority: Annotated[str, typer.Option("--priority", help="critical, high, normal, low or idle.")] = "normal",
    key: Annotated[
        str | None, typer.Option("--key", help="While a job of this key is unfinished, no second one is made.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Work on jobs here until this one has ended.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for work. Without `--wait` the face or `realm watch` does it."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.jobs.asking import submit_job, wait_for, wishes

    folder = SaveFolder.named(save)
    job = submit_job(folder, kind, wishes(kind, given or [], payload), priority=priority, key=key)
    if wait:
        say(f"job {job.id}: {job.kind}")
        job = wait_for(folder, job.id, say)
    if as_json:
        data(facts(job))
    elif wait:
        show(job.id, save)
    else:
        typer.echo(f"job {job.id}: {job.kind}, {job.status}")
    if wait and job.status != "completed":
        raise typer.Exit(1)


@app.command()
def cancel(number: NumberArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """End a job; whoever works on it stops."""
    _change(number, "cancel", save, as_json)


@app.command()
def retry(number: NumberArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Let a failed, cancelled or timed-out job wait again, with all its tries."""
    _change(number, "retry", save, as_json)


@app.command()
def kinds(as_json: JsonOption = False) -> None:
    """List the kinds of jobs, what each reads, and its rules."""
    from configs.jobs import load_jobs
    from realm_tui.runtime.jobs.kinds import job_kinds

    rules = load_jobs()
    rows = []
    for one in job_kinds().values():
        rule = rules.kinds[one.id]
        fields = {
            name: {"about": info.description or "", "required": info.is_required()}
            for name, info in one.payload.model_fields.items()
        }
        rows.append((one, rule, fields))
    if as_json:
        data(
            [
                {"kind": one.id, "does": one.words, "rules": rule.model_dump(), "reads": fields}
                for one, rule, fields in rows
            ]
        )
        return
    for one, rule, fields in rows:
        typer.echo(f"{one.id} ({rule.school}): {one.words}; {rule.attempts} tries of {rule.timeout_s:g} s")
        for name, about in fields.items():
            typer.echo(f"  {name + (' *' if about['required'] else ''):<16}{about['about']}")


@app.command()
def work(
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left that can be done now.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work on jobs here, beside whoever else does; Ctrl-C gives back what is under way."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.jobs.asking import work_here

    def tell(job: Job, event: str) -> None:
        if as_json:
            line({"job": job.id, "kind": job.kind, "event": event})
        else:
            typer.echo(f"job {job.id} ({job.kind}): {event}")

    ended = work_here(SaveFolder.named(save), until_idle=once, on_change=tell)
    if not as_json:
        say(f"realm: {ended} job{'s' * (ended != 1)} came to an end here")


def facts(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    from dataclasses import asdict

    return {**asdict(job), "payload": dict(job.payload), "result": None if job.result is None else dict(job.result)}


def _change(number: int, what: str, save: str | None, as_json: bool) -> None:
    from configs.paths import SaveFolder
    from realm_tui.runtime.jobs.asking import change

    job = change(SaveFolder.named(save), number, what)
    if as_json:
        data(facts(job))
    else:
        typer.echo(f"job {job.id}: {job.kind}, {job.status}")
