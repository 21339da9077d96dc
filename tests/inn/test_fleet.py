"""Servers are started, met again, looked at and ended; a form gets to the one that shall answer with it, or it is said why not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from configs.errors import BlockedError, RealmError, UsageError
from configs.facilities import Facilities
from configs.paths import SaveFolder
from realm_tui.runtime.inn import reach as reach_module
from realm_tui.runtime.inn import supervisor
from realm_tui.runtime.inn.forms import Speaker
from realm_tui.runtime.inn.oracle import Ready
from realm_tui.runtime.inn.reach import InnReach
from realm_tui.runtime.inn.servers.commands import Held
from realm_tui.runtime.inn.servers.contract import (
    Answer,
    Ask,
    FormDamagedError,
    Health,
    Sampling,
    ServerError,
    ServerSilentError,
)
from realm_tui.runtime.inn.turns import seat
from saves import places
from saves.checkpoint_folder import sha256
from saves.database import open_save
from saves.workers import Worker
from tests.inn.conftest import MakeForm, digest_of, end_all
from tests.inn.fake_others import FakePlain
from tests.inn.fake_vllm import FakeVllm
from tests.inn.forms_there import form as there
from tests.inn.pretended import serving

ROOT = Path(__file__).parents[2]


@pytest.fixture
def places_here(room: Path, vllm_there: Path) -> Iterator[Facilities]:
    """An Inn with vLLM and a study with somebody's endpoint, both on this machine."""
    path = os.pathsep.join((str(vllm_there), str(ROOT)))
    inn = {
        "type": "hub",
        "base_path": str(room / "inn"),
        "server": {"kind": "vllm", "python": sys.executable, "environment": {"PYTHONPATH": path}},
    }
    study = {
        "type": "laboratory",
        "base_path": str(room / "study"),
        "server": {"kind": "openai", "endpoint": str(room / "s")},
    }
    bare = {"type": "outpost", "base_path": str(room / "bare"), "server": {"kind": "sglang"}}
    yield Facilities.model_validate({"facilities": {"inn": inn, "study": study, "bare": bare}})
    end_all(room / "inn" / "inn")


@asynccontextmanager
async def reaching(save: SaveFolder, places_here: Facilities) -> AsyncIterator[InnReach]:
    reach = InnReach(save, facilities=places_here)
    try:
        yield reach
    finally:
        await reach.aclose()


def speaker(folder: Path) -> Speaker:
    return Speaker(folder.name, 10, digest_of(folder), folder)


async def said(ready: Ready, who: Speaker) -> Answer:
    ask = Ask(who.digest, prompt="x", sampling=Sampling(temperature=0, max_tokens=32))
    last = [part async for part in ready.server.ask(ask)][-1]
    assert isinstance(last, Answer)
    return last


async def test_a_form_is_brought_started_with_swapped_and_met_again_by_another_process(
    save: SaveFolder, places_here: Facilities, form: MakeForm
) -> None:
    first, second = speaker(form("checkpoint-1-a", seed=1)), speaker(form("checkpoint-2-b", seed=2))
    async with reaching(save, places_here) as reach:
        ready = await reach.ready("inn", first)
        assert (await said(ready, first)).digest == first.digest
        (worker,) = await reach.fleet.muster()
        assert (worker.id, worker.state, worker.digest, worker.strict) == ("inn-vllm", "up", first.digest, True)
        with pytest.raises(BlockedError) as taken:
            await reach.ready("inn", second)
        assert taken.value.code == "SERVER_TAKEN"
        ready = await reach.ready("inn", second, displace=True)
        assert (await said(ready, second)).digest == second.digest
        pid = worker.pid
    async with reaching(save, places_here) as later:
        (worker,) = await later.fleet.muster()
        assert (worker.pid, worker.state, worker.digest) == (pid, "up", second.digest)
        assert set(worker.detail["prints"]) == {first.digest, second.digest}
        assert (await said(await later.ready("inn", second), second)).digest == second.digest
        with pytest.raises(ServerError) as cannot:
            await later.fleet.sleep("inn-vllm")
        assert cannot.value.code == "SERVER_CANNOT"
        with closing(open_save(save, write=False)) as conn:
            known = {each.digest: each.state for each in conn_places(conn)}
        assert known == {first.digest: "whole", second.digest: "whole"}
        stopped = await later.fleet.stop("inn-vllm")
        assert stopped.state == "stopped" and pid is not None and not Path(f"/proc/{pid}/cmdline").exists()
        assert [each.state for each in await later.fleet.muster()] == ["stopped"]


def conn_places(conn: Any) -> list[places.Place]:
    from saves.rows import read

    return [read(places.Place, row) for row in conn.execute("SELECT * FROM checkpoint_places").fetchall()]


async def test_a_server_that_gave_its_card_back_wakes_with_the_next_question(
    save: SaveFolder, places_here: Facilities, form: MakeForm
) -> None:
    body = places_here.model_dump(mode="json")
    body["facilities"]["inn"]["resources"] = [{"id": "gpu0", "type": "gpu"}]
    who = speaker(form(seed=1))
    async with reaching(save, Facilities.model_validate(body)) as reach:
        await reach.ready("inn", who)
        asleep = await reach.fleet.sleep("inn-vllm")
        assert asleep.state == "sleeping"
        assert (await said(await reach.ready("inn", who), who)).digest == who.digest
        assert (await reach.fleet.wake("inn-vllm")).state == "up"


async def test_a_form_with_another_tokenizer_gets_a_server_started_anew_and_only_when_it_may_displace(
    save: SaveFolder, places_here: Facilities, form: MakeForm
) -> None:
    first = speaker(form("checkpoint-1-a", seed=1))
    other = speaker(form("checkpoint-2-b", seed=2, tokenizer="other"))
    async with reaching(save, places_here) as reach:
        await reach.ready("inn", first)
        pid = reach.fleet.worker("inn-vllm").pid
        told: list[str] = []
        ready = await reach.ready("inn", other, displace=True, tell=told.append)
        assert (await said(ready, other)).digest == other.digest
        assert reach.fleet.worker("inn-vllm").pid != pid
        assert any("tokenizer.json" in line for line in told)


async def test_a_form_that_answers_questions_is_not_swapped_by_another_process(
    save: SaveFolder, places_here: Facilities, form: MakeForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach_module, "SEATS_S", 0.0)
    first, second = speaker(form("checkpoint-1-a", seed=1)), speaker(form("checkpoint-2-b", seed=2))
    other = speaker(form("checkpoint-3-c", seed=3, tokenizer="other"))
    async with reaching(save, places_here) as reach, reaching(save, places_here) as elsewhere:
        ready = await reach.ready("inn", first)
        leave = seat("inn")
        assert leave is not None
        for displacing in (second, other):  # by a swap, and by a start anew
            with pytest.raises(BlockedError) as busy:
                await elsewhere.ready("inn", displacing, displace=True)
            assert busy.value.code == "SERVER_BUSY"
        assert (await said(ready, first)).digest == first.digest
        leave()
        ready = await elsewhere.ready("inn", second, displace=True)
        assert (await said(ready, second)).digest == second.digest


async def test_a_server_known_to_be_broken_stays_so_and_is_started_anew_when_it_is_needed(
    save: SaveFolder, places_here: Facilities, form: MakeForm
) -> None:
    first = speaker(form(seed=1))
    async with reaching(save, places_here) as reach:
        await reach.ready("inn", first)
        worker = reach.fleet.worker("inn-vllm")
        await reach.fleet.mark(worker, "broken", "the swap failed")
        (looked,) = await reach.fleet.muster()
        assert (looked.state, looked.why) == ("broken", "the swap failed")
        ready = await reach.ready("inn", first, displace=True)
        assert (await said(ready, first)).digest == first.digest
        again = reach.fleet.worker("inn-vllm")
        assert again.state == "up" and again.pid != worker.pid


def lives(pid: int) -> bool:
    """Whether a process has not ended yet; one that nobody has waited for has no command line any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_server_that_was_killed_is_a_named_state_and_comes_back_with_the_next_question(
    save: SaveFolder, places_here: Facilities, form: MakeForm
) -> None:
    first = speaker(form(seed=1))
    async with reaching(save, places_here) as reach:
        await reach.ready("inn", first)
        pid = reach.fleet.worker("inn-vllm").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while lives(pid):
            os.sched_yield()
        (looked,) = await reach.fleet.muster()
        assert looked.state != "up"
        async with asyncio.timeout(20):
            while looked.state not in ("ended", "stopped"):  # its supervisor may not have noticed yet
                (looked,) = await reach.fleet.muster()
        assert looked.pid != pid
        assert (await said(await reach.ready("inn", first, displace=True), first)).digest == first.digest


async def test_a_server_that_cannot_start_is_told_with_its_own_last_words(
    save: SaveFolder, places_here: Facilities, vllm_there: Path, form: MakeForm
) -> None:
    server = vllm_there / "vllm" / "entrypoints" / "openai" / "api_server.py"
    server.write_text("raise SystemExit('no card with enough memory')\n")
    async with reaching(save, places_here) as reach:
        with pytest.raises(RealmError) as refused:
            await reach.ready("inn", speaker(form()))
        assert refused.value.code == "SERVER_ENDED" and "no card with enough memory" in refused.value.why
        assert "no card with enough memory" in (await reach.fleet.logs("inn-vllm"))[-1]
        assert reach.fleet.worker("inn-vllm").state == "ended"


async def test_what_is_not_installed_is_said_before_anything_is_started(
    save: SaveFolder, places_here: Facilities, form: MakeForm
) -> None:
    async with reaching(save, places_here) as reach:
        with pytest.raises(BlockedError) as refused:
            await reach.ready("bare", speaker(form()))
        assert refused.value.code == "SERVER_NOT_INSTALLED" and "host setup" in refused.value.fix
        assert await reach.fleet.muster() == []


async def test_somebody_elses_endpoint_is_adopted_asked_and_never_ended(
    save: SaveFolder, places_here: Facilities, room: Path, form: MakeForm
) -> None:
    who = speaker(form())
    async with reaching(save, places_here) as reach, serving(FakePlain().app, str(room / "s")):
        ready = await reach.ready("study", who)
        assert not ready.server.strict and (await said(ready, who)).digest is None
        (worker,) = await reach.fleet.muster()
        assert (worker.id, worker.origin, worker.strict, worker.state) == ("study-openai", "adopted", False, "up")
        with pytest.raises(BlockedError):
            await reach.fleet.logs("study-openai")
        await reach.fleet.stop("study-openai")
        assert await reach.fleet.muster() == []
        assert (await said(await reach.ready("study", who), who)).text


async def test_a_running_server_is_adopted_only_when_it_serves_a_form(
    save: SaveFolder, places_here: Facilities, room: Path
) -> None:
    strange = room / "strange"
    strange.mkdir()
    (strange / "model.safetensors").write_text("x")
    known = there(room, "one")
    async with reaching(save, places_here) as reach:
        async with serving(FakeVllm(str(strange), "some-model").app, str(room / "a")):
            with pytest.raises(RealmError) as refused:
                await reach.fleet.adopt("inn", str(room / "a"))
            assert refused.value.code == "NOT_ADOPTED" and "no form of ours" in refused.value.why
            assert await reach.fleet.muster() == []
        async with serving(FakeVllm(str(known.folder), f"realm@{known.digest}").app, str(room / "b")):
            worker = await reach.fleet.adopt("inn", str(room / "b"), name="old-one")
            assert (worker.digest, worker.state) == (known.digest, "up")
            assert (await reach.fleet.start("inn")).id == "old-one"
        (gone,) = await reach.fleet.muster()
        assert (gone.id, gone.state) == ("old-one", "gone")


async def test_a_stranger_is_not_taken_for_our_own_worker_nor_asked_in_the_place_of_one_that_proves(
    save: SaveFolder, places_here: Facilities, form: MakeForm, room: Path
) -> None:
    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": "some-model"}]})

    stranger = Starlette(routes=[Route("/health", health), Route("/v1/models", models)])
    async with reaching(save, places_here) as reach, serving(stranger, str(room / "a")):
        with pytest.raises(RealmError) as refused:
            await reach.fleet.adopt("inn", str(room / "a"), kind="own")
        assert refused.value.code == "NOT_ADOPTED" and "some-model" in refused.value.why
    async with reaching(save, places_here) as reach, serving(FakePlain().app, str(room / "s")):
        assert not (await reach.fleet.adopt("inn", str(room / "s"), name="plain", kind="openai")).strict
        ready = await reach.ready("inn", speaker(form()))
        assert ready.server.strict and ready.worker == "inn-vllm"


async def test_a_frozen_worker_of_our_own_is_told_and_not_waited_for(
    save: SaveFolder, places_here: Facilities, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frozen:
        async def health(self) -> Health:
            await asyncio.sleep(0.01)
            return Health("loading", "it was silent", silent=True)

    async def connect(_: Worker) -> Frozen:
        return Frozen()

    async with reaching(save, places_here) as reach:
        fleet = reach.fleet
        fleet.rules = fleet.rules.model_copy(
            update={"server": fleet.rules.server.model_copy(update={"health_s": 0.001})}
        )
        monkeypatch.setattr(fleet.ways, "connect", connect)
        worker = Worker(
            id="inn-own",
            box="inn",
            kind="own",
            strict=True,
            address=str(room),
            origin="started",
            state="up",
            created_at=0.0,
        )
        monkeypatch.setattr(fleet, "_row", lambda *_: worker)
        monkeypatch.setattr(supervisor, "find", lambda *_: asyncio.sleep(0, result=True))
        with pytest.raises(ServerSilentError) as silent:
            await fleet.start("inn")
        assert "realm worker stop inn-own" in silent.value.fix
        assert fleet.worker("inn-own").state == "loading" and fleet.worker("inn-own").seen_at is None


async def test_a_worker_of_a_place_that_is_no_more_is_forgotten(
    save: SaveFolder, places_here: Facilities, form: MakeForm
) -> None:
    async with reaching(save, places_here) as reach:
        await reach.ready("inn", speaker(form()))
    fewer = places_here.model_copy(update={"facilities": {"bare": places_here.facilities["bare"]}})
    async with reaching(save, fewer) as later:
        assert [each.state for each in await later.fleet.muster()] == ["unreachable"]
        await later.fleet.stop("inn-vllm")
        assert await later.fleet.muster() == []


async def test_a_form_that_was_damaged_at_its_place_is_brought_anew(
    save: SaveFolder, places_here: Facilities, form: MakeForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, told = speaker(form()), list[str]()
    async with reaching(save, places_here) as reach:
        directory = Path((await reach.bring("inn", who)).path)
        there = directory / "model.safetensors"
        there.chmod(0o600)
        there.write_bytes(bytes(there.stat().st_size))

        async def taken(worker: Worker, held: Held, **_: object) -> Worker:
            if sha256(there) != sha256(who.folder / there.name):
                raise FormDamagedError(worker.id, held.digest, "model.safetensors differs")
            return worker

        async def started(*_: object, **__: object) -> Worker:
            return Worker(
                id="inn-vllm",
                box="inn",
                kind="vllm",
                strict=True,
                address=str(there),
                origin="started",
                state="up",
                created_at=0.0,
            )

        monkeypatch.setattr(reach, "_taken", taken)
        monkeypatch.setattr(reach.fleet, "start", started)
        await reach.ready("inn", who, tell=told.append)
        assert sha256(there) == sha256(who.folder / there.name) and any("damaged" in line for line in told)

        async def never(worker: Worker, held: Held, **_: object) -> Worker:
            raise FormDamagedError(worker.id, held.digest, "it says so")

        monkeypatch.setattr(reach, "_taken", never)
        with pytest.raises(FormDamagedError):
            await reach.ready("inn", who)


async def test_names_that_nobody_has_and_places_without_a_server_are_refused_by_name(
    save: SaveFolder, places_here: Facilities
) -> None:
    async with reaching(save, places_here) as reach:
        fleet = reach.fleet
        refusals: list[tuple[Callable[[], Awaitable[object]], str]] = [
            (lambda: fleet.stop("nobody"), "UNKNOWN_WORKER"),
            (lambda: fleet.start("nowhere"), "UNKNOWN_FACILITY"),
            (lambda: fleet.start("inn"), "NO_FORM_GIVEN"),
            (lambda: fleet.adopt("inn"), "BAD_ADDRESS"),
            (lambda: fleet.adopt("inn", "http://10.0.0.1:8000"), "BAD_ADDRESS"),
        ]
        for attempt, code in refusals:
            with pytest.raises(UsageError) as refused:
                await attempt()
            assert refused.value.code == code
