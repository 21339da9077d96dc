"""What servers that swap whole weights have in common: fingerprints of what they hold, and files that a swap does not replace.

A swap replaces weights only. Tokenizer, template and configuration stay those of the form the server was started with, so a form
whose other files differ needs a server of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import PurePosixPath
from typing import Any

from configs.errors import RealmError
from realm_tui.runtime.inn.servers.contract import SHOWN, ModelMismatchError, ServerError

Reader = Callable[[str], Awaitable[bytes]]
"""Reads a file where the server stands."""
MANIFEST = "MANIFEST.json"
_VOICE = ("tokenizer", "chat_template", "special_tokens_map", "added_tokens", "vocab", "merges")
"""First letters of the files that decide how a conversation becomes tokens."""
_WEIGHTS = (".safetensors", ".safetensors.index.json")


class RestartNeededError(ServerError):
    """The server cannot become this form by a swap; it must be started with it."""

    error_class = "validation"

    def __init__(self, label: str, digest: str, files: list[str]) -> None:
        super().__init__(
            f"{label} cannot take up form {digest[:SHOWN]} by a swap",
            why=f"a swap leaves these files as they were, and they differ: {', '.join(files[:4])}",
            fix="start the worker anew with this form",
            code="RESTART_NEEDED",
        )


class Holdings:
    """What is known of the weights in a server.

    Args:
        label: how the server is called.
        prints: fingerprint by digest, as earlier swaps found them; filled further.
        reader: reads files where the server stands; None: manifests cannot be compared.
    """

    def __init__(self, label: str, prints: MutableMapping[str, str] | None, reader: Reader | None) -> None:
        self.label, self.reader = label, reader
        self.prints: MutableMapping[str, str] = {} if prints is None else prints

    async def files(self, directory: str) -> Mapping[str, str] | None:
        """Name to SHA-256 of a form's files by its manifest; None: it has none, or nobody can read it."""
        if self.reader is None:
            return None
        try:
            data: Any = json.loads(await self.reader(str(PurePosixPath(directory) / MANIFEST)))
        except (OSError, ValueError, RealmError):
            return None
        listed = data.get("files") if isinstance(data, dict) else None
        return {n: str(f.get("sha256")) for n, f in listed.items()} if isinstance(listed, dict) else None

    async def same_voice(self, digest: str, old: str, new: str, *, configuration: bool) -> None:
        """See that only weights differ between two folders.

        Args:
            digest: the form in ``new``.
            old: the folder the server was started with.
            new: the folder it shall take up.
            configuration: also compare ``config.json`` (whole weights).

        Raises:
            RestartNeededError: files that a swap leaves alone differ.
        """
        before, after = await self.files(old), await self.files(new)
        if before is None or after is None:
            return
        kept = {name for name in {*before, *after} if name.startswith(_VOICE)}
        kept |= {"config.json"} if configuration else set()
        if differing := sorted(name for name in kept if before.get(name) != after.get(name)):
            raise RestartNeededError(self.label, digest, differing)

    async def took(self, digest: str, print_: str, old: str, new: str) -> None:
        """Compare a fingerprint with what is known, and keep it.

        Raises:
            ModelMismatchError: the form looked otherwise before, or the weights did not change with the form.
        """
        known = self.prints.get(digest)
        if known is not None and known != print_:
            raise ModelMismatchError(self.label, digest, "its weights there are not those it had before")
        if print_ in {p for d, p in self.prints.items() if d != digest} and await self._weights_differ(old, new):
            raise ModelMismatchError(self.label, digest, "the weights there did not change with the swap")
        self.prints[digest] = print_

    async def _weights_differ(self, old: str, new: str) -> bool:
        before, after = await self.files(old), await self.files(new)
        if before is None or after is None:
            return False
        return _weights(before) != _weights(after)


def fingerprint(checksums: Mapping[str, str]) -> str:
    """One SHA-256 over the checksums of all tensors."""
    return hashlib.sha256(json.dumps(dict(checksums), sort_keys=True).encode()).hexdigest()


def folder_digest(path: str) -> str:
    """The last part of a folder's path, which in a store is the digest."""
    return PurePosixPath(path).name


def _weights(files: Mapping[str, str]) -> dict[str, str]:
    return {name: sha for name, sha in files.items() if name.endswith(_WEIGHTS)}
