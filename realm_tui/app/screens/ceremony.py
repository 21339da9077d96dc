"""Putting a form to work and calling it back from a screen: the question asked first, and the deeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lore.lexicon import entry
from realm_tui.app.screens.dialog import Choice
from realm_tui.app.screens.journeys import found_out
from realm_tui.app.widgets.lines import drawn
from realm_tui.runtime.inn.oracle_view import Seat

if TYPE_CHECKING:
    from realm_tui.app.app import RealmApp


async def put_to_work(realm: RealmApp, name: str, seat: Seat, then: Callable[[], None]) -> None:
    """Ask, with what the gate could not show, and put a form to work.

    Args:
        realm: the app.
        name: the form's.
        seat: the place.
        then: what is done afterwards.
    """
    from realm_tui.runtime.inn import crown, gate

    doubt = await found_out(realm, "gate", lambda folder, _: gate.doubt_about(folder, name))
    if doubt is None:
        return
    said = f" Doubt: {doubt}." if doubt else ""
    question = (
        f"Put {name} to work at {drawn(seat.title)} and crown it?{said} "
        "It goes gate, sync, swap, trial answer, champion; u takes it back."
    )
    heading = entry("oracle.at_work").named(realm.look.names)
    if await realm.push_screen_wait(Choice(heading, question, (("no", "n", "no"), ("yes", "y", "yes")))) != "yes":
        return
    place = seat.id

    async def deed() -> str:
        done = await realm.link.visit(
            lambda reach, folder, tell: crown.promote(reach, folder, name, place, anyway=True, tell=tell),
            realm.progress("inn"),
        )
        then()
        return f"{done.name} works at {place} ({sum(done.seconds.values()):.1f} s); u takes it back"

    realm.do("inn", deed, "putting it to work")


def call_back(realm: RealmApp, seat: Seat, then: Callable[[], None]) -> None:
    """Let what worked at a place before work there again.

    Args:
        realm: the app.
        seat: the place.
        then: what is done afterwards.
    """
    place = seat.id

    async def deed() -> str:
        from realm_tui.runtime.inn import crown

        done = await realm.link.visit(
            lambda reach, folder, tell: crown.take_back(reach, folder, place, tell=tell), realm.progress("inn")
        )
        then()
        reigns = f"; {done['champion'] or 'nobody'} reigns" if done["uncrowned"] else ""
        return f"{done['undone']} steps down; {done['name'] or 'nothing'} works at {place} now{reigns}"

    realm.do("inn", deed, "taking it back")
