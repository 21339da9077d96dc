"""The typed form of every shipped YAML. Each field says what it means; bounds refuse what cannot work."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from configs.base import Model
from configs.curriculum import ForgettingRules, PrimitiveRules, StrategyRules
from configs.garrison import GarrisonRules
from configs.inn import InnRules
from configs.training import HeroData, HeroTraining

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Zone = Literal["recovery", "productive", "stretch", "overload"]
ZONES: tuple[Zone, ...] = ("recovery", "productive", "stretch", "overload")


# ---------------------------------------------------------------- heroes


class HatchlingShape(Model):
    """A small Qwen3-architecture model made on the spot."""

    hidden_size: int = Field(96, ge=16, le=4096, description="width of the residual stream")
    layers: int = Field(4, ge=1, le=64, description="transformer blocks")
    heads: int = Field(6, ge=1, le=64, description="attention heads (key/value heads are as many)")
    head_dim: int = Field(16, ge=4, le=256, description="width of one head")
    intermediate_size: int = Field(288, ge=16, le=16384, description="width of the feed-forward layer")
    rope_theta: float = Field(100.0, gt=1, description="base of the rotary positions; small for short texts")
    initializer_range: float = Field(0.02, gt=0, le=1, description="standard deviation of the first weights")


class Dimensions(Model):
    """The figures of a decoder from which memory and work are estimated."""

    hidden_size: int = Field(ge=8, description="width of the residual stream")
    layers: int = Field(ge=1, description="transformer blocks")
    heads: int = Field(ge=1, description="query heads")
    kv_heads: int = Field(ge=1, description="key and value heads")
    head_dim: int = Field(ge=4, description="width of one head")
    intermediate_size: int = Field(ge=8, description="width of the feed-forward layer")
    vocab_size: int = Field(ge=64, description="rows of the embedding")
    tied: bool = Field(description="head and embedding are one tensor")
    max_context: int = Field(ge=64, description="positions the model was made for")


class HeroModel(Model):
    """Where the hero's weights come from."""

    source: Literal["hatchling", "pretrained"] = Field(description="made on the spot, or loaded")
    name: str = Field("", description="Hugging Face id, e.g. Qwen/Qwen3-0.6B")
    path: str = Field("", description="a local folder that holds the model; wins over the cache and the hub")
    family: str = Field("qwen3", description="decides template and end tokens where the folder is silent")
    size_b: float = Field(gt=0, description="parameters in billions, for estimates and stature")
    context_length: int = Field(ge=64, le=1_048_576, description="tokens the hero trains and answers with")
    shape: HatchlingShape | None = Field(None, description="only for a hatchling")
    dimensions: Dimensions | None = Field(
        None, description="the loaded model's figures, for estimates before it is there"
    )
    template: str = Field("", description="turn format (configs/chat/); empty: the family's")

    @model_validator(mode="after")
    def _consistent(self) -> HeroModel:
        if self.source == "hatchling" and self.shape is None:
            raise ValueError("a hatchling needs `shape`")
        if self.source == "pretrained" and not (self.name or self.path):
            raise ValueError("a pretrained hero needs `name` or `path`")
        return self


class HeroCheckpoints(Model):
    """When the hero is saved, and how many forms are kept."""

    every_steps: int | None = Field(None, ge=1, description="regular interval in steps; null: anchors only")
    anchor_minutes: float = Field(10.0, gt=0, le=600, description="a rolling anchor at least this often")
    keep: int = Field(3, ge=2, le=1000, description="newest regular checkpoints kept beside the protected ones")


class HeroDisplay(Model):
    """How the hero is drawn."""

    emoji: str = Field(description="one emoji, shown only where emoji are on")
    colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$", description="the hero's colour")
    portrait: tuple[str, ...] = Field((), description="lines of single-width characters")


class HeroConfig(Model):
    """One hero of the roster (`configs/heroes/<id>.yaml`)."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="file name without .yaml")
    name: str = Field(min_length=1, description="what the hero is called")
    epithet: str = Field(description="the second half of the name")
    race: str = Field(description="bloodline by model family")
    description: str = Field("", description="one or two sentences")
    model: HeroModel
    training: HeroTraining
    technique: str = Field("", description="a technique (configs/techniques/) whose physics the training starts from")
    memory_profile: str = Field("", description="a memory profile (configs/memory_profiles/) laid over the technique")
    data: HeroData = Field(default_factory=lambda: HeroData.model_validate({}))
    checkpoints: HeroCheckpoints = Field(default_factory=lambda: HeroCheckpoints.model_validate({}))
    display: HeroDisplay
    skills: dict[str, str] = Field(description="skill id to the published mix it trains on, e.g. bin: hatchling")
    floors: dict[str, float] = Field(description="skill id to the loss taken as irreducible (strain = loss - floor)")
    system_prompt: str = Field("", description="system turn before every example; empty: none")
    notes: str = Field("", description="anything worth knowing")

    @property
    def title(self) -> str:
        """Name and epithet, e.g. ``PIP, the Hatchling``."""
        return f"{self.name}, {self.epithet}"

    @property
    def stature(self) -> str:
        """Sprite, Halfling, Human, Giant or Titan, by size."""
        for bound, word in ((1, "Sprite"), (4, "Halfling"), (30, "Human"), (100, "Giant")):
            if self.model.size_b < bound:
                return word
        return "Titan"


# ---------------------------------------------------------------- rules of the game


class StrainRules(Model):
    """Strain is loss minus floor; these bounds name its zones."""

    productive: float = Field(0.1, gt=0, description="lower bound of Productive")
    stretch: float = Field(0.3, gt=0, description="lower bound of Stretch")
    overload: float = Field(0.5, gt=0, description="lower bound of Overload")
    rate_alpha: float = Field(0.1, gt=0, le=1, description="weight of the newest change in the strain rate")
    improving_below: float = Field(-0.005, description="strain rate under which the trend is improving")
    worsening_above: float = Field(0.005, description="strain rate above which the trend is worsening")
    hint_window: int = Field(10, ge=2, le=1000, description="steps whose mean strain the hint looks at")

    @model_validator(mode="after")
    def _bounds_rise(self) -> StrainRules:
        if not self.productive < self.stretch < self.overload:
            raise ValueError("productive, stretch and overload must rise in this order")
        return self

    def zone(self, strain: float) -> Zone:
        """The zone of a strain; bounds are inclusive below, after rounding to six decimals."""
        s = round(strain, 6)
        if s >= self.overload:
            return "overload"
        if s >= self.stretch:
            return "stretch"
        return "productive" if s >= self.productive else "recovery"


class ExamRules(Model):
    """What wins a level, and what holds it."""

    items: int = Field(64, ge=16, le=1024, description="fresh problems in an exam")
    pass_share: Share = Field(0.80, description="each exam of the gate must reach it")
    streak: int = Field(3, ge=1, le=10, description="consecutive exams at the training level")
    interval_steps: int = Field(25, ge=1, description="fewest steps between two exams at one level")
    interval_share: Share = Field(0.02, description="share of the steps spent at the level between two exams")
    screen_items: int = Field(16, ge=4, le=1024, description="fresh problems per mastered level before a level-up")
    screen_more: int = Field(64, ge=16, le=1024, description="asked in addition when the first screen is below")
    held_share: Share = Field(0.70, description="pooled share below which a mastered level is lost")
    operation_floor: Share = Field(0.50, description="share each operation must reach over the gate's exams")
    operation_min_problems: int = Field(12, ge=1, description="held-out problems from which the floor counts")
    operation_min_items: int = Field(
        4, ge=1, description="items of an operation over the gate's exams from which the floor counts"
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="error rate of the intervals shown")
    spare_tokens: int = Field(8, ge=0, le=4096, description="tokens a hatchling's answer may exceed the expected one")
    spare_tokens_talking: int = Field(
        64, ge=0, le=4096, description="the same for a model that may say a sentence first"
    )
    thinking_tokens: int = Field(256, ge=0, le=65_536, description="tokens more for a hero that thinks first")


class CurriculumRules(Model):
    """What the engine samples when no quest waits."""

    first_horizon: int = Field(3, ge=1, description="levels sampled until the first is won")
    horizon: int = Field(8, ge=1, description="levels sampled at least from then on")
    horizon_beyond: int = Field(4, ge=0, description="levels sampled beyond the training level")
    lost_share: Share = Field(0.25, description="share of a batch drawn from lost levels while any is lost")
    weight_floor: float = Field(0.1, gt=0, le=1, description="least weight of an operation that is mastered")
    match_alpha: float = Field(0.05, gt=0, le=1, description="weight of the newest answer in an operation's record")
    quest_replay: Share = Field(0.20, description="share of forged problems while a player's quest trains")
    drill_steps: int = Field(200, ge=10, description="steps of one forged quest")
    bandit_wide: Share = Field(0.5, description="under `bandit`: share of the draws that stays uniform over the levels")
    progress_slow: float = Field(
        0.01,
        gt=0,
        le=1,
        description="weight of the newest answer in a level's slow record; it learns where the fast one leads",
    )


class QuestRules(Model):
    """How a player's file is read."""

    held_out_share: Share = Field(0.05, description="share of examples kept for before and after")
    held_out_max: int = Field(500, ge=1, description="most examples kept")
    samples: int = Field(5, ge=0, le=50, description="answers written before and after")
    max_attempts: int = Field(3, ge=1, le=10, description="attempts before a quest stays failed")
    max_errors: int = Field(100, ge=1, description="errors listed before the check stops")
    spar_rounds: int = Field(100, ge=1, le=500, description="problems asked in a round of sparring")
    spar_below: Share = Field(0.80, description="share under which targeted sparring takes up an operation")
    mask_check_steps: int = Field(200, ge=1, description="steps of a quest between two looks at what its batches train")
    stable_s: float = Field(2.0, ge=0, description="seconds a file in the inbox must keep its size")


class EngineRules(Model):
    """How the engine behaves when nobody looks."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where the hero trains")
    processes: int = Field(1, ge=1, le=64, description="processes of this machine that train together; one per card")
    parallel: Literal["none", "ddp", "fsdp2"] = Field(
        "none", description="several processes: ddp, each holds the whole hero; fsdp2, each holds a part of it"
    )
    nice: int = Field(10, ge=0, le=19, description="priority given away to other programs")
    unattended_hours: float | None = Field(72.0, gt=0, description="pause after this long without a face; null: never")
    pause_on_battery: bool = Field(True, description="pause while the machine runs on battery")
    window_steps: int = Field(50, ge=1, le=10_000, description="steps summed into one row of history")
    battle_interval_s: float = Field(0.5, ge=0.1, le=60, description="how often the text in training is shown")
    max_restarts: int = Field(
        3,
        ge=0,
        le=100,
        description="restarts within the window, or without a new checkpoint, before the keeper gives up",
    )
    restart_window_s: float = Field(300.0, gt=0, description="the window of `max_restarts`")
    min_free_gb: float = Field(1.0, ge=0, description="free disk below which training pauses")
    idle_stop_steps: int | None = Field(
        None, ge=1000, description="stop after so many steps without a new level; null: never"
    )

    @model_validator(mode="after")
    def _consistent(self) -> EngineRules:
        if self.processes > 1 and self.parallel == "none":
            raise ValueError(f"{self.processes} `processes` need `parallel`: ddp or fsdp2")
        return self


class MemoryRules(Model):
    """What the memory plan takes for granted until it was measured on this machine."""

    tolerance: Share = Field(0.20, description="an estimate may be off by this share")
    overhead_share: Share = Field(0.15, description="allocator's slack, of what comes and goes within a step")
    overhead_gib: float = Field(1.5, ge=0, description="at least so much for the device's context and slack")
    paged_resident: Share = Field(0.10, description="share of paged states that must be on the card at a time")
    master_share: Share = Field(
        0.60, description="share of a card up to which weights, gradients and moments are kept in fp32"
    )
    warn_share: Share = Field(0.92, description="of the card's memory; a plan beyond it is called tight")
    calibration_min: float = Field(0.5, gt=0, le=1, description="lowest correction that a measurement may give")
    calibration_max: float = Field(2.0, ge=1, le=10, description="highest correction that a measurement may give")
    cards: dict[str, float] = Field(description="memory in GiB of cards that may be named")

    def card_gib(self, name: str) -> float | None:
        """Memory of a card that is named (``4090``, ``RTX 4090``) or given in GiB (``24``); None: not known."""
        bare = name.lower().replace("nvidia", "").replace("geforce", "").replace("rtx", "").strip()
        if bare in self.cards:
            return self.cards[bare]
        number = bare.removesuffix("gib").removesuffix("gb").strip()
        return float(number) if number.replace(".", "", 1).isdigit() and 0 < float(number) <= 1024 else None


class CampaignRules(Model):
    """What a campaign proposes, and which of its moments are remembered."""

    next_steps: dict[int, int] = Field(
        {0: 1000, 5_000: 2000, 20_000: 3000, 50_000: 5000},
        description="steps proposed next, from this many steps done on",
    )
    quest_examples: int = Field(5_000, ge=1, description="examples of the quest that an empty board asks for")
    milestone_levels: int = Field(10, ge=1, description="hero levels between two milestones")

    @field_validator("next_steps")
    @classmethod
    def _from_the_first_step(cls, value: dict[int, int]) -> dict[int, int]:
        if 0 not in value or min(value) < 0 or min(value.values()) < 1:
            raise ValueError("`next_steps` begins at 0 and proposes at least one step")
        return value


class RetentionRules(Model):
    """What is kept, so that a month alone fills no disk."""

    exam_items_kept: int = Field(20, ge=1, description="exams per skill and level whose items stay in full")
    backups: int = Field(7, ge=1, description="daily copies of the database")
    windows_kept: int = Field(8_000, ge=100, description="rows of history before old ones are merged")
    merge_factor: int = Field(20, ge=2, description="rows of history merged into one")
    forged_kept: int = Field(2_000, ge=100, description="forged quests kept as rows; older ones become counts")
    decisions_kept: int = Field(2_000, ge=100, description="passing decisions of the curriculum kept as rows")
    log_mb: float = Field(10.0, gt=0, description="size at which a log file starts anew")


class FaceRules(Model):
    """How the screen behaves."""

    refresh_s: float = Field(0.9, ge=0.25, le=60, description="seconds between two looks at the engine")
    names: Literal["plain", "tavern"] = Field("tavern", description="technical labels, or the tavern's")
    ascii: bool = Field(False, description="draw with ASCII characters only")
    bell: bool = Field(False, description="ring the terminal's bell for what is worth a look")
    stale_s: float = Field(60.0, gt=0, description="age of data from which a banner says so")


class GameConfig(Model):
    """All rules of the game (`configs/game.yaml`)."""

    strain: StrainRules
    exams: ExamRules
    curriculum: CurriculumRules
    strategy: StrategyRules = Field(default_factory=lambda: StrategyRules.model_validate({}))
    forgetting: ForgettingRules = Field(default_factory=lambda: ForgettingRules.model_validate({}))
    primitives: PrimitiveRules = Field(default_factory=lambda: PrimitiveRules.model_validate({}))
    quests: QuestRules
    engine: EngineRules
    memory: MemoryRules
    campaign: CampaignRules = Field(default_factory=lambda: CampaignRules.model_validate({}))
    retention: RetentionRules
    face: FaceRules
    garrison: GarrisonRules = Field(default_factory=lambda: GarrisonRules.model_validate({}))
    inn: InnRules = Field(default_factory=lambda: InnRules.model_validate({}))
    default_hero: str = Field("pip-hatchling", description="the hero of a new save")


# ---------------------------------------------------------------- skills


class SkillPrimitive(Model):
    """A micro-ability that a skill combines."""

    name: str = Field(description="id in the catalogue of primitives")
    difficulty: int = Field(ge=1, le=5)
    prerequisites: tuple[str, ...] = ()
    description: str = ""
    track: str = Field("", description="family of primitives, e.g. arithmetic")
    version: int = Field(1, ge=1, description="results of different versions are never pooled")
    tags: tuple[str, ...] = ()


class UnifiedPrimitives(Model):
    """Which of the unified primitives a skill draws on."""

    primary: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()


class SymbolLanguage(Model):
    """A random key names digits and operations, and the problem is spelt in it."""

    from_level: int = Field(ge=1, description="first level that is spelt in symbols")
    share: Share = Field(description="share of the items from there on")


class SkillMix(Model):
    """A published mix: which operations in which tiers an exam asks and training samples."""

    description: str = ""
    operations: dict[str, int] = Field(description="operation to the first level that asks it")
    tiers: dict[str, dict[str, float]] = Field({}, description="level range 'a-b' to tier shares in percent")
    symbols: SymbolLanguage | None = Field(None, description="the symbol language; null: never")
    not_yet: tuple[str, ...] = Field((), description="operations this mix leaves out for now, shown as not yet")


class SkillDisplay(Model):
    """How a skill is drawn."""

    icon: str
    colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$")
    short_name: str


class SkillConfig(Model):
    """One skill (`configs/skills/<id>.yaml`)."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    rpg_name: str
    version: str
    description: str
    rpg_description: str = ""
    category: Literal["reasoning", "math", "compression", "generation", "classification", "tool_use", "meta"]
    display: SkillDisplay
    max_level: int = Field(ge=1, le=200)
    level_names: dict[int, str] = Field(description="names of levels; unnamed ones are derived")
    mixes: dict[str, SkillMix]
    primitives: tuple[SkillPrimitive, ...] = ()
    unified: UnifiedPrimitives = Field(default_factory=lambda: UnifiedPrimitives.model_validate({}))
    aliases: tuple[str, ...] = ()
    passive_id: str = ""
    xp_multiplier: float = Field(1.0, gt=0)
    tags: tuple[str, ...] = ()
    accuracy_thresholds: tuple[Share, ...] = Field(
        (), description="share that wins each level, the last one from there on; empty: the rules' `pass_share`"
    )

    def pass_share(self, level: int, default: float) -> float:
        """The share that wins ``level``."""
        thresholds = self.accuracy_thresholds
        return thresholds[min(level, len(thresholds)) - 1] if thresholds else default

    def rules_at(self, level: int, rules: ExamRules) -> ExamRules:
        """The rules of exams at ``level``: where the skill sets a lower bar, those of holding and of operations go down with it."""
        if not self.accuracy_thresholds:
            return rules
        share = self.pass_share(level, rules.pass_share)
        lower = min(0.0, share - rules.pass_share)
        return rules.model_copy(
            update={
                "pass_share": share,
                "held_share": max(0.0, rules.held_share + lower),
                "operation_floor": max(0.0, rules.operation_floor + lower),
            }
        )
