"""GaLore: the optimizer sees each matrix's gradient through a window of low rank, so its states are small.

Zhao et al., "GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection", 2024. A gradient G [m, n] with m >= n is
projected as G Q, where Q [n, r] holds the r strongest right singular vectors of a recent gradient; the inner optimizer's step is taken
on a weight of that small shape which starts each time at zero, and is brought back by the transpose of Q, times ``scale``. The window is
turned to the current gradient every ``update_gap`` steps; the inner states stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import Parameter

from configs.training import GaLore
from engine.optim.parts import State, TorchPart, fitting

_WINDOW = "window"
_AGE = "age"


class GaLorePart:
    """Matrices whose smaller side is larger than the rank.

    Args:
        weights: by name.
        rule: rank, gap and scale.
        weight_decay: decoupled, on the whole matrix.
        inner: makes the optimizer over the small weights.
    """

    label = "galore"

    def __init__(
        self,
        weights: Mapping[str, Parameter],
        shapes: Mapping[str, torch.Size],
        rule: GaLore,
        weight_decay: float,
        inner: Callable[[Mapping[str, Parameter]], TorchPart],
    ) -> None:
        self.names = list(weights)
        self._weights, self._rule, self._decay = dict(weights), rule, weight_decay
        self._tall = {name: shapes[name][0] >= shapes[name][1] for name in self.names}
        self._lens = {
            name: torch.Size((shapes[name][1], rule.rank) if self._tall[name] else (rule.rank, shapes[name][0]))
            for name in self.names
        }
        self._small = {
            name: Parameter(
                torch.zeros(
                    (shapes[name][0], rule.rank) if self._tall[name] else (rule.rank, shapes[name][1]), device=p.device
                )
            )
            for name, p in weights.items()
        }
        self._windows: dict[str, Tensor] = {}
        self._ages: dict[str, int] = {}
        self._inner = inner(self._small)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        moved = [name for name in self.names if self._weights[name].grad is not None]
        for name in moved:
            grad = self._weights[name].grad
            assert grad is not None
            window = self._look(name, grad.float())
            self._small[name].grad = grad.float() @ window if self._tall[name] else window @ grad.float()
        self._inner.step(rate)
        for name in moved:
            small, window, weight = self._small[name], self._windows[name], self._weights[name]
            whole = small.detach() @ window.T if self._tall[name] else window.T @ small.detach()
            weight.mul_(1 - rate * self._decay).add_(whole.to(weight.dtype), alpha=self._rule.scale)
            small.zero_()
            small.grad = None

    def _look(self, name: str, grad: Tensor) -> Tensor:
        """The window of this step; [n, r] for a tall matrix, [r, m] for a wide one."""
        age = self._ages.get(name, 0)
        if age % self._rule.update_gap == 0:
            left, _, right = torch.linalg.svd(grad, full_matrices=False)
            rank = self._rule.rank
            self._windows[name] = (right[:rank].T if self._tall[name] else left[:, :rank].T).contiguous()
        self._ages[name] = age + 1
        return self._windows[name]

    def state(self) -> dict[str, State]:
        inner = self._inner.state()
        return {
            name: {**inner.get(name, {}), _WINDOW: window, _AGE: self._ages[name]}
            for name, window in self._windows.items()
        }

    @torch.no_grad()
    def load(self, states: Mapping[str, State]) -> None:
        for name, state in states.items():
            fitting(self.label, name, {_WINDOW: self._lens[name], _AGE: None}, state)
            window, age = state[_WINDOW], state[_AGE]
            assert isinstance(window, Tensor)
            self._windows[name] = window.clone().to(self._small[name].device)
            self._ages[name] = int(age)
        self._inner.load({n: {k: v for k, v in s.items() if k not in (_WINDOW, _AGE)} for n, s in states.items()})
