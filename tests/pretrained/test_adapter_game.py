"""A hero that learns by an adapter, played by `realm` commands: saved, resumed, promoted, asked, exported and merged; nothing reaches out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.families.folders import hero_on, make_folder
from tests.game.world import EASY, Realm
from tests.pretrained.test_from_outside import GUARD

pytestmark = pytest.mark.engine

KERNELS = """
import os, socket
def get_kernel(name, **more):
    if os.environ.get("HF_HUB_OFFLINE") != "1":
        socket.getaddrinfo("where-kernels-are", 443)
    raise RuntimeError("offline")
"""
"""A stand-in for the package with which some libraries fetch compiled code when they are imported."""


def guarded(realm: Realm, tmp_path: Path) -> Path:
    """Let every network connection of the game's processes fail and leave a line in the file that is given back."""
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    (guard / "kernels.py").write_text(KERNELS)
    path = os.pathsep.join(p for p in (str(guard), os.environ.get("PYTHONPATH", "")) if p)
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_OFFLINE"):
        realm.env.pop(name, None)
    realm.env |= {"PYTHONPATH": path, "REACHED_OUT": str(tmp_path / "reached-out"), "HF_HOME": str(tmp_path / "hf")}
    return tmp_path / "reached-out"


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_qlora_hero_is_played_from_outside(tmp_path: Path) -> None:
    base = make_folder(tmp_path / "base", "qwen3")
    realm = Realm(tmp_path / "realm", rules=EASY, tiny=False)
    hero = hero_on(base, "qwen3", method="qlora", optimizer="adamw_8bit", batch_size=4, batch_tokens=512, threads=1)
    hero = hero.model_copy(update={"id": "gnu", "name": "GNU", "skills": {"bin": "hatchling"}})
    home = realm.home / "config" / "heroes"
    (home / "gnu.yaml").write_text(yaml.safe_dump(hero.model_dump(mode="json", exclude_none=True)))
    reached = guarded(realm, tmp_path)
    realm.run("run", "--hero", "gnu", "--steps", "3")
    (form,) = json.loads(realm.run("ledger", "list", "--json"))
    assert form["facts"]["kind"] == "adapter" and form["step"] == 3
    assert form["bytes"] < 2_000_000
    realm.run("run", "--steps", "2")
    assert realm.status()["step"] == 5
    said = json.loads(realm.run("ask", "Compute", "--json"))
    assert said["step"] == 5
    out, merged = tmp_path / "adapter", tmp_path / "merged"
    realm.run("ledger", "export", "latest", str(out))
    realm.run("ledger", "export", "latest", str(merged), "--merged")
    model = AutoModelForCausalLM.from_pretrained(base)
    assert PeftModel.from_pretrained(model, out).peft_config["default"].r == 4
    assert AutoModelForCausalLM.from_pretrained(merged).config.model_type == "qwen3"
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".part-")]
    assert not reached.exists(), f"nothing reaches out: {reached.read_text()}"


def test_trap_29_pip_plays_without_a_single_connection(tmp_path: Path) -> None:
    realm = Realm(tmp_path / "realm")
    reached = guarded(realm, tmp_path)
    realm.run("run", "--steps", "2")
    realm.run("ask", "Compute")
    assert realm.run("ledger", "export", "latest", str(tmp_path / "x"), "--merged", code=2) == ""
    assert not reached.exists(), f"nothing reaches out: {reached.read_text()}"
