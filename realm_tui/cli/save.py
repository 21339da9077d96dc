"""``realm save``: the saves there are, new ones, their health, and taking one elsewhere."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from configs.errors import UsageError
from configs.paths import SaveFolder
from realm_tui.cli.output import JsonOption, SaveOption, data, say, table
from realm_tui.cli.progress import ProgressLine

app = typer.Typer(
    help="Saves: list, start, check, take along, bring back, remove.", no_args_is_help=True, rich_markup_mode=None
)

NameArgument = Annotated[str | None, typer.Argument(metavar="NAME", help="The save; the same as --save NAME.")]


class Checkpoints(StrEnum):
    """Which forms of the hero go along in an archive."""

    NONE = "none"
    CHAMPION = "champion"
    ALL = "all"


def _folder(name: str | None, save: str | None) -> SaveFolder:
    """The save meant by the argument, or by ``--save``."""
    if name is not None and save is not None and name != save:
        raise UsageError(f"two saves were named: {name} and {save}", fix="name one", code="TWO_SAVES")
    return SaveFolder.named(name or save)


def size(count: int) -> str:
    """Bytes as ``512 B``, ``3.4 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def _dash(value: Any) -> str:
    return "–" if value is None else str(value)


@app.command("list")
def list_saves(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """List the saves with hero, step and levels won."""
    from configs.paths import saves_dir
    from realm_tui.runtime.foreign import clean
    from saves import upkeep

    entries = [e for e in upkeep.list_saves() if save is None or e.name == save]
    if as_json:
        data([asdict(e) for e in entries])
        return
    table(
        ("SAVE", "HERO", "STEP", "LEVELS", "FORMS", "CHAMPION", "SIZE", "ENGINE"),
        [
            (
                e.name,
                clean(e.hero or f"unreadable: {e.problem}"),
                _dash(e.step),
                _dash(e.levels),
                _dash(e.checkpoints),
                _dash(e.champion),
                size(e.bytes),
                "running" if e.running else "–",
            )
            for e in entries
        ],
        right=(2, 3, 4, 6),
    )
    if not entries:
        say(f"no saves in {saves_dir()}; `realm play` starts one")


@app.command()
def new(
    name: NameArgument = None,
    hero: Annotated[str | None, typer.Option("--hero", metavar="HERO", help="Who it starts with.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Decides everything random; chosen if left out.")
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a save. Nothing trains until it is played."""
    from configs.loader import load_game, load_hero
    from saves.database import create_save

    folder = _folder(name, save)
    chosen = load_hero(hero or load_game().default_hero)
    number = secrets.randbelow(1 << 31) if seed is None else seed
    create_save(folder, chosen, seed=number)
    if as_json:
        data({"save": folder.name, "path": str(folder.root), "hero": chosen.id, "seed": number})
    else:
        typer.echo(str(folder.root))
        say(f"{chosen.title} is ready: `realm play --save {folder.name}`")


@app.command()
def verify(name: NameArgument = None, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Check the file, its facts and every saved form against their laws and digests; changes nothing."""
    from realm_tui.runtime.foreign import clean
    from saves.verify import verify_save

    folder = _folder(name, save)
    with ProgressLine() as line:
        report = verify_save(folder, on_progress=line.show)
    if as_json:
        data({"save": folder.name, "ok": report.ok, **asdict(report)})
    elif report.ok:
        typer.echo(f"{folder.name} is sound: the file, its facts, {report.checkpoints} forms, {report.quests} quests")
    else:
        table(("LAW", "WHERE", "WHAT"), [(f.law, clean(f.entity), clean(f.text)) for f in report.findings])
        if report.backup:
            say(
                f"the newest sound copy is {report.backup}: "
                f"`realm save import {folder.backups / report.backup} --save {folder.name} --replace` brings it back"
            )
        else:
            say("`realm save import` brings back an export")
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to [default: NAME-DATE.realm.tar.gz right here].")
    ] = None,
    checkpoints: Annotated[
        Checkpoints, typer.Option("--checkpoints", help="Which forms of the hero go along.")
    ] = Checkpoints.ALL,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a save into one archive with digests; the engine may go on training."""
    from configs import clock
    from saves.archive import SUFFIX, export_save

    folder = SaveFolder.named(save)
    target = file or Path.cwd() / f"{folder.name}-{clock.utc(clock.now()):%Y%m%d-%H%M%S}{SUFFIX}"
    with ProgressLine() as line:
        done = export_save(folder, target.expanduser().absolute(), keep=checkpoints.value, on_progress=line.show)
    if as_json:
        data({"save": folder.name, **asdict(done), "path": str(done.path)})
        return
    typer.echo(str(done.path))
    forms = f"{len(done.checkpoints)} forms of the hero" if done.checkpoints else "no form of the hero"
    say(f"{done.files} files, {size(done.bytes)}, {forms}")
    if not done.checkpoints:
        say("without a form the hero starts anew when this is imported; `--checkpoints all` takes them along")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive, or a copy from a save's backups/.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Allow that the save exists; the old one is kept under another name.")
    ] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a save back: everything is checked first, and what stood there is kept."""
    from realm_tui.runtime.foreign import clean
    from saves import restoring

    folder = SaveFolder.named(save)
    source = file.expanduser().absolute()
    if restoring.is_database(source):
        if not folder.root.is_dir() or not replace:
            raise UsageError(
                f"{source.name} is a copy of a database, not a whole save",
                why="it takes the place of the one in the save it was made from",
                fix=f"add --replace: `realm save import {source} --save {folder.name} --replace`",
                code="COPY_NEEDS_REPLACE",
            )
        with ProgressLine() as line:
            replaced = restoring.restore_copy(source, folder, on_progress=line.show)
        if as_json:
            data({"save": folder.name, "path": str(folder.root), "replaced": f"backups/{replaced}"})
        else:
            typer.echo(str(folder.root))
            say(f"restored; the database that was there is now backups/{replaced}")
        return
    with ProgressLine() as line:
        done = restoring.import_save(source, folder, replace=replace, on_progress=line.show)
    if as_json:
        data({**asdict(done), "path": str(folder.root)})
        return
    typer.echo(str(folder.root))
    say(f"imported {clean(done.from_save)} as {done.save} with {len(done.checkpoints)} forms of the hero")
    if done.backup:
        say(f"what stood there before is the save {done.backup}")


@app.command()
def remove(
    name: NameArgument = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove it; without it nothing is changed.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a save with its hero, quests and history. Without --yes it only says what would go."""
    from saves.upkeep import remove_save

    if name is None and save is None:
        raise UsageError("name the save to remove", fix="`realm save list` shows them", code="NO_NAME")
    folder = _folder(name, save)
    entry = remove_save(folder, really=yes)
    if as_json:
        data({**asdict(entry), "removed": yes})
        return
    typer.echo(f"{'removed' if yes else 'would remove'} {folder.root}")
    say(
        f"{entry.hero or 'unreadable'}, step {_dash(entry.step)}, {_dash(entry.checkpoints)} forms, {size(entry.bytes)}"
    )
    if not yes:
        say(f"nothing was changed; `realm save remove {folder.name} --yes` removes it for good")
