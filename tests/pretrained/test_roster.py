"""Every hero that ships can be loaded, is complete, and its kind of model really trains with its YAML."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from rich.cells import cell_len

from configs.loader import hero_ids, load_game, load_hero
from engine.batch import make_batches
from engine.chat.template import encode_messages, with_system
from engine.hero.loading import load_pretrained
from engine.placement import choose
from engine.step import StepLoop
from saves.checkpoint_folder import files_in
from skills.registry import get_skill
from tests.pretrained.standin import Family, make_folder
from tests.trainer.conftest import EASY

ROSTER = {
    "dana-phi3.5-mini": ("DANA", "Halfling", 1e-4, 1, 16),
    "dio-qwen3-0.6b": ("DIO", "Sprite", 4e-4, 1, 16),
    "flo-qwen3-4b": ("FLO", "Human", 1e-4, 2, 16),
    "gou-qwen3-4b": ("GOU", "Human", 1e-4, 1, 8),
    "kavi-qwen2.5-7b": ("KAVI", "Human", 1e-4, 1, 8),
    "miro-mistral-7b": ("MIRO", "Human", 1e-4, 1, 8),
    "neko-qwen2.5-3b": ("NEKO", "Halfling", 2e-4, 1, 16),
    "ojas-qwen3-8b": ("OJAS", "Human", 5e-5, 1, 8),
    "omo-smollm2-1.7b": ("OMO", "Halfling", 3e-4, 2, 8),
    "pip-hatchling": ("PIP", "Sprite", 3e-3, 32, 1),
    "tomo-qwen3-1.7b": ("TOMO", "Halfling", 3e-4, 1, 16),
    "zara-qwen3-14b": ("ZARA", "Human", 3e-5, 1, 16),
}
METHODS = {
    "flo-qwen3-4b": ("full", "paged_adamw_8bit"),
    "gou-qwen3-4b": ("qlora", "paged_adamw_32bit"),
    "kavi-qwen2.5-7b": ("galore", "galore_adamw_8bit"),
    "miro-mistral-7b": ("galore", "galore_adamw_8bit"),
    "ojas-qwen3-8b": ("qlora", "paged_adamw_32bit"),
    "pip-hatchling": ("full", "muon"),
    "zara-qwen3-14b": ("qlora", "paged_adamw_8bit"),
}
STANDINS = ("dio-qwen3-0.6b", "neko-qwen2.5-3b", "omo-smollm2-1.7b", "tomo-qwen3-1.7b")
"""Heroes whose kind of folder `make_folder` makes."""


@pytest.fixture(autouse=True)
def only_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))


def test_the_roster_is_the_published_one() -> None:
    assert hero_ids() == sorted(ROSTER)
    for hero_id, (name, stature, rate, size, accumulation) in ROSTER.items():
        hero = load_hero(hero_id)
        assert load_hero(hero_id.split("-")[0]) == hero
        training = hero.training
        assert (hero.name, hero.stature) == (name, stature)
        assert (training.learning_rate, training.batch_size, training.accumulation) == (rate, size, accumulation)
        assert (training.method, training.optimizer) == METHODS.get(hero_id, ("full", "adamw"))


@pytest.mark.parametrize("hero_id", sorted(ROSTER))
def test_every_shipped_hero_is_complete(hero_id: str) -> None:
    hero = load_hero(hero_id)
    assert hero.description and hero.title.startswith(f"{hero.name}, ")
    assert hero.skills.keys() == hero.floors.keys()
    for skill_id, mix in hero.skills.items():
        assert mix in get_skill(skill_id).config.mixes
    assert len({cell_len(line) for line in hero.display.portrait}) == 1, "the portrait's lines are equally wide"
    assert cell_len(hero.display.emoji) == 2
    if hero.model.source == "pretrained":
        assert hero.system_prompt == "Today is {date}. You are happy. You enjoy helping others."
        assert hero.training.batch_tokens >= hero.model.context_length
        assert hero.model.name.count("/") == 1


@pytest.mark.parametrize("hero_id", STANDINS)
def test_a_model_of_the_heros_family_trains_as_its_yaml_says(hero_id: str, tmp_path: Path) -> None:
    hero = load_hero(hero_id)
    made = make_folder(tmp_path / "model", family=cast(Family, hero.model.family), eos="<|endoftext|>")
    found = hero.model_copy(update={"model": hero.model.model_copy(update={"path": str(made)})})
    placement = choose(found, load_game(EASY).engine)
    loaded = load_pretrained(found, placement)
    loop = StepLoop(loaded, placement)
    skill = get_skill("bin")
    problems = [skill.generate(2, i, "train", "full") for i in range(16)]
    items = [
        encode_messages(
            loaded,
            with_system(
                [{"role": "user", "content": p.prompt}, {"role": "assistant", "content": p.answer}], "Today is a day."
            ),
        )
        for p in problems
    ]
    batches = make_batches(items, max_tokens=hero.training.batch_tokens)
    outcomes = [loop.train(batches) for _ in range(12)]
    assert all(o.finite for o in outcomes)
    assert outcomes[-1].loss < outcomes[0].loss
    assert outcomes[0].trained_tokens == sum(i.trained_tokens for i in items)
    assert len(files_in(made)) == len({p.name for p in made.iterdir()}), "the model's folder is only read"
