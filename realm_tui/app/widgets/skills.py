"""The skills: levels won and held, the level in training, and what is weak."""

from __future__ import annotations

from collections.abc import Sequence

from lore.lexicon import label
from realm_tui.app.drawing import Look, Row, shorten, spread
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import UNKNOWN, fraction, share
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.status import SkillStatus


def _word(key: str, look: Look) -> str:
    return label(key, look.names).lower()


def _skill_rows(key: str, skill: SkillStatus, look: Look, width: int) -> list[Row]:
    count = f" {skill.mastered}/{skill.max_level} "
    filled, empty = bar(skill.mastered / skill.max_level, max(6, width - 2 - len(count)), look.ascii)
    at = f"at L{skill.training} " if skill.mastered < skill.max_level else "all won "
    rows: list[Row] = [
        spread(
            ((f" {key.upper():<4}", "skill-strong"), (clean(skill.name), "text")),
            ((at, "strong"),),
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
    if skill.weakest is not None:
        weakest = skill.operations.get(skill.weakest)
        score = share(weakest.correct, weakest.items) if weakest is not None else UNKNOWN
        chance = f" (chance {fraction(weakest.chance)})" if weakest is not None and weakest.chance is not None else ""
        rows.append(
            (
                (f"  {_word('skill.weakest', look)} ", "muted"),
                (f"{clean(skill.weakest)} {score}", "warn"),
                (chance, "faint"),
            )
        )
    if skill.at_chance:
        named = shorten(", ".join(map(clean, skill.at_chance)), max(4, width - 18))
        rows.append(((f"  {_word('skill.at_chance', look)} ", "muted"), (named, "bad")))
    if skill.level_name:
        rows.append(((f"  {shorten(clean(skill.level_name), width - 6)}", "faint"),))
    return rows


def skill_rows(facts: Facts, look: Look, width: int, height: int) -> list[Row]:
    """A block of lines per skill; what was left out for now comes last."""
    rows: list[Row] = []
    for key, skill in facts.status.skills.items():
        rows += _skill_rows(key, skill, look, width)
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
