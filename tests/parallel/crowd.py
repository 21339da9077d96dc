"""Runs plans of `tests.parallel.crew` by several processes, or by this one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from engine.hero.loading import load_folder
from engine.parallel.launch import LOOPBACK
from engine.step import StepLoop
from tests.parallel.crew import PLACE, carry_out, config_of

DEADLINE_S = 240.0


def environment(rank: int, processes: int, port: int) -> dict[str, str]:
    """What a launcher tells process ``rank``."""
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    words = {name: str(value) for name, value in own.items()}
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": LOOPBACK}
    return {**os.environ, **words, **place, "OMP_NUM_THREADS": "1"}


def by_two(plans: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What two processes make of ``plans``, one after the other."""
    for number, plan in enumerate(plans):
        plan["out"] = str(folder / f"{number}.json")
    path = folder / "plans.json"
    path.write_text(json.dumps(plans))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.parallel.crew", str(path)],
            env=environment(rank, 2, port),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=DEADLINE_S)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(said)
    return [json.loads(Path(plan["out"]).read_text()) for plan in plans]


def by_one(plan: dict[str, Any]) -> dict[str, Any]:
    """What this process alone makes of a plan."""
    before = torch.get_rng_state()
    try:
        torch.manual_seed(7)
        hero = load_folder(config_of(plan), Path(plan.get("resume") or plan["model"]), PLACE)
        return carry_out(StepLoop(hero, PLACE), plan)
    finally:
        torch.set_rng_state(before)
