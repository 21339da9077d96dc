"""Answers of one hero decoded together: rows come and go between two tokens, and none of them notices the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache

from configs.errors import RealmError
from engine.chat.template import answer_text, decode
from engine.generate import next_logits
from engine.hero.model import Hero
from engine.worker.draw import Draw, choose, probabilities
from engine.worker.replies import Ended, Piece, Told
from engine.worker.speech import Speech

SPREAD = 16
"""Prompts that are read together differ by at most this many tokens."""
READ_TOKENS = 8192
"""Most tokens of prompts read in one pass; a longer prompt is read alone."""


@dataclass(eq=False, slots=True)
class Row:
    """One answer on its way."""

    index: int
    """Which answer of its request."""
    ids: Sequence[int]
    limit: int
    """Most tokens, at least 1; with the prompt it fits the context."""
    draw: Draw
    seed: int
    tell: Callable[[Piece | Ended], None]
    """Called from the thread that decodes."""
    fail: Callable[[RealmError], None]
    """Called from that thread, once or more for a request, with why it will not be answered."""
    chat: bool
    stops: tuple[str, ...] = ()
    tops: int | None = None
    """How many likely tokens are told beside each; None: nothing is told of probabilities."""
    stream: bool = False
    gone: bool = False
    """Nobody waits for it any more."""
    out: list[int] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    decoded: int = 0
    began: float = 0.0
    first: float = 0.0
    speech: Speech | None = None

    @property
    def longest(self) -> int:
        """Most tokens of prompt and answer together."""
        return len(self.ids) + self.limit


class Batch:
    """The rows of one hero.

    Args:
        hero: in evaluation mode.
    """

    def __init__(self, hero: Hero) -> None:
        self.hero = hero
        self.rows: list[Row] = []
        self._cache = DynamicCache()
        self._mask = self._positions = self._next = torch.empty(0, dtype=torch.long)
        self._stops = frozenset(hero.stop_ids)
        config = hero.model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        width = 2 if hero.model.dtype in (torch.bfloat16, torch.float16) else 4
        self.token_bytes = int(2 * config.num_hidden_layers * heads * size * width)
        """Keys and values of one token."""

    def room(self, more: Sequence[Row], most_bytes: int) -> bool:
        """Whether ``more`` rows fit beside those that are here; one row alone always does."""
        rows = [*self.rows, *more]
        return len(rows) < 2 or len(rows) * max(r.longest for r in rows) * self.token_bytes <= most_bytes

    @torch.no_grad()
    def join(self, rows: Sequence[Row]) -> None:
        """Read the prompts of new rows, choose their first tokens, and let them go on with the others."""
        now = time.perf_counter()
        for row in rows:
            row.began = now
            if row.stream or row.stops:
                lead = self.hero.template.format.assistant.lead if row.chat else ""
                row.speech = Speech(self.hero, lead, row.stops)
        width, device = max(len(r.ids) for r in rows), self.hero.device
        ids = torch.tensor([[self.hero.pad_id] * (width - len(r.ids)) + list(r.ids) for r in rows], device=device)
        mask = torch.tensor([[0] * (width - len(r.ids)) + [1] * len(r.ids) for r in rows], device=device)
        positions = (mask.cumsum(1) - 1).clamp_(min=0)
        cache = DynamicCache()
        logits = next_logits(self.hero, ids, mask, positions, cache)
        kept, chosen = self._take(list(rows), logits)
        if not kept:
            return
        keep = torch.tensor(kept, device=device)
        if len(kept) < len(rows):
            cache.batch_select_indices(keep)
            mask, positions = mask[keep], positions[keep]
        self._merge([rows[n] for n in kept], cache, mask, positions[:, -1:] + 1, chosen)

    @torch.no_grad()
    def step(self) -> None:
        """One more token for every row."""
        self._leave([n for n, row in enumerate(self.rows) if not row.gone])
        if not self.rows:
            return
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self.rows), 1)], 1)
        logits = next_logits(self.hero, self._next, self._mask, self._positions, self._cache)
        kept, chosen = self._take(self.rows, logits)
        self._positions = self._positions + 1
        self._leave(kept)
        if self.rows:
            self._next = chosen

    def drop(self) -> list[Row]:
        """Let go of every row, and return those that were not finished."""
        rows = [row for row in self.rows if not row.gone]
        self.rows = []
        self._cache = DynamicCache()
        return rows

    def _merge(self, rows: list[Row], cache: DynamicCache, mask: Tensor, positions: Tensor, chosen: Tensor) -> None:
        """Put rows beside those that are here; the shorter ones are filled up on the left, where nobody looks."""
        if not self.rows:
            self.rows, self._cache, self._mask, self._positions, self._next = rows, cache, mask, positions, chosen
            return
        width = max(mask.shape[1], self._mask.shape[1])
        for mine, new in zip(self._cache.layers, cache.layers, strict=True):
            mine.keys = torch.cat([_filled(mine.keys, width), _filled(new.keys, width)])
            mine.values = torch.cat([_filled(mine.values, width), _filled(new.values, width)])
        self._mask = torch.cat([pad(m, (width - m.shape[1], 0)) for m in (self._mask, mask)])
        self._positions = torch.cat([self._positions, positions])
        self._next = torch.cat([self._next, chosen])
        self.rows = [*self.rows, *rows]

    def _leave(self, kept: list[int]) -> None:
        """Only these rows go on; columns in which none of them has anything go with the others."""
        if len(kept) == len(self.rows):
            return
        if not kept:
            self.drop()
            return
        keep = torch.tensor(kept, device=self._mask.device)
        self._mask, self._positions = self._mask[keep], self._positions[keep]
        self._next = self._next[keep] if len(self._next) == len(self.rows) else self._next
        empty = int(self._mask.amax(0).argmax())
        self._mask = self._mask[:, empty:]
        for layer in self._cache.layers:
            layer.keys, layer.values = layer.keys[keep, :, empty:], layer.values[keep, :, empty:]
        self.rows = [self.rows[n] for n in kept]

    def _take(self, rows: list[Row], logits: Tensor) -> tuple[list[int], Tensor]:
        """Choose a token for every row and say what is to be said; the rows that go on, and their tokens [rows, 1]."""
        chosen = choose(logits, [row.draw for row in rows])
        told = self._told(rows, logits, chosen)
        now = time.perf_counter()
        kept = []
        for n, (row, token) in enumerate(zip(rows, chosen, strict=True)):
            row.decoded += 1
            row.first = row.first or now
            over = token in self._stops
            if not over:
                row.out.append(token)
                row.told += told.get(n, ())
                said = row.speech.add(token) if row.speech is not None else ""
                over = row.speech is not None and row.speech.stopped
                if row.stream and (said or n in told):
                    row.tell(Piece(row.index, said, told.get(n, ())))
            if over or len(row.out) >= row.limit:
                self._end(row, now, stopped=over)
            else:
                kept.append(n)
        return kept, torch.tensor([[chosen[n]] for n in kept], device=logits.device)

    def _told(self, rows: list[Row], logits: Tensor, chosen: list[int]) -> dict[int, tuple[Told, ...]]:
        asked = [n for n, row in enumerate(rows) if row.tops is not None]
        if not asked:
            return {}
        most = max(rows[n].tops or 0 for n in asked)
        values, tops = probabilities(logits[asked], [chosen[n] for n in asked], most)
        found: dict[int, tuple[Told, ...]] = {}
        for n, value, likely in zip(asked, values, tops, strict=True):
            named = tuple((decode(self.hero, [t]), p) for t, p in likely[: rows[n].tops or 0])
            found[n] = (Told(decode(self.hero, [chosen[n]]), value, named),)
        return found

    def _end(self, row: Row, now: float, *, stopped: bool) -> None:
        if row.speech is None:
            text = answer_text(self.hero, row.out) if row.chat else decode(self.hero, row.out)
        else:
            rest = row.speech.end()
            text = row.speech.text
            stopped = stopped or row.speech.stopped
            if row.stream and rest:
                row.tell(Piece(row.index, rest))
        row.tell(
            Ended(
                index=row.index,
                text=text,
                finish="stop" if stopped else "length",
                ids=tuple(row.out),
                tokens=row.decoded,
                prompt_tokens=len(row.ids),
                seed=row.seed,
                seconds=now - row.began,
                first_token_s=row.first - row.began,
                told=tuple(row.told),
            )
        )


def _filled(states: Tensor, width: int) -> Tensor:
    """[rows, heads, width, D], filled up on the left."""
    return pad(states, (0, 0, width - states.shape[2], 0))
