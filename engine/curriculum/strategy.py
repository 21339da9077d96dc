"""Which skill trains next, how the skills share the steps, and why: pure functions of settings, records, seed and step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from configs.curriculum import ForgettingRules, StrategyRules
from configs.schema import CurriculumRules, GameConfig
from engine.curriculum.forgetting import Budget, budget_of
from engine.curriculum.presets import Settings
from engine.curriculum.sampling import UNSEEN, gain, horizon, most_changing, stream_seed
from engine.curriculum.state import CurriculumState, Sampling
from engine.curriculum.turns import GOLDEN, skill_at, skill_of_step

States = Mapping[str, CurriculumState]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules a choice hangs on."""

    strategy: StrategyRules
    forgetting: ForgettingRules
    curriculum: CurriculumRules

    @classmethod
    def of(cls, rules: GameConfig) -> Rules:
        """From the rules of the game."""
        return cls(rules.strategy, rules.forgetting, rules.curriculum)


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the skills share the steps."""

    shares: Mapping[str, float]
    """Skill to its share of the steps; the shares add up to one. Under the bandit: what each is sure of."""
    order: tuple[str, ...]
    """The skills that get steps, in the order of their turns."""
    reason: str
    open_share: float = 0.0
    """What is left for the skill with most progress (bandit)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What trains next, and why."""

    step: int
    skill: str
    level: int
    """Exams are taken there; training draws levels up to the horizon."""
    top: int
    """The horizon: highest level drawn."""
    strategy: str
    """One of the strategies, or ``shares`` for the player's own."""
    reason: str
    shares: Mapping[str, float]
    budget: Budget

    @property
    def plan(self) -> str:
        """The shares in words: ``bin 67 %, sy 33 %``."""
        told = ", ".join(f"{skill} {100 * share:.0f} %" for skill, share in self.shares.items() if share > 0)
        if self.strategy != "bandit":
            return told
        return (
            f"{told}, the rest where answers change most"
            if len(self.shares) > 1
            else f"{told}, levels that change most"
        )

    @property
    def text(self) -> str:
        """One line for a screen."""
        return f"next {self.skill.upper()} L{self.level}: {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "step": self.step,
            "skill": self.skill,
            "level": self.level,
            "horizon": self.top,
            "strategy": self.strategy,
            "plan": self.plan,
            "reason": self.reason,
            "shares": dict(self.shares),
            "budget": {"won": self.budget.won, "lost": self.budget.lost, "allowed": self.budget.allowed},
        }


def finished(state: CurriculumState, settings: Settings) -> bool:
    """Whether a skill is only kept: all its levels are won, or its target is reached."""
    target = settings.of(state.skill).target
    return state.complete or (target is not None and state.mastered >= target)


def kept(states: States, settings: Settings) -> dict[str, CurriculumState]:
    """The skills whose levels are to be held: those in training."""
    return {skill: state for skill, state in states.items() if settings.of(skill).enabled}


def sharing(settings: Settings, states: States, rules: Rules) -> Sharing:
    """How the skills share the steps from now on."""
    names = [skill for skill in states if settings.of(skill).enabled] or list(states)
    order = tuple(sorted(names, key=lambda s: (settings.of(s).priority, list(states).index(s))))
    if len(order) == 1:
        return Sharing({order[0]: 1.0}, order, _alone(order[0], settings, states))
    wanted, reason = _wanted(settings, states, rules, order)
    for skill in order:
        if finished(states[skill], settings) and not all(finished(states[s], settings) for s in order):
            wanted[skill] *= rules.strategy.maintenance_weight
    total = sum(wanted.values())
    shares = {skill: wanted[skill] / total if total else 1.0 / len(order) for skill in order}
    shares = _at_least(
        shares, {s: rules.strategy.floor for s in order if states[s].mastered or settings.strategy == "bandit"}
    )
    spent = budget_of(kept(states, settings).values(), rules.forgetting)
    losing = [skill for skill in order if states[skill].lost]
    if spent.exceeded and losing:
        shares = _at_least(shares, {skill: rules.strategy.repair_share / len(losing) for skill in losing})
        reason = f"{spent.text()}: {_named(losing)} first"
    if settings.strategy != "bandit":
        return Sharing(shares, order, reason)
    sure = _sure(rules, losing if spent.exceeded else [], order)
    return Sharing(sure, order, reason, open_share=1.0 - sum(sure.values()))


def _sure(rules: Rules, losing: list[str], order: tuple[str, ...]) -> dict[str, float]:
    """What every skill is sure of under the bandit: its floor, and lost levels their repair."""
    sure = {skill: min(rules.strategy.floor, 1.0 / len(order)) for skill in order}
    for skill in losing:
        sure[skill] = max(sure[skill], rules.strategy.repair_share / len(losing))
    total = sum(sure.values())
    return {skill: share / total for skill, share in sure.items()} if total > 1.0 else sure


def _wanted(settings: Settings, states: States, rules: Rules, order: tuple[str, ...]) -> tuple[dict[str, float], str]:
    """Weights as the strategy alone would have them, and its reason."""
    if settings.strategy == "focus":
        return {s: float(s == settings.focus) for s in order}, f"{settings.focus} is in focus"
    if settings.strategy == "weighted":
        weights = {s: settings.of(s).weight for s in order}
        return weights, "shares " + " : ".join(f"{s} {w:g}" for s, w in weights.items())
    if settings.strategy == "bandit":
        return dict.fromkeys(order, 1.0), "the skill whose answers change most"
    if settings.strategy == "catch_up":
        open_ones = [s for s in order if not finished(states[s], settings)]
        if open_ones:
            last, first = (pick(open_ones, key=lambda s: states[s].mastered) for pick in (min, max))
            behind = states[first].mastered - states[last].mastered
            if behind >= rules.strategy.catch_up_levels:
                rest = (1.0 - rules.strategy.catch_up_share) / (len(order) - 1)
                weights = {s: rules.strategy.catch_up_share if s == last else rest for s in order}
                return weights, f"{last} trails {first} by {behind} levels"
        return dict.fromkeys(order, 1.0), f"no skill trails by {rules.strategy.catch_up_levels} levels: all in turn"
    return dict.fromkeys(order, 1.0), "all skills in turn"


def _alone(skill: str, settings: Settings, states: States) -> str:
    state = states[skill]
    if state.pin is not None:
        return f"you pinned level {state.training}"
    if finished(state, settings):
        return f"{state.mastered} levels are won: they are kept"
    if state.lost:
        return f"lost levels {', '.join(f'L{level}' for level in state.lost)} draw replay"
    return "the only skill in training" if len(states) == 1 else "no other skill is enabled"


def _at_least(shares: dict[str, float], floors: Mapping[str, float]) -> dict[str, float]:
    """The shares with each floor kept; what that takes is taken from the others in proportion."""
    low = {skill: floor for skill, floor in floors.items() if shares[skill] < floor}
    total = sum(low.values())
    if not low:
        return shares
    if total >= 1.0:
        return {skill: low.get(skill, 0.0) / total for skill in shares}
    rest = sum(share for skill, share in shares.items() if skill not in low)
    if not rest:
        return {skill: low.get(skill, 0.0) / total for skill in shares}
    return {skill: low[skill] if skill in low else share * (1.0 - total) / rest for skill, share in shares.items()}


def _named(skills: list[str]) -> str:
    return " and ".join(skills)


def with_sampling(states: States, settings: Settings) -> dict[str, CurriculumState]:
    """The skills' records, drawing their levels as the strategy asks."""
    wanted: Sampling = "progress" if settings.strategy == "bandit" else "wide"
    return {s: state if state.sampling == wanted else replace(state, sampling=wanted) for s, state in states.items()}


# ---------------------------------------------------------------- the next step


def next_skill(
    settings: Settings, states: States, rules: Rules, own_shares: Mapping[str, float] | None, *, seed: int, step: int
) -> str:
    """The skill of optimizer step ``step``.

    Args:
        settings: what the player chose.
        states: every skill of the hero, in its order.
        rules: the rules.
        own_shares: shares the player set directly, which stand above every strategy; None: none.
        seed: the campaign's.
        step: counted from 1.
    """
    names = list(states)
    if own_shares is not None:
        return skill_of_step(names, own_shares, step)
    if len(names) == 1:
        return names[0]
    return _of(sharing(settings, states, rules), states, rules, seed=seed, step=step)


def _of(shared: Sharing, states: States, rules: Rules, *, seed: int, step: int) -> str:
    shares, order = shared.shares, shared.order
    place = (step * GOLDEN) % 1.0
    if place < shared.open_share:
        rng = Random(stream_seed(seed, step, "whose turn"))
        found = {
            s: most_changing(states[s], rng, horizon(states[s], rules.curriculum), rules.curriculum)[1] for s in order
        }
        return max(order, key=lambda s: found[s])
    if shared.open_share > 0:
        return skill_at(order, shares, (place - shared.open_share) / (1.0 - shared.open_share))
    if len({round(share, 12) for share in shares.values()}) == 1:
        return skill_of_step(order, None, step)
    return skill_of_step(order, shares, step)


def decide(
    settings: Settings, states: States, rules: Rules, own_shares: Mapping[str, float] | None, *, seed: int, step: int
) -> Decision:
    """What step ``step`` trains, and why; arguments as for :func:`next_skill`."""
    skill = next_skill(settings, states, rules, own_shares, seed=seed, step=step)
    state, spent = states[skill], budget_of(kept(states, settings).values(), rules.forgetting)
    if own_shares is not None:
        total = sum(own_shares.values())
        shares = {s: own_shares.get(s, 0.0) / total for s in states}
        strategy, reason = "shares", "you set the shares"
    else:
        shared = sharing(settings, states, rules)
        shares, strategy, reason = dict(shared.shares), settings.strategy, shared.reason
    if strategy == "bandit" and not spent.exceeded:
        reason = _progress_words(state, rules.curriculum)
    return Decision(step, skill, state.training, horizon(state, rules.curriculum), strategy, reason, shares, spent)


def _progress_words(state: CurriculumState, rules: CurriculumRules) -> str:
    known = {level: record for level, record in state.progress.items() if record.answers}
    unseen = [level for level in range(1, horizon(state, rules) + 1) if level not in known]
    if unseen:
        return f"little is known of L{unseen[0]} yet"
    level = max(known, key=lambda n: (gain(known[n], rules)[0], -n), default=1)
    record = known.get(level, UNSEEN)
    return f"L{level} changes most, {record.fast - record.slow:+.2f} lately"


def preview(
    settings: Settings,
    states: States,
    rules: Rules,
    own_shares: Mapping[str, float] | None,
    *,
    seed: int,
    step: int,
    count: int,
) -> dict[str, int]:
    """How many of the ``count`` steps from ``step`` on each skill would get, if nothing changed meanwhile."""
    turns = dict.fromkeys(states, 0)
    for ahead in range(step, step + count):
        turns[next_skill(settings, states, rules, own_shares, seed=seed, step=ahead)] += 1
    return turns
