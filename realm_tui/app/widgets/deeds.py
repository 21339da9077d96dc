"""The achievements' rows: what was earned, when and by which fact, and how far the rest is."""

from __future__ import annotations

from lore.achievements import Earned
from lore.lexicon import entries
from realm_tui.app.drawing import Look, Row
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.lines import GAP, columns, named, told
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, fraction, percent, whole
from realm_tui.runtime.figures import moment
from realm_tui.runtime.foreign import clean

_SAID = 12
"""Cells for the step at which a deed was earned, or how much of it is done."""
SHOWN = ("all", "earned", "open")


def chosen_deeds(deeds: tuple[Earned, ...], which: str, find: str) -> tuple[Earned, ...]:
    """All, what is earned (newest first), or what is open (nearest first)."""
    wanted = find.casefold()
    found = [
        d for d in deeds if not wanted or any(wanted in t.casefold() for t in (d.rule.label, d.rule.plain, d.rule.deed))
    ]
    if which == "earned":
        return tuple(sorted((d for d in found if d.earned), key=lambda d: -(d.step or 0)))
    if which == "open":
        return tuple(sorted((d for d in found if not d.earned), key=lambda d: -_part(d)))
    return tuple(found)


def _part(deed: Earned) -> float:
    if deed.earned:
        return 1.0
    return 0.0 if deed.have is None or not deed.need else max(0.0, min(1.0, deed.have / deed.need))


def deed_items(deeds: tuple[Earned, ...], look: Look) -> list[Item]:
    """One line a deed."""
    return [Item(deed.id, lambda width, one=deed: _row(one, look, width)) for deed in deeds]  # type: ignore[misc]


def _row(deed: Earned, look: Look, width: int) -> Row:
    done, size = deed.earned, 10 if width >= 76 else 6
    name = 22 if width >= 76 else 18
    room = max(10, width - name - _SAID - 4)
    cells = (
        (deed.rule.icon if done else "·", 1, "accent" if done else "faint"),
        (clean(deed.rule.named(look.names)), name, "strong" if done else "text"),
    )
    if done:
        return (*columns(*cells, (clean(deed.rule.deed), room, "muted")), (f" {_when(deed)}", "good"))
    filled, empty = bar(_part(deed), size, look.ascii)
    return (
        *columns(*cells, (clean(deed.rule.deed), room - size - 1, "muted")),
        (" ", ""),
        (filled, "curve"),
        (empty, "line"),
        (f" {_when(deed)}", "muted"),
    )


def _when(deed: Earned) -> str:
    if deed.earned:
        return f"{'step ' + format(deed.step, ',') if deed.step is not None else 'earned':<{_SAID}}"
    return f"{percent(deed.have, deed.need):<{_SAID}}"


def deed_sheet(deed: Earned | None, look: Look, width: int) -> list[Row]:
    """One deed closely."""
    if deed is None:
        return []
    rows = told("deed", deed.rule.deed, width)
    found = entries().get(f"achievement.{deed.id}")
    if found is not None:
        rows += told("told", found.explained(look.names), width, "muted")
    if deed.earned:
        rows += [
            named("earned", f"step {whole(deed.step)}", "good"),
            named("when", moment(deed.at)),
            named("proof", clean(deed.source) or UNKNOWN, "muted"),
        ]
    else:
        rows.append(named("how far", f"{_amount(deed.have, deed.need)} of {_amount(deed.need, deed.need)}"))
        filled, empty = bar(_part(deed), max(10, min(40, width - 14)), look.ascii)
        rows.append((*named("", "")[:1], (filled, "curve"), (empty, "line")))
    rows += [GAP, ((" what is earned once stays", "faint"),)]
    return rows


def _amount(value: float | None, of: float | None) -> str:
    """A share where shares are asked, else a count; unknown is a dash."""
    if value is None or of is None:
        return UNKNOWN
    return (
        fraction(value) if of <= 1 and of != int(of) else whole(int(value)) if value == int(value) else f"{value:.1f}"
    )


def deeds_heading(deeds: tuple[Earned, ...], which: str, find: str) -> str:
    """How many are earned, and what is shown."""
    told = f"{sum(d.earned for d in deeds)} of {len(deeds)}"
    return told + (f" · {which}" if which != "all" else "") + (f" · “{clean(find)}”" if find else "")


def empty_deeds(deeds: tuple[Earned, ...]) -> list[Row]:
    """What stands there when nothing is shown."""
    if deeds:
        return [((" no deed of this kind; ", "faint"), ("esc", "key"), (" shows them all", "faint"))]
    return [((" deeds will stand here as they are done", "faint"),)]
