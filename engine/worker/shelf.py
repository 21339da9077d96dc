"""Which forms are in memory: as many as fit the budget, the one that was not asked for longest goes first. No torch.

Everything here runs on the event loop, but for the loading itself, which has a thread of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from configs.errors import BlockedError, RealmError
from engine.worker.forms import Form
from engine.worker.notes import note

if TYPE_CHECKING:
    from engine.worker.loading import Loaded, Loader


class Shelf:
    """The loaded forms.

    Args:
        budget: most bytes of loaded forms.
        make: makes the loader, in the loading thread (what it needs takes seconds to import).
        on_unload: hears the digest of a form that leaves the memory.
    """

    def __init__(self, budget: int, make: Callable[[], Loader], on_unload: Callable[[str], None]) -> None:
        self.budget = budget
        self._make, self._on_unload = make, on_unload
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loading")
        self._loader: Loader | None = None
        self._held: dict[str, Loaded] = {}
        self._coming: dict[str, asyncio.Task[Loaded]] = {}
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._count = itertools.count(1)

    @property
    def ready(self) -> bool:
        """Forms can be loaded: all that it takes is imported."""
        return self._loader is not None

    @property
    def loading(self) -> list[str]:
        """Digests of forms that are being loaded."""
        return list(self._coming)

    @property
    def held(self) -> dict[str, Loaded]:
        """The loaded forms by digest."""
        return dict(self._held)

    @property
    def used_bytes(self) -> int:
        """Bytes of everything that is loaded; what several forms share counts once."""
        return sum({k: v for loaded in self._held.values() for k, v in loaded.storages.items()}.values())

    def bytes_of(self, digest: str) -> int | None:
        """Bytes of a loaded form, shared ones included; None where it is not loaded."""
        loaded = self._held.get(digest)
        return None if loaded is None else sum(loaded.storages.values())

    async def warm(self) -> None:
        """Import what loading needs."""
        if self._loader is None:
            self._loader = await asyncio.get_running_loop().run_in_executor(self._thread, self._make)

    @asynccontextmanager
    async def holding(self, form: Form) -> AsyncIterator[Loaded]:
        """The loaded form, which stays in memory until this is left.

        Raises:
            RealmError: it cannot be loaded (see `Loader.load`), or is larger than the budget.
        """
        while (loaded := self._held.get(form.digest)) is None:
            coming = self._coming.get(form.digest)
            if coming is None:
                coming = self._coming[form.digest] = asyncio.create_task(self._bring(form))
                coming.add_done_callback(lambda task: self._came(form.digest, task))
            await asyncio.shield(coming)
        loaded.users += 1
        try:
            yield loaded
        finally:
            loaded.users -= 1
            loaded.used = next(self._count)
            self._freed.set()

    def unload(self, digest: str) -> bool:
        """Let a form go; False where it was not loaded.

        Raises:
            BlockedError: it is answering.
        """
        loaded = self._held.get(digest)
        if loaded is None:
            return False
        if loaded.users:
            raise BlockedError(
                f"{loaded.form.name} is answering {loaded.users} requests",
                fix="unload it when they are over",
                code="FORM_IN_USE",
            )
        del self._held[digest]
        note(f"unloaded {loaded.form.name} ({digest[:12]})")
        self._on_unload(digest)
        return True

    def close(self) -> None:
        """Begin no further loading."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _came(self, digest: str, task: asyncio.Task[Loaded]) -> None:
        self._coming.pop(digest, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            note(f"not loaded: {error}")

    async def _bring(self, form: Form) -> Loaded:
        async with self._turn:
            await self.warm()
            assert self._loader is not None
            began, loop = time.perf_counter(), asyncio.get_running_loop()
            needed = await loop.run_in_executor(self._thread, self._loader.expected_bytes, form)
            await self._make_room(form, needed)
            loaded = await loop.run_in_executor(self._thread, self._loader.load, form)
            loaded.seconds = time.perf_counter() - began
            loaded.used = next(self._count)
            self._held[form.digest] = loaded
            size = sum(loaded.storages.values()) / 1e6
            note(f"loaded {form.name} ({form.digest[:12]}): {size:.1f} MB in {loaded.seconds:.2f} s")
            self._shed(keep=form.digest)
            return loaded

    async def _make_room(self, form: Form, needed: int) -> None:
        if needed > self.budget:
            raise RealmError(
                f"{form.name} does not fit this worker's memory",
                why=f"it takes about {needed / 1e9:.2f} GB of {self.budget / 1e9:.2f}",
                fix="give the worker more (`inn.worker.memory_gb`, or `memory_gb` of its place)",
                code="WORKER_MEMORY",
            )
        while self.used_bytes + needed > self.budget and self._held:
            if not self._drop_oldest():
                self._freed.clear()
                await self._freed.wait()

    def _shed(self, keep: str) -> None:
        """What took more than was expected sends others away, as far as they are not answering."""
        while self.used_bytes > self.budget and self._drop_oldest(keep):
            pass

    def _drop_oldest(self, keep: str = "") -> bool:
        idle = [loaded for digest, loaded in self._held.items() if not loaded.users and digest != keep]
        return bool(idle) and self.unload(min(idle, key=lambda loaded: loaded.used).form.digest)
