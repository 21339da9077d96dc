"""The split of problems into training and exams, and the digests that prove it."""

from __future__ import annotations

import json
from hashlib import blake2b

from skills.contract import Split

EXAM_SHARE = 5
"""One canonical problem in this many is held out for exams."""
_SALT = b"realm-split"


def problem_hash(canonical: str) -> bytes:
    """The hash of a canonical problem; it is both its public digest and its side of the split."""
    return blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=12, salt=_SALT).digest()


def side(digest: bytes) -> Split:
    """The split that a problem hash belongs to; the rule can be checked from a problem's public digest alone."""
    return "train" if int.from_bytes(digest[:8], "big") % EXAM_SHARE else "exam"


def definition_digest(definition: object) -> str:
    """Eight digits that change with a skill's definition (JSON values), so that results of two definitions are never pooled."""
    told = json.dumps(definition, sort_keys=True, ensure_ascii=False)
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def item_digest(prompt: str, answer: str) -> str:
    """Hash of a rendered item."""
    return blake2b(f"{prompt}\x00{answer}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
