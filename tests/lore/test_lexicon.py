"""Every word on the screen has two voices and an explanation."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from rich.cells import cell_len

from configs.errors import UsageError
from configs.schema import ZONES
from lore import lexicon
from lore.health import Health, Severity
from lore.rules import ResultName
from lore.strain import HintKind, Trend
from saves.migrations import m0001_first

ENTRIES = lexicon.entries()


def test_the_book_is_big_enough_and_its_keys_are_dotted_ids() -> None:
    assert len(ENTRIES) >= 75
    assert [k for k in ENTRIES if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", k)] == []


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_fits_the_screen(key: str) -> None:
    entry = ENTRIES[key]
    assert cell_len(entry.icon) == 1, "icons take one cell"
    assert cell_len(entry.label) <= lexicon.LABEL_CELLS and cell_len(entry.named("plain")) <= lexicon.LABEL_CELLS
    assert cell_len(entry.short) <= lexicon.SHORT_CELLS
    sentences = re.findall(r"[.!?](?:\s|$)", entry.tooltip)
    assert 1 <= len(sentences) <= 3, entry.tooltip
    assert entry.technical.endswith(".")


@pytest.mark.parametrize("key", [k for k in ENTRIES if k.startswith("panel.")])
def test_panels_have_a_plain_twin_of_their_own(key: str) -> None:
    assert lexicon.label(key, "tavern") != lexicon.label(key, "plain")


def test_everything_the_save_can_say_has_a_word() -> None:
    states = re.findall(r"WHEN .*?THEN '(\w+)'", " ".join(m0001_first.STATEMENTS))
    assert states, "the view of quest states was found"
    wanted = [f"zone.{z}" for z in ZONES] + ["zone.unknown"]
    wanted += [f"hint.{h}" for h in get_args(HintKind)] + [f"trend.{t}" for t in get_args(Trend)]
    wanted += [f"exam.result.{r}" for r in get_args(ResultName)]
    wanted += [f"hero.health.{h}" for h in get_args(Health)] + [f"incident.{s}" for s in get_args(Severity)]
    wanted += [f"quest.state.{s}" for s in (*states, "completed", "failed", "skipped")]
    wanted += [f"quest.priority.{p}" for p in ("high", "normal", "low")]
    assert [key for key in wanted if key not in ENTRIES] == []


def test_every_state_of_the_engine_has_a_word() -> None:
    """The lore may not import the engine; its words are held to the engine's own list here."""
    from engine.link.state import EngineState

    assert [s for s in EngineState if f"engine.state.{s}" not in ENTRIES] == []


def test_voices() -> None:
    assert lexicon.label("training.loss") == "Practice Strain"
    assert lexicon.label("training.loss", "plain") == "Loss"
    assert lexicon.label("zone.stretch", "plain") == "Stretch", "one word serves both voices where none is better"
    loss = lexicon.entry("training.loss")
    assert loss.explained("plain") == loss.technical and loss.explained("tavern") == loss.tooltip


def test_ascii_marks_are_ascii() -> None:
    assert all(e.mark(ascii_only=True).isascii() for e in ENTRIES.values())


def test_an_unknown_word_says_what_is_near() -> None:
    with pytest.raises(UsageError, match=r"training\.loss"):
        lexicon.entry("hero.loss")


def test_search_finds_by_plain_word() -> None:
    assert "checkpoint" in lexicon.search("checkpoint")
    assert "training.grad_norm" in lexicon.search("gradient norm")


@pytest.mark.parametrize(
    ("family", "fewest"),
    [
        ("school", 6), ("technique", 4), ("vault", 8), ("temple.order", 9), ("momentum", 12), ("effect", 18),
        ("achievement", 30), ("region", 6), ("place", 20), ("log.channel", 9), ("alert", 5), ("race", 7), ("stature", 5),
    ],
)  # fmt: skip
def test_every_family_of_words_is_told_whole(family: str, fewest: int) -> None:
    assert sum(key.startswith(f"{family}.") for key in ENTRIES) >= fewest


def test_who_the_hero_is_by_birth_has_words() -> None:
    """The roster's races and statures, and every class a model's name can mean."""
    from configs.loader import hero_ids, load_hero
    from lore.identity import HeroClass

    heroes = [load_hero(name) for name in hero_ids()]
    known = {entry.label for key, entry in ENTRIES.items() if key.startswith(("race.", "stature.", "class."))}
    said = {hero.race for hero in heroes} | {hero.stature for hero in heroes} | set(get_args(HeroClass))
    assert said - known == set()


def test_the_book_says_of_effects_and_achievements_what_their_rules_ask() -> None:
    from lore.achievements import achievement_rules
    from lore.effects import effect_rules

    asked = {f"effect.{name}": rule.cause for name, rule in effect_rules().items()}
    asked |= {f"achievement.{name}": rule.deed for name, rule in achievement_rules().items()}
    assert {key: ENTRIES[key].technical.lower() for key in asked} == {key: f"{a}.".lower() for key, a in asked.items()}


def test_a_word_read_alone_is_the_word_of_the_book() -> None:
    assert {key: lexicon.known(key) for key in ENTRIES} == ENTRIES
    assert lexicon.known("no.such.word") is None
