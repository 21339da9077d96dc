"""Servers on another machine, behind a real SSH server: started there, asked from here, found again, and never left half done."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.sshd import Sshd
from configs.facilities import Facilities
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.runtime.inn import supervisor, sync
from realm_tui.runtime.inn.forms import Speaker
from realm_tui.runtime.inn.oracle import Ready
from realm_tui.runtime.inn.reach import InnReach
from realm_tui.runtime.inn.servers.contract import Answer, Ask, Sampling, ServerError
from realm_tui.runtime.inn.ssh import SshBox
from saves.checkpoint_folder import LEDGER_FILE, model_digest, sha256
from saves.database import create_save
from tests.inn.conftest import MakeForm, digest_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def inn(room: Path, vllm_there: Path) -> Facilities:
    """An Inn on the machine behind SSH, with the pretended vLLM."""
    path = os.pathsep.join((str(vllm_there), str(ROOT)))
    server = {"kind": "vllm", "python": sys.executable, "environment": {"PYTHONPATH": path}}
    return Facilities.model_validate(
        {
            "hosts": {"box": {"address": "127.0.0.1"}},
            "facilities": {"inn": {"type": "hub", "host": "box", "base_path": "~/realm", "server": server}},
        }
    )


@pytest.fixture
async def reach(save: SaveFolder, inn: Facilities, far: SshBox) -> AsyncIterator[InnReach]:
    found = InnReach(save, facilities=inn, open_box=lambda _: far)
    yield found
    await found.aclose()


def speaker(folder: Path) -> Speaker:
    return Speaker(folder.name, 10, digest_of(folder), folder)


async def said(ready: Ready, who: Speaker) -> Answer:
    ask = Ask(who.digest, prompt="x", sampling=Sampling(temperature=0, max_tokens=32))
    last = [part async for part in ready.server.ask(ask)][-1]
    assert isinstance(last, Answer)
    return last


async def test_a_form_works_on_another_machine_and_its_server_lives_on_while_that_cannot_be_reached(
    reach: InnReach, far: SshBox, sshd: Sshd, form: MakeForm
) -> None:
    first, second = speaker(form("checkpoint-1-a", seed=1)), speaker(form("checkpoint-2-b", seed=2))
    brought = await reach.bring("inn", first)
    assert brought.sent_bytes > 0 and (await reach.bring("inn", first)).sent_bytes == 0
    ready = await reach.ready("inn", first)
    assert (await said(ready, first)).digest == first.digest
    ready = await reach.ready("inn", second, displace=True)
    assert (await said(ready, second)).digest == second.digest
    kept = {each.digest: each.in_use for each in await sync.forms(far)}
    assert kept[second.digest]
    (worker,) = await reach.fleet.muster()
    assert (worker.state, worker.digest) == ("up", second.digest)
    sshd.stop()
    (worker,) = await reach.fleet.muster()
    assert (worker.state, bool(worker.why)) == ("unreachable", True)
    assert worker.pid is not None and Path(f"/proc/{worker.pid}").exists()
    assert [each.state for each in await reach.fleet.renew()] == ["unreachable"]


async def test_a_cut_line_is_named_and_the_same_server_answers_again_afterwards(
    reach: InnReach, sshd: Sshd, form: MakeForm
) -> None:
    who = speaker(form(seed=1))
    ready = await reach.ready("inn", who)
    before = reach.fleet.worker("inn-vllm").pid
    sshd.signal_sessions(signal.SIGKILL)
    try:
        first = await said(ready, who)
    except ServerError as error:
        assert error.error_class in ("transport", "connection_refused")
        first = await said(await reach.ready("inn", who), who)
    assert first.digest == who.digest
    assert reach.fleet.worker("inn-vllm").pid == before


async def test_two_realms_on_one_machine_have_servers_of_their_own(
    reach: InnReach, far: SshBox, form: MakeForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inn: Facilities
) -> None:
    first, second = speaker(form("checkpoint-1-a", seed=1)), speaker(form("checkpoint-2-b", seed=2))
    await reach.ready("inn", first)
    mine = reach.fleet.worker("inn-vllm").pid
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "other"))
    folder = SaveFolder(tmp_path / "other" / "saves" / "main")
    create_save(folder, load_hero("pip"), seed=2)
    other = InnReach(folder, facilities=inn, open_box=lambda _: far)
    assert (await said(await other.ready("inn", second), second)).digest == second.digest
    theirs = other.fleet.worker("inn-vllm").pid
    assert theirs != mine and len(await supervisor.servers(far)) == 2
    await other.fleet.stop("inn-vllm")
    assert Path(f"/proc/{mine}").exists()


@pytest.mark.full
async def test_a_small_machine_without_a_card_answers_with_the_realms_own_worker(
    save: SaveFolder, far: SshBox, tmp_path: Path
) -> None:
    from engine.hero.model import save_folder
    from tests.model.heroes import hatchling, unsettle

    hero, folder = hatchling(), tmp_path / "checkpoint-1-20260101-0000"
    unsettle(hero, 1)
    save_folder(hero, hero.weights(), folder)
    files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    digest = model_digest(files)
    (folder / LEDGER_FILE).write_text(json.dumps({"version": 1, "step": 1, "files": files, "digest": digest}))
    who = Speaker(folder.name, 1, digest, folder)
    server = {"kind": "own", "python": sys.executable, "environment": {"PYTHONPATH": str(ROOT)}}
    outpost = Facilities.model_validate(
        {
            "hosts": {"box": {"address": "127.0.0.1"}},
            "facilities": {"post": {"type": "outpost", "host": "box", "base_path": "~/realm", "server": server}},
        }
    )
    reach = InnReach(save, facilities=outpost, open_box=lambda _: far)
    ready = await reach.ready("post", who)
    answered = await said(ready, who)
    assert answered.digest == digest and answered.tokens
    (worker,) = await reach.fleet.muster()
    assert (worker.id, worker.state, worker.detail["forms"]) == ("post-own", "up", [digest])
    await reach.fleet.stop("post-own")
    await reach.aclose()
