"""The guild hall's rows: skills, the ladder of one of them, primitives, and the course."""

from __future__ import annotations

from collections.abc import Mapping

from engine.curriculum.primitives import PrimitiveStanding
from engine.curriculum.state import Tally
from lore.figures import share
from lore.lexicon import label
from realm_tui.app.drawing import Look, Row, Span, column
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.sheet import folded
from realm_tui.app.words import UNKNOWN, fraction, whole
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.guild_view import AHEAD_STEPS, GuildView, LevelView, SkillView

_CELLS = {"held": ("■", "good"), "won": ("▣", "skill"), "lost": ("×", "bad-strong"), "training": ("▸", "accent-strong")}
_STATE_TONES = {"held": "good", "won": "skill", "lost": "bad-strong", "training": "accent-strong", "ahead": "faint"}


# ---------------------------------------------------------------- skills


def skills_head(look: Look, width: int) -> Row:
    """The columns' names."""
    texts = (
        column("", 23),
        column("won", 6, right=True),
        column(label("skill.held", look.names), 6, right=True),
        column("at", 8, right=True),
        column("exams", 6, right=True),
        column("share", 6, right=True),
    )
    room = width - 58
    return (("".join(texts), "faint"), ("  ■ held ▣ won × lost ▸ next" if room >= 26 else "", "faint"))


def skill_row(skill: SkillView, look: Look, width: int) -> Row:
    """``BIN  Binary Alchemy   2   1   L3   1/3   67 %   ×▣▸···``; a level's cell is full while it is held."""
    at = "all won" if skill.complete else f"L{skill.training}"
    exams = UNKNOWN if skill.complete else f"{skill.streak}/{skill.streak_needed}"
    steps = UNKNOWN if skill.share is None else f"{100 * skill.share:.0f} %"
    row: list[Span] = [
        (column(skill.id.upper(), 5), "skill-strong"),
        (column(clean(skill.name), 17) + " ", "text"),
        (column(str(skill.won), 6, right=True), "strong"),
        (column(str(skill.held), 6, right=True), "bad-strong" if skill.lost else "strong"),
        (column(at, 8, right=True), "text"),
        (column(exams, 6, right=True), "text"),
        (column(steps, 6, right=True), "text"),
    ]
    room = width - 58
    if room >= 4:
        row += [("  ", ""), *_strip(skill, room)]
    return tuple(row)


def _strip(skill: SkillView, room: int) -> list[Span]:
    levels = skill.levels
    if len(levels) > room:
        first = max(0, min(skill.training - room // 2, len(levels) - room))
        levels = levels[first : first + room]
    return [_CELLS.get(one.state, ("·", "line")) for one in levels]


def levels_rows(skill: SkillView, look: Look, width: int) -> list[Row]:
    """The ladder: what won each level, and how it stands now; levels far ahead are summed up."""
    head = f" {column('', 5)}{column('', 18)}{column('', 12)}{column('won at', 10, right=True)}"
    rows: list[Row] = [((f"{head}{column('then', 7, right=True)}{column('now', 7, right=True)}", "faint"),)]
    ahead = 0
    for one in skill.levels:
        if one.state == "ahead" and one.level > skill.training + 3:
            ahead += 1
            continue
        rows.append(_level_row(one, skill, look))
        if one.state == "training" and skill.held_back:
            weak = ", ".join(map(clean, skill.held_back))
            rows += _said(f"      passed, but held back: {weak} below {skill.floor:.2f}", width, "warn", 2)
    if ahead:
        rows.append(((f" and {ahead} more to level {skill.max_level}", "faint"),))
    return rows


def _level_row(one: LevelView, skill: SkillView, look: Look) -> Row:
    words = {
        "held": label("skill.held", look.names),
        "won": label("skill.won", look.names),
        "lost": label("skill.lost", look.names),
        "training": label("skill.training", look.names),
        "ahead": "",
    }
    tone = _STATE_TONES[one.state]
    quiet = "faint" if one.state == "ahead" else "text"
    return (
        (f" {column(f'L{one.level}', 5)}", "muted"),
        (column(clean(one.name), 17) + " ", quiet),
        (column(words[one.state], 12), tone),
        (column(whole(one.won_step) if one.won_step is not None else UNKNOWN, 10, right=True), "muted"),
        (column(_tally(one.peak), 7, right=True), "muted"),
        (column(_tally(one.now), 7, right=True), "bad-strong" if one.state == "lost" else quiet),
    )


def _tally(found: Tally | None) -> str:
    return UNKNOWN if found is None or not found.items else share(found.correct, found.items)


# ---------------------------------------------------------------- primitives


def primitive_row(one: PrimitiveStanding, look: Look, width: int) -> Row:
    """``carry       ██████····  .64 [.52 … .75]  n 64 ↑ frail``; the bar is the share, weak ones are marked."""
    known = ("weak" if not look.tavern else label("guild.weak", look.names)) if one.weak else ""
    mark = known or ("lags" if one.spar else "")
    tone = "bad" if one.weak else "warn" if one.spar else "good"
    low, high = one.interval
    counted = column(f"n {one.tally.items}", 7, right=True) if width >= 64 else ""
    filled, empty = bar(one.accuracy, max(3, min(24, width - 47 - len(counted))), look.ascii)
    trend = " " if one.trend is None or abs(one.trend) < 0.05 else "↑" if one.trend > 0 else "↓"
    return (
        (column(clean(one.primitive), 21) + " ", "text"),
        (filled, tone),
        (empty, "line"),
        (f" {share(one.tally.correct, one.tally.items)}", "strong"),
        (f" [{fraction(low)} … {fraction(high)}]", "muted"),
        (counted, "faint"),
        (f" {trend} ", "text"),
        (column(mark, 6), tone),
    )


PRIMITIVES_EMPTY = "No exam has asked a primitive yet. The first exam fills this list; nothing needs to be done."
SKILLS_EMPTY = "This hero trains no skill of the game; it learns from your quests alone."


# ---------------------------------------------------------------- the course


def course_rows(view: GuildView, look: Look, width: int) -> list[Row]:
    """Strategy, next decision with its reason, the next thousand steps, forgetting, and what was decided before."""
    course = view.course
    chosen = f"preset {course.settings.preset}" if course.settings.preset else "settings of your own"
    where = "now" if course.live else "in the newest checkpoint" if course.saved else "before the first step"
    rows: list[Row] = [
        ((f" {course.settings.strategy}", "strong"), (f"  {chosen}", "muted")),
        ((f" as of step {whole(course.step)}, {where}", "faint"),),
    ]
    if course.weights is not None:
        rows += _said("The shares you set yourself stand above the strategy.", width, "warn")
    rows += _said(course.decision.text, width, "accent")
    rows += turns_rows(view.turns, look, width)
    tone = "bad-strong" if view.budget.exceeded else "text"
    rows.append(((" forgetting  ", "muted"), (view.budget.text(), tone)))
    for skill, one in course.skills.items():
        told = []
        if one.multiplier is not None and one.state.mastered:
            told.append(f"keeping costs x{one.multiplier:.2f}")
        if one.hint is not None:
            told.append(one.hint.text(look.names))
        if one.state.pin is not None:
            told.append(f"pinned at {one.state.pin}")
        if told:
            rows += _said(f"{skill.upper()}: {', '.join(told)}", width, "muted")
        for proved, sure in ((True, "proved"), (False, "by their last screening")):
            fallen = ", ".join(f"L{f.level} {f.drop:.2f}" for f in one.regressed if f.proved is proved)
            if fallen:
                rows += _said(f"{skill.upper()} below its peak ({sure}): {fallen}", width, "warn")
    for row in course.findings:
        rows += _said(clean(f"{row.decision}: {row.reason}"), width, "warn")
    if view.decisions:
        rows += [(), ((" decided before", "accent"),)]
        for row in view.decisions:
            kind = "" if row.decision.startswith(row.kind) else f"{row.kind} "
            rows += _said(clean(f"step {row.step:,}: {kind}{row.decision}: {row.reason}"[:600]), width, "muted", 2)
    return rows


def turns_rows(turns: Mapping[str, int], look: Look, width: int) -> list[Row]:
    """How many of the next steps each skill gets, as bars."""
    if not turns:
        return [((" no skill to train; only your quests", "faint"),)]
    rows: list[Row] = [((f" of the next {AHEAD_STEPS:,} steps", "muted"),)]
    for skill, count in turns.items():
        filled, empty = bar(count / AHEAD_STEPS, max(6, min(24, width - 24)), look.ascii)
        rows.append(
            (
                (column(f"   {skill.upper()}", 14), "skill-strong"),
                (filled, "skill"),
                (empty, "line"),
                (f" {count:>5,}", "text"),
            )
        )
    return rows


def _said(text: str, width: int, tone: str, most: int = 4) -> list[Row]:
    return [((f" {line}", tone),) for line in folded(text, max(10, width - 2), most)]
