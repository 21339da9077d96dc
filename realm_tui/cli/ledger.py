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
    help="The ledger of checkpoints: list, show, summon, export.", no_args_is_help=True, rich_markup_mode=None
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
def list_forms(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """List the checkpoints on disk, oldest first."""
    from configs.paths import SaveFolder
    from lore.figures import number, share
    from realm_tui.runtime.figures import moment, size
    from realm_tui.runtime.opened import opened
    from saves.ledger import kept_checkpoints

    with opened(SaveFolder.named(save)) as found:
        reigning = _champion_id(found)
        forms = [_facts(found, form, reigning) for form in kept_checkpoints(found.conn)]
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
    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from engine.hero.folder import is_adapter
    from engine.trainer.promotion import find_form
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.orders import once
    from saves.checkpoint_folder import export_model

    folder = target.expanduser().absolute()
    if folder.exists():
        raise UsageError(f"{folder} exists already", fix="name a folder that does not exist yet", code="EXISTS")
    with opened(SaveFolder.named(save)) as found:
        chosen = find_form(found.conn, form)
        if merged and not is_adapter(found.folder.root / chosen.path):
            raise UsageError(
                f"{chosen.name} is a whole model: there is nothing to merge",
                fix="export it without --merged",
                code="NOT_AN_ADAPTER",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not merged:
            export_model(found.folder.root / chosen.path, folder)
    if merged:
        once(SaveFolder.named(save), "merge", {"name": chosen.name, "target": str(folder)}, progress=say)
    if as_json:
        data({"name": chosen.name, "step": chosen.step, "digest": chosen.digest, "path": str(folder)})
    else:
        typer.echo(str(folder))
        say(f"exported {chosen.name}; transformers loads it: AutoModelForCausalLM.from_pretrained({str(folder)!r})")


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
