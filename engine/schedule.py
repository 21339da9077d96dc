"""Learning rate over the optimizer steps of a campaign: pure functions of the number of updates done."""

from __future__ import annotations

import math

from configs.training import HeroTraining


def rate_share(training: HeroTraining, updates: int) -> float:
    """Share of the full learning rate that the update after ``updates`` others uses.

    Warm-up rises linearly to 1 and is part of ``schedule_steps``. Afterwards ``constant`` stays; ``linear`` and ``cosine``
    fall to ``min_rate_share`` at ``schedule_steps``; ``wsd`` stays, and falls linearly in the last ``decay_share`` of them
    (Hu et al., "MiniCPM", 2024). Whoever trains on goes on at ``min_rate_share``.
    """
    warm, total = training.warmup_steps, training.schedule_steps
    if updates < warm:
        return (updates + 1) / warm
    if training.schedule == "constant" or total is None:
        return 1.0
    first = warm
    if training.schedule == "wsd":
        first = max(warm, total - round(total * training.decay_share))
    done = min(1.0, max(0.0, (updates + 1 - first) / (total - first))) if total > first else 1.0
    fallen = 0.5 * (1 - math.cos(math.pi * done)) if training.schedule == "cosine" else done
    return 1.0 - (1.0 - training.min_rate_share) * fallen
