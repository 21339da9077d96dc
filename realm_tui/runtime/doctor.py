"""Looks the installation, the machine, the configuration and a save over; torch is asked for its version, never loaded."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from configs.errors import RealmError
from configs.paths import SaveFolder, realm_home
from configs.version import __version__
from realm_tui.runtime import machine

Judgement = Literal["ok", "note", "bad"]

NEEDED = ("torch", "transformers", "accelerate", "safetensors", "tokenizers", "textual", "pydantic", "typer", "psutil")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    state: Judgement
    """``note`` is worth knowing, ``bad`` keeps the game from working."""
    text: str
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(folder: SaveFolder, *, tty: bool, encoding: str | None) -> list[Finding]:
    """Everything worth saying, in the order a person would ask.

    Args:
        folder: the save looked at, where there is one.
        tty: whether standard output is a terminal.
        encoding: its encoding.
    """
    return [*_installation(), *_machine(folder), *_configuration(), *_save(folder), *_terminal(tty, encoding)]


def _installation() -> Iterator[Finding]:
    yield Finding("realm", "ok", f"version {__version__}")
    yield Finding("python", "ok", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    found = {name: machine.version_of(name) for name in NEEDED}
    missing = [name for name, have in found.items() if have is None]
    if missing:
        yield Finding("packages", "bad", f"not installed: {', '.join(missing)}", "install the game again: `make play`")
    else:
        yield Finding("packages", "ok", ", ".join(f"{name} {have}" for name, have in found.items()))


def _machine(folder: SaveFolder) -> Iterator[Finding]:
    card, build = machine.graphics_card(), machine.torch_builds_for()
    if card is not None and build == "cpu":
        yield Finding(
            "device", "note", f"{card} is here, but this torch is built for the CPU only", "install torch with CUDA"
        )
    elif card is not None:
        yield Finding("device", "ok", f"{card} (torch built for {build or 'nothing'})")
    elif platform.system() == "Darwin" and platform.machine() == "arm64":
        yield Finding("device", "ok", "Apple GPU, used where a hero asks for it; PIP trains on the CPU")
    else:
        yield Finding("device", "ok", "no graphics card seen: heroes train on the CPU")
    home = realm_home()
    place = next((p for p in (folder.root, home, *home.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(place).free / 1e9
    disk = f"{free:.1f} GB free at {place}"
    yield Finding("disk", "ok" if free >= 2 else "note", disk, "" if free >= 2 else "free some space before a long run")
    battery = machine.on_battery()
    if battery:
        yield Finding("power", "note", "on battery: training pauses", "plug in, or set engine.pause_on_battery: false")
    elif battery is not None:
        yield Finding("power", "ok", "plugged in")
    if machine.processes_die_at_logout():
        yield Finding(
            "logout",
            "note",
            "logind ends everything of yours at logout (KillUserProcesses=yes), the engine too",
            "run the game in `systemd-run --user --scope`, with `loginctl enable-linger`",
        )


def _configuration() -> Iterator[Finding]:
    from realm_tui.runtime.rules import check_configuration

    wrong = [c for c in check_configuration(only_files=True) if not c.ok]
    broken = [problem for problem in _lore_problems() if problem is not None]
    if not wrong and not broken:
        yield Finding("config", "ok", "rules and heroes are valid")
    for problem in broken:
        yield Finding(
            "lore", "note", f"{problem.what}: {problem.why}", "mend the file; the shipped rules are used instead"
        )
    for checked in wrong:
        yield Finding("config", "bad", checked.reason or checked.source, "`realm config check` lists every file")


def _lore_problems() -> Iterator[RealmError | None]:
    """What keeps the player's own files of the lore from being used."""
    from lore.achievements import achievements_in_force
    from lore.effects import effects_in_force
    from lore.world_rules import map_complaint

    yield effects_in_force().problem
    yield achievements_in_force().problem
    yield map_complaint()


def _save(folder: SaveFolder) -> Iterator[Finding]:
    from engine.link.client import engine_alive
    from saves.locks import holder

    if not folder.database.is_file():
        yield Finding("save", "note", f"{folder.name}: not there yet", f"`realm play --save {folder.name}` makes it")
        return
    alive = engine_alive(folder)
    try:
        from realm_tui.runtime.opened import opened

        with opened(folder) as save:
            broken = [row[0] for row in save.conn.execute("PRAGMA quick_check(3)").fetchall() if row[0] != "ok"]
            hero = save.hero.title
    except RealmError as error:
        yield Finding("save", "bad", error.what, error.fix)
    else:
        if broken:
            fix = f"`realm save verify {folder.name}` says more; copies lie in {folder.backups}"
            yield Finding("save", "bad", f"{folder.name} is damaged: {broken[0]}", fix)
        else:
            yield Finding("save", "ok", f"{folder.name}: {hero}, in {folder.root}")
            yield from _laws(folder)
    for name, path in (("keeper", folder.keeper_lock), ("trainer", folder.trainer_lock), ("face", folder.face_lock)):
        owner = holder(path)
        if owner is not None:
            yield Finding("lock", "ok", f"{name} is held by process {owner.pid}")
    yield Finding("engine", "ok", "running" if alive else "not running")
    if alive:
        from engine.link.ring import RingReader

        try:
            with RingReader(folder.ring) as ring:
                ring.snapshot()
        except RealmError as error:
            yield Finding(
                "ring", "bad", error.what, error.fix or f"`realm stop --save {folder.name}`, then start again"
            )


_LAWS_NAMED = 5
"""Breaches that are named one by one."""


def _laws(folder: SaveFolder) -> Iterator[Finding]:
    """Whether the save keeps the laws of the world; a breach is told, with the entity and the law, and never repaired."""
    from lore.laws import laws
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.game import read_game
    from realm_tui.runtime.laws import breaches
    from realm_tui.runtime.opened import opened

    with opened(folder) as save:
        found = breaches(save, read_game(save))
    if not found:
        yield Finding("laws", "ok", f"all {len(laws())} laws of the world hold")
    for breach in found[:_LAWS_NAMED]:
        text = f"{breach.law}: {clean(breach.entity)}: {clean(breach.text)}"
        yield Finding(
            "law", "note", text, f"`realm lore --laws` names the law; `realm save verify {folder.name}` says more"
        )
    if len(found) > _LAWS_NAMED:
        yield Finding("law", "note", f"{len(found) - _LAWS_NAMED} more breaches")


def _terminal(tty: bool, encoding: str | None) -> Iterator[Finding]:
    seen = machine.terminal(tty=tty, encoding=encoding)
    parts = [
        f"TERM={seen.term or '(unset)'}",
        "truecolor" if seen.truecolor else "256 colours at most",
        "UTF-8" if seen.utf8 else f"encoding {encoding or 'unknown'}",
        *(["over SSH"] if seen.ssh else []),
        *([f"inside {seen.multiplexer}"] if seen.multiplexer else []),
        *(["NO_COLOR"] if seen.no_color else []),
        *([] if tty else ["not a terminal: `realm play` writes plain lines"]),
    ]
    if tty and not seen.utf8:
        yield Finding("terminal", "note", ", ".join(parts), "set a UTF-8 locale, or face.ascii: true")
    elif tty and seen.term in ("", "dumb"):
        yield Finding("terminal", "note", ", ".join(parts), "set TERM, or use `realm run`")
    else:
        yield Finding("terminal", "ok", ", ".join(parts))
