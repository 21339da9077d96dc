"""What the hero practises: forged problems, or a player's quest with forged replay beside it.

Both are pure functions of (seed, recipe, curriculum state, step), so that a resumed run sees the same data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from configs.schema import GameConfig
from engine.batch import Batch, make_batch, make_batches
from engine.chat.encoded import Encoded, Message
from engine.chat.template import encode_messages
from engine.curriculum.questions import conversation, question
from engine.curriculum.remediation import DrillOrder, drill_draws
from engine.curriculum.sampling import Draw, draw
from engine.curriculum.state import CurriculumState
from engine.hero.model import Hero
from engine.parallel.deal import even_parts
from engine.quests.account import account
from engine.quests.fileformat import read_examples
from engine.quests.masking import EXEMPT, MaskCheck, MaskReport
from engine.quests.plan import QuestRecipe, plan_quest, step_items
from engine.quests.reader import ExampleReader, Reading, dated
from engine.quests.records import Example
from engine.quests.split import held_out
from engine.trainer.packed import inspect_batches
from saves.rows import Quest
from skills.contract import Problem, Skill
from skills.judging import LIMIT_S, guarded
from skills.registry import get_skill

T = TypeVar("T")

HOPELESS = 3
"""Failures at the beginning of a round after which a skill is not tried further."""
ROUND_LIMIT_S = 20.0
"""Time in which a skill must have made the problems of one step."""
REACH = (1, 4, 16)
"""How far a step's stream of draws is followed, in times the step, while nothing of it fits the hero's context."""


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


class Forge:
    """Forges problems of the hero's skills as training rounds.

    Args:
        hero: who practises.
        rules: what is drawn.
        seed: of the campaign.
        planned_at: when the data plan was made, unix seconds.
        parts: processes that share each round.
    """

    def __init__(self, hero: Hero, rules: GameConfig, seed: int, planned_at: float, *, parts: int = 1) -> None:
        self._hero, self._rules, self._seed, self._parts = hero, rules.curriculum, seed, parts
        self.system = dated(hero.config.system_prompt, planned_at)
        self.data = hero.config.data
        self.pass_tokens = hero.config.training.batch_tokens
        """Most tokens of a forward pass; which items a step trains does not hang on it."""
        self.failures: list[str] = []
        """Why problems of the newest round could not be made."""
        self.skills: dict[str, tuple[Skill, str]] = {s: (get_skill(s), mix) for s, mix in hero.config.skills.items()}

    def messages(self, problem: Problem) -> list[Message]:
        """A problem as the conversation the hero is trained on."""
        return conversation(self.data, self.system, problem)

    def question(self, problem: Problem) -> list[Message]:
        """A problem as the conversation an exam opens with."""
        return question(self.data, self.system, problem)

    def draw(self, state: CurriculumState, step: int, count: int) -> tuple[list[Draw], list[Encoded], list[str]]:
        """``count`` problems of the step's skill as `forged` gives them, at least one."""
        skill, mix = self.skills[state.skill]
        rules, seed = self._rules, self._seed
        return self._fitting(
            state, lambda most: draw(state, skill, mix, rules, seed=seed, step=step, count=most), count
        )

    def _fitting(
        self, state: CurriculumState, stream: Callable[[int], Sequence[Draw]], count: int
    ) -> tuple[list[Draw], list[Encoded], list[str]]:
        """The first problems of a stream that fit the hero's context, at least one and at most ``count``.

        Args:
            state: of the skill they are drawn for.
            stream: its first draws, as many as are asked for.
            count: problems of a step.

        Raises:
            BlockedError: none fits, however far the stream is followed (``CONTEXT_TOO_SHORT``).
            RealmError: as `forged`.
        """
        seen = 0
        for times in REACH:
            drawn = self.asked_of(state.skill, f"{times * count} problems", partial(stream, times * count))
            draws, encoded, names = self.forged(state, drawn[seen:])
            if draws:
                return draws[:count], encoded[:count], names[:count]
            seen = times * count
        raise BlockedError(
            f"{state.skill} has no problem that fits the hero's {self._hero.context_length} tokens",
            why=f"all {seen} drawn around level {state.training} are longer",
            fix="raise `model.context_length` in the hero's YAML, or let it train a lighter mix",
            code="CONTEXT_TOO_SHORT",
        )

    def forged(
        self, state: CurriculumState, drawn_items: Sequence[Draw]
    ) -> tuple[list[Draw], list[Encoded], list[str]]:
        """Drawn problems, encoded, with their names; fewer or none where some exceed the hero's context.

        Raises:
            RealmError: the skill could make none of them (``GENERATOR_FAILED``).
        """
        known = self.skills.get(state.skill)
        skill, mix = known or (self.asked_of(state.skill, "itself", lambda: get_skill(state.skill)), state.mix)
        context = self._hero.context_length
        draws: list[Draw] = []
        encoded: list[Encoded] = []
        names: list[str] = []
        for drawn, problem, example in self._made(skill, mix, drawn_items):
            if len(example.ids) <= context:
                draws.append(drawn)
                encoded.append(example)
                names.append(f"{problem.skill}:{problem.level}:{problem.operation}:{problem.digest[:12]}")
        return draws, encoded, names

    def _made(self, skill: Skill, mix: str, drawn_items: Sequence[Draw]) -> list[tuple[Draw, Problem, Encoded]]:
        """Each draw with its problem, encoded; without those that the skill could not make, of which `failures` says why."""

        def make(drawn: Draw) -> tuple[Draw, Problem, Encoded]:
            problem = skill.generate(drawn.level, drawn.index, "train", mix, operation=drawn.operation)
            return drawn, problem, encode_messages(self._hero, self.messages(problem))

        self.failures = []
        skill_id = skill.config.id
        try:
            return guarded(skill_id, "a round", lambda: [make(d) for d in drawn_items], limit_s=ROUND_LIMIT_S)
        except RealmError:
            made: list[tuple[Draw, Problem, Encoded]] = []
            for drawn in drawn_items:
                what = f"{drawn.operation}, level {drawn.level}, problem {drawn.index}"
                try:
                    made.append(self.asked_of(skill_id, what, partial(make, drawn), limit_s=LIMIT_S))
                except RealmError as error:
                    self.failures.append(error.text())
                    if not made and len(self.failures) >= HOPELESS:
                        raise
            if not made:
                raise
            return made

    @staticmethod
    def asked_of(skill_id: str, what: str, make: Callable[[], T], *, limit_s: float = ROUND_LIMIT_S) -> T:
        """What a skill's own code gives.

        Raises:
            RealmError: it raised, whatever it was, or did not end (``GENERATOR_FAILED``).
        """
        try:
            return guarded(skill_id, what, make, limit_s=limit_s)
        except RealmError as error:
            if error.code == "GENERATOR_FAILED":
                raise
            raise RealmError(
                f"skill {skill_id} could not make {what}",
                why=f"{error.what.rstrip('.')}: {error.why}" if error.why else error.what,
                fix=error.fix,
                code="GENERATOR_FAILED",
            ) from error

    @property
    def one_pass(self) -> bool:
        """A step is one forward pass, however long: its weights are updated within it."""
        return self._hero.config.training.update == "backward"

    def passes(self, examples: Sequence[Encoded]) -> list[Batch]:
        """``examples`` in their order as forward passes, at least one for each process where there are enough."""
        limit, width = self.pass_tokens, self._hero.row_tokens
        if self.one_pass:
            return [make_batch(examples, row_tokens=width)]
        pieces = even_parts(examples, self._parts)
        return [batch for piece in pieces for batch in make_batches(piece, max_tokens=limit, row_tokens=width)]

    def round(self, state: CurriculumState, step: int) -> Round:
        """A whole step of forged problems."""
        training = self._hero.config.training
        draws, encoded, names = self.draw(state, step, training.batch_size * training.accumulation)
        batches = self.passes(encoded)
        title = f"{state.skill.upper()} level {draws[0].level} · {draws[0].operation}"
        return Round(batches, encoded[0], title, tuple(names), draws)

    def drill_round(self, order: DrillOrder, state: CurriculumState, step: int) -> Round:
        """A whole step of a drill's problems."""
        training = self._hero.config.training
        count = training.batch_size * training.accumulation
        draws, encoded, names = self._fitting(
            state,
            lambda most: drill_draws(order, get_skill(order.skill), seed=self._seed, step=step, count=most),
            count,
        )
        title = f"{order.name} · {state.skill.upper()} level {draws[0].level}"
        return Round(self.passes(encoded), encoded[0], title, tuple(names), draws)


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
        self.quest, self._hero, self._rules, self._forge, self._seed = quest, hero, rules, forge, seed
        self.reader = ExampleReader(hero.config, hero.template, dated(hero.config.system_prompt, planned_at))
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
        masks = MaskCheck(
            hero.template.turn_marks, hero.config.data.long_answers or bool(quest.counts.get("long_answers"))
        )
        self._names: list[str] = []
        self.train: list[Encoded] = []
        self.kept: list[Encoded] = []
        self.kept_examples: list[Example] = []
        self._train_examples: list[Example] = []
        readings: list[tuple[Reading, bool]] = []
        for number, example in enumerate(examples):
            if number % 200 == 0:
                on_progress(f"reading {quest.name}: {number} of {len(examples)} examples")
            reading = self.reader.read(example)
            readings.append((reading, number in away))
            if reading.encoded is None:
                continue
            if example.messages is not None:
                masks.add(reading.encoded, f"line {example.line}")
            if number in away:
                self.kept.append(reading.encoded)
                self.kept_examples.append(example)
            else:
                self.train.append(reading.encoded)
                self._train_examples.append(example)
                self._names.append(f"{quest.name}:{example.line}")
        if not self.train:
            raise RealmError(
                f"quest {quest.name} has nothing that this hero can train on",
                why=f"none of its {len(examples)} examples fits {hero.config.model.context_length} tokens with an answer",
                fix="shorten the examples, or choose a hero with a longer context",
                code="QUEST_EMPTY",
            )
        self.ledger = account(readings)
        self.masking = EXEMPT if quest.format == "text" else masks.report()
        if self.masking.verdict == "abort":
            raise RealmError(
                f"quest {quest.name} is not trained: the wrong tokens would be learnt",
                why="; ".join(self.masking.reasons),
                fix="see `realm quest check`; add code and long answers with --long-answers, or write `text` records",
                code="MASKED_TOO_LITTLE",
            )
        training = hero.config.training
        recipe = QuestRecipe(
            digest=quest.digest,
            lengths=tuple(len(e.ids) for e in self.train),
            epochs=quest.epochs,
            step_examples=training.batch_size * training.accumulation,
            step_tokens=training.batch_tokens * training.accumulation,
            replay_share=rules.curriculum.quest_replay,
        )
        self.plan = plan_quest(recipe, seed)

    def facts(self) -> dict[str, Any]:
        """What an attempt remembers of its data: the token ledger, the mask check, the plan's digest and its system turn."""
        return {
            **self.ledger.values(),
            "masking": self.masking.as_dict(),
            "plan": self.plan.digest,
            "system": self.reader.system,
        }

    @property
    def steps_total(self) -> int:
        """Optimizer steps over all epochs."""
        return len(self.plan.steps)

    def round(self, position: int, state: CurriculumState, step: int, replay_share: float | None = None) -> Round:
        """Round number ``position`` of the quest, with its share of replay (None: the plan's); without it where none can be made."""
        own = self.plan.steps[position]
        mine = [self.train[i] for i in own]
        named = [self._names[i] for i in own]
        draws, encoded, names = self._replay(position, state, step, replay_share)
        named += names
        if self._forge.one_pass:
            batches = self._forge.passes([*mine, *encoded])
        else:
            batches = self._forge.passes(mine) + (self._forge.passes(encoded) if encoded else [])
        return Round(batches, self.train[own[0]], named[0], tuple(named), draws, len(own))

    def _replay(
        self, position: int, state: CurriculumState, step: int, share: float | None
    ) -> tuple[list[Draw], list[Encoded], list[str]]:
        """The forged problems beside a round's own examples, as `Forge.forged` gives them; `Forge.failures` says why there are none."""
        forge = self._forge
        skill, mix = forge.skills[state.skill]
        choose = partial(
            step_items,
            self.plan,
            position,
            state,
            step,
            seed=self._seed,
            skill=skill,
            mix=mix,
            rules=self._rules.curriculum,
            replay_share=share,
        )
        try:
            drawn = forge.asked_of(state.skill, "replay", choose).draws
            return forge.forged(state, drawn) if drawn else ([], [], [])
        except RealmError as error:
            forge.failures = [error.text()]
            return [], [], []

    def inspect(self, practice: Round) -> MaskReport:
        """The mask checks over the very batches of a round."""
        marks = self._hero.template.turn_marks
        return inspect_batches(practice.batches, marks, conversations=self.quest.format == "messages")

    def samples(self, count: int) -> list[Example]:
        """The conversations that are answered before and after: held-out ones, training ones where none were kept."""
        pool = [e for e in (self.kept_examples or self._train_examples) if e.messages]
        return pool[:count]


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
