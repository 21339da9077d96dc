"""Scores, shares and mixed values of the pieces of a chunk, and the way back.

Heads that share a key head are scored with it in one product: G key heads, each asked by P = H / G query heads. Narrow heads
give long documents to torch's fused kernel instead: there, handing around single numbers costs more than the products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.lean.rows import Chunk, Piece
from engine.precision import exact_matmul

Buffer = Callable[[str, tuple[int, ...]], Tensor]
FUSED_DIM = 32
"""Widest head that the fused kernel was measured to be faster for."""


def has_fused() -> bool:
    """Whether this torch has the fused kernel for CPUs, forward and backward."""
    names = ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention_for_cpu_backward")
    return all(hasattr(torch.ops.aten, name) for name in names)


@dataclass(slots=True, eq=False)
class Attended:
    """What the way back needs of one layer's attention."""

    q: list[Tensor]
    """[G, rows, P, asked, D] of each piece."""
    k: list[Tensor]
    """[G, rows, width, D] of each piece's rows; pieces of the same rows share it."""
    v: list[Tensor]
    shares: list[Tensor]
    """[G * rows, P * asked, seen] of each piece; of a fused one what it mixed, [rows, H, asked, D]."""
    sums: list[Tensor | None]
    """Of each fused piece: the logarithms of its rows' sums."""


class Attention:
    """Attention of one model's heads over the pieces of a chunk."""

    def __init__(self, heads: int, pairs: int, dim: int, buffer: Buffer) -> None:
        self.heads, self.pairs, self.dim = heads, pairs, dim
        self.per_pair = heads // pairs
        self.fused = dim <= FUSED_DIM and has_fused()
        self._buffer = buffer

    def forward(
        self,
        name: str,
        chunk: Chunk,
        pieces: Sequence[Piece],
        query: Tensor,
        query_rotation: Tensor,
        key: Tensor,
        value: Tensor,
        context: Tensor,
    ) -> Attended:
        """Fill ``context`` [places, H * D].

        Args:
            name: of the buffers.
            chunk: where the slots are, and how keys are turned.
            pieces: who attends to whom.
            query: [places, H, D/2] complex, scaled, not yet turned.
            query_rotation: [places, D/2] complex.
            key: [slots, G, D/2] complex, scaled, not yet turned.
            value: [slots, G * D].
            context: where the mixed values go.
        """
        made, key_rotation = Attended([], [], [], [], []), chunk.rotation
        fused = self._turned(chunk, pieces, query, query_rotation, key)
        pairs, per_pair, dim = self.pairs, self.per_pair, self.dim
        all_q = self._buffer(f"{name}.q", (query.shape[0] * self.heads * dim,))
        all_k = self._buffer(f"{name}.k", (key.shape[0] * pairs * dim,))
        all_v = self._buffer(f"{name}.v", (key.shape[0] * pairs * dim,))
        all_shares = self._buffer(f"{name}.shares", (sum(self._scores(p) for p in pieces),))
        q_from = share_from = 0
        rows_of = None
        for piece in pieces:
            if piece.fused:
                assert fused is not None
                self._fused(made, piece, *fused, value, context)
                continue
            rows, width, asked, seen = piece.rows, piece.width, piece.asked, piece.seen
            if rows_of != piece.keys:
                rows_of = piece.keys
                slots = slice(piece.keys, piece.keys + rows * width)
                reach = slice(piece.keys * pairs * dim, (piece.keys + rows * width) * pairs * dim)
                k = all_k[reach].view(pairs, rows, width, dim)
                v = all_v[reach].view(pairs, rows, width, dim)
                torch.mul(
                    key[slots].view(rows, width, pairs, dim // 2),
                    key_rotation[slots].view(rows, width, 1, dim // 2),
                    out=as_complex(k).permute(1, 2, 0, 3),
                )
                v.permute(1, 2, 0, 3).copy_(value[slots].view(rows, width, pairs, dim))
            count = rows * asked * self.heads * dim
            q = all_q[q_from : q_from + count].view(pairs, rows, per_pair, asked, dim)
            torch.mul(
                _asking(query, piece).view(rows, asked, pairs, per_pair, dim // 2),
                _asking(query_rotation, piece).view(rows, asked, 1, 1, dim // 2),
                out=as_complex(q).permute(1, 3, 0, 2, 4),
            )
            q_from += count
            shape = (pairs * rows, per_pair * asked, seen)
            shares = all_shares[share_from : share_from + self._scores(piece)].view(shape)
            share_from += shares.numel()
            scores = torch.bmm(
                q.view(pairs * rows, per_pair * asked, dim),
                k.view(pairs * rows, width, dim)[:, :seen].mT,
                out=self._buffer("scores", shape),
            )
            self._forbid(scores, piece)
            torch.softmax(scores, -1, out=shares)
            mixed = torch.bmm(
                shares,
                v.view(pairs * rows, width, dim)[:, :seen],
                out=self._buffer("mixed", (pairs * rows, per_pair * asked, dim)),
            )
            _asking(context, piece).view(rows, asked, pairs, per_pair, dim).copy_(
                mixed.view(pairs, rows, per_pair, asked, dim).permute(1, 3, 0, 2, 4)
            )
            made.q.append(q)
            made.k.append(k)
            made.v.append(v)
            made.shares.append(shares)
            made.sums.append(None)
        return made

    def widen(self, chunk: Chunk) -> None:
        """Lay out the rotation of a chunk's fused slots for all heads, once for all layers."""
        slots = _fused_slots(chunk.pieces)
        if slots:
            wide = chunk.rotation[:slots, None].repeat(1, self.heads, 1)
            chunk.wide = wide, wide.conj().resolve_conj()

    def _turned(
        self, chunk: Chunk, pieces: Sequence[Piece], query: Tensor, query_rotation: Tensor, key: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Queries [places, H, D] and keys [slots, G, D] of the fused pieces after the rotation; None where there are none."""
        if chunk.wide is None:
            return None
        wide, slots = chunk.wide[0], len(chunk.wide[0])
        if pieces is chunk.pieces:
            q = query[:slots] * wide
        else:
            asked = sum(piece.rows * piece.per_row for piece in pieces if piece.fused)
            q = query[:asked] * query_rotation[:asked, None]
        return torch.view_as_real(q).flatten(2), torch.view_as_real(key[:slots] * wide[:, : self.pairs]).flatten(2)

    def _fused(self, made: Attended, piece: Piece, query: Tensor, key: Tensor, value: Tensor, context: Tensor) -> None:
        """One piece by the fused kernel, whose small products are slower in any mode but the exact one.

        Args:
            made: what the way back needs is added.
            piece: one document a row.
            query: [places, H, D], turned.
            key: [slots, G, D], turned.
            value: as in `forward`, as is the next one.
            context: where the mixed values go.
        """
        rows, width, dim = piece.rows, piece.width, self.dim
        slots = slice(piece.keys, piece.keys + rows * width)
        q = _asking(query, piece).transpose(1, 2)
        k = self._repeated(key[slots].view(rows, width, self.pairs, 1, dim))
        v = self._repeated(value[slots].view(rows, width, self.pairs, 1, dim).clone())
        mask = None if piece.mask is None else piece.mask[:, None]
        with exact_matmul():
            mixed, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                q, k, v, 0.0, mask is None, attn_mask=mask, scale=1.0
            )
        _asking(context, piece).view(rows, piece.asked, self.heads, dim).copy_(mixed.transpose(1, 2))
        made.q.append(q)
        made.k.append(k)
        made.v.append(v)
        made.shares.append(mixed)
        made.sums.append(sums)

    def _fused_back(
        self,
        made: Attended,
        number: int,
        piece: Piece,
        to_context: Tensor,
        to_query: Tensor,
        to_key: Tensor,
        to_value: Tensor,
    ) -> None:
        """The way back of `_fused`: gradients of queries and keys as they were after the rotation."""
        rows, width, pairs, per_pair, dim = piece.rows, piece.width, self.pairs, self.per_pair, self.dim
        slots = slice(piece.keys, piece.keys + rows * width)
        mask = None if piece.mask is None else piece.mask[:, None]
        grad = _asking(to_context, piece).view(rows, piece.asked, self.heads, dim).transpose(1, 2)
        given = made.q[number], made.k[number], made.v[number], made.shares[number], made.sums[number]
        with exact_matmul():
            to_q, to_k, to_v = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
                grad, *given, 0.0, mask is None, attn_mask=mask, scale=1.0
            )
        torch.view_as_real(_asking(to_query, piece)).flatten(3).copy_(to_q.transpose(1, 2))
        whole_k, whole_v = (t.transpose(1, 2).view(rows, width, pairs, per_pair, dim) for t in (to_k, to_v))
        if per_pair > 1:
            whole_k, whole_v = whole_k.sum(3, keepdim=True), whole_v.sum(3, keepdim=True)
        torch.view_as_real(to_key[slots].view(rows, width, pairs, dim // 2)).flatten(3).copy_(whole_k[:, :, :, 0])
        to_value[slots].view(rows, width, pairs, dim).copy_(whole_v[:, :, :, 0])

    def _turn_back(
        self, chunk: Chunk, pieces: Sequence[Piece], query_rotation: Tensor, to_query: Tensor, to_key: Tensor
    ) -> None:
        """Undo the rotation in the gradients of the fused pieces."""
        if chunk.wide is None:
            return
        back, slots = chunk.wide[1], len(chunk.wide[1])
        to_key[:slots] *= back[:, : self.pairs]
        if pieces is chunk.pieces:
            to_query[:slots] *= back
        else:
            asked = sum(piece.rows * piece.per_row for piece in pieces if piece.fused)
            to_query[:asked] *= query_rotation[:asked, None].conj()

    def _repeated(self, each: Tensor) -> Tensor:
        """[rows, H, width, D] from [rows, width, G, 1, D]: every key head for each of its query heads."""
        rows, width = each.shape[:2]
        if self.per_pair > 1:
            each = each.expand(rows, width, self.pairs, self.per_pair, self.dim)
        return each.reshape(rows, width, self.heads, self.dim).transpose(1, 2)

    def backward(
        self,
        chunk: Chunk,
        pieces: Sequence[Piece],
        made: Attended,
        to_context: Tensor,
        query_rotation: Tensor,
        to_query: Tensor,
        to_key: Tensor,
        to_value: Tensor,
    ) -> None:
        """Fill the gradients of what `forward` was given, shaped as there."""
        key_rotation = chunk.rotation
        pairs, per_pair, dim = self.pairs, self.per_pair, self.dim
        to_key[: pieces[0].keys] = 0
        to_value[: pieces[0].keys] = 0
        for first, last in _rows(pieces):
            if pieces[first].fused:
                self._fused_back(made, first, pieces[first], to_context, to_query, to_key, to_value)
                continue
            rows, width = pieces[first].rows, pieces[first].width
            several = last - first > 1
            to_k = self._buffer("to_k", (pairs * rows, width, dim))
            to_v = self._buffer("to_v", (pairs * rows, width, dim))
            if several:
                to_k.zero_()
                to_v.zero_()
            for number in range(first, last):
                piece, shares = pieces[number], made.shares[number]
                asked, seen = piece.asked, piece.seen
                to_mixed = self._buffer("mixed", (pairs, rows, per_pair, asked, dim))
                to_mixed.permute(1, 3, 0, 2, 4).copy_(
                    _asking(to_context, piece).view(rows, asked, pairs, per_pair, dim)
                )
                to_mixed = to_mixed.view(pairs * rows, per_pair * asked, dim)
                k = made.k[number].view(pairs * rows, width, dim)[:, :seen]
                v = made.v[number].view(pairs * rows, width, dim)[:, :seen]
                q = made.q[number].view(pairs * rows, per_pair * asked, dim)
                to_shares = torch.bmm(to_mixed, v.mT, out=self._buffer("scores", tuple(shares.shape)))
                to_scores = torch.ops.aten._softmax_backward_data.out(
                    to_shares, shares, -1, torch.float32, grad_input=self._buffer("to_scores", tuple(shares.shape))
                )
                if several:
                    to_v[:, :seen].baddbmm_(shares.mT, to_mixed)
                    to_k[:, :seen].baddbmm_(to_scores.mT, q)
                else:
                    torch.bmm(shares.mT, to_mixed, out=to_v)
                    torch.bmm(to_scores.mT, q, out=to_k)
                to_q = torch.bmm(to_scores, k, out=to_mixed)
                torch.mul(
                    as_complex(to_q.view(pairs, rows, per_pair, asked, dim)).permute(1, 3, 0, 2, 4),
                    _asking(query_rotation, piece).view(rows, asked, 1, 1, dim // 2).conj(),
                    out=_asking(to_query, piece).view(rows, asked, pairs, per_pair, dim // 2),
                )
            slots = slice(pieces[first].keys, pieces[first].keys + rows * width)
            torch.mul(
                as_complex(to_k.view(pairs, rows, width, dim)).permute(1, 2, 0, 3),
                key_rotation[slots].view(rows, width, 1, dim // 2).conj(),
                out=to_key[slots].view(rows, width, pairs, dim // 2),
            )
            to_value[slots].view(rows, width, pairs, dim).copy_(to_v.view(pairs, rows, width, dim).permute(1, 2, 0, 3))
        self._turn_back(chunk, pieces, query_rotation, to_query, to_key)

    def _scores(self, piece: Piece) -> int:
        return 0 if piece.fused else self.heads * piece.rows * piece.asked * piece.seen

    def _forbid(self, scores: Tensor, piece: Piece) -> None:
        """Lower the scores of what a query must not see."""
        whole = scores.view(self.pairs, piece.rows, self.per_pair, piece.asked, piece.seen)
        assert piece.mask is not None
        if piece.mask.ndim == 3:
            whole.add_(piece.mask[:, None])
        else:
            whole[..., piece.seen - piece.asked :].add_(piece.mask)


def _asking(tensor: Tensor, piece: Piece) -> Tensor:
    """The places of ``tensor`` that ask in ``piece``: [rows, asked, …]."""
    rows = tensor[piece.queries : piece.queries + piece.rows * piece.per_row]
    return rows.view(piece.rows, piece.per_row, *tensor.shape[1:])[:, piece.begin : piece.end]


def _fused_slots(pieces: Sequence[Piece]) -> int:
    """Slots of the fused pieces, which come first."""
    return sum(piece.rows * piece.width for piece in pieces if piece.fused)


def _rows(pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """First and last + 1 of the pieces that share their rows."""
    first = 0
    for number in range(1, len(pieces) + 1):
        if number == len(pieces) or pieces[number].keys != pieces[first].keys:
            yield first, number
            first = number


def as_complex(x: Tensor) -> Tensor:
    """Neighbours along the last dimension as complex numbers."""
    return torch.view_as_complex(x.view(*x.shape[:-1], x.shape[-1] // 2, 2))
