"""Servers without weights: they answer from what they are told, hold forms as real ones do, and can be made to lie, stall or break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from realm_tui.runtime.inn.forms import Speaker
from realm_tui.runtime.inn.oracle import Brought, Ready, Tell
from realm_tui.runtime.inn.servers.contract import (
    Answer,
    Ask,
    AskRefusedError,
    FormMissingError,
    Health,
    Kind,
    ModelMismatchError,
    Served,
    ServerGoneError,
    served_name,
)
from saves import ledger
from saves.checkpoint_folder import LEDGER_FILE, model_digest, sha256
from saves.database import open_save
from saves.rows import encode


def give_folders(folder: SaveFolder) -> None:
    """Give every form of the ledger files of its own, and the ledger their true digests."""
    with closing(open_save(folder, write=True)) as conn:
        for form in ledger.kept_checkpoints(conn):
            path = ledger.folder_of(folder, form)
            (path / "trainer").mkdir(parents=True)
            names = ("config.json", "model.safetensors", "trainer/state.json")
            for name in names:
                (path / name).write_text(json.dumps({"step": form.step, "values": {"applied_seq": 0}}))
            files = {name: sha256(path / name) for name in names}
            digest = model_digest(files)
            (path / LEDGER_FILE).write_text(json.dumps({"files": files, "digest": digest}))
            conn.execute("UPDATE checkpoints SET digest = ? WHERE id = ?", (digest, form.id))


class Parrot:
    """A server whose forms say what `says` makes of the last turn."""

    def __init__(self, kind: Kind = "own", *, strict: bool = True, room: int = 10_000) -> None:
        self.kind, self.strict, self.room = kind, strict, room
        self.holds: dict[str, str] = {}
        """Digest to the name of the form."""
        self.says: Callable[[str, str], str] = lambda name, words: f"{name} heard: {words}"
        self.heard: list[Ask] = []
        self.lies = False
        self.drops = 0
        """So many questions find nobody any more."""
        self.gate: asyncio.Event | None = None
        """Where it is set, an answer stalls after its first piece until it is."""

    async def health(self) -> Health:
        return Health("up")

    async def models(self) -> tuple[Served, ...]:
        return tuple(Served(served_name(digest), digest, True) for digest in self.holds)

    async def ask(self, ask: Ask) -> AsyncIterator[str | Answer]:
        if self.drops:
            self.drops -= 1
            raise ServerGoneError("the parrot")
        self.heard.append(ask)
        assert ask.messages is not None
        if ask.digest not in self.holds:
            raise FormMissingError("the parrot", ask.digest, list(self.holds))
        length = sum(len(message.content) for message in ask.messages)
        if length > self.room:
            raise AskRefusedError("the parrot", f"{length} letters", code="QUESTION_TOO_LONG")
        text = self.says(self.holds[ask.digest], ask.messages[-1].content)
        for number, word in enumerate(text.split(" ")):
            yield word if number == 0 else f" {word}"
            if self.gate is not None:
                await self.gate.wait()
        if self.lies:
            raise ModelMismatchError("the parrot", ask.digest, "it answered as another form")
        words = len(text.split())
        yield Answer(
            text, ask.digest if self.strict else None, served_name(ask.digest), "stop", length, words, 0.5, 0.1
        )

    async def ask_all(self, asks: Sequence[Ask]) -> list[Answer]:
        raise NotImplementedError

    async def take(self, directory: str, digest: str, base: str | None) -> str:
        raise NotImplementedError

    async def sleep(self) -> None:
        raise NotImplementedError

    async def wake(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing to let go of."""


class Village:
    """The way to three places: ``arena`` holds any number of forms, ``inn`` one, ``study`` proves nothing."""

    def __init__(self) -> None:
        self.servers = {"arena": Parrot(), "inn": Parrot("vllm"), "study": Parrot("openai", strict=False)}
        self.brought: list[tuple[str, str]] = []
        self.refuses: dict[str, RealmError] = {}
        """What stands in the way to a place."""
        self.closed = False
        self.looked = 0
        """How often a server was asked for."""

    async def bring(self, place: str, who: Speaker, *, tell: Tell) -> Brought:
        if place in self.refuses:
            raise self.refuses[place]
        new = (place, who.digest) not in self.brought
        self.brought.append((place, who.digest))
        tell("1 of 1 files")
        return Brought(120 if new else 0, 0.01, f"store/ckpt/{who.digest}")

    async def ready(self, place: str, who: Speaker, *, displace: bool, tell: Tell) -> Ready:
        self.looked += 1
        if place in self.refuses:
            raise self.refuses[place]
        server = self.servers[place]
        if place == "inn" and server.holds and who.digest not in server.holds:
            if not displace:
                raise BlockedError("the Inn holds another form", code="SERVER_TAKEN")
            server.holds.clear()
        server.holds[who.digest] = who.name
        return Ready(server, place, place, f"{place}-worker")

    async def aclose(self) -> None:
        self.closed = True


def add_answers(folder: SaveFolder, step: int, prompt: str, answer: str) -> None:
    """Write down one right answer of the exam that a form itself sat."""
    with closing(open_save(folder, write=True)) as conn:
        form = ledger.find(conn, str(step))
        conn.execute(
            """UPDATE exam_items SET prompt = ?, answer = ?, correct = 1 WHERE exam_id = ? AND position =
                   (SELECT min(position) FROM exam_items WHERE exam_id = ?)""",
            (prompt, answer, form.facts["exam"]["id"], form.facts["exam"]["id"]),
        )


def forget_exam(folder: SaveFolder, step: int) -> None:
    """Let a form have sat no exam."""
    with closing(open_save(folder, write=True)) as conn:
        form = ledger.find(conn, str(step))
        facts = {name: value for name, value in form.facts.items() if name != "exam"}
        conn.execute("UPDATE checkpoints SET facts_json = ? WHERE id = ?", (encode(facts), form.id))
