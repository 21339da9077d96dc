"""Campaigns as a player handles them: begin, list, switch, archive, begin again with an old form; what to do next and what is in the way."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import BlockedError, UsageError
from configs.loader import load_game, load_hero
from configs.paths import SaveFolder
from configs.reading import merged, parse
from configs.schema import CampaignRules, HeroConfig
from engine.link.client import engine_alive
from engine.trainer.heir import check_words
from engine.trainer.promotion import best_examined, find_form
from lore.rules import rules as lore_rules
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.orders import engine_locked
from saves import campaigns, ledger
from saves.database import open_save
from saves.decisions import recent_decisions
from saves.exams import level_ups, lost_levels
from saves.locks import holder
from saves.milestones import milestones, note
from saves.peaks import Peaks, effort_by_skill, peaks
from saves.rows import Campaign, Checkpoint
from saves.steps import newest_windows, totals
from skills.registry import get_skill

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One campaign as it is listed; quick to read, however long the campaign is."""

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
    champion: str | None
    caps: tuple[str, ...]
    """Evidence that a skill gains nothing more, one per skill that has not won a level since."""
    outcome: str
    """won (every level), capped (the cap of a skill was found) or open."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Standing(Line):
    """How far a campaign is, with what its whole history adds up to."""

    effort: float
    effort_by_skill: dict[str, float]
    """Of the effort, what each skill's own problems took."""
    trained_tokens: int
    lifetime_steps: int
    """Every step ever made, repeated ones included."""
    peaks: dict[str, Any]


def line(save: OpenedSave, campaign: Campaign) -> Line:
    """A campaign in short."""
    conn = save.conn
    newest = newest_windows(conn, campaign.id, 1)
    start = campaign.starting_checkpoint_id
    crowned = ledger.champion(conn, campaign.id)
    caps = _caps(save, campaign)
    levels: dict[str, int] = {}
    for won in level_ups(conn, campaign.id):
        levels[won.skill] = max(levels.get(won.skill, 0), won.to_level)
    return Line(
        id=campaign.id,
        name=campaign.name,
        hero=campaign.hero_id,
        status=campaign.status,
        step=newest[-1].last_step if newest else campaign.starting_step,
        created_at=campaign.created_at,
        archived_at=campaign.archived_at,
        parent=campaign.parent_id,
        starting_checkpoint=ledger.checkpoint(conn, start).name if start is not None else None,
        levels=levels,
        held={s: level - len(lost_levels(conn, campaign.id, s)) for s, level in levels.items()},
        champion=ledger.checkpoint(conn, crowned.checkpoint_id).name if crowned is not None else None,
        caps=caps,
        outcome="won" if _every_level_won(campaign, levels) else "capped" if caps else "open",
    )


def standing(save: OpenedSave, campaign: Campaign, best: Peaks | None = None) -> Standing:
    """How far a campaign is. Reads its whole history of steps, and of exams where its peaks are not known already."""
    sums = totals(save.conn, campaign.id)
    return Standing(
        **line(save, campaign).as_dict(),
        effort=sums.live.strain_sum,
        effort_by_skill=effort_by_skill(save.conn, campaign.id),
        trained_tokens=sums.live.trained_tokens,
        lifetime_steps=sums.lifetime.steps,
        peaks=(best or peaks(save.conn, campaign.id)).as_dict(),
    )


def _caps(save: OpenedSave, campaign: Campaign) -> tuple[str, ...]:
    """The newest evidence of a cap of each skill, unless a level of that skill was won after it."""
    found: dict[str, str] = {}
    for row in recent_decisions(save.conn, campaign.id, kind="maxed"):
        won = level_ups(save.conn, campaign.id, skill=row.skill)
        if row.skill not in found and not (won and won[-1].step > row.step):
            found[row.skill] = row.decision
    return tuple(found.values())


def _every_level_won(campaign: Campaign, levels: Mapping[str, int]) -> bool:
    skills = campaign.hero.get("skills", {})
    return bool(skills) and all(levels.get(s, 0) >= get_skill(s).config.max_level for s in skills)


# ---------------------------------------------------------------- begin


def begin(
    folder: SaveFolder,
    *,
    hero: str | None = None,
    name: str | None = None,
    title: str | None = None,
    seed: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    hero_overrides: Mapping[str, Any] | None = None,
    from_form: str | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> Campaign:
    """A new campaign, which waits until it is switched to.

    Args:
        folder: the save's folder.
        hero: of the roster; None: that of the form's campaign, else of the active one, as it was then.
        name: None: ``title``, with a number where it is taken.
        title: None: the hero's.
        seed: None: chosen at random.
        overrides: its own layer of rules, checked before anything is written.
        hero_overrides: fields of the hero that are others in this campaign.
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
            if hero_overrides:
                data = merged(config.model_dump(mode="json"), hero_overrides)
                config = parse(HeroConfig, data, f"hero {config.id} with this campaign's own fields")
        if form is not None:
            _refuse_another_model(save, form, config)
        taken = {c.name.casefold() for c in campaigns.campaigns(save.conn)}
        return campaigns.add_campaign(
            save.conn,
            hero=config.model_dump(mode="json"),
            name=name or _free_name(title or config.title, taken),
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
        BlockedError: a face of another process shows the save; nothing was stopped.
    """
    with closing(open_save(folder, write=False)) as conn:
        wanted = campaigns.campaign(conn, which)
        if wanted.status == "active":
            return wanted
    _refuse_another_face(folder)
    _stop(folder, say)
    with engine_locked(folder), closing(open_save(folder, write=True)) as conn:
        campaigns.activate(conn, wanted.id)
        return campaigns.campaign(conn, wanted.id)


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
        if wanted.status != "archived":
            note(save.conn, wanted.id, found.step, "archived", kind="archive")
        campaigns.archive(save.conn, wanted.id, found.as_dict(), completed=found.outcome != "open")
        return campaigns.campaign(save.conn, wanted.id)


def _refuse_another_face(folder: SaveFolder) -> None:
    """A face shows one campaign for as long as it is open."""
    shown_by = holder(folder.face_lock)
    if shown_by is not None and shown_by.pid != os.getpid():
        raise BlockedError(f"`realm play` is using the save {folder.name}", fix="close it first", code="SAVE_IN_USE")


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
    """wait, begin, train, quest, archive or switch."""
    steps: int | None
    text: str


def next_action(
    training: bool, step: int, waiting: int, drills: bool, rules: CampaignRules, *, outcome: str = "open"
) -> NextAction:
    """The proposal that follows from where a campaign stands.

    Args:
        training: an engine trains it now.
        step: its last step, counted from its beginning.
        waiting: quests on the board.
        drills: the hero practises drills of its own when no quest waits.
        rules: how much is proposed.
        outcome: see `Standing.outcome`.
    """
    if training:
        return NextAction("wait", None, "the hero trains: wait, or watch")
    if outcome != "open" and not waiting:
        told = "every level is won" if outcome == "won" else "its cap is found"
        return NextAction("archive", None, f"{told}: archive the campaign, and begin another")
    if not waiting and not drills:
        return NextAction("quest", None, f"the board is empty: drop a quest of about {rules.quest_examples:,} examples")
    steps = rules.next_steps[max(start for start in rules.next_steps if start <= step)]
    if step == 0:
        return NextAction("begin", steps, f"begin: train {steps:,} steps")
    return NextAction("train", steps, f"train {steps:,} more steps")


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
        marks = milestones(
            save.conn,
            campaign,
            level_steps=lore_rules().hero.level_steps,
            every=save.rules.campaign.milestone_levels,
        )
        return campaign, standing(save, campaign), marks


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
