"""The trainer process: lock, save, hero, loop; and an exit code that says how it ended."""

from __future__ import annotations

import os
import signal
import sys
import traceback

from configs.errors import RealmError
from configs.loader import load_game
from configs.paths import SaveFolder
from engine.link.control import ControlChannel
from engine.link.ending import ExitCode, exit_code_of
from engine.link.ring import RingWriter
from engine.link.snapshot import Snapshot
from engine.link.state import EngineState
from saves import campaigns, runs
from saves.database import open_save
from saves.locks import FileLock


def main(folder: SaveFolder, control_fd: int | None) -> int:
    """Train one save until told to stop; returns the exit code."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    lock = FileLock(folder.trainer_lock)
    if not lock.acquire():
        print("another trainer holds this save", file=sys.stderr)  # noqa: T201 - the trainer's log
        return int(ExitCode.CONFIG)
    channel = ControlChannel(control_fd)
    try:
        return _train(folder, channel)
    except RealmError as error:
        print(error.text(), file=sys.stderr)  # noqa: T201 - the trainer's log
        return exit_code_of(error)
    except Exception as error:
        traceback.print_exc()
        return exit_code_of(error)
    finally:
        channel.close()
        lock.release()


def _train(folder: SaveFolder, channel: ControlChannel) -> int:
    conn = open_save(folder, write=True)
    runs.repair(conn)
    ring = RingWriter(folder.ring, run_id=0)
    loading = Snapshot(state=EngineState.LOADING, pid=os.getpid(), progress="waking the hero")
    ring.publish(loading)
    channel.report(EngineState.LOADING)
    campaign = campaigns.active_campaign(conn)
    rules = load_game(dict(campaign.overrides))
    from engine.trainer.start import wake

    game = wake(folder, conn, rules, campaign, ring, channel)

    def terminate(number: int, frame: object) -> None:
        game.stopping = game.stopping or "terminated"

    signal.signal(signal.SIGTERM, terminate)
    try:
        reason = game.run()
    except BaseException as error:
        game.recorder.close(EngineState.CRASHED)
        runs.close_run(conn, game.run_id, game.values.step, f"crashed: {type(error).__name__}")
        raise
    runs.close_run(conn, game.run_id, game.values.step, reason)
    game.recorder.close(EngineState.STOPPED)
    conn.close()
    return int(ExitCode.STOPPED)
