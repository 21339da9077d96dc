"""How a problem is put to a hero: the conversation it is trained on, the one an exam opens with, and how long an answer may be. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from configs.schema import ExamRules, HeroConfig
from configs.training import HeroData
from engine.chat.encoded import Message
from engine.chat.profiles import asked_form, trained_form
from engine.chat.template import Template, with_system
from skills.contract import Problem


def conversation(data: HeroData, system: str, problem: Problem) -> list[Message]:
    """A problem with its answer as the hero is trained on it, under its dated system turn."""
    asked: list[Message] = [{"role": "user", "content": problem.prompt}]
    told = trained_form(data, [*asked, {"role": "assistant", "content": problem.answer}], problem.index)
    return with_system(told, system)


def question(data: HeroData, system: str, problem: Problem) -> list[Message]:
    """A problem as the conversation an exam opens with."""
    return with_system(asked_form(data, [{"role": "user", "content": problem.prompt}], problem.index), system)


def spare_tokens(rules: ExamRules, hero: HeroConfig) -> int:
    """Tokens an answer may be longer than the expected one."""
    spare = rules.spare_tokens_talking if hero.model.source == "pretrained" else rules.spare_tokens
    return spare + (rules.thinking_tokens if hero.data.thinking else 0)


@dataclass(frozen=True, slots=True)
class Put:
    """A problem in a hero's tokens, or why it cannot be put."""

    ids: tuple[int, ...] = ()
    longest: int = 0
    """Tokens after which its answer is cut."""
    error: str = ""


def put(template: Template, data: HeroData, system: str, problem: Problem, *, context: int, spare: int) -> Put:
    """A problem in the hero's own tokens.

    Args:
        template: the hero's turn format over its tokenizer.
        data: its data profile.
        system: its dated system turn; empty: none.
        problem: what is asked.
        context: tokens the hero reads.
        spare: see `spare_tokens`.
    """
    ids = template.prompt(question(data, system, problem))
    room = context - len(ids)
    if room < 1:
        return Put(error=f"{len(ids)} tokens do not fit the hero's context")
    expected = len(template.plain(conversation(data, system, problem)[-1]["content"]))
    return Put(tuple(ids), min(room, expected + spare))
