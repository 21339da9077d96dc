"""Logic: what follows from rules and facts. Low rungs use signs, higher ones sentences, more rules and false trails."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

from skills.primitives.material import joined, symbols, with_s, words
from skills.streams import Kind, Made

_SIGNS_UP_TO = 2
"""Last rung that speaks in signs."""
_NOTHING_FROM = 5
"""First rung with facts from which nothing follows."""
_ELSE = " If nothing follows, answer: nothing."


@dataclass(frozen=True, slots=True)
class _Statement:
    """Something that holds or does not."""

    yes: str
    no: str

    def told(self, holds: bool) -> str:
        return self.yes if holds else self.no


def _statements(random: Random, count: int, level: int) -> list[_Statement]:
    if level <= _SIGNS_UP_TO:
        return [_Statement(sign, f"not {sign}") for sign in symbols(random, count)]
    stock = words()
    chosen: list[_Statement] = []
    # One statement a person, so that none says anything about another.
    for name in random.sample(stock.names, count):
        if random.random() < 0.5:
            verb = random.choice(stock.verbs)
            found = _Statement(f"{name} {with_s(verb)}", f"{name} does not {verb}")
        else:
            quality = random.choice(stock.qualities)
            found = _Statement(f"{name} is {quality}", f"{name} is not {quality}")
        chosen.append(found)
    return chosen


def _problem(rules: list[str], fact: str, answer: str, *, may_be_nothing: bool = False) -> Made:
    text = f"{joined([f'{rule}.' for rule in rules])} {fact}."
    return Made(f"{joined(sorted(rules), '. ')}|{fact}", f"{text} So?{_ELSE if may_be_nothing else ''}", answer)


def _extra(level: int) -> int:
    """False trails beside the rule that decides."""
    return 0 if level == 1 else 1 if level <= 4 else level // 2


def _conditionals(random: Random, level: int, *, denied: bool) -> Made:
    """Rules "if a then b" and one fact; ``denied``: the consequence fails, so the condition does."""
    count = 1 + _extra(level)
    found = _statements(random, 2 * count, level)
    rules = [(found[2 * i], found[2 * i + 1]) for i in range(count)]
    signs = [(level < 4 or random.random() < 0.6, level < 4 or random.random() < 0.6) for _ in rules]
    chosen = random.randrange(count)
    (cause, effect), (cause_holds, effect_holds) = rules[chosen], signs[chosen]
    nothing = level >= _NOTHING_FROM and random.random() < 0.25
    # Affirming the consequence, or denying the condition, proves nothing.
    looks_back = denied != nothing
    if looks_back:
        fact = effect.told(effect_holds != denied)
        answer = cause.told(not cause_holds)
    else:
        fact = cause.told(cause_holds != denied)
        answer = effect.told(effect_holds)
    told = [f"If {a.told(x)} then {b.told(y)}" for (a, b), (x, y) in zip(rules, signs, strict=True)]
    random.shuffle(told)
    return _problem(told, fact, "nothing" if nothing else answer, may_be_nothing=level >= _NOTHING_FROM)


def _deduce(random: Random, level: int) -> Made:
    return _conditionals(random, level, denied=False)


def _contrapose(random: Random, level: int) -> Made:
    return _conditionals(random, level, denied=True)


def _chain(random: Random, level: int) -> Made:
    length = 3 + level // 2
    found = _statements(random, length + _extra(level), level)
    line, stray = found[:length], found[length:]
    rules = [f"If {a.yes} then {b.yes}" for a, b in pairwise(line)]
    rules += [f"If {s.yes} then {random.choice(line[1:]).yes}" for s in stray]
    if level > 1:
        random.shuffle(rules)
    text = joined([f"{rule}." for rule in rules])
    return Made(f"{joined(sorted(rules))}|{line[0].yes}", f"{text} {line[0].yes}. In the end?", line[-1].yes)


def _disjunct(random: Random, level: int) -> Made:
    count = 2 + level // 3
    stated = _statements(random, count, level)
    if level > 1 and random.random() < 0.5 and level >= 4:
        # One of the alternatives is itself a denial, so that what falls is an affirmation.
        signs = [random.random() < 0.6 for _ in stated]
    else:
        signs = [True] * count
    kept = random.randrange(count)
    alternatives = joined([s.told(h) for s, h in zip(stated, signs, strict=True)], " or ")
    fallen = [s.told(not h) for i, (s, h) in enumerate(zip(stated, signs, strict=True)) if i != kept]
    random.shuffle(fallen)
    return _problem([alternatives, *fallen[:-1]], fallen[-1], stated[kept].told(signs[kept]))


def _biconditional(random: Random, level: int) -> Made:
    links = 1 + _extra(level)
    if level < 6:
        pairs = _statements(random, 2 * links, level)
        couples = [(pairs[2 * i], pairs[2 * i + 1]) for i in range(links)]
        rules = [f"{a.yes} if and only if {b.yes}" for a, b in couples]
        given, asked = random.choice(couples)
        if random.random() < 0.5:
            given, asked = asked, given
        same = True
    else:
        line = _statements(random, 2 + level // 3, level)
        turns = [random.random() < 0.6 for _ in line[1:]]
        rules = [f"{a.yes} if and only if {b.told(t)}" for a, b, t in zip(line, line[1:], turns, strict=False)]
        given, asked, same = line[0], line[-1], turns.count(False) % 2 == 0
        if random.random() < 0.5:
            given, asked = asked, given
    random.shuffle(rules)
    holds = random.random() < 0.5
    text = f"{joined([f'{rule}.' for rule in rules])} {given.told(holds)}."
    question = f" What about {asked.yes}?" if level >= 6 else " So?"
    return Made(f"{joined(sorted(rules))}|{given.told(holds)}|{asked.yes}", text + question, asked.told(holds == same))


KINDS = (
    Kind("logic_deduce", _deduce),
    Kind("logic_contrapose", _contrapose),
    Kind("logic_chain", _chain),
    Kind("logic_disjunct", _disjunct),
    Kind("logic_biconditional", _biconditional),
)
