"""Makes this process a keeper: its own session, its own log, nothing inherited from a terminal."""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress
from pathlib import Path

from configs.errors import RealmError
from configs.loader import load_game
from configs.paths import SaveFolder
from configs.schema import GameConfig
from engine.keeper.keeper import Keeper, already_kept
from saves.campaigns import active_campaign
from saves.database import open_save
from saves.locks import is_held

AUTOGROUP = Path("/proc/self/autogroup")
"""Priority of this process's whole session among the sessions, where the kernel groups by them."""


def main(folder: SaveFolder) -> int:
    """Keep the save's trainer until it ends; the exit code.

    Raises:
        BlockedError: another keeper has the save.
        RealmError: the save or its configuration cannot be used.
    """
    if is_held(folder.keeper_lock):
        raise already_kept(folder)
    rules = _rules(folder)
    folder.make()
    _leave_the_terminal(folder)
    _be_nice(rules.engine.nice)
    keeper = Keeper(
        folder,
        rules.engine,
        lambda fd: trainer_command(folder, fd),
        log_bytes=rules.retention.log_mb * 1e6,
    )
    return keeper.run()


def trainer_command(folder: SaveFolder, control_fd: int) -> list[str]:
    """The command line of a trainer. With ``-P`` no folder called ``engine`` in the working directory is ever run."""
    program = [sys.executable, "-P", "-m", "engine", "trainer"]
    return [*program, "--save-dir", str(folder.root), "--control-fd", str(control_fd)]


def _rules(folder: SaveFolder) -> GameConfig:
    with closing(open_save(folder, write=True)) as conn:
        overrides = active_campaign(conn).overrides
    return load_game(overrides)


def _leave_the_terminal(folder: SaveFolder) -> None:
    """A session of its own, no input, and both outputs appended to ``logs/keeper.log``."""
    with suppress(PermissionError):  # it leads its session already
        os.setsid()
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(folder.logs / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise RealmError(
            f"cannot write {folder.logs / 'keeper.log'}", why=str(error), fix="free some disk space", code="LOG_FAILED"
        ) from error
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)


def _be_nice(nice: int) -> None:
    """Give way to other programs; a process that gives way more already stays as it is."""
    os.nice(max(0, nice - os.getpriority(os.PRIO_PROCESS, 0)))
    # Linux shares a core between sessions first, so that within its own session alone a nice process gives way to nobody.
    with suppress(OSError):
        AUTOGROUP.write_text(str(nice), encoding="ascii")
