"""What the exam plan waits for between asking and answer, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import RealmError
from engine.curriculum.gate import ExamPlan
from engine.curriculum.state import Tally

PAIR = "pair:"
"""How the name of a sitting begins in which two forms answer the same questions."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A fall that more questions are to confirm."""

    exam_id: int
    best: Tally
    """The best exam there so far."""
    best_step: int


@dataclass(frozen=True, slots=True)
class Later:
    """Questions that follow from an exam; ``doubt`` None: nothing follows from them."""

    plan: ExamPlan
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class PlanAsked:
    """One entry's questions under way."""

    entry: str
    step: int
    """The step after which the examined form stood."""
    asked: tuple[Later, ...]
    fallen_items: tuple[int, ...] = ()
    """Of each question: how many more are asked where the level has fallen; none in a later round."""
    round: int = 0
    commanded: bool = False
    """Somebody wants it asked elsewhere, wherever other exams are asked; ``entry`` may be empty then."""
    forms: tuple[str, ...] = ()
    """Names of two saved forms, one for each of two equal questions; none: the form of ``step`` answers. What nobody answers of theirs
    is let go, never asked here."""

    @property
    def name(self) -> str:
        """Of the sitting, within its campaign; as it is asked first."""
        if not self.commanded:
            return f"plan:{self.entry}:{self.step}"
        first = self.asked[0].plan
        if self.forms:
            return f"{PAIR}{first.skill}.{first.level}:{first.first_index}:{'/'.join(self.forms)}:{self.step}"
        return f"asked:{self.entry or f'{first.skill}.{first.level}'}:{first.first_index}:{self.step}"

    @property
    def plans(self) -> tuple[ExamPlan, ...]:
        """What is asked in this round."""
        return tuple(later.plan for later in self.asked)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlanAsked:
        """What `as_dict` gave."""
        try:
            asked = tuple(
                Later(
                    ExamPlan(**one["plan"]),
                    Doubt(one["doubt"]["exam_id"], Tally(*one["doubt"]["best"]), one["doubt"]["best_step"])
                    if one["doubt"]
                    else None,
                )
                for one in data["asked"]
            )
            return cls(
                data["entry"],
                data["step"],
                asked,
                tuple(data["fallen_items"]),
                data["round"],
                bool(data.get("commanded")),
                tuple(data.get("forms", ())),
            )
        except (KeyError, TypeError) as error:
            raise RealmError(
                "what the exam plan asked cannot be read",
                why=f"{type(error).__name__}: {error}",
                fix="go back to an older checkpoint (`realm ledger summon NAME`)",
                code="CHECKPOINT_BROKEN",
            ) from error
