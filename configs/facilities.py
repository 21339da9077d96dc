"""The places of the realm: machines, what stands on them, and where their files lie.

Shipped is one place, the Arena on this machine. The player's own are every YAML file of `config/facilities/`, laid over each other in
the order of their names, `local.yaml` last; `configs/facilities/example.yaml` shows one of everything and is never loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from configs.base import Model
from configs.errors import UsageError
from configs.paths import config_dir, realm_home
from configs.reading import merged, nearest, parse, read_yaml, shipped

_ID = r"^[a-z0-9][a-z0-9_-]{0,31}$"
FacilityType = Literal["battlefield", "hub", "archive", "outpost", "laboratory"]
ServerKind = Literal["own", "vllm", "sglang", "openai"]
PLACES: dict[FacilityType, str] = {
    "battlefield": "The Arena",
    "hub": "The Inn",
    "archive": "The Deep Vault",
    "outpost": "Scout Outpost",
    "laboratory": "Wizard's Study",
}


class Host(Model):
    """A machine that is reached over SSH. No password and no key stands here: only the names of files."""

    address: str = Field(min_length=1, description="name or address, or with `ssh_config` an alias from there")
    port: int = Field(22, ge=1, le=65_535)
    user: str = Field("", description="empty: the name you are logged in with here")
    keys: tuple[str, ...] = Field((), description="private key files; none: those of ~/.ssh")
    agent: bool = Field(True, description="ask the SSH agent for keys")
    ssh_config: bool = Field(False, description="read your own SSH configuration for it (jump hosts, aliases)")


class Resource(Model):
    """Something a place has: a card, a disk."""

    id: str = Field(pattern=_ID)
    type: Literal["gpu", "cpu", "disk", "memory", "other"]
    properties: dict[str, Any] = Field({}, description="what is known of it, e.g. memory_gb")


class Server(Model):
    """The inference server of a place."""

    kind: ServerKind = Field("own", description="own: the realm's worker; openai: some other endpoint, not strict")
    python: str = Field(
        "", description="the Python of its environment there; empty: the one that `realm host setup` makes"
    )
    arguments: tuple[str, ...] = Field((), description="further arguments of its command line")
    environment: dict[str, str] = Field({}, description="variables it is started with; never secrets")
    memory_gb: float = Field(0.0, ge=0, description="most memory of loaded forms (own); 0: a quarter of the machine's")
    context_length: int = Field(4096, ge=64, description="longest prompt and answer together (vllm, sglang)")
    card_share: float = Field(0.90, gt=0, le=1, description="share of the card's memory it may take (vllm, sglang)")
    adapters: int = Field(4, ge=0, le=64, description="adapters that stay loaded beside their base (vllm, sglang)")
    adapter_rank: int = Field(64, ge=1, le=512, description="highest rank of an adapter (vllm)")
    endpoint: str = Field("", description="openai: a unix socket, or http://127.0.0.1:PORT as seen from that place")
    key_variable: str = Field("", description="openai: the variable of this machine's environment that holds its key")

    @model_validator(mode="after")
    def _has_endpoint(self) -> Server:
        if self.kind == "openai" and not self.endpoint:
            raise ValueError("kind openai needs `endpoint`")
        return self


class Facility(Model):
    """One place."""

    name: str = Field("", description="what it is called; empty: after its type")
    type: FacilityType
    host: str = Field("", description="the machine it stands on; empty: this one")
    base_path: str = Field(description="folder of everything of ours there; a path spec")
    paths: dict[str, str] = Field({}, description="alias to a folder below base_path")
    resources: tuple[Resource, ...] = ()
    server: Server | None = Field(None, description="its inference server; null: none")
    available: bool = Field(True, description="false: it is left alone")

    @field_validator("paths")
    @classmethod
    def _inside(cls, value: dict[str, str]) -> dict[str, str]:
        for key, sub in value.items():
            if not re.fullmatch(_ID, key) or PurePosixPath(sub).is_absolute() or ".." in PurePosixPath(sub).parts:
                raise ValueError(f"{key}: {sub!r} is no folder below base_path")
        return value

    @property
    def title(self) -> str:
        """Its name, or what places of its type are called."""
        return self.name or PLACES[self.type]

    @property
    def is_local(self) -> bool:
        """It stands on this machine."""
        return not self.host


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or file somewhere."""

    host: str
    """Empty: this machine."""
    path: str
    """Where it lies there; a leading ``~`` is the home folder of the user there."""


class Facilities(Model):
    """Every machine and every place."""

    hosts: dict[str, Host] = Field({}, description="machines reached over SSH, by id")
    facilities: dict[str, Facility] = Field({}, description="places, by id")

    @model_validator(mode="after")
    def _consistent(self) -> Facilities:
        for kind, names in (("host", self.hosts), ("facility", self.facilities)):
            if bad := [name for name in names if not re.fullmatch(_ID, name)]:
                raise ValueError(f"{bad[0]!r} is no id of a {kind}: lower-case letters, digits, '-' and '_'")
        for name, facility in self.facilities.items():
            if facility.host and facility.host not in self.hosts:
                raise ValueError(f"{name} stands on the host {facility.host!r}, which is not among `hosts`")
        return self

    def facility(self, name: str) -> Facility:
        """The place called ``name``; `UsageError` names the nearest."""
        found = self.facilities.get(name)
        if found is None:
            raise _unknown("place", name, list(self.facilities), code="UNKNOWN_FACILITY")
        return found

    def host(self, name: str) -> Host:
        """The machine called ``name``; `UsageError` names the nearest."""
        found = self.hosts.get(name)
        if found is None:
            raise _unknown("host", name, list(self.hosts), code="UNKNOWN_HOST")
        return found

    def here(self) -> str:
        """The place this process stands in: ``REALM_FACILITY``, else the first battlefield on this machine.

        Raises:
            UsageError: ``REALM_FACILITY`` names no place.
        """
        if chosen := os.environ.get("REALM_FACILITY"):
            self.facility(chosen)
            return chosen
        local = [name for name, place in self.facilities.items() if place.is_local]
        return next((name for name in local if self.facilities[name].type == "battlefield"), local[0] if local else "")

    def serving(self) -> list[str]:
        """Places with a server that are not left alone, hubs first."""
        order = ("hub", "outpost", "laboratory", "battlefield", "archive")
        found = [name for name, place in self.facilities.items() if place.server is not None and place.available]
        return sorted(found, key=lambda name: order.index(self.facilities[name].type))

    def resolve(self, spec: str, *, base: Path | None = None, here: str | None = None) -> Place:
        """What a path spec means.

        Args:
            spec: ``facility:<id>:<key[/sub]>``, ``@key[/sub]`` (of the place here), ``~/…``, an absolute path, or a relative one;
                ``${VAR:-default}`` stands for a variable of the environment.
            base: where relative paths begin; None: the working folder.
            here: the place of ``@key``; None: `here`.

        Raises:
            UsageError: place, key or variable is unknown, or the path leaves its folder; nothing is guessed.
        """
        text = _filled(spec)
        if text.startswith("facility:"):
            name, _, rest = text.removeprefix("facility:").partition(":")
            return self._inside(name, rest, spec)
        if text.startswith("@"):
            return self._inside(self.here() if here is None else here, text[1:], spec)
        path = Path(text).expanduser()
        return Place("", str(path if path.is_absolute() else (base or Path.cwd()) / path))

    def _inside(self, name: str, rest: str, spec: str) -> Place:
        facility = self.facility(name)
        key, _, sub = rest.partition("/")
        if key not in facility.paths:
            raise _unknown(f"path of {name}", key, list(facility.paths), code="UNKNOWN_PATH")
        if ".." in PurePosixPath(sub).parts or PurePosixPath(sub).is_absolute():
            raise UsageError(f"{spec!r} leaves its folder", fix="name something below it", code="BAD_PATH")
        root = _filled(facility.base_path)
        if facility.is_local:
            root = str(Path(root).expanduser())
        return Place(facility.host, str(PurePosixPath(root) / facility.paths[key] / sub))

    def base_path(self, name: str) -> Place:
        """The folder of everything of ours at a place."""
        facility = self.facility(name)
        root = _filled(facility.base_path)
        return Place(facility.host, str(Path(root).expanduser()) if facility.is_local else root)


def facility_files() -> list[Path]:
    """The player's files, in the order in which they are laid over each other."""
    folder = config_dir() / "facilities"
    return sorted(folder.glob("*.yaml"), key=lambda file: (file.name == "local.yaml", file.name))


def load_facilities() -> Facilities:
    """The shipped place and the player's own.

    Raises:
        RealmError: a file is broken; the message names file, line and field.
    """
    file = shipped() / "facilities" / "here.yaml"
    data = read_yaml(file)
    for own in facility_files():
        data = merged(data, read_yaml(own))
    return parse(Facilities, data, "the places of the realm", [file, *facility_files()])


def _filled(spec: str) -> str:
    """``spec`` with its variables; `UsageError` for one that is not set and has no default."""
    values: Mapping[str, str] = {"REALM_HOME": str(realm_home()), **os.environ}

    def value(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        chosen = values.get(name) or default
        if chosen is None:
            raise UsageError(
                f"{spec!r} names the variable {name}, which is not set",
                fix=f"set it, or write ${{{name}:-default}}",
                code="UNKNOWN_VARIABLE",
            )
        return chosen

    return re.sub(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}", value, spec)


def _unknown(kind: str, name: str, known: list[str], *, code: str) -> UsageError:
    near = nearest(name, known)
    return UsageError(
        f"no {kind} is called {name!r}",
        why=f"the nearest name is {near}" if near else "",
        fix=f"choose one of {', '.join(sorted(known))}" if known else "add one with `realm host add`",
        code=code,
    )
