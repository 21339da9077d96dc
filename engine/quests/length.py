"""How long an example is for a hero, without loading the hero."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.schema import HeroConfig
from engine.quests.fileformat import CountTokens

CHARACTERS_PER_TOKEN = 4
"""Estimate where the hero's tokenizer is not on this machine."""

_ANY_DATE = "2000-01-01"
"""Stands for the campaign's date, which is as long."""


@dataclass(frozen=True, slots=True)
class LengthRule:
    """The longest example a hero reads, and how to measure one."""

    max_tokens: int
    """The hero's context less its own system turn."""
    count_tokens: CountTokens
    exact: bool
    """False when tokens are estimated from characters; examples that prove too long are then dropped and counted in training."""


def length_rule(hero: HeroConfig) -> LengthRule:
    """The rule for ``hero``: by its own tokenizer where that is at hand, else by an estimate."""
    count, exact = _counter(hero)
    prompt = hero.system_prompt.replace("{date}", _ANY_DATE)
    system = f"<|im_start|>system\n{prompt}<|im_end|>\n" if prompt else ""
    return LengthRule(hero.model.context_length - (count(system) if system else 0), count, exact)


def _counter(hero: HeroConfig) -> tuple[CountTokens, bool]:
    # The tokenizer library takes a tenth of a second to load, which commands without a quest need not pay.
    from tokenizers import Tokenizer

    if hero.model.source == "hatchling":
        from engine.hero.tokenizer import build_hatchling_tokenizer
        from skills.registry import get_skill

        tokenizer = build_hatchling_tokenizer([t for s in hero.skills for t in get_skill(s).special_tokens()])
    else:
        file = _tokenizer_file(hero)
        if file is None:
            return lambda text: -(-len(text) // CHARACTERS_PER_TOKEN), False
        tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids), True


def _tokenizer_file(hero: HeroConfig) -> Path | None:
    """The hero's ``tokenizer.json`` in its folder or in the download cache; None when it is not on this machine."""
    if hero.model.path:
        file = Path(hero.model.path).expanduser() / "tokenizer.json"
        return file if file.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hero.model.name, "tokenizer.json")
    return Path(found) if isinstance(found, str) else None
