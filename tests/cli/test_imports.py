"""What a command loads: nothing of torch or the screen, proved in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from configs.paths import SaveFolder

HEAVY = ("torch", "transformers", "accelerate", "textual", "huggingface_hub", "tokenizers")


def loaded_by(*args: str) -> set[str]:
    """Top-level names in `sys.modules` after ``realm ARGS`` ended well."""
    code = f"""
import sys
sys.argv = ["realm", *{list(args)!r}]
from realm_tui.cli.main import run
try:
    run()
except SystemExit as end:
    if end.code:
        raise
print("LOADED", *{{name.split(".")[0] for name in sys.modules}}, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("LOADED ")[2].split())


def test_the_help_of_all_commands_reads_no_schema() -> None:
    assert "pydantic" not in loaded_by("--help")


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("--version",),
        ("status",),
        ("status", "--json"),
        ("skill", "sample", "bin", "--level", "2", "--json"),
        ("quest", "list"),
        ("ledger", "list", "--json"),
        ("effect", "list", "--json"),
        ("config", "show"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_reading_commands_load_neither_torch_nor_the_screen(args: tuple[str, ...], played: SaveFolder) -> None:
    assert not loaded_by(*args).intersection(HEAVY)


def test_status_starts_no_event_loop(played: SaveFolder) -> None:
    assert "asyncio" not in loaded_by("status", "--json")


def test_the_app_never_loads_torch(home: Path) -> None:
    code = "import sys, realm_tui.app.main; sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'accelerate')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_listing_every_skill_does_not_load_the_gymnasium(fresh: SaveFolder) -> None:
    loaded = loaded_by("skill", "list", "--all")
    assert not loaded & {"reasoning_gym", "sympy", "matplotlib", "numpy"}
