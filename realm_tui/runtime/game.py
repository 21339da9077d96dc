"""The game of a save: folded from its facts, kept in a cache that can be thrown away at any time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from configs.errors import RealmError
from lore.fold import KINDS, Annals, Fact, Fold, Game, Part, Setting, WindowFact, fingerprint, order
from lore.parts import made_of, parts
from lore.rules import rules as lore_rules
from realm_tui.runtime.opened import OpenedSave
from saves import campaigns, decisions, incidents, ledger, milestones, quests, runs, sparring
from saves.journal import longest_unattended
from saves.steps import newest_windows
from saves.stream import BY_ID, lineage, newest_ids, settled_step, stream, window_straddles
from skills.registry import get_skill

RECENT_WINDOWS = 32
"""Step windows in which what passes quickly is looked for."""
_FORMAT = 1
_MAKERS: dict[str, Callable[[tuple[Any, ...]], Fact]] = {
    name: partial(tuple.__new__, kind) for name, kind in KINDS.items()
}
"""By table what makes a fact of a row: the columns of `saves.stream.QUERIES` are the fields of the fact, in their order."""
_TOLD_EVERY = 20_000


@dataclass(slots=True)
class _Base:
    """The fold up to a settled step."""

    step: int
    runs: list[list[int]]
    """Run and the step up to which its facts are in the fold."""
    ids: dict[str, int]
    fold: str
    """As JSON: what goes on from it must not change it."""


@dataclass(slots=True)
class _Head:
    """The fold of everything beyond the base, so that only what came after it must be read."""

    base: int
    """The base's step."""
    lineage: list[tuple[int, int, int | None]]
    ids: dict[str, int]
    """By table that is read by id, its newest row."""
    window_end: int
    """Last step of the newest window."""
    others: frozenset[tuple[str, int]]
    """Table and id of the facts of the other tables."""
    last: tuple[int, int, int]
    """Where the newest fact stands in the stream."""
    states: str
    """Of the parts, as JSON: what goes on from it must not change the game."""
    game: Game


class Games(Protocol):
    """Gives the game of a save: folded where it is asked for, or on a thread of its own."""

    def read(self, save: OpenedSave) -> Game:
        """The game now."""


class GameReader:
    """Gives the game of one save again and again; folds only what is new."""

    def __init__(self, *, keep: bool = True) -> None:
        """
        Args:
            keep: write the cache; without it the save's folder is only read.
        """
        self._keep = keep
        self._base: _Base | None = None
        self._head: _Head | None = None
        self._like: tuple[tuple[Any, ...], tuple[Part[Any], ...], str] | None = None
        """What the parts were made of, the parts, and the fingerprint of both."""
        self._print = ""
        self._campaign = ""
        self._seen: tuple[OpenedSave, int] | None = None
        self._game: Game | None = None

    def read(self, save: OpenedSave, on_progress: Callable[[int], None] | None = None) -> Game:
        """The game now; the very same object while nobody wrote to the save.

        Args:
            save: an open save.
            on_progress: hears the number of facts folded so far, now and then.
        """
        version = int(save.conn.execute("PRAGMA data_version").fetchone()[0])
        if self._game is not None and self._seen is not None and self._seen[0] is save and self._seen[1] == version:
            return self._game
        self._game = self._read(save, on_progress)
        self._seen = save, version
        return self._game

    def _read(self, save: OpenedSave, on_progress: Callable[[int], None] | None) -> Game:
        conn, campaign = save.conn, save.campaign.id
        known, fold = self._anew(save)
        if known != self._print or campaign != self._campaign:
            self._print, self._campaign, self._base, self._head = known, campaign, None, None
        settled = settled_step(conn, campaign)
        base = self._base or self._cached(save)
        if base is not None and not _sound(save, base, settled):
            base = None
        if settled >= 0 and (base is None or base.step < settled):
            after, ids = (-1, None) if base is None else (base.step, base.ids)
            if base is not None:
                fold.load(json.loads(base.fold))
            fold.take(_told(stream(conn, campaign, _MAKERS, after=after, upto=settled, ids=ids), on_progress))
            base = _Base(settled, _reached(save, settled), newest_ids(conn, campaign, settled), _dumped(fold))
            self._write(save, base)
            self._head = None
        self._base = base
        self._head = self._gone_on(save, base, fold) or self._from_base(save, base, fold)
        return replace(self._head.game)  # a new one, because the small tables may have changed

    def _anew(self, save: OpenedSave) -> tuple[str, Fold]:
        """A fold without facts, and the fingerprint of its rules; made of the same parts as long as the rules are the same."""
        by = save.hero.data.profile, setting_of(save), made_of()
        if self._like is None or self._like[0] != by:
            profile, setting, _ = by
            found = parts(profile)
            self._like = by, found, fingerprint(found, setting)
        (_, setting, _), found, known = self._like
        return known, Fold(found, setting)

    # ------------------------------------------------------------------ beyond the base

    def _from_base(self, save: OpenedSave, base: _Base | None, like: Fold) -> _Head:
        """Everything beyond the base, folded anew by the parts of another fold."""
        conn, campaign = save.conn, save.campaign.id
        fold = Fold(like.parts, like.setting)
        if base is not None:
            fold.load(json.loads(base.fold))
        step, ids = (-1, dict[str, int]()) if base is None else (base.step, base.ids)
        facts = list(stream(conn, campaign, _MAKERS, after=step, ids=ids))
        fold.take(facts)
        start = _Head(step, lineage(conn, campaign), dict(ids), step, frozenset(), (step, -1, -1), "", fold.game())
        return _after(start, facts, fold)

    def _gone_on(self, save: OpenedSave, base: _Base | None, like: Fold) -> _Head | None:
        """What came since the last look put on top; None where something came before what is folded already."""
        head, conn, campaign = self._head, save.conn, save.campaign.id
        step = -1 if base is None else base.step
        if head is None or head.base != step or head.lineage != lineage(conn, campaign):
            return None
        if head.window_end >= 0 and window_straddles(conn, campaign, head.window_end):
            return None
        found = stream(conn, campaign, _MAKERS, after=step, ids=head.ids, windows_after=head.window_end)
        facts = [f for f in found if isinstance(f, WindowFact) or (f.table, f.id) not in head.others]
        if not facts:
            return head
        if any(order(f) <= head.last for f in facts):
            return None
        fold = Fold(like.parts, like.setting)
        fold.go_on(json.loads(head.states), head.game)
        fold.take(facts)
        return _after(head, facts, fold)

    # ------------------------------------------------------------------ the cache

    def _cached(self, save: OpenedSave) -> _Base | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(save.folder.game_cache(save.campaign.id).read_text(encoding="utf-8"))
            if data["format"] == _FORMAT and data["fingerprint"] == self._print:
                return _Base(int(data["step"]), data["runs"], data["ids"], json.dumps(data["fold"]))
        return None

    def _write(self, save: OpenedSave, base: _Base) -> None:
        """Keep the base; a disk that takes nothing only costs folding anew."""
        if not self._keep:
            return
        path = save.folder.game_cache(save.campaign.id)
        known = {"format": _FORMAT, "fingerprint": self._print, "step": base.step, "runs": base.runs, "ids": base.ids}
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(exist_ok=True)
            part.write_text(f'{json.dumps(known)[:-1]}, "fold": {base.fold}}}', encoding="utf-8")
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)


def read_game(save: OpenedSave, on_progress: Callable[[int], None] | None = None) -> Game:
    """The game of a save, for one command; the cache is used and left as it is."""
    return GameReader(keep=False).read(save, on_progress)


def annals_of(save: OpenedSave) -> Annals:
    """The small tables of the active campaign."""
    conn, campaign = save.conn, save.campaign
    return Annals(
        campaign=campaign,
        campaigns=tuple(campaigns.campaigns(conn)),
        runs=tuple(runs.runs(conn, campaign.id)),
        quests=tuple(quests.quests(conn, removed=True)),
        champions=tuple(ledger.champions(conn, campaign.id)),
        incidents=tuple(incidents.incidents(conn, campaign_id=campaign.id)),
        sparring=tuple(found.sparring for found in sparring.rounds(conn)),
        milestones=tuple(milestones.noted(conn, campaign.id)),
        findings=tuple(decisions.lasting(conn, campaign.id)),
        recent=tuple(newest_windows(conn, campaign.id, RECENT_WINDOWS)),
        unattended_s=longest_unattended(conn, campaign.id),
    )


def setting_of(save: OpenedSave) -> Setting:
    """What the fold of the active campaign is told beforehand."""
    multipliers, categories = {}, {}
    for name in sorted(save.hero.skills):
        try:
            config = get_skill(name).config
        except RealmError:  # a skill that is disabled has no multiplier; its reason is told where skills are listed
            continue
        multipliers[name], categories[name] = config.xp_multiplier, config.category
    return Setting(
        rules=lore_rules(),
        exam_rules=save.rules.exams,
        multipliers=multipliers,
        skills=tuple(save.hero.skills),
        categories=categories,
        starting_step=save.campaign.starting_step,
    )


def _after(head: _Head, facts: Sequence[Fact], fold: Fold) -> _Head:
    """The head once ``facts`` are in ``fold``."""
    ids, others = dict(head.ids), set(head.others)
    end = head.window_end
    for fact in facts:
        if isinstance(fact, WindowFact):
            end = max(end, fact.last_step)
        elif fact.table in BY_ID:
            ids[fact.table] = max(ids.get(fact.table, 0), fact.id)
        else:
            others.add((fact.table, fact.id))
    last = order(facts[-1]) if facts else head.last
    states = json.dumps(fold.dump_states(), allow_nan=False)
    return _Head(head.base, head.lineage, ids, end, frozenset(others), last, states, fold.game())


def _dumped(fold: Fold) -> str:
    return json.dumps(fold.dump(), allow_nan=False)


def _told(facts: Iterator[Fact], on_progress: Callable[[int], None] | None) -> Iterator[Fact]:
    return facts if on_progress is None else _counted(facts, on_progress)


def _counted(facts: Iterator[Fact], on_progress: Callable[[int], None]) -> Iterator[Fact]:
    for number, fact in enumerate(facts, 1):
        if number % _TOLD_EVERY == 0:
            on_progress(number)
        yield fact


def _reached(save: OpenedSave, step: int) -> list[list[int]]:
    """Up to which step each run's facts count, as far as ``step``."""
    found = lineage(save.conn, save.campaign.id)
    return [[run, step if left is None else min(left, step)] for run, first, left in found if first <= step]


def _sound(save: OpenedSave, base: _Base, settled: int) -> bool:
    """Whether what is folded still counts: no resume left part of it behind, and no window reaches across its end."""
    if base.step > settled or window_straddles(save.conn, save.campaign.id, base.step):
        return False
    return _reached(save, base.step) == base.runs
