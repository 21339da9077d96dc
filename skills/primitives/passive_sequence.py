"""Number sequences, one family each: the next term of an arithmetic, geometric, alternating, Fibonacci or square one."""

from __future__ import annotations

from random import Random

from skills.primitives.material import SEQUENCES, next_term
from skills.streams import Kind, Made


def _next(terms: list[int]) -> Made:
    return Made(*next_term(terms))


def _arithmetic(random: Random, level: int) -> Made:
    start, step = random.randrange(500 * level), random.randint(1, 25 * level)
    if level >= 3 and random.random() < 0.5:
        step = -step
        start += 5 * abs(step)
    return _next([start + step * i for i in range(5)])


def _geometric(random: Random, level: int) -> Made:
    start, ratio = random.randint(1, 6000 if level < 4 else 2000 * level), random.randint(2, 3 + level // 2)
    return _next([start * ratio**i for i in range(4 + level // 5)])


def _alternating(random: Random, level: int) -> Made:
    """Two values in turn; then two steps in turn; then two sequences in turn."""
    if level < 3:
        one, other = random.sample(range(10, 150 * level), 2)
        return _next([one, other] * (2 + level // 2) + [one] * (random.random() < 0.5))
    if level < 7:
        terms = [random.randrange(20 * level)]
        steps = [random.randint(1, 10 * level), random.randint(1, 5 * level)]
        if level >= 5:
            steps[1] = -steps[1]
        for i in range(5):
            terms.append(terms[-1] + steps[i % 2])
        return _next(terms)
    starts = [random.randrange(20 * level) for _ in range(2)]
    steps = [random.randint(1, 2 * level) for _ in range(2)]
    return _next([starts[i % 2] + steps[i % 2] * (i // 2) for i in range(7 + random.randrange(2))])


def _fibonacci(random: Random, level: int) -> Made:
    most = 110 * level
    terms = [random.randint(1, most), random.randint(1, most)]
    while len(terms) < 6:
        terms.append(terms[-1] + terms[-2])
    return _next(terms)


def _square(random: Random, level: int) -> Made:
    """Squares of neighbours, with a number added; from the fourth rung on of every second or third number."""
    first, more = random.randint(1, 120), random.randrange(100 * level)
    step = 1 if level < 4 else random.randint(1, 1 + level // 3)
    factor = 1 if level < 7 else random.randint(1, 3)
    return _next([factor * (first + step * i) ** 2 + more for i in range(5)])


KINDS = (
    Kind("arithmetic", _arithmetic, family=SEQUENCES),
    Kind("geometric", _geometric, family=SEQUENCES),
    Kind("alternating", _alternating, family=SEQUENCES),
    Kind("fibonacci", _fibonacci, family=SEQUENCES),
    Kind("square", _square, family=SEQUENCES),
)
