"""The store of a box: ``blobs/<sha256>`` and ``ckpt/<digest>/``, a folder of hard links to them with ``MANIFEST.json``.

A form appears by one rename and never changes. What arrives is hashed while it is written; a blob gets its name only when its hash is
right. What a cut leaves is a ``.part`` file, from which the next attempt goes on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading
import time

from .supervisor import RefusedError, in_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

MANIFEST = "MANIFEST.json"
_CHUNK = 1 << 20
_FLUSH_BYTES = 32 << 20
_HEX = set("0123456789abcdef")
_OLD_S = 86_400.0
"""Age at which files that nothing refers to go even while somebody else is pushing."""


class Store:
    """A store below the folder of the Inn (or wherever it is kept)."""

    def __init__(self, path: str, root: str) -> None:
        self.root = root
        self.blobs, self.forms = os.path.join(path, "blobs"), os.path.join(path, "ckpt")
        for folder in (path, self.blobs, self.forms):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self.lock = os.path.join(path, "lock")

    def blob(self, sha: str) -> str:
        return os.path.join(self.blobs, checked(sha))

    def form(self, digest: str) -> str:
        return os.path.join(self.forms, checked(digest))

    def manifest(self, digest: str) -> dict[str, Any] | None:
        """What a form consists of; None: it is not here, or not readable."""
        try:
            with open(os.path.join(self.form(digest), MANIFEST), encoding="utf-8") as file:
                found = json.load(file)
            return found if isinstance(found, dict) and found.get("digest") == digest else None
        except (OSError, ValueError):
            return None

    def whole(self, digest: str) -> bool:
        """Every file of a form is there in its full size."""
        found = self.manifest(digest)
        if found is None:
            return False
        try:
            return all(
                os.path.getsize(os.path.join(self.form(digest), name)) == facts["bytes"]
                for name, facts in found["files"].items()
            )
        except (OSError, KeyError, TypeError):
            return False

    def digests(self) -> list[str]:
        """Every form here, last used first."""
        found = [name for name in os.listdir(self.forms) if len(name) == 64 and set(name) <= _HEX]
        return sorted(found, key=self._used_at, reverse=True)

    def used(self, digest: str) -> None:
        """Remember that a form was asked for now."""
        with contextlib.suppress(OSError):
            os.utime(os.path.join(self.form(digest), MANIFEST))

    def _used_at(self, digest: str) -> float:
        try:
            return os.stat(os.path.join(self.form(digest), MANIFEST)).st_mtime
        except OSError:
            return 0.0

    def remove(self, digest: str) -> None:
        """Take a form away at once and then its files."""
        gone = os.path.join(self.forms, f".gone-{digest}-{os.getpid()}")
        with contextlib.suppress(OSError):
            os.rename(self.form(digest), gone)
        _remove_tree(gone)

    def free(self) -> int:
        """Bytes the user may still write here."""
        found = os.statvfs(self.blobs)
        return found.f_bavail * found.f_frsize

    def sweep(self, wanted: set[str], *, alone: bool) -> None:
        """Remove blobs no form refers to, and parts nobody goes on with; without ``alone`` only those that are old."""
        for name in os.listdir(self.forms):
            if name.startswith(".") and (alone or self._old(os.path.join(self.forms, name))):
                _remove_tree(os.path.join(self.forms, name))
        for name in os.listdir(self.blobs):
            path = os.path.join(self.blobs, name)
            with contextlib.suppress(OSError):
                spare = name.partition(".")[0] not in wanted and (".part" in name or os.stat(path).st_nlink == 1)
                if spare and (self._old(path) or (alone and ".part" not in name)):
                    os.unlink(path)

    @staticmethod
    def _old(path: str) -> bool:
        return time.time() - os.stat(path).st_mtime > _OLD_S


def _remove_tree(path: str) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)


def checked(digest: str) -> str:
    """``digest``, if it is 64 hexadecimal digits and nothing else."""
    if len(digest) != 64 or not set(digest) <= _HEX:
        raise RefusedError("BAD_DIGEST", f"{digest[:80]!r} is no digest")
    return digest


def checked_name(name: str) -> str:
    """``name``, if it lies inside a form's folder."""
    parts = name.split("/")
    if (
        not name
        or name.startswith("/")
        or "\0" in name
        or any(part in ("", ".", "..") for part in parts)
        or name == MANIFEST
    ):
        raise RefusedError("BAD_FILE_NAME", f"{name[:200]!r} is no name for a file of a form")
    return name


def model_digest(files: dict[str, dict[str, Any]]) -> str:
    """The digest of a form: SHA-256 of the canonical list of its files and their hashes."""
    hashes = {name: facts["sha256"] for name, facts in files.items()}
    return hashlib.sha256(json.dumps(hashes, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


# ---------------------------------------------------------------- requests


def forms(request: dict[str, Any]) -> dict[str, Any]:
    """Every form of the store with what its manifest says, and which are in use."""
    store = Store(request["store"], request["root"])
    used = in_use(store.root)
    found = []
    for digest in store.digests():
        manifest = store.manifest(digest)
        if manifest is not None:
            size = sum(facts["bytes"] for facts in manifest["files"].values())
            more = {key: manifest.get(key) for key in ("name", "step", "base")}
            found.append(
                {"digest": digest, "bytes": size, "in_use": digest in used, "path": store.form(digest), **more}
            )
    return {"forms": found, "free": store.free()}


def verify(request: dict[str, Any]) -> dict[str, Any]:
    """Hash every file of a form again; names those that are missing or differ.

    With ``heal`` a damaged form goes, together with the damaged files, so that the next push brings them anew.
    """
    store = Store(request["store"], request["root"])
    manifest = store.manifest(request["digest"])
    if manifest is None:
        return {"there": False, "bad": [], "path": store.form(request["digest"])}
    bad = []
    for name, facts in manifest["files"].items():
        if _hash(os.path.join(store.form(request["digest"]), name)) != facts["sha256"]:
            bad.append(name)
    if model_digest(manifest["files"]) != request["digest"]:
        bad.append(MANIFEST)
    store.used(request["digest"])
    if bad and request.get("heal"):
        for name in bad:
            with contextlib.suppress(OSError, KeyError):
                os.unlink(store.blob(manifest["files"][name]["sha256"]))
        store.remove(request["digest"])
    return {"there": True, "bad": bad, "path": store.form(request["digest"])}


def clean(request: dict[str, Any]) -> dict[str, Any]:
    """Remove the forms used longest ago beyond ``keep``, and more while less than ``need`` bytes are free; never one that is needed.

    With ``dry`` nothing is removed and the answer says what would be.
    """
    store = Store(request["store"], request["root"])
    with _held(store, alone=True) as alone:
        removed = make_room(store, request, set(), alone=alone, dry=bool(request.get("dry")))
    return {"removed": removed, "free": store.free()}


def drop(request: dict[str, Any]) -> dict[str, Any]:
    """Remove one form, unless a running server needs it."""
    store = Store(request["store"], request["root"])
    digest = request["digest"]
    if digest in in_use(store.root):
        raise RefusedError("FORM_IN_USE_THERE", "a running server needs this form", digest=digest)
    with _held(store, alone=True) as alone:
        was = os.path.isdir(store.form(digest))
        store.remove(digest)
        store.sweep(set(), alone=alone)
    return {"removed": was}


def make_room(store: Store, request: dict[str, Any], wanted: set[str], *, alone: bool, dry: bool = False) -> list[str]:
    """Clean by the rules of a request; ``wanted`` are blobs that are about to be used. Returns the forms that went."""
    keep, need = int(request["keep"]), int(request.get("need", 0))
    protected = set(request.get("protect", ())) | in_use(store.root)
    here = store.digests()
    damaged = [digest for digest in here if store.manifest(digest) is None]
    bases = {base for digest in here if (base := (store.manifest(digest) or {}).get("base"))}
    counted = [digest for digest in here if digest not in bases and digest not in damaged]
    removed = [digest for digest in damaged if digest not in protected]
    spare = [digest for digest in reversed(counted) if digest not in protected]
    removed += spare[: max(0, len(counted) - max(0, keep))]
    for digest in removed if not dry else ():
        store.remove(digest)
    if not dry:
        store.sweep(wanted, alone=alone)
    left = [digest for digest in spare if digest not in removed]
    while not dry and left and store.free() < need:
        removed.append(left.pop(0))
        store.remove(removed[-1])
        store.sweep(wanted, alone=alone)
    needed = {
        base
        for digest in store.digests()
        if digest not in removed and (base := (store.manifest(digest) or {}).get("base"))
    }
    for base in bases - needed - protected:
        if len([d for d in here if d not in removed]) > keep or (need and store.free() < need):
            removed.append(base)
            if not dry:
                store.remove(base)
                store.sweep(wanted, alone=alone)
    return removed


@contextlib.contextmanager
def _held(store: Store, *, alone: bool) -> Iterator[bool]:
    """The store's lock: shared while pushing, alone while cleaning where nobody pushes; tells whether it is held alone."""
    fd = os.open(store.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        got = False
        if alone:
            with contextlib.suppress(OSError):
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                got = True
        if not got and not alone:
            fcntl.lockf(fd, fcntl.LOCK_SH)
        yield got
    finally:
        os.close(fd)


def _hash(path: str, most: int | None = None) -> str | None:
    digest = _hashed(path, most)
    return None if digest is None else str(digest.hexdigest())


def _hashed(path: str, most: int | None) -> Any:
    digest = hashlib.sha256()
    left = most
    try:
        with open(path, "rb") as file:
            while left is None or left > 0:
                chunk = file.read(_CHUNK if left is None else min(_CHUNK, left))
                if not chunk:
                    break
                digest.update(chunk)
                left = None if left is None else left - len(chunk)
    except OSError:
        return None
    return digest


# ---------------------------------------------------------------- a push


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
    with _held(store, alone=True) as alone:
        removed = make_room(store, {**request, "need": need if parts else 0}, set(blobs), alone=alone)
    with _held(store, alone=False):
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
    _remove_tree(beside)
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
        _remove_tree(beside)
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
            while chunk := file.read(_CHUNK):
                self.digest.update(chunk)
                self.bytes += len(chunk)
        return self.bytes

    def take(self, source: BinaryIO, left: int) -> bool:
        """Write and hash what arrives; False where the line ended before it was complete."""
        assert self.fd is not None
        flusher = _Flusher(self.fd)
        try:
            while left:
                chunk = source.read1(min(_CHUNK, left))  # type: ignore[attr-defined]
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
