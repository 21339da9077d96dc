"""A hero's folder is a plain Hugging Face folder; a hero that is not there says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.errors import BlockedError, RealmError
from configs.loader import load_game
from configs.schema import EngineRules
from engine.chat.template import encode_prompt
from engine.hero.loading import load_folder, load_pretrained
from engine.hero.model import save_folder
from engine.placement import Placement, choose
from engine.step import StepLoop
from tests.model.heroes import PLACEMENT, batches, dio_config, hatchling, pip_config, qwen_folder, unsettle


def test_pip_is_small_and_the_same_for_the_same_seed() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = hatchling(seed=1), hatchling(seed=1), hatchling(seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.parameters == 510_944
    assert all(torch.equal(a, same.weights()[n]) for n, a in one.weights().items())
    assert not torch.equal(one.weights()["model.embed_tokens.weight"], other.weights()["model.embed_tokens.weight"])
    assert one.context_length >= 512


def test_plain_transformers_loads_a_saved_hatchling_with_identical_logits(tmp_path: Path) -> None:
    hero = hatchling()
    unsettle(hero)
    loop = StepLoop(hero, PLACEMENT)
    for step in batches(hero, 3):
        loop.train(step)
    save_folder(hero, loop.exam_weights(), tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    messages = [{"role": "user", "content": "Compute: xor(⓪①, ①①) 🐣"}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=False)
    assert ids[0].tolist() == encode_prompt(hero, messages)
    with torch.no_grad(), loop.examined():
        assert torch.equal(model(ids).logits, hero.model(ids).logits)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.generation_config.eos_token_id == list(hero.stop_ids)
    with safe_open(tmp_path / "model.safetensors", "pt") as weights:
        assert "lm_head.weight" not in weights.keys()  # noqa: SIM118
    assert json.loads((tmp_path / "config.json").read_text())["tie_word_embeddings"] is True


def test_a_hero_with_a_bpe_tokenizer_is_loaded_trained_and_saved(tmp_path: Path) -> None:
    hero = load_pretrained(dio_config(qwen_folder(tmp_path / "hub")), PLACEMENT)
    loop = StepLoop(hero, PLACEMENT)
    steps = batches(hero, 1)
    losses = [loop.train(steps[0]).loss for _ in range(15)]
    assert losses[-1] < losses[0] - 0.5
    save_folder(hero, loop.exam_weights(), tmp_path / "out")
    again = load_folder(hero.config, tmp_path / "out", PLACEMENT)
    for name, weight in hero.weights().items():
        assert torch.equal(weight, again.weights()[name]), name
    assert not torch.equal(again.model.lm_head.weight, again.model.model.embed_tokens.weight)
    assert again.tokenizer.chat_template == hero.tokenizer.chat_template


def test_a_missing_model_is_named_with_the_places_that_were_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BlockedError, match=r"Qwen/NoSuchHero-0.1B is not on this machine") as refusal:
        load_pretrained(dio_config(name="Qwen/NoSuchHero-0.1B"), PLACEMENT)
    assert "the cache" in refusal.value.why
    assert "switched off" in refusal.value.why
    assert "model.path" in refusal.value.fix
    assert refusal.value.exit_code == 3
    with pytest.raises(BlockedError, match="no such folder"):
        load_pretrained(dio_config(tmp_path / "nowhere"), PLACEMENT)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BlockedError, match=r"no config\.json"):
        load_pretrained(dio_config(tmp_path / "empty"), PLACEMENT)


def test_a_damaged_folder_gives_one_clear_message(tmp_path: Path) -> None:
    hero = hatchling()
    save_folder(hero, hero.weights(), tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RealmError, match="cannot be loaded"):
        load_folder(hero.config, tmp_path, PLACEMENT)
    weights = hero.weights()
    del weights["model.norm.weight"]
    save_folder(hero, weights, tmp_path)
    with pytest.raises(RealmError, match=r"lacks model\.norm\.weight"):
        load_folder(hero.config, tmp_path, PLACEMENT)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(RealmError, match="has no weights"):
        load_folder(hero.config, tmp_path, PLACEMENT)


def test_the_placement_is_chosen_once_and_then_taken_as_recorded() -> None:
    rules = load_game().engine
    chosen = choose(pip_config(), rules.model_copy(update={"device": "cpu"}))
    assert (chosen.device, chosen.threads, chosen.kernel, chosen.weights) == ("cpu", 1, "lean", "float32")
    recorded = {**chosen.as_dict(), "matmul": "high", "threads": 3}
    assert choose(pip_config(), rules, recorded) == Placement.from_dict(recorded)
    with pytest.raises(RealmError, match="placement"):
        choose(pip_config(), rules, {"device": "cpu"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device whose absence is tested")
def test_a_device_that_is_not_there_is_said_so() -> None:
    with pytest.raises(BlockedError, match="'cuda', which is not available"):
        choose(pip_config(), EngineRules.model_validate({"device": "cuda"}))
    with pytest.raises(BlockedError, match="this campaign trains on 'cuda'"):
        choose(pip_config(), load_game().engine, {**PLACEMENT.as_dict(), "device": "cuda"})
