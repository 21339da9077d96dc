"""Saves the hero while it trains on: a copy at the step's boundary, a thread that writes, a ledger row when it is whole.

Facts that become final with a checkpoint (a level won, a quest completed) wait for that row: the *pending anchor*. One checkpoint
is under way at a time; whoever wants the next one earlier waits for it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from configs import clock
from configs.errors import RealmError
from engine.hero.model import save_folder
from engine.link.state import EngineState
from engine.trainer.background import Background
from engine.trainer.checkpoints import TrainerState, UnsavedError
from engine.trainer.identity import identity_of
from engine.trainer.snapshot import HostRoom, bytes_of, fits_beside, nothing_to_wait_for
from engine.trainer.vault import Saved
from saves import incidents, ledger, retention
from saves.backups import daily_backup
from saves.database import transaction
from saves.rows import Checkpoint

if TYPE_CHECKING:
    from engine.trainer.game import Game

Final = Callable[[int], None]
"""Writes a fact that is final with the checkpoint of this id; called inside the transaction that lists it."""
Landed = Callable[[Checkpoint | RealmError], None]
"""Hears of the checkpoint, or why there is none."""


@dataclass
class _Writing:
    """A checkpoint under way."""

    step: int
    work: Background[Saved]
    reasons: list[str]
    finals: list[Final]
    waiting: list[Landed] = field(default_factory=list)


class Saving:
    """The checkpoints of a `Game`."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._room = HostRoom()
        self._writing: _Writing | None = None
        self._removing: Background[None] | None = None
        self._newest: Checkpoint | None = None
        """The last one this run listed."""
        self._owed: tuple[str, ...] = ()
        """Why a checkpoint that could not be written was wanted, while facts still hang on it."""
        self.pending: list[Final] = []
        """Facts that become final with the next checkpoint."""

    @property
    def under_way(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._writing is not None

    def saved_at(self, step: int) -> bool:
        """Whether the hero of this step is saved, or on its way to the disk."""
        newest = self._writing.step if self._writing else self._newest.step if self._newest else None
        return newest == step

    # ---------------------------------------------------------------- beginning

    def save(self, *reasons: str, landed: Landed | None = None) -> None:
        """Save the hero as it is now; returns as soon as its state is copied.

        Where it cannot be written training blocks with an incident, and what was pending stays so.

        Args:
            reasons: why; two saves at one step are one checkpoint with both reasons.
            landed: hears, at this or a later step's boundary, how it ended.
        """
        step = self._game.values.step
        if self._writing is not None and self._writing.step != step:
            self.settle()
        if self._writing is not None:
            self._writing.reasons += [r for r in reasons if r not in self._writing.reasons]
            self._writing.finals += self._take_pending()
            self._writing.waiting += [landed] if landed else []
        elif self._newest is not None and self._newest.step == step:
            self._add_to(self._newest, reasons, landed)
        else:
            self._begin(reasons, landed)

    def saved_now(self, *reasons: str) -> Checkpoint:
        """Save, and wait until the checkpoint is listed.

        Raises:
            RealmError: why it could not be written.
        """
        ended: list[Checkpoint | RealmError] = []
        self.save(*reasons, landed=ended.append)
        self.settle()
        if isinstance(ended[0], RealmError):
            raise ended[0]
        return ended[0]

    def save_if_due(self) -> None:
        """The regular saves: every so many steps, and a rolling anchor every so many minutes."""
        game = self._game
        plan = game.hero.config.checkpoints
        if plan.every_steps is not None and game.values.step % plan.every_steps == 0:
            self.save("interval")
        elif clock.monotonic() - game.vault.saved_at >= plan.anchor_minutes * 60 and not self.under_way:
            self.save("anchor")

    def try_again(self) -> None:
        """After a blocker was mended: write what facts still wait for."""
        if self._owed:
            self.save(*self._owed)

    def _begin(self, reasons: tuple[str, ...], landed: Landed | None) -> None:
        game = self._game
        before = game.recorder.state
        game.report(EngineState.SAVING)
        game.recorder.close_window()
        tensors, facts = game.loop.state()
        weights = game.loop.exam_weights()
        size = bytes_of(weights, tensors)
        try:
            draft = game.vault.begin(game.values.step, reasons, game.facts(), size)
        except UnsavedError as error:
            self._failed(error, reasons, self._take_pending(), [landed] if landed else [])
            return
        # Written out now: what the counters hold changes with the next step.
        values = json.loads(json.dumps({**self._values(), "loop": facts}))
        beside = fits_beside(size)
        ready = nothing_to_wait_for
        if beside:
            copy = self._room.copy(weights, tensors)
            weights, tensors, ready = copy.weights, copy.state, copy.ready
        state = TrainerState(tensors, values)

        def write() -> Saved:
            ready()
            return game.vault.write(draft, state, lambda path: save_folder(game.hero, weights, path))

        self._writing = _Writing(
            step=game.values.step,
            work=Background(write, "checkpoint", game.channel.nudge),
            reasons=list(reasons),
            finals=self._take_pending(),
            waiting=[landed] if landed else [],
        )
        if not beside:
            # No memory for a copy: training waits until the tensors themselves are written.
            self.settle()
        game.report(before)

    def _add_to(self, form: Checkpoint, reasons: tuple[str, ...], landed: Landed | None) -> None:
        assert form.id is not None
        conn = self._game.conn
        finals = self._take_pending()
        with transaction(conn, durable=True):
            ledger.add_reasons(conn, form.id, reasons)
            for final in finals:
                final(form.id)
        if landed:
            landed(ledger.checkpoint(conn, form.id))

    def _take_pending(self) -> list[Final]:
        taken, self.pending = self.pending, []
        return taken

    def _values(self) -> dict[str, Any]:
        game = self._game
        return {
            "values": game.values.as_dict(),
            "trackers": {k: t.state() for k, t in game.trackers.items()},
            "recorder": game.recorder.values(),
            "placement": game.loop.placement.as_dict(),
            "identity": identity_of(game.hero.config),
        }

    # ---------------------------------------------------------------- ending

    def land(self) -> None:
        """List the checkpoint that was under way, if it is whole by now; never waits."""
        if self._writing is not None and self._writing.work.done:
            self._land()

    def settle(self) -> None:
        """Wait until nothing is under way, and list what was."""
        if self._writing is not None:
            before = self._game.recorder.state
            if not self._writing.work.done:
                self._game.report(EngineState.SAVING)
            self._land()
            self._game.report(before)
        if self._removing is not None:
            self._removing.result()
            self._removing = None

    def _land(self) -> None:
        game, writing = self._game, self._writing
        assert writing is not None
        self._writing = None
        try:
            saved = writing.work.result()
        except UnsavedError as error:
            self._failed(error, tuple(writing.reasons), writing.finals, writing.waiting)
            return
        with transaction(game.conn, durable=True):
            checkpoint_id = game.vault.enter(saved, game.run_id)
            ledger.add_reasons(game.conn, checkpoint_id, writing.reasons)
            for final in writing.finals:
                final(checkpoint_id)
        self._newest, self._owed = ledger.checkpoint(game.conn, checkpoint_id), ()
        game.recorder.show(last_checkpoint_step=writing.step)
        for landed in writing.waiting:
            landed(self._newest)
        self._keep_house()

    def _failed(
        self, error: UnsavedError, reasons: tuple[str, ...], finals: list[Final], waiting: list[Landed]
    ) -> None:
        game = self._game
        self.pending = [*finals, *self.pending]
        self._owed = reasons if self.pending else ()
        game.blocked = error
        incidents.raise_incident(
            game.conn,
            "disk_pressure",
            category="infra",
            severity="high",
            title=error.what,
            fix=error.fix,
            detail={"why": error.why},
            blocks=True,
            run_id=game.run_id,
            step=game.values.step,
        )
        for landed in waiting:
            landed(error)

    def _keep_house(self) -> None:
        """After a checkpoint: let go of old ones, fold old facts, and copy the save once a day."""
        game = self._game
        gone = game.vault.prune()
        if gone:
            if self._removing is not None:
                self._removing.result()

            def remove() -> None:
                for folder in gone:
                    shutil.rmtree(folder, ignore_errors=True)

            self._removing = Background(remove, "removing checkpoints")
        rules = game.rules
        retention.prune(
            game.conn,
            game.campaign.id,
            rules.retention,
            pass_share=rules.exams.pass_share,
            held_share=rules.exams.held_share,
        )
        daily_backup(game.folder, rules.retention.backups)
