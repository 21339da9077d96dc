"""How numbers are written: circled digits, the width of each level, two's complement."""

from __future__ import annotations

ZERO, ONE = "⓪", "①"
MAX_LEVEL = 30
OVERFLOW = "overflow"


def bits_of(level: int) -> int:
    """Digits of an operand at ``level``: level + 1, and 32 at level 30."""
    return 32 if level == MAX_LEVEL else level + 1


def write(value: int, width: int) -> str:
    """``value`` in circled digits, zero-padded to ``width``; a negative value in two's complement."""
    plain = f"{value & ((1 << width) - 1) if value < 0 else value:0{width}b}"
    return plain.replace("0", ZERO).replace("1", ONE)


def plain(text: str) -> str:
    """``text`` with circled digits as ASCII ones."""
    return text.replace(ZERO, "0").replace(ONE, "1")


def low(width: int) -> int:
    """The least signed value of ``width`` digits."""
    return -(1 << (width - 1))


def high(width: int) -> int:
    """The greatest signed value of ``width`` digits."""
    return (1 << (width - 1)) - 1


def fits_signed(value: int, width: int) -> bool:
    """Whether ``value`` can be written in ``width`` digits of two's complement."""
    return low(width) <= value <= high(width)
