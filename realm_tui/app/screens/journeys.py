"""Beginning, playing and archiving campaigns from a screen: the questions asked first, and the orders they end in."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from configs.errors import RealmError
from realm_tui.app.link import Deed
from realm_tui.app.screens.dialog import Choice, Line
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets.lines import drawn
from realm_tui.runtime.foreign import clean

if TYPE_CHECKING:
    from realm_tui.app.app import RealmApp

T = TypeVar("T")


async def found_out(app: RealmApp, name: str, deed: Deed[T]) -> T | None:
    """What a look at the save tells before a question is asked; None when it was refused, which a toast then says."""
    try:
        return await app.link.carry_out(name, deed, app.progress(name), writes=False)
    except RealmError as error:
        app.notify(clean(error.text()), severity="error", timeout=8, markup=False)
        return None


def _look_again(app: RealmApp) -> None:
    """Let the page in front see what was done."""
    if isinstance(app.top, Page):
        app.top.reload()


def reopen(app: RealmApp) -> None:
    """Open the screen anew: a screen shows one campaign for as long as it is open."""
    from realm_tui.app.main import ANOTHER_CAMPAIGN

    app.exit(ANOTHER_CAMPAIGN)


def play(app: RealmApp, campaign_id: str) -> None:
    """Play another campaign: a living engine saves and stops, then the screen opens anew on it."""

    async def deed() -> str:
        from realm_tui.runtime.campaigns import switch

        found = await app.link.carry_out(
            "switch", lambda folder, tell: switch(folder, campaign_id, say=tell), app.progress("switch")
        )
        reopen(app)
        return f"{drawn(found.name, 60)} is played now"

    app.do("switch", deed, "changing the campaign")


async def begin(app: RealmApp, *, hero: str | None, from_form: str | None, title: str, warning: str = "") -> None:
    """Begin a campaign after asking for its name, and whether it is played at once.

    Args:
        app: the app.
        hero: of the roster; None: that of the form's campaign.
        from_form: a form or a campaign whose form it begins with (New Game+).
        title: what it would be called if the player gives no other name.
        warning: what should be known before.
    """
    how = "with a form that was trained before" if from_form else "with a new hero"
    question = f"It begins {how} and waits until it is played; the others stay as they are.{warning}"
    name = await app.push_screen_wait(Line("A new campaign", question, value=drawn(title, 60)))
    if name is None:
        return
    answer = await app.push_screen_wait(
        Choice(
            "A new campaign",
            "Play it at once? A living engine saves and stops first.",
            (("later", "l", "later"), ("now", "n", "play it now"), ("stop", "c", "cancel")),
        )
    )
    if answer in (None, "stop"):
        return

    async def deed() -> str:
        from realm_tui.runtime import campaigns

        made = await app.link.carry_out(
            "begin",
            lambda folder, _: campaigns.begin(folder, hero=hero, name=name, from_form=from_form),
            app.progress("begin"),
        )
        if answer == "now":
            app.call_later(play, app, made.id)
        _look_again(app)
        return f"{drawn(made.name, 60)} waits as {made.id}"

    app.do("begin", deed, "beginning a campaign")


async def archive(app: RealmApp, campaign_id: str, name: str, others: list[tuple[str, str]], *, active: bool) -> None:
    """Put a campaign into the Hall after asking; the one that is played needs another to follow it.

    Args:
        app: the app.
        campaign_id: which.
        name: what it is called.
        others: id and name of those that could be played next.
        active: it is the one that is played.
    """
    told = drawn(name, 60)
    then: str | None = None
    if active:
        if not others:
            app.notify(
                f"{told} is played, and there is no other campaign to follow it: begin one first.",
                severity="warning",
                markup=False,
            )
            return
        answers = [(ident, str(i), drawn(other, 24)) for i, (ident, other) in enumerate(others[:4], 1)]
        then = await app.push_screen_wait(
            Choice(
                "To the Hall of Legends", f"Which campaign is played after {told}?", [*answers, ("no", "c", "cancel")]
            )
        )
        if then in (None, "no"):
            return
    else:
        question = f"Put {told} into the Hall of Legends? Nothing is deleted; playing it brings it back."
        if (
            await app.push_screen_wait(
                Choice("To the Hall of Legends", question, (("no", "n", "no"), ("yes", "y", "yes")))
            )
            != "yes"
        ):
            return

    async def deed() -> str:
        from realm_tui.runtime.campaigns import archive as put_away

        await app.link.carry_out(
            "archive", lambda folder, tell: put_away(folder, campaign_id, then=then, say=tell), app.progress("archive")
        )
        if active:
            reopen(app)
        _look_again(app)
        return f"{told} is in the Hall of Legends"

    app.do("archive", deed, "closing a campaign")
