"""Any endpoint that speaks the OpenAI protocol. It proves nothing, so it is not strict: talk with it, never examine by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.servers.contract import FormMissingError, Served, ServerBrokenError
from realm_tui.runtime.inn.servers.talk import PROBE, Heard, Talker, cannot
from realm_tui.runtime.inn.servers.wire import Wire, refuse


class PlainServer(Talker):
    """Client of an OpenAI-compatible endpoint.

    Args:
        wire: the way to it.
        model: the name of the model there; empty: the first it lists.
    """

    kind = "openai"
    strict = False

    def __init__(self, wire: Wire, *, model: str = "") -> None:
        super().__init__(wire)
        self._model = model

    async def name_for(self, digest: str) -> str:
        """The endpoint's own model, whatever form was meant."""
        if not self._model:
            offered = await self.models()
            if not offered:
                raise FormMissingError(self.label, digest, [])
            self._model = offered[0].name
        return self._model

    async def prove(self, digest: str, heard: Heard) -> str | None:
        """Nothing is proved here."""
        return None

    def served(self, item: Mapping[str, Any]) -> Served:
        """One entry of its list; even a name like a form's proves nothing."""
        return Served(clean(str(item.get("id", ""))), None, loaded=True)

    async def chats(self, name: str) -> None:
        """Draw one token in a conversation: some endpoints know nothing else. One on the network may be paid by the token and is not asked."""
        if self.wire.is_remote:
            return
        body = {"model": name, "messages": [{"role": "user", "content": PROBE}], "max_tokens": 1}
        reply = await self.wire.post("/v1/chat/completions", body, within=self.wire.patience.health_s)
        if reply.status >= 500:
            raise ServerBrokenError(self.label, f"it cannot chat: {reply.said}")
        refuse(self.label, reply)

    async def take(self, directory: str, digest: str, base: str | None) -> str:
        """It has the models it has."""
        raise cannot(self.label, "take up a form")
