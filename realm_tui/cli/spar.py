"""``realm spar``: the hero fights its own mistakes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table


def spar(
    skill: Annotated[str | None, typer.Option("--skill", help="Which skill [default: the one in training].")] = None,
    level: Annotated[
        int | None, typer.Option("--level", min=1, help="Which level [default: the training level].")
    ] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, help="Problems asked [default: the rules'].")] = None,
    targeted: Annotated[bool, typer.Option("--targeted", help="Only operations that lag in the newest exams.")] = False,
    form: Annotated[
        str | None,
        typer.Option("--form", help="Let a saved form spar at the Inn [default: the hero in training, here]."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask and show, add no quest.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show past rounds instead.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the hero answer fresh training problems; what it gets wrong becomes a quest of high priority.

    Every failure gives three records: that the wrong answer is wrong, what is right, and that a right answer is right.
    A saved form answers on a server that proves who speaks, and needs no engine.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime import sparring

    folder = SaveFolder.named(save)
    if history:
        _history(folder, as_json)
        return
    if form is not None and form != "live":
        import asyncio

        from realm_tui.runtime.jobs.bout import Wishes, spar_once

        wishes = Wishes(form, skill=skill, level=level, rounds=rounds, targeted=targeted, dry_run=dry_run)
        found = asyncio.run(spar_once(folder, wishes, tell=say))
    else:
        found = sparring.spar(
            folder, skill=skill, level=level, rounds=rounds, targeted=targeted, dry_run=dry_run, progress=say
        )
    if as_json:
        data(found.as_dict())
        return
    for line in lines(found.facts["failed"][: sparring.EXAMPLES]):
        typer.echo(line)
    facts = found.facts
    told = f"{facts['skill']} level {facts['level']}, step {facts['step']}: {len(facts['failed'])} of {facts['asked']} wrong"
    typer.echo(told + (f", {facts['errors']} without a result" if facts["errors"] else ""))
    if found.left_out:
        say(f"{found.left_out} records left out: question under 20 or answer under 5 characters")
    if found.quest is not None:
        typer.echo(f"{found.quest.name}: {found.records} records, high priority")
    elif not facts["failed"]:
        typer.echo("nothing to mend")


def lines(failed: list[dict[str, Any]]) -> list[str]:
    """Each failure as the wrong answer, the mirror and the mended one."""
    found = []
    for one in failed:
        found += [
            str(one["prompt"]),
            f"  wrong    {str(one['wrong']).strip() or '(no answer)'}",
            f"  mirror   {one['reason']}",
            f"  mended   {one['right']}",
        ]
    return found


def _history(folder: Any, as_json: bool) -> None:
    from realm_tui.runtime.opened import opened
    from saves.sparring import rounds

    with opened(folder) as found:
        past = rounds(found.conn)
    if as_json:
        data(
            [
                {
                    "step": r.sparring.step,
                    "skill": r.sparring.skill,
                    "level": r.sparring.level,
                    "asked": r.sparring.asked,
                    "failed": r.sparring.failed,
                    "records": r.sparring.records,
                    "quest": r.quest.name if r.quest else None,
                    "state": r.state,
                    "examples": list(r.sparring.detail.get("examples", [])),
                }
                for r in past
            ]
        )
        return
    table(
        ("STEP", "SKILL", "LEVEL", "ASKED", "WRONG", "RECORDS", "QUEST", "STATE"),
        [
            (
                str(r.sparring.step),
                r.sparring.skill,
                str(r.sparring.level),
                str(r.sparring.asked),
                str(r.sparring.failed),
                str(r.sparring.records),
                r.quest.name if r.quest else "–",
                r.state,
            )
            for r in past
        ],
        right=(0, 2, 3, 4, 5),
    )
