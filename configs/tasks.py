"""The Task Master's tasks (`configs/tasks.yaml`): work that is begun by itself while a box is idle, each with priority and cooldown."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from configs.base import Model
from configs.jobs import KINDS
from configs.reading import with_own


class TaskRule(Model):
    """One task."""

    title: str = Field(min_length=1, description="what it does")
    priority: int = Field(ge=0, le=100, description="the highest whose cooldown has passed is next")
    cooldown_s: float = Field(gt=0, description="seconds from its last run to its next")
    job: str = Field(description="kind of the job that it puts into the table")
    payload: dict[str, Any] = Field({}, description="what the job reads")
    enabled: bool = True

    @model_validator(mode="after")
    def _known(self) -> TaskRule:
        if self.job not in KINDS:
            raise ValueError(f"there is no job called {self.job!r}: choose one of {', '.join(KINDS)}")
        return self


class TaskRules(Model):
    """All tasks."""

    enabled: bool = Field(False, description="begin tasks by themselves; on command they always can be")
    busy_share: float = Field(0.40, gt=0, le=1, description="of the card's time, from which on a box is left alone")
    tasks: dict[str, TaskRule]


def load_tasks() -> TaskRules:
    """The tasks in force; a changed file is read anew.

    Raises:
        RealmError: the player's file names a wrong field; it says which, and where.
    """
    return with_own(TaskRules, "tasks.yaml", "the tasks")
