"""A server on a box: it outlives whoever started it, never the wish that it runs, and is never taken for another."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from configs.garrison import GarrisonRules
from realm_tui.runtime.garrison import judged, look_at
from realm_tui.runtime.inn import supervisor
from realm_tui.runtime.inn.box import LocalBox
from realm_tui.runtime.inn.supervisor import Ended, Running
from tests.inn.waiting import gone, until

LISTENS = """
import os, socket, subprocess, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
child = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)"])
print("child", child.pid, os.environ["COLOUR"], flush=True)
while True:
    c, _ = s.accept(); c.sendall(str(os.getpid()).encode()); c.close()
"""
SERVER = [sys.executable, "-c", LISTENS, "{socket}"]
ENV = {"COLOUR": "blue"}


async def pid_behind(running: Running) -> int:
    """Which process answers on a server's socket."""
    reader, writer = await asyncio.open_unix_connection(running.socket)
    said = await reader.read()
    writer.close()
    return int(said)


async def child_of(box: LocalBox, name: str) -> int:
    """The process a server started, as its log says."""

    async def logged() -> bool:
        return any(line.startswith("child") for line in await supervisor.logs(box, name))

    await until("the server wrote its log", logged)
    return int((await supervisor.logs(box, name))[-1].split()[1])


async def test_a_server_runs_in_private_folders_and_is_found_again(here: LocalBox) -> None:
    started = await supervisor.start(here, "own", SERVER, ENV)
    await child_of(here, "own")
    assert await pid_behind(started) == started.pid and not started.adopted
    assert await supervisor.find(here, "own") == started
    assert (await supervisor.logs(here, "own"))[-1].endswith("blue")
    inn = Path(await here.inn())
    for folder in (inn / "run", Path(started.socket).parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(started.log).stat().st_mode) == 0o600


async def test_starting_twice_is_one_server(here: LocalBox) -> None:
    both = await asyncio.gather(*(supervisor.start(here, "own", SERVER, ENV) for _ in range(2)))
    assert both[0].pid == both[1].pid and sorted(one.adopted for one in both) == [False, True]


async def test_stopping_ends_all_it_started(here: LocalBox) -> None:
    started = await supervisor.start(here, "own", SERVER, ENV)
    child = await child_of(here, "own")
    assert await supervisor.stop(here, "own")
    assert gone(started.pid) and gone(child) and not Path(started.socket).exists()
    assert await supervisor.find(here, "own") is None
    ended = await supervisor.how_ended(here, "own")
    assert ended is not None and ended.why == "stopped"
    assert not await supervisor.stop(here, "own")


async def test_a_server_nobody_asks_for_ends_with_its_lease(here: LocalBox) -> None:
    started = await supervisor.start(here, "own", SERVER, ENV, lease_s=2.0)
    child = await child_of(here, "own")

    async def ended() -> bool:
        return await supervisor.find(here, "own") is None

    await until("the lease ended it", ended)
    assert gone(started.pid) and gone(child)
    found = await supervisor.how_ended(here, "own")
    assert found is not None and found.why == "lease"


async def test_renewing_keeps_it_whatever_the_clock_of_the_box_says(here: LocalBox) -> None:
    started = await supervisor.start(here, "own", SERVER, ENV, lease_s=3.0)
    lease = Path(await here.inn()) / "run" / supervisor.full_name("own") / "lease"
    os.utime(lease, (0, 0))  # a clock set back by decades is only another stamp
    for _ in range(6):
        await asyncio.sleep(0.6)
        assert await supervisor.renew(here, "own", "other") == {"own": started, "other": None}
        os.utime(lease, (0, 0))


async def test_a_killed_supervisor_leaves_no_orphan_and_the_next_start_sweeps(here: LocalBox) -> None:
    started = await supervisor.start(here, "own", SERVER, ENV)
    child = await child_of(here, "own")
    state = json.loads((Path(await here.inn()) / "run" / supervisor.full_name("own") / "state.json").read_text("utf-8"))
    os.kill(state["supervisor"]["pid"], signal.SIGKILL)

    async def ended() -> bool:
        return gone(started.pid)

    await until("the server went with its supervisor", ended)
    assert await supervisor.how_ended(here, "own") == Ended("killed", None, None)
    assert not gone(child)
    again = await supervisor.start(here, "own", SERVER, ENV)
    assert gone(child) and again.pid != started.pid


async def test_a_server_of_an_earlier_boot_or_of_a_recycled_pid_is_no_server(here: LocalBox) -> None:
    started = await supervisor.start(here, "own", SERVER, ENV)
    path = Path(await here.inn()) / "run" / supervisor.full_name("own") / "state.json"
    state = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**state, "boot_id": "another"}), "utf-8")
    assert await supervisor.find(here, "own") is None
    assert await supervisor.how_ended(here, "own") == Ended("rebooted", None, None)
    path.write_text(json.dumps({**state, "child": {"pid": os.getpid(), "ticks": started.ticks}}), "utf-8")
    assert await supervisor.find(here, "own") is None
    path.write_text(json.dumps(state), "utf-8")
    assert await supervisor.find(here, "own") == started


async def test_one_that_ends_by_itself_says_how(here: LocalBox) -> None:
    await supervisor.start(here, "brief", [sys.executable, "-c", "print('no card'); raise SystemExit(7)"])

    async def ended() -> bool:
        return await supervisor.how_ended(here, "brief") is not None

    await until("it ended", ended)
    found = await supervisor.how_ended(here, "brief")
    assert found is not None and (found.why, found.code) == ("ended", 7)
    assert await supervisor.logs(here, "brief") == ["no card"]


async def test_a_program_that_is_not_there_is_said_at_once(here: LocalBox) -> None:
    with pytest.raises(RealmError, match="no/such/program") as error:
        await supervisor.start(here, "own", ["/no/such/program"])
    assert error.value.code == "START_FAILED"


async def test_two_realms_keep_apart(here: LocalBox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = await supervisor.start(here, "own", SERVER, ENV)
    name = supervisor.full_name("own")
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "elsewhere"))
    assert await supervisor.find(here, "own") is None
    theirs = await supervisor.start(here, "own", SERVER, ENV)
    assert theirs.pid != ours.pid
    assert await supervisor.stop(here, "own")
    found = await supervisor.servers(here)
    assert found[name] is not None and found[supervisor.full_name("own")] is None


async def test_the_garrison_calls_out_only_what_ended_against_our_wish(
    here: LocalBox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def over(name: str) -> None:
        async def ended() -> bool:
            return await supervisor.find(here, name) is None

        await until(f"{name} ended", ended)

    fails = [sys.executable, "-c", "raise SystemExit(7)"]
    with monkeypatch.context() as patch:
        patch.setenv("REALM_HOME", str(tmp_path / "elsewhere"))
        await supervisor.start(here, "theirs", fails)
    for name, argv, lease_s in (("own", SERVER, None), ("idle", SERVER, 0.2), ("brief", fails, None)):
        await supervisor.start(here, name, argv, ENV, lease_s)
    await supervisor.stop(here, "own")
    await over("idle")
    await over("brief")
    rules = GarrisonRules.model_validate({})
    look = await look_at(here, rules)
    assert look.servers == {"brief": False} and look.ends == {"brief": "it ended by itself"}
    assert [one.why for one in judged("here", look, rules, here.rules.link)[1] if one.rule == "server:brief"] == [
        "it ended by itself"
    ]


async def test_a_deep_folder_still_gets_a_socket(tmp_path: Path) -> None:
    from tests.inn.conftest import end_all

    deep = LocalBox("deep", tmp_path / ("d" * 60) / ("e" * 60))
    started = await supervisor.start(deep, "own", SERVER, ENV)
    await child_of(deep, "own")
    assert await pid_behind(started) == started.pid
    assert stat.S_IMODE(Path(started.socket).parent.stat().st_mode) == 0o700
    await supervisor.stop(deep, "own")
    end_all(Path(await deep.inn()))


async def test_a_command_that_takes_too_long_is_ended(here: LocalBox) -> None:
    script = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    mark = here.base / "pid"
    here.base.mkdir(parents=True)
    with pytest.raises(TimeoutError):
        await here.run([sys.executable, "-c", script, str(mark)], timeout_s=1.0)
    assert gone(int(mark.read_text("utf-8")))


async def test_a_box_that_takes_too_long_is_an_error_with_a_name_and_a_way_out(tmp_path: Path) -> None:
    class Slow(LocalBox):
        async def run(self, *_: Any, **__: Any) -> Any:
            raise TimeoutError

    class Kept(LocalBox):
        async def exchange(self, *_: Any, **__: Any) -> Any:
            raise TimeoutError

    for box in (Slow("arena", tmp_path), Kept("arena", tmp_path)):
        with pytest.raises(RealmError) as late:
            await supervisor.find(box, "own")
        assert late.value.code == "HOST_TIMEOUT" and "realm host test arena" in late.value.fix
