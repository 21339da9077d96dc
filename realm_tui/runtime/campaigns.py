"""Campaigns as a player handles them: begin, list, switch, archive, begin again with an old form; what to do next and what is in the way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import BlockedError, UsageError
from configs.loader import load_game, load_hero
from configs.paths import SaveFolder
from configs.reading import parse
from configs.schema import HeroConfig
from engine.link.client import engine_alive
from engine.trainer.heir import check_words
from engine.trainer.promotion import best_examined, find_form
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.orders import engine_locked
from saves import campaigns, ledger
from saves.exams import lost_levels
from saves.milestones import milestones, note
from saves.peaks import peaks
from saves.rows import Campaign, Checkpoint
from saves.steps import totals
from skills.registry import get_skill

Say = Callable[[str], None]

QUEST_EXAMPLES = 5000
"""Examples of the quest that is proposed when the board is empty and drills are off."""
_NEXT_STEPS = ((5_000, 1000), (20_000, 2000), (50_000, 3000))


@dataclass(frozen=True, slots=True)
class Standing:
    """One campaign as it is listed."""

    id: str
    name: str
    hero: str
    status: str
    step: int
    created_at: float
    archived_at: float | None
    parent: str | None
    starting_checkpoint: str | None
    levels: dict[str, int]
    """Levels won, by skill."""
    held: dict[str, int]
    """Of these, not lost."""
    effort: float
    trained_tokens: int
    lifetime_steps: int
    """Every step ever made, repeated ones included."""
    peaks: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def standing(save: OpenedSave, campaign: Campaign) -> Standing:
    """How far a campaign is."""
    conn = save.conn
    sums = totals(conn, campaign.id)
    best = peaks(conn, campaign.id)
    start = campaign.starting_checkpoint_id
    held = {s: level - len(lost_levels(conn, campaign.id, s)) for s, level in best.levels.items()}
    return Standing(
        id=campaign.id,
        name=campaign.name,
        hero=campaign.hero_id,
        status=campaign.status,
        step=sums.live.last_step or campaign.starting_step,
        created_at=campaign.created_at,
        archived_at=campaign.archived_at,
        parent=campaign.parent_id,
        starting_checkpoint=ledger.checkpoint(conn, start).name if start is not None else None,
        levels=best.levels,
        held=held,
        effort=sums.live.strain_sum,
        trained_tokens=sums.live.trained_tokens,
        lifetime_steps=sums.lifetime.steps,
        peaks=best.as_dict(),
    )


# ---------------------------------------------------------------- begin


def begin(
    folder: SaveFolder,
    *,
    hero: str | None = None,
    name: str | None = None,
    seed: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    from_form: str | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> Campaign:
    """A new campaign, which waits until it is switched to.

    Args:
        folder: the save's folder.
        hero: of the roster; None: that of the form's campaign, else of the active one, as it was then.
        name: None: the hero's title with a number.
        seed: None: chosen at random.
        overrides: its own layer of configuration, checked before anything is written.
        from_form: a form of the ledger, or a campaign (its champion, else its best examined form, else its newest), to begin with
            (New Game+): its weights, a fresh optimizer, and no level won yet.
        recipe: a recipe to re-run; hero, seed and overrides come from it.

    Raises:
        UsageError: no such hero or form, a taken name.
        BlockedError: the form is another model's.
        RealmError: the configuration is not valid.
    """
    load_game(overrides or {})
    with opened(folder, write=True) as save:
        form = _form(save, from_form) if from_form is not None else None
        owner = save.campaign if form is None else campaigns.campaign(save.conn, form.campaign_id)
        if recipe is not None:
            config = parse(HeroConfig, recipe["hero"], "the recipe's hero")
        else:
            config = load_hero(hero) if hero is not None else parse(HeroConfig, owner.hero, "the hero")
        if form is not None:
            _refuse_another_model(save, form, config)
        taken = {c.name.casefold() for c in campaigns.campaigns(save.conn)}
        return campaigns.add_campaign(
            save.conn,
            hero=config.model_dump(mode="json"),
            name=name or _free_name(config.title, taken),
            seed=secrets.randbelow(1 << 31) if seed is None else seed,
            overrides=overrides or {},
            starting_checkpoint_id=form.id if form else None,
            parent_id=form.campaign_id if form else None,
            recipe=recipe,
        )


def _form(save: OpenedSave, which: str) -> Checkpoint:
    """The form meant by a name of the ledger, or by a campaign."""
    meant = [c for c in campaigns.campaigns(save.conn) if which == c.id or which.casefold() == c.name.casefold()]
    if not meant:
        return find_form(save.conn, which)
    forms = [c for c in ledger.kept_checkpoints(save.conn) if c.campaign_id == meant[0].id]
    crowned = ledger.champion(save.conn, meant[0].id)
    chosen = next((c for c in forms if crowned is not None and c.id == crowned.checkpoint_id), None)
    live = ledger.live_checkpoints(save.conn, meant[0].id)
    chosen = chosen or best_examined(forms) or (live[-1] if live else None)
    if chosen is None:
        raise BlockedError(
            f"{meant[0].id} has no form on the disk", fix="choose another campaign or form", code="NO_CHECKPOINT"
        )
    return chosen


def _free_name(title: str, taken: set[str]) -> str:
    number = 2
    name = title
    while name.casefold() in taken:
        name, number = f"{title} {number}", number + 1
    return name


def _refuse_another_model(save: OpenedSave, form: Checkpoint, config: HeroConfig) -> None:
    """A form's weights fit only the model they were trained in, by the same kind of method."""
    owner = parse(HeroConfig, campaigns.campaign(save.conn, form.campaign_id).hero, f"the hero of {form.campaign_id}")
    differences = [
        f"{what}: {ours}, the form's is {theirs}"
        for what, ours, theirs in (
            ("source", config.model.source, owner.model.source),
            (
                "model",
                config.model.name or config.model.path or "hatchling",
                owner.model.name or owner.model.path or "hatchling",
            ),
            ("shape", config.model.shape, owner.model.shape),
            ("adapter", config.training.adapted, owner.training.adapted),
        )
        if ours != theirs
    ]
    if differences:
        raise BlockedError(
            f"{form.name} cannot begin a campaign of {config.name}",
            why="; ".join(differences),
            fix="choose a form of the same model, or no form",
            code="OTHER_MODEL",
        )
    if not ledger.folder_of(save.folder, form).is_dir():
        raise BlockedError(f"the folder of {form.name} is gone", fix="choose another form", code="CHECKPOINT_GONE")
    check_words(ledger.folder_of(save.folder, form), config)


# ---------------------------------------------------------------- switch and archive


def switch(folder: SaveFolder, which: str, *, say: Say | None = None) -> Campaign:
    """Play another campaign; a living engine saves and stops first.

    Raises:
        UsageError: there is no such campaign.
    """
    with opened(folder) as save:
        wanted = campaigns.campaign(save.conn, which)
        if wanted.id == save.campaign.id:
            return wanted
    _stop(folder, say)
    with engine_locked(folder), opened(folder, write=True) as save:
        campaigns.activate(save.conn, wanted.id)
        return campaigns.campaign(save.conn, wanted.id)


def archive(folder: SaveFolder, which: str | None, *, then: str | None = None, say: Say | None = None) -> Campaign:
    """Put a campaign into the hall, with what it reached.

    Args:
        folder: the save's folder.
        which: None: the active one.
        then: the campaign to play after the active one is archived.
        say: hears what takes long.

    Raises:
        BlockedError: it is the active one, and no other is named to follow it.
    """
    with opened(folder) as save:
        wanted = campaigns.campaign(save.conn, which) if which else save.campaign
        active = wanted.id == save.campaign.id
        others = [c for c in campaigns.campaigns(save.conn) if c.id != wanted.id and c.status != "archived"]
    if active and then is None:
        named = f"`--then {others[0].id}`" if others else "`realm campaign new` first, then `--then` with its id"
        raise BlockedError(
            f"{wanted.id} is the campaign that is played",
            why="one campaign is always active",
            fix=named,
            code="CAMPAIGN_ACTIVE",
        )
    if active and then is not None:
        with opened(folder) as save:
            if campaigns.campaign(save.conn, then).id == wanted.id:
                raise UsageError(
                    "a campaign cannot follow itself", fix="name another one with --then", code="BAD_ARGUMENT"
                )
        switch(folder, then, say=say)
    with opened(folder, write=True) as save:
        found = standing(save, wanted)
        completed = _complete(wanted, found)
        note(save.conn, wanted.id, found.step, "archived", kind="archive")
        campaigns.archive(save.conn, wanted.id, found.as_dict(), completed=completed)
        return campaigns.campaign(save.conn, wanted.id)


def _complete(campaign: Campaign, found: Standing) -> bool:
    """Whether every level of every skill of its hero is won."""
    skills = campaign.hero.get("skills", {})
    return bool(skills) and all(found.levels.get(s, 0) >= get_skill(s).config.max_level for s in skills)


def _stop(folder: SaveFolder, say: Say | None) -> None:
    if engine_alive(folder):
        from realm_tui.runtime.engine_process import stop_engine

        if say is not None:
            say("the engine saves and stops first")
        stop_engine(folder, on_progress=say)


# ---------------------------------------------------------------- what next


@dataclass(frozen=True, slots=True)
class NextAction:
    """What a campaign wants now."""

    action: str
    """wait, begin, train or quest."""
    steps: int | None
    text: str


def next_action(training: bool, step: int, waiting: int, drills: bool) -> NextAction:
    """The proposal that follows from where a campaign stands.

    Args:
        training: an engine trains it now.
        step: its last step, counted from its beginning.
        waiting: quests on the board.
        drills: the hero practises drills of its own when no quest waits.
    """
    if training:
        return NextAction("wait", None, "the hero trains: wait, or watch")
    if not waiting and not drills:
        return NextAction("quest", None, f"the board is empty: drop a quest of about {QUEST_EXAMPLES:,} examples")
    if step == 0:
        return NextAction("begin", 1000, "begin: train 1,000 steps")
    steps = next((n for below, n in _NEXT_STEPS if step < below), 5000)
    return NextAction("train", steps, f"train {steps:,} more steps")


@dataclass(frozen=True, slots=True)
class Momentum:
    """Whether the campaign moves, and what keeps it from moving."""

    status: str
    """go, blocked or idle."""
    blockers: tuple[dict[str, Any], ...]
    next: NextAction


def momentum(folder: SaveFolder) -> Momentum:
    """The state of the active campaign in one word, with every blocker and the next step."""
    from realm_tui.runtime.status import collect

    status = collect(folder)
    blockers = tuple({"code": b.code, "why": b.reason, "fix": b.fix} for b in status.blockers)
    training = status.state in ("training", "examining", "loading", "starting", "saving")
    with opened(folder) as save:
        drills = bool(save.hero.skills)
        step = max(0, status.hero.steps)
    what = next_action(training, step, status.queue.total, drills)
    return Momentum("blocked" if blockers else "go" if training else "idle", blockers, what)


def hall(folder: SaveFolder) -> list[tuple[Campaign, Mapping[str, Any]]]:
    """The archived campaigns with what they reached, the most levels held first."""
    with opened(folder) as save:
        archived = [c for c in campaigns.campaigns(save.conn) if c.status == "archived"]
    return sorted(
        ((c, c.summary) for c in archived),
        key=lambda pair: (-sum(pair[1].get("held", {}).values()), pair[0].created_at),
    )


def told(folder: SaveFolder, which: str | None) -> tuple[Campaign, Standing, list[Any]]:
    """A campaign with its standing and milestones."""
    with opened(folder) as save:
        campaign = campaigns.campaign(save.conn, which) if which else save.campaign
        return campaign, standing(save, campaign), milestones(save.conn, campaign)


def remember(folder: SaveFolder, text: str, which: str | None = None) -> None:
    """Note a moment of a campaign in the player's words."""
    words = " ".join(text.split())
    if not words:
        raise UsageError(
            "there is nothing to note", fix='give some words: realm campaign note "…"', code="BAD_ARGUMENT"
        )
    with opened(folder, write=True) as save:
        campaign = campaigns.campaign(save.conn, which) if which else save.campaign
        note(save.conn, campaign.id, standing(save, campaign).step, words[:500])
