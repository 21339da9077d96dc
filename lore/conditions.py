"""What rules of the game may ask of facts: a small set of typed conditions, so that a file adds a rule without code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.base import Model
from configs.schema import Share
from lore.rules import ResultName

LastingReading = Literal[
    "accuracy", "training_accuracy", "drop", "lost", "trial", "unreadable", "gap", "gain", "failed"
]
"""Readings of rows that stay for good:

- accuracy: share of a gate exam, by skill and level; training_accuracy: the same by skill, whatever the level.
- drop: how far a watched share fell below its best, by skill and level; 0 where the engine found the fall to be chance.
- lost: 1 while a won level is lost, by skill and level. trial: 1 passed, 0 failed, by discipline.
- unreadable: share of a gate exam's answers in which no result could be read, by skill.
- gap: held-out loss after a quest minus the training loss at its end. gain: held-out loss before a quest minus that after it.
- failed: 1 for a quest's attempt that failed, 0 for one that was completed.
"""
WindowReading = Literal["loss", "loss_rise", "grad_norm"]
"""Readings of the newest step windows, by what was trained: mean loss, its rise from the window before, largest gradient norm."""

RESULT_LETTER: dict[ResultName, str] = {"crit": "C", "hit": "H", "glancing": "G", "miss": "M", "crit_miss": "X"}


_NEAR = 1e-6
"""More than rounding to nine decimals changes."""


class _Bounds(Model):
    above: float | None = Field(None, description="the value must be above this")
    below: float | None = Field(None, description="the value must be below this")
    rises: float | None = Field(None, gt=0, description="least rise from the reading before it")
    times: int = Field(1, ge=1, le=10_000, description="readings in a row for which this must hold")
    steps: int = Field(0, ge=0, le=10_000_000, description="optimizer steps over which it must go on holding")

    @model_validator(mode="after")
    def _asks_something(self) -> _Bounds:
        if self.above is None and self.below is None and self.rises is None:
            raise ValueError("say `above`, `below` or `rises`")
        return self

    def test(self) -> Callable[[float, float | None], bool]:
        """What tells whether a reading is as asked, by it and the one before it of the same subject (None: there is none)."""
        above, below, rises = self.above, self.below, self.rises

        def met(value: float, before: float | None) -> bool:
            if above is not None and not value > above:
                return False
            if below is not None and not value < below:
                return False
            if rises is None:
                return True
            # Nine decimals, so that .80 − .65 counts as the .15 it stands for; what is far from it need not be rounded.
            return before is not None and value - before > rises - _NEAR and round(value - before, 9) >= rises

        return met


class Reading(_Bounds):
    """A reading of lasting rows is as asked."""

    of: Literal["reading"]
    reading: LastingReading = Field(description="which one")
    skills: int = Field(1, ge=1, le=100, description="in how many skills (or disciplines) at once")
    every: bool = Field(False, description="in every skill that was read so far")
    after_step: int = Field(0, ge=0, description="only from this step of the campaign on")


class Window(_Bounds):
    """A reading of the newest step windows is as asked."""

    of: Literal["window"]
    reading: WindowReading = Field(description="which one")


class Answers(Model):
    """Answers of gate exams and screenings, one after another over all skills, have these results."""

    of: Literal["answers"]
    are: tuple[ResultName, ...] = Field(min_length=1, description="results that count")
    in_a_row: int = Field(ge=1, le=1000, description="how many of them without another in between")

    @property
    def letters(self) -> str:
        """The results as `Exam.sequence` spells them."""
        return "".join(RESULT_LETTER[name] for name in self.are)


class OpenIncident(Model):
    """An incident of one of these rules is open."""

    of: Literal["incident"]
    rules: tuple[str, ...] = Field(min_length=1, description="ids of incident rules")
    severity: Literal["low", "medium", "high", "critical"] = Field("low", description="least severity")
    blocks: bool = Field(False, description="only one that stops training")


class QuestOnBoard(Model):
    """A quest that was not removed is as asked."""

    of: Literal["quest"]
    spoilt: bool = Field(False, description="examples of it were trained before its file was refused")
    duplicates: Share | None = Field(None, description="more than this share of its examples are duplicates")
    newest: bool = Field(False, description="only the one that was trained last")

    @model_validator(mode="after")
    def _asks_something(self) -> QuestOnBoard:
        if not self.spoilt and self.duplicates is None:
            raise ValueError("say `spoilt` or `duplicates`")
        return self


Condition = Annotated[Reading | Window | Answers | OpenIncident | QuestOnBoard, Field(discriminator="of")]
Source = Literal["stream", "windows", "annals"]


def source(condition: Condition) -> Source:
    """Where a condition finds its facts: the stream, the newest windows, or the small tables that may still change."""
    if isinstance(condition, Window):
        return "windows"
    return "annals" if isinstance(condition, (OpenIncident, QuestOnBoard)) else "stream"


class WatchRule(Model):
    """Something that sets in when one of `when` holds, and ends by one of `until`, or after `lasts` steps."""

    when: tuple[Condition, ...] = Field((), description="it sets in when one of these holds")
    until: tuple[Condition, ...] = Field((), description="it ends when one of these holds")
    lasts: int | None = Field(None, ge=1, le=10_000_000, description="steps after which it ends by itself")
    cooldown: int = Field(0, ge=0, le=10_000_000, description="steps after setting in before it can set in again")
    severity: Literal["low", "medium", "high", "critical"] = Field(description="how much it weighs")
    worse: tuple[Condition, ...] = Field((), description="it is as severe as `worse_severity` when one of these holds")
    worse_severity: Literal["medium", "high", "critical"] = Field("high", description="see `worse`")

    @property
    def source(self) -> Source | None:
        """Where its facts are; None for a rule that watches nothing."""
        return source(self.when[0]) if self.when else None

    @model_validator(mode="after")
    def _ends(self) -> WatchRule:
        if not self.when:
            if self.until or self.worse or self.lasts is not None:
                raise ValueError("a rule without `when` cannot have `until`, `worse` or `lasts`")
            return self
        found = {source(c) for c in (*self.when, *self.until, *self.worse)}
        if len(found) > 1:
            raise ValueError("`when`, `until` and `worse` must be of one kind: readings and answers, windows, or rows")
        if found == {"annals"}:
            if self.until or self.lasts is not None:
                raise ValueError("what stands on an incident or a quest lasts as long as that does: leave out `until`")
        elif not self.until and self.lasts is None:
            raise ValueError("it would never end: say `until` or `lasts`")
        return self
