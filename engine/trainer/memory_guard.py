"""Out of memory: the same step again in smaller passes. Items, divisor and learning rate stay; nothing is changed silently."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from configs import clock
from configs.errors import RealmError
from engine.curriculum.state import CurriculumState
from engine.memory.calibration import machine_key, measure, remember
from engine.memory.estimate import GIB, Setting, estimate
from engine.memory.plan import LEAST_TOKENS, gib
from engine.memory.shape import dimensions_of
from engine.out_of_memory import UpdateOutOfMemoryError, is_out_of_memory
from engine.step import StepOutcome
from engine.trainer.practice import Round
from saves import incidents, journal
from saves.rows import JournalEntry

if TYPE_CHECKING:
    from engine.trainer.game import Game

SMALLER_PASSES = "pass_tokens"
"""Journal verb: from the step after the entry's on, a pass holds at most so many tokens."""
MEASURED_AFTER_STEPS = 3
CONTEXT_BYTES = GIB // 2
"""What a device's context takes outside torch's own count."""


class MemoryGuard:
    """Trains the steps of a `Game`, with as many tokens in a pass as memory has room for."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._widest = 0

    @property
    def pass_tokens(self) -> int:
        """Most tokens of a forward pass now: what memory taught, what was planned for this machine, or the YAML's."""
        game = self._game
        planned = game.loop.placement.pass_tokens or game.hero.config.training.batch_tokens
        return min(game.values.pass_tokens or planned, planned)

    def train(self, state: CurriculumState, step: int) -> tuple[Round, StepOutcome] | None:
        """Optimizer step ``step``; tried again in passes of half the tokens as often as memory runs out.

        Returns:
            what was trained and how it went; None when not even one example fits, and training is then blocked.
        """
        game = self._game
        while True:
            game.forge.pass_tokens = self.pass_tokens
            began = clock.monotonic()
            practice = game.board.round(state, step)
            made_s = clock.monotonic() - began
            before = self._random_state()
            try:
                outcome = game.loop.train(practice.batches)
                self._measure(practice, step)
                return practice, replace(outcome, parts=outcome.parts.with_data(made_s))
            except UpdateOutOfMemoryError:
                raise
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                why = " ".join(str(error).split())[:300]
                if not game.loop.repeatable:
                    # The engine is started again, and what is journaled here makes the passes of this step smaller.
                    self._shrink(practice, step, why)
                    raise
            # Outside the handler, whose traceback would keep the failed pass's tensors alive.
            game.loop.optimizer.zero_grad()
            self._free()
            self._set_random_state(before)
            if not self._shrink(practice, step, why):
                return None

    def again(self, entry: JournalEntry) -> None:
        """Take in once more what memory taught the run before at this step."""
        self._game.values.pass_tokens = int(entry.args["tokens"])

    def _shrink(self, practice: Round, step: int, why: str) -> bool:
        """Halve the tokens of a pass; False when the fullest one holds a single example, or hardly any token."""
        game = self._game
        fullest = max(practice.batches, key=lambda batch: batch.tokens)
        tokens = fullest.tokens // 2
        if fullest.examples == 1 or tokens < LEAST_TOKENS:
            self._block(fullest.tokens, step, why)
            return False
        entry = journal.add(
            game.conn, game.run_id, game.values.step, SMALLER_PASSES, {"tokens": tokens}, changes_training=True
        )
        game.values.applied_seq = entry.seq
        game.values.pass_tokens = tokens
        incidents.raise_incident(
            game.conn,
            "oom",
            category="infra",
            severity="medium",
            title=f"out of memory in step {step}: it was trained again, the same items in passes of at most {tokens} tokens",
            fix="nothing needs to be done; `realm vram` shows what takes the memory",
            detail={
                "why": why,
                "tokens_before": fullest.tokens,
                "tokens_now": tokens,
                "passes_before": len(practice.batches),
                "items": len(practice.items),
                **self._device_numbers(),
            },
            run_id=game.run_id,
            step=step,
        )
        return True

    def _block(self, tokens: int, step: int, why: str) -> None:
        game = self._game
        game.blocked = RealmError(
            f"memory is too small for one example of {tokens} tokens",
            why=why,
            fix="close other programs, or take a smaller context or another memory profile (`realm vram`), then resume",
            code="OUT_OF_MEMORY",
        )
        incidents.raise_incident(
            game.conn,
            "oom",
            category="infra",
            severity="high",
            title=game.blocked.what,
            fix=game.blocked.fix,
            detail={"why": why, "tokens_before": tokens, **self._device_numbers()},
            blocks=True,
            run_id=game.run_id,
            step=step,
        )

    # ---------------------------------------------------------------- the device

    def _measure(self, practice: Round, step: int) -> None:
        """After a card's first steps, remember what they really took beside what is estimated for passes of their width."""
        game = self._game
        self._widest = max(self._widest, *(batch.input_ids.numel() for batch in practice.batches))
        model = game.hero.config.model
        if not self._on_card or step != game.first_step + MEASURED_AFTER_STEPS or not (model.dimensions or model.shape):
            return
        placement, training = game.loop.placement, game.hero.config.training
        made = estimate(
            dimensions_of(game.hero.config),
            training,
            Setting(placement.weights, placement.compute, self._widest, placement.checkpointed_blocks),
            game.rules.memory,
        )
        taken = torch.cuda.max_memory_reserved() + CONTEXT_BYTES + made.paged_resident
        machine = machine_key(torch.cuda.get_device_name(), torch.cuda.mem_get_info()[1])
        remember(machine, training, measure(game.hero.config.id, made.peak, taken))

    @property
    def _on_card(self) -> bool:
        return self._game.loop.placement.device == "cuda"

    def _random_state(self) -> list[torch.Tensor]:
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if self._on_card else [])]

    def _set_random_state(self, states: list[torch.Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self._on_card:
            torch.cuda.set_rng_state(states[1])

    def _free(self) -> None:
        gc.collect()
        if self._on_card:
            torch.cuda.empty_cache()

    def _device_numbers(self) -> dict[str, float]:
        if not self._on_card:
            return {}
        free, total = torch.cuda.mem_get_info()
        peak = torch.cuda.max_memory_allocated()
        return {"card_gib": round(gib(total), 2), "free_gib": round(gib(free), 2), "peak_gib": round(gib(peak), 2)}
