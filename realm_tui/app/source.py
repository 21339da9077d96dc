"""Makes the facts of the Battle screen from a save and, while an engine lives, from its ring.

Everything runs on one thread. What comes from the database alone is read again only after somebody wrote to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from configs.schema import GameConfig
from engine.link.ring import RingReader
from engine.link.snapshot import BattleText
from engine.link.state import LIVING
from lore.hero import hero_stats
from lore.identity import Identity, identity
from realm_tui.app.facts import CourseView, ExamView, Facts, HeroView, QuestLine
from realm_tui.app.history import MOST_BUCKETS, RECENT_STEPS, History
from realm_tui.app.parts import HINT_STEPS, GameLines, course_of, game_lines, newest_exam, quest_lines, strain_of
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.resting import Resting
from realm_tui.runtime.samples import Samples
from realm_tui.runtime.status import Remembered, Status, collect_from
from saves import campaigns, exams, quests, steps
from saves.rows import LevelUp, StepWindow

if TYPE_CHECKING:
    from lore.events import Event
    from lore.fold import Game
    from lore.narrator import Tale
    from lore.titles import Titles
    from realm_tui.runtime.away import AwayView
    from realm_tui.runtime.events import NewestEvents
    from realm_tui.runtime.game_thread import GameThread

T = TypeVar("T")

_LOG_LINES = 60
_LOG_WINDOWS_S = 6 * 3600.0
"""How far back the adventure log looks at first; `realm events` tells all."""
_FIRST_WINDOWS = 300
"""Windows read for the first frame; the whole campaign follows with the second look."""
_STEPS_A_LOOK = 64
"""Ring records read at each look; more are fetched when steps were missed."""
_STREAK_EXAMS = 8


@dataclass(frozen=True, slots=True)
class _Saved:
    """What only the database knows; valid until it changes."""

    exam: ExamView | None
    quests: tuple[QuestLine, ...]
    log: tuple[Tale, ...]
    titles: Titles | None
    streak: int | None
    quests_done: int
    course: CourseView | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything before the first frame."""

    facts: Facts
    rules: GameConfig
    settings: dict[str, Any]


class SaveSource:
    """Reads one save again and again."""

    def __init__(self, folder: SaveFolder) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._save: OpenedSave | None = None
        self._identity: Identity | None = None
        self._version: int | None = None
        self._saved: _Saved | None = None
        self._games: GameThread | None = None
        self._lines: tuple[Game, int | None, GameLines] | None = None
        """The game, the version of the database that its lines were made at, and the lines."""
        self._ring: RingReader | None = None
        self._history = History()
        self._complete = False
        self._remembered = Remembered()
        self._primitives: Resting[dict[str, float]] = Resting()
        self._newest: NewestEvents | None = None
        self._tales: dict[str, tuple[Event, Tale]] = {}
        """The log's events by their keys, as they were told."""
        self._first = True
        self._samples = Samples()

    def opening(self) -> Opening:
        """What the first frame needs, and no more: titles and log follow with the first look after it.

        Raises:
            RealmError: the save cannot be read.
        """
        save = self._opened()
        facts = self._facts(save)
        return Opening(facts, save.rules, campaigns.settings(save.conn))

    def away(self) -> AwayView | None:
        """What happened since the last look; None when nothing did."""
        from realm_tui.runtime.away import away_view

        return away_view(self._opened())

    def read(self) -> Facts:
        """The facts now."""
        self._first = False
        return self._facts(self._opened())

    def look_up(self, read: Callable[[OpenedSave], T], known: int | None) -> tuple[int, T] | None:
        """What ``read`` makes of the save, with the version of its database; None when that is still ``known``."""
        save = self._opened()
        version = int(save.conn.execute("PRAGMA data_version").fetchone()[0])
        return None if version == known else (version, read(save))

    def _facts(self, save: OpenedSave) -> Facts:
        status = collect_from(save, remembered=self._remembered)
        if not self._first and status.state in LIVING:
            self._samples.take(status.step, status.memory_bytes)
        saved = self._from_database(save)
        battle = self._from_ring(status)
        return Facts(
            status=status,
            hero=self._hero(save, status, saved),
            strain=strain_of(save, status, self._history.recent(HINT_STEPS)),
            curve=self._history.curve(),
            battle=battle,
            exam=saved.exam,
            quests=saved.quests,
            log=saved.log,
            course=saved.course,
            samples=self._samples.all(),
        )

    def close(self) -> None:
        """Let go of the save and the ring."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        if self._games is not None:
            self._games.close()
        self._open.close()
        self._save = None

    def _opened(self) -> OpenedSave:
        if self._save is None:
            self._save = self._open.enter_context(opened(self._folder))
            self._identity = identity(self._save.hero, veteran=self._save.campaign.starting_checkpoint_id is not None)
            self._complete = self._remember(self._save, _FIRST_WINDOWS) < _FIRST_WINDOWS
        elif not self._first and not self._complete:
            self._history = History()
            self._saved = None
            self._remember_all(self._save)
            self._complete = True
        return self._save

    def _remember(self, save: OpenedSave, most: int) -> int:
        """Put the newest windows of the campaign into the history; how many there were."""
        found = steps.windows(save.conn, save.campaign.id, most)
        for window in found:
            self._remember_window(window)
        return len(found)

    def _remember_all(self, save: OpenedSave) -> None:
        """Put the whole campaign into the history, in stretches as long as its buckets."""
        from realm_tui.runtime.buckets import Grid
        from saves.charts import Lane, reach, stretches

        lane = Lane(save.campaign.id)
        ends = reach(save.conn, lane)
        if ends is None:
            return
        grid = Grid.over(*ends, MOST_BUCKETS)
        for one in stretches(save.conn, lane, *ends, grid.size):
            value = one.strain_sum / one.judged if one.judged else one.loss_sum / one.finite if one.finite else None
            self._history.add(one.last_step, value, steps=one.last_step - one.first_step + 1)

    # ------------------------------------------------------------------ database

    def _from_database(self, save: OpenedSave) -> _Saved:
        version = int(save.conn.execute("PRAGMA data_version").fetchone()[0])
        if self._first:
            return self._read_first(save)
        if self._saved is None or version != self._version:
            self._version = version
            self._saved = self._read_database(save)
        return self._saved

    def _read_first(self, save: OpenedSave) -> _Saved:
        self._mark(exams.level_ups(save.conn, save.campaign.id))
        return _Saved(
            exam=newest_exam(save.conn, save),
            quests=quest_lines(save.conn),
            log=(),
            titles=None,
            streak=None,
            quests_done=quests.completed_quests(save.conn),
        )

    def _mark(self, won: list[LevelUp]) -> None:
        self._history.mark([(up.step, f"L{up.to_level}") for up in won])

    def _read_database(self, save: OpenedSave) -> _Saved:
        from lore.combat import answer_streak
        from realm_tui.runtime.titles_view import primitive_shares, titles_of

        conn, campaign = save.conn, save.campaign.id
        won = exams.level_ups(conn, campaign)
        self._mark(won)
        recent = exams.recent_exams(conn, campaign, limit=_STREAK_EXAMS)
        return _Saved(
            exam=newest_exam(conn, save),
            quests=quest_lines(conn),
            log=self._log(save),
            titles=titles_of(save, self._primitives.get(campaign, lambda: primitive_shares(save))),
            streak=answer_streak(recent),
            quests_done=quests.completed_quests(conn),
            course=course_of(save),
        )

    # ------------------------------------------------------------------ game

    @property
    def games(self) -> GameThread:
        """Gives the game of this save."""
        if self._games is None:
            from realm_tui.runtime.game_thread import GameThread

            self._games = GameThread(self._folder)
        return self._games

    def _from_game(self, save: OpenedSave) -> GameLines:
        """What the hero's sheet takes from the game; unknown while it is being folded for the first time."""
        if self._first:
            return GameLines()
        try:
            game = self.games.read(save)
        except BlockedError:
            return GameLines()
        # An incident that is raised or closed is an effect, but no new fact of the game.
        if self._lines is None or self._lines[0] is not game or self._lines[1] != self._version:
            self._lines = game, self._version, game_lines(save, game)
        return self._lines[2]

    def _log(self, save: OpenedSave) -> tuple[Tale, ...]:
        from lore.narrator import tell
        from realm_tui.runtime.events import NewestEvents

        if self._newest is None:
            self._newest = NewestEvents(_LOG_LINES, _LOG_WINDOWS_S)
        told: dict[str, tuple[Event, Tale]] = {}
        for event in reversed(self._newest.read(save)):
            known = self._tales.get(event.key)
            told[event.key] = known if known is not None and known[0] == event else (event, tell(event, save.hero.name))
        self._tales = told
        return tuple(tale for _, tale in told.values())

    # ------------------------------------------------------------------ ring

    def _from_ring(self, status: Status) -> BattleText | None:
        """Take in the steps since the last look; the text in training."""
        if status.state not in LIVING:
            if self._ring is not None:
                self._ring.close()
                self._ring = None
            return None
        try:
            if self._ring is None:
                self._ring = RingReader(self._folder.ring)
            self._new_records(self._ring)
            return self._ring.battle()
        except RealmError:
            # The engine has not made its ring yet, or the status names what is wrong with it as a blocker.
            if self._ring is not None:
                self._ring.close()
                self._ring = None
            return None

    def _new_records(self, ring: RingReader) -> None:
        """Add the records newer than the last look; a smaller step means that a run was resumed."""
        last = self._history.last_recorded
        records = ring.steps(_STEPS_A_LOOK if last is not None else RECENT_STEPS)
        if last is not None and records and records[0].step > last + 1:
            records = ring.steps(RECENT_STEPS)
        if records and last is not None and records[-1].step < last:
            self._history.rewind(records[0].step - 1)
            last = None
        elif records and last is None:
            self._history.rewind(records[0].step - 1)
        for record in records:
            if last is None or record.step > last:
                self._history.add(record.step, record.loss if math.isnan(record.strain) else record.strain)

    def _remember_window(self, window: StepWindow) -> None:
        known = window.steps - window.zone_unknown
        finite = window.steps - window.nonfinite
        value = window.strain_sum / known if known > 0 else window.loss_sum / finite if finite > 0 else None
        self._history.add(window.last_step, value, steps=window.last_step - window.first_step + 1)

    # ------------------------------------------------------------------ lore

    def _hero(self, save: OpenedSave, status: Status, saved: _Saved) -> HeroView:
        quest, game = status.quest, self._from_game(save)
        stats = hero_stats(
            steps=status.xp,
            train_loss=status.loss,
            val_loss=quest.held_out_loss if quest is not None else None,
            accuracies=[s.accuracy for s in status.skills.values()],
            quests_completed=saved.quests_done,
            mastered=[s.mastered for s in status.skills.values()],
        )
        return HeroView(
            portrait=save.hero.display.portrait,
            identity=self._identity,
            titles=saved.titles,
            health=game.health,
            stats=stats,
            streak=saved.streak,
            best_streak=game.best_streak,
            effects=game.effects,
            region=game.region,
            deeds=game.deeds,
        )
