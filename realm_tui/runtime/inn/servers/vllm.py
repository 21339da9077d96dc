"""vLLM: one base whose weights are swapped under a pause, or adapters beside it, each under its own name.

A swap renames nothing: the served name stays that of the form the server was started with, so the name alone never proves whole weights.
What proves them is the label of the weights, which is set only between a pause and a canary, together with the spans that newer
versions put on each answer. A failed reload leaves a server that calls itself healthy and dies at the next question; it is
never asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

from configs import clock
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.servers.contract import (
    SHOWN,
    Ask,
    FormDamagedError,
    FormMissingError,
    Health,
    ModelMismatchError,
    Sampling,
    Served,
    ServerBrokenError,
    ServerError,
    digest_of,
    served_name,
)
from realm_tui.runtime.inn.servers.talk import PROBE, Heard, Talker, cannot
from realm_tui.runtime.inn.servers.weights import Holdings, Reader, fingerprint, folder_digest
from realm_tui.runtime.inn.servers.wire import Reply, Wire, refuse

_UNLABELLED = ("default", "", None)
"""Labels of weights that nobody has labelled yet."""
_POLL_S = 0.1
_EVERY_TOKEN = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Said with every question, or a server adopted with its defaults would draw by the rules in the model's folder."""


class VllmServer(Talker):
    """Client of a vLLM server.

    Args:
        wire: the way to it.
        prints: fingerprints of forms it held before, by digest; filled further.
        reader: reads files where it stands, to compare what a swap leaves alone.
        spoken: folder whose tokenizer it was started with; empty: that of its whole weights.
    """

    kind = "vllm"
    strict = True
    caps_answers = True

    def __init__(
        self,
        wire: Wire,
        *,
        prints: MutableMapping[str, str] | None = None,
        reader: Reader | None = None,
        spoken: str = "",
    ) -> None:
        super().__init__(wire)
        self.holdings = Holdings(wire.label, prints, reader)
        self._spoken = spoken
        self._cards: tuple[Mapping[str, Any], ...] = ()
        self._broken = ""

    def further(self) -> dict[str, Any]:
        """Sampling said whole, and which weights drew each token (versions that do not know the field leave it out)."""
        return {**_EVERY_TOKEN, "return_weight_versions": True}

    # ------------------------------------------------------------ which form

    async def name_for(self, digest: str) -> str:
        """The adapter of that name, or the base when its weights are those of the form."""
        if self._broken:
            raise ServerBrokenError(self.label, self._broken)
        wanted = served_name(digest)
        if not any(card.get("id") == wanted for card in self._cards):
            await self._look()
        label = await self.weights_label()
        for card in self._cards:
            if card.get("id") == wanted and card.get("parent") is not None:
                self._on_its_base(digest, card, label)
                return wanted
        base = self._base()
        if _held(base, label) == digest:
            return str(base["id"])
        raise FormMissingError(self.label, digest, [each.digest or each.name for each in await self.models()])

    async def prove(self, digest: str, heard: Heard) -> str | None:
        """Name, spans and label together; see the module."""
        named, wanted, base = heard.names, served_name(digest), self._base()
        if any(card.get("id") == wanted and card.get("parent") is not None for card in self._cards):
            if named != {wanted}:
                raise ModelMismatchError(self.label, digest, f"it answered as {_shown(named)}")
            label = await self.weights_label()
            self._on_its_base(digest, {"parent": base["id"]}, label)
            self._one_span(digest, heard, label if label not in _UNLABELLED else None)
            return digest
        if named != {str(base["id"])}:
            raise ModelMismatchError(self.label, digest, f"it answered as {_shown(named)}")
        label = await self.weights_label()
        if _held(base, label) != digest:
            raise ModelMismatchError(self.label, digest, "its weights were swapped while it answered")
        self._one_span(digest, heard, digest if label not in _UNLABELLED else None)
        return digest

    def _one_span(self, digest: str, heard: Heard, label: str | None) -> None:
        """Every token was drawn by weights of this label; nothing to see where the server tells no spans."""
        versions = {str(span.get("version")) for span in heard.spans or ()}
        if label is not None and versions - {label}:
            raise ModelMismatchError(self.label, digest, f"weights labelled {_shown(versions)} drew its tokens")

    def _on_its_base(self, digest: str, card: Mapping[str, Any], label: str | None) -> None:
        """An adapter answers for itself only on the base it was loaded on."""
        if label not in _UNLABELLED and label != digest_of(str(card.get("parent"))):
            raise ModelMismatchError(
                self.label, digest, f"its base now holds other weights ({clean(str(label)[:SHOWN])})"
            )

    async def weights_label(self) -> str | None:
        """The label of the whole weights; None: it was started without the routes that tell."""
        reply = await self.wire.get("/weight_info")
        if reply.status == 404:
            return None
        refuse(self.label, reply)
        return str(reply.data.get("weight_version")) if isinstance(reply.data, dict) else None

    async def models(self) -> tuple[Served, ...]:
        """The base as the form its weights are of, and the adapters."""
        await self._look()
        label = await self.weights_label()
        found = []
        for card in self._cards:
            name = str(card.get("id", ""))
            digest = digest_of(name) if card.get("parent") is not None else _held(card, label)
            found.append(Served(clean(name), digest, loaded=True))
        return tuple(found)

    async def _look(self) -> None:
        reply = await self.wire.get("/v1/models")
        refuse(self.label, reply)
        listed = reply.data.get("data") if isinstance(reply.data, dict) else None
        self._cards = tuple(card for card in listed or () if isinstance(card, dict))

    def _base(self) -> Mapping[str, Any]:
        for card in self._cards:
            if card.get("parent") is None:
                return card
        raise ServerError(f"{self.label} serves no whole model", fix="is it a vLLM server?", code="SERVER_FAILED")

    # ------------------------------------------------------------ taking a form up

    async def take(self, directory: str, digest: str, base: str | None) -> str:
        """Swap the whole weights, or load an adapter by its name; then a canary answers (see `Server.take`)."""
        if self._broken:
            raise ServerBrokenError(self.label, self._broken)
        await self._unpaused()
        await self._look()
        if base is None:
            await self._swap(directory, digest)
        else:
            await self._adapter(directory, digest, base)
        await self._look()
        canary = Ask(digest, prompt=PROBE, sampling=Sampling(temperature=0, max_tokens=1))
        try:
            (answer,) = await self.ask_all([canary])
        except ServerError as error:
            if error.error_class == "inference" and base is None:
                raise self._broke(f"its canary failed after the swap: {error.why}") from error
            raise
        if answer.digest != digest:
            raise ModelMismatchError(self.label, digest, "its canary did not prove the form")
        return digest

    async def _unpaused(self) -> None:
        """Wait for a swap that is under way; one that was left half done leaves nothing to be trusted."""
        until = clock.monotonic() + self.wire.patience.health_s
        while await self._is("/is_paused", "is_paused"):
            if clock.monotonic() > until:
                raise self._broke("a swap was left half done: it is still paused")
            await asyncio.sleep(_POLL_S)

    async def _swap(self, directory: str, digest: str) -> None:
        label, base = await self.weights_label(), self._base()
        if label is None:
            if _held(base, label) == digest:
                return
            raise cannot(self.label, "swap weights (it was started without VLLM_SERVER_DEV_MODE=1)")
        old = str(base.get("root") or "")
        if _held(base, label) == digest:
            # Started with this form, or swapped to it before: what is missing is at most the label.
            if label in _UNLABELLED:
                await self._step("/update_weight_version", {"new_version": digest})
            await self.holdings.took(digest, await self._checksums(), old, directory)
            return
        await self.holdings.same_voice(digest, self._spoken or old, directory, configuration=True)
        for card in self._cards:
            if card.get("parent") is not None:
                await self._step("/v1/unload_lora_adapter", {"lora_name": str(card["id"])})
        await self._step("/pause?mode=wait", None)
        try:
            await self._step(
                "/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": directory}}, fatal=True
            )
            await self._step("/update_weight_version", {"new_version": digest}, fatal=True)
            held = await self._checksums_paused()
            await self._step("/resume", None, fatal=True)
        except ServerError as error:
            # It stays paused: whoever asks it now would kill it, or hear a mixture.
            raise self._broke(f"the swap failed: {error.why or error.what}") from error
        try:
            await self.holdings.took(digest, held or await self._checksums(), old, directory)
        except ModelMismatchError as error:
            raise self._broke(error.why) from error

    async def _adapter(self, directory: str, digest: str, base: str) -> None:
        label, card, wanted = await self.weights_label(), self._base(), served_name(digest)
        held = _held(card, label)
        if held != base:
            raise FormMissingError(self.label, base, [str(held or card["id"])])
        for each in self._cards:
            if each.get("id") == wanted:
                if folder_digest(str(each.get("root", ""))) != digest:
                    raise ModelMismatchError(
                        self.label, digest, f"that name is taken by {clean(str(each.get('root')))}"
                    )
                return
        await self.holdings.same_voice(
            digest, self._spoken or str(card.get("root") or ""), directory, configuration=False
        )
        reply = await self.wire.post(
            "/v1/load_lora_adapter",
            {"lora_name": wanted, "lora_path": directory},
            within=self.wire.patience.load_s,
        )
        if reply.status == 404 and "not found" in reply.said.lower() and "adapter" not in reply.said.lower():
            raise cannot(self.label, "load adapters (it was started without VLLM_ALLOW_RUNTIME_LORA_UPDATING=1)")
        if reply.status in (400, 404, 409):
            raise FormDamagedError(self.label, digest, reply.said)
        refuse(self.label, reply)

    def _broke(self, why: str) -> ServerBrokenError:
        self._broken = why
        return ServerBrokenError(self.label, why)

    async def _step(self, path: str, body: Mapping[str, Any] | None, *, fatal: bool = False) -> Reply:
        reply = await self.wire.post(path, body, within=self.wire.patience.load_s)
        if reply.status == 404 and not fatal:
            raise cannot(self.label, f"do {path.partition('?')[0]} (it was started without that route)")
        if reply.status >= 400:
            raise ServerError(f"{self.label} failed at {path}", why=reply.said, code="SERVER_FAILED")
        return reply

    async def _checksums(self) -> str:
        reply = await self._step("/weight_checker", {"action": "checksum"})
        return fingerprint(reply.data.get("checksums", {}))

    async def _checksums_paused(self) -> str:
        """The fingerprint while it is paused; empty where this version reads weights only awake."""
        reply = await self.wire.post("/weight_checker", {"action": "checksum"}, within=self.wire.patience.load_s)
        if reply.status == 409:
            return ""
        if reply.status >= 400:
            raise ServerError(f"{self.label} cannot read its weights", why=reply.said, code="SERVER_FAILED")
        return fingerprint(reply.data.get("checksums", {}))

    # ------------------------------------------------------------ looking, sleeping

    async def look(self, began: float) -> Health:
        """One look: not broken, not asleep, not paused, serving a form, and able to chat."""
        if self._broken:
            raise ServerBrokenError(self.label, self._broken)
        if await self._is("/is_sleeping", "is_sleeping"):
            return Health("sleeping", "it gave the card back", "it wakes when it is asked", clock.monotonic() - began)
        if await self._is("/is_paused", "is_paused"):
            return Health("loading", "it is paused for a swap", "if that lasts, stop it and start it anew", paused=True)
        return await super().look(began)

    async def _is(self, path: str, key: str) -> bool:
        reply = await self.wire.get(path)
        return reply.status == 200 and isinstance(reply.data, dict) and bool(reply.data.get(key))

    async def sleep(self) -> None:
        """Move the weights into main memory and give the card back."""
        await self._step("/sleep?level=1", None)

    async def wake(self) -> None:
        """Take the card again; the weights must still be those they were."""
        await self._step("/wake_up", None)
        await self._look()
        label = await self.weights_label()
        digest = _held(self._base(), label)
        if digest is not None and label is not None:
            await self.holdings.took(digest, await self._checksums(), "", "")


def _held(card: Mapping[str, Any], label: str | None) -> str | None:
    """The form in the whole weights: as labelled, or, never swapped, as it was started; None: unknown."""
    if label is not None and label not in _UNLABELLED:
        return label if _is_digest(label) else None
    named = digest_of(str(card.get("id", "")))
    return named if named is not None and folder_digest(str(card.get("root", ""))) == named else None


def _is_digest(text: str) -> bool:
    try:
        served_name(text)
    except ValueError:
        return False
    return True


def _shown(names: set[str]) -> str:
    return ", ".join(sorted(clean((digest_of(name) or name)[:SHOWN]) for name in names)) or "nobody"
