"""The catalogue of primitives: one name for one thing, and a generator with a ladder behind every name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pytest import MonkeyPatch

from configs import catalogue
from configs.catalogue import PASSIVES, drawn_on, find_primitive, passive_primitives, primitive_id, primitives
from configs.errors import RealmError, UsageError
from configs.schema import UnifiedPrimitives
from skills.primitives.catalogue import kinds
from skills.registry import get_skill, skill_ids


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


def test_skills_name_the_unified_primitives_they_draw_on() -> None:
    for name in skill_ids():
        drawn = drawn_on(get_skill(name).config.unified)
        assert all(primitives()[primitive].unified for primitive in drawn)
    assert drawn_on(get_skill("bin").config.unified)[:2] == ("logic_chain", "xfm_encode")
    every = UnifiedPrimitives(primary=("seq_*",), touched=("reverse_string",))
    assert drawn_on(every) == ("seq_continue", "seq_reverse", "seq_transform", "seq_interleave", "seq_extract")


def test_there_are_twenty_nine_unified_primitives() -> None:
    beginnings = Counter(p.id.partition("_")[0] for p in primitives().values() if p.unified)
    assert beginnings == {"seq": 5, "logic": 5, "mem": 4, "fmt": 5, "attn": 5, "xfm": 5}


def test_a_name_used_twice_and_a_circle_of_prerequisites_are_refused(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    def read(text: str) -> None:
        (tmp_path / "tricks.yaml").write_text(text)
        monkeypatch.setattr(catalogue, "_files", lambda: [tmp_path / "tricks.yaml"])
        catalogue.primitives.__wrapped__()

    head = "track: tricks\ndescription: Tricks.\nentries:\n"
    entry = "  {id}: {{name: A, description: b, difficulty: 1, {more}}}\n"
    with pytest.raises(RealmError, match="cannot be used") as told:
        read(head + entry.format(id="one", more="aliases: [two]") + entry.format(id="two", more="tags: []"))
    assert "two is the name of one and of two" in told.value.why
    with pytest.raises(RealmError) as told:
        read(
            head
            + entry.format(id="one", more="prerequisites: [two]")
            + entry.format(id="two", more="prerequisites: [one]")
        )
    assert "circle" in told.value.why
    with pytest.raises(RealmError) as told:
        read(head + entry.format(id="one", more="passives: [juggling]"))
    assert "juggling" in told.value.why
    with pytest.raises(RealmError) as told:
        read(head + entry.format(id="one", more="dificulty: 2"))
    assert "did you mean `difficulty`" in told.value.why
