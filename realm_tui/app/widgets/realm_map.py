"""The map's rows: a ladder of regions from the summit down, and what opens each of them."""

from __future__ import annotations

from lore.lexicon import entries, entry, label
from lore.world import Condition, Deed
from lore.world_rules import BossRule, Gate, RegionRule, TalentRule
from realm_tui.app.drawing import Look, Row, shorten
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.lines import GAP, columns, heading, named, told
from realm_tui.app.widgets.picker import Item
from realm_tui.app.words import UNKNOWN, fraction, whole
from realm_tui.runtime.figures import moment
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.map_view import MapView

_STEP = 3
"""Cells by which each region stands further right than the one above it."""


def name_of(kind: str, key: str, rule: RegionRule | BossRule | TalentRule | None, look: Look) -> str:
    """The name of a region, guardian or talent: its rule's own, or the lexicon's."""
    own = "" if rule is None else (rule.plain or rule.label) if not look.tavern else rule.label
    if own:
        return clean(own)
    found = entries().get(f"{kind}.{key}")
    return found.named(look.names) if found is not None else clean(key)


def icon_of(key: str) -> str:
    """A region's sign."""
    found = entries().get(f"region.{key}")
    return found.icon if found is not None else "◇"


def region_items(view: MapView, look: Look) -> list[Item]:
    """One line a region, the highest first; the hero stands where it is."""
    return [(name, lambda width, n=name: _region_row(view, n, look, width)) for name in view.upwards]  # type: ignore[misc]


def _indent(view: MapView, name: str) -> int:
    ladder = [key for key, rule in view.rules.regions.items() if not rule.side]
    return _STEP * ladder.index(name) if name in ladder else 0


def _region_row(view: MapView, key: str, look: Look, width: int) -> Row:
    rule, here = view.rules.regions[key], view.world.here == key
    opened = key in view.world.unlocked
    beside = "↝ " if rule.side else ""
    name = f"{' ' * _indent(view, key)}{beside}{icon_of(key)} {name_of('region', key, rule, look)}"
    tone = "accent-strong" if here else "text" if opened else "faint"
    state = f"◀ {clean(view.hero)}" if here else label("region.unlocked" if opened else "region.locked", look.names)
    return columns(
        (name, max(12, width - 26), tone),
        (_levels(rule), -7, "muted"),
        (shorten(state, 16), 16, "hero" if here else "good" if opened else "faint"),
    )


def _levels(rule: RegionRule) -> str:
    if rule.levels is None:
        return "any"
    first, last = rule.levels
    return f"L{first}+" if last is None else f"L{first}" if first == last else f"L{first}–{last}"


def region_sheet(view: MapView, key: str | None, look: Look, width: int) -> list[Row]:
    """One region: what it is, since when it is open, or what it still asks."""
    if key is None:
        return []
    rule = view.rules.regions[key]
    found = entries().get(f"region.{key}")
    rows: list[Row] = []
    if found is not None:
        rows += told("what", found.explained(look.names), width)
    if rule.tiers:
        rows.append(
            named(label("tier", look.names).lower(), ", ".join(name_of("tier", t, None, look) for t in rule.tiers))
        )
    opened = view.world.unlocked.get(key)
    if opened is not None:
        rows += [named("opened", _when(opened), "good"), named("proof", clean(opened.source), "muted")]
    elif key in view.world.gates:
        rows += [GAP, heading("what it asks")]
        for condition in view.world.gates[key]:
            rows.append(_condition(condition, look, width, view))
    elif _asks(rule.opens):
        rows += [GAP, ((" opens with the first step", "faint"),)]
    rows += _guardians(view, key, look)
    return [*rows, *_talents(view, look)]


def _asks(gate: Gate) -> bool:
    return gate != Gate.model_validate({})


def _when(deed: Deed) -> str:
    return f"step {whole(deed.step)}, {moment(deed.at)}"


def _condition(one: Condition, look: Look, width: int, view: MapView) -> Row:
    """One thing a gate asks, with how far the hero is."""
    tier = name_of("tier", one.of, None, look) if one.key in ("answers", "share") else ""
    words = {
        "steps": "steps taken",
        "level": f"level in {one.of.replace(' ', ' or ') or 'any skill'}",
        "answers": f"newest answers, {tier}",
        "share": f"of them right, {tier}",
        "boss": name_of("boss", one.of, view.rules.bosses.get(one.of), look),
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


def _guardians(view: MapView, region: str, look: Look) -> list[Row]:
    rows: list[Row] = []
    for key, boss in view.rules.bosses.items():
        if boss.region != region:
            continue
        beaten = view.world.bosses.get(key)
        rows += [GAP, heading(label("boss", look.names))]
        rows.append(
            named(
                name_of("boss", key, boss, look), "stands" if beaten is None else f"beaten at {_when(beaten)}", width=20
            )
        )
        rows.append(
            ((f" one exam of level {boss.level} or more, {boss.items} items, {fraction(boss.share)} right", "muted"),)
        )
    return rows


def _talents(view: MapView, look: Look) -> list[Row]:
    """Talents that showed; hidden ones are not told."""
    if not view.world.talents:
        return []
    rows: list[Row] = [GAP, heading(label("talent", look.names))]
    for key, deed in view.world.talents.items():
        found = entry(f"talent.{key}") if f"talent.{key}" in entries() else None
        sign = found.icon if found is not None else "◆"
        name = name_of("talent", key, view.rules.talents.get(key), look)
        rows.append(((f" {sign} ", "accent"), (name, "strong"), (f"  {_when(deed)}", "muted")))
    return rows
