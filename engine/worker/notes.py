"""What a worker notes in its log: what was loaded and what failed, never what was asked or answered. No torch."""

from __future__ import annotations

import sys

from configs import clock


def note(text: str) -> None:
    """One line on stderr, with the time (UTC); control characters of a name cannot leave it."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    sys.stderr.write(f"{clock.utc(clock.now()):%Y-%m-%d %H:%M:%S} {plain}\n")
    sys.stderr.flush()
