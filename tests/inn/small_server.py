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


async def _serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_shell(process.command or "true", stdin=pipe, stdout=pipe, stderr=pipe)
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    feeding = asyncio.create_task(_fed(process.stdin, child.stdin))
    await asyncio.gather(_passed(child.stdout, process.stdout), _passed(child.stderr, process.stderr))
    code = await child.wait()
    feeding.cancel()
    process.exit(code)


async def _fed(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(1 << 16):
            target.write(chunk)
            await target.drain()
        target.close()


async def _passed(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(1 << 16):
            target.write(chunk)


async def small_server(folder: Path, user: str) -> tuple[asyncssh.SSHAcceptor, Path, str]:
    """A listening server; with it the private key file it accepts and its public key."""
    folder.mkdir(parents=True)
    host_key, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    path = folder / "id_player"
    path.write_bytes(key.export_private_key("openssh"))
    path.chmod(0o600)
    authorized = folder / "authorized_keys"
    authorized.write_bytes(key.export_public_key("openssh"))
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Server,
        server_host_keys=[host_key],
        authorized_client_keys=str(authorized),
        process_factory=_serve,
        sftp_factory=True,
        encoding=None,
    )
    return acceptor, path, " ".join(host_key.export_public_key("openssh").decode().split()[:2])
