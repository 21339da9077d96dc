"""A model folder that cannot be trusted or is not whole is refused before anything of it is loaded, and says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from configs.errors import RealmError
from engine.hero.folder import check_folder, fingerprint
from engine.hero.loading import load_folder, load_pretrained
from tests.families.folders import hero_on, make_folder
from tests.model.heroes import PLACEMENT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "model", "llama")


def refusal(folder: Path) -> RealmError:
    with pytest.raises(RealmError) as found:
        load_pretrained(hero_on(folder, "llama"), PLACEMENT)
    return found.value


def change(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_folder_without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    error = refusal(folder)
    assert error.code == "MODEL_DAMAGED" and "has no weights" in error.what


def test_a_folder_whose_weights_are_pickles_is_never_opened(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    torch.save({"weights": Trap()}, folder / "pytorch_model.bin")
    error = refusal(folder)
    assert error.code == "PICKLED_WEIGHTS" and "pytorch_model.bin" in error.why
    assert not (tmp_path / "sprung").exists()


def test_pickles_beside_safetensors_are_left_alone(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"not looked at")
    assert load_folder(hero_on(folder, "llama"), folder, PLACEMENT).kind == "full"


def test_a_model_that_brings_code(folder: Path) -> None:
    change(folder, auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"})
    (folder / "modeling_mine.py").write_text("raise SystemExit('this must never run')")
    error = refusal(folder)
    assert error.code == "REMOTE_CODE" and "never run here" in error.fix


def test_a_model_that_was_quantised_before(folder: Path) -> None:
    change(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    assert refusal(folder).code == "MODEL_QUANTISED"


def test_a_shard_that_is_missing_is_named(folder: Path) -> None:
    parts = {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / parts["a.weight"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    error = refusal(folder)
    assert "model-00002-of-00002.safetensors is missing (1 of 2 parts)" in error.why


def test_a_vocabulary_of_another_model(folder: Path, tmp_path: Path) -> None:
    other = make_folder(tmp_path / "other", "phi3")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    for n in range(900):
        vocabulary[f"foreign{n}"] = len(vocabulary)
    for token in tokenizer["added_tokens"]:
        token["id"] += 900
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text((other / "tokenizer_config.json").read_text())
    hero = hero_on(folder, "phi3")
    with pytest.raises(RealmError, match=r"does not belong to its model|has no <"):
        load_pretrained(hero, PLACEMENT)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_config_that_is_not_one(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert refusal(folder).code == "MODEL_DAMAGED"


def test_an_architecture_nobody_knows(folder: Path) -> None:
    change(folder, model_type="squid", architectures=["SquidForCausalLM"])
    error = refusal(folder)
    assert error.code == "MODEL_DAMAGED" and "squid" in error.why


def test_a_fingerprint_tells_two_trainings_of_one_model_apart(folder: Path, tmp_path: Path) -> None:
    other = make_folder(tmp_path / "other", "llama", seed=1)
    again = make_folder(tmp_path / "again", "llama")
    check_folder(other)
    assert fingerprint(folder) == fingerprint(again) != fingerprint(other)
