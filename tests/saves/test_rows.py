"""Facts come back as they were written."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from configs.errors import RealmError
from configs.paths import SaveFolder
from saves import exams, journal, ledger, rows, steps
from saves.connection import SaveConnection
from tests.saves import facts

TYPES: list[Any] = [
    rows.Campaign, rows.Run, rows.StepWindow, rows.ForgedQuest, rows.Quest, rows.QuestAttempt, rows.Exam, rows.ExamItem,
    rows.Hold, rows.LevelUp, rows.Checkpoint, rows.Champion, rows.Incident, rows.JournalEntry, rows.Balance,
]  # fmt: skip


@pytest.mark.parametrize("cls", TYPES, ids=lambda c: c.__name__)
def test_fields_are_the_columns_of_the_table(save: SaveConnection, cls: Any) -> None:
    columns = [c[0] for c in save.execute(f"SELECT * FROM {cls.table}").description]
    assert [f.name + "_json" if f.metadata else f.name for f in fields(cls)] == columns


def test_a_window_an_exam_and_a_checkpoint_come_back_unchanged(save: SaveConnection) -> None:
    run = facts.begin(save)
    window = facts.window(run, 1, 50, floor=None, strain_last=None)
    steps.add_window(save, window)
    assert steps.windows(save, facts.CAMPAIGN) == [window]

    made = facts.checkpoint(save, run, 50)
    assert ledger.newest_checkpoint(save, facts.CAMPAIGN) == made

    number = facts.exam(save, run, 50, correct=2, items=4)
    found = exams.latest_exam(save, facts.CAMPAIGN)
    assert found is not None and found.id == number
    assert found.sequence == "CCMM" and found.operations == {"add": {"correct": 2, "items": 4}}
    assert [(i.answer, i.correct) for i in exams.exam_items(save, number)] == [
        ("④", True), ("④", True), ("⑤", False), ("⑤", False),
    ]  # fmt: skip


def test_a_number_that_is_not_finite_is_refused_where_it_would_become_json(save: SaveConnection) -> None:
    run = facts.begin(save)
    with pytest.raises(ValueError):
        journal.add(save, run, 1, "set", {"learning_rate": float("nan")}, changes_training=True)
    assert journal.recent(save, facts.CAMPAIGN) == []


def test_a_reader_cannot_write(folder: SaveFolder) -> None:
    from saves.campaigns import set_setting
    from saves.database import open_save

    conn = open_save(folder, write=False)
    with pytest.raises(RealmError, match="cannot use"):
        set_setting(conn, "names", "plain")
    conn.close()
