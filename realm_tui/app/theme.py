"""The colours: two themes of the house, and the roles that panels name instead of colours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.theme import Theme

NIGHT = Theme(
    name="tavern-night",
    primary="#7aa2c9",
    secondary="#a58fc4",
    accent="#e0b65c",
    success="#86b37d",
    warning="#dd9a54",
    error="#d86f6f",
    foreground="#d6d3c9",
    background="#14151a",
    surface="#1a1c22",
    panel="#22252d",
    dark=True,
    variables={
        "line": "#3a3f4b",
        "faint": "#5d6270",
        "muted": "#9297a3",
        "bright": "#f4f1e6",
        "zone-recovery": "#7fb8a4",
        "zone-productive": "#d9c26b",
        "zone-stretch": "#e0995a",
        "zone-overload": "#d86f6f",
        "curve": "#9cc3e6",
        "heat-0": "#8d9a8c",
        "heat-1": "#a9bd86",
        "heat-2": "#d9c26b",
        "heat-3": "#e8a35c",
        "heat-4": "#f0786c",
        "footer-key-foreground": "#e0b65c",
        "block-cursor-text-style": "bold reverse",
    },
)

DAY = Theme(
    name="tavern-day",
    primary="#2f5f8f",
    secondary="#6a4f96",
    accent="#8a5a00",
    success="#33692b",
    warning="#a04e00",
    error="#a82c2c",
    foreground="#2b2a26",
    background="#f7f4ec",
    surface="#f1ede2",
    panel="#e6e1d3",
    dark=False,
    variables={
        "line": "#c4bda9",
        "faint": "#8f8878",
        "muted": "#6b6557",
        "bright": "#14130f",
        "zone-recovery": "#1f6f5c",
        "zone-productive": "#7a6200",
        "zone-stretch": "#a04e00",
        "zone-overload": "#a82c2c",
        "curve": "#2f5f8f",
        "heat-0": "#5b6659",
        "heat-1": "#4c6a1f",
        "heat-2": "#7a6200",
        "heat-3": "#a04e00",
        "heat-4": "#b3221c",
        "footer-key-foreground": "#8a5a00",
        "block-cursor-text-style": "bold reverse",
    },
)

THEMES = (NIGHT, DAY)

_ROLES: Mapping[str, tuple[str, str]] = {
    "text": ("foreground", ""),
    "strong": ("bright", "bold"),
    "muted": ("muted", ""),
    "faint": ("faint", ""),
    "line": ("line", ""),
    "accent": ("accent", ""),
    "accent-strong": ("accent", "bold"),
    "key": ("accent", "bold"),
    "good": ("success", ""),
    "warn": ("warning", ""),
    "bad": ("error", ""),
    "good-strong": ("success", "bold"),
    "warn-strong": ("warning", "bold"),
    "bad-strong": ("error", "bold"),
    "alarm": ("error", "bold reverse"),
    "skill": ("secondary", ""),
    "skill-strong": ("secondary", "bold"),
    "curve": ("curve", ""),
    "tip": ("bright", "bold"),
    "mark": ("accent", "bold"),
    "recovery": ("zone-recovery", ""),
    "productive": ("zone-productive", ""),
    "stretch": ("zone-stretch", ""),
    "overload": ("zone-overload", ""),
    "recovery-strong": ("zone-recovery", "bold"),
    "productive-strong": ("zone-productive", "bold"),
    "stretch-strong": ("zone-stretch", "bold"),
    "overload-strong": ("zone-overload", "bold"),
    "heat-0": ("heat-0", ""),
    "heat-1": ("heat-1", ""),
    "heat-2": ("heat-2", ""),
    "heat-3": ("heat-3", "bold"),
    "heat-4": ("heat-4", "bold"),
}
_FALLBACK = {
    "line": "panel",
    "faint": "text-disabled",
    "muted": "text-muted",
    "bright": "foreground",
    "curve": "primary",
    "zone-recovery": "success",
    "zone-productive": "accent",
    "zone-stretch": "warning",
    "zone-overload": "error",
    "heat-0": "foreground",
    "heat-1": "success",
    "heat-2": "accent",
    "heat-3": "warning",
    "heat-4": "error",
}
"""What stands for the house's own colours under a theme that does not name them."""

REVERSED = "alarm"
"""The one role that paints blanks too."""
HERO = "hero"
"""Role of the hero's own colour, set by `palette_of` from the app's ``hero_colour``."""


@lru_cache(maxsize=8)
def _palette(variables: tuple[tuple[str, str], ...], hero: str, background: str) -> Mapping[str, Style]:
    named = dict(variables)
    under = Color.parse(background)

    def colour(name: str) -> Color:
        for candidate in (name, _FALLBACK.get(name, "foreground"), "foreground"):
            try:
                parsed = Color.parse(named[candidate])
            except (KeyError, ValueError):
                continue
            return under + parsed if parsed.a < 1 else parsed
        return Color.parse("#d0d0d0")

    def style(spec: Color, attributes: str) -> Style:
        return Style.parse(attributes) + Style(color=spec.rich_color) if attributes else Style(color=spec.rich_color)

    palette = {role: style(colour(name), attributes) for role, (name, attributes) in _ROLES.items()}
    mine = Color.parse(hero)
    if abs(mine.brightness - under.brightness) < 0.35:
        mine = colour("accent")
    palette[HERO] = style(mine, "bold")
    return palette


def palette_of(app: App[object]) -> Mapping[str, Style]:
    """Role to style under the app's theme; a role that is not listed draws plain."""
    wanted = {name for name, _ in _ROLES.values()} | set(_FALLBACK.values())
    variables = app.theme_variables
    named = tuple((name, variables[name]) for name in sorted(wanted) if name in variables)
    return _palette(named, getattr(app, "hero_colour", "#FACC15"), variables.get("background", "#000000"))
