"""Single items of a task, each from a seed of its own, and nothing else of the package."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from functools import cached_property
from importlib import import_module
from random import Random
from typing import Any

from configs.errors import RealmError
from configs.gym import GymLimits, GymTask
from skills.gym.ladder import settings
from skills.streams import Made

_TRIES = 60
"""Items drawn before a rung counts as making none that fits."""
_SEED_BITS = 62
_BOOKKEEPING = {"source_dataset", "source_index", "difficulty"}
"""Metadata that every item has and that says nothing of its problem."""
_REMEMBERED = 512
"""Items whose metadata the scorer finds again without making them anew."""


class Task:
    """One task of the package with its ladder."""

    def __init__(self, name: str, table: GymTask, limits: GymLimits) -> None:
        self.name, self.table, self.limits = name, table, limits
        self._sets: dict[int, Any] = {}
        self._entries: OrderedDict[tuple[int, int], dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def _registered(self) -> tuple[Any, Any, Any]:
        """The task's class, its settings and its curriculum (None: it has none)."""
        factory = import_module("reasoning_gym.factory")
        import_module("reasoning_gym")
        items, config = factory.DATASETS[self.name]
        # Some scorers print; standard output carries data.
        vars(import_module(items.__module__)).setdefault("print", _silent)
        return items, config, factory.CURRICULA[self.name]() if self.name in factory.CURRICULA else None

    def entry(self, level: int, seed: int) -> dict[str, Any]:
        """The task's own item for a seed: question, answer, metadata.

        Raises:
            Exception: whatever the task raises when it cannot make an item.
        """
        key = (level, seed)
        with self._lock:
            if key in self._entries:
                return self._entries[key]
            found: dict[str, Any] = self._items(level, seed)[0]
            self._entries[key] = found
            if len(self._entries) > _REMEMBERED:
                self._entries.popitem(last=False)
            return found

    def reward(self, level: int, seed: int, answer: str) -> float:
        """What the task's own scorer gives an answer."""
        entry = self.entry(level, seed)
        with self._lock:
            return float(self._items(level, seed).score_answer(answer, entry))

    def make(self, random: Random, level: int) -> Made:
        """One problem of a level; an item that does not fit the limits is drawn anew."""
        why = ""
        for _ in range(_TRIES):
            seed = random.getrandbits(_SEED_BITS)
            try:
                entry = self.entry(level, seed)
            except Exception as error:  # a task may raise anything when a draw leads nowhere
                why = f"{type(error).__name__}: {error}"
                continue
            prompt, answer = str(entry["question"]).strip(), self.answer(entry)
            if not answer or len(prompt) > self.limits.prompt_chars or len(answer) > self.limits.answer_chars:
                why = "its items are longer than the limits, or have no answer"
                continue
            return Made(
                self.canonical(entry, prompt), prompt, answer, primitives=self.table.primitives, meta={"seed": seed}
            )
        raise RealmError(
            f"the task {self.name} made no item at level {level}",
            why=f"{_TRIES} draws; the last: {why}",
            fix="leave the task out of the curriculum",
            code="GENERATOR_STUCK",
        )

    def answer(self, entry: dict[str, Any]) -> str:
        """The reference answer; empty when there is none."""
        if not self.table.reference:
            return entry["answer"].strip() if isinstance(entry["answer"], str) else ""
        known = entry["metadata"][self.table.reference]
        if isinstance(known, dict):
            return "{" + ", ".join(f'"{key}": {value}' for key, value in known.items()) + "}"
        return str(known).strip()

    def canonical(self, entry: dict[str, Any], prompt: str) -> str:
        """The problem without its wording."""
        facts = entry["metadata"]
        if self.table.same:
            keys = sorted(set(facts) - _BOOKKEEPING) if self.table.same == ("*",) else self.table.same
            return " | ".join(f"{key}={facts[key]}" for key in keys)
        text = re.sub(self.table.unworded, " ", prompt) if self.table.unworded else prompt
        return " ".join(text.split())

    def _items(self, level: int, seed: int) -> Any:
        """The task set to ``seed``, so that its item number 0 is the one of that seed alone."""
        items, config, curriculum = self._registered
        rung = self.table.rungs[level - 1]
        if self.table.fresh or rung not in self._sets:
            made = items(config(seed=seed, size=1, **settings(config, curriculum, rung)))
            if self.table.fresh:
                return made
            self._sets[rung] = made
        found = self._sets[rung]
        found.seed = found.config.seed = seed
        return found


def _silent(*_: object, **__: object) -> None:
    """Stands in for ``print`` in the package's modules."""
