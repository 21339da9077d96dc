"""Exams that are asked elsewhere: a saved form is examined by the Inn while training goes on.

At a step at which an exam is due the hero is saved, and what is asked of that form is written into the save. Whoever dispatches
jobs lets a worker answer. At a later step boundary the answers of a round are taken in and marked, and what follows from them
holds from there on. That boundary is journaled: a resumed run asks the same questions and takes the same answers in after the same
step. Where no worker answers in time, the training machine examines the hero itself, if the player chose so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from configs import clock
from configs.elsewhere import proves
from configs.errors import BlockedError, RealmError
from configs.facilities import load_facilities
from configs.inn import InferenceRules
from engine.curriculum.examination import Examination, Further, Gate, Paper
from engine.curriculum.gate import ExamPlan
from engine.curriculum.state import Tally
from engine.trainer.exam_day import of_the_save
from engine.trainer.examiner import LIVE, Answered, Asked, Examiner, exam_facts
from engine.trainer.pairing import form
from engine.trainer.plan_asked import PlanAsked
from saves import answers, exams, journal, ledger
from saves.answers import Answers, ExamRequest
from saves.rows import Checkpoint, Exam

if TYPE_CHECKING:
    from engine.trainer.game import Game

ANSWERS = "answers"
"""Verb of the journal's entries."""
LOOK_S = 1.0
"""How often a running engine looks for answers."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What came back of a round."""

    requests: tuple[ExamRequest, ...]
    papers: tuple[Answers, ...]
    examiner: Examiner
    """Who put the questions and marks the answers."""
    asked: tuple[Sequence[Asked], ...]
    """The questions of each request as this program puts them: the very ones that were answered."""


class Outside:
    """The exams of a `Game` that are asked elsewhere."""

    def __init__(self, game: Game, *, on: bool) -> None:
        self._game = game
        self.on = on
        """Whether exams that become due are asked elsewhere."""
        self._looked_at = -LOOK_S
        self._put_off: int | None = None
        """The newest step after which answers were left for the next one."""
        self._tidied = False

    @property
    def _rules(self) -> InferenceRules:
        return self._game.rules.inn.inference

    # ---------------------------------------------------------------- asking

    def asks_after(self, step: int) -> bool:
        """Whether a form is saved for exams after ``step``."""
        return self.on and step % self._rules.every_steps == 0

    def waits(self, skill: str) -> bool:
        """Whether the gate's exam of a skill is under way."""
        return any(known.skill == skill for known in self._game.values.outside.values())

    def sit(self, skill: str) -> None:
        """Let the gate examine the hero of this step in a skill."""
        game = self._game
        known = self._gate().begin(game.values.curricula[skill], step=game.values.step)
        name = f"gate:{skill}:{game.values.step}"
        game.values.outside[name] = known
        self._save(name)

    def ask(self, asked: PlanAsked) -> None:
        """Ask what an entry of the exam plan, or the player, wants of the hero of this step; what waits already is not asked twice."""
        name = asked.name
        if name in self._game.values.outside_plan:
            return
        self._game.values.outside_plan[name] = asked
        saved = self._saved(asked.step)
        if saved is not None or asked.forms:
            self._post(name, saved)
        else:
            self._save(name)

    def check_places(self) -> None:
        """Refuse what can be asked nowhere else.

        Raises:
            BlockedError: the rules keep questions on this machine, or no place has a server that proves who answers.
            RealmError: the places cannot be read.
        """
        where, places = self._rules.where, load_facilities()
        if where == "local":
            raise BlockedError(
                "questions stay on this machine",
                why="`inn.inference.where` is local",
                fix="`realm config set inn.inference.where inn`, then stop and start the engine; or let the hero be examined here",
                code="NO_PLACE_ELSEWHERE",
            )
        if not any(
            proves(places, name) and (where == "inn" or not places.facilities[name].is_local)
            for name in places.serving()
        ):
            raise BlockedError(
                "no machine elsewhere has an inference server that proves who answers",
                fix="describe one in config/facilities/ (`realm host add`); with `inn.inference.where` inn this machine's own will do",
                code="NO_PLACE_ELSEWHERE",
            )

    def pending(self, skill: str, mix: str, level: int) -> int:
        """Questions of a level that the exam plan asked and nobody answered yet."""
        plans = [plan for asked in self._game.values.outside_plan.values() for plan in asked.plans]
        return sum(p.items for p in plans if (p.skill, p.mix, p.level) == (skill, mix, level))

    def _save(self, name: str) -> None:
        def landed(ended: Checkpoint | RealmError) -> None:
            if isinstance(ended, Checkpoint):
                self._post(name, ended)

        self._game.saving.save("exam", landed=landed)

    def _post(self, name: str, form: Checkpoint | None = None) -> None:
        """Write down what is asked of a form, unless it stands there already; of two forms where the sitting names them."""
        game, known = self._game, self._known(name)
        if known is None:
            return
        named = self._named(known)
        forms = named or ([form] * len(known.plans) if form is not None and not _forms(known) else [])
        if not forms:
            return
        examiner, now = self._examiner(forms[0].digest), clock.now()
        wanted = [
            ExamRequest(
                run_id=game.run_id,
                step=known.step,
                sitting=name,
                round=known.round,
                position=position,
                plan=plan.plan,
                skill=plan.skill,
                mix=plan.mix,
                level=plan.level,
                kind=plan.kind,
                first_index=plan.first_index,
                checkpoint_id=form.id,
                digest=form.digest,
                items=tuple(
                    {"ids": list(q.ids), "max_tokens": q.longest} for q in examiner.questions(plan) if not q.error
                ),
                at=now,
            )
            for position, (plan, form) in enumerate(zip(known.plans, forms, strict=True))
        ]
        answers.post(game.conn, wanted)

    # ---------------------------------------------------------------- taking in

    def look(self) -> None:
        """At a step boundary: take in what was answered, and bring home what nobody answers."""
        game, step = self._game, self._game.values.step
        waiting = [*game.values.outside, *game.values.outside_plan]
        self._tidy(waiting)
        if not waiting or clock.monotonic() - self._looked_at < LOOK_S:
            return
        if self._put_off != step - 1 and self._is_saved(step):
            # A form of this step would not know of the answers, and what is repeated from it would be written twice.
            self._put_off = step
            return
        self._looked_at = clock.monotonic()
        for name in waiting:
            known = self._known(name)
            if known is None or self._is_repeated(name, known.round):
                continue
            came = self._came(name, known)
            if came is None:
                continue
            home, found = came
            args = {"sitting": name, "round": known.round, "home": home}
            entry = journal.add(game.conn, game.run_id, game.values.step, ANSWERS, args, changes_training=True)
            game.values.applied_seq = entry.seq
            self._enter(name, known, found, home)

    def again(self, args: Mapping[str, Any]) -> None:
        """Take a round in after the step just done, as the journal says."""
        name = str(args["sitting"])
        known = self._known(name)
        if known is None or known.round != args["round"]:
            return
        found = None if args["home"] else self._found(known, self._answered(name, known))
        self._enter(name, known, found, str(args["home"]))

    def _enter(self, name: str, known: Examination | PlanAsked, found: _Found | None, home: str) -> None:
        """Take in what was answered, or examine the hero here and say why; where neither can be done, let it go and say that."""
        game = self._game
        try:
            if isinstance(known, Examination):
                self._examined(name, known, found, home)
            else:
                self._planned(name, known, found, home)
        except RealmError as error:
            if of_the_save(error):
                raise
            game.values.outside.pop(name, None)
            game.values.outside_plan.pop(name, None)
            if isinstance(known, Examination):
                game.exams.put_off(known.skill, error)
            else:
                game.exams.not_held(name, error)

    def _examined(self, name: str, known: Examination, found: _Found | None, home: str) -> None:
        game, step, skill = self._game, self._game.values.step, known.skill
        gate = self._gate()
        while True:
            papers = self._papers(name, known, found, home)
            result = gate.go_on(known, papers, game.values.curricula[skill], game.course.others(skill), step=step)
            if not isinstance(result, Further):
                break
            known = result.examination
            game.values.curricula |= {**result.others, skill: result.state}
            game.values.outside[name] = known
            if found is not None:
                self._post(name, ledger.checkpoint(game.conn, found.requests[0].checkpoint_id))
                game.show_curriculum()
                return
        del game.values.outside[name]
        game.exams.decided(skill, result)
        if found is not None:
            self._credit(found.requests[0], result.exam_id)

    def _planned(self, name: str, known: PlanAsked, found: _Found | None, home: str) -> None:
        game = self._game
        if known.forms:
            self._paired(name, known, found, home)
            return
        while True:
            later = game.exam_plan.took_in(known, self._exams(name, known, found, home))
            if not later.asked:
                del game.values.outside_plan[name]
                return
            known = game.values.outside_plan[name] = later
            if found is not None:
                self._post(name, ledger.checkpoint(game.conn, found.requests[0].checkpoint_id))
                return

    def _paired(self, name: str, known: PlanAsked, found: _Found | None, why: str) -> None:
        """What two saved forms answered, written down as exams of theirs; what nobody answered is let go."""
        game = self._game
        del game.values.outside_plan[name]
        if found is None:
            answers.let_go(game.conn, answers.of_round(game.conn, game.run_id, name, known.round), why)
            return
        written = [
            game.exam_plan.write(found.examiner, _of(request, paper, one))
            for request, paper, one in zip(found.requests, found.papers, self._marked(known.plans, found), strict=True)
        ]
        answers.entered(game.conn, found.requests, game.values.step, [exam.id for exam in written])

    def _papers(self, name: str, known: Examination, found: _Found | None, home: str) -> list[Paper]:
        """The answers of a round of the gate, written down as exams of this step."""
        if found is None:
            with self._at_home(name, known.round, home) as examiner:
                return examiner.papers(known.plans, self._game.values.step)
        answered = self._marked(known.plans, found)
        papers = [found.examiner.paper(plan, one) for plan, one in zip(known.plans, answered, strict=True)]
        answers.entered(self._game.conn, found.requests, self._game.values.step, [p.exam_id for p in papers])
        return papers

    def _exams(
        self, name: str, known: PlanAsked, found: _Found | None, home: str
    ) -> list[tuple[Exam, tuple[Tally, int]]]:
        """The answers of a round of the exam plan, written down as exams of this step; each with the best one before."""
        game = self._game
        if found is None:
            with self._at_home(name, known.round, home) as examiner:
                answered = examiner.ask(known.plans, game.values.step)
                return [self._written(examiner, one) for one in answered]
        taken = [self._written(found.examiner, one) for one in self._marked(known.plans, found)]
        answers.entered(game.conn, found.requests, game.values.step, [exam.id for exam, _ in taken])
        return taken

    def _written(self, examiner: Examiner, answered: Answered) -> tuple[Exam, tuple[Tally, int]]:
        best = self._game.exam_plan.best_before(answered.exam)
        return self._game.exam_plan.write(examiner, answered), best

    @contextmanager
    def _at_home(self, name: str, number: int, why: str) -> Iterator[Examiner]:
        """The hero as it is now, in the place of the form that nobody examined."""
        game = self._game
        with form(game, LIVE) as examiner:
            yield examiner
        waited = answers.of_round(game.conn, game.run_id, name, number)
        answers.came_home(game.conn, waited, game.values.step, why or "its answers are gone")

    def _marked(self, plans: Sequence[ExamPlan], found: _Found) -> list[Answered]:
        lead = self._game.hero.template.format.assistant.lead
        texts = [text.removeprefix(lead) for answer in found.papers for text in answer.texts]
        seconds = sum(answer.seconds for answer in found.papers)
        return found.examiner.marked(plans, found.asked, texts, self._game.values.step, seconds)

    def _gate(self) -> Gate:
        game = self._game
        skills = {name: made for name, (made, _) in game.forge.skills.items()}
        return Gate(skills, game.rules.exams, game.rules.forgetting)

    def _examiner(self, digest: str) -> Examiner:
        """Who makes the questions and marks the answers of a form; its rows name the form's digest."""
        return self._game.exams.examiner_of(self._game.hero, digest)

    # ---------------------------------------------------------------- what is there

    def _known(self, name: str) -> Examination | PlanAsked | None:
        values = self._game.values
        return values.outside.get(name) or values.outside_plan.get(name)

    def _answered(
        self, name: str, known: Examination | PlanAsked
    ) -> tuple[tuple[ExamRequest, ...], tuple[Answers, ...]] | None:
        """The requests of a round and what was said to each; None while an answer is missing."""
        game = self._game
        asked = answers.of_round(game.conn, game.run_id, name, known.round)
        said = [a for r in asked if (a := answers.answers_to(game.conn, r.id)) is not None]
        return (tuple(asked), tuple(said)) if len(asked) == len(said) == len(known.plans) else None

    def _found(
        self, known: Examination | PlanAsked, answered: tuple[tuple[ExamRequest, ...], tuple[Answers, ...]] | None
    ) -> _Found | None:
        """What can be marked; None where nothing was answered, or to other questions than this program asks: another version may."""
        if answered is None:
            return None
        requests, papers = answered
        examiner = self._examiner(papers[0].digest)
        put = tuple(examiner.questions(plan) for plan in known.plans)
        for request, questions in zip(requests, put, strict=True):
            if [item["ids"] for item in request.items] != [list(q.ids) for q in questions if not q.error]:
                return None
        return _Found(requests, papers, examiner, put)

    def _came(self, name: str, known: Examination | PlanAsked) -> tuple[str, _Found | None] | None:
        """The answers of a round, or why the hero is examined here instead; None: wait on."""
        answered = self._answered(name, known)
        if answered is not None:
            found = self._found(known, answered)
            return ("" if found is not None else "its questions are put otherwise by now"), found
        home = self._why_home(name, known)
        return None if home is None else (home, None)

    def _why_home(self, name: str, known: Examination | PlanAsked) -> str | None:
        """Why the hero is examined here, though nothing was answered; None: wait on."""
        game = self._game
        asked = answers.of_round(game.conn, game.run_id, name, known.round)
        if not asked:
            if game.saving.under_way:
                return None
            form = self._saved(known.step)
            if (form is None) if not _forms(known) else not self._named(known):
                return "the form to be examined is gone"
            self._post(name, form)
            return None
        if not {request.checkpoint_id for request in asked} <= {f.id for f in ledger.kept_checkpoints(game.conn)}:
            return "the form to be examined is gone"
        if not self.on and not (isinstance(known, PlanAsked) and known.commanded):
            return "exams are asked here again"
        if self._rules.exams == "home" and clock.now() - asked[0].at >= self._rules.home_after_s:
            return f"nobody answered in {self._rules.home_after_s:g} seconds"
        return None

    def _named(self, known: Examination | PlanAsked) -> list[Checkpoint]:
        """The kept forms that a sitting names; none where it names none, or one of them is gone."""
        kept = {form.name: form for form in ledger.kept_checkpoints(self._game.conn)} if _forms(known) else {}
        found = [kept[name] for name in _forms(known) if name in kept]
        return found if len(found) == len(_forms(known)) else []

    def _saved(self, step: int) -> Checkpoint | None:
        """The listed form of a step."""
        return next((form for form in self._forms() if form.step == step), None)

    def _is_saved(self, step: int) -> bool:
        return self._game.saving.saved_at(step) or self._saved(step) is not None

    def _tidy(self, waiting: Sequence[str]) -> None:
        """Once, when all is repeated: let go of questions that a way asked which the hero has left."""
        if not self._tidied and not self._game.replay:
            self._tidied = True
            answers.drop_unwaited(self._game.conn, self._game.campaign.id, waiting)

    def _forms(self) -> list[Checkpoint]:
        return ledger.live_checkpoints(self._game.conn, self._game.campaign.id)

    def _is_repeated(self, name: str, number: int) -> bool:
        """Whether the journal says at which step a round is taken in."""
        return any(
            entry.verb == ANSWERS and entry.args["sitting"] == name and entry.args["round"] == number
            for entry in self._game.replay
        )

    def _credit(self, request: ExamRequest, exam_id: int) -> None:
        """Let the ledger know that a form was examined after it was saved."""
        game = self._game
        exam = exams.exam(game.conn, exam_id)
        if exam is not None and exam.items:
            ledger.examined(game.conn, request.checkpoint_id, exam_facts(exam))


def _forms(known: Examination | PlanAsked) -> tuple[str, ...]:
    """Names of the saved forms that are asked; none: the form of the sitting's step is."""
    return known.forms if isinstance(known, PlanAsked) else ()


def _of(request: ExamRequest, paper: Answers, answered: Answered) -> Answered:
    """An exam as one of the saved form that was asked."""
    exam = replace(answered.exam, weights=request.digest, checkpoint_id=request.checkpoint_id, duration_s=paper.seconds)
    return replace(answered, exam=exam)
