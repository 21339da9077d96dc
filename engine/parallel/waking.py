"""Makes the same hero in every process, and the loop that trains it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from configs.schema import HeroConfig
from engine.hero.folder import stay_offline
from engine.hero.loading import load_folder, load_pretrained
from engine.hero.model import Hero, make_hatchling
from engine.parallel.loop import ParallelLoop
from engine.parallel.sharded import ShardedLoop, refuse_unproven
from engine.parallel.world import Verb, World
from engine.placement import Placement
from engine.step import StepLoop
from skills.registry import get_skill

_SPREAD = 0x9E3779B1


@dataclass(frozen=True, slots=True)
class Waking:
    """What a process needs to make the hero."""

    config: HeroConfig
    placement: Placement
    folder: Path | None
    """The checkpoint to go on from; None: the hero as it comes into the world."""
    seed: int
    kind: str = "ddp"
    """How several processes share it."""

    def hero(self, placement: Placement) -> Hero:
        """The hero with its weights, as ``placement`` says."""
        if self.folder is not None:
            return load_folder(self.config, self.folder, placement)
        if self.config.model.source == "hatchling":
            special = [token for skill in self.config.skills for token in get_skill(skill).special_tokens()]
            return make_hatchling(self.config, placement, seed=self.seed, special=special)
        return load_pretrained(self.config, placement)

    def loop(self, world: World | None) -> StepLoop:
        """The hero in training, alone or with the other processes of ``world``.

        Raises:
            RealmError: its model is missing or damaged, or it cannot be trained by these processes.
        """
        if world is None:
            self.placement.apply()
            torch.manual_seed(self.seed)
            hero = self.hero(self.placement)
            stay_offline()
            return StepLoop(hero, self.placement)
        sharded = self.kind == "fsdp2"
        if sharded:
            refuse_unproven(self.config.training)
        world.settle(self.placement.device)
        if world.first:
            world.order(Verb.WAKE, self)
        placement = shared(self.placement, world.seat.local_processes)
        placement.apply()
        torch.manual_seed(self.seed)
        # Whole weights of a hero that is to be cut need never lie on the card.
        hero = self.hero(replace(placement, device="cpu") if sharded else placement)
        stay_offline()
        torch.manual_seed((self.seed + world.seat.rank * _SPREAD) % 2**63)
        return ShardedLoop(hero, placement, world) if sharded else ParallelLoop(hero, placement, world)


def shared(placement: Placement, processes: int) -> Placement:
    """``placement`` for one of ``processes`` on the same machine: its share of the cores, and passes that can be wrapped."""
    threads = max(1, placement.threads // processes) if placement.device == "cpu" else placement.threads
    return replace(placement, kernel="model", threads=threads)
