"""Two who want to start or swap the same place's server wait for each other, whether in one process or two."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from configs.errors import BlockedError
from realm_tui.runtime.inn.turns import cleared, seat, turn


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


async def test_nobody_swaps_under_those_who_sit_and_nobody_sits_down_during_a_swap() -> None:
    first, second = seat("inn"), seat("inn")
    assert first is not None and second is not None  # any number may ask at once
    for leave in (first, second):
        with pytest.raises(BlockedError) as refused:
            async with cleared("inn", within_s=0):
                pass
        assert refused.value.code == "SERVER_BUSY" and "answering" in refused.value.what
        leave()
    async with cleared("inn", within_s=0), turn("inn", within_s=0):
        assert seat("inn") is None
    again = seat("inn")
    assert again is not None
    again()


def test_a_seat_is_free_again_when_its_process_was_killed() -> None:
    told, child = os.pipe()
    pid = os.fork()
    if pid == 0:
        sat = seat("inn")
        os.write(child, b"sat" if sat is not None else b"no!")
        while True:
            signal.pause()

    async def swap() -> None:
        async with cleared("inn", within_s=0):
            pass

    try:
        assert os.read(told, 3) == b"sat"
        with pytest.raises(BlockedError):
            asyncio.run(swap())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(told)
        os.close(child)
    asyncio.run(swap())
