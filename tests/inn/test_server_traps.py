"""What servers are known to do wrong, and that none of it ever passes for a form's answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from configs.errors import UsageError
from realm_tui.runtime.inn.servers.contract import (
    Answer,
    Ask,
    AskRefusedError,
    FormDamagedError,
    FormMissingError,
    InferenceError,
    Message,
    ModelMismatchError,
    Patience,
    Sampling,
    Server,
    ServerBrokenError,
    ServerError,
    ServerLostError,
    ServerSilentError,
    digest_of,
    served_name,
)
from realm_tui.runtime.inn.servers.own import OwnServer
from realm_tui.runtime.inn.servers.sglang import SglangServer
from realm_tui.runtime.inn.servers.vllm import VllmServer
from realm_tui.runtime.inn.servers.weights import RestartNeededError
from realm_tui.runtime.inn.servers.wire import Wire
from tests.inn.fake_others import FakeOwn, FakeSglang
from tests.inn.fake_vllm import FakeVllm
from tests.inn.forms_there import There, form
from tests.inn.pretended import serving
from tests.inn.reaching import read_there, wire

GREEDY = Sampling(temperature=0, max_tokens=32)


async def said(server: Server, digest: str, prompt: str = "x", sampling: Sampling = GREEDY) -> Answer:
    last = [part async for part in server.ask(Ask(digest, prompt=prompt, sampling=sampling))][-1]
    assert isinstance(last, Answer)
    return last


def vllm(room: Path, model: There, **more: object) -> FakeVllm:
    return FakeVllm(str(model.folder), served_name(model.digest), **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- vLLM


async def test_a_server_just_started_with_a_form_answers_as_it_without_a_swap(room: Path) -> None:
    first = form(room, "one")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        assert (await said(server, first.digest)).digest == first.digest
        assert await server.take(str(first.folder), first.digest, None) == first.digest
        assert "reload_weights" not in fake.calls and fake.label == first.digest
        await server.aclose()


async def test_no_old_state_is_left_in_the_answers_after_a_swap(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        await said(server, first.digest, "a long shared prompt")
        await server.take(str(second.folder), second.digest, None)
        after = await said(server, second.digest, "a long shared prompt")
        assert fake.calls == ["pause", "reload_weights", "resume"]
        await server.aclose()
    fresh = vllm(room, second)
    async with serving(fresh.app, str(room / "fresh")):
        server = VllmServer(Wire(str(room / "fresh"), label="fresh", patience=Patience()))
        assert (await said(server, second.digest, "a long shared prompt")).text == after.text
        await server.aclose()


async def test_a_server_whose_reload_failed_is_never_asked_again_though_it_calls_itself_healthy(room: Path) -> None:
    first = form(room, "one")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server, other = VllmServer(wire(room)), VllmServer(wire(room))
        with pytest.raises(ServerBrokenError) as broken:
            await server.take(str(room / "nowhere"), "e" * 64, None)
        assert "reload failed" in broken.value.why and "start" in broken.value.fix
        before = len(fake.asked)
        with pytest.raises(ServerBrokenError):
            await said(server, first.digest)
        assert (await server.health()).state == "broken"
        # Who meets it without knowing what happened does not take it for healthy either, and does not kill it by asking.
        assert (await other.health()).state == "loading"
        assert len(fake.asked) == before and not fake.dead
        await server.aclose()
        await other.aclose()


async def test_a_swap_that_was_left_half_done_is_found_and_nothing_of_it_is_trusted(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two")
    fake = vllm(room, first)
    fake.label, fake.weights = first.digest, "half"
    fake.running.clear()
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(Wire(str(room / "s"), label="the Inn", patience=Patience(health_s=0.2)))
        assert (await server.health()).paused
        for wanted in (first, second):
            with pytest.raises(ServerBrokenError):
                await server.take(str(wanted.folder), wanted.digest, None)
        assert fake.asked == []
        await server.aclose()


async def test_a_server_that_answers_health_but_not_chat_is_broken(room: Path) -> None:
    fake = vllm(room, form(room, "one"))
    fake.weights = None
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        health = await server.health()
        assert health.state == "broken" and "cannot chat" in health.why and health.fix
        await server.aclose()


async def test_the_served_name_alone_proves_nothing_after_a_swap(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        await server.take(str(second.folder), second.digest, None)
        assert fake.name == served_name(first.digest)
        with pytest.raises(FormMissingError):
            await said(server, first.digest)
        assert [each.digest for each in await server.models()] == [second.digest]
        await server.aclose()


@pytest.mark.parametrize("version", ["0.32", "0.33"])
async def test_a_swap_by_somebody_else_during_an_answer_voids_the_answer(room: Path, version: str) -> None:
    first = form(room, "one")
    fake = vllm(room, first, version=version)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        await server.take(str(first.folder), first.digest, None)
        pieces: list[str | Answer] = []
        with pytest.raises(ModelMismatchError) as refused:
            async for piece in server.ask(Ask(first.digest, prompt="x", sampling=GREEDY)):
                pieces.append(piece)
                fake.label = "e" * 64
        assert "swapped" in refused.value.why
        assert pieces and not any(isinstance(piece, Answer) for piece in pieces)
        await server.aclose()


async def test_spans_of_other_weights_void_an_answer_even_when_the_label_is_right_again(room: Path) -> None:
    first = form(room, "one")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        await server.take(str(first.folder), first.digest, None)
        pausing = asyncio.create_task(said(server, first.digest))
        fake.running.clear()
        while len(fake.asked) < 2:
            await asyncio.sleep(0.005)
        fake.label = "e" * 64
        fake.running.set()
        with pytest.raises(ModelMismatchError):
            await pausing
        await server.aclose()


async def test_weights_that_do_not_change_with_the_swap_are_found_out(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room), reader=read_there)
        await server.take(str(first.folder), first.digest, None)
        (second.folder / "model.safetensors").write_text("one")
        with pytest.raises(ServerBrokenError) as broken:
            await server.take(str(second.folder), second.digest, None)
        assert "did not change" in broken.value.why
        await server.aclose()


async def test_a_form_with_the_same_weights_and_another_readme_may_be_swapped_in(room: Path) -> None:
    first, second = form(room, "one"), form(room, "one", extra={"README.md": "the same weights"})
    async with serving(vllm(room, first).app, str(room / "s")):
        server = VllmServer(wire(room), reader=read_there)
        await server.take(str(first.folder), first.digest, None)
        assert await server.take(str(second.folder), second.digest, None) == second.digest
        await server.aclose()


async def test_fingerprints_outlive_the_client_and_speak_against_other_weights_under_the_same_name(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two")
    prints: dict[str, str] = {}
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        for wanted in (first, second):
            server = VllmServer(wire(room), prints=prints)
            await server.take(str(wanted.folder), wanted.digest, None)
            await server.aclose()
        assert set(prints) == {first.digest, second.digest}
        fake.weights = "tampered"
        server = VllmServer(wire(room), prints=prints)
        with pytest.raises(ModelMismatchError) as refused:
            await server.take(str(second.folder), second.digest, None)
        assert "not those it had before" in refused.value.why
        await server.aclose()


async def test_a_swap_that_would_leave_another_template_is_refused_before_anything_happens(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two", template="thinks aloud")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room), reader=read_there)
        await server.take(str(first.folder), first.digest, None)
        with pytest.raises(RestartNeededError) as refused:
            await server.take(str(second.folder), second.digest, None)
        assert "chat_template.jinja" in refused.value.why
        assert fake.calls == [] and (await said(server, first.digest)).digest == first.digest
        await server.aclose()


async def test_a_version_that_reads_weights_only_awake_is_read_after_the_pause(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two")
    prints: dict[str, str] = {}
    async with serving(vllm(room, first, checks_awake=True).app, str(room / "s")):
        server = VllmServer(wire(room), prints=prints)
        assert await server.take(str(second.folder), second.digest, None) == second.digest
        assert second.digest in prints
        await server.aclose()


async def test_without_its_routes_for_weights_it_serves_what_it_was_started_with_and_swaps_nothing(room: Path) -> None:
    first, second = form(room, "one"), form(room, "two")
    async with serving(vllm(room, first, dev=False).app, str(room / "s")):
        server = VllmServer(wire(room))
        assert (await said(server, first.digest)).digest == first.digest
        with pytest.raises(ServerError) as refused:
            await server.take(str(second.folder), second.digest, None)
        assert refused.value.code == "SERVER_CANNOT" and "VLLM_SERVER_DEV_MODE" in refused.value.what
        await server.aclose()


async def test_a_name_like_a_forms_over_another_folder_is_no_form(room: Path) -> None:
    first = form(room, "one")
    stranger = room / "stranger"
    stranger.mkdir()
    (stranger / "model.safetensors").write_text("stranger")
    async with serving(FakeVllm(str(stranger), served_name(first.digest)).app, str(room / "s")):
        server = VllmServer(wire(room))
        assert (await server.health()).state == "wrong_model"
        with pytest.raises(FormMissingError):
            await said(server, first.digest)
        await server.aclose()


async def test_sampling_is_said_whole_and_a_cut_by_the_servers_own_rules_is_an_error(room: Path) -> None:
    first = form(room, "one")
    fake = vllm(room, first, own_sampling=True)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        with pytest.raises(InferenceError) as refused:
            await said(server, first.digest)
        assert refused.value.code == "ANSWER_CUT" and "generation-config" in refused.value.fix
        asked = fake.asked[-1]
        assert (asked["temperature"], asked["top_p"], asked["top_k"], asked["repetition_penalty"]) == (0, 1, -1, 1)
        await server.aclose()


async def test_a_key_is_sent_and_a_refused_one_says_where_it_comes_from(room: Path) -> None:
    first = form(room, "one")
    async with serving(vllm(room, first, key="secret").app, str(room / "s")):
        server = VllmServer(wire(room))
        with pytest.raises(AskRefusedError) as refused:
            await said(server, first.digest)
        assert refused.value.code == "SERVER_KEY_REFUSED" and "key_variable" in refused.value.fix
        await server.aclose()
        server = VllmServer(wire(room, key="secret"))
        assert (await said(server, first.digest)).digest == first.digest
        await server.aclose()


async def test_adapters_stay_addressable_side_by_side_and_are_loaded_once(room: Path) -> None:
    base = form(room, "base")
    first, second = form(room, "one", base=base.digest), form(room, "two", base=base.digest)
    fake = vllm(room, base, lora=True)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room), reader=read_there)
        for wanted in (first, second, first):
            await server.take(str(wanted.folder), wanted.digest, base.digest)
        texts = {(await said(server, each.digest)).text for each in (base, first, second)}
        assert len(texts) == 3
        assert {each.digest for each in await server.models()} == {base.digest, first.digest, second.digest}
        await server.aclose()


async def test_an_adapter_over_a_base_that_was_swapped_does_not_answer_for_itself(room: Path) -> None:
    base, other = form(room, "base"), form(room, "other")
    adapter = form(room, "one", base=base.digest)
    fake = vllm(room, base, lora=True)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        await server.take(str(adapter.folder), adapter.digest, base.digest)
        fake.weights, fake.label = "other", other.digest
        with pytest.raises(ModelMismatchError) as refused:
            await said(server, adapter.digest)
        assert "base" in refused.value.why
        with pytest.raises(FormMissingError):
            await server.take(str(adapter.folder), adapter.digest, base.digest)
        await server.aclose()


async def test_an_adapter_that_cannot_be_loaded_leaves_the_server_as_it_was(room: Path) -> None:
    base = form(room, "base")
    async with serving(vllm(room, base, lora=True).app, str(room / "s")):
        server = VllmServer(wire(room))
        with pytest.raises(FormDamagedError):
            await server.take(str(room / "nowhere"), "e" * 64, base.digest)
        assert (await said(server, base.digest)).digest == base.digest
        await server.aclose()


async def test_asleep_it_says_so_and_awake_it_proves_its_weights_anew(room: Path) -> None:
    first = form(room, "one")
    fake = vllm(room, first)
    async with serving(fake.app, str(room / "s")):
        server = VllmServer(wire(room))
        await server.take(str(first.folder), first.digest, None)
        await server.sleep()
        assert (await server.health()).state == "sleeping"
        await server.wake()
        assert (await server.health()).state == "up"
        await server.sleep()
        fake.weights = "garbage"
        with pytest.raises(ModelMismatchError):
            await server.wake()
        await server.aclose()


# ---------------------------------------------------------------- SGLang


async def test_a_swap_that_went_back_by_itself_leaves_the_old_form_answering(room: Path) -> None:
    first = form(room, "one")
    async with serving(FakeSglang(str(first.folder), first.digest).app, str(room / "s")):
        server = SglangServer(wire(room))
        with pytest.raises(InferenceError) as refused:
            await server.take(str(room / "nowhere"), "e" * 64, None)
        assert "kept the form" in refused.value.why
        assert (await said(server, first.digest)).digest == first.digest
        await server.aclose()


async def test_weights_forgotten_asleep_are_read_anew(room: Path) -> None:
    first = form(room, "one")
    async with serving(FakeSglang(str(first.folder), first.digest).app, str(room / "s")):
        server = SglangServer(wire(room))
        before = await said(server, first.digest)
        await server.sleep()
        await server.wake()
        assert (await said(server, first.digest)).text == before.text
        await server.aclose()


# ---------------------------------------------------------------- the realm's own worker, and the road


async def test_an_answer_that_is_not_signed_is_thrown_away_at_its_first_piece(room: Path) -> None:
    first = form(room, "one")
    async with serving(FakeOwn([first], unsigned=True).app, str(room / "s")):
        server = OwnServer(wire(room))
        asking = server.ask(Ask(first.digest, prompt="x", sampling=GREEDY))
        with pytest.raises(ModelMismatchError) as refused:
            await anext(asking)
        assert "sign" in refused.value.why
        await server.aclose()


async def test_a_worker_that_signs_with_another_form_is_not_believed(room: Path) -> None:
    first = form(room, "one")
    fake = FakeOwn([first])
    fake.lies = "f" * 64
    async with serving(fake.app, str(room / "s")):
        server = OwnServer(wire(room))
        with pytest.raises(ModelMismatchError) as refused:
            await said(server, first.digest)
        assert "answered as ffffffffffff" in refused.value.why
        with pytest.raises(ModelMismatchError):
            await server.take(str(first.folder), first.digest, None)
        await server.aclose()


async def test_a_damaged_form_is_told_apart_from_a_missing_one(room: Path) -> None:
    first = form(room, "one")
    async with serving(FakeOwn([first], damaged=frozenset({first.digest})).app, str(room / "s")):
        server = OwnServer(wire(room))
        for attempt in (server.take(str(first.folder), first.digest, None), said(server, first.digest)):
            with pytest.raises(FormDamagedError) as refused:
                await attempt
            assert "differs" in refused.value.why
        await server.aclose()


async def test_a_stream_without_its_end_is_no_answer(room: Path) -> None:
    first = form(room, "one")
    async with serving(FakeOwn([first], cuts=True).app, str(room / "s")):
        server = OwnServer(wire(room))
        with pytest.raises(ServerLostError) as lost:
            await said(server, first.digest)
        assert lost.value.error_class == "transport"
        await server.aclose()


async def test_a_server_that_stops_in_mid_answer_is_given_up_after_the_time_of_the_rules(room: Path) -> None:
    first = form(room, "one")
    async with serving(FakeOwn([first], stalls=True).app, str(room / "s")):
        server = OwnServer(Wire(str(room / "s"), label="the Inn", patience=Patience(answer_s=0.2)))
        with pytest.raises(ServerSilentError) as silent:
            await said(server, first.digest)
        assert silent.value.error_class == "timeout"
        await server.aclose()


async def test_a_server_started_anew_at_the_same_socket_is_asked_as_if_nothing_had_been(room: Path) -> None:
    first = form(room, "one")
    server = OwnServer(wire(room))
    for _ in range(2):
        async with serving(FakeOwn([first]).app, str(room / "s")):
            assert (await said(server, first.digest)).digest == first.digest
        assert (await server.health()).state == "gone"
    await server.aclose()


async def test_a_tunnel_with_nothing_behind_it_is_a_lost_connection(room: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(room / "s"))
    listener.listen()

    def hang_up() -> None:
        connection, _ = listener.accept()
        connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    server = OwnServer(wire(room))
    with pytest.raises(ServerLostError):
        await said(server, "0" * 64)
    thread.join()
    listener.close()
    await server.aclose()


@pytest.mark.parametrize("address", ["http://10.0.0.7:8000", "http://inn.lan/v1", "ftp://127.0.0.1", "relative/socket"])
def test_no_question_travels_in_the_open(address: str) -> None:
    with pytest.raises(UsageError):
        Wire(address, label="x", patience=Patience())


def test_only_a_whole_digest_names_a_form() -> None:
    assert digest_of(served_name("a" * 64)) == "a" * 64
    for name in ("a" * 64, "realm@abc", "realm@" + "A" * 64, "realm@" + "a" * 65, "latest"):
        assert digest_of(name) is None
    with pytest.raises(ValueError, match="digest"):
        served_name("latest")
    with pytest.raises(ValueError, match="ask with"):
        Ask("a" * 64, prompt="x", messages=(Message("user", "x"),))
