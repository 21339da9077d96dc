"""Which forms this worker can give voice to, where they lie, and the proof that a folder is the form it is called. No torch."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from configs.errors import BlockedError, RealmError, UsageError
from configs.loader import on_this_machine
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from engine.hero.folder import find_folder, is_adapter
from saves import campaigns, ledger
from saves.checkpoint_folder import LEDGER_FILE, model_digest, read_sidecar, sha256
from saves.database import open_save
from saves.plain_model import SUFFIXES, model_hashes

MANIFEST = "MANIFEST.json"
MANIFEST_VERSION = 1
NAME = "realm@"
"""First letters of the name a form is served under; its digest follows."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
Kind = Literal["full", "adapter", "base"]
Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a hero, or the model it began with, as a folder of files."""

    digest: str
    folder: Path
    files: Mapping[str, str] = field(repr=False)
    """Name to SHA-256 of every file of the model."""
    name: str
    step: int | None
    hero: Mapping[str, Any] = field(repr=False)
    """The hero's YAML as its campaign keeps it."""
    source: Literal["save", "store"]
    base: str | None = None
    """Digest of the model under an adapter, where it lies in the same store."""
    kind: Kind = "full"
    weights: str | None = None
    """dtype its campaign trains with, where that is on record."""

    @property
    def served_name(self) -> str:
        """The one name under which it answers."""
        return NAME + self.digest

    @property
    def model_bytes(self) -> int:
        """Bytes of its weights on disk; 0 where they are gone."""
        try:
            return sum((self.folder / n).stat().st_size for n in self.files if n.endswith(".safetensors"))
        except OSError:
            return 0

    def about(self) -> dict[str, Any]:
        """What every reply says of the form that answered."""
        return {"digest": self.digest, "name": self.name, "step": self.step}


def digest_of(name: str) -> str | None:
    """The digest in a served name; None where ``name`` is no name of a form. Nothing is completed and nothing guessed."""
    digest = name.removeprefix(NAME)
    return digest if name.startswith(NAME) and _DIGEST.fullmatch(digest) else None


class Catalogue:
    """Every form of a save and of a store; read again when an unknown one is asked for.

    Args:
        save: folder of a save; None: none.
        store: folder with ``ckpt/<digest>/``; None: none.
        hero: the hero of a store's forms whose manifest names none.
    """

    def __init__(self, save: SaveFolder | None, store: Path | None, hero: Mapping[str, Any] | None = None) -> None:
        self._save, self._store, self._hero = save, store, hero
        self._forms: dict[str, Form] = {}
        self._bases: dict[Path, Form] = {}
        self._refused: dict[str, RealmError] = {}
        """Digests of folders in the store that cannot be offered, and why."""
        self._lock = threading.Lock()

    def known(self) -> list[Form]:
        """Every form as of the last look, newest first."""
        return sorted(self._forms.values(), key=lambda form: (form.step is None, -(form.step or 0), form.name))

    def get(self, digest: str) -> Form | None:
        """A form as of the last look."""
        return self._forms.get(digest)

    def look(self) -> list[Form]:
        """Read save and store again.

        Raises:
            RealmError: the save cannot be read.
        """
        with self._lock:
            found = {form.digest: form for form in self._in_store()}
            found |= {form.digest: form for form in self._bases.values()}
            found |= {form.digest: form for form in self._in_save()}
            self._forms = found
        return self.known()

    def find(self, digest: str) -> Form:
        """The form with this digest, after another look where it is not known yet; `UsageError` where it is not here."""
        form = self.get(digest)
        if form is None:
            self.look()
            form = self.get(digest)
        if form is None:
            raise self._refused.get(digest) or unknown(NAME + digest)
        return form

    def look_at_bases(self) -> None:
        """Offer the models that the save's heroes began with, as far as they are on this machine. Hashing one may take a minute."""
        if self._save is None:
            return
        conn = open_save(self._save, write=False)
        try:
            heroes = {c.hero_id: dict(c.hero) for c in campaigns.campaigns(conn)}
        finally:
            conn.close()
        for hero in heroes.values():
            config = on_this_machine(HeroConfig.model_validate(hero))
            if config.model.source != "pretrained":
                continue
            try:
                folder = find_folder(config)
                files = model_hashes(folder)
            except RealmError:
                continue  # it is not on this machine, so it is not offered
            name = config.model.name or folder.name
            with self._lock:
                self._bases[folder] = Form(model_digest(files), folder, files, name, None, hero, "save", kind="base")
        self.look()

    def _in_save(self) -> Iterator[Form]:
        if self._save is None:
            return
        conn = open_save(self._save, write=False)
        try:
            heroes = {c.id: c for c in campaigns.campaigns(conn)}
            weights = dict(conn.execute("SELECT id, environment_json ->> '$.placement.weights' FROM runs").fetchall())
            for row in ledger.kept_checkpoints(conn):
                campaign, folder = heroes[row.campaign_id], ledger.folder_of(self._save, row)
                old = self._forms.get(row.digest)
                try:
                    files = old.files if old is not None and old.folder == folder else read_sidecar(folder)["files"]
                except RealmError:
                    files = {}  # its first use says what is wrong with it
                yield Form(
                    digest=row.digest,
                    folder=folder,
                    files={n: d for n, d in files.items() if not n.startswith("trainer/")},
                    name=row.name,
                    step=row.step,
                    hero=dict(campaign.hero),
                    source="save",
                    kind="adapter" if is_adapter(folder) else "full",
                    weights=weights.get(row.run_id),
                )
        finally:
            conn.close()

    def _in_store(self) -> Iterator[Form]:
        if self._store is None:
            return
        refused: dict[str, RealmError] = {}
        for path in sorted((self._store / "ckpt").glob(f"*/{MANIFEST}")):
            if not _DIGEST.fullmatch(path.parent.name):
                continue  # one that is still being built
            try:
                yield self._read(path)
            except RealmError as error:
                refused[path.parent.name] = error
        self._refused = refused

    def _read(self, path: Path) -> Form:
        data = read_manifest(path)
        digest = str(data["digest"])
        if digest != path.parent.name:
            raise _damaged(path.parent.name, f"{MANIFEST} speaks of {digest[:12]}")
        hero, base, step = data.get("hero") or self._hero, data.get("base"), data.get("step")
        if not isinstance(hero, Mapping):
            raise BlockedError(
                f"{MANIFEST} of {digest[:12]} does not say which hero it is",
                fix="bring it here again, or start the worker with `--hero-json`",
                code="CHECKPOINT_CORRUPT",
            )
        files = {str(n): str(f["sha256"]) for n, f in data["files"].items()}
        adapter = "adapter_config.json" in files
        return Form(
            digest=digest,
            folder=path.parent,
            files=files,
            name=str(data.get("name") or digest[:12]),
            step=step if isinstance(step, int) else None,
            hero=dict(hero),
            source="store",
            base=str(base) if base else None,
            kind="adapter" if adapter else "full" if isinstance(step, int) else "base",
            weights=str(data["weights"]) if data.get("weights") else None,
        )


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a folder in a store; `RealmError` where it cannot be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != MANIFEST_VERSION:
            raise ValueError(f"its version is {data['version']}, this program reads {MANIFEST_VERSION}")
        if not all(isinstance(f["sha256"], str) for f in data["files"].values()) or not isinstance(data["digest"], str):
            raise ValueError("it lists no digests")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path.parent.name, f"{MANIFEST}: {error}") from error
    return dict(data)


class Proofs:
    """Remembers which folders were read through and found to be what they are called."""

    def __init__(self) -> None:
        self._proved: dict[tuple[str, Path], Signature] = {}

    def prove(self, form: Form) -> Signature:
        """Every file of ``form`` is the one its digest stands for: read through once, then size and time of each are compared.

        Returns:
            what must still be the same once the files were loaded (see `unchanged`).

        Raises:
            RealmError: a file differs, is missing, or lies there unlisted.
        """
        if not form.files:
            raise _damaged(form.name, f"it has no readable {LEDGER_FILE if form.source == 'save' else MANIFEST}")
        if model_digest(dict(form.files)) != form.digest:
            raise _damaged(form.name, "its digests disagree")
        now = self._signature(form)
        if self._proved.get((form.digest, form.folder)) == now:
            return now
        for name, digest in form.files.items():
            if sha256(form.folder / name) != digest:
                raise _damaged(form.name, f"{name} differs")
        self.unchanged(form, now)
        self._proved[form.digest, form.folder] = now
        return now

    def unchanged(self, form: Form, before: Signature) -> None:
        """Nothing was put in the place of the form's files since ``before``; `RealmError` where something was."""
        if self._signature(form) != before:
            raise _damaged(form.name, "its files changed while they were read")

    @staticmethod
    def _signature(form: Form) -> Signature:
        found = []
        for name in sorted(form.files):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise _damaged(form.name, f"{name!r} is no file of it")
            try:
                status = (form.folder / name).stat()
            except OSError as error:
                raise _damaged(form.name, f"{name} is missing") from error
            found.append((name, status.st_size, status.st_mtime_ns, status.st_ino))
        try:
            beside = {p.name for p in form.folder.iterdir() if p.name.endswith(SUFFIXES) and not p.name.startswith(".")}
        except OSError as error:
            raise _damaged(form.name, str(error)) from error
        if odd := sorted(beside - set(form.files) - {MANIFEST, LEDGER_FILE}):
            raise _damaged(form.name, f"{odd[0]} does not belong to it")
        return tuple(found)


def unknown(name: str) -> UsageError:
    """There is no such form here, and none is put in its place."""
    return UsageError(
        f"this worker has no form called {name[:80]!r}",
        why=f"a form is asked for as {NAME}<its 64-digit digest>; no other one is put in its place",
        fix="choose one of those listed, or bring it here first",
        code="UNKNOWN_CHECKPOINT",
    )


def base_missing(form: Form, why: str) -> BlockedError:
    """The model under an adapter is not here."""
    return BlockedError(
        f"the model under {form.name} is not here",
        why=why,
        fix="bring the base to this place once; the adapter alone cannot speak",
        code="MODEL_MISSING",
    )


def _damaged(name: str, why: str) -> RealmError:
    return RealmError(
        f"{name} is damaged: {why}",
        fix="choose another form (`realm ledger list`), or bring this one here again",
        code="CHECKPOINT_CORRUPT",
    )
