"""Gives orders to the engine; what can be done without one is done on the save itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from engine.link.client import Reply, engine_alive, send_command
from engine.link.protocol import Command, Verb, error_from
from realm_tui.runtime.engine_process import child_environment
from realm_tui.runtime.opened import opened
from saves.locks import FileLock

Progress = Callable[[str], None]

_LONGEST_S: dict[Verb, float] = {
    Verb.ASK: 600.0,
    Verb.EXAM: 600.0,
    Verb.SPAR: 600.0,
    Verb.PROMOTE: 600.0,
    Verb.CHECKPOINT: 600.0,
    Verb.PAUSE: 600.0,
    Verb.PARK: 600.0,
    Verb.RESUME: 600.0,
    Verb.STOP: 600.0,
}


def order(
    folder: SaveFolder, verb: Verb, args: dict[str, Any] | None = None, *, progress: Progress | None = None
) -> Reply:
    """Tell the living engine something and wait until it took effect.

    Args:
        folder: the save's folder.
        verb: what to do.
        args: its arguments.
        progress: hears the engine's words on long orders.

    Raises:
        BlockedError: no engine lives, or something stands in the way (``NO_ENGINE``).
        RealmError: what the engine answered.
    """
    with opened(folder):
        pass
    if not engine_alive(folder):
        raise BlockedError(
            f"no engine is running for the save {folder.name!r}",
            fix=f"start it: `realm play --save {folder.name}` or `realm run --save {folder.name}`",
            code="NO_ENGINE",
        )
    reply = send_command(folder, Command(verb, args or {}), timeout_s=_LONGEST_S.get(verb, 120.0), on_progress=progress)
    reply.value()
    return reply


def promote(folder: SaveFolder, name: str | None, *, progress: Progress | None = None) -> dict[str, Any]:
    """Crown a form champion and export it; without an engine the ledger is written under the engine's lock.

    Args:
        folder: the save's folder.
        name: a form as `saves.ledger.find` knows it; None is the best examined one.
        progress: hears what takes long.

    Returns:
        ``name, step, digest, path`` of the champion.
    """
    if engine_alive(folder):
        return order(folder, Verb.PROMOTE, {"name": name} if name else {}, progress=progress).result
    from engine.trainer.promotion import find_form
    from engine.trainer.promotion import promote as crown

    with engine_locked(folder), opened(folder, write=True) as save:
        form = find_form(save.conn, name or "best")
        exam = form.facts.get("exam")
        return crown(folder, save.conn, form, exam["id"] if exam else None)


def take_back(folder: SaveFolder, *, progress: Progress | None = None) -> dict[str, Any]:
    """Undo the newest crowning; without an engine the ledger is written under the engine's lock.

    Returns:
        ``uncrowned``, and ``name, step, digest, path`` of the one that reigns again (``name`` None: nobody).

    Raises:
        BlockedError: nobody reigns.
    """
    if engine_alive(folder):
        return order(folder, Verb.PROMOTE, {"undo": True}, progress=progress).result
    from engine.trainer.promotion import take_back as uncrown

    with engine_locked(folder), opened(folder, write=True) as save:
        return uncrown(folder, save.conn, save.campaign.id)


def forget(folder: SaveFolder, which: str, *, progress: Progress | None = None) -> dict[str, Any]:
    """Delete one form for good; `realm_tui.runtime.ledger_view.deletion` says beforehand what that means.

    Returns:
        ``name, bytes`` of what is gone.

    Raises:
        UsageError: there is no such form.
        BlockedError: it must stay.
    """
    if engine_alive(folder):
        return order(folder, Verb.FORGET, {"name": which}, progress=progress).result
    from engine.trainer.promotion import forget as let_go

    with engine_locked(folder), opened(folder, write=True) as save:
        gone = let_go(folder, save.conn, which)
    return {"name": gone.name, "bytes": gone.bytes}


def export(
    folder: SaveFolder, which: str, target: Path, *, merged: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Copy a form as a plain Hugging Face folder, without the trainer's own files.

    Args:
        folder: the save's folder.
        which: a form as `engine.trainer.promotion.find_form` knows it.
        target: a folder that does not exist yet.
        merged: of an adapter, merge it into its base's full-precision weights.
        progress: hears what takes long.

    Returns:
        ``name, step, digest, path``.

    Raises:
        UsageError: there is no such form, ``target`` exists, or there is nothing to merge.
        RealmError: the form is damaged.
    """
    from engine.hero.folder import is_adapter
    from engine.trainer.promotion import find_form
    from saves.checkpoint_folder import export_model

    place = target.expanduser().absolute()
    if place.exists():
        raise UsageError(f"{place} exists already", fix="name a folder that does not exist yet", code="EXISTS")
    with opened(folder) as save:
        form = find_form(save.conn, which)
        if merged and not is_adapter(save.folder.root / form.path):
            raise UsageError(
                f"{form.name} is a whole model: there is nothing to merge",
                fix="export it without --merged",
                code="NOT_AN_ADAPTER",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        if not merged:
            export_model(save.folder.root / form.path, place)
    if merged:
        once(folder, "merge", {"name": form.name, "target": str(place)}, progress=progress)
    return {"name": form.name, "step": form.step, "digest": form.digest, "path": str(place)}


def summon(folder: SaveFolder, which: str, *, really: bool) -> dict[str, Any]:
    """Go back to an older form, or say what that would leave behind; see `engine.trainer.summon`.

    Args:
        folder: the save's folder.
        which: a form as `saves.ledger.find` knows it, or ``best``.
        really: do it; no engine may run then.

    Raises:
        BlockedError: an engine runs (``ENGINE_RUNS``), or the form is of no use for going back.
    """
    from engine.trainer.summon import summon as go_back

    if not really:
        with opened(folder, write=True) as save:
            return go_back(folder, save.conn, which, really=False).as_dict()
    if engine_alive(folder):
        raise BlockedError(
            "an engine holds this save", fix=f"stop it first: `realm stop --save {folder.name}`", code="ENGINE_RUNS"
        )
    with engine_locked(folder), opened(folder, write=True) as save:
        return go_back(folder, save.conn, which, really=True).as_dict()


def resolve(folder: SaveFolder, incident_id: int, *, wontfix: bool = False) -> dict[str, Any]:
    """Close an incident; without an engine it is written under the engine's lock.

    Args:
        folder: the save's folder.
        incident_id: its number.
        wontfix: it is left as it is, and stays so.

    Returns:
        ``id, rule, status``.

    Raises:
        UsageError: it does not exist, or is closed already (``NO_INCIDENT``).
        BlockedError: training waits because of it: resuming closes it (``INCIDENT_BLOCKS``).
    """
    if engine_alive(folder):
        return order(folder, Verb.RESOLVE, {"id": incident_id, "wontfix": wontfix}).result
    from saves import incidents

    with engine_locked(folder), opened(folder, write=True) as save:
        found = incidents.closable(save.conn, incident_id)
        return incidents.close(save.conn, found, wontfix=wontfix)


def ask(
    folder: SaveFolder, prompt: str, form: str | None = None, *, progress: Progress | None = None, **how: Any
) -> dict[str, Any]:
    """Ask the hero something; without an engine a short-lived process answers.

    Args:
        folder: the save's folder.
        prompt: the player's words.
        form: ``live``, ``champion``, or any form of the ledger; None is the champion, else the live hero, else the newest form.
        progress: hears what takes long.
        how: ``temperature`` (0 is greedy), ``seed``, ``max_tokens``.

    Returns:
        ``answer, form, step, tokens``.
    """
    alive = engine_alive(folder)
    with opened(folder) as save:
        from saves.ledger import champion, newest_checkpoint

        if form is None:
            if champion(save.conn) is not None:
                form = "champion"
            else:
                form = "live" if alive else "latest"
        elif form == "live" and not alive:
            form = "latest"
        if not alive and newest_checkpoint(save.conn, save.campaign.id) is None:
            raise BlockedError(
                f"{save.hero.name} has not learnt anything yet, so there is nobody to ask",
                fix=f"train first: `realm play --save {folder.name}`",
                code="NO_CHECKPOINT",
            )
    args = {"prompt": prompt, "form": form, **{k: v for k, v in how.items() if v is not None}}
    if alive:
        return order(folder, Verb.ASK, args, progress=progress).result
    return once(folder, Verb.ASK, args, progress=progress)


def once(
    folder: SaveFolder, verb: Verb | Literal["merge"], args: dict[str, Any], *, progress: Progress | None = None
) -> dict[str, Any]:
    """Let a short-lived engine process carry out one order and end; its result.

    Its standard output holds JSON lines: any number of ``progress`` as on the command socket, then one with ``ok``.
    """
    command = [sys.executable, "-P", "-m", "engine", "once", "--save-dir", str(folder.root), "--verb", str(verb)]
    log = folder.logs / "once.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if progress is not None:
        progress("reading base and adapter" if verb == "merge" else "waking the hero for one answer")
    done: dict[str, Any] | None = None
    with log.open("w+b") as errors:
        with subprocess.Popen(
            [*command, "--args", json.dumps(args, ensure_ascii=False)],
            cwd=folder.root,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        ) as process:
            assert process.stdout is not None
            for text in process.stdout:
                message = _message(text)
                if message.get("type") == "progress" and progress is not None:
                    progress(str(message.get("text", "")))
                elif "ok" in message:
                    done = message
        if done is not None and done.get("ok"):
            return dict(done.get("result") or {})
        if done is not None:
            raise error_from(done.get("error"))
        errors.seek(0)
        last = errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    raise RealmError(
        "the engine ended without an answer",
        why=last[0] if last else f"exit code {process.returncode}",
        fix=f"see {log}",
        code="NO_ANSWER",
    )


@contextmanager
def engine_locked(folder: SaveFolder) -> Iterator[None]:
    """Hold the engine's lock while one of its tables is written; `BlockedError` when an engine holds it."""
    lock = FileLock(folder.trainer_lock)
    if not lock.acquire():
        raise BlockedError("an engine is just starting or stopping", fix="try again in a moment", code="ENGINE_BUSY")
    try:
        yield
    finally:
        lock.release()


def _message(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
