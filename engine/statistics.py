"""What counts of right answers prove: intervals and evidence that stay valid while one looks, chance, and shares as shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

_BISECTIONS = 60


@lru_cache(maxsize=4096)
def interval(correct: int, items: int, alpha: float = 0.05) -> tuple[float, float]:
    """Confidence interval of an accuracy that stays valid at every look (``items`` may grow while one watches).

    The uniform Beta(1, 1) mixture of binomial likelihoods, divided by the likelihood of ``p``, is a martingale when
    ``p`` is the truth; by Ville's inequality it ever exceeds ``1 / alpha`` with probability at most ``alpha``. The
    interval holds every ``p`` for which it has not (Robbins 1970; Waudby-Smith and Ramdas 2024).

    Args:
        correct: right answers.
        items: questions answered; with none the interval is (0, 1).
        alpha: probability that the sequence of intervals ever misses the truth.

    Returns:
        Lower and upper end, both in [0, 1], with ``lower <= correct / items <= upper``.
    """
    _check(correct, items)
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    if items == 0:
        return 0.0, 1.0
    wrong = items - correct
    bound = (
        math.lgamma(correct + 1) + math.lgamma(wrong + 1) - math.lgamma(items + 2) + math.log(alpha)
    )  # the log-likelihood below which p is refused

    def refused(p: float) -> bool:
        likelihood = (correct * math.log(p) if correct else 0.0) + (wrong * math.log1p(-p) if wrong else 0.0)
        return likelihood < bound

    share = correct / items
    low = 0.0 if correct == 0 else _edge(0.0, share, refused)
    high = 1.0 if wrong == 0 else _edge(1.0, share, refused)
    return low, high


def _edge(outside: float, inside: float, refused: Callable[[float], bool]) -> float:
    """The refused point nearest to ``inside``, on the way from ``outside``."""
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if middle in (outside, inside):
            break
        if refused(middle):
            outside = middle
        else:
            inside = middle
    return outside


@lru_cache(maxsize=4096)
def at_chance(correct: int, items: int, chance: float, alpha: float = 0.05) -> bool:
    """Whether the share cannot be told from ``chance`` at 95 % (exact two-sided binomial test, tails doubled).

    With no items nothing can be told. A share clearly *below* chance is told from it, and is not at chance.
    """
    _check(correct, items)
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"chance must lie in [0, 1], not {chance}")
    below = 1.0 - binomial_at_least(items, chance, correct + 1)
    above = binomial_at_least(items, chance, correct)
    return 2.0 * min(below, above) > alpha


def binomial_at_least(items: int, p: float, least: int) -> float:
    """Probability of ``least`` or more successes in ``items`` independent tries of probability ``p``."""
    if least <= 0:
        return 1.0
    if least > items or p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    log_p, log_q, whole = math.log(p), math.log1p(-p), math.lgamma(items + 1)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(items - k + 1) + k * log_p + (items - k) * log_q)
        for k in range(least, items + 1)
    )
    return min(1.0, math.fsum(terms))


def shown_share(correct: int, items: int) -> float | None:
    """The share to show, cut (never rounded up) to two decimals: 51 of 64 reads .79. None with no items."""
    _check(correct, items)
    return None if items == 0 else (100 * correct // items) / 100


# ---------------------------------------------------------------- two sets of answers


_MOST_EVIDENCE = 1e300


@lru_cache(maxsize=4096)
def sign_evidence(better: int, worse: int) -> float:
    """Evidence (e-value) that a change helps more items than it harms, from the items that the two answered differently.

    Under "it harms at least as many" the value is a supermartingale as items come in, so it may be looked at after each: it ever
    reaches ``1 / alpha`` with probability at most ``alpha``. The uniform mixture over chances between one half and one, divided by
    the fair coin (a sign test by betting; Ville 1939, Shafer 2021).

    Args:
        better: items right after, and wrong before.
        worse: items wrong after, and right before.
    """
    if min(better, worse) < 0:
        raise ValueError(f"{better} better and {worse} worse items cannot be")
    n = better + worse
    tail = binomial_at_least(n + 1, 0.5, worse + 1)
    if tail <= 0.0:
        return 0.0
    log_beta = math.lgamma(better + 1) + math.lgamma(worse + 1) - math.lgamma(n + 2)
    return math.exp(min((n + 1) * math.log(2.0) + log_beta + math.log(tail), math.log(_MOST_EVIDENCE)))


def mean_evidence(values: Sequence[float]) -> float:
    """Evidence of several comparisons together that *some* of them is real: their mean, valid however they hang together."""
    return math.fsum(values) / len(values) if values else 1.0


@lru_cache(maxsize=4096)
def gain_interval(better: int, worse: int, items: int, alpha: float = 0.05) -> tuple[float, float]:
    """Interval of the difference between two accuracies on the same items; it stays valid while one looks.

    The uniform mixture over the chances of better, worse and unchanged, divided by the highest likelihood that a difference allows,
    exceeds ``1 / alpha`` with probability at most ``alpha`` when that difference is the truth (universal inference; Wasserman,
    Ramdas and Balakrishnan 2020). The interval holds every difference for which it has not.

    Args:
        better: items right after, and wrong before.
        worse: items wrong after, and right before.
        items: all items that both answered; with none the interval is (-1, 1).
        alpha: probability that the sequence of intervals ever misses the truth.
    """
    _check(better + worse, items)
    if items == 0:
        return -1.0, 1.0
    same = items - better - worse
    whole = (math.lgamma(k + 1) for k in (better, worse, same))
    bound = math.log(2.0) + sum(whole) - math.lgamma(items + 3) + math.log(alpha)

    def refused(gain: float) -> bool:
        return _highest(better, worse, same, gain) < bound

    share = (better - worse) / items
    low = -1.0 if worse == items else _edge(-1.0, share, refused)
    high = 1.0 if better == items else _edge(1.0, share, refused)
    return low, high


def _highest(better: int, worse: int, same: int, gain: float) -> float:
    """Highest log-likelihood of the counts over all chances with P(better) - P(worse) = ``gain``."""
    items = better + worse + same
    # Where the likelihood stands still: 2 items p^2 - b p + better gain (1 + gain) = 0, of which the larger root is allowed.
    b = (better + worse) * (1 + gain) + 2 * (better + same) * gain
    p = (b + math.sqrt(max(0.0, b * b - 8 * items * better * gain * (1 + gain)))) / (4 * items)
    p = min(max(p, gain, 0.0), (1 + gain) / 2)
    chances = ((better, p), (worse, p - gain), (same, 1 - 2 * p + gain))
    if any(count and chance <= 0 for count, chance in chances):
        return -math.inf
    return sum(count * math.log(chance) for count, chance in chances if count)


@lru_cache(maxsize=4096)
def drop_by_chance(correct: int, items: int, best_correct: int, best_items: int) -> float:
    """Probability that so low a share comes about by chance though nothing fell (Fisher's exact test, one-sided).

    Two exams on different items; 1 where either asked nothing.
    """
    _check(correct, items)
    _check(best_correct, best_items)
    right, whole = correct + best_correct, items + best_items
    if not items or not best_items:
        return 1.0
    ways = math.comb(whole, items)
    least = max(0, items - (whole - right))
    return min(
        1.0, sum(math.comb(right, k) * math.comb(whole - right, items - k) for k in range(least, correct + 1)) / ways
    )


def _check(correct: int, items: int) -> None:
    if not 0 <= correct <= items:
        raise ValueError(f"{correct} right answers out of {items} cannot be")
