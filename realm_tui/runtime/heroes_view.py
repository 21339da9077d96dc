"""The roster: who could play, who is ready, what each of them did here, and the Hall of Legends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from configs.errors import RealmError
from configs.loader import hero_ids, load_hero
from configs.schema import HeroConfig
from lore.identity import Identity, identity
from realm_tui.runtime.heroes import Readiness, readiness
from realm_tui.runtime.opened import OpenedSave
from saves import campaigns
from saves.exams import level_ups
from saves.rows import Campaign
from saves.steps import newest_windows


@dataclass(frozen=True, slots=True)
class Deed:
    """One campaign of a hero, in short."""

    id: str
    name: str
    status: str
    step: int
    won: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class HeroCard:
    """One hero of the roster."""

    id: str
    config: HeroConfig | None
    """None: its YAML cannot be read."""
    identity: Identity | None
    ready: Readiness | None
    trouble: str
    """What is wrong with its YAML, with file and line."""
    playing: bool
    """The active campaign is its own."""
    deeds: tuple[Deed, ...]
    """Its campaigns in this save, the newest first."""
    rough_gb: float | None
    """Memory that training takes, by the rule of thumb; None where nothing is known."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.config.name if self.config is not None else self.id


@dataclass(frozen=True, slots=True)
class Legend:
    """An archived campaign."""

    id: str
    name: str
    hero: str
    archived_at: float | None
    outcome: str
    """won, capped, open, or empty where nothing was written down."""
    step: int
    effort: float
    won: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    champion: str | None = None
    peaks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeroesView:
    """What the Heroes screen shows."""

    heroes: tuple[HeroCard, ...]
    """Whoever plays first, then those who are ready, then the others; smaller ones before larger."""
    hall: tuple[Legend, ...]
    """The most levels held first."""


class RosterReader:
    """Reads the roster again and again; YAML and model folders only when asked to look afresh."""

    def __init__(self) -> None:
        self._heroes: dict[str, tuple[HeroConfig | None, Readiness | None, str]] | None = None

    def forget(self) -> None:
        """Look at YAML and folders again the next time."""
        self._heroes = None

    def read(self, save: OpenedSave) -> HeroesView:
        """The roster now."""
        if self._heroes is None:
            self._heroes = {hero_id: _looked_up(hero_id) for hero_id in hero_ids()}
        every = campaigns.campaigns(save.conn)
        cards = [
            HeroCard(
                id=hero_id,
                config=config,
                identity=identity(config) if config is not None else None,
                ready=ready,
                trouble=trouble,
                playing=hero_id == save.campaign.hero_id,
                deeds=tuple(_deed(save, c) for c in reversed(every) if c.hero_id == hero_id),
                rough_gb=_rough_gb(config),
            )
            for hero_id, (config, ready, trouble) in self._heroes.items()
        ]
        return HeroesView(tuple(sorted(cards, key=_place)), hall(every))


def hall(every: list[Campaign]) -> tuple[Legend, ...]:
    """The archived campaigns, the most levels held first."""
    found = [_legend(c) for c in every if c.status == "archived"]
    return tuple(sorted(found, key=lambda one: (-sum(one.held.values()), -sum(one.won.values()), one.archived_at or 0)))


def _legend(campaign: Campaign) -> Legend:
    reached = campaign.summary
    return Legend(
        id=campaign.id,
        name=campaign.name,
        hero=campaign.hero_id,
        archived_at=campaign.archived_at,
        outcome=str(reached.get("outcome") or ""),
        step=int(reached.get("step") or 0),
        effort=float(reached.get("effort") or 0.0),
        won=dict(reached.get("levels") or {}),
        held=dict(reached.get("held") or {}),
        champion=reached.get("champion"),
        peaks=dict(reached.get("peaks") or {}),
    )


def _looked_up(hero_id: str) -> tuple[HeroConfig | None, Readiness | None, str]:
    try:
        config = load_hero(hero_id)
    except RealmError as error:
        return None, None, error.text()
    return config, readiness(config), ""


def _rough_gb(config: HeroConfig | None) -> float | None:
    from engine.memory.estimate import quick_gb

    if config is None or config.model.source == "hatchling":
        return None
    training = config.training
    return quick_gb(
        config.model.size_b,
        training.batch_size,
        config.model.context_length,
        checkpointing=bool(training.gradient_checkpointing),
    )


def _deed(save: OpenedSave, campaign: Campaign) -> Deed:
    won: dict[str, int] = {}
    for up in level_ups(save.conn, campaign.id):
        won[up.skill] = max(won.get(up.skill, 0), up.to_level)
    newest = newest_windows(save.conn, campaign.id, 1)
    step = newest[-1].last_step if newest else campaign.starting_step
    return Deed(campaign.id, campaign.name, campaign.status, step, won)


def _place(card: HeroCard) -> tuple[Any, ...]:
    ready = card.ready is not None and card.ready.ready
    return not card.playing, not ready, card.config.model.size_b if card.config is not None else 1e9, card.id
