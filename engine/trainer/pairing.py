"""Two forms of a hero on the very same questions: against its base, its champion, or an older checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.curriculum.asked import BASE
from engine.curriculum.gate import ExamPlan
from engine.curriculum.pairs import NO_ITEMS, Paired, paired
from engine.hero.loading import load_folder
from engine.link.state import EngineState
from engine.parallel.waking import Waking
from engine.precision import exact_matmul
from engine.trainer.examiner import LIVE, Answered, Examiner
from engine.trainer.promotion import find_form
from saves import exams, ledger
from saves.rows import Exam

if TYPE_CHECKING:
    from engine.trainer.game import Game


@dataclass(frozen=True, slots=True)
class PairedExam:
    """One place asked of two forms."""

    first: Exam
    second: Exam
    pair: Paired

    def as_dict(self, alpha: float) -> dict[str, Any]:
        """Plain JSON values, with what each operation gained, most first."""
        return {
            "skill": self.first.skill,
            "mix": self.first.mix,
            "level": self.first.level,
            "exams": [self.first.id, self.second.id],
            **self.pair.as_dict(alpha),
            "operations": dict(sorted(self.gains().items(), key=lambda item: -item[1])),
        }

    def gains(self) -> dict[str, float]:
        """Operation to the difference of its two shares."""
        one, other = self.first.operations, self.second.operations
        return {
            name: other[name]["correct"] / other[name]["items"] - one[name]["correct"] / one[name]["items"]
            for name in one
            if name in other
        }


@contextmanager
def form(game: Game, which: str) -> Iterator[Examiner]:
    """An examiner of ``live``, ``base`` (before it learnt anything here), or a checkpoint by name, step or ``champion``.

    Raises:
        UsageError: there is no such checkpoint.
        RealmError: its folder or the base model cannot be loaded.
    """
    before, blocker = game.recorder.state, game.recorder.snapshot.blocker
    game.report(EngineState.EXAMINING)
    try:
        if which == LIVE:
            with game.loop.examined():
                yield game.exams.examiner()
        else:
            game.recorder.progress(f"waking {which}")
            examiner = _woken(game, which)
            with exact_matmul():
                yield examiner
    finally:
        game.recorder.progress(None)
        game.report(before, blocker)


def _woken(game: Game, which: str) -> Examiner:
    placement = game.loop.placement
    if which == BASE:
        hero = Waking(game.hero.config, placement, None, game.campaign.seed).hero(placement)
        weights, checkpoint_id = BASE, None
    else:
        checkpoint = find_form(game.conn, which)
        hero = load_folder(game.hero.config, ledger.folder_of(game.folder, checkpoint), placement)
        weights, checkpoint_id = checkpoint.digest, checkpoint.id
    hero.model.eval()
    return game.exams.examiner_of(hero, weights, checkpoint_id)


def pair(game: Game, first: str, second: str, plans: Sequence[ExamPlan]) -> list[PairedExam]:
    """Ask two forms the same questions, write both their exams, and compare them.

    Args:
        game: the run; its random streams and its curriculum do not move.
        first: what the other is held against, as `form` knows it.
        second: the other.
        plans: the questions.
    """
    answers: list[list[Answered]] = []
    written: list[list[Exam]] = []
    step = game.values.step
    for which in (first, second):
        with form(game, which) as examiner:
            asked = examiner.ask(plans, step)
            written.append([replace(a.exam, id=examiner.write(a)) for a in asked])
            answers.append(asked)
    return [
        PairedExam(one, other, compared(one, other, a, b)) for one, other, a, b in zip(*written, *answers, strict=True)
    ]


def compared(first: Exam, second: Exam, a: Answered, b: Answered) -> Paired:
    """The two forms item by item."""
    same = [i.problem_digest for i in a.items] == [i.problem_digest for i in b.items]
    if not same or first.skill_version != second.skill_version:
        return NO_ITEMS
    return paired(exams.sequence(a.items), exams.sequence(b.items))


def total(pairs: Sequence[PairedExam]) -> Paired:
    """All comparisons as one."""
    whole = NO_ITEMS
    for one in pairs:
        whole = whole.plus(one.pair)
    return whole
