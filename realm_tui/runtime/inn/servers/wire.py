"""HTTP to one server, over a unix socket or an address; every failure comes out as one of the contract's errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from configs.errors import UsageError
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.servers.contract import (
    AskRefusedError,
    InferenceError,
    Patience,
    ServerGoneError,
    ServerLostError,
    ServerSilentError,
)

QUOTED = 300
"""Most letters of a server's own words that are passed on."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished reply, whatever its status."""

    status: int
    data: Any
    """Decoded JSON; None when it was none."""

    @property
    def said(self) -> str:
        """What it says went wrong."""
        return error_text(self.data) or f"status {self.status}"


class Wire:
    """A client of one server.

    Args:
        address: path of a unix socket, or an ``http://`` address on this machine, or ``https://``.
        label: how the server is called in messages.
        patience: how long is waited.
        key: sent as bearer token; never logged, never saved.
    """

    def __init__(self, address: str, *, label: str, patience: Patience, key: str = "") -> None:
        self.label, self.patience = label, patience
        url = urlsplit(address)
        self.is_remote = url.scheme == "https"
        over_socket = url.scheme in ("", "unix")
        if not over_socket:
            _refuse_open_road(address, url.scheme, url.hostname or "")
        elif not Path(url.path).is_absolute():
            raise UsageError(f"{address!r} is no address of a server", fix="name a socket or a URL", code="BAD_ADDRESS")
        limits = httpx2.Limits(max_connections=patience.together + 4, max_keepalive_connections=patience.together)
        self._client = httpx2.AsyncClient(
            base_url="http://server" if over_socket else address.rstrip("/"),
            transport=httpx2.AsyncHTTPTransport(uds=url.path, limits=limits) if over_socket else None,
            limits=limits,
            timeout=self._timeout(patience.answer_s),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # A proxy from the environment must never carry a question to a server of this machine.
            trust_env=self.is_remote,
        )

    async def get(self, path: str, *, within: float | None = None) -> Reply:
        """GET ``path``; the reply may be an error of the server's."""
        return await self.request("GET", path, None, within=within or self.patience.health_s)

    async def post(self, path: str, body: Mapping[str, Any] | None = None, *, within: float | None = None) -> Reply:
        """POST ``body`` to ``path``; the reply may be an error of the server's."""
        return await self.request("POST", path, body, within=within or self.patience.answer_s)

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None, *, within: float) -> Reply:
        """One request and its whole reply; raises only when there was none."""
        with self._named(within, path):
            response = await self._client.request(method, path, json=body, timeout=self._timeout(within))
        return Reply(response.status_code, _decoded(response.content))

    @asynccontextmanager
    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[tuple[int, AsyncIterator[Any]]]:
        """POST and read the reply as it comes: the status, and its events as decoded JSON (of an error: its one body)."""
        within = self.patience.answer_s
        with self._named(within, path):
            async with self._client.stream("POST", path, json=body, timeout=self._timeout(within)) as response:
                yield response.status_code, self._read(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _read(self, response: httpx2.Response) -> AsyncIterator[Any]:
        if response.status_code != 200:
            yield _decoded(await response.aread())
            return
        async for line in response.aiter_lines():
            if not line.startswith("data:"):
                continue
            text = line.removeprefix("data:").strip()
            if text == "[DONE]":
                return
            event = _decoded(text.encode())
            if event is None:
                raise InferenceError(self.label, f"it sent what is no event: {clean(text[:QUOTED])}")
            yield event
        raise ServerLostError(self.label, "the answer ended without its end mark")

    def _timeout(self, within: float) -> httpx2.Timeout:
        return httpx2.Timeout(within, connect=min(within, self.patience.connect_s), pool=None)

    def _named(self, within: float, path: str) -> _Named:
        return _Named(self.label, within, path)


class _Named:
    """Turns the client's exceptions into the contract's errors."""

    def __init__(self, label: str, within: float, path: str) -> None:
        self.label, self.within, self.path = label, within, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, httpx2.TimeoutException):
            raise ServerSilentError(self.label, self.within, self.path) from error
        if isinstance(error, httpx2.ConnectError):
            raise ServerGoneError(self.label, clean(str(error))) from error
        if isinstance(error, httpx2.RemoteProtocolError) and "closed" in str(error):
            raise ServerLostError(self.label, "it ended, or the line was cut, before it had answered") from error
        if isinstance(error, httpx2.TransportError):
            raise ServerLostError(self.label, clean(str(error)) or type(error).__name__) from error
        if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL):
            raise InferenceError(self.label, clean(str(error))) from error


def refuse(label: str, reply: Reply) -> None:
    """Raise what a reply that is no success means; nothing for a success."""
    if reply.status < 400:
        return
    if reply.status in (401, 403):
        raise AskRefusedError(
            label,
            reply.said,
            fix="set the variable that `server.key_variable` of its place names",
            code="SERVER_KEY_REFUSED",
        )
    if reply.status in (408, 429) or reply.status >= 500:
        raise InferenceError(label, reply.said)
    if _too_long(reply):
        raise AskRefusedError(label, reply.said, fix="ask a shorter one", code="QUESTION_TOO_LONG")
    raise AskRefusedError(label, reply.said)


def _too_long(reply: Reply) -> bool:
    """Whether the question and its conversation are more than the form reads at once, in the words of any server."""
    error = reply.data.get("error") if isinstance(reply.data, dict) else None
    code = str(error.get("code", "")).lower() if isinstance(error, dict) else ""
    return "too_long" in code or "context_length" in code or "maximum context length" in reply.said.lower()


def error_text(data: Any) -> str:
    """What a server's error body says, as one drawable line; empty when it says nothing."""
    found: Any = data
    for key in ("error", "detail", "message"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    if isinstance(found, dict):
        found = found.get("message") or json.dumps(found, ensure_ascii=False)
    return "" if found is None else clean(str(found)[:QUOTED])


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _refuse_open_road(address: str, scheme: str, host: str) -> None:
    """Questions travel over this machine or encrypted, never in the open."""
    if scheme == "https" or (scheme == "http" and host in _LOOPBACK):
        return
    raise UsageError(
        f"{address} would carry questions over the network in the open",
        fix="reach it through an SSH host (`realm host add`), or by https://",
        code="OPEN_ROAD",
    )
