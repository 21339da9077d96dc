"""What the save and the plan say of exams, for commands and screens; nothing here wakes the hero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.errors import BlockedError, UsageError
from configs.exam_plan import ExamPlanConfig, PlanEntry
from engine.curriculum.exam_plan import PlanRecord, Pupil
from engine.curriculum.pairs import Paired, paired
from lore.figures import number, share
from realm_tui.runtime.opened import OpenedSave
from saves.rows import Exam

_DIGEST_LETTERS = 64
_LEVELS_NAMED = 4


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry of the exam plan, and how it stands in this campaign."""

    name: str
    entry: PlanEntry
    last_step: int | None
    last_correct: int
    last_items: int
    left_out: tuple[str, ...]
    """Why parts of it, or all of it, are not asked."""
    due: str
    """When it comes, in words."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "id": self.name,
            "title": self.entry.title,
            "kind": self.entry.kind,
            "priority": self.entry.priority,
            "enabled": self.entry.enabled,
            "when": self.entry.when.model_dump(mode="json"),
            "asks": [q.model_dump(mode="json") for q in self.entry.asks],
            "limit": self.entry.limit.model_dump(mode="json"),
            "last_step": self.last_step,
            "last_correct": self.last_correct if self.last_step is not None else None,
            "last_items": self.last_items if self.last_step is not None else None,
            "left_out": list(self.left_out),
            "due": self.due,
        }


@dataclass(frozen=True, slots=True)
class PlanView:
    """The exam plan of a campaign."""

    entries: tuple[EntryView, ...]
    budget_share: float
    questions: int
    """Asked by the gate and the plan while the hero trained."""
    credit: float
    """What exams may still cost, in training examples."""
    exam_s: float
    training_s: float

    @property
    def measured_share(self) -> float | None:
        """Time of all exams, as a share of the time of training; None before there is any."""
        return self.exam_s / self.training_s if self.training_s > 0 else None


def plan_view(save: OpenedSave, step: int) -> PlanView:
    """The plan in force and how it stands at ``step``."""
    from configs.exam_plan import load_exam_plan
    from engine.curriculum.asked import HERE, read_record
    from engine.curriculum.exam_plan import credit, left_out

    plan = load_exam_plan()
    record, pupil = read_record(save.conn, save.campaign.id, plan), _pupil(save)
    exam_s, training_s = _seconds(save)
    views = []
    for name, entry in plan.entries.items():
        missing = tuple(left_out(plan, name, pupil, HERE))
        last = record.last.get(name)
        correct, items = _newest(save, name, last[0]) if last is not None else (0, 0)
        when = _due(plan, entry, pupil, record, name, step)
        views.append(EntryView(name, entry, last[0] if last else None, correct, items, missing, when))
    return PlanView(
        tuple(views), plan.budget.share, record.spent, credit(plan, pupil, record, step), exam_s, training_s
    )


def _pupil(save: OpenedSave) -> Pupil:
    from engine.curriculum.state import start
    from saves.exams import mastered_level
    from skills.registry import get_skill

    training = save.hero.training
    states = {
        skill: start(
            skill,
            mix,
            get_skill(skill).config.max_level,
            save.rules.exams,
            mastered=mastered_level(save.conn, save.campaign.id, skill),
        )
        for skill, mix in save.hero.skills.items()
    }
    return Pupil(
        states,
        hatchling=save.hero.model.source == "hatchling",
        step_examples=training.batch_size * training.accumulation,
        starting_step=save.campaign.starting_step,
    )


def _newest(save: OpenedSave, entry: str, step: int) -> tuple[int, int]:
    row = save.conn.execute(
        "SELECT sum(correct), sum(items) FROM live_exams WHERE run_campaign_id = ? AND plan = ? AND step = ?",
        (save.campaign.id, entry, step),
    ).fetchone()
    return int(row[0] or 0), int(row[1] or 0)


def _seconds(save: OpenedSave) -> tuple[float, float]:
    exams = save.conn.execute(
        "SELECT sum(duration_s) FROM live_exams WHERE run_campaign_id = ?", (save.campaign.id,)
    ).fetchone()[0]
    steps = save.conn.execute(
        "SELECT sum(active_s) FROM live_step_windows WHERE run_campaign_id = ?", (save.campaign.id,)
    ).fetchone()[0]
    return float(exams or 0.0), float(steps or 0.0)


def _due(plan: ExamPlanConfig, entry: PlanEntry, pupil: Pupil, record: PlanRecord, name: str, step: int) -> str:
    when, last = entry.when, record.last.get(name)
    if when.trigger == "command" or not entry.enabled or (pupil.hatchling and not entry.hatchlings):
        return "on command"
    soonest = (last[0] if last is not None else pupil.starting_step) + when.every_steps
    later = f"from step {number(soonest)}" if soonest > step else ""
    if when.trigger == "steps":
        return later or "when the budget allows it"
    if when.trigger == "idle":
        return f"at rest {later}".strip() if later else f"after {plan.budget.idle_s:.0f} s of rest"
    return f"next checkpoint {later}".strip()


def remarks(exam: Exam) -> str:
    """What must be said beside an exam's figures."""
    found = [
        "won the level" if exam.won_level else "",
        "all unseen problems there are" if exam.apprentice else "",
        f"{exam.errors} errored" if exam.errors else "",
        f"{exam.format_failures} unreadable" if exam.format_failures else "",
        f"{exam.repeats} asked before" if exam.repeats else "",
    ]
    return ", ".join(part for part in found if part)


def answered_by(exam: Exam) -> str:
    """Who answered: the live hero of the step, its base, or a checkpoint."""
    if exam.checkpoint_id is not None:
        return f"checkpoint {exam.weights[:8]}"
    if len(exam.weights) == _DIGEST_LETTERS:
        return f"form {exam.weights[:8]}"
    return {"base": "base", "ema": "live, averaged"}.get(exam.weights, exam.weights)


def waits_text(waits: Mapping[str, Any]) -> str:
    """What an exam that is asked elsewhere was answered with, in words."""
    levels = ", ".join(f"{one['skill'].upper()} L{one['level']}" for one in waits["levels"][:_LEVELS_NAMED])
    more = len(waits["levels"]) - _LEVELS_NAMED
    named = f"{levels} and {more} more" if more > 0 else levels
    if waits.get("forms"):
        first, second = waits["forms"]
        return (
            f"asked elsewhere of {second} and {first}: {waits['questions']} questions ({named}); training goes on, and what they "
            f"answered is entered when it is there (`realm ledger gate {second}`)"
        )
    return (
        f"asked elsewhere of the form of step {number(waits['step'])}: {waits['questions']} questions ({named}); "
        "training goes on, and the result is entered when the answers are there (`realm exam list`)"
    )


def interval_text(correct: int, items: int, alpha: float) -> str:
    """The interval of a share that stays valid while one looks: ``.69–.90``."""
    from engine.statistics import interval

    if not items:
        return "–"
    low, high = interval(correct, items, alpha)
    return f"{_cut(low)}–{_cut(high, up=True)}"


def _cut(value: float, *, up: bool = False) -> str:
    """A bound to two decimals, rounded away from the middle."""
    from math import ceil, floor

    percent = ceil(round(100 * value, 6)) if up else floor(round(100 * value, 6))
    return share(percent, 100)


def newest_step(save: OpenedSave) -> int:
    """The newest step that the save knows of."""
    row = save.conn.execute(
        """SELECT max(s) FROM (SELECT max(last_step) AS s FROM live_step_windows WHERE run_campaign_id = :c
               UNION ALL SELECT max(step) FROM live_exams WHERE run_campaign_id = :c)""",
        {"c": save.campaign.id},
    ).fetchone()
    return int(row[0]) if row[0] is not None else save.campaign.starting_step


def compared_exams(first: Exam, second: Exam) -> Paired:
    """Two exams item by item, from what the save keeps of them.

    Raises:
        UsageError: they did not ask the same questions in the same words.
    """

    def asked(exam: Exam) -> tuple[object, ...]:
        return exam.skill, exam.level, exam.mix, exam.first_index, len(exam.sequence), exam.skill_version

    if asked(first) != asked(second):
        raise UsageError(
            f"exams {first.id} and {second.id} did not ask the same questions",
            fix="let two forms answer the same ones: `realm exam run --against base`",
            code="OTHER_QUESTIONS",
        )
    return paired(first.sequence, second.sequence)


def check_experience(save: OpenedSave, discipline: str) -> None:
    """Refuse a trial for which the hero lacks discipline XP.

    Raises:
        UsageError: there is no such discipline.
        BlockedError: it is locked, or the XP is not enough (``NOT_READY``).
    """
    from lore.combat import Combat, combat, rank
    from saves.exams import recent_exams
    from saves.trials import passed_level, trials
    from skills.registry import get_skill, skill_id

    found = skill_id(discipline)
    level = passed_level(trials(save.conn, save.campaign.id, found)) + 1
    taken = recent_exams(save.conn, save.campaign.id, skill=found)
    earned = combat(taken, {found: get_skill(found).config.xp_multiplier}).get(found, Combat()).xp
    if rank(earned) < level:
        raise BlockedError(
            f"level {level} of {found} asks for more experience",
            why=f"the hero earned {earned:,} XP in its exams, which is rank {rank(earned)}",
            fix="let it train the discipline and sit its exams",
            code="NOT_READY",
        )
