"""``realm ledger``: every saved form of the hero, and the champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from realm_tui.runtime.opened import OpenedSave
    from saves.rows import Checkpoint

app = typer.Typer(
    help="The ledger of checkpoints: browse, compare, export, delete.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FormArgument = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="Name, step, first letters of the digest, latest, best or champion.")
]


def _facts(save: OpenedSave, form: Checkpoint, champion_id: int | None) -> dict[str, Any]:
    return {
        "step": form.step,
        "name": form.name,
        "path": str(save.folder.root / form.path),
        "champion": form.id == champion_id,
        "digest": form.digest,
        "bytes": form.bytes,
        "reasons": list(form.reasons),
        "protected": form.protected,
        "at": form.at,
        "run": form.run_id,
        "facts": dict(form.facts),
    }


def _champion_id(save: OpenedSave) -> int | None:
    from saves.ledger import champion

    reigning = champion(save.conn)
    return reigning.checkpoint_id if reigning is not None else None


@app.command("list")
def list_forms(
    text: Annotated[
        list[str] | None, typer.Argument(metavar="[WORDS]", help="Only those in which all of these words occur.")
    ] = None,
    campaign: Annotated[str | None, typer.Option("--campaign", help="Only this campaign's, by id or name.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only those saved for it, e.g. level_up.")] = None,
    order: Annotated[
        str | None,
        typer.Option("--order", metavar="step|time|size|exam", help="The newest, largest or best first."),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the checkpoints on disk, oldest first."""
    from configs.paths import SaveFolder
    from lore.figures import number, share
    from realm_tui.runtime.figures import moment, size
    from realm_tui.runtime.opened import opened
    from saves.ledger import kept_checkpoints

    with opened(SaveFolder.named(save)) as found:
        reigning = _champion_id(found)
        by_id = {form.id: form for form in kept_checkpoints(found.conn)}
        chosen = _chosen(found, text, campaign, reason, order)
        forms = [_facts(found, by_id[form_id], reigning) for form_id in chosen]
    if as_json:
        data(forms)
        return
    rows = []
    for form in forms:
        exam = form["facts"].get("exam") or {}
        sat = f"{exam['skill']} L{exam['level']} {share(exam['correct'], exam['items'])}" if exam else "–"
        kept = "champion" if form["champion"] else "kept" if form["protected"] else ""
        why = ", ".join(form["reasons"])
        rows.append((number(form["step"]), form["name"], moment(form["at"]), size(form["bytes"]), sat, why, kept))
    table(("STEP", "NAME", "SAVED", "SIZE", "EXAM", "WHY", ""), rows, right=(0, 3))


def _chosen(
    save: OpenedSave, text: list[str] | None, campaign: str | None, reason: str | None, order: str | None
) -> list[int]:
    """Ids of the forms asked for, in their order."""
    from typing import cast, get_args

    from configs.errors import UsageError
    from realm_tui.runtime.ledger_view import Choice, Order, ledger_view

    if order is not None and order not in get_args(Order):
        raise UsageError(
            f"forms cannot be ordered by {order!r}", fix=f"use {', '.join(get_args(Order))}", code="BAD_ARGUMENT"
        )
    wanted = Choice(" ".join(text or ()), reason or "", campaign or "", cast("Order", order or "step"))
    found = [form.id for form in wanted.of(ledger_view(save).forms)]
    return found if order is not None else found[::-1]


@app.command()
def show(form: FormArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show one checkpoint with the facts of its moment."""
    from configs.paths import SaveFolder
    from engine.trainer.promotion import find_form
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        facts = _facts(found, find_form(found.conn, form), _champion_id(found))
    if as_json:
        data(facts)
        return
    typer.echo(facts["name"])
    inner = facts.pop("facts")
    for key, value in [*facts.items(), *sorted(inner.items())]:
        if key != "name":
            typer.echo(f"  {key:<24} {_text(value)}")


def _text(value: Any) -> str:
    if value is None or value == []:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items()) or "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@app.command()
def compare(first: FormArgument, second: FormArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Set two checkpoints beside each other, as they stood when they were saved."""
    from dataclasses import asdict

    from configs.paths import SaveFolder
    from engine.trainer.promotion import find_form
    from realm_tui.runtime.ledger_view import compare as compared
    from realm_tui.runtime.ledger_view import ledger_view
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        view = ledger_view(found)
        one, other = (view.form(find_form(found.conn, which).id) for which in (first, second))
    assert one is not None and other is not None  # `find_form` finds only what is kept
    rows = compared(one, other)
    if as_json:
        data({"first": one.name, "second": other.name, "rows": [asdict(row) for row in rows]})
        return
    table(("", one.name, other.name, "CHANGE"), [(r.what, r.first, r.second, r.change) for r in rows])


@app.command()
def gate(
    challenger: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHECKPOINT]", help="Who challenges [default: the best examined that is not champion]."
        ),
    ] = None,
    ask: Annotated[
        int | None,
        typer.Option("--ask", min=1, max=1024, metavar="ITEMS", help="First put so many fresh problems to both."),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a challenger against the champion on the very same questions: who answered what the other did not, and what it cost.

    Asking needs a running engine. Crown with `realm promote CHECKPOINT`, take it back with `realm promote --undo`.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime.duel import duel
    from realm_tui.runtime.gate_text import lines
    from realm_tui.runtime.gate_view import gate_view
    from realm_tui.runtime.opened import opened

    folder = SaveFolder.named(save)
    if ask is not None:
        duel(folder, challenger, ask, progress=say)
    with opened(folder) as found:
        seen = gate_view(found, challenger)
    if as_json:
        data(seen.as_dict())
        return
    for line in lines(seen):
        typer.echo(line)


@app.command()
def delete(
    form: FormArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Really delete it; without it nothing is changed.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete one checkpoint for good. Without --yes it only says what would be lost."""
    from configs.errors import BlockedError
    from configs.paths import SaveFolder
    from engine.trainer.promotion import find_form
    from realm_tui.runtime import orders
    from realm_tui.runtime.figures import size
    from realm_tui.runtime.ledger_view import deletion, ledger_view
    from realm_tui.runtime.opened import opened

    folder = SaveFolder.named(save)
    with opened(folder) as found:
        view = ledger_view(found).form(find_form(found.conn, form).id)
        assert view is not None  # `find_form` finds only what is kept
        plan = deletion(found, view)
    if yes:
        orders.forget(folder, plan.name, progress=say)
    if as_json:
        data({**plan.as_dict(), "deleted": yes})
        return
    if plan.stays and not yes:
        raise BlockedError(f"{plan.name} stays", why=plan.stays, fix="choose another form", code="PROTECTED")
    typer.echo(f"{'deleted' if yes else 'would delete'} {plan.name}, {size(plan.bytes)}")
    for lost in plan.loses:
        say(f"lost with it: {lost}")
    for copy in plan.copies:
        say(f"its weights also lie in {copy}")
    if not yes:
        say(f"nothing was changed; add --yes to delete it: `realm ledger delete {plan.name} --yes`")


@app.command()
def export(
    form: FormArgument,
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that does not exist yet.")],
    merged: Annotated[
        bool, typer.Option("--merged", help="An adapter: merge it into its base's full-precision weights.")
    ] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a checkpoint as a plain Hugging Face folder, without the trainer's own files."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import orders

    made = orders.export(SaveFolder.named(save), form, target, merged=merged, progress=say)
    if as_json:
        data(made)
        return
    typer.echo(made["path"])
    say(f"exported {made['name']}; transformers loads it: AutoModelForCausalLM.from_pretrained({made['path']!r})")


@app.command()
def summon(
    form: FormArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Really go back; without it nothing is changed.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to a checkpoint: training goes on from there. Without --yes it only says what would be left behind."""
    from configs.paths import SaveFolder
    from lore.figures import number
    from realm_tui.runtime import orders

    folder = SaveFolder.named(save)
    found = orders.summon(folder, form, really=yes)
    if as_json:
        data({**found, "summoned": yes})
        return
    typer.echo(f"{'summoned' if yes else 'would summon'} {found['name']}")
    left = f"{number(found['left_steps'])} steps, {found['left_levels']} levels won, {found['left_quests']} quests completed"
    say(f"from step {number(found['from_step'])} back to step {number(found['step'])}; left behind: {left}")
    if found["left_checkpoints"]:
        say(f"these stay on the disk until newer ones take their place: {', '.join(found['left_checkpoints'])}")
    if not yes:
        say(f"nothing was changed; add --yes to go back: `realm ledger summon {found['name']} --yes`")
