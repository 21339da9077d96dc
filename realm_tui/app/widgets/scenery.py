"""Where the hero is, what the weather is like there, and how hard it hits: the step's figures as the Tavern tells them."""

from __future__ import annotations

import math

from engine.link.state import LIVING, EngineState
from lore.hero import hero_stats
from lore.lexicon import entry, label
from lore.rules import rules
from realm_tui.app.drawing import Look, Row
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.sheet import folded
from realm_tui.app.words import number


def weather(loss: float | None) -> str | None:
    """Lexicon key of the weather at a training loss; None while it is unknown."""
    if loss is None or not math.isfinite(loss):
        return None
    bounds = rules().weather
    for name, least in (("storm", bounds.storm), ("rain", bounds.rain), ("clouds", bounds.clouds)):
        if loss > least:
            return f"weather.{name}"
    return "weather.clear"


def weather_words(facts: Facts, look: Look) -> str:
    """The weather with its sign; empty while nothing trains."""
    key = weather(facts.status.loss) if facts.status.state in LIVING else None
    return "" if key is None else f"{entry(key).icon} {entry(key).named(look.names)}"


def damage(facts: Facts, look: Look) -> Row:
    """What the newest step's blow does; empty while the loss is unknown."""
    loss = facts.status.loss
    if loss is None or not math.isfinite(loss):
        return ()
    dealt = hero_stats(steps=0, train_loss=loss, val_loss=None, accuracies=(), quests_completed=0, mastered=()).attack
    return ((f"{label('combat.damage', look.names).lower()} ", "muted"), (f"{number(dealt, 1):>4}", "strong"))


def room_key(facts: Facts) -> str:
    """Lexicon key of the room that fits what the engine does and how hard the lesson is."""
    status = facts.status
    if status.state is EngineState.TRAINING:
        return f"room.{status.zone or 'unknown'}"
    if status.state is EngineState.EXAMINING:
        return "room.trial"
    if status.state in (EngineState.STARTING, EngineState.LOADING):
        return "room.waking"
    return "room.camp" if status.state in LIVING else "room.inn"


def room_rows(facts: Facts, look: Look, width: int, most: int) -> list[Row]:
    """Where it happens: the room's name in one row, or its description."""
    word = entry(room_key(facts))
    where = f"{label(f'region.{facts.hero.region}', look.names)}. " if facts.hero.region else ""
    told = word.explained(look.names) if most > 1 else f"{word.named(look.names)}: {word.short}"
    lines = folded(where + told, max(8, width - 2), most)
    return [((" ", ""), (line, "muted")) for line in lines]
