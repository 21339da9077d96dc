"""Making a box ready: said first, done step by step, and a second time there is nothing to do."""

from __future__ import annotations

import ast
import io
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from configs.errors import BlockedError, RealmError
from configs.facilities import Facility
from configs.inn import SetupRules
from realm_tui.runtime.inn import setup, supervisor
from realm_tui.runtime.inn.box import LocalBox

ROOT = Path(__file__).parents[2]
PIP = """#!/bin/sh
# Stands for a Python whose venv module makes environments that have everything, or whose pip fails.
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin" "$3/site" && cp "$0" "$3/bin/python"; exit; fi
if [ "$1 $2" = "-m pip" ]; then echo "Looking at packages"; echo "no matching distribution"; exit 1; fi
case "$*" in *purelib*) echo "$(dirname "$0")/../site"; exit;; esac
site="$(dirname "$0")/../site"
PYTHONPATH="$(cat "$site/realm.pth" 2>/dev/null)" exec {python} "$@"
"""


def place(kind: str, **server: object) -> Facility:
    return Facility.model_validate(
        {"type": "hub", "host": "box", "base_path": "~/realm", "server": {"kind": kind, **server}}
    )


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Python that is found on the box."""
    path = tmp_path / "bin" / "python-there"
    path.parent.mkdir()
    path.write_text(PIP.format(python=sys.executable), "utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(setup, "_PYTHONS", (str(path),))
    return path


@pytest.fixture
def far(tmp_path: Path) -> LocalBox:
    """A box that is treated as another machine."""
    return LocalBox("inn", tmp_path / "far", "The Inn", is_local=False)


async def test_an_outpost_is_made_ready_step_by_step_and_only_what_changed_is_done_again(
    far: LocalBox, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    before = await setup.plan(far, place("own"))
    assert [step.state for step in before if step.id in ("folders", "environment", "packages", "program")] == [
        "needed"
    ] * 4
    assert not (tmp_path / "far" / "inn" / "env").exists()
    done = await setup.carry_out(far, place("own"), told.append)
    assert all(step.state == "done" for step in done) and told
    inn = tmp_path / "far" / "inn"
    ran = await far.run([f"{inn}/env/bin/python", "-P", "-m", "engine", "worker", "--help"])
    assert ran.code == 0 and "--socket" in ran.text
    other = _packed(tmp_path)
    monkeypatch.setattr(setup, "_program", lambda: ("f" * 64, other))
    states = {step.id: step.state for step in await setup.plan(far, place("own"))}
    assert states["environment"] == states["packages"] == "done" and states["program"] == "needed"
    await setup.carry_out(far, place("own"), told.append)
    assert (await far.run([f"{inn}/env/bin/python", "-P", "-c", "import engine; print(engine.NEW)"])).text == "yes\n"


def _packed(tmp_path: Path) -> bytes:
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w:gz") as archive:
        (tmp_path / "new.py").write_text("NEW = 'yes'\n", "utf-8")
        archive.add(tmp_path / "new.py", "engine/__init__.py")
    return found.getvalue()


async def test_a_failing_step_says_its_last_words(far: LocalBox, python: Path) -> None:
    with pytest.raises(BlockedError) as error:
        await setup.carry_out(far, place("vllm"), lambda _: None)
    assert error.value.code == "SETUP_BLOCKED" and "driver" in error.value.why
    away = place("own")
    far.rules = far.rules.model_copy(update={"setup": SetupRules.model_validate({})})
    original = setup._MODULES
    try:
        setup._MODULES = {**original, "own": ("a_module_nobody_has",)}
        with pytest.raises(RealmError) as failed:
            await setup.carry_out(far, away, lambda _: None)
    finally:
        setup._MODULES = original
    assert failed.value.code == "SETUP_FAILED" and "no matching distribution" in failed.value.why


async def test_a_named_python_is_looked_at_and_never_changed(far: LocalBox) -> None:
    steps = {step.id: step for step in await setup.plan(far, place("own", python="/no/such/python"))}
    assert steps["environment"].state == "blocked"


async def test_this_machine_needs_nothing_but_folders(here: LocalBox) -> None:
    local = Facility.model_validate({"type": "battlefield", "base_path": "~", "server": {"kind": "own"}})
    await setup.carry_out(here, local, lambda _: None)
    assert all(step.state == "done" for step in await setup.plan(here, local))


async def test_nothing_is_removed_while_a_server_runs(
    here: LocalBox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await supervisor.start(here, "own", [sys.executable, "-c", "import time; time.sleep(600)"])
    with pytest.raises(BlockedError) as error:
        await setup.remove_all(here)
    assert error.value.code == "SERVER_RUNS"
    assert not error.value.why
    with monkeypatch.context() as patch:
        patch.setenv("REALM_HOME", str(tmp_path / "elsewhere"))
        with pytest.raises(BlockedError, match="another realm"):
            await setup.remove_all(here)
    await supervisor.stop(here, "own")
    await setup.remove_all(here)
    assert not (here.base / "inn").exists()


def test_the_worker_there_gets_what_the_program_here_needs() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert set(SetupRules.model_validate({}).own) <= set(declared)


def test_the_boxs_side_is_written_for_old_pythons_and_needs_nothing() -> None:
    files = sorted((ROOT / "realm_tui/runtime/inn/there").glob("*.py"))
    assert {f"there/{file.name}" for file in files} | {"run.py"} == set(supervisor._scripts()[1])
    for file in files:
        tree = ast.parse(file.read_text("utf-8"), feature_version=(3, 8))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= sys.stdlib_module_names, file
            elif isinstance(node, ast.ImportFrom):
                assert (
                    node.level == 1
                    or node.module == "__future__"
                    or (node.module or "").split(".")[0] in sys.stdlib_module_names
                )
