"""What answers are worth: results, streaks and discipline XP, folded from exams."""

from __future__ import annotations

import math
from binascii import unhexlify
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lore.rules import CombatNumbers, ResultName
from lore.rules import rules as lore_rules
from saves.rows import RESULT_LETTERS, Exam

CORRECT: frozenset[ResultName] = frozenset({"crit", "hit"})
"""Results that count for accuracy."""
KEEPS_STREAK: frozenset[ResultName] = frozenset({"crit", "hit", "glancing"})
PAYING = frozenset({"gate", "screen"})
"""Kinds of exams that pay; one asked for by the player does not, or asking would be a way to earn."""

_RESULTS: Mapping[str, ResultName] = {
    RESULT_LETTERS["crit"]: "crit",
    RESULT_LETTERS["hit"]: "hit",
    RESULT_LETTERS["glancing"]: "glancing",
    RESULT_LETTERS["miss"]: "miss",
    RESULT_LETTERS["crit_miss"]: "crit_miss",
}


def base_xp(result: ResultName, *, parts_correct: int | None = None, rules: CombatNumbers | None = None) -> int:
    """Points of a result before any multiplier.

    Args:
        result: the outcome of the answer.
        parts_correct: right parts of a partly right answer; None when the parts are not known.
        rules: the numbers; None for those in force.
    """
    numbers = rules or lore_rules().combat
    points = numbers.base_xp[result]
    if result == "glancing" and parts_correct is not None:
        return min(points + parts_correct, max(points, numbers.glancing_max))
    return points


def difficulty(level: int, rules: CombatNumbers | None = None) -> float:
    """The multiplier of a skill level; the table's last one holds for every level beyond it."""
    table = (rules or lore_rules().combat).difficulty
    return table[min(max(level, 1), len(table)) - 1]


def streak_multiplier(standing: int, rules: CombatNumbers | None = None) -> float:
    """The bonus for ``standing`` successes in a row before this answer."""
    numbers = rules or lore_rules().combat
    return 1 + min(numbers.streak_cap, numbers.streak_bonus * standing)


def answer_xp(
    result: ResultName,
    level: int,
    *,
    skill_multiplier: float = 1.0,
    streak: int = 0,
    effects: Iterable[float] = (),
    flat: float = 0.0,
    parts_correct: int | None = None,
    rules: CombatNumbers | None = None,
) -> int:
    """Discipline XP of one answer: base × difficulty × skill × streak × effects + flat, rounded half up.

    Args:
        result: the outcome.
        level: the skill level of the problem.
        skill_multiplier: the skill's own multiplier (`SkillConfig.xp_multiplier`).
        streak: successes already standing before this answer.
        effects: multipliers of active effects.
        flat: points added at the end.
        parts_correct: see `base_xp`.
        rules: the numbers; None for those in force.
    """
    product = base_xp(result, parts_correct=parts_correct, rules=rules) * difficulty(level, rules)
    product *= skill_multiplier * streak_multiplier(streak, rules) * math.prod(effects)
    # Nine decimals first, so that 12.4999999999 of binary fractions counts as the 12.5 it stands for.
    return math.floor(round(product + flat, 9) + 0.5)


def results(sequence: str) -> list[ResultName]:
    """The results spelled by `Exam.sequence`; items that got no answer are left out."""
    return [_RESULTS[letter] for letter in sequence if letter in _RESULTS]


@dataclass(slots=True)
class Combat:
    """What exams of one skill add up to."""

    xp: int = 0
    answers: int = 0
    correct: int = 0
    streak: int = 0
    """Successes standing now."""
    best_streak: int = 0
    crits: int = 0
    crit_run: int = 0
    """Exact answers in a row, standing now."""
    best_crit_run: int = 0

    def take(self, sequence: str, level: int, multiplier: float, rules: CombatNumbers | None = None) -> None:
        """Add the answers of one exam.

        Args:
            sequence: the results as `Exam.sequence` spells them; items without an answer do not count.
            level: the skill level of the problems.
            multiplier: the skill's own multiplier times those of effects in force when the exam began.
            rules: the numbers; None for those in force.
        """
        digits = sequence.encode("ascii", "replace").translate(_DIGITS).replace(_NO_ANSWER, b"")
        payouts = _payouts(rules or lore_rules().combat, level, multiplier)
        after, paid = payouts[min(self.streak, len(payouts) - 1)], 0
        # Two answers at a time, one look-up for both: a long save has tens of millions.
        for pair in unhexlify(digits + _NO_ANSWER if len(digits) % 2 else digits):
            after, xp = after[pair]
            paid += xp
        self.xp += paid
        crits = digits.count(_CRIT)
        self.answers += len(digits)
        self.correct += crits + digits.count(_HIT)
        self.crits += crits
        self.streak, self.best_streak = _runs(digits.translate(_STREAKS), self.streak, self.best_streak)
        self.crit_run, self.best_crit_run = _runs(digits, self.crit_run, self.best_crit_run)


_ORDER: tuple[ResultName, ...] = ("crit", "hit", "glancing", "miss", "crit_miss")
"""Results by the digits that stand for them, 0 to 4; two of them in hexadecimal make a byte."""
_CRIT, _HIT, _NO_ANSWER = (b"%d" % digit for digit in (_ORDER.index("crit"), _ORDER.index("hit"), len(_ORDER)))
_LETTERS = "".join(RESULT_LETTERS[name] for name in _ORDER).encode()
_DIGITS = b"".join(b"%d" % _LETTERS.find(letter) if letter in _LETTERS else _NO_ANSWER for letter in range(256))
_STREAKS = bytes.maketrans(
    b"".join(b"%d" % digit for digit in range(len(_ORDER))),
    b"".join(b"0" if name in KEEPS_STREAK else b"1" for name in _ORDER),
)
"""Turns digits into 0 where a streak goes on and 1 where it ends."""
_STREAKS_KNOWN = 1000
"""Standing successes beyond which the bonus is taken as it is there."""
_PAYOUTS_KNOWN = 100
_NUMBERS_KNOWN = 4

Payouts = list[Any]
"""By the byte of two answers the payouts after them and the XP paid for both."""


def _runs(marks: bytes, standing: int, best: int) -> tuple[int, int]:
    """The run of zero digits that stands at the end, and the longest one, when ``standing`` of them came before."""
    size = len(marks)
    first = size - len(marks.lstrip(b"0"))
    if standing + first > best:
        best = standing + first
    if first == size:
        return standing + size, best
    while best < size and b"0" * (best + 1) in marks:
        best += 1
    return size - len(marks.rstrip(b"0")), best


def _payouts(numbers: CombatNumbers, level: int, multiplier: float) -> list[Payouts]:
    """By standing streak, as far as it raises what is paid, where counting begins."""
    kept = _PAYOUTS.get(id(numbers))
    if kept is None or kept[0] is not numbers:
        if len(_PAYOUTS) >= _NUMBERS_KNOWN:
            _PAYOUTS.clear()
        kept = _PAYOUTS[id(numbers)] = (numbers, {})
    known = kept[1]
    found = known.get((level, multiplier))
    if found is None:
        if len(known) >= _PAYOUTS_KNOWN:
            known.clear()
        found = known[level, multiplier] = _payouts_of(numbers, level, multiplier)
    return found


def _payouts_of(numbers: CombatNumbers, level: int, multiplier: float) -> list[Payouts]:
    bonus, most = numbers.streak_bonus, numbers.streak_cap
    cap = 0 if bonus == 0 else min(_STREAKS_KNOWN, int(most / bonus) + 1)
    # By standing streak and digit the streak after it, and the XP.
    single = [
        [
            (
                min(streak + 1, cap) if name in KEEPS_STREAK else 0,
                answer_xp(name, level, skill_multiplier=multiplier, streak=streak, rules=numbers),
            )
            for name in _ORDER
        ]
        + [(streak, 0)]
        for streak in range(cap + 1)
    ]
    found: list[Payouts] = [[None] * (17 * len(_ORDER) + 1) for _ in single]
    same: dict[tuple[int, int], tuple[Payouts, int]] = {}
    for payouts, answers in zip(found, single, strict=True):
        for first, (between, paid) in enumerate(answers):
            for second, (streak, more) in enumerate(single[between]):
                xp = paid + more
                payouts[16 * first + second] = same.setdefault((streak, xp), (found[streak], xp))
    return found


_PAYOUTS: dict[int, tuple[CombatNumbers, dict[tuple[int, float], list[Payouts]]]] = {}
"""By the identity of the numbers they belong to."""


def combat(
    exams: Iterable[Exam], multipliers: Mapping[str, float], rules: CombatNumbers | None = None
) -> dict[str, Combat]:
    """Discipline XP, streaks and counts per skill.

    Args:
        exams: live exams in any order; those asked for by the player pay nothing and are left out.
        multipliers: XP multiplier per skill id; 1 where a skill is missing.
        rules: the numbers; None for those in force.
    """
    numbers = rules or lore_rules().combat
    sums: dict[str, Combat] = {}
    for exam in sorted((e for e in exams if e.kind in PAYING), key=lambda e: (e.step, e.id)):
        sums.setdefault(exam.skill, Combat()).take(exam.sequence, exam.level, multipliers.get(exam.skill, 1.0), numbers)
    return sums


def answer_streak(exams: Sequence[Exam]) -> int:
    """Answers in a row without a miss, over all skills, counted back from the newest of ``exams`` (any order)."""
    count = 0
    for exam in sorted((e for e in exams if e.kind in PAYING), key=lambda e: (e.step, e.id), reverse=True):
        for result in reversed(results(exam.sequence)):
            if result not in KEEPS_STREAK:
                return count
            count += 1
    return count


def rank(xp: int, rules: CombatNumbers | None = None) -> int:
    """The rank that a total of discipline XP has reached, from 1."""
    return bisect_right((rules or lore_rules().combat).thresholds, xp)
