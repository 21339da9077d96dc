"""What the screen shows at one moment: one frozen object, made off the event loop and handed to every panel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.link.snapshot import BattleText
from realm_tui.app.history import Curve
from realm_tui.runtime.samples import Sample
from realm_tui.runtime.status import Status

if TYPE_CHECKING:
    from lore.health import Health
    from lore.hero import HeroStats
    from lore.identity import Identity
    from lore.narrator import Tale
    from lore.strain import Hint, Trend
    from lore.titles import Titles


@dataclass(frozen=True, slots=True)
class EffectLine:
    """A status effect in force (`lore.effects`)."""

    label: str
    plain: str
    icon: str
    tone: str
    """Role of the palette: good, warn or bad."""
    left: int | None
    """Steps until it ends by itself; None: it must be cured."""

    def named(self, tavern: bool) -> str:
        """Its name in a voice."""
        return self.label if tavern else self.plain


@dataclass(frozen=True, slots=True)
class HeroView:
    """The hero's sheet (`lore.hero`), in words and numbers; None is unknown."""

    portrait: tuple[str, ...] = ()
    identity: Identity | None = None
    titles: Titles | None = None
    health: Health | None = None
    stats: HeroStats | None = None
    streak: int | None = None
    """Answers in a row without a miss."""
    best_streak: int | None = None
    """The longest of any skill; None while the game has not been read."""
    effects: tuple[EffectLine, ...] | None = None
    """In force, debuffs first; None while the game has not been read."""
    region: str | None = None
    """Where the hero is (`lore.world`); None while unknown."""
    deeds: tuple[str, ...] | None = None
    """Achievements that are earned, by id; None while the game has not been read."""


@dataclass(frozen=True, slots=True)
class ExamAnswer:
    """One answered problem."""

    prompt: str
    answer: str
    expected: str
    result: str
    """crit, hit, glancing, miss or crit_miss; empty for an item that could not be asked."""
    correct: bool


@dataclass(frozen=True, slots=True)
class ExamView:
    """The newest exam."""

    id: int
    step: int
    skill: str
    level: int
    kind: str
    """gate, screen or asked."""
    items: int
    correct: int
    interval: tuple[float, float] | None
    apprentice: bool
    repeats: int
    answers: tuple[ExamAnswer, ...]
    at: float


@dataclass(frozen=True, slots=True)
class QuestLine:
    """A quest of the player's that waits or trains."""

    name: str
    priority: str
    examples: int | None
    state: str
    tokens: TokenFlow | None = None
    """Where its tokens go; None before it trains."""


@dataclass(frozen=True, slots=True)
class TokenFlow:
    """The token ledger of a quest, in short."""

    taken_in: int
    trained: int
    lost: int
    """Cut or left out."""


@dataclass(frozen=True, slots=True)
class StrainView:
    """What the lore says about the strain (`lore.strain`)."""

    trend: Trend | None = None
    """improving, stable or worsening; None while unknown."""
    hint: Hint | None = None


@dataclass(frozen=True, slots=True)
class CourseView:
    """What trains next and why, and how much is forgotten (`engine.curriculum`)."""

    plan: str
    """Shares of the skills in words; empty where there is only one."""
    reason: str
    won: int
    lost: int
    allowed: int
    """Levels, over all skills, that may be lost."""
    keeping: float | None = None
    """Maintenance multiplier of the newest attempt at a level; None before one ended."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything on the Battle screen."""

    status: Status
    hero: HeroView = HeroView()
    strain: StrainView = StrainView()
    curve: Curve = field(default_factory=Curve)
    battle: BattleText | None = None
    exam: ExamView | None = None
    quests: tuple[QuestLine, ...] = ()
    log: tuple[Tale, ...] = field(default=())
    """Newest first."""
    course: CourseView | None = None
    """None before anything was decided."""
    samples: tuple[Sample, ...] = ()
    """Memory and temperature since the game was opened, oldest first."""

    def same(self, before: Facts) -> bool:
        """Whether nothing happened since ``before``: only time has passed, and the machine was looked at."""
        then = before.status
        return (
            replace(self, status=replace(self.status, at=then.at, ages_s=then.ages_s), samples=before.samples) == before
        )
