"""The skills: levels won and held, the level in training, and what is weak."""

from __future__ import annotations

from collections.abc import Sequence

from lore.figures import share
from lore.lexicon import label
from realm_tui.app.drawing import Look, Row, shorten, spread
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import fraction
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.status import OperationStatus, SkillStatus

_OPERATIONS = 6
"""Weakest operations that are listed."""


def _word(key: str, look: Look) -> str:
    return label(key, look.names).lower()


def _skill_rows(key: str, skill: SkillStatus, look: Look, width: int) -> list[Row]:
    count = f" {skill.mastered}/{skill.max_level} "
    filled, empty = bar(skill.mastered / skill.max_level, max(6, width - 2 - len(count)), look.ascii)
    at = f"at L{skill.training} " if skill.mastered < skill.max_level else "all won "
    rows: list[Row] = [
        spread(
            ((f" {key.upper():<4}", "skill-strong"), (clean(skill.name), "text")),
            ((at, "strong"), (f"{clean(skill.level_name or '')} ", "muted")),
            width,
        ),
        (("  ", ""), (filled, "skill"), (empty, "line"), (count, "text")),
        (
            (f"  {skill.mastered} ", "strong"),
            (f"{_word('skill.won', look)}  ", "muted"),
            (f"{skill.held} ", "strong"),
            (f"{_word('skill.held', look)}", "muted"),
            (f"  {_word('skill.lost', look)} L{', L'.join(map(str, skill.lost))}" if skill.lost else "", "bad-strong"),
        ),
    ]
    asked = [(name, op) for name, op in skill.operations.items() if op.items]
    for name, op in sorted(asked, key=lambda one: (one[1].correct / one[1].items, one[0]))[:_OPERATIONS]:
        rows.append(_operation_row(name, op, name in skill.at_chance, look, width))
    return rows


def _operation_row(name: str, op: OperationStatus, at_chance: bool, look: Look, width: int) -> Row:
    """An operation's share beside what luck alone would give; marked where the two cannot be told apart."""
    luck = ("luck" if look.tavern else "chance") if not at_chance else ("= luck" if look.tavern else "= chance")
    right: Row = (
        (share(op.correct, op.items), "bad" if at_chance else "strong"),
        (f"  {luck} {fraction(op.chance)} ", "bad" if at_chance else "faint"),
    )
    return spread((("  ", ""), (clean(name), "text")), right, width)


def course_rows(facts: Facts, width: int) -> list[Row]:
    """What trains next and why; what is lost of what was won, and how much may be."""
    course = facts.course
    if course is None:
        return []
    if course.plan:
        told = f"{course.plan}: {course.reason}"
    else:
        where = [f"next {key.upper()} L{skill.training}: " for key, skill in facts.status.skills.items()]
        told = "".join(where[:1]) + course.reason
    rows: list[Row] = [(("  ", ""), (shorten(clean(told), max(4, width - 3)), "text"))]
    if course.won:
        over = course.lost > course.allowed
        forgotten = f"{course.lost} of {course.won} lost, {course.allowed} may be"
        price = "" if course.keeping is None else f"   keeping x{course.keeping:.1f}"
        rows.append((("  ", ""), (forgotten, "bad-strong" if over else "muted"), (price, "faint")))
    return rows


def skill_rows(facts: Facts, look: Look, width: int, height: int) -> list[Row]:
    """A block of lines per skill; what was left out for now comes last."""
    rows: list[Row] = []
    for key, skill in facts.status.skills.items():
        rows += _skill_rows(key, skill, look, width)
    course = course_rows(facts, width)
    rows = [*rows[: max(0, height - len(course))], *course][:height]
    left_out = [name for skill in facts.status.skills.values() for name in skill.not_yet]
    if left_out and len(rows) < height:
        named = shorten(", ".join(map(clean, left_out)), max(4, width - 6 - len(_word("skill.not_yet", look))))
        rows.append(((f"  {_word('skill.not_yet', look)} ", "faint"), (named, "faint")))
    return rows


class SkillsPanel(Panel):
    """Levels won, held and in training."""

    word = "panel.skills"

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return skill_rows(facts, look, width, height)
