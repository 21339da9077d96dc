"""``realm skill new``, ``measure`` and ``review``: from samples to a skill that a person accepted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, data, say, table

if TYPE_CHECKING:
    from configs.declared import DeclaredSkill
    from skills.forge.proposal import Proposal

OwnArgument = Annotated[str, typer.Argument(metavar="SKILL", help="Id of a declared skill.")]
StepsOption = Annotated[
    int, typer.Option("--steps", min=1, max=100_000, metavar="N", help="Steps of the measured training.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of the measured hatchling.")]
_LINES = 8


def new(
    source: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="JSONL with questions and answers of a new domain.")
    ],
    skill_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The skill's id [default: the file's name].")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What it is called.")] = None,
    levels: Annotated[int, typer.Option("--levels", min=1, max=20, help="Levels of its ladder.")] = 5,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a proposal of the same id.")] = False,
    measure_it: Annotated[bool, typer.Option("--measure", help="Also train a newborn hatchling on it.")] = False,
    steps: StepsOption = 400,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Forge a skill from samples: templates, levels, answers and an exam plan, for you to judge.

    The proposal is written to config/skills and is trained by nobody before `realm skill review ID --accept`.
    """
    from skills.forge.proposal import checked_facts, propose, skill_id_of

    found = propose(source, skill_id_of(source, skill_id), name, levels=levels, replace=replace)
    gain = _measured(found.declared.id, steps, seed, source) if measure_it else None
    if as_json:
        data(
            {
                "id": found.declared.id,
                "path": str(found.path),
                "operations": _operations(found.declared),
                "exams": [exam.model_dump() for exam in found.declared.exams],
                "checks": checked_facts(found.checked),
                "unexplained": found.odd,
                "refused": list(found.samples.refused),
                "doubts": found.doubts,
                "gain": gain,
            }
        )
        return
    _tell(found)
    if gain is not None:
        _tell_gain(gain)
    typer.echo(f"written: {found.path} (proposed)")
    typer.echo(
        f"next: realm skill sample {found.declared.id} --level 1, then realm skill review {found.declared.id} --accept"
    )


def measure(
    skill: Annotated[str, typer.Argument(metavar="SKILL", help="A skill's id.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Also ask the samples of this file that training never met."),
    ] = None,
    steps: StepsOption = 400,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train a newborn hatchling on one skill alone, and show its exams before and after."""
    gain = _measured(skill, steps, seed, source)
    if as_json:
        data(gain)
    else:
        _tell_gain(gain)


def review(
    skill: OwnArgument,
    accept: Annotated[bool, typer.Option("--accept", help="It may be trained.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="It may not.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    anyway: Annotated[bool, typer.Option("--anyway", help="Accept although its samples do not support it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a declared skill with its checks, and accept or reject it."""
    from configs.declared import read_declared
    from configs.errors import UsageError
    from skills.forge.proposal import decide, find_own
    from skills.registry import forget

    if accept and reject:
        raise UsageError("--accept and --reject cannot both be meant", fix="say one", code="BAD_ARGUMENTS")
    declared = (
        decide(skill, accept=accept, note=note, anyway=anyway) if accept or reject else read_declared(find_own(skill))
    )
    forget()
    if as_json:
        data(
            {
                "id": declared.id,
                "review": declared.review.model_dump(),
                "operations": _operations(declared),
                "exams": [exam.model_dump() for exam in declared.exams],
                "forged": declared.forged,
            }
        )
        return
    typer.echo(
        f"{declared.id}: {declared.name}, {declared.review.state}" + (f" ({declared.review.note})" if note else "")
    )
    _tell_skill(declared)
    for key, value in declared.forged.items():
        if key not in ("unexplained", "gain"):
            typer.echo(f"{key}: {value}")
    for why, lines in declared.forged.get("unexplained", {}).items():
        typer.echo(f"not explained: {why}: lines {', '.join(map(str, lines))}")
    if declared.forged.get("gain"):
        _tell_gain(declared.forged["gain"])


def _measured(skill: str, steps: int, seed: int, source: Path | None) -> dict[str, Any]:
    from configs.declared import own_skill_files, read_declared
    from realm_tui.runtime.forge import measure_gain
    from skills.forge.consistency import unseen
    from skills.forge.proposal import find_own, note_gain
    from skills.forge.samples import read_samples
    from skills.registry import forget, skill_id

    forget()
    found = skill_id(skill)
    pairs = unseen(read_declared(find_own(found)), read_samples(source).found) if source is not None else []
    say(f"a newborn hatchling learns {found} for {steps} steps …")
    gain = measure_gain(found, steps=steps, seed=seed, pairs=pairs)
    if found in own_skill_files():
        note_gain(found, gain)
    return gain


def _operations(declared: DeclaredSkill) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "templates": list(operation.templates),
            "answer": operation.answer,
            "where": operation.where,
            "first_level": operation.first_level,
            "primitives": list(operation.primitives),
        }
        for name, operation in declared.operations.items()
    ]


def _tell(found: Proposal) -> None:
    checked = found.checked
    typer.echo(f"{found.declared.id}: {checked.samples} samples read, {checked.held_out} more held out")
    _tell_skill(found.declared)
    for why, lines in found.odd.items():
        shown = ", ".join(map(str, lines[:_LINES])) + (" …" if len(lines) > _LINES else "")
        typer.echo(f"not explained, {len(lines)} samples: {why} (lines {shown})")
    for refused in found.samples.refused[:_LINES]:
        typer.echo(f"refused: {refused}")
    typer.echo(f"explained: {checked.explained} of {checked.samples}")
    typer.echo(f"held-out samples that get their answer: {checked.answered} of {checked.held_out}")
    typer.echo(
        f"made problems that read back to their answer: {checked.regenerated - checked.ambiguous} of {checked.regenerated}"
    )
    doubts = found.doubts
    typer.echo("doubts: " + "; ".join(doubts) if doubts else "the samples support it")


def _tell_skill(declared: DeclaredSkill) -> None:
    table(
        ("OPERATION", "FROM LEVEL", "ANSWER", "PRIMITIVES", "WORDING"),
        [
            (o["name"], str(o["first_level"]), o["answer"], ", ".join(o["primitives"]) or "–", o["templates"][0])
            for o in _operations(declared)
        ],
        right=(1,),
    )
    if declared.exams:
        table(
            ("LEVEL", "EXAM ITEMS", "CONSTANT ANSWER"),
            [
                (str(e.level), f"{e.items}{' (all, apprentice)' if e.apprentice else ''}", f"{e.constant_share:.2f}")
                for e in declared.exams
            ],
            right=(0, 1, 2),
        )


def _tell_gain(gain: dict[str, Any]) -> None:
    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    typer.echo(
        f"{gain['hero']} learnt it alone: {gain['steps']} steps, {gain['examples']:,} examples, {gain['seconds']:.0f} s"
    )
    rows = [
        (f"level {e['level']}", str(e["items"]), share(e.get("constant")), share(e["before"]), share(e["after"]))
        for e in gain["levels"]
    ]
    if gain["samples"]["items"]:
        told = gain["samples"]
        rows.append(("samples never trained", str(told["items"]), "–", share(told["before"]), share(told["after"])))
    table(("EXAM", "ITEMS", "CONSTANT ANSWER", "BEFORE", "AFTER"), rows, right=(1, 2, 3, 4))
