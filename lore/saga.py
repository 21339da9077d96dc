"""The saga and the battle log: which events are told where, and how loudly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from pydantic import Field

from configs.base import Model
from configs.reading import parse, read_yaml
from lore.event import Event
from lore.lexicon import Voice
from lore.narrator import Tale, tell, variant

Channel = Literal["system", "jobs", "training", "eval", "vault", "guild", "debug", "data", "checkpoint"]
Alert = Literal["whisper", "notice", "warning", "alarm", "crisis"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
ALERTS: tuple[Alert, ...] = get_args(Alert)
"""From the quietest to the loudest."""

_BY_SEVERITY: Mapping[str, Alert] = {"low": "notice", "medium": "warning", "high": "alarm", "critical": "crisis"}


class Change(Model):
    """What one way of telling an event changes."""

    channel: Channel | None = Field(None, description="another channel of the battle log")
    alert: Alert | None = Field(None, description="another place on the ladder of alerts")
    saga: bool | None = Field(None, description="whether the saga tells it")


class Manner(Model):
    """How an event is told."""

    channel: Channel = Field(description="channel of the battle log")
    alert: Alert = Field(description="its place on the ladder of alerts")
    saga: bool = Field(False, description="whether the saga tells it")
    variants: dict[str, Change] = Field(default_factory=dict, description="what changes for one way of telling it")


class _Manners(Model):
    manners: dict[str, Manner]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the saga or the battle log. Names in it may come from outside: clean it where it is drawn."""

    event: Event
    tale: Tale
    channel: Channel
    alert: Alert
    told: bool
    """Whether the saga tells it; the battle log tells everything."""

    @property
    def key(self) -> str:
        """Tells it from every other line of the save."""
        return self.event.key

    def text(self, voice: Voice) -> str:
        """The sentence in a voice."""
        return self.tale.text(voice)

    def as_dict(self) -> dict[str, Any]:
        """The machine form: the event with both sentences."""
        return {
            **self.event.as_dict(),
            "channel": self.channel,
            "alert": self.alert,
            "plain": self.tale.plain,
            "tavern": self.tale.tavern,
        }


@cache
def manners() -> Mapping[str, Manner]:
    """How each type of event is told."""
    data = read_yaml(resources.files("lore") / "saga.yaml")
    return parse(_Manners, {"manners": data}, "the saga's manners").manners


_UNKNOWN = Manner.model_validate({"channel": "debug", "alert": "whisper"})


_UNCHANGED = Change.model_validate({})


def _manner(event: Event) -> tuple[Manner, Change]:
    """How an event is told, and what the way it went changes."""
    manner = manners().get(event.type, _UNKNOWN)
    return manner, manner.variants.get(variant(event), _UNCHANGED)


def line(event: Event, hero: str) -> Line:
    """An event as a line, with its channel and how loud it is."""
    manner, change = _manner(event)
    return Line(
        event=event,
        tale=tell(event, hero),
        channel=change.channel or manner.channel,
        alert=_weighed(event) or change.alert or manner.alert,
        told=_told(manner, change),
    )


def _told(manner: Manner, change: Change) -> bool:
    return manner.saga if change.saga is None else change.saga


def _weighed(event: Event) -> Alert | None:
    """What an incident or an affliction weighs by its severity; None for everything else."""
    if event.type == "system.incident":
        return "crisis" if event.data.get("blocks") else _BY_SEVERITY.get(str(event.data.get("severity")))
    if event.type == "hero.effect_applied" and not event.data.get("buff"):
        found = _BY_SEVERITY.get(str(event.data.get("severity")))
        return "warning" if found == "notice" else found
    return None


def battle_log(events: Iterable[Event], hero: str) -> list[Line]:
    """Every event as a line, in the order given."""
    return [line(event, hero) for event in events]


def saga(events: Iterable[Event], hero: str) -> list[Line]:
    """The events worth telling, in the order given."""
    return [line(event, hero) for event in events if _told(*_manner(event))]


def matching(lines: Iterable[Line], text: str) -> list[Line]:
    """The lines that hold ``text`` in either voice, without regard to case."""
    wanted = text.casefold()
    return [one for one in lines if any(wanted in said.casefold() for said in (one.tale.plain, one.tale.tavern))]
