"""The map's rows: a ladder of regions from the summit down, and what opens each of them."""

from __future__ import annotations

from lore.lexicon import entries, label
from lore.world import Condition, Deed
from lore.world_rules import named as name_of
from realm_tui.app.drawing import Look, Row, shorten
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.lines import GAP, columns, heading, named, told
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, fraction, whole
from realm_tui.runtime.figures import moment
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.world_view import Land, MapView

_STEP = 3
"""Cells by which each region stands further right than the one below it."""


def land_of(view: MapView, key: str | None) -> Land | None:
    """The region with that id."""
    return next((land for land in (*view.lands, *view.sides) if land.id == key), None)


def region_items(view: MapView, hero: str, look: Look) -> list[Item]:
    """One line a region, the highest first; the hero stands where it is."""
    lands = [*((land, i) for i, land in zip(range(len(view.lands) - 1, -1, -1), view.lands, strict=True))]
    lands += [(land, 0) for land in view.sides]
    return [Item(land.id, lambda width, one=land, i=i: _region_row(one, i, hero, look, width)) for land, i in lands]  # type: ignore[misc]


def _region_row(land: Land, height: int, hero: str, look: Look, width: int) -> Row:
    found = entries().get(f"region.{land.id}")
    icon = found.icon if found is not None else "◇"
    beside = "↝ " if land.levels is None else ""
    name = f"{' ' * (_STEP * height)}{beside}{icon} {clean(land.name(look.names))}"
    opened = land.unlocked is not None
    state = f"◀ {clean(hero)}" if land.here else label("region.unlocked" if opened else "region.locked", look.names)
    return columns(
        (name, max(12, width - 26), "accent-strong" if land.here else "text" if opened else "faint"),
        (_levels(land), -7, "muted"),
        (state, 16, "hero" if land.here else "good" if opened else "faint"),
    )


def _levels(land: Land) -> str:
    if land.levels is None:
        return "any"
    first, last = land.levels
    return f"L{first}+" if last is None else f"L{first}" if first == last else f"L{first}–{last}"


def region_sheet(view: MapView, key: str | None, look: Look, width: int) -> list[Row]:
    """One region: what it is, since when it is open, or what it still asks."""
    land = land_of(view, key)
    if land is None:
        return []
    found = entries().get(f"region.{land.id}")
    rows: list[Row] = [] if found is None else told("what", found.explained(look.names), width)
    if land.tiers:
        tiers = ", ".join(name_of("tier", tier, look.names) for tier in land.tiers)
        rows += told(label("tier", look.names).lower(), tiers, width)
    if land.unlocked is not None:
        rows.append(named("opened", _when(land.unlocked), "good"))
        if land.unlocked.source:
            rows.append(named("proof", clean(land.unlocked.source), "muted"))
    elif land.asks:
        rows += [GAP, heading("what it asks"), *(_condition(one, look, width) for one in land.asks)]
    else:
        rows += [GAP, ((" opens with the first step", "faint"),)]
    for boss, beaten in land.bosses:
        name = name_of("boss", boss, look.names)
        rows += [GAP, heading(label("boss", look.names))]
        rows.append(named(name, "stands" if beaten is None else f"beaten at {_when(beaten)}", width=20))
    if view.world.talents:
        rows += [GAP, heading(label("talent", look.names))]
        for talent, deed in view.world.talents.items():
            rows.append(named(name_of("talent", talent, look.names), _when(deed), width=22))
    return rows


def _when(deed: Deed) -> str:
    return f"step {whole(deed.step)}" + (f", {moment(deed.at)}" if deed.at is not None else "")


def _condition(one: Condition, look: Look, width: int) -> Row:
    """One thing a gate asks, with how far the hero is."""
    words = {
        "steps": "steps taken",
        "level": f"level in {' or '.join(one.of.split()) or 'any skill'}",
        "answers": f"newest answers, {name_of('tier', one.of, look.names)}" if one.key == "answers" else "",
        "share": f"of them right, {name_of('tier', one.of, look.names)}" if one.key == "share" else "",
        "boss": name_of("boss", one.of, look.names) if one.key == "boss" else "",
    }[one.key]
    if one.key == "share":
        have, need = fraction(one.have), fraction(one.need)
    elif one.key == "boss":
        have, need = ("beaten" if one.met else "stands"), "beaten"
    else:
        have, need = (UNKNOWN if one.have is None else whole(int(one.have))), whole(int(one.need))
    part = 0.0 if one.have is None or one.need <= 0 else one.have / one.need
    filled, empty = bar(part, max(4, min(12, width - 50)), look.ascii)
    return (
        (" ✓ " if one.met else " · ", "good" if one.met else "muted"),
        (f"{shorten(words, 26):<26} ", "text"),
        (filled, "good" if one.met else "curve"),
        (empty, "line"),
        (f" {have} of {need}", "strong" if one.met else "text"),
    )
