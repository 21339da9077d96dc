"""The catalogue of primitives: one name for one thing, and a generator with a ladder behind every name."""

from __future__ import annotations

import pytest

from configs.catalogue import PASSIVES, find_primitive, passive_primitives, primitive_id, primitives
from configs.errors import UsageError
from skills.primitives.catalogue import kinds
from skills.registry import get_skill


def test_every_entry_has_a_generator_that_reports_under_its_id() -> None:
    skill = get_skill("prim")
    assert set(kinds()) == set(primitives()) == set(skill.operations(10, "full"))
    for name in primitives():
        assert skill.generate(1, 0, "train", operation=name).primitives[0] == name


def test_two_names_of_one_thing_are_one_entry() -> None:
    assert primitive_id("reverse_string") == primitive_id("seq_reverse") == "seq_reverse"
    assert find_primitive("sequence/seq_reverse@v1").key == "sequence/seq_reverse@v1"
    with pytest.raises(UsageError, match="seq_revers") as told:
        primitive_id("seq_revers")
    assert told.value.code == "UNKNOWN_PRIMITIVE" and "seq_reverse" in told.value.why


def test_each_track_and_passive_is_a_mix() -> None:
    mixes = get_skill("prim").config.mixes
    for primitive in primitives().values():
        assert primitive.id in mixes[f"track_{primitive.track}"].operations
    for passive in PASSIVES:
        if asked := passive_primitives(passive):
            assert tuple(mixes[f"passive_{passive}"].operations) == asked
    with pytest.raises(UsageError):
        passive_primitives("juggling")
