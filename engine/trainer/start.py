"""Wakes the hero: finds the form to go on from, loads it, opens a run, and hands over a `Game` ready to train."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path
from typing import Any

import accelerate
import tokenizers
import torch
import transformers

from configs.errors import RealmError
from configs.loader import on_this_machine
from configs.paths import SaveFolder
from configs.schema import GameConfig, HeroConfig
from configs.version import __version__
from engine.curriculum.state import start as start_curriculum
from engine.link.control import ControlChannel
from engine.link.ring import RingWriter
from engine.parallel.launch import kind_of, seat
from engine.parallel.waking import Waking
from engine.parallel.world import World
from engine.placement import Placement, choose
from engine.strain import StrainTracker
from engine.trainer.checkpoints import read_state
from engine.trainer.game import Game
from engine.trainer.heir import check_words
from engine.trainer.identity import check_identity
from engine.trainer.practice import Forge
from engine.trainer.recorder import Recorder
from engine.trainer.values import Values
from engine.trainer.vault import Vault
from saves import exams, incidents, journal, ledger, runs
from saves.checkpoint_folder import verify_checkpoint
from saves.rows import Campaign, Checkpoint
from skills.registry import get_skill


def environment(placement: Placement) -> dict[str, Any]:
    """What an exact resume must find again."""
    return {
        "placement": placement.as_dict(),
        "realm": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "accelerate": accelerate.__version__,
        "processor": platform.processor() or platform.machine(),
    }


def wake(
    folder: SaveFolder,
    conn: sqlite3.Connection,
    rules: GameConfig,
    campaign: Campaign,
    ring: RingWriter,
    channel: ControlChannel,
) -> Game:
    """The game as the last whole checkpoint left it, or a new hero's first step.

    Raises:
        RealmError: the hero's model, the device, or every checkpoint is missing; it says which and the way out.
    """
    config = on_this_machine(HeroConfig.model_validate(dict(campaign.hero)))
    vault = Vault(folder, conn, campaign.id, config)
    vault.sweep()
    found = vault.newest_whole()
    form, damaged = found if found is not None else (None, [])
    before = runs.latest_run(conn, campaign.id)
    recorded = before.environment.get("placement") if before is not None else None
    placement = choose(config, rules.engine, recorded, rules.memory)
    place, kind = seat(), kind_of(rules.engine)
    world = World(place) if place.processes > 1 else None
    weights = vault.path(form) if form is not None else _first_form(conn, vault, campaign, config)
    loop = Waking(config, placement, weights, campaign.seed, kind).loop(world)
    now = environment(placement)
    if world is not None:
        now |= {"processes": world.size, "parallel": kind}
    inexact = _differences(before.environment, now) if before is not None else []
    run_id = runs.open_run(
        conn,
        campaign.id,
        first_step=form.step if form is not None else campaign.starting_step,
        parent_run_id=before.id if before is not None else None,
        parent_checkpoint_id=form.id if form is not None else None,
        pid=os.getpid(),
        environment=now,
        exact=not inexact,
    )
    recorder = Recorder(ring, conn, run_id, rules.strain, rules.engine.window_steps)
    game = Game(
        folder=folder,
        conn=conn,
        rules=rules,
        campaign=campaign,
        run_id=run_id,
        loop=loop,
        forge=Forge(loop.hero, rules, campaign.seed, campaign.began_at, parts=place.processes),
        recorder=recorder,
        vault=vault,
        channel=channel,
        values=Values(step=campaign.starting_step),
        trackers={},
        replay=[],
    )
    if form is None:
        game.values.curricula = {
            skill: start_curriculum(skill, mix, get_skill(skill).config.max_level, rules.exams)
            for skill, mix in config.skills.items()
        }
        recorder.show(step=game.values.step)
    else:
        _take_up(game, form)
    game.replay = journal.replayable(conn, campaign.id, game.values.step, game.values.applied_seq)
    game.orders.follow(campaign.recipe.get("orders", ()))
    for broken, error in damaged:
        incidents.raise_incident(
            conn,
            "checkpoint_corrupt",
            category="infra",
            severity="critical",
            title=error.what,
            fix=f"nothing is needed now: training goes on from {form.name if form else 'the start'}",
            detail={"checkpoint": broken.name, "why": error.why},
            run_id=run_id,
            step=game.values.step,
        )
    if inexact:
        incidents.raise_incident(
            conn,
            "inexact_resume",
            category="training",
            severity="low",
            title="this run does not repeat the one it continues exactly",
            fix="nothing needs to be done; the hero trains on from its checkpoint",
            detail={"changed": inexact},
            run_id=run_id,
            step=game.values.step,
        )
    return game


def _first_form(conn: sqlite3.Connection, vault: Vault, campaign: Campaign, config: HeroConfig) -> Path | None:
    """The folder whose weights a campaign begins with; None: a newborn hero.

    Raises:
        RealmError: it is damaged or gone, or does not know what the hero's skills say.
    """
    if campaign.starting_checkpoint_id is None:
        return None
    form = ledger.checkpoint(conn, campaign.starting_checkpoint_id)
    if form.deleted_at is not None:
        raise RealmError(
            f"the form that {campaign.id} begins with is gone",
            why=f"{form.name} was left out when this save was exported, or removed",
            fix="import an export with all forms (`realm save export --checkpoints all`), or begin another campaign",
            code="CHECKPOINT_GONE",
        )
    path = vault.path(form)
    verify_checkpoint(path)
    check_words(path, config)
    return path


def _take_up(game: Game, form: Checkpoint) -> None:
    """Put a checkpoint's state into a game whose hero already holds the checkpoint's weights."""
    state = read_state(game.vault.path(form))
    data = state.values
    check_identity(data.get("identity"), game.hero.config, form.name)
    try:
        game.values = Values.from_dict(data["values"])
        game.first_step = game.values.step
        game.loop.load(state.tensors, data["loop"])
        game.recorder.load(data["recorder"])
        for key, record in data["trackers"].items():
            tracker = StrainTracker(game.rules.strain, None)
            tracker.load(record)
            game.trackers[key] = tracker
    except KeyError as error:
        raise RealmError(
            f"{form.name} lacks a part of the trainer's state",
            why=f"{error} is missing",
            fix="go back to an older checkpoint (`realm ledger summon NAME`)",
            code="CHECKPOINT_BROKEN",
        ) from error
    game.last_exam = exams.latest_exam(game.conn, game.campaign.id, kind="gate")
    game.recorder.show(step=game.values.step, last_checkpoint_step=form.step, effort=game.effort)
    game.board.go_on()
    game.board.drills.again()


def _differences(before: Any, now: dict[str, Any]) -> list[str]:
    """What changed since the run that is continued and makes an exact resume impossible to promise."""
    return [
        f"{key}: {before.get(key)} → {now.get(key)}"
        for key in now | dict(before)
        if key != "realm" and before.get(key) != now.get(key)
    ]
