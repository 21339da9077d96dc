"""``realm vram``: what training a hero takes on a card, part by part, and whether it fits."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from configs.ways import Method, OptimizerName
from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from engine.memory.estimate import Part
    from realm_tui.runtime.vram import Report

_BAR = 16
_EIGHTHS = "▏▎▍▌▋▊▉█"
_NAME = 14
CardOption = Annotated[
    str | None, typer.Option("--card", metavar="NAME|GIB", help="E.g. 4090, or 24; left out: this machine's own.")
]


def vram(
    hero: Annotated[
        str | None, typer.Option("--hero", metavar="HERO", help="Who; left out: the save's, or the default.")
    ] = None,
    card: CardOption = None,
    method: Annotated[Method | None, typer.Option("--method", help="Another method.")] = None,
    optimizer: Annotated[OptimizerName | None, typer.Option("--optimizer", help="Another optimizer.")] = None,
    length: Annotated[int | None, typer.Option("--length", min=64, help="Tokens of the longest example.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, max=4096, help="Examples in one forward pass.")] = None,
    prefer: Annotated[
        Literal["balanced", "quality", "efficiency", "full"], typer.Option("--prefer", help="What a suggestion is for.")
    ] = "balanced",
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the memory that training a hero takes on a card."""
    from configs.loader import load_game
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.vram import Asked, asked_hero, device_for, report

    rules = load_game()
    if hero is None:
        folder = SaveFolder.named(save)
        hero = rules.default_hero
        if save is not None or folder.database.is_file():
            with opened(folder) as found:
                hero = found.hero.id
    chosen = asked_hero(hero, Asked(method, optimizer, length, batch))
    made = report(chosen, device_for(card, rules.memory), prefer)
    if as_json:
        data(made.as_dict())
        return
    show(made, ascii_only=rules.face.ascii)


def show(made: Report, *, ascii_only: bool = False) -> None:
    """Print a report within 80 columns."""
    from engine.memory.plan import gib

    plan, hero, training = made.plan, made.hero, made.hero.training
    estimate, setting = plan.estimate, plan.setting
    every = estimate.trained >= estimate.parameters
    moving = "all of them move" if every else f"{counted(estimate.trained)} of them move"
    typer.echo(f"{hero.title} ({hero.id}): {counted(estimate.parameters)} weights, {moving}")
    typer.echo(f"on {made.device.name} ({gib(made.device.bytes):.4g} GiB): {training.method}, {training.optimizer}")
    largest = max(p.bytes for p in estimate.parts)
    for when, title in (
        ("always", "held all the time"),
        ("forward", "at the end of a forward pass, beside it"),
        ("update", "in the update, beside it"),
    ):
        parts = [p for p in estimate.parts if p.when == when and p.place == "card"]
        if parts:
            typer.echo(f"\n {title}")
            for part in parts:
                typer.echo(_line(part, largest, ascii_only))
    waiting = [p for p in estimate.parts if p.place == "host"]
    if waiting:
        typer.echo("\n on the host")
        for part in waiting:
            typer.echo(_line(part, largest, ascii_only))
    low, high = (1 - made.rules.tolerance) * estimate.peak, (1 + made.rules.tolerance) * estimate.peak
    typer.echo()
    typer.echo(
        f"  most at a time {size(estimate.peak)} of {gib(made.device.bytes):.4g}: {plan.verdict.upper()}"
        f"  (± {made.rules.tolerance:.0%}: {gib(low):.1f} to {gib(high):.1f})"
    )
    typer.echo(f"  worst case     {size(estimate.worst)}")
    if made.measured is not None:
        typer.echo(
            f"  measured here  {size(made.measured.measured_bytes)}, {gib(made.measured.estimated_bytes):.1f} were estimated:"
            f" corrected by {estimate.correction:.2f}"
        )
    elif made.device.here and made.device.kind == "cuda":
        typer.echo("  measured here      –      the first steps on this card will tell")
    if plan.passes_more > 1:
        typer.echo(
            f"  a pass holds {setting.tokens:,} tokens, not {plan.tokens_wanted:,}: a step has {plan.passes_more} times as many"
        )
    if plan.verdict != "too large" and high > made.device.bytes:
        typer.echo("  if it runs out all the same, the step is trained again in smaller passes")
    _others(made)


def _others(made: Report) -> None:
    """Other ways and the suggestion."""
    from configs.physics import memory_profile
    from engine.memory.plan import gib

    if made.ways:
        typer.echo("\n every weight, with less")
        table(
            ("  WAY", "CARD", "HOST", "", "RUNS"),
            [
                (
                    f"  {way.name}",
                    f"{gib(way.plan.estimate.peak):.1f}",
                    f"{gib(way.plan.estimate.host):.1f}",
                    way.plan.verdict,
                    (f"yes: {way.profile}" if way.profile else "yes") if way.runs else "no: not in this engine",
                )
                for way in made.ways
            ],
            right=(1, 2),
        )
        for way in made.ways:
            told = f"{way.name}: {way.cost}"
            typer.echo(textwrap.fill(told, 78, initial_indent="    ", subsequent_indent="      "))
    profile = memory_profile(made.suggestion)
    if made.hero.model.source == "pretrained" and made.hero.memory_profile != made.suggestion:
        need = gib(made.suggested.estimate.peak)
        say(
            f"\nsuggested: `memory_profile: {made.suggestion}` ({profile.name})\n"
            f"  {need:.1f} GiB at {made.suggested.setting.tokens:,} tokens a pass: {made.suggested.verdict}"
        )


def _line(part: Part, largest: int, ascii_only: bool) -> str:
    return f"  {part.name:<{_NAME}} {size(part.bytes)}  {bar(part.bytes / largest, ascii_only):<{_BAR}}  {part.note}".rstrip()


def size(count: float) -> str:
    """Bytes in GiB, in MiB where that would be 0.0; 9 cells."""
    from engine.memory.plan import gib

    return f"{gib(count):5.1f} GiB" if gib(count) >= 0.1 else f"{gib(count) * 1024:5.1f} MiB"


def bar(share: float, ascii_only: bool = False) -> str:
    """A bar of up to `_BAR` cells; never empty for something that is there."""
    eighths = max(1, round(share * _BAR * 8))
    if ascii_only:
        return "#" * max(1, round(eighths / 8))
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")


def counted(number: int) -> str:
    """A number of weights, e.g. ``4.02B`` or ``33.0M``."""
    for bound, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= bound:
            return f"{number / bound:.3g}{letter}"
    return str(number)
