"""The forge's rows: drills, rounds of sparring, and forged skills with their checks."""

from __future__ import annotations

from collections.abc import Sequence

from lore.figures import share
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, Span, column
from realm_tui.app.widgets.sheet import folded
from realm_tui.app.words import UNKNOWN, age, fraction, whole
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.forge_view import DrillView, ForgeView, ProposalView
from saves.rows import ForgedQuest
from saves.sparring import Round

_STATE_TONES = {"proposed": "accent-strong", "accepted": "good", "rejected": "muted", "broken": "bad-strong"}
_ROUND_TONES = {"flawless": "good", "completed": "good", "stale": "faint", "failed": "bad", "processing": "accent"}


# ---------------------------------------------------------------- drills


def drill_row(one: DrillView, look: Look, width: int) -> Row:
    """``carry  .64 [.52 … .75]  frail  BIN add, subtract, 200 steps``."""
    stood = one.standing
    low, high = stood.interval
    tone = "bad" if stood.weak else "warn" if stood.spar else "good"
    mark = label("guild.weak", look.names) if stood.weak else "lags" if stood.spar else ""
    if one.drill is None:
        told = "nothing drills it"
    else:
        told = f"{one.drill.skill.upper()} {', '.join(one.drill.operations)}, {one.drill.steps} steps"
    return (
        (column(clean(stood.primitive), 21) + " ", "text"),
        (share(stood.tally.correct, stood.tally.items), tone),
        (f" [{fraction(low)} … {fraction(high)}]", "muted"),
        (f" {column(mark, 6)} ", tone),
        (clean(told), "muted" if one.drill is not None else "faint"),
    )


DRILLS_EMPTY = "Nothing to drill yet: exams have not asked a primitive. After the first exams the weakest stand here, each with its drill."
PROPOSALS_EMPTY = (
    "No skill of your own yet. `realm skill new --from FILE` forges one from questions and answers; it comes here, and nobody "
    "trains it before you accept it."
)


# ---------------------------------------------------------------- sparring and problems made


def forge_rows(view: ForgeView, look: Look, width: int, now: float) -> list[Row]:
    """What to drill first and why, rounds of sparring with what became of their quests, and what the engine forged."""
    rows: list[Row] = []
    if view.suggested is not None:
        rows += [*_said(clean(f"drill first: {view.reason}"), width, "accent"), ()]
    elif view.drills:
        rows += [*_said("no primitive is weak; sparring finds what is still wrong", width, "good"), ()]
    if not view.rounds:
        rows += _said("No round of sparring yet. In one the hero answers a hundred fresh problems; what it gets wrong "
                      "becomes a quest that goes first.", width, "muted")  # fmt: skip
    for one in view.rounds:
        rows.append(_round_row(one, look, now))
    rows += [(), ((f" {label('forge.problems', look.names)}", "accent"),)]
    if not view.forged:
        rows += _said(
            "None yet: while no file of yours waits, the engine makes problems for the level at hand.", width, "faint"
        )
    for skill, states in view.forged.items():
        told = ", ".join(f"{count:,} {state}" for state, count in states.items())
        rows += _said(f"stretches of {skill.upper()}: {told}", width, "text")
    if view.latest is not None:
        told = f"newest: {view.latest.skill.upper()}, {_steps(view.latest)}, {view.latest.state}"
        rows += _said(told, width, "muted")
    if view.last_drill is not None:
        rows += _said(clean(f"last drill at step {view.last_drill.step:,}: {view.last_drill.decision}"), width, "muted")
    return rows


def _steps(one: ForgedQuest) -> str:
    """Where a stretch began and ended; it may end before its first step."""
    if one.last_step is None:
        return f"from step {one.first_step:,}"
    if one.last_step < one.first_step:
        return "before its first step"
    return f"steps {one.first_step:,} to {one.last_step:,}"


def _round_row(one: Round, look: Look, now: float) -> Row:
    bout = one.sparring
    spans: list[Span] = [
        (column(f" {age(now - bout.at)} ago", 13), "muted"),
        (column(f"{bout.skill.upper()} L{bout.level}", 9), "text"),
        (f"{bout.failed} of {bout.asked} wrong ", "bad" if bout.failed else "good"),
        (f" {bout.records} records  ", "muted"),
        (one.state, _ROUND_TONES.get(one.state, "text")),
    ]
    if bout.detail.get("targeted"):
        spans.append(("  targeted", "faint"))
    return tuple(spans)


# ---------------------------------------------------------------- forged skills


def proposal_row(one: ProposalView, look: Look, width: int) -> Row:
    """``?  tides   to be judged   5 levels  38 of 40 explained``."""
    state = entry(f"forge.state.{one.state}")
    told = _explained(one) if one.forged else "written by hand" if one.state != "broken" else one.trouble
    doubts = f"  {len(one.doubts)} doubts" if one.doubts else ""
    return (
        (f"{state.mark(ascii_only=look.ascii)} ", _STATE_TONES[one.state]),
        (column(clean(one.id), 18) + " ", "strong"),
        (column(state.named(look.names), 14), _STATE_TONES[one.state]),
        (column(f"{one.levels} levels" if one.levels else UNKNOWN, 10), "muted"),
        (clean(told), "muted"),
        (doubts, "warn"),
    )


def _explained(one: ProposalView) -> str:
    forged = one.forged
    return f"{forged.get('explained', UNKNOWN)} of {forged.get('samples', UNKNOWN)} samples explained"


def proposal_rows(
    one: ProposalView | None, problems: Sequence[tuple[int, str, str]] | None, look: Look, width: int
) -> list[Row]:
    """One forged skill: its checks, doubts, operations, measured gain, and a few of its problems."""
    if one is None:
        return _said(
            "Checks, doubts and a few problems of a forged skill stand here once there is one.", width, "faint"
        )
    rows: list[Row] = [((f" {clean(one.name[:200])}", "strong"), (f"  {clean(one.id)}, {one.levels} levels", "muted"))]
    if one.trouble:
        return rows + _said(clean(one.trouble), width, "bad", 8)
    if one.note:
        rows += _said(f"note: {clean(one.note)}", width, "muted")
    forged = one.forged
    if forged:
        rows += _said(f"{_explained(one)}; {forged.get('held_out_answered', UNKNOWN)} of {forged.get('held_out', UNKNOWN)} "
                      f"held-out samples get their answer; {forged.get('ambiguous', UNKNOWN)} of {forged.get('made', UNKNOWN)} "
                      "made problems can be read in two ways", width, "text")  # fmt: skip
        rows += _gain(forged.get("gain"), width)
    rows += [row for doubt in one.doubts for row in _said(f"doubt: {clean(doubt)}", width, "warn")]
    if forged and not one.doubts:
        rows += _said("the samples support it", width, "good")
    rows += [(), ((" operations", "accent"),)]
    for name, wording, answer in one.operations:
        rows += _said(clean(f"{name}: {wording} → {answer}", newline=" ↵ "), width, "text", 2)
    if problems:
        rows += [(), ((" problems it makes", "accent"),)]
        for level, prompt, right in problems:
            rows += _said(clean(f"L{level}  {prompt[:600]} → {right[:200]}", newline=" ↵ "), width, "muted", 3)
    return rows


def _gain(gain: object, width: int) -> list[Row]:
    if not isinstance(gain, dict) or not gain.get("levels"):
        return _said("no gain was measured: `realm skill measure` trains a newborn hatchling on it", width, "faint")
    told = ", ".join(
        f"level {one.get('level')} {fraction(one.get('before'))} to {fraction(one.get('after'))}"
        for one in gain["levels"]
    )
    return _said(f"measured on a newborn hatchling in {whole(gain.get('steps'))} steps: {told}", width, "good")


def _said(text: str, width: int, tone: str, most: int = 6) -> list[Row]:
    return [((f" {line}", tone),) for line in folded(text, max(10, width - 2), most)]
