"""What is installed is whole: the game runs from its built wheel, with every YAML inside."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder of its own, far from the source tree."""
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    names = listed.stdout.decode().split("\0")[:-1] if listed.returncode == 0 else []
    names = names or [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts]
    for name in names:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out / "site")
    return out / "site"


def realm(installed: Path, home: Path, *args: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(installed), "REALM_HOME": str(home)}
    run = subprocess.run(
        [sys.executable, "-P", "-m", "realm_tui", *args], cwd=home, env=env, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_wheel_holds_every_shipped_file(installed: Path) -> None:
    shipped = {
        p.relative_to(ROOT)
        for package in ("configs", "lore", "realm_tui", "engine", "saves", "skills")
        for p in (ROOT / package).rglob("*")
        if p.suffix in (".py", ".yaml", ".tcss") and "__pycache__" not in p.parts
    }
    missing = {p for p in shipped if not (installed / p).is_file()}
    assert not missing


def test_the_game_runs_from_it(installed: Path, tmp_path: Path) -> None:
    assert "PIP" in realm(installed, tmp_path, "hero", "list")
    assert (
        realm(installed, tmp_path, "skill", "sample", "bin", "--level", "3", "--count", "2", "--json").count("\n") == 2
    )
    realm(installed, tmp_path, "save", "new", "main")
    assert '"pip-hatchling"' in realm(installed, tmp_path, "status", "--json")


def test_it_is_loaded_from_there(installed: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(installed)}
    code = "import configs.loader, lore.lexicon, realm_tui; print(configs.__file__)"
    run = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert Path(run.stdout.strip()).is_relative_to(installed)
