"""Memory given back while a hero rests, and taken again: the tensors stay the same objects, only their storage goes and comes.

Wrappers of several processes hold on to the tensors they were made over, so these cannot be thrown away and made anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


@dataclass(frozen=True, slots=True)
class _Emptied:
    storage: torch.UntypedStorage
    content: Tensor
    """Its bytes, on the host."""


class Shelf:
    """The bytes of ``tensors`` on the host, their own storages empty until `give_back`.

    Args:
        tensors: any, of any device; several may share a storage. A spread one stands for this process's part.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._emptied: list[_Emptied] = []
        for tensor in tensors:
            own = tensor.to_local() if isinstance(tensor, DTensor) else tensor.detach()
            storage = own.untyped_storage()
            if storage.nbytes() == 0:
                continue
            content = _bytes_of(storage).to("cpu", copy=True)
            storage.resize_(0)
            self._emptied.append(_Emptied(storage, content))

    @property
    def bytes(self) -> int:
        """What was given back."""
        return sum(one.content.numel() for one in self._emptied)

    def give_back(self) -> None:
        """Fill every storage as it was."""
        for one in self._emptied:
            one.storage.resize_(one.content.numel())
            _bytes_of(one.storage).copy_(one.content)
        self._emptied = []


def _bytes_of(storage: torch.UntypedStorage) -> Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
