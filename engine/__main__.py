"""The engine's processes: ``python -P -m engine keeper|trainer|once --save-dir DIR``, ``worker``, and ``gain``, which needs no save.

Started by the game; nothing here reads the terminal.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path

from configs.errors import RealmError, UsageError
from configs.paths import SaveFolder


def parser() -> argparse.ArgumentParser:
    """The processes and their arguments."""
    top = argparse.ArgumentParser(prog="engine", description="processes of the training engine")
    roles = top.add_subparsers(dest="role", required=True)
    for role, meaning in (
        ("keeper", "keep a save's trainer running"),
        ("trainer", "train (started by the keeper)"),
        ("once", "do one thing with the hero while no engine runs"),
    ):
        sub = roles.add_parser(role, help=meaning)
        sub.add_argument("--save-dir", type=Path, required=True, help="folder of the save")
        if role == "trainer":
            sub.add_argument("--control-fd", type=int, help="descriptor of the channel to the keeper")
            sub.add_argument("--tied", action="store_true", help="one of several processes: end with the first")
        if role == "once":
            sub.add_argument("--verb", required=True, help="what to do: ask")
            sub.add_argument("--args", default="{}", help="its arguments, JSON")
    gain = roles.add_parser("gain", help="measure what a newborn hatchling learns of a skill")
    gain.add_argument("--skill", required=True, help="the skill's id")
    gain.add_argument("--steps", type=int, required=True, help="optimizer steps")
    gain.add_argument("--seed", type=int, default=0, help="seed of the hatchling")
    worker = roles.add_parser("worker", help="answer over a unix socket with exactly the form that is asked for")
    worker.add_argument("--socket", type=Path, required=True, help="path of the socket, in a folder of this user alone")
    worker.add_argument("--save-dir", type=Path, help="folder of a save whose forms it knows")
    worker.add_argument("--store", type=Path, help="folder of a store whose forms it knows")
    worker.add_argument("--memory-gb", type=float, help="most memory of loaded forms (default: inn.worker.memory_gb)")
    worker.add_argument("--threads", type=int, help="processor threads (default: inn.worker.threads)")
    worker.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what it computes on")
    worker.add_argument("--hero-json", type=Path, help="the hero of a store's forms whose manifest names none")
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one process; the exit code."""
    arguments = parser().parse_args(argv)
    if arguments.role == "gain":
        return _gain(arguments.skill, arguments.steps, arguments.seed)
    if arguments.role == "worker":
        return _worker(arguments)
    folder = SaveFolder(arguments.save_dir.absolute())
    if arguments.role == "trainer":
        return _trainer(folder, arguments.control_fd, tied=arguments.tied)
    try:
        if arguments.role == "keeper":
            from engine.keeper.main import main as keep

            return keep(folder)
        return _once(folder, arguments.verb, arguments.args)
    except RealmError as error:
        sys.stderr.write(error.text() + "\n")
        return error.exit_code


def _trainer(folder: SaveFolder, control_fd: int | None, *, tied: bool) -> int:
    """Train; every end gets the exit code by which the keeper understands it."""
    from engine.link.ending import exit_code_of, last_line

    try:
        from engine.trainer.main import main as train

        code: int = train(folder, control_fd, tied=tied)
        return code
    except RealmError as error:
        sys.stderr.write(last_line(error) + "\n")
        return exit_code_of(error, awake=False)
    except Exception as error:
        traceback.print_exc()
        return exit_code_of(error)


def _gain(skill: str, steps: int, seed: int) -> int:
    from engine.gain import main as measure

    try:
        code: int = measure(skill, steps, seed)
        return code
    except RealmError as error:
        sys.stdout.write(json.dumps({"error": error.as_dict()}) + "\n")
        return error.exit_code


def _worker(arguments: argparse.Namespace) -> int:
    from engine.worker.main import Orders, run

    save, store = arguments.save_dir, arguments.store
    return run(
        Orders(
            socket=arguments.socket.absolute(),
            save=None if save is None else SaveFolder(save.absolute()),
            store=None if store is None else store.absolute(),
            memory_gb=arguments.memory_gb,
            threads=arguments.threads,
            hero_file=arguments.hero_json,
            device=arguments.device,
        )
    )


def _once(folder: SaveFolder, verb: str, text: str) -> int:
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise UsageError("--args is not JSON", why=str(error), code="BAD_ARGUMENTS") from error
    if not isinstance(arguments, dict):
        raise UsageError("--args is not a JSON object", fix='write e.g. \'{"text": "…"}\'', code="BAD_ARGUMENTS")
    from engine.trainer.once import main as do_once

    code: int = do_once(folder, verb, arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
