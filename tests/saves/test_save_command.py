"""`realm save`: data on stdout, talk on stderr, and nothing goes without being meant."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from configs.paths import SaveFolder
from realm_tui.cli.main import app
from saves import campaigns, ledger
from saves.backups import back_up
from saves.database import open_save
from tests.saves import facts

Run = Callable[..., Result]


@pytest.fixture
def realm_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``realm save …`` in a realm of its own and compare its exit code."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))
    monkeypatch.delenv("REALM_SAVE", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["save", *words])
        assert result.exit_code == code, result.output
        return result

    return run


def _json(result: Result) -> Any:
    assert result.stderr == "", "a machine's answer comes without talk"
    return json.loads(result.stdout)


def test_a_save_is_started_listed_and_checked(realm_save: Run) -> None:
    made = _json(realm_save("new", "alpha", "--hero", "pip", "--seed", "5", "--json"))
    assert (made["save"], made["hero"], made["seed"]) == ("alpha", "pip-hatchling", 5)
    with closing(open_save(SaveFolder(Path(made["path"])), write=False)) as conn:
        assert campaigns.active_campaign(conn).seed == 5
    assert realm_save("new", "--save", "beta").stdout.strip().endswith("beta")
    listed = _json(realm_save("list", "--json"))
    assert [(e["name"], e["levels"], e["champion"], e["running"]) for e in listed] == [
        ("alpha", 0, None, False),
        ("beta", 0, None, False),
    ]
    table = realm_save("list").stdout.splitlines()
    assert table[0].split() == ["SAVE", "HERO", "STEP", "LEVELS", "FORMS", "CHAMPION", "SIZE", "ENGINE"]
    assert "PIP, the Hatchling" in table[1] and "–" in table[1]
    assert _json(realm_save("verify", "alpha", "--json"))["ok"] is True
    assert "is sound" in realm_save("verify", "--save", "beta").stdout


def test_an_empty_realm_lists_nothing_and_says_how_to_begin(realm_save: Run) -> None:
    assert _json(realm_save("list", "--json")) == []
    assert "realm play" in realm_save("list").stderr


def test_a_save_goes_out_and_comes_back(realm_save: Run, tmp_path: Path) -> None:
    realm_save("new", "alpha")
    folder = SaveFolder.named("alpha")
    with closing(open_save(folder, write=True)) as conn:
        run = facts.begin(conn)
        facts.train(conn, run, 1, 100)
        facts.form(folder, conn, run, 100)
    out = realm_save("export", "hero.tar.gz", "--save", "alpha")
    assert out.stdout.strip() == str(tmp_path / "hero.tar.gz") and "1 forms" in out.stderr
    bare = _json(realm_save("export", "bare.tar.gz", "--save", "alpha", "--checkpoints", "none", "--json"))
    assert bare["checkpoints"] == [] and bare["bytes"] > 0
    back = _json(realm_save("import", "hero.tar.gz", "--save", "beta", "--json"))
    assert (back["save"], back["from_save"], len(back["checkpoints"]), back["backup"]) == ("beta", "alpha", 1, None)
    assert "already exists" in realm_save("import", "hero.tar.gz", "--save", "beta", code=2).stderr
    again = realm_save("import", "hero.tar.gz", "--save", "beta", "--replace")
    assert "what stood there before is the save beta.before-" in again.stderr
    # Without a name the archive carries the save's name and the day.
    named = Path(realm_save("export", "--save", "alpha").stdout.strip())
    assert named.parent == tmp_path and named.name.startswith("alpha-") and named.name.endswith(".realm.tar.gz")


def test_a_broken_save_fails_the_check_and_names_the_copy_that_mends_it(realm_save: Run) -> None:
    realm_save("new", "alpha")
    folder = SaveFolder.named("alpha")
    copy = back_up(folder)
    folder.database.write_bytes(folder.database.read_bytes()[:20_000])
    found = _json(realm_save("verify", "alpha", "--json", code=1))
    assert found["ok"] is False and found["findings"][0]["law"] == "file" and found["backup"] == copy.name
    talk = realm_save("verify", "alpha", code=1)
    assert copy.name in talk.stderr
    listed = _json(realm_save("list", "--json"))
    assert "damaged" in listed[0]["problem"] and listed[0]["step"] is None
    assert "copy of a database" in realm_save("import", str(copy), "--save", "alpha", code=2).stderr
    # The very command that was proposed works.
    command = talk.stderr.split("`")[1].split()
    assert command[:2] == ["realm", "save"]
    assert "restored" in realm_save(*command[2:]).stderr
    assert _json(realm_save("verify", "alpha", "--json"))["ok"] is True


def test_a_damaged_form_fails_the_check(realm_save: Run) -> None:
    realm_save("new")
    folder = SaveFolder.named()
    with closing(open_save(folder, write=True)) as conn:
        form = facts.form(folder, conn, facts.begin(conn), 10)
        assert ledger.newest_checkpoint(conn, facts.CAMPAIGN) == form
    (folder.root / form.path / "model.safetensors").write_bytes(b"other weights")
    result = realm_save("verify", code=1)
    assert form.name in result.stdout and "model.safetensors differs" in result.stdout


def test_removing_needs_a_name_and_a_yes(realm_save: Run) -> None:
    realm_save("new", "alpha")
    assert "name the save" in realm_save("remove", code=2).stderr
    assert "two saves" in realm_save("remove", "alpha", "--save", "beta", code=2).stderr
    dry = realm_save("remove", "alpha")
    assert dry.stdout.startswith("would remove") and "--yes" in dry.stderr
    assert SaveFolder.named("alpha").database.is_file()
    assert _json(realm_save("remove", "alpha", "--yes", "--json"))["removed"] is True
    assert _json(realm_save("list", "--json")) == []
    assert "there is no save" in realm_save("remove", "alpha", "--yes", code=1).stderr


_HYGIENE = """
import importlib, pkgutil, sys, saves
for module in pkgutil.walk_packages(saves.__path__, "saves."):
    importlib.import_module(module.name)
print(sorted({m.partition(".")[0] for m in sys.modules} & {"torch", "textual", "pydantic", "transformers", "yaml", "psutil"}))
"""


def test_the_save_loads_neither_torch_nor_textual_nor_pydantic() -> None:
    done = subprocess.run([sys.executable, "-c", _HYGIENE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
