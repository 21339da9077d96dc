"""Sparring at the Inn: a saved form answers there, is judged here, and its failures become a quest, without the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from realm_tui.runtime.aside import on_thread
from realm_tui.runtime.jobs.kinds import Desk, NotYetError
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.sparring import Bout, enlist
from saves import ledger, quests
from saves.rows import Checkpoint

if TYPE_CHECKING:
    from engine.curriculum.bouts import Bout as Wanted
    from engine.curriculum.state import CurriculumState
    from engine.quests.reader import ExampleReader
    from engine.trainer.values import Values
    from realm_tui.runtime.inn.servers.contract import Answer, Ask
    from skills.contract import Problem

NEWEST = "latest"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a bout is to be."""

    form: str = NEWEST
    """As `engine.trainer.promotion.find_form` knows it."""
    skill: str | None = None
    """None: the one whose turn it is after the form's step."""
    level: int | None = None
    """None: the level the form trains."""
    rounds: int | None = None
    """None: the rules'."""
    targeted: bool = False
    """Only operations that lag in the newest exams."""
    dry_run: bool = False
    """Ask, and add nothing."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A bout whose questions can be sent."""

    form: Checkpoint
    wanted: Wanted
    problems: tuple[Problem, ...]
    """Those that fit the hero's context."""
    asks: tuple[Ask, ...]
    lead: str
    """Text before an answer that belongs to the turn format."""


async def spar_at_inn(folder: SaveFolder, desk: Desk, wishes: Wishes, *, tell: Callable[[str], None]) -> Bout:
    """Let a saved form spar on a server that proves who answers, and put what it got wrong on the board.

    Args:
        folder: the save's folder.
        desk: the way to servers.
        wishes: who spars, at what.
        tell: hears what takes long.

    Raises:
        NotYetError: no such server can be reached now.
        UsageError: the form, skill, level or number of rounds does not exist.
        BlockedError: nothing was saved yet, or the hero has outgrown the form.
        RealmError: what stood in the way, or another form answered (``MODEL_MISMATCH``).
    """
    ready = await on_thread(lambda: _prepared(folder, wishes), "inn-sparring")
    form = ready.form
    skill, level = ready.wanted.skill.config.id, ready.wanted.level
    with await desk.seat(None, digest=form.digest, strict=True, tell=tell) as seat:
        tell(f"{form.name} spars in {skill.upper()} L{level} at {seat.worker}: {len(ready.asks)} problems")
        said = await seat.server.ask_all(ready.asks)
    others = sorted({str(a.digest)[:12] for a in said if a.digest != form.digest})
    if others:
        raise RealmError(
            f"{seat.worker} let another form spar",
            why=f"asked was {form.digest[:12]}, it proved {', '.join(others)}",
            fix="its answers were thrown away; look at `realm worker list`",
            code="MODEL_MISMATCH",
        )
    where = {"form": form.name, "digest": form.digest, "worker": seat.worker}
    return await on_thread(lambda: _judged(folder, ready, said, wishes, where), "inn-sparring")


def _prepared(folder: SaveFolder, wishes: Wishes) -> _Prepared:
    from engine.curriculum.bouts import bout_of
    from skills.registry import get_skill

    with opened(folder) as save:
        form = _form(save, wishes)
        states, turn = _standing(save, form)
        name = wishes.skill or turn
        if name not in states:
            raise UsageError(f"this hero does not train {name}", fix="see `realm skill list`", code="UNKNOWN_SKILL")
        args = {"level": wishes.level, "rounds": wishes.rounds, "targeted": wishes.targeted or None}
        given = {key: value for key, value in args.items() if value is not None}
        wanted = bout_of(states[name], get_skill(name), save.rules.quests, given, step=form.step)
        return _asked(save, form, wanted)


def _form(save: OpenedSave, wishes: Wishes) -> Checkpoint:
    from engine.trainer.promotion import find_form
    from realm_tui.runtime.exam_view import newest_step

    form = find_form(save.conn, wishes.form)
    if form.campaign_id != save.campaign.id:
        raise UsageError(
            f"{form.name} belongs to another campaign",
            why=f"{save.campaign.name} is being played",
            fix="let one of its own forms spar (`realm ledger list`)",
            code="OTHER_CAMPAIGN",
        )
    beyond = quests.gone_beyond(save.conn, save.campaign.id, form.step, newest_step(save))
    if beyond is not None and not wishes.dry_run:
        raise BlockedError(
            f"the hero has outgrown {form.name}",
            why=f"it has gone beyond {beyond}, so what the older form got wrong would be dropped",
            fix="let the newest form spar (`--form latest`), or only look (`--dry-run`)",
            code="FORM_OUTGROWN",
        )
    return form


def _standing(save: OpenedSave, form: Checkpoint) -> tuple[dict[str, CurriculumState], str]:
    """Where the form stands in each skill, and the skill whose turn is next."""
    from engine.curriculum.presets import of_preset
    from engine.curriculum.state import start
    from engine.curriculum.strategy import Rules, next_skill
    from skills.registry import get_skill

    values = _values(ledger.folder_of(save.folder, form))
    if values is None:
        won = form.facts.get("skill_levels", {})
        states = {
            skill: start(
                skill, mix, get_skill(skill).config.max_level, save.rules.exams, mastered=int(won.get(skill, 0))
            )
            for skill, mix in save.hero.skills.items()
        }
        return states, next(iter(states))
    states = values.curricula
    settings = values.settings or of_preset(save.rules.strategy.preset, list(states))
    turn = next_skill(
        settings, states, Rules.of(save.rules), values.weights, seed=save.campaign.seed, step=form.step + 1
    )
    return states, turn


def _values(folder: Path) -> Values | None:
    """The trainer's counters in a form; None where it has none."""
    from engine.trainer.values import Values

    try:
        data = json.loads((folder / "trainer" / "state.json").read_text(encoding="utf-8"))
        return Values.from_dict(data["values"])
    except (OSError, ValueError, KeyError):
        return None


def _asked(save: OpenedSave, form: Checkpoint, wanted: Wanted) -> _Prepared:
    """The questions as the hero is trained on them: in its own tokens where its tokenizer is here, else as turns of a chat."""
    from engine.curriculum.questions import conversation, put, question, spare_tokens
    from engine.quests.reader import ExampleReader, dated, reader_for
    from realm_tui.runtime.inn.servers.contract import Ask, Message, Sampling

    hero = save.hero
    spare = spare_tokens(save.rules.exams, hero)
    system = dated(hero.system_prompt, save.campaign.began_at)
    reader = reader_for(hero)
    problems: list[Problem] = []
    asks: list[Ask] = []
    for problem in wanted.problems():
        if isinstance(reader, ExampleReader):
            found = put(reader.template, hero.data, system, problem, context=hero.model.context_length, spare=spare)
            if found.error:
                continue
            ask = Ask(form.digest, ids=found.ids, sampling=Sampling(temperature=0.0, max_tokens=found.longest))
        else:
            turns = tuple(Message(m["role"], str(m["content"])) for m in question(hero.data, system, problem))
            # A token is at least a letter, so this is never too short.
            longest = len(str(conversation(hero.data, system, problem)[-1]["content"])) + spare
            ask = Ask(form.digest, messages=turns, sampling=Sampling(temperature=0.0, max_tokens=longest))
        problems.append(problem)
        asks.append(ask)
    if not asks:
        raise BlockedError(
            f"no problem of {wanted.skill.config.id} level {wanted.level} fits what the hero reads",
            fix="choose a lower level (`--level`)",
            code="CONTEXT_TOO_SHORT",
        )
    return _Prepared(form, wanted, tuple(problems), tuple(asks), _lead(reader))


def _lead(reader: ExampleReader | Any) -> str:
    template = getattr(reader, "template", None)
    return str(template.format.assistant.lead) if template is not None else ""


def _judged(
    folder: SaveFolder, ready: _Prepared, said: Sequence[Answer], wishes: Wishes, where: dict[str, Any]
) -> Bout:
    from engine.chat.profiles import scored_text
    from skills.judging import judge

    with opened(folder) as save:
        data = save.hero.data
    skill = ready.wanted.skill
    texts = [answer.text.removeprefix(ready.lead) for answer in said]
    found = [
        (problem, text, judge(skill, problem, scored_text(data, text)))
        for problem, text in zip(ready.problems, texts, strict=True)
    ]
    facts = {**ready.wanted.told(found), **where}
    return enlist(folder, facts, targeted=wishes.targeted, dry_run=wishes.dry_run, form=ready.form)


async def spar_once(folder: SaveFolder, wishes: Wishes, *, tell: Callable[[str], None]) -> Bout:
    """`spar_at_inn` by the usual way to the servers, for one who waits.

    Raises:
        BlockedError: no server that proves who answers can be reached.
        RealmError: as `spar_at_inn`.
    """
    from realm_tui.runtime.jobs.desk import InnDesk

    desk = InnDesk(folder)
    try:
        return await spar_at_inn(folder, desk, wishes, tell=tell)
    except NotYetError as error:
        raise BlockedError(
            "no server that proves who answers can be reached",
            why=error.why,
            fix="see `realm worker list`; `realm config set inn.inference.where inn` lets this machine's own worker answer, "
            "and without --form the hero in training spars",
            code="NO_PLACE_ELSEWHERE",
        ) from error
    finally:
        await desk.aclose()
