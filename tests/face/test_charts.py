"""Charts as rows: axes with round ends, lines that tell each other apart without colour, and the two pages made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lore.strain import Hint
from realm_tui.app.charts import (
    LEFT,
    Columns,
    ValueAxis,
    blank,
    draw_line,
    draw_points,
    draw_stack,
    framed,
    memory,
    seconds,
    share,
    smooth,
    tick,
)
from realm_tui.app.drawing import Look, Row, width_of
from realm_tui.app.widgets.charts import CHARTS, Shown, chart_rows, charts_rows, layout, log_rows, sampled, visible
from realm_tui.app.widgets.strain_page import Now, cost_rows, effort_rows, strain_page_rows
from realm_tui.runtime.buckets import Grid
from realm_tui.runtime.lanes import Rival
from realm_tui.runtime.samples import Sample
from realm_tui.runtime.strain_view import Duel, LevelCost, SkillEffort, StrainData
from realm_tui.runtime.stretched import SERIES, STEP_PARTS, Plot
from realm_tui.runtime.watch_view import Curves, Watch, Wish
from saves.charts import Lane
from tests.face.samples import RULES

PLAIN = Look(names="plain")
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
SIZES = [(80, 19), (120, 32), (200, 60), (61, 15)]


def text(rows: Sequence[Row]) -> str:
    return "\n".join("".join(part for part, _ in row) for row in rows)


def watch(**changes: object) -> Watch:
    """300 buckets of ten steps of a falling loss."""
    grid = Grid(1, 10, 300)
    falling = tuple(2.0 * math.exp(-i / 80) + 0.1 for i in range(300))
    series = dict.fromkeys(SERIES, falling) | {"exam_s": (0.5,) * 300, "rest_s": (0.25,) * 300, "train_s": (1.0,) * 300}
    points = {"held_out_loss": ((900, 2.4), (1500, 1.6)), "accuracy": ((300, 0.4), (2000, 0.83))}
    values: dict[str, object] = {"first": 1, "last": 3000, "own": Curves(Plot(grid, series), points)}
    return Watch(**(values | changes))  # type: ignore[arg-type]


# ---------------------------------------------------------------- axes and numbers


@given(st.lists(NUMBERS, max_size=40), st.booleans(), st.booleans())
def test_every_finite_value_has_its_place_and_higher_is_never_lower(
    values: list[float], log: bool, from_zero: bool
) -> None:
    axis = ValueAxis.over(values, 32, log=log, from_zero=from_zero)
    known = sorted(v for v in values if axis.shows(v))
    rows = [axis.dot(v) for v in known]
    assert rows == sorted(rows, reverse=True) and all(0 <= y < 32 for y in rows)
    assert axis.low < axis.high or not known or not math.isfinite(known[-1] - known[0])


def test_an_axis_ends_at_round_numbers_that_seldom_change() -> None:
    assert (ValueAxis.over([0.13, 1.9], 32).low, ValueAxis.over([0.13, 1.9], 32).high) == (0.0, 2.0)
    assert ValueAxis.over([0.13, 1.9], 32) == ValueAxis.over([0.2, 1.95], 32)
    logarithmic = ValueAxis.over([0.004, 3.0], 32, log=True)
    assert logarithmic.low == pytest.approx(0.004) and logarithmic.high == pytest.approx(5.0)
    accuracy = ValueAxis.over([0.4], 32, from_zero=True, top=1.0)
    assert (accuracy.low, accuracy.high) == (0.0, 1.0)
    assert not ValueAxis.over([1.0], 32, log=True).shows(0.0), "a logarithm has no place for 0: a gap, never the bottom"


@given(NUMBERS)
def test_a_number_on_an_axis_takes_six_cells_at_most(value: float) -> None:
    if abs(value) < 1e12 or not math.isfinite(value):
        assert len(tick(value)) <= 7 and (value >= 0) <= (len(tick(value)) <= 6)


def test_times_bytes_and_shares_are_never_rounded_into_something_better() -> None:
    assert [seconds(v) for v in (0.0412, 0.0042, 1.25, 83.0, None)] == ["41 ms", "4.2 ms", "1.2 s", "83 s", "–"]
    assert [memory(v) for v in (812.0, 2457.6, None)] == ["812 M", "2.4 G", "–"]
    assert [share(v) for v in (51 / 64, 0.999, 1.0, None)] == [".79", ".99", "1.0", "–"]


# ---------------------------------------------------------------- columns and lines


@given(st.integers(0, 10_000), st.integers(1, 1024), st.integers(10, 400))
def test_columns_fit_and_hold_every_bucket(start: int, count: int, dots: int) -> None:
    columns = Columns.fit(start, count, dots)
    drawn = columns.of([1.0] * count)
    assert len(drawn) <= dots and all(v == 1.0 for v in drawn)
    assert columns.at(count - 1) < len(drawn)


def test_a_column_keeps_its_buckets_while_new_ones_come() -> None:
    values = [float(i) for i in range(300)]
    before = Columns.fit(7, 250, 100).of(values[:250])
    after = Columns.fit(7, 252, 100).of(values[:252])
    assert before[:-1] == after[: len(before) - 1]


def test_smoothing_begins_at_the_first_value_and_keeps_gaps() -> None:
    smoothed = smooth([4.0, None, 0.0, 0.0], 0.9)
    assert smoothed[:2] == [4.0, None] and 0 < (smoothed[3] or 0) < (smoothed[2] or 0) < 4
    assert smooth([4.0, None], 0.0) == [4.0, None]


def test_a_second_line_differs_in_its_dots_and_not_only_in_its_colour() -> None:
    axis = ValueAxis(0.0, 1.0, 16)
    solid, dotted = blank(10, 4), blank(10, 4)
    draw_line(solid, [0.5] * 20, axis, "curve")
    draw_line(dotted, [0.5] * 20, axis, "curve", dotted=True)
    assert [c for row in solid for c, _ in row if c != " "] != [c for row in dotted for c, _ in row if c != " "]
    both = blank(10, 4)
    draw_line(both, [0.0] * 20, axis, "skill", dotted=True)
    draw_line(both, [1.0] * 20, axis, "curve")
    assert {role for row in both for c, role in row if c != " "} == {"skill", "curve"}


def test_ascii_lines_are_ascii() -> None:
    axis = ValueAxis(0.0, 1.0, 16)
    cells = blank(10, 4)
    draw_line(cells, [0.1, 0.9] * 10, axis, "skill", dotted=True, ascii_only=True)
    draw_line(cells, [0.4] * 20, axis, "curve", ascii_only=True)
    assert all(c.isascii() for row in cells for c, _ in row)


def test_points_and_gaps_stay_where_they_belong() -> None:
    axis = ValueAxis(0.0, 1.0, 16)
    cells = blank(10, 4)
    draw_points(cells, [(0, 0.0), (19, 1.0), (99, 0.5), (3, math.nan)], axis, "curve")
    assert [(x, y) for y, row in enumerate(cells) for x, (c, _) in enumerate(row) if c != " "] == [(9, 0), (0, 3)]
    line = blank(10, 4)
    draw_line(line, [0.5, None, math.nan, math.inf, 0.5], axis, "curve")
    assert sum(c != " " for row in line for c, _ in row) == 2


def test_stacked_parts_fill_the_height_and_nothing_is_drawn_of_nothing() -> None:
    cells = blank(2, 10)
    draw_stack(cells, [[0.5, 0.5, None, None], [0.3, 0.3, None, None], [0.2, 0.2, None, None]], 1.0, ("a", "b", "c"))
    assert "".join(row[0][0] for row in cells) == "░░▒▒▒█████" and {row[1][0] for row in cells} == {" "}


def test_the_frame_names_the_ends_of_the_axis() -> None:
    rows = framed(blank(10, 5), ValueAxis(0.0, 2.0, 20), tick)
    assert [("".join(t for t, _ in r))[:LEFT] for r in rows] == ["  2.00│", "      ┊", "  1.00│", "      ┊", "  0.00│"]


# ---------------------------------------------------------------- the Watchtower


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", [PLAIN, Look(), Look(ascii=True)], ids=["plain", "tavern", "ascii"])
@pytest.mark.parametrize("alone", [False, True])
def test_the_charts_fit_every_size_exactly(size: tuple[int, int], look: Look, alone: bool) -> None:
    for shown in (Shown(alone=alone), Shown(chart="temperature", alone=alone), Shown(chart="time", alone=alone)):
        rows = charts_rows(watch(), shown, look, *size)
        assert len(rows) == size[1] and all(width_of(row) <= size[0] for row in rows)


def test_every_chart_names_its_newest_value_or_says_what_is_missing() -> None:
    for chart in CHARTS:
        drawn = text(chart_rows(chart, watch(), Shown(), PLAIN, 60, 10))
        if chart.kind == "sample":
            assert chart.empty in drawn and "–" in drawn
        else:
            assert chart.empty not in drawn and "–" not in drawn.splitlines()[0]
        assert "nothing has been trained yet" in text(chart_rows(chart, Watch(), Shown(), PLAIN, 60, 10))


def test_the_split_of_time_adds_up() -> None:
    chart = next(c for c in CHARTS if c.id == "time")
    title = text(chart_rows(chart, watch(), Shown(), PLAIN, 60, 10)).splitlines()[0]
    assert "1.0 s █57% ▒29% ░14%" in title


def test_alone_the_chart_of_times_tells_a_step_apart_as_far_as_it_was_measured() -> None:
    chart = next(c for c in CHARTS if c.id == "time")

    def told(**parts: float | None) -> list[str]:
        grid, unknown = Grid(1, 10, 300), dict.fromkeys(STEP_PARTS)
        times = {**unknown, "train_s": 1.0, "exam_s": 0.5, "rest_s": 0.25, **parts}
        seen = watch(own=Curves(Plot(grid, {name: (value,) * 300 for name, value in times.items()})))
        return text(chart_rows(chart, seen, Shown(alone=True), PLAIN, 80, 16)).splitlines()

    passes = told(step_s=0.001, both_s=0.7, update_s=0.2, data_s=0.099)
    assert passes[0] == "  Step time split  1.0 s a step".ljust(len(passes[0]))
    assert passes[1].split("  ")[1:6] == [
        "▓ forward+backward 40%",
        "▚ update 11%",
        "▌ data 6%",
        "▒ exams 29%",
        "░ rest 14%",
    ]
    assert {"▓", "▚", "▌", "▒", "░"} <= set("".join(passes[2:])) and "█" not in "".join(passes[1:])
    each = told(step_s=0.0, forward_s=0.2, backward_s=0.5, update_s=0.2, data_s=0.1)
    assert "▀ forward 11%  ▄ backward 29%" in each[1] and "forward+backward" not in each[1]
    unknown = told(step_s=1.0)
    assert "█ undivided 57%" in unknown[1] and "data" not in unknown[1] and "not measured" in unknown[2]


def test_a_rival_is_drawn_with_signs_of_its_own_and_named() -> None:
    other = Curves(
        Plot(Grid(1, 10, 300), dict.fromkeys(SERIES, (1.5,) * 300)), {"accuracy": ((100, 0.2),), "held_out_loss": ()}
    )
    both = watch(other=other, rival=Rival("campaign-002", "Twin", Lane("campaign-002"), best=True))
    drawn = text(charts_rows(both, Shown(), PLAIN, 120, 32))
    assert "○ Twin, personal best" in drawn and "Loss  0.148 ○ 1.50" in drawn
    accuracy = next(c for c in CHARTS if c.id == "accuracy")
    points = text(chart_rows(accuracy, both, Shown(), PLAIN, 60, 10))
    assert points.count("●") == 2 and points.count("○") == 1
    gradient = next(c for c in CHARTS if c.id == "grad_norm")
    roles = {role for row in chart_rows(gradient, both, Shown(), PLAIN, 60, 10) for _, role in row}
    assert {"curve", "skill"} <= roles and "faint" not in roles, "one dotted line at a time"


def test_what_is_looked_for_leaves_only_charts_and_lines_that_have_it() -> None:
    assert [c.id for c in visible(Shown(words="LOSS"), PLAIN)] == ["loss", "held_out"]
    assert visible(Shown(words="nowhere"), PLAIN) == list(CHARTS)
    lines = ["keeper: started", "trainer: an Error came", "keeper: ends"]
    found = log_rows(lines, Shown(words="error"), PLAIN, 60, 5)
    assert "Error" in text(found) and "started" not in text(found) and "warn" in {role for _, role in found[1]}
    assert "nothing was written yet" in text(log_rows((), Shown(), PLAIN, 60, 5))


def test_the_chosen_chart_is_always_among_those_that_are_seen() -> None:
    for width, height in SIZES:
        for here in range(len(CHARTS)):
            place = layout(len(CHARTS), here, width, height)
            assert place.first <= here < place.first + place.across * place.down
            x, y = (here - place.first) % place.across, (here - place.first) // place.across
            assert place.at(x * width // place.across + 1, y * place.height, width) == here


def test_a_sample_stands_until_the_next_but_not_over_a_night() -> None:
    def sample(step: int, at: float, mib: int) -> Sample:
        return Sample(step, at, mib * 1024**2, None, None, None, None)

    grid = Grid(1, 10, 10)
    line = sampled([sample(5, 0.0, 100), sample(45, 2.0, 200), sample(75, 30_000.0, 300)], "memory_bytes", grid)
    assert list(line) == [100, 100, 100, 100, 200, None, None, 300, None, None]
    assert set(sampled([sample(5, 0.0, 1)], "temperature_c", grid)) == {None}


# ---------------------------------------------------------------- the Strain page


def page(**changes: object) -> StrainData:
    """A campaign of 3,000 steps with two levels and a ghost that went further."""
    grid = Grid(1, 10, 400)
    falling = tuple(1.6 * math.exp(-i / 80) + 0.12 if i < 300 else None for i in range(400))
    values: dict[str, object] = {
        "first": 1,
        "last": 3000,
        "curve": Plot(grid, {"strain": falling}),
        "levels": ((540, "L1"), (560, "L2"), (2990, "L3")),
        "checkpoints": (500, 540, 1000, 2990),
        "ghost": Rival("campaign-002", "Old \u202e name", Lane("campaign-002"), best=True),
        "ghost_curve": tuple(1.9 * math.exp(-i / 90) + 0.1 for i in range(400)),
        "ghost_levels": ((700, "L1"), (3990, "L2")),
        "rivals": (),
        "efforts": (
            SkillEffort("bin", 2000, 812.4, (10, 200, 700, 1090), 0.02, 2, 150.0, 2.0, 2 / 300),
            SkillEffort("sy", 1000, 300.0, (0, 1000, 0, 0), 0.02, 1, 280.0, 2.8, 0.01),
            SkillEffort("quests", 40, None, (0, 0, 0, 0), None, 0, None, None, None),
        ),
        "costs": (LevelCost("sy", 1, 2990, 900, 280.0, 2.8, 0.01), LevelCost("bin", 1, 540, 500, 100.0, None, None)),
        "duel": Duel(3000, 0.15, 0.21, 3, 1),
    }
    return StrainData(**(values | changes))  # type: ignore[arg-type]


NOW = Now(0.15, "productive", 812.4, 0.02, "improving", Hint("continue", 0.9, "productive", "improving"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", [PLAIN, Look(), Look(ascii=True)], ids=["plain", "tavern", "ascii"])
def test_the_strain_page_fits_every_size(size: tuple[int, int], look: Look) -> None:
    for data in (page(), StrainData(), page(ghost=None, ghost_curve=(), duel=None)):
        rows = strain_page_rows(data, NOW, look, *size, RULES.strain, smoothing=0.9)
        assert len(rows) <= size[1] and all(width_of(row) <= size[0] for row in rows)


def test_levels_and_forms_stand_at_their_steps_beside_the_ghosts() -> None:
    drawn = text(strain_page_rows(page(), NOW, PLAIN, 120, 36, RULES.strain)).splitlines()
    won = next(line for line in drawn if line.startswith("   won"))
    ghost = next(line for line in drawn if line.startswith(" ghost"))
    assert "▲L1" in won and "▲L3" in won and "▾" in won and "▲L2" not in won, (
        "a label that would hide another gives way"
    )
    assert "○L1" in ghost and "L2○" in ghost, "at the right edge the label stands before its sign"
    assert won.index("▲L1") < ghost.index("○L1")


def test_the_hint_is_shown_with_its_rule_and_how_sure_it_is() -> None:
    drawn = text(strain_page_rows(page(), NOW, PLAIN, 120, 36, RULES.strain))
    assert "continue: productive and falling  sure 0.9" in drawn and "CONTINUE, confidence .9" in drawn
    assert "needs ten steps" in text(strain_page_rows(page(), Now(), PLAIN, 120, 36, RULES.strain))


def test_both_sides_of_the_duel_are_told() -> None:
    drawn = text(strain_page_rows(page(), NOW, PLAIN, 120, 36, RULES.strain))
    assert "step 3,000  strain 0.15 ○ 0.21 (0.06 easier for you)  levels 3 ○ 1" in drawn
    unknown = page(duel=Duel(3000, None, 0.21, 3, 1))
    assert "strain – ○ 0.21  levels" in text(strain_page_rows(unknown, NOW, PLAIN, 120, 36, RULES.strain))


def test_effort_meters_are_as_long_as_the_effort_and_name_the_thriftiest() -> None:
    rows = text(effort_rows(page().efforts, PLAIN, 110)).splitlines()
    bars = [sum(line.count(fill) for fill in "░▒▓█") for line in rows[1:4]]
    assert "no floor yet" in rows[3] and bars[2] == 0, "unknown is not drawn as a short meter"
    assert bars[0] > bars[1] > 0 and bars[1] == round(bars[0] * 300 / 812.4)
    assert "▲" in rows[2] and "▲" not in rows[1] and "–" in rows[3]
    assert "nothing has been trained yet" in text(effort_rows((), PLAIN, 110))


def test_the_dearest_level_is_marked() -> None:
    rows = text(cost_rows(page().costs, PLAIN, 50, 9)).splitlines()
    assert "▲" in rows[1] and "▲" not in rows[2] and rows[2].count("–") == 2
    assert "no level has been won yet" in text(cost_rows((), PLAIN, 50, 9))
    assert Wish().filter.skill == ""
