"""A trainer that trains nothing and lives by a script: one entry per life, the last one for every further life.

An entry is an object:
    ``say``       text for its log
    ``saved``     show that the newest checkpoint is of this step
    ``exit``      end at once with this code
    ``signal``    die at once of this signal
    ``dies_of``   end with ``exit_code`` when it gets this verb, without an answer
    ``refuses``   answer this verb with an error
    ``fails_to_stop`` say that it stops, then end with this code
    ``slow``      verbs it never answers (``stop`` among them: it does not stop politely)
    ``deaf``      it hears nothing at all
    ``grandchild`` leave a child behind that holds the channel open
    ``mute``      it does not show itself in the ring
Everything it sees is appended to ``trace.jsonl`` in the save folder.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from configs.errors import BlockedError
from configs.paths import SaveFolder
from engine.link.control import ControlChannel
from engine.link.protocol import Verb
from engine.link.ring import RingWriter
from engine.link.snapshot import Snapshot
from engine.link.state import EngineState
from saves.locks import FileLock


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--save-dir", type=Path)
    parser.add_argument("--control-fd", type=int)
    parser.add_argument("--script", type=Path)
    arguments = parser.parse_args()
    folder = SaveFolder(arguments.save_dir)
    trace = folder.root / "trace.jsonl"

    def note(**facts: object) -> None:
        with trace.open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), **facts}) + "\n")

    lives = json.loads(arguments.script.read_text())
    lived = trace.read_text().count('"born"') if trace.exists() else 0
    life = lives[min(lived, len(lives) - 1)]
    note(born=lived, nice=os.nice(0), hup_ignored=signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)
    if "say" in life:
        sys.stderr.write(life["say"] + "\n")
        sys.stderr.flush()
    lock = FileLock(folder.trainer_lock)
    if not lock.acquire():
        note(refused=True)
        return 1
    if "saved" in life:
        shown = Snapshot(state=EngineState.TRAINING, step=41, last_checkpoint_step=int(life["saved"]))
        RingWriter(folder.ring, run_id=None).publish(shown)
    if "exit" in life:
        return int(life["exit"])
    if "signal" in life:
        os.kill(os.getpid(), life["signal"])
    if life.get("grandchild"):
        subprocess.Popen(["sleep", "20"], pass_fds=(arguments.control_fd,))
    if life.get("deaf"):
        note(deaf=True)
        while True:
            time.sleep(60)
    channel = ControlChannel(arguments.control_fd)
    if not life.get("mute"):
        RingWriter(folder.ring, run_id=None).publish(Snapshot(state=EngineState.TRAINING, step=41))
    channel.report(EngineState.TRAINING)
    note(serving=True)
    while True:
        channel.wait(60)
        for command in channel.drain():
            note(verb=command.verb, id=command.id, args=command.args)
            if command.verb == life.get("dies_of"):
                return int(life.get("exit_code", 1))
            if command.verb in life.get("slow", ()):
                continue
            if command.verb == life.get("refuses"):
                channel.failed(command.id, 42, BlockedError("the disk is full", fix="free some", code="DISK_FULL"))
                continue
            channel.progress(command.id, f"working on {command.verb}")
            channel.done(command.id, 42, {"echo": command.args})
            if command.verb is Verb.STOP and "at_step" not in command.args:
                if "fails_to_stop" in life:
                    return int(life["fails_to_stop"])
                channel.report(EngineState.STOPPED)
                channel.close()
                return 0
        if channel.lost:
            note(lost=True)
            return 0


if __name__ == "__main__":
    sys.exit(main())
