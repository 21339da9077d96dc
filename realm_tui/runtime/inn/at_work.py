"""What was put to work goes on working: its server's lease is renewed, and where the rules ask for it the champion is brought by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from configs.errors import RealmError
from configs.facilities import load_facilities
from configs.loader import load_game
from configs.paths import SaveFolder
from realm_tui.runtime.inn.oracle import Reach
from realm_tui.runtime.opened import opened
from realm_tui.runtime.troubles import own_fault
from saves import ceremonies

HUB = "hub"


def hub() -> str | None:
    """The first place of the type hub with a server that is not left alone; None where there is none.

    Raises:
        RealmError: the player's file of places is broken.
    """
    book = load_facilities()
    return next((name for name in book.serving() if book.facilities[name].type == HUB), None)


class AtWork:
    """Looks after the forms that work for a save; used on one event loop.

    Args:
        folder: the save.
        reach: makes the way to the servers; None: the usual one.
        on_trouble: told in words what went wrong; it is tried again.
    """

    def __init__(
        self,
        folder: SaveFolder,
        *,
        reach: Callable[[], Reach] | None = None,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder, self._make, self._on_trouble = folder, reach, on_trouble
        self._deploying: asyncio.Task[None] | None = None

    async def renew(self) -> None:
        """Renew the leases of the servers at places where a form works; elsewhere a lease may end.

        Raises:
            RealmError: the save cannot be read.
        """
        from realm_tui.runtime.inn.servers.fleet import Fleet

        if not await asyncio.to_thread(self._working):
            return
        fleet = Fleet(self._folder)
        try:
            await fleet.renew()
        finally:
            await fleet.aclose()

    def deploy(self) -> None:
        """Begin to bring what should work at the hub there, unless that is under way; nothing where the rules do not ask for it.

        Raises:
            RealmError: rules or places cannot be read.
        """
        place = hub() if load_game().inn.crown.auto_deploy else None
        if place is not None and (self._deploying is None or self._deploying.done()):
            self._deploying = asyncio.create_task(self._deploy(place), name="auto-deploy")

    def ask(self) -> None:
        """Let the gate be asked what `deploy` needs to know; nothing where the rules do not ask for it.

        Raises:
            RealmError: rules, places or the save cannot be read.
        """
        place = hub() if load_game().inn.crown.auto_deploy else None
        if place is not None:
            from realm_tui.runtime.inn.challenge import ask_at_gate

            ask_at_gate(self._folder, place)

    async def close(self) -> None:
        """Stop what is under way."""
        if self._deploying is not None:
            self._deploying.cancel()
            await asyncio.gather(self._deploying, return_exceptions=True)

    async def _deploy(self, place: str) -> None:
        from realm_tui.runtime.inn import crown

        try:
            reach = self._reach()
            try:
                await crown.auto_deploy(reach, self._folder, place)
            finally:
                await reach.aclose()
        except RealmError as error:
            self._on_trouble(f"auto-deploy: {error.text()}")
        except Exception as error:
            self._on_trouble(f"auto-deploy: {own_fault(error)}")

    def _reach(self) -> Reach:
        if self._make is not None:
            return self._make()
        from realm_tui.runtime.inn.reach import InnReach

        return InnReach(self._folder)

    def _working(self) -> bool:
        with opened(self._folder) as save:
            return bool(ceremonies.working_places(save.conn))
