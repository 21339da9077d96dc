"""The Bounty Board's rows: monsters that are about, what weighs on the hero, and what was laid to rest."""

from __future__ import annotations

import json

from lore.bounties import Card
from lore.effects import ActiveEffect
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, shorten
from realm_tui.app.widgets.lines import GAP, columns, heading, named, told
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, whole
from realm_tui.runtime.figures import moment
from realm_tui.runtime.foreign import clean

_TONES = {"critical": "bad-strong", "high": "bad", "medium": "warn", "low": "text"}
EFFECT = "effect."
"""What the key of an effect begins with; those of incidents are their own."""


def card_items(cards: tuple[Card, ...], look: Look) -> list[Item]:
    """One line an incident."""
    return [Item(card.key, lambda width, one=card: _card_row(one, look, width)) for card in cards]  # type: ignore[misc]


def effect_items(effects: tuple[ActiveEffect, ...], step: int, look: Look) -> list[Item]:
    """One line an effect in force."""
    return [Item(f"{EFFECT}{e.id}", lambda width, one=e: _effect_row(one, step, look, width)) for e in effects]  # type: ignore[misc]


def _card_row(card: Card, look: Look, width: int) -> Row:
    word = entry(f"incident.{card.severity}")
    tone = _TONES[card.severity] if card.open else "faint"
    room = max(12, width - 46)
    return columns(
        (word.icon if card.open else "✓", 1, tone if card.open else "good"),
        (clean(card.monster.named(look.names)), 20, tone),
        (clean(card.title), room, "text" if card.open else "faint"),
        (f"x{card.count}" if card.count > 1 else "", -5, "muted"),
        (
            "blocks" if card.blocks and card.open else "told" if card.told else card.status,
            9,
            "alarm" if card.blocks and card.open else "muted",
        ),
        ("", 2, ""),
    )


def _effect_row(one: ActiveEffect, step: int, look: Look, width: int) -> Row:
    tone = "good" if one.buff else _TONES[one.severity]
    return columns(
        (one.rule.icon, 1, tone),
        (one.named(look.names), 20, tone),
        (clean(one.evidence or one.rule.cause), max(12, width - 46), "text"),
        ("", -5, ""),
        (_left(one, step), 12, "muted"),
    )


def _left(one: ActiveEffect, step: int) -> str:
    left = one.left(step)
    if left is not None:
        return f"{left:,} steps"
    return f"{one.progress[0]}/{one.progress[1]}" if one.progress is not None else "until cured"


def card_sheet(card: Card, look: Look, width: int) -> list[Row]:
    """One bounty: monster, lair, evidence, what helps, reward."""
    word = entry(f"incident.{card.severity}")
    rows: list[Row] = [
        (
            (f" {word.icon} {clean(card.monster.named(look.names))}", _TONES[card.severity]),
            (f"  {word.named(look.names)}", "muted"),
        ),
        GAP,
        *told("what", card.title, width),
        named("lair" if look.tavern else "where", card.monster.lair if look.tavern else card.monster.category),
        named("first seen", f"step {whole(card.first_step)}, {moment(card.at)}"),
        named("last seen", f"step {whole(card.step)}, {moment(card.last_at)}"),
        named("count", whole(card.count)),
        named(
            "status",
            card.status + (", training waits" if card.blocks and card.open else ""),
            "bad-strong" if card.blocks and card.open else "text",
        ),
    ]
    if card.resolved_at is not None:
        rows.append(named("settled", moment(card.resolved_at), "good"))
    rows += told("comes from", card.monster.cause, width, "muted")
    rows += [GAP, heading("what helps")]
    for i, fix in enumerate(card.fixes, start=1):
        rows += told(f"{i}.", fix, width, column=3)
    if look.tavern:
        rows += told("reward", card.monster.reward, width, "good")
    shown = {k: v for k, v in card.evidence.items() if v is not None}
    if shown:
        rows += [GAP, heading("evidence")]
        for key, value in shown.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows += told(clean(key).replace("_", " "), shorten(clean(text), 400), width, "muted")
    if card.open and not card.told:
        rows += [GAP, ((" x", "key"), (" closes it as mended", "faint"), ("   X", "key"), (" as it is", "faint"))]
    elif card.told:
        rows += [GAP, ((" it is read off the facts, and goes when they say so", "faint"),)]
    return rows


def effect_sheet(one: ActiveEffect, step: int, look: Look, width: int) -> list[Row]:
    """One effect: its cause, what it does, and its cure."""
    tone = "good" if one.buff else _TONES[one.severity]
    does = [*([f"XP x{one.rule.xp:g}"] if one.rule.xp != 1 else []), *([one.rule.shows] if one.rule.shows else [])]
    if one.blocks:
        does.append(f"holds back {one.blocks}")
    rows: list[Row] = [
        (
            (f" {one.rule.icon} {one.named(look.names)}", tone),
            (f"  {label('effect', look.names).lower()}, {one.severity}", "muted"),
        ),
        GAP,
        *told("cause", one.rule.cause, width),
        *told("evidence", one.evidence or UNKNOWN, width),
        *told("does", ", ".join(does) or "is shown", width),
        *told("cure", one.rule.cure, width, "good"),
        named("since", f"step {whole(one.since)}, {moment(one.at)}"),
        named("left", _left(one, step)),
    ]
    if one.source:
        rows.append(named("proof", clean(one.source), "muted"))
    return rows


def board_heading(cards: tuple[Card, ...], effects: tuple[ActiveEffect, ...]) -> str:
    """How many are about."""
    about = sum(c.open for c in cards)
    weigh = sum(not e.buff for e in effects)
    return f"{about} open" + (f", {weigh} on the hero" if weigh else "")


def empty_board(everything: bool) -> list[Row]:
    """What stands there when all is quiet."""
    rows: list[Row] = [((" nothing is wrong", "good"),), ((" what goes wrong stands here with its way out", "faint"),)]
    return rows if everything else [*rows, ((" f", "key"), (" shows what was settled", "faint"))]
