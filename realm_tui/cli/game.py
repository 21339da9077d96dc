"""The game without a screen: ``realm run``, ``realm train`` and ``realm watch``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, line, say

if TYPE_CHECKING:
    from configs.paths import SaveFolder
    from realm_tui.runtime.headless import Goal, Outcome
    from saves.jobs import Job

HeroOption = Annotated[str | None, typer.Option("--hero", metavar="HERO", help="Who a new save begins with.")]
LeaveOption = Annotated[bool, typer.Option("--leave", help="At the end, leave the hero training.")]


def run(
    save: SaveOption = None,
    hero: HeroOption = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, metavar="N", help="End after N more steps.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.01, metavar="M", help="End after M more minutes.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="SKILL:LEVEL", help="End when a level is won, e.g. bin:5.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, metavar="N", help="Seed of a new save's campaign.")
    ] = None,
    leave: LeaveOption = False,
    as_json: JsonOption = False,
) -> None:
    """Play without a screen, one event a line.

    Attaches to a living engine and leaves it training; one it started itself is stopped at the end, saved.
    Exit code 0 when the goal is reached, 1 when the engine ends before.
    """
    from configs.paths import SaveFolder
    from realm_tui.cli.span import goal_of
    from realm_tui.runtime.headless import Goal
    from realm_tui.runtime.opened import ensure_save

    level = goal_of(until) if until is not None else None
    folder = SaveFolder.named(save)
    if ensure_save(folder, hero, seed=seed):
        say(f"began a new save: {folder.name}")
    goal = Goal(steps=steps, seconds=None if minutes is None else minutes * 60, level=level)
    _finish(_play(folder, goal, leave=leave, as_json=as_json))


def train(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file of messages or text records.")],
    save: SaveOption = None,
    hero: HeroOption = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, metavar="N", help="How often every example is read.")] = 1,
    name: Annotated[str | None, typer.Option("--name", help="Name of the quest [default: the file's].")] = None,
    leave: LeaveOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a file until it is done.

    Adds it to the board as a quest of high priority, and reports what it changed: held-out loss and answers, before and after.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime import board
    from realm_tui.runtime.headless import Goal
    from realm_tui.runtime.opened import ensure_save, opened
    from realm_tui.runtime.quest_text import quest_facts, quest_report

    folder = SaveFolder.named(save)
    if ensure_save(folder, hero):
        say(f"began a new save: {folder.name}")
    quest = board.add(folder, file, priority="high", epochs=epochs, name=name)
    say(f"quest {quest.name}: {quest.counts.get('examples', '–')} examples")
    outcome = _play(folder, Goal(quest_id=quest.id), leave=leave, as_json=False, quiet=as_json)
    if outcome.hangup:
        raise typer.Exit(0)
    with opened(folder) as found:
        done = board.one(found, quest.id)
        if as_json:
            data(quest_facts(done))
        else:
            typer.echo(quest_report(done))
    if done.state != "completed":
        say(f"realm: {outcome.reason}")
        raise typer.Exit(1)


def watch(
    save: SaveOption = None,
    hero: HeroOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep engine, jobs and house going, without a face.

    Tells what happens, one event a line; Ctrl-C leaves the hero training and gives back the jobs under way.
    An engine that falls is started again, as often as `engine.max_restarts` allows, and no oftener without a further step; one that
    is told to stop ends the watch.
    """
    from configs import clock
    from configs.loader import load_game
    from configs.paths import SaveFolder
    from realm_tui.runtime.headless import Goal
    from realm_tui.runtime.house import House
    from realm_tui.runtime.jobs.service import JobService
    from realm_tui.runtime.opened import ensure_save

    folder = SaveFolder.named(save)
    if ensure_save(folder, hero):
        say(f"began a new save: {folder.name}")
    rules, falls, fruitless, furthest = load_game().engine, list[float](), 0, -1
    house = JobService(folder, make=lambda: House(folder, on_trouble=say), on_trouble=say)
    with JobService(folder, on_change=partial(_tell_job, as_json), on_trouble=say), house:
        while True:
            outcome = _play(folder, Goal(), leave=True, as_json=as_json)
            now = clock.monotonic()
            falls = [*(at for at in falls if now - at < rules.restart_window_s), now]
            step = outcome.step or 0
            fruitless = fruitless + 1 if step <= furthest else 0
            furthest = max(step, furthest)
            often = max(len(falls), fruitless) > rules.max_restarts
            if outcome.reached or outcome.hangup or outcome.interrupted or often:
                break
            say(f"realm: {outcome.reason}; starting it again")
    _finish(outcome)


def _tell_job(as_json: bool, job: Job, event: str) -> None:
    """A job that came to an end, on a line of its own."""
    if event not in ("completed", "failed"):
        return
    if as_json:
        line({"type": "job", "job": job.id, "kind": job.kind, "event": event})
    else:
        say(f"job {job.id} ({job.kind}): {event}")


def _play(folder: SaveFolder, goal: Goal, *, leave: bool, as_json: bool, quiet: bool = False) -> Outcome:
    from realm_tui.cli.progress import ProgressLine
    from realm_tui.runtime.events import event_line
    from realm_tui.runtime.headless import HeadlessGame
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.status_text import status_line

    with opened(folder) as save:
        name = save.hero.name
    with ProgressLine() as progress:
        game = HeadlessGame(
            folder,
            goal,
            on_event=lambda event: progress.tell(
                (lambda: line(event.as_dict()))
                if as_json
                else (lambda: say(event_line(event, name)) if quiet else typer.echo(event_line(event, name)))
            ),
            on_status=lambda status: progress.show(status_line(status)),
            say=lambda text: progress.tell(lambda: say(text)),
            leave=leave,
        )
        return game.play()


def _finish(outcome: Outcome) -> None:
    if outcome.hangup:
        raise typer.Exit(0)
    from lore.figures import number

    where = "the hero trains on" if outcome.left_training else "the engine is stopped"
    say(f"realm: {outcome.reason}; step {number(outcome.step)}; {where}")
    if not outcome.reached:
        raise typer.Exit(130 if outcome.interrupted else 1)
