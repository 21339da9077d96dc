"""The thread that decodes: takes rows in, gives every form's batch its turn, and survives what goes wrong in one of them."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from configs.errors import RealmError

if TYPE_CHECKING:
    from engine.hero.model import Hero
    from engine.worker.batch import Batch, Row

RESERVED = 8
"""Rows beyond the most that the first answer of a request may take, so that one question need not wait behind an exam."""
WAITING = 4096
"""Most rows that wait; further requests are sent away."""


@dataclass(eq=False, slots=True)
class _Seats:
    """One form's rows: those that are decoded, and those that wait."""

    batch: Batch
    waiting: list[tuple[int, int, Row]] = field(default_factory=list)
    """Place within its request, arrival, row; in this order."""


class Bench:
    """Decodes in a thread of its own.

    Args:
        rows: most rows of one form in one pass.
        cache_bytes: most bytes of keys and values of one form.
    """

    def __init__(self, rows: int, cache_bytes: int) -> None:
        self._rows, self._cache_bytes = rows, cache_bytes
        self._seats: dict[str, _Seats] = {}
        self._changed = threading.Condition()
        self._arrivals = 0
        self._over = False
        self.turned = time.monotonic()
        """When the thread last showed that it lives."""
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the token under way; rows that are not finished hear of it."""
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    @property
    def busy(self) -> tuple[int, int]:
        """Rows that are decoded, and rows that wait."""
        with self._changed:
            seats = list(self._seats.values())
            return sum(len(s.batch.rows) for s in seats), sum(len(s.waiting) for s in seats)

    def add(self, digest: str, hero: Hero, rows: Sequence[Row]) -> None:
        """Answer these rows of one request.

        Raises:
            RealmError: too many wait already.
        """
        from engine.worker.batch import Batch

        with self._changed:
            if sum(len(s.waiting) for s in self._seats.values()) + len(rows) > WAITING or self._over:
                raise RealmError(
                    "this worker has too much to answer",
                    why=f"{WAITING} answers wait already" if not self._over else "it is ending",
                    fix="ask again in a while",
                    code="WORKER_BUSY",
                )
            seats = self._seats.get(digest)
            if seats is None or seats.batch.hero is not hero:
                seats = self._seats[digest] = _Seats(Batch(hero))
            for place, row in enumerate(rows):
                self._arrivals += 1
                insort(seats.waiting, (place, self._arrivals, row))
            self._changed.notify()

    def forget(self, digest: str) -> None:
        """Keep nothing of a form that has no rows."""
        with self._changed:
            self._seats.pop(digest, None)

    # ---------------------------------------------------------------- the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._over and not any(s.waiting or s.batch.rows for s in self._seats.values()):
                    self._changed.wait(timeout=1.0)
                    self.turned = time.monotonic()
                seats, over = list(self._seats.values()), self._over
            for one in seats:
                if over:
                    self._fail(one, RealmError("the worker is ending", fix="ask again", code="WORKER_BUSY"))
                else:
                    self._turn(one)
                self.turned = time.monotonic()
            if over:
                return

    def _turn(self, seats: _Seats) -> None:
        """Let some waiting rows in, then one more token for everybody."""
        group: list[Row] = []
        try:
            group = self._next_rows(seats)
            if group:
                seats.batch.join(group)
            if seats.batch.rows:
                seats.batch.step()
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            text = " ".join(str(error).split())[:200]
            failed = RealmError(
                "an answer could not be decoded",
                why=f"{type(error).__name__}: {text}",
                fix="ask for less at once; if it happens again, see the worker's log",
                code="WORKER_FAILED",
            )
            self._fail(seats, failed, group)

    def _next_rows(self, seats: _Seats) -> list[Row]:
        """Waiting rows of about one length that fit beside those that are decoded, first ones of requests first."""
        from engine.worker.batch import READ_TOKENS, SPREAD

        batch = seats.batch
        group: list[Row] = []
        left: list[tuple[int, int, Row]] = []
        if not seats.waiting or len(batch.rows) >= self._rows + RESERVED:
            return group
        with self._changed:
            open_door = True
            for entry in seats.waiting:
                place, _, row = entry
                if row.gone:
                    continue
                fits = not group or abs(len(row.ids) - len(group[0].ids)) <= SPREAD
                if open_door and fits:
                    most = self._rows + (RESERVED if place == 0 else 0)
                    read = (len(group) + 1) * (max(len(r.ids) for r in [*group, row]))
                    open_door = len(batch.rows) + len(group) < most and (not group or read <= READ_TOKENS)
                    open_door = open_door and batch.room([*group, row], self._cache_bytes)
                    if open_door:
                        group.append(row)
                        continue
                left.append(entry)
            seats.waiting = left
        return group

    def _fail(self, seats: _Seats, error: RealmError, group: Sequence[Row] = ()) -> None:
        """Nobody of this form is answered; each request hears why."""
        with self._changed:
            rows = [*group, *(entry[2] for entry in seats.waiting)]
            seats.waiting = []
        rows += seats.batch.drop()
        for row in rows:
            if not row.gone:
                row.gone = True
                row.fail(error)
