"""What counts of right answers prove: intervals that stay valid while one looks, chance, and shares as they are shown."""

from __future__ import annotations

import math
from collections.abc import Callable
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


def _check(correct: int, items: int) -> None:
    if not 0 <= correct <= items:
        raise ValueError(f"{correct} right answers out of {items} cannot be")
