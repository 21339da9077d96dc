"""A model folder that cannot be trusted or is not whole is refused before anything of it is loaded, and says why."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub.utils._paths import filter_repo_objects
from safetensors.torch import load_file, save_file

from configs.errors import RealmError
from engine.hero.folder import check_folder, find_folder, fingerprint
from engine.hero.loading import load_folder, load_pretrained
from engine.hero.model import save_folder
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


def bring_code(folder: Path, model_type: str) -> None:
    change(folder, model_type=model_type, auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"})
    (folder / "modeling_mine.py").write_text("raise SystemExit('this must never run')")


def test_a_model_that_only_its_own_code_can_compute(folder: Path) -> None:
    bring_code(folder, "squid")
    error = refusal(folder)
    assert error.code == "REMOTE_CODE" and "squid" in error.why and "never run here" in error.fix


def test_code_beside_a_model_that_transformers_knows_is_never_run(folder: Path, tmp_path: Path) -> None:
    """Phi-3.5 is published like this."""
    bring_code(folder, "llama")
    hero = load_pretrained(hero_on(folder, "llama"), PLACEMENT)
    assert type(hero.model).__module__ == "transformers.models.llama.modeling_llama"
    save_folder(hero, hero.weights(), tmp_path / "saved")
    assert "auto_map" not in json.loads((tmp_path / "saved" / "config.json").read_text())


def test_a_tokenizer_that_brings_code(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    mine = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["tokenization_mine.Mine", None]}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **mine}))
    (folder / "tokenization_mine.py").write_text("raise SystemExit('this must never run')")
    error = refusal(folder)
    assert error.code == "REMOTE_CODE" and "Mine" in error.why


def test_a_model_that_was_quantised_before(folder: Path) -> None:
    change(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    assert refusal(folder).code == "MODEL_QUANTISED"


def test_a_shard_that_is_missing_is_named(folder: Path) -> None:
    parts = {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / parts["a.weight"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    error = refusal(folder)
    assert "model-00002-of-00002.safetensors is missing (1 of 2 parts)" in error.why


def test_a_vocabulary_of_another_model(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    for token in tokenizer["added_tokens"]:
        token["id"] += 900
    tokenizer["model"]["vocab"] |= {f"foreign{n}": len(tokenizer["model"]["vocab"]) + n for n in range(900)}
    path.write_text(json.dumps(tokenizer))
    error = refusal(folder)
    assert "does not belong to its model" in error.what and "the model knows" in error.why


def test_a_folder_without_a_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    assert refusal(folder).code == "MODEL_DAMAGED"


def test_weights_cut_off_in_the_middle(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    assert refusal(folder).code == "MODEL_DAMAGED"


def test_weights_of_another_shape(folder: Path) -> None:
    change(folder, intermediate_size=96)
    error = refusal(folder)
    assert error.code == "MODEL_DAMAGED" and "size" in error.why.lower()


def test_a_weight_that_is_missing_is_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "model.layers.1.mlp.up_proj.weight" in refusal(folder).why


def test_an_adapter_named_as_a_model(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")
    error = refusal(folder)
    assert error.code == "MODEL_MISSING" and "holds an adapter" in error.why


def test_of_a_repository_on_the_hub_neither_pickles_nor_code_nor_doubles_are_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ["config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json"]
    left = ["consolidated.safetensors", "original/params.json", "modeling_mine.py", "pytorch_model.bin", "x.gguf"]
    taken: list[str] = []

    def download(name: str, *, local_files_only: bool, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
        taken.extend(filter_repo_objects(there + left, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    hero = hero_on(folder, "llama")
    hero = hero.model_copy(update={"model": hero.model.model_copy(update={"path": None})})
    assert find_folder(hero) == folder
    assert taken == there


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


def test_a_fingerprint_does_not_feel_the_same_weights_in_another_houses_form(folder: Path) -> None:
    parts = {"a.weight": "model-00001-of-00001.safetensors"}
    (folder / "model.safetensors").rename(folder / parts["a.weight"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    before = fingerprint(folder)
    (folder / "consolidated.safetensors").write_bytes(b"the same once more")
    assert fingerprint(folder) == before
