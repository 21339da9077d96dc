"""Servers that outlive this program for as long as their lease: started, found again, renewed, stopped, by name, on any box.

The work is done there by `realm_tui.runtime.inn.there`, which is copied to a box when it is first needed. Two realms on one box have
names of their own (`realm_id`), and see each other's servers only in `servers`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from configs.errors import BlockedError, RealmError
from configs.paths import realm_home
from realm_tui.runtime.figures import size
from realm_tui.runtime.inn.box import Box, Ran

_SCRIPTS = ("__init__", "processes", "place", "watch", "supervisor", "store", "arrival", "probe", "main")
_DOOR = "import sys\nsys.path.insert(0, __file__.rpartition('/')[0])\nfrom there.main import main\nsys.exit(main())\n"
_QUICK = frozenset({"find", "renew", "list", "logs", "uses", "forms", "whole"})
"""Questions that are answered at once and may be put twice; over SSH one process answers all of them."""
ENDS = {
    "lease": "nobody asked for it for a whole lease, so the box ended it",
    "ended": "it ended by itself",
    "killed": "it was killed",
    "rebooted": "its box was restarted",
    "removed": "it was removed there",
}
"""How a server ended, in words."""
LOG_BYTES = 16 << 20
"""Size at which a server's log begins anew, with its end kept beside it."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs on a box. Pid, start ticks and boot id together are one process and no later one."""

    name: str
    pid: int
    ticks: int
    boot_id: str
    since: float
    """Seconds since the epoch, by the clock of the box."""
    socket: str
    """The path its ``{socket}`` stands for, there."""
    log: str
    lease_s: float
    adopted: bool = False
    """It ran already when it was to be started."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a server ended."""

    why: str
    """``stopped``, ``lease`` (nobody asked for it any more), ``ended`` (by itself), ``killed``, ``rebooted``, ``removed``."""
    code: int | None
    """Its exit status, or minus the signal; None: unknown."""
    at: float | None


def realm_id() -> str:
    """What tells this realm from others on a shared box: eight random letters and digits, made once."""
    path = realm_home() / "inn" / "realm"
    try:
        found = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        found = ""
    if found:
        return found
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(4)}\n")
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").strip()


def full_name(name: str) -> str:
    """A server's name on the box: this realm's id before it."""
    return f"{realm_id()}.{name}"


async def start(
    box: Box,
    name: str,
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    lease_s: float | None = None,
    *,
    uses: Sequence[str] = (),
    cwd: str | None = None,
) -> Running:
    """Start a server, or adopt the one of that name that runs.

    Args:
        name: lower-case letters, digits, ``-`` and ``_``; this realm's own.
        argv: its command line; ``{socket}`` becomes the path of its unix socket, in a folder only the user can enter, and ``{run}`` its run folder.
        env: variables beside those of the login there; nothing secret.
        lease_s: silence after which the box ends it; None: the rule's.
        uses: digests of forms that must stay in the store while it runs.

    Raises:
        RealmError: it could not be started (``START_FAILED``); the box could not be reached.
    """
    rules = box.rules.lease
    request = {
        "name": full_name(name),
        "argv": list(argv),
        "env": dict(env or {}),
        "lease_s": lease_s or rules.lease_s,
        "grace_s": rules.end_s,
        "uses": list(uses),
        "cwd": cwd,
        "log_bytes": LOG_BYTES,
    }
    answer = await ask(box, "start", request)
    running = _running(answer["running"], adopted=answer["adopted"])
    assert running is not None
    return running


async def find(box: Box, name: str) -> Running | None:
    """The server of that name, if it runs; one that was started before the box was restarted does not."""
    return _running((await ask(box, "find", {"name": full_name(name)}))["running"])


async def how_ended(box: Box, name: str) -> Ended | None:
    """How the server of that name ended; None: it runs, or there never was one."""
    found = (await ask(box, "find", {"name": full_name(name)}))["ended"]
    return None if found is None else Ended(found["why"], found["code"], found["at"])


async def renew(box: Box, *names: str, lease_s: float | None = None) -> dict[str, Running | None]:
    """Let servers go on for another lease, in one call; None for each that does not run any more."""
    asked = {full_name(name): name for name in names}
    answer = await ask(box, "renew", {"names": list(asked), "lease_s": lease_s})
    return {asked[name]: _running(found) for name, found in answer["running"].items()}


async def stop(box: Box, name: str) -> bool:
    """End a server and everything it started; False: it did not run."""
    rules = box.rules.lease
    answer = await ask(box, "stop", {"name": full_name(name), "grace_s": rules.end_s}, timeout_s=3 * rules.end_s + 30)
    return bool(answer["stopped"])


async def logs(box: Box, name: str, lines: int = 100) -> list[str]:
    """The last lines a server wrote, oldest first, as they are: clean them before drawing."""
    answer = await ask(box, "logs", {"name": full_name(name), "lines": lines})
    return [str(line) for line in answer["lines"]]


async def use(box: Box, name: str, digests: Sequence[str]) -> None:
    """Say which forms of the store a server needs from now on; they are not removed while it runs."""
    await ask(box, "uses", {"name": full_name(name), "digests": list(digests)})


async def servers(box: Box) -> dict[str, Running | None]:
    """Every server that was ever started on the box and not forgotten, by its full name; None: it ended."""
    answer = await ask(box, "list", {})
    return {name: _running(found["running"]) for name, found in answer["servers"].items()}


async def own(box: Box) -> dict[str, Running | Ended]:
    """This realm's servers on the box by name: those that run, and how the others ended."""
    mark, found = f"{realm_id()}.", (await ask(box, "list", {}))["servers"]
    mine: dict[str, Running | Ended] = {}
    for name, state in found.items():
        running, ended = _running(state["running"]), state["ended"]
        if name.startswith(mark) and (running is not None or ended is not None):
            mine[name.removeprefix(mark)] = running or Ended(ended["why"], ended["code"], ended["at"])
    return mine


async def forget(box: Box, name: str) -> None:
    """Remove what is left of a server that ended: its folder and its log."""
    await ask(box, "forget", {"name": full_name(name)})


def _running(found: Mapping[str, Any] | None, *, adopted: bool = False) -> Running | None:
    if found is None:
        return None
    child = found["child"]
    return Running(
        found["name"].partition(".")[2] if found["name"].startswith(f"{realm_id()}.") else found["name"],
        child["pid"],
        child["ticks"],
        found["boot_id"],
        found["since"],
        found["socket"],
        found["log"],
        found["lease_s"],
        adopted,
    )


# ---------------------------------------------------------------- asking a box


async def ask(box: Box, command: str, request: Mapping[str, Any], *, timeout_s: float | None = None) -> dict[str, Any]:
    """Let the box's side carry out a command; its scripts are copied there first where they are missing.

    Raises:
        RealmError: it was refused, and the code is the box's; or it took too long (``HOST_TIMEOUT``).
        LinkLostError: the line ended first.
    """
    timeout_s = timeout_s or box.rules.link.command_s
    request = {"root": await box.inn(), **request}
    try:
        ran = await _ran(box, command, request, timeout_s)
    except TimeoutError as error:
        raise RealmError(
            f"{box.label} did not do what it was asked within {timeout_s:g} s",
            why=f"`{command}` was ended there",
            fix=f"look at its load and its disk; `realm host test {box.id}` says more",
            code="HOST_TIMEOUT",
        ) from error
    return answer_of(box, ran)


async def _ran(box: Box, command: str, request: Mapping[str, Any], timeout_s: float) -> Ran:
    """What a command said: that of the kept process where it knows the command, else one of its own."""
    if command in _QUICK:
        line = json.dumps({"command": command, "request": request}).encode() + b"\n"
        answer = await box.exchange(await command_line(box, "serve"), line, timeout_s=timeout_s)
        if answer is not None:
            return Ran(0, answer, b"")
    data, argv = json.dumps(request).encode(), await command_line(box, command)
    ran = await box.run(argv, stdin=data, timeout_s=timeout_s)
    if missing(ran):
        await install(box)
        ran = await box.run(argv, stdin=data, timeout_s=timeout_s)
    return ran


def answer_of(box: Box, ran: Ran) -> dict[str, Any]:
    """The answer in what the box's side said last, or its refusal as an error."""
    last = ran.out.strip().rpartition(b"\n")[2]
    try:
        answer = json.loads(last) if last else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        no_python = ran.code in (126, 127)
        raise RealmError(
            f"the Inn's scripts do not run on {box.label}",
            why=f"there is no {box.python} there" if no_python else ran.reason,
            fix=f"`realm host setup {box.id}`" if no_python else f"`realm host test {box.id}`",
            code="BOX_PYTHON",
        )
    if "error" in answer:
        raise refused(box, answer["error"])
    return answer


def refused(box: Box, error: Mapping[str, Any]) -> RealmError:
    """A refusal of the box's side as an error with its way out."""
    what, code = f"{box.label}: {error.get('what')}", error.get("code")
    if code == "DISK_FULL_THERE":
        free, need = (float(error.get(key) or 0) for key in ("free", "need"))
        return BlockedError(
            f"the disk of {box.label} is full",
            why=f"{size(free)} are free, {size(need)} are needed with the reserve" if need else str(error.get("what")),
            fix="free space there, or lower `inn.sync.reserve_gb`; forms that a server uses are never removed",
            code="DISK_FULL_THERE",
        )
    if code == "START_FAILED":
        return RealmError(what, why=str(error.get("why", "")), fix=f"`realm host test {box.id}`", code="START_FAILED")
    if code == "SERVER_BUSY":
        return BlockedError(what, fix="try again in a moment", code="SERVER_BUSY")
    if code == "SERVER_RUNS":
        return BlockedError(what, fix="stop it first", code="SERVER_RUNS")
    if code == "FORM_IN_USE_THERE":
        return BlockedError(what, fix="stop the server that uses it", code="FORM_IN_USE_THERE")
    if code == "SOCKET_FOLDER":
        return RealmError(what, fix="remove it there, or set TMPDIR for your login there", code="SOCKET_FOLDER")
    return RealmError(what, fix=f"`realm host test {box.id}`", code="BOX_FAILED")


@cache
def _scripts() -> tuple[str, dict[str, bytes]]:
    """What is copied to a box, and the hash that names it."""
    source = files("realm_tui.runtime.inn.there")
    found = {f"there/{name}.py": source.joinpath(f"{name}.py").read_bytes() for name in _SCRIPTS}
    found["run.py"] = _DOOR.encode()
    return hashlib.sha256(b"".join(found.values())).hexdigest()[:16], found


async def command_line(box: Box, command: str) -> list[str]:
    """The command line of the box's side."""
    return [box.python, "-I", "-S", f"{await box.inn()}/bin/{_scripts()[0]}/run.py", command]


def missing(ran: Ran) -> bool:
    """The scripts are not there yet: Python could not open them."""
    return ran.code != 0 and not ran.out and b"can't open file" in ran.err


async def install(box: Box) -> bool:
    """Copy the scripts there; the one that makes them runnable last. False: they were there."""
    folder = f"{await box.inn()}/bin/{_scripts()[0]}"
    if await box.exists(f"{folder}/run.py"):
        return False
    for name, data in _scripts()[1].items():
        await box.write(f"{folder}/{name}", data)
    return True
