"""The saga's rows: deeds as sentences, and all that was told of one day."""

from __future__ import annotations

from collections.abc import Sequence

from lore.figures import duration
from lore.narrator import Tale
from lore.saga import Line, matching
from realm_tui.app.drawing import Look, Row, shorten
from realm_tui.app.widgets.lines import GAP, columns, wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import whole
from realm_tui.runtime.figures import moment
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.log_view import LogView, SagaView
from saves.between import Day


def day_of(line: Line) -> str:
    """Its day (UTC)."""
    return moment(line.event.at)[:10]


def found_deeds(view: LogView, find: str) -> tuple[Line, ...]:
    """Deeds worth telling that hold what is looked for, newest first."""
    return tuple(matching(view.lines, find)) if find else view.lines


def day_before(lines: tuple[Line, ...], at: Line | None) -> Line | None:
    """The newest deed of an earlier day; None where there is none."""
    return None if at is None else next((one for one in lines if day_of(one) < day_of(at)), None)


def saga_items(lines: tuple[Line, ...], look: Look) -> list[Item]:
    """One line a deed; a day is named at its newest."""
    out: list[Item] = []
    last = ""
    for line in lines:
        day = day_of(line)
        out.append(Item(line.key, lambda width, one=line, d=day if day != last else "": _row(one, d, look, width)))  # type: ignore[misc]
        last = day
    return out


def _row(line: Line, day: str, look: Look, width: int) -> Row:
    return columns(
        (day[5:], 5, "accent"),
        (moment(line.event.at)[11:16], 5, "muted"),
        (line.tale.icon, 1, line.tale.tone),
        (clean(line.text(look.names)), max(10, width - 15), line.tale.tone),
    )


def day_sheet(view: LogView, line: Line | None, look: Look, width: int) -> list[Row]:
    """What was told of the day of a deed, oldest first, as one page; the deed itself stands out."""
    if line is None:
        return []
    rows: list[Row] = []
    for one in reversed([found for found in view.lines if day_of(found) == day_of(line)]):
        here = one.key == line.key
        for i, text in enumerate(wrapped(one.text(look.names), width - 9)):
            stamp = f" {moment(one.event.at)[11:16]} " if i == 0 else " " * 7
            rows.append(((stamp, "muted"), (text, "strong" if here else one.tale.tone)))
    event = line.event
    proof = f" step {whole(event.step)} · {shorten(clean(event.source), max(8, width - 24))}"
    return [*rows, GAP, ((proof, "faint"),)]


def spot_of(rows: Sequence[Row]) -> int | None:
    """The row in which what is under the cursor begins on the page that tells all of it."""
    return next((at for at, row in enumerate(rows) if any(role == "strong" for _, role in row)), None)


def day_items(days: tuple[Day, ...], look: Look) -> list[Item]:
    """One line a day of training."""
    return [Item(d.day, lambda width, one=d: _day_row(one, width)) for d in days]  # type: ignore[misc]


def _day_row(day: Day, width: int) -> Row:
    return columns(
        (day.day, 10, "text"),
        (f"{day.steps:,} steps", -16, "strong"),
        (duration(day.active_s), -10, "muted"),
        ("", max(1, width - 40), ""),
    )


def chronicle_sheet(view: SagaView, look: Look, width: int) -> list[Row]:
    """The page of a day."""
    page = view.page
    if page is None:
        return []
    rows = tale_rows(page.lines(view.hero), look, width)
    return [*rows, GAP, ((" the day is not over yet", "faint"),)] if page.open else rows


def journey_items(view: SagaView, look: Look) -> list[Item]:
    """The moments of the journey, one line each."""
    tales = () if view.journey is None else view.journey.lines(view.hero)
    return [Item(str(i), lambda width, t=tale: _tale_row(t, look, width)) for i, tale in enumerate(tales)]  # type: ignore[misc]


def _tale_row(tale: Tale, look: Look, width: int) -> Row:
    return columns((tale.icon, 1, tale.tone), (clean(tale.text(look.names)), max(8, width - 4), tale.tone))


def journey_sheet(view: SagaView, key: str | None, look: Look, width: int) -> list[Row]:
    """The whole journey as one page; the moment under the cursor stands out."""
    if view.journey is None:
        return []
    here = int(key) if key is not None and key.isdigit() else None
    return tale_rows(view.journey.lines(view.hero), look, width, here)


def tale_rows(tales: Sequence[Tale], look: Look, width: int, here: int | None = None) -> list[Row]:
    """Sentences, each broken into as many lines as it takes; the one at ``here`` stands out."""
    rows: list[Row] = []
    for at, tale in enumerate(tales):
        tone = "strong" if at == here else tale.tone
        for i, text in enumerate(wrapped(tale.text(look.names), width - 5)):
            rows.append(((f" {tale.icon} " if i == 0 else "   ", tale.tone), (text, tone)))
    return rows


def empty_saga(view: LogView) -> list[Row]:
    """What stands where nothing is told."""
    if view.lines:
        return [((" no deed fits; ", "faint"), ("esc", "key"), (" shows them all", "faint"))]
    return [((" the story begins with the first step", "faint"),), ((" start the hero with ", "faint"), ("p", "key"))]
