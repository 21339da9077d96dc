"""SGLang: one set of whole weights, swapped from disk and labelled in the same request; a failed swap goes back by itself.

It answers to any name and signs with the one it was asked by, so a name proves nothing here. What proves a form is the label of the weights:
on whole replies in the metadata, and before and after every answer by ``/model_info``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.servers.contract import (
    SHOWN,
    Ask,
    FormMissingError,
    InferenceError,
    ModelMismatchError,
    Sampling,
    Served,
    ServerBrokenError,
    served_name,
)
from realm_tui.runtime.inn.servers.talk import PROBE, Heard, Talker, cannot
from realm_tui.runtime.inn.servers.weights import Holdings, Reader
from realm_tui.runtime.inn.servers.wire import Wire, refuse

_EVERY_TOKEN = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}


class SglangServer(Talker):
    """Client of an SGLang server.

    Args:
        wire: the way to it.
        reader: reads files where it stands, to compare what a swap leaves alone.
        spoken: folder whose tokenizer it was started with; empty: that of its weights.
    """

    kind = "sglang"
    strict = True
    caps_answers = True

    def __init__(self, wire: Wire, *, reader: Reader | None = None, spoken: str = "") -> None:
        super().__init__(wire)
        self.holdings = Holdings(wire.label, None, reader)
        self._spoken = spoken

    def further(self) -> dict[str, Any]:
        """Sampling said whole."""
        return dict(_EVERY_TOKEN)

    async def name_for(self, digest: str) -> str:
        """The form's name, when the weights are labelled with it."""
        label, _ = await self._info()
        if label != digest:
            raise FormMissingError(self.label, digest, [label] if label else [])
        return served_name(digest)

    def doubt(self, digest: str, heard: Heard) -> str:
        """The label on the reply, where it carries one."""
        wrong = heard.version is not None and heard.version != digest
        return f"weights labelled {clean(str(heard.version)[:SHOWN])} answered" if wrong else ""

    async def prove(self, digest: str, heard: Heard) -> str | None:
        """The label still is the form's after the answer."""
        label, _ = await self._info()
        if label != digest:
            raise ModelMismatchError(self.label, digest, "its weights were swapped while it answered")
        return digest

    async def models(self) -> tuple[Served, ...]:
        """The one model, as the form its weights are labelled with."""
        label, path = await self._info()
        known = label if label and _is_digest(label) else None
        return (Served(served_name(known) if known else clean(path), known, loaded=True),)

    async def take(self, directory: str, digest: str, base: str | None) -> str:
        """Swap the weights from disk, empty the cache, label them, and let a canary answer (see `Server.take`)."""
        if base is not None:
            raise cannot(self.label, "load adapters by name yet; merge it, or use a vLLM or own worker")
        label, old = await self._info()
        if label != digest:
            await self.holdings.same_voice(digest, self._spoken or old, directory, configuration=True)
            await self._swap(directory, digest, label)
        canary = Ask(digest, prompt=PROBE, sampling=Sampling(temperature=0, max_tokens=1))
        (answer,) = await self.ask_all([canary])
        if answer.digest != digest:
            raise ModelMismatchError(self.label, digest, "its canary did not prove the form")
        return digest

    async def _swap(self, directory: str, digest: str, before: str) -> None:
        body = {
            "model_path": directory,
            "weight_version": digest,
            "flush_cache": True,
            "abort_all_requests": False,
        }
        reply = await self.wire.post("/update_weights_from_disk", body, within=self.wire.patience.load_s)
        label, path = await self._info()
        if reply.status == 200 and isinstance(reply.data, dict) and reply.data.get("success"):
            if label != digest or path != directory:
                raise ModelMismatchError(self.label, digest, f"after the swap it holds {clean(label[:SHOWN])}")
            return
        if label != before:
            raise ServerBrokenError(self.label, f"the swap failed and it did not go back: {reply.said}")
        raise InferenceError(self.label, f"it refused the swap and kept the form it had: {reply.said}")

    async def _info(self) -> tuple[str, str]:
        """Label and folder of its weights."""
        reply = await self.wire.get("/model_info")
        if reply.status == 404:
            reply = await self.wire.get("/get_model_info")
        refuse(self.label, reply)
        data: Mapping[str, Any] = reply.data if isinstance(reply.data, dict) else {}
        return str(data.get("weight_version") or ""), str(data.get("model_path") or "")

    async def chats(self, name: str) -> None:
        """Draw one token; the name does not matter to it."""
        await super().chats(name)

    async def sleep(self) -> None:
        """Give the card back."""
        reply = await self.wire.post("/release_memory_occupation", {}, within=self.wire.patience.load_s)
        if reply.status == 404:
            raise cannot(self.label, "sleep (it was started without --enable-memory-saver)")
        refuse(self.label, reply)

    async def wake(self) -> None:
        """Take the card again. The weights come back empty, so the form is read from disk anew."""
        label, path = await self._info()
        refuse(self.label, await self.wire.post("/resume_memory_occupation", {}, within=self.wire.patience.load_s))
        if _is_digest(label):
            await self._swap(path, label, label)


def _is_digest(text: str) -> bool:
    try:
        served_name(text)
    except ValueError:
        return False
    return True
