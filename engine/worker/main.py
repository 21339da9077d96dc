"""The worker process: a private socket, low priority, and nothing that waits for a model on the event loop."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from configs import clock
from configs.errors import BlockedError, RealmError, UsageError
from configs.inn import WorkerRules
from configs.loader import load_game
from configs.paths import SaveFolder
from engine.hero.folder import stay_offline
from engine.link.endpoint import MAX_SOCKET_PATH_BYTES
from engine.worker.notes import note
from saves.locks import FileLock

if TYPE_CHECKING:
    from engine.worker.app import Serving
    from engine.worker.loading import Loader

CACHE_SHARE = 0.25
"""Share of the memory budget that keys and values of one form may take on top of it."""
MEMORY_SHARE = 0.25
"""Share of the machine's memory that loaded forms take where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the worker is started with."""

    socket: Path
    save: SaveFolder | None = None
    store: Path | None = None
    memory_gb: float | None = None
    threads: int | None = None
    hero_file: Path | None = None
    device: str = "cpu"


def main(orders: Orders) -> int:
    """Serve until told to end; the exit code.

    Raises:
        RealmError: the socket cannot be used, or a file is missing.
    """
    served = False

    def end(number: int, frame: FrameType | None) -> None:
        """Before serving a signal ends the process; while it serves the server has handlers of its own; afterwards it is done."""
        if not served:
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(0o077)
    rules = load_game().inn.worker
    os.setpriority(os.PRIO_PROCESS, 0, max(rules.nice, os.getpriority(os.PRIO_PROCESS, 0)))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(orders.threads or rules.threads))
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    stay_offline()

    from engine.worker.app import make_app

    listening, lock = listen(orders.socket)
    try:
        serving = serving_of(orders, rules)
        served = True
        note(f"listening at {orders.socket}, {serving.shelf.budget / 1e9:.2f} GB for forms, pid {os.getpid()}")
        _serve(make_app(serving), listening)
        note("ended")
    finally:
        orders.socket.unlink(missing_ok=True)
        lock.release()
    return 0


def serving_of(orders: Orders, rules: WorkerRules) -> Serving:
    """What the requests share; nothing is loaded yet."""
    from engine.worker.app import Serving
    from engine.worker.bench import Bench
    from engine.worker.forms import Catalogue
    from engine.worker.shelf import Shelf

    catalogue = Catalogue(orders.save, orders.store, _hero(orders.hero_file))
    budget = _budget(orders.memory_gb if orders.memory_gb is not None else rules.memory_gb)
    bench = Bench(rules.batch, int(budget * CACHE_SHARE))
    threads = orders.threads or rules.threads

    def loader() -> Loader:
        from engine.worker.loading import Loader

        made = Loader(orders.device, threads, catalogue.find)
        made.set_up()
        return made

    about = {"device": orders.device, "threads": threads, "nice": os.getpriority(os.PRIO_PROCESS, 0)}
    return Serving(catalogue, Shelf(budget, loader, bench.forget), bench, rules.tokens, about, since=clock.now())


def _hero(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read", why=str(error), fix="give a hero as JSON", code="BAD_ARGUMENT"
        ) from error
    return data


def listen(path: Path) -> tuple[socket.socket, FileLock]:
    """A unix socket in a folder of this user alone, and the lock that says whose it is.

    Raises:
        UsageError: the folder is open to others, or the path is too long for a socket.
        BlockedError: another worker listens there.
    """
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise UsageError(
            f"the socket's path has {len(os.fsencode(path))} bytes, and a unix socket may have {MAX_SOCKET_PATH_BYTES}",
            fix="choose a shorter folder",
            code="WORKER_SOCKET",
        )
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.stat()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise UsageError(
            f"{folder} is open to others",
            why="whoever reaches the socket can ask the hero",
            fix=f"chmod 700 {folder}, or choose another folder",
            code="WORKER_SOCKET",
        )
    lock = FileLock(path.with_name(path.name + ".lock"))
    if not lock.acquire():
        raise BlockedError(
            f"another worker listens at {path.name}",
            fix="ask that one, end it first, or choose another name",
            code="WORKER_SOCKET",
        )
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(os.fspath(path))
    path.chmod(0o600)
    made.listen(128)
    return made, lock


def _serve(app: Any, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=300,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _budget(asked_gb: float) -> int:
    if asked_gb > 0:
        return int(asked_gb * 1e9)
    import psutil

    return int(psutil.virtual_memory().total * MEMORY_SHARE)


def run(orders: Orders) -> int:
    """`main`, with refusals on stderr and their exit codes."""
    try:
        return main(orders)
    except RealmError as error:
        sys.stderr.write(error.text() + "\n")
        return error.exit_code
