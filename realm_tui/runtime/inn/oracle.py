"""Asking a form: one question, a conversation, or the same question put to two. Every answer is that form's, or it is an error.

What was asked and answered is written down, also what was stopped or went wrong. A server that cannot prove who spoke is asked like
any other, and its answers are marked.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from configs import clock
from configs.errors import RealmError, UsageError
from configs.facilities import load_facilities
from configs.inn import OracleRules
from configs.paths import SaveFolder
from realm_tui.runtime.inn.forms import Speaker, speaker
from realm_tui.runtime.inn.servers.contract import (
    Answer,
    Ask,
    FormMissingError,
    Kind,
    Message,
    ModelMismatchError,
    Sampling,
    Server,
    ServerGoneError,
    ServerLostError,
)
from realm_tui.runtime.opened import OpenedSave, opened
from saves.oracle import Turn, add_turn, talk_turns

Tell = Callable[[str], None]
OnPiece = Callable[[str], None]

OTHER_FORM = "SERVER_TAKEN"
"""Code of a place that would have to let another form go first: a question back, not an answer."""
TOO_LONG = "QUESTION_TOO_LONG"
"""Code of a server that says a question does not fit."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A server that holds the form that is to be asked."""

    server: Server
    box: str
    """The machine it stands on."""
    place: str
    """The facility."""
    worker: str
    """Its name among the workers."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What it took to have a form lie where a server can read it."""

    sent_bytes: int
    """0: it lay there already."""
    seconds: float
    path: str
    """Its folder there."""


class Reach(Protocol):
    """The way to the servers of all places."""

    async def bring(self, place: str, who: Speaker, *, tell: Tell) -> Brought:
        """See to it that the form lies at a place, whole and verified.

        Args:
            place: a facility with a server.
            who: the form.
            tell: hears how far it is.

        Raises:
            RealmError: what stands in the way, with the way out.
        """

    async def ready(self, place: str, who: Speaker, *, displace: bool, tell: Tell) -> Ready:
        """A server of that place which serves the form; it is started, and the form brought and loaded, where that is needed.

        Args:
            place: a facility with a server.
            who: the form.
            displace: it may take the place of another form where a server holds only one.
            tell: hears what takes long.

        Raises:
            RealmError: what stands in the way, with the way out.
        """

    async def aclose(self) -> None:
        """Let go of all connections; servers stay until their leases end."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of whom, and where."""

    who: Speaker
    place: str
    system: str
    """The hero's system turn, or nothing."""
    messages: tuple[Message, ...]
    """The conversation so far; the last turn is the question."""
    sampling: Sampling
    campaign: str
    talk: str
    """The conversation; see `new_talk`."""
    kind: str = "ask"
    displace: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a visitor asks, in the visitor's own words."""

    words: str
    forms: tuple[str, ...]
    """One form, or two to be compared; as `realm_tui.runtime.inn.forms.speaker` knows them."""
    place: str
    talk: str
    kind: str = "chat"
    temperature: float | None = None
    """None: the rules'."""
    seed: int | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    remember: bool | None = None
    """Send the earlier turns along; None: as `remembers` says."""
    displace: bool = False


async def put(
    reach: Reach,
    folder: SaveFolder,
    wish: Wish,
    *,
    on_piece: Callable[[int, str], None] = lambda _, __: None,
    tell: Tell = lambda _: None,
) -> list[Turn | RealmError]:
    """Ask one form, or two at once.

    Returns:
        A turn for each form; with two of them also what went wrong with one.

    Raises:
        RealmError: the only form that was asked did not answer, or there is no such form.
    """
    questions, keep = await asyncio.to_thread(prepared, folder, wish)
    if len(questions) > 1:
        in_turn = await asyncio.to_thread(holds_one, wish.place)
        return await compare(reach, folder, questions, keep=keep, in_turn=in_turn, on_piece=on_piece, tell=tell)
    return [
        await ask(reach, folder, questions[0], keep=keep, on_piece=lambda piece: on_piece(0, piece), tell=tell),
    ]


def holds_one(place: str) -> bool:
    """Whether another form takes the place of the one that the server there holds."""
    facility = load_facilities().facilities.get(place)
    return facility is not None and facility.server is not None and facility.server.kind in ("vllm", "sglang")


def prepared(folder: SaveFolder, wish: Wish) -> tuple[list[Question], int]:
    """The questions of a wish, each with the conversation it belongs to, and how many turns are kept."""
    with opened(folder) as save:
        rules = save.rules.inn.oracle
        sampling = sampling_of(
            rules, temperature=wish.temperature, seed=wish.seed, top_p=wish.top_p, max_tokens=wish.max_tokens
        )
        whole = remembers(save) if wish.remember is None else wish.remember
        earlier = talk_turns(save.conn, wish.talk) if whole else ()
        system, out = system_turn(save), []
        for which in wish.forms:
            who = speaker(save, which)
            mine = [turn for turn in earlier if turn.digest == who.digest]
            messages = conversation(mine, wish.words)
            out.append(
                Question(
                    who,
                    wish.place,
                    system,
                    messages,
                    sampling,
                    save.campaign.id,
                    wish.talk,
                    wish.kind,
                    displace=wish.displace,
                )
            )
    return out, rules.keep


def sampling_of(rules: OracleRules, **chosen: Any) -> Sampling:
    """How an answer is drawn: what the player chose, else the rules.

    Args:
        rules: the rules of the Oracle.
        chosen: fields of `Sampling`; None: the rules'.
    """
    known = {name: value for name, value in chosen.items() if value is not None}
    base = Sampling(temperature=rules.temperature, top_p=rules.top_p, max_tokens=rules.max_tokens, seed=0)
    return replace(base, **known)


def new_talk() -> str:
    """A name for a conversation that begins."""
    return f"talk-{secrets.token_hex(3)}"


def system_turn(save: OpenedSave) -> str:
    """What the hero is told before a conversation, with its date; empty for one that is told nothing."""
    from engine.quests.reader import dated

    return dated(save.hero.system_prompt, save.campaign.began_at)


def remembers(save: OpenedSave) -> bool:
    """Whether a conversation is put to the hero as a whole: one born here has never seen more than one question at a time."""
    return save.hero.model.source == "pretrained"


def sent(system: str, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The turns as a server is told them: none adds the hero's system turn by itself."""
    told = [Message("system", system)] if system else []
    return (*told, *messages)


def conversation(earlier: Sequence[Turn], words: str) -> tuple[Message, ...]:
    """The turns of a conversation, up to a new question.

    Args:
        earlier: the answered turns of this conversation with this form, oldest first.
        words: the player's question.

    Raises:
        UsageError: there is no question.
    """
    if not words.strip():
        raise UsageError("there is no question", fix="ask something", code="BAD_ARGUMENT")
    out: list[Message] = []
    for turn in earlier:
        if turn.answer and turn.finish is not None:
            out += [Message("user", turn.question), Message("assistant", turn.answer)]
    return (*out, Message("user", words))


async def ask(
    reach: Reach,
    folder: SaveFolder,
    question: Question,
    *,
    keep: int,
    on_piece: OnPiece = lambda _: None,
    tell: Tell = lambda _: None,
) -> Turn:
    """Ask, and write down what came of it.

    Where a conversation no longer fits into what the form reads at once, its oldest exchanges are left out, and the turn says how many.

    Args:
        reach: the way to the servers.
        folder: the save, in which the turn is kept.
        question: what is asked.
        keep: how many turns are remembered.
        on_piece: hears the answer as it comes. It is provisional until the turn is returned.
        tell: hears what takes long.

    Returns:
        The turn as it was written.

    Raises:
        RealmError: there was no answer of that form; that is written down, too.
        asyncio.CancelledError: the answer was stopped; what had come is written down.
    """
    asked = _Asked(question)
    try:
        await _answered(reach, asked, on_piece, tell)
    except asyncio.CancelledError:
        _write(folder, asked.turn(finish="stopped"), keep)
        raise
    except RealmError as error:
        if isinstance(error, ModelMismatchError):
            asked.pieces.clear()  # whoever said this, it was not the form
        if error.code != OTHER_FORM:
            await asyncio.to_thread(_write, folder, asked.turn(error=error), keep)
        raise
    return await asyncio.to_thread(_write, folder, asked.turn(), keep)


async def _answered(reach: Reach, asked: _Asked, on_piece: OnPiece, tell: Tell) -> None:
    """Hear the answer out; a server that is not any more as it was met is asked for anew, once."""
    question, again = asked.question, False
    while True:
        asked.ready = await reach.ready(question.place, question.who, displace=question.displace, tell=tell)
        tell("")
        try:
            await asked.listen(on_piece)
            return
        except (ServerGoneError, ServerLostError, FormMissingError):
            if again or asked.pieces:
                raise
            again = True
        except RealmError as error:
            if error.code != TOO_LONG or not asked.forget_oldest():
                raise


async def compare(
    reach: Reach,
    folder: SaveFolder,
    questions: Sequence[Question],
    *,
    keep: int,
    in_turn: bool = False,
    on_piece: Callable[[int, str], None] = lambda _, __: None,
    tell: Tell = lambda _: None,
) -> list[Turn | RealmError]:
    """Put one question to several forms; one that fails does not keep the others from answering.

    Args:
        reach: the way to the servers.
        folder: the save, in which the turns are kept.
        questions: the same words for each form.
        keep: how many turns are remembered.
        in_turn: one after the other, where the server holds one form at a time; else all at once.
        on_piece: hears the answers as they come, with the place of their form.
        tell: hears what takes long.

    Returns:
        For each form its turn, or what went wrong.
    """
    shared = secrets.token_hex(8)

    async def one(number: int, question: Question) -> Turn | RealmError:
        marked = replace(question, kind="compare", detail={**question.detail, "question": shared, "side": number})
        try:
            return await ask(
                reach, folder, marked, keep=keep, on_piece=lambda piece: on_piece(number, piece), tell=tell
            )
        except RealmError as error:
            return error

    each = [one(number, question) for number, question in enumerate(questions)]
    return [await answer for answer in each] if in_turn else list(await asyncio.gather(*each))


class _Asked:
    """A question under way: what was heard of its answer so far."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.messages = question.messages
        self.ready: Ready | None = None
        self.answer: Answer | None = None
        self.pieces: list[str] = []
        self.forgotten = 0
        self._began = clock.monotonic()
        self._first: float | None = None

    async def listen(self, on_piece: OnPiece) -> None:
        """Hear the answer to its end."""
        assert self.ready is not None
        server, who = self.ready.server, self.question.who
        self.pieces, self._began, self._first = [], clock.monotonic(), None
        messages = sent(self.question.system, self.messages)
        heard = server.ask(Ask(who.digest, messages=messages, sampling=self.question.sampling))
        async for part in heard:
            if isinstance(part, Answer):
                self.answer = part
            elif part:
                if self._first is None:
                    self._first = clock.monotonic() - self._began
                self.pieces.append(part)
                on_piece(part)
        if self.answer is None:
            raise ModelMismatchError(self.ready.place, who.digest, "its answer has no end")
        if server.strict and self.answer.digest != who.digest:
            raise ModelMismatchError(self.ready.place, who.digest, "its answer proves another form")

    def forget_oldest(self) -> bool:
        """Leave the oldest exchange out; False where only the question is left."""
        if len(self.messages) < 3:
            return False
        self.messages = self.messages[2:]
        self.forgotten += 1
        return True

    def turn(self, *, finish: str | None = None, error: RealmError | None = None) -> Turn:
        """The turn as it stands."""
        question, ready, answer = self.question, self.ready, self.answer
        sampling = question.sampling
        broken = error is not None or finish is not None
        said = "".join(self.pieces) or None
        detail = dict(question.detail) | ({"forgotten": self.forgotten} if self.forgotten else {})
        return Turn(
            talk=question.talk,
            kind=question.kind,
            campaign_id=question.campaign,
            name=question.who.name,
            step=question.who.step,
            digest=question.who.digest,
            box=ready.box if ready else "",
            worker=ready.worker if ready else "",
            server=_kind(ready),
            strict=ready.server.strict if ready else True,
            messages=tuple({"role": m.role, "content": m.content} for m in self.messages),
            answer=said if broken or answer is None else answer.text,
            sampling={
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": sampling.seed,
                "max_tokens": sampling.max_tokens,
            },
            finish=finish if broken or answer is None else answer.finish,
            prompt_tokens=answer.prompt_tokens if answer and not broken else None,
            tokens=answer.tokens if answer and not broken else None,
            seconds=answer.seconds if answer and not broken else clock.monotonic() - self._began,
            first_token_s=answer.first_token_s if answer and answer.first_token_s is not None else self._first,
            error_code=error.code if error else None,
            error=error.text() if error else None,
            detail={"place": question.place, **detail},
            at=clock.now(),
        )


def _kind(ready: Ready | None) -> Kind | str:
    return ready.server.kind if ready else ""


def _write(folder: SaveFolder, turn: Turn, keep: int) -> Turn:
    with opened(folder, write=True) as save:
        return add_turn(save.conn, turn, keep=keep)
