"""Changes one value in a YAML text and leaves everything else as the player wrote it: comments, order, spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from configs.errors import RealmError
from configs.reading import merged

_INDENT = 2


def with_value(text: str, path: Sequence[str], value: Any, source: str) -> str:
    """``text`` with ``value`` under ``path``.

    Args:
        text: a YAML mapping, or nothing yet.
        path: keys from the outside in.
        value: what is to stand there: a scalar, or a list of them.
        source: the file's name, for the error.

    Raises:
        RealmError: the text is written in a way that cannot be changed without touching more (``EDIT_BY_HAND``).
    """
    wanted = merged(_data(text, source), nested(path, value))
    return _proved(_changed(text, list(path), value), wanted, source, path)


def without(text: str, path: Sequence[str], source: str) -> str:
    """``text`` without the value under ``path``, and without the groups that this leaves empty; see `with_value`."""
    data = _data(text, source)
    if not _has(data, path):
        return text
    depth = len(path)
    while depth > 1 and len(_at(data, path[: depth - 1])) == 1:
        depth -= 1
    return _proved(_cut(text, path[:depth]), _pruned(data, path[:depth]), source, path)


def _data(text: str, source: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RealmError(
            f"cannot read {source}", why=" ".join(str(error).split()), fix="mend the file first", code="CONFIG_INVALID"
        ) from error
    if found is not None and not isinstance(found, dict):
        raise RealmError(f"{source} does not hold a mapping", fix="write `key: value` lines", code="CONFIG_INVALID")
    return found or {}


def _proved(text: str | None, wanted: Mapping[str, Any], source: str, path: Sequence[str]) -> str:
    """``text``, if it says exactly what is wanted."""
    try:
        if text is not None and (yaml.safe_load(text) or {}) == wanted:
            return text
    except yaml.YAMLError:
        text = None
    raise RealmError(
        f"cannot change {'.'.join(path)} in {source} without touching more of it",
        why="it is written with anchors, in several documents, or in another unusual way",
        fix="change it by hand",
        code="EDIT_BY_HAND",
    )


def _changed(text: str, path: list[str], value: Any) -> str | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return _appended(text, path, value)
    node: Any = root
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            return _replaced(text, node, _flow(nested(path[depth:], value)))
        inner = _value_of(node, key)
        if inner is None:
            return (
                _appended(text, path, value) if _plain_root(node, root) else _inserted(text, node, path[depth:], value)
            )
        node = inner
    return _replaced(text, node, _flow(value))


def _plain_root(node: Any, root: Any) -> bool:
    return node is root and not node.flow_style


def _value_of(node: yaml.MappingNode, key: str) -> Any:
    return next((value for name, value in node.value if name.value == key), None)


def _replaced(text: str, node: Any, written: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    old = text[start:end]
    tail = old[len(old.rstrip()) :]
    return f"{text[:start]}{'' if start < end else ' '}{written}{tail}{text[end:]}"


def _inserted(text: str, node: yaml.MappingNode, path: Sequence[str], value: Any) -> str:
    """A new first entry of a mapping that is there."""
    if node.flow_style:
        at = node.start_mark.index + 1
        written = _flow(nested(path, value))[1:-1]
        return f"{text[:at]}{written}{', ' if node.value else ''}{text[at:]}"
    first = node.value[0][0].start_mark
    written = _block(path, value, first.column)
    return f"{text[: first.index]}{written.lstrip()}\n{' ' * first.column}{text[first.index :]}"


def _appended(text: str, path: Sequence[str], value: Any) -> str:
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{_block(path, value, 0)}\n"


def _block(path: Sequence[str], value: Any, column: int) -> str:
    lines = [f"{' ' * (column + _INDENT * depth)}{key}:" for depth, key in enumerate(path)]
    return "\n".join(lines) + f" {_flow(value)}"


def _flow(value: Any) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 20, sort_keys=False)
    return written.removesuffix("...\n").strip()


def _cut(text: str, path: Sequence[str]) -> str | None:
    """``text`` without one entry and its lines."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in path[:-1]:
        node = _value_of(node, key)
    names = [name.value for name, _ in node.value]
    at = names.index(path[-1])
    name, value = node.value[at]
    start, end = name.start_mark.index, value.end_mark.index
    if node.flow_style:
        if at + 1 < len(node.value):
            end = node.value[at + 1][0].start_mark.index
        elif at:
            start = node.value[at - 1][1].end_mark.index
        return text[:start] + text[end:]
    start = text.rfind("\n", 0, start) + 1
    body = text[start:end].rstrip()
    end = text.find("\n", start + len(body))
    return text[:start] + ("" if end < 0 else text[end + 1 :])


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """``value`` under ``path``, as a mapping."""
    found: Any = value
    for key in reversed(path):
        found = {key: found}
    return dict(found)


def _at(data: Any, path: Sequence[str]) -> Any:
    for key in path:
        data = data[key]
    return data


def _has(data: Any, path: Sequence[str]) -> bool:
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return False
        data = data[key]
    return True


def _pruned(data: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    if len(path) == 1:
        return {k: v for k, v in data.items() if k != path[0]}
    return {k: _pruned(v, path[1:]) if k == path[0] else v for k, v in data.items()}
