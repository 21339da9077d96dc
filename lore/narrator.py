"""Events as sentences, in the tavern's voice and in the field's own."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import Field, model_validator

from configs.base import Model
from configs.reading import parse, read_yaml
from lore import lexicon
from lore.event import Event
from lore.figures import levels, number, share
from lore.lexicon import Voice, label
from lore.world_rules import named

Tone = Literal["text", "good", "warn", "bad"]


class Template(Model):
    """How one kind of event is told."""

    plain: str = Field(min_length=1, description="technical sentence")
    tavern: str = Field(min_length=1, description="the tavern's sentence")
    tone: Tone = Field(description="how loud it is drawn")
    icon: str = Field(min_length=1, max_length=1, description="one narrow character")
    ascii: str = Field(min_length=1, max_length=1, description="the icon's twin in ASCII")

    @model_validator(mode="after")
    def _plain_fields(self) -> Template:
        for text in (self.plain, self.tavern):
            for _, name, spec, conversion in string.Formatter().parse(text):
                if name is not None and (not name.isidentifier() or spec or conversion):
                    raise ValueError(f"{{{name}}} is not a plain field")
        return self


class _Book(Model):
    tales: dict[str, dict[str, Template]]


@dataclass(frozen=True, slots=True)
class Tale:
    """One line of the log. Names in it may come from outside: clean it where it is drawn."""

    at: float
    plain: str
    tavern: str
    tone: Tone
    icon: str
    ascii: str

    def text(self, voice: Voice) -> str:
        """The sentence in a voice."""
        return self.plain if voice == "plain" else self.tavern


@cache
def templates() -> Mapping[str, Mapping[str, Template]]:
    """Every template by event type and variant."""
    data = read_yaml(resources.files("lore") / "tales.yaml")
    return parse(_Book, {"tales": data}, "the tales").tales


def variant(event: Event) -> str:
    """Which of an event type's templates tells it."""
    data = event.data
    match event.type:
        case "training.started":
            return "first" if not data["resumed"] else "resumed" if data["exact"] else "inexact"
        case "training.stopped":
            return "stopped" if data["reason"] == "stopped" else "by_itself"
        case "training.crashed":
            return "at_once" if event.step is None else "crashed"
        case "quest.started":
            return "continued" if data["continued"] else "first"
        case "quest.completed":
            measured = data["loss_before"] is not None and data["loss_after"] is not None
            return "measured" if measured else "unmeasured"
        case "exam.taken":
            if data["kind"] != "gate":
                return "watched" if data["plan"] else "asked"
            return "passed" if data["passed"] else "failed"
        case "champion.crowned":
            return "examined" if "items" in data else "unexamined"
        case "system.incident":
            return "blocking" if data["blocks"] else "notice"
        case "hero.trial":
            return "passed" if data["passed"] else "failed"
        case "hero.sparred":
            return "mended" if data["failed"] else "flawless"
        case "hero.effect_applied":
            return "blessing" if data.get("buff") else "affliction"
        case "campaign.noted":
            return "noted" if data["kind"] == "note" else "marked"
        case "curriculum.found":
            return "attempt" if data["kind"] == "attempt" else "found"
        case "hero.effect_expired":
            return "faded" if data.get("buff") else "ended"
        case "skill.drifted":
            return "critical" if data["severity"] == "critical" else "warning"
    return next(iter(templates()[event.type]))


def tell(event: Event, hero: str) -> Tale:
    """The event as a line of the log.

    Args:
        event: any event of `lore.events`.
        hero: the hero's name.
    """
    words = {"plain": _words(event, "plain"), "tavern": _words(event, "tavern")}
    return _compose(event.type, variant(event), event.at, *({**words[v], "hero": hero} for v in ("plain", "tavern")))


def compose(kind: str, which: str, at: float, words: Mapping[str, Any]) -> Tale:
    """A line from the template ``which`` of ``kind``; ``words`` fill its braces."""
    return _compose(kind, which, at, words, words)


def _compose(kind: str, which: str, at: float, plain: Mapping[str, Any], tavern: Mapping[str, Any]) -> Tale:
    template = templates()[kind][which]
    return Tale(
        at=at,
        plain=template.plain.format_map(plain),
        tavern=template.tavern.format_map(tavern),
        tone=template.tone,
        icon=template.icon,
        ascii=template.ascii,
    )


def tell_all(events: Sequence[Event], hero: str) -> list[Tale]:
    """Every event as a line, in the order given."""
    return [tell(event, hero) for event in events]


_LOSSES = ("loss_before", "loss_after")
_REASONS = {
    "crashed": "no reason was left behind",
    "unknown": "no reason was left behind",
    "oom": "out of memory",
    "nan": "the loss stayed not finite",
    "cuda": "the graphics card failed",
    "disk": "the disk is full",
    "data": "a quest could not be read",
    "config": "the configuration cannot work",
    "killed": "ended at once, by force",
}


def _levels(found: Sequence[Mapping[str, int]]) -> str:
    """Up to three levels with their shares; more as ranges with the lowest share."""
    shown = [f"L{x['level']} {share(x['correct'], x['items'])}" for x in found]
    if len(found) <= 3:
        return ", ".join(shown)
    lowest = min(range(len(found)), key=lambda i: found[i]["correct"] / max(1, found[i]["items"]))
    return f"{levels([x['level'] for x in found])}, lowest {shown[lowest]}"


_NAMED = {"region": "region", "boss": "boss", "talent": "talent", "effect": "effect", "achievement": "achievement"}
"""Fields of what the fold tells that hold an id, with the chapter of the lexicon that names it."""


def _name(chapter: str, data: Mapping[str, Any], voice: Voice) -> str:
    """What an id is called: by its rule, which may be the player's own, else by the lexicon, else the id in words."""
    name = str(data[chapter])
    if chapter in ("region", "boss", "talent"):
        return named(chapter, name, voice)
    # Both know the events, which are told here.
    from lore.achievements import achievement_rules
    from lore.effects import effect_rules

    rule = effect_rules().get(name) if chapter == "effect" else achievement_rules().get(name)
    if rule is not None:
        return rule.plain if voice == "plain" and rule.plain else rule.label
    known = lexicon.known(f"{chapter}.{name}")
    return known.named(voice) if known is not None else name.replace("_", " ").capitalize()


def _cut(value: float) -> str:
    return share(int(value * 10_000 + 1e-6), 10_000)


def _words(event: Event, voice: Voice) -> dict[str, Any]:
    data = event.data
    words: dict[str, Any] = {**data, "step": number(event.step)}
    for name in ("steps", "examples"):
        if name in data:
            words[name] = number(data[name])
    words |= {name: number(data[name], 2) for name in _LOSSES if name in data}
    if "skill" in data:
        words["skill"] = str(data["skill"]).upper()
    if "items" in data:
        words["score"] = f"{data['correct']}/{data['items']} = {share(data['correct'], data['items'])}"
    if "levels" in data:
        words["levels"] = _levels(data["levels"])
    if event.type in ("system.incident_told", "system.incident_gone"):
        from lore.bounties import bounty_rules

        known = bounty_rules().get(str(data["rule"]))
        words["title"] = known.plain if known is not None else str(data["rule"]).replace("_", " ")
        words["monster"] = known.monster if known is not None else label(f"incident.{data['severity']}")
    if event.type in ("system.incident", "system.resolved"):
        words["monster"] = label(f"incident.{data['severity']}")
    if event.type == "skill.drifted":
        words |= {"found": _cut(data["share"]), "best": _cut(data["baseline"])}
    if event.type == "hero.rank_up":
        words["xp"] = number(data["xp"])
    words |= {field: _name(chapter, data, voice) for field, chapter in _NAMED.items() if field in data}
    if "reason" in data:
        reason = data["reason"] or "unknown"
        words["reason"] = _REASONS.get(reason, reason.removeprefix("crashed: "))
    return words
