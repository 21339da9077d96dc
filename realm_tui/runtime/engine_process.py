"""Starts, finds and stops a save's engine. The engine is a process of its own and outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from configs import clock
from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from engine.link.client import Hello, OnProgress, Reply, engine_alive, say_hello, send_command
from engine.link.protocol import Command, Verb
from engine.link.state import EngineState
from saves.locks import is_held

LAST_LINES = 5
_POLL_S = 0.02
_ENDING_S = 600.0
"""How long an engine that stops may take; a large hero is written for minutes."""


def start_engine(folder: SaveFolder, *, wait: float = 30.0) -> Hello:
    """Start an engine for a save and wait until its keeper answers; the hero itself may still be loading.

    When one is running already, or another process starts one at the same moment, that one is met instead.

    Args:
        folder: the save, which must exist.
        wait: seconds to wait for the keeper.

    Raises:
        RealmError: it did not come up; the reason is the last it said.
    """
    met = _hello(folder)
    if met is not None and met.state is EngineState.STOPPING:
        met = _after_the_end(folder)
    if met is not None:
        return met
    folder.make()
    log = folder.logs / "keeper.log"
    with log.open("ab") as output:
        said_before = output.tell()
        process = subprocess.Popen(
            keeper_command(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder.root,
            env=child_environment(),
            start_new_session=True,
        )
    # Somebody has to take note of its end, or it stays in the process table for as long as the face lives.
    threading.Thread(target=process.wait, name="keeper-wait", daemon=True).start()
    until = clock.monotonic() + wait
    while True:
        ended = process.poll() is not None
        hello = _hello(folder)
        # Another keeper was faster: ours must have seen that and ended, or it would take over once that one stops.
        if hello is not None and (ended or hello.keeper_pid == process.pid):
            return hello
        if ended and not is_held(folder.keeper_lock):
            raise RealmError(
                "the engine did not start",
                why=_last_words(log, said_before),
                fix="see `realm log`",
                code="ENGINE_FAILED",
            )
        if clock.monotonic() > until:
            raise RealmError(
                f"the engine has not answered within {wait:g} s", fix="see `realm log`", code="ENGINE_SILENT"
            )
        time.sleep(_POLL_S)


def ensure_engine(folder: SaveFolder, *, wait: float = 30.0) -> Hello:
    """Attach to the engine of a save, or start one (the same as `start_engine`, named for those who only want to attach)."""
    return start_engine(folder, wait=wait)


def stop_engine(
    folder: SaveFolder, *, now: bool = False, timeout_s: float | None = None, on_progress: OnProgress | None = None
) -> Reply | None:
    """Let the engine save and stop, and wait until it is gone.

    Args:
        folder: the save.
        now: stop at once, without saving.
        timeout_s: how long to wait.
        on_progress: called with what it is doing meanwhile.

    Returns:
        The engine's answer; None when no engine was running.

    Raises:
        RealmError: it could not save (the engine goes on), or did not end in time.
    """
    until = clock.monotonic() + timeout_s if timeout_s is not None else None
    reply: Reply | None = None
    try:
        reply = send_command(
            folder, Command(Verb.STOP, {"now": True} if now else {}), timeout_s=timeout_s, on_progress=on_progress
        )
        reply.value()
    except BlockedError as error:
        if error.code != "NO_ENGINE":
            raise
    except RealmError as error:
        # It ended by itself before it heard us; what remains is to see it gone.
        if error.code not in ("ENGINE_GONE", "ENGINE_BUSY", "ENGINE_STOPPED"):
            raise
        reply = None
        if on_progress is not None:
            on_progress(f"{error.what}{f': {error.why}' if error.why else ''}")
    while engine_alive(folder):
        if until is not None and clock.monotonic() > until:
            raise RealmError("the engine has not ended yet", fix="look at `realm status`", code="TIMED_OUT")
        time.sleep(_POLL_S)
    return reply


def keeper_command(folder: SaveFolder) -> list[str]:
    """The command line of a keeper. With ``-P`` no folder called ``engine`` where the player stands is ever run."""
    return [sys.executable, "-P", "-m", "engine", "keeper", "--save-dir", str(folder.root)]


def child_environment() -> dict[str, str]:
    """This process's environment, with every entry of PYTHONPATH absolute.

    An empty or relative entry means the working directory, which is another one for the child.
    """
    environment = dict(os.environ)
    entries = [str(Path(entry).absolute()) for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if entries:
        environment["PYTHONPATH"] = os.pathsep.join(entries)
    else:
        environment.pop("PYTHONPATH", None)
    return environment


def _after_the_end(folder: SaveFolder) -> Hello | None:
    """Wait for an engine that saves and goes: whoever starts now wants the next one. Who answers afterwards; None: nobody."""
    until = clock.monotonic() + _ENDING_S
    while clock.monotonic() < until:
        met = _hello(folder)
        if met is not None and met.state is not EngineState.STOPPING:
            return met
        if met is None and not is_held(folder.keeper_lock):
            return None
        time.sleep(_POLL_S)
    return _hello(folder)


def _hello(folder: SaveFolder) -> Hello | None:
    """Who answers; None when nobody does yet, while an engine that hangs is an error."""
    try:
        return say_hello(folder)
    except RealmError as error:
        if error.code in ("NO_ENGINE", "ENGINE_BUSY", "ENGINE_GONE"):
            return None
        raise


def _last_words(log: Path, since: int) -> str:
    """The last lines the keeper wrote."""
    with log.open("rb") as file:
        file.seek(since)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return " / ".join(lines[-LAST_LINES:])
