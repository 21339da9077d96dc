"""Achievements: deeds that are never taken back, as rules over what facts add up to."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator

from configs.base import Model
from lore.fold import Annals, ExamFact, Game, LevelUpFact, Setting, Told, TrialFact
from lore.lexicon import LABEL_CELLS, Voice
from lore.needs import (
    LASTING,
    MOVING_TABLES,
    BestExam,
    Deeds,
    LastingTotals,
    Need,
    Region,
    SkillsAt,
    Total,
    how_far,
    is_met,
    moved_by,
    other_totals,
    steps_asked,
)
from lore.own_file import Icon, InForce, Words, in_force
from lore.plain import plain

FILE = "achievements.yaml"


class AchievementRule(Model):
    """One achievement of `lore/achievements.yaml`."""

    label: Words = Field(min_length=1, max_length=LABEL_CELLS, description="what it is called")
    plain: Words = Field("", max_length=LABEL_CELLS, description="the field's word; empty: the same as `label`")
    icon: Icon = Field("◆", min_length=1, max_length=1, description="one narrow character")
    ascii: str = Field("*", min_length=1, max_length=1, description="the icon's twin in ASCII")
    deed: Words = Field(min_length=1, max_length=80, description="what must be done, for the player")
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
            isinstance(n, (BestExam, SkillsAt)) or (isinstance(n, Total) and n.total in LASTING) for n in self.when
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


class Achievements:
    """The part of the fold that notices deeds whose moment is known."""

    id = "achievements"
    tables = MOVING_TABLES

    def __init__(self, rules: Mapping[str, AchievementRule] | None = None) -> None:
        self.rules = achievement_rules() if rules is None else rules
        asked = sorted({n.items for r in self.rules.values() for n in r.when if isinstance(n, BestExam)})
        self._items = [(items, str(items)) for items in asked]
        """Fewest items that deeds ask of an exam, and under what its share is kept."""
        lasting = {name: rule for name, rule in self.rules.items() if rule.lasting}
        self._moved_by = {
            table: {name: rule for name, rule in lasting.items() if any(table in moved_by(n) for n in rule.when)}
            for table in self.tables
        }
        """By table the deeds that one of its facts may complete."""
        self._known: tuple[Deeds, int | None, int, float] | None = None
        """Of when deeds were looked at last: the state, how often effects had ended (None: no deed asks for that any more), the
        longest row of exact answers, and the step that the next deed waits for."""
        self._asked: tuple[Setting, list[int]] | None = None

    def begin(self) -> Deeds:
        """Nothing is done."""
        return Deeds()

    def take(self, state: Deeds, fact: Any, told: Told) -> None:
        """Take one fact in, and tell what it earned."""
        if isinstance(fact, ExamFact):
            better = False
            if fact.kind == "gate" and (size := fact.items):
                share, shares = fact.correct / size, state.shares
                for items, key in self._items:
                    if size >= items and share > shares.get(key, -1.0):
                        shares[key], better = share, True
            if not better and not self._news(state, fact, told):
                return
        elif isinstance(fact, LevelUpFact):
            state.levels[fact.skill] = max(state.levels.get(fact.skill, 0), fact.to_level)
        elif isinstance(fact, TrialFact):
            state.trials_passed += fact.passed
        self._look(state, fact, told)

    def _look(self, state: Deeds, fact: Any, told: Told) -> None:
        """Tell of the deeds that a fact completes."""
        earned, setting = state.earned, told.setting
        totals: LastingTotals | None = None
        for name, rule in self._moved_by[fact.table].items():
            if name in earned:
                continue
            if totals is None:
                totals = LastingTotals(state, fact.step, setting, told.states["progress"], told.states["effects"])
            if all(is_met(need, totals, state, (), None) for need in rule.when):
                step = min(fact.step, self.exact_step(rule, setting) or fact.step)
                earned[name] = [step, fact.at, f"{fact.table}:{fact.id}"]
                told.emit("hero.achievement", step=step, achievement=name)

        disciplines, later = told.states["progress"].disciplines, self._steps_asked(setting)
        row = max((one.best_crit_run for one in disciplines.values()), default=0)
        next_one = bisect_right(later, fact.step)
        waits = later[next_one] if next_one < len(later) else math.inf
        waiting = (rule for name, rule in self._moved_by["exams"].items() if name not in earned)
        cures = any(isinstance(n, Total) and n.total == "debuffs_cleared" for rule in waiting for n in rule.when)
        self._known = state, sum(told.states["effects"].ended.values()) if cures else None, row, waits

    def _news(self, state: Deeds, exam: ExamFact, told: Told) -> bool:
        """Whether an exam that was no better than the best may complete a deed all the same."""
        if self._known is None:
            return True
        known, ended, row, waits = self._known
        mine = told.states["progress"].disciplines.get(exam.skill)
        return (
            known is not state
            or exam.step >= waits
            or (mine is not None and mine.best_crit_run > row)
            or (ended is not None and sum(told.states["effects"].ended.values()) != ended)
        )

    def _steps_asked(self, setting: Setting) -> list[int]:
        """The steps of the campaign at which a deed of steps is done, in order."""
        if self._asked is None or self._asked[0] is not setting:
            asked = (steps_asked(need, setting) for rule in self.rules.values() for need in rule.when)
            self._asked = setting, sorted({n + setting.starting_step for n in asked if n is not None})
        return self._asked[1]

    @staticmethod
    def exact_step(rule: AchievementRule, setting: Setting) -> int | None:
        """The step at which a deed of steps alone was done; None for other deeds."""
        steps = [steps_asked(need, setting) for need in rule.when]
        return None if None in steps else setting.starting_step + max(s for s in steps if s is not None)

    def dump(self, state: Deeds) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return plain(state)

    def load(self, data: Mapping[str, Any]) -> Deeds:
        """The state that `dump` wrote."""
        return Deeds(**data)

    def fingerprint(self) -> str:
        """Changes with the rules."""
        return json.dumps({name: rule.model_dump(mode="json") for name, rule in self.rules.items()}, sort_keys=True)


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
        **LastingTotals(state, game.step, setting, progress, game.part("effects")),
        **other_totals(progress, annals, game.step - setting.starting_step),
        "forged_skills": forged_skills,
    }
    world = game.states.get("world")
    regions: Mapping[str, list[Any]] = {} if world is None else world.regions
    found = []
    for name, rule in known.items():
        gaps = [how_far(need, totals, state, regions, annals.campaign.hero) for need in rule.when]
        have, need = min(gaps, key=lambda gap: -1.0 if gap[0] is None else gap[0] / gap[1])
        step, at, source = state.earned.get(name, (None, None, ""))
        done = all(h is not None and h >= n for h, n in gaps)
        if step is None and done:
            step = Achievements.exact_step(rule, setting)
            unlocked = [regions[n.region] for n in rule.when if isinstance(n, Region)]
            if len(unlocked) == len(rule.when):
                step, at, source = max(unlocked)
        earned = done or name in state.earned or name in told_before
        found.append(Earned(name, rule, earned, step, at, source, have, need))
    return tuple(found)
