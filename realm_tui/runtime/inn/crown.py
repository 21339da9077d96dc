"""Putting a form to work at a place: gate, sync, swap, canary, champion. What fails on the way leaves everything as it was.

Only the last stage changes the ledger. A server that had to let another form go for the new one gets that one back when the canary does
not sing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from configs import clock
from configs.errors import BlockedError, RealmError
from configs.facilities import load_facilities
from configs.inn import CrownRules
from configs.paths import SaveFolder
from realm_tui.runtime.inn.forms import Speaker, of_checkpoint
from realm_tui.runtime.inn.gate import Trial, gate
from realm_tui.runtime.inn.gate import trial as trial_of
from realm_tui.runtime.inn.oracle import Reach, Ready, Tell, conversation, sent, system_turn
from realm_tui.runtime.inn.servers.contract import Answer, Ask, ModelMismatchError, Sampling
from realm_tui.runtime.inn.succession import due
from realm_tui.runtime.opened import OpenedSave, opened
from saves import ceremonies, ledger
from saves.ceremonies import Ceremony
from saves.locks import FileLock
from saves.rows import Checkpoint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Crowned:
    """A form that works at a place now."""

    name: str
    step: int | None
    digest: str
    place: str
    box: str
    worker: str
    doubt: str
    """What the gate could not show; empty: nothing."""
    champion: str
    """Where it was exported as champion; empty: it was champion before."""
    canary: Mapping[str, Any]
    before: str | None
    """What worked there before."""
    sent_bytes: int
    seconds: Mapping[str, float]
    """Of each stage."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        out = {name: getattr(self, name) for name in self.__slots__}
        return {**out, "canary": dict(self.canary), "seconds": dict(self.seconds)}


@dataclass(slots=True)
class _Way:
    """A ceremony under way."""

    folder: SaveFolder
    number: int
    stage: str = "gate"
    seconds: dict[str, float] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=clock.monotonic)
    """When the stage under way began."""

    def reach(self, stage: str, **known: Any) -> None:
        """Write down that the stage before is over, and which one begins."""
        now = clock.monotonic()
        self.seconds[self.stage], self.began, self.stage = now - self.began, now, stage
        self._write(stage, over=stage == "crowned", **known)

    def fail(self, error: RealmError | None) -> None:
        """Write down that it ended here."""
        self.detail["stage"] = self.stage
        code, text = (error.code, error.text()) if error else ("STOPPED", "it was stopped")
        self._write("failed", over=True, error_code=code, error=text)

    def _write(self, state: str, *, over: bool, **known: Any) -> None:
        with opened(self.folder, write=True) as save:
            detail = {**self.detail, "seconds": self.seconds}
            ceremonies.advance(save.conn, self.number, state, over=over, detail=detail, **known)


# ---------------------------------------------------------------- the ceremony


async def promote(
    reach: Reach,
    folder: SaveFolder,
    which: str,
    place: str,
    *,
    kind: str = "promote",
    anyway: bool = False,
    tell: Tell = lambda _: None,
) -> Crowned:
    """Put a form to work at a place and crown it champion.

    Args:
        reach: the way to the servers.
        folder: the save.
        which: the form, as `engine.trainer.promotion.find_form` knows it.
        place: a facility with a strict server.
        kind: promote or auto; told in the save.
        anyway: also where it is shown to be worse than the champion.
        tell: hears which stage it has reached.

    Raises:
        RealmError: what failed, after everything was put back.
    """
    facility = load_facilities().facilities.get(place)
    if facility is not None and facility.server is not None and facility.server.kind == "openai":
        raise _not_strict(place)
    with _alone(folder):
        return await _promoted(reach, folder, which, place, kind, anyway, tell)


async def _promoted(
    reach: Reach, folder: SaveFolder, which: str, place: str, kind: str, anyway: bool, tell: Tell
) -> Crowned:
    from engine.trainer.promotion import find_form

    tell("gate: what the exams say")
    began = clock.monotonic()
    with opened(folder, write=True) as save:
        ceremonies.sweep(save.conn, 0.0)  # nobody else holds one: what has no end was left by a process that died
        form = find_form(save.conn, which)
        who, rules = of_checkpoint(save, form), save.rules.inn.crown
        doubt = gate(save, form, anyway=anyway)
        trial, system = trial_of(save, form, rules), system_turn(save)
        before = ceremonies.at_work(save.conn, place)
        reigning = ledger.champion(save.conn, form.campaign_id)
        reigns = reigning is not None and reigning.checkpoint_id == form.id
        way = _Way(folder, ceremonies.begin(save.conn, _begun(form, kind, place, before)), began=began)
    way.detail["doubt"] = doubt
    swapped: Ready | None = None
    try:
        way.reach("sync")
        tell("sync: bringing the form")
        brought = await reach.bring(place, who, tell=tell)
        way.detail["sent_bytes"] = brought.sent_bytes
        way.reach("swap")
        tell("swap: loading it")
        swapped = await reach.ready(place, who, displace=True, tell=tell)
        _must_be_strict(swapped)
        way.reach("canary", worker=swapped.worker)
        tell("canary: one question")
        canary = await _sing(swapped, who, trial, system, rules)
        way.detail["canary"] = canary
        tell("champion: writing it down")
        exported = "" if reigns else await _to_its_end(asyncio.to_thread(_crown, folder, form.name))
        way.detail["crowned"] = not reigns
        way.reach("crowned", canary=canary)
    except BaseException as error:
        way.fail(error if isinstance(error, RealmError) else None)
        if swapped is not None or way.stage == "swap":
            await _put_back(reach, folder, place, before, who, tell)
        raise
    return Crowned(
        name=form.name,
        step=form.step,
        digest=form.digest,
        place=place,
        box=swapped.box,
        worker=swapped.worker,
        doubt=doubt,
        champion=exported,
        canary=canary,
        before=before.name if before is not None and before.digest != form.digest else None,
        sent_bytes=brought.sent_bytes,
        seconds=way.seconds,
    )


async def take_back(reach: Reach, folder: SaveFolder, place: str, *, tell: Tell = lambda _: None) -> dict[str, Any]:
    """Undo the newest ceremony at a place: the form before it works there again, and reigns again where the ceremony crowned.

    Returns:
        ``undone``: the form that steps down; ``name``: the one that works there now (None: nobody did before); ``uncrowned``: whether it
        lost the crown, too; ``champion``: who reigns again (None: nobody, or the crown was not touched).

    Raises:
        BlockedError: nothing was put to work there (``NOTHING_AT_WORK``).
        RealmError: the server did not take the form before it back.
    """
    with _alone(folder):
        return await _taken_back(reach, folder, place, tell)


async def _taken_back(reach: Reach, folder: SaveFolder, place: str, tell: Tell) -> dict[str, Any]:
    with opened(folder) as save:
        now = ceremonies.at_work(save.conn, place)
        if now is None:
            raise BlockedError(
                f"nothing was put to work at {place}",
                fix="promote a form there (`realm promote --inn`)",
                code="NOTHING_AT_WORK",
            )
        before = _speaker(save, now.before_digest)
        reigning = ledger.champion(save.conn, now.campaign_id)
        crown_moves = bool(now.detail.get("crowned")) and (
            reigning is not None and ledger.checkpoint(save.conn, reigning.checkpoint_id).digest == now.digest
        )
    if before is not None:
        tell(f"{before.name} comes back")
        ready = await reach.ready(place, before, displace=True, tell=tell)
        with opened(folder) as save:
            question, system, rules = Trial(save.rules.inn.crown.canary, None), system_turn(save), save.rules.inn.crown
        await _sing(ready, before, question, system, rules)
    again: str | None = None
    if crown_moves:
        from realm_tui.runtime.orders import take_back as uncrown

        again = (await _to_its_end(asyncio.to_thread(uncrown, folder, progress=tell))).get("name")
    with opened(folder, write=True) as save:
        ceremonies.advance(save.conn, now.id, "undone", over=True)
    name = before.name if before is not None else None
    return {"undone": now.name, "name": name, "uncrowned": crown_moves, "champion": again}


async def auto_deploy(reach: Reach, folder: SaveFolder, place: str, *, tell: Tell = lambda _: None) -> Crowned | None:
    """Do what `due` says, where the rules ask for it (``inn.crown.auto_deploy``); None: nothing was to be done.

    A form that failed there, or that the player took back, is not tried again by itself.
    """
    with opened(folder) as save:
        if not save.rules.inn.crown.auto_deploy:
            return None
        which = due(save, place)
    return None if which is None else await promote(reach, folder, which, place, kind="auto", tell=tell)


# ---------------------------------------------------------------- parts


@contextmanager
def _alone(folder: SaveFolder) -> Iterator[None]:
    """One ceremony of a save at a time, whichever process holds it.

    Raises:
        BlockedError: another one is under way (``CEREMONY_HELD``).
    """
    lock = FileLock(folder.run / "ceremony.lock")
    if not lock.acquire():
        raise BlockedError(
            "another form is being put to work or called back just now",
            fix="wait until it is done",
            code="CEREMONY_HELD",
        )
    try:
        yield
    finally:
        lock.release()


def _begun(form: Checkpoint, kind: str, place: str, before: Ceremony | None) -> Ceremony:
    same = before is not None and before.digest == form.digest
    return Ceremony(
        campaign_id=form.campaign_id,
        kind=kind,
        name=form.name,
        step=form.step,
        digest=form.digest,
        box=place,
        state="gate",
        before_digest=None if before is None else before.before_digest if same else before.digest,
        before_name=None if before is None else before.before_name if same else before.name,
        begun_at=clock.now(),
    )


def _must_be_strict(ready: Ready) -> None:
    if not ready.server.strict:
        raise _not_strict(ready.place)


def _not_strict(place: str) -> BlockedError:
    return BlockedError(
        f"{place} cannot prove which form answers",
        why="its server is not one of the realm's own kinds",
        fix="promote to a place with an own, vLLM or SGLang server",
        code="NOT_STRICT",
    )


async def _sing(ready: Ready, who: Speaker, trial: Trial, system: str, rules: CrownRules) -> dict[str, Any]:
    """One greedy answer of exactly that form.

    Raises:
        ModelMismatchError: another form answered, or none proved that it did.
        RealmError: it answered nothing (``CANARY_SILENT``).
    """
    sampling = Sampling(temperature=0.0, seed=0, max_tokens=rules.canary_tokens)
    answer: Answer | None = None
    messages = sent(system, conversation((), trial.prompt))
    async for part in ready.server.ask(Ask(who.digest, messages=messages, sampling=sampling)):
        if isinstance(part, Answer):
            answer = part
    if answer is None or answer.digest != who.digest:
        raise ModelMismatchError(ready.place, who.digest, "the trial question was answered without its proof")
    if not answer.text.strip() and not answer.tokens:
        raise RealmError(
            f"{who.name} answered nothing at {ready.place}",
            why=f"the trial question was {trial.prompt!r}",
            fix="see the server's log (`realm worker logs`), then promote again",
            code="CANARY_SILENT",
        )
    same = None if trial.expected is None else answer.text.strip() == trial.expected.strip()
    return {
        "prompt": trial.prompt,
        "answer": answer.text,
        "expected": trial.expected,
        "same": same,
        "digest": answer.digest,
        "seconds": answer.seconds,
    }


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives, also where it is to be stopped meanwhile: once the crown moves there is no way back half-way."""
    doing = asyncio.ensure_future(work)
    while not doing.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({doing})
    return doing.result()


def _crown(folder: SaveFolder, name: str) -> str:
    from realm_tui.runtime.orders import promote as crown

    return str(crown(folder, name).get("path", ""))


async def _put_back(
    reach: Reach, folder: SaveFolder, place: str, before: Ceremony | None, who: Speaker, tell: Tell
) -> None:
    """Give the server the form back that worked there; what goes wrong now is told and leaves the first error standing."""
    if before is None or before.digest == who.digest:
        return
    with opened(folder) as save:
        old = _speaker(save, before.digest)
    if old is None:
        tell(f"{before.name} is gone and cannot be put back")
        return
    try:
        await reach.ready(place, old, displace=True, tell=tell)
    except RealmError as error:
        tell(f"{before.name} could not be put back: {error.what}")


def _speaker(save: OpenedSave, digest: str | None) -> Speaker | None:
    """The kept form with that digest; None where there is none any more."""
    found = next((c for c in ledger.kept_checkpoints(save.conn) if c.digest == digest), None)
    if found is None or not ledger.folder_of(save.folder, found).is_dir():
        return None
    return of_checkpoint(save, found)
