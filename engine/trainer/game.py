"""The training loop: practise, examine, save, obey; every decision at a step boundary.

After optimizer step S the order is fixed: record, exam, end of a quest, save, the exam plan. Then commands and whatever else comes from
outside are taken in, journaled with S, and step S + 1 begins. Nothing here is decided by the clock but when to save and when
to rest, and neither changes what is learnt: so a resumed run takes the same way as one that was never interrupted.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass
from typing import Any

from configs import clock
from configs.elsewhere import asked_elsewhere
from configs.errors import RealmError
from configs.facilities import load_facilities
from configs.paths import SaveFolder
from configs.schema import GameConfig
from engine.chat.template import tokens_as_text
from engine.curriculum.sampling import observe
from engine.curriculum.state import CurriculumState, stepped
from engine.link.control import ControlChannel
from engine.link.snapshot import BattleText
from engine.link.state import EngineState
from engine.step import StepLoop, StepOutcome
from engine.strain import StrainTracker
from engine.trainer.board import Board
from engine.trainer.course import Course
from engine.trainer.exam_day import ExamDay
from engine.trainer.examiner import exam_facts
from engine.trainer.guards import Guards
from engine.trainer.memory_guard import MemoryGuard
from engine.trainer.orders import Orders
from engine.trainer.outside import Outside
from engine.trainer.parking import Parked, unpark
from engine.trainer.plan_day import PlanDay
from engine.trainer.practice import Forge, Round
from engine.trainer.recorder import Recorder, StepFacts
from engine.trainer.saving import Saving
from engine.trainer.unmade import UNMADE, nothing_made, report_unmade
from engine.trainer.values import Values
from engine.trainer.vault import Vault
from saves import incidents
from saves.rows import Campaign, Exam

REFUSED_IN_A_ROW = 10
"""Steps that may be refused one after the other before training blocks."""
PAUSED_LOOK_S = 0.5
"""How often a resting engine looks whether it may go on."""
BATTLE_TOKENS = 160
"""Most tokens shown of the text in training."""


@dataclass
class Game:
    """One run of one campaign."""

    folder: SaveFolder
    conn: sqlite3.Connection
    rules: GameConfig
    campaign: Campaign
    run_id: int
    loop: StepLoop
    forge: Forge
    recorder: Recorder
    vault: Vault
    channel: ControlChannel
    values: Values
    trackers: dict[str, StrainTracker]
    replay: list[Any]
    """Journal entries of the run this one continues, still to be taken in again."""
    paused: bool = False
    parked: bool = False
    host_copy: Parked | None = None
    """What waits on the host while parked, where there was an accelerator to free."""
    stopping: str | None = None
    """Why the engine stops after this boundary."""
    stop_at_step: int | None = None
    blocked: RealmError | None = None
    """What must be mended before training goes on; `resume` tries again."""
    last_exam: Exam | None = None
    held_out_loss: float | None = None
    """Newest held-out loss of the player's quest in training, or just trained."""

    def __post_init__(self) -> None:
        self.hero = self.loop.hero
        self.first_step = self.values.step
        self.course = Course(self)
        self.guards = Guards(self.folder, self.rules.engine)
        self.board = Board(self)
        self.orders = Orders(self)
        self.saving = Saving(self)
        self.exams = ExamDay(self)
        self.exam_plan = PlanDay(self)
        self.memory = MemoryGuard(self)
        self.outside = Outside(self, on=self._asked_elsewhere())

    def _asked_elsewhere(self) -> bool:
        """Whether this run's exams are asked elsewhere; where the places cannot be read they are asked here, and that is said."""
        try:
            elsewhere = asked_elsewhere(self.rules.inn.inference, self.hero.config, load_facilities())
            incidents.resolve_rule(self.conn, "places_unreadable")
            return elsewhere
        except RealmError as error:
            incidents.raise_incident(
                self.conn,
                "places_unreadable",
                category="infra",
                severity="low",
                title=f"{error.what}: exams are asked on this machine",
                fix=f"{error.fix}, then stop and start the engine",
                detail={"why": error.why},
                run_id=self.run_id,
                step=self.values.step,
            )
            return False

    # ---------------------------------------------------------------- the loop

    def run(self) -> str:
        """Train until told to stop; returns why it ended.

        Raises:
            UnsavedError: the last checkpoint could not be written.
        """
        self.course.begin()
        self.show_curriculum()
        self.steer()
        self.report(EngineState.TRAINING)
        while self._boundary():
            self._step()
        assert self.stopping is not None
        self.report(EngineState.STOPPING)
        self.unpark()
        self.board.leave()
        self.saving.saved_now("stop")
        return self.stopping

    def _boundary(self) -> bool:
        """Take in what comes from outside; False when training is over."""
        self.saving.land()
        self.orders.take_in()
        while self.stopping is None:
            if self.channel.lost:
                self.stopping = "keeper lost"
            elif self.stop_at_step is not None and self.values.step >= self.stop_at_step:
                self.stopping = "step reached"
            elif (resting := self._resting()) is None:
                break
            else:
                state, reason = resting
                self.report(state, blocker=reason)
                self.channel.wait(PAUSED_LOOK_S)
                if self.paused and state is EngineState.PAUSED:
                    self.exam_plan.rested()
                self.saving.land()
                self.orders.take_in()
        if self.stopping is not None:
            return False
        if self.recorder.state is not EngineState.TRAINING:
            self.report(EngineState.TRAINING)
        self.outside.look()
        self.board.choose()
        return True

    def _resting(self) -> tuple[EngineState, str | None] | None:
        if self.blocked is not None:
            return EngineState.BLOCKED, self.blocked.text()
        if self.parked:
            return EngineState.PARKED, None
        if self.paused:
            return EngineState.PAUSED, None
        rest = self.guards.look()
        if rest is not None:
            return EngineState.PAUSED, f"{rest.reason}. Way out: {rest.fix}"
        limit = self.rules.engine.idle_stop_steps
        if limit is not None and not self.board.quest and self.values.step - self.values.level_up_step >= limit:
            self.stopping = "nothing more is learnt"
        return None

    def _step(self) -> None:
        """One optimizer step and everything that hangs on it."""
        values = self.values
        step = values.step + 1
        skill = self.skill_of(step)
        state = self.state_of(skill)
        started = clock.monotonic()
        try:
            trained = self.memory.train(state, step)
        except RealmError as error:
            if error.code not in UNMADE:
                raise
            if not self.board.drills.give_up(error):
                nothing_made(self, skill, error)
            return
        if trained is None:
            return
        if self.forge.failures:
            report_unmade(self, skill, self.forge.failures)
            self.forge.failures = []
        practice, outcome = trained
        seconds = clock.monotonic() - started
        values.step, values.applied_seq = step, 0
        values.examples += practice.examples + len(practice.draws)
        if outcome.finite:
            values.refused = 0
            if practice.draws:
                matches = outcome.matches[-len(practice.draws) :]
                state = observe(state, practice.draws, matches, self.rules.curriculum)
        else:
            self._refused(practice, outcome)
        self.keep(stepped(state))
        strain = self._record(practice, outcome, skill, seconds)
        self.course.stepped(skill, practice, outcome, strain)
        self.board.stepped(practice)
        if skill in values.curricula:
            self.exams.stepped(skill)
        self.board.finish_if_done()
        self.saving.save_if_due()
        self.exam_plan.stepped()

    def _record(self, practice: Round, outcome: StepOutcome, skill: str, seconds: float) -> float | None:
        """Record a finished step; its strain, None where it was refused."""
        key, floor = self.board.tracker_of(skill)
        tracker = self.trackers.get(key) or self.trackers.setdefault(key, StrainTracker(self.rules.strain, floor))
        strain = tracker.push(outcome.loss) if outcome.finite else None
        self.recorder.step(
            StepFacts(
                step=self.values.step,
                loss=outcome.loss if outcome.finite else None,
                strain=None if floor is None else strain,
                learning_rate=outcome.learning_rate,
                grad_norm=outcome.grad_norm,
                tokens=outcome.tokens,
                trained_tokens=outcome.trained_tokens,
                examples=practice.examples + len(practice.draws),
                seconds=seconds,
                parts=outcome.parts,
            ),
            skill=skill if self.board.quest is None else None,
            attempt_id=self.board.attempt_id,
            floor=floor,
            strain_rate=tracker.rate,
            effort=self.effort,
            quest_step=self.board.position,
        )
        if self.recorder.battle_due(self.rules.engine.battle_interval_s):
            self.recorder.battle(self._battle(practice, outcome))
        return strain

    def _battle(self, practice: Round, outcome: StepOutcome) -> BattleText:
        shown = practice.shown
        losses: list[float | None] = [None] * len(shown.ids)
        trained = [i for i, flag in enumerate(shown.trained) if flag and i]
        for i, loss in zip(trained, outcome.token_losses, strict=True):
            losses[i] = loss
        first = max(0, min(trained[0], len(shown.ids)) - BATTLE_TOKENS // 2) if trained else 0
        part = slice(first, first + BATTLE_TOKENS)
        return BattleText(
            step=self.values.step,
            at=clock.now(),
            title=practice.title,
            tokens=tuple(tokens_as_text(self.hero, shown.ids[part])),
            losses=tuple(losses[part]),
        )

    def _refused(self, practice: Round, outcome: StepOutcome) -> None:
        self.values.refused += 1
        stuck = self.values.refused >= REFUSED_IN_A_ROW
        what = "loss" if not math.isfinite(outcome.loss) else "gradient"
        partly = what == "gradient" and self.hero.config.training.update == "backward"
        kept = "weights whose gradients were finite have moved" if partly else "the weights are untouched"
        title = f"{what} not finite: step {self.values.step} was refused, {kept}"
        fix = (
            "go back to an older checkpoint (`realm ledger summon NAME`), or lower the rate (`realm set --rate`)"
            if stuck
            else "look at the named items"
        )
        incidents.raise_incident(
            self.conn,
            "nan_loss",
            category="training",
            severity="critical",
            title=title,
            fix=fix,
            detail={"items": list(practice.items), "loss": str(outcome.loss), "grad_norm": str(outcome.grad_norm)},
            blocks=stuck,
            run_id=self.run_id,
            step=self.values.step,
        )
        if stuck:
            why = f"{REFUSED_IN_A_ROW} steps in a row"
            self.blocked = RealmError(f"{what} is not finite", why=why, fix=f"{fix}, then resume", code="NAN_LOSS")

    # ---------------------------------------------------------------- saving

    @property
    def effort(self) -> float:
        """Sum of strain over the campaign's steps."""
        return self.values.effort_before + sum(t.effort for t in self.trackers.values())

    def unpark(self) -> None:
        """Take the hero back onto its accelerator."""
        if self.host_copy is not None:
            unpark(self.loop, self.host_copy)
            self.steer()
        self.host_copy, self.parked = None, False

    def facts(self) -> dict[str, Any]:
        """What the sidecar and the ledger say of a form; never rewritten later."""
        live, exam = self.recorder.snapshot, self.last_exam
        examined = exam is not None and exam.step == self.values.step and exam.weights in ("live", "ema")
        return {
            "kind": self.hero.kind,
            "train_loss": live.loss,
            "loss_ema": live.loss_ema,
            "val_loss": self.held_out_loss,
            "learning_rate": live.learning_rate,
            "training_file": live.quest,
            "total_examples_trained": self.values.examples,
            "accuracy": exam.correct / exam.items if exam is not None and exam.items else None,
            "base": dict(self.hero.base) if self.hero.base is not None else None,
            "skill_levels": {k: s.mastered for k, s in self.values.curricula.items()},
            "levels_held": {k: s.held for k, s in self.values.curricula.items()},
            "effort": self.effort,
            "exam": exam_facts(exam) if exam is not None and exam.items and examined else None,
        }

    # ---------------------------------------------------------------- what others see

    def report(self, state: EngineState, blocker: str | None = None) -> None:
        """Show the engine's state, and tell the keeper when it changes."""
        before = self.recorder.snapshot
        if before.state is state and before.blocker == blocker and before.progress is None:
            return
        self.recorder.show(state=state, blocker=blocker, progress=None)
        if before.state is not state:
            self.channel.report(state)

    def show_curriculum(self) -> None:
        """Show where the skill whose turn it is stands."""
        state = self.focus()
        self.recorder.show(
            skill=state.skill,
            training_level=state.training,
            mastered_level=state.mastered,
            next_exam_step=state.next_exam_step,
        )

    # ---------------------------------------------------------------- steering

    def skill_of(self, step: int) -> str:
        """The skill that step ``step`` trains: a drill's, else the course's."""
        drill = self.values.drill
        if drill is not None and drill.order is not None and self.values.quest is None:
            return drill.order.skill
        return self.course.skill_of(step)

    def state_of(self, skill: str) -> CurriculumState:
        """The record of a skill in training, or of one that is only drilled."""
        values = self.values
        return values.curricula.get(skill) or values.guests[skill]

    def keep(self, state: CurriculumState) -> None:
        """Put a record in the place of the one before."""
        values = self.values
        (values.curricula if state.skill in values.curricula else values.guests)[state.skill] = state

    @property
    def replay_share(self) -> float:
        """Share of forged problems beside a player's quest."""
        return self.rules.curriculum.quest_replay if self.values.replay is None else self.values.replay

    def steer(self) -> None:
        """Hand the player's choices to what carries them out."""
        factor = self.values.rate_factor
        self.loop.optimizer.rate_factor = 1.0 if factor is None else factor

    def focus(self) -> CurriculumState:
        """The skill whose turn it is on the course."""
        return self.values.curricula[self.course.skill_of(self.values.step + 1)]
