"""A small SSH server within the test's own process, for what needs no real one: commands, files and sockets as OpenSSH offers them."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import asyncssh


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        """Only keys, and only for one name."""
        del username
        return True

    def unix_connection_requested(self, dest_path: str) -> bool:
        """Lead on to any socket."""
        return True

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        """Lead on to any port."""
        return True


class SmallServer:
    """A listening server."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.public_host_key = " ".join(self._host_key.export_public_key("openssh").decode().split()[:2])
        self.key = folder / "id_player"
        """The private key file that it accepts."""
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.key.write_bytes(key.export_private_key("openssh"))
        self.key.chmod(0o600)
        self._authorized = folder / "authorized_keys"
        self._authorized.write_bytes(key.export_public_key("openssh"))
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._running: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._acceptor is not None
        return int(self._acceptor.get_port())

    async def start(self) -> None:
        """Listen."""
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=_Server,
            server_host_keys=[self._host_key],
            authorized_client_keys=str(self._authorized),
            process_factory=self._serve,
            sftp_factory=True,
            encoding=None,
        )

    async def stop(self) -> None:
        """Listen no more, and wait for the commands whose lines are gone."""
        assert self._acceptor is not None
        self._acceptor.close()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_shell(process.command or "true", stdin=pipe, stdout=pipe, stderr=pipe)
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        feeding = asyncio.create_task(_fed(process.stdin, child.stdin))
        await asyncio.gather(_passed(child.stdout, process.stdout), _passed(child.stderr, process.stderr))
        code = await child.wait()
        feeding.cancel()
        process.exit(code)


async def _fed(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while chunk := await source.read(1 << 16):
            target.write(chunk)
            await target.drain()
    target.close()


async def _passed(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    while chunk := await source.read(1 << 16):
        with contextlib.suppress(OSError, asyncssh.Error):
            target.write(chunk)
