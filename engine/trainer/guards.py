"""What makes an unattended engine rest: battery, a long absence, a full disk. Resting changes no training state."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from configs import clock
from configs.paths import SaveFolder
from configs.schema import EngineRules
from saves.checkpoint_folder import free_gb
from saves.locks import is_held

LOOK_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Rest:
    """Why the engine rests by itself, and how it goes on."""

    code: str
    reason: str
    fix: str
    lifts_itself: bool
    """True when training goes on as soon as the cause is gone."""


class Guards:
    """Looks around at most twice a minute."""

    def __init__(self, folder: SaveFolder, rules: EngineRules) -> None:
        self._folder, self._rules = folder, rules
        self._looked_at = -LOOK_EVERY_S
        self._attended_at = clock.monotonic()
        self._rest: Rest | None = None

    def attended(self) -> None:
        """Somebody gave a command: the unattended hours start anew."""
        self._attended_at = clock.monotonic()
        self._looked_at = -LOOK_EVERY_S

    def look(self) -> Rest | None:
        """Why to rest now, or None."""
        now = clock.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._rest = self._find()
        return self._rest

    def _find(self) -> Rest | None:
        now = clock.monotonic()
        if is_held(self._folder.face_lock):
            self._attended_at = now
        if self._rules.pause_on_battery and on_battery():
            return Rest(
                "ON_BATTERY",
                "the machine runs on battery",
                "plug it in, or set engine.pause_on_battery: false in config/game.yaml",
                True,
            )
        if free_gb(self._folder.root) < self._rules.min_free_gb:
            return Rest(
                "DISK_FULL",
                f"less than {self._rules.min_free_gb:g} GB are free on the save's disk",
                "free some space (`realm ledger list`, `realm save list`), then resume",
                True,
            )
        hours = self._rules.unattended_hours
        if hours is not None and now - self._attended_at > hours * 3600:
            return Rest(
                "UNATTENDED",
                f"nobody has looked for {hours:g} hours",
                "resume (p), or raise engine.unattended_hours in config/game.yaml",
                True,
            )
        return None


def on_battery() -> bool:
    """Whether the machine runs on battery now; False where it has none or cannot tell."""
    sensors = getattr(psutil, "sensors_battery", None)
    battery = sensors() if sensors is not None else None
    return battery is not None and battery.power_plugged is False
