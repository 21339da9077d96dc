"""The settings' rows: rules and what they mean, what training takes on a card, what a reset takes away."""

from __future__ import annotations

from lore.lexicon import label
from realm_tui.app.drawing import Look, Row, shorten
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.lines import GAP, columns, heading, named, told, wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, percent, whole
from realm_tui.runtime.figures import size
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.rules import Rule
from realm_tui.runtime.settings_view import FIELDS, SECTIONS, Calculation, Field, ResetPlan, Section
from saves.reset import TYPED, Depth

_VALUE = 14
_FROM = 9
_FIELD_WORDS: dict[Field, str] = {
    "hero": "hero",
    "card": "card",
    "profile": "profile",
    "method": "method",
    "optimizer": "optimizer",
    "length": "tokens",
    "batch": "examples",
    "prefer": "suggest for",
}
_DEPTHS: dict[Depth, str] = {
    "campaign": "this campaign begins anew",
    "hero": "every campaign of this hero",
    "full": "the whole save but its hero",
    "deep": "also exports, ghosts and copies",
}
_PARTS = {"always": "held all the time", "forward": "end of a forward pass", "update": "in the update"}
_GIB = 1024**3


def tab_row(section: Section, look: Look) -> Row:
    """The sections, the open one in brackets."""
    out: list[tuple[str, str]] = [(" ", "")]
    for one in SECTIONS:
        name = label(f"setting.{one}", look.names)
        here = one == section
        out.append((f"[{name}]" if here else f" {name} ", "accent-strong" if here else "muted"))
        out.append((" ", ""))
    out.append(("  f", "key"))
    out.append((" next", "faint"))
    return tuple(out)


# ---------------------------------------------------------------- rules


def source_word(rule: Rule) -> str:
    """Who set it: shipped, you, or the campaign."""
    if rule.source == "shipped":
        return ""
    return "yours" if rule.source.endswith((".yaml", ".yml")) else "campaign"


def found_rules(rules: tuple[Rule, ...], find: str) -> tuple[Rule, ...]:
    """Rules whose name or meaning holds what is looked for."""
    wanted = find.casefold()
    return tuple(r for r in rules if wanted in r.key.casefold() or wanted in r.meaning.casefold())


def rule_items(rules: tuple[Rule, ...]) -> list[Item]:
    """One line a rule; a group is named at its first."""
    out: list[Item] = []
    group = ""
    for rule in rules:
        first, _, rest = rule.key.rpartition(".")
        head = first if first != group else ""
        group = first
        out.append(Item(rule.key, lambda width, r=rule, h=head, n=rest: _rule_row(r, h, n, width)))  # type: ignore[misc]
    return out


def _rule_row(rule: Rule, head: str, name: str, width: int) -> Row:
    source = source_word(rule)
    room = max(10, width - 12 - _VALUE - _FROM - 4)
    return columns(
        (head, 12, "accent"),
        (name, room, "text"),
        (clean(rule.text), -_VALUE, "strong" if source else "text"),
        (source, _FROM, "warn" if source else "faint"),
    )


def rule_sheet(rule: Rule | None, width: int) -> list[Row]:
    """One rule closely."""
    if rule is None:
        return []
    own = source_word(rule)
    rows = [*told("meaning", rule.meaning, width), *told("may be", rule.bounds or "anything of its kind", width)]
    rows += told("value", rule.text, width, "strong")
    rows += told("set by", {"": "shipped with the game", "yours": rule.source}.get(own, rule.source), width)
    if own:
        rows += told("shipped", rule.shipped_text, width)
    if own == "campaign":
        rows += told("", "A campaign's own value wins over yours.", width, "warn")
    keys: list[tuple[str, str]] = [(" enter", "key"), (" change", "faint")]
    if own == "yours":
        keys += [("   x", "key"), (" take back", "faint")]
    return [*rows, GAP, tuple(keys)]


def trouble_rows(text: str, width: int) -> list[Row]:
    """Why there is nothing to show."""
    return [((f" {line}", "bad"),) for line in wrapped(text, width - 2)]


# ---------------------------------------------------------------- memory


def field_items(found: Calculation | None) -> list[Item]:
    """The calculator's fields; left and right turn them."""
    if found is None:
        return []
    return [Item(field, lambda width, f=field: _field_row(found, f, width)) for field in FIELDS]  # type: ignore[misc]


def _field_row(found: Calculation, field: Field, width: int) -> Row:
    asked = getattr(found.question, field)
    text = str(asked) if asked is not None else _as_it_is(found, field)
    room = max(6, width - 17)
    return (
        (f"{_FIELD_WORDS[field]:<12}", "muted"),
        ("◂ ", "faint"),
        (f"{shorten(clean(text), room):<{room}}", "strong" if asked is not None else "text"),
        (" ▸", "faint"),
    )


def _as_it_is(found: Calculation, field: Field) -> str:
    """What holds where the player asked for nothing."""
    report = found.report
    if report is None:
        return UNKNOWN
    training = report.hero.training
    return {
        "card": report.device.name,
        "profile": report.hero.memory_profile or "none",
        "method": training.method,
        "optimizer": training.optimizer,
        "length": str(report.hero.model.context_length),
        "batch": str(training.batch_size),
    }.get(field, UNKNOWN)


def gib(count: float) -> str:
    """Bytes in GiB, in MiB where that would be 0.0; nine cells."""
    return f"{count / _GIB:5.1f} GiB" if count / _GIB >= 0.1 else f"{count / _GIB * 1024:5.1f} MiB"


def memory_sheet(found: Calculation | None, look: Look, width: int) -> list[Row]:
    """The plan part by part, whether it fits, and what else could be done."""
    if found is None:
        return []
    report = found.report
    if report is None:
        return trouble_rows(found.trouble, width)
    plan, estimate = report.plan, report.plan.estimate
    tone = {"fits": "good-strong", "tight": "warn-strong"}.get(plan.verdict, "bad-strong")
    filled, empty = bar(estimate.peak / max(1, report.device.bytes), max(10, min(40, width - 36)), look.ascii)
    rows: list[Row] = [
        ((f" {plan.verdict.upper()} ", tone), (clean(report.device.name), "text")),
        (
            (" ", ""),
            (filled, tone.removesuffix("-strong")),
            (empty, "line"),
            (
                f" {gib(estimate.peak).strip()} of {gib(report.device.bytes).strip()} ± {percent(report.rules.tolerance, 1)}",
                "text",
            ),
        ),
    ]
    largest = max((p.bytes for p in estimate.parts), default=1)
    for when, words in _PARTS.items():
        parts = [p for p in estimate.parts if p.when == when and p.place == "card"]
        if parts:
            rows.append(heading(words))
            rows += [_part_row(p.name, p.bytes, largest, look, width) for p in parts]
    waiting = [p for p in estimate.parts if p.place == "host"]
    if waiting:
        rows.append(heading("on the host"))
        rows += [_part_row(p.name, p.bytes, largest, look, width) for p in waiting]
    rows += [GAP, named("worst case", gib(estimate.worst).strip()), named("a pass", f"{plan.setting.tokens:,} tokens")]
    if report.measured is not None:
        rows.append(named("measured", gib(report.measured.measured_bytes).strip()))
    if report.ways:
        rows.append(heading("every weight, with less"))
        rows += [
            columns(
                ("", 1, ""),
                (way.name, 26, "text"),
                (gib(way.plan.estimate.peak), -10, "text"),
                (way.plan.verdict, 9, "muted"),
                ("runs" if way.runs else "not here", 8, "good" if way.runs else "faint"),
            )
            for way in report.ways
        ]
    if report.hero.model.source == "pretrained":
        rows.append(heading("suggested"))
        rows.append(
            (
                (f"  {report.suggestion} ", "strong"),
                (f"{gib(report.suggested.estimate.peak).strip()}, {report.suggested.verdict}", "text"),
            )
        )
        wanted = found.question.profile or report.suggestion
        rows.append(((" enter", "key"), (f" takes {wanted} for the hero's next campaign", "faint")))
    return rows


def _part_row(name: str, count: int, largest: int, look: Look, width: int) -> Row:
    filled, empty = bar(count / max(1, largest), max(6, min(24, width - 34)), look.ascii)
    return (
        (f"  {shorten(clean(name), 18):<18} ", "text"),
        (f"{gib(count)} ", "strong"),
        (filled, "curve"),
        (empty, "line"),
    )


# ---------------------------------------------------------------- danger


def reset_items(resets: tuple[ResetPlan, ...]) -> list[Item]:
    """The four depths."""
    return [Item(r.depth, lambda width, r=r: _reset_row(r, width)) for r in resets]  # type: ignore[misc]


def _reset_row(found: ResetPlan, width: int) -> Row:
    plan = found.plan
    cost = "cannot be done" if plan is None else f"{len(plan.checkpoints)} forms, {size(plan.bytes)}"
    return columns(
        (found.depth, 10, "strong"),
        (_DEPTHS[found.depth], max(10, width - 36), "text"),
        (cost, -22, "muted" if plan is not None else "bad"),
    )


def reset_sheet(found: ResetPlan | None, save: str, width: int) -> list[Row]:
    """What one depth would take, counted, and how to go on."""
    if found is None:
        return []
    plan = found.plan
    if plan is None:
        return trouble_rows(found.trouble, width)
    rows = told("campaigns", ", ".join(map(clean, plan.campaigns)), width)
    rows += [
        named("history", f"{whole(plan.facts)} rows"),
        named("forms", f"{len(plan.checkpoints)}, {size(plan.bytes)}"),
        named("quests", whole(plan.quests)),
    ]
    if plan.exports:
        rows += told("exports", ", ".join(map(clean, plan.exports)), width)
    rows += told("stays", _stays(found.depth), width)
    return [
        *rows,
        GAP,
        ((" enter", "key"), (f" asks for the save's name ({save}) first; the engine must be stopped", "faint")),
    ]


def _stays(depth: Depth) -> str:
    kept = "base models, the player's files, a copy of the database"
    return kept if depth in TYPED else f"the board, the other campaigns, {kept}"
