"""A machine over SSH is a box like this one: commands, files, servers, forms and sockets, over OpenSSH and over a small server."""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
import sys
from pathlib import Path

import pytest

from benchmarks.sshd import Sshd
from engine.link.endpoint import private_folder
from realm_tui.runtime.inn import supervisor, sync
from realm_tui.runtime.inn.box import Box, LinkLostError, LocalBox
from realm_tui.runtime.inn.ssh import SshBox
from tests.inn.conftest import MakeForm, digest_of, far_box
from tests.inn.test_servers_on_a_box import ENV, SERVER
from tests.inn.waiting import gone, until


@pytest.fixture(params=["here", "far", "small"])
def box(request: pytest.FixtureRequest) -> Box:
    """Each kind of box in turn."""
    found: Box = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["far", "small"])
def remote(request: pytest.FixtureRequest) -> SshBox:
    """Each kind of line in turn."""
    found: SshBox = request.getfixturevalue(request.param)
    return found


async def test_commands_end_with_what_they_said(box: Box) -> None:
    said = await box.run(
        [sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read()[::-1]); sys.exit(3)"], stdin=b"abc"
    )
    assert (said.code, said.out) == (3, b"cba")
    odd = "a 'b' \"c\" $HOME `id` ; & \\ \n *"
    assert (await box.run(["printf", "%s", odd])).text == odd
    assert (await box.run(["sh", "-c", "echo no card >&2; exit 9"])).reason == "no card"
    assert box.state.name == "online"


async def test_lines_come_as_they_are_printed(box: Box) -> None:
    script = "import sys, time\nprint('one', flush=True)\nsys.stdin.read()\nprint('two ☕')"
    lines = [line async for line in box.stream([sys.executable, "-u", "-X", "utf8", "-c", script])]
    assert lines == ["one", "two ☕"]


async def test_files_are_replaced_whole_and_private(box: Box, tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "er" / "file")
    assert not await box.exists(path)
    for data in (b"first", b"second" * 100_000):
        await box.write(path, data)
        assert await box.read(path) == data and Path(path).read_bytes() == data
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116
    assert [p.name for p in Path(path).parent.iterdir()] == ["file"]
    with pytest.raises(FileNotFoundError):
        await box.read(f"{path}s")
    assert await box.free_bytes(f"{path}/not/yet") > 0
    await box.remove_tree(str(tmp_path / "deep"))
    assert not await box.exists(path)


async def test_a_server_there_answers_through_a_socket_here(remote: SshBox) -> None:
    started = await supervisor.start(remote, "own", SERVER, ENV)
    local = await remote.forward(started.socket)
    assert isinstance(local, Path)

    async def answers() -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(local))
            said = await reader.read()
            writer.close()
        except OSError:
            return False
        return said == str(started.pid).encode()

    await until("the server answers", answers)
    assert stat.S_IMODE(local.parent.stat().st_mode) == 0o700
    assert await supervisor.renew(remote, "own") == {"own": started}
    assert await supervisor.stop(remote, "own")
    assert gone(started.pid)


async def test_a_port_there_is_a_socket_here(far: SshBox) -> None:
    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"port")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    left = private_folder(40) / "inn-4194999-00000000.sock"  # of a process that is no more: above every pid there is
    left.touch()
    local = await far.forward(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert not left.exists()
    reader, writer = await asyncio.open_unix_connection(str(local))
    assert await reader.read() == b"port"
    writer.close()
    server.close()


@pytest.mark.parametrize("stumble", [AssertionError(), AttributeError(name="session_started")])
async def test_a_line_that_is_lost_while_a_session_opens_is_a_lost_line(
    far: SshBox, monkeypatch: pytest.MonkeyPatch, stumble: Exception
) -> None:
    conn = await far.connect()

    async def lost(*_: object, **__: object) -> None:
        raise stumble

    monkeypatch.setattr(conn, "start_sftp_client", lost)
    far._sftp = None
    with pytest.raises(LinkLostError):
        await far.exists("anything")


async def test_a_tunnel_that_could_not_be_dug_is_dug_the_next_time(
    far: SshBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    there, conn = f"127.0.0.1:{server.sockets[0].getsockname()[1]}", await far.connect()

    async def full(*_: object) -> None:
        raise OSError("too many open files")

    with monkeypatch.context() as patch, pytest.raises(LinkLostError):
        patch.setattr(conn, "forward_local_path_to_port", full)
        await far.forward(there)
    reader, writer = await asyncio.open_unix_connection(str(await far.forward(there)))
    assert await reader.read() == b""
    writer.close()
    server.close()


async def test_a_form_arrives_there(remote: SshBox, form: MakeForm) -> None:
    folder = form(size=3_000_000)
    pushed = await remote.push(folder)
    assert pushed.digest == digest_of(folder) and (await sync.verify(remote, pushed.digest)).sound
    assert (Path(pushed.directory) / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert (await remote.push(folder)).sent_bytes == 0


async def test_a_command_that_takes_too_long_is_ended_there(far: SshBox, tmp_path: Path) -> None:
    script = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    mark = tmp_path / "pid"
    with pytest.raises(TimeoutError):
        await far.run([sys.executable, "-c", script, str(mark)], timeout_s=1.0)

    async def ended() -> bool:
        return gone(int(mark.read_text("utf-8")))

    await until("it was ended", ended)
    assert far.state.name == "online"


async def test_more_commands_at_once_than_the_server_has_sessions(far: SshBox) -> None:
    ran = await asyncio.gather(*(far.run(["echo", str(n)]) for n in range(12)))
    assert [one.text.strip() for one in ran] == [str(n) for n in range(12)]


async def test_two_boxes_and_two_realms_on_one_machine_keep_apart(
    far: SshBox, sshd: Sshd, here: LocalBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await supervisor.start(far, "own", SERVER, ENV), await supervisor.start(here, "own", SERVER, ENV)
    assert first.pid != second.pid and first.socket != second.socket
    ours = supervisor.full_name("own")
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "another"))
    other = far_box(sshd.port, sshd.key, tmp_path / "far")
    assert await supervisor.find(other, "own") is None
    third = await supervisor.start(other, "own", SERVER, ENV)
    assert third.pid != first.pid
    assert await supervisor.stop(other, "own")
    assert (await supervisor.servers(other))[ours] is not None
    await other.close()


async def test_the_line_is_closed_and_the_server_runs_on(far: SshBox, sshd: Sshd, tmp_path: Path) -> None:
    started = await supervisor.start(far, "own", SERVER, ENV)
    local = await far.forward(started.socket)
    await far.close()

    async def left() -> bool:
        return sshd.sessions() == []

    await until("the line was closed over there", left)
    assert not Path(local).exists() and not gone(started.pid)
    again = far_box(sshd.port, sshd.key, tmp_path / "far")
    found = await supervisor.start(again, "own", SERVER, ENV)
    assert found.pid == started.pid and found.adopted
    await supervisor.stop(again, "own")
    await again.close()


async def test_your_own_ssh_configuration_is_read_where_the_host_says_so(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from realm_tui.runtime.inn import pins

    pins.confirm("box", pins.parse(sshd.public_host_key))
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me" / ".ssh").mkdir(parents=True)
    text = f"Host alias\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {shlex.quote(str(sshd.key))}\n"
    (tmp_path / "me" / ".ssh" / "config").write_text(text, "utf-8")
    box = far_box(sshd.port, sshd.key, tmp_path / "far")
    box.host = box.host.model_copy(update={"address": "alias", "port": 22, "user": "", "keys": (), "ssh_config": True})
    assert (await box.run(["echo", "hi"])).text == "hi\n"
    await box.close()
    box = far_box(sshd.port, sshd.key, tmp_path / "far")
    box.host = box.host.model_copy(update={"address": "alias.invalid", "port": sshd.port})
    with pytest.raises(Exception, match="cannot be reached"):
        await box.run(["echo", "hi"])
    await box.close()
