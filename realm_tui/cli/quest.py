"""``realm quest``: your own data on the board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table
from realm_tui.cli.progress import ProgressLine

app = typer.Typer(
    help="The quest board: add, check, list, show, move, take again, remove.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file of messages or text records.")]
LongOption = Annotated[
    bool, typer.Option("--long-answers", help="Code or long answers: 15 % of the tokens masked is enough.")
]
QuestArgument = Annotated[str, typer.Argument(metavar="QUEST", help="A quest's name or id.")]


@app.command()
def add(
    file: FileArgument,
    priority: Annotated[str, typer.Option("--priority", help="high, normal or low.")] = "normal",
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="How often every example is read.")] = 1,
    name: Annotated[str | None, typer.Option("--name", help="Its name on the board [default: the file's].")] = None,
    long_answers: LongOption = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a file into the save and put it on the board. The file itself is never changed."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import board
    from realm_tui.runtime.opened import ensure_save
    from realm_tui.runtime.quest_text import quest_facts

    folder = SaveFolder.named(save)
    if ensure_save(folder):
        say(f"began a new save: {folder.name}")
    with ProgressLine() as line:
        quest = board.add(
            folder, file, priority=priority, epochs=epochs, name=name, long_answers=long_answers, on_progress=line.show
        )
    if as_json:
        data(quest_facts(quest))
    else:
        typer.echo(f"{quest.name}: {quest.counts.get('examples')} examples, {quest.priority} priority")
    for warning in quest.counts.get("warnings", ()):
        say(f"look at it once more: {warning} (`realm quest check` shows all)")


@app.command()
def check(
    file: FileArgument,
    hero: Annotated[str | None, typer.Option("--hero", help="Who is to learn from it [default: the save's].")] = None,
    long_answers: LongOption = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a file can become a quest, and why not; whether exactly its answers are trained. Exit code 1 when it cannot."""
    from configs.loader import load_game, load_hero
    from configs.paths import SaveFolder
    from realm_tui.runtime import board
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.quest_text import check_report

    folder = SaveFolder.named(save)
    rules = load_game()
    if hero is None and (save is not None or folder.database.is_file()):
        with opened(folder) as found:
            reader, rules = found.hero, found.rules
    else:
        reader = load_hero(hero or rules.default_hero)
    with ProgressLine() as progress:
        report = board.check(file, reader, rules, long_answers=long_answers, on_progress=progress.show)
    if as_json:
        data(report.as_dict())
    else:
        for line in check_report(report, str(file)):
            typer.echo(line)
    if not report.ok:
        raise typer.Exit(1)


@app.command("list")
def list_quests(
    removed: Annotated[bool, typer.Option("--all", help="Also those taken off the board.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the board in the order quests are taken."""
    from configs.paths import SaveFolder
    from lore.figures import number
    from realm_tui.runtime import board
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.quest_text import quest_facts

    with opened(SaveFolder.named(save)) as found:
        quests = board.listed(found, removed=removed)
    if as_json:
        data([quest_facts(q) for q in quests])
        return
    if not quests:
        say("the board is empty: `realm quest add FILE`, or drop a file into the save's inbox/")
        return
    table(
        ("ID", "QUEST", "STATE", "PRIORITY", "EPOCHS", "EXAMPLES", "LOSS BEFORE", "AFTER"),
        [
            (
                str(q.id),
                clean(q.name),
                q.state,
                q.priority,
                str(q.epochs),
                number(q.counts.get("examples")),
                number(q.loss_before, 3),
                number(q.loss_after, 3),
            )
            for q in quests
        ],
        right=(0, 4, 5, 6, 7),
    )


@app.command()
def show(quest: QuestArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show one quest: what it holds, how far it is, held-out loss and answers before and after."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import board
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.quest_text import quest_facts, quest_report

    with opened(SaveFolder.named(save)) as found:
        one = board.one(found, quest)
    if as_json:
        data(quest_facts(one))
    else:
        typer.echo(quest_report(one))


@app.command()
def remove(quest: QuestArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Take a quest off the board; its copy and its history stay in the save."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import board

    gone = board.remove(SaveFolder.named(save), quest)
    if as_json:
        data({"id": gone.id, "name": gone.name, "removed": True})
    else:
        typer.echo(f"{gone.name} is off the board")


@app.command()
def move(
    quest: QuestArgument,
    priority: Annotated[str | None, typer.Option("--priority", help="high, normal or low.")] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="QUEST", help="Right before this one, which has the same priority."),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a waiting quest be taken sooner or later; within a priority the oldest goes first, unless it was moved."""
    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from realm_tui.runtime import board
    from realm_tui.runtime.quest_text import quest_facts

    if priority is None and before is None:
        raise UsageError("nothing to change", fix="name --priority, --before or both", code="BAD_ARGUMENT")
    folder = SaveFolder.named(save)
    if priority is not None:
        moved = board.prioritise(folder, quest, priority)
    if before is not None:
        moved = board.move_before(folder, quest, before)
    if as_json:
        data(quest_facts(moved))
    else:
        typer.echo(f"{moved.name}: {moved.priority} priority" + (f", before {before}" if before is not None else ""))


@app.command()
def again(quest: QuestArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Put a quest that is done, failed or skipped on the board anew; what it was before stays in the save's history."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import board
    from realm_tui.runtime.quest_text import quest_facts

    made = board.again(SaveFolder.named(save), quest)
    if as_json:
        data(quest_facts(made))
    else:
        typer.echo(f"{made.name} is on the board, {made.priority} priority")


@app.command()
def examples(
    quest: QuestArgument,
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="How many, from all over the file.")] = 5,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a few examples of a quest as its file says them."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import board
    from realm_tui.runtime.board_view import peek
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.opened import opened

    folder = SaveFolder.named(save)
    with opened(folder) as found:
        one = board.one(found, quest)
    shown = peek(folder, one, count)
    if as_json:
        data([example.as_dict() for example in shown])
        return
    for example in shown:
        typer.echo(f"line {example.line}")
        for role, text in example.turns:
            typer.echo(f"  {clean(role):<10} {clean(text, newline=' ⏎ ')}")
