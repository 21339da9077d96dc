"""The Oracle's rows: who can be asked, the voice that was chosen, and the talk with its answers side by side where two were asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len, chop_cells

from lore.figures import count, share
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, column
from realm_tui.app.widgets.ledger import exam_text, mark_of
from realm_tui.app.widgets.lines import GAP, columns, date, drawn, levels_text, named, told, when
from realm_tui.app.widgets.listing import Item
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.app.words import UNKNOWN, number, whole
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.forms import BASE, QUICK
from realm_tui.runtime.inn.oracle_view import ASLEEP, OracleView, Seat, exchanges
from realm_tui.runtime.ledger_view import FormView
from saves.oracle import Turn

_MOST_LETTERS = 40_000
"""Of one answer; what is longer is exported to be read."""
_THE_END = 1 << 30
_PAIRED = 60
"""Width below which two answers stand one below the other."""


@dataclass(frozen=True, slots=True)
class Freedom:
    """How a form is asked."""

    temperature: float
    seed: int
    max_tokens: int
    remember: bool


@dataclass(frozen=True, slots=True)
class Voice:
    """Who answers now, and what came so far."""

    name: str
    step: int | None
    text: str
    ended: bool
    """Its answer is whole, stopped or broken off."""


@dataclass(frozen=True, slots=True)
class Live:
    """A question under way."""

    words: str
    voices: tuple[Voice, ...]
    note: str
    """What is waited for; empty: the answer comes."""
    stopped: bool = False


class Conversation(Scroll):
    """A sheet that shows its end, and goes with it, until the reader looks back."""

    def __init__(self, key: str, word: str = "", classes: str = "panel") -> None:
        super().__init__(key, word, classes)
        self._follows = True

    def follow(self) -> None:
        """Show the end again, and what comes."""
        self._follows = True
        self.redraw()

    def _cut(self, width: int, height: int) -> Sequence[Row]:
        if self._follows:
            self._top = _THE_END
        return super()._cut(width, height)

    def action_move(self, by: int) -> None:
        self._follows = False
        super().action_move(by)
        self._follows = self._top + self.content_size.height >= self._lines


# ---------------------------------------------------------------- who can be asked


def form_items(view: OracleView, chosen: str, held: str, look: Look) -> list[Item]:
    """The quick names, then every form; who is called and who is held against it are marked."""
    items: list[Item] = []
    for key in QUICK:
        form = view.form(key)
        if form is not None or (key == BASE and view.base):
            items.append(Item(key, lambda width, k=key, f=form: _quick_row(k, f, k == chosen, k == held, look, width)))  # type: ignore[misc]
    several = len({f.campaign for f in view.forms}) > 1
    for form in view.forms:
        key = f"form-{form.id}"
        items.append(
            Item(key, lambda width, k=key, f=form: _form_row(f, k == chosen, k == held, several, width))  # type: ignore[misc]
        )
    return items


def _called(chosen: bool, held: bool) -> tuple[str, int, str]:
    if chosen:
        return entry("oracle.voice").icon, 1, "accent-strong"
    return ("=", 1, "tip") if held else ("", 1, "text")


def _quick_row(key: str, form: FormView | None, chosen: bool, held: bool, look: Look, width: int) -> Row:
    word = entry(f"oracle.{key}")
    step = whole(form.step) if form is not None else ""
    exam = exam_text(form) if form is not None else ""
    return columns(
        _called(chosen, held),
        (word.icon, 1, "accent" if key == "champion" else "muted"),
        (word.named(look.names), max(6, width - 28), "text"),
        (step, -9, "text"),
        (drawn(exam), 12, "good" if form is not None and form.exam else "faint"),
    )


def _form_row(form: FormView, chosen: bool, held: bool, several: bool, width: int) -> Row:
    mark, tone = mark_of(form)
    owner = f"{form.campaign.removeprefix('campaign-')}: " if several else ""
    return columns(
        _called(chosen, held),
        (mark, 1, tone),
        (f"{owner}{when(form.at)}", max(6, width - 28), "muted"),
        (whole(form.step), -9, "text" if form.on_the_way else "faint"),
        (drawn(exam_text(form)), 12, "good" if form.exam else "faint"),
    )


def nobody_rows(view: OracleView, look: Look) -> list[Row]:
    """What stands where nobody can be asked yet."""
    return [
        ((f" {drawn(view.hero)} has no form that was kept yet.", "faint"),),
        ((" One is saved every few minutes,", "faint"),),
        ((" with every level won, and by ", "faint"), ("c", "key")),
    ]


# ---------------------------------------------------------------- the voice


def seat_text(seat: Seat | None) -> str:
    """Where a form speaks, in short."""
    return UNKNOWN if seat is None else drawn(seat.title)


def state_text(seat: Seat, look: Look) -> str:
    """How its server was last seen."""
    return label("oracle.asleep", look.names) if seat.state == ASLEEP else seat.state.replace("_", " ")


def summary_row(
    view: OracleView, key: str, seat: Seat | None, freedom: Freedom, look: Look, *, against: str = "", full: bool = True
) -> Row:
    """Who answers, and where it is ``full`` also where and how, in one row."""
    called = _name(view, key, look)
    row: list[tuple[str, str]] = [(f" {called}", "strong")]
    if against:
        row += [(" = ", "tip"), (_name(view, against, look), "strong")]
    if not full:
        return tuple(row)
    row += [(" · ", "faint"), (seat_text(seat), "text")]
    if seat is not None:
        row += [(" ", ""), (state_text(seat, look), _tone(seat))]
        if not seat.strict:
            row.append((f" {label('oracle.unproved', look.names)}", "warn"))
    row += [(" · ", "faint"), (_freedom(freedom), "muted")]
    return tuple(row)


def _name(view: OracleView, key: str, look: Look) -> str:
    form = view.form(key)
    if form is not None:
        return f"{label(f'oracle.{key}', look.names)}, {form.step:,}" if key in QUICK else f"step {form.step:,}"
    return label("oracle.base", look.names) if key == BASE else UNKNOWN


def _freedom(freedom: Freedom) -> str:
    drawn_how = "greedy" if freedom.temperature == 0 else f"T {freedom.temperature:g} seed {freedom.seed}"
    return f"{drawn_how}, {'remembers' if freedom.remember else 'each alone'}"


def _tone(seat: Seat) -> str:
    return {"up": "good", ASLEEP: "muted", "loading": "tip", "sleeping": "muted"}.get(seat.state, "warn")


def voice_rows(
    view: OracleView, key: str, seat: Seat | None, freedom: Freedom, look: Look, width: int, *, chosen: str, held: str
) -> list[Row]:
    """The form under the cursor, the house, and how it is asked; the first row alone is enough on a small screen."""
    rows = [summary_row(view, chosen, seat, freedom, look, against=held, full=width >= _PAIRED), GAP]
    form = view.form(key)
    if form is not None:
        rows += [
            named(label("training.step", look.names), f"{form.step:,}, saved {date(form.at)}"),
            named(label("skill.won", look.names), levels_text(form.won), "good" if form.won else "faint"),
            named(label("skill.held", look.names), levels_text(form.held)),
            named(label("exam", look.names), _exam(form)),
            named(label("training.loss", look.names), number(form.loss, 3)),
            named(label("training.held_out_loss", look.names), number(form.held_out_loss, 3)),
            named("digest", form.digest[:16], "muted"),
        ]
        if key != chosen:
            rows.append(((" enter calls it, ", "faint"), ("y", "key"), (" sets it beside", "faint")))
    elif key == BASE:
        rows += told(label("oracle.base", look.names), entry("oracle.base").technical, width)
    rows += [GAP, *seat_rows(seat, look, width)]
    memory = "with the talk before it" if freedom.remember else "each question alone"
    rows += [
        GAP,
        named(label("oracle.freedom", look.names), f"{freedom.temperature:g}" + _seeded(freedom)),
        named(label("oracle.memory", look.names), memory),
        named("longest", f"{freedom.max_tokens:,} tokens"),
    ]
    return rows


def _seeded(freedom: Freedom) -> str:
    return ", the likeliest word each time" if freedom.temperature == 0 else f", seed {freedom.seed}"


def _exam(form: FormView) -> str:
    exam = form.exam
    if exam is None:
        return UNKNOWN
    return (
        f"{drawn(exam.skill).upper()} L{exam.level}: {exam.correct} of {exam.items}, {share(exam.correct, exam.items)}"
    )


def seat_rows(seat: Seat | None, look: Look, width: int) -> list[Row]:
    """The house: its machine, its server, how it is, and who was put to work there."""
    if seat is None:
        return [((" no place has a server; `realm host add` adds one", "faint"),)]
    machine = "this machine" if seat.local else drawn(seat.machine)
    rows = [
        named(label("oracle.seat", look.names), f"{drawn(seat.title)} ({drawn(seat.id)})"),
        named("machine", f"{machine}, {seat.kind}"),
        named("server", state_text(seat, look), _tone(seat)),
    ]
    if seat.why:
        rows += told("", seat.why, width, "muted")
    if not seat.strict:
        rows += told("", entry("oracle.unproved").explained(look.names), width, "warn")
    if seat.state == ASLEEP:
        rows += told("", entry("oracle.asleep").short, width, "faint")
    if seat.at_work is not None:
        rows.append(named(label("oracle.at_work", look.names), drawn(seat.at_work), "accent"))
    if seat.loaded:
        rows += told(label("oracle.loaded", look.names), ", ".join(seat.loaded), width, "muted")
    return rows


# ---------------------------------------------------------------- the talk


def talk_rows(turns: Sequence[Turn], live: Live | None, look: Look, width: int) -> list[Row]:
    """A conversation; the question under way stands last."""
    rows: list[Row] = []
    for exchange in exchanges(turns):
        rows += _question(exchange[0].question, width)
        if len(exchange) == 1:
            rows += _answer(exchange[0], look, width)
        else:
            rows += _beside([_said(turn, look) for turn in exchange], width)
        rows.append(GAP)
    if live is not None:
        rows += _question(live.words, width)
        cursor = "" if live.stopped else "▌"
        sides = [
            _Said(
                _who(voice.name, voice.step),
                "text",
                voice.text + ("" if voice.ended else cursor),
                label("oracle.stopped", look.names) if live.stopped else live.note or ("" if voice.ended else "…"),
                "muted",
            )
            for voice in live.voices
        ]
        rows += _single(sides[0], width) if len(sides) == 1 else _beside(sides, width)
    return rows


def silence_rows(view: OracleView, look: Look, width: int) -> list[Row]:
    """What stands where nothing was asked yet."""
    word = entry("oracle.talk")
    rows: list[Row] = [((f" {line}", "faint"),) for line in prose(word.explained(look.names), width - 2)]
    rows += [
        GAP,
        ((" i", "key"), (" or enter on a form: ask it something", "faint")),
        ((" y", "key"), (" on a second form: both answer, side by side", "faint")),
        ((" h", "key"), (" chooses where it speaks, ", "faint"), ("f", "key"), (" how freely", "faint")),
    ]
    if view.talks:
        rows.append(((" o", "key"), (f" opens one of {len(view.talks)} earlier talks", "faint")))
    return rows


@dataclass(frozen=True, slots=True)
class _Said:
    """One side of an exchange, ready to be drawn."""

    who: str
    role: str
    text: str
    foot: str
    foot_role: str


def _who(name: str, step: int | None) -> str:
    return drawn(name) if step is None else f"step {step:,}"


def _said(turn: Turn, look: Look) -> _Said:
    if turn.error_code is not None:
        broken = f"{turn.answer} …\n" if turn.answer else ""
        return _Said(_who(turn.name, turn.step), "bad", broken + (turn.error or ""), turn.error_code, "bad")
    return _Said(_who(turn.name, turn.step), "text", turn.answer or "(nothing)", _foot(turn, look), _foot_role(turn))


def _foot(turn: Turn, look: Look) -> str:
    proof = entry("oracle.proved" if turn.strict else "oracle.unproved")
    parts = []
    if turn.finish == "stopped":
        parts.append(label("oracle.stopped", look.names))
    elif turn.finish == "length":
        parts.append("cut at its length")
    if turn.tokens is not None:
        parts.append(count(turn.tokens, "token"))
    if turn.tokens_per_s is not None:
        parts.append(f"{number(turn.tokens_per_s, 1)}/s")
    if turn.first_token_s is not None:
        parts.append(f"first {number(turn.first_token_s)} s")
    if forgotten := turn.detail.get("forgotten"):
        parts.append(f"{forgotten} older left out")
    mark = f"{proof.icon}{turn.digest[:8]}" if turn.strict else proof.named(look.names)
    return " · ".join([*parts, mark])


def _foot_role(turn: Turn) -> str:
    return "muted" if turn.strict else "warn"


def _question(words: str, width: int) -> list[Row]:
    lines = prose(words, width - 3)
    return [(((" ? " if number == 0 else "   "), "key"), (line, "accent")) for number, line in enumerate(lines)]


def _answer(turn: Turn, look: Look, width: int) -> list[Row]:
    return _single(_said(turn, look), width)


def _single(said: _Said, width: int) -> list[Row]:
    rows: list[Row] = [(("   ", ""), (line, said.role)) for line in prose(said.text, width - 3)]
    return [*rows, ((f"   {said.who}", "faint"), (f" · {said.foot}" if said.foot else "", said.foot_role))]


def _beside(sides: Sequence[_Said], width: int) -> list[Row]:
    """Two answers in columns; on a narrow screen one below the other."""
    if width < _PAIRED:
        return [row for side in sides for row in _single(side, width)]
    room = (width - 5) // 2
    out: list[Row] = []
    texts = [prose(side.text, room) for side in sides]
    feet = [prose(side.foot, room) or [""] for side in sides]
    roles = [side.role for side in sides]

    def line(cells: Sequence[str], tones: Sequence[str]) -> Row:
        row: list[tuple[str, str]] = [("  ", "")]
        for place, (text, tone) in enumerate(zip(cells, tones, strict=True)):
            row += [(" │ ", "faint")] if place else []
            row.append((column(text, room), tone))
        return tuple(row)

    out.append(line([side.who for side in sides], ["strong"] * len(sides)))
    for block, tones in ((texts, roles), (feet, [side.foot_role for side in sides])):
        height = max(len(lines) for lines in block)
        for y in range(height):
            out.append(line([lines[y] if y < len(lines) else "" for lines in block], tones))
    return out


@lru_cache(maxsize=512)
def prose(text: str, width: int) -> list[str]:
    """Foreign text with its own line ends, broken at blanks to a width; a word that is longer is broken, never cut."""
    width = max(4, width)
    out: list[str] = []
    for paragraph in text[:_MOST_LETTERS].split("\n"):
        line = ""
        for word in clean(paragraph).split(" "):
            longer = f"{line} {word}" if line else word
            if cell_len(longer) <= width:
                line = longer
                continue
            if line:
                out.append(line)
            *whole_lines, line = chop_cells(word, width) or [""]
            out += whole_lines
        out.append(line)
    if len(text) > _MOST_LETTERS:
        out.append(f"… {len(text) - _MOST_LETTERS:,} letters more; X exports them")
    return out
