"""Where and with what a benchmark ran."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from configs.version import __version__

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "textual",
    "typer",
    "pydantic",
    "numpy",
    "trl",
    "datasets",
)


def machine() -> dict[str, Any]:
    """Processor, memory, system, and how busy the machine was with other things just now."""
    busy = psutil.cpu_percent(interval=1.0)
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "busy_percent_before": busy,
        "load_before": [round(load, 2) for load in psutil.getloadavg()],
    }


def versions() -> dict[str, str | None]:
    """The game's own version and commit, Python's, and those of the packages that matter; None: not installed."""
    found: dict[str, str | None] = {"realm": __version__, "commit": _commit(), "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a process that is measured: one thread, this repository's packages, and bytecode that is kept.

    An installed game has its bytecode on disk; where Python is told not to write any, every start would compile the whole game.
    """
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    found = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), **more}
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # no such file but on Linux
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit that was measured, with a ``+`` when files were changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
