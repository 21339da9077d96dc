"""What is new since the last frame: experience gained, levels won, a crown that changed hands, trouble that appeared."""

from __future__ import annotations

from dataclasses import dataclass

from configs import clock
from engine.link.state import LIVING
from realm_tui.app.facts import Facts

FLASH_S = 3.0
"""Seconds a won level shines."""
_GOLD_SHARE = 0.9
"""Share of right answers from which it shines in gold."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a frame adds to the one before it."""

    gained: int = 0
    """Steps since the last frame; drawn beside the bar while the hero trains."""
    won: tuple[tuple[str, int], ...] = ()
    """Skill and level, while it shines."""
    gold: bool = False
    """Whether the newest exam had nine right answers in ten, or more."""
    told: tuple[tuple[str, str], ...] = ()
    """What to tell in a toast now: kind (won, champion or incident) and words."""


class Heart:
    """Compares each frame's facts with those of the frame before."""

    def __init__(self) -> None:
        self._before: Facts | None = None
        self._won: tuple[tuple[str, int], ...] = ()
        self._until = 0.0
        self._last = Pulse()

    def beat(self, facts: Facts) -> Pulse:
        """What is new; the same facts once more change nothing but what has shone long enough."""
        before, now = self._before, clock.monotonic()
        if facts is before:
            if self._last.won and now >= self._until:
                self._last = Pulse(self._last.gained)
            return Pulse(self._last.gained, self._last.won, self._last.gold)
        self._before = facts
        if before is None or before.status.campaign != facts.status.campaign:
            return Pulse()
        old, new = before.status, facts.status
        won = tuple(
            (key, skill.mastered)
            for key, skill in new.skills.items()
            if key in old.skills and skill.mastered > old.skills[key].mastered
        )
        if won:
            self._won, self._until = won, now + FLASH_S
        elif now >= self._until:
            self._won = ()
        told = [("won", f"{key.upper()} {level}") for key, level in won]
        if new.champion is not None and (old.champion is None or old.champion.step != new.champion.step):
            told.append(("champion", f"step {new.champion.step:,}"))
        if new.incidents > old.incidents:
            told.append(("incident", f"{new.incidents - old.incidents}"))
        exam = facts.exam
        gold = exam is not None and exam.items > 0 and exam.correct / exam.items >= _GOLD_SHARE
        gained = max(0, new.xp - old.xp) if new.state in LIVING else 0
        self._last = Pulse(gained, self._won, gold and bool(self._won), tuple(told))
        return self._last
