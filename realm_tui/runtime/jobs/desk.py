"""The way from jobs to the servers of the Inn: which place is asked, and what is done when none can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any

from configs.errors import RealmError
from configs.facilities import Facilities, load_facilities
from configs.paths import SaveFolder
from realm_tui.runtime.aside import on_thread
from realm_tui.runtime.inn.forms import Speaker, default_form, of_checkpoint, speaker
from realm_tui.runtime.inn.turns import seat
from realm_tui.runtime.jobs.kinds import JobError, NotYetError, Seat, Tell, error_class_of
from realm_tui.runtime.opened import OpenedSave, opened
from saves import ceremonies, ledger

if TYPE_CHECKING:
    from realm_tui.runtime.inn.oracle import Reach, Ready

AGAIN_S = 60.0
"""Rest before a job looks again for a server that was not to be reached."""
SOON_S = 5.0
"""Rest before it looks again at one that answers for another form."""
_NOT_NOW = frozenset(
    {
        "SERVER_TAKEN",
        "SERVER_BUSY",
        "HOST_UNREACHABLE",
        "HOST_TIMEOUT",
        "LINK_LOST",
        "SERVER_GONE",
        "SERVER_LOST",
        "SERVER_SILENT",
    }
)
"""Codes of errors after which another place is tried, and later this one again."""


class InnDesk:
    """See `realm_tui.runtime.jobs.kinds.Desk`.

    Args:
        folder: the save.
        facilities: the places; None: as configured, looked up at every question.
        reach: the way to their servers; None: the usual one, made when the first is asked for.
    """

    def __init__(self, folder: SaveFolder, *, facilities: Facilities | None = None, reach: Reach | None = None) -> None:
        self._folder, self._facilities, self._reach = folder, facilities, reach
        self._made: AsyncExitStack = AsyncExitStack()
        self._asked: dict[str, list[str]] = {}
        """By place the form of each seat that was not left."""

    async def seat(self, form: str | None, *, digest: str | None = None, strict: bool, tell: Tell) -> Seat:
        """A server that serves a form (see `Desk.seat`): machines elsewhere first.

        This one is asked only where the rules say `inn`. A full server gives way to an exam, but not where a champion works.
        """
        who, places = await on_thread(lambda: self._wanted(form, digest, strict), "job-desk")
        why, wait_s = "no machine elsewhere has an inference server", AGAIN_S
        for place, champion in places:
            if any(digest != who.digest for digest in self._asked.get(place, ())):
                why, wait_s = f"{place}: another form is being asked there", SOON_S
                continue
            with ExitStack() as sat:
                sat.callback(self._enter(place, who.digest))
                try:
                    ready = await self._way().ready(place, who, displace=strict and not champion, tell=tell)
                    if strict and not ready.server.strict:
                        why = f"{place}: its server cannot prove who answers"
                        continue
                    sat.callback(await self._sat(place, ready, who.digest))
                except NotYetError as error:
                    why, wait_s = f"{place}: {error.why}", error.wait_s
                    continue
                except RealmError as error:
                    if error.code not in _NOT_NOW and error_class_of(error) != "connection_refused":
                        raise
                    why = f"{place}: {error.what}"
                    continue
                leave = sat.pop_all().close
            return Seat(ready.server, f"{place}/{ready.worker}", who.digest, ready.server.strict, leave)
        raise NotYetError(why, wait_s=wait_s)

    async def bring(self, form: str | None, place: str, *, tell: Tell) -> Mapping[str, Any]:
        """Have a form lie at a place (see `Desk.bring`)."""
        self._places().facility(place)
        who = await on_thread(lambda: self._speaker(form, None), "job-desk")
        brought = await self._way().bring(place, who, tell=tell)
        return {
            "form": who.name,
            "digest": who.digest,
            "place": place,
            "sent_bytes": brought.sent_bytes,
            "seconds": brought.seconds,
            "path": brought.path,
        }

    async def aclose(self) -> None:
        """Let go of all connections; servers stay until their leases end."""
        await self._made.aclose()

    # ------------------------------------------------------------------ parts

    def _enter(self, place: str, digest: str) -> Callable[[], None]:
        """Take a seat at a place; what gives it back. Only where a server holds one form at a time others have to wait."""
        server = self._places().facility(place).server
        if server is None or server.kind == "own":
            return lambda: None
        self._asked.setdefault(place, []).append(digest)
        return lambda: self._asked[place].remove(digest)

    async def _sat(self, place: str, ready: Ready, digest: str) -> Callable[[], None]:
        """A seat at a server that holds one form at a time, which other processes honour as well; what gives it back.

        Raises:
            NotYetError: another process lets it change its form, or did so just now.
            RealmError: the server does not answer.
        """
        server = self._places().facility(place).server
        if server is None or server.kind not in ("vllm", "sglang"):
            return lambda: None
        leave = seat(place)
        if leave is None:
            raise NotYetError("another process swaps its form just now", wait_s=SOON_S)
        try:
            held = {each.digest for each in await ready.server.models() if each.loaded and each.digest}
        except BaseException:
            leave()
            raise
        if held and digest not in held:
            leave()
            raise NotYetError("another form took its place meanwhile", wait_s=SOON_S)
        return leave

    def _way(self) -> Reach:
        if self._reach is None:
            from realm_tui.runtime.inn.reach import InnReach

            made = InnReach(self._folder, facilities=self._facilities)
            self._made.push_async_callback(made.aclose)
            self._reach = made
        return self._reach

    def _places(self) -> Facilities:
        return self._facilities or load_facilities()

    def _wanted(self, form: str | None, digest: str | None, strict: bool) -> tuple[Speaker, list[tuple[str, bool]]]:
        """Who is asked, and where in turn; for each place whether a champion works there."""
        with opened(self._folder) as save:
            rules = save.rules.inn.inference
            found = self._places()
            names = []
            for name in found.serving() if rules.where != "local" else ():
                place = found.facilities[name]
                proves = place.server is not None and place.server.kind != "openai"
                if (proves or not strict) and (rules.where == "inn" or not place.is_local):
                    names.append(name)
            if not names:
                raise NotYetError("no machine elsewhere has an inference server that fits", wait_s=AGAIN_S)
            names.sort(key=lambda name: found.facilities[name].is_local)
            working = ceremonies.working_places(save.conn)
            return _speaker_of(save, form, digest), [(name, name in working) for name in names]

    def _speaker(self, form: str | None, digest: str | None) -> Speaker:
        with opened(self._folder) as save:
            return _speaker_of(save, form, digest)


def _speaker_of(save: OpenedSave, form: str | None, digest: str | None) -> Speaker:
    if digest is None:
        return speaker(save, form or default_form(save))
    for kept in ledger.kept_checkpoints(save.conn):
        if kept.digest == digest:
            return of_checkpoint(save, kept)
    raise JobError(
        "validation",
        f"the form {digest[:12]} is not kept any more",
        fix="the exam comes home, or is asked of a newer form",
        code="FORM_GONE",
    )
