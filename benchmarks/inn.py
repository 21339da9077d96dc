"""How long it takes to put a form to work at a place, and what a question costs beside its answer.

    python -m benchmarks.inn [--forms 6] [--questions 20] [--json FILE]

A save with so many forms of PIP (random weights), and two places: *here*, whose worker reads the save itself, and *over SSH*, an OpenSSH
server on the loopback behind which a worker answers from what was brought to it; left out where there is no ``sshd``. The first form starts
the worker (*cold*); each of the others is promoted from gate to champion with the worker warm, and none of them was there before. *To first
answer* ends with the trial answer of exactly that form. *Question* is a greedy answer of one token asked as the Oracle asks, and *beside*
what of it is not the server's own time: reading the save, the connection, writing the turn down.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.figures import table
from benchmarks.machine import ROOT, child_environment
from benchmarks.options import parser
from configs.paths import SaveFolder

WORDS = "Compute: and(①, ⓪) "


def build(folder: SaveFolder, forms: int) -> list[str]:
    """A save in which a hatchling has so many forms on the disk, each with an exam of its own; their names."""
    from benchmarks.worker import placement
    from configs.loader import load_hero
    from engine.hero.model import make_hatchling, save_folder
    from saves import campaigns, exams, ledger, runs
    from saves.checkpoint_folder import LEDGER_FILE, model_digest, sha256
    from saves.database import create_save, open_save
    from saves.rows import Checkpoint, Exam, ExamItem
    from skills.registry import get_skill

    pip = load_hero("pip")
    special = [token for skill in pip.skills for token in get_skill(skill).special_tokens()]
    create_save(folder, pip, seed=1)
    names = []
    with closing(open_save(folder, write=True)) as conn:
        campaign = campaigns.active_campaign(conn)
        run = runs.open_run(
            conn,
            campaign.id,
            first_step=0,
            parent_run_id=None,
            parent_checkpoint_id=None,
            pid=1,
            environment={"placement": placement("float32").as_dict()},
            exact=True,
        )
        for number in range(1, forms + 1):
            hero = make_hatchling(pip, placement("float32"), seed=number, special=special)
            step, name = 100 * number, f"checkpoint-{100 * number}-20260101-0000"
            path = folder.checkpoints / name
            save_folder(hero, hero.weights(), path)
            files = {p.name: sha256(p) for p in sorted(path.iterdir())}
            digest = model_digest(files)
            (path / LEDGER_FILE).write_text(json.dumps({"version": 1, "step": step, "files": files, "digest": digest}))
            item = ExamItem(
                position=0,
                item_index=0,
                operation="and",
                tier="easy",
                problem_digest="00",
                prompt=WORDS,
                expected="⓪",
                answer="⓪",
                result="crit",
                correct=True,
            )
            exam = Exam(
                run_id=run,
                step=step,
                skill="bin",
                level=1,
                mix="hatchling",
                kind="asked",
                first_index=0,
                items=1,
                correct=1,
                weights=digest,
                duration_s=0.1,
                at=float(step),
                results={"crit": 1},
                operations={"and": {"correct": 1, "items": 1}},
            )
            seat = exams.add_exam(conn, exam, [item])
            facts = {"exam": {"id": seat, "skill": "bin", "level": 1, "correct": 1, "items": 1, "accuracy": 1.0}}
            size = sum(p.stat().st_size for p in path.iterdir())
            ledger.add_checkpoint(
                conn,
                Checkpoint(
                    run_id=run,
                    campaign_id=campaign.id,
                    step=step,
                    name=name,
                    path=f"checkpoints/{name}",
                    digest=digest,
                    bytes=size,
                    reasons=("asked",),
                    facts=facts,
                    at=float(step),
                ),
            )
            names.append(name)
        runs.close_run(conn, run, 100 * forms, "stopped")
    return names


@contextlib.contextmanager
def road(folder: Path) -> Iterator[int | None]:
    """The port of an OpenSSH server that lets this user in, its key confirmed; None where there is no such program."""
    from benchmarks.sshd import SSHD, make_sshd
    from realm_tui.runtime.inn import pins

    if SSHD is None:
        yield None
        return
    server = make_sshd(folder)
    try:
        pins.confirm("road", pins.parse(server.public_host_key))
        yield server.port
    finally:
        server.stop()


def places(home: Path, folder: Path, port: int | None) -> list[str]:
    """Write the player's file of places; the ids of those that are measured."""
    if port is None:
        return ["arena"]
    book: dict[str, Any] = {
        "hosts": {
            "road": {
                "address": "127.0.0.1",
                "port": port,
                "user": getpass.getuser(),
                "keys": [str(folder / "id_player")],
                "agent": False,
            }
        },
        "facilities": {
            "inn": {
                "type": "hub",
                "host": "road",
                "base_path": str(home / "there"),
                "server": {"kind": "own", "python": sys.executable, "environment": {"PYTHONPATH": str(ROOT)}},
            }
        },
    }
    path = home / "config" / "facilities" / "local.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(book))
    return ["arena", "inn"]


async def measure(folder: SaveFolder, names: list[str], place: str, questions: int) -> dict[str, Any]:
    """A row of the table; the worker of the place is ended afterwards."""
    from realm_tui.runtime.inn import crown
    from realm_tui.runtime.inn.oracle import Wish, new_talk, put
    from realm_tui.runtime.inn.reach import InnReach
    from saves.oracle import Turn

    reach = InnReach(folder)
    try:
        began = time.perf_counter()
        await crown.promote(reach, folder, names[0], place)
        cold = time.perf_counter() - began
        stages: dict[str, list[float]] = {"gate": [], "sync": [], "swap": [], "canary": [], "all": []}
        for name in names[1:]:
            began = time.perf_counter()
            done = await crown.promote(reach, folder, name, place)
            stages["all"].append(time.perf_counter() - began)
            for stage, seconds in done.seconds.items():
                stages[stage].append(seconds)
        took, beside = [], []
        for _ in range(questions):
            wish = Wish(WORDS, (names[-1],), place, new_talk(), temperature=0.0, max_tokens=1)
            began = time.perf_counter()
            (turn,) = await put(reach, folder, wish)
            took.append(time.perf_counter() - began)
            assert isinstance(turn, Turn) and turn.seconds is not None
            beside.append(took[-1] - turn.seconds)
        middle = {stage: statistics.median(seen) for stage, seen in stages.items()}
        first = sum(middle[stage] for stage in ("gate", "sync", "swap", "canary"))
        for worker in await reach.fleet.muster():
            await reach.fleet.stop(worker.id)
    finally:
        await reach.aclose()
    return {
        "place": {"arena": "here", "inn": "over SSH"}[place],
        "cold s": round(cold, 2),
        **{f"{stage} s": round(middle[stage], 3) for stage in ("gate", "sync", "swap", "canary")},
        "to first answer s": round(first, 3),
        "to champion s": round(middle["all"], 3),
        "question ms": round(1000 * statistics.median(took), 1),
        "beside ms": round(1000 * statistics.median(beside), 1),
    }


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("inn", __doc__)
    command.add_argument("--forms", type=int, default=6)
    command.add_argument("--questions", type=int, default=20)
    options = command.parse_args(arguments)
    os.environ.update(child_environment())
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = []
    with tempfile.TemporaryDirectory(prefix="ri-", ignore_cleanup_errors=True) as base:
        home = Path(base)
        os.environ["REALM_HOME"] = base
        os.environ.pop("REALM_CONFIG_DIR", None)
        folder = SaveFolder.named("main")
        folder.root.parent.mkdir(parents=True)
        names = build(folder, max(2, options.forms))
        with road(home / "sshd") as port:
            for place in places(home, home / "sshd", port):
                rows.append(asyncio.run(measure(folder, names, place, options.questions)))
    table(f"PIP, {len(names) - 1} promotions with a warm worker, medians", rows)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
