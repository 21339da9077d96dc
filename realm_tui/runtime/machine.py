"""What this machine is, asked without loading torch: card, battery, terminal, installed versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution, from its metadata; None when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class Graphics:
    """A card and its memory."""

    name: str
    memory_bytes: int


def graphics() -> Graphics | None:
    """The first NVIDIA card with its memory, as its driver says; None when there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=5,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.splitlines() if answer.returncode == 0 else []
    name, _, mib = lines[0].rpartition(",") if lines else ("", "", "")
    return Graphics(name.strip(), int(mib) * 1024**2) if mib.strip().isdigit() else None


def graphics_card() -> str | None:
    """The name of the first NVIDIA card; None when none is seen."""
    for info in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            model = re.search(r"^Model:\s*(.+)$", info.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        except OSError:
            continue
        if model:
            return model.group(1).strip()
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=5,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.splitlines()
    return lines[0].strip() if answer.returncode == 0 and lines else None


def torch_builds_for() -> str | None:
    """``cpu``, ``cuda`` or ``rocm`` as the installed torch names its build; None when there is no torch."""
    version = version_of("torch")
    if version is None:
        return None
    local = version.partition("+")[2]
    if local.startswith("cpu"):
        return "cpu"
    if local.startswith("rocm"):
        return "rocm"
    if local.startswith("cu"):
        return "cuda"
    return "cuda" if version_of("nvidia-cuda-runtime") or version_of("nvidia-cuda-runtime-cu12") else "cpu"


def on_battery() -> bool | None:
    """Whether the machine runs on battery; None when it has none, or does not say."""
    import psutil

    read = getattr(psutil, "sensors_battery", None)
    state = read() if read is not None else None
    return None if state is None or state.power_plugged is None else not state.power_plugged


def processes_die_at_logout() -> bool | None:
    """Whether logind is set to kill everything at logout (``KillUserProcesses=yes``); None where it is not known."""
    found: bool | None = None
    parts = [Path("/etc/systemd/logind.conf"), *sorted(Path("/etc/systemd/logind.conf.d").glob("*.conf"))]
    for path in parts:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = bool(found)
        for value in re.findall(r"^\s*KillUserProcesses\s*=\s*(\w+)", text, re.MULTILINE):
            found = value.lower() in ("yes", "true", "on", "1")
    return found


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the terminal says of itself."""

    tty: bool
    term: str
    truecolor: bool
    utf8: bool
    ssh: bool
    multiplexer: str | None
    """``tmux`` or ``screen``."""
    no_color: bool


def terminal(environ: Mapping[str, str] | None = None, *, tty: bool, encoding: str | None) -> Terminal:
    """Read the terminal's promises from the environment."""
    env = os.environ if environ is None else environ
    term = env.get("TERM", "")
    return Terminal(
        tty=tty,
        term=term,
        truecolor=env.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "direct" in term,
        utf8=(encoding or "").lower().replace("-", "") == "utf8",
        ssh=bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY")),
        multiplexer="tmux" if env.get("TMUX") else "screen" if term.startswith("screen") else None,
        no_color=bool(env.get("NO_COLOR")),
    )
