"""How a server of each kind is started: its command line and environment, from what its place says.

``{socket}`` stands for its socket in a folder only the user can enter. SGLang serves no unix socket; it gets a port of the loopback there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from configs.facilities import Facility, Server
from configs.inn import WorkerRules
from configs.paths import SaveFolder
from realm_tui.runtime.inn.servers.contract import Kind, served_name

SOCKET = "{socket}"
MODULES: Mapping[Kind, str] = {"own": "engine.worker", "vllm": "vllm", "sglang": "sglang", "openai": ""}
"""What must be importable in the environment there."""


@dataclass(frozen=True, slots=True)
class Held:
    """A form as it lies where a server shall read it."""

    digest: str
    directory: str
    base: str | None = None
    """Digest of the base of an adapter."""
    base_directory: str = ""

    @property
    def whole(self) -> tuple[str, str]:
        """Digest and folder of the whole weights a server is started with: its own, or those of its base."""
        return (self.digest, self.directory) if self.base is None else (self.base, self.base_directory)


@dataclass(frozen=True, slots=True)
class Launch:
    """What a supervisor is given."""

    argv: list[str]
    env: dict[str, str]
    address: str
    """Empty: its socket."""
    spoken: str = ""
    """Folder whose tokenizer and template it speaks with."""


def own(python: str, server: Server, rules: WorkerRules, store: str, save: SaveFolder | None) -> Launch:
    """The realm's own worker.

    Args:
        python: the interpreter there.
        server: what the place says of its server.
        rules: `inn.worker`.
        store: the store there.
        save: on this machine: the save, whose forms need not be brought anywhere.
    """
    argv = [python, "-P", "-m", "engine", "worker", "--socket", SOCKET, "--store", store]
    argv += ["--save-dir", str(save.root)] if save is not None else []
    memory_gb = server.memory_gb or rules.memory_gb
    argv += ["--memory-gb", f"{memory_gb:g}"] if memory_gb else []
    argv += ["--threads", str(rules.threads), *server.arguments]
    return Launch(argv, dict(server.environment), "")


def vllm(python: str, facility: Facility, server: Server, held: Held) -> Launch:
    """vLLM with a form, or with the base of an adapter; an adapter brings its tokenizer and template with it."""
    digest, directory = held.whole
    argv = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", directory, "--uds", SOCKET]
    argv += ["--served-model-name", served_name(digest), "--generation-config", "vllm"]
    argv += ["--max-model-len", str(server.context_length), "--gpu-memory-utilization", f"{server.card_share:g}"]
    argv += ["--enable-sleep-mode"] if _has_card(facility) else []
    if held.base is not None:
        most = str(max(1, server.adapters))
        argv += ["--enable-lora", "--max-loras", most, "--max-cpu-loras", most]
        argv += ["--max-lora-rank", str(server.adapter_rank), "--tokenizer", held.directory]
    env = {"VLLM_SERVER_DEV_MODE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if held.base is not None:
        env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    return Launch([*argv, *server.arguments], env | server.environment, "", spoken=held.directory)


def sglang(python: str, facility: Facility, server: Server, held: Held, port: int) -> Launch:
    """SGLang with a form, on a port of the loopback there."""
    argv = [python, "-m", "sglang.launch_server", "--model-path", held.directory, "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--served-model-name", served_name(held.digest), "--weight-version", held.digest]
    argv += ["--sampling-defaults", "openai", "--context-length", str(server.context_length)]
    argv += ["--mem-fraction-static", f"{server.card_share:g}"]
    argv += ["--enable-memory-saver"] if _has_card(facility) else []
    return Launch(
        [*argv, *server.arguments],
        {"HF_HUB_OFFLINE": "1", **server.environment},
        f"127.0.0.1:{port}",
        spoken=held.directory,
    )


def supervised_name(place: str, kind: Kind, save: SaveFolder, *, local: bool) -> str:
    """The name under which the box keeps a server.

    The own worker of this machine reads one save's forms, so every save has its own; all others read a store and serve every save.
    """
    if kind == "own" and local:
        return f"{place}-own-{hashlib.sha256(str(save.root).encode()).hexdigest()[:8]}"
    return f"{place}-{kind}"


def _has_card(facility: Facility) -> bool:
    return any(each.type == "gpu" for each in facility.resources)
