"""``realm saga``: the story of a campaign, day by day, from its beginning to its end, and on the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, table

if TYPE_CHECKING:
    from lore.lexicon import Voice
    from lore.narrator import Tale

app = typer.Typer(help="The story of the campaign.", rich_markup_mode=None)

VoiceOption = Annotated[
    str | None, typer.Option("--voice", metavar="VOICE", help="tavern or plain [default: the rules'].")
]


@app.callback(invoke_without_command=True)
def saga(
    ctx: typer.Context,
    day: Annotated[str | None, typer.Option("--day", metavar="D", help="Only this UTC day, e.g. 2026-01-31.")] = None,
    search: Annotated[str, typer.Option("--search", help="Only sentences that hold this text.")] = "",
    far: Annotated[bool, typer.Option("--far", help="Search a long history to its beginning.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="The whole battle log, not only what is notable.")] = False,
    channel: Annotated[str | None, typer.Option("--channel", help="Only one channel of the battle log.")] = None,
    page: Annotated[int, typer.Option("--page", min=1, help="Which page, 1 is the newest.")] = 1,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="CAMPAIGN", help="Which one [default: the active].")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=1, max=1000, help="Sentences on a page.")] = 40,
    voice: VoiceOption = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened, one sentence for each deed; the newest page, in order of time."""
    if ctx.invoked_subcommand is not None:
        return
    from configs.clock import utc
    from configs.paths import SaveFolder
    from realm_tui.runtime import saga_view
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.game import read_game
    from realm_tui.runtime.opened import opened

    narrow = bool(search) or channel is not None
    reach = saga_view.SEARCH_REACH if narrow and not far else None
    wanted = saga_view.Wanted(everything or channel is not None, search, _channels(channel), day=day, reach=reach)
    with opened(SaveFolder.named(save)) as found:
        told = saga_view.of_campaign(found, campaign) if campaign is not None else found
        page_of = saga_view.page(told, read_game(told), page, size, wanted)
        spoken = _voice(voice, found.rules.face.names)
    lines = page_of.lines
    if page_of.back_to is not None:
        typer.echo(f"searched back to {utc(page_of.back_to):%Y-%m-%d %H:%M}; --far searches to the beginning", err=True)
    if as_json:
        data([line.as_dict() for line in reversed(lines)])
        return
    if not lines:
        none = "nothing like that is told" if narrow else "nothing is told yet"
        typer.echo(none if page == 1 else "there is no such page")
    for line in reversed(lines):
        typer.echo(f"{utc(line.event.at):%Y-%m-%d %H:%M}  {clean(line.text(spoken))}")


@app.command()
def chronicle(
    day: Annotated[str | None, typer.Argument(metavar="DAY", help="A UTC day, e.g. 2026-01-31 [default: list]")] = None,
    voice: VoiceOption = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the page of a day; without one, list the days on which something was trained."""
    from configs.paths import SaveFolder
    from lore.figures import duration
    from realm_tui.runtime import saga_view
    from realm_tui.runtime.game import read_game
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        if day is None:
            known = saga_view.trained_days(found)
            if as_json:
                data([{"day": d.day, "steps": d.steps, "active_s": d.active_s} for d in known])
            else:
                rows = [(d.day, f"{d.steps:,}", duration(d.active_s)) for d in known]
                table(("DAY", "STEPS", "TRAINING"), rows, right=(1,))
            return
        page, hero = saga_view.day_page(found, read_game(found), day), found.hero.name
        spoken = _voice(voice, found.rules.face.names)
    if as_json:
        data(page.as_dict(hero))
    else:
        _tell(page.lines(hero), spoken)


@app.command()
def journey(
    which: Annotated[str | None, typer.Argument(metavar="CAMPAIGN", help="Which one [default: the active].")] = None,
    voice: VoiceOption = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sum up a whole campaign on one page."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import saga_view
    from realm_tui.runtime.game import read_game
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        told = saga_view.of_campaign(found, which) if which is not None else found
        page, hero = saga_view.journey(told, read_game(told)), told.hero.name
        spoken = _voice(voice, found.rules.face.names)
    if as_json:
        data(page.as_dict(hero))
    else:
        _tell(page.lines(hero), spoken)


@app.command("map")
def show_map(voice: VoiceOption = None, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show where the hero is on the map, and what the next region asks."""
    from configs.paths import SaveFolder
    from lore.world_rules import named
    from realm_tui.runtime import world_view
    from realm_tui.runtime.game import read_game
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        seen = world_view.map_view(found, read_game(found))
        spoken = _voice(voice, found.rules.face.names)
    if as_json:
        data(seen.as_dict())
        return
    for land in (*seen.lands, *seen.sides):
        state = "here" if land.here else "open" if land.unlocked else "shut"
        typer.echo(f"{'>' if land.here else ' '} {land.name(spoken):<24}  {state}")
        for condition in land.asks:
            typer.echo(f"      {'[x]' if condition.met else '[ ]'} {world_view.asked(condition, spoken)}")
        for boss, deed in land.bosses:
            beaten = "not beaten" if deed is None else f"beaten at step {deed.step:,}"
            typer.echo(f"      {named('boss', boss, spoken)}: {beaten}")
    for talent in seen.world.talents:
        typer.echo(f"  {named('talent', talent, spoken)}")


def _tell(tales: list[Tale], voice: Voice) -> None:
    from realm_tui.runtime.foreign import clean

    for tale in tales:
        typer.echo(clean(tale.text(voice)))


def _voice(asked: str | None, default: Voice) -> Voice:
    from configs.errors import UsageError

    if asked not in (None, "tavern", "plain"):
        raise UsageError(f"there is no voice called {asked!r}", fix="choose tavern or plain", code="BAD_ARGUMENT")
    return default if asked is None else "plain" if asked == "plain" else "tavern"


def _channels(asked: str | None) -> frozenset[Any]:
    from configs.errors import UsageError
    from lore.saga import CHANNELS

    if asked is not None and asked not in CHANNELS:
        raise UsageError(
            f"there is no channel called {asked!r}", fix=f"choose from {', '.join(CHANNELS)}", code="BAD_ARGUMENT"
        )
    return frozenset() if asked is None else frozenset({asked})
