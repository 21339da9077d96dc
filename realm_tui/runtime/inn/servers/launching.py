"""Finds out what a box needs to start a server, and says plainly when it is missing."""

from __future__ import annotations

import sys
from dataclasses import replace

from configs.errors import BlockedError, UsageError
from configs.facilities import Facility
from configs.facilities import Server as ServerConfig
from configs.inn import InnRules
from configs.paths import SaveFolder
from realm_tui.runtime.engine_process import child_environment
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn import sync
from realm_tui.runtime.inn.box import Box
from realm_tui.runtime.inn.servers import commands
from realm_tui.runtime.inn.servers.commands import Held, Launch

_FREE_PORT = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"
_HAS = "import importlib.util, sys; sys.exit(0 if importlib.util.find_spec(sys.argv[1].split('.')[0]) else 3)"


async def launch(
    folder: SaveFolder, rules: InnRules, box: Box, facility: Facility, server: ServerConfig, held: Held | None
) -> Launch:
    """What a supervisor is given to start a place's server.

    Raises:
        BlockedError: what it needs is not installed there (``SERVER_NOT_INSTALLED``).
        UsageError: this kind is started with a form, and none was given (``NO_FORM_GIVEN``).
    """
    python = server.python or (sys.executable if box.is_local else f"{await box.inn()}/env/bin/python")
    if not (box.is_local and server.kind == "own" and not server.python):
        await _installed(box, python, server)
    if server.kind == "own":
        save = folder if box.is_local else None
        launch = commands.own(python, server, rules.worker, await sync.store_of(box), save)
        return replace(launch, env=_local_environment() | launch.env) if box.is_local else launch
    if held is None:
        raise UsageError(
            f"a {server.kind} server is started with a form",
            fix="name one: `--form latest`",
            code="NO_FORM_GIVEN",
        )
    if server.kind == "vllm":
        return commands.vllm(python, facility, server, held)
    port = (await box.run([python, "-c", _FREE_PORT])).text.strip()
    return commands.sglang(python, facility, server, held, int(port))


async def _installed(box: Box, python: str, server: ServerConfig) -> None:
    kind, environment = server.kind, [f"{name}={value}" for name, value in server.environment.items()]
    ran = await box.run(["env", *environment, python, "-c", _HAS, commands.MODULES[kind]])
    if ran.code == 0:
        return
    missing = f"{python} is not there" if ran.code in (126, 127) else f"it has no {commands.MODULES[kind]}"
    raise BlockedError(
        f"{box.label} has no environment for a server of kind {kind}",
        why=clean(missing if ran.code in (3, 126, 127) else ran.reason),
        fix=f"`realm host setup {box.id}` makes one, or name its Python in `server.python` of the place",
        code="SERVER_NOT_INSTALLED",
    )


def _local_environment() -> dict[str, str]:
    """What a worker of this machine needs of this process's environment."""
    found = child_environment()
    return {name: found[name] for name in ("PYTHONPATH", "REALM_HOME", "REALM_CONFIG_DIR", "HF_HOME") if name in found}
