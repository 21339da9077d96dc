"""`realm hero new --from`: a hero for any model a player has, from the model's own folder, shown to fit before it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from configs.loader import load_game, load_hero
from engine.batch import make_batch
from engine.chat.template import encode_messages
from engine.hero.loading import load_pretrained
from engine.memory.shape import parameters
from engine.placement import choose
from engine.step import StepLoop
from tests.cli.conftest import Answer
from tests.families.folders import FORMATS, TIED, make_folder

Realm = Callable[..., Answer]


@pytest.mark.parametrize("family", FORMATS)
def test_figures_context_and_turn_format_come_from_the_folder(realm: Realm, tmp_path: Path, family: str) -> None:
    folder = make_folder(tmp_path / "model", family)
    shown = realm("hero", "new", "zeno", "--from", str(folder), "--card", "24", "--dry-run", "--json").json
    model = shown["hero"]["model"]
    assert model["template"] == FORMATS[family]
    assert model["context_length"] == model["dimensions"]["max_context"] == 256
    assert model["dimensions"]["tied"] is (family in TIED)
    assert shown["memory"]["verdict"] == "fits"
    assert "zeno" not in realm("hero", "list").out, "a dry run writes nothing"
    realm("hero", "new", "zeno", "--from", str(folder), "--card", "24")
    hero = load_hero("zeno")
    assert hero.model.dimensions is not None
    torch.manual_seed(0)
    loaded = load_pretrained(hero, choose(hero, load_game().engine))
    counted = parameters(hero.model.dimensions)  # biases and the norms of heads are too few to be figures of a shape
    assert loaded.parameters == pytest.approx(counted, rel=0.01)


@pytest.mark.parametrize("method", ["full", "lora", "dora", "qlora", "lora_8bit", "galore"])
def test_a_hero_made_so_can_learn_by_every_method(realm: Realm, tmp_path: Path, method: str) -> None:
    folder = make_folder(tmp_path / "model", "phi3")
    answer = realm("hero", "new", "nero", "--from", str(folder), "--method", method, "--card", "4090")
    assert answer.code == 0 and "most at a time" in answer.out
    hero = load_hero("nero")
    assert hero.training.method == method
    placement = choose(hero, load_game().engine)
    loop = StepLoop(load_pretrained(hero, placement), placement)
    words = [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"}]
    assert loop.train([make_batch([encode_messages(loop.hero, words)])]).finite


def test_without_a_card_it_learns_in_full_and_the_context_can_be_chosen(realm: Realm, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", "qwen2")
    realm("hero", "new", "vero", "--from", str(folder), "--context", "128", "--name", "VERA", "--epithet", "the True")
    hero = load_hero("vero")
    assert (hero.title, hero.training.method, hero.model.context_length) == ("VERA, the True", "full", 128)
    too_long = realm("hero", "new", "oro", "--from", str(folder), "--context", "4096")
    assert too_long.code == 2 and "reads 256 tokens" in too_long.err


def test_what_is_no_model_is_refused_with_the_reason(
    realm: Realm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no hero, no folder and no model's name" in realm("hero", "new", "a", "--from", "nowhere").err
    folder = make_folder(tmp_path / "model", "llama")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "intermediate_size"}))
    assert "no intermediate_size" in realm("hero", "new", "a", "--from", str(folder)).err
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    assert "has no weights" in realm("hero", "new", "a", "--from", str(folder)).err
    deaf = make_folder(tmp_path / "deaf", "llama")
    spoken = json.loads((deaf / "tokenizer.json").read_text())
    spoken["added_tokens"] = []
    (deaf / "tokenizer.json").write_text(json.dumps(spoken))
    answer = realm("hero", "new", "a", "--from", str(deaf))
    assert answer.code == 1 and "speaks no turn format" in answer.err
    copied = realm("hero", "new", "a", "--from", "pip", "--method", "lora")
    assert copied.code == 2 and "not for a copy of a hero" in copied.err
    assert realm("hero", "new", "dio-qwen3-0.6b", "--from", str(deaf)).code == 2


def test_a_model_of_the_hub_that_cannot_be_reached_is_said_so(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    answer = realm("hero", "new", "a", "--from", "someone/some-model")
    assert answer.code == 3 and "nothing could be read of someone/some-model" in answer.err
