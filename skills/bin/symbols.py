"""The symbol language: a problem spelt in the words of a key that stands before it, and read back by that key."""

from __future__ import annotations

import re
from collections.abc import Mapping

from skills.bin.chance import Entropy
from skills.bin.digits import ONE, ZERO
from skills.bin.operations import OPERATIONS

_DIGIT_WORDS = [
    "moon",
    "sun",
    "wolf",
    "raven",
    "oak",
    "elm",
    "stone",
    "feather",
    "ember",
    "frost",
    "tide",
    "dune",
    "fox",
    "owl",
    "thorn",
    "petal",
    "iron",
    "silver",
    "salt",
    "honey",
    "cloud",
    "root",
    "candle",
    "shadow",
    "bell",
    "drum",
    "river",
    "hill",
    "crown",
    "coin",
]
_OPERATION_WORDS = [
    "braid",
    "forge",
    "weave",
    "brew",
    "spin",
    "carve",
    "kindle",
    "gather",
    "scatter",
    "fold",
    "mend",
    "bind",
    "sow",
    "reap",
    "temper",
    "quench",
    "sift",
    "press",
    "churn",
    "hew",
    "gild",
    "etch",
    "loom",
    "stitch",
    "anneal",
    "smelt",
    "kneel",
    "turn",
    "rise",
    "fall",
]
_NAME = re.compile(r"[a-z][a-z_0-9]*(?=\()")
_BITS = re.compile(f"_?[{ZERO}{ONE}][{ZERO}{ONE}_]*")
_BLANKED = (f"_{ZERO}", f"_{ONE}", f"{ZERO}_", f"{ONE}_")


def key_for(prompt: str, entropy: Entropy) -> dict[str, str]:
    """A random key for a prompt: word to digit or operation, in the order in which it is shown."""
    digits = list(_DIGIT_WORDS)
    key = {digits.pop(entropy.below(len(digits))): digit for digit in (ZERO, ONE)}
    words = list(_OPERATION_WORDS)
    for name in dict.fromkeys(n for n in _NAME.findall(prompt) if n in OPERATIONS):
        key[words.pop(entropy.below(len(words)))] = name
    return key


def spelt(text: str, key: Mapping[str, str]) -> str:
    """``text`` in the key's words; the digits of one number stand apart by a space."""
    words = {meaning: word for word, meaning in key.items()}
    named = _NAME.sub(lambda found: words.get(found.group(), found.group()), text)
    zero, one = words.get(ZERO, ZERO), words.get(ONE, ONE)
    if "_" in named and any(pair in named for pair in _BLANKED):
        return _BITS.sub(lambda found: " ".join(words.get(digit, digit) for digit in found[0]), named)
    # Whole-text replacement is many times faster than a pattern: a digit is opened and closed, and where two meet stands a space.
    opened = named.replace(ZERO, f"\x01{zero}\x02").replace(ONE, f"\x01{one}\x02")
    return opened.replace("\x02\x01", " ").replace("\x01", "").replace("\x02", "")


def in_symbols(prompt: str, answer: str, key: Mapping[str, str]) -> tuple[str, str]:
    """Prompt and answer in symbols, the prompt behind its key."""
    asked, _, answered = spelt(f"{prompt}\x00{answer}", key).partition("\x00")
    shown = ", ".join([f"{word} = {meaning}" for word, meaning in key.items()])
    return f"Key: {shown}\n{asked}", answered


def read_back(text: str, key: Mapping[str, str]) -> str:
    """An answer in symbols as digits and operations; what is not in the key stays as it is."""
    found = text
    for word, meaning in key.items():
        found = re.sub(rf"\b{re.escape(word)}\b", meaning, found, flags=re.IGNORECASE)
    return re.sub(f"(?<=[{ZERO}{ONE}]) +(?=[{ZERO}{ONE}])", "", found)
