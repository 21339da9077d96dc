"""What the hero practises: forged problems, or a player's quest with forged replay beside it.

Both are pure functions of (seed, recipe, curriculum state, step), so that a resumed run sees the same data.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from configs import clock
from configs.errors import RealmError
from configs.paths import SaveFolder
from configs.schema import GameConfig
from engine.batch import Batch, make_batches
from engine.chat.encoded import Encoded, Message
from engine.chat.template import encode_messages, encode_text, with_system
from engine.curriculum.sampling import Draw, draw, replay_count
from engine.curriculum.state import CurriculumState
from engine.hero.model import Hero
from engine.quests.fileformat import Example, read_examples
from engine.quests.split import epoch_order, held_out
from saves.rows import Quest
from skills.contract import Problem, Skill
from skills.registry import get_skill


@dataclass(frozen=True, slots=True)
class Round:
    """The data of one optimizer step."""

    batches: list[Batch]
    shown: Encoded
    """The first example, for the battle view."""
    title: str
    items: tuple[str, ...]
    """Names of all items, for incidents: ``bin:3:add:…`` or ``my.jsonl:12``."""
    draws: list[Draw]
    """The forged problems, which are the last of the round's examples."""
    examples: int = 0
    """Examples of the player's quest in this round."""


def dated(system_prompt: str, at: float) -> str:
    """The hero's system prompt with its date filled in; the date is fixed when the data plan is made."""
    date: datetime.datetime = clock.utc(at)
    return system_prompt.replace("{date}", f"{date:%Y-%m-%d}")


class Forge:
    """Forges problems of the hero's skills as training rounds."""

    def __init__(self, hero: Hero, rules: GameConfig, seed: int, planned_at: float) -> None:
        self._hero, self._rules, self._seed = hero, rules.curriculum, seed
        self.system = dated(hero.config.system_prompt, planned_at)
        self.skills: dict[str, tuple[Skill, str]] = {s: (get_skill(s), mix) for s, mix in hero.config.skills.items()}

    def messages(self, problem: Problem) -> list[Message]:
        """A problem as the conversation the hero is trained on."""
        return [*self.question(problem), {"role": "assistant", "content": problem.answer}]

    def question(self, problem: Problem) -> list[Message]:
        """A problem as the conversation an exam opens with."""
        return with_system([{"role": "user", "content": problem.prompt}], self.system)

    def skill_of(self, step: int) -> str:
        """The skill of a step: all of the hero's skills in turn."""
        return list(self.skills)[step % len(self.skills)]

    def draw(self, state: CurriculumState, step: int, count: int) -> tuple[list[Draw], list[Encoded], list[str]]:
        """``count`` problems of the step's skill, encoded, with their names; fewer where some exceed the hero's context.

        Raises:
            RealmError: every one of them does.
        """
        skill, mix = self.skills[state.skill]
        context = self._hero.context_length
        draws: list[Draw] = []
        encoded: list[Encoded] = []
        names: list[str] = []
        for drawn in draw(state, skill, mix, self._rules, seed=self._seed, step=step, count=count):
            problem = skill.generate(drawn.level, drawn.index, "train", mix, operation=drawn.operation)
            example = encode_messages(self._hero, self.messages(problem))
            if len(example.ids) <= context:
                draws.append(drawn)
                encoded.append(example)
                names.append(f"{problem.skill}:{problem.level}:{problem.operation}:{problem.digest[:12]}")
        if not draws:
            raise RealmError(
                f"{state.skill} has no problem that fits the hero's {context} tokens",
                why=f"all {count} drawn around level {state.training} are longer",
                fix="raise `model.context_length` in the hero's YAML, or let it train a lighter mix",
                code="CONTEXT_TOO_SHORT",
            )
        return draws, encoded, names

    def round(self, state: CurriculumState, step: int) -> Round:
        """A whole step of forged problems."""
        training = self._hero.config.training
        draws, encoded, names = self.draw(state, step, training.batch_size * training.accumulation)
        batches = make_batches(encoded, max_tokens=training.batch_tokens, row_tokens=self._hero.row_tokens)
        title = f"{state.skill.upper()} level {draws[0].level} · {draws[0].operation}"
        return Round(batches, encoded[0], title, tuple(names), draws)


@dataclass(frozen=True, slots=True)
class TokenLedger:
    """Where a quest's tokens went: in = trained + masked + truncated + dropped; the held-out share is apart."""

    trained: int
    masked: int
    truncated: int
    dropped: int
    held_out: int
    examples: int
    held_out_examples: int
    dropped_examples: int

    @property
    def taken_in(self) -> int:
        return self.trained + self.masked + self.truncated + self.dropped

    def values(self) -> dict[str, int]:
        """JSON form, with the sum as ``in``."""
        return {"in": self.taken_in, **{k: getattr(self, k) for k in self.__dataclass_fields__}}


class QuestPractice:
    """A player's quest as a fixed sequence of training rounds."""

    def __init__(
        self,
        folder: SaveFolder,
        quest: Quest,
        hero: Hero,
        rules: GameConfig,
        seed: int,
        forge: Forge,
        planned_at: float,
        on_progress: Callable[[str], None],
    ) -> None:
        self.quest, self._hero, self._rules, self._forge = quest, hero, rules, forge
        self._system = dated(hero.config.system_prompt, planned_at)
        path = folder.quests / quest.file
        if not path.is_file():
            raise RealmError(
                f"the file of quest {quest.name} is gone",
                why=f"{quest.file} is missing in the save's folder",
                fix="add the quest again (`realm quest add`)",
                code="QUEST_FILE_GONE",
            )
        examples = list(read_examples(path))
        away = held_out([e.digest for e in examples], rules.quests)
        self._names: list[str] = []
        self.train: list[Encoded] = []
        self.kept: list[Encoded] = []
        self.kept_examples: list[Example] = []
        self._train_examples: list[Example] = []
        context = hero.config.model.context_length
        dropped = dropped_tokens = 0
        for number, example in enumerate(examples):
            if number % 200 == 0:
                on_progress(f"reading {quest.name}: {number} of {len(examples)} examples")
            encoded = self._encode(example)
            if len(encoded.ids) > context or not any(encoded.trained):
                dropped, dropped_tokens = dropped + 1, dropped_tokens + len(encoded.ids)
            elif number in away:
                self.kept.append(encoded)
                self.kept_examples.append(example)
            else:
                self.train.append(encoded)
                self._train_examples.append(example)
                self._names.append(f"{quest.name}:{example.line}")
        if not self.train:
            raise RealmError(
                f"quest {quest.name} has nothing that this hero can train on",
                why=f"all of its {len(examples)} examples are longer than {context} tokens or have no answer",
                fix="shorten the examples, or choose a hero with a longer context",
                code="QUEST_EMPTY",
            )
        trained = sum(sum(e.trained) for e in self.train)
        self.ledger = TokenLedger(
            trained=trained,
            masked=sum(len(e.ids) for e in self.train) - trained,
            truncated=0,
            dropped=dropped_tokens,
            held_out=sum(len(e.ids) for e in self.kept),
            examples=len(self.train),
            held_out_examples=len(self.kept),
            dropped_examples=dropped,
        )
        self._steps = self._plan(seed)

    @property
    def steps_total(self) -> int:
        """Optimizer steps over all epochs."""
        return len(self._steps)

    def round(self, position: int, state: CurriculumState, step: int) -> Round:
        """Round number ``position`` of the quest, with its share of replay."""
        limit = self._hero.config.training.batch_tokens
        own = self._steps[position]
        batches = make_batches([self.train[i] for i in own], max_tokens=limit, row_tokens=self._hero.row_tokens)
        items = [self._names[i] for i in own]
        share = self._rules.curriculum.quest_replay
        count = replay_count(position, len(own), share / (1 - share))
        draws: list[Draw] = []
        if count:
            draws, encoded, names = self._forge.draw(state, step, count)
            batches += make_batches(encoded, max_tokens=limit, row_tokens=self._hero.row_tokens)
            items += names
        return Round(batches, self.train[own[0]], items[0], tuple(items), draws, len(own))

    def _encode(self, example: Example) -> Encoded:
        if example.text is not None:
            return encode_text(self._hero, example.text)
        return encode_messages(self._hero, with_system(example.messages or (), self._system))

    def samples(self, count: int) -> list[Example]:
        """The conversations that are answered before and after: held-out ones, training ones where none were kept."""
        pool = [e for e in (self.kept_examples or self._train_examples) if e.messages]
        return pool[:count]

    def _plan(self, seed: int) -> list[list[int]]:
        """Positions in ``train`` per optimizer step: as many in a row as batch size and token budget allow."""
        training = self._hero.config.training
        most, room = training.batch_size * training.accumulation, training.batch_tokens * training.accumulation
        steps: list[list[int]] = []
        for epoch in range(self.quest.epochs):
            current: list[int] = []
            tokens = 0
            for i in epoch_order(len(self.train), seed, self.quest.digest, epoch):
                length = len(self.train[i].ids)
                if current and (len(current) == most or tokens + length > room):
                    steps.append(current)
                    current, tokens = [], 0
                current.append(i)
                tokens += length
            steps.append(current)
        return steps


def describe(state: CurriculumState) -> str:
    """The name of a forged quest, e.g. ``BIN L3 drill``."""
    return f"{state.skill.upper()} L{state.training} drill"


def recipe(state: CurriculumState, mix: str, seed: int, first_step: int, steps: int) -> dict[str, Any]:
    """What regenerates a forged quest's items."""
    return {
        "skill": state.skill,
        "mix": mix,
        "seed": seed,
        "first_step": first_step,
        "steps": steps,
        "training_level": state.training,
    }
