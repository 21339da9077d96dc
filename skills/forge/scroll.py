"""Writes proposals down, and marks what was decided and measured, leaving the rest of a file as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_HEAD = """# A declared skill, proposed by the Skill Forge: read it, mend it, then accept or reject it (`realm skill review {id}`).
# Templates hold slots as {{name}}; `levels` says what a slot may hold from that level on; `answer` is computed from the slots.
"""


def write_proposal(path: Path, data: Mapping[str, Any]) -> None:
    """Write a whole declared skill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, _HEAD.format(id=data["id"]) + _yaml(data))


def set_block(path: Path, key: str, value: Mapping[str, Any]) -> None:
    """Replace one top-level block of a YAML file, or add it at the end; everything else, comments too, stays."""
    kept: list[str] = []
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            inside = True
        elif inside and line.strip() and not line.startswith((" ", "-", "\t")):
            inside = False
        if not inside:
            kept.append(line)
    _replace(path, "\n".join(kept).rstrip() + "\n" + _yaml({key: dict(value)}))


def _yaml(data: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=118, default_flow_style=None)


def _replace(path: Path, content: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)
