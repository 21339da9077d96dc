"""``realm primitive``: the small abilities behind the skills, which of them are weak, and drills for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from engine.curriculum.primitives import PrimitiveStanding

app = typer.Typer(help="The small abilities that skills combine.", no_args_is_help=True, rich_markup_mode=None)

NameArgument = Annotated[
    str, typer.Argument(metavar="PRIMITIVE", help="Its id or an alias, see `realm primitive list`.")
]


@app.command("list")
def list_primitives(
    track: Annotated[str | None, typer.Option("--track", help="Only this family.")] = None, as_json: JsonOption = False
) -> None:
    """List the catalogue, family by family."""
    from configs.catalogue import primitives

    found = [p for p in primitives().values() if track in (None, p.track)]
    if as_json:
        data([p.model_dump(mode="json") for p in found])
        return
    table(
        ("PRIMITIVE", "FAMILY", "V", "HARD", "WHAT IS ASKED"),
        [
            (p.id, p.track, str(p.version), str(p.difficulty), p.description + (" (finite)" if p.finite else ""))
            for p in found
        ],
        right=(2, 3),
    )


@app.command()
def show(name: NameArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show one primitive with a problem of every rung of its ladder."""
    from configs.catalogue import find_primitive
    from engine.curriculum.remediation import DRILLS
    from skills.registry import get_skill

    del save
    found, drills = find_primitive(name), get_skill(DRILLS)
    rungs = [
        drills.generate(level, 0, "train", "full", operation=found.id)
        for level in range(1, drills.config.max_level + 1)
    ]
    if as_json:
        data({**found.model_dump(mode="json"), "rungs": [{"prompt": p.prompt, "answer": p.answer} for p in rungs]})
        return
    typer.echo(f"{found.key}: {found.name}, difficulty {found.difficulty}{', finite' if found.finite else ''}")
    typer.echo(found.description)
    for label, names in (
        ("also called", found.aliases),
        ("builds on", found.prerequisites),
        ("asked by", found.passives),
    ):
        if names:
            typer.echo(f"{label} {', '.join(names)}")
    for level, problem in enumerate(rungs, 1):
        typer.echo(f"{level:>2}  {' ⏎ '.join(problem.prompt.split(chr(10))).strip()} → {problem.answer}")


@app.command()
def profile(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show how the hero stands in every primitive that exams asked, weakest first."""
    _shown(save, as_json, weak_only=False)


@app.command()
def weak(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show the weak primitives, weakest first."""
    _shown(save, as_json, weak_only=True)


@app.command()
def suggest(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Say what to drill first, and why."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.primitives import advice

    with opened(SaveFolder.named(save)) as found:
        advised = advice(found)
    if as_json:
        data(
            None
            if advised is None
            else {
                "primitive": advised.standing.primitive,
                "reason": advised.reason,
                "drill": advised.drill.as_dict() if advised.drill is not None else None,
            }
        )
    elif advised is None:
        say("no primitive is weak")
    elif advised.drill is None:
        typer.echo(f"{advised.reason}; no skill of this hero drills it")
    else:
        typer.echo(f"{advised.drill.text}: {advised.reason}")
        say(f"`realm primitive drill {advised.drill.primitive}` does it")


@app.command()
def drill(
    name: NameArgument,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, max=100_000, help="How long [default: the rules'].")
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drill one primitive: the next forged quest holds nothing else."""
    from configs.paths import SaveFolder
    from engine.link.protocol import Verb
    from lore.figures import number
    from realm_tui.runtime.orders import order

    args: dict[str, Any] = {"primitive": name} | ({} if steps is None else {"steps": steps})
    reply = order(SaveFolder.named(save), Verb.DRILL, args, progress=say)
    if as_json:
        data({"step": reply.step, **reply.result})
        return
    when = "after the quest in training" if reply.result["waits"] else f"from step {number((reply.step or 0) + 1)}"
    typer.echo(f"{when}: {reply.result['text']}")


@app.command()
def transfer(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show which primitives gained, and which of them without being trained.

    Held against the base model where an exam asked that, else against the first exams.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.primitives import transferred

    with opened(SaveFolder.named(save)) as found:
        report = transferred(found)
    if as_json:
        data([one.as_dict() for one in report])
        return
    if not report:
        say("no primitive was asked twice yet")
        return
    table(
        ("PRIMITIVE", "BEFORE", "NOW", "GAIN", "INTERVAL", "TRAINED", "FINDING"),
        [
            (
                one.primitive,
                f"{one.against} {_fraction(one.before.correct, one.before.items)}",
                _fraction(one.after.correct, one.after.items),
                f"{one.gain:+.2f}",
                f"{one.low:+.2f} … {one.high:+.2f}",
                "yes" if one.trained else "no",
                one.finding,
            )
            for one in report
        ],
        right=(1, 2, 3, 4),
    )


def _shown(save: str | None, as_json: bool, *, weak_only: bool) -> None:
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.primitives import standing

    with opened(SaveFolder.named(save)) as found:
        shown = [one for one in standing(found) if one.weak or not weak_only]
    if as_json:
        data([one.as_dict() for one in shown])
    elif not shown:
        say("no primitive is weak" if weak_only else "no exam asked a primitive yet")
    else:
        table(
            ("PRIMITIVE", "SHARE", "OF", "INTERVAL", "TREND", "IN", ""),
            [_row(one) for one in shown],
            right=(1, 2, 3, 4),
        )


def _row(one: PrimitiveStanding) -> tuple[str, ...]:
    return (
        one.primitive,
        _fraction(one.tally.correct, one.tally.items),
        str(one.tally.items),
        f"{one.interval[0]:.2f} … {one.interval[1]:.2f}",
        "–" if one.trend is None else f"{one.trend:+.2f}",
        ", ".join(one.skills),
        "weak" if one.weak else "spar" if one.spar else "",
    )


def _fraction(correct: int, items: int) -> str:
    from lore.figures import share

    return share(correct, items)
