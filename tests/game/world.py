"""A realm as its player meets it: `realm` processes, a real engine, one home of its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from configs.loader import load_hero
from configs.paths import SaveFolder
from engine.link.client import say_hello
from saves.locks import is_held

DEADLINE_S = 240.0

EASY: dict[str, Any] = {
    "exams": {
        "items": 16,
        "pass_share": 0.0,
        "streak": 2,
        "interval_steps": 15,
        "operation_floor": 0.0,
        "held_share": 0.0,
    },
    "curriculum": {"drill_steps": 40},
    "engine": {"min_free_gb": 0.0, "device": "cpu", "max_restarts": 50, "pause_on_battery": False},
    "quests": {"samples": 1},
}
"""Rules under which a level is won every thirty steps: the same game, without the wait."""


def until(what: Callable[[], Any], saying: str = "it") -> Any:
    """Wait until ``what`` is true, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := what()):
        assert time.monotonic() < deadline, f"waited for {saying} in vain"
        time.sleep(0.02)
    return found


class Realm:
    """One home with a tiny hero (or PIP), driven from outside."""

    def __init__(
        self, home: Path, *, rules: dict[str, Any] | None = None, tiny: bool = True, made: bool = False
    ) -> None:
        """
        Args:
            home: its folder.
            rules: laid over the shipped ones; None: `EASY`.
            tiny: play MOTE, a PIP with a small body, instead of PIP.
            made: the home is there already, with its configuration.
        """
        self.home = home
        self.folder = SaveFolder(home / "saves" / "main")
        self.env = {**os.environ, "REALM_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self.env.pop("REALM_SAVE", None)
        if not made:
            self._configure(rules, tiny)

    def _configure(self, rules: dict[str, Any] | None, tiny: bool) -> None:
        home = self.home
        (home / "config" / "heroes").mkdir(parents=True)
        config = dict(rules if rules is not None else EASY)
        # An engine that gives way to every other test of this machine would be waited for.
        config["engine"] = {"nice": 0, **config.get("engine", {})}
        if tiny:
            hero = load_hero("pip").model_dump(mode="json", exclude_none=True)
            hero |= {"id": "mote", "name": "MOTE"}
            hero["model"]["shape"] |= {"hidden_size": 32, "layers": 2, "heads": 2, "intermediate_size": 64}
            hero["training"] |= {"batch_size": 8, "warmup_steps": 5}
            (home / "config" / "heroes" / "mote.yaml").write_text(yaml.safe_dump(hero))
            config["default_hero"] = "mote"
        (home / "config" / "game.yaml").write_text(yaml.safe_dump(config))

    def start(self, *args: str, **how: Any) -> subprocess.Popen[str]:
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True} | how
        return subprocess.Popen([sys.executable, "-m", "realm_tui", *args], env=self.env, **how)

    def run(self, *args: str, code: int = 0) -> str:
        """Standard output of a command that must end with ``code``."""
        process = self.start(*args)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == code, f"realm {' '.join(args)} ended with {process.returncode}\n{out}\n{err}"
        return out

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json"))
        return found

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        """Rows of the save, read beside whatever runs."""
        conn = sqlite3.connect(f"file:{self.folder.database}?mode=ro", uri=True, timeout=10)
        try:
            return conn.execute(query, parameters).fetchall()
        finally:
            conn.close()

    def one(self, query: str, *parameters: Any) -> Any:
        """The one value of a query."""
        return self.rows(query, *parameters)[0][0]

    def trainer_pid(self) -> int | None:
        hello = say_hello(self.folder) if is_held(self.folder.keeper_lock) else None
        return hello.trainer_pid if hello is not None else None

    def keeper_pid(self) -> int | None:
        hello = say_hello(self.folder) if is_held(self.folder.keeper_lock) else None
        return hello.keeper_pid if hello is not None else None

    def kill(self, pid: int | None) -> None:
        """End one of this realm's own processes with -9."""
        if pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def wait_for_another_trainer(self, pid: int | None) -> None:
        """Until the keeper has woken another trainer than ``pid``."""
        until(lambda: self.trainer_pid() not in (None, pid), "another trainer")

    def wait_for_step(self, step: int, saying: str = "") -> None:
        """Until the engine is past ``step``."""
        until(lambda: (self.status()["step"] or 0) >= step, f"step {step} {saying}")

    def at_rest(self) -> bool:
        """No engine process holds this save."""
        return not is_held(self.folder.keeper_lock) and not is_held(self.folder.trainer_lock)

    def stop(self) -> None:
        """Leave no process behind."""
        if not self.folder.database.exists() or self.at_rest():
            return
        self.run("stop")
        until(self.at_rest, "the engine to end")


def write_chats(path: Path, count: int) -> Path:
    """A small quest in the `messages` form."""
    rows = (
        {"messages": [{"role": "user", "content": f"Say {n} twice"}, {"role": "assistant", "content": f"{n} {n}"}]}
        for n in range(count)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
