"""Makes a box ready to serve, step by step: each step is looked at first, done only where it is needed, and looked at again.

A server gets an environment of its own there (``inn/env``), never one of the box's: vLLM and SGLang bring another torch than the engine's.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from configs.errors import BlockedError, RealmError
from configs.facilities import Facility, ServerKind
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn import supervisor
from realm_tui.runtime.inn.box import Box, LinkLostError
from realm_tui.runtime.inn.hosts import BoxFacts, look

StepState = Literal["done", "needed", "blocked"]
Tell = Callable[[str], None]
_PACKAGES = ("configs", "engine", "saves", "skills")
"""What the own worker runs from this program."""
_KEPT = (".py", ".yaml")
_PYTHONS = ("python3", "python3.13", "python3.12", "python3.11", "python3.14")
_OLDEST: Mapping[ServerKind, tuple[int, int]] = {"own": (3, 11), "vllm": (3, 10), "sglang": (3, 10)}
_MODULES: Mapping[ServerKind, tuple[str, ...]] = {
    "own": ("torch", "transformers", "safetensors", "pydantic", "yaml", "starlette", "uvicorn"),
    "vllm": ("vllm",),
    "sglang": ("sglang",),
}
_VERSION = "import sys; print('%d %d' % sys.version_info[:2])"
_FIND = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"
_LAST_LINES = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it stands."""

    id: str
    text: str
    """What it is for."""
    state: StepState
    detail: str = ""
    """What was found, or what would be done."""
    fix: str = ""
    """The way out of a blocked step."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


async def plan(box: Box, facility: Facility) -> list[Step]:
    """Every step as it stands, without changing anything but the scripts of the Inn, which the look itself needs.

    Raises:
        RealmError: the box cannot be reached.
    """
    return [step async for step, _ in _Setup(box, facility).steps()]


async def carry_out(box: Box, facility: Facility, tell: Tell) -> list[Step]:
    """Do what is needed, in order, and look again; a second time finds everything done.

    Args:
        tell: hears what is being done and what the tools there say.

    Raises:
        BlockedError: a step needs a person (``SETUP_BLOCKED``); what was done before it stays.
        RealmError: a step failed (``SETUP_FAILED``).
    """
    steps = []
    async for step, do in _Setup(box, facility).steps(doing=True):
        if step.state == "blocked":
            raise BlockedError(
                f"{box.label} cannot be made ready: {step.text}", why=step.detail, fix=step.fix, code="SETUP_BLOCKED"
            )
        if step.state == "needed":
            tell(f"{step.text}: {step.detail}")
            await do(tell)
            step = Step(step.id, step.text, "done", step.detail)
        steps.append(step)
    return steps


Do = Callable[[Tell], Awaitable[None]]


async def _nothing(_tell: Tell) -> None:
    """This step does nothing by itself."""


class _Setup:
    def __init__(self, box: Box, facility: Facility) -> None:
        self.box, self.facility = box, facility
        self.server = facility.server
        self.kind: ServerKind | None = None if self.server is None or self.server.kind == "openai" else self.server.kind
        self.rules = box.rules.setup

    async def steps(self, *, doing: bool = False) -> AsyncIterator[tuple[Step, Do]]:
        """Each step with what does it; with ``doing`` each is looked at only after those before it were done."""
        inn = await self.box.inn()
        facts = await look(self.box)
        yield (
            Step(
                "reach",
                "reach it, with a Python for the Inn's scripts",
                "done",
                f"{clean(facts.user)}, Python {facts.python}",
            ),
            _nothing,
        )
        yield await self._folders(inn), self._make_folders
        if self.kind is None:
            return
        if self.kind in ("vllm", "sglang"):
            yield self._card(facts), _nothing
        if self.box.is_local and self.kind == "own" and not self._own_python:
            yield Step("environment", "an environment for the server", "done", "this program's own"), _nothing
            return
        ready = await self._python_version(self.python(inn)) is not None
        if not ready and not self._own_python:
            yield self._room(facts), _nothing
        base = await self._base_python() if not ready else ""
        yield self._environment(inn, ready, base), lambda tell: self._make_environment(inn, base, tell)
        missing = await self._missing(inn) if ready or doing else [*_MODULES[self.kind]]
        yield self._packages(missing), lambda tell: self._install(inn, tell)
        if self.kind == "own":
            here = (ready or doing) and await self._program_there(inn)
            state: StepState = "done" if here else "needed"
            yield (
                Step("program", "the realm's worker itself", state, _program()[0][:12]),
                lambda tell: self._bring_program(inn, tell),
            )

    @property
    def _own_python(self) -> str:
        """The Python the player named for the server; nothing is installed into that one."""
        return self.server.python if self.server is not None else ""

    def python(self, inn: str) -> str:
        """The interpreter of the server's environment."""
        return self._own_python or f"{inn}/env/bin/python"

    # ------------------------------------------------------------ looking

    async def _folders(self, inn: str) -> Step:
        ran = await self.box.run(
            ["sh", "-c", 'cd "$1" && for f in run store logs; do [ -d "$f" ] || echo "$f"; done; ls -ld run', "sh", inn]
        )
        lines = ran.text.split("\n")
        whole = ran.code == 0 and lines[0].startswith("drwx------")
        return Step("folders", "folders only you can enter", "done" if whole else "needed", clean(inn))

    def _card(self, facts: BoxFacts) -> Step:
        text = f"a card for {self.kind}"
        if not facts.cards:
            return Step(
                "card", text, "blocked", "no NVIDIA driver answers there", "install the driver, or serve with kind own"
            )
        card = facts.cards[0]
        found = clean(f"{card['name']}, {(card['memory_mb'] or 0) / 1024:.0f} GiB, driver {card['driver']}")
        major = str(card["driver"]).partition(".")[0]
        if major.isdigit() and int(major) < self.rules.driver:
            fix = f"install driver {self.rules.driver} or newer, or lower `inn.setup.driver` with an older server in `inn.setup`"
            return Step("card", text, "blocked", f"{found} is too old", fix)
        return Step("card", text, "done", found)

    def _room(self, facts: BoxFacts) -> Step:
        need = (self.rules.own_gb if self.kind == "own" else self.rules.card_gb) + self.box.rules.sync.reserve_gb
        free = facts.disk_free_bytes / 1e9
        found = f"{free:.0f} GB free, {need:.0f} GB needed with the reserve"
        if free < need:
            return Step(
                "room", "room for the environment", "blocked", found, "free space there, or set another `base_path`"
            )
        return Step("room", "room for the environment", "done", found)

    async def _python_version(self, python: str) -> tuple[int, int] | None:
        ran = await self.box.run([python, "-c", _VERSION])
        parts = ran.text.split()
        return (int(parts[0]), int(parts[1])) if ran.code == 0 and len(parts) == 2 else None

    async def _base_python(self) -> str:
        """A Python there that is new enough to make the environment with; empty: none."""
        for python in _PYTHONS:
            found = await self._python_version(python)
            if found is not None and self.kind is not None and found >= _OLDEST[self.kind]:
                return python
        return ""

    def _environment(self, inn: str, ready: bool, base: str) -> Step:
        text = "an environment for the server"
        if ready:
            return Step("environment", text, "done", clean(self.python(inn)))
        if self._own_python:
            fix = "name a Python that is there as `server.python`, or remove it and let one be made"
            return Step("environment", text, "blocked", clean(f"{self._own_python} does not run"), fix)
        oldest = ".".join(map(str, _OLDEST[self.kind or "own"]))
        if not base:
            return Step(
                "environment",
                text,
                "blocked",
                f"no Python {oldest} or newer is there",
                "install one, with its venv module",
            )
        return Step("environment", text, "needed", clean(f"{base} -m venv {inn}/env"))

    async def _missing(self, inn: str) -> list[str]:
        modules = _MODULES[self.kind or "own"]
        ran = await self.box.run([self.python(inn), "-c", _FIND, *modules])
        return ran.text.split() if ran.code == 0 else [*modules]

    def _packages(self, missing: list[str]) -> Step:
        text = "what the server needs"
        wanted = getattr(self.rules, self.kind or "own")
        if not missing:
            return Step("packages", text, "done", ", ".join(_MODULES[self.kind or "own"]))
        if self._own_python:
            fix = f"install {' '.join(wanted)} there, or remove `server.python` and let an environment be made"
            return Step("packages", text, "blocked", clean(f"{self._own_python} lacks {', '.join(missing)}"), fix)
        return Step("packages", text, "needed", f"pip install {' '.join((*self.rules.pip, *wanted))}")

    async def _program_there(self, inn: str) -> bool:
        digest = _program()[0]
        script = "import os, engine; print(os.path.realpath(os.path.dirname(os.path.dirname(engine.__file__))))"
        ran = await self.box.run([self.python(inn), "-P", "-c", script])
        return ran.code == 0 and ran.text.strip().endswith(f"/program-{digest[:16]}")

    # ------------------------------------------------------------ doing

    async def _make_folders(self, _tell: Tell) -> None:
        inn = await self.box.inn()
        script = 'umask 077; mkdir -p "$1/run" "$1/store" "$1/logs" && chmod 700 "$1" "$1/run" "$1/store" "$1/logs"'
        await self._must(["sh", "-c", script, "sh", inn], "make its folders")

    async def _make_environment(self, inn: str, base: str, tell: Tell) -> None:
        await self._must([base, "-m", "venv", f"{inn}/env"], "make the environment", tell)

    async def _install(self, inn: str, tell: Tell) -> None:
        wanted = getattr(self.rules, self.kind or "own")
        argv = [self.python(inn), "-m", "pip", "install", "--disable-pip-version-check", *self.rules.pip, *wanted]
        await self._must(argv, "install what the server needs", tell)
        missing = await self._missing(inn)
        if missing:
            raise _failed(self.box, "install what the server needs", f"{', '.join(missing)} is still missing")

    async def _bring_program(self, inn: str, tell: Tell) -> None:
        digest, packed = _program()
        tell(f"{len(packed) / 1e6:.1f} MB")
        folder = f"{inn}/program-{digest[:16]}"
        site = (await self.box.run([self.python(inn), "-c", _SITE])).text.strip()
        script = (
            'umask 077; rm -rf "$1.new" && mkdir -p "$1.new" && tar -xzf - -C "$1.new" && rm -rf "$1" && mv "$1.new" "$1" '
            '&& printf "%s\\n" "$1" > "$2/realm.pth.new" && mv "$2/realm.pth.new" "$2/realm.pth"'
        )
        ran = await self.box.run(["sh", "-c", script, "sh", folder, site], stdin=packed, timeout_s=600)
        if ran.code:
            raise _failed(self.box, "bring the worker", ran.reason)
        if not await self._program_there(inn):
            raise _failed(self.box, "bring the worker", "the environment does not find it")

    async def _must(self, argv: list[str], what: str, tell: Tell | None = None) -> None:
        """Run a step to its end, telling its lines; an error carries its last ones."""
        pipe = await self.box.talk(["sh", "-c", 'exec "$@" 2>&1', "sh", *argv])
        last: list[str] = []
        try:
            async with asyncio.timeout(self.rules.step_s):
                await pipe.end()
                while line := await pipe.line():
                    text = clean(line.decode("utf-8", "replace").rstrip())
                    last = [*last, text][-_LAST_LINES:]
                    if tell is not None and text:
                        tell(text)
                ran = await pipe.wait()
        except TimeoutError as error:
            raise _failed(
                self.box, what, f"it took longer than {self.rules.step_s:.0f} s (`inn.setup.step_s`)"
            ) from error
        except LinkLostError as error:
            raise _failed(self.box, what, error.why or error.what) from error
        finally:
            await pipe.stop()
        if ran.code:
            raise _failed(self.box, what, " / ".join(last) or ran.reason)


def _failed(box: Box, what: str, why: str) -> RealmError:
    return RealmError(
        f"{box.label} could not {what}",
        why=clean(why),
        fix=f"mend that, then `realm host setup {box.id}` goes on where it stopped",
        code="SETUP_FAILED",
    )


@cache
def _program() -> tuple[str, bytes]:
    """The worker's part of this program as an archive, and the hash of what is in it."""
    found: dict[str, bytes] = {}
    for package in _PACKAGES:
        root = Path(str(files(package)))
        for path in sorted(root.rglob("*")):
            if path.suffix in _KEPT and "__pycache__" not in path.parts:
                found[f"{package}/{path.relative_to(root)}"] = path.read_bytes()
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + data for name, data in found.items())).hexdigest()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as archive:
        for name, data in found.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return digest, packed.getvalue()


async def remove_all(box: Box) -> None:
    """Remove everything of the Inn from a box: environment, store, logs. Refused while any server of any realm runs there.

    Raises:
        BlockedError: a server runs (``SERVER_RUNS``).
    """
    running = [name for name, found in (await supervisor.servers(box)).items() if found is not None]
    if running:
        theirs = [name for name in running if not name.startswith(f"{supervisor.realm_id()}.")]
        raise BlockedError(
            f"{box.label} still runs {', '.join(running)}",
            why=f"{', '.join(theirs)} belongs to another realm, whose forms lie there, too" if theirs else "",
            fix="stop the servers first (`realm worker stop`), each in its own realm",
            code="SERVER_RUNS",
        )
    await box.remove_tree(await box.inn())
