"""The hero panel's numbers, folded from facts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lore.rules import LoreRules
from lore.rules import rules as lore_rules


@dataclass(frozen=True, slots=True)
class HeroStats:
    """What the hero panel shows; None is unknown and drawn as a dash."""

    level: int
    xp: int
    """Optimizer steps of the campaign."""
    xp_in_level: int
    xp_per_level: int
    attack: float | None
    defence: float | None
    accuracy: float | None
    gold: int
    total_level: int


def damage(loss: float | None, rules: LoreRules | None = None) -> float | None:
    """``1 / loss``, capped; None for an unknown or non-finite loss."""
    if loss is None or not math.isfinite(loss):
        return None
    cap = (rules or lore_rules()).hero.damage_cap
    return cap if loss <= 1 / cap else 1 / loss


def gold(quests_completed: int, rules: LoreRules | None = None) -> int:
    """Pay for the player's own completed quests; forged ones pay none."""
    return quests_completed * (rules or lore_rules()).hero.gold_per_quest


def hero_level(steps: int, rules: LoreRules | None = None) -> int:
    """One level per thousand steps; 0 is an untrained hero's."""
    return steps // (rules or lore_rules()).hero.level_steps


def hero_stats(
    *,
    steps: int,
    train_loss: float | None,
    val_loss: float | None,
    accuracies: Iterable[float | None],
    quests_completed: int,
    mastered: Iterable[int],
    rules: LoreRules | None = None,
) -> HeroStats:
    """The hero panel.

    Args:
        steps: optimizer steps of the campaign.
        train_loss: latest training loss, nats per trained token.
        val_loss: held-out loss of the quest in training, else loss on the latest exam's items.
        accuracies: per active skill the latest exam's share at its training level, 0 to 1.
        quests_completed: the player's own quests.
        mastered: per skill the highest level won.
    """
    numbers = (rules or lore_rules()).hero
    known = [a for a in accuracies if a is not None]
    return HeroStats(
        level=steps // numbers.level_steps,
        xp=steps,
        xp_in_level=steps % numbers.level_steps,
        xp_per_level=numbers.level_steps,
        attack=damage(train_loss, rules),
        defence=damage(val_loss, rules),
        accuracy=math.fsum(known) / len(known) if known else None,
        gold=gold(quests_completed, rules),
        total_level=sum(mastered),
    )
