"""The hero's sheet where room is short: what stands there is whole, and what does not fit is left out before it is cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lore.titles import Title, title_rules
from realm_tui.app.drawing import Look, Row
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.header import header_rows
from realm_tui.app.widgets.hero import hero_rows
from tests.face import samples

VOICES = pytest.mark.parametrize("look", [Look(), Look(names="plain")], ids=["tavern", "plain"])


def text(row: Row) -> str:
    return "".join(part for part, _ in row)


def warned() -> Facts:
    """A hero that somebody warns of, whose exam is behind it."""
    found = samples.facts()
    assert found.hero.titles is not None
    rule = max((one for one in title_rules().values() if one.shown == "warning"), key=lambda one: len(one.plain))
    return replace(
        found,
        hero=replace(
            found.hero, health="minor_issues", titles=replace(found.hero.titles, warnings=(Title("w", rule, 0),))
        ),
    )


@VOICES
@pytest.mark.parametrize("width", [78, 80, 96])
def test_on_a_small_terminal_the_title_is_whole(look: Look, width: int) -> None:
    facts = warned()
    titles = facts.hero.titles
    assert titles is not None and titles.worn is not None
    line = text(hero_rows(facts, look, width, 2)[0])
    assert titles.worn.named(look.names) in line and "…" not in line and "PIP" in line


@VOICES
def test_a_warning_is_whole_in_a_row_of_its_own_where_it_does_not_fit_beside_the_title(look: Look) -> None:
    facts = warned()
    titles = facts.hero.titles
    assert titles is not None and titles.worn is not None
    warning = titles.warnings[0].named(look.names)
    rows = [text(row).rstrip() for row in hero_rows(facts, look, 42, 12)]
    assert all(len(row) <= 42 for row in rows if warning in row or titles.worn.named(look.names) in row)
    assert sum(warning in row for row in rows) == 1
    assert len(rows) == len(hero_rows(samples.facts(), look, 42, 12)), "it takes the blank row"


def test_the_header_leaves_out_what_does_not_fit_instead_of_cutting_it() -> None:
    facts = samples.facts()
    lines = [text(header_rows(facts, Look(), width, "saving a checkpoint")[0]) for width in (80, 90, 100, 140)]
    assert all(len(line) == width for line, width in zip(lines, (80, 90, 100, 140), strict=True))
    assert not any("…" in line for line in lines)
    assert all("PIP" in line and "1,204" in line and "saving a checkpoint" in line for line in lines)
    assert "campaign-001" not in lines[0] and "campaign-001" in lines[-1]
