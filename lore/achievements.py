"""Achievements: deeds that are never taken back, as rules over what facts add up to."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from configs.base import Model
from configs.schema import Share
from lore.effects import cleared
from lore.events import CLOSED, FALLS
from lore.fold import Annals, ExamFact, Game, LevelUpFact, Setting, Told, TrialFact
from lore.hero import hero_level
from lore.lexicon import LABEL_CELLS, Voice
from lore.own_file import InForce, in_force

FILE = "achievements.yaml"

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
_LASTING = frozenset(LastingTotal.__args__)  # type: ignore[attr-defined]  # a Literal names its values there


class AchievementRule(Model):
    """One achievement of `lore/achievements.yaml`."""

    label: str = Field(min_length=1, max_length=LABEL_CELLS, description="what it is called")
    plain: str = Field("", max_length=LABEL_CELLS, description="the field's word; empty: the same as `label`")
    icon: str = Field("◆", min_length=1, max_length=1, description="one narrow character")
    ascii: str = Field("*", min_length=1, max_length=1, description="the icon's twin in ASCII")
    deed: str = Field(min_length=1, max_length=80, description="what must be done, for the player")
    when: tuple[Need, ...] = Field(min_length=1, description="all of these must hold")

    @field_validator("ascii")
    @classmethod
    def _is_ascii(cls, value: str) -> str:
        if not value.isascii():
            raise ValueError("must be ASCII")
        return value

    @property
    def lasting(self) -> bool:
        """Whether the moment it is earned follows from rows that stay."""
        return all(
            isinstance(n, (BestExam, SkillsAt)) or (isinstance(n, Total) and n.total in _LASTING) for n in self.when
        )

    def named(self, voice: Voice) -> str:
        """Its name in a voice."""
        return (self.plain or self.label) if voice == "plain" else self.label


class AchievementRules(Model):
    """Every achievement by id."""

    achievements: dict[str, AchievementRule]


def achievements_in_force() -> InForce[AchievementRules]:
    """The shipped achievements under the player's ``config/achievements.yaml``."""
    return in_force(AchievementRules, FILE)


def achievement_rules() -> Mapping[str, AchievementRule]:
    """Every achievement in force by id."""
    return achievements_in_force().rules.achievements


# ---------------------------------------------------------------- the part of the fold


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


class Achievements:
    """The part of the fold that notices deeds whose moment is known."""

    id = "achievements"
    tables = frozenset({"exams", "level_ups", "checkpoints", "quest_attempts", "trials", "holds"})

    def __init__(self, rules: Mapping[str, AchievementRule] | None = None) -> None:
        self.rules = achievement_rules() if rules is None else rules
        self._lasting = {name: rule for name, rule in self.rules.items() if rule.lasting}
        self._items = sorted({n.items for r in self.rules.values() for n in r.when if isinstance(n, BestExam)})
        self._looked: tuple[Deeds, tuple[float, ...], float] | None = None

    def begin(self) -> Deeds:
        """Nothing is done."""
        return Deeds()

    def take(self, state: Deeds, fact: Any, told: Told) -> None:
        """Take one fact in, and tell what it earned."""
        if isinstance(fact, ExamFact):
            if fact.kind == "gate" and fact.items:
                share = fact.correct / fact.items
                for items in self._items:
                    if fact.items >= items and share > state.shares.get(str(items), -1.0):
                        state.shares[str(items)] = share
        elif isinstance(fact, LevelUpFact):
            state.levels[fact.skill] = max(state.levels.get(fact.skill, 0), fact.to_level)
        elif isinstance(fact, TrialFact):
            state.trials_passed += fact.passed
        if len(state.earned) == len(self._lasting) or not self._news(state, fact, told):
            return
        totals: dict[str, float] | None = None
        for name, rule in self._lasting.items():
            if name in state.earned:
                continue
            totals = totals or lasting_totals(
                state, fact.step, told.setting, told.state("progress"), told.state("effects")
            )
            if all(_met(need, totals, state, (), None) for need in rule.when):
                step = min(fact.step, self.exact_step(rule, told.setting) or fact.step)
                source = f"{fact.table}:{fact.id}"
                state.earned[name] = [step, fact.at, source]
                told.emit("hero.achievement", step=step, achievement=name)

    def _news(self, state: Deeds, fact: Any, told: Told) -> bool:
        """Whether something that deeds are made of changed since the last fact; only then can one be done."""
        progress, effects = told.state("progress"), told.state("effects")
        now = (
            *(progress.checkpoints, progress.quests_completed, state.trials_passed, sum(effects.ended.values())),
            *state.levels.values(),
            *state.shares.values(),
            *[d.best_crit_run for d in progress.disciplines.values()],
        )
        known = self._looked
        if known is not None and known[0] is state and known[1] == now and fact.step < known[2]:
            return False
        later = (s for s in self._thresholds(told.setting) if s > fact.step)
        self._looked = state, now, min(later, default=math.inf)
        return True

    def _thresholds(self, setting: Setting) -> Iterator[int]:
        """Steps from which on a deed may be done that asks for steps."""
        for rule in self._lasting.values():
            for need in rule.when:
                steps = _steps_asked(need, setting)
                if steps is not None:
                    yield setting.starting_step + steps

    @staticmethod
    def exact_step(rule: AchievementRule, setting: Setting) -> int | None:
        """The step at which a deed of steps alone was done; None for other deeds."""
        steps = [_steps_asked(need, setting) for need in rule.when]
        return None if None in steps else setting.starting_step + max(s for s in steps if s is not None)

    def dump(self, state: Deeds) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return asdict(state)

    def load(self, data: Mapping[str, Any]) -> Deeds:
        """The state that `dump` wrote."""
        return Deeds(**data)

    def fingerprint(self) -> str:
        """Changes with the rules."""
        return json.dumps({name: rule.model_dump(mode="json") for name, rule in self.rules.items()}, sort_keys=True)


def _steps_asked(need: Any, setting: Setting) -> int | None:
    if isinstance(need, Total) and need.total == "steps":
        return int(-(-need.at_least // 1))
    if isinstance(need, Total) and need.total == "hero_level":
        return int(-(-need.at_least // 1)) * setting.rules.hero.level_steps
    return None


def lasting_totals(state: Deeds, step: int, setting: Setting, progress: Any, effects: Any) -> dict[str, float]:
    """The sums of rows that stay, at a step.

    Args:
        state: of the part `Achievements`.
        step: of the campaign, now.
        setting: what the fold was told.
        progress: the state of the part of sums and streaks.
        effects: the state of the part `Effects`.
    """
    done = max(0, step - setting.starting_step)
    return {
        "steps": done,
        "hero_level": hero_level(done, setting.rules),
        "checkpoints": progress.checkpoints,
        "crits_in_a_row": max((d.best_crit_run for d in progress.disciplines.values()), default=0),
        "debuffs_cleared": cleared(effects),
        "quests_completed": progress.quests_completed,
        "levels_won": sum(state.levels.values()),
        "trials_passed": state.trials_passed,
    }


def _met(
    need: Any,
    totals: Mapping[str, float | None],
    state: Deeds,
    regions: Collection[str],
    hero: Mapping[str, Any] | None,
) -> bool:
    have, asked = _have(need, totals, state, regions, hero)
    return have is not None and have >= asked


def _have(
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


# ---------------------------------------------------------------- what is earned now


@dataclass(frozen=True, slots=True)
class Earned:
    """An achievement of the save, earned or not."""

    id: str
    rule: AchievementRule
    earned: bool
    step: int | None = None
    """Where the deed was done; None for deeds whose moment is not kept."""
    at: float | None = None
    source: str = ""
    have: float | None = None
    """How far the need that is furthest from being met is; None: it is not known."""
    need: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The machine form."""
        return {
            "id": self.id,
            "label": self.rule.label,
            "plain": self.rule.plain or self.rule.label,
            "deed": self.rule.deed,
            "earned": self.earned,
            "step": self.step,
            "at": self.at,
            "source": self.source or None,
            "have": self.have,
            "need": self.need,
        }


def achievements(
    game: Game,
    setting: Setting,
    annals: Annals,
    *,
    forged_skills: int | None = None,
    told_before: Collection[str] = (),
    rules: Mapping[str, AchievementRule] | None = None,
) -> tuple[Earned, ...]:
    """Every achievement in the order of the file, with what is still missing.

    Args:
        game: what was folded.
        setting: what the fold was told.
        annals: the small tables.
        forged_skills: skills of the player's own that were accepted; None: not known.
        told_before: achievements the player was told of: they stay, even where the hero went back to an older form.
        rules: the achievements; None for those in force.
    """
    known = achievement_rules() if rules is None else rules
    state: Deeds = game.part("achievements")
    progress = game.part("progress")
    totals: dict[str, float | None] = {
        **lasting_totals(state, game.step, setting, progress, game.part("effects")),
        **other_totals(progress, annals, game.step - setting.starting_step),
        "forged_skills": forged_skills,
    }
    world = game.states.get("world")
    regions: Mapping[str, list[Any]] = {} if world is None else world.regions
    found = []
    for name, rule in known.items():
        gaps = [_have(need, totals, state, regions, annals.campaign.hero) for need in rule.when]
        have, need = min(gaps, key=lambda gap: -1.0 if gap[0] is None else gap[0] / gap[1])
        step, at, source = state.earned.get(name, (None, None, ""))
        met = all(h is not None and h >= n for h, n in gaps)
        if step is None and met:
            step = Achievements.exact_step(rule, setting)
            unlocked = [regions[n.region] for n in rule.when if isinstance(n, Region)]
            if len(unlocked) == len(rule.when):
                step, at, source = max(unlocked)
        earned = met or name in state.earned or name in told_before
        found.append(Earned(name, rule, earned, step, at, source, have, need))
    return tuple(found)


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
