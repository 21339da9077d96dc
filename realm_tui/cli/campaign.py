"""``realm campaign``: one hero's way after another; what was reached, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs.errors import UsageError
from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from realm_tui.runtime.campaigns import Standing
    from realm_tui.runtime.momentum import Momentum
    from saves.rows import Campaign

app = typer.Typer(
    help="Campaigns: begin, switch, archive, begin again, and race.", no_args_is_help=True, rich_markup_mode=None
)

CampaignArgument = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id, name or number.")]
MaybeCampaign = Annotated[
    str | None, typer.Argument(metavar="[CAMPAIGN]", help="Its id, name or number [default: the active one].")
]


@app.command("list")
def list_campaigns(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """List the campaigns of a save, oldest first."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.campaigns import standing
    from realm_tui.runtime.opened import opened
    from saves.campaigns import campaigns

    with opened(SaveFolder.named(save)) as found:
        rows = [standing(found, c) for c in campaigns(found.conn)]
    if as_json:
        data([row.as_dict() for row in rows])
        return
    _table(rows)


def _table(rows: list[Standing]) -> None:
    table(
        ("ID", "NAME", "HERO", "STATUS", "STEP", "WON", "HELD", "BEGAN WITH"),
        [
            (
                r.id,
                r.name,
                r.hero,
                r.status,
                f"{r.step:,}",
                str(sum(r.levels.values())),
                str(sum(r.held.values())),
                r.starting_checkpoint or "–",
            )
            for r in rows
        ],
        right=(4, 5, 6),
    )


@app.command()
def show(campaign: MaybeCampaign = None, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show a campaign: peaks, milestones, effort; for the active one also the next action and what is in the way."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import campaigns
    from realm_tui.runtime.figures import moment
    from realm_tui.runtime.momentum import momentum

    folder = SaveFolder.named(save)
    found, standing, marks = campaigns.told(folder, campaign)
    moving = momentum(folder) if found.status == "active" else None
    if as_json:
        data(
            {
                **standing.as_dict(),
                "seed": found.seed,
                "overrides": dict(found.overrides),
                "summary": dict(found.summary),
                "milestones": [
                    {"step": m.step, "kind": m.kind, "note": m.note, "at": m.at, "metrics": dict(m.metrics)}
                    for m in marks
                ],
                "momentum": None if moving is None else moving.as_dict(),
            }
        )
        return
    best = standing.peaks
    typer.echo(f"{found.id}: {found.name}, {found.status}, step {standing.step:,}, seed {found.seed}")
    typer.echo(f"  won   {_levels(standing.levels)}; held {_levels(standing.held)}")
    typer.echo(
        f"  peaks loss {_dash(best['train_loss'])}, held-out loss {_dash(best['held_out_loss'])}, exam {_dash(best['accuracy'])}"
    )
    spent = "".join(f", {skill} {effort:,.1f}" for skill, effort in standing.effort_by_skill.items())
    typer.echo(f"  spent effort {standing.effort:,.1f}{spent}; {standing.trained_tokens:,} trained tokens")
    for cap in standing.caps:
        typer.echo(f"  cap   {cap}")
    for mark in marks:
        typer.echo(f"  {moment(mark.at)}  step {mark.step:>9,}  {mark.note}")
    if moving is not None:
        typer.echo(f"momentum: {moving.status}; next: {moving.next.text}")
        _hindrances(moving)


def _hindrances(moving: Momentum) -> None:
    for one in moving.hindrances:
        typer.echo(f"  {one.code} ({one.severity}): {one.why}")
        typer.echo(f"    tried: {one.tried}. Way out: {one.fix}")


def _levels(levels: dict[str, int]) -> str:
    return ", ".join(f"{s} {n}" for s, n in levels.items()) or "–"


def _dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@app.command()
def new(
    hero: Annotated[
        str | None, typer.Argument(metavar="[HERO]", help="Whose way [default: the hero of the active one].")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What it is called [default: the hero's title].")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Decides everything random [default: any].")] = None,
    form: Annotated[
        str | None, typer.Option("--from", metavar="CHECKPOINT", help="Begin with this form's weights (New Game+).")
    ] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", metavar="FILE", help="Re-run a recorded campaign.")] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="KEY=VALUE", help="A rule of its own, e.g. curriculum.horizon=12."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "--hero-field", metavar="KEY=VALUE", help="A field of its hero, e.g. training.learning_rate=0.001."
        ),
    ] = None,
    go: Annotated[
        bool, typer.Option("--switch", help="Play it at once; a living engine saves and stops first.")
    ] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a campaign. It waits until it is switched to; the others stay as they are."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import campaigns
    from realm_tui.runtime import recipe as recipes

    folder = SaveFolder.named(save)
    differences: tuple[str, ...] = ()
    if recipe is not None:
        if hero is not None or form is not None or seed is not None or rule or field:
            raise UsageError(
                "a recipe names hero, seed and rules itself", fix="give only --recipe and --name", code="BAD_ARGUMENT"
            )
        made = recipes.re_run(folder, recipes.read(recipe.expanduser()), name)
        campaign, differences = made.campaign, made.differences
    else:
        campaign = campaigns.begin(
            folder,
            hero=hero,
            name=name,
            seed=seed,
            overrides=_nested("--rule", rule or []),
            hero_overrides=_nested("--hero-field", field or []),
            from_form=form,
        )
    if go:
        campaign = campaigns.switch(folder, campaign.id, say=say)
    if as_json:
        data({**_facts(campaign), "differences": list(differences)})
        return
    typer.echo(f"{campaign.id}: {campaign.name}, {campaign.status}")
    for difference in differences:
        say(f"not the same as recorded: {difference}")
    if not go:
        say(f"play it with `realm campaign switch {campaign.id}`")


def _nested(option: str, given: list[str]) -> dict[str, Any]:
    """``a.b=1`` as nested values."""
    import yaml

    found: dict[str, Any] = {}
    for one in given:
        key, equals, text = one.partition("=")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            equals = ""
        if not equals or not key.strip():
            raise UsageError(f"{option} {one!r} is not KEY=VALUE", fix="see --help for an example", code="BAD_ARGUMENT")
        *path, last = key.strip().split(".")
        room = found
        for part in path:
            inner = room.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UsageError(
                    f"{option} {one!r} names a part of what was given whole",
                    fix="give one of them",
                    code="BAD_ARGUMENT",
                )
            room = inner
        room[last] = value
    return found


def _facts(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "hero": campaign.hero_id,
        "status": campaign.status,
        "seed": campaign.seed,
        "parent": campaign.parent_id,
        "overrides": dict(campaign.overrides),
    }


@app.command()
def switch(campaign: CampaignArgument, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Play another campaign; a living engine saves and stops first."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.campaigns import switch as play

    found = play(SaveFolder.named(save), campaign, say=say)
    if as_json:
        data(_facts(found))
    else:
        typer.echo(f"{found.id}: {found.name} is played now")


@app.command()
def archive(
    campaign: MaybeCampaign = None,
    then: Annotated[str | None, typer.Option("--then", metavar="CAMPAIGN", help="Played after the active one.")] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a campaign into the Hall of Legends with what it reached. Nothing is deleted; switching to it brings it back."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.campaigns import archive as put_away

    found = put_away(SaveFolder.named(save), campaign, then=then, say=say)
    if as_json:
        data({**_facts(found), "summary": dict(found.summary)})
    else:
        typer.echo(f"{found.id}: {found.name} is in the hall: {_levels(dict(found.summary.get('held', {})))} held")
        typer.echo(f"the whole road on one page: realm saga journey {found.id}")


_ENDS = {"won": "every level won", "capped": "cap found", "open": "left"}


@app.command()
def hall(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """The Hall of Legends: archived campaigns, the most levels held first."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.campaigns import hall as legends
    from realm_tui.runtime.figures import moment

    found = legends(SaveFolder.named(save))
    if as_json:
        data([{**_facts(c), "archived_at": c.archived_at, "summary": dict(summary)} for c, summary in found])
        return
    table(
        ("CAMPAIGN", "HERO", "HELD", "WON", "END", "STEPS", "EFFORT", "ARCHIVED"),
        [
            (
                c.name,
                c.hero_id,
                _levels(dict(s.get("held", {}))),
                _levels(dict(s.get("levels", {}))),
                _ENDS.get(str(s.get("outcome")), "–"),
                f"{s.get('step', 0):,}",
                f"{s.get('effort', 0.0):,.0f}",
                moment(c.archived_at),
            )
            for c, s in found
        ],
        right=(5, 6),
    )


@app.command()
def note(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What happened.")],
    campaign: Annotated[str | None, typer.Option("--campaign", help="Which [default: the active one].")] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note a moment of a campaign; it stands among its milestones."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.campaigns import remember

    remember(SaveFolder.named(save), text, campaign)
    if as_json:
        data({"noted": text, "campaign": campaign})
    else:
        say("noted; it stands among the milestones")


@app.command("next")
def next_(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """What the active campaign wants now, and what is in the way."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.momentum import momentum

    found = momentum(SaveFolder.named(save))
    if as_json:
        data(found.as_dict())
        return
    typer.echo(f"{found.status}: {found.next.text}")
    _hindrances(found)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file to write.")],
    campaign: Annotated[str | None, typer.Option("--campaign", help="Which [default: the active one].")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over an existing file.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a campaign's recipe: hero, seed, rules, what was changed on the way, and its coarse curve. No weights, no data."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.recipe import export as write

    recipe = write(SaveFolder.named(save), campaign, file.expanduser(), replace=replace)
    if as_json:
        data({"path": str(file), "steps": recipe.steps, "levels": len(recipe.marks), "orders": len(recipe.orders)})
    else:
        typer.echo(str(file))
        say(
            f"{recipe.steps:,} steps, {len(recipe.marks)} levels won, {len(recipe.orders)} changes, {len(recipe.data)} files"
        )


@app.command()
def race(
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|CAMPAIGN]", help="A recipe, or another campaign [default: the ghost that was kept]."
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--ghost", help="Keep it as this save's ghost.")] = False,
    drop: Annotated[bool, typer.Option("--no-ghost", help="Let the ghost that was kept go.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the active campaign beside another one at the same steps."""
    from dataclasses import asdict

    from configs.paths import SaveFolder
    from realm_tui.runtime import recipe as recipes
    from realm_tui.runtime.opened import opened
    from saves.campaigns import campaign

    folder = SaveFolder.named(save)
    if drop:
        recipes.keep_ghost(folder, None)
        say("the ghost is gone")
        if other is None:
            return
    with opened(folder) as found:
        if other is None:
            ghost = recipes.ghost(found)
        elif (path := Path(other).expanduser()).is_file():
            ghost = recipes.ghost_of(recipes.read(path))
        else:
            ghost = recipes.ghost_of(recipes.recipe_of(found, campaign(found.conn, other)))
        if ghost is None:
            raise UsageError(
                "there is no ghost to race", fix="name a recipe or a campaign; --ghost keeps it", code="NO_GHOST"
            )
        laps = recipes.race(found, ghost)
    if keep:
        recipes.keep_ghost(folder, ghost)
    if as_json:
        data({"against": ghost.campaign, "laps": [asdict(lap) for lap in laps]})
        return
    table(
        ("STEP", "STRAIN", "GHOST", "LEVELS", "GHOST"),
        [(f"{p.step:,}", _dash(p.strain), _dash(p.ghost_strain), str(p.levels), str(p.ghost_levels)) for p in laps],
        right=(0, 1, 2, 3, 4),
    )
    if not laps:
        say("one of the two has not begun")
