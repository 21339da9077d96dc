"""Opens connections: the only module that does, and none without a confirmed key of the machine."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import logging.handlers
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from configs.facilities import Host
from configs.inn import InnRules
from configs.paths import realm_home
from realm_tui.runtime.inn import refusals
from realm_tui.runtime.inn.pins import Pin, parse

LOST = (OSError, asyncssh.Error, refusals.JumpError)
"""What asyncssh raises when a line is lost or was never there."""
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)


@contextlib.contextmanager
def opening() -> Iterator[None]:
    """A session whose line is lost while it is being opened makes asyncssh stumble over itself; that is a lost line, too."""
    try:
        yield
    except (AttributeError, AssertionError) as error:
        if isinstance(error, AttributeError) and error.name != "session_started":
            raise
        raise ConnectionResetError("the line was lost while a session was being opened") from error


async def file_transfer(conn: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    """The file transfer of a connection."""
    with opening():
        return await conn.start_sftp_client()


async def opened(host: Host, user: str, pins: Sequence[Pin], rules: InnRules) -> asyncssh.SSHClientConnection:
    """A connection to the machine that holds one of the confirmed keys."""
    if not pins:
        raise ValueError("no connection without a confirmed key")
    keys = [asyncssh.import_public_key(pin.line) for pin in pins]
    options: dict[str, Any] = _reached(host)
    if host.keys:
        options["client_keys"] = [str(Path(key).expanduser()) for key in host.keys]
    if not host.ssh_config or host.user:
        options["username"] = user
    async with _on_the_way(host, options, rules) as way:
        conn = await _dialled(host.address, (keys, [], []), rules, **options)
        if way is not None:
            conn.set_tunnel(way)  # closed with it
    return conn


async def _dialled(address: str, known: Any, rules: InnRules, **options: Any) -> asyncssh.SSHClientConnection:
    """A connection to a machine that holds a key that ``known`` has; ``()`` is the player's own ``~/.ssh/known_hosts``."""
    return await asyncssh.connect(
        address,
        **options,
        known_hosts=known,
        preferred_auth=("publickey",),
        encryption_algs=_CIPHERS,
        compression_algs=["none"],
        keepalive_interval=rules.link.keepalive_s,
        keepalive_count_max=rules.link.keepalive_count,
        login_timeout=rules.link.connect_s,
        agent_forwarding=False,
    )


@contextlib.asynccontextmanager
async def _on_the_way(
    host: Host, options: dict[str, Any], rules: InnRules
) -> AsyncIterator[asyncssh.SSHClientConnection | None]:
    """The line to the last jump host that the player's SSH configuration names for a machine, as ``tunnel`` in ``options``; None: none.

    Each is logged in to as plain ``ssh`` does it: its key has to be in the player's ``~/.ssh/known_hosts``. What fails within leaves
    no line behind.
    """
    way: asyncssh.SSHClientConnection | None = None
    try:
        for jump in _jumps(host):
            user, _, place = jump.rpartition("@")
            address, colon, port = place.rpartition(":")
            hop: dict[str, Any] = {"tunnel": way} if way is not None else {}
            hop |= {"port": int(port)} if colon else {}
            hop |= {"username": user} if user else {}
            hop |= {} if host.agent else {"agent_path": None}
            try:
                conn = await _dialled(address if colon else place, (), rules, **hop)
            except (*LOST, ValueError) as error:
                raise refusals.JumpError(jump, error) from error
            if way is not None:
                conn.set_tunnel(way)
            way = conn
        if way is not None:
            options["tunnel"] = way
        yield way
    except BaseException:
        if way is not None:
            way.abort()
        raise


def _jumps(host: Host) -> list[str]:
    """The machines through which the player's SSH configuration leads, the first one first."""
    own = Path("~/.ssh/config").expanduser()
    if not host.ssh_config or not os.access(own, os.R_OK):
        return []
    found = asyncssh.SSHClientConnectionOptions(
        host=host.address, config=[str(own)], client_keys=None, agent_path=None
    ).tunnel
    named = found.split(",") if isinstance(found, str) else []
    return [jump.strip() for jump in named if jump.strip().lower() != "none"]


async def offered_key(host_id: str, host: Host, rules: InnRules) -> Pin:
    """The key a machine shows to whoever asks; nothing is logged in to. It becomes trusted only by `pins.confirm`.

    Raises:
        RealmError: the machine cannot be reached.
    """
    logs_to_file()
    options = _reached(host)
    options.pop("agent_path", None)
    try:
        async with asyncio.timeout(rules.link.connect_s):
            async with _on_the_way(host, options, rules) as way:
                key = await asyncssh.get_server_host_key(host.address, **options)
                if way is not None:
                    way.abort()
    except (*LOST, ValueError) as error:
        user = host.user or getpass.getuser()
        raise refusals.of_connecting(host_id, host, user, (), rules.link.connect_s, error) from error
    if key is None:
        raise refusals.cut(host_id, ConnectionError("it showed no key"))
    return parse(key.export_public_key("openssh").decode("ascii"))


def known_to_ssh(host: Host, pin: Pin) -> bool:
    """Whether the player's own ``~/.ssh/known_hosts`` has this very key for the machine."""
    try:
        known = asyncssh.read_known_hosts(str(Path("~/.ssh/known_hosts").expanduser()))
        trusted = asyncssh.match_known_hosts(known, host.address, "", host.port)[0]
    except (OSError, ValueError, asyncssh.Error):
        return False
    return any(key.export_public_key("openssh").split()[1].decode() == pin.key for key in trusted)


def _reached(host: Host) -> dict[str, Any]:
    """How a machine is reached: the player's own SSH configuration and agent only where the host says so."""
    found: dict[str, Any] = {}
    if not host.ssh_config:
        found["config"] = None
    if not host.ssh_config or host.port != 22:
        found["port"] = host.port
    if not host.agent:
        found["agent_path"] = None
    return found


def logs_to_file() -> None:
    """What asyncssh and asyncio complain of goes to ``logs/inn.log`` under the realm's home, never over the screen."""
    folder = realm_home() / "logs"
    path = str(folder / "inn.log")
    for name in ("asyncssh", "asyncio"):
        logger = logging.getLogger(name)
        handlers = [h for h in logger.handlers if isinstance(h, logging.handlers.RotatingFileHandler)]
        if any(h.baseFilename == path for h in handlers):
            continue
        for old in handlers:
            logger.removeHandler(old)
            old.close()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=1 << 20, backupCount=1, delay=True, encoding="utf-8"
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
