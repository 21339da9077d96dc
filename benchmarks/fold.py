"""What the game costs: folding a whole save anew, going on after a new fact, and beginning with the cache of another time.

    python -m benchmarks.fold [--facts 1000000] [--rounds 100] [--pruned] [--json FILE]

The save is made for the purpose (`benchmarks.big_save`): a million facts over ten million steps, windows not merged yet. A round
writes a window of steps, every second time also an exam of 64 answers, and asks for the game again. Seconds are the process's own
processor time, so that other programs disturb them less; memory is the most the process ever held, the interpreter included.

Takes about 15 s to make the save and 15 s to fold it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.big_save import Player, count
from benchmarks.figures import spread, table
from benchmarks.machine import child_environment
from benchmarks.options import parser
from configs.paths import SaveFolder
from realm_tui.runtime.game import GameReader, annals_of
from realm_tui.runtime.opened import opened
from saves.database import open_save

T = TypeVar("T")


def timed(deed: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds a deed took, and what it gave."""
    began = time.process_time()
    found = deed()
    return time.process_time() - began, found


def measure(folder: SaveFolder, rounds: int) -> dict[str, Any]:
    """All figures of one save."""
    with opened(folder) as save, closing(open_save(folder, write=True)) as conn:
        reader, player = GameReader(), Player(conn)
        anew, game = timed(lambda: reader.read(save))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cached, again = timed(lambda: GameReader(keep=False).read(save))
        if again.states != game.states:
            raise SystemExit("the cache gave another game")
        same = [timed(lambda: reader.read(save))[0] for _ in range(rounds)]
        more = []
        for _ in range(rounds):
            player.play()
            more.append(timed(lambda: reader.read(save))[0])
        whole = timed(lambda: annals_of(save))[0]
        if GameReader(keep=False).read(save).states != reader.read(save).states:
            raise SystemExit("what was put on top bit by bit gave another game")
        return {
            "steps": game.step,
            "anew_s": round(anew, 2),
            "from_cache_ms": round(1000 * cached, 2),
            "after_a_new_fact_ms": spread([1000 * s for s in more], 2),
            "without_news_ms": spread([1000 * s for s in same], 4),
            "small_tables_ms": round(1000 * whole, 2),
            "memory_mb": round(memory, 1),
            "cache_kb": round(save.folder.game_cache(save.campaign.id).stat().st_size / 1000, 1),
        }


def made_apart(folder: SaveFolder, facts: int, *, pruned: bool = False) -> int:
    """`make` in a process of its own, whose memory is not measured; the number of facts."""
    how = ["--pruned"] if pruned else []
    command = [sys.executable, "-m", "benchmarks.big_save", str(folder.root), "--facts", str(facts), *how]
    subprocess.run(command, env=child_environment(), check=True, stdout=subprocess.DEVNULL)
    with opened(folder) as save:
        return count(save.conn)


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("fold", __doc__)
    command.add_argument("--facts", type=int, default=1_000_000)
    command.add_argument("--rounds", type=int, default=100, help="new facts, one at a time")
    command.add_argument("--pruned", action="store_true", help="a save as retention leaves it")
    options = command.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="realm-fold-") as name:
        folder = SaveFolder(Path(name) / "saves" / "main")
        facts = made_apart(folder, options.facts, pruned=options.pruned)
        found = {"facts": facts, **measure(folder, options.rounds)}
    rows = [
        {"": "folded anew", "s": found["anew_s"]},
        {"": "from the cache", "s": found["from_cache_ms"] / 1000},
        {"": "after a new fact (median)", "s": found["after_a_new_fact_ms"]["median"] / 1000},
        {"": "after a new fact (most)", "s": found["after_a_new_fact_ms"]["max"] / 1000},
        {"": "small tables", "s": found["small_tables_ms"] / 1000},
    ]
    table(f"The game of {facts:,} facts and {found['steps']:,} steps", rows)
    print(f"  memory {found['memory_mb']} MB, cache {found['cache_kb']} kB")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
