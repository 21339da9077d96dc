"""Answers: greedy in batches for exams, sampled one at a time for the player."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from configs.errors import RealmError
from engine.hero.model import Hero
from engine.lean import answers as lean_answers

_SPREAD = 16
"""Prompts of one pass differ by at most this many tokens; more padding would cost more than another pass."""
_CACHED_TOKENS = 32_768
"""Most tokens, prompts and answers together, that one pass keeps keys and values of (7 GB in fp32 at 0.6 B)."""
_LEAN_TOKENS = 8192
"""The same for the passes by hand, which keep the attention of every layer."""


@torch.no_grad()
def greedy(
    hero: Hero,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int | Sequence[int],
    on_progress: Callable[[int], None] | None = None,
    *,
    batch_size: int = 64,
) -> list[list[int]]:
    """The most likely continuation of every prompt, up to and without its stop token.

    What a prompt is answered does not depend on the prompts beside it.

    Args:
        hero: in evaluation mode, with the weights that answer (see `StepLoop.examined`).
        prompts: token ids; any lengths.
        max_new_tokens: most tokens of an answer, of all or of each; the context's end cuts it, too.
        on_progress: called with the number of finished prompts after each pass.
        batch_size: most prompts in one pass; fewer where they and their answers may become long.

    Raises:
        RealmError: a prompt fills the hero's context.
    """
    answers: list[list[int]] = [[] for _ in prompts]
    wanted = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else max_new_tokens
    limits = [_room(hero, len(prompt), limit) for prompt, limit in zip(prompts, wanted, strict=True)]
    longest = max(limits, default=0)
    lean = hero.lean
    most = _CACHED_TOKENS if lean is None else _LEAN_TOKENS
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    done = 0
    while done < len(order):
        shortest = len(prompts[order[done]])
        rows = max(1, min(batch_size, most // (shortest + _SPREAD + longest)))
        group = [i for i in order[done : done + rows] if len(prompts[i]) <= shortest + _SPREAD]
        asked, most_of = [prompts[i] for i in group], [limits[i] for i in group]
        given = _decode(hero, asked, most_of) if lean is None else lean_answers(lean, asked, most_of, hero.stop_ids)
        for index, answer in zip(group, given, strict=True):
            answers[index] = answer
        done += len(group)
        if on_progress is not None:
            on_progress(done)
    return answers


def _decode(hero: Hero, prompts: Sequence[Sequence[int]], limits: Sequence[int]) -> list[list[int]]:
    """One left-padded batch; finished rows leave the batch. ``limits``: most tokens of each answer, at least 1."""
    width = max(map(len, prompts))
    device = hero.device
    ids = torch.tensor([[hero.pad_id] * (width - len(p)) + list(p) for p in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    positions = (mask.cumsum(1) - 1).clamp_(min=0)
    rows = list(range(len(prompts)))
    answers: list[list[int]] = [[] for _ in prompts]
    cache = DynamicCache(config=hero.model.config)
    stops = set(hero.stop_ids)
    while True:
        chosen = next_logits(hero, ids, mask, positions, cache).argmax(-1)
        tokens: list[int] = chosen.tolist()
        for row, token in zip(rows, tokens, strict=True):
            if token not in stops:
                answers[row].append(token)
        alive = [n for n, row in enumerate(rows) if tokens[n] not in stops and len(answers[row]) < limits[row]]
        if not alive:
            return answers
        if len(alive) < len(rows):
            keep = torch.tensor(alive, device=device)
            cache.batch_select_indices(keep)
            mask, positions, chosen = mask[keep], positions[keep], chosen[keep]
            rows = [rows[n] for n in alive]
        ids = chosen[:, None]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
        positions = positions[:, -1:] + 1


def next_logits(hero: Hero, ids: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache) -> Tensor:
    """[rows, V]: logits of the next token; the cache grows by ``ids``."""
    with hero.arithmetic():
        states = hero.model.get_decoder()(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        ).last_hidden_state[:, -1]
        logits: Tensor = hero.model.get_output_embeddings()(states).float()
    return logits


@torch.no_grad()
def sample(
    hero: Hero,
    prompt_ids: Sequence[int],
    *,
    temperature: float = 0.7,
    top_p: float = 0.95,
    seed: int = 0,
    max_new_tokens: int = 256,
    on_token: Callable[[int], None] | None = None,
) -> list[int]:
    """One answer, drawn with a random stream of its own; temperature 0 is greedy. The stop token is left out.

    Raises:
        RealmError: the prompt fills the hero's context.
    """
    generator = torch.Generator().manual_seed(seed)
    device = hero.device
    ids = torch.tensor([list(prompt_ids)], device=device)
    mask = torch.ones_like(ids)
    positions = torch.arange(ids.shape[1], device=device)[None]
    cache = DynamicCache(config=hero.model.config)
    answer: list[int] = []
    for _ in range(_room(hero, len(prompt_ids), max_new_tokens)):
        logits = next_logits(hero, ids, mask, positions, cache)[0].cpu()
        token = int(logits.argmax()) if temperature <= 0 else _draw(logits / temperature, top_p, generator)
        if token in hero.stop_ids:
            break
        answer.append(token)
        if on_token is not None:
            on_token(token)
        ids = torch.tensor([[token]], device=device)
        mask = torch.cat([mask, mask.new_ones(1, 1)], 1)
        positions = positions[:, -1:] + 1
    return answer


def _room(hero: Hero, prompt: int, wanted: int) -> int:
    """How many tokens an answer may have behind ``prompt`` tokens."""
    room = hero.context_length - prompt
    if room < 1:
        raise RealmError(
            f"a prompt of {prompt} tokens does not fit {hero.config.name}'s context of {hero.context_length}",
            fix="ask something shorter",
            code="PROMPT_TOO_LONG",
        )
    return min(wanted, room)


def _draw(logits: Tensor, top_p: float, generator: torch.Generator) -> int:
    """One token from the smallest set of tokens whose probability reaches ``top_p``."""
    shares, tokens = torch.softmax(logits, -1).sort(descending=True)
    kept = shares.cumsum(-1) - shares < top_p
    return int(tokens[torch.multinomial(shares * kept, 1, generator=generator)])
