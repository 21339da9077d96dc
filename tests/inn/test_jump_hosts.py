"""A box behind a jump host of the player's own SSH configuration; what is wrong at the jump host is never laid at the box's door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.sshd import Sshd, make_sshd
from configs.errors import RealmError
from configs.loader import load_game
from realm_tui.runtime.inn import pins
from realm_tui.runtime.inn.dialling import offered_key
from realm_tui.runtime.inn.ssh import SshBox
from tests.inn.conftest import far_box


@pytest.fixture
def jump(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A second machine on the way to the first, as ``~/.ssh/config`` names it; its key is known, and so is the box's."""
    pins.confirm("box", pins.parse(sshd.public_host_key))
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me" / ".ssh").mkdir(parents=True)
    found = make_sshd(tmp_path / "jump")
    (tmp_path / "me" / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{found.port} {found.public_host_key}\n")
    configure(tmp_path, sshd, found.port, found.key)
    yield found
    found.stop()


def configure(tmp_path: Path, sshd: Sshd, port: int, key: Path) -> None:
    (tmp_path / "me" / ".ssh" / "config").write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {key}\n"
        f"Host inner\n  HostName 127.0.0.1\n  Port {sshd.port}\n  ProxyJump gate\n  IdentityFile {sshd.key}\n"
    )


def box(sshd: Sshd, tmp_path: Path) -> SshBox:
    found = far_box(sshd.port, sshd.key, tmp_path / "far", retries=1)
    change = {"address": "inner", "port": 22, "user": "", "keys": (), "agent": False, "ssh_config": True}
    found.host = found.host.model_copy(update=change)
    return found


async def refused(found: SshBox, what: str = "reached through gate") -> tuple[str, str]:
    """The state and the code with which a box that cannot be reached says so."""
    with pytest.raises(RealmError, match=what) as error:
        await found.run(["true"])
    state = found.state
    await found.close()
    assert error.value.fix == state.fix and error.value.what in state.why
    return state.name, error.value.code


async def test_a_box_behind_a_jump_host_is_reached_and_the_way_is_closed_with_it(
    jump: Sshd, sshd: Sshd, tmp_path: Path
) -> None:
    found = box(sshd, tmp_path)
    assert (await found.run(["echo", "hi"])).text == "hi\n"
    assert "Accepted publickey" in jump.log and "Accepted publickey" in sshd.log
    conn = found.conn
    assert conn is not None
    await found.close()
    await conn.wait_closed()
    assert (await offered_key("box", found.host, load_game().inn)) in pins.pins_of("box")


async def test_a_jump_host_whose_key_nobody_knows_is_named_and_not_the_box(
    jump: Sshd, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "me" / ".ssh" / "known_hosts").write_text("")
    found = box(sshd, tmp_path)
    assert await refused(found) == ("unknown_key", "HOST_JUMP_REFUSED")
    with pytest.raises(RealmError, match="reached through gate"):
        await offered_key("box", found.host, load_game().inn)
    assert "Accepted" not in jump.log + sshd.log


async def test_a_jump_host_that_takes_no_key_is_named_and_not_the_box(jump: Sshd, sshd: Sshd, tmp_path: Path) -> None:
    configure(tmp_path, sshd, jump.port, sshd.key)
    assert await refused(box(sshd, tmp_path)) == ("refused_key", "HOST_JUMP_REFUSED")


async def test_a_jump_host_that_is_off_is_named_and_a_box_that_is_off_behind_it_is_the_box(
    jump: Sshd, sshd: Sshd, tmp_path: Path
) -> None:
    sshd.stop()
    behind = await refused(box(sshd, tmp_path), r"box \(inner\) cannot be reached")
    jump.stop()
    assert behind == await refused(box(sshd, tmp_path)) == ("no_route", "HOST_UNREACHABLE")
