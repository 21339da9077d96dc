"""Checks a proposal: against samples that took no part in it, and against itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from configs import clock
from configs.declared import DeclaredSkill
from skills.declared.drawing import canonical, known, read_back
from skills.declared.expression import ExpressionError, evaluate, text
from skills.declared.skill import build
from skills.forge.samples import Sample

EXAM_ITEMS = 64
GOOD_SHARE = 0.95
"""Share of the held-out samples that a proposal must answer."""
EXPLAINED_SHARE = 0.80
_REGENERATED = 40
GUESSABLE_SHARE = 0.65
"""Share of a constant answer above which an operation proves little."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks found."""

    samples: int
    explained: int
    held_out: int
    answered: int
    """Held-out samples whose answer the proposal gives."""
    unread: tuple[int, ...]
    """Lines of held-out samples that no template fits."""
    wrong: tuple[int, ...]
    """Lines of held-out samples that get another answer."""
    regenerated: int
    ambiguous: int
    """Made problems whose prompt, read back, has another answer."""
    problems_per_s: float
    guessable: tuple[str, ...] = ()
    """Operations that a constant answer mostly gets right."""

    @property
    def consistent(self) -> bool:
        """Whether the samples support the proposal."""
        return (
            self.ambiguous == 0
            and not self.guessable
            and self.explained >= EXPLAINED_SHARE * self.samples
            and self.answered >= GOOD_SHARE * self.held_out
            and self.held_out > 0
        )


def answer_to(declared: DeclaredSkill, prompt: str) -> str | None:
    """The answer that a declared skill gives to a prompt of its own kind; None when no template fits."""
    for operation in declared.operations.values():
        values = read_back(operation, prompt)
        if values is None:
            continue
        try:
            return text(evaluate(operation.answer, known(operation, values)))
        except ExpressionError:
            continue
    return None


def unseen(declared: DeclaredSkill, samples: Sequence[Sample], most: int = EXAM_ITEMS) -> list[tuple[str, str]]:
    """Samples whose problem the skill never trains on, as question and answer: those on the exam side of its split."""
    skill = build(declared)
    found: dict[str, str] = {}
    for sample in samples:
        for name, operation in declared.operations.items():
            values = read_back(operation, sample.prompt)
            if values is not None:
                if skill.side_of(name, canonical(operation, values)) == "exam":
                    found[sample.prompt] = sample.answer
                break
    return list(found.items())[:most]


def check(declared: DeclaredSkill, samples: Sequence[Sample], explained: int) -> Checked:
    """Answer the held-out samples, and read every made problem back."""
    aside = [sample for sample in samples if sample.held_out]
    told = {sample.line: answer_to(declared, sample.prompt) for sample in aside}
    skill = build(declared)
    made = ambiguous = 0
    began = clock.monotonic()
    for level in range(1, declared.max_level + 1):
        for index in range(_REGENERATED):
            problem = skill.generate(level, index, "train")
            made += 1
            ambiguous += answer_to(declared, problem.prompt) != problem.answer
    took = clock.monotonic() - began
    return Checked(
        samples=len(samples) - len(aside),
        explained=explained,
        held_out=len(aside),
        answered=sum(told[s.line] == s.answer for s in aside),
        unread=tuple(s.line for s in aside if told[s.line] is None),
        wrong=tuple(s.line for s in aside if told[s.line] not in (None, s.answer)),
        regenerated=made,
        ambiguous=ambiguous,
        problems_per_s=made / took if took > 0 else 0.0,
        guessable=guessable(declared),
    )


def exam_plan(declared: DeclaredSkill) -> list[dict[str, Any]]:
    """What an exam of each level can promise: items, whether it is an apprentice level, and what constant answers earn."""
    skill = build(declared)
    plan = []
    for level in range(1, declared.max_level + 1):
        pool = skill.exam_pool(level, "full", EXAM_ITEMS)
        asked = skill.operations(level, "full")
        share = sum(skill.chance(operation, level) for operation in asked) / len(asked)
        entry: dict[str, Any] = {"level": level, "items": pool, "constant_share": round(share, 3)}
        if pool < EXAM_ITEMS:
            entry["apprentice"] = True
        plan.append(entry)
    return plan


def guessable(declared: DeclaredSkill) -> tuple[str, ...]:
    """Operations of which one constant answer earns more than `GUESSABLE_SHARE` on the last level."""
    skill = build(declared)
    return tuple(name for name in declared.operations if skill.chance(name, declared.max_level) > GUESSABLE_SHARE)


def plan_entries(declared: DeclaredSkill) -> dict[str, dict[str, Any]]:
    """Entries of the game's exam plan beside the gate's own exams: a watch for heroes that know it, and what training changed."""
    levels = list(range(1, declared.max_level + 1))
    return {
        f"{declared.id}_watch": {
            "title": f"{declared.name}: watched for forgetting",
            "kind": "suite",
            "priority": "low",
            "asks": [{"skill": declared.id, "levels": [1], "items": 32}],
            "when": {"trigger": "checkpoint", "every_steps": 2000},
            "limit": {"items": 64, "seconds": 300.0},
            "follows": {"drift": True},
            "hatchlings": False,
        },
        f"{declared.id}_transfer": {
            "title": f"{declared.name}: trained against untrained",
            "kind": "transfer",
            "asks": [{"skill": declared.id, "levels": levels, "items": 16}],
            "when": {"trigger": "command"},
            "limit": {"items": 16 * len(levels), "seconds": 900.0},
            "follows": {"compare": "base"},
        },
    }
