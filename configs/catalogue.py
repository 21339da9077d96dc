"""The catalogue of primitives: small abilities that skills combine, one YAML file a track in `configs/primitives/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources.abc import Traversable
from types import MappingProxyType

from pydantic import Field

from configs.base import Model
from configs.errors import RealmError, UsageError
from configs.reading import nearest, parse, read_yaml, shipped
from configs.schema import UnifiedPrimitives

PASSIVES = (
    "arithmetic",
    "logic",
    "binary_arithmetic",
    "word_puzzles",
    "counting",
    "string_craft",
    "sequence",
    "memory",
    "code_trace",
    "combinatorics",
    "language_basics",
)
"""Abilities that nobody trains directly and that are watched for forgetting; each asks some primitives."""
_ID = r"^[a-z][a-z0-9_]*$"


class PrimitiveEntry(Model):
    """What the YAML says of one primitive; its id is the key."""

    name: str = Field(description="shown name")
    description: str = Field(description="what is asked, in a few words")
    version: int = Field(1, ge=1, description="rises when the definition changes; versions are never pooled")
    difficulty: int = Field(ge=1, le=5)
    prerequisites: tuple[str, ...] = Field((), description="primitives to learn first")
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = Field((), description="other names of the same thing; ids only are stored")
    unified: bool = Field(False, description="one of the 29 unified primitives")
    finite: bool = Field(False, description="words limit it: fewer than 10,000 problems on some rung")
    passives: tuple[str, ...] = Field((), description="passives that ask it")
    hatchling: int | None = Field(
        None, ge=1, le=10, description="first level at which the hatchling's mix asks it; none: not yet"
    )


class TrackFile(Model):
    """One file of the catalogue."""

    track: str = Field(pattern=_ID, description="family of the entries, the name of the file")
    description: str
    entries: dict[str, PrimitiveEntry]


class Primitive(PrimitiveEntry):
    """One primitive with its id and family."""

    id: str = Field(pattern=_ID)
    track: str

    @property
    def key(self) -> str:
        """The full name, `track/name@v1`, under which results of one definition are pooled."""
        return f"{self.track}/{self.id}@v{self.version}"


@cache
def primitives() -> Mapping[str, Primitive]:
    """Every primitive by id, in the order of the files.

    Raises:
        RealmError: a name is used twice, or a prerequisite or passive is unknown, or prerequisites run in a circle.
    """
    found: dict[str, Primitive] = {}
    names: dict[str, str] = {}
    for file in _files():
        read = parse(TrackFile, read_yaml(file), f"the primitives of {file.name}", [file])
        if read.track != file.name.removesuffix(".yaml"):
            raise _broken(file.name, f"its track {read.track!r} is not the name of the file")
        for primitive_id, entry in read.entries.items():
            data = entry.model_dump() | {"id": primitive_id, "track": read.track}
            found[primitive_id] = parse(Primitive, data, f"the primitive {primitive_id}", [file])
            for name in (primitive_id, *entry.aliases):
                if name in names:
                    raise _broken(file.name, f"{name} is the name of {names[name]} and of {primitive_id}")
                names[name] = primitive_id
            if strange := sorted(set(entry.passives) - set(PASSIVES)):
                raise _broken(file.name, f"{primitive_id} names unknown passives: {', '.join(strange)}")
    _check_prerequisites(found)
    return MappingProxyType(found)


@cache
def tracks() -> Mapping[str, str]:
    """Every track with its description."""
    read = [parse(TrackFile, read_yaml(file), f"the primitives of {file.name}", [file]) for file in _files()]
    return MappingProxyType({file.track: file.description for file in read})


def primitive_id(name: str) -> str:
    """The id meant by an id, an alias or a full name (`track/name@v1`).

    Raises:
        UsageError: no primitive is called so; names the nearest.
    """
    bare = name.rpartition("/")[2].partition("@")[0]
    found = _names().get(bare)
    if found is None:
        near = nearest(bare, list(_names()))
        raise UsageError(
            f"no primitive is called {name!r}",
            why=f"the nearest name is {near}" if near else "",
            fix="see `realm skill show prim`",
            code="UNKNOWN_PRIMITIVE",
        )
    return found


def find_primitive(name: str) -> Primitive:
    """The primitive called ``name`` (an id, an alias or a full name)."""
    return primitives()[primitive_id(name)]


def passive_primitives(passive: str) -> tuple[str, ...]:
    """The primitives that a passive asks."""
    if passive not in PASSIVES:
        raise UsageError(
            f"no passive is called {passive!r}", fix=f"choose one of {', '.join(PASSIVES)}", code="UNKNOWN_PASSIVE"
        )
    return tuple(p.id for p in primitives().values() if passive in p.passives)


def drawn_on(unified: UnifiedPrimitives) -> tuple[str, ...]:
    """The unified primitives a skill draws on, primary first; ``seq_*`` stands for every one of that beginning."""
    named: list[str] = []
    for name in (*unified.primary, *unified.secondary, *unified.touched):
        if name.endswith("*"):
            named += [p.id for p in primitives().values() if p.unified and p.id.startswith(name[:-1])]
        else:
            named.append(primitive_id(name))
    return tuple(dict.fromkeys(named))


@cache
def _names() -> Mapping[str, str]:
    return {name: p.id for p in primitives().values() for name in (p.id, *p.aliases)}


def _files() -> list[Traversable]:
    folder = shipped() / "primitives"
    return sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)


def _check_prerequisites(found: Mapping[str, Primitive]) -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise _broken("the catalogue", f"prerequisites run in a circle: {' → '.join((*path, name))}")
        if name in done:
            return
        for needed in found[name].prerequisites:
            if needed not in found:
                raise _broken("the catalogue", f"{name} needs {needed}, which is no id of a primitive")
            visit(needed, (*path, name))
        done.add(name)

    for name in found:
        visit(name, ())


def _broken(where: str, why: str) -> RealmError:
    return RealmError(
        f"the catalogue of primitives cannot be used: {where}",
        why=why,
        fix="mend the file in configs/primitives",
        code="CONFIG_INVALID",
    )
