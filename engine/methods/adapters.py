"""LoRA, DoRA, QLoRA and LoRA on an 8-bit base: peft's layers inside the model's own class, and PEFT's folder on disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from configs.errors import RealmError
from configs.schema import HeroConfig
from configs.training import HeroTraining
from engine.hero.folder import BASE_FILE, fingerprint
from engine.placement import Placement

NAME = "default"
_WEIGHTS = "adapter_model.safetensors"
_ROOT = "base_model.model."
"""What PEFT writes before the model's own names."""
_FUSED = {
    "q_proj": "qkv_proj",
    "k_proj": "qkv_proj",
    "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
}
"""Where some families (Phi) keep several projections in one matrix."""
_OUTER = ("embed_tokens", "lm_head")


def quantisation(training: HeroTraining, placement: Placement) -> dict[str, Any]:
    """What `from_pretrained` is told so that it loads the frozen base in 4 or 8 bits; nothing for other methods."""
    if training.method not in ("qlora", "lora_8bit"):
        return {}
    from transformers import BitsAndBytesConfig

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    place = {"": 0 if placement.device == "cuda" else placement.device}
    if training.method == "lora_8bit":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True), "device_map": place}
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=training.adapter.double_quant,
        bnb_4bit_compute_dtype=torch.bfloat16 if placement.compute == "bfloat16" else torch.float32,
    )
    return {"quantization_config": config, "device_map": place}


def target_modules(model: Any, wanted: tuple[str, ...]) -> list[str]:
    """The linear layers of ``model`` that get an adapter, by the last part of their names.

    Raises:
        RealmError: one of them is the embedding or the head, or the model has none of that name.
    """
    here = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    found: dict[str, None] = {}
    for name in wanted:
        if name in _OUTER:
            raise RealmError(
                f"{name} gets no adapter",
                why="in many models embedding and head are one tensor: an adapter on one would be lost when they are merged",
                fix="take it out of `adapter.target_modules`",
                code="BAD_ADAPTER",
            )
        own = name if name in here else _FUSED.get(name)
        if own is None or own not in here:
            raise RealmError(
                f"{type(model).__name__} has no layer called {name}",
                why=f"its linear layers are {', '.join(sorted(n for n in here if n.endswith('_proj')))}",
                fix="name its own layers in `adapter.target_modules`",
                code="BAD_ADAPTER",
            )
        found[own] = None
    return list(found)


def give_adapter(model: Any, config: HeroConfig) -> Any:
    """Freeze the model and put adapters beside its linear layers; the model keeps its class and its own names.

    The adapters' weights are fp32 whatever the base is, and their products are made in the base's arithmetic.
    """
    from peft import LoraConfig, inject_adapter_in_model

    training = config.training
    lora = LoraConfig(
        r=training.adapter.r,
        lora_alpha=training.adapter.alpha,
        lora_dropout=training.adapter.dropout,
        target_modules=target_modules(model, training.adapter.target_modules),
        use_dora=training.method == "dora",
        task_type="CAUSAL_LM",
        base_model_name_or_path=config.model.name or config.model.path,
    )
    model.requires_grad_(False)
    inject_adapter_in_model(lora, model, adapter_name=NAME)
    for module in model.modules():
        # PEFT would turn every input into fp32 first; inside autocast that only costs memory.
        if getattr(module, "cast_input_dtype_enabled", None) is not None:
            module.cast_input_dtype_enabled = False
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.float()
    return model


def assert_dtypes(model: Any, training: HeroTraining, placement: Placement) -> None:
    """Refuse to train weights that some library has silently given another dtype.

    Raises:
        RealmError: naming the first such weight.
    """
    expected = torch.float32 if training.adapted else placement.weights_dtype
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    wrong = {name: p.dtype for name, p in trained.items() if p.dtype is not expected}
    if training.adapted:
        wrong |= {name: p.dtype for name, p in trained.items() if ".lora_" not in name}
    if wrong or not trained:
        name, dtype = next(iter(wrong.items()), ("no weight", None))
        raise RealmError(
            f"{name} would be trained as {dtype}",
            why=f"method {training.method} trains {expected} weights only; {len(wrong)} of {len(trained)} are not",
            fix="report it with the output of `realm doctor`; versions of peft and transformers may not fit",
            code="WRONG_DTYPE",
        )


def save_adapter(model: Any, weights: Mapping[str, Tensor], path: Path, base: Mapping[str, str]) -> None:
    """Write PEFT's folder: configuration, the adapters' weights, and which base they belong to.

    Args:
        model: the model with adapters inside.
        weights: the adapters' weights by the model's names.
        path: an existing folder.
        base: name and fingerprint of the base.
    """
    lora = model.peft_config[NAME] if hasattr(model, "peft_config") else _config_of(model)
    held = lora.inference_mode
    lora.inference_mode = True
    lora.save_pretrained(str(path))
    lora.inference_mode = held
    save_file(
        {_outside(n): t.detach().contiguous() for n, t in weights.items()}, path / _WEIGHTS, metadata={"format": "pt"}
    )
    (path / BASE_FILE).write_text(json.dumps(dict(base), sort_keys=True, indent=1), encoding="utf-8")


@torch.no_grad()
def load_adapter(model: Any, path: Path, base: Path) -> None:
    """Fill a model's adapters from PEFT's folder.

    Raises:
        RealmError: the adapter belongs to another base, or has other weights than this hero's adapters.
    """
    check_base(path, base)
    given = load_file(path / _WEIGHTS)
    mine = {_outside(name): p for name, p in model.named_parameters() if p.requires_grad}
    odd = sorted(set(given) ^ set(mine))
    shapes = [n for n in set(given) & set(mine) if given[n].shape != mine[n].shape]
    if odd or shapes:
        raise RealmError(
            f"the adapter in {path} does not fit this hero",
            why=f"{(odd or shapes)[0]} is {'in only one of the two' if odd else 'of another rank'}",
            fix="set `training.adapter` in the hero's YAML back to what it was trained with",
            code="CHECKPOINT_FOREIGN",
        )
    for name, p in mine.items():
        p.copy_(given[name])


def check_base(path: Path, base: Path) -> None:
    """Refuse an adapter that was trained on other weights than those in ``base``."""
    try:
        known = json.loads((path / BASE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if known.get("fingerprint") not in (None, fingerprint(base)):
        raise RealmError(
            f"the adapter in {path} was trained on another model",
            why=f"it belongs to {known.get('name')}, whose weights are not those in {base}",
            fix="put the model it was trained on back, or start a new campaign",
            code="CHECKPOINT_FOREIGN",
        )


def base_of(config: HeroConfig, folder: Path) -> dict[str, str]:
    """What an adapter remembers of its base."""
    return {"name": config.model.name or str(folder), "fingerprint": fingerprint(folder)}


def _config_of(model: Any) -> Any:
    return next(m.peft_config for m in model.modules() if hasattr(m, "peft_config"))[NAME]


def _outside(name: str) -> str:
    """PEFT's name of an adapter's weight on disk."""
    plain = name.replace(f".{NAME}", "")
    if "lora_magnitude_vector" in plain:
        plain = plain.removesuffix(".weight")
    return _ROOT + plain
