"""Exam days: the gate exam when it is due, what it says of levels held and lost, and a level won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from configs import clock
from configs.errors import RealmError
from engine.chat.loops import loops_at_its_end
from engine.curriculum.examination import Decided
from engine.curriculum.gate import due, next_exam_step
from engine.hero.model import Hero
from engine.link.state import EngineState
from engine.trainer.examiner import Examiner
from saves import exams, incidents
from saves.database import transaction
from saves.rows import Hold, LevelUp

if TYPE_CHECKING:
    from engine.trainer.game import Game


def of_the_save(error: RealmError) -> bool:
    """Whether an error is about the save and its disk, and none of the exam's own."""
    return error.code.partition("_")[0] in ("SAVE", "DISK")


class ExamDay:
    """The exams of a `Game`."""

    def __init__(self, game: Game) -> None:
        self._game = game

    def examiner(self) -> Examiner:
        """An examiner for this run; ask with `StepLoop.examined` around it."""
        game = self._game
        weights = "ema" if game.loop.ema is not None else "live"
        return self.examiner_of(game.hero, weights)

    def examiner_of(self, hero: Hero, weights: str, checkpoint_id: int | None = None) -> Examiner:
        """An examiner of any form of this run's hero, whose rows name ``weights`` and the checkpoint that answered."""
        game = self._game
        return Examiner(
            hero,
            game.forge,
            game.conn,
            game.run_id,
            game.rules.exams,
            weights,
            game.recorder.progress,
            checkpoint_id=checkpoint_id,
            on_written=game.exam_plan.took,
        )

    def stepped(self, skill: str) -> None:
        """After a step: sit the gate's exam of a skill where it is due, or let the form be examined elsewhere."""
        game, outside = self._game, self._game.outside
        if not due(game.values.curricula[skill], game.values.step) or outside.waits(skill):
            return
        try:
            if not outside.on:
                self.sit(skill)
            elif outside.asks_after(game.values.step):
                outside.sit(skill)
        except RealmError as error:
            if of_the_save(error):
                raise
            self.put_off(skill, error)
            game.report(EngineState.TRAINING)

    def put_off(self, skill: str, error: RealmError) -> None:
        """Say that the gate's exam of a skill could not be held, and set the next one."""
        game = self._game
        self.not_held(f"the exam of {skill}", error)
        state = game.values.curricula[skill]
        later = next_exam_step(state, game.rules.exams, step=game.values.step)
        game.values.curricula[skill] = replace(state, next_exam_step=later)
        game.show_curriculum()

    def not_held(self, name: str, error: RealmError) -> None:
        """Say that an exam could not be held; it counts for nothing, and training goes on."""
        game = self._game
        incidents.raise_incident(
            game.conn,
            "exam_errors",
            category="data",
            severity="high",
            title=f"{name} could not be held: {error.what}",
            fix=error.fix or "see `realm log`",
            detail={"errors": [error.text()]},
            run_id=game.run_id,
            step=game.values.step,
        )

    def sit(self, skill: str) -> None:
        """The exam of a skill after the step just done, and what follows from it."""
        game, step = self._game, self._game.values.step
        game.report(EngineState.EXAMINING)
        with game.loop.examined():
            outcome = self.examiner().sit(
                game.values.curricula[skill], step, game.course.others(skill), game.rules.forgetting
            )
        self.decided(skill, outcome)
        game.report(EngineState.TRAINING)

    def decided(self, skill: str, outcome: Decided) -> None:
        """What follows from an examination that ended."""
        game, step = self._game, self._game.values.step
        game.values.curricula |= {**outcome.others, skill: outcome.state}
        self.report_errors(skill, outcome.errors)
        self._report_loops(skill, outcome.exam_id)
        game.last_exam = exams.exam(game.conn, outcome.exam_id)
        now = clock.now()
        with transaction(game.conn, durable=True):
            for held_skill, holds in {**outcome.other_holds, skill: outcome.verdict.holds}.items():
                for hold in holds:
                    exams.add_hold(
                        game.conn,
                        Hold(
                            run_id=game.run_id,
                            step=step,
                            skill=held_skill,
                            level=hold.level,
                            items=hold.tally.items,
                            correct=hold.tally.correct,
                            lost=hold.lost,
                            at=now,
                        ),
                    )
        game.course.examined(skill, outcome)
        if outcome.verdict.action == "level_up":
            self._level_up(skill, outcome)
        game.show_curriculum()

    def report_errors(self, skill: str, errors: Sequence[str]) -> None:
        """Say that items of an exam could not be asked or judged; that is the skill's fault, never the hero's."""
        if not errors:
            return
        game = self._game
        incidents.raise_incident(
            game.conn,
            "exam_errors",
            category="data",
            severity="medium",
            title=f"{len(errors)} exam items of {skill} could not be asked or judged",
            fix=f"look at the reasons; they count neither as right nor as wrong (`realm exam list --skill {skill}`)",
            detail={"skill": skill, "errors": sorted(set(errors))[:5]},
            run_id=game.run_id,
            step=game.values.step,
        )

    def _report_loops(self, skill: str, exam_id: int) -> None:
        """Say that the hero repeats itself, where half of an exam's answers or more do."""
        game = self._game
        items = [i for i in exams.exam_items(game.conn, exam_id) if i.answer is not None]
        loops = [i for i in items if not i.correct and loops_at_its_end(i.answer or "")]
        if not loops or 2 * len(loops) < len(items):
            return
        incidents.raise_incident(
            game.conn,
            "repetition",
            category="logic",
            severity="high",
            title=f"{len(loops)} of {len(items)} answers in the exam of {skill} repeat themselves without an end",
            fix="look at the answers and the turn format, or go back to an older form; then close this incident",
            detail={"skill": skill, "exam": exam_id, "example": (loops[0].answer or "")[-120:]},
            run_id=game.run_id,
            step=game.values.step,
        )

    def _level_up(self, skill: str, outcome: Decided) -> None:
        game, step, verdict = self._game, self._game.values.step, outcome.verdict
        taken = exams.recent_exams(
            game.conn, game.campaign.id, skill=skill, level=verdict.level, kind="gate", limit=len(verdict.exam_steps)
        )
        winners = tuple(sorted(e.id for e in taken if e.step in verdict.exam_steps))
        climb = game.trackers[skill].since_mark() if skill in game.trackers else None
        if climb is not None:
            game.trackers[skill].mark()
        game.values.level_up_step = step

        def final(checkpoint_id: int) -> None:
            exams.add_level_up(
                game.conn,
                LevelUp(
                    run_id=game.run_id,
                    step=step,
                    skill=skill,
                    from_level=verdict.level - 1,
                    to_level=verdict.level,
                    exam_ids=winners,
                    steps=climb.steps if climb else 0,
                    effort=climb.effort if climb else 0.0,
                    start_loss=climb.start_loss if climb else None,
                    end_loss=climb.end_loss if climb else None,
                    checkpoint_id=checkpoint_id,
                    at=clock.now(),
                ),
            )

        game.saving.pending.append(final)
        game.board.drills.leave_level()
        game.saving.save("level_up")
