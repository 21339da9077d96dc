"""The Campaign screen's rows: the list, one campaign closely, its milestones."""

from __future__ import annotations

from collections.abc import Sequence

from lore.lexicon import entries, entry, label
from realm_tui.app.drawing import Look, Row, shorten, spread
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.lines import GAP, columns, date, drawn, levels_text, named, told, when
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, brief, number, whole
from realm_tui.runtime.campaign_view import CampaignView
from realm_tui.runtime.campaigns import Line, Standing
from realm_tui.runtime.momentum import Hindrance, Momentum
from saves.rows import Milestone

_TONES = {"active": "good", "paused": "text", "completed": "accent", "archived": "muted"}
_MOVES = {"go": "good-strong", "blocked": "bad-strong", "idle": "warn"}
_SEVERITY = {"critical": "bad-strong", "high": "bad", "medium": "warn", "low": "muted"}
_MARKS = {
    "first_step": "run",
    "hero_level": "hero.level",
    "peak": "vault.peak",
    "level_up": "skill.level_up",
    "champion": "champion",
    "archive": "hall_of_legends",
}


def status_word(status: str, look: Look) -> str:
    """A campaign's status in the player's words."""
    return label(f"campaign.status.{status}", look.names)


def list_head(look: Look, width: int) -> list[Row]:
    """Column titles of the list."""
    return [
        columns(
            ("", 1, "muted"),
            (label("campaign", look.names), width - 28, "muted"),
            ("steps", -10, "muted"),
            (label("skill.won", look.names), -8, "muted"),
            (label("skill.held", look.names), -5, "muted"),
        )
    ]


def list_items(view: CampaignView, look: Look) -> list[Item]:
    """One line a campaign."""
    return [Item(s.id, lambda width, s=s: _list_row(s, width)) for s in view.lines]  # type: ignore[misc]


def _list_row(one: Line, width: int) -> Row:
    mark = entry(f"campaign.status.{one.status}").icon
    return columns(
        (mark, 1, _TONES.get(one.status, "text")),
        (drawn(one.name), width - 28, "text"),
        (whole(one.step), -10, "text"),
        (str(sum(one.levels.values())), -8, "good" if one.levels else "faint"),
        (str(sum(one.held.values())), -5, "text"),
    )


def way_rows(view: CampaignView, look: Look, width: int) -> list[Row]:
    """One campaign closely: who, since when, what next, what is in the way, its best, what it cost."""
    one = view.chosen
    rows: list[Row] = [
        spread(
            ((f" {shorten(drawn(one.name), width - 30)}", "strong"), (f"  {one.id}", "muted")),
            ((status_word(one.status, look), _TONES.get(one.status, "text")), (" ", "")),
            width,
        ),
        *told(label("campaign.began", look.names), _beginning(view), width),
    ]
    if view.momentum is not None:
        rows += [GAP, *momentum_rows(view.momentum, look, width)]
    elif one.status == "archived":
        rows += told(label("campaign.end", look.names), _end(one), width)
    rows += [GAP, *_levels(one, look)]
    if view.standing is None:
        rows.append(((" its long history is being read …", "faint"),))
    else:
        rows += [*_best(view.standing, look), *_spent(view.standing, look, width)]
    for cap in one.caps:
        rows += told(label("level_cap", look.names), cap, width, "warn")
    if view.overrides:
        rows += told(label("campaign.rules", look.names), _flat(view.overrides), width)
    return rows


def _beginning(view: CampaignView) -> str:
    one = view.chosen
    form = one.starting_checkpoint
    if form is not None:
        how = f"with {form} of {one.parent}" if one.parent else f"with {form}"
    else:
        how = "with a new hero"
    again = f", by the recipe of {view.recipe}" if view.recipe else ""
    raced = f"; races {view.ghost}" if view.ghost and one.status == "active" else ""
    return f"{date(one.created_at)}, {one.hero}, {how}{again}, seed {view.seed}{raced}"


def _end(one: Line) -> str:
    ends = {"won": "every level won", "capped": "its cap was found", "open": "left before its end"}
    return f"{date(one.archived_at)}, {ends.get(one.outcome, one.outcome)}"


def momentum_rows(moving: Momentum, look: Look, width: int) -> list[Row]:
    """What to do next and what keeps the campaign from moving, the worst first."""
    word = label(f"momentum.{moving.status}", look.names)
    text = told(label("campaign.next", look.names), moving.next.text, width - 14, "strong")
    rows: list[Row] = [spread(text[0], ((word, _MOVES.get(moving.status, "text")), (" ", "")), width), *text[1:]]
    order = list(_SEVERITY)
    for one in sorted(moving.hindrances, key=lambda h: order.index(h.severity) if h.severity in order else 9):
        rows += _hindrance(one, look, width)
    return rows


def _hindrance(one: Hindrance, look: Look, width: int) -> list[Row]:
    key = f"momentum.{one.code.lower()}"
    name = label(key, look.names) if key in entries() else one.code
    mark = entry("momentum.blocker").icon
    tone = _SEVERITY.get(one.severity, "text")
    rows: list[Row] = [((f" {mark} ", tone), (name, tone), (f"  {one.severity}", "muted"))]
    for what, text in (("why", one.why), ("tried", one.tried), ("way out", one.fix)):
        rows += told(f"  {what}", text, width, "text" if what == "way out" else "muted")
    return rows


def _levels(one: Line, look: Look) -> list[Row]:
    return [
        named(label("skill.won", look.names), levels_text(one.levels), "good" if one.levels else "faint"),
        named(label("skill.held", look.names), levels_text(one.held)),
        named(label("champion", look.names), drawn(one.champion) if one.champion else UNKNOWN, "accent"),
    ]


def _best(one: Standing, look: Look) -> list[Row]:
    peaks, steps = one.peaks, one.peaks.get("steps") or {}

    def at(name: str, digits: int = 3) -> str:
        value = number(peaks.get(name), digits)
        step = steps.get(name)
        return value if value == UNKNOWN or step is None else f"{value} at step {step:,}"

    return [
        named(label("training.loss", look.names), at("train_loss")),
        named(label("training.held_out_loss", look.names), at("held_out_loss")),
        named(label("exam", look.names), at("accuracy", 2)),
    ]


def _spent(one: Standing, look: Look, width: int) -> list[Row]:
    """Effort by skill; what is left over went into the player's own quests."""
    rows: list[Row] = [
        named(label("strain.effort", look.names), f"{one.effort:,.1f}"),
        named("tokens trained", brief(float(one.trained_tokens))),
        named("steps ever made", whole(one.lifetime_steps)),
    ]
    shares = [(s.upper(), e) for s, e in one.effort_by_skill.items()]
    own = one.effort - sum(e for _, e in shares)
    if own > 0.5 and shares:
        shares.append((label("campaign.quests", look.names), own))
    room = max(8, min(30, width - 30))
    for name, effort in shares:
        filled, empty = bar(effort / one.effort if one.effort > 0 else 0.0, room, look.ascii)
        rows.append(
            (
                (f"   {shorten(drawn(name), 12):<12}  ", "muted"),
                (filled, "curve"),
                (empty, "line"),
                (f" {effort:,.1f}", "text"),
            )
        )
    return rows


def _flat(values: object, path: str = "") -> str:
    if isinstance(values, dict):
        return ", ".join(_flat(v, f"{path}.{k}" if path else str(k)) for k, v in values.items())
    return f"{path} {values}"


def milestone_rows(marks: Sequence[Milestone] | None, look: Look, width: int) -> list[Row]:
    """The milestones, newest first; a note is the player's own words."""
    if marks is None:
        return [((" …", "faint"),)]
    if not marks:
        return [
            ((" nothing yet: the first step, levels won and peaks", "faint"),),
            ((" will stand here, and your own notes", "faint"),),
        ]
    rows: list[Row] = []
    for mark in marks:
        word = entry(_MARKS[mark.kind]) if mark.kind in _MARKS else entry("campaign.note")
        left: Row = (
            (f" {when(mark.at)} ", "muted"),
            (f"{word.icon} ", "accent" if mark.kind in ("level_up", "champion") else "muted"),
            (drawn(mark.note), "strong" if mark.kind == "note" else "text"),
        )
        rows.append(spread(left, ((f" {mark.step:,} ", "muted"),), width))
    return rows
