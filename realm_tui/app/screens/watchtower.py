"""The Watchtower: every raw chart of the training, and the engine's log below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from realm_tui.app.actions import Action
from realm_tui.app.drawing import Drawing, Look, Row
from realm_tui.app.screens.spans import SPAN_KEYS, SpanPage
from realm_tui.app.widgets.charts import Shown, charts_rows, layout, log_rows, visible
from realm_tui.runtime.lanes import Rival
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.watch_view import Tower, Watch

_LOG_KINDS = ("some", "all", "none")


class ChartsPanel(Drawing):
    """All charts; a click chooses one, the wheel looks closer or wider."""

    class Picked(Message):
        """A chart was clicked."""

        def __init__(self, chart: str) -> None:
            super().__init__()
            self.chart = chart

    class Wheel(Message):
        """The wheel was turned."""

        def __init__(self, closer: bool) -> None:
            super().__init__()
            self.closer = closer

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._held: tuple[Watch, Shown, Look] | None = None

    def draw(self, watch: Watch, shown: Shown, look: Look) -> None:
        """Show the curves; only lines that changed are sent to the terminal."""
        self._held = (watch, shown, look)
        self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        return charts_rows(*self._held, width, height) if self._held is not None else ()

    def on_click(self, event: Click) -> None:
        """Choose the chart under the mouse."""
        if self._held is None:
            return
        _, shown, look = self._held
        charts = visible(shown, look)
        width, height = self.content_size
        here = next((i for i, c in enumerate(charts) if c.id == shown.chart), 0)
        found = layout(len(charts), here, width, height - 1, alone=shown.alone).at(event.x, event.y, width)
        if found is not None and found < len(charts):
            self.post_message(self.Picked(charts[found].id))

    def on_mouse_scroll_down(self, _: MouseScrollDown) -> None:
        self.post_message(self.Wheel(closer=False))

    def on_mouse_scroll_up(self, _: MouseScrollUp) -> None:
        self.post_message(self.Wheel(closer=True))


class LogPane(Drawing):
    """The newest lines of the engine's log."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._held: tuple[Sequence[str], Shown, Look] | None = None

    def draw(self, lines: Sequence[str], shown: Shown, look: Look) -> None:
        """Show the lines that fit."""
        self._held = (lines, shown, look)
        self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        return log_rows(*self._held, width, height) if self._held is not None else ()


class WatchtowerScreen(SpanPage[Watch]):
    """Loss, held-out loss, accuracy, learning rate, gradient, speed, time, memory and temperature over steps."""

    word = "screen.watchtower"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", show=False)]
    keys: ClassVar[tuple[Action, ...]] = (
        *SPAN_KEYS,
        Action("alone", "enter", "one/all", "one/all", "Show the chosen chart alone, or all of them.", footer_order=0),
        Action("previous_chart", "up", "chart before", "chart before", "Choose the chart before.", in_footer=False),
        Action("next_chart", "down", "next chart", "next chart", "Choose the next chart.", in_footer=False),
        Action(
            "log_axis",
            "y",
            "log axis",
            "log axis",
            "Draw the chosen chart on a logarithmic axis, or a linear one.",
            footer_order=4,
        ),
        Action(
            "compare",
            "o",
            "overlay",
            "companion",
            "Lay another campaign, a run or a recipe over the charts.",
            footer_order=3,
        ),
        Action(
            "find", "slash", "find", "find", "Show only charts and log lines that contain some words.", footer_order=7
        ),
        Action(
            "log_pane",
            "l",
            "log pane",
            "scribe",
            "Show a few lines of the engine's log, all of them, or none.",
            footer_order=8,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self.shown = Shown()
        self._tower = Tower()

    def read(self, save: OpenedSave) -> Watch:
        facts = self.facts
        self._tower.follow(save, self.living)
        return self._tower.read(save, self.wish, facts.samples if facts is not None else ())

    def body(self) -> ComposeResult:
        yield ChartsPanel("charts")
        yield LogPane("watch-log")

    def show(self, data: Watch, look: Look) -> None:
        self.go_on(data.complete)
        self.set_class(self.shown.log == "all", "-log")
        self.set_class(self.shown.log == "none", "-nolog")
        self.query_one(ChartsPanel).draw(data, replace(self.shown, smoothing=self.smoothing), look)
        self.query_one(LogPane).draw(data.log, self.shown, look)

    def on_unmount(self) -> None:
        self._tower.close()

    # ------------------------------------------------------------------ what the keys act on

    def edges(self) -> tuple[int, int] | None:
        data = self.data
        if data is None or data.last is None:
            return None
        whole = data.rival is not None and data.wish.span.width is None
        return data.first, max(data.last, data.own.plot.grid.last if whole else data.last)

    def filters(self) -> Sequence[str]:
        return self.data.filters if self.data is not None else ()

    def rivals(self) -> Sequence[Rival]:
        return self.data.rivals if self.data is not None else ()

    # ------------------------------------------------------------------ keys

    def _change(self, **changes: object) -> None:
        self.shown = replace(self.shown, **changes)  # type: ignore[arg-type]
        self.repaint_data()

    def action_back(self) -> None:
        """Escape shows all charts again first, and leaves the screen when they are shown already."""
        if self.shown.words or self.shown.alone or self.shown.log == "all":
            self._change(words="", alone=False, log="some" if self.shown.log == "all" else self.shown.log)
        else:
            self.realm.action_home()

    def action_alone(self) -> None:
        self._change(alone=not self.shown.alone)

    def _step(self, by: int) -> None:
        charts = [c.id for c in visible(self.shown, self.realm.look)]
        at = charts.index(self.shown.chart) if self.shown.chart in charts else 0
        self._change(chart=charts[(at + by) % len(charts)])

    def action_previous_chart(self) -> None:
        self._step(-1)

    def action_next_chart(self) -> None:
        self._step(1)

    def action_log_axis(self) -> None:
        self._change(logs=self.shown.logs ^ {self.shown.chart})

    def action_log_pane(self) -> None:
        self._change(log=_LOG_KINDS[(_LOG_KINDS.index(self.shown.log) + 1) % len(_LOG_KINDS)])

    @work
    async def action_find(self) -> None:
        from realm_tui.app.screens.dialog import Line

        words = await self.app.push_screen_wait(
            Line("Find", "Charts and log lines that contain:", value=self.shown.words, hint="empty shows everything")
        )
        self._change(words=words or "")
        charts = visible(self.shown, self.realm.look)
        if self.shown.chart not in [c.id for c in charts]:
            self._change(chart=charts[0].id)

    @on(ChartsPanel.Picked)
    def _picked(self, event: ChartsPanel.Picked) -> None:
        if event.chart == self.shown.chart:
            self.action_alone()
        else:
            self._change(chart=event.chart)

    @on(ChartsPanel.Wheel)
    def _wheel(self, event: ChartsPanel.Wheel) -> None:
        (self.action_zoom_in if event.closer else self.action_zoom_out)()
