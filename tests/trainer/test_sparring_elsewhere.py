"""Sparring of a saved form on a real worker, without an engine: it says what the engine would have, and ends as the same quest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from configs.errors import BlockedError, RealmError, UsageError
from configs.jobs import JobRules, load_jobs
from engine.link.protocol import Verb
from realm_tui.runtime.inn.servers.contract import Answer, Ask
from realm_tui.runtime.inn.servers.own import OwnServer
from realm_tui.runtime.inn.servers.wire import Wire
from realm_tui.runtime.jobs.bout import Wishes, spar_at_inn, spar_once
from realm_tui.runtime.jobs.dispatcher import Dispatcher
from realm_tui.runtime.jobs.kinds import NotYetError, Seat
from realm_tui.runtime.sparring import Bout
from saves import jobs, ledger, quests, sparring
from saves.database import open_save
from tests.inn.reaching import PATIENCE
from tests.trainer.conftest import Script, World, command
from tests.worker.inns import serving

MakeWorld = Callable[..., World]


@dataclass
class Inn:
    """One real worker, as a desk."""

    server: Any
    asked: list[str] = field(default_factory=list)
    open: bool = True

    async def seat(
        self, form: str | None, *, digest: str | None = None, strict: bool, tell: Callable[[str], None]
    ) -> Seat:
        assert strict and digest is not None
        if not self.open:
            raise NotYetError("the inn is shut")
        self.asked.append(digest)
        return Seat(self.server, "arena/own", digest, True)

    async def bring(self, form: str | None, place: str, *, tell: Callable[[str], None]) -> dict[str, Any]:
        raise AssertionError("nothing is brought")

    async def aclose(self) -> None: ...


@asynccontextmanager
async def inn(world: World) -> AsyncIterator[Inn]:
    """A worker that reads the world's save."""
    async with serving(save=world.folder) as running:
        own = OwnServer(Wire(str(running.socket), label="the Inn", patience=PATIENCE))
        yield Inn(own)
        await own.aclose()


def at_inn(world: World, **wishes: Any) -> Bout:
    """A round there."""

    async def spar() -> Bout:
        async with inn(world) as desk:
            return await spar_at_inn(world.folder, desk, Wishes(**wishes), tell=lambda _: None)

    return asyncio.run(spar())


def test_a_form_says_at_the_inn_what_it_says_to_the_engine_and_its_failures_become_its_quest(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    order = command(Verb.SPAR, rounds=24, level=2)
    game = world.train(6, [(6, order)])
    assert isinstance(game.channel, Script)
    told = game.channel.answers[order.id][1]
    found = at_inn(world, rounds=24, level=2)
    conn = open_save(world.folder, write=False)
    form = ledger.newest_checkpoint(conn, game.campaign.id)
    assert form is not None and told["failed"]
    assert {name: found.facts[name] for name in told} == told
    assert (found.facts["form"], found.facts["digest"], found.facts["worker"]) == (form.name, form.digest, "arena/own")
    assert found.quest is not None and found.records == 3 * len(told["failed"])
    quest = quests.quest(conn, found.quest.id)
    assert (quest.priority, quest.origin, quest.checkpoint_id, quest.asked_step) == ("high", "sparring", form.id, 6)
    (round_,) = sparring.rounds(conn)
    assert (round_.sparring.checkpoint_id, round_.sparring.detail["worker"]) == (form.id, "arena/own")
    world.train(8)
    assert sparring.rounds(conn)[0].state == "completed" or quests.quest(conn, quest.id).attempt_id is not None


def test_the_skill_and_level_are_those_the_form_trains(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(22)  # won level 1 on the way
    found = at_inn(world, rounds=2, dry_run=True)
    assert (found.facts["skill"], found.facts["level"], found.facts["step"]) == ("bin", 2, 22)
    assert found.quest is None


def test_an_outgrown_form_can_only_be_looked_at(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(9, [(3, command(Verb.CHECKPOINT)), (6, command(Verb.CHECKPOINT))])
    with pytest.raises(BlockedError) as refused:
        at_inn(world, form="3", rounds=2)
    assert refused.value.code == "FORM_OUTGROWN"
    assert at_inn(world, form="3", rounds=2, dry_run=True).facts["step"] == 3


@pytest.mark.parametrize("bad", [{"form": "77"}, {"skill": "nothing"}, {"level": 99}, {"rounds": 0}])
def test_what_does_not_exist_is_refused_before_anybody_is_asked(make_world: MakeWorld, bad: dict[str, Any]) -> None:
    world = make_world()
    world.train(3)
    desk = Inn(None)
    with pytest.raises(UsageError) as refused:
        asyncio.run(spar_at_inn(world.folder, desk, Wishes(**bad), tell=lambda _: None))
    assert refused.value.fix and desk.asked == []


def test_without_a_server_a_named_form_is_not_replaced_by_another(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(3)
    with pytest.raises(BlockedError) as refused:
        asyncio.run(spar_once(world.folder, Wishes(rounds=2), tell=lambda _: None))
    assert refused.value.code == "NO_PLACE_ELSEWHERE" and "--form" in refused.value.fix


def test_another_forms_answers_are_thrown_away(make_world: MakeWorld) -> None:
    class Liar:
        async def ask_all(self, asks: tuple[Ask, ...]) -> list[Answer]:
            return [Answer("1", "f" * 64, "m", "stop", 1, 1, 0.1, None) for _ in asks]

    world = make_world()
    world.train(3)
    with pytest.raises(RealmError) as refused:
        asyncio.run(spar_at_inn(world.folder, Inn(Liar()), Wishes(rounds=2), tell=lambda _: None))
    assert refused.value.code == "MODEL_MISMATCH"
    conn = open_save(world.folder, write=False)
    assert not quests.quests(conn) and not sparring.rounds(conn)


def test_a_job_spars_at_the_inn_and_waits_for_a_named_form_when_it_is_shut(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(3)
    conn = open_save(world.folder, write=True)
    rules = JobRules.model_validate(load_jobs().model_dump() | {"poll_s": 0.01})

    async def work(open_: bool) -> None:
        async with inn(world) as desk:
            desk.open = open_
            await Dispatcher(world.folder, rules=rules, desk=desk).run(until_idle=True)

    named = jobs.submit(conn, "sparring", {"rounds": 3, "form": "latest"})
    asyncio.run(work(False))
    assert (jobs.job(conn, named.id).status, jobs.job(conn, named.id).attempts) == ("queued", 0)
    conn.execute("UPDATE jobs SET not_before = 0")
    asyncio.run(work(True))
    done = jobs.job(conn, named.id)
    assert done.status == "completed" and done.result is not None
    assert (done.result["asked"], done.result["step"], done.worker) == (3, 3, "arena/own")
    plain = jobs.submit(conn, "sparring", {"rounds": 3})
    asyncio.run(work(False))
    assert jobs.job(conn, plain.id).status == "queued" and "engine" in (jobs.job(conn, plain.id).error or "")
