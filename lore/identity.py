"""Who the hero is by birth: race, stature, class, bloodline, as the model's own data tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from configs.schema import HeroConfig
from lore.lexicon import Voice

HeroClass = Literal["Wildborn", "Academy-Trained", "Diplomat", "Artificer", "Guild Veteran"]

_VARIANT: dict[HeroClass, str] = {
    "Wildborn": "base",
    "Academy-Trained": "instruct",
    "Diplomat": "chat",
    "Artificer": "code",
    "Guild Veteran": "fine-tuned here",
}
_NAME_PARTS: tuple[tuple[str, HeroClass], ...] = (
    ("cod(?:e|er)", "Artificer"),
    ("chat", "Diplomat"),
    ("instruct|it", "Academy-Trained"),
)
_GENERATIONS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


@dataclass(frozen=True, slots=True)
class Identity:
    """The hero's birth certificate."""

    name: str
    epithet: str
    race: str
    stature: str
    hero_class: HeroClass
    family: str
    parameters: str
    """E.g. ``0.5M`` or ``0.6B``."""
    bloodline: str | None
    """Generation of the model family, e.g. ``third``."""

    def line(self, voice: Voice = "tavern", *, brief: bool = False) -> str:
        """E.g. ``Qwen'dal Sprite · 0.5M``, or plainly ``qwen3 · 0.5M parameters · base``; ``brief``: without the word."""
        if voice == "plain":
            word = "" if brief else " parameters"
            return f"{self.family} · {self.parameters}{word} · {_VARIANT[self.hero_class]}"
        return f"{self.race} {self.stature} · {self.parameters}"


def parameters(size_b: float) -> str:
    """A size given in billions, as it is drawn: ``0.5M``, ``35M``; from a tenth of a billion on ``0.6B``."""
    millions = size_b * 1000
    return f"{size_b:.3g}B" if size_b >= 0.1 else f"{millions:.2g}M" if millions < 10 else f"{millions:.0f}M"


def hero_class(model_name: str, *, veteran: bool = False) -> HeroClass:
    """The class by the words in a model's name; a hero that begins from a checkpoint of this game is a veteran."""
    if veteran:
        return "Guild Veteran"
    words = re.split(r"[-_/. ]", model_name.lower())
    for pattern, found in _NAME_PARTS:
        if any(re.fullmatch(pattern, word) for word in words):
            return found
    return "Wildborn"


def bloodline(model_name: str) -> str | None:
    """The generation in a family's name: ``Qwen2.5`` is the second, ``Qwen3`` the third; None when it has no number."""
    match = re.search(r"[A-Za-z]{2,}-?v?(\d)(?:\.\d+)?(?![\d.]*[bBmM]\b)", model_name)
    if match is None or match[1] == "0":
        return None
    return _GENERATIONS[int(match[1]) - 1]


def identity(hero: HeroConfig, *, veteran: bool = False) -> Identity:
    """Who ``hero`` is."""
    name = hero.model.name or hero.model.family
    return Identity(
        name=hero.name,
        epithet=hero.epithet,
        race=hero.race,
        stature=hero.stature,
        hero_class=hero_class(hero.model.name, veteran=veteran),
        family=hero.model.family,
        parameters=parameters(hero.model.size_b),
        bloodline=bloodline(name.rsplit("/", 1)[-1]),
    )
