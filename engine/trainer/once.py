"""One command answered without an engine: a short-lived process that loads a form, answers, and leaves no trace in training."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from configs.errors import BlockedError, RealmError
from configs.loader import on_this_machine
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from engine.link.protocol import Verb
from saves import campaigns, ledger, runs
from saves.database import open_save
from saves.locks import FileLock


def main(folder: SaveFolder, verb: str, args: dict[str, Any]) -> int:
    """Carry out ``ask``, ``promote``, ``forget`` or ``merge``; one JSON object on stdout, `RealmError` as JSON with its exit code."""
    try:
        result = _merge(folder, args) if verb == "merge" else _answer(folder, Verb(verb), args)
    except RealmError as error:
        _say({"ok": False, "error": error.as_dict()})
        return error.exit_code
    _say({"ok": True, "result": result})
    return 0


def _answer(folder: SaveFolder, verb: Verb, args: dict[str, Any]) -> dict[str, Any]:
    if verb is Verb.ASK:
        return _ask(folder, args)
    if verb not in (Verb.PROMOTE, Verb.FORGET):
        raise BlockedError(
            f"{verb} needs a running engine", fix="start one (`realm play` or `realm run`)", code="NO_ENGINE"
        )
    lock = FileLock(folder.trainer_lock)
    if not lock.acquire():
        raise BlockedError("an engine holds this save", fix="send the command to it", code="ENGINE_RUNS")
    try:
        return _promote(folder, args) if verb is Verb.PROMOTE else _forget(folder, args)
    finally:
        lock.release()


def _ask(folder: SaveFolder, args: dict[str, Any]) -> dict[str, Any]:
    conn = open_save(folder, write=False)
    campaign = campaigns.active_campaign(conn)
    from engine.trainer.promotion import find_form

    form = str(args.get("form") or "live")
    checkpoint = find_form(conn, "latest" if form == "live" else form)
    path = ledger.folder_of(folder, checkpoint)
    run = runs.run(conn, checkpoint.run_id)
    conn.close()

    from engine.hero.loading import load_folder
    from engine.placement import Placement
    from engine.precision import exact_matmul
    from engine.quests.reader import dated
    from engine.trainer.answering import answer

    placement = Placement.from_dict(run.environment["placement"])
    placement.apply()
    config = on_this_machine(HeroConfig.model_validate(dict(campaign.hero)))
    hero = load_folder(config, path, placement)
    hero.model.eval()
    with exact_matmul():
        said = answer(hero, str(args.get("prompt") or ""), dated(config.system_prompt, campaign.began_at), args)
    return {"form": checkpoint.name, "step": checkpoint.step, "digest": checkpoint.digest, **said}


def _merge(folder: SaveFolder, args: dict[str, Any]) -> dict[str, Any]:
    """Write a checkpoint's adapter, merged into its base, into the new folder ``target``."""
    conn = open_save(folder, write=False)
    campaign = campaigns.active_campaign(conn)
    from engine.trainer.promotion import find_form

    checkpoint = find_form(conn, str(args.get("name") or "latest"))
    path = ledger.folder_of(folder, checkpoint)
    conn.close()

    from engine.hero.folder import find_folder
    from saves.checkpoint_folder import PART, verify_checkpoint

    verify_checkpoint(path)
    base = find_folder(on_this_machine(HeroConfig.model_validate(dict(campaign.hero))))

    from engine.methods.merge import merge

    target = Path(str(args["target"]))
    part = target.with_name(f"{PART}{target.name}")
    shutil.rmtree(part, ignore_errors=True)
    try:
        merge(path, base, part)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {"name": checkpoint.name, "step": checkpoint.step, "digest": checkpoint.digest, "path": str(target)}


def _promote(folder: SaveFolder, args: dict[str, Any]) -> dict[str, Any]:
    from engine.trainer.promotion import find_form, promote

    conn = open_save(folder, write=True)
    form = find_form(conn, str(args.get("name") or "best"))
    exam = form.facts.get("exam")
    return promote(folder, conn, form, exam["id"] if exam else None)


def _forget(folder: SaveFolder, args: dict[str, Any]) -> dict[str, Any]:
    from engine.trainer.promotion import forget

    gone = forget(folder, open_save(folder, write=True), str(args.get("name") or ""))
    return {"name": gone.name, "bytes": gone.bytes}


def _say(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    sys.stdout.flush()
