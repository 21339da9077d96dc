"""Strain over a campaign: its curve with levels won and forms saved, a ghost beside it, and what effort bought, skill by skill."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from configs import clock
from configs.schema import ZONES
from engine.link.snapshot import StepRecord
from lore.strain import efficiency, gain
from realm_tui.runtime.buckets import Grid
from realm_tui.runtime.lanes import Rival, recipe_of_race, rivals
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.stretched import LOOK_S, Plot, Track, on_grid, with_records
from realm_tui.runtime.watch_view import Tower, Wish
from saves.charts import ALL, Lane, Only, checkpoint_steps, stretches, way
from saves.exams import level_ups
from saves.rows import LevelUp


@dataclass(frozen=True, slots=True)
class LevelCost:
    """One level won, and what it took (a level-transition record)."""

    skill: str
    level: int
    step: int
    steps: int
    effort: float
    gain: float | None
    efficiency: float | None
    """Loss drop per effort."""


@dataclass(frozen=True, slots=True)
class SkillEffort:
    """What a skill has cost, and what that bought."""

    skill: str
    """``quests`` for the player's own files."""
    steps: int
    effort: float | None
    """Over the steps whose strain is known; None while there is none, as on the first attempt at a file, whose floor is unknown."""
    zones: tuple[int, int, int, int]
    """Steps in Recovery, Productive, Stretch and Overload."""
    floor: float | None
    """The newest floor in force; None while none is known."""
    levels: int
    per_level: float | None
    """Mean effort of a level won."""
    gain: float | None
    efficiency: float | None
    """Loss drop per effort over all levels won; None before one was."""


@dataclass(frozen=True, slots=True)
class Duel:
    """The campaign and its ghost at the same step."""

    step: int
    strain: float | None
    ghost_strain: float | None
    levels: int
    ghost_levels: int


Marks = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class StrainData:
    """Everything on the page."""

    wish: Wish = field(default_factory=Wish)
    first: int = 1
    last: int | None = None
    curve: Plot = field(default_factory=Plot)
    levels: Marks = ()
    """Step and label of each level won."""
    checkpoints: tuple[int, ...] = ()
    ghost: Rival | None = None
    ghost_curve: tuple[float | None, ...] = ()
    ghost_levels: Marks = ()
    rivals: tuple[Rival, ...] = ()
    filters: tuple[str, ...] = ()
    efforts: tuple[SkillEffort, ...] = ()
    costs: tuple[LevelCost, ...] = ()
    """Newest first."""
    duel: Duel | None = None
    complete: bool = True
    """False while older history is still to be read; the next look goes on."""


_QUESTS = "quests"
_PARTS = 32
"""Parts in which a long history is summed."""


@dataclass(slots=True)
class _Sums:
    """What is summed of one skill so far."""

    steps: int = 0
    effort: float = 0.0
    zones: list[int] = field(default_factory=lambda: [0] * len(ZONES))


class StrainReader:
    """Reads one save again and again; everything on one thread."""

    def __init__(self) -> None:
        self.tower = Tower()
        self.complete = True
        self._tracks: dict[tuple[Lane, Only], Track] = {}
        self._way: tuple[object, ...] = ()
        self._sums: dict[str, _Sums] = {}
        self._upto = 0

    def read(self, save: OpenedSave, wish: Wish, *, unset: bool = False) -> StrainData:
        """The page for a wish.

        Args:
            save: the opened save.
            wish: span, filter and ghost.
            unset: the player has chosen no ghost yet: the personal best is shown, if there is one. So it is where the chosen one
                is gone.
        """
        conn, lane = save.conn, Lane(save.campaign.id)
        self.complete = True
        others = tuple(rivals(save))
        if unset or (wish.rival and all(r.key != wish.rival for r in others)):
            wish = replace(wish, rival=next((r.key for r in others if r.best), ""))
        ghost = next((r for r in others if r.key == wish.rival), None)
        won = level_ups(conn, save.campaign.id)
        efforts = tuple(self._efforts(save, won))
        reached = self._track(lane, ALL).reach(conn)
        records = self.tower.records(wish)
        newest = max((n for n in (reached and reached[1], records and records[-1].step) if n), default=None)
        first = min(save.campaign.starting_step + 1, newest or 1)
        found = StrainData(
            wish=wish,
            first=first,
            rivals=others,
            ghost=ghost,
            efforts=efforts,
            filters=tuple(e.skill for e in efforts),
            costs=tuple(_cost(up) for up in reversed(won)),
        )
        if newest is None:
            return found
        track = self._track(lane, wish.filter)
        ghost_points, ghost_won = self._ghost(save, ghost)
        end = newest
        if ghost is not None and wish.span.width is None:
            end = max(newest, ghost_points[-1][0] if ghost_points else self._end(conn, ghost))
        grid = Grid.over(*wish.span.bounds(first, end))
        curve = track.read(conn, grid)
        if records and not wish.only:
            curve = with_records(curve, _judged(records), reached[1] if reached else 0)
        ghost_curve = self._ghost_curve(conn, ghost, ghost_points, grid, wish.filter)
        return replace(
            found,
            last=newest,
            curve=curve,
            levels=tuple((up.step, f"{_short(up, save)}{up.to_level}") for up in won),
            checkpoints=tuple(checkpoint_steps(conn, lane)),
            ghost_curve=ghost_curve,
            ghost_levels=ghost_won,
            duel=self._duel(conn, lane, ghost, ghost_points, newest, (len(won), ghost_won)) if ghost else None,
            complete=self.complete and track.complete,
        )

    # ------------------------------------------------------------------ ghost

    def _ghost(self, save: OpenedSave, ghost: Rival | None) -> tuple[list[tuple[int, float | None]], Marks]:
        """A recipe's curve (none for a lane, which has windows) and the levels a ghost won, on the campaign's count of steps."""
        if ghost is None:
            return [], ()
        if ghost.lane is not None:
            won = level_ups(save.conn, ghost.lane.campaign_id) if ghost.lane.run_id is None else []
            return [], tuple((up.step + ghost.shift, f"{_short(up, save)}{up.to_level}") for up in won)
        raced = recipe_of_race(save)
        if raced is None:
            return [], ()
        points = [(p.step + ghost.shift, p.strain) for p in raced.curve]
        return points, tuple((m.step + ghost.shift, f"L{m.level}") for m in raced.marks)

    def _end(self, conn: sqlite3.Connection, ghost: Rival) -> int:
        found = self._track(ghost.lane, ALL).reach(conn) if ghost.lane is not None else None
        return found[1] + ghost.shift if found is not None else 0

    def _ghost_curve(
        self,
        conn: sqlite3.Connection,
        ghost: Rival | None,
        points: Sequence[tuple[int, float | None]],
        grid: Grid,
        only: Only,
    ) -> tuple[float | None, ...]:
        if ghost is None:
            return ()
        if ghost.lane is None:
            return on_grid(points, grid)
        theirs, missing, _ = grid.shifted(ghost.shift)
        track = self._track(ghost.lane, only)
        series = track.read(conn, theirs).series["strain"]
        self.complete &= track.complete
        return (None,) * missing + series

    def _duel(
        self,
        conn: sqlite3.Connection,
        lane: Lane,
        ghost: Rival,
        points: Sequence[tuple[int, float | None]],
        newest: int,
        won: tuple[int, Marks],
    ) -> Duel:
        """Both at the newest step, or at the ghost's last where it ended sooner."""
        end = points[-1][0] if points else self._end(conn, ghost)
        step = min(newest, end)
        levels = won[0] if step == newest else sum(up.step <= step for up in level_ups(conn, lane.campaign_id))
        if ghost.lane is None:
            theirs = next((v for s, v in points if s >= step), None)
        else:
            theirs = _strain_at(conn, ghost.lane, step - ghost.shift)
        return Duel(step, _strain_at(conn, lane, step), theirs, levels, sum(s <= step for s, _ in won[1]))

    # ------------------------------------------------------------------ effort

    def _track(self, lane: Lane, only: Only) -> Track:
        if len(self._tracks) > 8:
            self._tracks.clear()
        return self._tracks.setdefault((lane, only), Track(lane, only))

    def _efforts(self, save: OpenedSave, won: Sequence[LevelUp]) -> list[SkillEffort]:
        """Sums by skill; only windows that were written since the last look are read."""
        conn, lane = save.conn, Lane(save.campaign.id)
        now = way(conn, save.campaign.id)
        if now != self._way:
            self._way, self._sums, self._upto = now, {}, save.campaign.starting_step
        found = self._track(lane, ALL).reach(conn)
        last, end = found[1] if found is not None else 0, clock.monotonic() + LOOK_S
        part = max(1, -(-(last - save.campaign.starting_step) // _PARTS))
        while self._upto < last and clock.monotonic() <= end:
            upto = min(last, self._upto + part)
            for name, only in [(s, Only(skill=s)) for s in save.hero.skills] + [(_QUESTS, Only(quests=True))]:
                sums = self._sums.setdefault(name, _Sums())
                for one in stretches(conn, lane, self._upto + 1, upto, 1 << 62, only, whole=True):
                    sums.steps += one.steps
                    sums.effort += one.strain_sum
                    for place, count in enumerate((one.recovery, one.productive, one.stretch, one.overload)):
                        sums.zones[place] += count
            self._upto = upto
        if self._upto < last:
            self.complete = False
            return []
        out = []
        for name, sums in self._sums.items():
            if not sums.steps:
                continue
            costs = [_cost(up) for up in won if up.skill == name]
            gained = [c.gain for c in costs if c.gain is not None]
            spent = sum(c.effort for c in costs if c.gain is not None)
            total = sum(gained) if gained else None
            out.append(
                SkillEffort(
                    skill=name,
                    steps=sums.steps,
                    effort=sums.effort if any(sums.zones) else None,
                    zones=(sums.zones[0], sums.zones[1], sums.zones[2], sums.zones[3]),
                    floor=_floor(save, name),
                    levels=len(costs),
                    per_level=sum(c.effort for c in costs) / len(costs) if costs else None,
                    gain=total,
                    efficiency=efficiency(total, spent),
                )
            )
        return out


def _cost(up: LevelUp) -> LevelCost:
    gained = gain(up.start_loss, up.end_loss)
    return LevelCost(up.skill, up.to_level, up.step, up.steps, up.effort, gained, efficiency(gained, up.effort))


def _short(up: LevelUp, save: OpenedSave) -> str:
    """``L`` where one skill is trained, else the skill's first letter."""
    return "L" if len(save.hero.skills) < 2 else up.skill[:1].upper()


def _floor(save: OpenedSave, skill: str) -> float | None:
    floors: Mapping[str, float | None] = save.hero.floors
    return floors.get(skill)


def _judged(records: Sequence[StepRecord]) -> list[StepRecord]:
    return [r for r in records if r.strain == r.strain]


def _strain_at(conn: sqlite3.Connection, lane: Lane, step: int) -> float | None:
    """Mean strain of the hundred steps that end with ``step``."""
    parts = stretches(conn, lane, max(1, step - 99), max(1, step), 1 << 62)
    judged = sum(p.judged for p in parts)
    return sum(p.strain_sum for p in parts) / judged if judged else None
