"""What the player chose of the curriculum: a preset, a strategy, and what is said of each skill. A frozen record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from configs.curriculum import STRATEGIES, SkillSetting, Strategy, load_preset, setting
from configs.errors import UsageError

KNOWN = ("preset", "strategy", "focus", "skills")
"""What a change may name."""
SKILL_FIELDS = tuple(SkillSetting.model_fields)


@dataclass(frozen=True, slots=True)
class Settings:
    """The curriculum's settings in force."""

    strategy: Strategy = "equal"
    focus: str | None = None
    skills: Mapping[str, SkillSetting] = field(default_factory=dict)
    """By skill, for every skill of the hero."""
    preset: str | None = None
    """The preset that these are; None once something was changed by hand."""

    def of(self, skill: str) -> SkillSetting:
        """One skill's setting; the defaults where nothing was said."""
        return self.skills.get(skill) or SkillSetting.model_validate({})

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "strategy": self.strategy,
            "focus": self.focus,
            "preset": self.preset,
            "skills": {name: one.model_dump() for name, one in self.skills.items()},
        }


def from_dict(data: Mapping[str, Any]) -> Settings:
    """What `Settings.as_dict` gave."""
    return Settings(
        strategy=data["strategy"],
        focus=data["focus"],
        preset=data["preset"],
        skills={name: SkillSetting.model_validate(one) for name, one in data["skills"].items()},
    )


def of_preset(name: str, skills: Sequence[str]) -> Settings:
    """A preset for a hero that trains ``skills``.

    Raises:
        UsageError: there is no such preset, or it is about a skill that the hero does not train.
    """
    preset = load_preset(name)
    missing = [s for s in (preset.focus, *preset.skills) if s is not None and s not in skills]
    if missing:
        raise UsageError(
            f"the preset {name} is about {missing[0]}, which this hero does not train",
            fix=f"it trains {', '.join(skills)}: choose another preset (`realm curriculum presets`)",
            code="UNKNOWN_SKILL",
        )
    named = {preset.focus, *preset.skills}
    chosen = {s: preset.skills.get(s, setting(enabled=preset.others or s in named)) for s in skills}
    return Settings(preset.strategy, preset.focus, chosen, name)


def changed(settings: Settings, change: Mapping[str, Any], skills: Mapping[str, int]) -> Settings:
    """The settings after a player's change; all of it or, on an error, nothing.

    Args:
        settings: what holds.
        change: ``preset`` (a name), ``strategy``, ``focus`` (a skill), ``skills`` (skill to any fields of `SkillSetting`).
            A focus alone chooses the strategy focus, weights alone the strategy weighted.
        skills: the hero's skills with their last levels.

    Raises:
        UsageError: something is unknown, out of bounds, or leaves nothing to train.
    """
    _known(change, KNOWN, "curriculum")
    names = list(skills)
    if change.get("preset") is not None:
        settings = of_preset(str(change["preset"]), names)
    strategy: Any = change.get("strategy")
    focus = None if change.get("focus") is None else str(change["focus"])
    said = change.get("skills") or {}
    if not isinstance(said, Mapping) or not all(isinstance(one, Mapping) for one in said.values()):
        raise UsageError("skills are settings by skill", fix='for instance {"bin": {"weight": 2}}', code="BAD_ARGUMENT")
    for skill in (*said, *([focus] if focus is not None else [])):
        if skill not in skills:
            raise UsageError(
                f"this hero does not train {skill}", fix=f"it trains {', '.join(names)}", code="UNKNOWN_SKILL"
            )
    if strategy is None:
        weighted = any("weight" in one for one in said.values())
        strategy = "focus" if focus is not None else "weighted" if weighted else settings.strategy
    if strategy not in STRATEGIES:
        raise UsageError(
            f"no strategy is called {strategy!r}", fix=f"choose one of {', '.join(STRATEGIES)}", code="BAD_ARGUMENT"
        )
    own = dict(settings.skills)
    for skill, one in said.items():
        _known(one, SKILL_FIELDS, f"setting of {skill}")
        own[skill] = setting(**{**settings.of(skill).model_dump(), **one})
        target = own[skill].target
        if target is not None and target > skills[skill]:
            raise UsageError(
                f"level {target} of {skill} does not exist", fix=f"choose 1 to {skills[skill]}", code="NO_SUCH_LEVEL"
            )
    focus = focus if focus is not None else settings.focus if strategy == "focus" else None
    after = Settings(strategy, focus, own, settings.preset)
    _trainable(after, names)
    return after if after == settings else replace(after, preset=None)


def _trainable(settings: Settings, skills: Sequence[str]) -> None:
    enabled = [s for s in skills if settings.of(s).enabled]
    if settings.strategy == "focus" and settings.focus not in enabled:
        raise UsageError(
            "the strategy focus needs a skill that is trained",
            fix=f"name it: `realm curriculum set --focus {(enabled or list(skills))[0]}`",
            code="BAD_ARGUMENT",
        )
    weightless = settings.strategy == "weighted" and not any(settings.of(s).weight for s in enabled)
    if not enabled or weightless:
        raise UsageError("some skill must train", fix="enable one, and give it a weight above 0", code="BAD_ARGUMENT")


def _known(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UsageError(
            f"the {what} knows no {unknown[0]!r}", fix=f"use one of {', '.join(known)}", code="BAD_ARGUMENT"
        )
