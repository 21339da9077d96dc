"""Before and after a player's quest: the held-out loss, and a few answers to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.batch import make_batches
from engine.chat.encoded import Encoded
from engine.chat.profiles import trained_form
from engine.chat.template import answer_text, encode_prompt, with_system
from engine.generate import greedy
from engine.hero.model import Hero
from engine.step import StepLoop
from engine.trainer.practice import QuestPractice

SAMPLE_TOKENS = 128
"""Most tokens of a sample answer."""
EXPECTED_CHARS = 2000
"""Most characters of prompt and expected answer kept beside a sample."""


def held_out_loss(
    loop: StepLoop, kept: list[Encoded], batch_tokens: int, on_progress: Callable[[str], None]
) -> float | None:
    """Mean loss per trained token over the held-out examples; None when none were kept."""
    if not kept:
        return None
    total, tokens, done = 0.0, 0, 0
    for batch in make_batches(kept, max_tokens=batch_tokens, row_tokens=loop.hero.row_tokens):
        total += loop.evaluate([batch]) * batch.trained_tokens
        tokens += batch.trained_tokens
        done += batch.examples
        on_progress(f"held-out loss: {done} of {len(kept)}")
    return total / tokens


def sample_answers(
    hero: Hero, quest: QuestPractice, count: int, system: str, on_progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The hero's own answers to the first ``count`` held-out conversations (training ones where none were kept)."""
    samples: list[dict[str, Any]] = []
    for example in quest.samples(count):
        on_progress(f"sample answer {len(samples) + 1} of {count}")
        messages = list(example.messages or ())
        while messages and messages[-1]["role"] != "assistant":
            messages.pop()
        if not messages:
            continue
        expected = messages.pop()["content"]
        asked = messages[-1]["content"] if messages else ""
        messages = with_system(trained_form(hero.config.data, messages, example.index), system)
        room = hero.config.model.context_length - 1
        prompt = encode_prompt(hero, messages)
        if len(prompt) >= room:
            continue
        answer = answer_text(hero, greedy(hero, [prompt], min(SAMPLE_TOKENS, room - len(prompt)))[0])
        samples.append(
            {
                "line": example.line,
                "prompt": asked[:EXPECTED_CHARS],
                "expected": expected[:EXPECTED_CHARS],
                "answer": answer,
            }
        )
    return samples
