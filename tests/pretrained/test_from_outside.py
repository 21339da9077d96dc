"""DIO found in the Hugging Face cache and played by `realm` commands, with no network to reach out to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.loader import load_hero
from tests.game.world import DEADLINE_S, EASY, Realm, write_chats
from tests.pretrained.standin import make_folder

pytestmark = pytest.mark.engine

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = 100_000
"""Words beside the stand-in's own: as large a vocabulary as Qwen's, for which loaders take other ways."""
GUARD = """
import os, socket
real = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        with open(os.environ["REACHED_OUT"], "a") as file:
            file.write(f"{address}\\n")
        raise OSError("no network")
    return real(self, address)
def getaddrinfo(host, *rest, **more):
    with open(os.environ["REACHED_OUT"], "a") as file:
        file.write(f"{host}\\n")
    raise socket.gaierror("no network")
socket.socket.connect, socket.getaddrinfo = connect, getaddrinfo
"""


def into_cache(hf_home: Path, name: str, fillers: int = 0) -> Path:
    """The stand-in where the hub's own downloads lie."""
    repository = hf_home / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    (repository / "snapshots").mkdir()
    return make_folder(repository / "snapshots" / REVISION, fillers=fillers)


@pytest.fixture
def realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    into_cache(tmp_path / "hf", "Qwen/Qwen3-0.6B")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    here = Realm(tmp_path / "realm", rules=EASY, tiny=False)
    dio: dict[str, Any] = load_hero("dio").model_dump(mode="json", exclude_none=True)
    dio["model"]["context_length"] = 512
    dio["training"] |= {"accumulation": 4, "batch_tokens": 512, "warmup_steps": 3, "threads": 1}
    (here.home / "config" / "heroes" / f"{dio['id']}.yaml").write_text(yaml.safe_dump(dio))
    path = os.pathsep.join(p for p in (str(guard), os.environ.get("PYTHONPATH", "")) if p)
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        here.env.pop(name, None)
    here.env |= {"HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": path, "REACHED_OUT": str(tmp_path / "reached-out")}
    yield here
    here.stop()


def assert_nothing_reached_out(tmp_path: Path) -> None:
    reached = tmp_path / "reached-out"
    assert not reached.exists(), f"somebody was asked while the model was at hand: {reached.read_text()}"


def test_dio_from_the_cache_is_played_by_commands_alone(realm: Realm, tmp_path: Path) -> None:
    (dio,) = [h for h in json.loads(realm.run("hero", "list", "--json")) if h["id"] == "dio-qwen3-0.6b"]
    assert dio["ready"] and dio["where"].endswith(REVISION)
    realm.run("run", "--hero", "dio", "--until", "bin:1")
    status = realm.status()
    assert status["hero"]["id"] == "dio-qwen3-0.6b" and status["skills"]["bin"]["mastered"] == 1
    report = json.loads(realm.run("train", str(write_chats(tmp_path / "echo.jsonl", 24)), "--epochs", "2", "--json"))
    assert report["state"] == "completed"
    champion = json.loads(realm.run("promote", "--json"))
    said = json.loads(realm.run("ask", "Say 3 twice", "--json"))
    assert isinstance(said["answer"], str)
    (crowned,) = [c for c in json.loads(realm.run("ledger", "list", "--json")) if c["champion"]]
    assert crowned["name"] == champion["name"]
    model = AutoModelForCausalLM.from_pretrained(champion["path"])
    tokenizer = AutoTokenizer.from_pretrained(champion["path"])
    assert tokenizer.chat_template and model.lm_head.weight is model.model.embed_tokens.weight
    assert_nothing_reached_out(tmp_path)


def test_a_large_vocabulary_is_loaded_from_the_cache_without_asking_anybody(realm: Realm, tmp_path: Path) -> None:
    into_cache(tmp_path / "hf", "Qwen/Qwen3-1.7B", LARGE)
    code = """
from configs.loader import load_game, load_hero
from engine.hero.loading import load_pretrained
from engine.placement import choose
hero = load_hero("tomo")
print(len(load_pretrained(hero, choose(hero, load_game().engine)).tokenizer))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=realm.env, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > LARGE
    assert_nothing_reached_out(tmp_path)


def test_a_hero_without_its_model_is_refused_at_once_and_plays_when_the_model_has_come(
    realm: Realm, tmp_path: Path
) -> None:
    process = realm.start("run", "--hero", "tomo", "--steps", "1")
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3
    assert "Qwen/Qwen3-1.7B is not in the Hugging Face cache" in err and "realm hero install tomo" in err
    log = (realm.folder.logs / "trainer.log").read_text()
    assert "the cache: " in log and "the hub: huggingface.co cannot be reached" in log
    (blocker,) = [b for b in realm.status()["blockers"] if b["code"] == "MODEL_MISSING"]
    assert "realm hero install tomo" in blocker["fix"]
    model = make_folder(tmp_path / "downloaded", positions=2048)
    realm.run("hero", "install", "tomo", "--path", str(model))
    realm.run("run", "--steps", "2")
    assert realm.status()["step"] == 2
