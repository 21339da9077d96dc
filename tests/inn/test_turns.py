"""Two who want to start or swap the same place's server wait for each other, whether in one process or two."""

from __future__ import annotations

import asyncio

import pytest

from configs.errors import BlockedError
from realm_tui.runtime.inn.turns import turn


async def test_one_at_a_time_and_the_next_when_the_first_is_done() -> None:
    order: list[str] = []
    began = asyncio.Event()

    async def first() -> None:
        async with turn("inn", within_s=5):
            began.set()
            order.append("first begins")
            await asyncio.sleep(0)
            order.append("first ends")

    async def second() -> None:
        await began.wait()
        async with turn("inn", within_s=5):
            order.append("second")

    await asyncio.gather(first(), second())
    assert order == ["first begins", "first ends", "second"]


async def test_who_waits_too_long_is_told_and_other_places_are_free() -> None:
    async with turn("inn", within_s=5):
        async with turn("arena", within_s=5):
            pass
        with pytest.raises(BlockedError) as refused:
            async with turn("inn", within_s=0):
                pass
    assert refused.value.code == "SERVER_BUSY" and "another process" in refused.value.what
