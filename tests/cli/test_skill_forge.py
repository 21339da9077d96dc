"""``realm skill new``, ``review`` and ``measure``: a new discipline from samples, as a player goes about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from configs.declared import read_declared
from skills.forge.consistency import unseen
from skills.forge.proposal import find_own
from skills.forge.samples import read_samples
from skills.registry import forget, get_skill
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]


@pytest.fixture(autouse=True)
def anew(home: Path) -> Iterator[None]:
    forget()
    yield
    forget()


def samples(folder: Path, odd: int = 0) -> Path:
    lines = [
        {"prompt": f"{a} pears and {b} plums: how many?", "answer": str(a + b)}
        for a in range(3, 11)
        for b in range(2, 9)
    ]
    lines += [{"prompt": f"Say anything about {n} or {n * n % 17}", "answer": str(n * 7919 % 101)} for n in range(odd)]
    path = folder / "fruit.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def test_from_samples_to_a_skill_that_may_be_trained(realm: Realm, tmp_path: Path) -> None:
    told = realm("skill", "new", "--from", str(samples(tmp_path)))
    assert told.code == 0
    assert "a + b" in told.out and "the samples support it" in told.out
    assert "fruit" not in {one["id"] for one in realm("skill", "list", "--json").json}
    shown = realm("skill", "sample", "fruit", "--level", "1", "--count", "3")
    assert shown.code == 0 and "pears" in shown.out
    accepted = realm("skill", "review", "fruit", "--accept", "--note", "sound", "--json").json
    assert accepted["review"]["state"] == "accepted" and accepted["review"]["note"] == "sound"
    assert "fruit" in {one["id"] for one in realm("skill", "list", "--json").json}
    assert "accepted" in realm("skill", "review", "fruit").out
    realm("skill", "review", "fruit", "--reject")
    assert realm("skill", "sample", "fruit", "--level", "1").code == 3


def test_the_machine_form_says_what_was_found_and_what_was_not(realm: Realm, tmp_path: Path) -> None:
    path = samples(tmp_path, odd=40)
    told = realm("skill", "new", "--from", str(path), "--id", "mixed", "--json").json
    assert told["operations"][0]["answer"] == "a + b"
    assert sum(len(lines) for lines in told["unexplained"].values()) > 20
    assert told["doubts"] and told["checks"]["consistent"] is False
    assert realm("skill", "review", "mixed", "--accept").code == 3
    assert realm("skill", "review", "mixed", "--accept", "--anyway").code == 0


def test_what_cannot_be_forged_or_reviewed_says_why(realm: Realm, tmp_path: Path) -> None:
    path = samples(tmp_path)
    assert realm("skill", "new", "--from", str(tmp_path / "none.jsonl")).code == 2
    assert realm("skill", "new", "--from", str(path), "--id", "bin").code == 2
    assert realm("skill", "new", "--from", str(path)).code == 0
    assert realm("skill", "new", "--from", str(path)).code == 3
    assert realm("skill", "new", "--from", str(path), "--replace").code == 0
    assert realm("skill", "review", "fruits").code == 2
    assert "fruit" in realm("skill", "review", "fruits").err
    assert realm("skill", "review", "fruit", "--accept", "--reject").code == 2


@pytest.mark.engine
def test_a_skill_is_measured_on_a_newborn_hatchling(realm: Realm, tmp_path: Path) -> None:
    path = samples(tmp_path)
    realm("skill", "new", "--from", str(path), "--levels", "1")
    gain = realm("skill", "measure", "fruit", "--steps", "3", "--from", str(path), "--json").json
    assert gain["steps"] == 3 and gain["examples"] == 96
    (level,) = gain["levels"]
    assert level["items"] > 0 and level["before"] is not None and level["after"] is not None
    assert gain["samples"]["items"] > 0
    assert "learnt it alone" in realm("skill", "review", "fruit").out
    assert realm("skill", "measure", "nonsense", "--steps", "3").code == 2


def test_samples_that_training_may_have_met_are_not_asked(realm: Realm, tmp_path: Path) -> None:
    path = samples(tmp_path)
    realm("skill", "new", "--from", str(path))
    realm("skill", "review", "fruit", "--accept")
    forget()
    skill = get_skill("fruit")
    trained = {skill.generate(5, index, "train").prompt for index in range(2000)}
    pairs = unseen(read_declared(find_own("fruit")), read_samples(path).found)
    assert 4 <= len(pairs) <= 20
    assert not {prompt for prompt, _ in pairs} & trained


@pytest.mark.full
@pytest.mark.engine
def test_a_forged_skill_teaches_what_its_samples_ask(realm: Realm, tmp_path: Path) -> None:
    r = Random(4)
    numbers = [r.randint(1, 999) for _ in range(300)]
    lines = [{"prompt": f"Is {n} even or odd?", "answer": "odd" if n % 2 else "even"} for n in numbers]
    path = tmp_path / "parity.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    realm("skill", "new", "--from", str(path), "--levels", "1")
    gain = realm("skill", "measure", "parity", "--steps", "300", "--from", str(path), "--json").json
    assert gain["samples"]["items"] >= 40
    assert gain["samples"]["before"] < 0.2
    assert gain["samples"]["after"] > 0.9
    assert gain["levels"][0]["after"] > 0.9
