"""A proved form as a hero that answers: in the dtype it was trained in, adapters of one base around one copy of it."""

from __future__ import annotations

import copy
import sys
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from configs.errors import BlockedError, RealmError
from configs.loader import load_game, on_this_machine
from configs.schema import HeroConfig
from engine.hero.folder import find_folder, is_adapter
from engine.hero.loading import load_folder
from engine.hero.model import Hero
from engine.memory.plan import precision
from engine.methods.adapters import load_adapter
from engine.placement import Placement
from engine.worker.forms import Form, Proofs, base_missing

_LORA = ".lora_"
_QUANTISED = {"qlora": 0.7, "lora_8bit": 1.2}
"""Bytes of a weight of a quantised base, with its scales and the layers that are left as they are."""


@dataclass(eq=False, slots=True)
class Loaded:
    """A form that can be asked."""

    form: Form
    hero: Hero
    seconds: float = 0.0
    """From the first look at its files until it could answer."""
    users: int = 0
    """Requests that it is answering."""
    used: int = 0
    """When it was last asked, as a count."""
    storages: dict[int, int] = field(default_factory=dict, repr=False)
    """Address to bytes of everything it keeps in memory."""


class Loader:
    """Turns forms into heroes; used by one thread.

    Args:
        device: ``cpu`` or ``cuda``.
        threads: processor threads.
        find: the form with a digest (`engine.worker.forms.Catalogue.find`), for the base under an adapter.
    """

    def __init__(self, device: str, threads: int, find: Callable[[str], Form]) -> None:
        self._device, self._threads, self._find = device, threads, find
        self._proofs = Proofs()
        self._siblings: weakref.WeakValueDictionary[str, Hero] = weakref.WeakValueDictionary()
        """Loaded adapters by what their base is and how it was loaded."""

    def set_up(self) -> None:
        """Make this process compute as exams do."""
        torch.set_num_threads(self._threads)
        torch.set_float32_matmul_precision("highest")

    def expected_bytes(self, form: Form) -> int:
        """About how much memory it will take."""
        config = self._config(form)
        if form.kind != "adapter":
            return form.model_bytes
        if self._key(config, form) in self._siblings:
            return form.model_bytes
        try:
            folder = find_folder(config) if form.base is None else self._find(form.base).folder
        except RealmError:
            return form.model_bytes  # its loading says what is missing
        stored = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        of_one = {"float32": 4.0, "bfloat16": 2.0}
        held = _QUANTISED.get(config.training.method, of_one[self._weights(config, form)])
        return form.model_bytes + int(stored * held / of_one[stored_dtype(folder)])

    def load(self, form: Form) -> Loaded:
        """Prove ``form`` and load it.

        Raises:
            RealmError: it is damaged, its base is not here, another model lies there, or it cannot be loaded.
        """
        try:
            return self._load(form)
        except RealmError:
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            raise RealmError(
                f"{form.name} cannot be loaded",
                why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                fix="see the worker's log; give it more memory, or choose another form",
                code="WORKER_FAILED",
            ) from error

    def _load(self, form: Form) -> Loaded:
        proved = self._proofs.prove(form)
        config = self._config(form)
        if form.kind == "adapter":
            hero = self._adapter(config, form)
        else:
            hero = load_folder(_whole(config), form.folder, self._placement(config, form, form.folder))
        self._proofs.unchanged(form, proved)
        hero.model.eval()
        tensors = [*hero.model.parameters(), *hero.model.buffers()]
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
        return Loaded(form, hero, storages=storages)

    def _adapter(self, config: HeroConfig, form: Form) -> Hero:
        if not config.training.adapted:
            raise base_missing(form, f"{config.name} trains whole weights, and this is an adapter")
        if form.base is not None:
            try:
                base = self._find(form.base)
            except RealmError as error:
                raise base_missing(form, error.what) from error
            self._proofs.prove(base)
            config = _at(config, base.folder)
        key = self._key(config, form)
        sibling = self._siblings.get(key)
        hero = _beside(sibling, config, form.folder) if sibling is not None else self._fresh(config, form)
        self._siblings[key] = hero
        return hero

    def _fresh(self, config: HeroConfig, form: Form) -> Hero:
        try:
            folder = find_folder(config)
        except BlockedError as error:
            raise base_missing(form, error.why) from error
        return load_folder(config, form.folder, self._placement(config, form, folder))

    def _config(self, form: Form) -> HeroConfig:
        try:
            config = HeroConfig.model_validate(dict(form.hero))
        except ValidationError as error:
            raise RealmError(
                f"the hero of {form.name} cannot be read",
                why=f"{error.error_count()} of its fields do not fit, {error.errors()[0]['loc']} first",
                fix="bring the form here again with this version",
                code="CHECKPOINT_CORRUPT",
            ) from error
        return on_this_machine(config) if form.source == "save" else config

    def _key(self, config: HeroConfig, form: Form) -> str:
        training = config.training
        base = form.base or config.model.path or config.model.name
        return "|".join((base, training.method, training.adapter.model_dump_json(), self._weights(config, form)))

    def _weights(self, config: HeroConfig, form: Form) -> str:
        """dtype of the frozen base under an adapter: as its campaign trains it, else as it would be trained here."""
        if form.weights in ("float32", "bfloat16"):
            return form.weights
        return precision(config.training, config.model.size_b, self._device, None, load_game().memory)[0]

    def _placement(self, config: HeroConfig, form: Form, folder: Path) -> Placement:
        adapted = is_adapter(form.folder)
        weights = self._weights(config, form) if adapted else stored_dtype(folder)
        hatchling = config.model.source == "hatchling"
        return Placement(
            device=self._device,
            weights=weights,
            compute="bfloat16" if self._device == "cuda" and weights == "bfloat16" else "float32",
            matmul="highest",
            kernel="model",
            half_orthogonal=False,
            attention="eager" if self._device == "cpu" and hatchling else "sdpa",
            row_tokens=None,
            threads=self._threads,
            torch_version=torch.__version__,
        )


def stored_dtype(folder: Path) -> str:
    """The dtype in which a model's weights lie in ``folder``: bfloat16 where its largest tensor is, else float32."""
    largest, found = 0, "F32"
    try:
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(str(path), framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - it is no mapping
                    piece = file.get_slice(name)
                    size = 1
                    for side in piece.get_shape():
                        size *= side
                    if size > largest:
                        largest, found = size, piece.get_dtype()
    except (OSError, SafetensorError):
        return "float32"  # its loading says what is wrong with it
    return "bfloat16" if found == "BF16" else "float32"


def _whole(config: HeroConfig) -> HeroConfig:
    """``config`` for a folder that holds whole weights; a quantised base stays quantised, under an adapter that changes nothing."""
    if config.training.method in ("qlora", "lora_8bit") or not config.training.adapted:
        return config
    return config.model_copy(update={"training": config.training.model_copy(update={"method": "full"})})


def _at(config: HeroConfig, folder: Path) -> HeroConfig:
    """``config`` with its model in ``folder``."""
    return config.model_copy(update={"model": config.model.model_copy(update={"path": str(folder)})})


def _beside(sibling: Hero, config: HeroConfig, adapter: Path) -> Hero:
    """Another adapter around the very tensors of ``sibling``'s base."""
    model: Any = sibling.model
    shared = [p for name, p in model.named_parameters() if _LORA not in name]
    shared += [b for name, b in model.named_buffers() if _LORA not in name]
    made = copy.deepcopy(model, {id(t): t for t in shared})
    load_adapter(made, adapter, find_folder(config))
    return replace(sibling, config=config, model=made)
