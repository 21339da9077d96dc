"""Exams that the engine asks outside: one job each, answered by a server that proves who spoke, written once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from configs.errors import BlockedError, RealmError
from configs.facilities import Facilities
from configs.jobs import JobRules, load_jobs
from configs.paths import SaveFolder, config_dir
from realm_tui.runtime.inn.forms import Speaker
from realm_tui.runtime.inn.oracle import Brought, Ready, Tell, system_turn
from realm_tui.runtime.inn.servers.contract import Answer, Ask, Health, Served, ServerGoneError
from realm_tui.runtime.inn.turns import cleared
from realm_tui.runtime.jobs import desk as desk_module
from realm_tui.runtime.jobs.desk import InnDesk
from realm_tui.runtime.jobs.dispatcher import Dispatcher
from realm_tui.runtime.jobs.kinds import NotYetError
from realm_tui.runtime.jobs.work import courier
from realm_tui.runtime.jobs.work.courier import collect
from realm_tui.runtime.opened import opened
from saves import answers, ceremonies, jobs
from saves.answers import ExamRequest
from saves.ceremonies import Ceremony
from saves.connection import SaveConnection
from saves.rows import Checkpoint
from tests.saves import facts

PLACES = Facilities.model_validate(
    {
        "hosts": {"box": {"address": "127.0.0.1"}, "far": {"address": "127.0.0.2"}},
        "facilities": {
            "hub": {"type": "hub", "host": "box", "base_path": "/x", "server": {"kind": "vllm"}},
            "outpost": {"type": "outpost", "host": "far", "base_path": "/x", "server": {"kind": "own"}},
            "arena": {"type": "battlefield", "base_path": "/x", "server": {"kind": "own"}},
        },
    }
)


@dataclass
class Clerk:
    """A server that answers with the last token of each prompt, as the form it was told to be."""

    digest: str
    kind: Literal["own", "vllm", "sglang", "openai"] = "vllm"
    strict: bool = True
    asked: list[Ask] = field(default_factory=list)
    holds: str | None = None
    """What it says it holds; None: it does not say."""

    async def health(self) -> Health:
        return Health("up")

    async def models(self) -> tuple[Served, ...]:
        return () if self.holds is None else (Served("m", self.holds, True),)

    async def ask(self, ask: Ask) -> AsyncIterator[str | Answer]:
        yield (await self.ask_all([ask]))[0]

    async def ask_all(self, asks: Sequence[Ask]) -> list[Answer]:
        self.asked += asks
        said = [f"answer {(ask.ids or (0,))[-1]}" for ask in asks]
        return [Answer(text, self.digest, "m", "stop", 3, 2, 0.5, None) for text in said]

    async def take(self, directory: str, digest: str, base: str | None) -> str:
        return digest

    async def sleep(self) -> None: ...

    async def wake(self) -> None: ...

    async def aclose(self) -> None: ...


@dataclass
class Roads:
    """The way to the servers; some places may be out of reach."""

    clerk: Clerk | None = None
    cut: dict[str, RealmError] = field(default_factory=dict)
    tried: list[tuple[str, bool]] = field(default_factory=list)

    async def bring(self, place: str, who: Speaker, *, tell: Tell) -> Brought:
        return Brought(10, 0.1, f"/x/{who.digest}")

    async def ready(self, place: str, who: Speaker, *, displace: bool, tell: Tell) -> Ready:
        self.tried.append((place, displace))
        if place in self.cut:
            raise self.cut[place]
        self.clerk = self.clerk or Clerk(who.digest)
        return Ready(self.clerk, "box", place, "w1")

    async def aclose(self) -> None: ...


@pytest.fixture
def form(folder: SaveFolder, save: SaveConnection) -> Checkpoint:
    return facts.form(folder, save, facts.begin(save), 100)


def posted(save: SaveConnection, form: Checkpoint) -> ExamRequest:
    one = ExamRequest(
        run_id=form.run_id, step=100, sitting="gate:bin:100", round=0, position=0, plan="", skill="bin", mix="full", level=1,
        kind="gate", first_index=0, checkpoint_id=form.id, digest=form.digest, at=0.0,
        items=({"ids": [1, 2], "max_tokens": 4}, {"ids": [3], "max_tokens": 8}),
    )  # fmt: skip
    return answers.post(save, [one])[0]


async def work(folder: SaveFolder, roads: Roads) -> None:
    told = load_jobs().model_dump() | {"poll_s": 0.01, "retry": {"first_s": 0, "factor": 1, "most_s": 0}}
    desk = InnDesk(folder, facilities=PLACES, reach=roads)
    await Dispatcher(folder, rules=JobRules.model_validate(told), desk=desk, courier=collect).run(until_idle=True)


async def test_an_exam_asked_outside_is_answered_greedily_by_its_very_form(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    asked, roads = posted(save, form), Roads()
    await work(folder, roads)
    found = answers.answers_to(save, asked.id)
    assert found is not None and found.texts == ("answer 2", "answer 3") and found.worker == "hub/w1"
    assert roads.clerk is not None and roads.tried == [("hub", True)]
    assert [(a.digest, a.ids, a.sampling.temperature, a.sampling.max_tokens) for a in roads.clerk.asked] == [
        (form.digest, (1, 2), 0.0, 4),
        (form.digest, (3,), 0.0, 8),
    ]
    await work(folder, roads)  # the courier makes no second job of what was answered
    assert [(j.status, j.worker) for j in jobs.jobs(save)] == [("completed", "hub/w1")]


async def test_an_exam_of_which_no_question_could_be_put_is_answered_with_nothing(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    asked = answers.post(save, [replace(posted(save, form), id=0, sitting="gate:bin:200", items=())])[0]
    await work(folder, Roads())
    found = answers.answers_to(save, asked.id)
    assert found is not None and found.texts == ()


async def test_another_forms_answers_are_thrown_away(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    asked = posted(save, form)
    await work(folder, Roads(Clerk("f" * 64)))
    found = jobs.jobs(save)[0]
    assert (found.status, found.error_class, found.attempts) == ("failed", "model_mismatch", 1)
    assert answers.answers_to(save, asked.id) is None


async def test_a_request_whose_job_failed_rests_and_one_that_was_cancelled_waits_for_the_player(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    posted(save, form)
    await work(folder, Roads(Clerk("f" * 64)))
    collect(save)
    assert [j.status for j in jobs.jobs(save)] == ["failed"]
    save.execute("UPDATE jobs SET ended_at = ended_at - ?", (courier.AGAIN_S + 1,))
    collect(save)
    again, first = jobs.jobs(save)
    assert (again.status, first.status) == ("pending", "failed")
    jobs.cancel(save, again.id)
    save.execute("UPDATE jobs SET ended_at = ended_at - ?", (courier.AGAIN_S + 1,))
    collect(save)
    assert sorted(j.status for j in jobs.jobs(save)) == ["cancelled", "failed"]


async def test_a_place_out_of_reach_gives_way_to_the_next_and_none_at_all_costs_no_attempt(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    posted(save, form)
    roads = Roads(cut={name: ServerGoneError(name) for name in ("hub", "outpost")})
    await work(folder, roads)
    waits = jobs.jobs(save)[0]
    assert [place for place, _ in roads.tried] == ["hub", "outpost"]
    assert (waits.status, waits.attempts) == ("queued", 0) and "outpost" in (waits.error or "")
    save.execute("UPDATE jobs SET not_before = 0")
    del roads.cut["outpost"]
    await work(folder, roads)
    assert jobs.jobs(save)[0].status == "completed"


async def test_a_server_of_one_form_is_not_swapped_while_it_answers_for_another(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    other = facts.form(folder, save, form.run_id, 200)
    desk = InnDesk(folder, facilities=PLACES, reach=Roads(cut={"outpost": ServerGoneError("outpost")}))

    async def seat(one: Checkpoint) -> str:
        with await desk.seat(None, digest=one.digest, strict=True, tell=print) as found:
            return found.worker

    with await desk.seat(None, digest=form.digest, strict=True, tell=print):
        assert await seat(form) == "hub/w1"
        with pytest.raises(NotYetError) as wait:
            await seat(other)
        assert wait.value.wait_s < desk_module.AGAIN_S
    assert await seat(other) == "hub/w1"


async def test_a_seat_holds_against_other_processes_and_what_they_swapped_meanwhile_is_asked_later(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    roads = Roads(Clerk(form.digest), cut={"outpost": ServerGoneError("outpost")})
    desk = InnDesk(folder, facilities=PLACES, reach=roads)

    async def swap() -> None:
        async with cleared("hub", within_s=0):
            with pytest.raises(NotYetError):  # and while another swaps, nobody sits down
                await desk.seat(None, digest=form.digest, strict=True, tell=print)

    with await desk.seat(None, digest=form.digest, strict=True, tell=print), pytest.raises(BlockedError):
        await swap()
    await swap()
    assert roads.clerk is not None
    roads.clerk.holds = "f" * 64
    with pytest.raises(NotYetError) as taken:
        await desk.seat(None, digest=form.digest, strict=True, tell=print)
    assert "outpost" in taken.value.why
    roads.clerk.holds = form.digest
    with await desk.seat(None, digest=form.digest, strict=True, tell=print) as sat:
        assert sat.worker == "hub/w1"


async def test_a_champion_at_work_is_not_turned_out_for_an_exam(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    posted(save, form)
    ceremonies.begin(
        save,
        Ceremony(
            campaign_id=form.campaign_id, kind="crown", name=form.name, step=100, digest=form.digest, box="hub", state="crowned",
            before_digest=None, before_name=None, error_code=None, error=None, begun_at=1.0, ended_at=2.0,
        ),
    )  # fmt: skip
    roads = Roads(cut={"hub": BlockedError("it holds another", code="SERVER_TAKEN")})
    await work(folder, roads)
    assert roads.tried == [("hub", False), ("outpost", True)]


async def test_an_exam_that_came_home_meanwhile_is_not_asked(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    asked = posted(save, form)
    collect(save)
    answers.came_home(save, [asked], 120, "nobody answered in time")
    roads = Roads()
    await work(folder, roads)
    assert roads.tried == [] and jobs.jobs(save)[0].result == {"request": asked.id, "state": "home"}


@pytest.mark.parametrize(("where", "tried"), [("auto", ["hub"]), ("inn", ["hub"]), ("local", [])])
async def test_a_question_goes_where_the_rules_say(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint, where: str, tried: list[str], monkeypatch: Any
) -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / "game.yaml").write_text(f"inn:\n  inference: {{where: {where}}}\n", encoding="utf-8")
    monkeypatch.setattr("realm_tui.runtime.orders.ask", lambda *a, **k: {"answer": "at home"})
    made, roads = jobs.submit(save, "inference", {"prompt": "Compute: 1 + 1"}), Roads()
    await work(folder, roads)
    result = jobs.job(save, made.id).result
    assert result is not None and [place for place, _ in roads.tried] == tried
    assert result["worker"] == ("hub/w1" if tried else "engine")
    if roads.clerk is not None:
        (asked,) = roads.clerk.asked
        with opened(folder) as found:
            told = [("system", turn)] if (turn := system_turn(found)) else []
        assert [(m.role, m.content) for m in asked.messages or ()] == [*told, ("user", "Compute: 1 + 1")]


async def test_a_form_is_brought_to_a_place_that_exists(
    folder: SaveFolder, save: SaveConnection, form: Checkpoint
) -> None:
    good = jobs.submit(save, "sync", {"place": "hub", "form": "latest"})
    bad = jobs.submit(save, "sync", {"place": "nowhere"})
    await work(folder, Roads())
    result = jobs.job(save, good.id).result
    assert result is not None and (result["digest"], result["sent_bytes"]) == (form.digest, 10)
    assert jobs.job(save, bad.id).status == "failed" and "nowhere" in (jobs.job(save, bad.id).error or "")
