"""Opens the Battle screen on a save: the first frame comes from the save alone, the engine is called after it."""

from __future__ import annotations

import gc
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from configs.loader import load_game
from configs.paths import SaveFolder

if TYPE_CHECKING:
    from realm_tui.runtime.house import House

ANOTHER_CAMPAIGN = -1
"""What the app is left with (`App.exit`) when another campaign is played from now on; no exit code of a program."""

JOBS_AFTER_S = 3.0
"""Rest before the screen begins to work on jobs: the first frames come first."""


def ascii_terminal() -> bool:
    """Whether the terminal cannot be trusted with more than ASCII."""
    encoding = (getattr(sys.__stderr__, "encoding", "") or "").lower().replace("-", "")
    return encoding != "utf8" or os.environ.get("TERM", "") in ("linux", "vt100", "vt220")


def choose_hero() -> str | None:
    """Ask which hero a new save begins with; None when the player closed the question.

    Only asked where a card and a bigger hero's model are found; elsewhere the default hero is answered at once.
    """
    from realm_tui.runtime.heroes import proposed_hero

    default, proposed = load_game().default_hero, proposed_hero()
    if proposed == default:
        return default
    from realm_tui.app.screens.first_run import HeroQuestion

    return HeroQuestion(proposed, default).run()


def run(folder: SaveFolder, *, read_only: bool = False) -> int:
    """Play until the player leaves; the exit code. Another campaign opens the screen anew.

    Args:
        folder: an existing save.
        read_only: another screen has this save open; look, but give no orders.
    """
    while (code := _play(folder, read_only)) == ANOTHER_CAMPAIGN:
        pass
    return code


def _house(folder: SaveFolder) -> House:
    """Who keeps the save's house; imported when the screen stands."""
    from realm_tui.runtime.house import House

    return House(folder)


def _play(folder: SaveFolder, read_only: bool) -> int:
    """One opening of the screen; `ANOTHER_CAMPAIGN` when it should be opened again."""
    gc.disable()  # until the first frame stands: collecting while everything is being imported costs a fifth of the start
    reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facts")
    from realm_tui.app.source import SaveSource

    source = SaveSource(folder)
    first = reading.submit(source.opening)
    from realm_tui.app.app import RealmApp
    from realm_tui.app.drawing import Look
    from realm_tui.app.driver import FrameDroppingDriver
    from realm_tui.app.link import EngineLink
    from realm_tui.runtime.jobs.service import JobService
    from realm_tui.runtime.writer import SaveWriter

    opening = first.result()
    rules = opening.rules
    names = opening.settings.get("face.names", rules.face.names)
    look = Look(
        "plain" if names == "plain" else "tavern",
        bool(opening.settings.get("face.ascii", rules.face.ascii or ascii_terminal())),
    )
    with (
        closing(SaveWriter(folder)) as writer,
        nullcontext() if read_only else JobService(folder, after_s=JOBS_AFTER_S),
        nullcontext() if read_only else JobService(folder, make=lambda: _house(folder), after_s=JOBS_AFTER_S),
    ):
        link = EngineLink(folder, read_only=read_only)
        app = RealmApp(
            source,
            link,
            writer,
            rules,
            look=look,
            first=opening.facts,
            reader=reading,
            hero_colour=opening.facts.status.hero.colour,
            start_engine=True,
            ask_names="face.names" not in opening.settings and not read_only,
            read_only=read_only,
            where=str(folder.root),
            sound=bool(opening.settings.get("face.bell", rules.face.bell)),
            driver_class=None if os.environ.get("TEXTUAL_DRIVER") else FrameDroppingDriver,
        )
        app.run()
        link.close()
        reading.submit(source.close).result()
        reading.shutdown()
    return ANOTHER_CAMPAIGN if app.return_value == ANOTHER_CAMPAIGN else app.return_code or 0
