"""Builds the optimizer that a hero's YAML asks for: parts over groups of weights, one schedule, a state named by weight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from configs.errors import RealmError
from configs.training import HeroTraining
from configs.ways import OptimizerName
from engine.optim.galore import GaLorePart
from engine.optim.parts import MuonPart, Part, QuantisedPart, State, TorchPart, refusal
from engine.optim.working import Rounding, WorkingWeights
from engine.schedule import rate_share

EIGHT_BIT: tuple[OptimizerName, ...] = ("adamw_8bit", "paged_adamw_8bit", "galore_adamw_8bit")
PAGED: tuple[OptimizerName, ...] = ("paged_adamw_32bit", "paged_adamw_8bit")
"""States live in memory that moves between the card and the host; on a CPU they are plain."""


class HeroOptimizer:
    """One update from the gradients of all trainable weights.

    Args:
        model: its parameters that require gradients are trained.
        training: which optimizer, at which rates.
        half: Muon orthogonalises in bf16.
        rounding: how an update reaches bf16 weights.
        seed: of the stochastic rounding.
    """

    def __init__(
        self, model: Any, training: HeroTraining, *, half: bool = False, rounding: Rounding = "none", seed: int = 0
    ) -> None:
        self.training = training
        self.updates = 0
        self.rate_factor = 1.0
        """What the player has set the learning rate to, of the planned one."""
        self.named = named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.params = list(named.values())
        self._working = WorkingWeights(named, rounding if _has_half(named) else "none", seed)
        outer = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings()) if m is not None}
        matrices = [name for name, p in named.items() if p.ndim == 2 and id(p) not in outer]
        eight_bit = training.optimizer in EIGHT_BIT
        groups: list[tuple[Callable[[Sequence[str]], Part], list[str]]] = []
        if training.optimizer == "muon":
            groups.append((lambda names: self._muon(names, half), matrices))
        elif training.method == "galore":
            narrow = training.galore.rank
            groups.append((self._galore, [name for name in matrices if min(named[name].shape) > narrow]))
        if eight_bit and training.embedding_states_32bit:
            large = [name for name, p in named.items() if id(p) in outer]
            groups.append((lambda names: self._plain("embeddings", names, eight_bit=False), large))
        taken = {name for _, names in groups for name in names}
        label = "sgd" if training.optimizer == "sgd" else "adamw"
        rest = [name for name in named if name not in taken]
        groups.append((lambda names: self._plain(label, names, eight_bit=eight_bit), rest))
        self._parts = [make(names) for make, names in groups if names]

    def _of(self, names: Sequence[str]) -> dict[str, Parameter]:
        return {name: self._working[name] for name in names}

    def _muon(self, names: Sequence[str], half: bool) -> Part:
        t = self.training
        self._working.take(names)  # Muon sorts its matrices by shape
        part = MuonPart(
            self._of(names),
            rate=t.muon_learning_rate,
            momentum=t.muon_momentum,
            weight_decay=t.muon_weight_decay,
            half=half,
        )
        self._working.drop(names)
        return part

    def _galore(self, names: Sequence[str]) -> Part:
        t = self.training
        shapes = {name: self._working.named[name].shape for name in names}
        eight_bit = t.optimizer in EIGHT_BIT

        def inner(small: Mapping[str, Parameter]) -> TorchPart:
            return _adamw("inner", small, t, weight_decay=0.0, eight_bit=eight_bit, paged=False, quantised=eight_bit)

        return GaLorePart(self._of(names), shapes, t.galore, t.weight_decay, inner)

    def _plain(self, label: str, names: Sequence[str], *, eight_bit: bool) -> Part:
        t, weights = self.training, self._of(names)
        if t.optimizer == "sgd":
            made = torch.optim.SGD(
                weights.values(), lr=t.learning_rate, momentum=t.momentum, weight_decay=t.weight_decay
            )
            return TorchPart(label, weights, made)
        paged = t.optimizer in PAGED
        return _adamw(
            label,
            weights,
            t,
            weight_decay=t.weight_decay,
            eight_bit=eight_bit,
            paged=paged,
            quantised=eight_bit or paged,
        )

    @property
    def factor(self) -> float:
        """Share of the full learning rate that the next update uses."""
        return rate_share(self.training, self.updates) * self.rate_factor

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next update, of everything but Muon's matrices."""
        return self.training.learning_rate * self.factor

    def step(self) -> None:
        """One update from the gradients."""
        for part in self._parts:
            rate = self.training.muon_learning_rate * self.factor if part.label == "muon" else self.learning_rate
            for names in self._blocks(part):
                self._working.take(names)
                part.step(rate)
                self._working.give(names, self.updates)
        self.updates += 1

    def step_one(self, name: str) -> None:
        """Update one weight from its gradient while no other has one; the schedule stays where it is. Not for Muon or GaLore."""
        part = next(part for part in self._parts if name in part.names)
        self._working.take([name])
        part.step(self.learning_rate)
        self._working.give([name], self.updates)

    def _blocks(self, part: Part) -> Iterable[list[str]]:
        """The part's weights as they are updated together; Muon's are, because it sorts them by shape."""
        return [part.names] if part.label == "muon" else self._working.blocks(part.names)

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for p in self.params:
            p.grad = None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors (``part/weight/what``) and facts from which `load` continues exactly."""
        tensors: dict[str, Tensor] = {f"master/{n}/weight": t for n, t in self._working.state().items()}
        counters: dict[str, float] = {}
        stateless: list[str] = []
        for part in self._parts:
            held = part.state()
            stateless += [name for name in part.names if not held.get(name)]
            for name, state in held.items():
                for key, value in state.items():
                    full = f"{part.label}/{name}/{key}"
                    if isinstance(value, Tensor):
                        tensors[full] = value
                    else:
                        counters[full] = value
        return tensors, {
            **self._kind(),
            "updates": self.updates,
            "rate_factor": self.rate_factor,
            "counters": counters,
            "stateless": stateless if self.updates else [],
        }

    def _kind(self) -> dict[str, str]:
        return {"kind": self.training.optimizer, "method": self.training.method, "rounding": self._working.rounding}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take back what `state` gave.

        Raises:
            RealmError: the state belongs to another optimizer or other weights, or a piece of it is missing; it says which.
        """
        for key, mine in self._kind().items():
            theirs = facts.get(key, mine)
            if theirs != mine:
                raise RealmError(
                    f"the checkpoint was trained with {theirs}, the hero now asks for {mine}",
                    why=f"the optimizer's {key} is another one" if key != "kind" else "",
                    fix="set the hero's YAML back, or start a new campaign from this checkpoint",
                    code="OPTIMIZER_CHANGED",
                )
        given = _split(self._renamed(tensors), facts.get("counters", {}))
        updates = int(facts["updates"])
        stateless = set(facts.get("stateless", []))
        masters = {n: t for n, s in given.pop("master", {}).items() for t in s.values() if isinstance(t, Tensor)}
        expected = {part.label: set(part.names) for part in self._parts}
        if self._working.rounding == "master":
            self._complete("master", set(self._working.named), set(masters))
            self._working.load(masters)
        for label in given:
            self._complete(label, expected.get(label, set()), set(given[label]), missing=False)
        for part in self._parts:
            states = given.get(part.label, {})
            if updates:
                self._complete(part.label, expected[part.label] - stateless, set(states))
            for names in self._blocks(part):
                self._working.take(names)
                part.load({name: states[name] for name in names if name in states})
                self._working.drop(names)
        self.updates = updates
        self.rate_factor = float(facts.get("rate_factor", 1.0))

    @staticmethod
    def _complete(label: str, expected: set[str], found: set[str], *, missing: bool = True) -> None:
        """Refuse a state that lacks weights of this hero (``missing``), or has others."""
        foreign, lost = sorted(found - expected), sorted(expected - found) if missing else []
        if foreign or lost:
            words = "unknown weight " + foreign[0] if foreign else lost[0] + " is missing"
            raise refusal(
                "does not belong to this hero" if foreign else "is incomplete",
                f"{label}: {words}{_more(foreign or lost)}",
                "CHECKPOINT_FOREIGN" if foreign else "CHECKPOINT_BROKEN",
            )

    def _renamed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """States of version 0.1.0 counted weights instead of naming them."""
        names = {part.label: part.names for part in self._parts}
        out: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            words = name.split(".")
            if name.startswith("adamw.") and words[1].isdigit() and "adamw" in names:
                name = f"adamw/{names['adamw'][int(words[1])]}/{words[2]}"
            elif name.startswith("muon.momentum.") and "muon" in names:
                name = f"muon/{names['muon'][int(words[2])]}/momentum"
            out[name] = tensor
        return out


def _adamw(
    label: str,
    weights: Mapping[str, Parameter],
    training: HeroTraining,
    *,
    weight_decay: float,
    eight_bit: bool,
    paged: bool,
    quantised: bool,
) -> TorchPart:
    """AdamW by torch (fused), or by bitsandbytes where its states are 8-bit or paged."""
    values, rate = list(weights.values()), training.learning_rate
    if not quantised:
        return TorchPart(
            label,
            weights,
            torch.optim.AdamW(
                values, lr=rate, betas=training.betas, eps=training.epsilon, weight_decay=weight_decay, fused=True
            ),
        )
    from bitsandbytes.optim import AdamW

    made = AdamW(
        values,
        lr=rate,
        betas=training.betas,
        eps=training.epsilon,
        weight_decay=weight_decay,
        optim_bits=8 if eight_bit else 32,
        is_paged=paged and values[0].is_cuda,
    )
    return QuantisedPart(label, weights, made)


def build_optimizer(
    model: Any, training: HeroTraining, *, half: bool = False, rounding: Rounding = "none", seed: int = 0
) -> HeroOptimizer:
    """The optimizer of ``training`` over the model's trainable weights; arguments as in `HeroOptimizer`."""
    return HeroOptimizer(model, training, half=half, rounding=rounding, seed=seed)


def _has_half(named: Mapping[str, Parameter]) -> bool:
    return any(p.dtype is torch.bfloat16 for p in named.values())


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _split(tensors: Mapping[str, Tensor], counters: Mapping[str, Any]) -> dict[str, dict[str, State]]:
    """By part, then by weight."""
    out: dict[str, dict[str, State]] = {}
    for full, value in [*tensors.items(), *counters.items()]:
        label, name, key = full.split("/")
        out.setdefault(label, {}).setdefault(name, {})[key] = value
    return out
