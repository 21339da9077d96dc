"""What deeds ask, and how far they are: sums of rows that stay, of step counters and of the small tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from configs.base import Model
from configs.schema import Share
from lore.effects import cleared
from lore.events import CLOSED, FALLS
from lore.fold import Annals, Setting
from lore.hero import hero_level

LastingTotal = Literal[
    "steps", "hero_level", "checkpoints", "crits_in_a_row", "debuffs_cleared", "quests_completed", "levels_won",
    "trials_passed",
]  # fmt: skip
"""What rows that stay add up to; the moment at which one is reached is known."""
OtherTotal = Literal[
    "productive_steps", "overload_steps", "calm_steps", "incidents_resolved", "sparring_rounds", "falls_recovered",
    "began_from_a_form", "caps_found", "finite_steps", "unattended_hours", "forged_skills", "modules", "full_ceremonies",
]  # fmt: skip
"""What counters of steps and the small tables say; only that it is reached is known.

calm_steps are those in the zones Recovery and Productive; finite_steps is the longest way between two losses that were not finite;
modules and full_ceremonies are unknown as long as nothing records them.
"""


class Total(Model):
    """A sum has reached something."""

    of: Literal["total"]
    total: LastingTotal | OtherTotal = Field(description="which sum")
    at_least: float = Field(gt=0, description="what it must reach")


class BestExam(Model):
    """A gate exam of enough items had at least this share right."""

    of: Literal["exam"]
    share: Share = Field(description="least share of right answers")
    items: int = Field(64, ge=1, le=10_000, description="fewest items, so that luck does not count")


class SkillsAt(Model):
    """Enough skills have won a level."""

    of: Literal["skills"]
    level: int = Field(ge=1, le=1000, description="least mastered level")
    count: int = Field(1, ge=1, le=100, description="in how many skills")


class Region(Model):
    """A region is unlocked."""

    of: Literal["region"]
    region: str = Field(min_length=1, description="its id")


class HeroIs(Model):
    """The campaign's hero is at least so large, and trains by such a memory profile."""

    of: Literal["hero"]
    size_b: float = Field(gt=0, description="least parameters, in billions")
    memory_profile: str = Field("", description="beginning of the memory profile's name; empty: any")


Need = Annotated[Total | BestExam | SkillsAt | Region | HeroIs, Field(discriminator="of")]
LASTING = frozenset(LastingTotal.__args__)  # type: ignore[attr-defined]  # a Literal names its values there


@dataclass(slots=True)
class Deeds:
    """What the part keeps."""

    shares: dict[str, float] = field(default_factory=dict)
    """By fewest items asked (as text) the best share of a gate exam with so many."""
    levels: dict[str, int] = field(default_factory=dict)
    """By skill the highest level won."""
    trials_passed: int = 0
    earned: dict[str, list[Any]] = field(default_factory=dict)
    """By achievement the step, the moment and the fact that earned it."""


def steps_asked(need: Any, setting: Setting) -> int | None:
    if isinstance(need, Total) and need.total == "steps":
        return int(-(-need.at_least // 1))
    if isinstance(need, Total) and need.total == "hero_level":
        return int(-(-need.at_least // 1)) * setting.rules.hero.level_steps
    return None


MOVING_TABLES = frozenset({"exams", "level_ups", "checkpoints", "quest_attempts", "trials"})
"""Tables of the stream whose facts may complete a deed."""
_TOTAL_MOVED_BY: Mapping[str, frozenset[str]] = {
    "steps": MOVING_TABLES,
    "hero_level": MOVING_TABLES,
    "debuffs_cleared": MOVING_TABLES,
    "checkpoints": frozenset({"checkpoints"}),
    "crits_in_a_row": frozenset({"exams"}),
    "quests_completed": frozenset({"quest_attempts"}),
    "levels_won": frozenset({"level_ups"}),
    "trials_passed": frozenset({"trials"}),
}


def moved_by(need: Any) -> frozenset[str]:
    """Tables whose facts may meet a need."""
    if isinstance(need, Total):
        return _TOTAL_MOVED_BY.get(need.total, frozenset())
    return frozenset({"level_ups"}) if isinstance(need, SkillsAt) else frozenset({"exams"})


class LastingTotals(Mapping[str, float | None]):
    """The sums of rows that stay, at a step; each is made when it is asked for."""

    def __init__(self, state: Deeds, step: int, setting: Setting, progress: Any, effects: Any) -> None:
        """
        Args:
            state: of the part `Achievements`.
            step: of the campaign, now.
            setting: what the fold was told.
            progress: the state of the part of sums and streaks.
            effects: the state of the part `Effects`.
        """
        self._state, self._setting, self._progress, self._effects = state, setting, progress, effects
        self._done = max(0, step - setting.starting_step)

    def __getitem__(self, name: str) -> float | None:
        return _TOTALS[name](self)

    def __iter__(self) -> Iterator[str]:
        return iter(_TOTALS)

    def __len__(self) -> int:
        return len(_TOTALS)

    def steps(self) -> float:
        """Finished steps of the campaign."""
        return self._done

    def hero_level(self) -> float:
        """Levels of a thousand steps."""
        return hero_level(self._done, self._setting.rules)

    def checkpoints(self) -> float:
        """Forms saved, deleted ones too."""
        return float(self._progress.checkpoints)

    def crits_in_a_row(self) -> float:
        """Longest row of exact answers in one skill."""
        return float(max((d.best_crit_run for d in self._progress.disciplines.values()), default=0))

    def debuffs_cleared(self) -> float:
        """Afflictions that ended."""
        return cleared(self._effects)

    def quests_completed(self) -> float:
        """The player's quests that were completed."""
        return float(self._progress.quests_completed)

    def levels_won(self) -> float:
        """Sum of the levels of all skills."""
        return sum(self._state.levels.values())

    def trials_passed(self) -> float:
        """Trials of disciplines that were passed."""
        return self._state.trials_passed


_TOTALS: Mapping[str, Callable[[LastingTotals], float]] = {
    name: getattr(LastingTotals, name) for name in sorted(_TOTAL_MOVED_BY)
}


def is_met(
    need: Any,
    totals: Mapping[str, float | None],
    state: Deeds,
    regions: Collection[str],
    hero: Mapping[str, Any] | None,
) -> bool:
    """Whether a need holds; what is not known does not."""
    found, asked = how_far(need, totals, state, regions, hero)
    return found is not None and found >= asked


def how_far(
    need: Any,
    totals: Mapping[str, float | None],
    state: Deeds,
    regions: Collection[str],
    hero: Mapping[str, Any] | None,
) -> tuple[float | None, float]:
    """What is there and what is asked; None: it is not known."""
    if isinstance(need, Total):
        return totals.get(need.total), need.at_least
    if isinstance(need, BestExam):
        return state.shares.get(str(need.items)), need.share
    if isinstance(need, SkillsAt):
        return float(sum(level >= need.level for level in state.levels.values())), float(need.count)
    if isinstance(need, Region):
        return float(need.region in regions), 1.0
    model = (hero or {}).get("model") or {}
    fits = str((hero or {}).get("memory_profile") or "").startswith(need.memory_profile)
    trained = (totals.get("steps") or 0) > 0
    return float(model.get("size_b", 0.0) if fits and trained else 0.0), need.size_b


def other_totals(progress: Any, annals: Annals, steps: int) -> dict[str, float | None]:
    """The sums of step counters and of the small tables.

    Args:
        progress: the state of the part of sums and streaks.
        annals: the small tables.
        steps: finished steps of the campaign.
    """
    zones = progress.zones
    by_id = {run.id: run for run in annals.runs}
    began = [run.parent_run_id for run in annals.runs if run.parent_run_id is not None]
    return {
        "productive_steps": zones.get("productive", 0),
        "overload_steps": zones.get("overload", 0),
        "calm_steps": zones.get("productive", 0) + zones.get("recovery", 0),
        "incidents_resolved": sum(i.status in CLOSED for i in annals.incidents),
        "sparring_rounds": len(annals.sparring),
        "falls_recovered": sum(_fell(by_id[parent].end_reason) for parent in began if parent in by_id),
        "began_from_a_form": sum(
            c.starting_checkpoint_id is not None for c in (annals.campaigns or (annals.campaign,))
        ),
        "caps_found": sum(d.kind == "maxed" for d in annals.findings),
        "finite_steps": _longest_finite(annals, steps),
        "unattended_hours": None if annals.unattended_s is None else annals.unattended_s / 3600,
        "modules": None,
        "full_ceremonies": None,
    }


def _fell(end_reason: str | None) -> bool:
    return end_reason is not None and end_reason.partition(":")[0] in FALLS


NOT_FINITE = frozenset({"nan_loss", "nan_crash"})
"""Rules of incidents that tell of a loss or gradient that is not finite."""


def _longest_finite(annals: Annals, steps: int) -> float:
    start = annals.campaign.starting_step
    struck: Iterable[int] = (i.step - start for i in annals.incidents if i.rule in NOT_FINITE and i.step is not None)
    marks = [0, *sorted(s for s in struck if 0 <= s <= steps), steps]
    return float(max(b - a for a, b in itertools.pairwise(marks)))
