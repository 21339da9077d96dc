"""Asking a form: whose words come back, what is written down, and what happens when it stops, breaks or does not fit."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from realm_tui.runtime.inn import forms
from realm_tui.runtime.inn.loop import InnLoop
from realm_tui.runtime.inn.oracle import Question, ask, compare, conversation, new_talk, sampling_of
from realm_tui.runtime.opened import opened
from saves import plain_model
from saves.oracle import Turn, newest_turns, talk_turns, talks
from tests.oracle.places import Village

KEEP = 100


def question(folder: SaveFolder, which: str, words: str, place: str = "arena", **more: Any) -> Question:
    """A question to a form of the save."""
    with opened(folder) as save:
        who = forms.speaker(save, which)
        earlier = more.pop("earlier", ())
        sampling = sampling_of(save.rules.inn.oracle, **more.pop("sampling", {}))
        messages = conversation(earlier, words)
        return Question(
            who,
            place,
            more.pop("system", ""),
            messages,
            sampling,
            save.campaign.id,
            more.pop("talk", new_talk()),
            **more,
        )


def kept(folder: SaveFolder, **how: Any) -> tuple[Turn, ...]:
    with opened(folder) as save:
        return newest_turns(save.conn, limit=50, **how)


async def test_an_answer_comes_in_pieces_and_is_kept_with_the_form_that_gave_it(
    told: SaveFolder, village: Village
) -> None:
    pieces: list[str] = []
    turn = await ask(village, told, question(told, "900", "who are you?"), keep=KEEP, on_piece=pieces.append)
    assert "".join(pieces) == turn.answer == f"{turn.name} heard: who are you?"
    assert (turn.step, turn.finish, turn.tokens, turn.strict, turn.box) == (900, "stop", 5, True, "arena")
    assert turn.tokens_per_s == pytest.approx(5 / 0.5)
    assert kept(told) == (turn,)
    with opened(told) as save:
        assert turn.digest == forms.speaker(save, "900").digest


async def test_another_forms_words_are_an_error_and_are_thrown_away(told: SaveFolder, village: Village) -> None:
    village.servers["arena"].lies = True
    with pytest.raises(RealmError) as failed:
        await ask(village, told, question(told, "900", "who are you?"), keep=KEEP)
    assert failed.value.code == "MODEL_MISMATCH"
    (turn,) = kept(told)
    assert turn.answer is None and turn.finish is None and turn.error_code == "MODEL_MISMATCH"


async def test_what_had_come_of_a_stopped_answer_stays(told: SaveFolder, village: Village) -> None:
    village.servers["arena"].gate = asyncio.Event()
    heard = asyncio.Event()
    task = asyncio.create_task(
        ask(village, told, question(told, "400", "hum"), keep=KEEP, on_piece=lambda _: heard.set())
    )
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (turn,) = kept(told)
    assert turn.finish == "stopped" and turn.answer == turn.name and turn.tokens is None


async def test_a_conversation_that_does_not_fit_loses_its_oldest_exchanges(told: SaveFolder, village: Village) -> None:
    talk = new_talk()
    earlier: list[Turn] = []
    for number in range(3):
        asked = question(told, "900", f"question {number}", talk=talk, earlier=earlier, system="be kind")
        earlier.append(await ask(village, told, asked, keep=KEEP))
    village.servers["arena"].room = len("be kind" + "question 2" + (earlier[2].answer or "") + "and now?")
    turn = await ask(
        village, told, question(told, "900", "and now?", talk=talk, earlier=earlier, system="be kind"), keep=KEEP
    )
    assert turn.detail["forgotten"] == 2
    assert [m["content"] for m in turn.messages] == ["question 2", earlier[2].answer, "and now?"]
    with pytest.raises(RealmError) as failed:
        await ask(village, told, question(told, "900", "x" * 5000), keep=KEEP)
    assert failed.value.code == "QUESTION_TOO_LONG"


async def test_a_server_that_went_away_since_it_was_met_is_looked_at_again_once(
    told: SaveFolder, village: Village
) -> None:
    village.servers["arena"].drops = 1
    turn = await ask(village, told, question(told, "900", "still there?"), keep=KEEP)
    assert turn.answer and village.looked == 2 and len(kept(told)) == 1
    village.servers["arena"].drops = 2
    with pytest.raises(RealmError) as failed:
        await ask(village, told, question(told, "900", "and now?"), keep=KEEP)
    assert failed.value.code == "SERVER_GONE" and kept(told)[0].error_code == "SERVER_GONE"


async def test_two_forms_answer_one_question_and_one_that_fails_stops_nobody(
    told: SaveFolder, village: Village
) -> None:
    talk = new_talk()
    both = [question(told, which, "who?", talk=talk) for which in ("400", "900")]
    heard: list[int] = []
    first, second = await compare(village, told, both, keep=KEEP, on_piece=lambda side, _: heard.append(side))
    assert isinstance(first, Turn) and isinstance(second, Turn)
    assert first.detail["question"] == second.detail["question"] and set(heard) == {0, 1}
    village.refuses["inn"] = BlockedError("the road is blocked", code="HOST_UNREACHABLE")
    one, other = await compare(
        village, told, [question(told, "400", "and?"), question(told, "900", "and?", place="inn")], keep=KEEP
    )
    assert isinstance(one, Turn) and isinstance(other, BlockedError)
    newest = {turn.name: turn for turn in kept(told)[:2]}
    assert sorted(t.error_code or "" for t in newest.values()) == ["", "HOST_UNREACHABLE"]


async def test_a_place_that_holds_one_form_hears_two_one_after_the_other(told: SaveFolder, village: Village) -> None:
    from realm_tui.runtime.inn.oracle import Wish, put
    from tests.oracle.test_screen import with_places

    with_places(told)
    wish = Wish("who?", ("400", "900"), "inn", new_talk(), kind="compare", displace=True)
    found = await put(village, told, wish)
    assert [isinstance(one, Turn) and one.step for one in found] == [400, 900]
    assert [one.answer is not None for one in kept(told)] == [True, True]


async def test_a_place_that_proves_nothing_answers_and_is_marked(told: SaveFolder, village: Village) -> None:
    turn = await ask(village, told, question(told, "900", "who?", place="study"), keep=KEEP)
    assert not turn.strict and turn.answer


async def test_every_server_is_told_the_heros_system_turn(told: SaveFolder, village: Village) -> None:
    for place in ("arena", "inn"):
        await ask(village, told, question(told, "900", "who?", place=place, system="be kind"), keep=KEEP)
        heard = village.servers[place].heard[-1].messages
        assert heard is not None and [m.content for m in heard] == ["be kind", "who?"]


async def test_history_is_found_by_words_and_told_by_conversation_and_has_a_bound(
    told: SaveFolder, village: Village
) -> None:
    first = new_talk()
    await ask(village, told, question(told, "900", "50% of \\_x?", talk=first, kind="chat"), keep=3)
    await ask(village, told, question(told, "400", "and now?", talk=first, kind="chat"), keep=3)
    await ask(village, told, question(told, "900", "other"), keep=3)
    assert [t.question for t in kept(told, words="50%")] == ["50% of \\_x?"]
    assert [t.question for t in kept(told, words="\\_x")] == ["50% of \\_x?"]
    assert kept(told, words="heard nobody") == ()
    with opened(told) as save:
        newest, talk = talks(save.conn, limit=9)
        assert (talk.id, talk.turns, talk.first, len(talk.names)) == (first, 2, "50% of \\_x?", 2)
        assert newest.turns == 1
    await ask(village, told, question(told, "900", "one more"), keep=3)
    with opened(told) as save:
        assert [t.question for t in talk_turns(save.conn, first)] == ["and now?"]


def test_nobody_answers_for_a_form_that_is_not_there(told: SaveFolder) -> None:
    with opened(told) as save:
        with pytest.raises(UsageError) as unknown:
            forms.speaker(save, "777")
        assert unknown.value.code == "UNKNOWN_CHECKPOINT"
        with pytest.raises(UsageError) as baseless:
            forms.speaker(save, "base")
        assert baseless.value.code == "NO_BASE"
        who = forms.speaker(save, "400")
        for file in sorted(who.folder.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        who.folder.rmdir()
        with pytest.raises(BlockedError) as gone:
            forms.speaker(save, "400")
        assert gone.value.code == "FORM_GONE"
    with pytest.raises(UsageError):
        conversation((), "  ")


def test_a_base_is_named_by_its_files_and_read_again_only_when_they_change(
    told: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = told.root / "model"
    (model / ".cache").mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / ".cache" / "note").write_text("not of the model")
    (model / "model.safetensors").write_text("weights")
    first = forms.folder_digest(model)
    assert len(first) == 64
    with monkeypatch.context() as closed:
        closed.setattr(plain_model, "sha256", lambda _: pytest.fail("read again"))
        assert forms.folder_digest(model) == first
    (model / "config.json").write_text('{"a": 1}')
    assert forms.folder_digest(model) != first


def test_the_loop_of_the_inn_stops_what_is_cancelled_and_ends_in_good_order() -> None:
    loop, ended = InnLoop(), []

    async def endless(began: asyncio.Event | None = None) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("yes")

    async def plain() -> int:
        return 7

    assert loop.run(plain()).result(timeout=60) == 7
    one = loop.run(endless())
    loop.run(plain()).result(timeout=60)
    one.cancel()
    loop.run(plain()).result(timeout=60)
    loop.run(endless())
    loop.run(plain()).result(timeout=60)
    loop.close()
    loop.close()
    assert ended == ["yes", "yes"]


def test_the_view_names_what_is_awake_at_a_place_and_what_became_of_its_server(told: SaveFolder) -> None:
    from realm_tui.runtime.inn.oracle_view import ASLEEP, oracle_view
    from saves.workers import Worker, put

    def seat(**facts: Any) -> Any:
        with opened(told, write=True) as save:
            made: dict[str, Any] = {"id": "arena-own", "box": "arena", "kind": "own", "strict": True, "address": "s"}
            put(save.conn, Worker(**made, origin="started", created_at=1.0, **facts))
            return oracle_view(save).seats[0]

    with opened(told) as save:
        assert oracle_view(save).seats[0].state == ASLEEP
        who = forms.speaker(save, "400")
    up = seat(state="up", detail={"forms": [who.digest, "f" * 64]})
    assert up.state == "up" and up.loaded == ("step 400", "f" * 12)
    ended = seat(state="ended", why="its lease ended", digest=who.digest)
    assert (ended.state, ended.why, ended.loaded) == ("ended", "its lease ended", ())
    assert seat(state="stopped").state == ASLEEP


def test_an_adapter_speaks_with_its_base_and_the_base_for_itself_and_nothing_is_fetched_for_a_question(
    realm: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from configs.loader import load_hero
    from saves import ledger
    from saves.database import create_save, open_save
    from tests.saves import facts

    model = realm.root.parent.parent / "model"
    model.mkdir(parents=True)
    monkeypatch.setenv("HF_HOME", str(realm.root.parent.parent / "hf"))
    hero = load_hero("dio")
    local = hero.model_copy(update={"model": hero.model.model_copy(update={"path": str(model)})})
    create_save(realm, local, seed=1)
    with closing(open_save(realm, write=True)) as conn:
        made = facts.form(realm, conn, facts.begin(conn), 10)
        (ledger.folder_of(realm, made) / "adapter_config.json").write_text("{}")
    with opened(realm) as save:
        with pytest.raises(BlockedError) as missing:
            forms.speaker(save, "base")
        assert missing.value.code == "MODEL_MISSING"
        (model / "config.json").write_text("{}")
        (model / "model.safetensors").write_text("weights")
        base, form = forms.speaker(save, "base"), forms.speaker(save, "10")
        assert base.folder == form.base == model and base.step is None and base.digest == forms.folder_digest(model)
        elsewhere = replace(save, hero=hero)
        with pytest.raises(BlockedError) as absent:
            forms.speaker(elsewhere, "base")
        assert absent.value.code == "MODEL_MISSING" and "hub" not in absent.value.why
