"""What the Oracle's visitor sees: who can be asked, where, and what was said so far. Read from save and configuration alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configs.facilities import Facilities, Facility, load_facilities
from configs.inn import InnRules
from realm_tui.runtime.inn.forms import BASE, QUICK, has_base
from realm_tui.runtime.inn.oracle import remembers
from realm_tui.runtime.inn.servers.contract import SHOWN
from realm_tui.runtime.ledger_view import FormView, LedgerView, ledger_view
from realm_tui.runtime.opened import OpenedSave
from saves import ceremonies, oracle, workers
from saves.oracle import Talk, Turn
from saves.workers import Worker

TALKS = 100
"""Conversations that are listed."""
ASLEEP = "asleep"
"""Nothing runs at a place yet; it starts with the first question."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A place where a form can be asked."""

    id: str
    title: str
    kind: str
    """own, vllm, sglang or openai."""
    strict: bool
    local: bool
    machine: str
    """The host's name; empty: this machine."""
    state: str
    """As its worker was last seen, or `ASLEEP`."""
    why: str
    loaded: tuple[str, ...]
    """Forms that its server held when it was last seen: their steps, else the first letters of their digests."""
    at_work: str | None
    """The form that was promoted there: its step, or its name where it is gone."""

    @property
    def one_at_a_time(self) -> bool:
        """Another form takes the place of the one it holds."""
        return self.kind in ("vllm", "sglang")


@dataclass(frozen=True, slots=True)
class OracleView:
    """Everything the Oracle screen shows but the answer under way."""

    hero: str
    forms: tuple[FormView, ...]
    """Of the campaign that is played, the newest first; then those of the others."""
    quick: Mapping[str, int]
    """champion, best and latest, as far as there are such forms: their numbers."""
    base: bool
    """The hero was made from a model that can be asked as well."""
    seats: tuple[Seat, ...]
    talks: tuple[Talk, ...]
    turns: tuple[Turn, ...]
    """Of the conversation that is shown, oldest first."""
    rules: InnRules
    remembers: bool
    """Conversations are put to the hero as a whole unless the player chooses otherwise."""

    def form(self, key: str) -> FormView | None:
        """The form under a key of the list: a quick name or ``form-<id>``; None for the base and for what is gone."""
        wanted = self.quick.get(key) if key in QUICK else _number(key)
        return next((f for f in self.forms if f.id == wanted), None)

    def name_of(self, key: str) -> str | None:
        """What `realm_tui.runtime.inn.forms.speaker` calls it; None where it is gone."""
        if key == BASE:
            return BASE if self.base else None
        form = self.form(key)
        return None if form is None else form.name

    def seat(self, place: str) -> Seat | None:
        """The place with that id; None where there is none."""
        return next((s for s in self.seats if s.id == place), None)


def _number(key: str) -> int | None:
    text = key.removeprefix("form-")
    return int(text) if text.isdecimal() else None


def oracle_view(save: OpenedSave, talk: str = "", *, book: LedgerView | None = None) -> OracleView:
    """The Oracle of a save.

    Args:
        save: the save.
        talk: the conversation whose turns are wanted.
        book: the ledger, when it was read already.
    """
    found = book if book is not None else ledger_view(save)
    mine = sorted((f for f in found.forms if f.campaign == save.campaign.id), key=lambda f: (-f.step, -f.id))
    others = sorted((f for f in found.forms if f.campaign != save.campaign.id), key=lambda f: (f.campaign, -f.step))
    champion = next((f for f in mine if f.champion), None)
    best = next((f for f in mine if f.best), None)
    latest = next((f for f in mine if f.newest), None)
    named = (("champion", champion), ("best", best), ("latest", latest))
    return OracleView(
        hero=save.hero.name,
        forms=(*mine, *others),
        quick={name: form.id for name, form in named if form is not None},
        base=has_base(save),
        seats=seats(save.conn, {form.digest: f"step {form.step:,}" for form in found.forms}),
        talks=oracle.talks(save.conn, limit=TALKS),
        turns=oracle.talk_turns(save.conn, talk) if talk else (),
        rules=save.rules.inn,
        remembers=remembers(save),
    )


def seats(conn: sqlite3.Connection, names: Mapping[str, str], places: Facilities | None = None) -> tuple[Seat, ...]:
    """The places with a server: the one here first, then hubs.

    Args:
        conn: the save, which knows the workers as they were last seen.
        names: what forms are called, by their digests.
        places: the player's places; None: read now.

    Raises:
        RealmError: the player's file of places is broken.
    """
    book = places if places is not None else load_facilities()
    known = _workers(conn)
    working = ceremonies.working_places(conn)
    found = []
    for name in book.serving():
        facility = book.facilities[name]
        worker = known.get(name)
        crowned = working.get(name)
        held = worker.detail.get("forms") or [worker.digest] if worker is not None and worker.runs else []
        loaded = tuple(names.get(digest, digest[:SHOWN]) for digest in held if digest)
        works = None if crowned is None else names.get(crowned.digest, crowned.name)
        found.append(_seat(name, facility, worker, loaded, works))
    here = book.here()
    return tuple(sorted(found, key=lambda seat: seat.id != here))


def _seat(name: str, facility: Facility, worker: Worker | None, loaded: tuple[str, ...], at_work: str | None) -> Seat:
    assert facility.server is not None  # only places with one are serving
    return Seat(
        id=name,
        title=facility.title,
        kind=facility.server.kind,
        strict=facility.server.kind != "openai",
        local=facility.is_local,
        machine=facility.host,
        state=worker.state if worker is not None else ASLEEP,
        why=worker.why if worker is not None else "",
        loaded=loaded,
        at_work=at_work,
    )


def _workers(conn: sqlite3.Connection) -> dict[str, Worker]:
    """The worker of each place that was seen last; one that was stopped is as good as none."""
    known = sorted(workers.workers(conn), key=lambda one: one.seen_at or one.created_at)
    return {one.box: one for one in known if one.state != "stopped"}


def exchanges(turns: Sequence[Turn]) -> list[tuple[Turn, ...]]:
    """The turns of a conversation, those of one comparison together, its sides in order."""
    out: list[tuple[Turn, ...]] = []
    places: dict[str, int] = {}
    for turn in turns:
        shared = turn.detail.get("question") if turn.kind == "compare" else None
        if shared is not None and shared in places:
            out[places[shared]] = tuple(
                sorted((*out[places[shared]], turn), key=lambda t: int(t.detail.get("side", 0)))
            )
            continue
        if shared is not None:
            places[shared] = len(out)
        out.append((turn,))
    return out
