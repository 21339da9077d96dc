"""The orders: pause, resume, park, stop, skip, checkpoint, set, promote, ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs.errors import UsageError
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
        typer.echo(done.format(**{**reply.result, "step": number(reply.step)}))


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


def park(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Pause, and give the accelerator's memory back.

    Weights and optimizer wait in the host's memory until `realm resume`.
    """
    from configs.paths import SaveFolder
    from engine.link.protocol import Verb
    from lore.figures import number
    from realm_tui.runtime.figures import size
    from realm_tui.runtime.orders import order

    reply = order(SaveFolder.named(save), Verb.PARK, {}, progress=say)
    if as_json:
        data({"verb": "park", "step": reply.step, "result": reply.result})
        return
    typer.echo(f"parked at step {number(reply.step)}")
    if reply.result.get("device") == "cpu":
        say("the hero computes on the processor: there is no accelerator to free")
    else:
        say(f"{size(reply.result.get('freed_bytes'))} of {reply.result.get('device')} memory given back")


def set_(
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="FACTOR", help="Factor of the learning rate, e.g. 0.5; `own`: none.")
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="SKILL=SHARE", help="Share of the steps for a skill; `own`: all in turn."),
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option("--replay", metavar="SHARE", help="Share of forged problems beside a quest; `own`: the rules'."),
    ] = None,
    level: Annotated[
        str | None, typer.Option("--level", metavar="LEVEL", help="Training level, or max; `own`: the curriculum's.")
    ] = None,
    skill: Annotated[str | None, typer.Option("--skill", help="Whose level [default: the one in training].")] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change learning rate, skills, replay or level.

    It holds from the next step on; without options it says what holds. Each change is remembered with its step: a resumed hero makes
    it again.
    """
    from configs.paths import SaveFolder
    from engine.link.protocol import Verb
    from lore.figures import number
    from realm_tui.runtime.orders import order

    args: dict[str, Any] = {}
    if rate is not None:
        args["rate"] = _figure("--rate", rate)
    if replay is not None:
        args["replay"] = _figure("--replay", replay)
    if weight:
        args["weights"] = _shares(weight)
    if level is not None:
        args["pin"] = None if level == OWN else level if level == "max" else _whole("--level", level)
    if skill is not None:
        args["skill"] = skill
    reply = order(SaveFolder.named(save), Verb.SET, args, progress=say)
    result = reply.result
    if as_json:
        data({"verb": "set", "step": reply.step, "result": result})
        return
    shares = ", ".join(f"{s} {w:g}" for s, w in (result["weights"] or {}).items()) or "all skills in turn"
    typer.echo(
        f"from step {number((reply.step or 0) + 1)}: rate ×{result['rate_factor']:g} ({result['learning_rate']:.3g}), "
        f"{shares}, replay {result['replay_share']:g}, {result['skill']} at level {result['training']}"
    )


OWN = "own"
"""Gives a setting back to the hero's YAML."""


def _figure(option: str, text: str) -> float | None:
    try:
        return None if text == OWN else float(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is no number", fix=f"give a number, or `{OWN}`", code="BAD_ARGUMENT"
        ) from None


def _whole(option: str, text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{option} {text!r} is no level", fix=f"give a level, max, or `{OWN}`", code="BAD_ARGUMENT")
    return int(text)


def _shares(texts: list[str]) -> dict[str, float | None] | None:
    if texts == [OWN]:
        return None
    shares: dict[str, float | None] = {}
    for text in texts:
        name, equals, share = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--weight {text!r} is no share", fix="for instance --weight bin=2", code="BAD_ARGUMENT")
        shares[name] = _figure("--weight", share)
    return shares


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
    from realm_tui.runtime.opened import must_exist

    folder = SaveFolder.named(save)
    must_exist(folder)  # not opened: an engine of an older version must be stopped before its save can be
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
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the newest crowning back: the champion before it reigns again.")
    ] = False,
    inn: Annotated[
        str | None,
        typer.Option(
            "--inn",
            metavar="PLACE",
            help="Put it to work at this place first; `hub`: the Inn. With --undo: call it back.",
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="With --inn: also a form that is shown to be worse than the champion.")
    ] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Crown a form champion and export it.

    It is protected, and copied as a folder that plain transformers loads and answers with. With --inn it goes gate, sync, swap, a trial
    answer of exactly that form, champion; what fails on the way leaves everything as it was.
    """
    from configs.paths import SaveFolder
    from realm_tui.runtime import orders

    if undo and form is not None:
        raise UsageError(
            "--undo takes back the newest crowning", fix="leave out the checkpoint's name", code="BAD_ARGUMENT"
        )
    folder = SaveFolder.named(save)
    if inn is not None:
        from realm_tui.cli.oracle import at_the_inn

        at_the_inn(folder, form or "best", inn, undo=undo, anyway=anyway, as_json=as_json)
        return
    result = orders.take_back(folder, progress=say) if undo else orders.promote(folder, form, progress=say)
    if as_json:
        data(result)
        return
    if undo:
        say(f"{result['uncrowned']} is champion no more")
        if result["name"] is None:
            typer.echo("champion: nobody")
            return
    typer.echo(f"champion: {result['name']}")
    typer.echo(str(result["path"]))
    from realm_tui.cli.oracle import others_at_work

    for place in others_at_work(folder, str(result["digest"])):
        say(f"at {place} another form works; `realm promote {result['name']} --inn {place}` brings this one there")


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
