"""Achievements: for every one of them facts that earn it and facts that fall short; once told, it stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from lore.achievements import Earned, achievement_rules, achievements
from lore.fold import Fact
from lore.lexicon import entries
from saves.rows import Decision, Sparring
from tests.lore import rows
from tests.lore.game_facts import (
    SETTING,
    annals,
    attempt,
    campaign,
    exam,
    folded,
    level_up,
    right,
    saved,
    steps,
    trial,
)


@dataclass(frozen=True)
class Story:
    """Facts that earn it, and facts that nearly do."""

    earns: list[Fact] = field(default_factory=list)
    short: list[Fact] = field(default_factory=list)
    earns_rows: dict[str, Any] = field(default_factory=dict)
    short_rows: dict[str, Any] = field(default_factory=dict)
    step: int | None = None
    """Where the deed was done; None: its moment is not kept."""
    forged: tuple[int | None, int | None] = (None, None)


def reached(number: int) -> Story:
    return Story([steps(number + 20), saved(number + 20)], [steps(number - 1), saved(number - 1)], step=number)


def best(correct: int, short: int) -> Story:
    return Story([right(50, correct)], [right(50, short), exam(60, "CCCC")], step=50)


def saves(number: int) -> Story:
    every = [saved(10 * n, n) for n in range(1, number + 1)]
    return Story(list(every), list(every[:-1]), step=10 * number)


def closed(number: int, status: str) -> dict[str, Any]:
    return {"incidents": tuple(rows.incident(n, n, status=status) for n in range(number))}


def ended(number: int) -> list[Fact]:
    return [*(trial(1000 + n * 2000, passed=False) for n in range(number)), saved(1000 + number * 2000)]


def runs(reason: str) -> dict[str, Any]:
    return {"runs": (rows.run(1, 0, 50, reason), rows.run(2, 40, parent_run_id=1))}


def found(kind: str) -> Decision:
    return Decision(id=1, run_id=1, step=9, kind=kind, skill="bin", decision="maxed", reason="no gain", at=9.0)


def hero(size: float, memory: str) -> dict[str, Any]:
    return {"hero": {"model": {"size_b": size}, "memory_profile": memory, "data": {"profile": "plain_sft"}}}


def valleys(level: int) -> list[Fact]:
    """Levels won, each with an exam of its tier; the guardian of the foothills beaten on the way."""
    return [fact for n in range(1, level + 1) for fact in (right(1000 * n - 1, 64, level=n), level_up(1000 * n, n))]


ROUND = Sparring(
    id=1, run_id=1, step=5, checkpoint_id=None, skill="bin", level=1, asked=10, failed=2, records=2, quest_id=1, at=5.0
)
STORIES: dict[str, Story] = {
    "first_steps": Story([steps(1, 1)], [], step=1),
    "century": reached(100),
    "thousand_strong": reached(1_000),
    "marathon": reached(10_000),
    "ultramarathon": reached(100_000),
    "awakening": reached(1_000),
    "apprentice": reached(5_000),
    "journeyman": reached(10_000),
    "expert": reached(20_000),
    "master": reached(50_000),
    "sharp_eye": best(52, 51),
    "precision": best(58, 57),
    "perfectionist": best(64, 63),
    "perfect_form": Story(
        [exam(10, "C" * 60), exam(20, "C" * 40)], [exam(10, "C" * 60 + "H"), exam(20, "C" * 40)], step=20
    ),
    "dual_wielder": Story([level_up(10, 1), level_up(20, 1, "sy")], [level_up(10, 1), level_up(20, 2)], step=20),
    "first_save": Story([saved(7)], [], step=7),
    "hoarder": saves(10),
    "archivist": saves(50),
    "in_the_zone": Story([steps(100, 100, "productive")], [steps(99, 99, "productive")]),
    "pushing_limits": Story(
        [steps(10, 10, "overload"), steps(20, 10, "recovery")], [steps(10, 10, "overload"), steps(20, 10, "stretch")]
    ),
    "no_nan_november": Story(
        [steps(15_000)], [steps(15_000)], short_rows={"incidents": (rows.incident(1, 7_500, rule="nan_loss"),)}
    ),
    "debuff_survivor": Story(ended(10), ended(9), step=21_000),
    "bounty_hunter": Story(earns_rows=closed(10, "resolved"), short_rows=closed(10, "open")),
    "second_wind": Story(earns_rows=runs("crashed: OSError"), short_rows=runs("stopped")),
    "night_watch": Story(earns_rows={"unattended_s": 28_800.0}, short_rows={"unattended_s": 28_000.0}),
    "echo": Story(earns_rows={"sparring": (ROUND,)}),
    "new_game_plus": Story(
        earns_rows={"campaigns": (campaign(), campaign(id="campaign-002", starting_checkpoint_id=4))},
        short_rows={"campaigns": (campaign(), campaign(id="campaign-002"))},
    ),
    "cap_found": Story(earns_rows={"findings": (found("maxed"),)}, short_rows={"findings": (found("attempt"),)}),
    "forge_master": Story(forged=(1, 0)),
    "frugal": Story([steps(10, 10)], [steps(10, 10)], hero(8.2, "24gb_lora"), hero(7.6, "24gb_lora")),
}
UNRECORDED = {"curator", "full_ceremony"}
"""Deeds of which no row tells yet: their sums are unknown, and so they are never drawn as 0."""
OF_THE_WORLD = {"mountain_climber"}


def seen(facts: list[Fact], tables: dict[str, Any], forged: int | None = None, **over: Any) -> dict[str, Earned]:
    rows_now = dict(tables)
    now = annals(**({"hero": rows_now.pop("hero")} if "hero" in rows_now else {}), **rows_now)
    return {a.id: a for a in achievements(folded(facts).game(), SETTING, now, forged_skills=forged, **over)}


def test_every_achievement_has_a_story() -> None:
    assert set(STORIES) | UNRECORDED | OF_THE_WORLD == set(achievement_rules())


@pytest.mark.parametrize("name", STORIES)
def test_facts_earn_it_and_less_does_not(name: str) -> None:
    story = STORIES[name]
    one = seen(story.earns, story.earns_rows, story.forged[0])[name]
    assert one.earned and one.step == story.step
    short = seen(story.short, story.short_rows, story.forged[1])[name]
    assert not short.earned and short.step is None
    assert short.have is None or (short.need is not None and short.have < short.need)


def test_the_mountains_are_climbed_when_their_region_is_unlocked() -> None:
    fold = folded(valleys(3))
    assert not {a.id: a for a in achievements(fold.game(), SETTING, annals())}["mountain_climber"].earned
    fold.states["world"].regions["reasoning_mountains"] = [9000, 9000.0, "exams:7"]
    one = {a.id: a for a in achievements(fold.game(), SETTING, annals())}["mountain_climber"]
    assert (one.earned, one.step, one.source) == (True, 9000, "exams:7")


@pytest.mark.parametrize("name", sorted(UNRECORDED))
def test_what_no_row_tells_is_unknown_and_not_zero(name: str) -> None:
    one = seen([], {})[name]
    assert not one.earned and one.have is None and one.need


def test_it_is_told_once_at_the_step_of_the_deed() -> None:
    fold = folded([steps(120, 120), saved(120), saved(130, 2), exam(140, "CM")])
    told = [(h.step, h.data["achievement"]) for h in fold.told.happenings if h.kind == "hero.achievement"]
    assert told == [(1, "first_steps"), (100, "century"), (120, "first_save")]


def test_what_was_told_stays_when_the_hero_goes_back() -> None:
    assert not seen([steps(50, 50)], {})["century"].earned
    assert seen([steps(50, 50)], {}, told_before=("century",))["century"].earned


def test_a_campaign_that_began_with_a_form_counts_its_own_steps_only() -> None:
    from dataclasses import replace

    from lore.fold import Fold
    from lore.parts import parts

    later = replace(SETTING, starting_step=5000)
    fold = Fold(parts(), later)
    fold.take([steps(5090, 90), attempt(5090)])
    assert "century" not in fold.states["achievements"].earned
    fold.take([steps(5110, 20), attempt(5110)])
    assert fold.states["achievements"].earned["century"][0] == 5100


@pytest.mark.parametrize("name", list(achievement_rules()))
def test_a_word_stands_for_it_in_both_voices(name: str) -> None:
    rule, word = achievement_rules()[name], entries()[f"achievement.{name}"]
    assert (rule.label, rule.named("plain")) == (word.label, word.named("plain"))
