"""Truth and classes: values of statements, conditions, De Morgan's laws, and what follows of all and of some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from skills.answers import final_answer, normal, text_score, without_thinking
from skills.contract import Outcome, Problem, Result
from skills.primitives.material import joined, symbols
from skills.primitives.rows import Item, asked_in_row, fair, row, row_score
from skills.streams import Kind, Made

Statement = tuple[str, bool]
"""A statement and whether it is true."""
_TRUTH = ("true", "false")
_JOINS: dict[str, Callable[[bool, bool], bool]] = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "xor": lambda a, b: a != b,
    "nand": lambda a, b: not (a and b),
    "nor": lambda a, b: not (a or b),
}


def _told(value: bool) -> str:
    return "true" if value else "false"


def _literal(random: Random) -> Statement:
    value, denied = random.random() < 0.5, random.random() < 0.5
    return ("not " if denied else "") + _told(value), value != denied


def _comparison(random: Random) -> Statement:
    """Two numbers compared; true and false alike."""
    a, b = random.sample(range(10), 2)
    smaller = random.random() < 0.5
    return f"{a}{'<' if smaller else '>'}{b}", (a < b) == smaller


def _pair(random: Random, names: Sequence[str], depth: int, leaf: Callable[[Random], Statement]) -> Statement:
    """Two statements joined, in brackets where they are joined themselves; one of them sometimes denied."""
    parts: list[Statement] = []
    deep = random.randrange(2)
    for i in range(2):
        if depth > 1 and (i == deep or random.random() < 0.3):
            text, value = _pair(random, names, depth - 1, leaf)
            denied = random.random() < 0.3
            parts.append((f"{'not ' if denied else ''}({text})", value != denied))
        else:
            parts.append(leaf(random))
    name = random.choice(names)
    return f"{parts[0][0]} {name} {parts[1][0]}", _JOINS[name](parts[0][1], parts[1][1])


def _valued(head: str, names: Sequence[Sequence[str]]) -> Callable[[Random, int], Made]:
    """Rows of statements whose value is asked: deeper, and with more ways to join, rung by rung."""

    def make(random: Random, level: int) -> Made:
        known = names[min((level - 1) // 3, len(names) - 1)]
        depth = 1 if level < 4 else 2 if level < 8 else 3

        def one(random: Random) -> Item:
            text, value = _pair(random, known, depth, _literal)
            return text, _told(value)

        return asked_in_row(head, row(random, 4 + level % 2 if depth < 3 else 3 + level % 2, fair(one, _TRUTH)))

    return make


def _implication(random: Random, level: int) -> Made:
    def side(random: Random, depth: int) -> Statement:
        if depth and random.random() < 0.6:
            text, value = _pair(random, ("and", "or"), 1, _comparison)
            return f"({text})", value
        text, value = _comparison(random)
        denied = level >= 3 and random.random() < 0.4
        return ("not " if denied else "") + text, value != denied

    def one(random: Random) -> Item:
        (a, x), (b, y) = side(random, level >= 5), side(random, level >= 6)
        way = random.random()
        if level >= 8 and way < 0.3:
            return f"{a} if and only if {b}", _told(x == y)
        if level >= 7 and way < 0.6:
            return f"{a} only if {b}", _told(not x or y)
        if level >= 9 and way < 0.8:
            c, z = side(random, 0)
            return f"if {a} then (if {b} then {c})", _told(not x or not y or z)
        return f"if {a} then {b}", _told(not x or y)

    return asked_in_row("True or false", row(random, 3 if level < 4 else 4, fair(one, _TRUTH)))


# ---- De Morgan


def _terms(random: Random, count: int) -> list[tuple[str, bool]]:
    """Signs, each affirmed or denied."""
    return [(sign, random.random() < 0.5) for sign in symbols(random, count)]


def _written(terms: Sequence[tuple[str, bool]], name: str) -> str:
    return f" {name} ".join(sign if affirmed else f"not {sign}" for sign, affirmed in terms)


def _de_morgan(random: Random, level: int) -> Made:
    name, other = random.sample(("and", "or"), 2)
    terms = _terms(random, 2 if level < 3 else 3 if level < 7 else 4)
    denied = [(sign, not affirmed) for sign, affirmed in terms]
    if level >= 6 and random.random() < 0.6:
        # A bracket inside: not (ab and (cd or ef)) is not ab or (not cd and not ef).
        head, rest = terms[:-2], terms[-2:]
        inner = _written(rest, other)
        text = f"not ({_written(head, name)} {name} ({inner}))"
        turned = f"{_written(denied[:-2], other)} {other} ({_written(denied[-2:], name)})"
        return Made(text, f"Move not inside: {text}", turned)
    if level >= 4 and random.random() < 0.5:
        text = _written(terms, name)
        return Made(f"out|{text}", f"Move not outside: {text}", f"not ({_written(denied, other)})")
    text = f"not ({_written(terms, name)})"
    return Made(text, f"Move not inside: {text}", _written(denied, other))


def _de_morgan_score(problem: Problem, answer: str) -> Outcome:
    """As `text_score`; the terms of one bracket may stand in another order."""
    found = text_score(problem, answer)
    if found.result is not Result.MISS:
        return found
    text = without_thinking(answer) or ""
    wanted = _ordered(normal(problem.answer))
    if wanted in (_ordered(normal(text)), _ordered(normal(final_answer(text)))):
        return Outcome(Result.HIT, "the same in another order")
    return found


def _ordered(text: str) -> str:
    """A flat statement with its terms in order; any other one as it is."""
    head, body = ("not (", text[5:-1]) if text.startswith("not (") and text.endswith(")") else ("", text)
    for name in (" and ", " or "):
        other = " or " if name == " and " else " and "
        if name in body and other not in body and "(" not in body:
            return head + name.join(sorted(body.split(name)))
    return text


# ---- syllogisms


def _reached(start: str, rules: Sequence[tuple[str, str]]) -> set[str]:
    """All classes that hold whatever is a ``start``."""
    found = {start}
    while more := {b for a, b in rules if a in found} - found:
        found |= more
    return found


def _classes(random: Random, level: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Classes, and which are part of which: a chain, and branches of it."""
    names = symbols(random, 3 + level // 3)
    length = 3 + level // 5
    rules = [(names[i], names[i + 1]) for i in range(length - 1)]
    for branch in names[length:]:
        stem = random.choice(names[:length])
        rules.append((branch, stem) if random.random() < 0.5 else (stem, branch))
    return names, rules


def _syllogism_all(random: Random, level: int) -> Made:
    names, rules = _classes(random, level)
    barred: list[tuple[str, str]] = []
    if level >= 6:
        # Something outside shares nothing with one of the classes.
        other = next(sign for sign in symbols(random, len(names) + 1) if sign not in names)
        barred.append((random.choice([b for _, b in rules]), other))
        names = [*names, other]
    told = [f"All {a} are {b}" for a, b in rules] + [f"No {a} are {b}" for a, b in barred]
    random.shuffle(told)

    def one(random: Random) -> Item:
        a, b = random.sample(names, 2)
        follows = b in _reached(a, rules)
        if barred and random.random() < 0.5:
            one_side, other_side = _reached(a, rules), _reached(b, rules)
            apart = any((x in one_side and y in other_side) or (y in one_side and x in other_side) for x, y in barred)
            return f"no {a} are {b}", "yes" if apart else "no"
        return f"all {a} are {b}", "yes" if follows else "no"

    return _following(told, row(random, 2 if level < 3 else 3, fair(one, ("yes", "no"))))


def _syllogism_some(random: Random, level: int) -> Made:
    names = symbols(random, 4 + level // 3)
    rules = [(names[0], names[1])]
    rules += [(name, random.choice(names[:i])) for i, name in enumerate(names) if i > 1 and random.random() < 0.5]
    some = [tuple(random.sample(names, 2)) for _ in range(1 + level // 4)]
    told = [f"All {a} are {b}" for a, b in rules] + [f"Some {a} are {b}" for a, b in dict.fromkeys(some)]
    random.shuffle(told)
    witnesses = [_reached(a, rules) | _reached(b, rules) for a, b in some]

    def one(random: Random) -> Item:
        a, b = random.sample(names, 2)
        follows = any(a in witness and b in witness for witness in witnesses)
        return f"some {a} are {b}", "yes" if follows else "no"

    return _following(told, row(random, 2 if level < 3 else 3, fair(one, ("yes", "no"))))


def _following(told: Sequence[str], items: list[Item]) -> Made:
    made = asked_in_row("Does it follow (yes or no)", items)
    return Made(f"{joined(sorted(told), ',')}|{made.canonical}", f"{joined(told, '. ')}. {made.prompt}", made.answer)


KINDS = (
    Kind(
        "truth_table_basic", _valued("True or false", (("and", "or"), ("and", "or", "nand"), tuple(_JOINS))), row_score
    ),
    Kind("xor_vs_or", _valued("True or false", (("or", "xor"),)), score=row_score),
    Kind("implication_eval", _implication, score=row_score),
    Kind("syllogism_all", _syllogism_all, score=row_score),
    Kind("syllogism_some", _syllogism_some, score=row_score),
    Kind("de_morgan", _de_morgan, score=_de_morgan_score),
)
