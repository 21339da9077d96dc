"""Forms as they lie in a box's store, small enough for servers that only pretend to have read them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from saves.checkpoint_folder import model_digest


@dataclass(frozen=True)
class There:
    """One form in a store."""

    digest: str
    folder: Path
    base: str | None = None


def form(
    store: Path, weights: str, *, template: str = "plain", base: str | None = None, extra: dict[str, str] | None = None
) -> There:
    """Put a form into a store: its weights are the text ``weights``.

    Args:
        store: the store's folder.
        weights: what stands for the weights.
        template: what stands for the chat template.
        base: digest of the base of an adapter.
        extra: further files.
    """
    name = "adapter_model.safetensors" if base else "model.safetensors"
    files = {name: weights, "config.json": "{}", "chat_template.jinja": template, **(extra or {})}
    shas = {n: hashlib.sha256(text.encode()).hexdigest() for n, text in files.items()}
    digest = model_digest(shas)
    folder = store / "ckpt" / digest
    folder.mkdir(parents=True)
    for n, text in files.items():
        (folder / n).write_text(text)
    listed = {n: {"sha256": shas[n], "bytes": len(text)} for n, text in files.items()}
    manifest = {"version": 1, "digest": digest, "files": listed, "base": base, "name": weights, "step": 1}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))
    return There(digest, folder, base)


def weights_in(folder: str) -> str:
    """What stands for the weights in a folder; `OSError`: there are none."""
    for name in ("model.safetensors", "adapter_model.safetensors"):
        if (Path(folder) / name).is_file():
            return (Path(folder) / name).read_text(encoding="latin-1")
    raise FileNotFoundError(folder)
