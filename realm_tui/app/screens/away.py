"""The away report: what the hero did since the last look, from rows of the save, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult

from lore.figures import duration
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.sheet import Sheet, folded
from realm_tui.app.words import clock_time, percent
from realm_tui.runtime.away import AwayTale, AwayView
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave

_MOMENTS = {"best": "good-strong", "worst": "bad-strong"}


@dataclass(frozen=True, slots=True)
class Away:
    """The report that is shown."""

    view: AwayView | None
    """None: nothing happened."""


class AwayScreen(Page[Away]):
    """While you were away: the time in short, then everything that happened, oldest first."""

    word = "screen.away"
    lives = True
    AUTO_FOCUS: ClassVar[str | None] = "#tales"

    def read(self, save: OpenedSave) -> Away:
        return Away(self.realm.away)

    def body(self) -> ComposeResult:
        yield Sheet("short", self.word)
        yield Listing("tales", "away.order", empty="Nothing happened while you were away.")

    def show(self, data: Away, look: Look) -> None:
        short, tales = self.query_one("#short", Sheet), self.query_one(Listing)
        view = data.view
        short.display = view is not None
        if view is None:
            tales.draw([], look)
            return
        high = len(_short(view, look, max(20, self.size.width - 4)))
        high += 1 if self.has_class("-compact") else 2
        if short.styles.height is None or short.styles.height.value != high:
            short.styles.height = high
        short.draw(lambda width, _: _short(view, look, width), look, subtitle=_between(view))
        more = f"{view.left_out} earlier ones are in the log" if view.left_out else ""
        tales.draw([_item(one, look) for one in view.told], look, subtitle=more)


def _between(view: AwayView) -> str:
    return f"{clock_time(view.since)} to {clock_time(view.until)}"


def _short(view: AwayView, look: Look, width: int) -> list[Row]:
    """Where the time went, then the report's lines."""
    time: list[tuple[str, str]] = [(" ", "")]
    for word, seconds, role in (
        ("away.trained", view.trained_s, "good"),
        ("away.examined", view.examined_s, "accent"),
        ("away.idle", view.idle_s, "warn" if view.idle_s > view.elapsed_s / 2 else "text"),
    ):
        share = percent(seconds, view.elapsed_s)
        time += [(f"{label(word, look.names).lower()} ", "muted"), (f"{duration(seconds)} ", role)]
        time.append((f"({share})   ", "faint"))
    rows: list[Row] = [tuple(time)]
    for tale in view.summary:
        for i, line in enumerate(folded(clean(tale.text(look.names)), max(8, width - 4), 2)):
            rows.append(((f" {tale.icon if i == 0 else ' '} ", tale.tone), (line, tale.tone)))
    return rows


def _item(one: AwayTale, look: Look) -> Item:
    tale = one.tale
    row: list[tuple[str, str]] = [
        (f" {clock_time(tale.at)} ", "faint"),
        (f"{'' if one.step is None else format(one.step, ','):>9} ", "muted"),
        (f"{tale.icon} ", tale.tone),
        (clean(tale.text(look.names)), tale.tone),
    ]
    if one.moment:
        word = entry(f"away.{one.moment}")
        row.insert(3, (f"{word.icon} {word.named(look.names)}: ", _MOMENTS[one.moment]))
    return Item(one.key, tuple(row))
