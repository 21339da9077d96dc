"""A box with the ways to study: each with what it would do with the next steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from lore.lexicon import entry
from realm_tui.app.drawing import Look, Row, column
from realm_tui.app.screens.dialog import Dialog, plain
from realm_tui.app.widgets.guild import turns_rows
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.app.widgets.sheet import folded
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.study import Way


class StudyScreen(Dialog[Way]):
    """Answers the chosen way."""

    AUTO_FOCUS: ClassVar[str | None] = "#ways"

    def __init__(self, ways: Sequence[Way], look: Look) -> None:
        """
        Args:
            ways: what can be chosen.
            look: the look in force.
        """
        super().__init__()
        self._ways, self._look = ways, look

    def compose(self) -> ComposeResult:
        with Container(classes="dialog wide") as box:
            box.border_title = entry("guild.presets").named(self._look.names)
            yield from self.body()

    def body(self) -> Iterable[Widget]:
        yield Listing("ways", classes="ways")
        yield Scroll("way", classes="way")
        yield plain("enter chooses   esc leaves everything as it is", classes="hint")

    def on_mount(self) -> None:
        ways = self.query_one("#ways", Listing)
        ways.draw([Item(one.key, partial(way_row, one)) for one in self._ways], self._look)
        for one in self._ways:
            if one.in_force:
                ways.go_to(one.key)
        self._show()

    def _way(self) -> Way:
        key = self.query_one("#ways", Listing).chosen
        return next(one for one in self._ways if one.key == key)

    @on(Listing.Moved)
    def _show(self) -> None:
        one = self._way()
        self.query_one("#way", Scroll).fill(lambda width: way_rows(one, self._look, width), self._look, subject=one.key)

    @on(Listing.Chosen)
    def _chosen(self) -> None:
        one = self._way()
        if one.trouble:
            self.notify(clean(one.trouble), severity="warning", markup=False)
        else:
            self.dismiss(one)


def way_row(one: Way, width: int) -> Row:
    """``balanced  preset  All skills in turn.``; the one in force is marked."""
    tone = "faint" if one.trouble else "text"
    kind = "preset" if "preset" in one.change else "strategy"
    return (
        ("● " if one.in_force else "  ", "good"),
        (column(clean(one.name), 14), "faint" if one.trouble else "strong"),
        (column(kind, 10), "muted"),
        (clean(one.description), tone),
    )


def way_rows(one: Way, look: Look, width: int) -> list[Row]:
    """What it would do, or why this hero cannot."""
    room = max(10, width - 2)
    if one.trouble:
        return [((f" {line}", "warn"),) for line in folded(clean(one.trouble), room, 6)]
    told: list[Row] = [((f" {line}", "text"),) for line in folded(clean(one.description), room)]
    told += [((f" {line}", "accent"),) for line in folded(clean(one.decision), room, 3)]
    return [*told, *turns_rows(one.turns, look, width)]
