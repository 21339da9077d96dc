"""A hero for any model a player has: its figures, context and turn format are read from the model's own folder. No torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.errors import BlockedError, RealmError, UsageError
from configs.physics import memory_profile
from configs.schema import Dimensions
from configs.turn_format import turn_formats
from engine.chat.template import Template
from engine.hero.folder import check_folder, is_adapter, read_json
from engine.memory.plan import suggest
from engine.memory.shape import parameters

DEFAULT_CONTEXT = 2048
"""Tokens a new hero reads, where its model reads more."""
_RACES = (
    ("qwen", "Qwen'dal"),
    ("smollm", "Llamari"),
    ("llama", "Llamari"),
    ("mistral", "Mistralian"),
    ("gemma", "Gemmborn"),
    ("phi", "Phi'rin"),
    ("deepseek", "Deepkin"),
    ("gpt", "Ascended"),
)
_PROFILES = {
    "lora": "24gb_lora",
    "dora": "24gb_lora",
    "qlora": "24gb_qlora",
    "lora_8bit": "24gb_lora_8bit_base",
    "galore": "24gb_galore",
    "full": "24gb_full_small",
}
"""Where a method is asked for, the profile that sets it up."""
_FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
"""What is read of a model on the hub; its weights come when the hero is installed."""


def folder_of(source: str) -> tuple[Path, str]:
    """The folder of a model that a player names, and its name on the hub; one of the two ways may be empty.

    Args:
        source: a folder, or a hub id such as ``Qwen/Qwen3-0.6B``, of which the small files are fetched unless they are cached.

    Raises:
        UsageError: it is neither.
        BlockedError: the hub cannot be reached, or does not give the model out.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder.absolute(), ""
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise UsageError(
            f"{source!r} is no hero, no folder and no model's name",
            fix="name a hero (`realm hero list`), a folder with a model, or a model of the hub as OWNER/NAME",
            code="UNKNOWN_HERO",
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    found: Path | None = None
    for name in _FILES:
        try:
            found = Path(hf_hub_download(source, name)).parent
        except LocalEntryNotFoundError as error:
            raise _unreachable(source, error) from error
        except EntryNotFoundError:
            continue
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise _unreachable(source, error) from error
    if found is None:
        raise _unreachable(source, RuntimeError("it has no config.json and no tokenizer.json"))
    return found, source


def _unreachable(source: str, error: Exception) -> BlockedError:
    return BlockedError(
        f"nothing could be read of {source}",
        why=" ".join(str(error).split())[:300],
        fix="check the name, go online, or download the model into a folder and name that",
        code="MODEL_MISSING",
    )


def read_hero(
    source: str, hero_id: str, *, method: str | None, context: int | None, card_gib: float | None
) -> dict[str, Any]:
    """A hero's YAML for a model, without name and epithet.

    Args:
        source: a folder or a hub id.
        hero_id: the new hero's.
        method: how it is to learn; None: as suggested for the card, in full without one.
        context: tokens it reads; None: `DEFAULT_CONTEXT`, or fewer where the model reads fewer.
        card_gib: memory of the card it will train on; None: there is none.

    Raises:
        RealmError: the folder is refused, lacks a figure, or speaks no turn format that is known; it says which.
    """
    folder, hub_name = folder_of(source)
    if is_adapter(folder):
        raise RealmError(
            f"{folder} holds an adapter, not a model",
            why="a hero starts from whole weights",
            fix="merge it first, or name the model it was trained on",
            code="CHECKPOINT_FOREIGN",
        )
    if not hub_name:
        check_folder(folder)
    config = read_json(folder / "config.json", folder)
    shape = dimensions_in(config, folder)
    reads = min(shape.max_context, _window(config) or shape.max_context)
    if context is not None and context > reads:
        raise UsageError(
            f"the model in {folder} reads {reads} tokens, not {context}",
            fix=f"choose a context of at most {reads}",
            code="CONTEXT_TOO_LONG",
        )
    family = str(config.get("model_type", ""))
    size_b = parameters(shape) / 1e9
    profile = _profile(method, size_b, card_gib)
    length = context or min(DEFAULT_CONTEXT, reads, memory_profile(profile).context_length if profile else reads)
    name = hub_name or _hub_name(config)
    model: dict[str, Any] = {
        "source": "pretrained",
        **({"name": name} if name else {}),
        **({} if hub_name else {"path": str(folder)}),
        "family": family,
        "size_b": round(size_b, 4),
        "context_length": length,
        "template": spoken_format(folder, family, name),
        "dimensions": shape.model_dump(),
    }
    layer = memory_profile(profile).training if profile else {}
    chosen = str(method or layer.get("method", "full"))
    training: dict[str, Any] = {
        "method": chosen,
        "optimizer": layer.get("optimizer", "galore_adamw_8bit" if chosen == "galore" else "adamw"),
        "learning_rate": layer.get("learning_rate", 1e-4 if chosen in ("full", "galore") else 2e-4),
        "warmup_steps": 100,
        "batch_tokens": length,
    }
    if not profile:
        training |= {"batch_size": 1, "accumulation": 16}
    return {
        "id": hero_id,
        "race": _race(f"{name} {family}".lower()),
        "description": f"Made from {name or folder.name}.",
        "technique": "galore" if chosen == "galore" else "adamw",
        **({"memory_profile": profile} if profile else {}),
        "model": model,
        "training": training,
        "display": {"emoji": "⭐", "colour": "#94A3B8", "portrait": ["╭─────╮", "│ o o │", "│  ‿  │", "╰──┬──╯"]},
        "skills": {"bin": "full"},
        "floors": {"bin": 0.5},
        "system_prompt": "Today is {date}. You are happy. You enjoy helping others.",
    }


def dimensions_in(config: Mapping[str, Any], folder: Path) -> Dimensions:
    """The figures of a decoder, from its config.json and, for the head, from the names of its weights.

    Raises:
        RealmError: a figure is missing; it is named.
    """
    names = {
        "hidden_size": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "intermediate_size": "intermediate_size",
        "vocab_size": "vocab_size",
        "max_context": "max_position_embeddings",
    }
    lost = [theirs for theirs in names.values() if not isinstance(config.get(theirs), int)]
    if lost:
        raise RealmError(
            f"the model in {folder} is none that can be trained here",
            why=f"its config.json has no {lost[0]}: a {config.get('model_type', 'nameless')} model",
            fix="choose a decoder of a family that `realm hero list` names",
            code="MODEL_UNKNOWN",
        )
    figures = {ours: int(config[theirs]) for ours, theirs in names.items()}
    head_dim = config.get("head_dim") or figures["hidden_size"] // figures["heads"]
    kv_heads = config.get("num_key_value_heads") or figures["heads"]
    weights = weight_names(folder)
    tied = "lm_head.weight" not in weights if weights else bool(config.get("tie_word_embeddings", False))
    return Dimensions.model_validate({**figures, "head_dim": head_dim, "kv_heads": kv_heads, "tied": tied})


def weight_names(folder: Path) -> set[str]:
    """Names of the tensors in a model's folder, read from the files' headers; nothing where there are no weights yet."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return set(map(str, read_json(index, folder).get("weight_map", {})))
    found: set[str] = set()
    for path in folder.glob("*.safetensors"):
        try:
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                found |= set(json.loads(file.read(length))) - {"__metadata__"}
        except (OSError, ValueError, struct.error) as error:
            raise RealmError(
                f"{path.name} in {folder} cannot be read",
                why=" ".join(str(error).split())[:200],
                fix="copy the model's folder again",
                code="MODEL_DAMAGED",
            ) from error
    return found


def spoken_format(folder: Path, family: str, name: str) -> str:
    """The turn format whose marks the model's tokenizer has: the family's own first, then any other.

    Raises:
        RealmError: there is no tokenizer, or none of the formats fits it.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise RealmError(
            f"the model in {folder} has no tokenizer.json",
            why="only fast tokenizers are read",
            fix="choose a model whose folder has one",
            code="TEMPLATE_UNKNOWN",
        )
    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a damaged file
        raise RealmError(
            f"{path} cannot be read",
            why=" ".join(str(error).split())[:200],
            fix="copy the model's folder again",
            code="MODEL_DAMAGED",
        ) from error
    formats = turn_formats()
    known = f"{name} {family}".lower()
    own = [f for f in formats.values() if any(known.find(part) >= 0 for part in (*f.names, *f.families))]
    refusals: list[str] = []
    for found in [*own, *(f for f in formats.values() if f not in own)]:
        try:
            Template(found, backend, hero_id=name or folder.name)
        except RealmError as error:
            refusals.append(error.why or error.what)
        else:
            return found.id
    raise RealmError(
        f"the model in {folder} speaks no turn format that is known here",
        why=refusals[0],
        fix="write its format into config/chat/ (see the shipped ones), then try again",
        code="TEMPLATE_UNKNOWN",
    )


def _profile(method: str | None, size_b: float, card_gib: float | None) -> str:
    """The memory profile to start from; none where nothing is short."""
    if method is not None:
        suggested = suggest(size_b, card_gib) if card_gib is not None else ""
        if suggested and memory_profile(suggested).training.get("method") == method:
            return suggested
        return "" if method == "full" and card_gib is None else _PROFILES[method]
    return suggest(size_b, card_gib) if card_gib is not None else ""


def _window(config: Mapping[str, Any]) -> int | None:
    """How far the model's layers look back, where some do not see everything."""
    window = config.get("sliding_window")
    if not isinstance(window, int):
        return None
    kinds = config.get("layer_types")
    limited = "sliding_attention" in kinds if isinstance(kinds, list) else config.get("use_sliding_window", True)
    return window if limited else None


def _hub_name(config: Mapping[str, Any]) -> str:
    given = str(config.get("_name_or_path") or "")
    return given if given.count("/") == 1 and not given.startswith((".", "/", "~")) else ""


def _race(known: str) -> str:
    return next((race for part, race in _RACES if part in known), "Wanderer")
