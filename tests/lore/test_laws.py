"""The laws of the world that speak of the game, and their words."""

from __future__ import annotations

from dataclasses import replace

from lore.laws import Breach, laws, one_region, overlapping
from lore.world import Deed
from lore.world_rules import world_rules
from tests.lore.test_world import FOOTHILLS, folded


def test_there_are_fourteen_laws_in_two_voices() -> None:
    assert list(laws()) == [f"law-{n}" for n in range(1, 15)]
    for law in laws().values():
        assert law.text("plain") != law.text("tavern")
        assert law.plain.endswith(".") and law.tavern.endswith(".")


def test_a_hero_is_in_one_open_region() -> None:
    world, rules = folded(*FOOTHILLS)[0], world_rules()
    assert list(one_region(world, rules)) == []
    assert list(one_region(folded()[0], rules)) == [], "at the hearth, before the first step"
    assert [b.law for b in one_region(replace(world, here="atlantis"), rules)] == ["law-1"]
    assert [b.law for b in one_region(replace(world, here="summit"), rules)] == ["law-1"]
    assert list(one_region(replace(world, here="summit", unlocked={"summit": Deed(1, None, "")}), rules)) == []


def test_no_stretch_is_blessed_twice() -> None:
    assert list(overlapping([(1, 10), (11, 20)])) == []
    assert list(overlapping([(11, 20), (1, 11)])) == [
        Breach("law-13", "steps 11–20", "steps up to 11 were blessed before")
    ]
    assert len(list(overlapping([(1, 100), (5, 6), (50, 60)]))) == 2
