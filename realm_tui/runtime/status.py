"""What is true right now, in one object: the same facts for the screen, the status line and ``realm status --json``.

Live values come from the ring while an engine holds its lock, everything else from the save. What is not known is ``None``
(null in JSON, drawn as a dash), never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from configs import clock
from configs.paths import SaveFolder
from configs.schema import Zone
from engine.link.state import LIVING, EngineState

if TYPE_CHECKING:
    from engine.link.snapshot import Snapshot
    from realm_tui.runtime.opened import OpenedSave
    from realm_tui.runtime.saved_facts import SavedFacts

CONTRACT_VERSION = 1
"""Grows when a field of the machine contract changes its meaning or goes away."""
STALE_AFTER_S = 30.0
"""Age of a living engine's heartbeat from which its report is called stale."""


@dataclass(frozen=True, slots=True)
class HeroStatus:
    """Who is learning."""

    id: str
    name: str
    epithet: str
    level: int
    """Hero level: thousands of live steps."""
    steps: int
    """Live optimizer steps of the campaign; its XP."""
    colour: str
    emoji: str

    @property
    def title(self) -> str:
        """Name and epithet, e.g. ``PIP, the Hatchling``."""
        return f"{self.name}, {self.epithet}"


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """One operation at the training level, pooled over the last exams of the gate."""

    correct: int
    items: int
    chance: float | None
    """Accuracy of the best answer that does not look at the operands."""


@dataclass(frozen=True, slots=True)
class SkillStatus:
    """How far a skill is, with the evidence."""

    name: str
    mix: str
    """The published mix it trains on and is examined in."""
    max_level: int
    mastered: int
    """Levels won; 0 is none."""
    held: int
    """Mastered levels that are not lost."""
    lost: tuple[int, ...]
    training: int
    """The level exams are taken at; the last one when every level is won."""
    level_name: str | None
    accuracy: float | None
    """Share of the newest exam at the training level; draw it with `engine.statistics.shown_share`, which never rounds up."""
    correct: int | None
    items: int | None
    interval: tuple[float, float] | None
    """Anytime-valid interval of that share."""
    exam_id: int | None
    streak: int
    """Newest exams in a row at the training level that reached the gate."""
    streak_needed: int
    operations: Mapping[str, OperationStatus]
    at_chance: tuple[str, ...]
    """Operations whose pooled share cannot be told from chance."""
    weakest: str | None
    not_yet: tuple[str, ...]
    """Operations the mix leaves out for now."""
    held_back: tuple[str, ...] = ()
    """Operations under their floor, weakest first, while they alone keep the level from being won: its exams are passed."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The player's quests that wait, by priority."""

    high: int = 0
    normal: int = 0
    low: int = 0

    @property
    def total(self) -> int:
        return self.high + self.normal + self.low


@dataclass(frozen=True, slots=True)
class QuestStatus:
    """What trains now."""

    name: str
    id: int | None
    """None for a forged quest."""
    step: int | None
    steps: int | None
    eta_s: float | None
    held_out_loss: float | None


@dataclass(frozen=True, slots=True)
class ChampionStatus:
    """The form that was promoted last."""

    name: str
    step: int
    path: str
    """Folder that plain transformers loads: the export, else the checkpoint."""
    digest: str
    at: float
    """When it was crowned."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """Something in the way, with the way out."""

    code: str
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Status:
    """The machine contract. Times are UTC seconds, ages are seconds."""

    save: str
    at: float
    """When this was collected."""
    hero: HeroStatus
    campaign: str
    run: int | None
    state: EngineState
    stale: bool
    """An engine lives, but its last heartbeat is older than `STALE_AFTER_S`."""
    step: int | None
    xp: int
    loss: float | None
    loss_ema: float | None
    strain: float | None
    strain_rate: float | None
    zone: Zone | None
    floor: float | None
    effort: float | None
    gain: float | None
    """Mean loss of the campaign's first window less the loss now."""
    learning_rate: float | None
    grad_norm: float | None
    tokens_per_s: float | None
    steps_per_s: float | None
    memory_bytes: int | None
    skills: Mapping[str, SkillStatus]
    queue: QueueStatus
    quest: QuestStatus | None
    champion: ChampionStatus | None
    blockers: tuple[Blocker, ...]
    incidents: int
    """Open incidents."""
    next_exam_step: int | None
    last_checkpoint_step: int | None
    progress: str | None
    """What takes long right now, in words."""
    computes: Mapping[str, Any] | None = None
    """How the newest run computes, as it was chosen and recorded: device, dtypes, attention, kernels, blocks computed twice."""
    ages_s: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds since ``heartbeat``, ``step``, ``exam``, ``checkpoint``, ``level_up``."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; unknown is null."""
        return {"contract": CONTRACT_VERSION, **asdict(self), "state": str(self.state)}


def collect(folder: SaveFolder, *, ring: bool = True) -> Status:
    """The status of a save, read afresh.

    Args:
        folder: the save's folder.
        ring: look at the living engine's own report too; False shows the save alone.

    Raises:
        BlockedError: there is no save yet.
        RealmError: the save or its configuration cannot be read.
    """
    from realm_tui.runtime.opened import opened

    with opened(folder) as save:
        return collect_from(save, ring=ring)


class Remembered:
    """What the save said when it was last read; valid until somebody writes to it."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._facts: dict[bool, SavedFacts] = {}
        self._skills: dict[str, SkillStatus] | None = None

    def facts(self, save: OpenedSave, *, effort: bool) -> SavedFacts:
        """The facts of the save; with the effort only where it is asked for."""
        from realm_tui.runtime.saved_facts import saved_facts

        self._turn_to(save)
        if True in self._facts:
            return self._facts[True]
        if effort not in self._facts:
            self._facts[effort] = saved_facts(save, effort=effort)
        return self._facts[effort]

    def skills(self, save: OpenedSave) -> dict[str, SkillStatus]:
        """How far each skill is."""
        from realm_tui.runtime.standing import standing

        self._turn_to(save)
        if self._skills is None:
            self._skills = standing(save)
        return self._skills

    def _turn_to(self, save: OpenedSave) -> None:
        version = int(save.conn.execute("PRAGMA data_version").fetchone()[0])
        if version != self._version:
            self._version, self._facts, self._skills = version, {}, None


def collect_from(save: OpenedSave, *, ring: bool = True, remembered: Remembered | None = None) -> Status:
    """`collect` for a save that is open already.

    Args:
        save: an open save.
        ring: see `collect`.
        remembered: of the same save, for somebody who looks again and again.
    """
    from lore.hero import hero_level
    from realm_tui.runtime.blockers import blockers
    from realm_tui.runtime.engine_state import engine_state
    from saves.runs import latest_run

    at, known = clock.now(), remembered or Remembered()
    run = latest_run(save.conn, save.campaign.id)
    state, snapshot, trouble = engine_state(save.folder, run, ring=ring)
    live = snapshot if snapshot is not None and state in LIVING else None
    facts = known.facts(save, effort=live is None or live.effort is None)
    hero, step = save.hero, facts.step
    if live is not None and live.step is not None:
        step = live.step
    xp = max(0, step - save.campaign.starting_step)
    heartbeat = live.heartbeat_at if live is not None else None
    stale = heartbeat is not None and at - heartbeat > STALE_AFTER_S
    strain = live.strain if live is not None else facts.strain
    loss = live.loss if live is not None else facts.loss
    loss_now = (live.loss_ema if live is not None else facts.loss_mean) or loss
    saved_checkpoint = live.last_checkpoint_step if live is not None else None
    ages = {
        "heartbeat": heartbeat,
        "step": live.stepped_at if live is not None and live.stepped_at is not None else facts.stepped_at,
        "exam": facts.exam_at,
        "checkpoint": facts.checkpoint_at,
        "level_up": facts.level_up_at,
    }
    return Status(
        save=save.folder.name,
        at=at,
        hero=HeroStatus(
            id=hero.id,
            name=hero.name,
            epithet=hero.epithet,
            level=hero_level(xp),
            steps=xp,
            colour=hero.display.colour,
            emoji=hero.display.emoji,
        ),
        campaign=save.campaign.id,
        run=run.id if run is not None else None,
        state=state,
        stale=stale,
        step=step,
        xp=xp,
        loss=loss,
        loss_ema=live.loss_ema if live is not None else None,
        strain=strain,
        strain_rate=live.strain_rate if live is not None else None,
        zone=None if strain is None else save.rules.strain.zone(strain),
        floor=live.floor if live is not None else facts.floor,
        effort=live.effort if live is not None and live.effort is not None else facts.effort,
        gain=None if facts.first_loss is None or loss_now is None else facts.first_loss - loss_now,
        learning_rate=live.learning_rate if live is not None else None,
        grad_norm=live.grad_norm if live is not None else None,
        tokens_per_s=live.tokens_per_s if live is not None else None,
        steps_per_s=live.steps_per_s if live is not None else None,
        memory_bytes=live.memory_bytes if live is not None else None,
        skills=known.skills(save),
        queue=facts.queue,
        quest=_quest(live),
        champion=facts.champion,
        blockers=tuple(blockers(save, state, stale=stale, snapshot=live, trouble=trouble, run=run)),
        incidents=facts.incidents,
        next_exam_step=live.next_exam_step if live is not None else None,
        last_checkpoint_step=facts.checkpoint_step if saved_checkpoint is None else saved_checkpoint,
        progress=live.progress if live is not None else None,
        computes=run.environment.get("placement") if run is not None else None,
        ages_s={what: None if when is None else max(0.0, at - when) for what, when in ages.items()},
    )


def _quest(live: Snapshot | None) -> QuestStatus | None:
    if live is None or live.quest is None:
        return None
    eta = None
    if live.steps_per_s and live.quest_step is not None and live.quest_steps is not None:
        eta = max(0, live.quest_steps - live.quest_step) / live.steps_per_s
    return QuestStatus(live.quest, live.quest_id, live.quest_step, live.quest_steps, eta, live.held_out_loss)
