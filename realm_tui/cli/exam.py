"""``realm exam``: the exams that were taken, the plan they follow, and exams on command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

if TYPE_CHECKING:
    from realm_tui.runtime.opened import OpenedSave
    from saves.rows import Exam

app = typer.Typer(help="Exams: run, list, show, and the plan they follow.", no_args_is_help=True, rich_markup_mode=None)

SkillOption = Annotated[str | None, typer.Option("--skill", help="A skill's id, e.g. bin.")]


@app.command()
def run(
    entry: Annotated[
        str | None, typer.Argument(metavar="[ENTRY]", help="An entry of the exam plan, e.g. core_gate.")
    ] = None,
    skill: SkillOption = None,
    level: Annotated[
        int | None, typer.Option("--level", min=1, help="Its level [default: the training level].")
    ] = None,
    items: Annotated[
        int | None, typer.Option("--items", min=1, help="How many questions [default: the rules'].")
    ] = None,
    mix: Annotated[str | None, typer.Option("--mix", help="A published mix [default: the hero's].")] = None,
    form: Annotated[
        str | None, typer.Option("--form", help="Who answers: live, base, champion or a checkpoint [default: live].")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="A second form that answers the same questions; the first is held to it."),
    ] = None,
    elsewhere: Annotated[
        bool | None,
        typer.Option(
            "--elsewhere/--here",
            help="Let the Inn ask a saved form, or this machine the hero [default: as `inn.inference.where` says].",
        ),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine the hero now: a level, an entry of the plan, or two forms on the same questions.

    It changes nothing of the training and counts towards no level. Elsewhere, the answers are entered while training goes on.
    """
    from configs.errors import UsageError
    from configs.paths import SaveFolder
    from engine.link.protocol import Verb
    from realm_tui.runtime.orders import order

    chosen = {"skill": skill, "level": level, "items": items, "mix": mix}
    if entry is not None and any(value is not None for value in chosen.values()):
        raise UsageError(
            "an entry of the plan says itself what it asks",
            fix="name the entry alone, or skill, level, mix and items without one",
            code="BAD_ARGUMENT",
        )
    args = {"plan": entry, **chosen, "form": form, "against": against, "elsewhere": elsewhere}
    reply = order(SaveFolder.named(save), Verb.EXAM, {k: v for k, v in args.items() if v is not None}, progress=say)
    if as_json:
        data({"step": reply.step, **reply.result})
        return
    if "waits" in reply.result:
        from realm_tui.runtime.exam_view import waits_text

        say(waits_text(reply.result["waits"]))
        return
    _print_result(reply.result)


@app.command("list")
def list_exams(
    skill: SkillOption = None,
    level: Annotated[int | None, typer.Option("--level", min=1, help="Only this level.")] = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="gate, screen, asked, quick, full, backfill, suite, passive, transfer or pair."),
    ] = None,
    entry: Annotated[str | None, typer.Option("--entry", help="Only those of this entry of the plan.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """List exams, newest first, each accuracy with its interval."""
    from configs.paths import SaveFolder
    from lore.figures import number, share
    from realm_tui.runtime.exam_view import answered_by, interval_text, remarks
    from realm_tui.runtime.opened import opened
    from saves.exams import recent_exams

    with opened(SaveFolder.named(save)) as found:
        alpha = found.rules.exams.alpha
        exams = recent_exams(
            found.conn, found.campaign.id, skill=skill, level=level, kind=kind, plan=entry, limit=limit
        )
    if as_json:
        data([_facts(exam, alpha) for exam in exams])
        return
    if not exams:
        say("no such exam was taken yet")
        return
    table(
        ("ID", "STEP", "KIND", "SKILL", "LEVEL", "RIGHT", "SHARE", "95 %" if alpha == 0.05 else "INTERVAL", "WHO", ""),
        [
            (
                str(e.id),
                number(e.step),
                e.plan or e.kind,
                e.skill,
                str(e.level),
                f"{e.correct}/{e.items}",
                share(e.correct, e.items),
                interval_text(e.correct, e.items, alpha),
                answered_by(e),
                remarks(e),
            )
            for e in exams
        ],
        right=(0, 1, 4, 5, 6),
    )


@app.command()
def show(
    exam: Annotated[int, typer.Argument(metavar="ID", min=1, help="An exam's id, from `realm exam list`.")],
    against: Annotated[
        int | None,
        typer.Option("--against", min=1, help="Another exam on the same questions, held against which this one is."),
    ] = None,
    items: Annotated[bool, typer.Option("--items", help="Every question with its answer.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an exam: by operation and primitive, with chance; item by item; or against another on the same questions."""
    from configs.paths import SaveFolder
    from realm_tui.runtime.exam_view import compared_exams
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        alpha = found.rules.exams.alpha
        one = _exam(found, exam)
        asked = _items(found, one) if items or as_json else []
        pair = compared_exams(_exam(found, against), one).as_dict(alpha) if against is not None else None
    if as_json:
        facts = {**_facts(one, alpha), "operations": dict(one.operations), "primitives": dict(one.primitives)}
        data({**facts, "results": dict(one.results), "sequence": one.sequence, "asked": asked, "against": pair})
        return
    _print_exam(one, alpha)
    if pair is not None:
        typer.echo(f"against exam {against}: {pair_text(pair)}")
    if items:
        _print_items(asked)


@app.command()
def plan(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Show the exam plan: what is asked, when, what it may cost, and how its newest exams went."""
    from configs.paths import SaveFolder
    from lore.figures import number, share
    from realm_tui.runtime.exam_view import newest_step, plan_view
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        step = newest_step(found)
        view = plan_view(found, step)
    if as_json:
        data(
            {
                "step": step,
                "budget_share": view.budget_share,
                "measured_share": view.measured_share,
                "exam_s": view.exam_s,
                "training_s": view.training_s,
                "questions": view.questions,
                "entries": [entry.as_dict() for entry in view.entries],
            }
        )
        return
    table(
        ("ENTRY", "KIND", "WHEN", "LAST", "RIGHT", "SHARE", "LEFT OUT"),
        [
            (
                e.name,
                e.entry.kind,
                e.due,
                number(e.last_step),
                f"{e.last_correct}/{e.last_items}" if e.last_step is not None else "–",
                share(e.last_correct, e.last_items),
                "; ".join(e.left_out),
            )
            for e in view.entries
        ],
        right=(3, 4, 5),
    )
    measured = "–" if view.measured_share is None else f"{100 * view.measured_share:.1f} %"
    say(f"exams took {measured} of the training's time; the plan's budget is {100 * view.budget_share:.0f} %")


@app.command()
def drift(
    alarms: Annotated[bool, typer.Option("--alarms", help="Only what has fallen.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how what is watched stands against its best, worst first."""
    from configs.paths import SaveFolder
    from lore.figures import number, share
    from realm_tui.runtime.exam_view import interval_text
    from realm_tui.runtime.opened import opened
    from saves.drifts import newest_drifts

    with opened(SaveFolder.named(save)) as found:
        alpha = found.rules.exams.alpha
        rows = [d for d in newest_drifts(found.conn, found.campaign.id) if not alarms or d.severity != "none"]
    if as_json:
        data(
            [
                {
                    "entry": d.plan,
                    "skill": d.skill,
                    "level": d.level,
                    "step": d.step,
                    "severity": d.severity,
                    "baseline": d.baseline,
                    "share": d.share,
                    **d.detail,
                }
                for d in rows
            ]
        )
        return
    if not rows:
        say("nothing has fallen" if alarms else "nothing was compared with its best yet")
        return
    table(
        ("ENTRY", "SKILL", "LEVEL", "STEP", "BEST", "NOW", "95 %" if alpha == 0.05 else "INTERVAL", "ALARM"),
        [
            (
                d.plan,
                d.skill,
                str(d.level),
                number(d.step),
                share(*d.detail["best"]),
                share(*d.detail["now"]),
                interval_text(d.detail["now"][0], d.detail["now"][1], alpha),
                d.severity if d.severity != "none" else "",
            )
            for d in rows
        ],
        right=(2, 3, 4, 5),
    )


@app.command()
def trial(
    discipline: Annotated[str, typer.Argument(metavar="DISCIPLINE", help="A discipline's id, e.g. logic_weaving.")],
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the hero try the next level of a discipline: a hundred fresh problems at the discipline's own bar.

    It needs twenty quests done and the discipline's XP; a failed trial costs a thousand steps before the next.
    """
    from configs.paths import SaveFolder
    from engine.link.protocol import Verb
    from lore.figures import share
    from realm_tui.runtime.exam_view import check_experience, interval_text
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.orders import order

    folder = SaveFolder.named(save)
    with opened(folder) as found:
        alpha = found.rules.exams.alpha
        check_experience(found, discipline)
    reply = order(folder, Verb.EXAM, {"trial": discipline}, progress=say)
    result = reply.result
    if as_json:
        data({"step": reply.step, **result})
        return
    sure = interval_text(result["correct"], result["items"], alpha)
    ended = "passed" if result["passed"] else "failed"
    typer.echo(
        f"{result['discipline']} level {result['level']} {ended}: {result['correct']} of {result['items']}, "
        f"{share(result['correct'], result['items'])} ({sure}), needed {result['threshold']:.2f}"
    )


@app.command()
def gate(
    runs: Annotated[int, typer.Option("--runs", min=1, max=100_000, help="Simulated heroes for each figure.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of their luck.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Simulate how often a level is won wrongly or missed, and a won one called lost, under the rules in force.

    Ends with 1 when a promise of the game is not kept under these rules.
    """
    from configs.loader import load_game
    from engine.curriculum.error_rates import error_rates

    rules = load_game().exams
    rates = error_rates(rules, runs=runs, seed=seed)
    if as_json:
        data({"runs": runs, "seed": seed, "rates": [rate.as_dict(rules.alpha) for rate in rates]})
    else:
        _print_rates([rate.as_dict(rules.alpha) for rate in rates])
    if any(rate.kept is False for rate in rates):
        raise typer.Exit(1)


# ---------------------------------------------------------------- in words


def pair_text(pair: dict[str, Any]) -> str:
    """A comparison in one line: what was shown, and how sure it is."""
    if not pair["items"]:
        return "nothing to compare: the questions are not the same"
    low, high = pair["interval"]
    return (
        f"{pair['finding']}: {_signed(pair['gain'])} ({_signed(low)} to {_signed(high)}) on {pair['items']} items, "
        f"{pair['better']} won and {pair['worse']} lost"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("0.", ".", 1).replace("-", "−")


def _exam(found: OpenedSave, exam_id: int) -> Exam:
    from configs.errors import UsageError
    from saves.exams import exam

    one = exam(found.conn, exam_id)
    if one is None:
        raise UsageError(f"there is no exam {exam_id}", fix="see `realm exam list`", code="UNKNOWN_EXAM")
    return one


def _facts(exam: Exam, alpha: float) -> dict[str, Any]:
    from engine.curriculum.asked import facts

    return {
        **facts(exam, alpha),
        "repeats": exam.repeats,
        "won_level": exam.won_level,
        "checkpoint": exam.checkpoint_id,
        "skill_version": exam.skill_version or None,
        "context_hash": exam.context_hash or None,
        "duration_s": exam.duration_s,
        "at": exam.at,
    }


def _items(found: OpenedSave, exam: Exam) -> list[dict[str, Any]]:
    from saves.exams import exam_items

    return [
        {
            "position": i.position,
            "operation": i.operation or None,
            "tier": i.tier or None,
            "prompt": i.prompt,
            "expected": i.expected,
            "answer": i.answer,
            "result": i.result,
            "correct": i.correct,
            "repeat": i.repeat,
            "primitives": list(i.primitives),
            "problem_digest": i.problem_digest,
        }
        for i in exam_items(found.conn, exam.id)
    ]


def _print_exam(exam: Exam, alpha: float) -> None:
    from lore.figures import number, share
    from realm_tui.runtime.exam_view import answered_by, interval_text, remarks
    from realm_tui.runtime.figures import moment

    sure = interval_text(exam.correct, exam.items, alpha)
    typer.echo(f"exam {exam.id}: {exam.skill} level {exam.level}, mix {exam.mix}, {exam.plan or exam.kind}")
    typer.echo(f"  {exam.correct} of {exam.items} right, {share(exam.correct, exam.items)} ({sure})")
    typer.echo(f"  {answered_by(exam)} at step {number(exam.step)}, {moment(exam.at)}, {exam.duration_s:.2f} s")
    if noted := remarks(exam):
        typer.echo(f"  {noted}")
    for title, counts in (("OPERATION", exam.operations), ("PRIMITIVE", exam.primitives)):
        if counts:
            typer.echo("")
            _print_counts(title, counts, alpha)


def _print_counts(title: str, counts: Any, alpha: float) -> None:
    from lore.figures import share
    from realm_tui.runtime.exam_view import interval_text

    rows = sorted(counts.items(), key=lambda c: (c[1]["correct"] / c[1]["items"], c[0]))
    chance = any("chance" in c for _, c in rows)
    table(
        (title, "RIGHT", "SHARE", "INTERVAL", *(("CHANCE",) if chance else ())),
        [
            (
                name,
                f"{c['correct']}/{c['items']}",
                share(c["correct"], c["items"]),
                interval_text(c["correct"], c["items"], alpha),
                *((share(round(100 * c["chance"]), 100) if "chance" in c else "–",) if chance else ()),
            )
            for name, c in rows
        ],
        right=(1, 2, 4),
    )


def _print_items(asked: list[dict[str, Any]]) -> None:
    from realm_tui.runtime.foreign import clean

    if not asked:
        say("its items became counts long ago")
        return
    typer.echo("")
    for item in asked:
        said = "–" if item["answer"] is None else " ⏎ ".join(clean(part) for part in str(item["answer"]).splitlines())
        wanted = "" if item["correct"] else f"  (right: {clean(' ⏎ '.join(item['expected'].splitlines()))})"
        question = clean(" ⏎ ".join(item["prompt"].splitlines()))
        typer.echo(f"{item['position'] + 1:>4}  {item['result'] or 'errored':<9} {question} → {said}{wanted}")


def _print_result(result: dict[str, Any]) -> None:
    from lore.figures import share
    from realm_tui.runtime.exam_view import interval_text

    rows = [
        (
            str(e["id"]),
            e["skill"],
            str(e["level"]),
            e["weights"][:8],
            f"{e['correct']}/{e['items']}",
            share(e["correct"], e["items"]),
            interval_text(e["correct"], e["items"], 0.05),
            f"{e['errors']} errored" if e["errors"] else "",
        )
        for e in result["exams"]
    ]
    table(("EXAM", "SKILL", "LEVEL", "WHO", "RIGHT", "SHARE", "95 %", ""), rows, right=(0, 2, 4, 5))
    for one in result.get("pairs", []):
        typer.echo(f"{one['skill']} level {one['level']}: {pair_text(one)}")
    if len(result.get("pairs", [])) > 1:
        typer.echo(f"all together: {pair_text(result['whole'])}")
    for word in ("most", "least"):
        if found := result.get(word):
            gained = ", ".join(f"{f['operation']} {_signed(f['gain'])}" for f in found)
            typer.echo(f"gained {word}: {gained}")
    for one in result.get("suggestions", []):
        typer.echo(f"within reach: {one['skill']} level {one['level']} ({one['correct']} of {one['items']})")


def _print_rates(rates: list[dict[str, Any]]) -> None:
    def promise(rate: dict[str, Any]) -> str:
        if rate["kept"] is None:
            return ""
        bar = f"< {rate['at_most']:.0%}" if rate["at_most"] is not None else f"≥ {rate['at_least']:.0%}"
        return f"{bar} {'kept' if rate['kept'] else 'NOT KEPT'}"

    table(
        ("WHAT", "TRUE", "WITHIN", "EXACT", "SIMULATED", "95 %", "HEROES", "PROMISE"),
        [
            (
                rate["event"],
                f"{rate['accuracy']:.2f}".removeprefix("0"),
                rate["within"],
                f"{rate['exact']:.2%}",
                f"{rate['simulated']:.2%}",
                f"{rate['interval'][0]:.1%}–{rate['interval'][1]:.1%}",
                str(rate["runs"]),
                promise(rate),
            )
            for rate in rates
        ],
        right=(1, 3, 4, 6),
    )
