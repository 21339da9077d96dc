"""The whole way with real weights: a worker here, one behind a real SSH server, forms of a hatchling, and no engine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.inn import WORDS, build, places, road
from configs.paths import SaveFolder
from realm_tui.runtime.inn import crown
from realm_tui.runtime.inn.oracle import Wish, new_talk, put
from realm_tui.runtime.inn.reach import InnReach
from saves import ceremonies, ledger, oracle
from saves.database import open_save
from saves.oracle import Turn
from tests.inn.conftest import end_all

pytestmark = pytest.mark.full


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A realm of its own; whatever a test leaves running is ended."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_CONFIG_DIR", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield tmp_path
    for base in (tmp_path, tmp_path / "there"):
        end_all(base / "inn")


async def asked(reach: InnReach, folder: SaveFolder, form: str, place: str, most: int = 8) -> Turn:
    """A greedy answer of a form at a place."""
    (turn,) = await put(reach, folder, Wish(WORDS, (form,), place, new_talk(), max_tokens=most))
    assert isinstance(turn, Turn)
    return turn


async def test_forms_answer_here_and_over_ssh_alike_and_one_is_put_to_work_and_called_back(home: Path) -> None:
    folder = SaveFolder.named("main")
    folder.root.parent.mkdir(parents=True)
    first, second = build(folder, 2)
    with road(home / "sshd") as port:
        if port is None:
            pytest.skip("no OpenSSH server (sshd) is installed")
        assert places(home, home / "sshd", port) == ["arena", "inn"]
        reach = InnReach(folder)
        try:
            here = [await asked(reach, folder, form, "arena") for form in (first, second)]
            done = await crown.promote(reach, folder, first, "inn")
            assert done.sent_bytes > 0 and done.canary["digest"] == done.digest
            there = [await asked(reach, folder, form, "inn") for form in (first, second)]
            assert [t.answer for t in here] == [t.answer for t in there]
            assert [t.digest for t in here] == [t.digest for t in there]
            again = await crown.promote(reach, folder, second, "inn")
            assert again.before == first and again.sent_bytes == 0
            for worker in await reach.fleet.muster():
                if worker.box == "arena" and worker.pid is not None:
                    os.kill(worker.pid, signal.SIGKILL)
            assert (await asked(reach, folder, first, "arena")).answer == here[0].answer
            heard = asyncio.Event()
            wish = Wish(WORDS, (first,), "arena", new_talk(), max_tokens=400)
            task = asyncio.create_task(put(reach, folder, wish, on_piece=lambda *_: heard.set()))
            await heard.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            back = await crown.take_back(reach, folder, "inn")
            assert back["name"] == back["champion"] == first
        finally:
            for worker in await reach.fleet.muster():
                await reach.fleet.stop(worker.id)
            await reach.aclose()
    with closing(open_save(folder, write=False)) as conn:
        assert [c.state for c in ceremonies.ceremonies(conn)] == ["undone", "crowned"]
        assert ledger.find(conn, "champion").name == first
        newest, *others = oracle.newest_turns(conn, limit=9)
        assert (
            newest.finish == "stopped"
            and newest.answer
            and all(turn.strict and turn.error_code is None for turn in others)
        )
