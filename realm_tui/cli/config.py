"""``realm config``: the rules in force, where each value comes from, what it means, and setting your own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from realm_tui.runtime.own_rules import Change

app = typer.Typer(help="The rules: show, explain, set and check them.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show every value in force and the layer it comes from."""
    from realm_tui.runtime.rules import rules_in_force

    rules = rules_in_force(save)
    if as_json:
        data({rule.key: {"value": rule.value, "source": rule.source} for rule in rules})
        return
    table(("KEY", "VALUE", "FROM"), [(r.key, r.text, r.source) for r in rules])


@app.command()
def explain(
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="A key or a group, e.g. exams.items or exams.")
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a value means, its bounds, and what is shipped."""
    from configs.errors import UsageError
    from realm_tui.runtime.rules import rules_in_force

    rules = rules_in_force(save)
    found = [r for r in rules if key is None or r.key == key or r.key.startswith(f"{key}.")]
    if not found:
        groups = sorted({r.key.split(".")[0] for r in rules})
        raise UsageError(f"no rule is called {key!r}", fix=f"choose one of {', '.join(groups)}", code="UNKNOWN_KEY")
    if as_json:
        data(
            [
                {
                    "key": r.key,
                    "value": r.value,
                    "shipped": r.shipped,
                    "source": r.source,
                    "bounds": r.bounds,
                    "meaning": r.meaning,
                }
                for r in found
            ]
        )
        return
    for rule in found:
        shipped = "" if rule.value == rule.shipped else f" (shipped: {rule.shipped_text}; yours: {rule.source})"
        bounds = f"  [{rule.bounds}]" if rule.bounds else ""
        typer.echo(f"{rule.key} = {rule.text}{shipped}{bounds}")
        typer.echo(f"    {rule.meaning}")


@app.command("set")
def set_value(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A rule, e.g. exams.items.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its value, as in YAML.")],
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a rule in your own file; it is judged first, and the rest of the file stays as it is."""
    from realm_tui.runtime.own_rules import set_rule

    _told(set_rule(key, value, save), as_json)


@app.command("unset")
def unset_value(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A rule that your file sets.")],
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take your value of a rule back, so that the shipped one holds again."""
    from realm_tui.runtime.own_rules import unset_rule

    _told(unset_rule(key, save), as_json)


def _told(change: Change, as_json: bool) -> None:
    if as_json:
        data(change.as_dict())
        return
    typer.echo(f"{change.key} = {json.dumps(change.new)} (was {json.dumps(change.old)}), in {change.file}")
    if change.held_by:
        say(f"{change.held_by} sets a value of its own, which wins")
    say("a running engine and an open screen keep their rules until they start again")


@app.command()
def check(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Check the player's files: rules and heroes. Exit code 1 when one is not valid."""
    from realm_tui.runtime.rules import check_configuration

    checked = check_configuration(save)
    if as_json:
        data({"ok": all(c.ok for c in checked), "files": [c.as_dict() for c in checked]})
    else:
        for c in checked:
            typer.echo(f"{'ok ' if c.ok else 'BAD'}  {c.source}" + (f": {c.reason}" if c.reason else ""))
    if not all(c.ok for c in checked):
        raise typer.Exit(1)


@app.command()
def path(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Print where things lie."""
    from configs.loader import player_game_file
    from configs.paths import SaveFolder, cache_dir, config_dir, realm_home

    places = {
        "home": realm_home(),
        "config": config_dir(),
        "rules": player_game_file(),
        "heroes": config_dir() / "heroes",
        "cache": cache_dir(),
        "save": SaveFolder.named(save).root,
    }
    if as_json:
        data({name: {"path": str(where), "exists": where.exists()} for name, where in places.items()})
        return
    table(
        ("WHAT", "WHERE", ""),
        [(name, str(where), "" if where.exists() else "not there yet") for name, where in places.items()],
    )
