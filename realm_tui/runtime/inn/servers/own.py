"""The realm's own worker: it verifies a form's files before it loads them and signs every piece with the digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs import clock
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.servers.contract import (
    FormDamagedError,
    FormMissingError,
    Health,
    InferenceError,
    ModelMismatchError,
    Served,
    digest_of,
    served_name,
)
from realm_tui.runtime.inn.servers.talk import Heard, Talker
from realm_tui.runtime.inn.servers.wire import Reply, refuse


class OwnServer(Talker):
    """Client of ``engine worker``: many forms at once, each asked for by its digest."""

    kind = "own"
    strict = True

    async def name_for(self, digest: str) -> str:
        """The form's served name; the worker loads it by itself when it has its folder."""
        return served_name(digest)

    def doubt(self, digest: str, heard: Heard) -> str:
        """Every piece carries the digest, and all of them the same."""
        signed = {digest_of(name) for name in heard.names} | heard.digests
        if signed == {digest} and heard.names and heard.digests:
            return ""
        others = ", ".join(sorted(clean(str(each)[:12]) for each in signed - {digest}))
        return f"it answered as {others}" if others else "it did not sign its answer"

    async def prove(self, digest: str, heard: Heard) -> str | None:
        """The digest that signed every piece."""
        if why := self.doubt(digest, heard):
            raise ModelMismatchError(self.label, digest, why)
        return digest

    def served(self, item: Mapping[str, Any]) -> Served:
        """One entry of its list; a form that is not loaded yet is loaded when it is asked."""
        name = str(item.get("id", ""))
        size = item.get("bytes")
        return Served(clean(name), digest_of(name), bool(item.get("loaded")), size if isinstance(size, int) else None)

    async def look(self, began: float) -> Health:
        """One look: it answers, and what it has loaded can chat."""
        reply = await self.wire.get("/health")
        if reply.status == 503:
            return Health("loading", reply.said, "wait until it has loaded")
        refuse(self.label, reply)
        if not isinstance(reply.data, dict):
            return Health(
                "wrong_model", "another server answers at its address", "`realm worker list` names the address"
            )
        offered = await self.models()
        if offered and not any(each.digest for each in offered):
            return self._stranger(offered)
        for each in offered:
            if each.loaded and each.digest is not None:
                await self.chats(each.name)
                break
        return Health("up", seconds=clock.monotonic() - began)

    async def take(self, directory: str, digest: str, base: str | None) -> str:
        """Load a form now instead of at its first question (see `Server.take`)."""
        reply = await self.wire.post("/v1/load", {"model": served_name(digest)}, within=self.wire.patience.load_s)
        await self._loaded(digest, reply)
        proved = reply.data.get("realm", {}).get("digest") if isinstance(reply.data, dict) else None
        if proved != digest:
            raise ModelMismatchError(self.label, digest, f"it loaded {clean(str(proved)[:12])}")
        return digest

    async def sleep(self) -> None:
        """Let every loaded form go."""
        for each in await self.models():
            if each.loaded:
                refuse(self.label, await self.wire.post("/v1/unload", {"model": each.name}))

    async def _loaded(self, digest: str, reply: Reply) -> None:
        if reply.status == 404:
            raise FormMissingError(self.label, digest, [each.digest or each.name for each in await self.models()])
        if reply.status == 409:
            raise FormDamagedError(self.label, digest, reply.said)
        if reply.status >= 400:
            refuse(self.label, reply)
            raise InferenceError(self.label, reply.said)
