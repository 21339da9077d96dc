"""Carries out the exam plan for a running game: sits what is due, keeps to the limits, and sees to what follows.

Nothing here changes what is trained: the plan's exams ask problems of their own and touch no state of the curriculum. What was
asked is read from the save once and then kept up to date, so a resumed run goes on with the plan where its facts end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from configs import clock
from configs.errors import RealmError, UsageError
from configs.exam_plan import ExamPlanConfig, PlanEntry, load_exam_plan
from configs.reading import nearest
from engine.curriculum.asked import COLUMNS, HERE, cannot_ask, read_record, told
from engine.curriculum.drift import Drop, fell, weigh
from engine.curriculum.exam_plan import Occasion, PlanRecord, Pupil, Sitting, Wanted, due, wanted
from engine.curriculum.gate import ExamPlan, plan_asked
from engine.curriculum.state import NOTHING, CurriculumState, Tally, start
from engine.trainer.exam_day import of_the_save
from engine.trainer.examiner import LIVE, Answered, Examiner
from engine.trainer.pairing import form
from engine.trainer.plan_asked import Doubt, Later, PlanAsked
from saves import drifts, exams, incidents, ledger
from saves.database import transaction
from saves.rows import Drift, Exam
from skills.registry import get_skill

if TYPE_CHECKING:
    from engine.trainer.game import Game

_BATCH = 256
"""Questions between two looks at an entry's time limit."""


class PlanDay:
    """The exam plan of a `Game`."""

    def __init__(self, game: Game, plan: ExamPlanConfig | None = None) -> None:
        self._game = game
        self.plan = plan or load_exam_plan()
        self._known: PlanRecord | None = None
        self._rested_since: float | None = None
        self._left = False

    # ---------------------------------------------------------------- what is known

    @property
    def record(self) -> PlanRecord:
        """What was asked so far."""
        if self._known is None:
            self._known = read_record(self._game.conn, self._game.campaign.id, self.plan)
        return self._known

    def took(self, exam: Exam) -> None:
        """Take note of an exam that was just written, the gate's and those on command as well."""
        if self._known is not None:  # else it is read from the save with all the others
            self._known = told(self._known, {name: getattr(exam, name) for name in COLUMNS}, self.plan)

    @property
    def pupil(self) -> Pupil:
        """The hero as the plan sees it."""
        game = self._game
        training = game.hero.config.training
        return Pupil(
            states=game.values.curricula,
            hatchling=game.hero.config.model.source == "hatchling",
            step_examples=training.batch_size * training.accumulation,
            starting_step=game.campaign.starting_step,
        )

    def state_of(self, skill_id: str, mix: str) -> CurriculumState:
        """Where the hero stands in a skill and mix; at the start, where it does not train them."""
        state = self._game.values.curricula.get(skill_id)
        if state is not None and state.mix == mix:
            return state
        return start(skill_id, mix, get_skill(skill_id).config.max_level, self._game.rules.exams)

    def question_plan(
        self, skill_id: str, mix: str, level: int, items: int, *, kind: str, entry: str = "", ahead: int = 0
    ) -> ExamPlan:
        """Fresh problems of a level, kept apart from those of the gate and from all that were asked outside it.

        ``ahead``: questions of the level that are asked already and not yet answered.
        """
        ahead += self._game.outside.pending(skill_id, mix, level)
        return plan_asked(
            self.state_of(skill_id, mix),
            get_skill(skill_id),
            level,
            self._game.rules.exams,
            items=items,
            asked=self.record.outside.get((skill_id, mix, level), 0) + ahead,
            kind=kind,
            plan=entry,
        )

    # ---------------------------------------------------------------- when

    def stepped(self) -> None:
        """After a step with everything that hangs on it: sit what is due, where a checkpoint was begun and where not."""
        game, step = self._game, self._game.values.step
        self._rested_since = None
        if game.outside.on:
            self._held(lambda: self._ask_due(step))
            return
        occasion = Occasion(step, checkpoint=game.saving.saved_at(step), now=clock.now())
        self._held(lambda: self._sit_due(occasion))

    def rested(self) -> None:
        """While the hero rests on the player's word: one slice of what may be asked now."""
        game, now = self._game, clock.monotonic()
        if game.outside.on:
            return
        if self._rested_since is None:
            self._rested_since = now
        newest = max((c.step for c in ledger.live_checkpoints(game.conn, game.campaign.id)), default=None)
        occasion = Occasion(
            game.values.step, rested_s=now - self._rested_since, now=clock.now(), newest_checkpoint=newest
        )
        self._held(lambda: self._sit_due(occasion))

    def _held(self, hold: Callable[[], None]) -> None:
        """Do what is due; where it fails the plan is left out until the engine is started again, and training goes on."""
        if self._left:
            return
        try:
            hold()
        except RealmError as error:
            if of_the_save(error):
                raise
            self._left = True
            self._game.exams.not_held("the exam plan, which is left out until the engine is started again,", error)

    def _sit_due(self, occasion: Occasion) -> None:
        found = due(self.plan, self.pupil, self.record, occasion, HERE)
        if found and occasion.rested_s is not None:
            found = [_slice(found[0], self.plan.budget.slice_items)]
        for sitting in found:
            self.sit(sitting)

    def _ask_due(self, step: int) -> None:
        """Let the form of this step be asked elsewhere what is due, but for what is still unanswered."""
        game = self._game
        if not game.outside.asks_after(step):
            return
        waiting = {asked.entry for asked in game.values.outside_plan.values()}
        occasion = Occasion(step, checkpoint=True, now=clock.now())
        for sitting in due(self.plan, self.pupil, self.record, occasion, HERE):
            if sitting.entry in waiting:
                continue
            game.outside.ask(self._asked(sitting))

    def _asked(self, sitting: Sitting, *, commanded: bool = False) -> PlanAsked:
        """What an entry asks elsewhere of the hero of this step."""
        entry = self.plan.entries[sitting.entry]
        plans = tuple(Later(self._questions(entry, sitting.entry, want)) for want in sitting.wanted)
        fallen = tuple(want.fallen_items for want in sitting.wanted)
        return PlanAsked(sitting.entry, self._game.values.step, plans, fallen, commanded=commanded)

    def took_in(self, known: PlanAsked, written: Sequence[tuple[Exam, tuple[Tally, int]]]) -> PlanAsked:
        """After the answers of a round were written down as exams, each with the best one before; what is asked next."""
        name, entry = known.entry, self.plan.entries.get(known.entry)
        later: list[Later] = []
        for number, (asked, (exam, best)) in enumerate(zip(known.asked, written, strict=True)):
            if asked.doubt is not None:
                self._weighed(name, asked.doubt, exam)
            elif entry is not None and known.fallen_items:
                want = Wanted(exam.skill, exam.mix, exam.level, asked.plan.items, known.fallen_items[number])
                later += self._after(name, entry, want, exam, best)
        return replace(known, asked=tuple(later), fallen_items=(), round=known.round + 1)

    def commanded(self, name: str) -> list[Exam]:
        """Sit an entry now, whatever was asked before.

        Raises:
            UsageError: there is no such entry, or nothing of it can be asked of this hero.
        """
        return self.sit(self._commanded(name))

    def asked_on_command(self, name: str) -> PlanAsked:
        """What an entry asks elsewhere now, whatever was asked before; raises as `commanded` does."""
        return self._asked(self._commanded(name), commanded=True)

    def _commanded(self, name: str) -> Sitting:
        entry = self.entry(name)
        occasion = Occasion(self._game.values.step, now=clock.now(), newest_checkpoint=self._game.values.step)
        asked = tuple(wanted(self.plan, name, self.pupil, self.record, occasion, HERE, commanded=True))
        if not asked:
            reasons = [r for q in entry.asks if q.skill != "trained" and (r := cannot_ask(q.skill, q.mix or "full"))]
            raise UsageError(
                f"{name} has nothing to ask now",
                why="; ".join(reasons) or "no level fits it yet",
                fix="see `realm exam plan`",
                code="NOTHING_TO_ASK",
            )
        return Sitting(name, asked)

    def entry(self, name: str) -> PlanEntry:
        """An entry of the plan; `UsageError` names the nearest where there is none."""
        found = self.plan.entries.get(name)
        if found is None:
            near = nearest(name, list(self.plan.entries))
            raise UsageError(
                f"the exam plan has no entry {name!r}",
                why=f"the nearest is {near}" if near else "",
                fix="see `realm exam plan`",
                code="UNKNOWN_ENTRY",
            )
        return found

    # ---------------------------------------------------------------- sitting

    def sit(self, sitting: Sitting) -> list[Exam]:
        """Ask what an entry wants, within its time, and see to what follows; the exams as they were written."""
        game, entry = self._game, self.plan.entries[sitting.entry]
        started = clock.monotonic()
        written: list[Exam] = []
        with form(game, LIVE) as examiner:
            for group in _groups(sitting.wanted, _BATCH):
                if clock.monotonic() - started >= entry.limit.seconds:
                    break
                plans = [self._questions(entry, sitting.entry, w) for w in group]
                for want, answered in zip(group, examiner.ask(plans, game.values.step), strict=True):
                    before = self.best_before(answered.exam)
                    exam = self.write(examiner, answered)
                    written.append(exam)
                    written += self._follow(examiner, sitting.entry, entry, want, exam, before)
        return written

    def write(self, examiner: Examiner, answered: Answered) -> Exam:
        """Write an exam, and say what could not be asked or judged."""
        exam = replace(answered.exam, id=examiner.write(answered))
        self._game.exams.report_errors(exam.skill, answered.errors)
        return exam

    def _questions(self, entry: PlanEntry, name: str, want: Wanted, ahead: int = 0) -> ExamPlan:
        return self.question_plan(
            want.skill, want.mix, want.level, want.items, kind=entry.kind, entry=name, ahead=ahead
        )

    # ---------------------------------------------------------------- what follows

    def _follow(
        self, examiner: Examiner, name: str, entry: PlanEntry, want: Wanted, exam: Exam, best: tuple[Tally, int]
    ) -> list[Exam]:
        """Ask what follows from an exam at once."""
        more = []
        for later in self._after(name, entry, want, exam, best):
            (answered,) = examiner.ask([later.plan], self._game.values.step)
            again = self.write(examiner, answered)
            more.append(again)
            if later.doubt is not None:
                self._weighed(name, later.doubt, again)
        return more

    def _after(self, name: str, entry: PlanEntry, want: Wanted, exam: Exam, best: tuple[Tally, int]) -> list[Later]:
        """What is asked on top of an exam; a fall that needs no second look is weighed here."""
        game, later = self._game, []
        tally = Tally(exam.correct, exam.items)
        state = game.values.curricula.get(want.skill)
        won = state is not None and state.mix == want.mix and want.level <= state.mastered
        ahead = 0
        if want.fallen_items and won and tally.items and not tally.reaches(game.rules.exams.held_share):
            later.append(Later(self._questions(entry, name, replace(want, items=want.fallen_items))))
            ahead = later[0].plan.items
        if entry.follows.drift and best[0].items and tally.items:
            least = min(self.plan.drift.warning, entry.follows.rollback_drop or 1.0)
            items = self.plan.drift.confirm_items
            if items and fell(best[0], tally, least):
                plan = self._questions(entry, name, replace(want, items=items), ahead)
                assert exam.id is not None
                later.append(Later(plan, Doubt(exam.id, *best)))
            else:
                self._drifted(name, entry, exam, weigh(best[0], tally, self.plan.drift), best[1])
        return later

    def _weighed(self, name: str, doubt: Doubt, again: Exam) -> None:
        """After the second look at a fall: both exams together against the best one."""
        entry, exam = self.plan.entries.get(name), exams.exam(self._game.conn, doubt.exam_id)
        if entry is None or exam is None:
            return
        tally = Tally(exam.correct, exam.items).plus(Tally(again.correct, again.items))
        self._drifted(name, entry, exam, weigh(doubt.best, tally, self.plan.drift), doubt.best_step)

    def best_before(self, exam: Exam) -> tuple[Tally, int]:
        """The best exam of the same entry and place so far, and its step."""
        key = (exam.plan, (exam.skill, exam.mix, exam.level), exam.skill_version)
        return self.record.best.get(key, NOTHING), self.record.best_step.get(key, 0)

    def _drifted(self, name: str, entry: PlanEntry, exam: Exam, drop: Drop, best_step: int) -> None:
        game, follows = self._game, entry.follows
        back = follows.rollback_drop is not None and fell(drop.best, drop.now, follows.rollback_drop)
        back = back and drop.by_chance < self.plan.drift.chance
        now = clock.now()
        with transaction(game.conn, durable=True):
            drifts.add_drift(
                game.conn,
                Drift(
                    run_id=game.run_id,
                    step=game.values.step,
                    plan=name,
                    skill=exam.skill,
                    level=exam.level,
                    baseline=drop.best.share or 0.0,
                    share=drop.now.share or 0.0,
                    severity=drop.severity,
                    detail={**drop.as_dict(), "mix": exam.mix, "best_step": best_step},
                    at=now,
                ),
            )
            if drop.severity == "none" and not back:
                return
            form = self._form_from(best_step)
            shown = f"{drop.now.correct} of {drop.now.items}, at its best {drop.best.correct} of {drop.best.items}"
            incidents.raise_incident(
                game.conn,
                "drift",
                category="training",
                severity="high" if drop.severity == "critical" else "medium",
                title=f"{entry.title}: {exam.skill} level {exam.level} has fallen ({shown})",
                fix=f"train it again, or go back to step {best_step} (`realm ledger summon {form}`)"
                if back and form
                else "give it a share of the steps again (`realm curriculum show`), or drill what is weak",
                detail={
                    "plan": name,
                    "skill": exam.skill,
                    "level": exam.level,
                    "best_step": best_step,
                    **drop.as_dict(),
                },
                run_id=game.run_id,
                step=game.values.step,
            )

    def _form_from(self, step: int) -> str:
        """The kept form of ``step``, or the next one after it; empty when there is none."""
        forms = ledger.live_checkpoints(self._game.conn, self._game.campaign.id)
        later = sorted((c for c in forms if c.step >= step), key=lambda c: c.step)
        return later[0].name if later else ""


def _groups(wanted_exams: Iterable[Wanted], questions: int) -> Iterator[list[Wanted]]:
    """Consecutive exams with at most so many questions together, or one alone."""
    group: list[Wanted] = []
    for want in wanted_exams:
        if group and sum(w.items for w in group) + want.items > questions:
            yield group
            group = []
        group.append(want)
    if group:
        yield group


def _slice(sitting: Sitting, questions: int) -> Sitting:
    """The first part of a sitting."""
    first: list[Wanted] = []
    left = questions
    for want in sitting.wanted:
        if left <= 0:
            break
        first.append(replace(want, items=min(want.items, left)))
        left -= first[-1].items
    return Sitting(sitting.entry, tuple(first))


def suggestions(entry: PlanEntry, written: Sequence[Exam]) -> list[dict[str, Any]]:
    """Levels from which a level-up is in reach, where the entry looks for them."""
    bar = entry.follows.suggest_share
    if bar is None:
        return []
    return [
        {"skill": e.skill, "level": e.level, "correct": e.correct, "items": e.items}
        for e in written
        if Tally(e.correct, e.items).reaches(bar)
    ]
