"""The best a campaign has reached. A peak belongs to the way that counts, and never falls on it."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from saves.exams import level_ups


@dataclass(frozen=True, slots=True)
class Peaks:
    """Best values; None where nothing was measured."""

    train_loss: float | None
    """Lowest loss of a step."""
    held_out_loss: float | None
    """Lowest held-out loss after a player's quest."""
    accuracy: float | None
    """Highest share of a gate's exam at the training level."""
    levels: dict[str, int]
    """Highest level won, by skill."""
    steps: dict[str, int]
    """Step at which each of the others was reached, as far as history still tells it."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def peaks(conn: sqlite3.Connection, campaign_id: str) -> Peaks:
    """The peaks of a campaign."""
    found = {
        "train_loss": """SELECT loss_min AS best, last_step AS step FROM live_step_windows
            WHERE run_campaign_id = ? AND loss_min IS NOT NULL ORDER BY loss_min, last_step LIMIT 1""",
        "held_out_loss": """SELECT loss_after AS best, last_step AS step FROM live_quest_attempts
            WHERE run_campaign_id = ? AND state = 'completed' AND loss_after IS NOT NULL
            ORDER BY loss_after, last_step LIMIT 1""",
        "accuracy": """SELECT 1.0 * correct / items AS best, step FROM live_exams
            WHERE run_campaign_id = ? AND kind = 'gate' AND items > 0 ORDER BY best DESC, step LIMIT 1""",
    }
    best: dict[str, float | None] = dict.fromkeys(found)
    steps: dict[str, int] = {}
    for name, query in found.items():
        row = conn.execute(query, (campaign_id,)).fetchone()
        if row is not None:
            best[name] = row["best"]
            if row["step"] is not None:
                steps[name] = row["step"]
    levels: dict[str, int] = {}
    for won in level_ups(conn, campaign_id):
        levels[won.skill] = max(levels.get(won.skill, 0), won.to_level)
    return Peaks(best["train_loss"], best["held_out_loss"], best["accuracy"], levels, steps)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A stretch of a campaign on a coarse curve."""

    step: int
    """Last step of the stretch."""
    tokens: int
    """Trained tokens up to there."""
    strain: float | None
    """Mean strain of the stretch; None where nothing finite was trained."""
    loss: float | None


def curve(conn: sqlite3.Connection, campaign_id: str, points: int = 200) -> list[CurvePoint]:
    """The campaign's way in at most ``points`` stretches of about equally many windows."""
    rows = conn.execute(
        """SELECT last_step, steps, nonfinite, strain_sum, loss_sum, trained_tokens FROM live_step_windows
           WHERE run_campaign_id = ? ORDER BY last_step""",
        (campaign_id,),
    ).fetchall()
    found: list[CurvePoint] = []
    size = max(1, -(-len(rows) // points))
    tokens = 0
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        tokens += sum(r["trained_tokens"] for r in part)
        finite = sum(r["steps"] - r["nonfinite"] for r in part)
        strain = sum(r["strain_sum"] for r in part) / finite if finite else None
        loss = sum(r["loss_sum"] for r in part) / finite if finite else None
        found.append(CurvePoint(part[-1]["last_step"], tokens, strain, loss))
    return found


def effort_by_skill(conn: sqlite3.Connection, campaign_id: str) -> dict[str, float]:
    """Effort spent on each skill's own problems; what player's quests took is in none of them."""
    rows = conn.execute(
        """SELECT skill, sum(strain_sum) AS effort FROM live_step_windows
           WHERE run_campaign_id = ? AND skill IS NOT NULL GROUP BY skill ORDER BY skill""",
        (campaign_id,),
    ).fetchall()
    return {row["skill"]: row["effort"] for row in rows}
