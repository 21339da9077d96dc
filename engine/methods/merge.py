"""An adapter merged into the full-precision weights of its base: a plain model again, that needs nothing to be loaded."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils import logging as transformers_logging

from engine.hero.folder import check_folder, offline
from engine.methods.adapters import check_base


def merge(adapter: Path, base: Path, target: Path) -> None:
    """Write the model that ``adapter`` on ``base`` is.

    The base is read as it was published, never as it was quantised for training. Each layer is merged in fp32 and rounded once,
    one layer at a time: on the host this takes the base's own size. Tokenizer, template and stop marks are the adapter folder's.

    Args:
        adapter: PEFT's folder.
        base: the model's folder.
        target: a folder to fill.

    Raises:
        RealmError: the adapter belongs to another base.
    """
    transformers_logging.disable_progress_bar()
    check_folder(base)
    check_base(adapter, base)
    with offline():
        _merge(adapter, base, target)


def _merge(adapter: Path, base: Path, target: Path) -> None:
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    model = AutoModelForCausalLM.from_pretrained(
        str(base), dtype="auto", local_files_only=True, trust_remote_code=False
    )
    adapted = PeftModel.from_pretrained(model, str(adapter))
    for layer in adapted.modules():
        if isinstance(layer, BaseTunerLayer):
            weight = layer.get_base_layer().weight
            published = weight.dtype
            weight.data = weight.data.float()
            layer.merge(safe_merge=True)
            weight.data = weight.data.to(published)
    merged = adapted.unload()
    merged.config.__dict__.pop("auto_map", None)
    merged.generation_config = GenerationConfig.from_pretrained(str(adapter))
    merged.save_pretrained(target)
    AutoTokenizer.from_pretrained(str(adapter), local_files_only=True, trust_remote_code=False).save_pretrained(target)
