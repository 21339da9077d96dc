"""``realm lore``: the words of the game and what they mean."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, data, table

if TYPE_CHECKING:
    from lore.lexicon import Entry

_WIDTH = 100


def lore(
    key: Annotated[str | None, typer.Argument(help="A word's key, e.g. training.loss [default: list them].")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Only words that hold this text.")] = None,
    laws: Annotated[bool, typer.Option("--laws", help="Show the laws of the world instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain the words of the game, in the tavern's voice and in the field's own."""
    from lore import lexicon

    if laws:
        _laws(as_json)
        return
    if key is not None:
        entry = lexicon.entry(key)
        if as_json:
            data(_dict(key, entry))
        else:
            _explain(key, entry)
        return
    found = lexicon.search(search, limit=10_000) if search is not None else list(lexicon.entries())
    if as_json:
        data([_dict(name, lexicon.entry(name)) for name in found])
        return
    shown = [(name, lexicon.entry(name)) for name in found]
    table(("KEY", "TAVERN", "PLAIN", "WHAT IT IS"), [(n, e.label, e.named("plain"), e.short) for n, e in shown])


def _dict(key: str, entry: Entry) -> dict[str, Any]:
    return {"key": key, **entry.model_dump(), "plain": entry.named("plain")}


def _explain(key: str, entry: Entry) -> None:
    plain = entry.named("plain")
    typer.echo(f"{entry.label}{'' if plain == entry.label else f' · {plain}'}  ({key})")
    for text in (entry.tooltip, entry.technical, entry.warning):
        if text:
            typer.echo(textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  "))


def _laws(as_json: bool) -> None:
    from lore.laws import laws

    if as_json:
        data({name: law.model_dump() for name, law in laws().items()})
        return
    table(("LAW", "WHAT MUST HOLD", "AS THE TAVERN SAYS IT"), [(n, x.plain, x.tavern) for n, x in laws().items()])
