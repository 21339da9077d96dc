"""``realm reset``: start over, at four depths. Without --really it only says what would go."""

from __future__ import annotations

from typing import Annotated

import typer

from configs.errors import BlockedError, UsageError
from realm_tui.cli.output import JsonOption, SaveOption, data, say


def reset(
    depth: Annotated[str, typer.Argument(metavar="DEPTH", help="campaign, hero, full or deep.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="Which campaign [default: the active one].")
    ] = None,
    really: Annotated[bool, typer.Option("--really", help="Do it; without it nothing is changed.")] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="SAVE", help="For full and deep: the save's name.")
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start over: one campaign, all of a hero, the whole save (full), or also exports and older copies (deep).

    A copy of the database is made first. Base models are never touched.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime.figures import size
    from realm_tui.runtime.opened import opened
    from saves import reset as resets
    from saves.campaigns import campaign as find
    from saves.upkeep import alone

    wanted = next((d for d in resets.DEPTHS if d == depth), None)
    if wanted is None:
        raise UsageError(f"{depth!r} is no depth", fix=f"choose {', '.join(resets.DEPTHS)}", code="BAD_ARGUMENT")
    folder = SaveFolder.named(save)
    with opened(folder) as found:
        meant = find(found.conn, campaign) if campaign else found.campaign
        plan = resets.plan_reset(folder, found.conn, wanted, meant)
    copy = None
    if really:
        if wanted in resets.TYPED and confirm != folder.name:
            raise BlockedError(
                f"a {wanted} reset wants the save's name",
                why="it takes every campaign and the board",
                fix=f"add --confirm {folder.name}",
                code="NOT_CONFIRMED",
            )
        with alone(folder), opened(folder, write=True) as found:
            meant = find(found.conn, meant.id)
            plan = resets.plan_reset(folder, found.conn, wanted, meant)
            copy = resets.carry_out(folder, found.conn, plan, meant)
    if as_json:
        data({**plan.as_dict(), "done": really, "copy": copy})
        return
    verb = "gone" if really else "would go"
    typer.echo(f"{verb}: {', '.join(plan.campaigns)} with {plan.facts:,} rows of history")
    typer.echo(f"{verb}: {len(plan.checkpoints)} checkpoints, {size(plan.bytes)}")
    if plan.quests:
        typer.echo(f"{verb}: {plan.quests} quests of the board with their copies")
    if plan.exports:
        typer.echo(f"{verb}: {', '.join(plan.exports)}")
    if really:
        say(f"a copy of the database as it was lies in backups/{copy}")
    else:
        typed = f" --confirm {folder.name}" if wanted in resets.TYPED else ""
        say(f"nothing was changed; `realm reset {depth} --really{typed}` does it")
