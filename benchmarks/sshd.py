"""A real OpenSSH server on the loopback, run as whoever starts it: its own keys, its own port, nothing of the machine's."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

SSHD = shutil.which("sshd") or next((p for p in ("/usr/sbin/sshd", "/usr/libexec/sshd") if Path(p).is_file()), None)
# With SHLVL a shell that reads a start file for SSH logins leaves it out: the machine's own habits belong to no measurement.
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
AuthorizedKeysFile {authorized}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
SetEnv SHLVL=1
Subsystem sftp internal-sftp
"""


class NoSshdError(Exception):
    """There is no OpenSSH server here, or it does not run."""


@dataclass
class Sshd:
    """One server; `stop` and `start` are a machine that goes away and comes back."""

    folder: Path
    port: int
    key: Path
    """The player's private key file that it accepts."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def public_host_key(self) -> str:
        """Its key, as OpenSSH writes public keys."""
        return " ".join((self.folder / "host_key.pub").read_text("utf-8").split()[:2])

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert SSHD is not None
        with (self.folder / "log").open("ab") as log:
            argv = [SSHD, "-D", "-e", "-f", str(self.folder / "config")]
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise NoSshdError(f"sshd does not run here: {self.log.strip().splitlines()[-1:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"sshd did not answer: {self.log}")

    def new_host_key(self) -> None:
        """It is set up anew."""
        _make_key(self.folder / "host_key")

    def sessions(self) -> list[int]:
        """The processes that serve connections, by pid."""
        assert self.process is not None
        found, parents = [], {self.process.pid}
        while parents:
            children = {pid for pid in _all() if _parent(pid) in parents and _name(pid).startswith("sshd")}
            found += sorted(children)
            parents = children
        return found

    def signal_sessions(self, number: int) -> None:
        """Kill, freeze or thaw everything that serves a connection."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        """The machine is gone: the server and all its connections end at once."""
        if self.process is None:
            return
        self.signal_sessions(signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process = None


def make_sshd(folder: Path) -> Sshd:
    """A started server. Raises: NoSshdError."""
    if SSHD is None:
        raise NoSshdError("no OpenSSH server (sshd) is installed")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _make_key(folder / "host_key")
    _make_key(folder / "id_player")
    authorized = folder / "authorized_keys"
    authorized.write_bytes((folder / "id_player.pub").read_bytes())
    names = {"port": port, "host_key": folder / "host_key", "authorized": authorized}
    (folder / "config").write_text(_CONFIG.format(**names), "utf-8")
    found = Sshd(folder, port, folder / "id_player")
    found.start()
    return found


def _make_key(path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.unlink(missing_ok=True)
    path.write_bytes(key.export_private_key("openssh"))
    path.chmod(0o600)
    path.with_name(f"{path.name}.pub").write_bytes(key.export_public_key("openssh"))


def _all() -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return ""
