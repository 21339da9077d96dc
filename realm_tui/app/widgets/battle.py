"""The battle view: the very text being trained on, each token tinted by its loss, with a bar under it that says the same."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from engine.link.snapshot import BattleText
from lore.lexicon import label
from realm_tui.app.drawing import Look, Row, cells, shorten, spread
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.widgets.scenery import damage, room_rows
from realm_tui.app.words import number, percent, rate, span
from realm_tui.runtime.foreign import clean

_STEPS = (0.1, 0.4, 1.0, 2.0)
"""Losses in nats at which a token's tint and bar grow: certain, sure, doubtful, surprised, shocked."""
_BARS = "▁▂▄▆█"
_ASCII_BARS = ".:-+#"
_TURN_MARKS = {"<|im_start|>": "▸", "<|im_end|>": "◂"}
"""Where a turn begins and ends."""
_MOST_TOKENS = 4000
_ROOM_HEIGHT, _SCENERY_HEIGHT = 9, 11
"""Rows from which there is room to name the place where it happens, and to describe it."""
_ROUNDS = 12
"""Texts kept, the one in training among them."""


def heat(loss: float) -> int:
    """0 (certain) to 4 (shocked)."""
    return sum(loss >= bound for bound in _STEPS)


def readable(token: str) -> str:
    """A token as it is drawn: line ends as ``↵``, the template's turn marks as one narrow sign each."""
    return _TURN_MARKS.get(token) or clean(token, newline="↵")


def _cells(text: str) -> list[str]:
    """Text cut into pieces that each take cells of their own (marks stay on their base)."""
    out: list[str] = []
    for char in text:
        if out and cells(char) == 0:
            out[-1] += char
        else:
            out.append(char)
    return out


def _wrapped(battle: BattleText, width: int) -> list[list[tuple[str, float | None]]]:
    """Lines of (piece, loss of its token or None for context)."""
    lines: list[list[tuple[str, float | None]]] = [[]]
    used = 0
    losses = battle.losses[:_MOST_TOKENS]
    for i, token in enumerate(battle.tokens[:_MOST_TOKENS]):
        loss = losses[i] if i < len(losses) else None
        for piece in _cells(readable(token)):
            if piece == "↵" and _is_role(lines[-1]):
                piece = " "  # a turn's first words stand beside its role: the room is small
            size = cells(piece)
            if used + size > width:
                lines.append([])
                used = 0
            lines[-1].append((piece, loss))
            used += size
            if piece == "↵":
                lines.append([])
                used = 0
    return [line for line in lines if line]


def _is_role(line: list[tuple[str, float | None]]) -> bool:
    """Whether a line holds nothing but the beginning of a turn, like ``▸user``."""
    text = "".join(piece for piece, _ in line)
    return text.startswith("▸") and text[1:].isalpha()


def _text_row(line: list[tuple[str, float | None]]) -> Row:
    out: list[tuple[str, str]] = []
    for piece, loss in line:
        if loss is None:
            role = "muted"
        elif math.isfinite(loss):
            role = f"heat-{heat(loss)}"
        else:
            role = "alarm"
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + piece, role)
        else:
            out.append((piece, role))
    return ((" ", ""), *out)


def _bar_row(line: list[tuple[str, float | None]], ascii_only: bool) -> Row | None:
    """Bars under the trained tokens of a line; None when it has none."""
    if all(loss is None for _, loss in line):
        return None
    bars = _ASCII_BARS if ascii_only else _BARS
    out: list[tuple[str, str]] = []
    for piece, loss in line:
        if loss is None:
            char, role = " ", ""
        elif math.isfinite(loss):
            char, role = bars[heat(loss)], f"heat-{heat(loss)}"
        else:
            char, role = "?", "alarm"
        char *= cells(piece)
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + char, role)
        else:
            out.append((char, role))
    return ((" ", ""), *out)


def text_rows(battle: BattleText, width: int, height: int, ascii_only: bool = False) -> list[Row]:
    """The text in at most ``height`` rows, from the last line of context before the first trained token on."""
    if height < 1:
        return []
    lines = _wrapped(battle, max(8, width - 2))
    pairs = [(_text_row(line), _bar_row(line, ascii_only)) for line in lines]
    start = next((i for i, (_, bars) in enumerate(pairs) if bars is not None), 0)
    full = sum(1 + (bars is not None) for _, bars in pairs)
    first = 0 if full <= height else max(0, start - 1) if height >= 3 else start
    rows: list[Row] = []
    for text, bars in pairs[first:]:
        more = [text] if bars is None else [text, bars]
        if len(rows) + len(more) > height:
            break
        rows += more
    return rows


def figures(facts: Facts, look: Look) -> Row:
    """Loss, gradient and learning rate of the newest step."""
    status = facts.status
    parts: list[tuple[str, str]] = [(" ", "")]
    for word, value in (
        ("training.loss", number(status.loss)),
        ("training.grad_norm", number(status.grad_norm)),
        ("training.learning_rate", rate(status.learning_rate)),
    ):
        parts += [(f"{label(word, look.names).lower()} ", "muted"), (value, "text"), ("   ", "")]
    return tuple(parts)


def legend(look: Look) -> Row:
    """What the bars mean, from certain to shocked."""
    bars = _ASCII_BARS if look.ascii else _BARS
    parts: list[tuple[str, str]] = [(f" {label('training.surprise', look.names)}: ", "muted"), ("sure ", "faint")]
    parts += [(bar * 2, f"heat-{i}") for i, bar in enumerate(bars)]
    parts.append((" surprised", "faint"))
    return tuple(parts)


def battle_rows(facts: Facts, look: Look, width: int, height: int, before: Sequence[BattleText] = ()) -> list[Row]:
    """The text with its bars; below it what was read before, what the bars mean, and the step's figures.

    Args:
        before: texts of earlier steps, newest first; drawn in one quiet line each where there is room.
    """
    battle = facts.battle
    below = [figures(facts, look)]
    if height >= 7:
        below.insert(0, spread(legend(look), (*damage(facts, look), (" ", "")), width))
    if height >= _ROOM_HEIGHT:
        below = [*room_rows(facts, look, width, 1 if height < _SCENERY_HEIGHT else 2), *below]
    room = height - len(below)
    if battle is None or not battle.tokens:
        idle = "nothing is being read now" if facts.status.step else "nothing has been read yet"
        rows: list[Row] = [((f" {idle}", "faint"),)]
    else:
        rows = text_rows(battle, width, room, look.ascii)
    if room - len(rows) >= 3:
        rows.append(())
        rows += [earlier_row(one, width) for one in before[: room - len(rows) - 1]]
    return rows[:room] + [()] * (room - len(rows)) + below


def earlier_row(battle: BattleText, width: int) -> Row:
    """A text of an earlier step in one quiet line."""
    text = " ".join("".join(map(readable, battle.tokens[:_MOST_TOKENS])).replace("↵", " ").split())
    return ((" ", ""), (shorten(text, width - 2), "faint"))


class BattlePanel(Panel):
    """What the hero is reading."""

    word = "panel.battle"

    def __init__(self, key: str, classes: str = "") -> None:
        super().__init__(key, classes)
        self._seen: deque[BattleText] = deque(maxlen=_ROUNDS)

    def title(self, facts: Facts, look: Look) -> str:
        name = super().title(facts, look)
        quest, battle = facts.status.quest, facts.battle
        if quest is not None:
            return f"{name}: {shorten(clean(quest.name), 32)}  {percent(quest.step, quest.steps)}  {span(quest.eta_s)}"
        if battle is not None and battle.title:
            return f"{name}: {shorten(clean(battle.title), 40)}"
        return name

    def show(self, facts: Facts, look: Look) -> None:
        newest = facts.battle
        if newest is not None and (not self._seen or self._seen[0].step != newest.step):
            if self._seen and self._seen[0].step > newest.step:
                self._seen.clear()
            self._seen.appendleft(newest)
        super().show(facts, look)

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return battle_rows(facts, look, width, height, list(self._seen)[1:])
