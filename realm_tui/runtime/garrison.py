"""The Garrison looks after every place of the realm: is it there, how good is the road, has it room, do its servers live.

A look changes nothing there. What it found is judged by rules, written down, and called out once; what is right again is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from configs import clock
from configs.errors import RealmError
from configs.garrison import GarrisonRules
from configs.inn import LinkRules
from configs.paths import SaveFolder
from realm_tui.runtime.figures import size
from realm_tui.runtime.inn.box import Box, LinkState
from realm_tui.runtime.opened import opened
from saves import patrols, workers
from saves.patrols import Called, Severity

ROADS = {"online": "open", "degraded": "muddy", "connecting": "unknown", "timeout": "avalanche", "offline": "closed"}
"""What a line is called as a road; keys and refusals close it as well."""
WANTED_ENDS = frozenset({"stopped", "lease", "removed"})
"""Ends of servers that are no trouble: somebody stopped them, or nobody asked for them any more."""
AMISS = {
    "broken": ("is broken", "promote a form there again, or `realm worker stop` it and start it anew"),
    "wrong_model": ("serves another model", "see `realm worker list`; promote a form there again"),
}
"""States of a worker that runs but does not answer as it should: in words, and the way out."""
STORM_LOSSES = 3
"""Losses of a line within `STORM_S` from which on a road is called stormy."""
STORM_S = 3600.0


@dataclass(frozen=True, slots=True)
class Look:
    """One place as it was found; None is unknown."""

    road: str
    """open, muddy, storm, avalanche, closed or unknown."""
    link: str
    why: str
    fix: str
    rtt_s: float | None
    last_seen: float | None
    disk: int | None = None
    disk_free: int | None = None
    memory: int | None = None
    memory_free: int | None = None
    cards: tuple[Mapping[str, Any], ...] | None = None
    skew_s: float | None = None
    """Its clock beside this one's."""
    forms: int | None = None
    form_bytes: int | None = None
    endpoints: Mapping[str, tuple[str, str]] | None = None
    """Workers there that do not answer as they should: their state (`saves.workers`) and why."""
    servers: Mapping[str, bool] | None = None
    """This realm's servers there, and whether they live; without those that ended as somebody wanted."""
    ends: Mapping[str, str] | None = None
    """How those ended that do not live, in words."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def road_of(state: LinkState, rules: LinkRules) -> str:
    """How the way to a place is called."""
    recent = [lost for lost in state.losses if clock.now() - lost < STORM_S]
    road = ROADS.get(state.name, "closed")
    if road in ("open", "muddy") and len(recent) >= STORM_LOSSES:
        return "storm"
    if road == "open" and state.rtt_s is not None and state.rtt_s * 1000 >= rules.muddy_ms:
        return "muddy"
    return road


async def look_at(box: Box, rules: GarrisonRules) -> Look:
    """Look at a place; never raises for what is wrong there.

    Args:
        box: the place.
        rules: how long reaching it may take.
    """
    from realm_tui.runtime.inn import hosts, supervisor, sync

    facts: dict[str, Any] = {}
    trouble: RealmError | None = None
    try:
        async with asyncio.timeout(rules.link_s):
            there = await hosts.look(box)
            facts |= {
                "disk": there.disk_bytes,
                "disk_free": there.disk_free_bytes,
                "memory": there.memory_bytes,
                "memory_free": there.memory_free_bytes,
                "cards": there.cards,
                "skew_s": None if box.is_local else there.skew_s,
            }
            kept = await sync.forms(box)
            facts["forms"], facts["form_bytes"] = len(kept), sum(form.bytes for form in kept)
            servers = {
                name: None if isinstance(found, supervisor.Running) else found.why
                for name, found in (await supervisor.own(box)).items()
                if isinstance(found, supervisor.Running) or found.why not in WANTED_ENDS
            }
            facts["servers"] = {name: why is None for name, why in servers.items()}
            facts["ends"] = {name: supervisor.ENDS.get(why, why) for name, why in servers.items() if why is not None}
    except TimeoutError:
        trouble = RealmError(
            f"{box.label} did not answer within {rules.link_s:g} s",
            fix="look at the machine and the network between; `realm host test` says more",
            code="HOST_TIMEOUT",
        )
    except RealmError as error:
        trouble = error
    state = box.state
    return Look(
        road="avalanche"
        if trouble is not None and trouble.code == "HOST_TIMEOUT"
        else "closed"
        if trouble is not None
        else road_of(state, box.rules.link),
        link=state.name,
        why=": ".join(filter(None, (trouble.what, trouble.why))) if trouble is not None else state.why,
        fix=trouble.fix if trouble is not None else state.fix,
        rtt_s=state.rtt_s,
        last_seen=state.last_seen,
        **facts,
    )


def judged(label: str, look: Look, rules: GarrisonRules, link: LinkRules) -> tuple[str, list[Called]]:
    """The state of a place in a word (healthy, warning, critical or offline), and what is wrong with it."""
    found: list[Called] = []
    if look.road in ("closed", "avalanche"):
        found.append(Called("unreachable", "high", f"{label} cannot be reached", look.why, look.fix))
        return "offline", found
    if look.disk and look.disk_free is not None:
        taken = 1 - look.disk_free / look.disk
        if taken >= rules.disk_warn_share:
            full = taken >= rules.disk_critical_share
            severity: Severity = "critical" if full else "medium"
            found.append(
                Called(
                    "disk",
                    severity,
                    f"{label}'s disk is {taken:.0%} full",
                    f"{size(look.disk_free)} of {size(look.disk)} are free",
                    "free some space there; forms that nobody needs are let go before each push",
                    {"taken": taken},
                )
            )
    if look.skew_s is not None and abs(look.skew_s) >= link.clock_skew_s:
        found.append(
            Called(
                "clock",
                "low",
                f"{label}'s clock is {abs(look.skew_s):.0f} s {'ahead' if look.skew_s > 0 else 'behind'}",
                fix="set its clock; nothing of the realm depends on it, its logs do",
                detail={"skew_s": look.skew_s},
            )
        )
    if look.road in ("storm", "muddy"):
        what = "is lost again and again" if look.road == "storm" else "is slow"
        found.append(
            Called(
                "road",
                "low",
                f"the line to {label} {what}",
                f"the last round trip took {look.rtt_s * 1000:.0f} ms" if look.rtt_s is not None else "",
                "work there goes on; pushes and answers take longer",
            )
        )
    for name in [name for name, lives in (look.servers or {}).items() if not lives]:
        found.append(
            Called(
                f"server:{name}",
                "medium",
                f"the server {name} at {label} has ended",
                (look.ends or {}).get(name, ""),
                fix="see `realm worker logs`, then start it again: `realm worker start`",
            )
        )
    for name, (state, why) in (look.endpoints or {}).items():
        words, fix = AMISS[state]
        found.append(Called(f"endpoint:{name}", "medium", f"the worker {name} at {label} {words}", why, fix))
    worst = {one.severity for one in found}
    state = "critical" if "critical" in worst else "warning" if worst & {"high", "medium"} else "healthy"
    return state, found


async def patrol(folder: SaveFolder, boxes: Mapping[str, Box], rules: GarrisonRules) -> dict[str, str]:
    """Look at every place at once and write down what was found, with what is known of its workers; place to its state."""
    looks = dict(zip(boxes, await asyncio.gather(*(look_at(box, rules) for box in boxes.values())), strict=True))
    states: dict[str, str] = {}
    with opened(folder, write=True) as save:
        for name, look in looks.items():
            known = [w for w in workers.workers(save.conn, place=name) if w.state in AMISS]
            look = replace(look, endpoints={w.id: (w.state, w.why) for w in known})
            states[name], found = judged(boxes[name].label, look, rules, boxes[name].rules.link)
            patrols.looked(save.conn, name, states[name], look.as_dict(), found)
    return states
