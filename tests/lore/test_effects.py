"""Status effects: for every one of them facts that bring it, and facts that end it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from configs.errors import RealmError
from configs.reading import parse
from lore.effects import EffectRules, Effects, active_effects, effect_rules, health_of
from lore.fold import Fact
from lore.lexicon import entries
from tests.lore import rows
from tests.lore.game_facts import (
    annals,
    attempt,
    drift,
    exam,
    folded,
    hold,
    level_up,
    right,
    steps,
    trial,
)

CALM = rows.window(1, 50, loss=1.0)


def loss(number: int, value: float, **over: Any) -> Any:
    return rows.window(50 * number + 1, 50 * number + 50, loss=value, **over)


def norm(number: int, value: float) -> Any:
    return rows.window(50 * number + 1, 50 * number + 50, grad_norm_max=value)


@dataclass(frozen=True)
class Story:
    """Facts that bring an effect, and more of them that end it."""

    brings: list[Fact] = field(default_factory=list)
    ends: list[Fact] = field(default_factory=list)
    brings_rows: dict[str, Any] = field(default_factory=dict)
    """Small tables at the first moment."""
    ends_rows: dict[str, Any] = field(default_factory=dict)
    profile: str = "plain_sft"
    severity: str | None = None


def quest(**over: Any) -> dict[str, Any]:
    return {"quests": (rows.quest(**({"first_step": 10, "started_at": 1.0} | over)),)}


def struck(rule: str, severity: str, **over: Any) -> dict[str, Any]:
    return {"incidents": (rows.incident(1, 100, severity, rule=rule, **over),)}


def gap(step: int, size: float) -> Fact:
    return attempt(step, 3.0, 1.0 + size, train_loss=1.0)


STORIES: dict[str, Story] = {
    "tunnel_vision": Story([gap(100 * n, 0.4) for n in range(1, 11)], [gap(1100, 0.1), exam(1200, "CM")]),
    "confusion": Story([exam(100, "CCMXMMM")], [exam(200, "CCCCCHCCCC")]),
    "repetition": Story(
        brings_rows=struck("repetition", "high", blocks=False),
        ends_rows=struck("repetition", "high", status="resolved"),
    ),
    "exhaustion": Story(brings_rows=struck("oom", "high"), ends_rows=struck("oom", "high", status="resolved")),
    "reality_tear": Story(
        brings_rows=struck("nan_loss", "critical"), ends_rows=struck("nan_loss", "critical", status="wontfix")
    ),
    "fragmented_thoughts": Story(
        [hold(100, 2, lost=True), hold(110, 1, lost=True, skill="sy")], [hold(200, 2, lost=False)]
    ),
    "amnesia": Story([drift(100, 0.7)], [drift(200, 0.85)]),
    "dull_blade": Story([right(1900, 10), right(2000, 10), right(2100, 15, skill="sy")], [right(2200, 30)]),
    "corrupted_knowledge": Story(
        brings_rows=quest(state="failed", failures=1, examples_done=64),
        ends_rows=quest(state="completed", failures=1, examples_done=412),
    ),
    "poisoned": Story([attempt(100 * n, 1.0, 1.2) for n in (1, 2, 3)], [attempt(400, 1.2, 1.1)]),
    "staggered": Story(
        brings_rows={"recent": (CALM, loss(1, 1.6))},
        ends_rows={"recent": (CALM, loss(1, 1.6), loss(2, 1.5), loss(3, 1.5), loss(4, 1.4))},
    ),
    "obsessive": Story(
        brings_rows=quest(counts={"examples": 100, "duplicates": 21}),
        ends_rows=quest(counts={"examples": 100, "duplicates": 20}),
    ),
    "wild_magic": Story(
        brings_rows={"recent": (CALM, norm(1, 1001.0))},
        ends_rows={"recent": (CALM, norm(1, 1001.0), *(norm(n, 2.0) for n in range(2, 7)))},
    ),
    "trance": Story(
        brings_rows={"recent": (CALM, norm(1, 1e-9))}, ends_rows={"recent": (CALM, norm(1, 1e-9), norm(2, 0.1))}
    ),
    "humbled": Story([trial(100, passed=False)], [trial(300, passed=True)]),
    "unfinished_meditation": Story([exam(100, "CXCM")], [exam(200, "CCCM")], profile="emoji_think"),
    "momentum": Story([exam(100, "CCCCCHCCCC")], [exam(200, "M")]),
    "insight": Story([right(100, 30), right(200, 40)], [exam(250, "M")]),
}


def in_force(story: Story, facts: list[Fact], tables: dict[str, Any]) -> dict[str, Any]:
    fold = folded(facts, profile=story.profile)
    found = active_effects(fold.states["effects"], annals(profile=story.profile, **tables), fold.step)
    return {effect.id: effect for effect in found}


def test_every_effect_has_a_story() -> None:
    assert set(STORIES) == set(effect_rules())


@pytest.mark.parametrize("name", STORIES)
def test_facts_bring_it_and_facts_end_it(name: str) -> None:
    story, rule = STORIES[name], effect_rules()[name]
    assert name not in in_force(story, [], {})
    effect = in_force(story, story.brings, story.brings_rows)[name]
    assert effect.evidence and effect.severity == rule.severity and effect.rule.cause and effect.rule.cure
    assert effect.since is not None
    ended = in_force(story, [*story.brings, *story.ends], story.ends_rows)
    assert name not in ended


@pytest.mark.parametrize("name", STORIES)
def test_a_word_stands_for_it_in_both_voices(name: str) -> None:
    rule, word = effect_rules()[name], entries()[f"effect.{name}"]
    assert (rule.label, rule.plain) == (word.label, word.plain or word.label)


@pytest.mark.parametrize(
    ("name", "facts", "severity"),
    [
        ("confusion", [exam(100, "XXXXX")], "high"),
        ("tunnel_vision", [gap(100 * n, 0.6) for n in range(1, 11)], "high"),
    ],
)
def test_it_can_be_worse(name: str, facts: list[Fact], severity: str) -> None:
    assert in_force(Story(), facts, {})[name].severity == severity


@pytest.mark.parametrize(
    ("name", "facts", "tables"),
    [
        ("tunnel_vision", [gap(100 * n, 0.4) for n in range(1, 10)], {}),
        ("confusion", [exam(100, "MMMM"), exam(200, "CMMMM")], {}),
        ("fragmented_thoughts", [hold(100, 2, lost=True), hold(110, 1, lost=True)], {}),
        ("amnesia", [drift(100, 0.6, severity="none")], {}),
        ("dull_blade", [right(1999, 10)], {}),
        ("dull_blade", [right(2000, 10), right(2100, 40, skill="sy")], {}),
        ("poisoned", [attempt(100, 1.0, 1.2), attempt(200, 1.0, 1.2), attempt(300, 1.0, 0.9), attempt(400, 1.0, 1.2)], {}),
        ("insight", [right(100, 30), right(200, 39)], {}),
        ("insight", [right(100, 30), right(200, 60, level=2)], {}),
        ("unfinished_meditation", [exam(100, "CXCM")], {}),
        ("exhaustion", [], struck("oom", "medium", blocks=False)),
        ("corrupted_knowledge", [], quest(state="failed", failures=1, examples_done=0)),
        ("corrupted_knowledge", [], quest(state="removed", failures=1, examples_done=64, removed_at=5.0)),
        ("staggered", [], {"recent": (CALM, loss(1, 1.5))}),
        ("staggered", [], {"recent": (CALM, loss(1, 1.7, skill=None, quest_attempt_id=1))}),
    ],
)  # fmt: skip
def test_less_than_that_brings_nothing(name: str, facts: list[Fact], tables: dict[str, Any]) -> None:
    assert name not in in_force(Story(), facts, tables)


def test_answers_count_over_exams_and_an_item_without_a_result_is_passed_over() -> None:
    assert "confusion" in in_force(Story(), [exam(100, "CMMM"), exam(200, "M?MC")], {})


def test_an_exam_of_the_players_asking_brings_nothing() -> None:
    assert in_force(Story(), [exam(100, "MMMMM", kind="asked")], {}) == {}


def test_the_same_effect_is_refreshed_and_not_stacked() -> None:
    first = in_force(Story(), [exam(100, "MMMMM")], {})["confusion"]
    soon = in_force(Story(), [exam(100, "MMMMM"), exam(250, "MMMMM")], {})["confusion"]
    later = in_force(Story(), [exam(100, "MMMMM"), exam(300, "MMMMM")], {})["confusion"]
    assert (first.until, soon.until, later.until) == (600, 600, 800), "within 200 steps it does not strike again"
    assert later.since == 100


def test_the_cure_is_counted() -> None:
    effect = in_force(Story(), [exam(100, "MMMMM"), exam(200, "MCCCC")], {})["confusion"]
    assert effect.progress == (4, 10) and effect.left(200) == 400


def test_multipliers_of_both_signs_multiply() -> None:
    part = Effects()
    fold = folded([exam(100, "CCCCCCCCCC"), exam(150, "MMMMM")])
    assert part.multiplier(fold.states["effects"], 160) == pytest.approx(1.25 * 0.8)
    assert part.multiplier(fold.states["effects"], 201) == pytest.approx(0.8), "momentum ended at step 200"


def test_what_it_is_worth_is_seen_in_the_xp_of_answers() -> None:
    """SY level 1, an exact answer under Confusion without a streak: 15 × .8 = 12."""
    fold = folded([exam(100, "MMMMM", skill="sy")])
    before = fold.states["progress"].disciplines["sy"].xp
    fold.take([exam(200, "C", skill="sy")])
    assert fold.states["progress"].disciplines["sy"].xp - before == 12


def test_what_happened_is_told_at_its_step() -> None:
    fold = folded([trial(100, passed=False), exam(1500, "CM")])
    told = [(h.kind, h.step, h.data["effect"]) for h in fold.told.happenings if "effect" in h.data]
    assert told == [("hero.effect_applied", 100, "humbled"), ("hero.effect_expired", 1100, "humbled")]


def test_health_counts_debuffs_and_no_buffs() -> None:
    def word(*facts: Fact, **tables: Any) -> str:
        fold = folded(facts)
        return health_of(active_effects(fold.states["effects"], annals(**tables), fold.step))

    assert word(exam(100, "CCCCCCCCCC")) == "healthy"
    assert word(exam(1100, "MMMMM"), *(gap(100 * n + 1100, 0.4) for n in range(1, 11))) == "minor_issues"
    assert word(**struck("repetition", "high", blocks=False)) == "fatigued"
    assert word(exam(100, "XXXXX"), **struck("nan_loss", "critical")) == "struggling"


def test_an_incident_that_stops_nothing_holds_nothing_back() -> None:
    tear = in_force(Story(), [], struck("nan_loss", "critical", blocks=False))["reality_tear"]
    assert tear.blocks == "" and tear.severity == "critical"
    assert in_force(Story(), [], struck("nan_loss", "critical"))["reality_tear"].blocks == "training"


def test_the_state_survives_being_written_down_at_any_moment() -> None:
    facts: list[Fact] = [
        exam(100, "MMMMM"),
        trial(150, passed=False),
        exam(200, "CCCMM"),
        hold(250, 1, lost=True),
        exam(900, "CCCCCCCCCC"),
    ]
    whole, fold = folded(facts), folded([])
    for fact in facts:
        fold.load(json.loads(json.dumps(fold.dump())))
        fold.take([fact])
    assert fold.states["effects"] == whole.states["effects"] and fold.states["effects"].struck


def test_every_effect_has_a_cause_a_cure_and_an_end() -> None:
    for name, rule in effect_rules().items():
        assert rule.cause and rule.cure and rule.when, name
        assert rule.until or rule.lasts or rule.source == "annals", name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"until": []}, "it would never end"),
        ({"when": []}, "when"),
        ({"when": [{"of": "answers", "are": ["miss"], "in_a_row": 0}]}, "greater than or equal to 1"),
        ({"when": [{"of": "dreams"}]}, "dreams"),
        ({"when": [{"of": "reading", "reading": "accuracy"}]}, "above"),
        ({"when": [{"of": "incident", "rules": ["oom"]}]}, "one kind"),
        ({"xp": 0}, "xp"),
        ({"ascii": "é"}, "ASCII"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(change: dict[str, Any], said: str) -> None:
    rule = effect_rules()["amnesia"].model_dump(mode="json") | change
    with pytest.raises(RealmError, match=said):
        parse(EffectRules, {"effects": {"mine": rule}}, "mine")


def test_time_alone_ends_what_must_hold_for_some_steps() -> None:
    wide: list[Fact] = [gap(100 * n, 0.4) for n in range(1, 11)]
    assert "tunnel_vision" in in_force(Story(), [*wide, gap(1100, 0.1), steps(1199)], {})
    assert "tunnel_vision" not in in_force(Story(), [*wide, gap(1100, 0.1), steps(1200)], {})
    again = [*wide, gap(1100, 0.1), gap(1150, 0.29), steps(1300)]
    assert "tunnel_vision" in in_force(Story(), again, {}), "the gap is wide again"


def test_a_level_won_again_is_no_longer_lost() -> None:
    lost: list[Fact] = [hold(100, 2, lost=True), hold(110, 1, lost=True, skill="sy")]
    assert "fragmented_thoughts" in in_force(Story(), [*lost, steps(150)], {})
    assert "fragmented_thoughts" not in in_force(Story(), [*lost, level_up(200, 2)], {})
