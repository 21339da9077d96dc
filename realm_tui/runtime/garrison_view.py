"""What the Garrison watches: this machine, its disk room by room, who holds the save, every other place, and jobs."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from configs import clock
from configs.errors import RealmError
from configs.facilities import load_facilities
from configs.garrison import GarrisonRules
from configs.paths import SaveFolder
from realm_tui.runtime.machine import Graphics, graphics
from realm_tui.runtime.opened import OpenedSave
from saves import jobs, patrols
from saves.incidents import open_incidents
from saves.jobs import Job
from saves.locks import holder
from saves.patrols import Alert
from saves.rows import Incident

State = Literal["healthy", "warning", "critical", "offline", "unknown"]
STATES: tuple[State, ...] = ("healthy", "warning", "critical", "offline", "unknown")


@dataclass(frozen=True, slots=True)
class Room:
    """One folder of the save, or its database."""

    name: str
    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system that the save lies on; None is unknown."""

    path: str
    total: int | None
    free: int | None
    state: State

    @property
    def used_share(self) -> float | None:
        """Part of it that is taken."""
        return None if not self.total or self.free is None else 1 - self.free / self.total


@dataclass(frozen=True, slots=True)
class Sentry:
    """A process that may hold the save."""

    name: str
    """keeper, trainer or face."""
    pid: int | None
    """None: nobody holds that lock."""
    bytes: int | None = None
    """Its memory, where it can be asked."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine."""

    name: str
    cores: int | None
    memory: int | None
    memory_free: int | None
    load: float | None
    """Processes that ran or waited, over the last minute."""
    card: Graphics | None
    state: State


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """A place beside this machine, as it was found last."""

    id: str
    title: str
    kind: str
    """What its server is; empty: it has none."""
    available: bool
    """False: it is left alone."""
    status: State
    road: str
    why: str
    rtt_s: float | None
    disk: int | None
    disk_free: int | None
    forms: int | None
    cards: str
    """Its cards in a few words; empty: none, or unknown."""
    looked_at: float | None


@dataclass(frozen=True, slots=True)
class Errands:
    """Jobs in a few figures."""

    running: tuple[Job, ...] = ()
    waiting: tuple[Job, ...] = ()
    """The next ones."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """By status."""
    hanging: int = 0


@dataclass(frozen=True, slots=True)
class GarrisonView:
    """Everything on the Garrison screen."""

    host: Host
    disk: Disk
    rooms: tuple[Room, ...]
    sentries: tuple[Sentry, ...]
    incidents: tuple[Incident, ...]
    """Open ones, worst first."""
    places: tuple[PlaceLine, ...] = ()
    places_broken: str = ""
    """Why the player's places cannot be read; empty: they can."""
    errands: Errands = Errands()
    alerts: tuple[Alert, ...] = ()
    """What is wrong at places, oldest first."""
    at: float = 0.0

    @property
    def by_severity(self) -> dict[str, int]:
        """How many incidents of each severity are open."""
        return dict(Counter(i.severity for i in self.incidents))


def garrison_view(save: OpenedSave) -> GarrisonView:
    """Look round once. Folders are walked, so call it seldom: every few seconds at most."""
    rules = save.rules.garrison
    sentries = tuple(_sentries(save.folder))
    found = tuple(open_incidents(save.conn, campaign_id=save.campaign.id))
    disk = _disk(save.folder.root, rules, save.rules.engine.min_free_gb)
    runs = any(s.pid is not None for s in sentries if s.name != "face")
    places, broken = _places(save)
    return GarrisonView(
        _host(found, disk, runs),
        disk,
        tuple(_rooms(save.folder)),
        sentries,
        found,
        places,
        broken,
        _errands(save),
        tuple(patrols.open_alerts(save.conn)),
        clock.now(),
    )


def _places(save: OpenedSave) -> tuple[tuple[PlaceLine, ...], str]:
    """Every place but the one that is this machine; and why they cannot be read."""
    try:
        known = load_facilities()
    except RealmError as error:
        return (), error.text()
    seen = patrols.newest_patrols(save.conn)
    lines, titles = [], Counter(place.title for place in known.facilities.values())
    for name, place in known.facilities.items():
        if place.is_local and place.type == "battlefield":
            continue
        patrol = seen.get(name)
        facts: Mapping[str, Any] = patrol.facts if patrol is not None else {}
        lines.append(
            PlaceLine(
                id=name,
                title=place.title if titles[place.title] == 1 else f"{place.title} {name}",
                kind=place.server.kind if place.server is not None else "",
                available=place.available,
                status=_state(patrol.status) if patrol is not None else "unknown",
                road=str(facts.get("road") or "unknown"),
                why=str(facts.get("why") or ""),
                rtt_s=facts.get("rtt_s"),
                disk=facts.get("disk"),
                disk_free=facts.get("disk_free"),
                forms=facts.get("forms"),
                cards=", ".join(_card_words(card) for card in facts.get("cards") or ()),
                looked_at=patrol.at if patrol is not None else None,
            )
        )
    return tuple(lines), ""


def _state(status: str) -> State:
    return next((state for state in STATES if state == status), "unknown")


def _card_words(card: Mapping[str, Any]) -> str:
    busy = card.get("busy")
    return f"{card.get('name')}{'' if busy is None else f' {busy:.0f} %'}"


def _errands(save: OpenedSave) -> Errands:
    return Errands(
        running=tuple(jobs.jobs(save.conn, statuses=jobs.HELD, limit=8)),
        waiting=tuple(jobs.jobs(save.conn, statuses=jobs.WAITING, limit=8)),
        counts=jobs.counts(save.conn),
        hanging=len(jobs.warnings(save.conn)),
    )


def _disk(root: Path, rules: GarrisonRules, min_free_gb: float) -> Disk:
    try:
        use = shutil.disk_usage(root)
    except OSError:
        return Disk(str(root), None, None, "unknown")
    taken = 1 - use.free / use.total if use.total else 1.0
    full = taken >= rules.disk_critical_share or use.free < min_free_gb * 1e9
    state: State = "critical" if full else "warning" if taken >= rules.disk_warn_share else "healthy"
    return Disk(str(root), use.total, use.free, state)


def _rooms(folder: SaveFolder) -> list[Room]:
    """The save's folders by size, the database among them."""
    try:
        inside = list(os.scandir(folder.root))
    except OSError:
        return []
    rooms = [Room(e.name, *_weigh(Path(e.path))) for e in inside if e.is_dir(follow_symlinks=False)]
    files = [e for e in inside if e.is_file(follow_symlinks=False)]
    database = [e for e in files if e.name.startswith(folder.database.name)]
    rooms.append(Room(folder.database.name, sum(_size(e) for e in database), len(database)))
    return sorted(rooms, key=lambda r: (-r.bytes, r.name))


def _weigh(folder: Path) -> tuple[int, int]:
    size = files = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118  # a Path for each file costs twice the time
                files += 1
            except OSError:
                continue  # it went while we looked
    return size, files


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _sentries(folder: SaveFolder) -> list[Sentry]:
    out = []
    for name, path in (("trainer", folder.trainer_lock), ("keeper", folder.keeper_lock), ("face", folder.face_lock)):
        owner = holder(path)
        out.append(Sentry(name, None) if owner is None else Sentry(name, owner.pid, _memory_of(owner.pid)))
    return out


def _memory_of(pid: int) -> int | None:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def _host(found: tuple[Incident, ...], disk: Disk, runs: bool) -> Host:
    import platform

    import psutil

    memory = psutil.virtual_memory()
    try:
        load: float | None = os.getloadavg()[0]
    except OSError:
        load = None
    if any(i.blocks or i.severity == "critical" for i in found) or disk.state == "critical":
        state: State = "critical"
    elif found or disk.state == "warning":
        state = "warning"
    else:
        state = "healthy" if runs else "offline"
    return Host(platform.node() or "this machine", os.cpu_count(), memory.total, memory.available, load, _card(), state)


@cache
def _card() -> Graphics | None:
    """Asked once: the driver takes a moment to answer."""
    return graphics()
