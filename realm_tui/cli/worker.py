"""``realm worker``: the servers that answer as the hero's forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from configs.paths import SaveFolder
    from realm_tui.runtime.inn.reach import InnReach
    from saves.workers import Worker

app = typer.Typer(
    help="The servers that answer as the hero's forms: here, on other machines, or somebody else's.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
T = TypeVar("T")

NameArgument = Annotated[str, typer.Argument(metavar="WORKER", help="Its name, see `realm worker list`.")]
PlaceArgument = Annotated[str, typer.Argument(metavar="PLACE", help="The place it stands at, e.g. arena.")]


@app.command("list")
def list_workers(
    look: Annotated[bool, typer.Option("--look/--no-look", help="Look at each of them now.")] = True,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the servers this save knows, how they are, and which forms they hold."""
    folder = _folder(save)

    async def found(reach: InnReach) -> list[Worker]:
        return await reach.fleet.muster() if look else reach.fleet.all_known()

    listed = _with(folder, found)
    names = _forms(folder)
    if as_json:
        data([facts(each, names) for each in listed])
        return
    if not listed:
        say("no server was started or adopted yet; `realm worker start PLACE` starts one")
        return
    table(
        ("WORKER", "PLACE", "KIND", "STATE", "FORM", "SEEN", ""),
        [
            (
                each.id,
                each.box,
                each.kind if each.strict else f"{each.kind} (not strict)",
                each.state.replace("_", " "),
                _holds(each, names),
                _ago(each.seen_at),
                each.why,
            )
            for each in listed
        ],
    )


@app.command()
def start(
    place: PlaceArgument,
    form: Annotated[
        str | None,
        typer.Option("--form", help="The form it shall hold: a name, best, latest, champion or base."),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the server of a place, or meet the one that runs; with --form it also takes that form up and proves it."""
    from realm_tui.runtime.inn.forms import Speaker, default_form, speaker
    from realm_tui.runtime.opened import opened

    folder = _folder(save)

    async def begin(reach: InnReach) -> Worker:
        _, server = reach.fleet.ways.place(place)
        who: Speaker | None = None
        if form is not None or server.kind in ("vllm", "sglang"):
            with opened(folder) as found:
                who = speaker(found, form or default_form(found))
        if who is None:
            return await reach.fleet.start(place, tell=say)
        ready = await reach.ready(place, who, displace=True, tell=say)
        return reach.fleet.worker(ready.worker)

    worker = _with(folder, begin)
    _tell(worker, folder, as_json=as_json)


@app.command()
def adopt(
    place: PlaceArgument,
    address: Annotated[
        str,
        typer.Argument(
            help="Its socket there, http://127.0.0.1:PORT as seen from there, or https://… [default: the place's]."
        ),
    ] = "",
    kind: Annotated[
        str | None, typer.Option("--kind", help="own, vllm, sglang or openai [default: the place's].")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What to call it [default: PLACE-KIND].")] = "",
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take up a server that somebody else started. It is asked like any other, and never ended from here."""
    from configs.errors import UsageError

    kinds: dict[str | None, Any] = {None: None, "own": "own", "vllm": "vllm", "sglang": "sglang", "openai": "openai"}
    if kind not in kinds:
        raise UsageError(f"{kind!r} is no kind of server", fix="own, vllm, sglang or openai", code="BAD_ARGUMENT")
    folder = _folder(save)
    worker = _with(folder, lambda reach: reach.fleet.adopt(place, address, name=name, kind=kinds[kind]))
    _tell(worker, folder, as_json=as_json)


@app.command()
def stop(name: NameArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """End a server that was started from here; one that was adopted is only forgotten."""
    from configs.facilities import load_facilities

    folder = _folder(save)
    worker = _with(folder, lambda reach: reach.fleet.stop(name))
    if as_json:
        data(facts(worker, {}))
        return
    if worker.origin == "started" and worker.box not in load_facilities().facilities:
        say(f"{name} is forgotten; its place is no more, and what may run there ends with its lease")
        return
    say(f"{name} is forgotten; it runs on" if worker.origin == "adopted" else f"{name} has ended")


@app.command()
def sleep(name: NameArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Let a server give its card or memory back without ending; it wakes with the next question."""
    folder = _folder(save)
    _tell(_with(folder, lambda reach: reach.fleet.sleep(name)), folder, as_json=as_json)


@app.command()
def wake(name: NameArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Let a sleeping server take its card again; the form it holds is proved anew."""
    folder = _folder(save)
    _tell(_with(folder, lambda reach: reach.fleet.wake(name)), folder, as_json=as_json)


@app.command()
def logs(
    name: NameArgument,
    lines: Annotated[int, typer.Option("--lines", min=1, max=10_000, help="How many, from the end.")] = 100,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a server wrote last."""
    found = _with(_folder(save), lambda reach: reach.fleet.logs(name, lines))
    if as_json:
        data(found)
        return
    for line in found:
        typer.echo(line)


def facts(worker: Worker, names: dict[str, str]) -> dict[str, Any]:
    """A worker for machines."""
    held = [str(digest) for digest in worker.detail.get("forms", ())] if worker.runs else []
    return {
        "name": worker.id,
        "place": worker.box,
        "kind": worker.kind,
        "strict": worker.strict,
        "origin": worker.origin,
        "state": worker.state,
        "why": worker.why,
        "forms": [{"digest": digest, "name": names.get(digest)} for digest in held],
        "pid": worker.pid,
        "lease_s": worker.lease_s,
        "started_at": worker.created_at,
        "seen_at": worker.seen_at,
        "stopped_at": worker.stopped_at,
    }


def _tell(worker: Worker, folder: SaveFolder, *, as_json: bool) -> None:
    names = _forms(folder)
    if as_json:
        data(facts(worker, names))
        return
    held = _holds(worker, names)
    strict = "" if worker.strict else "; it cannot prove which form answers, so its answers never count as exams"
    typer.echo(f"{worker.id} is {worker.state.replace('_', ' ')}" + (f", {held}" if held != "–" else "") + strict)


def _holds(worker: Worker, names: dict[str, str]) -> str:
    held = [str(digest) for digest in worker.detail.get("forms", ())] if worker.runs else []
    shown = [names.get(digest, digest[:12]) for digest in held]
    return ", ".join(shown[:2]) + (f" and {len(shown) - 2} more" if len(shown) > 2 else "") if shown else "–"


def _ago(at: float | None) -> str:
    from configs.clock import now
    from lore.figures import duration

    return "–" if at is None else f"{duration(max(0.0, now() - at))} ago"


def _folder(save: str | None) -> SaveFolder:
    from configs.paths import SaveFolder

    return SaveFolder.named(save)


def _forms(folder: SaveFolder) -> dict[str, str]:
    """Digest to name of every form of the save."""
    from contextlib import closing

    from saves.database import open_save
    from saves.ledger import kept_checkpoints

    with closing(open_save(folder, write=False)) as conn:
        return {row.digest: row.name for row in kept_checkpoints(conn)}


def _with(folder: SaveFolder, do: Callable[[InnReach], Awaitable[T]]) -> T:
    import asyncio

    from realm_tui.runtime.inn.reach import InnReach

    async def run() -> T:
        reach = InnReach(folder)
        try:
            return await do(reach)
        finally:
            await reach.aclose()

    return asyncio.run(run())
