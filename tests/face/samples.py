"""Fixed facts for the screen: one moment of a hero's life, with everything on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from configs.errors import BlockedError
from configs.loader import load_game, load_hero
from configs.paths import SaveFolder
from engine.link.protocol import Verb
from engine.link.snapshot import BattleText
from engine.link.state import EngineState
from lore.hero import HeroStats
from lore.identity import identity
from lore.narrator import Tale
from lore.strain import Hint
from lore.titles import SkillStanding, titles
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.facts import ExamAnswer, ExamView, Facts, HeroView, QuestLine, StrainView
from realm_tui.app.history import History
from realm_tui.app.link import OnProgress
from realm_tui.runtime.away import AwayTale, AwayView
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.status import HeroStatus, OperationStatus, QuestStatus, QueueStatus, SkillStatus, Status

NOW = 1_795_200_000.0
"""The frozen clock of every test of the screen."""
RULES = load_game()


def status(**changes: Any) -> Status:
    """A living hero at step 1,204."""
    found = Status(
        save="main",
        at=NOW,
        hero=HeroStatus("pip-hatchling", "PIP", "the Hatchling", 1, 1204, "#FACC15", ""),
        campaign="campaign-001",
        run=1,
        state=EngineState.TRAINING,
        stale=False,
        step=1204,
        xp=1204,
        loss=0.2613,
        loss_ema=0.25,
        strain=0.2413,
        strain_rate=-0.012,
        zone="productive",
        floor=0.02,
        effort=312.4,
        gain=1.19,
        learning_rate=2e-2,
        grad_norm=0.81,
        tokens_per_s=1912.0,
        steps_per_s=15.2,
        memory_bytes=410_000_000,
        skills={
            "bin": SkillStatus(
                name="Binary Alchemy",
                mix="hatchling",
                max_level=30,
                mastered=2,
                held=2,
                lost=(),
                training=3,
                level_name="Four-bit sums",
                accuracy=0.82,
                correct=53,
                items=64,
                interval=(0.67, 0.92),
                exam_id=9,
                streak=2,
                streak_needed=3,
                operations={
                    "add": OperationStatus(40, 48, 0.03),
                    "and": OperationStatus(30, 30, 0.06),
                    "compare": OperationStatus(13, 24, 0.5),
                    "subtract": OperationStatus(20, 36, 0.04),
                    "xor": OperationStatus(30, 32, 0.06),
                },
                at_chance=("compare",),
                weakest="compare",
                not_yet=("multiply", "divide"),
            )
        },
        queue=QueueStatus(high=1, normal=3),
        quest=QuestStatus("BIN L3 drill", None, 124, 200, 14.0, None),
        champion=None,
        blockers=(),
        incidents=0,
        next_exam_step=1225,
        last_checkpoint_step=1000,
        progress=None,
        ages_s={"heartbeat": 0.1, "step": 0.2, "exam": 31.0, "checkpoint": 80.0, "level_up": 80.0},
    )
    return replace(found, **changes)


def history() -> History:
    """A strain that falls with a few relapses, two levels won."""
    found = History()
    for step in range(1, 1205):
        base = 1.6 * math.exp(-step / 160) + 0.13
        bump = 0.22 * math.exp(-(((step - 620) / 60) ** 2)) + 0.12 * math.exp(-(((step - 1010) / 40) ** 2))
        ripple = 0.035 * math.sin(step / 9.0) * math.cos(step / 31.0)
        found.add(step, max(0.01, base + bump + ripple))
    found.mark([(540, "L1"), (1000, "L2")])
    return found


BATTLE = BattleText(
    step=1204,
    at=NOW,
    title="BIN L3 add",
    tokens=(
        "Compute: ",
        "add",
        "(",
        "⓪",
        "①",
        "①",
        "①",
        ", ",
        "①",
        "⓪",
        "⓪",
        "⓪",
        ")",
        "\n",
        "⓪",
        "①",
        "①",
        "①",
        "①",
        "\n",
    ),
    losses=(*(None,) * 14, 0.02, 0.31, 0.95, 2.4, 0.2, 0.01),
)


def _answer(prompt: str, answer: str, expected: str, result: str) -> ExamAnswer:
    return ExamAnswer(prompt, answer, expected, result, result in ("crit", "hit"))


ANSWERS = (
    _answer("Compute: sub(①⓪①①, ⓪①①①)", "⓪①⓪①", "⓪①⓪⓪", "miss"),
    _answer("Compute: nand(①①⓪①, ⓪①①①)", "①⓪①⓪", "①⓪①⓪", "crit"),
    _answer("Compute: shl(⓪⓪①①)", "⓪①①⓪", "⓪①①⓪", "crit"),
    _answer("Compute: add(⓪⓪①①, ⓪①⓪①)", "⓪①⓪⓪⓪", "⓪①⓪⓪⓪", "crit"),
    _answer("Compute: sub(①⓪①①, ⓪①①①)", "⓪⓪①⓪", "⓪①⓪⓪", "miss"),
    _answer("Compute: xor(①①⓪⓪, ①⓪①⓪)", "⓪①①⓪", "⓪①①⓪", "crit"),
    _answer("Compute: or(①①⓪⓪, ①⓪①⓪)", " ①①①⓪ ", "①①①⓪", "hit"),
    _answer("Compute: inc(⓪①①①)", "", "①⓪⓪⓪", "crit_miss"),
    _answer("Compute: compare(①⓪⓪①, ①⓪⓪⓪)", ">", ">", "crit"),
)
EXAM = ExamView(9, 1173, "bin", 3, "gate", 64, 53, (0.67, 0.92), False, 0, ANSWERS, NOW - 31)

LOG = (
    Tale(NOW - 31, "Exam BIN L3 passed: 53/64 = .82", "PIP stands the trial of BIN L3: 53/64 = .82", "good", "✓", "v"),
    Tale(NOW - 78, "BIN held: L1 .97, L2 .93", "PIP still holds BIN L1 .97, L2 .93", "good", "▮", "H"),
    Tale(NOW - 79, "BIN level 2 won after 460 steps", "Level up: BIN 2", "good", "★", "*"),
    Tale(NOW - 80, "Checkpoint saved: step 1,000", "Anchor saved: step 1,000", "text", "▼", "#"),
    Tale(NOW - 110, "Exam BIN L2: 49/64 = .76", "PIP is not ready for BIN L2: 49/64 = .76", "text", "·", "."),
    Tale(NOW - 140, "Incident (low): a step was skipped", "A gremlin appears: a step was skipped", "warn", "!", "!"),
    Tale(NOW - 200, "BIN level 1 won after 540 steps", "Level up: BIN 1", "good", "★", "*"),
    Tale(NOW - 290, "Run 1 started", "PIP sets out", "good", "→", ">"),
)


def facts(**changes: Any) -> Facts:
    """Everything on the Battle screen; ``changes`` are fields of `Facts`."""
    found = Facts(
        status=status(),
        hero=HeroView(
            portrait=("╭─────╮", "│ o o │", "│  v  │", "╰──┬──╯"),
            identity=identity(load_hero("pip")),
            titles=titles(1204, {"bin": SkillStanding(mastered=2)}),
            health="healthy",
            stats=HeroStats(1, 1204, 204, 1000, 3.83, 3.1, 0.828, 0, 2),
            streak=7,
        ),
        strain=StrainView("improving", Hint("continue", 0.9, "productive", "improving")),
        curve=history().curve(),
        battle=BATTLE,
        exam=EXAM,
        quests=(
            QuestLine("my_chats.jsonl", "high", 412, "queued"),
            QuestLine("letters.jsonl", "normal", 1250, "queued"),
            QuestLine("notes.jsonl", "normal", 88, "queued"),
            QuestLine("old.jsonl", "normal", 40, "queued"),
        ),
        log=LOG,
    )
    return replace(found, **changes)


class FakeSource:
    """Gives the facts it holds, and to each page what `pages` has for its id, or what it reads from a real save."""

    def __init__(
        self,
        found: Facts,
        tales: tuple[Tale, ...] = (),
        pages: Mapping[str, Any] | None = None,
        folder: SaveFolder | None = None,
    ) -> None:
        self.facts, self.tales = found, tales
        self.pages, self.folder = dict(pages or {}), folder
        self.games = GameReader(keep=False)
        self.reads = 0
        self.version = 1
        """Raise it so that pages read anew, as after a write to the save."""

    def read(self) -> Facts:
        self.reads += 1
        return self.facts

    def away(self) -> AwayView | None:
        if not self.tales:
            return None
        told = [AwayTale(f"e{i}", 1000 + i, t) for i, t in enumerate(reversed(self.tales))]
        told[0], told[-1] = replace(told[0], moment="worst"), replace(told[-1], moment="best")
        return AwayView(NOW - 8 * 3600, NOW, 7200.0, 240.0, self.tales[:4], tuple(told))

    def look_up(self, read: Callable[[OpenedSave], Any], known: int | None) -> tuple[int, Any] | None:
        if known == self.version:
            return None
        place = getattr(getattr(read, "__self__", None), "place", "")
        if place in self.pages:
            return self.version, self.pages[place]
        if self.folder is None:
            return self.version, read(cast("OpenedSave", None))
        with opened(self.folder) as save:
            return self.version, read(save)


class FakeLink:
    """Writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.answer = "four"
        self.folder: SaveFolder | None = None
        """A real save for what is carried out on one; None: it is written down and refused."""
        self.reach: Any = None
        """The way to the servers of the Inn; None: visits are refused."""

    async def start(self) -> None:
        self.told.append(("start",))

    async def order(self, verb: Verb, args: dict[str, Any], on_progress: OnProgress) -> int | None:
        self.told.append((str(verb), args))
        return 1205

    async def stop(self, now: bool, on_progress: OnProgress) -> None:
        self.told.append(("stop", now))

    async def promote(self, on_progress: OnProgress) -> str:
        self.told.append(("promote",))
        return "Champion: step 1,000"

    async def ask(self, question: str, on_progress: OnProgress) -> str:
        self.told.append(("ask", question))
        return self.answer

    async def spar(self, on_progress: OnProgress) -> dict[str, Any]:
        self.told.append(("spar",))
        wrong = {
            "prompt": "Compute: add(⓪①, ①⓪)",
            "wrong": "\x1b[31m①⓪⓪",
            "right": "⓪①①",
            "reason": "①⓪⓪ instead of ⓪①①",
        }
        return {"skill": "bin", "level": 3, "asked": 100, "failed": [wrong], "records": 3, "quest": "sparring_bin_L3"}

    def add_file(self, path: Path, priority: str) -> str:
        self.told.append(("add", path.name, priority))
        return f"{path.name} is on the board"

    async def carry_out(self, name: str, deed: Any, on_progress: OnProgress, *, writes: bool = True) -> Any:
        self.told.append((name,))
        if self.folder is None:
            raise BlockedError("this link knows no save", code="NO_SAVE")
        return deed(self.folder, on_progress)

    async def visit(self, deed: Any, on_progress: OnProgress) -> Any:
        self.told.append(("visit",))
        if self.folder is None or self.reach is None:
            raise BlockedError("this link knows no way to the Inn", code="NO_SAVE")
        return await deed(self.reach, self.folder, on_progress)


class FakeKeeper:
    """Remembers settings."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def setting(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def seen(self, key: str, value: Any) -> None:
        self.kept[key] = value


def app(found: Facts | None = None, *, look: Look | None = None, **options: Any) -> RealmApp:
    """The app over fakes; they are its ``source``, ``link`` and ``keeper`` attributes' values."""
    shown = found or facts()
    return RealmApp(
        options.pop("source", None) or FakeSource(shown),
        options.pop("link", None) or FakeLink(),
        options.pop("keeper", None) or FakeKeeper(),
        RULES,
        look=look or Look(),
        first=shown,
        **options,
    )
