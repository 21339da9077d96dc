"""Scores, shares and mixed values of the pieces of a chunk, and the way back.

Heads that share a key head are scored with it in one product: G key heads, each asked by P = H / G query heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.lean.rows import Piece

Buffer = Callable[[str, tuple[int, ...]], Tensor]


@dataclass(slots=True, eq=False)
class Attended:
    """What the way back needs of one layer's attention."""

    q: list[Tensor]
    """[G, rows, P, asked, D] of each piece."""
    k: list[Tensor]
    """[G, rows, width, D] of each piece's rows; pieces of the same rows share it."""
    v: list[Tensor]
    shares: list[Tensor]
    """[G * rows, P * asked, seen] of each piece."""


class Attention:
    """Attention of one model's heads over the pieces of a chunk."""

    def __init__(self, heads: int, pairs: int, dim: int, buffer: Buffer) -> None:
        self.heads, self.pairs, self.dim = heads, pairs, dim
        self.per_pair = heads // pairs
        self._buffer = buffer

    def forward(
        self,
        name: str,
        pieces: Sequence[Piece],
        query: Tensor,
        query_rotation: Tensor,
        key: Tensor,
        key_rotation: Tensor,
        value: Tensor,
        context: Tensor,
    ) -> Attended:
        """Fill ``context`` [places, H * D].

        Args:
            name: of the buffers.
            pieces: who attends to whom.
            query: [places, H, D/2] complex, scaled, not yet turned.
            query_rotation: [places, D/2] complex.
            key: [slots, G, D/2] complex, scaled, not yet turned.
            key_rotation: [slots, D/2] complex.
            value: [slots, G * D].
            context: where the mixed values go.
        """
        made = Attended([], [], [], [])
        pairs, per_pair, dim = self.pairs, self.per_pair, self.dim
        all_q = self._buffer(f"{name}.q", (query.shape[0] * self.heads * dim,))
        all_k = self._buffer(f"{name}.k", (key.shape[0] * pairs * dim,))
        all_v = self._buffer(f"{name}.v", (key.shape[0] * pairs * dim,))
        all_shares = self._buffer(f"{name}.shares", (sum(self._scores(p) for p in pieces),))
        q_from = share_from = 0
        rows_of = None
        for piece in pieces:
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
        return made

    def backward(
        self,
        pieces: Sequence[Piece],
        made: Attended,
        to_context: Tensor,
        query_rotation: Tensor,
        key_rotation: Tensor,
        to_query: Tensor,
        to_key: Tensor,
        to_value: Tensor,
    ) -> None:
        """Fill the gradients of what `forward` was given, shaped as there."""
        pairs, per_pair, dim = self.pairs, self.per_pair, self.dim
        for first, last in _rows(pieces):
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

    def _scores(self, piece: Piece) -> int:
        return self.heads * piece.rows * piece.asked * piece.seen

    def _forbid(self, scores: Tensor, piece: Piece) -> None:
        """Lower the scores of what a query must not see."""
        whole = scores.view(self.pairs, piece.rows, self.per_pair, piece.asked, piece.seen)
        if piece.mask.ndim == 3:
            whole.add_(piece.mask[:, None])
        else:
            whole[..., piece.seen - piece.asked :].add_(piece.mask)


def _asking(tensor: Tensor, piece: Piece) -> Tensor:
    """The places of ``tensor`` that ask in ``piece``: [rows, asked, …]."""
    rows = tensor[piece.queries : piece.queries + piece.rows * piece.per_row]
    return rows.view(piece.rows, piece.per_row, *tensor.shape[1:])[:, piece.begin : piece.end]


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
