"""Problems made of several operations: the sign rules, and chains whose depth grows with the tier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from skills.bin.chance import Entropy
from skills.bin.digits import high, low
from skills.bin.operations import OPERATIONS, Expression, evaluate, some_length

RULES = {"minus": "a−(−b) = a+b", "both": "neg×neg = pos", "one": "neg×pos = neg"}


@dataclass(frozen=True, slots=True)
class Nested:
    """A kind of problem whose expression holds further operations."""

    name: str
    tier: str
    propose: Callable[[Entropy, int, str], Expression]
    """(entropy, width, tier) to an expression."""
    by_tier: bool
    """Whether the tier changes which problems are asked, not only their wording."""


def rule_of(expression: Expression) -> str:
    """The sign rule that an expression of `sign_rules` exercises."""
    if expression[0] == "subtract_signed":
        return RULES["minus"]
    return RULES["both" if isinstance(expression[2], tuple) else "one"]


def _sign_rule(entropy: Entropy, width: int, tier: str) -> Expression:
    kind = entropy.below(3)
    if kind == 0:
        return "subtract_signed", low(width) + entropy.below(1 << width), ("negate", 1 + entropy.below(high(width)))
    a = some_length(entropy, width - 1)
    b = 1 + entropy.below(high(width) // a)
    if entropy.below(2):
        a, b = b, a
    return "multiply_signed", ("negate", a), ("negate", b) if kind == 1 else b


_DEPTHS = {"easy": (2, 2), "medium": (2, 2), "hard": (2, 3), "expert": (3, 5)}
_LINKS = ("add", "subtract", "and", "or", "xor", "minimum", "maximum", "not", "increment", "decrement", "divide_by_2")


def _link(entropy: Entropy, inner: Expression | int, value: int, width: int) -> Expression:
    """One more operation around ``inner``; its result fits the width again."""
    top = (1 << width) - 1
    name = _LINKS[entropy.below(len(_LINKS))]
    if (name == "increment" and value == top) or (name == "decrement" and value == 0):
        name = "not"
    if OPERATIONS[name].arity == 1:
        return name, inner
    bound = {"add": top - value, "subtract": value}.get(name, top)
    return name, inner, entropy.below(bound + 1)


def _chain(entropy: Entropy, width: int, tier: str) -> Expression:
    least, most = _DEPTHS[tier]
    first = entropy.below(1 << width)
    expression = _link(entropy, first, first, width)
    for _ in range(least - 1 + entropy.below(most - least + 1)):
        value = evaluate(expression, width)
        assert value is not None
        expression = _link(entropy, expression, value, width)
    return expression


NESTED: dict[str, Nested] = {
    "sign_rules": Nested("sign_rules", "hard", _sign_rule, by_tier=False),
    "chain": Nested("chain", "hard", _chain, by_tier=True),
}
