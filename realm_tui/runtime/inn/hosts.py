"""The machines of the realm: which there are, a box for each place, and adding, looking at and removing one."""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from configs import clock
from configs.editing import with_value, without
from configs.errors import BlockedError, UsageError
from configs.facilities import Facilities, Facility, FacilityType, Host, ServerKind, facility_files, load_facilities
from configs.inn import InnRules
from configs.loader import load_game
from configs.paths import config_dir
from configs.reading import merged, parse, read_yaml, shipped
from realm_tui.runtime.inn import pins, records
from realm_tui.runtime.inn.box import Box, LinkState, LocalBox
from realm_tui.runtime.inn.pins import Pin
from realm_tui.runtime.inn.supervisor import ask


@dataclass(frozen=True, slots=True)
class HostLine:
    """A machine as the list shows it; what is not known is None."""

    id: str
    address: str
    port: int
    user: str
    places: tuple[str, ...]
    fingerprint: str | None
    """Of its confirmed key."""
    state: str | None
    """How it was found last."""
    looked_at: float | None
    seen_at: float | None
    rtt_s: float | None
    why: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """What a box is, by its own word; what it cannot tell is None."""

    python: str
    system: str
    machine: str
    user: str
    boot_id: str
    cpus: int | None
    memory_bytes: int | None
    memory_free_bytes: int | None
    disk_bytes: int
    disk_free_bytes: int
    cards: tuple[Mapping[str, Any], ...] | None
    """NVIDIA cards: name, memory_mb, used_mb, busy (percent), driver; None: no driver answers."""
    skew_s: float
    """How far its clock is ahead of ours."""
    rtt_s: float

    @property
    def disk_used(self) -> float:
        """Share of its disk that is not free."""
        return 1 - self.disk_free_bytes / self.disk_bytes

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "cards": None if self.cards is None else [dict(card) for card in self.cards]}


def open_box(place: str, *, facilities: Facilities | None = None, rules: InnRules | None = None) -> Box:
    """The box of a place; nothing is connected yet.

    Raises:
        UsageError: there is no such place.
        BlockedError: it is left alone (``FACILITY_CLOSED``).
    """
    known = facilities or load_facilities()
    facility = known.facility(place)
    if not facility.available:
        raise BlockedError(
            f"{facility.title} ({place}) is left alone",
            why="its `available` is false",
            fix=f"set `facilities.{place}.available: true` in config/facilities",
            code="FACILITY_CLOSED",
        )
    base = known.base_path(place).path
    rules = rules or load_game().inn
    if facility.is_local:
        return LocalBox(place, Path(base), _label(place, facility), rules=rules)
    from realm_tui.runtime.inn.ssh import SshBox

    python = facility.server.python if facility.server is not None else ""
    return SshBox(
        place,
        facility.host,
        known.host(facility.host),
        base,
        label=_label(place, facility),
        rules=rules,
        python=python or "python3",
    )


def _label(place: str, facility: Facility) -> str:
    """What a place is called in messages: one without a name of its own also by its id, since others may be of its type."""
    return facility.title if facility.name or facility.is_local else f"{facility.title} ({place})"


def host_box(host_id: str, *, facilities: Facilities | None = None, rules: InnRules | None = None) -> Box:
    """A box on a machine, whatever place stands there: for looking at it."""
    known = facilities or load_facilities()
    host = known.host(host_id)
    from realm_tui.runtime.inn.ssh import SshBox

    place = next((name for name, one in known.facilities.items() if one.host == host_id), None)
    base = known.base_path(place).path if place is not None else "~/realm"
    server = known.facilities[place].server if place is not None else None
    python = server.python if server is not None else ""
    return SshBox(host_id, host_id, host, base, label=host_id, rules=rules, python=python or "python3")


def hosts() -> list[HostLine]:
    """Every machine, in the order of the names, with what is remembered of it. Nothing is asked over the network."""
    known = load_facilities()
    lines = []
    for host_id, host in sorted(known.hosts.items()):
        pin = next(iter(pins.pins_of(host_id)), None)
        last = records.record(host_id)
        lines.append(
            HostLine(
                host_id,
                host.address,
                host.port,
                host.user or getpass.getuser(),
                places_on(host_id, known),
                pin.fingerprint if pin is not None else None,
                last.state if last is not None else None,
                last.at if last is not None else None,
                last.seen_at if last is not None else None,
                last.rtt_s if last is not None else None,
                last.why if last is not None else "",
            )
        )
    return lines


async def look(box: Box) -> BoxFacts:
    """Ask a box what it is; the first time, the Inn's scripts are copied there.

    Raises:
        RealmError: it cannot be reached, or has no Python.
    """
    await ask(box, "probe", {})
    before = clock.now()
    found = await ask(box, "probe", {})
    after = clock.now()
    skew_s = float(found["time"]) - (before + after) / 2
    if not box.is_local:
        records.remember(getattr(box, "host_id", box.id), skew_s=skew_s)
    cards = found["cards"]
    return BoxFacts(
        found["python"],
        found["system"],
        found["machine"],
        found["user"],
        found["boot_id"],
        found["cpus"],
        found["memory"],
        found["memory_free"],
        found["disk"],
        found["disk_free"],
        None if cards is None else tuple(cards),
        skew_s,
        box.state.rtt_s if box.state.rtt_s is not None else after - before,
    )


# ---------------------------------------------------------------- the player's file


def own_file() -> Path:
    """The player's private file of places."""
    return config_dir() / "facilities" / "local.yaml"


def check_new(host_id: str) -> None:
    """Refuse the id of a machine that is known already."""
    if host_id in load_facilities().hosts:
        raise UsageError(
            f"there is a host {host_id} already",
            fix=f"`realm host test {host_id}` looks at it; its lines stand in config/facilities",
            code="HOST_EXISTS",
        )


def write_host(
    host_id: str,
    host: Host,
    *,
    place: str = "",
    kind: FacilityType = "hub",
    base_path: str = "~/realm",
    server: ServerKind | None = None,
) -> Path:
    """Write a machine, and a place on it, into the player's file; everything else there stays as it is.

    Args:
        place: the place's id; empty: none is made.
        base_path: its folder there.
        server: the kind of its inference server; None: none.

    Raises:
        UsageError: the id is taken, or a value cannot be.
        RealmError: the file cannot be changed without touching more of it (``EDIT_BY_HAND``).
    """
    check_new(host_id)
    new: dict[str, Any] = {"hosts": {host_id: host.model_dump(mode="json", exclude_defaults=True)}}
    if place:
        if place in load_facilities().facilities:
            raise UsageError(
                f"there is a place {place} already", fix="choose another id with --place", code="FACILITY_EXISTS"
            )
        body: dict[str, Any] = {"type": kind, "host": host_id, "base_path": base_path, "paths": {"store": "inn/store"}}
        new["facilities"] = {place: body | ({"server": {"kind": server}} if server is not None else {})}
    file = own_file()
    data = read_yaml(shipped() / "facilities" / "here.yaml")
    for own in facility_files():
        data = merged(data, read_yaml(own))
    parse(Facilities, merged(data, new), f"host {host_id}")
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    for path, value in _leaves(new):
        text = with_value(text, path, value, str(file))
    _replace(file, text)
    return file


def places_on(host_id: str, known: Facilities) -> tuple[str, ...]:
    """The places that stand on a machine."""
    return tuple(sorted(name for name, one in known.facilities.items() if one.host == host_id))


def place_on(name: str, known: Facilities) -> str:
    """The place meant by its own id or by that of a machine with one place; `UsageError` where that is not one."""
    if name in known.facilities or name not in known.hosts:
        known.facility(name)
        return name
    found = places_on(name, known)
    if len(found) != 1:
        raise UsageError(
            f"{len(found)} places stand on {name}",
            fix=f"name one of {', '.join(found)}" if found else "add one to config/facilities/local.yaml",
            code="UNKNOWN_FACILITY",
        )
    return found[0]


def check_removable(host_id: str) -> None:
    """Refuse to remove a machine that does not stand in the private file alone (``EDIT_BY_HAND``)."""
    file = own_file()
    mine = read_yaml(file) if file.is_file() else {}
    foreign = [f"{group}.{name}" for group, name in _entries(host_id) if name not in mine.get(group, {})]
    if foreign:
        raise BlockedError(
            f"{host_id} does not stand in {file} alone",
            why=f"{', '.join(foreign)} comes from another file of {file.parent}",
            fix="remove its lines there",
            code="EDIT_BY_HAND",
        )


def remove_host(host_id: str) -> tuple[str, ...]:
    """Take a machine, the places on it and its confirmed key out of what the realm knows. Nothing is touched there.

    Returns:
        the places that went with it.

    Raises:
        UsageError: there is no such machine.
        BlockedError: it stands in another file than the private one (``EDIT_BY_HAND``).
    """
    known = load_facilities()
    known.host(host_id)
    check_removable(host_id)
    file = own_file()
    text = file.read_text(encoding="utf-8")
    for group, name in _entries(host_id):
        text = without(text, (group, name), str(file))
    _replace(file, text)
    pins.forget(host_id)
    records.forget(host_id)
    return places_on(host_id, known)


def _entries(host_id: str) -> list[tuple[str, str]]:
    """Where a machine and its places stand: group and id."""
    return [("hosts", host_id), *(("facilities", place) for place in places_on(host_id, load_facilities()))]


def trust(host_id: str, pin: Pin) -> None:
    """Confirm a machine's key: from now on nobody else is taken for it."""
    pins.confirm(host_id, pin)
    records.forget(host_id)


def remembered(state: LinkState, host_id: str) -> None:
    """Keep what was found, for the list."""
    facts = {"seen_at": state.last_seen, "rtt_s": state.rtt_s, "why": state.why}
    records.remember(host_id, state=state.name, at=clock.now(), **facts)


def _leaves(data: Mapping[str, Any], above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            found += _leaves(value, (*above, key))
        else:
            found.append(((*above, key), value))
    return found


def _replace(file: Path, text: str) -> None:
    yaml.safe_load(text)
    target = file.resolve()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with beside.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(target)
