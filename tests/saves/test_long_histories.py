"""What is read of a long history by its keys is what reading all of it gives."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.big_save import Player, make
from configs.paths import SaveFolder
from realm_tui.app.history import MOST_BUCKETS
from realm_tui.app.source import SaveSource
from realm_tui.runtime.events import NewestEvents
from realm_tui.runtime.opened import opened
from realm_tui.runtime.status import Remembered, collect_from
from saves import exams, steps
from saves.database import open_save
from saves.ledger import live_checkpoints
from saves.runs import go_back


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> SaveFolder:
    """Eight thousand facts of eighty thousand steps."""
    folder = SaveFolder(tmp_path_factory.mktemp("long") / "saves" / "main")
    make(folder, facts=8_000)
    return folder


@pytest.fixture
def own(played: SaveFolder, tmp_path: Path) -> SaveFolder:
    """A copy that a test may write to."""
    folder = SaveFolder(tmp_path / "saves" / "main")
    folder.make()
    shutil.copyfile(played.database, folder.database)
    return folder


def test_what_is_new_is_found_by_its_time(played: SaveFolder) -> None:
    with opened(played) as save:
        conn, campaign = save.conn, save.campaign.id
        windows, asked, screened = (
            steps.windows(conn, campaign),
            exams.recent_exams(conn, campaign),
            exams.recent_holds(conn, campaign),
        )
        since = windows[len(windows) * 2 // 3].last_at
        assert steps.windows(conn, campaign, since=since) == [w for w in windows if w.last_at > since]
        assert steps.windows(conn, campaign, 7, since=since) == windows[-7:]
        assert exams.recent_exams(conn, campaign, since=since) == [e for e in asked if e.at > since]
        assert exams.recent_holds(conn, campaign, since=since) == [h for h in screened if h.at > since]
        sums = steps.live_sums(conn, campaign, since=since)
        assert sums.steps == sum(w.steps for w in windows if w.last_at > since)
        assert steps.effort(conn, campaign) == pytest.approx(sum(w.strain_sum for w in windows))


def test_the_newest_screening_of_each_level(own: SaveFolder) -> None:
    with closing(open_save(own, write=True)) as conn:
        campaign = "campaign-001"

        def newest() -> dict[int, int]:
            found = exams.recent_holds(conn, campaign)
            return {h.level: h.id for h in found if h.skill == "sy"}

        whole = newest()
        assert {level: h.id for level, h in exams.holds(conn, campaign, "sy").items()} == whole
        assert exams.holds(conn, campaign, "no skill") == {} == exams.holds(conn, "another campaign", "sy")
        conn.execute("UPDATE checkpoints SET deleted_at = NULL")
        go_back(conn, live_checkpoints(conn, campaign)[30], pid=1)
        assert {level: h.id for level, h in exams.holds(conn, campaign, "sy").items()} == newest() != whole


def test_the_newest_events_are_the_last_of_all(own: SaveFolder) -> None:
    kept = NewestEvents(40, 10**9)
    with opened(own) as save, closing(open_save(own, write=True)) as conn:

        def last() -> list[str]:
            return [event.key for event in NewestEvents(10**6, 10**9).read(save)][-40:]

        assert [event.key for event in kept.read(save)] == last()
        player = Player(conn)
        for _ in range(6):
            player.play()
            assert [event.key for event in kept.read(save)] == last()
        before = kept.read(save)
        conn.execute("UPDATE checkpoints SET deleted_at = NULL")
        go_back(conn, live_checkpoints(conn, save.campaign.id)[30], pid=1)
        after = kept.read(save)
        assert [event.key for event in after] == last(), "what a resume left behind is told no more"
        assert after != before


def test_a_status_read_again_is_the_one_read_first(own: SaveFolder) -> None:
    with opened(own) as save, closing(open_save(own, write=True)) as conn:
        remembered, player = Remembered(), Player(conn)
        for _ in range(3):
            one, other = collect_from(save, remembered=remembered), collect_from(save)
            assert (one.step, one.effort, one.skills, one.loss) == (other.step, other.effort, other.skills, other.loss)
            player.play()


def test_the_curve_of_a_long_campaign_is_its_whole_way(played: SaveFolder) -> None:
    with closing(SaveSource(played)) as source:
        source.opening()
        curve = source.read().curve
    with opened(played) as save:
        windows = steps.windows(save.conn, save.campaign.id)
    assert curve.last == windows[-1].last_step and len(curve.values) <= MOST_BUCKETS
    assert curve.first < windows[0].last_step
    known = [value for value in curve.values if value is not None]
    mean = sum(w.strain_sum for w in windows) / sum(w.steps for w in windows)
    assert sum(known) / len(known) == pytest.approx(mean, rel=0.02)
