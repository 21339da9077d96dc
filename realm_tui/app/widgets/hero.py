"""The hero's sheet: portrait, who it is, and what its numbers are."""

from __future__ import annotations

from collections.abc import Sequence

from lore.lexicon import entry, label
from lore.titles import Title
from realm_tui.app.drawing import Look, Row, shorten, spread, width_of
from realm_tui.app.facts import Facts
from realm_tui.app.pulse import Pulse
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import UNKNOWN, age, brief, fraction, number, whole
from realm_tui.runtime.foreign import clean

_HEALTH_TONES = {"healthy": "good", "minor_issues": "warn", "fatigued": "bad", "struggling": "bad-strong"}
_STILL = Pulse()
_PARTS = " ▏▎▍▌▋▊▉█"


def bar(part: float, width: int, ascii_only: bool = False) -> tuple[str, str]:
    """A bar as (filled, empty) of ``width`` cells together; eighths of a cell are drawn where blocks may be."""
    part = min(1.0, max(0.0, part))
    if ascii_only:
        full = int(part * width)
        return "#" * full, "." * (width - full)
    full, eighths = divmod(int(part * width * 8), 8)
    filled = "█" * full + (_PARTS[eighths] if eighths and full < width else "")
    return filled, "·" * (width - len(filled))


def _stat(word: str, value: str, look: Look) -> Row:
    return ((f"{label(word, look.names)} ", "muted"), (value, "strong"))


def _stats(facts: Facts, look: Look) -> list[Row]:
    stats = facts.hero.stats
    return [
        _stat("hero.attack", number(stats.attack if stats else None, 1), look),
        _stat("hero.defence", number(stats.defence if stats else None, 1), look),
        _stat("hero.accuracy", fraction(stats.accuracy if stats else None), look),
        _stat("hero.gold", whole(stats.gold if stats else None), look),
    ]


def _identity(facts: Facts, look: Look, *, brief: bool = False) -> str:
    identity = facts.hero.identity
    return clean(identity.line(look.names, brief=brief)) if identity is not None else UNKNOWN


def _title(facts: Facts, look: Look) -> str:
    titles = facts.hero.titles
    return titles.worn.named(look.names) if titles is not None and titles.worn is not None else UNKNOWN


def _newest_form(facts: Facts) -> str:
    step = facts.status.last_checkpoint_step
    if step is None:
        return UNKNOWN
    return f"step {step:,}, {age(facts.status.ages_s.get('checkpoint'))} ago"


def _joined(parts: Sequence[Row], gap: str = "  ") -> Row:
    out: list[tuple[str, str]] = []
    for i, part in enumerate(parts):
        if i:
            out.append((gap, ""))
        out.extend(part)
    return tuple(out)


_GAIN_CELLS = 6
"""Room beside the bar in which what was just gained stands, so that nothing else moves."""


def _xp(facts: Facts, look: Look, width: int, gained: int) -> Row:
    stats = facts.hero.stats
    done, of = (stats.xp_in_level, stats.xp_per_level) if stats else (None, None)
    name = f"{label('hero.xp', look.names)} "
    count = f" {whole(done)}/{whole(of)}"
    gain = f"{'+' + brief(gained) if gained else '':>{_GAIN_CELLS}}"
    filled, empty = bar(
        done / of if done is not None and of else 0.0, max(4, width - len(name) - len(count) - _GAIN_CELLS), look.ascii
    )
    return ((name, "muted"), (filled, "hero"), (empty, "line"), (count, "text"), (gain, "good"))


def _streak(facts: Facts, look: Look) -> Row:
    hero = facts.hero
    best = f"  best {whole(hero.best_streak)}" if hero.best_streak is not None else ""
    return (*_stat("hero.streak", whole(hero.streak), look), (best, "muted"))


def effect_row(facts: Facts, look: Look, width: int) -> Row:
    """The status effects in force, each with the steps it lasts; as many as fit, then how many more."""
    name = f"{label('effect', look.names)} "
    effects = facts.hero.effects
    if not effects:
        return ((name, "muted"), (UNKNOWN if effects is None else label("effect.none", look.names).lower(), "muted"))
    row: list[tuple[str, str]] = [(name, "muted")]
    used = len(name)
    for i, one in enumerate(effects):
        text = f"{one.icon} {one.named(look.tavern)}" + (f" {brief(one.left)}" if one.left is not None else "")
        more = len(effects) - i
        if used + len(text) + (4 if more > 1 else 0) > width and i:
            row.append((f"+{more}", "muted"))
            break
        row += [(text, one.tone), ("  ", "")]
        used += len(text) + 2
    return tuple(row)


def won_words(pulse: Pulse, look: Look) -> Row:
    """The level that was just won; empty when none shines."""
    if not pulse.won:
        return ()
    word = entry("news.won")
    names = ", ".join(f"{key.upper()} {level}" for key, level in pulse.won)
    return ((f"{word.icon} {word.named(look.names)}: {names}", "accent-strong" if pulse.gold else "good-strong"),)


def _level(facts: Facts, look: Look) -> Row:
    return (
        (f"{label('hero.level', look.names)} ", "muted"),
        (whole(facts.status.hero.level), "strong"),
        ("   ", ""),
        _health(facts, look),
    )


def _health(facts: Facts, look: Look) -> tuple[str, str]:
    if not facts.hero.health:
        return (UNKNOWN, "muted")
    word = entry(f"hero.health.{facts.hero.health}")
    return (f"{word.icon} {word.named(look.names)}", _HEALTH_TONES.get(facts.hero.health, "text"))


def _warnings(facts: Facts) -> Sequence[Title]:
    return facts.hero.titles.warnings[:1] if facts.hero.titles is not None else ()


def hero_rows(facts: Facts, look: Look, width: int, height: int, pulse: Pulse = _STILL) -> list[Row]:
    """The full sheet; in two lines or fewer the short form of `hero_brief`."""
    if height <= 2:
        return hero_brief(facts, look, width, pulse)
    hero, status = facts.hero, facts.status
    face = [clean(line) for line in hero.portrait]
    face_width = max((len(line) for line in face), default=0)
    warning: Row = tuple((f"{w.rule.icon} {w.named(look.names)}", "warn") for w in _warnings(facts))
    fits = face_width + 5 + width_of(warning) + len(_title(facts, look)) <= width
    beside: Row = (("  ", ""), *warning) if warning and fits else ()
    text: list[Row] = [
        ((clean(status.hero.name), "hero"), (f", {clean(status.hero.epithet)}", "strong")),
        ((_identity(facts, look), "text"),),
        ((_title(facts, look), "accent"), *beside),
        won_words(pulse, look) or _level(facts, look),
    ]
    out: list[Row] = []
    for i in range(max(len(face), len(text))):
        left = (f" {face[i] if i < len(face) else '':<{face_width}}  ", "hero")
        out.append((left, *(text[i] if i < len(text) else ())))
    out.append(((" ", ""), *warning) if warning and not fits else (("", ""),))
    out.append(((" ", ""), *_xp(facts, look, width - 2, pulse.gained)))
    stats = _stats(facts, look)
    if width_of(_joined(stats)) <= width - 2:
        out.append(((" ", ""), *_joined(stats)))
    else:
        out.append(((" ", ""), *_joined(stats[:2])))
        out.append(((" ", ""), *_joined(stats[2:])))
    out.append(((" ", ""), *effect_row(facts, look, width - 2)))
    out.append(((" ", ""), *_streak(facts, look)))
    out.append(((" ", ""), *_stat("checkpoint", _newest_form(facts), look)))
    champion = status.champion
    out.append(((" ", ""), *_stat("champion", f"step {champion.step:,}" if champion else UNKNOWN, look)))
    if height < len(out):
        out = [row for row in out if row != (("", ""),)]
    return out


def hero_brief(facts: Facts, look: Look, width: int, pulse: Pulse = _STILL) -> list[Row]:
    """Two lines for a small terminal: name, title, health; level, bar and numbers."""
    status = facts.status
    skills: list[tuple[str, str]] = []
    for key, skill in status.skills.items():
        skills += [
            (f"{key.upper()} ", "skill-strong"),
            (f"{skill.mastered}", "strong"),
            (
                f" {label('skill.won', look.names).lower()}, {skill.held} {label('skill.held', look.names).lower()}  ",
                "muted",
            ),
        ]
    room = max(8, width - 50)
    second: Row = (
        (" ", ""),
        *_xp(facts, look, min(room, 32), pulse.gained),
        ("  ", ""),
        *_joined(_stats(facts, look)[:3]),
    )
    won = won_words(pulse, look)
    right: Row = (*won, (" ", "")) if won else (*skills, _health(facts, look), (" ", ""))
    first = next((row for row in _names(facts, look) if width_of(row) + width_of(right) < width), None)
    return [spread(first or _names(facts, look)[-1], right, width), second]


def _names(facts: Facts, look: Look) -> list[Row]:
    """Name, people and title in a row, and shorter ways to say it."""
    name = ((" ", ""), (clean(facts.status.hero.name), "hero"))
    people, title = _identity(facts, look, brief=True), (f"  {_title(facts, look)}", "accent")
    return [
        (*name, (f"  {shorten(people, 30)}", "text"), title),
        (*name, (f"  {shorten(people.rpartition(' · ')[0] or people, 30)}", "text"), title),
        (*name, title),
    ]


class HeroPanel(Panel):
    """Who is learning."""

    word = "panel.hero"
    ages = True

    def __init__(self, key: str, classes: str = "") -> None:
        super().__init__(key, classes)
        self.pulse = Pulse()

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return hero_rows(facts, look, width, height, self.pulse)
