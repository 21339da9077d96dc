"""Measures a skill on a newborn hatchling in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from configs.errors import RealmError
from engine.link.protocol import error_from
from realm_tui.runtime.engine_process import child_environment

LIMIT_S = 3600.0


def measure_gain(skill_id: str, *, steps: int, seed: int, pairs: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """What a newborn hatchling answers before and after it learnt the skill (see `engine.gain`).

    Raises:
        RealmError: the process failed; with its own error where it gave one.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "engine",
        "gain",
        "--skill",
        skill_id,
        "--steps",
        str(steps),
        "--seed",
        str(seed),
    ]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(list(pairs)),
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        told = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise RealmError(
            f"{skill_id} could not be measured in {LIMIT_S:.0f} s", fix="ask for fewer --steps", code="GAIN_FAILED"
        ) from error
    except (ValueError, IndexError) as error:
        raise RealmError(
            f"{skill_id} could not be measured",
            why=" ".join(done.stderr.split()[-40:]),
            fix="see `realm doctor`",
            code="GAIN_FAILED",
        ) from error
    if isinstance(told.get("error"), dict):
        raise error_from(told["error"])
    found: dict[str, Any] = told
    return found
