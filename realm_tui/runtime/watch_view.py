"""What the Watchtower shows: every curve of training on one grid of steps, a second campaign or run beside it, and the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from configs.errors import RealmError
from engine.link.ring import RECORDS, RingReader
from engine.link.snapshot import StepRecord
from realm_tui.runtime.buckets import Grid, Span
from realm_tui.runtime.lanes import Rival, recipe_of_race, rivals
from realm_tui.runtime.logs import LogTail, named_logs
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.samples import Sample
from realm_tui.runtime.stretched import ExamLog, Plot, Track, on_grid, with_records
from saves.charts import ALL, Lane, Only, held_out, trained

LOG_LINES = 500
_LINE = 400
"""Characters of a log's line that are kept."""
_TAIL = 256
"""Records of the ring that are read to end a curve whose buckets are wide."""
_FINE = 8
"""Views of at most so many times the ring's steps are filled from it, step by step."""

Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the player wants to look at."""

    span: Span = field(default_factory=Span)
    only: str = ""
    """A skill, ``quests`` for the player's own files, empty for all."""
    rival: str = ""
    """Key of what is laid over; empty: nothing."""

    @property
    def filter(self) -> Only:
        """The same for the database."""
        return Only(quests=True) if self.only == QUESTS else Only(skill=self.only)


QUESTS = "quests"


@dataclass(frozen=True, slots=True)
class Curves:
    """One lane's series on the grid, and what was measured only now and then."""

    plot: Plot = field(default_factory=Plot)
    points: Mapping[str, Points] = field(default_factory=dict)
    """``held_out_loss`` and ``accuracy``: step and value."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything on the Watchtower."""

    wish: Wish = field(default_factory=Wish)
    """What it was read for."""
    first: int = 1
    last: int | None = None
    """Newest step; None before anything was trained."""
    own: Curves = field(default_factory=Curves)
    rival: Rival | None = None
    other: Curves | None = None
    rivals: tuple[Rival, ...] = ()
    filters: tuple[str, ...] = ()
    """What `Wish.only` can be, besides all."""
    samples: tuple[Sample, ...] = ()
    log: tuple[str, ...] = ()
    """Lines of the engine's logs, oldest first, without control characters."""
    complete: bool = True
    """False while older history is still to be read; the next look goes on."""


class Tower:
    """Reads one save again and again; everything on one thread."""

    def __init__(self) -> None:
        self.complete = True
        self._tracks: dict[tuple[Lane, Only], Track] = {}
        self._exams: dict[Lane, ExamLog] = {}
        self._ring: RingReader | None = None
        self._tails: list[LogTail] = []
        self._log: deque[str] = deque(maxlen=LOG_LINES)

    def close(self) -> None:
        """Let go of the ring."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def read(self, save: OpenedSave, wish: Wish, samples: tuple[Sample, ...] = ()) -> Watch:
        """The curves for a wish; a rival or filter that is gone counts as none."""
        conn, lane = save.conn, Lane(save.campaign.id)
        self.complete = True
        others = tuple(rivals(save))
        chosen = next((r for r in others if r.key == wish.rival), None)
        skills, own_files = trained(conn, lane)
        log = self._lines(save)
        records = self.records(wish)
        track = self._track(lane, wish.filter)
        reached = self._track(lane, ALL).reach(conn)
        newest = max([reached[1]] if reached else [], default=None)
        if records and (newest is None or records[-1].step > newest):
            newest = records[-1].step
        first = min(save.campaign.starting_step + 1, newest or 1)
        filters = (*skills, QUESTS) if own_files else tuple(skills)
        found = Watch(wish=wish, first=first, rivals=others, filters=filters, samples=samples, log=log)
        if newest is None:
            return found
        end = newest if chosen is None or wish.span.width is not None else max(newest, self._end(save, chosen))
        grid = Grid.over(*wish.span.bounds(first, end))
        own = self._curves(save, track, grid, wish.only)
        if records and not wish.only:
            own = Curves(with_records(own.plot, records, reached[1] if reached else 0), own.points)
        other = None if chosen is None else self._other(save, chosen, grid, wish)
        return replace(found, last=newest, own=own, rival=chosen, other=other, complete=self.complete)

    def _track(self, lane: Lane, only: Only) -> Track:
        if len(self._tracks) > 8:
            self._tracks.clear()
        return self._tracks.setdefault((lane, only), Track(lane, only))

    def _curves(self, save: OpenedSave, track: Track, grid: Grid, only: str) -> Curves:
        conn, lane = save.conn, track.lane
        exams = self._exams.setdefault(lane, ExamLog(lane))
        exams.update(conn, grid)
        plot = track.read(conn, grid, None if only else exams)
        self.complete &= track.complete and exams.complete
        skill = "" if only == QUESTS else only
        losses = [] if skill else [(h.step, h.loss) for h in held_out(conn, lane)]
        gates = [] if only == QUESTS else exams.gates(grid, skill)
        return Curves(plot, {"held_out_loss": tuple(losses), "accuracy": tuple(gates)})

    def _end(self, save: OpenedSave, rival: Rival) -> int:
        """The last step of a rival, on the active campaign's count."""
        if rival.lane is None:
            raced = recipe_of_race(save)
            return raced.steps + rival.shift if raced is not None else 0
        found = self._track(rival.lane, ALL).reach(save.conn)
        return found[1] + rival.shift if found is not None else 0

    def _other(self, save: OpenedSave, rival: Rival, grid: Grid, wish: Wish) -> Curves:
        """A rival's curves, moved onto the active campaign's grid."""
        if rival.lane is None:
            raced = recipe_of_race(save)
            curve = raced.curve if raced is not None else ()
            loss = on_grid([(p.step + rival.shift, p.loss) for p in curve], grid)
            strain = on_grid([(p.step + rival.shift, p.strain) for p in curve], grid)
            return Curves(Plot(grid, {"loss": loss, "strain": strain}))
        theirs, missing, away = grid.shifted(rival.shift)
        found = self._curves(save, self._track(rival.lane, wish.filter), theirs, wish.only)
        series = {name: (None,) * missing + values for name, values in found.plot.series.items()}
        points = {name: tuple((s + away, v) for s, v in values) for name, values in found.points.items()}
        return Curves(Plot(grid, series), points)

    # ------------------------------------------------------------------ ring and log

    def records(self, wish: Wish) -> Sequence[StepRecord]:
        """The newest steps one by one, more of them where the view is narrow; none while no engine is followed."""
        if self._ring is None:
            return ()
        fine = wish.span.width is not None and wish.span.width <= RECORDS * _FINE
        try:
            return self._ring.steps(RECORDS if fine else _TAIL)
        except RealmError:
            # The Battle screen names a ring that cannot be read; the curves end with what is written.
            self.close()
            return ()

    def follow(self, save: OpenedSave, living: bool) -> None:
        """Open the ring while an engine lives, and let go of it when none does."""
        if not living:
            self.close()
        elif self._ring is None:
            try:
                self._ring = RingReader(save.folder.ring)
            except RealmError:
                self._ring = None

    def _lines(self, save: OpenedSave) -> tuple[str, ...]:
        if not self._tails:
            self._tails = [LogTail(path) for path in named_logs(save.folder, "all")]
            for tail in self._tails:
                self._log.extend(f"{tail.name}: {line[:_LINE]}" for line in tail.last(LOG_LINES // 2))
        else:
            for tail in self._tails:
                self._log.extend(f"{tail.name}: {line[:_LINE]}" for line in tail.more())
            known = {tail.path for tail in self._tails}
            self._tails += [LogTail(path) for path in named_logs(save.folder, "all") if path not in known]
        return tuple(self._log)
