"""The Bounty Board: for every incident rule facts that put its card up, and facts that take it down."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.link.ending import Crash
from lore.bounties import Card, bounty_rules, cards
from lore.fold import Fact
from saves.incidents import FIRST_STEP
from tests.lore import rows
from tests.lore.game_facts import annals, attempt, folded

CALM = rows.window(1, 50, loss=1.0)


def loss(number: int, value: float) -> Any:
    return rows.window(50 * number + 1, 50 * number + 50, loss=value)


def gap(step: int, size: float) -> Fact:
    return attempt(step, 3.0, 1.0 + size, train_loss=1.0)


def board(facts: list[Fact], **tables: Any) -> tuple[Card, ...]:
    return cards(annals(**tables), folded(facts).states["bounties"])


def up(facts: list[Fact], **tables: Any) -> dict[str, Card]:
    return {card.rule: card for card in board(facts, **tables) if card.open}


@dataclass(frozen=True)
class Told:
    """Facts that put a told card up, and more that take it down."""

    brings: list[Fact] = field(default_factory=list)
    ends: list[Fact] = field(default_factory=list)
    brings_rows: dict[str, Any] = field(default_factory=dict)
    ends_rows: dict[str, Any] = field(default_factory=dict)


SPIKE = (CALM, loss(1, 10.5))
TOLD = {
    "loss_spike": Told(
        brings_rows={"recent": SPIKE}, ends_rows={"recent": (*SPIKE, loss(2, 9.0), loss(3, 5.0), loss(4, 2.0))}
    ),
    "val_gap": Told([gap(100 * n, 0.4) for n in range(1, 11)], [gap(1100, 0.2)]),
    "consecutive_failures": Told(
        [attempt(100 * n, None, None, state="failed") for n in range(1, 6)], [attempt(600, 2.0, 1.0)]
    ),
}
RAISED = sorted(set(bounty_rules()) - set(TOLD))


def test_every_rule_is_either_raised_or_told() -> None:
    assert set(TOLD) == {name for name, rule in bounty_rules().items() if rule.when}


def test_every_incident_that_the_engine_raises_has_a_monster() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(engine.__file__).parent.rglob("*.py"))
    raised = set(re.findall(r'raise_incident\(\s*[\w.]+,\s*"(\w+)"', sources)) | set(
        re.findall(r'rule="(\w+)"', sources)
    )
    raised |= {f"{crash}_crash" for crash in Crash if crash is not Crash.STOPPED}
    assert len(raised) >= 18, "the engine's rules were found"
    assert sorted(raised - set(bounty_rules())) == []


@pytest.mark.parametrize("name", RAISED)
def test_an_incident_puts_its_card_up_and_its_end_takes_it_down(name: str) -> None:
    rule = bounty_rules()[name]
    struck = rows.incident(7, 120, rule.severity, rule=name, category=rule.category, detail={"why": "so"})
    assert up([]) == {}
    card = up([], incidents=(struck,))[name]
    assert (card.key, card.monster, card.first_step, card.count) == ("7", rule, 120, 1)
    assert card.fixes[0] == struck.fix and set(rule.fixes) <= set(card.fixes) and card.evidence == {"why": "so"}
    gone = rows.incident(7, 120, rule.severity, rule=name, status="resolved", resolved_at=9.0)
    assert up([], incidents=(gone,)) == {}
    (kept,) = board([], incidents=(gone,))
    assert kept.status == "resolved" and kept.resolved_at == 9.0


@pytest.mark.parametrize("name", TOLD)
def test_facts_put_a_told_card_up_and_facts_take_it_down(name: str) -> None:
    story = TOLD[name]
    assert name not in up([])
    card = up(story.brings, **story.brings_rows)[name]
    assert card.told and not card.blocks and card.evidence["reading"] and card.first_step is not None
    assert name not in up([*story.brings, *story.ends], **story.ends_rows)


def test_less_than_that_is_not_told() -> None:
    assert up([gap(100 * n, 0.4) for n in range(1, 10)]) == {}
    assert up([attempt(100 * n, None, None, state="failed") for n in range(1, 5)]) == {}
    assert up([attempt(100 * n, None, None, state="skipped") for n in range(1, 9)]) == {}
    assert up([], recent=(CALM, loss(1, 10.0))) == {}


def test_what_is_told_is_a_happening_with_its_end() -> None:
    fold = folded([*TOLD["val_gap"].brings, *TOLD["val_gap"].ends])
    told = [(h.kind, h.step) for h in fold.told.happenings if h.data.get("rule") == "val_gap"]
    assert told == [("system.incident_told", 1000), ("system.incident_gone", 1100)]


def test_a_card_that_struck_again_knows_its_first_step() -> None:
    (card,) = board([], incidents=(rows.incident(1, 900, count=4, detail={"loss": "nan", FIRST_STEP: 120}),))
    assert (card.first_step, card.step, card.count, card.evidence) == (120, 900, 4, {"loss": "nan"})


def test_an_unknown_rule_is_called_by_its_severity() -> None:
    (card,) = board([], incidents=(rows.incident(1, 5, "critical", rule="of_tomorrow", fix="wait"),))
    assert (card.monster.monster, card.monster.plain, card.fixes) == ("Demon Lord", "of_tomorrow", ("wait",))


def test_the_worst_open_one_comes_first_and_closed_ones_last() -> None:
    found = board(
        [],
        incidents=(
            rows.incident(1, 10, "low", rule="inexact_resume"),
            rows.incident(2, 20, "critical", status="resolved"),
            rows.incident(3, 30, "high", rule="hang"),
            rows.incident(4, 40, "high", rule="disk_pressure"),
        ),
    )
    assert [card.key for card in found] == ["4", "3", "1", "2"]


@pytest.mark.parametrize("name", bounty_rules())
def test_a_command_named_as_a_way_out_exists(name: str) -> None:
    from realm_tui.cli.main import COMMANDS

    said = " ".join(bounty_rules()[name].fixes)
    assert {words.split()[0] for words in re.findall(r"`realm ([^`]+)`", said)} <= set(COMMANDS)


def test_every_kind_of_happening_of_the_fold_can_be_told() -> None:
    """What a part emits becomes an event by itself; without a template the log could not draw it."""
    import lore
    from lore.narrator import templates
    from lore.saga import manners

    sources = "".join(path.read_text(encoding="utf-8") for path in Path(lore.__file__).parent.glob("*.py"))
    emitted = set(re.findall(r'told\.emit\(\s*"([\w.]+)"', sources))
    emitted |= set(re.findall(r'"(system\.incident_\w+)"', sources))
    assert {"hero.effect_applied", "hero.achievement", "system.incident_told", "system.incident_gone"} <= emitted
    assert sorted(emitted - set(templates())) == [] and sorted(emitted - set(manners())) == []
