"""``realm incident``: what went wrong, with its monster, the way out, and closing it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from realm_tui.cli.effect import own_file_said
from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

app = typer.Typer(
    help="Incidents, the monsters of the Bounty Board: list, show, resolve.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_incidents(
    every: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is open, worst first; with --all also what is closed."""
    from configs.paths import SaveFolder
    from lore.bounties import bounties_in_force
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.game_view import view_of
    from realm_tui.runtime.opened import opened

    own_file_said(bounties_in_force())
    with opened(SaveFolder.named(save)) as found:
        board = [card for card in view_of(found).bounties() if every or card.open]
    if as_json:
        data([card.as_dict() for card in board])
        return
    if not board:
        say("no monster is about" + ("" if every else " (`realm incident list --all` shows those that were)"))
        return
    table(
        ("ID", "MONSTER", "LAIR", "SEVERITY", "STATUS", "FIRST", "COUNT", "WHAT"),
        [
            (
                card.key,
                card.monster.monster,
                card.monster.lair,
                f"{card.severity}{' (blocks)' if card.blocks and card.open else ''}",
                card.status,
                f"{card.first_step:,}" if card.first_step is not None else "–",
                str(card.count),
                clean(card.title)[:60],
            )
            for card in board
        ],
        right=(5, 6),
    )


@app.command()
def show(
    incident: Annotated[str, typer.Argument(metavar="ID", help="As `realm incident list` shows it.")],
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one incident: where it struck, how often, its evidence, what helps, and what is gained."""
    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from realm_tui.runtime.figures import moment
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.game_view import view_of
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        card = next((c for c in view_of(found).bounties() if c.key == incident), None)
    if card is None:
        raise UsageError(
            f"there is no incident {clean(incident)[:60]!r}",
            fix="take an id from `realm incident list --all`",
            code="NO_INCIDENT",
        )
    if as_json:
        data(card.as_dict())
        return
    typer.echo(f"{card.monster.monster} ({card.monster.plain}) of the {card.monster.lair}")
    facts = {
        "what": clean(card.title)[:400],
        "rule": card.rule,
        "severity": card.severity,
        "status": card.status,
        "first step": f"{card.first_step:,}" if card.first_step is not None else "–",
        "last step": f"{card.step:,}" if card.step is not None else "–",
        "count": str(card.count),
        "first seen": moment(card.at) if card.at is not None else "–",
        "cause": card.monster.cause,
    }
    for key, value in facts.items():
        typer.echo(f"  {key:<10} {value}")
    for key, value in card.evidence.items():
        typer.echo(f"  {'evidence':<10} {clean(str(key))[:40]}: {clean(_short(value))[:200]}")
    for fix in card.fixes:
        typer.echo(f"  {'helps':<10} {clean(fix)[:400]}")
    typer.echo(f"  {'reward':<10} {card.monster.reward}")


@app.command()
def resolve(
    incident: Annotated[int, typer.Argument(metavar="ID", help="Its number.")],
    wontfix: Annotated[bool, typer.Option("--wontfix", help="It is left as it is, and stays so.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close an incident. One that training waits for is closed by `realm resume`."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import orders

    done = orders.resolve(SaveFolder.named(save), incident, wontfix=wontfix)
    if as_json:
        data(done)
        return
    typer.echo(f"incident {done['id']} ({done['rule']}) is {done['status']}")


def _short(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_short, value[:8])) + (" …" if len(value) > 8 else "")
    return "–" if value is None else str(value)
