"""The forge: drills for what is weak, rounds of sparring, problems made so far, and forged skills that wait for a person's judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.errors import RealmError, UsageError
from engine.curriculum.primitives import PrimitiveStanding
from engine.curriculum.remediation import DrillOrder
from realm_tui.runtime.opened import OpenedSave
from saves.rows import Decision, ForgedQuest
from saves.sparring import Round

_ROUNDS = 50
_SAMPLES_A_LEVEL = 2


@dataclass(frozen=True, slots=True)
class DrillView:
    """One primitive that exams asked, and the drill for it."""

    standing: PrimitiveStanding
    drill: DrillOrder | None
    """None where nothing drills it."""

    @property
    def key(self) -> str:
        """The primitive."""
        return self.standing.primitive


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A declared skill in the player's folder."""

    id: str
    name: str
    state: str
    """proposed, accepted, rejected, or broken."""
    note: str
    levels: int
    operations: tuple[tuple[str, str, str], ...]
    """Name, a wording, the answer's expression; as the file has them."""
    forged: Mapping[str, Any]
    """How the Skill Forge came to it; empty for one written by hand."""
    doubts: tuple[str, ...]
    """What speaks against it; empty: its samples support it."""
    trouble: str = ""
    """Why it cannot be read."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id


@dataclass(frozen=True, slots=True)
class ForgeView:
    """Everything in the forge."""

    drills: tuple[DrillView, ...]
    """The suggested primitive first, then from the weakest on."""
    suggested: str | None
    """The primitive to drill first; None where none is weak."""
    reason: str
    """Why; empty without a suggestion."""
    last_drill: Decision | None
    rounds: tuple[Round, ...]
    """Sparring, newest first."""
    latest: ForgedQuest | None
    """The newest stretch of problems that the engine made."""
    forged: Mapping[str, Mapping[str, int]]
    """Skill to state to number of such stretches."""
    proposals: tuple[ProposalView, ...]
    """Those that wait for a judgement first."""


def forge_view(save: OpenedSave) -> ForgeView:
    """Read the forge."""
    from engine.curriculum import record
    from engine.curriculum.remediation import prescribe
    from realm_tui.runtime.primitives import standing
    from saves import decisions, forged, sparring

    stood, rules = standing(save), save.rules.primitives
    first = prescribe(stood, rules, last=record.last_drilled(save.conn, save.campaign.id))
    suggested = first[0].primitive if first is not None else None
    return ForgeView(
        drills=tuple(sorted(_drills(save, stood), key=lambda one: one.key != suggested)),
        suggested=suggested,
        reason=first[1] if first is not None else "",
        last_drill=decisions.latest_decision(save.conn, save.campaign.id, kind="drill"),
        rounds=tuple(sparring.rounds(save.conn)[:_ROUNDS]),
        latest=forged.latest_forged(save.conn, save.campaign.id),
        forged=forged.forged_counts(save.conn, save.campaign.id),
        proposals=proposals(),
    )


def _drills(save: OpenedSave, stood: tuple[PrimitiveStanding, ...]) -> tuple[DrillView, ...]:
    from engine.curriculum.remediation import drill_for
    from realm_tui.runtime.course import course
    from realm_tui.runtime.primitives import catalogue_drills
    from skills.registry import get_skill

    if not stood:
        return ()
    trained = {s: (get_skill(s), one.state) for s, one in course(save, ask_engine=False).skills.items()}
    guests = catalogue_drills()
    found: list[DrillView] = []
    for one in stood:
        order: DrillOrder | None = None
        try:
            order = drill_for(
                one.primitive, trained, guests, save.rules.primitives, "weak" if one.weak else "asked for"
            )
        except UsageError:
            order = None
        found.append(DrillView(one, order))
    return tuple(found)


_ORDER = ("proposed", "broken", "accepted", "rejected")


def proposals() -> tuple[ProposalView, ...]:
    """The player's declared skills, those that wait for a judgement first."""
    from configs.declared import own_skill_files

    found = [_proposal(skill_id) for skill_id in own_skill_files()]
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.state), one.id)))


def _proposal(skill_id: str) -> ProposalView:
    from configs.declared import own_skill_files, read_declared
    from skills.forge.proposal import doubts_written

    try:
        declared = read_declared(own_skill_files()[skill_id])
    except RealmError as error:
        return ProposalView(skill_id, skill_id, "broken", "", 0, (), {}, (), error.text())
    return ProposalView(
        id=skill_id,
        name=declared.name,
        state=declared.review.state,
        note=declared.review.note,
        levels=declared.max_level,
        operations=tuple((name, one.templates[0], one.answer) for name, one in declared.operations.items()),
        forged=declared.forged,
        doubts=tuple(doubts_written(declared.forged)),
    )


def sample_problems(skill_id: str) -> list[tuple[int, str, str]]:
    """A few problems of every level of a declared skill, as training would see them: level, question, answer.

    Raises:
        RealmError: the file is not valid, or makes no problems.
    """
    from configs.declared import read_declared
    from skills.declared.skill import build
    from skills.forge.proposal import find_own

    skill = build(read_declared(find_own(skill_id)))
    found: list[tuple[int, str, str]] = []
    for level in range(1, skill.config.max_level + 1):
        for index in range(_SAMPLES_A_LEVEL):
            problem = skill.generate(level, index, "train")
            found.append((level, problem.prompt, problem.answer))
    return found


def judge(skill_id: str, *, accept: bool, anyway: bool = False) -> str:
    """Accept or reject a declared skill, as ``realm skill review`` does; what was decided, in words.

    Raises:
        BlockedError: its samples do not support it and ``anyway`` is not said (``NOT_CONSISTENT``).
        RealmError: the file is not valid, or makes no problems.
    """
    from skills.forge.proposal import decide
    from skills.registry import forget

    declared = decide(skill_id, accept=accept, anyway=anyway)
    forget()
    return f"{declared.id} is {declared.review.state}" + ("; a hero can train it" if accept else "")
