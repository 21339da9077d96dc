"""The Seers: figures of every matrix of a form, and how far two forms lie apart. Weights are read, never loaded into a model."""

from __future__ import annotations

import json
import math
import re
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import RealmError
from realm_tui.runtime.jobs.kinds import Drift, Layers, Workplace
from realm_tui.runtime.opened import opened

if TYPE_CHECKING:
    import numpy

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
CHUNK = 1 << 20
"""Weights that are looked at at once."""
MAX_HEADER_BYTES = 100 << 20
_LAYER = re.compile(r"\blayers\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Matrix:
    """Where one matrix lies in a file."""

    file: Path
    name: str
    type: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def chunks(self) -> Iterator[numpy.ndarray[Any, Any]]:
        """Its values as 64-bit floats, a piece at a time."""
        import numpy as np

        raw = np.memmap(self.file, dtype=_TYPES[self.type], mode="r", offset=self.offset, shape=(self.size,))
        for start in range(0, self.size, CHUNK):
            piece = raw[start : start + CHUNK]
            if self.type == "BF16":
                piece = (piece.astype(np.uint32) << 16).view(np.float32)
            yield piece.astype(np.float64)


def layer_stats(number: int, payload: Layers, place: Workplace) -> Mapping[str, Any]:
    """For each matrix its size, mean, spread, norm, largest value and values that are no number; and sums by layer."""
    import numpy as np

    name, matrices = _form(place, payload.form)
    found: dict[str, dict[str, Any]] = {}
    layers = defaultdict[str, list[float]](lambda: [0.0, 0.0])
    for matrix in matrices:
        place.tell(matrix.name)
        total = square = 0.0
        largest, bad, zeros = 0.0, 0, 0
        for piece in matrix.chunks():
            good = np.isfinite(piece)
            bad += int(piece.size - good.sum())
            piece = piece[good]
            zeros += int((piece == 0).sum())
            total += float(piece.sum())
            square += float(piece @ piece)
            largest = max(largest, float(np.abs(piece).max(initial=0.0)))
        count = matrix.size - bad
        mean = total / count if count else None
        found[matrix.name] = {
            "shape": list(matrix.shape),
            "mean": mean,
            "std": math.sqrt(max(0.0, square / count - mean * mean)) if count and mean is not None else None,
            "norm": math.sqrt(square),
            "largest": largest,
            "zeros": zeros / matrix.size if matrix.size else None,
            "not_finite": bad,
        }
        of = layers[_layer_of(matrix.name)]
        of[0] += matrix.size
        of[1] += square
    return {
        "form": name,
        "weights": sum(m.size for m in matrices),
        "not_finite": sum(f["not_finite"] for f in found.values()),
        "layers": {k: {"weights": int(n), "norm": math.sqrt(s)} for k, (n, s) in layers.items()},
        "matrices": found,
    }


def layer_drift(number: int, payload: Drift, place: Workplace) -> Mapping[str, Any]:
    """For each matrix the way between two forms, relative to the older one's norm, and the angle's cosine; and sums by layer.

    Raises:
        RealmError: the forms do not have the same matrices.
    """
    name, ours = _form(place, payload.form)
    other, theirs = _form(place, payload.against)
    beside = {m.name: m for m in theirs}
    if {(m.name, m.shape) for m in ours} != {(m.name, m.shape) for m in theirs}:
        raise RealmError(
            f"{name} and {other} are not of one build",
            why="their matrices differ in name or shape",
            fix="choose two forms of one hero, trained by one method",
            code="FORMS_DIFFER",
        )
    found, layers = {}, defaultdict[str, list[float]](lambda: [0.0, 0.0])
    for matrix in ours:
        place.tell(matrix.name)
        way = here = there = product = 0.0
        for mine, old in zip(matrix.chunks(), beside[matrix.name].chunks(), strict=True):
            moved = mine - old
            way += float(moved @ moved)
            here += float(mine @ mine)
            there += float(old @ old)
            product += float(mine @ old)
        found[matrix.name] = {
            "drift": math.sqrt(way / there) if there else None,
            "cosine": product / math.sqrt(here * there) if here and there else None,
        }
        of = layers[_layer_of(matrix.name)]
        of[0] += way
        of[1] += there
    return {
        "form": name,
        "against": other,
        "drift": math.sqrt(sum(w for w, _ in layers.values()) / (sum(t for _, t in layers.values()) or 1.0)),
        "layers": {k: math.sqrt(w / t) if t else None for k, (w, t) in layers.items()},
        "matrices": found,
    }


def _form(place: Workplace, which: str) -> tuple[str, list[Matrix]]:
    from engine.trainer.promotion import find_form
    from saves.ledger import folder_of

    with opened(place.folder) as save:
        form = find_form(save.conn, which)
        folder = folder_of(place.folder, form)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise RealmError(
            f"{form.name} holds no weights",
            why=f"no *.safetensors lie in {folder}",
            fix="`realm save verify`",
            code="FORM_GONE",
        )
    return form.name, [matrix for file in files for matrix in matrices_in(file)]


def matrices_in(file: Path) -> list[Matrix]:
    """Every matrix of floats in a safetensors file, by name.

    Raises:
        RealmError: the file is cut short, or no such file.
    """
    try:
        with file.open("rb") as raw:
            (length,) = struct.unpack("<Q", raw.read(8))
            if length > MAX_HEADER_BYTES:
                raise ValueError("its header is too long")
            head = json.loads(raw.read(length))
        if not isinstance(head, dict):
            raise ValueError("its header is no table")
        size = file.stat().st_size
        found = []
        for name, entry in head.items():
            if name == "__metadata__" or entry["dtype"] not in _TYPES:
                continue
            begin, end = entry["data_offsets"]
            if end - begin != math.prod(entry["shape"]) * int(_TYPES[entry["dtype"]][-1]):
                raise ValueError(f"{name} is not as large as its shape says")
            if 8 + length + end > size:
                raise ValueError(f"{name} lies beyond its end")
            found.append(Matrix(file, name, entry["dtype"], tuple(entry["shape"]), 8 + length + begin))
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise RealmError(
            f"{file} cannot be read as weights",
            why=str(error),
            fix="check the form: `realm save verify`",
            code="MODEL_DAMAGED",
        ) from error
    return sorted(found, key=lambda m: m.name)


def _layer_of(name: str) -> str:
    """A matrix's layer: its number, or the first part of its name."""
    met = _LAYER.search(name)
    return met.group(1) if met else name.removeprefix("model.").split(".")[0]
