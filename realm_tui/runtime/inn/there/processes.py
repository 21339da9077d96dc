"""Who a process is, who belongs to a server, and how all of it is ended."""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARK = "REALM_BOX_RUN"
"""A variable every process of a server inherits: its run folder. It finds children that left the group."""


def boot_id() -> str:
    """An id that changes with every boot of this machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return _said(["sysctl", "-n", "kern.boottime"])


def ticks(pid: int) -> int | None:
    """When a process started (clock ticks since boot; elsewhere a number made of its start time); None: it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError):
        if os.path.isdir("/proc/self"):
            return None
    started = _said(["ps", "-o", "lstart=", "-p", str(pid)])
    return int(time.mktime(time.strptime(started))) if started else None


def _said(argv: list[str]) -> str:
    import subprocess

    try:
        return (
            subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode().strip()
        )
    except OSError:
        return ""


def identity(pid: int) -> dict[str, Any]:
    """What makes ``pid`` one process and no later one of the same number."""
    return {"pid": pid, "ticks": ticks(pid)}


def lives(one: dict[str, Any] | None, boot: str | None) -> bool:
    """Whether the process that was written down still runs."""
    return (
        bool(one)
        and boot == boot_id()
        and one is not None
        and one["ticks"] is not None
        and ticks(one["pid"]) == one["ticks"]
    )


def members(folder: str, group: int | None) -> dict[int, int]:
    """Every process of a server but this one: those of its group, and those that carry its mark; pid to start ticks."""
    found: dict[int, int] = {}
    if not os.path.isdir("/proc/self"):
        listed = _said(["ps", "-ax", "-o", "pid=,pgid="]).splitlines()
        pids = [int(line.split()[0]) for line in listed if group is not None and line.split()[1] == str(group)]
        return {pid: when for pid in pids if pid != os.getpid() and (when := ticks(pid)) is not None}
    mark = f"{MARK}={folder}".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        pid = int(name)
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                ours = mark in file.read().split(b"\0")
            ours = ours or (group is not None and os.getpgid(pid) == group)
        except OSError:
            continue
        when = ticks(pid) if ours else None
        if when is not None:
            found[pid] = when
    return found


def end(folder: str, group: int | None, grace_s: float) -> int:
    """End every process of a server: politely, and after ``grace_s`` by force. Returns how many there were."""
    found = members(folder, group)
    _signal(found, signal.SIGTERM)
    until = time.monotonic() + grace_s
    left = found
    while left and time.monotonic() < until:
        time.sleep(0.02)
        left = {pid: when for pid, when in left.items() if ticks(pid) == when}
    left = members(folder, group)
    while left:
        _signal(left, signal.SIGKILL)
        time.sleep(0.02)
        left = {pid: when for pid, when in left.items() if ticks(pid) == when} if left else {}
        if time.monotonic() > until + 5:
            break
    return len(found)


def _signal(found: dict[int, int], number: int) -> None:
    for pid, when in found.items():
        if ticks(pid) == when:
            try:
                os.kill(pid, number)
            except OSError:
                continue
