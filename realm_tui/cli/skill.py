"""``realm skill``: what can be learnt, level by level, and the very problems that are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from realm_tui.cli import skill_forge
from realm_tui.cli.output import JsonOption, SaveOption, data, line, table

_SHOWN_MIXES = 3

app = typer.Typer(help="What a hero can learn.", no_args_is_help=True, rich_markup_mode=None)
app.command("new")(skill_forge.new)
app.command("measure")(skill_forge.measure)
app.command("review")(skill_forge.review)

SkillArgument = Annotated[str, typer.Argument(metavar="SKILL", help="A skill's id, e.g. bin.")]
MixOption = Annotated[
    str | None, typer.Option("--mix", metavar="NAME", help="A published mix [default: full, with --save its hero's].")
]
AllOption = Annotated[bool, typer.Option("--all", help="Also the gymnasium's tasks, and what cannot be used and why.")]


@app.command("list")
def list_skills(every: AllOption = False, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """List the skills with their levels and mixes."""
    from skills.registry import get_skill, skill_ids

    del save
    configs = [get_skill(skill_id).config for skill_id in skill_ids(every=every)]
    refused = _refused() if every else {}
    if as_json:
        known = [
            {
                "id": c.id,
                "name": c.name,
                "rpg_name": c.rpg_name,
                "category": c.category,
                "max_level": c.max_level,
                "mixes": sorted(c.mixes),
                "version": c.version,
                "description": c.description,
            }
            for c in configs
        ]
        data([*known, *({"id": skill_id, "left_out": why} for skill_id, why in refused.items())])
        return
    table(
        ("ID", "NAME", "TAVERN NAME", "LEVELS", "MIXES"),
        [(c.id, c.name, c.rpg_name, str(c.max_level), _some(list(c.mixes))) for c in configs],
        right=(3,),
    )
    if refused:
        typer.echo()
        table(("LEFT OUT", "WHY"), list(refused.items()))


def _refused() -> dict[str, str]:
    """What is no skill, with the reason: disabled ones, and tasks of the gymnasium that cannot be one or lack their package."""
    from configs.errors import RealmError
    from configs.gym import load_gym
    from skills.gym import PREFIX, make
    from skills.registry import disabled

    gym = load_gym()
    found = {skill_id: error.text() for skill_id, error in disabled().items()}
    try:
        make(next(iter(gym.tasks)))
    except RealmError as error:
        found[f"{PREFIX}*"] = f"{len(gym.tasks)} tasks: {error.why or error.what}. Way out: {error.fix}"
    return found | {f"{PREFIX}{task}": why for task, why in gym.left_out.items()}


@app.command()
def show(skill: SkillArgument, mix: MixOption = None, save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show a skill's levels: name, operations of the mix, unseen problems held out for exams."""
    from realm_tui.runtime.opened import mix_in_force
    from skills.registry import get_skill
    from skills.streams import StreamSkill

    found = get_skill(skill)
    config = found.config
    chosen = mix_in_force(config.id, mix, save)
    published = found.mix(chosen)
    limit = 200
    finite = {name for name, kind in found.kinds.items() if kind.finite} if isinstance(found, StreamSkill) else set()
    levels = [
        (level, found.level_name(level), found.operations(level, chosen), found.exam_pool(level, chosen, limit))
        for level in range(1, config.max_level + 1)
    ]
    if as_json:
        data(
            {
                "id": config.id,
                "name": config.name,
                "rpg_name": config.rpg_name,
                "description": config.description,
                "version": config.version,
                "mix": chosen,
                "mix_description": published.description,
                "not_yet": list(published.not_yet),
                "tiers": published.tiers,
                "primitives": [p.model_dump() for p in config.primitives],
                "levels": [
                    {
                        "level": level,
                        "name": name,
                        "operations": {
                            op: {"chance": found.chance(op, level), "finite": op in finite} for op in operations
                        },
                        "held_out": pool if pool < limit else None,
                    }
                    for level, name, operations, pool in levels
                ],
            }
        )
        return
    typer.echo(f"{config.id}: {config.name} ({config.rpg_name}), mix {chosen}")
    if published.description:
        typer.echo(published.description)
    rows, known = [], set[str]()
    for level, name, operations, pool in levels:
        fresh = [op for op in operations if op not in known]
        known.update(fresh)
        asks = " ".join(fresh) if level == 1 else " ".join(f"+{op}" for op in fresh) or "the same"
        rows.append((str(level), name, str(pool) if pool < limit else f"{limit}+", asks))
    table(("LEVEL", "NAME", "UNSEEN", "OPERATIONS"), rows, right=(0, 2))
    if limited := [op for op in sorted(known) if op in finite]:
        typer.echo("limited by words: " + " ".join(limited))
    if published.not_yet:
        typer.echo("not yet: " + " ".join(published.not_yet))


@app.command()
def check(
    skill: Annotated[str, typer.Argument(metavar="SKILL", help="The skill whose words are checked: sy.")],
    as_json: JsonOption = False,
) -> None:
    """Check the words a skill is made of, your own too: tiles, clues that give a word away, words told twice."""
    from configs.errors import UsageError
    from skills.sy.check import check_words
    from skills.sy.words import load_words, word_files

    if skill != "sy":
        raise UsageError(f"{skill} has no stock of words", fix="realm skill check sy", code="NOTHING_TO_CHECK")
    findings, files = check_words(), word_files()
    words = () if findings else load_words()
    if as_json:
        data(
            {
                "files": [str(file) for file in files],
                "words": None if findings else len(words),
                "findings": [{"file": f.file, "line": f.line, "word": f.word, "what": f.what} for f in findings],
            }
        )
    elif findings:
        for finding in findings:
            typer.echo(finding.text())
    else:
        typer.echo(f"{len(words)} words in {len(files)} files, and nothing is wrong with them.")
        rows = []
        for count in sorted({len(word.syllables) for word in words}):
            zipf = [word.zipf for word in words if len(word.syllables) == count]
            rows.append((str(count), str(len(zipf)), f"{min(zipf):.1f} to {max(zipf):.1f}"))
        table(("SYLLABLES", "WORDS", "ZIPF"), rows, right=(0, 1))
    if findings:
        raise typer.Exit(1)


@app.command()
def sample(
    skill: SkillArgument,
    level: Annotated[int, typer.Option("--level", min=1, help="The level.")],
    split: Annotated[str, typer.Option("--split", help="train or exam.")] = "train",
    start: Annotated[int, typer.Option("--start", min=0, help="First index of the stream.")] = 0,
    count: Annotated[int, typer.Option("--count", min=1, help="How many problems.")] = 10,
    mix: MixOption = None,
    operation: Annotated[str | None, typer.Option("--operation", help="Only this operation.")] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print problems of a level, one a line: the ones an exam asks, or the ones training reads."""
    from configs.errors import UsageError
    from realm_tui.runtime.opened import mix_in_force
    from skills.registry import get_skill

    found = get_skill(skill)
    if level > found.config.max_level:
        raise UsageError(
            f"{found.config.id} has no level {level}", fix=f"choose 1 to {found.config.max_level}", code="BAD_LEVEL"
        )
    if split not in ("train", "exam"):
        raise UsageError(f"{split!r} is no split", fix="choose train or exam", code="BAD_SPLIT")
    chosen = mix_in_force(found.config.id, mix, save)
    if operation is not None and operation not in found.operations(level, chosen):
        raise UsageError(
            f"the mix {chosen} does not ask {operation!r} at level {level}",
            fix=f"choose one of {', '.join(found.operations(level, chosen))}",
            code="UNKNOWN_OPERATION",
        )
    for index in range(start, start + count):
        problem = found.generate(level, index, "exam" if split == "exam" else "train", chosen, operation=operation)
        if not as_json:
            typer.echo(f"{problem.prompt.removesuffix(' ')} → {problem.answer}".replace("\n", " ⏎ "))
            continue
        line(
            {
                "prompt": problem.prompt,
                "answer": problem.answer,
                "digest": problem.digest,
                "problem_digest": problem.problem_digest,
                "level": problem.level,
                "split": problem.split,
                "index": problem.index,
                "operation": problem.operation,
                "tier": problem.tier,
                "primitives": list(problem.primitives),
                "repeat": problem.repeat,
                "skill": problem.skill,
                "mix": chosen,
            }
        )


def _some(names: Sequence[str]) -> str:
    """The first names, and a sign that there are more."""
    return ", ".join([*names[:_SHOWN_MIXES], *(["…"] if len(names) > _SHOWN_MIXES else [])])


@app.command()
def exam(
    skill: SkillArgument,
    level: Annotated[
        int | None, typer.Option("--level", min=1, help="The level [default: the training level].")
    ] = None,
    items: Annotated[
        int | None, typer.Option("--items", min=1, help="How many questions [default: the rules'].")
    ] = None,
    mix: MixOption = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine the hero in a skill now; the same as `realm exam run --skill`."""
    from realm_tui.cli.exam import run

    run(skill=skill, level=level, items=items, mix=mix, save=save, as_json=as_json)
