"""Reads YAML and turns it into typed values; what is wrong is named with file, line, field, value and the nearest name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from configs.errors import RealmError
from configs.paths import config_dir

M = TypeVar("M", bound=BaseModel)
Loc = tuple[str | int, ...]

_SHOWN = 60
"""Most characters of a wrong value that an error repeats."""


def shipped() -> Traversable:
    """The folder of shipped YAML, also from inside a wheel."""
    return resources.files("configs")


def read_yaml(path: Path | Traversable) -> dict[str, Any]:
    """One YAML mapping; a broken file is a `RealmError` that names file and line."""
    try:
        return read_mapping(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def read_mapping(text: str, path: Path | Traversable) -> dict[str, Any]:
    """The YAML mapping that a text of a file is; errors as in `read_yaml`."""
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise _unreadable(path, error) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise RealmError(f"{path} does not hold a mapping", fix="write `key: value` lines", code="CONFIG_INVALID")
    return data


def _unreadable(path: Path | Traversable, error: Exception) -> RealmError:
    return RealmError(
        f"cannot read {path}",
        why=" ".join(str(error).split()),
        fix="mend the file, or move it away to use the shipped values",
        code="CONFIG_INVALID",
    )


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid on top; mappings merge, everything else is replaced."""
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        out[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out


def parse(model: type[M], data: Mapping[str, Any], source: str, files: Sequence[Path | Traversable] = ()) -> M:
    """``data`` as ``model``.

    Args:
        model: the schema.
        data: what the layers together say.
        source: what is being read, for the error.
        files: the layers' files, later ones win; the line of a wrong field is looked up in them.

    Raises:
        RealmError: names every wrong field with its file and line, its value, the reason and the nearest valid name.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        reasons = [_reason(model, data, dict(e), files) for e in error.errors()]
        raise RealmError(
            f"{source} is not valid", why="; ".join(reasons), fix="mend the named fields", code="CONFIG_INVALID"
        ) from error


def with_own(model: type[M], name: str, source: str) -> M:
    """The shipped file ``name`` with the player's file of that name laid over it, as ``model``; a changed file is read anew.

    Raises:
        RealmError: the player's file names a wrong field; it says which, and where.
    """
    mine = config_dir() / name
    try:
        stamp: int | None = mine.stat().st_mtime_ns
    except OSError:
        stamp = None
    found: M = _with_own(model, name, source, mine, stamp)
    return found


@cache
def _with_own(model: type[M], name: str, source: str, mine: Path, stamp: int | None) -> M:
    file = shipped() / name
    if stamp is None:
        return parse(model, read_yaml(file), source, [file])
    return parse(model, merged(read_yaml(file), read_yaml(mine)), source, [file, mine])


def nearest(name: str, known: Sequence[str]) -> str:
    """The known name that is most like ``name``; empty when none is like it."""
    found = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    return next((k for k in known if found and k.lower() == found[0]), "")


def _reason(model: type[BaseModel], data: Mapping[str, Any], error: dict[str, Any], files: Sequence[Any]) -> str:
    loc, value = _existing(data, tuple(error["loc"])), error.get("input")
    field = ".".join(str(part) for part in error["loc"][: len(loc) + (error["type"] == "missing")]) or "the whole"
    place = _place(loc, files)
    if error["type"] == "extra_forbidden":
        near = nearest(str(loc[-1]), sorted(_schema_at(model, loc[:-1]).model_fields))
        return f"{field}{place}: there is no such field{f'; did you mean `{near}`?' if near else ''}"
    if error["type"] == "missing":
        return f"{field}{place}: missing"
    near = nearest(str(value), re.findall(r"'([^']+)'", error["msg"])) if error["type"] == "literal_error" else ""
    shown = "" if isinstance(value, (Mapping, list)) or value is None else f" = {_short(value)}"
    words = str(error["msg"]).removeprefix("Value error, ")
    return f"{field}{shown}{place}: {words}{f'; did you mean `{near}`?' if near else ''}"


def _existing(data: Mapping[str, Any], loc: Loc) -> Loc:
    """The part of ``loc`` that the data really has; behind it pydantic names branches of a union."""
    found: Any = data
    for depth, part in enumerate(loc):
        inside = isinstance(found, Mapping) and part in found
        if not inside and not (isinstance(found, (list, tuple)) and isinstance(part, int) and part < len(found)):
            return loc[:depth]
        found = found[part]
    return loc


def _schema_at(model: type[BaseModel], loc: Loc) -> type[BaseModel]:
    for part in loc:
        info = model.model_fields.get(str(part))
        inner = next((k for k in _kinds(info.annotation) if issubclass(k, BaseModel)), None) if info else None
        if inner is None:
            return model
        model = inner
    return model


def _kinds(annotation: Any) -> list[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [kind for part in get_args(annotation) for kind in _kinds(part)]


def _place(loc: Loc, files: Sequence[Path | Traversable]) -> str:
    for file in reversed(files):
        line = line_of(file, loc)
        if line is not None:
            return f" ({file}, line {line})"
    return f" ({files[-1]})" if files else ""


def line_of(file: Path | Traversable, loc: Loc) -> int | None:
    """The line, counted from 1, on which a field stands in a YAML file; None where it does not."""
    try:
        node: Any = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    line: int | None = None
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            pair = (node.value[part], node.value[part])
        else:
            pair = None
        if pair is None:
            return None
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
