"""Builds the optimizer a hero's YAML asks for, with its schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from configs.errors import RealmError
from configs.training import HeroTraining
from engine.optim.muon import BatchedMuon
from engine.schedule import rate_share


class HeroOptimizer:
    """AdamW, or Muon on the matrices with AdamW on embeddings, head and norms; the rates follow `engine.schedule`."""

    def __init__(self, model: Any, training: HeroTraining, *, half: bool = False) -> None:
        self.training = training
        self.updates = 0
        self.params = [p for p in model.parameters() if p.requires_grad]
        outer = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
        matrices = (
            [p for p in self.params if p.ndim == 2 and id(p) not in outer] if training.optimizer == "muon" else []
        )
        inner = {id(p) for p in matrices}
        rest = [p for p in self.params if id(p) not in inner]
        self._muon = (
            BatchedMuon(
                matrices,
                lr=training.muon_learning_rate,
                momentum=training.muon_momentum,
                weight_decay=training.muon_weight_decay,
                half=half,
            )
            if matrices
            else None
        )
        self._adamw = torch.optim.AdamW(
            rest, lr=training.learning_rate, betas=training.betas, weight_decay=training.weight_decay, fused=True
        )

    @property
    def factor(self) -> float:
        """Share of the full learning rate that the next update uses."""
        return rate_share(self.training, self.updates)

    @property
    def learning_rate(self) -> float:
        """AdamW's learning rate in the next update."""
        return self.training.learning_rate * self.factor

    def step(self) -> None:
        """One update from the gradients."""
        for group in self._adamw.param_groups:
            group["lr"] = self.learning_rate
        if self._muon is not None:
            self._muon.lr = self.training.muon_learning_rate * self.factor
            self._muon.step()
        self._adamw.step()
        self.updates += 1

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for p in self.params:
            p.grad = None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts from which `load` continues exactly."""
        tensors: dict[str, Tensor] = {}
        for index, entry in self._adamw.state_dict()["state"].items():
            for key, value in entry.items():
                tensors[f"adamw.{index}.{key}"] = value.detach()
        if self._muon is not None:
            tensors.update({f"muon.{key}": value for key, value in self._muon.state().items()})
        return tensors, {"kind": self.training.optimizer, "updates": self.updates}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take back what `state` gave.

        Raises:
            RealmError: the state belongs to another optimizer.
        """
        if facts.get("kind") != self.training.optimizer:
            raise RealmError(
                f"the checkpoint was trained with {facts.get('kind')}, the hero now asks for {self.training.optimizer}",
                fix="set the hero's optimizer back, or start a new campaign from this checkpoint",
                code="OPTIMIZER_CHANGED",
            )
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("adamw."):
                _, index, key = name.split(".", 2)
                state.setdefault(int(index), {})[key] = tensor
        whole = self._adamw.state_dict()
        whole["state"] = state
        self._adamw.load_state_dict(whole)
        if self._muon is not None:
            self._muon.load({n.removeprefix("muon."): t for n, t in tensors.items() if n.startswith("muon.")})
        self.updates = int(facts["updates"])


def build_optimizer(model: Any, training: HeroTraining, *, half: bool = False) -> HeroOptimizer:
    """The optimizer of ``training`` over the model's trainable weights; ``half``: Muon orthogonalises in bf16."""
    return HeroOptimizer(model, training, half=half)
