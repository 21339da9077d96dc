"""Whether a hero's questions are asked on another machine, and which of its servers count."""

from __future__ import annotations

from configs.facilities import Facilities
from configs.inn import InferenceRules
from configs.schema import HeroConfig


def asked_elsewhere(rules: InferenceRules, hero: HeroConfig, places: Facilities) -> bool:
    """Whether a hero's exams are asked elsewhere: never a hatchling's, else as the player chose, or where a hub can prove its answers."""
    if hero.model.source == "hatchling" or rules.where == "local":
        return False
    if rules.where == "inn":
        return True
    return any(
        places.facilities[name].type == "hub" and not places.facilities[name].is_local and proves(places, name)
        for name in places.serving()
    )


def proves(places: Facilities, name: str) -> bool:
    """Whether the server of a place can prove which form answered."""
    server = places.facilities[name].server
    return server is not None and server.kind != "openai"
