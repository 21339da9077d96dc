"""``realm play``: the full-screen game, or, without a terminal, the same events as plain lines."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from realm_tui.cli.output import SaveOption, say

if TYPE_CHECKING:
    from configs.paths import SaveFolder


def play(
    save: SaveOption = None,
    hero: Annotated[str | None, typer.Option("--hero", metavar="HERO", help="Who a new save begins with.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines instead of the screen.")] = False,
) -> None:
    """Open the game: the hero trains, you watch. Leaving the screen leaves the hero training.

    Without a terminal the game goes on as plain lines, one event a line, until it is stopped.
    """
    screen = not plain and has_screen()
    if screen:
        gc.disable()  # until the first frame stands: see `realm_tui.app.main`
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import ensure_save

    folder = SaveFolder.named(save)
    if not folder.database.exists() and hero is None and screen:
        from realm_tui.app.main import choose_hero

        hero = choose_hero()
        if hero is None:
            raise typer.Exit(0)
    if ensure_save(folder, hero) and not screen:
        say(f"began a new save: {folder.name}")
    raise typer.Exit(_on_screen(folder) if screen else _in_lines(folder))


def has_screen() -> bool:
    """Whether a full-screen app can be drawn: keys come from a terminal, and one of the outputs is one."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return True  # served to a browser
    inputs, outputs = sys.__stdin__, (sys.__stderr__, sys.__stdout__)
    if inputs is None or not inputs.isatty() or os.environ.get("TERM", "") in ("", "dumb"):
        return False
    return any(stream is not None and stream.isatty() for stream in outputs)


def _on_screen(folder: SaveFolder) -> int:
    from realm_tui.app.main import run
    from saves.locks import FileLock

    mine = FileLock(folder.face_lock)
    first = mine.acquire()
    try:
        return run(folder, read_only=not first)
    finally:
        if first:
            mine.release()


def _in_lines(folder: SaveFolder) -> int:
    """Play as plain lines; the hero trains on when the reader of the lines goes away."""
    from realm_tui.runtime.away import away_tales, look_now
    from realm_tui.runtime.events import event_line
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.headless import Goal, HeadlessGame
    from realm_tui.runtime.opened import opened

    with opened(folder) as save:
        name = save.hero.name
        for tale in away_tales(save):
            typer.echo(clean(tale.plain))
    game = HeadlessGame(
        folder,
        Goal(),
        on_event=lambda event: _line(event_line(event, name)),
        on_status=lambda _: None,
        say=say,
        leave=True,
    )
    outcome = game.play()
    if outcome.hangup:
        return 0
    look_now(folder)
    if outcome.reason == "interrupted":
        return 0  # leaving is how this game ends
    say(f"realm: {outcome.reason}; {'the hero trains on' if outcome.left_training else 'the engine is stopped'}")
    return 0 if outcome.reached else 1


def _line(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()
