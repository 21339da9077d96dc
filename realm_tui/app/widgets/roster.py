"""The Heroes screen's rows: the roster, one hero closely, the Hall of Legends."""

from __future__ import annotations

from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, shorten
from realm_tui.app.widgets.lines import GAP, columns, date, drawn, heading, levels_text, named, told, wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, number, rate, whole
from realm_tui.runtime.heroes_view import HeroCard, HeroesView, Legend

_ENDS = {"won": "every level won", "capped": "cap found", "open": "left"}


def hero_items(view: HeroesView, look: Look) -> list[Item]:
    """One line a hero."""
    return [Item(h.id, lambda width, h=h: _hero_row(h, look, width)) for h in view.heroes]  # type: ignore[misc]


def _hero_row(hero: HeroCard, look: Look, width: int) -> Row:
    if hero.playing:
        state, tone = f"{entry('campaign.status.active').icon} {label('campaign.status.active', look.names)}", "good"
    elif hero.trouble:
        state, tone = "broken", "bad"
    elif hero.ready is not None and hero.ready.ready:
        state, tone = label("roster.ready", look.names), "text"
    else:
        state, tone = label("roster.missing", look.names), "faint"
    title = f"{hero.name}, {hero.config.epithet}" if hero.config is not None else hero.id
    parameters = hero.identity.parameters if hero.identity is not None else UNKNOWN
    return columns(
        (drawn(title), max(8, width - 23), "text"),
        (parameters, -6, "muted"),
        (state, 14, tone),
    )


def legend_head(look: Look, width: int) -> list[Row]:
    """Column titles of the Hall."""
    return [
        columns(
            (label("campaign", look.names), max(8, width - 26), "muted"),
            (label("skill.held", look.names), -5, "muted"),
            (label("skill.won", look.names), -8, "muted"),
            ("steps", -9, "muted"),
        )
    ]


def legend_items(view: HeroesView, look: Look) -> list[Item]:
    """One line an archived campaign."""
    return [Item(one.id, lambda width, one=one: _legend_row(one, width)) for one in view.hall]  # type: ignore[misc]


def _legend_row(one: Legend, width: int) -> Row:
    return columns(
        (drawn(one.name), max(8, width - 26), "text"),
        (str(sum(one.held.values())), -5, "good" if one.held else "faint"),
        (str(sum(one.won.values())), -8, "text"),
        (whole(one.step), -9, "muted"),
    )


def hall_empty(look: Look) -> list[Row]:
    """What stands in an empty Hall."""
    return [
        ((" nobody is here yet: a campaign comes", "faint"),),
        ((" here when you archive it (", "faint"), ("4", "key"), (", then ", "faint"), ("A", "key"), (")", "faint")),
    ]


def hero_rows(hero: HeroCard | None, look: Look, width: int) -> list[Row]:
    """One hero closely: who, which model, how it learns, whether it could start, what it did here."""
    if hero is None:
        return []
    if hero.config is None:
        rows: list[Row] = [((f" {drawn(hero.id)}", "strong"),), GAP]
        return rows + [((f" {line}", "bad"),) for line in wrapped(hero.trouble, width - 2)]
    config, training = hero.config, hero.config.training
    rows = _portrait(hero, look, width)
    rows += [((f" {line}", "muted"),) for line in wrapped(config.description, width - 2)]
    model = config.model.name or config.model.path or f"{config.model.family}, made on the spot"
    rows += [
        GAP,
        *told(label("roster.model", look.names), model, width),
        named(label("roster.context", look.names), f"{config.model.context_length:,} tokens"),
        *told(
            label("roster.learns", look.names),
            f"{training.method}, {training.optimizer}, learning rate {rate(training.learning_rate)}, "
            f"{training.batch_size} × {training.accumulation} examples a step",
            width,
        ),
        *told(label("skill", look.names), ", ".join(f"{s.upper()} ({m})" for s, m in config.skills.items()), width),
    ]
    if hero.rough_gb is not None:
        rows.append(
            named(label("training.memory", look.names), f"about {number(hero.rough_gb, 1)} GB, by its size alone")
        )
    rows += _readiness(hero, look, width)
    rows += [GAP, heading(label("roster.deeds", look.names))]
    for deed in hero.deeds:
        mark = entry(f"campaign.status.{deed.status}").icon
        rows.append(
            (
                (f" {mark} ", "good" if deed.status == "active" else "muted"),
                *columns(
                    (drawn(deed.name), max(8, width - 36), "text"),
                    (levels_text(deed.won), 14, "good" if deed.won else "faint"),
                    (f"{deed.step:,}", -9, "muted"),
                ),
            )
        )
    if not hero.deeds:
        rows.append(((" none in this save; ", "faint"), ("b", "key"), (" begins one", "faint")))
    return rows


def _portrait(hero: HeroCard, look: Look, width: int) -> list[Row]:
    assert hero.config is not None  # the caller has looked
    face = [drawn(line) for line in hero.config.display.portrait]
    wide = max((len(line) for line in face), default=0)
    name: Row = ((drawn(hero.config.name), "accent-strong"), (f", {drawn(hero.config.epithet)}", "strong"))
    who = drawn(hero.identity.line(look.names)) if hero.identity is not None else UNKNOWN
    kind = hero.identity.hero_class if hero.identity is not None and look.tavern else ""
    blood = hero.identity.bloodline if hero.identity is not None else None
    lines: list[Row] = [
        name,
        ((shorten(who, width - wide - 4), "text"),),
        ((kind, "muted"), (f"{' · ' if kind else ''}{blood} bloodline" if blood and look.tavern else "", "muted")),
        ((drawn(hero.id), "faint"),),
    ]
    if not face:
        return [((" ", ""), *line) for line in lines]
    return [
        (
            (f" {face[i] if i < len(face) else '':<{wide}}  ", "accent"),
            *(lines[i] if i < len(lines) else ()),
        )
        for i in range(max(len(face), len(lines)))
    ]


def _readiness(hero: HeroCard, look: Look, width: int) -> list[Row]:
    name = label("roster.state", look.names)
    if hero.ready is None:
        return [named(name, UNKNOWN)]
    if hero.ready.ready:
        where = str(hero.ready.where) if hero.ready.where is not None else "made on the spot, nothing to download"
        return told(name, f"ready: {where}", width, "good")
    return [*told(name, hero.ready.missing, width, "warn"), *told("way out", hero.ready.fix, width)]


def legend_rows(one: Legend | None, look: Look, width: int) -> list[Row]:
    """One archived campaign closely: what was written down when it came here."""
    if one is None:
        return hall_empty(look)

    def peak(name: str, digits: int) -> str:
        value = one.peaks.get(name)
        return number(float(value), digits) if isinstance(value, int | float) else UNKNOWN

    return [
        ((f" {entry('hall_of_legends').icon} ", "accent"), (drawn(one.name), "strong"), (f"  {one.id}", "muted")),
        GAP,
        *told(label("hero", look.names), one.hero, width),
        named(label("campaign.end", look.names), f"{_ENDS.get(one.outcome, UNKNOWN)}, {date(one.archived_at)}"),
        named(label("skill.won", look.names), levels_text(one.won), "good" if one.won else "faint"),
        named(label("skill.held", look.names), levels_text(one.held)),
        named(label("training.loss", look.names), peak("train_loss", 3)),
        named(label("training.held_out_loss", look.names), peak("held_out_loss", 3)),
        named(label("exam", look.names), peak("accuracy", 2)),
        named(label("strain.effort", look.names), number(one.effort, 1)),
        named(label("training.step", look.names), whole(one.step)),
        *told(label("champion", look.names), one.champion or UNKNOWN, width, "accent"),
        GAP,
        ((" ", ""), ("b", "key"), (" begins a campaign with its best form (New Game+)", "faint")),
        ((" ", ""), ("4", "key"), (" plays it again", "faint")),
    ]
