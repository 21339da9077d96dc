"""Attention inside one document at a time, without a mask as large as the row is long.

Both ways here take a packed row as it is and are told where its documents begin. They are entered in transformers' registry
of attention functions, so every family's own layers use them:

- ``varlen``: torch's variable-length flash kernel, on a card that has it, for half-precision layers;
- ``documents``: one causal product per document, on any device and in any dtype.

The other two, ``sdpa`` and ``eager``, are transformers' own and get an explicit mask of every row (`engine.batch`).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

_NAMES = {"varlen": "realm_varlen", "documents": "realm_documents"}
MASKED = ("sdpa", "eager")
"""Ways that are told by a mask which tokens see each other."""


def implementation(attention: str) -> str:
    """The name under which transformers knows a placement's attention."""
    return _NAMES.get(attention, attention)


def has_varlen() -> bool:
    """Whether this machine's card runs torch's variable-length attention."""
    if not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] < 8:
        return False
    return _varlen() is not None


def attended(model: Any) -> int | None:
    """How many tokens back the model's layers look, where some do not see everything; None: all see everything.

    Our masks let every layer see its whole document, so an example must not be longer than this.
    """
    config = model.config
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return int(window) if window and "sliding_attention" in kinds else None
    return int(window) if window and getattr(config, "use_sliding_window", True) else None


@cache
def _varlen() -> Callable[..., Tensor] | None:
    """torch's kernel with causal documents, whatever this version calls its arguments; None where it has none."""
    try:
        module = importlib.import_module("torch.nn.attention.varlen")
    except ImportError:
        return None
    known = inspect.signature(module.varlen_attn).parameters
    named: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    grouped = "enable_gqa" in known

    def attend(query: Tensor, key: Tensor, value: Tensor, bounds: Tensor, longest: int, scale: float | None) -> Tensor:
        if key.shape[1] != query.shape[1]:
            if grouped:
                named["enable_gqa"] = True
            else:
                times = query.shape[1] // key.shape[1]
                key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
        made: Tensor = module.varlen_attn(
            query, key, value, bounds, bounds, longest, longest, **{"scale": scale} if "scale" in known else {}, **named
        )
        return made

    return attend


def _half(x: Tensor) -> Tensor:
    """``x`` as the kernel takes it: rotary positions may have made it fp32 inside autocast."""
    if torch.is_autocast_enabled(x.device.type):
        return x.to(torch.get_autocast_dtype(x.device.type))
    return x


def _varlen_forward(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **given: Any
) -> tuple[Tensor, None]:
    """Transformers' attention call: [1, heads, T, D] each; gives [1, T, heads, D]."""
    bounds, kernel = given.get("cu_seq_lens_q"), _varlen()
    if bounds is None or kernel is None:
        return _with_mask(module, query, key, value, attention_mask, given)
    parts = [_half(x)[0].transpose(0, 1).contiguous() for x in (query, key, value)]
    made = kernel(*parts, bounds, int(given["max_length_q"]), given.get("scaling"))
    return made[None], None


def _documents_forward(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **given: Any
) -> tuple[Tensor, None]:
    """The same call; one product per document."""
    lengths = given.get("document_lengths")
    if lengths is None:
        return _with_mask(module, query, key, value, attention_mask, given)
    grouped = query.shape[1] != key.shape[1]
    rate = float(given.get("dropout") or 0.0)
    parts = [
        scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=given.get("scaling"), enable_gqa=grouped, dropout_p=rate
        )
        for q, k, v in zip(*(torch.split(x, lengths, 2) for x in (query, key, value)), strict=True)
    ]
    return torch.cat(parts, 2).transpose(1, 2).contiguous(), None


def _with_mask(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, given: dict[str, Any]
) -> tuple[Tensor, None]:
    """Answers are written with a cache of keys, not with packed rows."""
    made: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, mask, **given)
    return made


AttentionInterface.register(_NAMES["varlen"], _varlen_forward)
AttentionInterface.register(_NAMES["documents"], _documents_forward)
for _name in _NAMES.values():
    AttentionMaskInterface.register(_name, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
