"""The store of a box: ``blobs/<sha256>`` and ``ckpt/<digest>/``, a folder of hard links to them with ``MANIFEST.json``.

A form appears by one rename and never changes. What arrives is hashed while it is written; a blob gets its name only when its hash is
right. What a cut leaves is a ``.part`` file, from which the next attempt goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time

from .place import RefusedError
from .supervisor import in_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MANIFEST = "MANIFEST.json"
CHUNK = 1 << 20
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
        remove_tree(gone)

    def free(self) -> int:
        """Bytes the user may still write here."""
        found = os.statvfs(self.blobs)
        return found.f_bavail * found.f_frsize

    def sweep(self, wanted: set[str], *, alone: bool) -> None:
        """Remove blobs no form refers to, and parts nobody goes on with; without ``alone`` only those that are old."""
        for name in os.listdir(self.forms):
            if name.startswith(".") and (alone or self._old(os.path.join(self.forms, name))):
                remove_tree(os.path.join(self.forms, name))
        for name in os.listdir(self.blobs):
            path = os.path.join(self.blobs, name)
            with contextlib.suppress(OSError):
                spare = name.partition(".")[0] not in wanted and (".part" in name or os.stat(path).st_nlink == 1)
                if spare and (self._old(path) or (alone and ".part" not in name)):
                    os.unlink(path)

    @staticmethod
    def _old(path: str) -> bool:
        return time.time() - os.stat(path).st_mtime > _OLD_S


def remove_tree(path: str) -> None:
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


def whole(request: dict[str, Any]) -> dict[str, Any]:
    """Where a form lies whole; None: it does not. It counts as used now."""
    store, digest = Store(request["store"], request["root"]), checked(request["digest"])
    if not store.whole(digest):
        return {"directory": None}
    store.used(digest)
    return {"directory": store.form(digest)}


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
    with held(store, alone=True) as alone:
        removed = make_room(store, request, set(), alone=alone, dry=bool(request.get("dry")))
    return {"removed": removed, "free": store.free()}


def drop(request: dict[str, Any]) -> dict[str, Any]:
    """Remove one form, unless a running server needs it."""
    store = Store(request["store"], request["root"])
    digest = request["digest"]
    if digest in in_use(store.root):
        raise RefusedError("FORM_IN_USE_THERE", "a running server needs this form", digest=digest)
    with held(store, alone=True) as alone:
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
def held(store: Store, *, alone: bool) -> Iterator[bool]:
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
                chunk = file.read(CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    break
                digest.update(chunk)
                left = None if left is None else left - len(chunk)
    except OSError:
        return None
    return digest
