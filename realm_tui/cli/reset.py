"""``realm reset``: start over, at four depths. Without --really it only says what would go."""

from __future__ import annotations

from typing import Annotated

import typer

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
    from realm_tui.runtime.starting_over import depth_of, start_over, would_go
    from saves.reset import TYPED

    wanted = depth_of(depth)
    folder = SaveFolder.named(save)
    copy = None
    if really:
        plan, copy = start_over(folder, wanted, campaign, confirm=confirm)
    else:
        with opened(folder) as found:
            plan = would_go(found, wanted, campaign)
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
        typed = f" --confirm {folder.name}" if wanted in TYPED else ""
        say(f"nothing was changed; `realm reset {depth} --really{typed}` does it")
