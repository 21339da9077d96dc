"""Jobs as a person asks for them: what was typed becomes a payload, and one can wait for what comes of it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.errors import UsageError
from configs.paths import SaveFolder
from realm_tui.runtime.jobs.dispatcher import Dispatcher, OnChange
from realm_tui.runtime.jobs.kinds import kind_of
from realm_tui.runtime.jobs.service import dispatcher_for
from realm_tui.runtime.opened import opened
from saves import jobs
from saves.jobs import Job

_PATHS = {"file", "out"}
"""Fields that name a file of the player's."""


def wishes(kind: str, given: Sequence[str], payload: str | None) -> dict[str, Any]:
    """What was typed as ``field=value`` or as one JSON object.

    Raises:
        UsageError: there is no such kind or field, or the JSON is none.
    """
    found: dict[str, Any] = {}
    fields = kind_of(kind).payload.model_fields
    if payload is not None:
        try:
            read = json.loads(payload)
        except ValueError as error:
            raise UsageError(
                "--payload is no JSON", why=str(error), fix="""write '{"skill": "bin"}'""", code="BAD_PAYLOAD"
            ) from error
        if not isinstance(read, dict):
            raise UsageError("--payload is no JSON object", fix="""write '{"skill": "bin"}'""", code="BAD_PAYLOAD")
        found.update(read)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in fields:
            raise UsageError(
                f"{text!r} is no field of {kind}",
                fix=f"write FIELD=VALUE with one of {', '.join(fields) or 'no field at all'}",
                code="BAD_PAYLOAD",
            )
        found[name] = _value(fields[name].annotation, value)
    for name in _PATHS & found.keys():
        if isinstance(found[name], str):  # whoever does the job stands in another folder
            found[name] = str(Path(found[name]).expanduser().absolute())
    return found


def _value(wanted: Any, text: str) -> Any:
    """Numbers, truths and lists as JSON reads them where a field wants no text; everything else as it stands."""
    if wanted is str or wanted == str | None:
        return None if text == "null" else text
    try:
        return json.loads(text)
    except ValueError:
        return text


def submit_job(
    folder: SaveFolder, kind: str, payload: Mapping[str, Any], *, priority: str = "normal", key: str | None = None
) -> Job:
    """Put a job into the table, after its payload was read as its worker will read it.

    Raises:
        UsageError, BlockedError: see `saves.jobs.submit`.
        JobError: the payload is not what the kind reads.
    """
    one = kind_of(kind)
    one.read(payload)
    with opened(folder, write=True) as save:
        return jobs.submit(save.conn, kind, payload, priority=priority, key=key)


def change(folder: SaveFolder, number: int, what: str) -> Job:
    """Cancel a job, or let it be tried again.

    Raises:
        UsageError, BlockedError: see `saves.jobs.cancel` and `saves.jobs.retry`.
    """
    act = {"cancel": jobs.cancel, "retry": jobs.retry}[what]
    with opened(folder, write=True) as save:
        return act(save.conn, number)


def work_here(folder: SaveFolder, *, until_idle: bool, on_change: OnChange | None = None) -> int:
    """Work on jobs in this process; INT and TERM give back what is under way. How many came to an end."""
    with opened(folder):
        pass

    async def serve(dispatcher: Dispatcher) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, dispatcher.stop)
        return await dispatcher.run(until_idle=until_idle)

    return asyncio.run(serve(dispatcher_for(folder, on_change)))


def wait_for(folder: SaveFolder, number: int, tell: Callable[[str], None] | None = None) -> Job:
    """Work on jobs here until one has ended, whoever does it; the job afterwards.

    Args:
        tell: hears, once each, why it has to wait.
    """

    async def serve() -> None:
        dispatcher = dispatcher_for(folder, None)
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(sign, dispatcher.stop)
        working = asyncio.create_task(dispatcher.run())
        told = ""
        with opened(folder) as save:
            while not working.done() and not (job := jobs.job(save.conn, number)).ended:
                if tell is not None and job.status in jobs.WAITING and job.error not in (None, told):
                    told = job.error or ""
                    tell(f"job {number} waits: {told}; it stays on the list if you leave")
                await asyncio.wait({working}, timeout=_LOOK_S)
        dispatcher.stop()
        await working

    asyncio.run(serve())
    with opened(folder) as save:
        return jobs.job(save.conn, number)


_LOOK_S = 0.1
"""Between two looks at the job that is waited for."""
