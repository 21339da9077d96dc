"""``realm status`` and ``realm events``: what is true now, and what happened."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, line


def status(
    save: SaveOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.2, metavar="S", help="Seconds between two looks.")] = 2.0,
    one_line: Annotated[bool, typer.Option("--line", help="One line, e.g. for a tmux status bar.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show hero, engine, levels and what blocks."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.status import Status, collect

    def show(now: Status) -> None:
        if as_json:
            (line if watch else data)(now.as_dict())
            return
        from realm_tui.runtime.status_text import status_line, status_text

        clear = watch and not one_line and sys.stdout.isatty()
        typer.echo(("\x1b[H\x1b[2J" if clear else "") + (status_line if one_line else status_text)(now))

    folder = SaveFolder.named(save)
    while True:
        show(collect(folder))
        if not watch:
            return
        sys.stdout.flush()
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            return


def events(
    save: SaveOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="AGE", help="How far back, e.g. 30m, 12h, 7d [default: everything]."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Most events of the past shown, the newest.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what happened, one event a line.

    Runs, quests, exams, levels, checkpoints, champions, incidents, effects, achievements, regions: the newest last.
    """
    from configs.clock import now
    from configs.paths import SaveFolder
    from realm_tui.cli.span import seconds_of
    from realm_tui.runtime.events import EventFeed, event_line
    from realm_tui.runtime.game import GameReader
    from realm_tui.runtime.opened import opened

    begin = 0.0 if since is None else now() - seconds_of(since)
    with opened(SaveFolder.named(save)) as found:
        feed, games = EventFeed(found, since=begin), GameReader(keep=False)
        news = feed.news(games.read(found))
        shown = news[-limit:] if limit else []
        while True:
            for event in shown:
                if as_json:
                    line(event.as_dict())
                else:
                    typer.echo(event_line(event, found.hero.name))
            if not follow:
                return
            sys.stdout.flush()
            try:
                time.sleep(0.5)
            except KeyboardInterrupt:
                return
            shown = feed.news(games.read(found))
