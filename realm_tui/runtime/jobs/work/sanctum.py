"""The Oracle's Sanctum: exams, sparring and questions, by a server of the Inn where one is at hand, else by the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from configs.errors import RealmError
from configs.loader import load_game
from configs.paths import SaveFolder
from realm_tui.runtime.aside import on_thread
from realm_tui.runtime.jobs.kinds import Desk, Done, Eval, Inference, JobError, NotYetError, Seat, Spar, Sync, Workplace
from realm_tui.runtime.opened import opened
from saves import ledger
from saves.jobs import Job

if TYPE_CHECKING:
    from realm_tui.runtime.sparring import Bout


async def eval(job: Job, payload: Eval, place: Workplace) -> Done:  # noqa: A001  # named as its kind
    """An exam that the engine asked to have answered outside; otherwise one on command, by the living engine."""
    if payload.request is not None:
        from realm_tui.runtime.jobs.work.courier import answer_request

        return await answer_request(job, payload.request, place)
    args = payload.model_dump(exclude={"request"}, exclude_none=True)
    reply = await _by_engine(place, "exam", args)
    return Done({"step": reply.step, **reply.result})


async def sparring(job: Job, payload: Spar, place: Workplace) -> Done:
    """A round of sparring, of a saved form at the Inn or of the hero in training; what was wrong becomes a quest."""
    from realm_tui.runtime.sparring import spar

    bout = await _at_inn(payload, place)
    if bout is None:
        _engine_lives(place.folder)
        bout = await on_thread(
            lambda: spar(
                place.folder,
                skill=payload.skill,
                level=payload.level,
                rounds=payload.rounds,
                targeted=payload.targeted,
                progress=place.tell,
            ),
            "job-sparring",
        )
    facts = bout.facts
    return Done(
        {
            **{name: facts[name] for name in ("skill", "level", "step", "asked", "errors")},
            "failed": len(facts["failed"]),
            "records": bout.records,
            "quest": bout.quest.name if bout.quest is not None else None,
            "form": facts.get("form", "live"),
        },
        worker=facts.get("worker", "engine"),
    )


async def _at_inn(payload: Spar, place: Workplace) -> Bout | None:
    """A round of the form that is named, else of the newest one; None: the engine is to hold it."""
    from realm_tui.runtime.jobs.bout import NEWEST, Wishes, spar_at_inn

    named = payload.form is not None
    if place.desk is None or not (named or await on_thread(lambda: _has_form(place.folder), "job-sparring")):
        if named:
            raise NotYetError("no server that proves who answers can be reached from here")
        return None
    wishes = Wishes(
        form=payload.form or NEWEST,
        skill=payload.skill,
        level=payload.level,
        rounds=payload.rounds,
        targeted=payload.targeted,
    )
    place.allow(place.limit_s + load_game().inn.server.load_s)
    try:
        return await spar_at_inn(place.folder, place.desk, wishes, tell=place.tell)
    except NotYetError:
        if named:
            raise
        return None


def _system_turn(folder: SaveFolder) -> str:
    from realm_tui.runtime.inn.oracle import system_turn

    with opened(folder) as save:
        return system_turn(save)


def _has_form(folder: SaveFolder) -> bool:
    with opened(folder) as save:
        return ledger.newest_checkpoint(save.conn, save.campaign.id) is not None


async def inference(job: Job, payload: Inference, place: Workplace) -> Done:
    """One question: to a server of the Inn where there is one, else to the engine."""
    if place.desk is not None:
        from realm_tui.runtime.inn.oracle import sent
        from realm_tui.runtime.inn.servers.contract import Answer, Ask, Message, Sampling

        system = await on_thread(lambda: _system_turn(place.folder), "job-inference")
        try:
            seat = await seated(place, place.desk, payload.form, strict=False)
        except NotYetError:
            seat = None
        if seat is not None:
            plain = Sampling()
            sampling = Sampling(
                temperature=plain.temperature if payload.temperature is None else payload.temperature,
                seed=payload.seed,
                max_tokens=payload.max_tokens or plain.max_tokens,
            )
            turns = sent(system, (Message("user", payload.prompt),))
            asked = Ask(seat.digest, turns, None, None, sampling)
            with seat:
                answer: Answer = (await seat.server.ask_all([asked]))[0]
            return Done(
                {
                    "answer": answer.text,
                    "digest": answer.digest,
                    "strict": seat.strict,
                    "worker": seat.worker,
                    "tokens": answer.tokens,
                    "seconds": answer.seconds,
                    "finish": answer.finish,
                },
                worker=seat.worker,
            )
    from realm_tui.runtime.orders import ask

    result = await on_thread(
        lambda: ask(
            place.folder,
            payload.prompt,
            payload.form,
            progress=place.tell,
            temperature=payload.temperature,
            seed=payload.seed,
            max_tokens=payload.max_tokens,
        ),
        "job-inference",
    )
    return Done({**result, "worker": "engine"})


async def seated(place: Workplace, desk: Desk, form: str | None, *, digest: str | None = None, strict: bool) -> Seat:
    """A seat at a server; while one is started and the form brought, the time-out is that of loading, then the kind's again."""
    place.allow(place.limit_s + load_game().inn.server.load_s)
    seat = await desk.seat(form, digest=digest, strict=strict, tell=place.tell)
    place.allow(place.limit_s)
    return seat


async def sync(job: Job, payload: Sync, place: Workplace) -> Done:
    """A form brought to a place, whole and verified."""
    if place.desk is None:
        raise JobError(
            "validation",
            "no place can be reached from here",
            why="no facility with a server is configured",
            fix="describe one in config/facilities/ (`realm host add`)",
            code="NO_DESK",
        )
    return Done(dict(await place.desk.bring(payload.form, payload.place, tell=place.tell)))


def _engine_lives(folder: SaveFolder) -> None:
    from engine.link.client import engine_alive

    if not engine_alive(folder):
        raise NotYetError("no engine is running")


async def _by_engine(place: Workplace, verb: str, args: dict[str, Any]) -> Any:
    from engine.link.protocol import Verb
    from realm_tui.runtime.orders import order

    _engine_lives(place.folder)
    try:
        return await on_thread(lambda: order(place.folder, Verb(verb), args, progress=place.tell), f"job-{verb}")
    except RealmError as error:
        if error.code in ("NO_ENGINE", "ENGINE_GONE"):
            raise NotYetError(error.what) from error
        raise
