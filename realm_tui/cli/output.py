"""How commands speak: data on stdout, talk on stderr, one form for errors."""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from configs.clock import now, utc
from configs.errors import RealmError, UsageError
from configs.paths import realm_home

SaveOption = Annotated[
    str | None, typer.Option("--save", metavar="NAME", help="The save to use [default: $REALM_SAVE, or main].")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer for machines.")]


_OUTSIDE = {
    errno.ENAMETOOLONG: "take a shorter name",
    errno.EACCES: "see that you may read and write there",
    errno.EPERM: "see that you may read and write there",
    errno.EROFS: "take a place that can be written to",
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some disk space",
    errno.ENOTDIR: "part of the way there is a file; take another place",
    errno.EISDIR: "name a file, not a folder",
    errno.ELOOP: "its links lead in a circle; take another place",
}
"""What a machine may refuse about a file, and the way out."""
_LONGEST_NAME = 200


def data(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def line(value: Any) -> None:
    """One JSON document on one line of stdout, written at once."""
    typer.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    sys.stdout.flush()


def say(text: str) -> None:
    """Talk for the person at the terminal: stderr."""
    typer.echo(text, err=True)


def refuse(error: RealmError, *, as_json: bool) -> None:
    """The one form of an error: a paragraph on stderr, or a JSON object there."""
    if as_json:
        say(json.dumps({"error": error.as_dict()}, ensure_ascii=False))
        return
    say(f"realm: {error.what.rstrip('.')}.")
    if error.why:
        say(f"  why: {error.why.rstrip('.')}.")
    if error.fix:
        say(f"  fix: {error.fix.rstrip('.')}.")


def fault(error: Exception) -> RealmError:
    """A fault of the program itself: its traceback goes to a file, the player is told where it lies."""
    summary = f"{type(error).__name__}: {error}"
    path = realm_home() / "faults.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{utc(now()).isoformat()} {' '.join(sys.argv[1:])}\n")
            file.writelines(traceback.format_exception(error))
    except OSError as unwritable:
        return RealmError("the program met a fault of its own", why=f"{summary}; {unwritable}", code="FAULT")
    return RealmError(
        "the program met a fault of its own", why=summary, fix=f"please report it with {path}", code="FAULT"
    )


def refused_outside(error: Exception) -> RealmError | None:
    """What the machine, and no fault of the program, refused: a file, or a number that no row can have; None for all else."""
    if isinstance(error, OverflowError) and "SQLite" in str(error):
        return UsageError("no row has so large a number", fix="take one that a list shows", code="NUMBER_TOO_LARGE")
    if isinstance(error, OSError) and error.errno in _OUTSIDE and error.filename is not None:
        name = str(error.filename)
        place = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        return RealmError(
            f"{place!r} cannot be used", why=str(error.strerror), fix=_OUTSIDE[error.errno], code="FILE_REFUSED"
        )
    return None


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """Columns on stdout, as wide as their widest cell; ``right`` names the columns of numbers."""
    body = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in body) for i in range(len(head))]
    numeric = set(right)
    for row in body:
        cells = [c.rjust(w) if i in numeric else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        typer.echo("  ".join(cells).rstrip())
