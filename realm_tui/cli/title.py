"""``realm title``: what the hero is called, and what it could be called."""

from __future__ import annotations

from typing import Annotated

import typer

from realm_tui.cli.effect import own_file_said
from realm_tui.cli.output import JsonOption, SaveOption, data, table

app = typer.Typer(help="Titles: list and show.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_titles(
    every: Annotated[bool, typer.Option("--all", help="Also those that do not hold.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the titles, badges and warnings that hold; with --all every one there is."""
    from configs.paths import SaveFolder
    from lore.titles import titles_in_force
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.titles_view import title_lines

    own_file_said(titles_in_force())
    with opened(SaveFolder.named(save)) as found:
        rows = [line for line in title_lines(found) if line.holds or every]
    if as_json:
        data([line.as_dict() for line in rows])
        return
    table(
        ("ID", "TITLE", "MEANS", "KIND", "NOW"),
        [(r.id, r.label, r.plain, r.shown, "worn" if r.worn else "holds" if r.holds else "–") for r in rows],
    )


@app.command()
def show(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="Its id.")],
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one title: what it asks for, and whether it holds."""
    import json

    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from configs.reading import nearest
    from lore.titles import title_rules, titles_in_force
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.titles_view import title_lines

    own_file_said(titles_in_force())
    if title not in title_rules():
        near = nearest(title, sorted(title_rules()))
        raise UsageError(
            f"there is no title called {clean(title)[:60]!r}",
            fix=f"did you mean {near}?" if near else "`realm title list --all` names them",
            code="UNKNOWN_TITLE",
        )
    with opened(SaveFolder.named(save)) as found:
        one = next(line for line in title_lines(found) if line.id == title)
    if as_json:
        data(one.as_dict())
        return
    typer.echo(f"{one.label} ({one.plain})")
    typer.echo(f"  {'kind':<10} {one.shown}")
    typer.echo(f"  {'now':<10} {'worn' if one.worn else 'holds' if one.holds else 'does not hold'}")
    for key, value in one.asks.items():
        typer.echo(f"  {key:<10} {clean(value if isinstance(value, str) else json.dumps(value))[:200]}")
