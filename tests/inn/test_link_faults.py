"""Whatever goes wrong with a line has a name and a way out, leaves nothing half there, and mends itself where it can."""

from __future__ import annotations

import ast
import asyncio
import errno
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from benchmarks.sshd import Sshd
from configs import clock
from configs.errors import BlockedError, RealmError
from realm_tui.runtime.inn import dialling, hosts, pins, supervisor, sync
from realm_tui.runtime.inn.box import LinkLostError, LocalBox
from realm_tui.runtime.inn.refusals import HostError
from realm_tui.runtime.inn.ssh import SshBox
from tests.inn.conftest import MakeForm, far_box
from tests.inn.test_servers_on_a_box import ENV, SERVER, pid_behind
from tests.inn.waiting import gone, until

ROOT = Path(__file__).parents[2]
SLEEP = ["sleep", "600"]


async def refused(box: SshBox) -> HostError:
    """How a box that cannot be reached says so; its state says the same."""
    with pytest.raises(HostError) as error:
        await box.run(["true"])
    assert (
        error.value.state == box.state.name and error.value.fix == box.state.fix and error.value.what in box.state.why
    )
    await box.close()
    return error.value


async def online(box: SshBox) -> None:
    """Wait until the line is there, without asking for it."""

    async def up() -> bool:
        return box.state.name in ("online", "degraded")

    await until("the line is back", up)


# ---------------------------------------------------------------- who is there


async def test_a_machine_whose_key_was_never_confirmed_hears_nothing(tmp_path: Path) -> None:
    with socket.socket() as machine:
        machine.bind(("127.0.0.1", 0))
        machine.listen()
        machine.setblocking(False)
        error = await refused(far_box(machine.getsockname()[1], tmp_path / "key", tmp_path))
        with pytest.raises(BlockingIOError):
            machine.accept()
    assert (error.state, error.code) == ("unknown_key", "HOST_KEY_UNKNOWN") and "realm host test box" in error.fix


async def test_a_damaged_file_of_confirmed_keys_lets_nobody_in(far: SshBox) -> None:
    pins.pins_file().write_text("box nonsense\n", "utf-8")
    with pytest.raises(RealmError) as error:
        await far.run(["true"])
    assert error.value.code == "PINS_DAMAGED" and far.state.name == "unknown_key"


async def test_a_machine_with_another_key_is_not_logged_in_to(sshd: Sshd, tmp_path: Path) -> None:
    pins.confirm("box", pins.parse(sshd.public_host_key))
    sshd.stop()
    sshd.new_host_key()
    sshd.start()
    error = await refused(far_box(sshd.port, sshd.key, tmp_path))
    assert (error.state, error.code) == ("changed_key", "HOST_KEY_CHANGED") and "--new-key" in error.fix
    assert "Accepted" not in sshd.log and "publickey" not in sshd.log


async def test_a_key_that_is_not_taken_and_a_user_that_is_not_known(far: SshBox, sshd: Sshd, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key("openssh"))
    error = await refused(far_box(sshd.port, other, tmp_path))
    assert (error.state, error.code) == ("refused_key", "HOST_KEY_REFUSED") and "authorized_keys" in error.fix
    await far.run(["true"])
    error = await refused(far_box(sshd.port, sshd.key, tmp_path, user="nobody-of-that-name"))
    assert (error.state, error.code) == ("refused_user", "HOST_USER_REFUSED") and far.user in error.why


async def test_key_files_that_cannot_be_used_are_named(far: SshBox, sshd: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    key = asyncssh.generate_private_key("ssh-ed25519")
    locked.write_bytes(key.export_private_key("pkcs8-pem", passphrase="secret"))
    for path in (tmp_path / "none", locked):
        error = await refused(far_box(sshd.port, path, tmp_path))
        assert (error.state, error.code) == ("refused_key", "HOST_KEY_REFUSED") and "ssh-add" in error.fix


async def test_no_machine_and_a_silent_machine(sshd: Sshd, tmp_path: Path) -> None:
    pins.confirm("box", pins.parse(sshd.public_host_key))
    sshd.stop()
    error = await refused(far_box(sshd.port, sshd.key, tmp_path, retries=1))
    assert (error.state, error.code) == ("no_route", "HOST_UNREACHABLE")
    assert error.why == "the machine answers, but no SSH server does at that port"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        error = await refused(far_box(silent.getsockname()[1], sshd.key, tmp_path, retries=20, connect_s=0.5))
        assert (error.state, error.code) == ("timeout", "HOST_TIMEOUT")
        silent.setblocking(False)
        silent.accept()
        with pytest.raises(BlockingIOError):  # silence is waited for once
            silent.accept()


async def test_a_machine_that_starts_late_is_waited_for(sshd: Sshd, tmp_path: Path) -> None:
    pins.confirm("box", pins.parse(sshd.public_host_key))
    sshd.stop()
    box = far_box(sshd.port, sshd.key, tmp_path, retries=20)
    asked = asyncio.create_task(box.run(["echo", "there"]))

    async def tried() -> bool:
        return box.state.name == "no_route"

    await until("it was tried once", tried)
    sshd.start()
    assert (await asked).text == "there\n"
    await box.close()


def test_no_connection_is_opened_without_a_confirmed_key() -> None:
    opened = []
    for package in ("realm_tui", "engine", "saves", "configs", "lore", "skills", "benchmarks"):
        for file in sorted((ROOT / package).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text if "asyncssh" in text or "known_hosts" in text else "")):
                if not isinstance(node, ast.Call):
                    continue
                for keyword in node.keywords:
                    nothing = isinstance(keyword.value, ast.Constant) and keyword.value.value is None
                    assert keyword.arg != "known_hosts" or not nothing, file
                if isinstance(node.func, ast.Attribute) and node.func.attr in (
                    "connect",
                    "connect_reverse",
                    "create_connection",
                    "run_client",
                ):
                    module = node.func.value
                    if isinstance(module, ast.Name) and module.id == "asyncssh":
                        assert "known_hosts" in {keyword.arg for keyword in node.keywords}, file
                        opened.append(str(file.relative_to(ROOT)))
    assert opened == ["realm_tui/runtime/inn/dialling.py"]


async def test_the_one_place_that_connects_refuses_to_without_a_key(far: SshBox) -> None:
    with pytest.raises(ValueError, match="confirmed key"):
        await dialling.opened(far.host, far.user, [], far.rules)


# ---------------------------------------------------------------- the line in the middle of something


@pytest.fixture
async def serving(far: SshBox) -> AsyncIterator[tuple[SshBox, supervisor.Running, Path]]:
    """A server over there, and its socket here."""
    running = await supervisor.start(far, "own", SERVER, ENV)
    local = await far.forward(running.socket)
    assert isinstance(local, Path)

    async def answers() -> bool:
        return await _answers(local) == running.pid

    await until("it answers", answers)
    yield far, running, local


async def _answers(path: Path) -> int | None:
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
        said = await reader.read()
        writer.close()
    except OSError:
        return None
    return int(said) if said else None


async def test_a_cut_line_is_said_comes_back_and_the_server_never_noticed(
    serving: tuple[SshBox, supervisor.Running, Path], sshd: Sshd, capfd: pytest.CaptureFixture[str]
) -> None:
    far, running, local = serving
    waiting = asyncio.create_task(far.run(SLEEP))
    await far.run(["true"])
    sshd.signal_sessions(signal.SIGKILL)
    with pytest.raises(LinkLostError) as error:
        await waiting
    assert error.value.code == "LINK_LOST"
    await online(far)

    async def answers() -> bool:
        return await _answers(local) == running.pid

    await until("the same socket here leads to the same server", answers)
    assert await supervisor.find(far, "own") == running
    assert len(far.state.losses) == 1
    told = capfd.readouterr()
    assert told.out == told.err == ""


async def test_a_frozen_machine_is_noticed_and_taken_up_again(far: SshBox, sshd: Sshd) -> None:
    waiting = asyncio.create_task(far.run(SLEEP))
    await far.run(["true"])
    sshd.signal_sessions(signal.SIGSTOP)
    with pytest.raises(LinkLostError):
        await waiting
    assert far.state.name != "online"
    await online(far)
    assert (await far.run(["echo", "again"])).text == "again\n"


async def test_a_line_that_breaks_again_and_again_is_called_stormy(far: SshBox, sshd: Sshd) -> None:
    await far.connect()
    for _ in range(3):
        sshd.signal_sessions(signal.SIGKILL)

        async def lost() -> bool:
            return far.state.name not in ("online", "degraded")

        await until("the loss was noticed", lost)
        await online(far)
    assert far.state.name == "degraded" and "3 times" in far.state.why


async def test_a_server_whose_line_stays_cut_ends_with_its_lease(far: SshBox, sshd: Sshd) -> None:
    running = await supervisor.start(far, "own", SERVER, ENV, lease_s=2.0)
    sshd.stop()

    async def ended() -> bool:
        return gone(running.pid)

    await until("nobody renewed it", ended)


async def test_a_push_that_is_cut_goes_on_by_itself(far: SshBox, sshd: Sshd, form: MakeForm) -> None:
    folder, cuts = form(size=24_000_000), [8_000_000]

    def cut(there: int, _all: int) -> None:
        if cuts and there > cuts[0]:
            cuts.clear()
            sshd.signal_sessions(signal.SIGKILL)

    pushed = await far.push(folder, progress=cut)
    assert not cuts and (await sync.verify(far, pushed.digest)).sound
    assert pushed.sent_bytes < 2 * 24_000_000
    assert list((Path(await far.inn()) / "store" / "blobs").glob("*.part*")) == []


async def test_a_push_to_a_machine_that_goes_away_leaves_nothing_half(
    far: SshBox, sshd: Sshd, form: MakeForm, tmp_path: Path
) -> None:
    folder = form(size=24_000_000)

    def cut(there: int, _all: int) -> None:
        if there > 12_000_000 and sshd.process is not None:
            sshd.stop()

    with pytest.raises(RealmError) as error:
        await far.push(folder, progress=cut)
    assert error.value.code in ("PUSH_CUT", "HOST_UNREACHABLE")
    store = tmp_path / "far" / "inn" / "store"
    assert list((store / "ckpt").iterdir()) == []
    sshd.start()
    pushed = await far.push(folder)
    assert 0 < pushed.sent_bytes < pushed.total_bytes and (await sync.verify(far, pushed.digest)).sound


@pytest.fixture(params=["here", "far"])
def box(request: pytest.FixtureRequest) -> LocalBox | SshBox:
    """Each kind of box in turn."""
    found: LocalBox | SshBox = request.getfixturevalue(request.param)
    return found


async def test_a_disk_that_fills_up_on_the_way_is_said_and_given_back(
    box: LocalBox | SshBox, form: MakeForm, tmp_path: Path
) -> None:
    await box.push(form("checkpoint-5-20260101-0000", size=1000))
    small = tmp_path / "small-disk"
    small.write_text(f'#!/bin/sh\nulimit -f 6000\nexec {sys.executable} "$@"\n', "utf-8")
    small.chmod(0o755)
    box.python = str(small)
    with pytest.raises(BlockedError) as error:
        await box.push(form(size=24_000_000))
    assert error.value.code == "DISK_FULL_THERE"
    store = Path(await box.inn()) / "store"
    assert len(list((store / "ckpt").iterdir())) == 1 and list((store / "blobs").glob("*.part*")) == []


async def test_a_disk_that_is_full_from_the_start_is_said_and_leaves_no_half_file(
    small: SshBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await small.write(f"{small.base}/there", b"x")
    room = {"free": 0}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def vfs(*_: object) -> asyncssh.SFTPVFSAttrs:
        return asyncssh.SFTPVFSAttrs(bsize=1, frsize=1, bavail=room["free"])

    monkeypatch.setattr(asyncssh.SFTPServer, "write", full)
    monkeypatch.setattr(asyncssh.SFTPServer, "statvfs", vfs)
    with pytest.raises(BlockedError) as error:
        await small.write(f"{small.base}/script.py", b"pass")
    assert error.value.code == "DISK_FULL_THERE" and error.value.fix
    room["free"] = 1 << 30
    with pytest.raises(RealmError) as other:
        await small.write(f"{small.base}/script.py", b"pass")
    assert other.value.code == "BOX_FAILED"  # it has room, so something else is wrong
    assert (await small.run(["ls", "-A", small.base])).text.split() == ["there"]


async def test_clocks_that_differ_are_told_and_change_nothing(far: SshBox, form: MakeForm) -> None:
    clock.use(lambda: time.time() + 7200)
    try:
        facts = await hosts.look(far)
        assert -7300 < facts.skew_s < -7100
        running = await supervisor.start(far, "own", SERVER, ENV, lease_s=5.0)
        assert await supervisor.renew(far, "own") == {"own": running}
        assert (await far.push(form())).sent_bytes > 0
        assert [kept.in_use for kept in await sync.forms(far)] == [False]
    finally:
        clock.use()


async def test_a_login_that_talks_is_told_from_an_answer(here: LocalBox, tmp_path: Path) -> None:
    loud = tmp_path / "loud"
    loud.write_text("#!/bin/sh\necho Welcome to this machine\n", "utf-8")
    loud.chmod(0o755)
    here.python = str(loud)
    for doing in (supervisor.find(here, "own"), supervisor.stop(here, "own")):
        with pytest.raises(RealmError) as error:
            await doing
        assert error.value.code == "BOX_PYTHON" and "Welcome" in error.value.why
    here.python = "/no/such/python"
    with pytest.raises(RealmError) as error:
        await supervisor.find(here, "own")
    assert error.value.code == "BOX_PYTHON"


async def test_nothing_secret_is_written_down(far: SshBox, sshd: Sshd, home: Path) -> None:
    await far.run(["true"])
    sshd.signal_sessions(signal.SIGKILL)
    await online(far)
    secret = "".join(sshd.key.read_text("utf-8").splitlines()[1:3])
    kept = [path.read_text("utf-8", "replace") for path in home.rglob("*") if path.is_file()]
    assert kept and not any("PRIVATE" in text or secret[:40] in text for text in kept)


async def test_the_forwarded_socket_is_the_users_alone(serving: tuple[SshBox, supervisor.Running, Path]) -> None:
    _, running, local = serving
    assert local.stat().st_mode & 0o077 == 0 and local.parent.stat().st_mode & 0o077 == 0
    assert await pid_behind(running) == running.pid
