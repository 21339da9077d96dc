"""The data under the charts: what the rows say, whatever is looked at and however coarse history has become."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from engine.link.snapshot import StepRecord
from realm_tui.runtime.buckets import POINTS, Grid, Span
from realm_tui.runtime.card import Card
from realm_tui.runtime.lanes import rivals
from realm_tui.runtime.opened import OpenedSave, opened
from realm_tui.runtime.recipe import ghost_of, keep_ghost, recipe_of
from realm_tui.runtime.samples import MOST, Samples
from realm_tui.runtime.strain_view import StrainReader
from realm_tui.runtime.stretched import SERIES, ExamLog, Plot, Track, with_records
from realm_tui.runtime.watch_view import QUESTS, Tower, Watch, Wish
from saves.charts import Lane, exam_sums, held_out, newest_exam, stretches
from saves.connection import SaveConnection
from saves.database import create_save, open_save
from saves.retention import merge_windows
from saves.runs import open_run
from tests.face import tower as world

LANE = Lane(world.CAMPAIGN)


@pytest.fixture
def folder(tmp_path: Path) -> SaveFolder:
    found = SaveFolder(tmp_path / "saves" / "main")
    found.root.parent.mkdir()
    create_save(found, load_hero("pip"), seed=1)
    return found


@pytest.fixture
def conn(folder: SaveFolder) -> Iterator[SaveConnection]:
    with closing(open_save(folder, write=True)) as found:
        yield found


@pytest.fixture
def save(folder: SaveFolder, conn: SaveConnection) -> Iterator[OpenedSave]:
    world.story(conn)
    with opened(folder) as found:
        yield found


def line(watch: Watch, name: str) -> list[float]:
    return [v for v in watch.own.plot.series[name] if v is not None]


# ---------------------------------------------------------------- spans and grids


def test_a_view_zooms_around_its_newest_step_and_follows_until_it_is_moved() -> None:
    everything = Span()
    near = everything.zoomed(0.5, 1, 1000)
    assert near.bounds(1, 1000) == (501, 1000) and near.bounds(1, 1100) == (601, 1100)
    moved = near.panned(-0.5, 1, 1000)
    assert moved.bounds(1, 1000) == (251, 750) == moved.bounds(1, 5000)
    assert moved.panned(+5, 1, 1000).end is None
    assert moved.panned(-50, 1, 1000).bounds(1, 1000) == (1, 500)
    assert near.zoomed(4, 1, 1000) == everything
    assert everything.zoomed(1e-9, 1, 1000).bounds(1, 1000) == (969, 1000)


def test_buckets_stay_where_they_are_while_history_grows() -> None:
    seen: dict[int, set[int]] = {}
    for last in range(1, 5000, 13):
        grid = Grid.over(1, last)
        assert grid.count <= POINTS and grid.first <= 1 and grid.last >= last
        seen.setdefault(grid.size, set()).add(grid.first % grid.size)
    assert all(len(starts) == 1 for starts in seen.values())


@pytest.mark.parametrize("shift", [-700, -5, 0, 3, 250, 5000])
def test_a_grid_counted_by_another_begins_at_a_step_that_exists(shift: int) -> None:
    grid = Grid.over(1, 3000)
    theirs, missing, away = grid.shifted(shift)
    assert theirs.first >= 1 and missing + theirs.count == grid.count and abs(away - shift) <= grid.size / 2


# ---------------------------------------------------------------- sums


def test_stretches_add_up_to_the_rows_and_split_where_they_should(conn: SaveConnection) -> None:
    world.story(conn)
    found = stretches(conn, LANE, 1, 3000, 300)
    assert [s.number for s in found] == list(range(10))
    assert sum(s.steps for s in found) == 3000
    rows = conn.execute("SELECT sum(loss_sum), sum(tokens) FROM step_windows").fetchone()
    assert math.isclose(sum(s.loss_sum for s in found), rows[0]) and sum(s.tokens for s in found) == rows[1]
    part = stretches(conn, LANE, 601, 900, 100)
    assert [s.number for s in part] == [6, 7, 8] and sum(s.steps for s in part) == 300


def test_what_a_resume_left_behind_is_in_its_run_and_in_no_campaign(conn: SaveConnection) -> None:
    first = world.run(conn)
    world.train(conn, first, 1, 1000)
    form = world.checkpoint(conn, first, 500)
    open_run(
        conn, world.CAMPAIGN, first_step=500, parent_run_id=first, parent_checkpoint_id=form.id, pid=1, environment={},
        exact=True,
    )  # fmt: skip
    assert sum(s.steps for s in stretches(conn, LANE, 1, 1000, 100)) == 500
    assert sum(s.steps for s in stretches(conn, Lane(world.CAMPAIGN, first), 1, 1000, 100)) == 1000
    assert sum(s.steps for s in stretches(conn, Lane("campaign-009", first), 1, 1000, 100)) == 0


def test_a_curve_read_bit_by_bit_is_the_curve_read_at_once(conn: SaveConnection) -> None:
    first = world.run(conn)
    growing, log = Track(LANE), ExamLog(LANE)
    for start in range(1, 3000, 250):
        world.train(conn, first, start, start + 249, 25)
        world.exam(conn, first, start + 100, 40)
        grid = Grid.over(1, start + 249, 64)
        log.update(conn, grid)
        plot = growing.read(conn, grid, log)
    fresh = ExamLog(LANE)
    fresh.update(conn, grid)
    assert plot == Track(LANE).read(conn, grid, fresh)
    form = world.checkpoint(conn, first, 1000)
    open_run(
        conn, world.CAMPAIGN, first_step=1000, parent_run_id=first, parent_checkpoint_id=form.id, pid=1, environment={},
        exact=True,
    )  # fmt: skip
    log.update(conn, grid)
    cut = growing.read(conn, grid, log)
    assert all(v is None for v in cut.series["loss"][1000 // grid.size + 1 :])
    assert [s for s, _ in log.gates(grid)] == [101, 351, 601, 851]


@pytest.fixture
def hasty() -> Iterator[None]:
    """A clock by which every query takes long, so that one look has time for a part only."""
    ticks = itertools.count()
    clock.use(lambda: world.NOW, lambda: next(ticks) * 0.15)
    yield
    clock.use()


def test_a_history_too_long_for_one_look_comes_newest_first_and_whole_in_the_end(
    save: OpenedSave, conn: SaveConnection, hasty: None
) -> None:
    tower, reader = Tower(), StrainReader()
    watch, page = tower.read(save, Wish()), reader.read(save, Wish())
    assert (watch.complete, page.complete, page.efforts) == (False, False, ())
    loss = watch.own.plot.series["loss"]
    assert loss[0] is None and loss[-1] is not None
    looks = 1
    while not (watch.complete and page.complete):
        world.train(conn, 1, 3000 + looks, 3000 + looks, 1)
        watch, page, looks = tower.read(save, Wish()), reader.read(save, Wish()), looks + 1
        assert looks < 100
    clock.use()
    at_once, sums = Tower().read(save, Wish()), StrainReader().read(save, Wish())
    assert watch.own == at_once.own and page.curve == sums.curve
    assert [(e.skill, e.steps, e.zones) for e in page.efforts] == [(e.skill, e.steps, e.zones) for e in sums.efforts]


def test_merged_history_draws_the_same_curve_only_coarser(conn: SaveConnection) -> None:
    first = world.run(conn)
    world.train(conn, first, 1, 4000, 10)
    grid = Grid(1, 400, 10)
    before = Track(LANE).read(conn, grid).series["loss"]
    merge_windows(conn, world.CAMPAIGN, kept=100, factor=10)
    fine = Track(LANE).read(conn, Grid(1, 20, 200)).series["loss"]
    assert Track(LANE).read(conn, grid).series["loss"] == pytest.approx(before)
    assert all(v is not None for v in fine), "a merged row shows its mean in every bucket it spans"


def test_time_is_split_into_training_exams_and_the_rest(save: OpenedSave, conn: SaveConnection) -> None:
    log = ExamLog(LANE)
    log.update(conn, Grid(1, 1000, 3))
    plot = Track(LANE).read(conn, Grid(1, 1000, 3), log)
    assert plot.series["train_s"] == pytest.approx([0.05] * 3)
    assert plot.series["exam_s"] == pytest.approx([6 / 1000, 4 / 1000, 2 / 1000])
    wall = 1000 * 0.0525
    assert plot.series["rest_s"][1] == pytest.approx((wall - 50 - 4) / 1000 if wall > 54 else 0.0)
    assert plot.series["rest_s"][2] == pytest.approx((wall - 50 - 2) / 1000)


def test_a_step_is_told_apart_where_its_windows_know_and_stays_whole_where_they_do_not(conn: SaveConnection) -> None:
    run = world.run(conn)
    world.train(conn, run, 1, 1000)
    world.train(conn, run, 1001, 2000, data_s=0.2, compute_s=1.5, update_s=0.7)
    world.train(conn, run, 2001, 3000, data_s=0.2, compute_s=1.5, forward_s=0.5, update_s=0.7)
    series = Track(LANE).read(conn, Grid(1, 1000, 3)).series
    assert series["step_s"] == pytest.approx([0.05, 0.002, 0.002])
    assert series["data_s"] == pytest.approx([None, 0.004, 0.004])
    assert series["both_s"] == pytest.approx([None, 0.03, None]) and series["update_s"][0] is None
    assert series["forward_s"] == pytest.approx([None, None, 0.01])
    assert series["backward_s"] == pytest.approx([None, None, 0.02])
    fresh = with_records(
        Plot(Grid(1, 1000, 3), {**series, **{n: (*v[:2], None) for n, v in series.items()}}),
        [StepRecord(2950, 0.0, 1.0, 0.1, 0.01, 2.0, 100, 0.25)],
        written=2000,
    ).series
    assert fresh["step_s"][2] == 0.25 and fresh["data_s"][2] is None, "the ring knows the whole only"


def test_the_ring_ends_the_curve_step_by_step_and_never_rewrites_what_is_coarser() -> None:
    def record(step: int, loss: float = 0.5) -> StepRecord:
        return StepRecord(step, 0.0, loss, math.nan, 0.01, 2.0, 100, 0.25)

    known = Plot(Grid(1, 10, 12), dict.fromkeys(SERIES, (1.0,) * 10 + (None, None)))
    fresh = with_records(known, [record(s) for s in range(85, 108)], written=100)
    assert fresh.series["loss"] == (*(1.0,) * 9, 0.5, 0.5, None)
    assert fresh.series["strain"][9:] == (1.0, None, None), "an unknown strain takes nothing away"
    assert fresh.series["tokens_per_s"][10] == 400.0
    assert with_records(known, [], 100) is known


# ---------------------------------------------------------------- the tower


def test_the_tower_shows_every_series_of_the_campaign(save: OpenedSave) -> None:
    watch = Tower().read(save, Wish())
    assert (watch.first, watch.last) == (1, 3000)
    assert line(watch, "loss")[0] == pytest.approx(world.loss_at(25)) and len(line(watch, "grad_norm")) > 500
    assert watch.own.points["held_out_loss"] == ((1501, 2.4), (1800, 1.6))
    assert [s for s, _ in watch.own.points["accuracy"]] == [300, 600, 900, 1400, 2000, 2900]
    assert line(watch, "tokens_per_s") == pytest.approx([16000.0] * len(line(watch, "tokens_per_s")))
    assert watch.rivals == () and watch.other is None


def test_only_what_was_asked_for_is_shown(save: OpenedSave) -> None:
    tower = Tower()
    quests = tower.read(save, Wish(only=QUESTS))
    steps = [
        quests.own.plot.grid.first + i * quests.own.plot.grid.size
        for i, v in enumerate(quests.own.plot.series["loss"])
        if v
    ]
    assert steps and min(steps) >= 1450 and max(steps) <= 1800
    assert quests.own.points["accuracy"] == () and quests.own.points["held_out_loss"]
    assert tower.read(save, Wish(only="bin")).own.points["held_out_loss"] == ()
    assert tower.read(save, Wish(only="sy")).own.plot.series["loss"].count(None) == quests.own.plot.grid.count


def test_another_campaign_and_a_run_are_laid_over(save: OpenedSave, conn: SaveConnection) -> None:
    twin = world.other_campaign(conn, "Twin", levels=1, last=1000)
    world.run(conn, first=3000)
    tower = Tower()
    watch = tower.read(save, Wish(rival=twin))
    assert watch.rival is not None and watch.rival.title == "Twin" and watch.other is not None
    theirs = watch.other.plot.series["loss"]
    ours = watch.own.plot.series["loss"]
    assert theirs[100] == pytest.approx(ours[100]) and theirs[-1] is None
    assert [r.key for r in watch.rivals] == [twin, "run:3", "run:1"]
    run = tower.read(save, Wish(rival="run:1"))
    assert run.other is not None and run.other.plot.series["loss"] == run.own.plot.series["loss"]
    gone = tower.read(save, Wish(rival="campaign-099"))
    assert gone.rival is None and gone.other is None


def test_a_rival_that_went_further_makes_room_for_itself(save: OpenedSave, conn: SaveConnection) -> None:
    far = world.other_campaign(conn, "Far", levels=2, last=6000)
    watch = Tower().read(save, Wish(rival=far))
    assert watch.last == 3000 and watch.own.plot.grid.last >= 6000


def test_a_recipe_is_raced_as_a_coarse_curve(save: OpenedSave, conn: SaveConnection, folder: SaveFolder) -> None:
    keep_ghost(folder, ghost_of(recipe_of(save, save.campaign)))
    watch = Tower().read(save, Wish(rival="recipe"))
    assert watch.other is not None and watch.other.points == {}
    assert watch.other.plot.series["loss"][500] == pytest.approx(watch.own.plot.series["loss"][500] or 0.0, rel=0.05)


def test_a_new_save_has_nothing_to_draw_and_says_so_by_none(folder: SaveFolder) -> None:
    with opened(folder) as save:
        watch = Tower().read(save, Wish())
        page = StrainReader().read(save, Wish(), unset=True)
    assert watch.last is None and page.last is None and page.efforts == () and watch.log == ()


def test_the_engine_log_is_followed_and_cannot_write_on_the_terminal(save: OpenedSave) -> None:
    save.folder.logs.mkdir(parents=True, exist_ok=True)
    path = save.folder.logs / "keeper.log"
    path.write_text("2026-11-21 started trainer\n\x1b[31mred\n")
    tower = Tower()
    assert [entry.split(": ", 1)[0] for entry in tower.read(save, Wish()).log] == ["keeper", "keeper"]
    with path.open("a") as file:
        file.write("one more\n")
    log = tower.read(save, Wish()).log
    assert log[-1] == "keeper: one more" and "\x1b" not in "".join(log)


# ---------------------------------------------------------------- strain


def test_effort_is_told_by_skill_with_what_it_bought(save: OpenedSave, conn: SaveConnection) -> None:
    reader = StrainReader()
    page = reader.read(save, Wish(), unset=True)
    found = {e.skill: e for e in page.efforts}
    rows = conn.execute("SELECT skill, sum(strain_sum), sum(steps) FROM step_windows GROUP BY skill").fetchall()
    effort = {row[0]: (row[1], row[2]) for row in rows}
    assert (found["bin"].effort, found["bin"].steps) == pytest.approx(effort["bin"])
    assert sum(found["bin"].zones) == 2700 and found["bin"].floor == 0.02 and found["quests"].floor is None
    assert (found["bin"].levels, found["bin"].per_level, found["bin"].gain) == (2, 150.0, 2.0)
    assert found["bin"].efficiency == pytest.approx(2.0 / 300)
    assert [(c.level, c.efficiency) for c in page.costs] == [(2, 1 / 200), (1, 1 / 100)]
    assert page.levels == ((950, "L1"), (2950, "L2")) and page.checkpoints == (950, 2950)
    world.train(conn, 1, 3001, 3200)
    again = {e.skill: e for e in reader.read(save, Wish(), unset=True).efforts}
    fresh = {e.skill: e for e in StrainReader().read(save, Wish(), unset=True).efforts}
    assert again["bin"].steps == 2900 and again["bin"].effort == pytest.approx(fresh["bin"].effort)


def test_the_personal_best_runs_along_until_another_ghost_is_chosen(save: OpenedSave, conn: SaveConnection) -> None:
    weak = world.other_campaign(conn, "Weak", levels=1)
    strong = world.other_campaign(conn, "Strong", levels=3)
    assert [(r.key, r.best) for r in rivals(save)] == [(strong, True), (weak, False)]
    reader = StrainReader()
    page = reader.read(save, Wish(), unset=True)
    assert page.ghost is not None and page.ghost.key == strong
    assert page.ghost_levels == ((400, "L1"), (800, "L2"), (1200, "L3"))
    assert page.duel is not None and (page.duel.step, page.duel.levels, page.duel.ghost_levels) == (2000, 1, 3)
    assert page.duel.strain == pytest.approx(page.duel.ghost_strain or 0.0)
    assert reader.read(save, Wish(rival=weak)).ghost_levels == ((400, "L1"),)
    none = reader.read(save, Wish(rival=""))
    assert none.ghost is None and none.ghost_curve == () and none.duel is None


# ---------------------------------------------------------------- the machine


def driver(devices: int = 1) -> SimpleNamespace:
    """Answers like NVML; it knows the temperature, fails to tell the power, and lacks the rest."""

    def temperature(handle: object, sensor: int, out: Any) -> int:
        out._obj.value = 61
        return 0

    return SimpleNamespace(
        nvmlInit_v2=lambda: 0,
        nvmlDeviceGetHandleByIndex_v2=lambda index, handle: 0 if index < devices else 6,
        nvmlDeviceGetTemperature=temperature,
        nvmlDeviceGetPowerUsage=lambda handle, out: 3,
    )


def test_a_card_says_what_it_knows_and_a_machine_without_one_nothing() -> None:
    reading = Card(driver()).read()
    assert reading is not None
    assert (reading.temperature_c, reading.power_w, reading.memory_bytes, reading.busy) == (61.0, None, None, None)
    assert Card(driver(devices=0)).read() is None


def test_samples_stay_bounded_and_begin_where_they_began(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    clock.use(lambda: now[0], lambda: now[0])
    try:
        samples = Samples(Card(driver()))
        samples.take(None, 5)
        assert samples.all() == ()
        for step in range(1, 6 * MOST):
            now[0] += 2.0
            samples.take(step, 1000 + step)
        kept = samples.all()
    finally:
        clock.use()
    assert len(kept) <= MOST and kept[0].step == 1 and kept[-1].step > 5.9 * MOST
    assert [s.step for s in kept] == sorted(s.step for s in kept) and kept[0].temperature_c == 61.0


def test_exams_are_summed_by_stretch_and_skill(save: OpenedSave, conn: SaveConnection) -> None:
    world.exam(conn, 1, 2950, 32, skill="sy")
    world.exam(conn, 1, 2960, 10, kind="quick")
    found = exam_sums(conn, LANE, 0, newest_exam(conn), 1000)
    assert [(s.number, s.skill, s.gates, s.seconds) for s in found] == [
        (0, "bin", 3, 6.0),
        (1, "bin", 2, 4.0),
        (2, "bin", 1, 4.0),
        (2, "sy", 1, 2.0),
    ]
    assert found[0].gate_shares == pytest.approx((20 + 41 + 53) / 64) and found[2].gate_step == 2900
    log = ExamLog(LANE)
    log.update(conn, Grid(1, 1000, 3))
    assert log.gates(Grid(1, 1000, 3), "sy") == [(2950, 0.5)]
    log.update(conn, Grid(2001, 100, 10))
    assert [s for s, _ in log.gates(Grid(2001, 100, 10), "bin")] == [2900]
    assert [h.loss for h in held_out(conn, LANE)] == [2.4, 1.6]
