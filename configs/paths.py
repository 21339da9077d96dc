"""The one place that knows where things lie: REALM_HOME and the folders of a save."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from configs.errors import UsageError

DEFAULT_SAVE = "main"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def realm_home() -> Path:
    """``REALM_HOME``, or the platform's folder for user data."""
    chosen = os.environ.get("REALM_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir("realm-of-training", appauthor=False))


def config_dir() -> Path:
    """The player's YAML: ``REALM_CONFIG_DIR``, or ``config/`` under the realm's home."""
    chosen = os.environ.get("REALM_CONFIG_DIR")
    return Path(chosen).expanduser().absolute() if chosen else realm_home() / "config"


def cache_dir() -> Path:
    """Things that can be made again."""
    return realm_home() / "cache"


def saves_dir() -> Path:
    """The folder that holds one folder per save."""
    return realm_home() / "saves"


def save_name(name: str | None = None) -> str:
    """The save meant by ``--save``, ``REALM_SAVE``, or the default; refuses names that are not plain ids."""
    chosen = name or os.environ.get("REALM_SAVE") or DEFAULT_SAVE
    if not _NAME.fullmatch(chosen) or ".." in chosen:
        raise UsageError(
            f"{chosen!r} is not a name for a save",
            fix="use lower-case letters, digits, '-', '_' and '.', starting with a letter or digit",
            code="BAD_SAVE_NAME",
        )
    return chosen


@dataclass(frozen=True)
class SaveFolder:
    """The paths inside one save's folder."""

    root: Path

    @classmethod
    def named(cls, name: str | None = None) -> SaveFolder:
        """The folder of the save called ``name`` (see `save_name`)."""
        return cls(saves_dir() / save_name(name))

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def database(self) -> Path:
        return self.root / "realm.db"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def quests(self) -> Path:
        return self.root / "quests"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def run(self) -> Path:
        """Locks, the live ring and the pointer to the socket."""
        return self.root / "run"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def game_cache(self, campaign: str) -> Path:
        """What the game of a campaign was folded to; may be thrown away at any time."""
        return self.root / "cache" / f"game-{campaign}.json"

    @property
    def ring(self) -> Path:
        return self.run / "live.bin"

    @property
    def keeper_lock(self) -> Path:
        return self.run / "keeper.lock"

    @property
    def trainer_lock(self) -> Path:
        return self.run / "trainer.lock"

    @property
    def face_lock(self) -> Path:
        return self.run / "face.lock"

    @property
    def socket_pointer(self) -> Path:
        """A text file that names the keeper's unix socket."""
        return self.run / "socket"

    def make(self) -> None:
        """Create the folder and its rooms, private to the user."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for room in (self.checkpoints, self.quests, self.inbox, self.run, self.backups, self.logs):
            room.mkdir(exist_ok=True, mode=0o700)
