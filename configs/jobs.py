"""The rules of jobs (`configs/jobs.yaml`): kinds, leases, attempts, how much may wait, and how long anything is kept."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, model_validator

from configs.base import Model
from configs.reading import with_own

School = Literal["inference", "forge", "vault", "analytics", "archaeology"]
Needs = Literal["inn", "cpu", "disk", "any"]
Policy = Literal["warn", "reject"]
Kind = Literal[
    "eval",
    "sparring",
    "inference",
    "data_gen",
    "data_filter",
    "data_convert",
    "data_validate",
    "data_profile",
    "archive",
    "retention",
    "sync",
    "analytics",
    "report",
    "health_check",
    "layer_stats",
    "layer_drift",
]
KINDS: tuple[str, ...] = get_args(Kind)
"""Every kind of job there is."""


class KindRule(Model):
    """One kind of job."""

    school: School = Field(description="the school that does it")
    timeout_s: float = Field(gt=0, le=86_400, description="seconds after which a worker is stopped")
    attempts: int = Field(ge=1, le=20, description="how often it is tried, the first time included")
    needs: Needs = Field(description="what it wants: an inference box, a processor, the disk, or nothing in particular")
    pending: int | None = Field(None, ge=1, le=100_000, description="how many may wait; null: any number")
    running: int | None = Field(None, ge=1, le=1000, description="how many may be worked on at once; null: any number")
    policy: Policy = Field(
        "warn", description="what happens to one more than may wait: it is taken and told, or refused"
    )


class LeaseRules(Model):
    """How long a worker may hold a job without saying that it lives."""

    seconds: float = Field(gt=0, le=86_400, description="a lease's length; when it runs out the job waits again")
    renew_s: float = Field(gt=0, description="seconds between two renewals")
    sweep_s: float = Field(gt=0, le=3600, description="seconds between two looks for leases that ran out")

    @model_validator(mode="after")
    def _in_time(self) -> LeaseRules:
        if self.renew_s * 2 > self.seconds:
            raise ValueError("`renew_s` must be at most half of `seconds`, or one late renewal loses the job")
        return self


class RetryRules(Model):
    """When a job that failed for a passing reason is tried again."""

    first_s: float = Field(ge=0, le=3600, description="seconds to wait after the first failure")
    factor: float = Field(ge=1, le=100, description="how much longer after each further one")
    most_s: float = Field(ge=0, le=86_400, description="longest wait")

    def wait_s(self, attempts: int) -> float:
        """Seconds to wait after the attempt of that number, counted from 1."""
        return float(min(self.most_s, self.first_s * self.factor ** min(max(0, attempts - 1), 64)))


class WarningRules(Model):
    """What is worth a warning."""

    stuck_pending_s: float = Field(gt=0, description="seconds after which a job that nobody takes is told")
    stuck_running_s: float = Field(gt=0, description="seconds after which a job that does not end is told")


class KeepRules(Model):
    """How long what is over stays in the save."""

    events_days: float = Field(gt=0, le=3650, description="days that events of jobs stay")
    ended_days: float = Field(gt=0, le=3650, description="days that ended jobs stay")
    evals_days: float = Field(gt=0, le=3650, description="days that ended exams among them stay")


class JobRules(Model):
    """All rules of jobs."""

    slots: int = Field(ge=1, le=64, description="jobs that one dispatcher works on at once")
    poll_s: float = Field(gt=0, le=60, description="seconds between two looks for work while there is none")
    catch_up_critical: int = Field(
        ge=0, description="critical jobs waiting above which only inference is worked on until they are done"
    )
    lease: LeaseRules
    retry: RetryRules
    warnings: WarningRules
    keep: KeepRules
    kinds: dict[Kind, KindRule] = Field(description="every kind by its id")

    @model_validator(mode="after")
    def _whole(self) -> JobRules:
        missing = [k for k in KINDS if k not in self.kinds]
        if missing:
            raise ValueError(f"kinds without a rule: {', '.join(missing)}")
        return self

    def kind(self, name: str) -> KindRule | None:
        """The rule of a kind; None when there is no such kind."""
        return self.kinds.get(name)  # type: ignore[call-overload,no-any-return]  # any text may be asked for


def load_jobs() -> JobRules:
    """The rules in force: the shipped ones with `config/jobs.yaml` laid over them; a changed file is read anew.

    Raises:
        RealmError: the player's file names a wrong field; it says which, and where.
    """
    return with_own(JobRules, "jobs.yaml", "the rules of jobs")
