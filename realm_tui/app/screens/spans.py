"""What the pages with curves share: which steps are looked at, of what, and what is laid over them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from textual import work

from engine.link.state import LIVING
from realm_tui.app.actions import Action
from realm_tui.app.facts import Facts
from realm_tui.app.screens.page import Page
from realm_tui.runtime.buckets import Span
from realm_tui.runtime.lanes import Rival
from realm_tui.runtime.watch_view import Wish

D = TypeVar("D")

SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
NOTHING = ""
_PAUSE_S = 0.05
"""Between two looks at a history too long for one."""

SPAN_KEYS: tuple[Action, ...] = (
    Action("zoom_in", "+", "closer", "closer", "Look at half as many steps; the newest stays in view.", footer_order=1),
    Action("zoom_out", "-", "wider", "wider", "Look at twice as many steps.", footer_order=2),
    Action("earlier", "left", "earlier", "back", "Move the view to earlier steps.", in_footer=False),
    Action(
        "later",
        "right",
        "later",
        "on",
        "Move the view to later steps; at the newest it follows again.",
        in_footer=False,
    ),
    Action("whole", "home", "all steps", "the whole road", "Look at the whole campaign.", in_footer=False),
    Action("newest", "end", "newest", "today", "Look at the newest steps and follow them.", in_footer=False),
    Action(
        "only", "f", "filter", "sift", "Look only at one skill, at your own files, or at everything.", footer_order=5
    ),
    Action("smooth", "i", "smooth", "calm", "Smooth the lines: off, .6, .9, .97.", footer_order=6),
)


class SpanPage(Page[D]):
    """A page over steps. What is looked at is a `Wish`, read on the facts thread and replaced as a whole by the keys."""

    lives = True

    def __init__(self) -> None:
        super().__init__()
        self.wish = Wish()
        self.smoothing = 0.0
        self._app: Any = None

    def on_mount(self) -> None:
        self._app = self.realm
        super().on_mount()

    @property
    def facts(self) -> Facts | None:
        """The newest facts; safe to ask on the facts thread."""
        found: Facts | None = self._app.facts if self._app is not None else None
        return found

    @property
    def living(self) -> bool:
        """Whether an engine lives, whose ring can be followed."""
        facts = self.facts
        return facts is not None and facts.status.state in LIVING

    # ------------------------------------------------------------------ what a page brings

    @abstractmethod
    def edges(self) -> tuple[int, int] | None:
        """First and last step there are; None before anything was trained."""

    @abstractmethod
    def filters(self) -> Sequence[str]:
        """What the view can be narrowed to."""

    @abstractmethod
    def rivals(self) -> Sequence[Rival]:
        """What can be laid over."""

    def laid_over(self) -> str:
        """Key of the rival that is shown now; empty: none."""
        return self.wish.rival

    def go_on(self, complete: bool) -> None:
        """Read on at once while older history is missing; between two looks the Battle screen's facts have their turn."""
        if not complete:
            self.set_timer(_PAUSE_S, self.look_again)

    # ------------------------------------------------------------------ keys

    def look_at(self, **changes: Any) -> None:
        """Change the wish and read."""
        self.wish = replace(self.wish, **changes)
        self.reload()

    def _see(self, span: Span) -> None:
        if span != self.wish.span:
            self.look_at(span=span)

    def action_zoom_in(self) -> None:
        if (edges := self.edges()) is not None:
            self._see(self.wish.span.zoomed(0.5, *edges))

    def action_zoom_out(self) -> None:
        if (edges := self.edges()) is not None:
            self._see(self.wish.span.zoomed(2.0, *edges))

    def action_earlier(self) -> None:
        if (edges := self.edges()) is not None:
            self._see(self.wish.span.panned(-0.25, *edges))

    def action_later(self) -> None:
        if (edges := self.edges()) is not None:
            self._see(self.wish.span.panned(0.25, *edges))

    def action_whole(self) -> None:
        self._see(Span())

    def action_newest(self) -> None:
        if (edges := self.edges()) is not None:
            width = self.wish.span.width
            self._see(Span(width) if width is not None else Span().zoomed(1 / 8, *edges))

    def action_only(self) -> None:
        choices = [NOTHING, *self.filters()]
        at = choices.index(self.wish.only) if self.wish.only in choices else -1
        self.look_at(only=choices[(at + 1) % len(choices)])
        if len(choices) == 1:
            self.notify("There is nothing to tell apart yet.", markup=False)

    def action_smooth(self) -> None:
        self.smoothing = SMOOTHINGS[(SMOOTHINGS.index(self.smoothing) + 1) % len(SMOOTHINGS)]
        self.repaint_data()

    @work
    async def action_compare(self) -> None:
        """Choose what is laid over."""
        from realm_tui.app.screens.pick import Pick

        found = self.rivals()
        if not found:
            self.notify(
                "Nothing to compare with yet: another campaign, a second run, or `realm campaign race FILE` gives one.",
                markup=False,
            )
            return
        lines = [(NOTHING, "nothing")]
        lines += [(r.key, f"{r.title}{_kind(r)}") for r in found]
        answer = await self.app.push_screen_wait(Pick("Lay over", lines, self.laid_over()))
        if answer is not None:
            self.compared(answer)

    def compared(self, key: str) -> None:
        """A rival was chosen; ``key`` is empty for none."""
        self.look_at(rival=key)


def _kind(rival: Rival) -> str:
    if rival.lane is None:
        return " · recipe"
    if rival.lane.run_id is not None:
        return " · of this campaign"
    return " · personal best" if rival.best else f" · {rival.key}"
