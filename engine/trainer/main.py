"""The trainer process: lock, save, hero, loop; and an exit code that says how it ended."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import traceback
from contextlib import suppress
from threading import Event

from configs.errors import RealmError
from configs.loader import load_game
from configs.paths import SaveFolder
from configs.schema import GameConfig
from engine.link.control import ControlChannel
from engine.link.ending import ExitCode, exit_code_of, last_line
from engine.link.ring import RingWriter
from engine.link.snapshot import Snapshot
from engine.link.state import EngineState
from engine.parallel import launch
from saves import campaigns, runs
from saves.database import open_save
from saves.locks import FileLock
from saves.rows import Campaign


def main(folder: SaveFolder, control_fd: int | None, *, tied: bool = False) -> int:
    """Train one save until told to stop; returns the exit code.

    Args:
        folder: the save.
        control_fd: the channel to the keeper; None: nobody keeps this trainer.
        tied: it is one of several processes, and ends with the one that started it.
    """
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if tied:
        launch.tie_to_parent()
    place = launch.seat()
    if not place.first:
        from engine.parallel.follower import follow

        return follow(place)
    lock = FileLock(folder.trainer_lock)
    if not lock.acquire():
        print("another trainer holds this save. Way out: end it first", file=sys.stderr)  # noqa: T201 - the trainer's log
        return int(ExitCode.CONFIG)
    channel = ControlChannel(control_fd)
    awake = Event()
    try:
        return _train(folder, channel, kept=control_fd is not None, awake=awake)
    except RealmError as error:
        print(last_line(error), file=sys.stderr)  # noqa: T201 - the trainer's log
        return exit_code_of(error, awake=awake.is_set())
    except Exception as error:
        traceback.print_exc()
        return exit_code_of(error)
    finally:
        channel.close()
        lock.release()


def _train(folder: SaveFolder, channel: ControlChannel, *, kept: bool, awake: Event) -> int:
    conn = open_save(folder, write=True)
    runs.repair(conn)
    ring = RingWriter(folder.ring, run_id=0)
    loading = Snapshot(state=EngineState.LOADING, pid=os.getpid(), progress="waking the hero")
    ring.publish(loading)
    channel.report(EngineState.LOADING)
    campaign = campaigns.active_campaign(conn)
    rules = load_game(dict(campaign.overrides))
    others = None
    if launch.seat() == launch.ALONE and rules.engine.processes > 1:
        others = launch.Others(folder, rules.engine.processes)
    try:
        code = _play(folder, conn, rules, campaign, ring, channel, kept=kept, awake=awake)
    except BaseException:
        if others is not None:
            others.abandon()
        raise
    if others is not None:
        others.close()
    conn.close()
    return code


def _play(
    folder: SaveFolder,
    conn: sqlite3.Connection,
    rules: GameConfig,
    campaign: Campaign,
    ring: RingWriter,
    channel: ControlChannel,
    *,
    kept: bool,
    awake: Event,
) -> int:
    from engine.trainer.start import wake

    game = wake(folder, conn, rules, campaign, ring, channel)
    awake.set()

    def terminate(number: int, frame: object) -> None:
        game.stopping = game.stopping or "terminated"

    signal.signal(signal.SIGTERM, terminate)
    if not kept:  # started by hand, where Ctrl-C is how one stops
        signal.signal(signal.SIGINT, terminate)
    try:
        reason = game.run()
    except BaseException as error:
        # A checkpoint under way holds a whole earlier step: once listed, the next trainer goes on from it.
        with suppress(RealmError, OSError):
            game.saving.settle()
        game.recorder.close(EngineState.CRASHED)
        runs.close_run(conn, game.run_id, game.values.step, f"crashed: {type(error).__name__}")
        raise
    runs.close_run(conn, game.run_id, game.values.step, reason)
    game.recorder.close(EngineState.STOPPED)
    game.loop.close()
    return int(ExitCode.STOPPED)
