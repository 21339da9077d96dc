"""The worker as a process: private, polite, alone at its socket, and gone without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from configs.errors import BlockedError, UsageError
from engine.worker.main import listen
from tests.worker.inns import pip_in

QUESTION = "nobody else is to read this"


@pytest.fixture
def short() -> Iterator[Path]:
    """A private folder whose name is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="rw-"))
    yield folder
    shutil.rmtree(folder)


def command(socket: Path, store: Path) -> list[str]:
    """The worker's command line."""
    return [sys.executable, "-P", "-m", "engine", "worker", "--socket", str(socket), "--store", str(store)]


@pytest.mark.engine
def test_a_worker_is_private_and_polite_and_ends_cleanly(short: Path, tmp_path: Path) -> None:
    store, socket = tmp_path / "store", short / "run" / "w.sock"
    digest = pip_in(store, tmp_path / "pip")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "REALM_HOME": str(tmp_path / "home")}
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command(socket, store), env=environment, cwd=short, stdout=out, stderr=out)
        try:
            with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket), retries=20), timeout=60) as client:
                asked = {"model": f"realm@{digest}", "prompt": QUESTION, "max_tokens": 3}
                reply = client.post("http://worker/v1/completions", json=asked)
                assert reply.json()["model"] == f"realm@{digest}"
                health = client.get("http://worker/health").json()
                assert (health["status"], health["pid"], health["nice"]) == ("ok", process.pid, 10)
            seen = psutil.Process(process.pid)
            assert seen.nice() == 10
            assert seen.net_connections(kind="inet") == []
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
            assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
            second = subprocess.run(command(socket, store), env=environment, cwd=short, capture_output=True, text=True)
            assert second.returncode == 3 and "another worker listens" in second.stderr
            assert socket.exists()
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
    noted = [line[20:].split()[0] for line in log.read_text().splitlines()]
    assert (code, noted) == (0, ["listening", "loaded", "ended"])
    assert QUESTION not in log.read_text()
    assert not socket.exists()


def test_nobody_else_can_reach_the_socket(short: Path) -> None:
    (short / "open").mkdir(mode=0o755)
    with pytest.raises(UsageError, match="is open to others"):
        listen(short / "open" / "w.sock")
    with pytest.raises(UsageError, match="a unix socket may have"):
        listen(short / ("x" * 100) / "w.sock")
    listening, lock = listen(short / "w.sock")
    lock.release()
    listening.close()
    assert (short / "w.sock").exists(), "what a killed worker leaves"
    listening, lock = listen(short / "w.sock")
    try:
        assert stat.S_IMODE((short / "w.sock").stat().st_mode) == 0o600
    finally:
        lock.release()
        listening.close()


def test_two_workers_never_share_a_socket(short: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from engine.worker.main import listen;"
            "held = listen(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()",
            str(short / "w.sock"),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(BlockedError, match="another worker listens"):
            listen(short / "w.sock")
    finally:
        holder.kill()
        holder.wait()
    listening, lock = listen(short / "w.sock")
    lock.release()
    listening.close()


def test_the_worker_says_that_it_is_there_before_it_has_loaded_torch() -> None:
    code = (
        "import sys, json\n"
        "from engine.worker import app, main\n"
        "print(json.dumps(sorted({'torch', 'transformers', 'textual', 'realm_tui'} & set(sys.modules))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
