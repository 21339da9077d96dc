"""Optimizers of one group of weights, all with the same few verbs, and a state that is named by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from configs.errors import RealmError
from engine.optim.muon import BatchedMuon

State = dict[str, Tensor | int | float]
"""What is remembered of one weight: tensors, and plain counters."""


class Part(Protocol):
    """One group of weights under one rule."""

    label: str
    """First word of its state's names."""
    names: list[str]

    def step(self, rate: float) -> None:
        """Update every weight that has a gradient; ``rate`` is this part's learning rate now."""

    def state(self) -> dict[str, State]:
        """By weight; weights that were never updated are left out."""

    def load(self, states: Mapping[str, State]) -> None:
        """Take back what `state` gave."""


class TorchPart:
    """A torch optimizer.

    Args:
        label: e.g. ``adamw``.
        weights: by name; what the optimizer was made over.
        optimizer: made over exactly these, in one group.
    """

    def __init__(self, label: str, weights: Mapping[str, Parameter], optimizer: torch.optim.Optimizer) -> None:
        self.label, self.names = label, list(weights)
        self._weights, self._optimizer = dict(weights), optimizer

    def step(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()

    def state(self) -> dict[str, State]:
        known = self._optimizer.state
        return {
            name: {k: v.detach() if isinstance(v, Tensor) else v for k, v in known[p].items() if v is not None}
            for name, p in self._weights.items()
            if known.get(p)
        }

    @torch.no_grad()
    def load(self, states: Mapping[str, State]) -> None:
        keys = {key for state in states.values() for key in state}
        for name, state in states.items():
            p = self._weights[name]
            shapes = {k: p.shape if isinstance(v, Tensor) and v.ndim else None for k, v in state.items()}
            fitting(self.label, name, {**dict.fromkeys(keys), **shapes}, state)
            self._optimizer.state[p] = {
                k: v.clone().to(p.device) if isinstance(v, Tensor) else v for k, v in state.items()
            }


class QuantisedPart(TorchPart):
    """A bitsandbytes optimizer: its buffers are its own to make (they may be paged), so a state is copied into them."""

    def state(self) -> dict[str, State]:
        """Without the code books, which are constants that all weights share."""
        return {n: {k: v for k, v in s.items() if not k.startswith("qmap")} for n, s in super().state().items()}

    @torch.no_grad()
    def load(self, states: Mapping[str, State]) -> None:
        optimizer: Any = self._optimizer
        group = optimizer.param_groups[0]
        optimizer.check_overrides()
        for index, name in enumerate(self.names):
            if name not in states:
                continue
            p = self._weights[name]
            optimizer.init_state(group, p, 0, index)
            own = optimizer.state[p]
            shapes = {k: v.shape if isinstance(v, Tensor) else None for k, v in own.items() if not k.startswith("qmap")}
            fitting(self.label, name, shapes, states[name])
            for key, value in states[name].items():
                if isinstance(value, Tensor):
                    own[key].copy_(value)
                else:
                    own[key] = value


class MuonPart:
    """Muon over matrices (`engine.optim.muon`)."""

    label = "muon"

    def __init__(
        self, weights: Mapping[str, Parameter], *, rate: float, momentum: float, weight_decay: float, half: bool
    ) -> None:
        self.names = list(weights)
        self._shapes = {name: p.shape for name, p in weights.items()}
        self._muon = BatchedMuon(weights.values(), lr=rate, momentum=momentum, weight_decay=weight_decay, half=half)

    def step(self, rate: float) -> None:
        self._muon.lr = rate
        self._muon.step()

    def state(self) -> dict[str, State]:
        held = self._muon.state()
        return {name: {"momentum": held[f"momentum.{n}"]} for n, name in enumerate(self.names)}

    def load(self, states: Mapping[str, State]) -> None:
        for name, state in states.items():
            fitting(self.label, name, {"momentum": self._shapes[name]}, state)
        given = {f"momentum.{n}": states[name]["momentum"] for n, name in enumerate(self.names) if name in states}
        self._muon.load({k: v for k, v in given.items() if isinstance(v, Tensor)})


def fitting(label: str, name: str, wanted: Mapping[str, torch.Size | None], state: State) -> None:
    """Refuse a weight's state that lacks one of the ``wanted`` pieces, or has one of another shape (None: any)."""
    for key, shape in wanted.items():
        value = state.get(key)
        if value is None:
            raise refusal("is incomplete", f"{label}: {key} of {name} is missing", "CHECKPOINT_BROKEN")
        if shape is not None and (not isinstance(value, Tensor) or value.shape != shape):
            found = tuple(value.shape) if isinstance(value, Tensor) else value
            raise refusal(
                "does not belong to this hero",
                f"{label}: {key} of {name} is {found} instead of {tuple(shape)}",
                "CHECKPOINT_FOREIGN",
            )


def refusal(what: str, why: str, code: str) -> RealmError:
    """Why a checkpoint's optimizer state cannot be taken."""
    return RealmError(
        f"the checkpoint's optimizer state {what}",
        why=why,
        fix="resume from another checkpoint (`realm ledger list`)",
        code=code,
    )
