"""Makes the facts of the Battle screen from a save and, while an engine lives, from its ring.

Everything runs on one thread. What comes from the database alone is read again only after somebody wrote to it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping
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
from lore.strain import hint, trend
from realm_tui.app.facts import (
    CourseView,
    EffectLine,
    ExamAnswer,
    ExamView,
    Facts,
    HeroView,
    QuestLine,
    StrainView,
    TokenFlow,
)
from realm_tui.app.history import MOST_BUCKETS, RECENT_STEPS, History
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.resting import Resting
from realm_tui.runtime.samples import Samples
from realm_tui.runtime.status import Remembered, Status, collect_from
from saves import campaigns, exams, quests, steps
from saves.rows import LevelUp, StepWindow

if TYPE_CHECKING:
    from lore.fold import Game
    from lore.health import Health
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
_HINT_STEPS = 64


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
class _GameLines:
    """What the hero's sheet takes from the game (`lore.fold`)."""

    best_streak: int | None = None
    effects: tuple[EffectLine, ...] | None = None
    region: str | None = None
    health: Health | None = None
    deeds: tuple[str, ...] | None = None


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
        self._lines: tuple[Game, int | None, _GameLines] | None = None
        """The game, the version of the database that its lines were made at, and the lines."""
        self._ring: RingReader | None = None
        self._history = History()
        self._complete = False
        self._remembered = Remembered()
        self._primitives: Resting[dict[str, float]] = Resting()
        self._newest: NewestEvents | None = None
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
            strain=_strain(save, status, self._history.recent()),
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
            exam=_exam(save.conn, save),
            quests=_quests(save.conn),
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
            exam=_exam(conn, save),
            quests=_quests(conn),
            log=self._log(save),
            titles=titles_of(save, self._primitives.get(campaign, lambda: primitive_shares(save))),
            streak=answer_streak(recent),
            quests_done=quests.completed_quests(conn),
            course=_course(save),
        )

    # ------------------------------------------------------------------ game

    @property
    def games(self) -> GameThread:
        """Gives the game of this save."""
        if self._games is None:
            from realm_tui.runtime.game_thread import GameThread

            self._games = GameThread(self._folder)
        return self._games

    def _from_game(self, save: OpenedSave) -> _GameLines:
        """What the hero's sheet takes from the game; unknown while it is being folded for the first time."""
        if self._first:
            return _GameLines()
        try:
            game = self.games.read(save)
        except BlockedError:
            return _GameLines()
        # An incident that is raised or closed is an effect, but no new fact of the game.
        if self._lines is None or self._lines[0] is not game or self._lines[1] != self._version:
            self._lines = game, self._version, _game_lines(save, game)
        return self._lines[2]

    def _log(self, save: OpenedSave) -> tuple[Tale, ...]:
        from lore.narrator import tell
        from realm_tui.runtime.events import NewestEvents

        if self._newest is None:
            self._newest = NewestEvents(_LOG_LINES, _LOG_WINDOWS_S)
        return tuple(tell(event, save.hero.name) for event in reversed(self._newest.read(save)))

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


def _game_lines(save: OpenedSave, game: Game) -> _GameLines:
    from lore.effects import health_of
    from lore.world import WorldPart
    from realm_tui.runtime.game_view import view_of

    view = view_of(save, game)
    found = view.effects()
    effects = tuple(
        EffectLine(
            e.named("tavern"),
            e.named("plain"),
            e.rule.icon,
            "good" if e.buff else "bad" if e.severity in ("high", "critical") else "warn",
            e.left(game.step),
        )
        for e in found
    )
    streaks = (d.best_streak for d in game.part("progress").disciplines.values())
    here = WorldPart().view(game.part("world")).here
    return _GameLines(max(streaks, default=None), effects, here, health_of(found), view.earned())


def _course(save: OpenedSave) -> CourseView | None:
    """The newest decision, and what is lost of what was won."""
    from engine.curriculum.forgetting import budget
    from saves import decisions

    conn, campaign, skills = save.conn, save.campaign.id, list(save.hero.skills)
    newest = decisions.latest_decision(conn, campaign, kind="strategy")
    if newest is None:
        return None
    attempt = decisions.latest_decision(conn, campaign, kind="attempt")
    spent = budget(
        [(exams.mastered_level(conn, campaign, s), len(exams.lost_levels(conn, campaign, s))) for s in skills],
        save.rules.forgetting,
    )
    return CourseView(
        plan=newest.decision if len(skills) > 1 else "",
        reason=newest.reason,
        won=spent.won,
        lost=spent.lost,
        allowed=spent.allowed,
        keeping=attempt.detail.get("multiplier") if attempt is not None else None,
    )


def _quests(conn: sqlite3.Connection) -> tuple[QuestLine, ...]:
    return tuple(
        QuestLine(q.name, q.priority, q.counts.get("examples"), q.state, _flow(q.tokens)) for q in quests.quests(conn)
    )


def _flow(tokens: Mapping[str, Any] | None) -> TokenFlow | None:
    if not tokens or tokens.get("in") is None:
        return None
    return TokenFlow(tokens["in"], tokens["trained"], tokens["truncated"] + tokens["dropped"])


def _exam(conn: sqlite3.Connection, save: OpenedSave) -> ExamView | None:
    """The newest gate exam with its answers; before there is one, whatever exam there is."""
    found = exams.latest_exam(conn, save.campaign.id, kind="gate") or exams.latest_exam(conn, save.campaign.id)
    if found is None:
        return None
    from engine.statistics import interval

    answers = tuple(
        ExamAnswer(i.prompt, i.answer or "", i.expected, i.result or "", i.correct)
        for i in exams.exam_items(conn, found.id)
    )
    return ExamView(
        id=found.id,
        step=found.step,
        skill=found.skill,
        level=found.level,
        kind=found.kind,
        items=found.items,
        correct=found.correct,
        interval=interval(found.correct, found.items, save.rules.exams.alpha) if found.items else None,
        apprentice=found.apprentice,
        repeats=found.repeats,
        answers=answers,
        at=found.at,
    )


def _strain(save: OpenedSave, status: Status, recent: list[float]) -> StrainView:
    """Trend and hint; neither while no floor is known."""
    if status.strain is None or status.state not in LIVING:
        return StrainView()
    rules = save.rules.strain
    rate = status.strain_rate
    return StrainView(trend(rate, rules), hint(recent[-_HINT_STEPS:], rules, rate=rate))
