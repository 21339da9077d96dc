"""Boxes and forms for the Inn's tests. Nothing here leaves the loopback."""

from __future__ import annotations

import getpass
import hashlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.sshd import NoSshdError, Sshd, make_sshd
from configs.facilities import Host
from configs.loader import load_game, load_hero
from configs.paths import SaveFolder
from realm_tui.runtime.inn import pins
from realm_tui.runtime.inn.box import LocalBox
from realm_tui.runtime.inn.ssh import SshBox
from saves.checkpoint_folder import LEDGER_FILE, model_digest
from saves.database import create_save
from tests.inn.small_server import SmallServer

MakeForm = Callable[..., Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A realm of its own."""
    found = tmp_path / "home"
    monkeypatch.setenv("REALM_HOME", str(found))
    return found


@pytest.fixture
def here(tmp_path: Path) -> Iterator[LocalBox]:
    """This machine as a box; whatever a test leaves running there is ended."""
    box = LocalBox("arena", tmp_path / "base")
    yield box
    end_all(tmp_path / "base" / "inn")


def end_all(inn: Path) -> None:
    """End every process of every server below a folder of the Inn."""
    from realm_tui.runtime.inn.there import processes

    for folder in (inn / "run").glob("*") if (inn / "run").is_dir() else ():
        state = folder / "state.json"
        if state.is_file():
            found = json.loads(state.read_text(encoding="utf-8"))
            if processes.lives(found["supervisor"], found["boot_id"]):
                processes.end(str(folder), found["supervisor"]["pid"], 0.5)
        processes.end(str(folder), None, 0.5)


@pytest.fixture
def form(tmp_path: Path) -> MakeForm:
    """Makes checkpoints: plain folders with a ledger, their weights from a seed."""

    def make(
        name: str = "checkpoint-10-20260101-0000", *, size: int = 300_000, seed: int = 0, tokenizer: str = "a"
    ) -> Path:
        folder = tmp_path / "checkpoints" / name
        (folder / "trainer").mkdir(parents=True)
        block = hashlib.sha256(f"{name}{seed}".encode()).digest()
        contents = {
            "model.safetensors": (block * (size // 32 + 1))[:size],
            "config.json": b"{}",
            "tokenizer.json": json.dumps({"it": tokenizer}).encode(),
            "trainer/state.json": b"{}",
        }
        for file, data in contents.items():
            (folder / file).write_bytes(data)
        files = {file: hashlib.sha256(data).hexdigest() for file, data in contents.items()}
        sidecar = {"version": 1, "step": 10, "files": files, "digest": model_digest(files)}
        (folder / LEDGER_FILE).write_text(json.dumps(sidecar), encoding="utf-8")
        return folder

    return make


def digest_of(folder: Path) -> str:
    """The digest a checkpoint's ledger names."""
    return str(json.loads((folder / LEDGER_FILE).read_text(encoding="utf-8"))["digest"])


@pytest.fixture
def room() -> Iterator[Path]:
    """A private folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="realm-") as folder:
        yield Path(folder)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A real SSH server."""
    try:
        found = make_sshd(tmp_path / "sshd")
    except NoSshdError as reason:
        pytest.skip(str(reason))
    yield found
    found.stop()


@pytest.fixture
async def far(sshd: Sshd, tmp_path: Path) -> AsyncIterator[SshBox]:
    """A machine behind a real SSH server, its key confirmed."""
    pins.confirm("box", pins.parse(sshd.public_host_key))
    box = far_box(sshd.port, sshd.key, tmp_path / "far")
    yield box
    await box.close()
    end_all(tmp_path / "far" / "inn")


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SshBox]:
    """A machine behind the small server, its key confirmed."""
    server = SmallServer(tmp_path / "small")
    await server.start()
    pins.confirm("box", pins.parse(server.public_host_key))
    box = far_box(server.port, server.key, tmp_path / "far")
    yield box
    await box.close()
    await server.stop()
    end_all(tmp_path / "far" / "inn")


def far_box(port: int, key: Path, base: Path, *, user: str = "", **link: float) -> SshBox:
    """A box on the loopback; ``link`` are rules of the line."""
    host = Host(
        address="127.0.0.1", port=port, user=user or getpass.getuser(), keys=(str(key),), agent=False, ssh_config=False
    )
    quick = {
        "connect_s": 5.0,
        "backoff_first_s": 0.1,
        "backoff_most_s": 0.5,
        "keepalive_s": 1.0,
        "keepalive_count": 2,
        **link,
    }
    rules = load_game({"inn": {"link": quick, "sync": {"reserve_gb": 0}}}).inn
    return SshBox("inn", "box", host, str(base), rules=rules, python=sys.executable)


@pytest.fixture
def save(home: Path) -> SaveFolder:
    """A save without any form."""
    folder = SaveFolder(home / "saves" / "main")
    create_save(folder, load_hero("pip"), seed=1)
    return folder


@pytest.fixture
def vllm_there(room: Path) -> Path:
    """A folder for ``PYTHONPATH`` in which there is a package called vllm: the pretended one, started as the real one is."""
    package = room / "site" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "api_server.py").write_text("from tests.inn.fake_vllm import main\n\nmain()\n")
    return room / "site"
