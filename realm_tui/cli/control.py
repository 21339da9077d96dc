"""The orders: pause, resume, stop, skip, checkpoint, promote, ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say

if TYPE_CHECKING:
    from engine.link.protocol import Verb


def _order(verb: Verb, save: str | None, as_json: bool, done: str, **args: Any) -> None:
    from configs.paths import SaveFolder
    from lore.figures import number
    from realm_tui.runtime.orders import order

    reply = order(SaveFolder.named(save), verb, args, progress=say)
    if as_json:
        data({"verb": str(verb), "step": reply.step, "result": reply.result})
    else:
        typer.echo(done.format(step=number(reply.step), **reply.result))


def pause(
    save: SaveOption = None,
    checkpoint: Annotated[bool, typer.Option("--checkpoint", help="Save a checkpoint before it rests.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Pause training; the engine stays loaded."""
    from engine.link.protocol import Verb

    _order(Verb.PAUSE, save, as_json, "paused at step {step}", **({"save": True} if checkpoint else {}))


def resume(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Go on after a pause, or a mended blocker."""
    from engine.link.protocol import Verb

    _order(Verb.RESUME, save, as_json, "going on at step {step}")


def skip(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Leave the quest or drill that trains now."""
    from engine.link.protocol import Verb

    _order(Verb.SKIP, save, as_json, "skipped {skipped} at step {step}")


def checkpoint(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Save a checkpoint now."""
    from engine.link.protocol import Verb

    _order(Verb.CHECKPOINT, save, as_json, "saved {name}")


def stop(
    save: SaveOption = None,
    now: Annotated[bool, typer.Option("--now", help="At once, without a checkpoint.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Save a checkpoint and stop the engine."""
    from configs.paths import SaveFolder
    from lore.figures import number
    from realm_tui.runtime.engine_process import stop_engine
    from realm_tui.runtime.opened import opened

    folder = SaveFolder.named(save)
    with opened(folder):
        pass
    reply = stop_engine(folder, now=now, on_progress=say)
    if as_json:
        data({"verb": "stop", "step": reply.step if reply else None, "running": reply is not None})
    elif reply is None:
        say("no engine is running")
    else:
        typer.echo(f"stopped at step {number(reply.step)}")


def promote(
    form: Annotated[
        str | None,
        typer.Argument(metavar="[CHECKPOINT]", help="Name, step or digest [default: the best examined one]."),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Crown a form champion and export it.

    It is protected, and copied as a folder that plain transformers loads and answers with.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime import orders

    result = orders.promote(SaveFolder.named(save), form, progress=say)
    if as_json:
        data(result)
        return
    typer.echo(f"champion: {result['name']}")
    typer.echo(str(result["path"]))


def ask(
    prompt: Annotated[str, typer.Argument(metavar="TEXT", help="What to ask.")],
    form: Annotated[
        str | None,
        typer.Option("--form", help="live, champion, or a checkpoint [default: the champion, else the live hero]."),
    ] = None,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, max=5.0, help="0 is greedy.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the random stream, above temperature 0.")] = 0,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=1, help="Longest answer.")] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the champion, or the live hero."""
    from configs.paths import SaveFolder
    from realm_tui.runtime import orders
    from realm_tui.runtime.foreign import clean

    result = orders.ask(
        SaveFolder.named(save), prompt, form, progress=say, temperature=temperature, seed=seed, max_tokens=max_tokens
    )
    if as_json:
        data({"prompt": prompt, **result})
        return
    typer.echo("\n".join(clean(line) for line in str(result["answer"]).splitlines()))
    say(f"({result.get('form', '–')}, step {result.get('step', '–')})")
