"""Starting, finding and stopping an engine: it outlives whoever started it, and nobody else's code is ever run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from configs.errors import RealmError
from configs.paths import SaveFolder
from engine.keeper.main import trainer_command
from engine.link.client import Hello, engine_alive, say_hello
from engine.link.ending import ExitCode
from engine.link.state import EngineState
from realm_tui.runtime import engine_process
from realm_tui.runtime.engine_process import ensure_engine, start_engine, stop_engine
from saves.campaigns import active_campaign, set_overrides
from saves.database import open_save
from tests.keeper.conftest import DEADLINE_S, ROOT, Keep, until

SHIPPED = str(Path(__file__).with_name("keep_as_shipped.py"))


@pytest.fixture
def scripted(keep: Keep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Keep]:
    """The shipped keeper with a trainer that serves; started through the game's own door."""
    keep.script.write_text(json.dumps([{}]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(
        engine_process, "keeper_command", lambda folder: [sys.executable, SHIPPED, str(folder.root), str(keep.script)]
    )
    yield keep
    stop_engine(keep.folder, now=True)


def lowered() -> int:
    """A priority below this process's own, as far as there is one."""
    return min(19, os.nice(0) + 5)


def test_start_attach_and_stop(scripted: Keep) -> None:
    folder = scripted.folder
    assert not engine_alive(folder)
    hello = start_engine(folder)
    trainer = scripted.serving()
    assert os.getsid(hello.keeper_pid) == hello.keeper_pid
    assert os.getsid(trainer["pid"]) == hello.keeper_pid
    assert ensure_engine(folder).keeper_pid == hello.keeper_pid
    assert start_engine(folder).keeper_pid == hello.keeper_pid
    reply = stop_engine(folder)
    assert reply is not None
    assert reply.ok
    assert not engine_alive(folder)
    assert stop_engine(folder) is None
    assert scripted.lives() == 1


def test_the_engine_gives_way_and_keeps_its_own_log(scripted: Keep, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "game.yaml").write_text("engine:\n  nice: 3\n")
    with closing(open_save(scripted.folder, write=True)) as conn:
        set_overrides(conn, active_campaign(conn).id, {"engine": {"nice": lowered()}})
    hello = start_engine(scripted.folder)
    scripted.serving()
    assert os.getpriority(os.PRIO_PROCESS, hello.keeper_pid) == lowered()
    assert scripted.trace("born")[0]["nice"] == lowered()
    group = Path(f"/proc/{hello.keeper_pid}/autogroup")
    if group.exists():  # a kernel that shares cores between sessions first
        assert group.read_text().split()[-1] == str(lowered())
    assert "started trainer" in (scripted.folder.logs / "keeper.log").read_text()
    if Path("/proc/self/fd").exists():
        outputs = {str(Path(f"/proc/{hello.keeper_pid}/fd/{number}").readlink()) for number in (0, 1, 2)}
        assert outputs == {os.devnull, str(scripted.folder.logs / "keeper.log")}


def test_two_faces_that_start_at_the_same_moment_meet_one_engine(scripted: Keep) -> None:
    hellos: list[Hello] = []
    faces = [threading.Thread(target=lambda: hellos.append(ensure_engine(scripted.folder))) for _ in range(3)]
    for face in faces:
        face.start()
    for face in faces:
        face.join(DEADLINE_S)
    assert len({hello.keeper_pid for hello in hellos}) == 1
    assert len(hellos) == 3
    scripted.serving()
    stop_engine(scripted.folder)
    assert not engine_alive(scripted.folder)
    until(lambda: not keepers_of(scripted.folder))
    assert scripted.lives() == 1
    assert scripted.lives() == 1


def keepers_of(folder: SaveFolder) -> list[int]:
    """Every process that was started to keep this save and has not ended."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if str(folder.root) in (process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP])
def test_the_engine_outlives_the_face_and_its_whole_process_group(scripted: Keep, end: signal.Signals) -> None:
    program = (
        "import sys, pathlib\n"
        "from configs.paths import SaveFolder\n"
        "from realm_tui.runtime import engine_process\n"
        "save, *command = sys.argv[1:]\n"
        "engine_process.keeper_command = lambda folder: command\n"
        "print(engine_process.start_engine(SaveFolder(pathlib.Path(save))).keeper_pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = str(scripted.folder.root)
    command = [sys.executable, SHIPPED, root, str(scripted.script)]
    with subprocess.Popen(
        [sys.executable, "-c", program, root, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as face:
        assert face.stdout is not None
        keeper_pid = int(face.stdout.readline())
        trainer = scripted.serving()
        os.killpg(face.pid, end)
    hello = say_hello(scripted.folder)
    assert (hello.keeper_pid, hello.trainer_pid) == (keeper_pid, trainer["pid"])


def test_an_engine_that_does_not_come_up_says_why(scripted: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    (scripted.folder.logs / "keeper.log").write_text("an older line\n")
    monkeypatch.setattr(
        engine_process, "keeper_command", lambda folder: [sys.executable, "-c", "raise SystemExit('no luck today')"]
    )
    with pytest.raises(RealmError) as refused:
        start_engine(scripted.folder)
    assert refused.value.code == "ENGINE_FAILED"
    assert refused.value.why == "no luck today"


def test_an_engine_that_never_answers_is_not_waited_for_for_ever(
    scripted: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = scripted.folder.root / "end"
    program = f"import pathlib, time\nwhile not pathlib.Path({str(ended)!r}).exists(): time.sleep(0.01)"
    monkeypatch.setattr(engine_process, "keeper_command", lambda folder: [sys.executable, "-c", program])
    with pytest.raises(RealmError) as refused:
        start_engine(scripted.folder, wait=0.1)
    ended.touch()
    assert refused.value.code == "ENGINE_SILENT"


def test_a_stop_waits_for_a_trainer_whose_keeper_was_killed(scripted: Keep) -> None:
    hello = start_engine(scripted.folder)
    scripted.serving()
    os.kill(hello.keeper_pid, signal.SIGKILL)
    assert stop_engine(scripted.folder) is None
    assert not engine_alive(scripted.folder)
    assert scripted.trace("lost")


# ---------------------------------------------------------------- the shipped commands


@pytest.fixture
def decoys(tmp_path: Path, folder: SaveFolder) -> tuple[Path, Path]:
    """A folder where the player stands, and a save folder, both with packages of our names; and the trace they leave."""
    here, trace = tmp_path / "here", tmp_path / "decoy-was-run"
    for place in (here, folder.root):
        for name in ("engine", "configs", "saves", "realm_tui", "argparse"):
            (place / name).mkdir(parents=True)
            for file in ("__init__.py", "__main__.py"):
                (place / name / file).write_text(f"open({str(trace)!r}, 'a').write({name!r})\n")
    return here, trace


def test_a_folder_named_engine_where_the_player_stands_is_not_run(
    decoys: tuple[Path, Path], folder: SaveFolder
) -> None:
    here, trace = decoys
    folder.database.unlink()
    program = (
        "import sys, pathlib\n"
        "from configs.paths import SaveFolder\n"
        "from realm_tui.runtime.engine_process import start_engine\n"
        "start_engine(SaveFolder(pathlib.Path(sys.argv[1])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(folder.root)],
        cwd=here,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}"},
        capture_output=True,
        text=True,
    )
    assert not trace.exists()
    assert "the engine did not start" in done.stderr
    assert "there is no save called hearth" in done.stderr


def test_the_trainer_does_not_run_a_folder_named_engine_in_the_save_either(
    decoys: tuple[Path, Path], folder: SaveFolder
) -> None:
    _, trace = decoys
    folder.database.unlink()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            trainer_command(folder, theirs.fileno()),
            pass_fds=(theirs.fileno(),),
            cwd=folder.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    assert not trace.exists()
    assert done.returncode == ExitCode.REFUSED
    assert "there is no save called hearth" in done.stderr
    assert "Traceback" not in done.stderr


def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "engine", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_arguments_that_are_no_object_are_refused_in_words(folder: SaveFolder, text: str) -> None:
    done = engine("once", "--save-dir", str(folder.root), "--verb", "ask", "--args", text)
    assert done.returncode == 2
    assert "--args is not" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_keeper_of_a_broken_save_says_so_and_leaves_nothing(folder: SaveFolder) -> None:
    folder.database.write_bytes(b"not a database" * 1000)
    done = engine("keeper", "--save-dir", str(folder.root))
    assert done.returncode == 1
    assert "Way out" in done.stderr
    assert "Traceback" not in done.stderr
    assert not engine_alive(folder)


def test_a_second_shipped_keeper_is_refused_with_the_way_to_the_first(scripted: Keep) -> None:
    hello = start_engine(scripted.folder)
    until(lambda: scripted.trace("serving"))
    done = engine("keeper", "--save-dir", str(scripted.folder.root))
    assert done.returncode == 3
    assert str(hello.keeper_pid) in done.stderr
    assert "realm stop" in done.stderr


def test_a_stop_that_meets_an_engine_killed_a_moment_ago_has_nothing_left_to_do(
    folder: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = RealmError("the engine has ended", why="somebody killed it", fix="start it again", code="ENGINE_STOPPED")

    def ended(*_: object, **__: object) -> None:
        raise killed

    monkeypatch.setattr(engine_process, "send_command", ended)
    told: list[str] = []
    assert stop_engine(folder, on_progress=told.append) is None
    assert told == ["the engine has ended: somebody killed it"]


def test_who_starts_while_the_engine_stops_gets_the_next_one(scripted: Keep) -> None:
    first = start_engine(scripted.folder)
    scripted.serving()
    stopping = threading.Thread(target=stop_engine, args=(scripted.folder,))
    stopping.start()
    following = start_engine(scripted.folder)
    while following.keeper_pid == first.keeper_pid:
        # The order had not reached it yet.
        stopping.join()
        following = start_engine(scripted.folder)
    stopping.join()
    assert following.state is not EngineState.STOPPING
    assert engine_alive(scripted.folder)
