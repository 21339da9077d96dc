"""The facts on the screen are the save's rows and the living engine's own report."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configs.loader import load_hero
from configs.paths import SaveFolder
from engine.link.state import EngineState
from realm_tui.app.facts import Facts
from realm_tui.app.source import SaveSource
from realm_tui.runtime.away import LOOK, away_tales, look_now, mark_of
from realm_tui.runtime.game_view import TOLD
from realm_tui.runtime.opened import opened
from realm_tui.runtime.status import collect
from saves.campaigns import active_campaign, last_seen, mark_seen
from saves.database import create_save, open_save
from saves.exams import exam_items, latest_exam
from saves.incidents import raise_incident, resolve
from tests.saves import facts as rows

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> SaveFolder:
    found = SaveFolder(tmp_path / "saves" / "main")
    found.root.parent.mkdir()
    create_save(found, load_hero("pip"), seed=1)
    return found


@pytest.fixture
def source(folder: SaveFolder) -> Iterator[SaveSource]:
    with closing(SaveSource(folder)) as found:
        yield found


class Playing:
    """An engine that writes ring and rows like a trainer, at many steps a second."""

    def __init__(self, folder: SaveFolder) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.playback", str(folder.root), "--steps-per-s", "250"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(LIMIT_S)


@pytest.fixture
def playing(folder: SaveFolder) -> Iterator[Playing]:
    found = Playing(folder)
    yield found
    found.end(signal.SIGKILL)


def read_until(source: SaveSource, true: Callable[[Facts], bool]) -> Facts:
    """Look again and again until the facts are so."""
    end = time.monotonic() + LIMIT_S
    while not true(found := source.read()):
        assert time.monotonic() < end, f"it never came: {found.status}"
        time.sleep(0.02)
    return found


def test_a_new_save_shows_its_hero_and_nothing_made_up(source: SaveSource) -> None:
    first = source.opening().facts
    assert (first.status.hero.name, first.status.state) == ("PIP", EngineState.NONE)
    assert first.exam is None and first.battle is None and first.curve.values == ()
    assert first.hero.stats is not None and first.hero.stats.attack is None
    later = source.read()
    assert later.hero.titles is not None and later.log == ()


def test_a_living_engine_is_followed_and_its_rows_are_shown(
    folder: SaveFolder, source: SaveSource, playing: Playing
) -> None:
    found = read_until(source, lambda f: f.exam is not None and (f.curve.last or 0) > 300 and len(f.log) > 3)
    assert found.status.state is EngineState.TRAINING
    assert found.battle is not None and len(found.battle.tokens) == len(found.battle.losses)
    assert found.strain.hint is not None and found.strain.trend == "improving"
    assert found.curve.last is not None and found.status.step is not None
    assert abs(found.curve.last - found.status.step) < 250
    with closing(open_save(folder, write=False)) as conn:
        exam = latest_exam(conn, active_campaign(conn).id)
        assert exam is not None
        items = exam_items(conn, exam.id)
    shown = read_until(source, lambda f: f.exam is not None and f.exam.id >= exam.id).exam
    assert shown is not None
    if shown.id == exam.id:
        assert (shown.correct, shown.items) == (exam.correct, exam.items)
        assert [a.correct for a in shown.answers] == [i.correct for i in items]


def test_the_screen_and_the_status_command_agree(folder: SaveFolder, source: SaveSource, playing: Playing) -> None:
    read_until(source, lambda f: f.exam is not None)
    playing.end()
    shown, told = read_until(source, lambda f: f.status.state is EngineState.STOPPED).status, collect(folder)
    ours, theirs = shown.as_dict(), told.as_dict()
    for volatile in ("at", "ages_s"):
        ours.pop(volatile)
        theirs.pop(volatile)
    assert ours == theirs


def test_a_killed_engine_is_shown_as_fallen_and_a_new_one_is_followed(
    folder: SaveFolder, source: SaveSource, playing: Playing
) -> None:
    read_until(source, lambda f: (f.curve.last or 0) > 120)
    playing.end(signal.SIGKILL)
    fallen = read_until(source, lambda f: f.status.state is EngineState.CRASHED)
    assert fallen.battle is None and fallen.curve.last is not None
    again = Playing(folder)
    try:
        risen = read_until(source, lambda f: f.status.state is EngineState.TRAINING and f.battle is not None)
        assert risen.curve.last is not None
        reached = fallen.curve.last
        grown = read_until(source, lambda f: (f.curve.last or 0) > reached + 100)
        assert grown.curve.recent and grown.curve.recent[-1] is not None
    finally:
        again.end()


def test_a_second_source_draws_the_whole_campaign_from_the_save(
    folder: SaveFolder, source: SaveSource, playing: Playing
) -> None:
    read_until(source, lambda f: (f.status.step or 0) > 400)
    playing.end()
    with closing(SaveSource(folder)) as late:
        late.opening()
        found = late.read()
    assert found.curve.first <= 50 and found.curve.last is not None and found.curve.last > 300
    assert sum(v is not None for v in found.curve.values) > 100


def test_an_incident_weighs_on_the_hero_until_it_is_closed(folder: SaveFolder, source: SaveSource) -> None:
    assert read_until(source, lambda f: f.hero.health is not None).hero.health == "healthy"
    with closing(open_save(folder, write=True)) as conn:
        number = raise_incident(
            conn, "nan_loss", category="training", severity="critical", title="not finite", fix="go back", blocks=True
        )
        struck = read_until(source, lambda f: f.hero.health == "fatigued")
        assert [line.label for line in struck.hero.effects or ()] == ["Reality Tear"]
        resolve(conn, number)
    assert read_until(source, lambda f: f.hero.health == "healthy").hero.effects == ()


def test_deeds_are_those_earned_now_and_those_that_were_told(folder: SaveFolder, source: SaveSource) -> None:
    assert read_until(source, lambda f: f.hero.deeds is not None).hero.deeds == ()
    with closing(open_save(folder, write=True)) as conn:
        mark_seen(conn, TOLD, ["marathon"])
        rows.checkpoint(conn, rows.begin(conn), 120)
    assert read_until(source, lambda f: len(f.hero.deeds or ()) > 1).hero.deeds == (
        "marathon",
        "first_steps",
        "century",
        "first_save",
    )


def test_the_away_report_tells_what_happened_since_the_last_look(folder: SaveFolder, playing: Playing) -> None:
    with opened(folder) as save:
        assert away_tales(save) == []
    with closing(SaveSource(folder)) as source:
        before = read_until(source, lambda f: f.exam is not None)
    look_now(folder)
    with closing(SaveSource(folder)) as source:
        after = read_until(source, lambda f: (f.status.step or 0) > (before.status.step or 0) + 300)
        playing.end()
        view = source.away()
    assert mark_of(after.status).step > 300
    assert view is not None and view.told and view.trained_s > 0
    assert 0 <= view.idle_s <= view.elapsed_s
    assert [one.tale.at for one in view.told] == sorted(one.tale.at for one in view.told)
    assert {one.moment for one in view.told} >= {"best"}
    text = " ".join(tale.plain for tale in view.summary)
    assert "step" in text and "exam" in text.lower()
    look_now(folder)
    with opened(folder) as save:
        assert away_tales(save) == []
        seen = last_seen(save.conn, LOOK)
    assert seen is not None and seen.value["step"] > 300
