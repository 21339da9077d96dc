"""Whether an old form knows every token that the skills of its heir need (New Game+). Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

from configs.errors import BlockedError, RealmError
from configs.schema import HeroConfig
from skills.registry import get_skill


def check_words(path: Path, config: HeroConfig) -> None:
    """Refuse a form whose vocabulary was made for other skills. Only a hatchling is made with tokens of its skills.

    Args:
        path: the checkpoint's folder.
        config: the hero that is to begin with its weights.

    Raises:
        BlockedError: tokens are missing; the skills that need them are named (``OTHER_MODEL``).
        RealmError: its tokenizer cannot be read.
    """
    if config.model.source != "hatchling":
        return
    needed = {skill: list(get_skill(skill).special_tokens()) for skill in config.skills}
    if not any(needed.values()):
        return
    try:
        found = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
        known = {*found["model"]["vocab"], *(token["content"] for token in found.get("added_tokens", []))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RealmError(
            f"the tokenizer of {path.name} cannot be read",
            why=f"{type(error).__name__}: {error}",
            fix="choose another form (`realm ledger list`)",
            code="CHECKPOINT_BROKEN",
        ) from error
    missing = {skill: [t for t in tokens if t not in known] for skill, tokens in needed.items()}
    lacking = [f"{skill} needs {', '.join(tokens[:3])}" for skill, tokens in missing.items() if tokens]
    if lacking:
        raise BlockedError(
            f"{path.name} cannot begin a campaign of {config.name}",
            why=f"its vocabulary was made for other skills: {'; '.join(lacking)}",
            fix="choose a form that trained these skills, or no form",
            code="OTHER_MODEL",
        )
