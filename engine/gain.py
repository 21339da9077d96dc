"""What a skill is worth to a hatchling: a newborn one learns nothing else for a few hundred steps, and sits exams before and after.

A process of its own (``python -P -m engine gain``); it touches no save. The same seed and steps give the same figures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from configs import clock
from configs.errors import UsageError
from configs.loader import load_game, load_hero
from configs.schema import GameConfig, HeroConfig
from engine.chat.template import answer_text, encode_messages, encode_prompt
from engine.generate import greedy
from engine.hero.model import Hero
from engine.parallel.waking import Waking
from engine.placement import choose
from engine.trainer.practice import Forge
from skills.answers import text_score
from skills.contract import Problem, Skill
from skills.judging import judge
from skills.registry import get_skill

PUPIL = "pip"
EXAM_ITEMS = 64
_SPARE_TOKENS = 8


def main(skill_id: str, steps: int, seed: int) -> int:
    """Measure; standard input may hold a JSON list of [prompt, answer] pairs to be answered as well. One JSON object on stdout."""
    text = "" if sys.stdin.isatty() else sys.stdin.read()
    try:
        pairs = [(str(prompt), str(answer)) for prompt, answer in json.loads(text or "[]")]
    except (ValueError, TypeError) as error:
        raise UsageError("standard input is no list of pairs", why=str(error), code="BAD_ARGUMENTS") from error
    sys.stdout.write(json.dumps(measured(skill_id, steps, seed, pairs), ensure_ascii=False) + "\n")
    return 0


def measured(skill_id: str, steps: int, seed: int, pairs: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Accuracy by level on held-out problems, and on ``pairs``, of a newborn hatchling and of the same after ``steps`` steps."""
    skill = get_skill(skill_id)
    mix = "hatchling" if "hatchling" in skill.config.mixes else "full"
    config = load_hero(PUPIL).model_copy(update={"skills": {skill.config.id: mix}, "floors": {}})
    pupil = Pupil(config, load_game(), skill, mix, seed)
    before, known = pupil.exam(), pupil.answers(pairs)
    began = clock.monotonic()
    trained = pupil.learn(steps)
    took = clock.monotonic() - began
    after, learnt = pupil.exam(), pupil.answers(pairs)
    return {
        "skill": skill.config.id,
        "mix": mix,
        "hero": config.id,
        "steps": steps,
        "seed": seed,
        "seconds": round(took, 1),
        "examples": trained,
        "levels": [
            {"level": level, "items": items, "constant": pupil.constant(level), "before": was, "after": now}
            for level, (items, was, now) in enumerate(
                ((items, was, after[level][1]) for level, (items, was) in before.items()), 1
            )
        ],
        "samples": {"items": len(pairs), "before": known, "after": learnt},
    }


class Pupil:
    """A newborn hatchling that learns one skill, all levels alike."""

    def __init__(self, config: HeroConfig, rules: GameConfig, skill: Skill, mix: str, seed: int) -> None:
        self.skill, self.mix = skill, mix
        placement = choose(config, rules.engine)
        self.loop = Waking(config, placement, None, seed).loop(None)
        self.forge = Forge(self.loop.hero, rules, seed, 0.0)
        self.levels = range(1, skill.config.max_level + 1)

    @property
    def hero(self) -> Hero:
        """Who learns."""
        return self.loop.hero

    def learn(self, steps: int) -> int:
        """Train ``steps`` steps; the number of examples read."""
        training = self.hero.config.training
        size, index, trained = training.batch_size * training.accumulation, 0, 0
        for _ in range(steps):
            examples = []
            for _ in range(size):
                level = self.levels[index % len(self.levels)]
                problem = self.skill.generate(level, index // len(self.levels), "train", self.mix)
                index += 1
                encoded = encode_messages(self.hero, self.forge.messages(problem))
                if len(encoded.ids) <= self.hero.context_length:
                    examples.append(encoded)
            if not examples:
                raise UsageError(
                    f"no problem of {self.skill.config.id} fits a hatchling's {self.hero.context_length} tokens",
                    fix="measure a skill with shorter problems",
                    code="CONTEXT_TOO_SHORT",
                )
            self.loop.train(self.forge.passes(examples))
            trained += len(examples)
        return trained

    def exam(self) -> dict[int, tuple[int, float | None]]:
        """For each level: items asked, and the share answered right (None: nothing is held out, or nothing fits)."""
        found: dict[int, tuple[int, float | None]] = {}
        for level in self.levels:
            pool = self.skill.exam_pool(level, self.mix, EXAM_ITEMS)
            problems = [self.skill.generate(level, i, "exam", self.mix) for i in range(pool)]
            told = self._said([problem.prompt for problem in problems], [problem.answer for problem in problems])
            outcomes = [judge(self.skill, p, said).outcome for p, said in zip(problems, told, strict=True)]
            right = sum(outcome is not None and outcome.correct for outcome in outcomes)
            found[level] = (pool, right / pool if pool else None)
        return found

    def constant(self, level: int) -> float:
        """Accuracy of the best constant answers, one for each operation."""
        asked = self.skill.operations(level, self.mix)
        return round(sum(self.skill.chance(operation, level) for operation in asked) / len(asked), 3)

    def answers(self, pairs: Sequence[tuple[str, str]]) -> float | None:
        """Share of question and answer pairs answered right; None without any."""
        told = self._said([prompt for prompt, _ in pairs], [answer for _, answer in pairs])
        right = [text_score(_problem(*pair), said).correct for pair, said in zip(pairs, told, strict=True)]
        return sum(right) / len(right) if right else None

    def _said(self, prompts: Sequence[str], expected: Sequence[str]) -> list[str]:
        """Greedy answers by the averaged weights; a question that does not fit is not answered."""
        said = [""] * len(prompts)
        asked = [encode_prompt(self.hero, self.forge.question(_problem(prompt, ""))) for prompt in prompts]
        fits = [i for i, ids in enumerate(asked) if len(ids) < self.hero.context_length]
        if fits:
            longest = max(len(self.hero.tokenizer.encode(expected[i])) for i in fits) + _SPARE_TOKENS
            self.hero.model.eval()
            with self.loop.examined():
                given = greedy(self.hero, [asked[i] for i in fits], longest)
            for i, ids in zip(fits, given, strict=True):
                said[i] = answer_text(self.hero, ids)
        return said


def _problem(prompt: str, answer: str) -> Problem:
    return Problem("sample", 1, "exam", 0, "sample", "easy", prompt, answer, "", "")
