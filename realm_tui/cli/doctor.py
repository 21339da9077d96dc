"""``realm doctor`` and ``realm log``: what this machine can do, what is wrong, and what the engine said."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, line

_MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


def doctor(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Check machine, save and terminal.

    Exit code 1 when something is bad.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime.doctor import examine

    findings = examine(SaveFolder.named(save), tty=sys.stdout.isatty(), encoding=sys.stdout.encoding)
    healthy = all(f.state != "bad" for f in findings)
    if as_json:
        data({"ok": healthy, "findings": [f.as_dict() for f in findings]})
    else:
        width = max(len(f.name) for f in findings)
        for f in findings:
            typer.echo(f"{_MARKS[f.state]}  {f.name:<{width}}  {f.text}")
            if f.fix:
                typer.echo(f"{'':{width + 8}}fix: {f.fix}")
    if not healthy:
        raise typer.Exit(1)


def log(
    save: SaveOption = None,
    which: Annotated[str, typer.Option("--which", help="trainer, keeper, once, jobs, or all.")] = "all",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Newest lines of each log.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the engine's processes wrote."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.logs import LogTail, named_logs
    from realm_tui.runtime.opened import opened

    folder = SaveFolder.named(save)
    with opened(folder):
        pass
    tails = [LogTail(path) for path in named_logs(folder, which)]
    news = [(tail, tail.last(lines)) for tail in tails]
    while True:
        for tail, texts in news:
            for text in texts:
                if as_json:
                    line({"log": tail.name, "line": text})
                else:
                    typer.echo(f"{tail.name:<8} {text}" if len(tails) > 1 else text)
        if not follow:
            return
        sys.stdout.flush()
        try:
            time.sleep(0.5)
        except KeyboardInterrupt:
            return
        news = [(tail, tail.more()) for tail in tails]
