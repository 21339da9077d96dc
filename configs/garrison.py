"""The Garrison's rules (section `garrison` of `configs/game.yaml`): what is watched, when it is called a trouble, what is swept."""

from __future__ import annotations

from pydantic import Field, model_validator

from configs.base import Model


class GroundsRules(Model):
    """What the Groundskeeper lets go of; what training or the game needs is never among it."""

    every_s: float = Field(3600.0, gt=0, description="seconds between two sweeps")
    log_mb: float = Field(50.0, gt=0, description="size beyond which a log keeps only its newest part")
    log_days: float = Field(30.0, gt=0, description="days that an old log stays")
    papers_days: float = Field(30.0, gt=0, description="days that papers stay which jobs wrote")
    leftover_days: float = Field(1.0, gt=0, description="age from which half-written files and folders are leftovers")
    quest_days: float = Field(
        7.0,
        gt=0,
        description="days that a done quest's file stays which no kept form can need; its history stays for good",
    )
    quest_files: int = Field(1000, ge=0, description="such files that stay at most; those done longest ago go first")
    looks_days: float = Field(7.0, gt=0, description="days that the Garrison's looks stay")
    history_days: float = Field(30.0, gt=0, description="days that ended alarms and runs of tasks stay")
    workers_days: float = Field(30.0, gt=0, description="days after which a worker that nobody saw is struck off")
    vacuum_days: float = Field(30.0, gt=0, description="days between two times the save's file is packed anew")


class GarrisonRules(Model):
    """How machines are watched."""

    disk_warn_share: float = Field(0.80, gt=0, le=1, description="of the disk, from which on it is called filling")
    disk_critical_share: float = Field(0.90, gt=0, le=1, description="of the disk, from which on it is called full")
    check_s: float = Field(300.0, ge=5, le=86_400, description="seconds between two looks at every place")
    maintenance_s: float = Field(1800.0, ge=30, le=604_800, description="seconds between two clean-ups of a place")
    link_s: float = Field(15.0, gt=0, le=600, description="longest time a look at one place may take to reach it")
    grounds: GroundsRules = Field(default_factory=lambda: GroundsRules.model_validate({}))

    @model_validator(mode="after")
    def _in_order(self) -> GarrisonRules:
        if self.disk_warn_share > self.disk_critical_share:
            raise ValueError("`disk_warn_share` must not be above `disk_critical_share`")
        return self
