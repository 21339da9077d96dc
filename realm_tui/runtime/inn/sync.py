"""Brings a form to a box: only the files it lacks, hashed there as they arrive, whole or not at all.

One conversation with the box's side does everything: it says what is missing, takes it, and makes the form's folder by one rename. A cut
leaves nothing but a part, and the next attempt goes on after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import clock
from configs.errors import RealmError
from realm_tui.runtime.inn.box import Box, LinkLostError, Pipe
from realm_tui.runtime.inn.supervisor import answer_of, ask, command_line, install, missing, realm_id, refused
from saves.checkpoint_folder import LEDGER_FILE, model_digest, read_sidecar, sha256
from saves.plain_model import model_hashes

MANIFEST_VERSION = 1
Progress = Callable[[int, int], None]
"""Hears bytes that are there and bytes in all."""
_CHUNK = 256 << 10
_ATTEMPTS = 3
_LONG_S = 3600.0
_VERDICT_S = 5.0
"""How long a box that broke off is asked why."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A form that is on a box now."""

    digest: str
    directory: str
    """Its folder there."""
    sent_bytes: int
    """What went over the line; 0: it was there."""
    total_bytes: int
    seconds: float
    removed: tuple[str, ...]
    """Digests of forms that made room."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A form in the store of a box."""

    digest: str
    name: str
    step: int | None
    bytes: int
    base: str | None
    in_use: bool
    path: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A form on a box after every file of it was hashed there."""

    there: bool
    bad: tuple[str, ...]
    path: str

    @property
    def sound(self) -> bool:
        """It is there, and every file is what the manifest says."""
        return self.there and not self.bad


async def store_of(box: Box) -> str:
    """The store of a box where nothing else is said."""
    return f"{await box.inn()}/store"


def manifest_of(folder: Path, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What is sent of a form: its model's files with hashes and sizes, and ``facts`` (``base``, ``hero``, ``began_at``, ``name``, ``step``).

    A checkpoint's hashes are those of its ledger; a plain model's are computed, once for each file as it stands.

    Raises:
        RealmError: files of it are missing or cannot be read (``CHECKPOINT_CORRUPT``).
    """
    if (folder / LEDGER_FILE).is_file():
        sidecar = read_sidecar(folder)
        hashes = {name: sha for name, sha in sidecar["files"].items() if not name.startswith("trainer/")}
        known: dict[str, Any] = {"name": folder.name, "step": sidecar.get("step")}
    else:
        hashes, known = model_hashes(folder), {"name": folder.name, "step": None}
    try:
        files = {name: {"sha256": sha, "bytes": (folder / name).stat().st_size} for name, sha in sorted(hashes.items())}
    except OSError as error:
        raise _damaged(folder, f"{error.filename or folder} cannot be read") from error
    return {
        "version": MANIFEST_VERSION,
        "digest": model_digest(hashes),
        "files": files,
        "base": None,
        "hero": None,
        "began_at": None,
        **known,
        **(facts or {}),
    }


async def push(
    box: Box,
    folder: Path,
    store: str | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
    protect: Collection[str] = (),
    progress: Progress | None = None,
) -> Pushed:
    """Bring a form there; what is there already is not sent, and one that is whole costs one question.

    Args:
        folder: a checkpoint, or a plain model's folder.
        store: the store there; None: that of the box.
        facts: further facts of the manifest, see `manifest_of`.
        protect: digests of forms that must not make room, beside those that servers use.
        progress: hears bytes that are there and bytes in all.

    Raises:
        BlockedError: no room there (``DISK_FULL_THERE``); nothing is half there.
        RealmError: the line was cut again and again (``PUSH_CUT``), files here are damaged (``CHECKPOINT_CORRUPT``).
    """
    began = clock.monotonic()
    manifest = await asyncio.to_thread(manifest_of, folder, facts)
    sizes = {entry["sha256"]: entry["bytes"] for entry in manifest["files"].values()}
    paths = {entry["sha256"]: folder / name for name, entry in manifest["files"].items()}
    rules = box.rules.sync
    request = {
        "root": await box.inn(),
        "store": store or await store_of(box),
        "realm": realm_id(),
        "manifest": manifest,
        "keep": rules.keep,
        "reserve": int(rules.reserve_gb * 1e9),
        "protect": list(protect),
    }
    sent, removed = 0, list[str]()
    whole = sum(sizes.values())
    if not box.is_local:  # one question on a kept process is cheaper there than a conversation
        found = await ask(box, "whole", {"store": request["store"], "digest": manifest["digest"]})
        if found["directory"] is not None:
            if progress is not None:
                progress(whole, whole)
            return Pushed(manifest["digest"], found["directory"], 0, whole, clock.monotonic() - began, ())
    for attempt in range(1, _ATTEMPTS + 1):
        talk = _Conversation(box, request, paths, sizes, progress)
        try:
            directory = await talk.run()
            sent, removed = sent + talk.sent, [*removed, *talk.removed]
            break
        except LinkLostError as error:
            sent, removed = sent + talk.sent, [*removed, *talk.removed]
            if attempt == _ATTEMPTS:
                raise _cut(box, error.what) from error
        except _BadOnArrivalError as error:
            sent, removed = sent + talk.sent, [*removed, *talk.removed]
            await asyncio.to_thread(_check_here, folder, manifest, error.hashes)
            if attempt == _ATTEMPTS:
                raise _cut(box, "files arrived damaged") from error
    if progress is not None:
        progress(whole, whole)
    return Pushed(manifest["digest"], directory, sent, whole, clock.monotonic() - began, tuple(removed))


async def forms(box: Box, store: str | None = None) -> list[Kept]:
    """The forms in a store, last used first."""
    answer = await ask(box, "forms", {"store": store or await store_of(box)})
    return [
        Kept(f["digest"], str(f["name"]), f["step"], f["bytes"], f["base"], f["in_use"], f["path"])
        for f in answer["forms"]
    ]


async def verify(box: Box, digest: str, store: str | None = None, *, heal: bool = False) -> Checked:
    """Hash every file of a form there. With ``heal`` a damaged form is removed, so that the next push brings it anew."""
    request = {"store": store or await store_of(box), "digest": digest, "heal": heal}
    answer = await ask(box, "verify", request, timeout_s=_LONG_S)
    return Checked(answer["there"], tuple(answer["bad"]), answer["path"])


async def clean(box: Box, store: str | None = None, *, protect: Collection[str] = (), dry: bool = False) -> list[str]:
    """Remove the forms used longest ago beyond the rule's number; returns their digests. One in use always stays."""
    request = {"store": store or await store_of(box), "keep": box.rules.sync.keep, "protect": list(protect), "dry": dry}
    return [str(digest) for digest in (await ask(box, "clean", request, timeout_s=_LONG_S))["removed"]]


async def drop(box: Box, digest: str, store: str | None = None) -> bool:
    """Remove one form there; False: it was not there. Raises: BlockedError: a server uses it (``FORM_IN_USE_THERE``)."""
    return bool((await ask(box, "drop", {"store": store or await store_of(box), "digest": digest}))["removed"])


# ---------------------------------------------------------------- one conversation


class _BadOnArrivalError(Exception):
    def __init__(self, hashes: list[str]) -> None:
        super().__init__()
        self.hashes = hashes


class _Conversation:
    def __init__(
        self,
        box: Box,
        request: Mapping[str, Any],
        paths: Mapping[str, Path],
        sizes: Mapping[str, int],
        progress: Progress | None,
    ) -> None:
        self._box, self._request, self._paths, self._sizes, self._progress = box, request, paths, sizes, progress
        self.sent = 0
        self.removed: list[str] = []

    async def run(self) -> str:
        """The whole of it; returns the form's folder there."""
        for scripts_there in (False, True):
            pipe = await self._box.talk(await command_line(self._box, "push"))
            try:
                with contextlib.suppress(LinkLostError):  # it ended at once; why is in what it said
                    await pipe.write(json.dumps(self._request).encode() + b"\n")
                line = await pipe.line()
                if line:
                    return await self._go_on(pipe, self._told(line))
                ran = await pipe.wait()
                if scripts_there or not missing(ran):
                    answer_of(self._box, ran)
            finally:
                await pipe.stop()
            await install(self._box)
        raise _cut(self._box, "the box ended the conversation")

    async def _go_on(self, pipe: Pipe, answer: Mapping[str, Any]) -> str:
        if answer["state"] == "whole":
            return str(answer["directory"])
        self.removed += answer["removed"]
        missing_there: dict[str, int] = answer["missing"]
        try:
            await self._send_all(pipe, missing_there)
        except LinkLostError:
            with contextlib.suppress(TimeoutError, LinkLostError):
                async with asyncio.timeout(_VERDICT_S):
                    await self._ended(pipe)  # a refusal in the middle also ends the line
            raise
        return await self._ended(pipe)

    async def _send_all(self, pipe: Pipe, missing_there: Mapping[str, int]) -> None:
        here = sum(self._sizes.values()) - sum(self._sizes[sha] - at for sha, at in missing_there.items())
        for sha, at in missing_there.items():
            size = self._sizes[sha] - at
            await pipe.write(json.dumps({"sha": sha, "at": at, "bytes": size}).encode() + b"\n")
            try:
                await self._send(pipe, self._paths[sha], at, size, here)
            except OSError as error:
                raise _damaged(self._paths[sha].parent, str(error)) from error
            here += size
        await pipe.write(b'{"end": true}\n')
        await pipe.end()

    async def _ended(self, pipe: Pipe) -> str:
        while line := await pipe.line():
            told = self._told(line)
            if told.get("state") == "done":
                return str(told["directory"])
        raise LinkLostError(f"the line to {self._box.label} was cut", code="LINK_LOST")

    async def _send(self, pipe: Pipe, path: Path, at: int, size: int, here: int) -> None:
        with path.open("rb") as file:
            file.seek(at)
            left = size
            while left:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    raise OSError(f"{path.name} is shorter than its ledger says")
                await pipe.write(chunk)
                left -= len(chunk)
                self.sent += len(chunk)
                if self._progress is not None:
                    self._progress(here + size - left, sum(self._sizes.values()))

    def _told(self, line: bytes) -> Mapping[str, Any]:
        try:
            told = json.loads(line)
        except ValueError as error:
            raise RealmError(
                f"{self._box.label} answers with something else than the Inn's scripts",
                why=line[:200].decode("utf-8", "replace"),
                fix="see that your login there prints nothing by itself",
                code="BOX_FAILED",
            ) from error
        fault = told.get("error")
        if fault is None:
            return dict(told)
        if fault["code"] == "PUSH_BAD":
            raise _BadOnArrivalError(fault["bad"])
        if fault["code"] == "PUSH_CUT":
            raise LinkLostError(f"the line to {self._box.label} was cut", code="LINK_LOST")
        raise refused(self._box, fault)


def _check_here(folder: Path, manifest: Mapping[str, Any], hashes: Collection[str]) -> None:
    for name, facts in manifest["files"].items():
        if facts["sha256"] in hashes and sha256(folder / name) != facts["sha256"]:
            raise _damaged(folder, f"{name} does not match its digest")


def _damaged(folder: Path, why: str) -> RealmError:
    return RealmError(
        f"{folder.name} cannot be sent",
        why=why,
        fix="choose another form; `realm save verify` checks all of them",
        code="CHECKPOINT_CORRUPT",
    )


def _cut(box: Box, why: str) -> RealmError:
    return RealmError(
        f"the push to {box.label} was cut",
        why=why,
        fix="try again: it goes on where it stopped, and nothing half is used there",
        code="PUSH_CUT",
    )
