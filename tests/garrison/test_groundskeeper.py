"""A sweep takes what nobody needs, a dry run takes nothing, and neither touches what training or the game is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configs import clock
from configs.garrison import GroundsRules
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.runtime.groundskeeper import sweep
from saves import patrols
from saves.database import create_save, open_save

RULES = GroundsRules.model_validate({"log_mb": 0.01})
DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """A save with something of every kind, old and new."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    for name in ("REALM_CONFIG_DIR", "REALM_SAVE"):
        monkeypatch.delenv(name, raising=False)
    found = SaveFolder.named("main")
    create_save(found, load_hero("pip"), seed=1)
    papers = found.root / "papers"
    for name, days in (
        ("logs/trainer.log", 90),
        ("logs/trainer.log.1", 31),
        ("logs/keeper.log.1", 2),
        ("papers/old.md", 31),
    ):
        write(found.root / name, days)
    for name, days in (("papers/new.md", 1), ("quests/.part-half.jsonl", 3), ("quests/tale.jsonl", 400)):
        write(found.root / name, days)
    half = found.root / "champions" / ".part-checkpoint-1"
    write(half / "model.safetensors", 3)
    os.utime(half, (clock.now() - 3 * DAY,) * 2)
    write(found.checkpoints / "checkpoint-1" / "model.safetensors", 400)
    assert papers.is_dir()
    (found.logs / "worker.log").write_text("".join(f"line {n}\n" for n in range(5000)), encoding="utf-8")
    yield found


def write(path: Path, days: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x", encoding="utf-8")
    os.utime(path, (clock.now() - days * DAY,) * 2)


def everything(folder: SaveFolder) -> dict[str, int]:
    found = (p for p in folder.root.rglob("*") if p.is_file() and not p.name.startswith("realm.db"))
    return {p.relative_to(folder.root).as_posix(): p.stat().st_size for p in found}


def test_a_dry_run_says_it_all_and_takes_nothing(folder: SaveFolder) -> None:
    before = everything(folder)
    told = {s.what: s.count for s in sweep(folder, RULES, dry=True)}
    assert told["long logs"] == 1 and told["old logs"] == 1 and told["papers"] == 1 and told["leftovers"] == 2
    assert everything(folder) == before


def test_a_sweep_takes_what_the_dry_run_named_and_leaves_the_rest(folder: SaveFolder) -> None:
    before = everything(folder)
    named = {s.what: s.count for s in sweep(folder, RULES, dry=True)}
    took = {s.what: s.count for s in sweep(folder, RULES)}
    assert {k: v for k, v in took.items() if k in named} == {k: named[k] for k in took if k in named}
    gone = set(before) - set(everything(folder))
    assert gone == {
        "logs/trainer.log.1",
        "papers/old.md",
        "quests/.part-half.jsonl",
        "champions/.part-checkpoint-1/model.safetensors",
    }
    assert sum(s.count for s in sweep(folder, RULES) if s.what != "jobs and their events") == 0


def test_a_long_log_keeps_its_newest_whole_lines(folder: SaveFolder) -> None:
    sweep(folder, RULES)
    kept = (folder.logs / "worker.log").read_text(encoding="utf-8").splitlines()
    assert kept[-1] == "line 4999" and 0 < len(kept) < 5000
    assert kept == [f"line {n}" for n in range(5000 - len(kept), 5000)]


def test_the_newest_look_at_a_place_stays_however_old(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        for _ in range(3):
            patrols.looked(conn, "inn", "healthy", {}, [])
        conn.execute("UPDATE patrols SET at = at - ?", (99 * DAY,))
        conn.commit()
    sweep(folder, RULES)
    with closing(open_save(folder, write=False)) as conn:
        assert len(patrols.patrols(conn, "inn")) == 1
