"""Refuses disks on which neither locks nor SQLite's shared log can be trusted."""

from __future__ import annotations

import sys
from pathlib import Path

from configs.errors import RealmError

NETWORK = ("nfs", "cifs", "smb", "afpfs", "webdav", "afs", "ceph", "9p", "drvfs", "lustre", "beegfs", "gpfs", "gluster")
"""How the types of network disks begin: other machines may hold their files."""
NETWORK_FUSE = ("fuse.sshfs", "fuse.gluster", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.davfs")
MOUNTS = Path("/proc/self/mountinfo")


def filesystem_of(path: Path, mounts: str | None = None) -> str | None:
    """The type of the file system that holds ``path`` (``ext4``, ``nfs4``…); None when it cannot be told.

    Args:
        path: an existing path.
        mounts: the text of Linux's mountinfo; read from the system when left out.
    """
    table: list[tuple[str, str]]
    if mounts is None and sys.platform != "linux":
        import psutil

        table = [(p.mountpoint, p.fstype) for p in psutil.disk_partitions(all=True)]
    else:
        try:
            text = MOUNTS.read_text(encoding="utf-8", errors="replace") if mounts is None else mounts
        except OSError:
            return None
        table = []
        for line in text.splitlines():
            left, found, right = line.partition(" - ")
            if found and len(left.split()) > 4 and right:
                point = left.split()[4].encode().decode("unicode_escape").encode("latin-1").decode(errors="replace")
                table.append((point, right.split()[0]))
    real, best, kind = path.resolve(), -1, None
    for point, fstype in table:
        # Of two mounts on one point the later one is on top.
        if real.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), fstype
    return kind.lower() if kind else None


def refuse_network_disk(folder: Path) -> None:
    """`RealmError` when ``folder`` lies on a network disk."""
    kind = filesystem_of(folder)
    if kind is not None and kind.startswith(NETWORK + NETWORK_FUSE):
        raise RealmError(
            f"{folder} lies on a network disk ({kind})",
            why="locks and SQLite's log do not work there, and a save would be damaged",
            fix="keep saves on a local disk: set REALM_HOME to a folder there",
            code="NETWORK_DISK",
        )
