"""Heroes loaded by name or from a folder: a published model, a checkpoint, a champion, or an adapter with its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from configs.errors import RealmError
from configs.schema import HeroConfig
from engine.attention import attended, implementation
from engine.hero.folder import check_folder, find_folder, is_adapter, offline, read_json
from engine.hero.model import Hero, finish
from engine.methods.adapters import base_of, give_adapter, load_adapter, quantisation
from engine.placement import Placement

_FAILURES = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)


def load_pretrained(config: HeroConfig, placement: Placement) -> Hero:
    """A hero from its local folder, else the Hugging Face cache, else the hub; with a new adapter where its method has one.

    Raises:
        BlockedError: none of the three has it; the message names each place that was tried.
        RealmError: the folder is refused (`engine.hero.folder.check_folder`), incomplete or damaged.
    """
    return _load(config, find_folder(config), placement, None)


def load_folder(config: HeroConfig, path: Path, placement: Placement) -> Hero:
    """A hero from a Hugging Face folder: a checkpoint, a champion, an adapter, or a model someone else made.

    Raises:
        RealmError: the folder is incomplete or damaged, or is an adapter of another model.
    """
    if is_adapter(path):
        if not config.training.adapted:
            raise RealmError(
                f"{path} holds an adapter, and {config.name} trains whole weights",
                fix="merge it first (`realm ledger export --merged`), or set the hero's method to lora",
                code="CHECKPOINT_FOREIGN",
            )
        return _load(config, find_folder(config), placement, path)
    check_folder(path)
    return _load(config, path, placement, None)


def _load(config: HeroConfig, folder: Path, placement: Placement, adapter: Path | None) -> Hero:
    refuse_code(folder)
    try:
        with offline():
            return _loaded(config, folder, placement, adapter)
    except RealmError:
        raise
    except _FAILURES as error:
        raise RealmError(
            f"the model in {adapter or folder} cannot be loaded",
            why=" ".join(str(error).split())[:300],
            fix="choose another checkpoint (`realm ledger list`), or copy the model's folder again",
            code="MODEL_DAMAGED",
        ) from error


def refuse_code(folder: Path) -> None:
    """Refuse a model that only code of its own can compute. Code beside a model that transformers knows is never looked at.

    Raises:
        RealmError: with the reason and the way out.
    """
    config, speaker = read_json(folder / "config.json", folder), folder / "tokenizer_config.json"
    tokenizer = read_json(speaker, folder) if speaker.is_file() else {}
    unknown = ""
    if config.get("auto_map") and config.get("model_type") not in CONFIG_MAPPING:
        unknown = str(config.get("model_type"))
    elif tokenizer.get("auto_map") and not hasattr(transformers, str(tokenizer.get("tokenizer_class"))):
        unknown = str(tokenizer.get("tokenizer_class"))
    if unknown:
        raise RealmError(
            f"the model in {folder} wants to run code of its own",
            why=f"transformers does not know {unknown}, and the folder names code for it under auto_map",
            fix="choose a model that transformers knows by itself; code that comes with a model is never run here",
            code="REMOTE_CODE",
        )


def _loaded(config: HeroConfig, folder: Path, placement: Placement, adapter: Path | None) -> Hero:
    transformers_logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    model, found = AutoModelForCausalLM.from_pretrained(
        str(folder),
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=placement.weights_dtype,
        attn_implementation=implementation(placement.attention),
        output_loading_info=True,
        **quantisation(config.training, placement),
    )
    if found["missing_keys"]:
        raise RealmError(
            f"the model in {folder} is incomplete",
            why=f"it lacks {', '.join(sorted(found['missing_keys'])[:3])}",
            fix="copy the model's folder again",
            code="MODEL_DAMAGED",
        )
    _check_fit(config, model, tokenizer, folder)
    if not config.training.adapted:
        return finish(config, model, tokenizer, placement)
    give_adapter(model, config)
    if adapter is not None:
        load_adapter(model, adapter, folder)
    return finish(config, model, tokenizer, placement, base_of(config, folder))


def _check_fit(config: HeroConfig, model: Any, tokenizer: Any, source: Path) -> None:
    """Refuse a model that reads less than the hero's context, or a tokenizer with more tokens than the model knows."""
    reads = getattr(model.config, "max_position_embeddings", None)
    if reads is not None and reads < config.model.context_length:
        raise RealmError(
            f"{config.name} is to read {config.model.context_length} tokens, and its model reads {reads}",
            why=f"max_position_embeddings in {source}",
            fix=f"set `model.context_length` in the hero's YAML to at most {reads}",
            code="CONTEXT_TOO_LONG",
        )
    window = attended(model)
    if window is not None and window < config.model.context_length:
        raise RealmError(
            f"{config.name} is to read {config.model.context_length} tokens, and some layers of its model look back {window}",
            why=f"sliding_window in {source}",
            fix=f"set `model.context_length` in the hero's YAML to at most {window}",
            code="CONTEXT_TOO_LONG",
        )
    tokens, rows = max(tokenizer.get_vocab().values()) + 1, int(model.get_input_embeddings().weight.shape[0])
    if tokens > rows:
        raise RealmError(
            f"the tokenizer in {source} does not belong to its model",
            why=f"it has {tokens} tokens, the model knows {rows}",
            fix="copy the model's folder again",
            code="MODEL_DAMAGED",
        )
