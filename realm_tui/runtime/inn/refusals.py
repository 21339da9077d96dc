"""Why a box cannot be reached, in the player's words: one maker for each named state, with the way out."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import asyncssh

from configs.errors import BlockedError, RealmError
from configs.facilities import Host
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.box import LinkName
from realm_tui.runtime.inn.pins import Pin
from realm_tui.runtime.inn.records import record

HOPELESS: frozenset[LinkName] = frozenset({"unknown_key", "changed_key", "refused_key", "refused_user"})
"""States that only a person can end; nothing is tried again by itself."""


class HostError(BlockedError):
    """A box cannot be reached; ``state`` is the name the screen shows."""

    def __init__(self, state: LinkName, what: str, *, why: str = "", fix: str = "", code: str) -> None:
        super().__init__(what, why=why, fix=fix, code=code)
        self.state: LinkName = state


class JumpError(Exception):
    """A machine on the way to the box, named by the player's SSH configuration, cannot be passed.

    Args:
        jump: how the configuration names it.
        error: what went wrong there.
    """

    def __init__(self, jump: str, error: Exception) -> None:
        self.jump, self.error = jump, error
        super().__init__(f"{jump}: {error}")


def no_way_through(host_id: str, found: JumpError) -> HostError:
    """A jump host on the way lets nobody pass; it is as the player's own ``ssh`` finds it."""
    jump, error = clean(found.jump), found.error
    state: LinkName = "no_route"
    why, fix = _reason(error), f"see whether `ssh {jump}` lets you in"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        state, why = (
            "unknown_key",
            f"the key that {jump} shows is not the one in your ~/.ssh/known_hosts, or none is there",
        )
        fix = f"compare its fingerprint and confirm it with `ssh {jump}`; then try again"
    elif isinstance(error, asyncssh.PermissionDenied):
        state, why = "refused_key", f"{jump} takes none of the keys that your SSH configuration names for it"
        fix = f"name a key for {jump} in ~/.ssh/config (IdentityFile) with which `ssh {jump}` lets you in"
    return HostError(
        state,
        f"{host_id} is reached through {jump}, and nobody gets through there",
        why=why,
        fix=fix,
        code="HOST_UNREACHABLE" if state == "no_route" else "HOST_JUMP_REFUSED",
    )


def unknown_key(host_id: str, host: Host) -> HostError:
    """Its key was never confirmed."""
    return HostError(
        "unknown_key",
        f"the key of {host_id} ({clean(host.address)}) was never confirmed",
        why="whoever answers there could be anybody",
        fix=f"`realm host test {host_id}` shows its fingerprint and asks",
        code="HOST_KEY_UNKNOWN",
    )


def changed_key(host_id: str, host: Host, pins: Sequence[Pin]) -> HostError:
    """It shows another key than the confirmed one."""
    return HostError(
        "changed_key",
        f"{host_id} ({clean(host.address)}) shows another key than the one that was confirmed",
        why=f"it was set up anew, or another machine answers in its place; confirmed is {', '.join(pin.fingerprint for pin in pins)}",
        fix=f"if you know why, `realm host test {host_id} --new-key` shows the new fingerprint and asks",
        code="HOST_KEY_CHANGED",
    )


def refused_login(host_id: str, host: Host, user: str) -> HostError:
    """It lets this user in with none of the keys. Which of the two is wrong an SSH server never says; what worked before does."""
    before = record(host_id)
    keys = f"the keys {', '.join(host.keys)}" if host.keys else "your keys in ~/.ssh"
    keys += " and in the agent" if host.agent else ""
    if (before is not None and before.user not in (None, user)) or (before is None and not host.user):
        known = (
            f"it let {before.user} in before"
            if before is not None
            else "no user is named for it, so your name here was tried"
        )
        return HostError(
            "refused_user",
            f"{host_id} does not let {clean(user)} in",
            why=clean(known),
            fix=f"set `hosts.{host_id}.user` in config/facilities, or remove the host and add it again with --user",
            code="HOST_USER_REFUSED",
        )
    return HostError(
        "refused_key",
        f"{host_id} takes none of the keys offered for {clean(user)}",
        why=f"offered were {keys}; a wrong user name looks the same",
        fix="put your public key into ~/.ssh/authorized_keys there, or name another key or user for the host",
        code="HOST_KEY_REFUSED",
    )


def unusable_key(host_id: str, error: Exception) -> HostError:
    """A private key here cannot be used."""
    return HostError(
        "refused_key",
        f"a key for {host_id} cannot be used",
        why=clean(str(error)) or type(error).__name__,
        fix="name a key file that exists; one with a passphrase goes into the SSH agent (`ssh-add`)",
        code="HOST_KEY_REFUSED",
    )


def timed_out(host_id: str, host: Host, seconds: float) -> HostError:
    """It does not answer in time."""
    return HostError(
        "timeout",
        f"{host_id} ({clean(host.address)}) did not answer within {seconds:g} s",
        why="it is asleep, off, or a firewall swallows what is sent",
        fix="wake it, or raise `inn.link.connect_s`",
        code="HOST_TIMEOUT",
    )


def no_route(host_id: str, host: Host, error: Exception) -> HostError:
    """There is no way to it."""
    named = isinstance(error, socket.gaierror)
    port = "" if host.ssh_config and host.port == 22 else f", port {host.port}"
    return HostError(
        "no_route",
        f"{host_id} ({clean(host.address)}{port}) cannot be reached",
        why="no machine of that name is known" if named else _reason(error),
        fix="look at its address and port, and whether the machine and its SSH server are on",
        code="HOST_UNREACHABLE",
    )


def _reason(error: Exception) -> str:
    """Why there is no way, without numbers and addresses that the message has already."""
    if isinstance(error, ConnectionRefusedError):
        return "the machine answers, but no SSH server does at that port"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return clean(str(error)) or type(error).__name__


def cut(host_id: str, error: Exception) -> HostError:
    """It answered and then broke off."""
    return HostError(
        "offline",
        f"the line to {host_id} was cut while it was being opened",
        why=clean(str(error)) or type(error).__name__,
        fix="it is tried again by itself; the box's SSH log says more",
        code="HOST_UNREACHABLE",
    )


def of_connecting(
    host_id: str, host: Host, user: str, pins: Sequence[Pin], seconds: float, error: Exception
) -> RealmError:
    """The named error for what `asyncssh.connect` raised."""
    if isinstance(error, HostError):
        return error
    if isinstance(error, JumpError):
        return no_way_through(host_id, error)
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return changed_key(host_id, host, pins)
    if isinstance(error, asyncssh.PermissionDenied):
        return refused_login(host_id, host, user)
    if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, FileNotFoundError, PermissionError)):
        return unusable_key(host_id, error)
    if isinstance(error, TimeoutError):
        return timed_out(host_id, host, seconds)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        # A server that lacks the kind of key that was confirmed cannot be the machine that showed it.
        return changed_key(host_id, host, pins) if "host key" in str(error) else cut(host_id, error)
    if isinstance(
        error, (asyncssh.ConnectionLost, asyncssh.DisconnectError, asyncssh.ProtocolError, ConnectionResetError)
    ):
        return cut(host_id, error)
    return no_route(host_id, host, error)
