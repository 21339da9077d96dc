"""Takes a form in: what arrives is hashed while it is written, and it is whole or not there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading

from .place import RefusedError
from .store import CHUNK, MANIFEST, Store, checked, checked_name, held, make_room, model_digest, remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_FLUSH_BYTES = 32 << 20


def push(source: BinaryIO, target: BinaryIO) -> None:
    """Take one form in: a request line, then what is missing, each blob as a line and its bytes; answers are lines.

    Raises:
        RefusedError: the disk is full (``DISK_FULL_THERE``), or the request is wrong.
    """
    request = json.loads(source.readline())
    manifest = request["manifest"]
    digest, files = checked(manifest["digest"]), manifest["files"]
    for name, facts in files.items():
        checked_name(name)
        checked(facts["sha256"])
    if model_digest(files) != digest:
        raise RefusedError("BAD_DIGEST", "the list of files does not give the digest of the form")
    store = Store(request["store"], request["root"])
    if store.whole(digest):
        store.used(digest)
        tell(target, {"state": "whole", "directory": store.form(digest)})
        return
    blobs = {facts["sha256"]: int(facts["bytes"]) for facts in files.values()}
    request = {
        **request,
        "keep": max(1, int(request["keep"])) - 1,
        "protect": [*request.get("protect", ()), digest, manifest.get("base") or digest],
    }
    parts = {sha: _Part(store, sha, request["realm"]) for sha, size in blobs.items() if not _has(store.blob(sha), size)}
    need = sum(max(0, blobs[sha] - part.bytes) for sha, part in parts.items()) + int(request["reserve"])
    with held(store, alone=True) as alone:
        removed = make_room(store, {**request, "need": need if parts else 0}, set(blobs), alone=alone)
    with held(store, alone=False):
        missing = {
            sha: _Part(store, sha, request["realm"]) for sha, size in blobs.items() if not _has(store.blob(sha), size)
        }
        need = sum(max(0, blobs[sha] - part.bytes) for sha, part in missing.items()) + int(request["reserve"])
        if missing and store.free() < need:
            raise RefusedError("DISK_FULL_THERE", "the box has no room for this form", free=store.free(), need=need)
        tell(
            target,
            {"state": "send", "missing": {sha: part.begin() for sha, part in missing.items()}, "removed": removed},
        )
        bad = _receive(source, target, missing, blobs)
        if bad:
            raise RefusedError("PUSH_BAD", "what arrived is not what was announced", bad=bad)
        if any(not _has(store.blob(sha), size) for sha, size in blobs.items()):
            raise RefusedError("PUSH_CUT", "the line ended before everything had arrived")
        _assemble(store, manifest)
    tell(target, {"state": "done", "directory": store.form(digest)})


def tell(target: BinaryIO, answer: dict[str, Any]) -> None:
    """One line of answer, at once."""
    target.write(json.dumps(answer).encode() + b"\n")
    target.flush()


def _has(path: str, size: int) -> bool:
    try:
        return os.path.getsize(path) == size
    except OSError:
        return False


def _receive(source: BinaryIO, target: BinaryIO, missing: dict[str, _Part], blobs: dict[str, int]) -> list[str]:
    bad: list[str] = []
    while True:
        head = source.readline()
        if not head.endswith(b"\n"):
            return bad
        facts = json.loads(head)
        if "end" in facts:
            return bad
        sha, left = facts["sha"], int(facts["bytes"])
        part = missing[sha]
        if facts["at"] != part.bytes or part.bytes + left != blobs[sha]:
            raise RefusedError("BAD_OFFSET", f"{sha} goes on at {part.bytes}, not at {facts['at']}")
        if not part.take(source, left):
            return bad
        if part.finish():
            tell(target, {"got": sha})
        else:
            bad.append(sha)
            tell(target, {"bad": sha})


def _assemble(store: Store, manifest: dict[str, Any]) -> None:
    digest = manifest["digest"]
    beside = os.path.join(store.forms, f".new-{digest}-{os.getpid()}")
    remove_tree(beside)
    os.makedirs(beside, mode=0o700)
    for name, facts in manifest["files"].items():
        path = os.path.join(beside, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        try:
            os.link(store.blob(facts["sha256"]), path)
        except OSError:
            import shutil

            shutil.copyfile(store.blob(facts["sha256"]), path)
    with open(os.path.join(beside, MANIFEST), "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    if os.path.isdir(store.form(digest)):
        store.remove(digest)
    try:
        os.rename(beside, store.form(digest))
    except OSError:
        remove_tree(beside)
        if not store.whole(digest):
            raise


class _Part:
    """A blob that is still arriving. Its file is this realm's own; if another process of it is writing there, a fresh one is begun."""

    def __init__(self, store: Store, sha: str, realm: str) -> None:
        self.store, self.sha = store, sha
        self.path = os.path.join(store.blobs, f"{checked(sha)}.{realm}.part")
        self.fd: int | None = None
        self.digest = hashlib.sha256()
        try:
            self.bytes = os.path.getsize(self.path)
        except OSError:
            self.bytes = 0

    def begin(self) -> int:
        """Open it, hash what is there already; returns how many bytes that is."""
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.fd)
            self.path = f"{self.path}{os.getpid()}"
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(self.fd, "rb", closefd=False) as file:
            self.bytes = 0
            while chunk := file.read(CHUNK):
                self.digest.update(chunk)
                self.bytes += len(chunk)
        return self.bytes

    def take(self, source: BinaryIO, left: int) -> bool:
        """Write and hash what arrives; False where the line ended before it was complete."""
        assert self.fd is not None
        flusher = _Flusher(self.fd)
        try:
            while left:
                chunk = source.read1(min(CHUNK, left))  # type: ignore[attr-defined]
                if not chunk:
                    return False
                self.digest.update(chunk)
                written = 0
                while written < len(chunk):
                    written += os.write(self.fd, chunk[written:])
                self.bytes += len(chunk)
                left -= len(chunk)
                flusher.wrote(len(chunk))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            os.unlink(self.path)
            raise RefusedError(
                "DISK_FULL_THERE", "the disk of the box filled up", free=self.store.free(), need=left
            ) from error
        finally:
            flusher.close()
        return True

    def finish(self) -> bool:
        """Give it its name if its hash is right; what is wrong is thrown away."""
        assert self.fd is not None
        right = self.digest.hexdigest() == self.sha
        if right:
            os.fsync(self.fd)
            os.fchmod(self.fd, 0o400)
            os.replace(self.path, self.store.blob(self.sha))
        else:
            os.unlink(self.path)
        os.close(self.fd)
        self.fd = None
        return right


class _Flusher:
    """Brings what is written to the disk meanwhile, so that the last sync of a large file is short."""

    def __init__(self, fd: int) -> None:
        self.fd, self.since, self.open = fd, 0, True
        self.wake = threading.Event()
        self.thread: threading.Thread | None = None

    def wrote(self, count: int) -> None:
        self.since += count
        if self.since >= _FLUSH_BYTES:
            self.since = 0
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, daemon=True)
                self.thread.start()
            self.wake.set()

    def close(self) -> None:
        self.open = False
        if self.thread is not None:
            self.wake.set()
            self.thread.join()

    def _run(self) -> None:
        while True:
            self.wake.wait()
            self.wake.clear()
            if not self.open:
                return
            with contextlib.suppress(OSError):
                os.fsync(self.fd)
