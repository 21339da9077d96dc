"""Every family and every way to learn, on a random model of that very architecture: train, save, go on, load elsewhere, merge, answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.errors import RealmError
from configs.loader import load_game
from engine.batch import Batch, make_batch
from engine.chat.template import encode_messages, encode_prompt
from engine.generate import greedy
from engine.hero.folder import BASE_FILE
from engine.hero.loading import load_folder, load_pretrained
from engine.hero.model import Hero, save_folder
from engine.methods.adapters import assert_dtypes
from engine.methods.merge import merge
from engine.placement import Placement, choose
from engine.step import StepLoop
from tests.families.cells import CELLS, METHODS, PLAIN, Cell, table
from tests.families.folders import FORMATS, TIED, hero_on, make_folder

ADAPTERS = ("lora", "dora", "qlora", "lora_8bit")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("families")
    return {family: make_folder(top / family.replace(" ", "-"), family) for family in FORMATS}


def start(folder: Path, family: str, **training: Any) -> tuple[Hero, Placement]:
    config = hero_on(folder, family, **training)
    placement = choose(config, load_game().engine)
    torch.manual_seed(0)
    return load_pretrained(config, placement), placement


def talk(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"Compute {number} + {number + 1}"},
        {"role": "assistant", "content": f"answers: {2 * number + 1}"},
    ]


def steps(hero: Hero, count: int) -> list[list[Batch]]:
    return [[make_batch([encode_messages(hero, talk(3 * n + k)) for k in range(3)])] for n in range(count)]


@torch.no_grad()
def logits(model: Any, ids: list[int]) -> Tensor:
    model.eval()
    found: Tensor = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
    return found


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_cell_learns_saves_and_goes_on_to_the_bit(cell: Cell, folders: dict[str, Path], tmp_path: Path) -> None:
    rate = {"learning_rate": 0.05} if cell.optimizer == "sgd" else {}
    hero, placement = start(folders[cell.family], cell.family, method=cell.method, optimizer=cell.optimizer, **rate)
    frozen = {n: p.detach().clone() for n, p in hero.model.named_parameters() if not p.requires_grad}
    loop = StepLoop(hero, placement)
    work = steps(hero, 5)
    first = loop.train(work[0]).loss
    for batches in work[1:3]:
        loop.train(batches)
    tensors, facts = loop.state()
    save_folder(hero, loop.exam_weights(), tmp_path)
    save_file({n: t.contiguous() for n, t in tensors.items()}, tmp_path / "state.safetensors")
    going_on = [loop.train(batches).loss for batches in work[3:]]
    assert loop.train(work[0]).loss < first, "it learns"
    again = StepLoop(load_folder(hero.config, tmp_path, placement), placement)
    again.load(load_file(tmp_path / "state.safetensors"), facts)
    assert [again.train(batches).loss for batches in work[3:]] == going_on
    again.train(work[0])
    for name, weight in hero.weights().items():
        assert torch.equal(weight, again.hero.weights()[name]), name
    assert bool(frozen) is (cell.method in ADAPTERS)
    for name, p in hero.model.named_parameters():
        assert name not in frozen or torch.equal(p, frozen[name]), f"{name} is frozen"


@pytest.mark.parametrize("family", FORMATS)
def test_trap_10_a_trained_model_is_itself_in_bare_transformers(
    family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    hero, placement = start(folders[family], family)
    loop = StepLoop(hero, placement)
    for batches in steps(hero, 3):
        loop.train(batches)
    save_folder(hero, loop.exam_weights(), tmp_path)
    bare = AutoModelForCausalLM.from_pretrained(tmp_path)
    prompt = encode_prompt(hero, talk(1)[:1])
    assert torch.equal(logits(bare, prompt), logits(hero.model, prompt))
    tied = bare.get_output_embeddings().weight is bare.get_input_embeddings().weight
    assert tied is (family in TIED)
    assert ("lm_head.weight" in load_file(tmp_path / "model.safetensors")) is (family not in TIED)
    said = bare.generate(torch.tensor([prompt]), max_new_tokens=8, do_sample=False)[0, len(prompt) :].tolist()
    cut = next((n for n, token in enumerate(said) if token in hero.stop_ids), len(said))
    assert greedy(hero, [prompt], 8)[0] == said[:cut]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    rendered = tokenizer.apply_chat_template(talk(1)[:1], add_generation_prompt=True, tokenize=True, return_dict=False)
    assert rendered == prompt, "the template travels along"


@pytest.mark.parametrize("method", ["lora", "dora"])
@pytest.mark.parametrize("family", FORMATS)
def test_traps_11_and_26_an_adapter_is_itself_in_bare_peft_and_merged_into_full_weights(
    family: str, method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    hero, placement = start(folders[family], family, method=method)
    loop = StepLoop(hero, placement)
    for batches in steps(hero, 4):
        loop.train(batches)
    adapter, merged = tmp_path / "adapter", tmp_path / "merged"
    save_folder(hero, loop.exam_weights(), adapter)
    prompt = encode_prompt(hero, talk(1)[:1])
    mine = logits(hero.model, prompt)
    base = AutoModelForCausalLM.from_pretrained(folders[family])
    assert not torch.allclose(logits(base, prompt), mine, atol=1e-3), "training has changed it"
    assert torch.allclose(logits(PeftModel.from_pretrained(base, adapter), prompt), mine, atol=1e-5)
    merge(adapter, folders[family], merged)
    whole = AutoModelForCausalLM.from_pretrained(merged)
    assert torch.allclose(logits(whole, prompt), mine, atol=1e-4)
    assert (whole.get_output_embeddings().weight is whole.get_input_embeddings().weight) is (family in TIED)
    template = AutoTokenizer.from_pretrained(merged).chat_template
    assert template == AutoTokenizer.from_pretrained(adapter).chat_template == hero.template.jinja()
    assert whole.generation_config.eos_token_id == list(hero.stop_ids)


def test_trap_26_an_adapter_trained_on_four_bits_is_merged_into_the_full_weights(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    hero, placement = start(folders["qwen3"], "qwen3", method="qlora")
    loop = StepLoop(hero, placement)
    for batches in steps(hero, 3):
        loop.train(batches)
    save_folder(hero, loop.exam_weights(), tmp_path / "adapter")
    merge(tmp_path / "adapter", folders["qwen3"], tmp_path / "merged")
    base = load_file(folders["qwen3"] / "model.safetensors")
    whole = load_file(tmp_path / "merged" / "model.safetensors")
    assert {t.dtype for t in whole.values()} == {torch.float32}
    given = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    name = "model.layers.1.mlp.up_proj"
    a, b = (given[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
    assert torch.allclose(whole[f"{name}.weight"], base[f"{name}.weight"] + (b @ a) * (8 / 4), atol=1e-6)
    assert torch.equal(whole["model.embed_tokens.weight"], base["model.embed_tokens.weight"])


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_trap_26_a_half_precision_base_is_merged_with_one_rounding(
    method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(folders["phi3"], base)
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    hero, placement = start(base, "phi3", method=method)
    loop = StepLoop(hero, placement)
    for batches in steps(hero, 4):
        loop.train(batches)
    save_folder(hero, loop.exam_weights(), tmp_path / "adapter")
    merge(tmp_path / "adapter", base, tmp_path / "merged")
    exact = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base).float(), tmp_path / "adapter")
    wanted = exact.merge_and_unload().state_dict()
    whole = load_file(tmp_path / "merged" / "model.safetensors")
    assert {t.dtype for t in whole.values()} == {torch.bfloat16}
    for name, tensor in whole.items():
        assert torch.equal(tensor, wanted[name].bfloat16()), name


@pytest.mark.parametrize("method", ADAPTERS)
def test_an_average_is_kept_of_the_adapter_alone(method: str, folders: dict[str, Path], tmp_path: Path) -> None:
    hero, placement = start(folders["qwen2"], "qwen2", method=method, ema_decay=0.9)
    loop = StepLoop(hero, placement)
    work = steps(hero, 4)
    for batches in work[:3]:
        loop.train(batches)
    save_folder(hero, loop.exam_weights(), tmp_path)
    tensors, facts = loop.state()
    tensors = {n: t.clone() for n, t in tensors.items()}
    assert set(loop.exam_weights()) == set(hero.weights())
    loop.train(work[3])
    again = StepLoop(load_folder(hero.config, tmp_path, placement), placement)
    again.load(tensors, facts)
    again.train(work[3])
    assert again.evaluate(work[0]) == loop.evaluate(work[0])
    for name, weight in loop.exam_weights().items():
        assert torch.equal(weight, again.exam_weights()[name]), name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
def test_trap_12_the_dtype_of_every_trained_weight_is_what_was_asked(
    method: str, weights: str, folders: dict[str, Path]
) -> None:
    optimizer = "galore_adamw" if method == "galore" else "adamw"
    hero, placement = start(
        folders["llama"], "llama", method=method, optimizer=optimizer, weights=weights, precision="bfloat16"
    )
    wanted = torch.float32 if method in ADAPTERS else getattr(torch, weights)
    assert {p.dtype for p in hero.weights().values()} == {wanted}
    if weights == "bfloat16" and method in ("lora", "qlora", "lora_8bit"):
        seen: set[torch.dtype] = set()
        for name, module in hero.model.named_modules():
            if name.endswith("lora_A.default"):
                module.register_forward_pre_hook(lambda _, given: seen.add(given[0].dtype))
        StepLoop(hero, placement).train(steps(hero, 1)[0])
        assert seen == {torch.bfloat16}, "no input is blown up to fp32"
    changed = next(p for p in hero.model.parameters() if p.requires_grad)
    changed.data = changed.data.half()
    with pytest.raises(RealmError, match=r"would be trained as torch\.float16"):
        assert_dtypes(hero.model, hero.config.training, placement)


@pytest.mark.parametrize("family", FORMATS)
def test_trap_27_answers_do_not_depend_on_who_is_asked_beside(family: str, folders: dict[str, Path]) -> None:
    hero, _ = start(folders[family], family)
    hero.model.eval()
    prompts = [encode_prompt(hero, talk(10**n)[:1]) for n in range(6)]
    assert greedy(hero, prompts, 6, batch_size=6) == [greedy(hero, [p], 6)[0] for p in prompts]


def test_an_adapter_of_another_base_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    hero, placement = start(folders["llama"], "llama", method="lora")
    save_folder(hero, hero.weights(), tmp_path / "adapter")
    other = hero_on(make_folder(tmp_path / "other", "llama", seed=1), "llama", method="lora")
    with pytest.raises(RealmError, match="was trained on another model") as refusal:
        load_folder(other, tmp_path / "adapter", placement)
    assert refusal.value.code == "CHECKPOINT_FOREIGN"
    (tmp_path / "adapter" / BASE_FILE).unlink()
    assert load_folder(other, tmp_path / "adapter", placement).kind == "adapter", (
        "PEFT's own folders say no fingerprint"
    )


def test_an_adapter_of_another_rank_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    hero, placement = start(folders["llama"], "llama", method="lora")
    save_folder(hero, hero.weights(), tmp_path)
    wider = hero_on(folders["llama"], "llama", method="lora", adapter={"r": 8})
    with pytest.raises(RealmError, match="of another rank"):
        load_folder(wider, tmp_path, placement)
    whole = hero_on(folders["llama"], "llama")
    with pytest.raises(RealmError, match="holds an adapter"):
        load_folder(whole, tmp_path, placement)


@pytest.mark.parametrize(
    ("wanted", "reason"), [(["q_proj", "lm_head"], "lm_head gets no adapter"), (["wqkv"], "no layer called wqkv")]
)
def test_trap_11_adapters_stay_away_from_a_shared_head_and_from_layers_that_are_not_there(
    wanted: list[str], reason: str, folders: dict[str, Path]
) -> None:
    with pytest.raises(RealmError, match=reason):
        start(folders["qwen3"], "qwen3", method="lora", adapter={"target_modules": wanted})


def test_the_cells_cover_every_pair_of_family_and_method_and_of_method_and_optimizer() -> None:
    assert {(c.family, c.method) for c in CELLS} == {(f, m) for f in FORMATS for m in METHODS}
    plain = {(c.method, c.optimizer) for c in CELLS if c.method != "galore"}
    assert plain == {(m, o) for m in METHODS if m != "galore" for o in PLAIN}


def test_the_papers_show_the_cells_that_are_run() -> None:
    papers = Path(__file__).parents[2] / "docs" / "DEVELOPMENT.md"
    assert table() in papers.read_text(encoding="utf-8")
