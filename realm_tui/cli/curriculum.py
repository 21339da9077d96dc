"""``realm curriculum``: what trains next and why, how skills share the steps, what is forgotten, what holding costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs.errors import UsageError
from realm_tui.cli.output import JsonOption, SaveOption, data, line, say, table

if TYPE_CHECKING:
    from realm_tui.runtime.course import CourseView, SkillCourse

app = typer.Typer(help="What the hero learns next, and why.", no_args_is_help=True, rich_markup_mode=None)

PresetOption = Annotated[str | None, typer.Option("--preset", metavar="NAME", help="See `realm curriculum presets`.")]
StrategyOption = Annotated[
    str | None, typer.Option("--strategy", metavar="NAME", help="equal, focus, weighted, catch_up or bandit.")
]
FocusOption = Annotated[str | None, typer.Option("--focus", metavar="SKILL", help="Train this one; keep the others.")]
SkillOption = Annotated[
    list[str] | None, typer.Option("--skill", metavar="SKILL=WEIGHT", help="Its part of the steps, e.g. bin=2.")
]
TargetOption = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="SKILL=LEVEL", help="Level from which a skill is only kept; `own`: its last."),
]
PriorityOption = Annotated[
    list[str] | None, typer.Option("--priority", metavar="SKILL=N", help="Lower comes first where two are alike.")
]
EnableOption = Annotated[list[str] | None, typer.Option("--enable", metavar="SKILL", help="Train it.")]
DisableOption = Annotated[list[str] | None, typer.Option("--disable", metavar="SKILL", help="Do not train it.")]

OWN = "own"


@app.command()
def show(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show strategy, shares, the next decision, lost levels and what holding costs."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.course import course
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        view = course(found)
    if as_json:
        data(_json(view))
        return
    _print(view)


@app.command()
def preview(
    steps: Annotated[int, typer.Option("--steps", min=1, max=100_000, help="How far to look ahead.")] = 1000,
    preset: PresetOption = None,
    strategy: StrategyOption = None,
    focus: FocusOption = None,
    skill: SkillOption = None,
    target: TargetOption = None,
    priority: PriorityOption = None,
    enable: EnableOption = None,
    disable: DisableOption = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would train next, with the options given; nothing is changed."""
    from configs.paths import SaveFolder
    from engine.curriculum.strategy import Rules
    from realm_tui.runtime.course import course, what_if
    from realm_tui.runtime.opened import opened

    change = _change(preset, strategy, focus, skill, target, priority, enable, disable)
    with opened(SaveFolder.named(save)) as found:
        view = course(found)
        if change:
            view = what_if(found, view, change)
        turns = view.preview(Rules.of(found.rules), steps)
    if as_json:
        data({"steps": steps, "turns": turns, "change": change, **_json(view)})
        return
    typer.echo(view.decision.text)
    table(
        ("SKILL", "STEPS", "SHARE", "LEVEL", "DRAWS"),
        [
            (s, str(count), f"{100 * count / steps:.0f} %", str(view.skills[s].state.training), _draws(view.skills[s]))
            for s, count in turns.items()
        ],
        right=(1, 2, 3),
    )


@app.command("set")
def set_(
    preset: PresetOption = None,
    strategy: StrategyOption = None,
    focus: FocusOption = None,
    skill: SkillOption = None,
    target: TargetOption = None,
    priority: PriorityOption = None,
    enable: EnableOption = None,
    disable: DisableOption = None,
    pin: Annotated[
        str | None,
        typer.Option("--pin", metavar="SKILL=LEVEL", help="Hold the training level there, or at `max`; `own` lets go."),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what trains from the next step on.

    Each change is remembered with its step: a resumed hero makes it again.
    """
    from configs.paths import SaveFolder
    from engine.link.protocol import Verb
    from lore.figures import number
    from realm_tui.runtime.orders import order

    change = _change(preset, strategy, focus, skill, target, priority, enable, disable)
    args: dict[str, Any] = {"curriculum": change} if change else {}
    if pin is not None:
        name, level = _pair("--pin", pin)
        args |= {"skill": name, "pin": None if level == OWN else "max" if level == "max" else _whole("--pin", level)}
    if not args:
        raise UsageError(
            "nothing to change", fix="name a setting, see `realm curriculum set --help`", code="BAD_ARGUMENT"
        )
    reply = order(SaveFolder.named(save), Verb.SET, args, progress=say)
    told = reply.result["curriculum"]
    if as_json:
        data({"step": reply.step, "settings": told["settings"], "next": told["next"]})
        return
    typer.echo(f"from step {number((reply.step or 0) + 1)}: {told['next']['plan']}")
    typer.echo(f"next {told['next']['skill'].upper()} L{told['next']['level']}: {told['next']['reason']}")


@app.command()
def presets(as_json: JsonOption = False) -> None:
    """List the presets and strategies there are."""
    from configs.curriculum import load_book

    book = load_book()
    if as_json:
        data(book.model_dump(mode="json"))
        return
    table(
        ("PRESET", "STRATEGY", "WHAT IT DOES"),
        [(name, one.strategy, one.description) for name, one in book.presets.items()],
    )
    typer.echo("")
    table(("STRATEGY", "WHAT IT DOES"), list(book.strategies.items()))


@app.command()
def peaks(
    skill: Annotated[str, typer.Argument(metavar="SKILL", help="Whose levels.")],
    level: Annotated[
        int | None, typer.Option("--level", min=1, help="Only this one [default: those below their peak].")
    ] = None,
    items: Annotated[int, typer.Option("--items", min=1, max=1024, help="Questions a level.")] = 64,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the hero and the form that won a level the same questions: what was really lost since.

    Only questions that one of them answers and the other does not say anything, so this tells more than two exams.
    """
    from configs.paths import SaveFolder
    from lore.figures import share
    from realm_tui.runtime.course import peak_exams

    found = peak_exams(SaveFolder.named(save), skill, level, items, progress=say)
    if as_json:
        data([one.as_dict() for one in found])
        return
    if not found:
        say("no level stands below its peak" if level is None else f"level {level} of {skill} was not won")
        return
    table(
        ("LEVEL", "WON BY", "THEN", "NOW", "GAIN", "INTERVAL", "FINDING"),
        [
            (
                f"L{one.level}",
                one.form,
                share(one.then[0], one.then[1]),
                share(one.now[0], one.now[1]),
                f"{one.gain:+.2f}",
                f"{one.interval[0]:+.2f} … {one.interval[1]:+.2f}",
                one.finding,
            )
            for one in found
        ],
        right=(2, 3, 4, 5),
    )


@app.command()
def log(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest.")] = 20,
    kind: Annotated[str | None, typer.Option("--kind", help="strategy, attempt, maxed, plateau or drill.")] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was decided and found, with its reasons; the newest last."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.opened import opened
    from saves.decisions import recent_decisions

    with opened(SaveFolder.named(save)) as found:
        rows = recent_decisions(found.conn, found.campaign.id, kind=kind, limit=limit)
    for row in reversed(rows):
        if as_json:
            line({"step": row.step, "kind": row.kind, "skill": row.skill, "strategy": row.strategy,
                  "decision": row.decision, "reason": row.reason, "detail": dict(row.detail), "at": row.at})  # fmt: skip
        else:
            typer.echo(f"step {row.step:>7}  {row.kind:<9} {row.decision}: {row.reason}")


# ---------------------------------------------------------------- what is shown


def _draws(one: SkillCourse) -> str:
    told = f"L1 to L{one.top}"
    return f"{told}, more where answers change" if one.state.sampling == "progress" else told


def _print(view: CourseView) -> None:
    where = "now" if view.live else "in the newest checkpoint" if view.saved else "before the first step"
    chosen = f"preset {view.settings.preset}" if view.settings.preset else "your own settings"
    typer.echo(f"strategy {view.settings.strategy} ({chosen}), step {view.step}, {where}")
    if view.weights is not None:
        typer.echo("the shares that you set stand above it; `realm set --weight own` gives them back")
    typer.echo(view.decision.text)
    typer.echo(f"forgetting: {view.budget.text()}")
    table(
        ("SKILL", "SHARE", "WON", "HELD", "TRAINS", "TARGET", "KEEPING", "HINT"),
        [_row(view, skill, one) for skill, one in view.skills.items()],
        right=(1, 2, 3, 4, 5, 6),
    )
    for skill, one in view.skills.items():
        for fallen in one.regressed:
            sure = "proved" if fallen.proved else "by its last screening"
            typer.echo(f"{skill} L{fallen.level} is {fallen.drop:.2f} below its peak ({sure})")
    for row in view.findings:
        typer.echo(f"{row.decision}: {row.reason}")


def _row(view: CourseView, skill: str, one: SkillCourse) -> tuple[str, ...]:
    state, chosen = one.state, view.settings.of(skill)
    return (
        skill,
        f"{100 * one.share:.0f} %",
        str(state.mastered),
        str(state.held),
        f"L{state.training}" + (" pinned" if state.pin is not None else ""),
        "–" if chosen.target is None else f"L{chosen.target}",
        "–" if one.multiplier is None else f"×{one.multiplier:.2f}",
        "–" if one.hint is None else one.hint.text("plain"),
    )


def _json(view: CourseView) -> dict[str, Any]:
    return {
        "step": view.step,
        "live": view.live,
        "settings": view.settings.as_dict(),
        "weights": view.weights,
        "next": view.decision.as_dict(),
        "forgetting": {
            "won": view.budget.won,
            "lost": view.budget.lost,
            "allowed": view.budget.allowed,
            "spent": view.budget.spent,
            "exceeded": view.budget.exceeded,
        },
        "skills": {skill: _skill_json(one) for skill, one in view.skills.items()},
        "findings": [{"kind": row.kind, "step": row.step, **row.detail} for row in view.findings],
    }


def _skill_json(one: SkillCourse) -> dict[str, Any]:
    state = one.state
    return {
        "share": one.share,
        "mastered": state.mastered,
        "held": state.held,
        "lost": list(state.lost),
        "training": state.training,
        "pin": state.pin,
        "sampling": state.sampling,
        "progress": {level: record._asdict() for level, record in sorted(state.progress.items())},
        "maintenance_multiplier": one.multiplier,
        "effort": {"new": state.effort_new, "held": state.effort_held},
        "hint": None
        if one.hint is None
        else {"hint": one.hint.kind, "confidence": one.hint.confidence, "zone": one.hint.zone, "trend": one.hint.trend},
        "regressed": [
            {"level": r.level, "peak": list(r.peak), "now": list(r.now), "drop": r.drop, "proved": r.proved}
            for r in one.regressed
        ],
    }


# ---------------------------------------------------------------- what was typed


def _change(
    preset: str | None,
    strategy: str | None,
    focus: str | None,
    weights: list[str] | None,
    targets: list[str] | None,
    priorities: list[str] | None,
    enable: list[str] | None,
    disable: list[str] | None,
) -> dict[str, Any]:
    """The options as `engine.curriculum.presets.changed` takes them; empty without any."""
    skills: dict[str, dict[str, Any]] = {}
    for text in weights or ():
        name, value = _pair("--skill", text)
        skills.setdefault(name, {})["weight"] = _figure("--skill", value)
    for text in targets or ():
        name, value = _pair("--target", text)
        skills.setdefault(name, {})["target"] = None if value == OWN else _whole("--target", value)
    for text in priorities or ():
        name, value = _pair("--priority", text)
        skills.setdefault(name, {})["priority"] = _whole("--priority", value)
    for name in enable or ():
        skills.setdefault(name, {})["enabled"] = True
    for name in disable or ():
        skills.setdefault(name, {})["enabled"] = False
    said = {"preset": preset, "strategy": strategy, "focus": focus, "skills": skills or None}
    return {key: value for key, value in said.items() if value is not None}


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise UsageError(
            f"{option} {text!r} is not SKILL=VALUE", fix=f"for instance {option} bin=2", code="BAD_ARGUMENT"
        )
    return name, value


def _whole(option: str, text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{option}: {text!r} is no whole number", fix="give a number", code="BAD_ARGUMENT")
    return int(text)


def _figure(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no number", fix="give a number", code="BAD_ARGUMENT") from None
