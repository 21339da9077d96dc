"""Where the keeper's unix socket lies: a short private folder per user, found again through a pointer in the save.

Paths of unix sockets are limited to about a hundred bytes, so the socket cannot lie in a save folder of any depth. The folder
is under the temporary directory and never under XDG_RUNTIME_DIR, which is removed at the last logout while a hero may still train.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from configs.errors import RealmError
from configs.paths import SaveFolder

MAX_SOCKET_PATH_BYTES = 103
"""The shortest limit of the supported systems (macOS; Linux has 107)."""


def socket_path(folder: SaveFolder) -> Path:
    """The path a keeper of this save binds; the private folder is made on the way.

    Raises:
        RealmError: the private folder belongs to somebody else (``SOCKET_FOLDER``).
    """
    digest = hashlib.sha256(os.fsencode(folder.root.resolve())).hexdigest()[:16]
    return private_folder(len(digest) + len(".sock")) / f"{digest}.sock"


def write_pointer(folder: SaveFolder, path: Path) -> None:
    """Record in the save where the socket is; a reader sees the old pointer or the new one, never half of one."""
    beside = folder.socket_pointer.with_name(f"{folder.socket_pointer.name}.{os.getpid()}.tmp")
    beside.write_text(f"{path}\n", encoding="utf-8")
    beside.replace(folder.socket_pointer)


def read_pointer(folder: SaveFolder) -> Path | None:
    """The socket a keeper of this save announced; None when there is none or it is not this user's."""
    try:
        path = Path(folder.socket_pointer.read_text(encoding="utf-8").strip())
        status = path.stat()
    except (OSError, ValueError):
        return None
    return path if stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid() else None


def remove_pointer(folder: SaveFolder, path: Path) -> None:
    """Take socket and pointer away when the keeper ends."""
    path.unlink(missing_ok=True)
    folder.socket_pointer.unlink(missing_ok=True)


def private_folder(name_bytes: int) -> Path:
    """This user's short folder for sockets, made where it is missing; a socket there may have a name of ``name_bytes``.

    Raises:
        RealmError: it belongs to somebody else (``SOCKET_FOLDER``).
    """
    name = f"realm-{os.geteuid()}"
    parent = Path(tempfile.gettempdir())
    if len(os.fsencode(parent / name)) + 1 + name_bytes > MAX_SOCKET_PATH_BYTES:
        parent = Path("/tmp")
    folder = parent / name
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise _refused(folder, str(error)) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise _refused(folder, "it is no folder of this user")
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def _refused(folder: Path, why: str) -> RealmError:
    return RealmError(
        f"the folder for the engine's socket, {folder}, cannot be used",
        why=why,
        fix="remove it, or set TMPDIR to a folder of your own",
        code="SOCKET_FOLDER",
    )
