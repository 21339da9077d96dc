"""Status effects: what weighs on the hero or lifts it. Each has a cause and a cure, and follows from facts alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from configs.base import Model
from lore.conditions import OpenIncident, QuestOnBoard, Source, WatchRule
from lore.fold import Annals, Told
from lore.health import OPEN, Health, health
from lore.lexicon import LABEL_CELLS, Voice
from lore.own_file import Icon, InForce, Words, in_force
from lore.watch import Watch, Watching, dump, load, over_windows, take
from saves.rows import Incident, Quest

FILE = "effects.yaml"
SEVERITIES = ("low", "medium", "high", "critical")


class EffectRule(WatchRule):
    """One effect of `lore/effects.yaml`."""

    label: Words = Field(min_length=1, max_length=LABEL_CELLS, description="what it is called")
    plain: Words = Field(min_length=1, max_length=LABEL_CELLS, description="what it means, in the field's words")
    kind: Literal["debuff", "buff"] = Field("debuff", description="whether it weighs or lifts")
    icon: Icon = Field("✱", min_length=1, max_length=1, description="one narrow character")
    ascii: str = Field("*", min_length=1, max_length=1, description="the icon's twin in ASCII")
    cause: Words = Field(min_length=1, max_length=200, description="what brings it, for the player")
    cure: Words = Field(min_length=1, max_length=200, description="what ends it, for the player")
    shows: Words = Field("", max_length=80, description="what it does beside `xp` and `blocks`, for the player")
    xp: float = Field(1.0, gt=0, le=10, description="multiplier of discipline XP while it lasts")
    blocks: Literal["", "training", "trials"] = Field("", description="what the engine holds back as long as it lasts")
    profiles: tuple[str, ...] = Field((), description="only for heroes of these data profiles; empty: for all")

    @model_validator(mode="after")
    def _can_strike(self) -> EffectRule:
        if not self.when:
            raise ValueError("`when` must not be empty: an effect has a cause")
        if not self.ascii.isascii():
            raise ValueError("`ascii` must be ASCII")
        if self.xp != 1.0 and self.source != "stream":
            raise ValueError("only what stands on readings or answers may change XP")
        return self

    def named(self, voice: Voice) -> str:
        """The effect, or what it means."""
        return self.plain if voice == "plain" else self.label


class EffectRules(Model):
    """Every effect by id."""

    effects: dict[str, EffectRule]


def effects_in_force() -> InForce[EffectRules]:
    """The shipped effects under the player's ``config/effects.yaml``."""
    return in_force(EffectRules, FILE)


def effect_rules() -> Mapping[str, EffectRule]:
    """Every effect in force by id."""
    return effects_in_force().rules.effects


# ---------------------------------------------------------------- the part of the fold


class Effects:
    """The part of the fold that keeps the effects of answers, exams, screenings, trials and quests."""

    id = "effects"

    def __init__(self, rules: Mapping[str, EffectRule] | None = None, *, profile: str | None = None) -> None:
        """
        Args:
            rules: the effects; None for those in force.
            profile: the hero's data profile; None: that of the shipped heroes without stances.
        """
        every = effect_rules() if rules is None else rules
        self.rules = {name: rule for name, rule in every.items() if _fits(rule, profile)}
        self.watch = Watch(_of(self.rules, "stream"))
        self.tables = self.watch.tables
        self._xp = {name: rule.xp for name, rule in self.rules.items()}
        self._buffs = frozenset(name for name, rule in self.rules.items() if rule.kind == "buff")

    def begin(self) -> Watching:
        """Nothing has struck."""
        return Watching()

    def take(self, state: Watching, fact: Any, told: Told) -> None:
        """Take one fact in, and tell what set in or ended."""

        for name, kind, step, severity in take(self.watch, state, fact):
            buff = name in self._buffs
            if kind == "applied":
                told.emit("hero.effect_applied", effect=name, buff=buff, severity=severity)
            else:
                told.emit("hero.effect_expired", step=step, effect=name, buff=buff, how=kind)

    def multiplier(self, state: Watching, step: int) -> float:
        """The product of the XP multipliers in force at a step."""
        product = 1.0
        for name, struck in state.struck.items():
            if struck.until is None or step < struck.until:
                product *= self._xp[name]
        return product

    def dump(self, state: Watching) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return dump(state)

    def load(self, data: Mapping[str, Any]) -> Watching:
        """The state that `dump` wrote."""
        return load(data)

    def fingerprint(self) -> str:
        """Changes with the rules."""
        return json.dumps({name: rule.model_dump(mode="json") for name, rule in self.rules.items()}, sort_keys=True)


def cleared(state: Watching, rules: Mapping[str, EffectRule] | None = None) -> int:
    """How many debuffs of the stream have ended so far."""
    known = effect_rules() if rules is None else rules
    return sum(n for name, n in state.ended.items() if name in known and known[name].kind == "debuff")


# ---------------------------------------------------------------- what is in force now


@dataclass(frozen=True, slots=True)
class ActiveEffect:
    """An effect in force."""

    id: str
    rule: EffectRule
    severity: str
    since: int | None
    """Optimizer step; None where the fact names none."""
    at: float | None
    until: int | None
    """Step at which it ends by itself; None: it must be cured."""
    evidence: str
    """The reading, the incident or the quest that it stands on; foreign text may be in it."""
    source: str
    """``incidents:7`` or ``quests:3``; empty for what stands on readings."""
    progress: tuple[int, int] | None = None
    """How far the cure is: done and needed; None where nothing is counted."""
    holds: bool = True
    """False where the incident it stands on stops nothing this time."""

    @property
    def buff(self) -> bool:
        """Whether it lifts the hero."""
        return self.rule.kind == "buff"

    @property
    def blocks(self) -> str:
        """What it holds back: training, trials, or nothing."""
        return self.rule.blocks if self.holds else ""

    def named(self, voice: Voice) -> str:
        """The effect, or what it means."""
        return self.rule.named(voice)

    def left(self, step: int) -> int | None:
        """Steps until it ends by itself; None: it does not."""
        return None if self.until is None else max(0, self.until - step)

    def as_dict(self) -> dict[str, Any]:
        """The machine form."""
        return {
            "id": self.id,
            "label": self.rule.label,
            "plain": self.rule.plain,
            "kind": self.rule.kind,
            "severity": self.severity,
            "since": self.since,
            "at": self.at,
            "until": self.until,
            "cause": self.rule.cause,
            "evidence": self.evidence,
            "cure": self.rule.cure,
            "progress": list(self.progress) if self.progress else None,
            "xp": self.rule.xp,
            "blocks": self.blocks or None,
            "source": self.source or None,
        }


def active_effects(
    state: Watching, annals: Annals, step: int, rules: Mapping[str, EffectRule] | None = None
) -> tuple[ActiveEffect, ...]:
    """What is in force, debuffs before buffs, worst first.

    Args:
        state: of the part `Effects`.
        annals: incidents, quests and the newest step windows.
        step: the campaign's step now; what ends up to there is left out.
        rules: the effects; None for those in force.
    """
    known = effect_rules() if rules is None else rules
    fitting = {name: rule for name, rule in known.items() if _fits(rule, profile_of(annals))}
    stream, windows = Watch(_of(fitting, "stream")), Watch(_of(fitting, "windows"))
    found = [
        *_struck(stream, state, fitting, step),
        *_struck(windows, over_windows(windows, annals.recent), fitting, step),
        *_standing(_of(fitting, "annals"), annals),
    ]
    return tuple(sorted(found, key=lambda e: (e.buff, -SEVERITIES.index(e.severity), e.since or 0, e.id)))


def health_of(effects: tuple[ActiveEffect, ...]) -> Health:
    """The word for the debuffs in force; buffs never count."""
    return health(e.severity for e in effects if not e.buff)


def profile_of(annals: Annals) -> str | None:
    """The data profile of the campaign's hero."""
    found = dict(annals.campaign.hero).get("data")
    return found.get("profile") if isinstance(found, Mapping) else None


def _fits(rule: EffectRule, profile: str | None) -> bool:
    return not rule.profiles or profile in rule.profiles


def _of(rules: Mapping[str, EffectRule], source: Source) -> dict[str, EffectRule]:
    return {name: rule for name, rule in rules.items() if rule.source == source}


def _struck(watch: Watch, state: Watching, rules: Mapping[str, EffectRule], step: int) -> list[ActiveEffect]:
    found = []
    for name, struck in state.struck.items():
        if name not in watch.rules:
            continue
        ends = watch.ends_at(state, name)
        if ends is None or step < ends[0]:
            where = f" ({', '.join(s for s in struck.subjects if s)})" if any(struck.subjects) else ""
            evidence = f"{struck.evidence}{where}"
            done = watch.progress(state, name)
            at = (struck.since, struck.at, struck.until)
            found.append(ActiveEffect(name, rules[name], struck.severity, *at, evidence, "", done))
    return found


def _standing(rules: Mapping[str, EffectRule], annals: Annals) -> list[ActiveEffect]:
    found = []
    for name, rule in rules.items():
        for condition in rule.when:
            if isinstance(condition, OpenIncident):
                hits = [i for i in annals.incidents if stands_on(condition, i)]
                if hits:
                    first, worst = hits[0], max(hits, key=lambda i: SEVERITIES.index(i.severity))
                    severity = max(rule.severity, worst.severity, key=SEVERITIES.index)
                    since: tuple[int | None, float | None, None] = (first.step, first.at, None)
                    stops = any(i.blocks for i in hits)
                    source = f"incidents:{worst.id}"
                    found.append(ActiveEffect(name, rule, severity, *since, worst.title, source, holds=stops))
                    break
            elif isinstance(condition, QuestOnBoard):
                quest = next(iter(_quests(condition, annals)), None)
                if quest is not None:
                    since = (quest.first_step, quest.started_at, None)
                    found.append(ActiveEffect(name, rule, rule.severity, *since, quest.name, f"quests:{quest.id}"))
                    break
    return found


def stands_on(condition: OpenIncident, incident: Incident) -> bool:
    """Whether an incident is open and as asked."""
    return (
        incident.status in OPEN
        and incident.rule in condition.rules
        and SEVERITIES.index(incident.severity) >= SEVERITIES.index(condition.severity)
        and (incident.blocks or not condition.blocks)
    )


def _quests(condition: QuestOnBoard, annals: Annals) -> list[Quest]:
    tried = sorted((q for q in annals.quests if q.first_step is not None), key=lambda q: (q.started_at or 0.0, q.id))
    asked = tried[-1:] if condition.newest else tried
    return [q for q in asked if q.removed_at is None and _is_as_asked(condition, q)]


def _is_as_asked(condition: QuestOnBoard, quest: Quest) -> bool:
    if condition.spoilt and not (quest.failures and quest.examples_done and quest.state != "completed"):
        return False
    if condition.duplicates is not None:
        counts = dict(quest.counts)
        examples, twice = counts.get("examples"), counts.get("duplicates")
        if not examples or twice is None or twice <= condition.duplicates * examples:
            return False
    return True
