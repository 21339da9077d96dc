"""Many forms, little memory, many askers: what is kept, what goes, who waits, and that a fault stays with those it befell."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

import engine.worker.batch
import engine.worker.loading
from engine.generate import next_logits
from engine.hero.loading import load_folder
from engine.worker import bench
from engine.worker.batch import Batch
from engine.worker.forms import Form
from engine.worker.loading import Loaded, Loader
from tests.worker.inns import Running, pip_in, serving


async def loaded(worker: Running) -> list[int]:
    """Steps of the forms in memory."""
    listed = (await worker.client.get("/v1/models")).json()["data"]
    return sorted(m["realm"]["step"] for m in listed if m["loaded"])


async def test_the_form_that_was_not_asked_for_longest_makes_room(tmp_path: Path) -> None:
    store = tmp_path / "store"
    a, b, c = (pip_in(store, tmp_path / f"{n}", seed=n, step=n) for n in (1, 2, 3))
    async with serving(store) as worker:
        await worker.chat(a, max_tokens=1)
        size = worker.serving.shelf.used_bytes
        worker.serving.shelf.budget = int(2.5 * size)
        first = await worker.chat(a, max_tokens=8, temperature=0)
        await worker.chat(b, max_tokens=1)
        await worker.chat(a, max_tokens=1)
        await worker.chat(c, max_tokens=1)
        assert await loaded(worker) == [1, 3]
        await worker.chat(b, max_tokens=1)
        assert await loaded(worker) == [2, 3]
        again = await worker.chat(a, max_tokens=8, temperature=0)
        assert again["choices"] == first["choices"]
        assert worker.serving.shelf.used_bytes <= worker.serving.shelf.budget
        assert (await worker.client.get("/health")).json()["bytes"] == worker.serving.shelf.used_bytes


async def test_a_form_larger_than_the_budget_is_refused_and_nothing_goes_for_it(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store", memory_gb=0.001) as worker:
        body = {"model": f"realm@{digest}", "prompt": "x", "max_tokens": 1}
        reply = await worker.post("/v1/completions", body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (507, "WORKER_MEMORY")


async def test_while_one_form_loads_health_and_other_forms_answer_and_two_who_want_it_load_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    ready, slow = pip_in(store, tmp_path / "a"), pip_in(store, tmp_path / "b", seed=2, step=200)
    go, entered, loads = threading.Event(), threading.Event(), list[str]()
    load = Loader.load

    def gated(self: Loader, form: Form) -> Loaded:
        loads.append(form.digest)
        if form.digest == slow:
            entered.set()
            assert go.wait(60)
        return load(self, form)

    monkeypatch.setattr(Loader, "load", gated)
    async with serving(store) as worker:
        await worker.chat(ready, max_tokens=1)
        waiting = [asyncio.create_task(worker.chat(slow, max_tokens=1)) for _ in range(2)]
        await asyncio.to_thread(entered.wait, 30)
        health = (await worker.client.get("/health")).json()
        assert (health["status"], health["loading"]) == ("ok", [slow])
        assert (await worker.chat(ready, max_tokens=2))["model"] == f"realm@{ready}"
        assert not any(task.done() for task in waiting)
        go.set()
        for task in waiting:
            assert (await task)["model"] == f"realm@{slow}"
    assert loads.count(slow) == 1


class Gate:
    """Holds the decoding thread between two tokens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.reached = threading.Event(), threading.Event()
        self.batches: list[int] = []
        step = Batch.step

        def gated(batch: Batch) -> None:
            self.batches.append(len(batch.rows))
            self.reached.set()
            assert self.open.wait(60)
            step(batch)

        monkeypatch.setattr(Batch, "step", gated)

    async def wait(self) -> None:
        """Until the thread stands at the gate."""
        await asyncio.to_thread(self.reached.wait, 30)


async def test_a_form_that_answers_is_not_unloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    gate = Gate(monkeypatch)
    async with serving(tmp_path / "store") as worker:
        asked = asyncio.create_task(worker.complete(digest, "abc", max_tokens=4, temperature=0))
        await gate.wait()
        reply = await worker.post("/v1/unload", {"model": f"realm@{digest}"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "FORM_IN_USE")
        gate.open.set()
        await asked
        assert (await worker.post("/v1/unload", {"model": f"realm@{digest}"})).json()["unloaded"] is True
        assert (await worker.post("/v1/unload", {"model": f"realm@{digest}"})).json()["unloaded"] is False


async def test_who_hangs_up_is_decoded_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    gate = Gate(monkeypatch)
    async with serving(tmp_path / "store") as worker:
        body = {"model": f"realm@{digest}", "prompt": "abc", "max_tokens": 400, "temperature": 1, "n": 5}
        transport = httpx2.AsyncHTTPTransport(uds=str(worker.socket))
        async with httpx2.AsyncClient(transport=transport, base_url="http://worker") as hasty:
            whole = asyncio.create_task(hasty.post("/v1/completions", json=body))
            await gate.wait()
            whole.cancel()
            await asyncio.gather(whole, return_exceptions=True)
            async with hasty.stream("POST", "/v1/completions", json={**body, "stream": True}) as reply:
                assert reply.status_code == 200
        while worker.serving.shelf.held[digest].users:
            await asyncio.sleep(0)
        gate.open.set()
        asked = await worker.complete(digest, "abc", max_tokens=1)
        assert asked["choices"][0]["finish_reason"]
        while worker.serving.bench.busy != (0, 0):
            await asyncio.sleep(0)
    assert len(gate.batches) < 10


async def test_a_question_need_not_wait_behind_an_exam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    gate = Gate(monkeypatch)
    async with serving(tmp_path / "store", batch=2) as worker:
        exam = asyncio.create_task(worker.complete(digest, [[65, 66]] * 40, max_tokens=12, temperature=1.5, seed=1))
        await gate.wait()
        question = asyncio.create_task(worker.complete(digest, [[65, 66]], max_tokens=2))
        while worker.serving.bench.busy[1] < 39:
            await asyncio.sleep(0)
        gate.open.set()
        await question
        assert not exam.done()
        assert len((await exam)["choices"]) == 40
    assert max(gate.batches) <= 3


async def test_too_many_are_sent_away_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    monkeypatch.setattr(bench, "WAITING", 3)
    async with serving(tmp_path / "store") as worker:
        body = {"model": f"realm@{digest}", "prompt": "x", "max_tokens": 1, "n": 4}
        reply = await worker.post("/v1/completions", body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "WORKER_BUSY")
        assert reply.headers["retry-after"]
        assert len((await worker.complete(digest, "x", max_tokens=1, n=3))["choices"]) == 3


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fault_in_decoding_is_told_to_those_it_befell_and_the_worker_goes_on(
    stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    real = next_logits

    def broken(*args: Any) -> Any:
        raise MemoryError("no room for keys and values")

    async with serving(tmp_path / "store") as worker:
        before = await worker.complete(digest, "abc", temperature=0, max_tokens=6)
        monkeypatch.setattr(engine.worker.batch, "next_logits", broken)
        body = {"model": f"realm@{digest}", "prompt": ["abc", "d"], "max_tokens": 6}
        if stream:
            events = await worker.events("/v1/completions", body)
            assert events[-1]["error"]["code"] == "WORKER_FAILED", "and no [DONE] behind it"
        else:
            reply = await worker.post("/v1/completions", body)
            assert (reply.status_code, reply.json()["error"]["code"]) == (500, "WORKER_FAILED")
            assert "no room for keys" in reply.json()["error"]["why"]
        monkeypatch.setattr(engine.worker.batch, "next_logits", real)
        again = await worker.complete(digest, "abc", temperature=0, max_tokens=6)
        assert again["choices"] == before["choices"]
        assert (await worker.client.get("/health")).json()["status"] == "ok"


async def test_a_fault_in_loading_is_told_and_the_next_attempt_may_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    real = load_folder

    def broken(*args: Any) -> Any:
        raise MemoryError

    async with serving(tmp_path / "store") as worker:
        monkeypatch.setattr(engine.worker.loading, "load_folder", broken)
        reply = await worker.post("/v1/load", {"model": f"realm@{digest}"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (500, "WORKER_FAILED")
        monkeypatch.setattr(engine.worker.loading, "load_folder", real)
        assert (await worker.post("/v1/load", {"model": f"realm@{digest}"})).json()["loaded"] is True
