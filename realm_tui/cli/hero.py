"""``realm hero``: the roster, and how to make one ready."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from configs.ways import Method
from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

app = typer.Typer(
    help="Heroes: list, show, write your own, install a model.", no_args_is_help=True, rich_markup_mode=None
)

HeroArgument = Annotated[str, typer.Argument(metavar="HERO", help="A hero's id, or its first part, e.g. dio.")]


def _facts(hero_id: str) -> dict[str, Any]:
    from configs.loader import load_hero
    from realm_tui.runtime.heroes import readiness

    hero = load_hero(hero_id)
    state = readiness(hero)
    return {
        "id": hero.id,
        "name": hero.name,
        "epithet": hero.epithet,
        "race": hero.race,
        "stature": hero.stature,
        "size_b": hero.model.size_b,
        "source": hero.model.source,
        "model": hero.model.name or hero.model.path or None,
        "ready": state.ready,
        "where": str(state.where) if state.where else None,
        "missing": state.missing or None,
        "fix": state.fix or None,
    }


@app.command("list")
def list_heroes(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """List the roster and who is ready."""
    from configs.loader import hero_ids

    del save
    rows = [_facts(hero_id) for hero_id in hero_ids()]
    if as_json:
        data(rows)
        return
    table(
        ("ID", "NAME", "KIND", "SIZE", "READY"),
        [
            (
                r["id"],
                f"{r['name']}, {r['epithet']}",
                f"{r['race']} {r['stature']}",
                parameters(r["size_b"]),
                "yes" if r["ready"] else f"no: {r['missing']}",
            )
            for r in rows
        ],
        right=(3,),
    )


def parameters(size_b: float) -> str:
    """Billions of parameters as ``0.5M`` or ``0.6B``."""
    return f"{size_b * 1000:.3g}M" if size_b < 0.1 else f"{size_b:.3g}B"


@app.command()
def show(hero: HeroArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show a hero: its model, how it learns, what it trains."""
    from configs.loader import load_hero

    del save
    config = load_hero(hero)
    facts = _facts(config.id)
    if as_json:
        data({**facts, "config": config.model_dump(mode="json")})
        return
    training = config.training
    typer.echo(f"{config.title} ({config.id}): {config.race} {config.stature}, {parameters(config.model.size_b)}")
    if config.description:
        typer.echo(config.description)
    where = facts["where"] or ("made on the spot" if facts["ready"] else f"missing: {facts['missing']}")
    rows = (
        ("model", f"{facts['model'] or config.model.family + ' architecture'}; {where}"),
        ("context", f"{config.model.context_length} tokens"),
        ("learns", f"{training.method}, {training.optimizer}, learning rate {training.learning_rate:g}"),
        ("batch", f"{training.batch_size} × {training.accumulation} examples"),
        ("skills", ", ".join(f"{skill} ({mix})" for skill, mix in config.skills.items())),
    )
    for label, text in rows:
        typer.echo(f"  {label:8} {text}")
    if facts["fix"]:
        say(f"  fix: {facts['fix']}")


@app.command()
def new(
    hero_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the new hero.")],
    base: Annotated[
        str,
        typer.Option(
            "--from", metavar="HERO|FOLDER|OWNER/NAME", help="A hero to copy, a model's folder, or its hub id."
        ),
    ] = "pip-hatchling",
    name: Annotated[str | None, typer.Option("--name", help="What it is called.")] = None,
    epithet: Annotated[str | None, typer.Option("--epithet", help="The second half of its name.")] = None,
    method: Annotated[Method | None, typer.Option("--method", help="A model: how it learns.")] = None,
    context: Annotated[int | None, typer.Option("--context", min=64, help="A model: tokens it reads.")] = None,
    card: Annotated[
        str | None,
        typer.Option("--card", metavar="NAME|GIB", help="A model: the card it is for; left out: this machine's."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written, and whether it fits.")
    ] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a hero of your own: a copy of another to edit, or one for any model you have.

    For a model, its figures, context and turn format are read from its folder, and what training it takes is shown first.
    """
    from configs.loader import hero_ids
    from realm_tui.runtime.heroes import check_new_id, new_hero

    del save
    check_new_id(hero_id)
    if base in hero_ids() or base in {one.split("-")[0] for one in hero_ids()}:
        if method or context or card or dry_run:
            raise typer.BadParameter(
                "--method, --context, --card and --dry-run are for a model, not for a copy of a hero"
            )
        path = new_hero(hero_id, base, name=name, epithet=epithet)
    else:
        written = _from_model(hero_id, base, name, epithet, method, context, card, dry_run=dry_run, as_json=as_json)
        if written is None:
            return
        path = written
    if as_json:
        data({"id": hero_id, "file": str(path)})
    else:
        typer.echo(str(path))
        say(f"edit it, check it with `realm config check`, begin with `realm save new NAME --hero {hero_id}`")


def _from_model(
    hero_id: str,
    source: str,
    name: str | None,
    epithet: str | None,
    method: Method | None,
    context: int | None,
    card: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> Path | None:
    """Show whether the model fits, then write its hero; None after a dry run."""
    import yaml

    from configs.loader import load_game
    from configs.physics import memory_profile
    from configs.reading import merged, parse
    from configs.schema import HeroConfig
    from engine.memory.estimate import GIB
    from realm_tui.cli.vram import show as show_memory
    from realm_tui.runtime.heroes import first_name, new_model_hero
    from realm_tui.runtime.model_hero import read_hero
    from realm_tui.runtime.vram import device_for, report

    rules = load_game()
    device = device_for(card, rules.memory)
    on_card = device.bytes / GIB if device.kind == "cuda" else None
    found = read_hero(source, hero_id, method=method, context=context, card_gib=on_card)
    found |= {"name": name or first_name(hero_id), "epithet": epithet or "the Newcomer"}
    profile = found.get("memory_profile")
    whole = merged({"training": memory_profile(profile).training}, found) if profile else found
    made = report(parse(HeroConfig, whole, f"hero {hero_id}"), device)
    if not as_json:
        show_memory(made, ascii_only=rules.face.ascii)
        typer.echo("")
    if not dry_run:
        return new_model_hero(found)
    if as_json:
        data({"id": hero_id, "hero": found, "memory": made.as_dict()})
    else:
        typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), nl=False)
    return None


@app.command()
def install(
    hero: HeroArgument,
    path: Annotated[Path | None, typer.Option("--path", metavar="FOLDER", help="A local model folder.")] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a hero ready: name a folder, or let its model be found in the Hugging Face cache or downloaded."""
    from configs.loader import load_hero
    from realm_tui.runtime import heroes

    del save
    config = load_hero(hero)
    if path is None and not heroes.readiness(config).ready:
        say(f"downloading {config.model.name} …")
    found = heroes.install(config, path)
    if as_json:
        data({"id": config.id, "ready": found.ready, "where": str(found.where) if found.where else None})
    else:
        typer.echo(f"{config.name} is ready" + (f": {found.where}" if found.where else ": made on the spot"))
