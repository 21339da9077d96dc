"""What is sampled in the next step: wide over levels, leaning towards operations that still fail.

Levels are drawn uniformly: up to a first horizon until a level is won, then up to a horizon that runs ahead of the training
level, so that every level keeps its share and nothing won is forgotten. Within a level an operation's weight is one minus its
running share of exact answers, never below a floor. A share of the draws goes to lost levels while there are any.

With ``sampling="progress"`` a share of the draws stays uniform, and each of the others goes to the level whose progress is
largest in a draw from what is known of it (Thompson sampling): levels on which answers change, for better or worse, and
levels of which little is known.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import accumulate
from random import Random

from configs.schema import CurriculumRules
from engine.curriculum.state import CurriculumState, Progress
from skills.contract import Skill

INDEX_BITS = 48
"""Training indices are drawn from this many bits: the stream of a level is practically endless."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One training problem to generate: ``skill.generate(level, index, "train", mix, operation=operation)``."""

    level: int
    operation: str
    index: int


def horizon(state: CurriculumState, rules: CurriculumRules) -> int:
    """Highest level that is sampled."""
    if state.mastered == 0 and state.training == 1:
        top = rules.first_horizon
    else:
        top = max(rules.horizon, state.training + rules.horizon_beyond)
    return min(top, state.max_level)


def draw(
    state: CurriculumState, skill: Skill, mix: str, rules: CurriculumRules, *, seed: int, step: int, count: int
) -> list[Draw]:
    """The ``count`` problems of optimizer step ``step``: a pure function of its arguments."""
    rng = Random(stream_seed(seed, step, state.skill))
    random, bits = rng.random, rng.getrandbits
    wide = 1.0 if state.sampling == "wide" else rules.bandit_wide
    top, lost, lost_share = horizon(state, rules), state.lost, rules.lost_share
    weights: dict[int, tuple[tuple[str, ...], list[float]]] = {}
    draws = []
    for _ in range(count):
        if lost and random() < lost_share:
            level = lost[int(random() * len(lost))]
        elif wide < 1.0 and random() >= wide:
            level = most_changing(state, rng, top, rules)[0]
        else:
            level = 1 + int(random() * top)
        known = weights.get(level)
        if known is None:
            known = weights[level] = _weights(state, skill, mix, rules, level)
        operations, cumulative = known
        operation = operations[bisect(cumulative, random() * cumulative[-1], 0, len(cumulative) - 1)]
        draws.append(Draw(level, operation, bits(INDEX_BITS)))
    return draws


UNSEEN = Progress(0.0, 0.0, 0)
UNSEEN_SD = 0.25
"""Spread of what is believed of a level without answers."""


def gain(record: Progress, rules: CurriculumRules) -> tuple[float, float]:
    """What is believed of a level's progress, for better or worse: mean and standard deviation.

    The fast record is a running mean of about ``2 / match_alpha`` answers; the variance of such a mean is its spread. A
    level that is always or never right varies little and is believed to stand still.
    """
    fast, slow, count = record
    if not count:
        return 0.0, UNSEEN_SD
    smooth = (fast * count + 1.0) / (count + 2.0)
    return abs(fast - slow), math.sqrt(smooth * (1.0 - smooth) / min(count + 1.0, 2.0 / rules.match_alpha))


def most_changing(state: CurriculumState, rng: Random, top: int, rules: CurriculumRules) -> tuple[int, float]:
    """The level, and its progress, that a draw from what is known of every level up to ``top`` finds largest."""
    best, found = 1, -math.inf
    for level in range(1, top + 1):
        mean, spread = gain(state.progress.get(level, UNSEEN), rules)
        value = rng.gauss(mean, spread)
        if value > found:
            best, found = level, value
    return best, found


def _weights(
    state: CurriculumState, skill: Skill, mix: str, rules: CurriculumRules, level: int
) -> tuple[tuple[str, ...], list[float]]:
    operations = skill.operations(level, mix)
    record, floor = state.matches.get(level, {}), rules.weight_floor
    return operations, list(accumulate(max(floor, 1.0 - record.get(operation, 0.0)) for operation in operations))


def stream_seed(seed: int, step: int, purpose: str) -> int:
    """Seed of a random stream that belongs to one step and one purpose."""
    return int.from_bytes(blake2b(f"{seed}/{step}/{purpose}".encode(), digest_size=8).digest(), "big")


def observe(
    state: CurriculumState, draws: Sequence[Draw], matches: Sequence[bool], rules: CurriculumRules
) -> CurriculumState:
    """After the step: which of its draws were answered exactly moves the operations' records."""
    alpha, slow_alpha = rules.match_alpha, rules.progress_slow
    progress = dict(state.progress)
    changed: dict[int, dict[str, float]] = {}
    for drawn, matched in zip(draws, matches, strict=True):
        level, operation = drawn.level, drawn.operation
        record = changed.get(level)
        if record is None:
            record = changed[level] = dict(state.matches.get(level, {}))
        before = record.get(operation, 0.0)
        right = 1.0 if matched else 0.0
        record[operation] = before + alpha * (right - before)
        fast, slow, count = progress.get(level, UNSEEN)
        first = 1.0 / (count + 1)
        progress[level] = Progress(
            fast + max(alpha, first) * (right - fast), slow + max(slow_alpha, first) * (right - slow), count + 1
        )
    return replace(state, matches={**state.matches, **changed}, progress=progress, examples=state.examples + len(draws))


def effort_shares(state: CurriculumState, draws: Sequence[Draw], matches: Sequence[bool]) -> tuple[float, float]:
    """How much of a step's strain belongs to levels not yet won, and how much to levels won before.

    Strain comes from problems that are not answered exactly, so those share it alike; where all are right, all do.
    """
    missed = [drawn for drawn, matched in zip(draws, matches, strict=True) if not matched] or draws
    if not missed:
        return 0.0, 0.0
    held = sum(drawn.level <= state.mastered for drawn in missed) / len(missed)
    return 1.0 - held, held


def replay_count(step: int, batch: int, share: float) -> int:
    """Forged problems in step ``step`` of a player's quest; over many steps exactly ``share`` of ``batch`` each."""
    return int((step + 1) * batch * share) - int(step * batch * share)
