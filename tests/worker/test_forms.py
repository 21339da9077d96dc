"""The form that answers is the one its digest stands for, whatever lies on the disk by now: full weights, adapters, bases."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.paths import SaveFolder
from configs.schema import HeroConfig
from engine.chat.template import answer_text, encode_prompt
from engine.generate import greedy
from engine.hero.loading import load_folder, load_pretrained
from engine.hero.model import Hero, save_folder
from engine.trainer.checkpoints import TrainerState, write_checkpoint
from saves import ledger, runs
from saves.checkpoint_folder import model_digest
from saves.database import create_save, open_save
from saves.plain_model import model_hashes
from saves.rows import Checkpoint
from tests.families.folders import FORMATS, hero_on, make_folder
from tests.model.heroes import PLACEMENT, hatchling, unsettle
from tests.worker.inns import Running, pip_in, put, serving

QUESTION = [{"role": "user", "content": "Compute and answer: the quick brown fox"}]
HASHED = ("model.safetensors", "config.json", "tokenizer.json")


def says(hero: Hero, tokens: int = 12) -> str:
    """What a hero answers when an exam asks it."""
    hero.model.eval()
    return answer_text(hero, greedy(hero, [encode_prompt(hero, QUESTION)], tokens)[0])


async def said(worker: Running, digest: str, tokens: int = 12) -> str:
    """What the worker answers for that form."""
    body = {"model": f"realm@{digest}", "messages": QUESTION, "temperature": 0, "max_tokens": tokens}
    reply = await worker.post("/v1/chat/completions", body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["model"] == f"realm@{digest}"
    return str(reply.json()["choices"][0]["message"]["content"])


async def refusal(worker: Running, digest: str) -> tuple[int, str, str]:
    """Status, code and words of a refusal."""
    reply = await worker.post("/v1/load", {"model": f"realm@{digest}"})
    error = reply.json()["error"]
    return reply.status_code, error["code"], error["message"]


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def spoil(path: Path) -> None:
    """Turn one byte over, without touching what other names of the file hold."""
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.unlink()
    path.write_bytes(bytes(data))


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("file", HASHED)
async def test_a_form_with_another_file_in_it_never_answers(file: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    digest, sound = pip_in(store, tmp_path / "a"), pip_in(store, tmp_path / "b", seed=2, step=200)
    spoil(store / "ckpt" / digest / file)
    async with serving(store) as worker:
        status, code, words = await refusal(worker, digest)
        assert (status, code) == (409, "CHECKPOINT_CORRUPT") and file in words
        assert await said(worker, sound)
        (store / "ckpt" / sound / file).unlink()
        assert (await worker.post("/v1/unload", {"model": f"realm@{sound}"})).json()["unloaded"] is True
        assert (await refusal(worker, sound))[:2] == (409, "CHECKPOINT_CORRUPT")


async def test_a_loaded_form_goes_on_as_itself_when_its_files_change_and_is_not_loaded_from_them_again(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    digest = pip_in(store, tmp_path / "a")
    async with serving(store) as worker:
        before = await said(worker, digest)
        spoil(store / "ckpt" / digest / "model.safetensors")
        assert await said(worker, digest) == before
        await worker.post("/v1/unload", {"model": f"realm@{digest}"})
        assert (await refusal(worker, digest))[:2] == (409, "CHECKPOINT_CORRUPT")


async def test_a_file_slipped_in_beside_the_listed_ones_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    digest = pip_in(store, tmp_path / "a")
    (store / "ckpt" / digest / "model-00002.safetensors").write_bytes(b"\0")
    async with serving(store) as worker:
        status, code, words = await refusal(worker, digest)
        assert (status, code) == (409, "CHECKPOINT_CORRUPT") and "does not belong to it" in words


MANIFESTS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("another version", lambda m: m.update(version=2)),
    ("another digest", lambda m: m.update(digest="0" * 64)),
    ("no hero", lambda m: m.update(hero=None)),
    ("a hero that is none", lambda m: m["hero"].update(model={"size": 3})),
    ("a file fewer", lambda m: m["files"].pop("config.json")),
    ("a file elsewhere", lambda m: m["files"].update({"../../x": {"sha256": "0", "bytes": 1}})),
    ("no files", lambda m: m.update(files={})),
]


async def test_a_manifest_that_does_not_fit_offers_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    digest = pip_in(store, tmp_path / "a")
    manifest = store / "ckpt" / digest / "MANIFEST.json"
    good = manifest.read_text()
    async with serving(store) as worker:
        for name, change in MANIFESTS:
            manifest.write_text(good)
            rewrite(manifest, change)
            assert (await refusal(worker, digest))[:2] == (409, "CHECKPOINT_CORRUPT"), name
        manifest.write_text("{")
        assert (await refusal(worker, digest))[:2] == (409, "CHECKPOINT_CORRUPT")
        assert (await worker.client.get("/v1/models")).json()["data"] == []
        manifest.write_text(good)
        assert await said(worker, digest) == said_by_pip(1), "mended, it is found without a restart"


def said_by_pip(seed: int) -> str:
    """What the form of `pip_in` answers."""
    hero = hatchling()
    unsettle(hero, seed)
    return says(hero)


async def test_a_form_that_arrives_later_is_found_and_one_still_arriving_is_not(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = pip_in(store, tmp_path / "a")
    async with serving(store) as worker:
        await worker.client.get("/v1/models")
        second = pip_in(store, tmp_path / "b", seed=2, step=200)
        arrived = store / "ckpt" / second
        arriving = arrived.with_name(f".new-{second}-1")
        arrived.rename(arriving)
        assert (await refusal(worker, second))[0] == 404
        arriving.rename(arrived)
        assert await said(worker, second) == said_by_pip(2) != await said(worker, first)
        listed = (await worker.client.get("/v1/models")).json()["data"]
        assert [(m["realm"]["step"], m["loaded"]) for m in listed] == [(200, True), (100, True)]


# ---------------------------------------------------------------- adapters and bases


def lay_adapters(
    store: Path, tmp_path: Path, family: str, method: str, seeds: tuple[int, ...]
) -> tuple[HeroConfig, str, list[str], list[str]]:
    """A base and adapters on it in a store; the hero, digests of base and adapters, and what the adapters answer."""
    folder = make_folder(tmp_path / "model", family)
    config = hero_on(folder, family, method=method)
    base = put(store, folder, config, name="base")
    digests, answers = [], []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            hero = load_pretrained(config, PLACEMENT)
        unsettle(hero, seed)
        save_folder(hero, hero.weights(), tmp_path / f"adapter-{seed}")
        digests.append(put(store, tmp_path / f"adapter-{seed}", config, name=f"a-{seed}", step=seed, base=base))
        answers.append(says(hero))
    return config, base, digests, answers


@pytest.mark.parametrize(("family", "method"), [("qwen3", "lora"), ("llama", "dora"), ("qwen2", "qlora")])
async def test_adapters_answer_around_one_copy_of_their_base(family: str, method: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    config, base, digests, answers = lay_adapters(store, tmp_path, family, method, (3, 5))
    plain = config.model_copy(update={"training": config.training.model_copy(update={"method": "full"})})
    unchanged = says(load_pretrained(plain if method != "qlora" else config, PLACEMENT))
    assert len({*answers, unchanged}) == 3
    shutil.rmtree(tmp_path / "model")
    async with serving(store) as worker:
        first = await said(worker, digests[0])
        one = worker.serving.shelf.used_bytes
        assert [first, await said(worker, digests[1])] == answers
        both = worker.serving.shelf.used_bytes
        assert both - one < (worker.serving.shelf.bytes_of(digests[1]) or 0) / 2, "the base is there once"
        assert await said(worker, digests[0]) == first
        assert await said(worker, base) == unchanged
        kinds = {m["id"]: m["realm"]["kind"] for m in (await worker.client.get("/v1/models")).json()["data"]}
        assert [kinds[f"realm@{d}"] for d in (base, *digests)] == ["base", "adapter", "adapter"]


async def test_an_adapter_without_its_base_or_over_a_damaged_one_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    _, base, (digest,), answers = lay_adapters(store, tmp_path, "qwen3", "lora", (1,))
    folder, away = store / "ckpt" / base, tmp_path / "away"
    async with serving(store) as worker:
        folder.rename(away)
        assert (await refusal(worker, digest))[:2] == (409, "MODEL_MISSING")
        shutil.copytree(away, folder)
        spoil(folder / "model.safetensors")
        assert (await refusal(worker, digest))[:2] == (409, "CHECKPOINT_CORRUPT")
        shutil.rmtree(folder)
        away.rename(folder)
        assert [await said(worker, digest)] == answers


@pytest.mark.parametrize("family", FORMATS)
async def test_every_family_answers_in_a_crowd_as_it_does_alone(family: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", family)
    config = hero_on(folder, family, method="full")
    hero = load_pretrained(config, PLACEMENT)
    unsettle(hero)
    save_folder(hero, hero.weights(), tmp_path / "form")
    digest = put(tmp_path / "store", tmp_path / "form", config, step=1)
    hero.model.eval()
    prompts = [encode_prompt(hero, [{"role": "user", "content": "fox " * n}]) for n in (1, 30, 7, 2, 18)]
    expected = greedy(hero, prompts, 10)
    async with serving(tmp_path / "store", batch=2) as worker:
        reply = await worker.complete(digest, prompts, temperature=0, max_tokens=10, return_token_ids=True)
    assert [choice["token_ids"] for choice in reply["choices"]] == expected


async def test_a_bf16_form_answers_in_bf16(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", "qwen3")
    config = hero_on(folder, "qwen3", method="full")
    hero = load_pretrained(config, PLACEMENT)
    unsettle(hero)
    save_folder(hero, {n: w.bfloat16() for n, w in hero.weights().items()}, tmp_path / "form")
    digest = put(tmp_path / "store", tmp_path / "form", config, step=1)
    async with serving(tmp_path / "store") as worker:
        assert await said(worker, digest)
        held = worker.serving.shelf.held[digest].hero
        assert {p.dtype for p in held.model.parameters()} == {torch.bfloat16}


# ---------------------------------------------------------------- a save


def form_in(folder: SaveFolder, config: HeroConfig, hero: Hero, step: int) -> Checkpoint:
    """Save a hero as a checkpoint of the active campaign."""
    conn = open_save(folder, write=True)
    environment = {"placement": PLACEMENT.as_dict()}
    run = runs.open_run(
        conn,
        "campaign-001",
        first_step=0,
        parent_run_id=None,
        parent_checkpoint_id=None,
        pid=1,
        environment=environment,
        exact=True,
    )
    name = f"checkpoint-{step}-20261121-0900"
    state = TrainerState({"a": torch.zeros(3)}, {"step": step})
    made = write_checkpoint(
        folder.checkpoints, name, lambda p: save_folder(hero, hero.weights(), p), state, {"step": step}
    )
    row = Checkpoint(
        run_id=run,
        campaign_id="campaign-001",
        step=step,
        name=name,
        path=f"checkpoints/{name}",
        digest=made.digest,
        bytes=made.bytes,
        reasons=("asked",),
        facts={},
        at=float(step),
    )
    ledger.add_checkpoint(conn, row)
    conn.close()
    return row


async def test_the_forms_of_a_save_answer_where_they_lie_and_only_the_models_files_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "home"))
    folder = SaveFolder.named("main")
    hero = hatchling()
    create_save(folder, hero.config, seed=1)
    unsettle(hero)
    form = form_in(folder, hero.config, hero, 7)
    (folder.root / form.path / "trainer" / "state.json").write_text("training goes on elsewhere")
    async with serving(save=folder) as worker:
        assert await said(worker, form.digest) == says(hero)
        unsettle(hero, 2)
        later = form_in(folder, hero.config, hero, 9)
        assert await said(worker, later.digest) == says(hero)
        spoil(folder.root / later.path / "model.safetensors")
        await worker.post("/v1/unload", {"model": f"realm@{later.digest}"})
        assert (await refusal(worker, later.digest))[:2] == (409, "CHECKPOINT_CORRUPT")


async def test_a_saves_adapters_and_the_model_they_began_with_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "home"))
    model = make_folder(tmp_path / "model", "qwen3")
    config = hero_on(model, "qwen3", method="lora")
    folder = SaveFolder.named("main")
    create_save(folder, config, seed=1)
    hero = load_pretrained(config, PLACEMENT)
    unsettle(hero)
    form = form_in(folder, config, hero, 5)
    again = load_folder(config, folder.root / form.path, PLACEMENT)
    base = model_digest(model_hashes(model))
    async with serving(save=folder) as worker:
        worker.serving.catalogue.look_at_bases()
        assert await said(worker, form.digest) == says(hero) == says(again)
        assert await said(worker, base) == says(load_pretrained(hero_on(model, "qwen3", method="full"), PLACEMENT))
        other = make_folder(tmp_path / "other", "qwen3", seed=9)
        shutil.copyfile(other / "model.safetensors", model / "model.safetensors")
        await worker.post("/v1/unload", {"model": f"realm@{base}"})
        assert (await refusal(worker, base))[:2] == (409, "CHECKPOINT_CORRUPT")
        await worker.post("/v1/unload", {"model": f"realm@{form.digest}"})
        assert (await refusal(worker, form.digest))[:2] == (409, "CHECKPOINT_FOREIGN")
