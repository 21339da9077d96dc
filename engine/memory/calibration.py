"""What training really took, remembered per machine: the next estimate for the same way of training is corrected by it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs import clock
from configs.paths import cache_dir
from configs.schema import MemoryRules
from configs.training import HeroTraining
from engine.memory.estimate import GIB

_FILE = "memory.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """The peak of a run's first steps beside what was estimated for it."""

    hero: str
    estimated_bytes: int
    """Without any correction."""
    measured_bytes: int
    at: float
    """UTC seconds."""

    @property
    def ratio(self) -> float:
        """Measured over estimated."""
        return self.measured_bytes / self.estimated_bytes


def machine_key(device: str, memory_bytes: int) -> str:
    """A device as it is remembered: its name and its memory in whole GiB."""
    return f"{' '.join(device.split())} {round(memory_bytes / GIB)} GiB"


def way_of(training: HeroTraining) -> str:
    """The way of training that a correction belongs to."""
    return f"{training.method} {training.optimizer}"


def remember(machine: str, training: HeroTraining, measured: Measured) -> None:
    """Write a measurement; the newest of a machine and a way of training is kept."""
    known = _read()
    known.setdefault(machine, {})[way_of(training)] = asdict(measured)
    path = cache_dir() / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{_FILE}.{os.getpid()}.new")
    beside.write_text(json.dumps({"version": _VERSION, "machines": known}, indent=1), encoding="utf-8")
    beside.replace(path)


def measured_on(machine: str, training: HeroTraining) -> Measured | None:
    """What was measured on this machine for this way of training; None: nothing yet."""
    found = _read().get(machine, {}).get(way_of(training))
    try:
        return None if found is None else Measured(**found)
    except TypeError:
        return None


def ratio_of(measured: Measured | None, rules: MemoryRules) -> float | None:
    """The correction, within the bounds of the rules; None: nothing was measured."""
    if measured is None or measured.estimated_bytes <= 0:
        return None
    return min(max(measured.ratio, rules.calibration_min), rules.calibration_max)


def measure(hero: str, estimated_bytes: int, measured_bytes: int) -> Measured:
    """A measurement made now."""
    return Measured(hero, estimated_bytes, measured_bytes, clock.now())


def _read() -> dict[str, dict[str, Any]]:
    """Everything remembered; a file that cannot be read counts as empty, for it can be measured again."""
    path: Path = cache_dir() / _FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    machines = data.get("machines") if isinstance(data, dict) and data.get("version") == _VERSION else None
    return machines if isinstance(machines, dict) else {}
