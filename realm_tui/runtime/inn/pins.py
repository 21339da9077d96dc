"""The keys of machines, as they were seen and confirmed once: ``config/known_hosts``, a line ``<host id> <kind> <key>`` each.

A machine without a line here is never logged in to, and one that shows another key is not either. There is no way around the file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.errors import RealmError
from configs.paths import config_dir


@dataclass(frozen=True, slots=True)
class Pin:
    """A machine's public key."""

    kind: str
    """``ssh-ed25519`` and the like."""
    key: str
    """Base64, as in any known_hosts."""

    @property
    def line(self) -> str:
        """The key as OpenSSH writes public keys."""
        return f"{self.kind} {self.key}"

    @property
    def fingerprint(self) -> str:
        """What people compare: ``SHA256:…``, as ``ssh-keygen -l`` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.key)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def pins_file() -> Path:
    """The player's file of confirmed keys."""
    return config_dir() / "known_hosts"


def pins_of(host: str) -> list[Pin]:
    """The confirmed keys of a machine by its id; none: it was never confirmed.

    Raises:
        RealmError: the file has a line that is none (``PINS_DAMAGED``); nobody is trusted on a guess.
    """
    return _read().get(host, [])


def confirm(host: str, pin: Pin) -> None:
    """From now on ``host`` is the machine with this key, and no other."""
    _write({**_read(), host: [pin]})


def forget(host: str) -> bool:
    """Take a machine's keys out; False: there were none."""
    found = _read()
    if host not in found:
        return False
    del found[host]
    _write(found)
    return True


def parse(line: str) -> Pin:
    """A key as OpenSSH writes it; `ValueError` for anything else."""
    kind, _, rest = line.strip().partition(" ")
    key = rest.split(" ")[0]
    try:
        blob = base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{key[:20]!r} is no key") from error
    size = int.from_bytes(blob[:4], "big")
    if not kind or blob[4 : 4 + size] != kind.encode():
        raise ValueError(f"the key is not of the kind {kind!r}")
    return Pin(kind, key)


def _read() -> dict[str, list[Pin]]:
    path = pins_file()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, list[Pin]] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        host, _, key = text.partition(" ")
        try:
            found.setdefault(host, []).append(parse(key))
        except ValueError as error:
            raise RealmError(
                f"line {number} of {path} is no confirmed key",
                why=str(error),
                fix="remove the line; `realm host test` asks again for that host",
                code="PINS_DAMAGED",
            ) from error
    return found


def _write(found: Mapping[str, Sequence[Pin]]) -> None:
    path = pins_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "# Keys of machines that were confirmed once. `realm host add` and `realm host test` write here.\n"
    text += "".join(f"{host} {pin.line}\n" for host, pins in sorted(found.items()) for pin in pins)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with beside.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)
