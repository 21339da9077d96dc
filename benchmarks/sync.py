"""What a box over SSH costs: bringing a form there, bringing it again, going on after a cut, and noticing that the line is lost.

    python -m benchmarks.sync [--mb 400] [--rounds 3] [--losses 2] [--json FILE]

The box is a real OpenSSH server on the loopback, on the same machine and the same disk. A form of random bytes is pushed; beside each push
the same file goes over plain SFTP on the same connection, with nothing hashed and nothing synced to the disk. *Again* is the push of a form
that is there. *Changed* is one that shares its weights with one that is there. *Cut* kills the connection in the middle of a push.
*Frozen* stops the server's processes: seconds until the box is no longer called online, with the shipped rules of the line.

Takes about two minutes.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from benchmarks.figures import paired_ratio, spread, table
from benchmarks.options import parser
from benchmarks.sshd import Sshd, make_sshd
from configs.facilities import Host
from configs.loader import load_game
from realm_tui.runtime.inn import pins, supervisor, sync
from realm_tui.runtime.inn.box import Box, LocalBox
from realm_tui.runtime.inn.ssh import SshBox
from saves.checkpoint_folder import LEDGER_FILE, model_digest

_COMMANDS = 50


def make_form(folder: Path, mb: int, small: str = "a") -> Path:
    """A checkpoint of random weights, or one that shares them with another when it is made in its place."""
    folder.mkdir(parents=True)
    with (folder / "model.safetensors").open("wb") as file:
        for _ in range(mb):
            file.write(os.urandom(1_000_000))
    return label(folder, small)


def label(folder: Path, small: str) -> Path:
    """Write the small files and the ledger."""
    (folder / "config.json").write_text(json.dumps({"it": small}), "utf-8")
    files = {}
    for path in (folder / "model.safetensors", folder / "config.json"):
        with path.open("rb") as file:
            files[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    sidecar = {"version": 1, "step": 1, "files": files, "digest": model_digest(files)}
    (folder / LEDGER_FILE).write_text(json.dumps(sidecar), "utf-8")
    return folder


async def timed(doing: Awaitable[Any]) -> tuple[float, Any]:
    """Seconds a deed took, and what it gave."""
    began = time.perf_counter()
    found = await doing
    return time.perf_counter() - began, found


async def pushes(box: Box, plain: SshBox | None, room: Path, mb: int, rounds: int) -> dict[str, Any]:
    """New, again and changed, beside plain SFTP where there is such a line."""
    new, again, changed, pairs = [], [], [], []
    for number in range(rounds):
        form = make_form(room / f"checkpoint-{number}-20260101-0000", mb)
        if plain is not None:
            sftp = await plain._files()
            target = str(room / "plain")
            bare, _ = await timed(sftp.put(str(form / "model.safetensors"), target))
            Path(target).unlink()
        seconds, pushed = await timed(box.push(form))
        if pushed.sent_bytes < mb * 1_000_000:
            raise SystemExit("a new form was not sent whole")
        new.append(mb / seconds)
        if plain is not None:
            pairs.append((mb / seconds, mb / bare))
        again += [(await timed(box.push(form)))[0] * 1000 for _ in range(5)]
        label(form, "b")
        changed.append((await timed(box.push(form)))[0] * 1000)
        shutil.rmtree(form)
        for digest in [kept.digest for kept in await sync.forms(box)]:
            await sync.drop(box, digest)
    found = {
        "box": box.label,
        "MB": mb,
        "new MB/s": spread(new, 1),
        "again ms": spread(again, 1),
        "changed ms": spread(changed, 1),
    }
    if pairs:
        found |= {"plain SFTP MB/s": spread([bare for _, bare in pairs], 1), "of plain": paired_ratio(pairs)["ratio"]}
    return found


async def cut(box: SshBox, server: Sshd, room: Path, mb: int) -> dict[str, Any]:
    """A push whose connection is killed in the middle."""
    form, cuts = make_form(room / "checkpoint-9-20260101-0000", mb), [0]

    def watch(there: int, whole: int) -> None:
        if not cuts[0] and there > whole / 2:
            cuts[0] += 1
            server.signal_sessions(signal.SIGKILL)

    seconds, pushed = await timed(box.push(form, progress=watch))
    shutil.rmtree(form)
    return {"cuts": cuts[0], "sent MB": round(pushed.sent_bytes / 1e6, 1), "of MB": mb, "seconds": round(seconds, 2)}


async def losses(box: SshBox, server: Sshd, times: int) -> dict[str, Any]:
    """Seconds until a killed and a frozen connection are noticed, and until the line is back."""
    found: dict[str, list[float]] = {"killed": [], "frozen": []}
    back: list[float] = []
    for kind, number in (("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP)):
        for _ in range(times):
            await box.connect()
            server.signal_sessions(number)
            found[kind].append(await until(lambda: box.state.name not in ("online", "degraded")))
            back.append(await until(lambda: box.state.name in ("online", "degraded")))
    return {"killed s": spread(found["killed"]), "frozen s": spread(found["frozen"]), "back s": spread(back)}


async def until(true: Any) -> float:
    """Seconds until something is true; two minutes are too long."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > 120:
            raise SystemExit("it was never noticed")
        await asyncio.sleep(0.01)
    return time.perf_counter() - began


async def small_things(box: SshBox) -> dict[str, Any]:
    """A command, a request to the box's side, a renewal."""
    await supervisor.servers(box)
    commands = [(await timed(box.run(["true"])))[0] * 1000 for _ in range(_COMMANDS)]
    renewals = [(await timed(supervisor.renew(box, "own")))[0] * 1000 for _ in range(_COMMANDS)]
    return {"command ms": spread(commands, 1), "renewal ms": spread(renewals, 1)}


async def measure(room: Path, mb: int, rounds: int, times: int) -> dict[str, Any]:
    """All figures."""
    server = make_sshd(room / "sshd")
    pins.confirm("box", pins.parse(server.public_host_key))
    host = Host(
        address="127.0.0.1",
        port=server.port,
        user=getpass.getuser(),
        keys=(str(server.key),),
        agent=False,
        ssh_config=False,
    )
    rules = load_game({"inn": {"sync": {"reserve_gb": 0}}}).inn
    box = SshBox("box", "box", host, str(room / "far"), label="over SSH", rules=rules, python=sys.executable)
    here = LocalBox("here", room / "near", "this machine", rules=rules)
    try:
        opened, _ = await timed(box.connect())
        await box.push(make_form(room / "checkpoint-0-warm", 1))
        found = {
            "connect s": round(opened, 3),
            "small": await small_things(box),
            "push": [await pushes(box, box, room, mb, rounds), await pushes(here, None, room, mb, rounds)],
            "cut": await cut(box, server, room, mb),
            "loss": await losses(box, server, times),
        }
    finally:
        await box.close()
        server.stop()
    return found


def main() -> int:
    """Run and print."""
    options = parser("sync", __doc__)
    options.add_argument("--mb", type=int, default=400, help="size of a form")
    options.add_argument("--rounds", type=int, default=3, help="forms pushed")
    options.add_argument("--losses", type=int, default=2, help="lines lost, each way")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REALM_HOME"] = str(Path(folder) / "home")
        found = asyncio.run(measure(Path(folder), chosen.mb, chosen.rounds, chosen.losses))
    rows = [
        {key: value["median"] if isinstance(value, dict) else value for key, value in row.items()}
        for row in found["push"]
    ]
    table("Bringing a form there (medians)", rows)
    table("A push cut in the middle", [found["cut"]])
    table("A lost line, seconds", [{"what": name, **values} for name, values in found["loss"].items()])
    table("Small things", [{"what": name, **values} for name, values in found["small"].items()])
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
