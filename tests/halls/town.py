"""A busy save for the halls: quests of every state, primitives weak and strong, a round of sparring, forged skills, odd names."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from saves import quests, sparring
from saves.database import create_save, open_save
from saves.rows import Decision, Sparring
from tests.cli.story import NOW, write_story
from tests.saves import facts

ODD = "‮evil\x1b[2J\x07🐉" + "long" * 2500
"""A name with a direction override, an escape, an emoji and ten thousand letters."""
_PRIMITIVES = {
    "binary_add_with_carry": {"correct": 12, "items": 40},
    "binary_compare": {"correct": 26, "items": 36},
    "binary_sub_no_borrow": {"correct": 29, "items": 36},
    "bitwise_and": {"correct": 60, "items": 60},
}


def build(folder: SaveFolder) -> None:
    """Make the save; the clock stands at `NOW` afterwards."""
    folder.root.parent.mkdir(parents=True)
    create_save(folder, load_hero("pip"), seed=1)
    with closing(open_save(folder, write=True)) as conn:
        write_story(conn, folder)
        clock.use(lambda: NOW - 600)
        facts.exam(
            conn, 1, 1240, correct=46, level=3, at=NOW - 300, kind="quick", plan="core_gate", primitives=_PRIMITIVES,
            format_failures=3, errors=2, repeats=5, apprentice=True,
        )  # fmt: skip
        _quests(conn, folder)
        form = conn.execute("SELECT id FROM checkpoints ORDER BY step LIMIT 1").fetchone()["id"]
        bout = quests.add_quest(
            conn, name="sparring_bin_L3_6", file="bout.jsonl", digest="aa", format="messages", priority="high",
            counts={"examples": 6, "tokens": 200}, source="sparring", origin="sparring", checkpoint_id=form, asked_step=400,
        )  # fmt: skip
        sparring.add_sparring(
            conn,
            Sparring(
                run_id=1, step=1240, checkpoint_id=form, skill="bin", level=3, asked=100, failed=2, records=6, quest_id=bout,
                at=NOW - 200,
            ),
        )  # fmt: skip
        from saves.decisions import add_decision

        add_decision(
            conn,
            Decision(
                run_id=1, step=1230, kind="strategy", skill="bin", strategy="equal", decision="BIN 100 %",
                reason="the only skill that trains", at=NOW - 250,
            ),
        )  # fmt: skip
    clock.use(lambda: NOW)


def _quests(conn: object, folder: SaveFolder) -> None:
    import sqlite3

    assert isinstance(conn, sqlite3.Connection)
    folder.quests.mkdir(exist_ok=True)
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"riddle {i} {ODD}"},
                {"role": "assistant", "content": f"answer {i}"},
            ]
        }
        for i in range(7)
    ]
    (folder.quests / "odd.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    quests.add_quest(
        conn, name=ODD, file="odd.jsonl", digest="dd", format="messages", priority="normal", epochs=2,
        counts={"examples": 7, "tokens": 900, "warnings": ["two lines say the same"]}, source=f"inbox/{ODD}",
    )  # fmt: skip
    failed = quests.add_quest(
        conn, name="torn", file="torn.jsonl", digest="ee", format="text", counts={"examples": 30, "tokens": 4000},
        source="command line",
    )  # fmt: skip
    for _ in range(2):
        tried = quests.start_attempt(conn, failed, 1, first_step=1201)
        quests.finish_attempt(conn, tried, "failed", last_step=1203, reason="the loss was not finite\x1b[31m")


def lay_quest_files(folder: SaveFolder) -> None:
    """Put the files of the story's quests where the board keeps its copies."""
    folder.quests.mkdir(exist_ok=True)
    for name in ("chats.jsonl", "later.jsonl"):
        (folder.quests / name).write_text('{"text": "a line"}\n', encoding="utf-8")


def forge_skill(folder: Path) -> str:
    """A skill that the Skill Forge proposed from sums; its id."""
    from skills.forge.proposal import propose

    source = folder / "sums.jsonl"
    pairs = [(a, b) for a in range(2, 32) for b in range(3, 13)]
    source.write_text(
        "".join(json.dumps({"question": f"What is {a} plus {b}?", "answer": str(a + b)}) + "\n" for a, b in pairs)
    )
    return propose(source, "sums", levels=3).declared.id
