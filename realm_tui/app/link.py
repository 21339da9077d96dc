"""The app's hands: orders to the engine and entries on the board, each on a thread that leaving the app never waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from engine.link.protocol import Verb
from realm_tui.runtime.aside import on_thread

if TYPE_CHECKING:
    from realm_tui.runtime.inn.loop import InnLoop
    from realm_tui.runtime.inn.oracle import Reach

T = TypeVar("T")
_PARTING_S = 2.0
"""How long connections get to close when the screen is left."""
OnProgress = Callable[[str], None]
Deed: TypeAlias = Callable[[SaveFolder, OnProgress], T]
"""Something to do with a save: one of the functions of `realm_tui.runtime`, given its folder and who hears what takes long."""

Visit: TypeAlias = Callable[["Reach", SaveFolder, OnProgress], Coroutine[Any, Any, T]]
"""Something to do at the Inn: given the way to its servers, the save's folder and who hears what takes long."""


class Link(Protocol):
    """What the app can have done. Every call raises `RealmError` when it was refused or failed."""

    async def start(self) -> None:
        """Attach to the engine, or start one."""

    async def order(self, verb: Verb, args: dict[str, Any], on_progress: OnProgress) -> int | None:
        """Give the living engine an order; the step at which it took effect."""

    async def stop(self, now: bool, on_progress: OnProgress) -> None:
        """Let the engine save and end; ``now``: at once."""

    async def promote(self, on_progress: OnProgress) -> str:
        """Crown the best examined form; what was done, in words."""

    async def ask(self, question: str, on_progress: OnProgress) -> str:
        """Put a question to the champion, else to the live hero; the answer."""

    async def spar(self, on_progress: OnProgress) -> dict[str, Any]:
        """Let the live hero spar and put its failures on the board; what came of it, see `realm_tui.runtime.sparring`."""

    def add_file(self, path: Path, priority: str) -> str:
        """Put a file on the board; what was added, in words. Blocks: call it on a thread."""

    async def carry_out(self, name: str, deed: Deed[T], on_progress: OnProgress, *, writes: bool = True) -> T:
        """What ``deed`` makes of the save's folder, on a thread; ``writes``: refused where this screen only reads."""

    async def visit(self, deed: Visit[T], on_progress: OnProgress) -> T:
        """What ``deed`` does at the Inn, on the Inn's own loop; cancelling the one who waits cancels it there."""


def at_the_keys(error: RealmError) -> RealmError:
    """The error with the way out that is nearest to one who sits before the screen: a key instead of a command."""
    if error.code == "NO_ENGINE":
        return BlockedError("no engine is running", fix="`p` on any screen starts one", code=error.code)
    return error


def _told(on_progress: OnProgress) -> OnProgress:
    """``on_progress`` as it may be called from a thread."""
    loop = asyncio.get_running_loop()

    def tell(text: str) -> None:
        with contextlib.suppress(RuntimeError):  # the app has left meanwhile
            loop.call_soon_threadsafe(on_progress, text)

    return tell


class EngineLink:
    """The `Link` to a save's real engine and board."""

    def __init__(self, folder: SaveFolder, *, read_only: bool = False) -> None:
        self._folder, self._read_only = folder, read_only
        self._inn: tuple[InnLoop, Reach] | None = None

    def _may_write(self) -> None:
        if self._read_only:
            raise BlockedError(
                "this screen only reads", why="another one has this save open", fix="use that one", code="READ_ONLY"
            )

    async def start(self) -> None:
        self._may_write()
        from realm_tui.runtime.engine_process import ensure_engine

        await on_thread(lambda: ensure_engine(self._folder), "engine-start")

    async def order(self, verb: Verb, args: dict[str, Any], on_progress: OnProgress) -> int | None:
        self._may_write()
        from realm_tui.runtime.orders import order

        tell = _told(on_progress)
        reply = await on_thread(lambda: order(self._folder, verb, args, progress=tell), f"order-{verb}")
        return reply.step

    async def stop(self, now: bool, on_progress: OnProgress) -> None:
        self._may_write()
        from realm_tui.runtime.engine_process import stop_engine

        tell = _told(on_progress)
        await on_thread(lambda: stop_engine(self._folder, now=now, on_progress=tell), "order-stop")

    async def promote(self, on_progress: OnProgress) -> str:
        self._may_write()
        from realm_tui.runtime.orders import promote

        tell = _told(on_progress)
        done = await on_thread(lambda: promote(self._folder, None, progress=tell), "order-promote")
        return f"Champion: {done.get('name')}, exported to {done.get('path')}"

    async def ask(self, question: str, on_progress: OnProgress) -> str:
        from realm_tui.runtime.orders import ask

        tell = _told(on_progress)
        done = await on_thread(lambda: ask(self._folder, question, progress=tell), "order-ask")
        answer = done.get("answer")
        if not isinstance(answer, str):
            raise RealmError("the engine sent no answer", fix="see `realm log`", code="NO_ANSWER")
        return answer

    async def spar(self, on_progress: OnProgress) -> dict[str, Any]:
        self._may_write()
        from realm_tui.runtime.sparring import spar

        tell = _told(on_progress)
        return (await on_thread(lambda: spar(self._folder, progress=tell), "order-spar")).as_dict()

    def add_file(self, path: Path, priority: str) -> str:
        self._may_write()
        from realm_tui.runtime.board import add

        added = add(self._folder, path, priority=priority, source="screen")
        odd = "".join(f"; {warning}" for warning in added.counts.get("warnings", ()))
        return f"{added.name} is on the board: {added.counts.get('examples', '–')} examples{odd}"

    async def carry_out(self, name: str, deed: Deed[T], on_progress: OnProgress, *, writes: bool = True) -> T:
        if writes:
            self._may_write()
        tell = _told(on_progress)
        return await on_thread(lambda: deed(self._folder, tell), f"order-{name}")

    async def visit(self, deed: Visit[T], on_progress: OnProgress) -> T:
        self._may_write()
        if self._inn is None:
            from realm_tui.runtime.inn.loop import InnLoop
            from realm_tui.runtime.inn.reach import InnReach

            self._inn = InnLoop(), InnReach(self._folder)
        loop, reach = self._inn
        return await asyncio.wrap_future(loop.run(deed(reach, self._folder, _told(on_progress))))

    def close(self) -> None:
        """Let go of the Inn; its servers stay until their leases end."""
        if self._inn is not None:
            (loop, reach), self._inn = self._inn, None
            with contextlib.suppress(RealmError, TimeoutError, CancelledError):
                loop.run(reach.aclose()).result(timeout=_PARTING_S)
            loop.close()
