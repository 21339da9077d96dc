"""Turns steps into what others see: the live ring at every step, rows of history every few dozen."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
import threading
from collections import deque
from typing import Any

import psutil

from configs import clock
from configs.schema import ZONES, StrainRules
from engine.link.ring import RingWriter
from engine.link.snapshot import BattleText, Snapshot, StepRecord
from engine.link.state import EngineState
from engine.step_clock import StepParts
from saves.database import transaction
from saves.rows import StepWindow
from saves.steps import add_window

MISS_FACTOR = 2.0
"""A step misses when its loss is more than this many times the mean of the last `MISS_SPAN`."""
MISS_SPAN = 100
HEARTBEAT_S = 0.2
PARTS = tuple(field.name for field in dataclasses.fields(StepParts))
"""Columns of a window that tell its seconds apart."""


@dataclasses.dataclass(frozen=True, slots=True)
class StepFacts:
    """One finished optimizer step, as it is recorded."""

    step: int
    loss: float | None
    """None when the step was refused."""
    strain: float | None
    learning_rate: float
    grad_norm: float
    tokens: int
    trained_tokens: int
    examples: int
    seconds: float
    parts: StepParts | None = None
    """Where the seconds went, as far as it is known."""


class Recorder:
    """The one writer of ring and step windows. Windows end on multiples of ``window_steps``, so that a resumed run

    draws the same ones; they also end wherever a checkpoint, a quest or a floor begins, so that none straddles one.
    """

    def __init__(
        self, ring: RingWriter, conn: sqlite3.Connection, run_id: int, rules: StrainRules, window_steps: int
    ) -> None:
        self._ring, self._conn, self._run_id, self._rules = ring, conn, run_id, rules
        self._window_steps = window_steps
        self._window: dict[str, Any] | None = None
        self._losses: deque[float] = deque(maxlen=MISS_SPAN)
        self.best_loss: float | None = None
        self._streak = 0
        self._process = psutil.Process()
        self._seconds: deque[float] = deque(maxlen=20)
        self._tokens: deque[int] = deque(maxlen=20)
        self._shown_at = 0.0
        self._memory_at = 0.0
        self.snapshot = Snapshot(run_id=run_id, pid=self._process.pid)
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._heart.start()

    # ---------------------------------------------------------------- live

    def show(self, **changes: Any) -> None:
        """Change fields of the snapshot and publish it."""
        self.snapshot = dataclasses.replace(self.snapshot, **changes, heartbeat_at=clock.now())
        self._ring.publish(self.snapshot)

    def progress(self, text: str | None) -> None:
        """Say in words what takes long."""
        self.show(progress=text)

    @property
    def state(self) -> EngineState:
        return self.snapshot.state

    def battle_due(self, interval_s: float) -> bool:
        """Whether the text in training may be shown again."""
        return clock.monotonic() - self._shown_at >= interval_s

    def battle(self, text: BattleText) -> None:
        """Show the text being trained on."""
        self._shown_at = clock.monotonic()
        self._ring.show(text)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            self._ring.beat()

    # ---------------------------------------------------------------- steps

    def step(
        self, facts: StepFacts, *, skill: str | None, attempt_id: int | None, floor: float | None, **live: Any
    ) -> None:
        """Record one step: ring record, snapshot (with the ``live`` fields), history window."""
        now = clock.now()
        finite = facts.loss is not None
        loss = facts.loss if facts.loss is not None else math.nan
        self._seconds.append(facts.seconds)
        self._tokens.append(facts.tokens)
        span = sum(self._seconds)
        self._ring.append(
            StepRecord(
                step=facts.step,
                at=now,
                loss=loss,
                strain=math.nan if facts.strain is None else facts.strain,
                learning_rate=facts.learning_rate,
                grad_norm=facts.grad_norm,
                tokens=facts.tokens,
                seconds=facts.seconds,
            )
        )
        if now - self._memory_at > 5:
            self._memory_at = now
            live["memory_bytes"] = self._process.memory_info().rss
        previous = self.snapshot.loss_ema
        self.show(
            step=facts.step,
            stepped_at=now,
            loss=facts.loss,
            loss_ema=previous if not finite else loss if previous is None else previous + 0.05 * (loss - previous),
            strain=facts.strain,
            floor=floor,
            learning_rate=facts.learning_rate,
            grad_norm=facts.grad_norm if math.isfinite(facts.grad_norm) else None,
            tokens_per_s=sum(self._tokens) / span if span else None,
            steps_per_s=len(self._seconds) / span if span else None,
            **live,
        )
        self._add_to_window(facts, now, skill, attempt_id, floor)

    def _add_to_window(
        self, facts: StepFacts, now: float, skill: str | None, attempt_id: int | None, floor: float | None
    ) -> None:
        w = self._window
        if w is not None and (w["skill"], w["quest_attempt_id"], w["floor"]) != (skill, attempt_id, floor):
            self.close_window()
            w = None
        if w is None:
            w = self._window = {
                "run_id": self._run_id,
                "first_step": facts.step,
                "first_at": now - facts.seconds,
                "skill": skill,
                "quest_attempt_id": attempt_id,
                "floor": floor,
                "loss_min": None,
                "loss_last": None,
                "strain_last": None,
                "grad_norm_max": None,
                **dict.fromkeys(PARTS),
                **dict.fromkeys(
                    [
                        "steps",
                        "loss_sum",
                        "strain_sum",
                        "active_s",
                        "new_bests",
                        "misses",
                        "nonfinite",
                        "longest_streak",
                        "tokens",
                        "trained_tokens",
                        "examples",
                        "grad_norm_sum",
                        "zone_unknown",
                    ],
                    0,
                ),
                **{f"zone_{z}": 0 for z in ZONES},
            }
        w["last_step"], w["last_at"], w["learning_rate"] = facts.step, now, facts.learning_rate
        w["steps"] += 1
        w["active_s"] += facts.seconds
        for name in PARTS if facts.parts is not None else ():
            spent = getattr(facts.parts, name)
            if spent is not None:
                w[name] = (w[name] or 0.0) + spent
        w["tokens"] += facts.tokens
        w["trained_tokens"] += facts.trained_tokens
        w["examples"] += facts.examples
        if facts.loss is None:
            w["nonfinite"] += 1
            self._streak = 0
        else:
            self._count_loss(w, facts.loss, facts)
        if facts.step % self._window_steps == 0:
            self.close_window()

    def _count_loss(self, w: dict[str, Any], loss: float, facts: StepFacts) -> None:
        w["loss_sum"] += loss
        w["loss_last"] = loss
        w["loss_min"] = loss if w["loss_min"] is None else min(w["loss_min"], loss)
        if math.isfinite(facts.grad_norm):
            w["grad_norm_sum"] += facts.grad_norm
            w["grad_norm_max"] = max(w["grad_norm_max"] or 0.0, facts.grad_norm)
        if facts.strain is None:
            w["zone_unknown"] += 1
        else:
            w["strain_sum"] += facts.strain
            w["strain_last"] = facts.strain
            w[f"zone_{self._rules.zone(facts.strain)}"] += 1
        if self.best_loss is None or loss < self.best_loss:
            self.best_loss = loss
            w["new_bests"] += 1
        if self._losses and loss > MISS_FACTOR * sum(self._losses) / len(self._losses):
            w["misses"] += 1
            self._streak = 0
        else:
            self._streak += 1
        w["longest_streak"] = max(w["longest_streak"], self._streak)
        self._losses.append(loss)

    def close_window(self) -> None:
        """Write the open window, if any."""
        if self._window is None:
            return
        w, self._window = self._window, None
        with transaction(self._conn):
            add_window(self._conn, StepWindow(**w))

    # ---------------------------------------------------------------- resume

    def values(self) -> dict[str, Any]:
        """What a resume needs to count on identically."""
        return {"best_loss": self.best_loss, "streak": self._streak, "losses": list(self._losses)}

    def load(self, values: dict[str, Any]) -> None:
        """Take up what `values` gave."""
        self.best_loss, self._streak = values["best_loss"], values["streak"]
        self._losses = deque(values["losses"], maxlen=MISS_SPAN)

    def close(self, state: EngineState) -> None:
        """Write what is open and show the last state."""
        self._stop.set()
        self._heart.join()
        self.close_window()
        self.show(state=state, progress=None)
        self._ring.close()
