"""A checkpoint is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch

from configs.errors import RealmError
from engine.trainer.checkpoints import DiskFullError, TrainerState, read_state, write_checkpoint
from engine.trainer.retention import Form, expendable
from saves.checkpoint_folder import checkpoint_name, export_model, sweep_leftovers, verify_checkpoint

STATE = TrainerState({"w": torch.arange(6.0)}, {"step": 4})


def write_model(path: Path) -> None:
    (path / "config.json").write_text("{}", encoding="utf-8")
    (path / "model.safetensors").write_bytes(b"x" * 10_000)


def write(parent: Path, name: str) -> None:
    write_checkpoint(parent, name, write_model, STATE, {"step": 4})


def test_name_is_the_canonical_one() -> None:
    assert checkpoint_name(190000, 1764253800.0) == "checkpoint-190000-20251127-1430"


def test_state_and_facts_come_back(tmp_path: Path) -> None:
    written = write_checkpoint(tmp_path, "checkpoint-4-20250101-0000", write_model, STATE, {"step": 4})
    state = read_state(written.path)
    assert torch.equal(state.tensors["w"], STATE.tensors["w"]) and state.values == {"step": 4}
    sidecar = verify_checkpoint(written.path)
    assert sidecar["step"] == 4 and sidecar["digest"] == written.digest


def test_the_digest_covers_the_model_and_not_the_trainer(tmp_path: Path) -> None:
    one = write_checkpoint(tmp_path, "a", write_model, STATE, {})
    other = write_checkpoint(tmp_path, "b", write_model, TrainerState({}, {"step": 5}), {})
    assert one.digest == other.digest


def test_trap_19_killed_before_any_file_operation_nothing_half_done_is_ever_taken_for_whole(tmp_path: Path) -> None:
    """A child is killed at its first, second, third… file operation, until one gets through."""
    events = ("open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "shutil.rmtree")
    write(tmp_path, "first")
    for fatal in range(1, 200):
        child = os.fork()
        if child == 0:
            operations = count(1)

            def hook(
                event: str, args: tuple[object, ...], fatal: int = fatal, seen: Iterator[int] = operations
            ) -> None:
                ours = event == "os.rename" or (event in events and "part" in str(args[0]))
                if ours and next(seen) == fatal:
                    os._exit(9)

            sys.addaudithook(hook)
            write(tmp_path, "second")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        verify_checkpoint(tmp_path / "first")
        if (tmp_path / "second").exists():
            verify_checkpoint(tmp_path / "second")
        sweep_leftovers(tmp_path, {"first", "second"})
        assert {p.name for p in tmp_path.iterdir()} <= {"first", "second"}
        if status == 0:
            break
    else:
        pytest.fail("writing never got through")
    assert fatal > 10
    verify_checkpoint(tmp_path / "second")


@pytest.mark.parametrize("name", ["model.safetensors", "trainer/state.safetensors", "trainer/state.json"])
def test_damage_is_found_and_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, "a")
    file = tmp_path / "a" / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RealmError, match=name):
        read_state(tmp_path / "a")


def test_a_missing_or_foreign_sidecar_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a")
    (tmp_path / "a" / ".ledger.json").write_text(json.dumps([1]), encoding="utf-8")
    with pytest.raises(RealmError, match="damaged"):
        verify_checkpoint(tmp_path / "a")
    (tmp_path / "a" / ".ledger.json").unlink()
    with pytest.raises(RealmError, match="no readable"):
        verify_checkpoint(tmp_path / "a")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    write(small_disk, "a")
    big = TrainerState({"w": torch.zeros(400_000)}, {})
    with pytest.raises(DiskFullError, match="no room"):
        write_checkpoint(small_disk, "b", write_model, big, {})
    assert [p.name for p in small_disk.iterdir()] == ["a"]
    verify_checkpoint(small_disk / "a")


def test_export_holds_the_model_alone(tmp_path: Path) -> None:
    write(tmp_path, "a")
    export_model(tmp_path / "a", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".ledger.json", "config.json", "model.safetensors"]
    with pytest.raises(RealmError, match="already exists"):
        export_model(tmp_path / "a", tmp_path / "out")


def form(number: int, *reasons: str, level: int | None = None, **marks: bool) -> Form:
    flags = {"protected": False, "champion": False, "best": False, **marks}
    return Form(id=number, step=number, reasons=reasons, level=level, **flags)


def test_retention_keeps_what_it_must() -> None:
    forms = [
        form(1, "asked", champion=True),
        form(2, "anchor"),
        *(form(10 + level, "level_up", level=level) for level in range(1, 13)),
        form(30, "asked", protected=True),
        form(31, "asked", best=True),
        form(32, "stop"),
        form(33, "anchor"),
    ]
    gone = set(expendable(forms, keep=2))
    assert gone == {2, 11, 12, 13, 14, 16, 17, 18, 19}


def test_a_rolling_anchor_replaces_itself() -> None:
    assert expendable([form(1, "anchor"), form(2, "anchor"), form(3, "anchor")], keep=3) == [1, 2]


def test_the_newest_is_never_expendable() -> None:
    assert expendable([form(1, "anchor")], keep=2) == []
    assert expendable([], keep=2) == []
