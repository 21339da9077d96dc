"""A job in a process of its own: polite beside training, stopped at once, and never outliving who started it.

``python -P -m realm_tui.runtime.jobs.apart`` reads one JSON object from standard input (``save, id, kind, payload``) and writes JSON
lines: any number of ``{"tell": text}``, then one with ``ok``. It never writes the table of jobs: that is for its parent, who holds the
lease. What else it writes bears the job's number, so that a second attempt finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.errors import RealmError
from configs.paths import SaveFolder
from realm_tui.runtime.jobs.kinds import Done, JobError, Workplace, error_class_of, kind_of
from realm_tui.runtime.troubles import own_fault
from saves.jobs import Job

NICE = 10
"""Politeness of the process beside training."""
_LINE_LIMIT = 64 << 20
_GRACE_S = 2.0


async def done_apart(job: Job, payload: Any, place: Workplace) -> Done:
    """Let a process of its own do the job; when this is cancelled, the process ends first.

    Raises:
        JobError: what it could not do, with the class of the error.
    """
    from realm_tui.runtime.engine_process import child_environment

    order = {"save": str(place.folder.root), "id": job.id, "kind": job.kind, "payload": payload.model_dump(mode="json")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "realm_tui.runtime.jobs.apart"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=place.folder.root,
        env=child_environment(),
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    try:
        process.stdin.write(json.dumps(order).encode())
        process.stdin.write_eof()
        last: dict[str, Any] = {}
        async for raw in process.stdout:
            last = _message(raw)
            if "tell" in last:
                place.tell(str(last["tell"]))
        await process.wait()
        said = (await errors).decode("utf-8", "replace").strip().splitlines()
    finally:
        await _ended(process)
        errors.cancel()
    if last.get("ok"):
        return Done(dict(last["result"]))
    found = last.get("error")
    if isinstance(found, Mapping):
        raise JobError(
            str(found.get("class", "validation")),
            str(found.get("what", "it failed")),
            why=str(found.get("why", "")),
            fix=str(found.get("fix", "")),
            code=str(found.get("code", "JOB_FAILED")),
        )
    raise JobError(
        "transport",
        f"the process of job {job.id} ended without a result",
        why=said[-1] if said else f"exit code {process.returncode}",
        fix="it is tried again where attempts are left",
        code="JOB_FAILED",
    )


async def _ended(process: asyncio.subprocess.Process) -> None:
    """See to it that the process and whatever it started are gone."""
    if process.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.shield(asyncio.wait_for(process.wait(), _GRACE_S))
            return


def _message(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# ---------------------------------------------------------------- inside


def main() -> int:
    """Do one job as standard input says; 0 when it was done."""
    _end_with_parent(os.getppid())
    os.nice(NICE)
    order = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no result

    def say(message: Mapping[str, Any]) -> None:
        out.write(json.dumps(message, ensure_ascii=False) + "\n")
        out.flush()

    try:
        kind = kind_of(order["kind"])
        folder = SaveFolder(Path(order["save"]))
        place = Workplace(folder, lambda text: say({"tell": text}))
        result = kind.inside(int(order["id"]), kind.read(order["payload"]), place)
    except RealmError as error:
        say({"ok": False, "error": {**error.as_dict(), "class": error_class_of(error)}})
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        say(
            {
                "ok": False,
                "error": {"class": "fault", "what": own_fault(error), "fix": "see `realm log`", "code": "FAULT"},
            }
        )
        return 1
    say({"ok": True, "result": result})
    return 0


def _end_with_parent(parent: int) -> None:
    """Be killed when the process that wants the result dies (Linux)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


if __name__ == "__main__":
    raise SystemExit(main())
