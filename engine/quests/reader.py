"""A quest's examples as a hero reads them: system turn, data profile, turn format, and what becomes of every token."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from configs import clock
from configs.errors import RealmError
from configs.schema import HeroConfig
from configs.turn_format import turn_format
from engine.chat.encoded import Encoded, Message, TurnMarks
from engine.chat.profiles import thoughtful, thoughts, trained_form
from engine.chat.template import Template, with_system
from engine.quests.records import Example

CHARACTERS_PER_TOKEN = 4
"""Estimate where the hero's tokenizer is not on this machine."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One example as a hero reads it."""

    encoded: Encoded | None
    """As it is trained; None where nothing of it can be, or only its length is estimated."""
    tokens: int
    """All of its tokens, with those that are left out."""
    truncated: int = 0
    """Tokens left out of an example that is trained: what lies beyond the context, and thoughts that are not trained."""
    refusal: str | None = None
    """Why it cannot be trained."""


class Reader(Protocol):
    """Reads examples for a hero."""

    exact: bool
    """False when tokens are estimated from characters."""
    marks: TurnMarks | None
    """How answers are found among the tokens; None without a tokenizer."""
    long_answers: bool

    def read(self, example: Example) -> Reading:
        """One example."""
        ...


class ExampleReader:
    """Reads examples with a hero's own tokenizer, exactly as they are trained.

    Args:
        hero: context, data profile, what to do with long examples.
        template: the hero's turn format over its tokenizer.
        system: its dated system turn; empty: none.
    """

    exact = True

    def __init__(self, hero: HeroConfig, template: Template, system: str) -> None:
        self._data, self._context = hero.data, hero.model.context_length
        self.template, self.system = template, system
        self.marks: TurnMarks | None = template.turn_marks
        self.long_answers = hero.data.long_answers

    def messages(self, example: Example) -> list[Message]:
        """The conversation of an example as it is trained."""
        shaped = trained_form(self._data, example.messages or (), example.index)
        return with_system(shaped, self.system)

    def read(self, example: Example) -> Reading:
        """One example; what does not fit the context is cut or dropped, as the hero's YAML says, and counted."""
        if example.messages is None:
            whole, silent = self.template.text(example.text or ""), 0
            turns: list[Message] = []
        else:
            turns = self.messages(example)
            whole, silent = self.template.messages(turns), self._unspoken(example, turns)
        length, context = len(whole.ids), self._context
        total = length + silent
        if length <= context:
            return Reading(whole, total, silent)
        if self._data.long_examples == "drop":
            return Reading(None, total, refusal=f"too long: {length} tokens, the hero reads {context}")
        kept = _cut(self.template, turns, whole, context)
        if kept is None:
            reason = f"nothing of it is trained: what comes before its first answer fills the hero's {context} tokens"
            return Reading(None, total, refusal=reason)
        return Reading(kept, total, total - len(kept.ids))

    def _unspoken(self, example: Example, turns: Sequence[Message]) -> int:
        """Tokens of thoughts that the hero's settings leave out."""
        written = example.messages or ()
        count = 0
        for before, after in zip(written, turns[len(turns) - len(written) :], strict=True):
            if before["role"] != "assistant":
                continue
            if self._data.profile == "emoji_think" and after != before:
                silent = [] if thoughtful(self._data, example.index) else thoughts(before)
            else:
                apart = before.get("reasoning_content")
                silent = [apart] if apart and not self.template.thinking else []
            count += sum(len(self.template.plain(thought)) for thought in silent)
        return count


class EstimatingReader:
    """Guesses lengths from characters, for a hero whose tokenizer is not on this machine."""

    exact = False
    marks: TurnMarks | None = None

    def __init__(self, hero: HeroConfig) -> None:
        self._context = hero.model.context_length if hero.data.long_examples == "drop" else None
        self._system = len(hero.system_prompt)
        self.long_answers = hero.data.long_answers

    def read(self, example: Example) -> Reading:
        """The estimated length; too long where even that exceeds the context."""
        tokens = -(-(len(example.rendered) + self._system) // CHARACTERS_PER_TOKEN)
        if self._context is not None and tokens > self._context:
            return Reading(None, tokens, refusal=f"too long: about {tokens} tokens, the hero reads {self._context}")
        return Reading(None, tokens)


def reader_for(hero: HeroConfig) -> ExampleReader | EstimatingReader:
    """A reader for ``hero`` without its model: by its tokenizer where that is at hand, else by an estimate.

    Raises:
        RealmError: its tokenizer lacks the marks of its turn format.
    """
    tokenizer = _tokenizer(hero)
    if tokenizer is None:
        return EstimatingReader(hero)
    template = Template(turn_format(hero.model), tokenizer, hero_id=hero.id, thinking=hero.data.thinking)
    # Any date stands for the campaign's own, which is as long.
    return ExampleReader(hero, template, dated(hero.system_prompt, 0.0))


def dated(system_prompt: str, at: float) -> str:
    """The hero's system prompt with its date filled in; the date is fixed when the data plan is made."""
    date: datetime.datetime = clock.utc(at)
    return system_prompt.replace("{date}", f"{date:%Y-%m-%d}")


def _cut(template: Template, turns: Sequence[Message], whole: Encoded, context: int) -> Encoded | None:
    """The beginning of an example that fits: up to its last whole answer, else the beginning of its first answer."""
    answered = [number for number, turn in enumerate(turns, start=1) if turn["role"] == "assistant"]
    for count in reversed(answered[:-1]):
        shorter = template.messages(turns[:count])
        if len(shorter.ids) <= context:
            return shorter
    kept = Encoded(whole.ids[:context], whole.trained[:context])
    return kept if any(kept.trained[1:]) else None


def _tokenizer(hero: HeroConfig) -> Any:
    # The tokenizer library takes a tenth of a second to load, which commands without a quest need not pay.
    from tokenizers import Tokenizer

    if hero.model.source == "hatchling":
        from engine.hero.tokenizer import build_hatchling_tokenizer
        from skills.registry import get_skill

        return build_hatchling_tokenizer([t for s in hero.skills for t in get_skill(s).special_tokens()])
    file = _tokenizer_file(hero)
    if file is None:
        return None
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception for a damaged file
        raise RealmError(
            f"the tokenizer of {hero.id} cannot be read",
            why=" ".join(str(error).split())[:200],
            fix=f"copy the model's folder again: {file.parent}",
            code="MODEL_DAMAGED",
        ) from error


def _tokenizer_file(hero: HeroConfig) -> Path | None:
    """The hero's ``tokenizer.json`` in its folder or in the download cache; None when it is not on this machine."""
    if hero.model.path:
        file = Path(hero.model.path).expanduser() / "tokenizer.json"
        return file if file.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hero.model.name, "tokenizer.json")
    return Path(found) if isinstance(found, str) else None
