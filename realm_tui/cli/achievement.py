"""``realm achievement``: deeds that are never taken back, done and not yet done."""

from __future__ import annotations

from typing import Annotated

import typer

from realm_tui.cli.effect import own_file_said
from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

app = typer.Typer(help="Achievements: list and show.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_achievements(
    earned: Annotated[bool, typer.Option("--earned", help="Only what was earned.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the achievements, with how far those are that were not earned yet."""
    from configs.paths import SaveFolder
    from lore.achievements import achievements_in_force
    from realm_tui.runtime.game_view import view_of
    from realm_tui.runtime.opened import opened

    own_file_said(achievements_in_force())
    with opened(SaveFolder.named(save)) as found:
        rows = [a for a in view_of(found).achievements() if a.earned or not earned]
    if as_json:
        data([a.as_dict() for a in rows])
        return
    table(
        ("ID", "ACHIEVEMENT", "DEED", "EARNED", "STEP", "DONE"),
        [
            (
                a.id,
                a.rule.label,
                a.rule.deed,
                "yes" if a.earned else "no",
                f"{a.step:,}" if a.step is not None else "–",
                "" if a.earned else _far(a.have, a.need),
            )
            for a in rows
        ],
        right=(4, 5),
    )
    if not earned:
        say(f"{sum(a.earned for a in rows)} of {len(rows)} earned")


@app.command()
def show(
    achievement: Annotated[str, typer.Argument(metavar="ACHIEVEMENT", help="Its id.")],
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one achievement: the deed, whether and where it was done, and how far it is."""
    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from configs.reading import nearest
    from lore.achievements import achievement_rules, achievements_in_force
    from realm_tui.runtime.figures import moment
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.game_view import view_of
    from realm_tui.runtime.opened import opened

    own_file_said(achievements_in_force())
    if achievement not in achievement_rules():
        near = nearest(achievement, sorted(achievement_rules()))
        raise UsageError(
            f"there is no achievement called {clean(achievement)[:60]!r}",
            fix=f"did you mean {near}?" if near else "`realm achievement list` names them",
            code="UNKNOWN_ACHIEVEMENT",
        )
    with opened(SaveFolder.named(save)) as found:
        one = next(a for a in view_of(found).achievements() if a.id == achievement)
    if as_json:
        data(one.as_dict())
        return
    typer.echo(f"{one.rule.label} ({one.rule.named('plain')})")
    typer.echo(f"  {'deed':<10} {one.rule.deed}")
    typer.echo(f"  {'earned':<10} {'yes' if one.earned else 'no'}")
    typer.echo(f"  {'step':<10} {f'{one.step:,}' if one.step is not None else '–'}")
    typer.echo(f"  {'noted':<10} {moment(one.at) if one.at is not None else '–'}")
    typer.echo(f"  {'done':<10} {_far(one.have, one.need)}")


def _far(have: float | None, need: float | None) -> str:
    if need is None:
        return "–"
    return f"{'–' if have is None else _number(have)} of {_number(need)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
