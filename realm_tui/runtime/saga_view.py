"""The saga, the battle log, the chronicle and the journey of a save: what screens and the command line show of its story."""

from __future__ import annotations

from dataclasses import dataclass, replace

from configs import clock
from configs.loader import load_game, on_this_machine
from configs.reading import parse
from configs.schema import HeroConfig
from lore.achievements import achievements
from lore.away import Mark, away_report
from lore.chronicle import Chronicle, bounds, chronicle
from lore.deeds import of_happening
from lore.event import Event
from lore.events import FALLS, events
from lore.fold import Game
from lore.journey import Journey, moments
from lore.narrator import Tale
from lore.rules import rules as lore_rules
from lore.saga import ALERTS, Alert, Channel, Line, battle_log, matching, saga
from lore.world import WorldPart
from realm_tui.runtime.campaigns import standing
from realm_tui.runtime.events import chapter_of
from realm_tui.runtime.game import annals_of, setting_of
from realm_tui.runtime.opened import OpenedSave
from saves import campaigns, incidents, runs, steps
from saves.between import FOREVER, Between, Day, days, rows_between, stand_at
from saves.rows import StepWindow

_FIRST_LOOK = 200
"""Rows of each large table that are read at first; more when they do not fill what is asked for."""
_MOST_ROWS = 2_000
"""Rows of each large table that are read at once."""
SEARCH_REACH = 50_000
"""Newest rows of each large table through which a search goes where nothing else is asked for: a few seconds' work."""
_JUST = 1e-6
"""Seconds by which the end of a day lies before midnight."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for."""

    everything: bool = False
    """The battle log; else the saga."""
    text: str = ""
    """Only lines that hold it, in either voice."""
    channels: frozenset[Channel] = frozenset()
    """Only these; empty: all."""
    alert: Alert = "whisper"
    """Only lines at least so loud."""
    day: str | None = None
    """Only this UTC day, ``YYYY-MM-DD``."""
    reach: int | None = None
    """Newest rows of each large table that are looked through for them; None: all."""


@dataclass(frozen=True, slots=True)
class Found:
    """Lines of the story, newest first."""

    lines: list[Line]
    back_to: float | None = None
    """UTC seconds back to which was looked, where `Wanted.reach` ended it; None: nothing older was left out."""


def newest_lines(save: OpenedSave, game: Game | None, count: int, wanted: Wanted | None = None) -> list[Line]:
    """The newest lines of the active campaign's story, newest first; else as `look_back`."""
    return look_back(save, game, count, wanted).lines


def look_back(save: OpenedSave, game: Game | None, count: int, wanted: Wanted | None = None) -> Found:
    """Look from now on back until enough lines of the active campaign's story are found.

    Args:
        save: an open save.
        game: what was folded from it; None leaves out what only the fold knows.
        count: most lines.
        wanted: which lines; None for the whole saga.

    Raises:
        UsageError: the day asked for is none.
    """
    asked = wanted or Wanted()
    since, until = bounds(asked.day) if asked.day else (0.0, FOREVER)
    # The last moment of a day belongs to it, the first moment of the next one does not.
    since, until = since - _JUST, until - _JUST
    told: list[Line] = []
    limit, looked = max(_FIRST_LOOK, 2 * count), 0
    while True:
        rows = rows_between(
            save.conn,
            save.campaign.id,
            since=since,
            until=until,
            limit=limit,
            notable=not asked.everything,
            level_steps=lore_rules().hero.level_steps,
        )
        told += reversed(_chosen(_events(save, game, rows), save.hero.name, asked))
        looked += limit
        far_enough = asked.reach is not None and looked >= asked.reach
        if len(told) >= count or rows.reached <= since:
            return Found(told[:count])
        if far_enough:
            return Found(told, rows.reached)
        # A chunk whose rows are all of one moment must grow before it can be left behind.
        limit = min(4 * limit, _MOST_ROWS) if rows.reached < until else 4 * limit
        until = min(until, rows.reached)


def lines_since(save: OpenedSave, game: Game | None, since: float, wanted: Wanted | None = None) -> list[Line]:
    """The lines later than a moment (UTC seconds), newest first; else as `newest_lines`, for one who has the older ones."""
    asked = wanted or Wanted()
    rows = rows_between(
        save.conn,
        save.campaign.id,
        since=since,
        until=FOREVER,
        notable=not asked.everything,
        level_steps=lore_rules().hero.level_steps,
    )
    return _chosen(_events(save, game, rows), save.hero.name, asked)[::-1]


def page(save: OpenedSave, game: Game | None, number: int, size: int, wanted: Wanted | None = None) -> Found:
    """A page of the story, newest first; ``number`` counts from 1."""
    found = look_back(save, game, number * size, wanted)
    return replace(found, lines=found.lines[(number - 1) * size :])


def _chosen(found: list[Event], hero: str, asked: Wanted) -> list[Line]:
    lines = battle_log(found, hero) if asked.everything else saga(found, hero)
    if asked.text:
        lines = matching(lines, asked.text)
    if asked.channels:
        lines = [line for line in lines if line.channel in asked.channels]
    least = ALERTS.index(asked.alert)
    return [line for line in lines if ALERTS.index(line.alert) >= least] if least else lines


def _events(save: OpenedSave, game: Game | None, rows: Between) -> list[Event]:
    """Every event of the rows and of the fold, oldest first; only where nothing is missing."""
    found = events(chapter_of(rows), save.rules.exams)
    if game is not None:
        found += [of_happening(h) for h in game.happenings]
    kept = [e for e in found if rows.reached < e.at <= rows.until]
    return sorted(kept, key=lambda e: (e.at, -1 if e.step is None else e.step))


# ---------------------------------------------------------------- other campaigns


def of_campaign(save: OpenedSave, which: str) -> OpenedSave:
    """The save as if another of its campaigns were played: everything here tells that one's story then.

    Raises:
        UsageError: there is no such campaign.
        RealmError: its hero or its rules are not valid any more.
    """
    told = campaigns.campaign(save.conn, which)
    hero = on_this_machine(parse(HeroConfig, told.hero, f"the hero of {told.id}"))
    return replace(save, campaign=told, hero=hero, rules=load_game(told.overrides))


# ---------------------------------------------------------------- the chronicle


def trained_days(save: OpenedSave) -> list[Day]:
    """The days on which something was trained, newest first."""
    return days(save.conn, save.campaign.id)


def day_page(save: OpenedSave, game: Game | None, day: str) -> Chronicle:
    """The chronicle's page of a day.

    Raises:
        UsageError: ``day`` is not a date.
    """
    since, until = bounds(day)
    now = clock.now()
    conn, campaign = save.conn, save.campaign.id
    rows = rows_between(conn, campaign, since=since - _JUST, until=until - _JUST)
    first, last = stand_at(conn, campaign, since - _JUST), stand_at(conn, campaign, until - _JUST)
    ends = min(until - _JUST, max(now, since))
    told = saga(_events(save, game, rows), save.hero.name)
    before, after = Mark(since - _JUST, first.step, first.mastered), Mark(ends, last.step, last.mastered)
    return chronicle(day, before, after, chapter_of(rows), save.rules.exams, told, is_open=now < until)


# ---------------------------------------------------------------- the journey


def journey(save: OpenedSave, game: Game | None) -> Journey:
    """What the campaign was so far.

    Args:
        save: an open save.
        game: what was folded from it; None leaves out the map and what was earned.
    """
    told, conn = save.campaign, save.conn
    stand, sums = standing(save, told), steps.live_sums(conn, told.id)
    lives, troubles = runs.runs(conn, told.id), incidents.incidents(conn, campaign_id=told.id)
    first, newest = steps.first_window(conn, told.id), steps.windows(conn, told.id, 1)
    skills = dict.fromkeys(told.hero.get("skills", {}), 0) | stand.levels
    counted = conn.execute(
        "SELECT count(*) AS n FROM live_exams WHERE run_campaign_id = ? AND kind = 'gate'", (told.id,)
    ).fetchone()
    ended = conn.execute(
        """SELECT coalesce(sum(state = 'completed'), 0) AS done, coalesce(sum(state = 'failed'), 0) AS failed
           FROM live_quest_attempts WHERE run_campaign_id = ?""",
        (told.id,),
    ).fetchone()
    return Journey(
        campaign=told.name,
        created_at=told.created_at,
        archived_at=told.archived_at,
        parent=told.parent_id,
        starting_step=told.starting_step,
        step=stand.step,
        steps=sums.steps,
        active_s=sums.active_s,
        trained_tokens=sums.trained_tokens,
        effort=sums.strain_sum,
        loss_first=_mean(first),
        loss_last=_mean(newest[0] if newest else None),
        loss_lowest=sums.loss_min,
        levels=skills,
        held=stand.held,
        effort_by_skill=stand.effort_by_skill,
        exams=int(counted["n"]),
        best_exam=stand.peaks["accuracy"],
        quests_completed=int(ended["done"]),
        quests_failed=int(ended["failed"]),
        runs=len(lives),
        crashes=sum((r.end_reason or "").split(":")[0] in FALLS for r in lives if r.ended_at is not None),
        incidents=len(troubles),
        incidents_resolved=sum(i.resolved_at is not None for i in troubles),
        champion=stand.champion,
        caps=stand.caps,
        world=WorldPart().view(game.part("world")) if game is not None else None,
        earned=_earned(save, game),
        moments=_moments(save, stand.step),
    )


def _mean(window: StepWindow | None) -> float | None:
    if window is None or window.steps <= window.nonfinite:
        return None
    return window.loss_sum / (window.steps - window.nonfinite)


def _earned(save: OpenedSave, game: Game | None) -> tuple[str, ...]:
    """The achievements that are earned, by their names; those whose step is known come in its order, before the others."""
    if game is None:
        return ()
    found = [a for a in achievements(game, setting_of(save), annals_of(save)) if a.earned]
    found.sort(key=lambda a: (a.step is None, a.step or 0))
    return tuple(a.rule.label for a in found)


def _moments(save: OpenedSave, step: int) -> dict[str, Tale]:
    campaign = save.campaign
    rows = rows_between(
        save.conn, campaign.id, limit=_FIRST_LOOK, notable=True, level_steps=lore_rules().hero.level_steps
    )
    before, now = Mark(0.0, campaign.starting_step), Mark(clock.now(), step)
    report = away_report(before, now, chapter_of(rows), save.rules.exams)
    return moments(report, save.hero.name)
