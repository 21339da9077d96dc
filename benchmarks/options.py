"""Command lines of the single benchmarks: all say how they measure and how long they take, and all can write JSON."""

from __future__ import annotations

import argparse
from pathlib import Path


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """A parser that explains the benchmark with its module's own words (``about``), and knows ``--json``."""
    first, _, rest = (about or "").partition("\n\n")
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    return made
