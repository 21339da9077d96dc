"""What a box is: its system, processors, memory, disk, cards and clock."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from typing import Any

from . import processes

_CARD = ("name", "memory.total", "memory.used", "utilization.gpu", "driver_version")


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """Facts about this box; what cannot be found out is None."""
    folder = request["root"]
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    disk = shutil.disk_usage(folder)
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.system(),
        "machine": platform.machine(),
        "boot_id": processes.boot_id(),
        "time": time.time(),
        "user": _user(),
        "cpus": os.cpu_count(),
        "memory": _memory("MemTotal"),
        "memory_free": _memory("MemAvailable"),
        "disk": disk.total,
        "disk_free": os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize,
        "cards": cards(),
    }


def cards() -> list[dict[str, Any]] | None:
    """The NVIDIA cards the driver sees; None where there is no driver or it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    argv = [tool, f"--query-gpu={','.join(_CARD)}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = []
    for line in said.stdout.decode("utf-8", "replace").splitlines():
        name, total, used, busy, driver = [part.strip() for part in [*line.split(","), *([""] * 5)][:5]]
        found.append(
            {
                "name": name,
                "memory_mb": _number(total),
                "used_mb": _number(used),
                "busy": _number(busy),
                "driver": driver,
            }
        )
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _memory(key: str) -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{key}:"))
    except (OSError, StopIteration):
        return None


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return str(os.geteuid())
