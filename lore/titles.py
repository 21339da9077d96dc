"""What the hero is called for its deeds: titles, badges and warnings, as rules over facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field, model_validator

from configs.base import Model
from configs.schema import Share
from lore.lexicon import LABEL_CELLS, Voice
from lore.own_file import Icon, InForce, Words, in_force
from saves.rows import Exam, Hold, LevelUp

FILE = "titles.yaml"
EVIDENCE_ITEMS = 64
"""Items over which an accuracy is pooled before it speaks; a screen of 16 alone moves by ten points by luck."""


class TitleRule(Model):
    """One title of `lore/titles.yaml`: how it is called, and what must hold for it."""

    label: Words = Field(min_length=1, max_length=LABEL_CELLS, description="the title")
    plain: Words = Field(min_length=1, max_length=LABEL_CELLS, description="what it means, in the field's words")
    shown: Literal["title", "badge", "warning"] = Field("title", description="worn, or shown beside the title")
    priority: int = Field(0, ge=0, description="the highest one that holds is worn")
    icon: Icon = Field("★", min_length=1, max_length=1, description="one narrow character")
    ascii: str = Field("*", min_length=1, max_length=1, description="the icon's twin in ASCII")
    steps: int | None = Field(None, ge=0, description="fewest optimizer steps of the campaign")
    skill: str | None = Field(None, description="the skill that `levels` and `accuracy` speak of")
    levels: tuple[int, int | None] | None = Field(None, description="mastered level from and to; null: no end")
    skills: int = Field(1, ge=1, description="how many skills must reach `levels` when no `skill` is named")
    accuracy: Share | None = Field(None, description="least accuracy at the mastered level, or of the primitive")
    primitive: str | None = Field(None, description="the primitive that `accuracy` speaks of")
    perfect: bool = Field(False, description="asks for a latest exam without a mistake")
    drop: Share | None = Field(None, description="least drop of any skill from its peak accuracy")
    primitive_below: Share | None = Field(None, description="asks for a primitive below this accuracy")

    @model_validator(mode="after")
    def _consistent(self) -> TitleRule:
        if self.accuracy is not None and self.skill is None and self.primitive is None:
            raise ValueError("`accuracy` needs a `skill` or a `primitive`")
        if self.skill is not None and self.levels is None:
            raise ValueError("`skill` needs `levels`")
        return self


class TitleRules(Model):
    """Every title by id."""

    titles: dict[str, TitleRule]


@dataclass(frozen=True, slots=True)
class SkillStanding:
    """One skill as titles see it."""

    mastered: int = 0
    accuracy: float | None = None
    """At the mastered level, newest evidence first, pooled over at least `EVIDENCE_ITEMS` items."""
    drop: float | None = None
    """Largest drop of a mastered level's accuracy from the one it was won with; 0 or less: none."""
    perfect: bool = False
    """The latest gate exam had `EVIDENCE_ITEMS` items or more, and no mistake."""


@dataclass(frozen=True, slots=True)
class Title:
    """A title that holds."""

    id: str
    rule: TitleRule
    level: int
    """Mastered level of the skill it speaks of; 0 for a title by steps."""

    def named(self, voice: Voice) -> str:
        """The title, or what it means."""
        return self.rule.plain if voice == "plain" else self.rule.label


@dataclass(frozen=True, slots=True)
class Titles:
    """What the hero is called now."""

    worn: Title | None
    badges: tuple[Title, ...] = field(default=())
    warnings: tuple[Title, ...] = field(default=())
    held: tuple[Title, ...] = field(default=())
    """Every title that could be worn, the worn one first."""


def titles_in_force() -> InForce[TitleRules]:
    """The shipped titles under the player's ``config/titles.yaml``."""
    return in_force(TitleRules, FILE)


def title_rules() -> Mapping[str, TitleRule]:
    """Every title in force by id."""
    return titles_in_force().rules.titles


def titles(
    steps: int,
    skills: Mapping[str, SkillStanding],
    *,
    primitives: Mapping[str, float] | None = None,
    earned_at: Mapping[str, float] | None = None,
    rules: Mapping[str, TitleRule] | None = None,
) -> Titles:
    """What holds, and which title is worn.

    Of equal priority a skill's title beats one by steps, then the higher level wins, then the one earned earlier.

    Args:
        steps: optimizer steps of the campaign.
        skills: standing per skill id.
        primitives: accuracy per primitive, only where measured.
        earned_at: when a title was first earned, by id, where known.
        rules: the titles to choose from; None for those in force.
    """
    measured, since = primitives or {}, earned_at or {}
    all_rules = title_rules() if rules is None else rules
    held = [
        Title(name, rule, _level(rule, skills))
        for name, rule in all_rules.items()
        if _holds(rule, steps, skills, measured)
    ]

    def order(title: Title) -> tuple[int, bool, int, float]:
        of_skill = title.rule.levels is not None or title.rule.primitive is not None
        return (-title.rule.priority, not of_skill, -title.level, since.get(title.id, 0.0))

    worn = sorted((t for t in held if t.rule.shown == "title"), key=order)
    return Titles(
        worn[0] if worn else None,
        tuple(t for t in held if t.rule.shown == "badge"),
        tuple(t for t in held if t.rule.shown == "warning"),
        tuple(worn),
    )


def _in_range(level: int, bounds: tuple[int, int | None]) -> bool:
    return level >= bounds[0] and (bounds[1] is None or level <= bounds[1])


def _level(rule: TitleRule, skills: Mapping[str, SkillStanding]) -> int:
    if rule.skill is not None:
        return skills[rule.skill].mastered if rule.skill in skills else 0
    return max((s.mastered for s in skills.values()), default=0) if rule.levels is not None else 0


def _holds(rule: TitleRule, steps: int, skills: Mapping[str, SkillStanding], primitives: Mapping[str, float]) -> bool:
    if rule.steps is not None and steps < rule.steps:
        return False
    if rule.skill is not None:
        standing = skills.get(rule.skill, SkillStanding())
        if rule.levels is None or not _in_range(standing.mastered, rule.levels):
            return False
        if rule.accuracy is not None and (standing.accuracy is None or standing.accuracy < rule.accuracy):
            return False
    elif rule.levels is not None:
        bounds = rule.levels
        if sum(_in_range(s.mastered, bounds) for s in skills.values()) < rule.skills:
            return False
    if rule.primitive is not None and primitives.get(rule.primitive, -1.0) < (rule.accuracy or 0.0):
        return False
    if rule.perfect and not any(s.perfect for s in skills.values()):
        return False
    if rule.drop is not None and not any(s.drop is not None and s.drop >= rule.drop for s in skills.values()):
        return False
    below = rule.primitive_below
    return below is None or any(a < below for a in primitives.values())


# ---------------------------------------------------------------- the standing, folded from rows


def standings(level_ups: Iterable[LevelUp], exams: Iterable[Exam], holds: Iterable[Hold]) -> dict[str, SkillStanding]:
    """Per skill what titles look at.

    Args:
        level_ups: every live level-up.
        exams: live exams: those that won levels, and the newest gate exam.
        holds: live screenings of mastered levels.
    """
    by_id = {e.id: e for e in exams}
    won: dict[tuple[str, int], tuple[int, int]] = {}
    proofs: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    mastered: dict[str, int] = {}
    for up in level_ups:
        mastered[up.skill] = max(mastered.get(up.skill, 0), up.to_level)
        winning = [by_id[i] for i in up.exam_ids if i in by_id]
        if winning:
            pooled = (sum(e.correct for e in winning), sum(e.items for e in winning))
            won[up.skill, up.to_level] = pooled
            proofs.setdefault((up.skill, up.to_level), []).append((up.step, *pooled))
    for hold in holds:
        proofs.setdefault((hold.skill, hold.level), []).append((hold.step, hold.correct, hold.items))
    newest: dict[str, Exam] = {}
    for exam in sorted(by_id.values(), key=lambda e: (e.step, e.id)):
        if exam.kind == "gate":
            newest[exam.skill] = exam
    return {
        skill: _standing(skill, mastered.get(skill, 0), won, proofs, newest.get(skill))
        for skill in sorted({*mastered, *newest})
    }


def _standing(
    skill: str,
    level: int,
    won: Mapping[tuple[str, int], tuple[int, int]],
    proofs: Mapping[tuple[str, int], list[tuple[int, int, int]]],
    newest: Exam | None,
) -> SkillStanding:
    drops = []
    for (owner, at_level), (correct, items) in won.items():
        now = _recent(proofs.get((owner, at_level), []))
        if owner == skill and items and now is not None:
            drops.append(correct / items - now)
    return SkillStanding(
        mastered=level,
        accuracy=_recent(proofs.get((skill, level), [])),
        drop=max(drops, default=None),
        perfect=newest is not None and newest.items >= EVIDENCE_ITEMS and newest.correct == newest.items,
    )


def _recent(proofs: list[tuple[int, int, int]]) -> float | None:
    """The share over the newest ``(step, correct, items)``, as many as make up `EVIDENCE_ITEMS` items."""
    correct = items = 0
    for _, right, asked in sorted(proofs, reverse=True):
        correct, items = correct + right, items + asked
        if items >= EVIDENCE_ITEMS:
            break
    return correct / items if items else None
