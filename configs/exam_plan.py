"""The exam plan: what is asked beside the gate, when, within which limits, and what follows (`configs/exam_plan.yaml`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from configs.base import Model
from configs.paths import config_dir
from configs.reading import merged, parse, read_yaml, shipped
from configs.schema import Share

Kind = Literal["quick", "full", "backfill", "passive", "suite", "transfer"]
Trigger = Literal["checkpoint", "steps", "idle", "command"]
Span = Literal["training", "known", "next", "stale"]
TRAINED = "trained"
"""Stands for every skill the hero trains."""


class Questions(Model):
    """Questions of one skill: which levels, and how many of each."""

    skill: str = Field(TRAINED, description="a skill's id; `trained`: each skill the hero trains")
    mix: str = Field("", description="a published mix; empty: the hero's own, else `full`")
    levels: tuple[int, ...] | Span = Field(
        "training",
        description="levels by number; training: the training level; known: 1 to the training level and the next; "
        "next: the training level and the two above; stale: won levels not asked since the newest checkpoint",
    )
    items: int = Field(64, ge=1, le=1024, description="questions of each level")
    first_items: int | None = Field(
        None, ge=1, le=1024, description="questions of each level while there is no exam to compare with; null: as many"
    )
    fallen_items: int = Field(
        0, ge=0, le=1024, description="asked in addition of a level that stands below the held share"
    )


class When(Model):
    """What makes an entry due. Steps decide everything that happens while a hero trains."""

    trigger: Trigger = Field(
        description="checkpoint: with one; steps: by themselves; idle: while it rests; command: never by itself"
    )
    every_steps: int = Field(0, ge=0, description="fewest optimizer steps between two of them")
    cooldown_s: float = Field(0.0, ge=0, description="idle: fewest seconds between two of them")


class Limit(Model):
    """Where an entry stops, whatever is left of it."""

    items: int = Field(1024, ge=1, le=100_000, description="most questions")
    seconds: float = Field(600.0, gt=0, le=86_400, description="longest time; looked at between two exams")


class Follows(Model):
    """What is done with the answers."""

    drift: bool = Field(False, description="compare with the best exam so far, and raise an alarm when it fell")
    rollback_drop: Share | None = Field(None, description="a drop from the peak beyond which going back is suggested")
    suggest_share: Share | None = Field(
        None, description="share of a level not yet won from which a level-up is in reach"
    )
    compare: Literal["", "base"] = Field(
        "", description="base: the untrained model answers the same questions beside it"
    )


class PlanEntry(Model):
    """One entry of the exam plan."""

    title: str = Field(min_length=1, description="what it is called")
    kind: Kind = Field(description="what its exams are filed as")
    priority: Literal["critical", "high", "normal", "low"] = Field(
        "normal", description="which goes first when several are due"
    )
    enabled: bool = Field(True, description="false: only by command")
    asks: tuple[Questions, ...] = Field(min_length=1, description="what is asked")
    when: When
    limit: Limit = Field(default_factory=lambda: Limit.model_validate({}))
    follows: Follows = Field(default_factory=lambda: Follows.model_validate({}))
    hatchlings: bool = Field(
        True, description="false: not by itself for a hero that began knowing nothing, which has nothing to forget"
    )


class Budget(Model):
    """What exams may cost."""

    share: Share = Field(
        0.10, description="of the training's cost, in questions and training examples; the gate's own exams come first"
    )
    question_cost_hatchling: float = Field(
        0.5, gt=0, le=1000, description="what a question costs, in training examples"
    )
    question_cost_talking: float = Field(
        4.0, gt=0, le=1000, description="the same for a larger model that writes its answers out"
    )
    idle_s: float = Field(300.0, ge=0, description="rest after which the hero counts as idle")
    slice_items: int = Field(
        64, ge=1, le=1024, description="questions asked in one go while idle, before orders are heard again"
    )


class DriftRules(Model):
    """When a drop from the best is an alarm."""

    warning: float = Field(0.15, gt=0, le=1, description="drop of the share that is a warning")
    critical: float = Field(0.30, gt=0, le=1, description="drop that is critical")
    confirm_items: int = Field(
        30, ge=0, le=1024, description="asked in addition before an alarm, so that no handful raises one"
    )
    baseline_items: int = Field(20, ge=1, le=1024, description="fewest questions of an exam that may be the best")
    chance: float = Field(0.01, gt=0, lt=0.5, description="an alarm needs a drop less likely than this by chance")

    @model_validator(mode="after")
    def _in_order(self) -> DriftRules:
        if self.critical < self.warning:
            raise ValueError("`critical` must not lie below `warning`")
        return self


class TrialRules(Model):
    """What a trial of a discipline asks, and what one must have done before."""

    items: int = Field(100, ge=16, le=1024, description="fresh problems of the level tried")
    quests: int = Field(20, ge=0, description="quests done before the first trial, drills among them")
    cooldown_steps: int = Field(1000, ge=0, description="steps to train after a failed trial")


class ExamPlanConfig(Model):
    """The whole plan."""

    budget: Budget
    drift: DriftRules
    trials: TrialRules = Field(default_factory=lambda: TrialRules.model_validate({}))
    entries: dict[str, PlanEntry] = Field(description="by id, e.g. core_gate")


def load_exam_plan() -> ExamPlanConfig:
    """The plan in force: the shipped one, what accepted skills of the player bring, and `config/exam_plan.yaml` laid over both.

    Raises:
        RealmError: the player's file names a wrong field; it says which, and where.
    """
    data, files = read_yaml(shipped() / "exam_plan.yaml"), []
    from configs.declared import accepted_plans

    brought = {name: entry.model_dump() for name, entry in accepted_plans().items()}
    data = merged({"entries": brought}, data)
    mine = config_dir() / "exam_plan.yaml"
    if mine.is_file():
        data = merged(data, read_yaml(mine))
        files = [mine]
    return parse(ExamPlanConfig, data, "the exam plan", files)
