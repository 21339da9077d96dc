"""Which of several processes this one is, and the start of the others. Torch-free.

Two ways lead to several processes. The keeper starts one trainer; that one reads ``engine.processes`` and starts the others on the same
machine. Or `accelerate launch` (or torchrun) starts all of them, on one machine or several, and says so in the environment.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from configs.errors import RealmError
from configs.paths import SaveFolder
from configs.schema import EngineRules

FIRST_ENDS_S = 10.0
"""How long the first process may take to notice by itself that another one has ended, before it is ended too."""
OTHERS_END_S = 20.0
"""How long the others may take to end after the first has told them to, before they are ended."""
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


@dataclass(frozen=True, slots=True)
class Seat:
    """This process among all that train one hero."""

    rank: int
    """0 plays the game."""
    processes: int
    local_rank: int
    """Counted on this machine: the number of its card."""
    local_processes: int

    @property
    def first(self) -> bool:
        """Whether this process plays the game."""
        return self.rank == 0


ALONE = Seat(0, 1, 0, 1)


def seat(environment: Mapping[str, str] | None = None) -> Seat:
    """This process's seat, as a launcher has written it into the environment; `ALONE` without one.

    Raises:
        RealmError: the environment names a place that cannot be.
    """
    given = os.environ if environment is None else environment
    if "WORLD_SIZE" not in given:
        return ALONE
    try:
        processes = int(given["WORLD_SIZE"])
        rank = int(given.get("RANK", 0))
        found = Seat(rank, processes, int(given.get("LOCAL_RANK", rank)), int(given.get("LOCAL_WORLD_SIZE", processes)))
    except ValueError as error:
        raise _unusable(str(error)) from error
    if not 0 <= rank < processes:
        raise _unusable(f"RANK is {rank} of WORLD_SIZE {processes}")
    return found


def kind_of(rules: EngineRules, environment: Mapping[str, str] | None = None) -> str:
    """``ddp`` or ``fsdp2``: as the rules say; where they say nothing, as `accelerate launch` was told."""
    given = os.environ if environment is None else environment
    if rules.parallel != "none":
        return rules.parallel
    return "fsdp2" if given.get("ACCELERATE_USE_FSDP", "").lower() == "true" else "ddp"


class Others:
    """The other processes of this machine, started by the first.

    They end with it: by its word, or, should it be killed, because their standard input closes.

    Args:
        folder: the save.
        processes: how many there are together with this one; this one gets seat 0.
    """

    def __init__(self, folder: SaveFolder, processes: int) -> None:
        common = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes),
        }
        os.environ.update(common, RANK="0", LOCAL_RANK="0")
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
        program = [sys.executable, "-P", "-m", "engine", "trainer", "--save-dir", str(folder.root), "--tied"]
        self._ending = False
        self._running = [
            subprocess.Popen(
                program, stdin=subprocess.PIPE, env={**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            )
            for rank in range(1, processes)
        ]
        for rank, process in enumerate(self._running, start=1):
            threading.Thread(target=self._watch, args=(rank, process), name=f"process-{rank}", daemon=True).start()

    def close(self) -> None:
        """Wait for the others to end, and end those that do not."""
        self._ending = True
        until = time.monotonic() + OTHERS_END_S
        for process in self._running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def abandon(self) -> None:
        """End the others at once."""
        self._ending = True
        for process in self._running:
            process.kill()
            process.wait()

    def _watch(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        """A process that ended early leaves the first one waiting for it; what waits on a card may wait for long."""
        code = process.wait()
        if self._ending:
            return
        sys.stderr.write(f"process {rank} of this trainer ended with code {code}\n")
        sys.stderr.flush()
        time.sleep(FIRST_ENDS_S)
        if not self._ending:
            os._exit(code if code > 0 else 1)


def tie_to_parent() -> None:
    """End this process as soon as the one that started it is gone."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="tied", daemon=True).start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _unusable(why: str) -> RealmError:
    return RealmError(
        "the launcher's environment cannot be understood",
        why=why,
        fix="start with `accelerate launch`, or clear RANK and WORLD_SIZE",
        code="LAUNCH_BROKEN",
    )
