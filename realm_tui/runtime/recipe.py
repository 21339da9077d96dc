"""Recipes: a campaign's method written to one YAML file, read back to re-run it, or kept as a ghost to race against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from configs.errors import BlockedError, UsageError
from configs.loader import load_game
from configs.paths import SaveFolder
from configs.reading import parse, read_yaml
from configs.recipe import Recipe, RecipeMark, RecipePoint
from configs.version import __version__
from realm_tui.runtime.campaigns import begin
from realm_tui.runtime.opened import OpenedSave, opened
from saves import campaigns, journal, ledger, quests
from saves.exams import level_ups
from saves.peaks import CurvePoint, curve
from saves.rows import Campaign
from saves.runs import latest_run
from skills.registry import get_skill

GHOST = "ghost"
"""Setting that keeps the recipe raced against."""
DRAW = "draw_quest"
_VERSIONS = ("python", "torch", "transformers", "tokenizers", "accelerate", "processor")
_RULES = ("strain", "exams", "curriculum", "forgetting", "primitives", "quests")
"""Sections that decide what is learnt; the rest belongs to the machine and its player."""
_REPEATED = ("set", "skip", "drill")
MAX_BYTES = 8_000_000
"""Of a recipe's file."""


def recipe_of(save: OpenedSave, campaign: Campaign) -> Recipe:
    """The recipe of a campaign as far as it has gone."""
    conn = save.conn
    run = latest_run(conn, campaign.id)
    environment: Mapping[str, Any] = run.environment if run is not None else {}
    rules = load_game(campaign.overrides).model_dump(mode="json")
    points = curve(conn, campaign.id)
    start = campaign.starting_checkpoint_id
    orders, data = [], []
    for entry in journal.replayable(conn, campaign.id, -1):
        if entry.verb == DRAW:
            quest = quests.quest(conn, int(entry.args["quest_id"]))
            data.append({"step": entry.step, "name": quest.name, "digest": quest.digest, "epochs": quest.epochs})
        elif entry.verb in _REPEATED:
            orders.append({"step": entry.step, "verb": entry.verb, "args": dict(entry.args)})
    hero = dict(campaign.hero)
    if hero["model"].get("name"):
        # Where a published model lies is the machine's own affair.
        hero["model"] = {**hero["model"], "path": ""}
    return parse(
        Recipe,
        {
            "campaign": campaign.name,
            "hero": hero,
            "seed": campaign.seed,
            "began_at": campaign.began_at,
            "overrides": dict(campaign.overrides),
            "rules": {name: rules[name] for name in _RULES},
            "strategy": rules.get("strategy", {}),
            "skills": {s: get_skill(s).config.version for s in campaign.hero.get("skills", {})},
            "versions": {"realm": __version__} | {k: str(environment[k]) for k in _VERSIONS if k in environment},
            "starting_checkpoint": ledger.checkpoint(conn, start).name if start is not None else None,
            "orders": orders,
            "data": data,
            "steps": points[-1].step if points else campaign.starting_step,
            "curve": [_point(p) for p in points],
            "marks": [{"step": u.step, "skill": u.skill, "level": u.to_level} for u in level_ups(conn, campaign.id)],
        },
        "the recipe",
    )


def _point(point: CurvePoint) -> dict[str, Any]:
    def short(value: float | None) -> float | None:
        return None if value is None else round(value, 5)

    return {"step": point.step, "tokens": point.tokens, "strain": short(point.strain), "loss": short(point.loss)}


def export(folder: SaveFolder, which: str | None, target: Path, *, replace: bool = False) -> Recipe:
    """Write a campaign's recipe to a new file; the file appears whole or not at all.

    Raises:
        BlockedError: the file exists.
    """
    if target.exists() and not replace:
        raise BlockedError(f"{target} exists", fix="choose another name, or add --replace", code="FILE_EXISTS")
    with opened(folder) as save:
        recipe = recipe_of(save, campaigns.campaign(save.conn, which) if which else save.campaign)
    head = "# A campaign of Realm of Training: `realm campaign new --recipe FILE` re-runs it, `realm campaign race FILE` races it.\n"
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    part = target.with_name(f".part-{target.name}")
    try:
        part.write_text(head + text, encoding="utf-8")
        part.replace(target)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written",
            why=error.strerror or str(error),
            fix="choose another place",
            code="UNWRITABLE",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return recipe


def read(path: Path) -> Recipe:
    """A recipe from its file; every wrong field is named with its line.

    Raises:
        UsageError: there is no such file.
        RealmError: it is no recipe.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", fix="give the path of a recipe", code="NO_SUCH_FILE")
    if path.stat().st_size > MAX_BYTES:
        raise UsageError(
            f"{path.name} is too large for a recipe",
            why=f"it has {path.stat().st_size:,} bytes, a recipe has at most {MAX_BYTES:,}",
            fix="name a file that `realm campaign export` wrote",
            code="RECIPE_TOO_LARGE",
        )
    return parse(Recipe, read_yaml(path), f"the recipe {path.name}", [path])


@dataclass(frozen=True, slots=True)
class ReRun:
    """A campaign made from a recipe, and what will differ from the one that was recorded."""

    campaign: Campaign
    differences: tuple[str, ...]


def re_run(folder: SaveFolder, recipe: Recipe, name: str | None = None) -> ReRun:
    """A new campaign by a recipe: same hero, seed and rules; what the player changed on the way is done again at its step.

    Raises:
        BlockedError: it began with a form, which a recipe does not hold.
        UsageError: it trains a skill that is not here.
    """
    if recipe.starting_checkpoint is not None:
        raise BlockedError(
            "this recipe cannot be re-run",
            why=f"its campaign began with {recipe.starting_checkpoint}, and a recipe holds no weights",
            fix="re-run the campaign that form came from, or race against this one",
            code="RECIPE_NEEDS_FORM",
        )
    said = {**recipe.overrides, **recipe.rules, "strategy": recipe.strategy}
    overrides = {name: said[name] for name in (*_RULES, "strategy") if said.get(name)}
    differences = tuple(_differences(folder, recipe))
    made = begin(
        folder,
        name=name,
        title=f"{recipe.campaign} (recipe)",
        seed=recipe.seed,
        overrides=overrides,
        recipe=recipe.model_dump(mode="json"),
    )
    return ReRun(made, differences)


def _differences(folder: SaveFolder, recipe: Recipe) -> list[str]:
    found = []
    for skill, version in (dict.fromkeys(recipe.hero.skills, "") | recipe.skills).items():
        ours = get_skill(skill).config.version
        if version and ours != version:
            found.append(f"skill {skill}: {version} there, {ours} here")
    if recipe.versions.get("realm", __version__) != __version__:
        found.append(f"the game: {recipe.versions['realm']} there, {__version__} here")
    with opened(folder) as save:
        known = {q.digest for q in quests.quests(save.conn)}
    found += [
        f"{d.name} was trained after step {d.step} and is not on this board"
        for d in recipe.data
        if d.digest not in known
    ]
    found += [f"{d.name} was trained after step {d.step}; add it then" for d in recipe.data if d.digest in known]
    return found


# ---------------------------------------------------------------- racing


@dataclass(frozen=True, slots=True)
class Ghost:
    """A campaign to race against: its curve and the levels it won, nothing else."""

    campaign: str
    steps: int
    curve: tuple[RecipePoint, ...]
    marks: tuple[RecipeMark, ...]


@dataclass(frozen=True, slots=True)
class Lap:
    """The two campaigns at one step."""

    step: int
    strain: float | None
    ghost_strain: float | None
    levels: int
    """Levels won until then, over all skills."""
    ghost_levels: int


def ghost_of(recipe: Recipe) -> Ghost:
    """What of a recipe is raced against."""
    return Ghost(recipe.campaign, recipe.steps, recipe.curve, recipe.marks)


def keep_ghost(folder: SaveFolder, ghost: Ghost | None) -> None:
    """Keep the ghost of this save; None lets it go."""
    data = None
    if ghost is not None:
        data = {
            "campaign": ghost.campaign,
            "steps": ghost.steps,
            "curve": [p.model_dump() for p in ghost.curve],
            "marks": [m.model_dump() for m in ghost.marks],
        }
    with opened(folder, write=True) as save:
        campaigns.set_setting(save.conn, GHOST, data)


def ghost(save: OpenedSave) -> Ghost | None:
    """The ghost of this save; None when there is none."""
    found: Mapping[str, Any] | None = campaigns.get_setting(save.conn, GHOST)
    if found is None:
        return None
    points = tuple(RecipePoint.model_validate(p) for p in found["curve"])
    marks = tuple(RecipeMark.model_validate(m) for m in found["marks"])
    return Ghost(str(found["campaign"]), int(found["steps"]), points, marks)


def race(save: OpenedSave, other: Ghost, laps: int = 10) -> list[Lap]:
    """The active campaign beside another one, at steps both have reached."""
    own = ghost_of(recipe_of(save, save.campaign))
    last = min(own.steps, other.steps)
    steps = sorted({max(1, last * n // laps) for n in range(1, laps + 1)}) if last else []
    return [Lap(step, _strain(own, step), _strain(other, step), _won(own, step), _won(other, step)) for step in steps]


def _strain(recipe: Ghost, step: int) -> float | None:
    """Strain of the stretch that holds ``step``."""
    return next((p.strain for p in recipe.curve if p.step >= step), None)


def _won(recipe: Ghost, step: int) -> int:
    return sum(mark.step <= step for mark in recipe.marks)
