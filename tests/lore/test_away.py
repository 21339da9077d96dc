"""While you were away: the report is right, counts nothing twice, and never boasts."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.loader import load_game
from lore.away import AwayReport, Mark, away_report
from lore.events import Chapter
from tests.lore import rows

EXAMS = load_game().exams
BEFORE = Mark(rows.at(1000), 1000, {"bin": 3})
NOW = Mark(rows.at(30_000), 9_000, {"bin": 5})

NIGHT = Chapter(
    runs=[
        rows.run(1, 0, 5_050, "oom", superseded_after=5_000),
        rows.run(2, 5_000, None, None, parent_run_id=1, parent_checkpoint_id=3),
    ],
    windows=[
        rows.window(s, s + 49, loss=0.8 if s < 5000 else 0.3, strain=0.2, zone_stretch=0, zone_productive=50)
        for s in range(1, 9_000, 50)
    ],
    quests=[rows.quest(1)],
    attempts=[rows.attempt(1, 3_000, 3_100, "completed", loss_before=2.3, loss_after=1.9)],
    exams=[
        rows.exam(1, 900, 64, level=3),
        rows.exam(2, 2_000, 45, level=4),
        rows.exam(3, 2_100, 60, level=4),
        rows.exam(4, 8_000, 52, level=5),
        rows.exam(5, 8_100, 64, level=9, kind="asked"),
    ],
    holds=[
        rows.hold(1, 2_400, 1, 16),
        rows.hold(2, 2_400, 2, 44, 80, lost=True),
        rows.hold(3, 8_200, 3, 44, 80, lost=True),
        rows.hold(4, 8_200, 2, 16),
    ],
    level_ups=[rows.level_up(1, 2_500, 4), rows.level_up(2, 8_300, 5)],
    checkpoints=[rows.checkpoint(i, s) for i, s in ((1, 900), (2, 2_500), (3, 5_000), (4, 8_300))],
    incidents=[
        rows.incident(1, 5_050, "high", status="resolved", resolved_at=rows.at(5_060)),
        rows.incident(2, 500, "medium", blocks=False, title="the disk is filling.", last_at=rows.at(8_000)),
        rows.incident(3, 600, "low", blocks=False),
    ],
)


def report(before: Mark | None = BEFORE, now: Mark = NOW, chapter: Chapter = NIGHT) -> AwayReport:
    found = away_report(before, now, chapter, EXAMS)
    assert found is not None
    return found


def test_a_night_is_counted_right() -> None:
    found = report()
    assert (found.steps, found.active_s, found.tokens) == (8_000, 8_000.0, 800_000)
    assert found.effort == pytest.approx(0.2 * 8_000)
    assert found.won == {"bin": (3, 5)}
    assert found.lost == {"bin": (3,)}, "level 2 was held again at the later screening"
    assert (found.exams, found.exams_passed) == (3, 2), "neither what was seen nor what was asked for counts"
    assert (found.checkpoints, found.newest_checkpoint_step) == (3, 8_300)
    assert [e.data["quest"] for e in found.quests] == ["my_chats.jsonl"]
    assert len(found.falls) == 1 and found.steps_left_behind == 50
    assert [i.id for i in found.open_incidents] == [2], "an old trouble that came again is news"
    assert found.zone == "productive"
    assert found.loss_from == pytest.approx(0.8) and found.loss_to == pytest.approx(0.3)


def test_a_night_is_told() -> None:
    found = report()
    assert found.text("PIP", "plain") == [
        "8 h 03 min since the last look, 2 h 13 min of it training",
        "8,000 steps, 800,000 tokens; now 9,000",
        "BIN: level 3 to 5",
        "BIN lost, in replay: L3",
        "3 exams, 2 passed; best BIN L5 .81",
        "Mean loss 0.80 to 0.30, mostly Productive; effort 1,600.0",
        "my_chats.jsonl done: held-out loss 2.30 to 1.90",
        "3 checkpoints, the newest at step 8,300",
        "1 crash; 50 steps after a checkpoint left behind",
        "Best moment: BIN level 5 won after 400 steps",
        "Worst moment: Blocked (high): loss is not finite",
        "Open incident (medium): the disk is filling. Way out: go back to the last anchor",
    ]
    tavern = found.text("PIP", "tavern")
    assert tavern[0] == "You were away for 8 h 03 min; PIP fought for 2 h 13 min of it"
    assert tavern[1] == "PIP struck 8,000 blows and is hero level 9 now"
    assert len(tavern) == 12 and all("{" not in line for line in tavern)


def test_no_look_before_no_report() -> None:
    assert away_report(None, NOW, NIGHT, EXAMS) is None


def test_nothing_happened() -> None:
    found = report(BEFORE, replace(BEFORE, at=rows.at(2_000)), Chapter())
    assert not found.anything
    assert found.text("PIP", "plain") == ["16 min since the last look, no training"]
    assert found.best is None and found.worst is None and found.loss_to is None and found.zone is None


def test_a_window_that_was_half_seen_counts_by_half() -> None:
    seen = Mark(rows.at(1_025), 1_025, {})
    found = report(seen, Mark(rows.at(2_000), 1_050, {}), Chapter(windows=[rows.window(1_001, 1_050)]))
    assert (found.steps, found.active_s, found.tokens) == (25, 25.0, 2_500)


def test_a_quest_on_its_first_attempt_names_no_zone() -> None:
    window = rows.window(1_001, 1_050, zone_stretch=0, zone_unknown=50, strain_sum=0.0, strain_last=None, floor=None)
    text = report(chapter=Chapter(windows=[window])).text("PIP", "plain")
    assert "Mean loss 0.80 to 0.80" in text


def test_after_a_fall_steps_are_not_counted_down() -> None:
    found = report(BEFORE, Mark(rows.at(2_000), 950, {"bin": 3}), Chapter())
    assert found.steps == 0


def test_moments_of_a_quiet_hour_are_exams() -> None:
    quiet = Chapter(exams=[rows.exam(1, 1_100, 40), rows.exam(2, 1_200, 55), rows.exam(3, 1_300, 38)])
    found = report(chapter=quiet)
    assert found.best is not None and found.best.source == "exams:2"
    assert found.worst is not None and found.worst.source == "exams:3"


def test_a_mark_survives_the_save() -> None:
    assert Mark.from_dict(json.loads(json.dumps(NOW.as_dict()))) == NOW


@pytest.mark.parametrize("broken", [None, 7, {}, {"at": "x", "step": 1}, {"at": 1.0, "step": None}])
def test_a_broken_mark_is_no_mark(broken: object) -> None:
    assert Mark.from_dict(broken) is None


@settings(max_examples=20)
@given(st.integers(0, 9_000), st.integers(0, 9_000))
def test_two_looks_tell_together_what_one_look_tells(first: int, second: int) -> None:
    """Looking in between changes neither steps nor tokens nor effort nor the number of exams."""
    low, high = sorted((first, second))
    marks = [Mark(rows.at(s), s, {}) for s in (0, low, high, 9_000)]
    whole = report(marks[0], marks[3])
    parts = [report(a, b, _until(b)) for a, b in itertools.pairwise(marks)]
    for name in ("steps", "exams", "exams_passed", "checkpoints"):
        assert sum(getattr(p, name) for p in parts) == getattr(whole, name)
    assert sum(p.tokens for p in parts) == pytest.approx(whole.tokens, abs=2)
    assert sum(p.effort for p in parts) == pytest.approx(whole.effort)


def _until(now: Mark) -> Chapter:
    """What the save held at a look: windows end where the hero stood."""
    windows = [rows.window(s, min(s + 49, now.step), strain=0.2) for s in range(1, now.step + 1, 50)]
    return replace(NIGHT, windows=windows)
