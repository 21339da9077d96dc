"""One contract for every server: who answers is proved, whatever the server calls itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from realm_tui.runtime.inn.servers.contract import (
    Answer,
    Ask,
    FormMissingError,
    Message,
    ModelMismatchError,
    Sampling,
    Server,
    ServerGoneError,
    served_name,
)
from realm_tui.runtime.inn.servers.own import OwnServer
from realm_tui.runtime.inn.servers.plain import PlainServer
from realm_tui.runtime.inn.servers.sglang import SglangServer
from realm_tui.runtime.inn.servers.vllm import VllmServer
from realm_tui.runtime.inn.servers.wire import Wire
from tests.inn.fake_others import FakeOwn, FakePlain, FakeSglang
from tests.inn.fake_vllm import FakeVllm
from tests.inn.forms_there import There, form
from tests.inn.pretended import LENGTH, serving
from tests.inn.reaching import PATIENCE, read_there, wire

KINDS = ["own", "vllm-0.32", "vllm-0.33", "vllm-lora", "sglang", "openai"]
GREEDY = Sampling(temperature=0, max_tokens=32)


@dataclass
class House:
    """A server under test, with two forms it can answer as."""

    server: Server
    first: There
    second: There
    steal: Callable[[], None] | None
    """Put other weights behind the adapter's back; None: nobody can."""
    real: bool = False
    """Not pretended: its answers are as long as its weights will have them."""

    async def take(self, wanted: There) -> str:
        return await self.server.take(str(wanted.folder), wanted.digest, wanted.base)


def make(kind: str, room: Path) -> tuple[Any, Server, There, There]:
    base = form(room, "base")
    below = base.digest if kind == "vllm-lora" else None
    first, second = (form(room, text, base=below) for text in ("one", "two"))
    if kind == "own":
        return FakeOwn([base, first, second]), OwnServer(wire(room)), first, second
    if kind == "sglang":
        return FakeSglang(str(base.folder), base.digest), SglangServer(wire(room), reader=read_there), first, second
    if kind == "openai":
        return FakePlain(), PlainServer(wire(room)), first, second
    version = "0.32" if kind == "vllm-0.32" else "0.33"
    vllm = FakeVllm(str(base.folder), served_name(base.digest), version=version, lora=kind == "vllm-lora")
    return vllm, VllmServer(wire(room), reader=read_there), first, second


@pytest.fixture(scope="module")
def pips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, There, There]:
    """A store with two small forms whose weights count."""
    from tests.worker.inns import pip_in

    store = tmp_path_factory.mktemp("store")
    digests = [pip_in(store, tmp_path_factory.mktemp("form"), seed=seed, step=seed) for seed in (1, 2)]
    first, second = (There(digest, store / "ckpt" / digest) for digest in digests)
    return store, first, second


@pytest.fixture(params=KINDS)
async def house(request: pytest.FixtureRequest, room: Path) -> AsyncIterator[House]:
    if request.param == "own":
        from tests.worker.inns import serving as working

        store, first, second = request.getfixturevalue("pips")
        async with working(store) as running:
            own = OwnServer(Wire(str(running.socket), label="the Inn", patience=PATIENCE))
            yield House(own, first, second, None, real=True)
            await own.aclose()
        return
    fake, server, first, second = make(request.param, room)

    def steal() -> None:
        if isinstance(fake, FakeVllm):
            fake.weights, fake.label = "another", "f" * 64
        elif isinstance(fake, FakeSglang):
            fake.weights, fake.version = "another", "f" * 64

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(fake.app, str(room / "s")))
        stack.push_async_callback(server.aclose)
        yield House(server, first, second, steal)


async def answer(server: Server, ask: Ask) -> tuple[list[str], Answer]:
    parts = [part async for part in server.ask(ask)]
    last = parts.pop()
    assert isinstance(last, Answer)
    return [part for part in parts if isinstance(part, str)], last


async def test_pieces_come_as_they_are_made_and_the_proof_comes_with_the_end(house: House) -> None:
    if house.server.strict:
        assert await house.take(house.first) == house.first.digest
    pieces, last = await answer(house.server, Ask(house.first.digest, prompt="2 + 2", sampling=GREEDY))
    assert "".join(pieces) == last.text
    assert last.digest == (house.first.digest if house.server.strict else None)
    if house.real:
        assert last.tokens and last.prompt_tokens
    else:
        assert (len(pieces), last.finish, last.tokens, last.prompt_tokens) == (LENGTH, "stop", LENGTH, 3)
    assert last.first_token_s is not None and last.first_token_s <= last.seconds


async def test_each_form_answers_as_itself_and_a_swap_changes_who_answers(house: House) -> None:
    if not house.server.strict:
        pytest.skip("it has one model and says so")
    told: dict[str, str] = {}
    for wanted in (house.first, house.second, house.first):
        assert await house.take(wanted) == wanted.digest
        _, last = await answer(house.server, Ask(wanted.digest, prompt="who are you", sampling=GREEDY))
        assert last.digest == wanted.digest
        assert told.setdefault(wanted.digest, last.text) == last.text
    assert told[house.first.digest] != told[house.second.digest]


async def test_a_form_that_is_not_there_is_an_error_and_never_another_model(house: House) -> None:
    missing = "0" * 64
    if not house.server.strict:
        _, last = await answer(house.server, Ask(missing, prompt="x", sampling=GREEDY))
        assert last.digest is None and last.model == "somebody-else-7b"
        return
    await house.take(house.first)
    with pytest.raises(FormMissingError) as refused:
        await answer(house.server, Ask(missing, prompt="x", sampling=GREEDY))
    assert refused.value.error_class == "model_mismatch"
    assert house.first.digest[:12] in refused.value.why


async def test_other_weights_behind_the_port_are_found_out(house: House) -> None:
    if house.steal is None or not house.server.strict:
        pytest.skip("nobody can, or it proves nothing")
    await house.take(house.first)
    house.steal()
    with pytest.raises((ModelMismatchError, FormMissingError)) as refused:
        await answer(house.server, Ask(house.first.digest, prompt="x", sampling=GREEDY))
    assert refused.value.error_class == "model_mismatch"


async def test_many_questions_come_back_in_their_order_and_as_one_by_one(house: House) -> None:
    if house.server.strict:
        await house.take(house.second)
    asks = [Ask(house.second.digest, prompt=f"question {i}", sampling=GREEDY) for i in range(12)]
    many = await house.server.ask_all(asks)
    assert len({each.text for each in many}) == len(asks)
    for ask, each in list(zip(asks, many, strict=True))[::5]:
        assert (await answer(house.server, ask))[1].text == each.text


async def test_one_question_that_fails_ends_all_with_its_own_error(house: House) -> None:
    if not house.server.strict:
        pytest.skip("it has one model and says so")
    await house.take(house.first)
    asks = [Ask(house.first.digest, prompt="a", sampling=GREEDY), Ask("0" * 64, prompt="b", sampling=GREEDY)]
    with pytest.raises(FormMissingError):
        await house.server.ask_all(asks)


async def test_conversations_texts_and_tokens_are_asked_alike(house: House) -> None:
    if house.server.strict:
        await house.take(house.first)
    digest = house.first.digest
    for ask in (
        Ask(digest, messages=(Message("system", "be brief"), Message("user", "hello")), sampling=GREEDY),
        Ask(digest, prompt="hello", sampling=GREEDY),
        Ask(digest, ids=(1, 2, 3), sampling=GREEDY),
    ):
        _, streamed = await answer(house.server, ask)
        (whole,) = await house.server.ask_all([ask])
        assert (streamed.text, streamed.finish) == (whole.text, whole.finish)


async def test_the_same_seed_draws_the_same_and_another_seed_another(house: House) -> None:
    if house.server.strict:
        await house.take(house.first)
    drawn: dict[int, str] = {}
    for seed in (1, 1, 2):
        ask = Ask(house.first.digest, prompt="roll", sampling=Sampling(temperature=1, seed=seed, max_tokens=32))
        text = (await answer(house.server, ask))[1].text
        assert drawn.setdefault(seed, text) == text
    assert drawn[1] != drawn[2]


@pytest.mark.parametrize("chat", [False, True])
async def test_every_token_of_an_answer_has_its_log_probability(house: House, chat: bool) -> None:
    if house.server.strict:
        await house.take(house.first)
    sampling, digest = Sampling(temperature=0, max_tokens=4, logprobs=True), house.first.digest
    asked = Ask(digest, prompt="hi", sampling=sampling)
    if chat:
        asked = Ask(digest, messages=(Message("user", "hi"),), sampling=sampling)
    _, last = await answer(house.server, asked)
    assert last.finish == "length" and last.tokens == 4
    assert last.logprobs is not None and len(last.logprobs) == 4


async def test_who_stops_listening_leaves_the_server_ready_for_the_next(house: House) -> None:
    if house.server.strict:
        await house.take(house.first)
    ask = Ask(house.first.digest, prompt="long", sampling=GREEDY)
    asking = house.server.ask(ask)
    assert isinstance(await anext(asking), str)
    await asking.aclose()  # type: ignore[attr-defined]
    assert (await answer(house.server, ask))[1].text


async def test_it_is_up_when_it_can_chat_and_lists_what_it_serves(house: House) -> None:
    if house.server.strict:
        await house.take(house.first)
    health = await house.server.health()
    assert (health.state, health.why) == ("up", "")
    proved = {each.digest for each in await house.server.models() if each.loaded}
    assert (house.first.digest in proved) if house.server.strict else (proved == {None})


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_that_listens_is_a_named_state_with_a_way_out(kind: str, room: Path) -> None:
    _, server, first, _ = make(kind, room)
    health = await server.health()
    assert health.state == "gone"
    assert health.fix
    with pytest.raises(ServerGoneError) as gone:
        await answer(server, Ask(first.digest, prompt="x", sampling=GREEDY))
    assert gone.value.error_class == "connection_refused"
    await server.aclose()
