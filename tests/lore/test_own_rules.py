"""A file of the player's own adds an effect, an achievement or a monster without code; a broken one changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lore import own_file
from lore.achievements import achievement_rules, achievements, achievements_in_force
from lore.bounties import bounty_rules, cards
from lore.effects import active_effects, effect_rules, effects_in_force
from lore.fold import Fact, fingerprint
from lore.parts import parts
from tests.lore import rows
from tests.lore.game_facts import SETTING, annals, exam, folded, level_up, right

SLEEPY = """
effects:
  sleepy:
    label: Sleepy
    plain: Three misses
    severity: low
    cause: three misses in a row
    cure: two right answers in a row
    xp: 0.5
    when: [{of: answers, are: [miss], in_a_row: 3}]
    until: [{of: answers, are: [crit, hit], in_a_row: 2}]
  confusion: {xp: 0.9}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path))
    own_file.forget()
    yield tmp_path
    own_file.forget()


def now(*facts: Fact) -> set[str]:
    fold = folded(facts)
    return {e.id for e in active_effects(fold.states["effects"], annals(), fold.step)}


def test_an_effect_of_the_players_own_strikes_pays_and_ends(config: Path) -> None:
    before = fingerprint(parts(), SETTING)
    (config / "effects.yaml").write_text(SLEEPY)
    own_file.forget()
    assert len(effect_rules()) == 19 and effect_rules()["confusion"].xp == 0.9, (
        "and a shipped one is changed in one field"
    )
    assert effect_rules()["confusion"].label == "Confusion"
    assert fingerprint(parts(), SETTING) != before, "so that what was folded by other rules is folded anew"
    assert "sleepy" in now(exam(10, "MMM"))
    assert "sleepy" not in now(exam(10, "MMM"), exam(20, "CC"))
    fold = folded([exam(10, "MMM")])
    xp = fold.states["progress"].disciplines["bin"].xp
    fold.take([exam(20, "C")])
    assert fold.states["progress"].disciplines["bin"].xp - xp == 9, "15 × 1.2 × .5"


def test_an_achievement_of_the_players_own(config: Path) -> None:
    (config / "achievements.yaml").write_text(
        """
achievements:
  twice_sharp:
    label: Twice Sharp
    deed: half right and a level won
    when: [{of: exam, share: 0.5}, {of: skills, level: 1}]
"""
    )
    own_file.forget()
    assert "twice_sharp" in achievement_rules()
    stories: list[tuple[list[Fact], bool]] = [([right(10, 40)], False), ([right(10, 40), level_up(20, 1)], True)]
    for facts, earned in stories:
        found = {a.id: a for a in achievements(folded(facts).game(), SETTING, annals())}
        assert found["twice_sharp"].earned is earned


def test_a_monster_of_the_players_own(config: Path) -> None:
    (config / "bounties.yaml").write_text("bounties: {nan_loss: {monster: Old Nan, lair: The Attic}}\n")
    own_file.forget()
    (card,) = cards(annals(incidents=(rows.incident(1, 5),)))
    assert (card.monster.monster, card.monster.lair, card.monster.plain) == (
        "Old Nan",
        "The Attic",
        bounty_rules()["nan_loss"].plain,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("effects:\n  confusion:\n    severity: deadly\n", "effects.yaml, line 3"),
        ("effects:\n  mine: {label: Mine}\n", "effects.yaml, line 2"),
        ("effects: [1", "effects.yaml"),
        ("effects:\n  confusion:\n    colour: red\n", "line 3"),
        ("- a\n- list\n", "effects.yaml"),
        ('effects:\n  confusion:\n    label: "\\u202eback"\n', "line 3): has characters that cannot be drawn"),
        ('effects:\n  confusion:\n    icon: "\\U0001F409"\n', "line 3): takes more or less than one cell"),
        ("effects:\n  mine:\n    label: \"\\u202e\"\n    when: 7\n", "effects.yaml"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_its_line_and_changes_nothing(config: Path, text: str, said: str) -> None:
    own_file.forget()
    shipped = dict(effect_rules())
    (config / "effects.yaml").write_text(text)
    own_file.forget()
    found = effects_in_force()
    assert dict(effect_rules()) == shipped
    assert found.problem is not None and said in found.problem.text()
    assert (config / "effects.yaml").read_text() == text
    assert achievements_in_force().problem is None, "the other files stand for themselves"
