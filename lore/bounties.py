"""The Bounty Board: every incident as a monster with its lair, what shows it, what helps, and what is gained by it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from configs.base import Model
from lore.conditions import Source, WatchRule
from lore.fold import Annals, Told
from lore.health import OPEN
from lore.lexicon import LABEL_CELLS, Voice
from lore.own_file import InForce, Words, in_force
from lore.watch import Watch, Watching, dump, load, over_windows, take
from saves.incidents import FIRST_STEP
from saves.rows import Incident

FILE = "bounties.yaml"
SEVERITIES = ("low", "medium", "high", "critical")


class BountyRule(WatchRule):
    """One monster of `lore/bounties.yaml`, by the id of its incident rule."""

    monster: Words = Field(min_length=1, max_length=LABEL_CELLS, description="what it is called")
    plain: Words = Field(min_length=1, max_length=LABEL_CELLS, description="what it means, in the field's words")
    lair: Words = Field(min_length=1, max_length=LABEL_CELLS, description="where it lives")
    category: Literal["data", "training", "infra", "logic"] = Field(description="what is at fault")
    cause: Words = Field(min_length=1, max_length=200, description="what brings it, for the player")
    fixes: tuple[Words, ...] = Field(min_length=1, max_length=6, description="what helps, most likely first")
    reward: Words = Field(min_length=1, max_length=80, description="what is gained when it is gone")

    def named(self, voice: Voice) -> str:
        """The monster, or what it means."""
        return self.plain if voice == "plain" else self.monster


class BountyRules(Model):
    """Every monster by the id of its incident rule."""

    bounties: dict[str, BountyRule]


def bounties_in_force() -> InForce[BountyRules]:
    """The shipped monsters under the player's ``config/bounties.yaml``."""
    return in_force(BountyRules, FILE)


def bounty_rules() -> Mapping[str, BountyRule]:
    """Every monster in force by the id of its incident rule."""
    return bounties_in_force().rules.bounties


def rule_of(incident: Incident, rules: Mapping[str, BountyRule] | None = None) -> BountyRule:
    """The monster of an incident; one without a name of its own is called by its severity."""
    known = (bounty_rules() if rules is None else rules).get(incident.rule)
    if known is not None:
        return known
    drawable = "".join(c for c in incident.rule if c.isascii() and c.isprintable())[:LABEL_CELLS].strip()
    plain_fix = incident.fix if incident.fix.isascii() and incident.fix.isprintable() else ""
    names = {"low": "Gremlin", "medium": "Ogre", "high": "Dragon", "critical": "Demon Lord"}
    return BountyRule.model_validate(
        {
            "monster": names.get(incident.severity, "Monster"),
            "plain": drawable or "incident",
            "lair": "unknown",
            "category": incident.category if incident.category in ("data", "training", "infra", "logic") else "logic",
            "severity": incident.severity if incident.severity in SEVERITIES else "medium",
            "cause": "see its evidence",
            "fixes": [plain_fix or "see its evidence"],
            "reward": "one monster less",
        }
    )


# ---------------------------------------------------------------- the part of the fold


class Bounties:
    """The part of the fold that notices what is only told."""

    id = "bounties"

    def __init__(self, rules: Mapping[str, BountyRule] | None = None) -> None:
        self.rules = bounty_rules() if rules is None else rules
        self.watch = Watch(_of(self.rules, "stream"))
        self.tables = self.watch.tables

    def begin(self) -> Watching:
        """Nothing was noticed."""
        return Watching()

    def take(self, state: Watching, fact: Any, told: Told) -> None:
        """Take one fact in, and tell what was noticed or is gone."""
        for change in take(self.watch, state, fact):
            kind = "system.incident_told" if change.kind == "applied" else "system.incident_gone"
            told.emit(kind, step=change.step, rule=change.rule, severity=self.rules[change.rule].severity)

    def dump(self, state: Watching) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return dump(state)

    def load(self, data: Mapping[str, Any]) -> Watching:
        """The state that `dump` wrote."""
        return load(data)

    def fingerprint(self) -> str:
        """Changes with the rules."""
        watched = {name: rule.model_dump(mode="json") for name, rule in self.watch.rules.items()}
        return json.dumps(watched, sort_keys=True)


def _of(rules: Mapping[str, BountyRule], source: Source) -> dict[str, BountyRule]:
    return {name: rule for name, rule in rules.items() if rule.source == source}


# ---------------------------------------------------------------- the board


@dataclass(frozen=True, slots=True)
class Card:
    """One bounty on the board."""

    key: str
    """The incident's number as text, or ``told.RULE`` for what is only told."""
    rule: str
    monster: BountyRule
    title: str
    """What happened; foreign text may be in it."""
    severity: str
    status: str
    first_step: int | None
    step: int | None
    """Newest strike."""
    count: int
    at: float | None
    last_at: float | None
    resolved_at: float | None
    blocks: bool
    fixes: tuple[str, ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether nobody has dealt with it yet."""
        return self.status in OPEN

    @property
    def told(self) -> bool:
        """Whether it is read off facts and closes by itself."""
        return self.key.startswith("told.")

    def as_dict(self) -> dict[str, Any]:
        """The machine form."""
        return {
            "id": self.key,
            "rule": self.rule,
            "title": self.title,
            "monster": self.monster.monster,
            "plain": self.monster.plain,
            "lair": self.monster.lair,
            "category": self.monster.category,
            "severity": self.severity,
            "status": self.status,
            "blocks": self.blocks,
            "first_step": self.first_step,
            "step": self.step,
            "count": self.count,
            "at": self.at,
            "last_at": self.last_at,
            "resolved_at": self.resolved_at,
            "fixes": list(self.fixes),
            "reward": self.monster.reward,
            "evidence": dict(self.evidence),
        }


def cards(
    annals: Annals, state: Watching | None = None, rules: Mapping[str, BountyRule] | None = None
) -> tuple[Card, ...]:
    """The board: open ones first, worst first, then the newest.

    Args:
        annals: incidents and the newest step windows.
        state: of the part `Bounties`; None: what is told of the stream is left out.
        rules: the monsters; None for those in force.
    """
    known = bounty_rules() if rules is None else rules
    found = [card_of(incident, known) for incident in annals.incidents]
    windows = Watch(_of(known, "windows"))
    told = [(state, name) for name in (state.struck if state else ()) if name in known]
    seen = over_windows(windows, annals.recent)
    found += [_told(known, kept, name) for kept, name in [*told, *((seen, name) for name in seen.struck)] if kept]
    return tuple(sorted(found, key=_order))


def _order(card: Card) -> tuple[bool, int, float]:
    return (not card.open, -SEVERITIES.index(card.severity) if card.open else 0, -(card.last_at or 0.0))


def card_of(incident: Incident, rules: Mapping[str, BountyRule] | None = None) -> Card:
    """An incident as a bounty."""
    monster = rule_of(incident, rules)
    evidence = {k: v for k, v in incident.detail.items() if k != FIRST_STEP}
    first = incident.detail.get(FIRST_STEP, incident.step)
    fixes: Iterable[str] = dict.fromkeys(f for f in (incident.fix, *monster.fixes) if f)
    return Card(
        key=str(incident.id),
        rule=incident.rule,
        monster=monster,
        title=incident.title,
        severity=incident.severity if incident.severity in SEVERITIES else monster.severity,
        status=incident.status,
        first_step=first if isinstance(first, int) else None,
        step=incident.step,
        count=incident.count,
        at=incident.at,
        last_at=incident.last_at,
        resolved_at=incident.resolved_at,
        blocks=incident.blocks,
        fixes=tuple(fixes),
        evidence=evidence,
    )


def _told(rules: Mapping[str, BountyRule], state: Watching, name: str) -> Card:
    struck, monster = state.struck[name], rules[name]
    return Card(
        key=f"told.{name}",
        rule=name,
        monster=monster,
        title=monster.cause,
        severity=struck.severity,
        status="open",
        first_step=struck.since,
        step=struck.since,
        count=1,
        at=struck.at,
        last_at=struck.at,
        resolved_at=None,
        blocks=False,
        fixes=monster.fixes,
        evidence={"reading": struck.evidence, "of": ", ".join(s for s in struck.subjects if s) or None},
    )
