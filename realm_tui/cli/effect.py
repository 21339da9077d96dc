"""``realm effect``: what weighs on the hero or lifts it, what brought it, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from lore.own_file import InForce

app = typer.Typer(help="Status effects: list and show.", no_args_is_help=True, rich_markup_mode=None)


def own_file_said(found: InForce[Any]) -> None:
    """Say why the player's file is not in force, where that is so."""
    if found.problem is not None:
        say(f"realm: {found.problem.what}; the shipped rules are used.")
        say(f"  why: {found.problem.why.rstrip('.')}.")


@app.command("list")
def list_effects(
    every: Annotated[bool, typer.Option("--all", help="Also those that are not in force.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the effects in force, worst first; with --all every effect there is."""
    from configs.paths import SaveFolder
    from lore.effects import effect_rules, effects_in_force
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.game_view import view_of
    from realm_tui.runtime.opened import opened

    own_file_said(effects_in_force())
    with opened(SaveFolder.named(save)) as found:
        view = view_of(found)
    active = view.effects()
    if as_json:
        rest = sorted(set(effect_rules()) - {e.id for e in active}) if every else []
        data([{"active": True, **e.as_dict()} for e in active] + [{"active": False, **_rule(name)} for name in rest])
        return
    rows = []
    for effect in active:
        left = effect.left(view.game.step)
        rest_of = f"{left:,} steps" if left is not None else "–"
        done = f"{effect.progress[0]}/{effect.progress[1]}" if effect.progress else "–"
        since = f"{effect.since:,}" if effect.since is not None else "–"
        names = (effect.id, effect.rule.label, effect.severity, since, rest_of, done)
        rows.append((*names, clean(effect.evidence)[:60]))
    if every:
        shown = {e.id for e in active}
        rows += [
            (n, r.label, r.severity, "–", "–", "–", "not in force") for n, r in effect_rules().items() if n not in shown
        ]
    if not rows:
        say("nothing weighs on the hero, and nothing lifts it (`realm effect list --all` shows what there is)")
        return
    table(("ID", "EFFECT", "SEVERITY", "SINCE", "LEFT", "CURE", "EVIDENCE"), rows, right=(3, 4, 5))


@app.command()
def show(
    effect: Annotated[str, typer.Argument(metavar="EFFECT", help="Its id.")],
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one effect: what brings it, what it does, what ends it, and whether it is in force."""
    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from configs.reading import nearest
    from lore.effects import effect_rules, effects_in_force
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.game_view import view_of
    from realm_tui.runtime.opened import opened

    own_file_said(effects_in_force())
    rules = effect_rules()
    if effect not in rules:
        near = nearest(effect, sorted(rules))
        raise UsageError(
            f"there is no effect called {clean(effect)[:60]!r}",
            fix=f"did you mean {near}?" if near else "`realm effect list --all` names them",
            code="UNKNOWN_EFFECT",
        )
    with opened(SaveFolder.named(save)) as found:
        view = view_of(found)
    active = next((e for e in view.effects() if e.id == effect), None)
    if as_json:
        data({"active": active is not None, **(active.as_dict() if active is not None else _rule(effect))})
        return
    rule = rules[effect]
    typer.echo(f"{rule.label} ({rule.plain}), {rule.kind}, {active.severity if active else rule.severity}")
    held = active.blocks if active is not None else rule.blocks
    does = [f"XP ×{rule.xp:g}" if rule.xp != 1 else "", f"no {held}" if held else "", rule.shows]
    facts = {
        "cause": rule.cause,
        "does": ", ".join(d for d in does if d) or "–",
        "cure": rule.cure,
        "in force": "no" if active is None else f"since step {active.since:,}" if active.since is not None else "yes",
    }
    if active is not None:
        left = active.left(view.game.step)
        facts["evidence"] = clean(active.evidence)[:200]
        facts["left"] = "until it is cured" if left is None else f"{left:,} steps"
        facts["cured"] = f"{active.progress[0]} of {active.progress[1]}" if active.progress else "–"
    for key, value in facts.items():
        typer.echo(f"  {key:<10} {value}")


def _rule(name: str) -> dict[str, Any]:
    from lore.effects import effect_rules

    rule = effect_rules()[name]
    return {
        "id": name,
        "label": rule.label,
        "plain": rule.plain,
        "kind": rule.kind,
        "severity": rule.severity,
        "cause": rule.cause,
        "cure": rule.cure,
        "xp": rule.xp,
        "blocks": rule.blocks or None,
    }
