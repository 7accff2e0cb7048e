import asyncio
import threading

import pytest

from vigie.web.live import Shared


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_latest_when_many_pages_ask_at_once_then_it_is_computed_once() -> None:
    calls: list[int] = []

    async def work() -> list[int]:
        shared = Shared(lambda: calls.append(1) or len(calls), clock=Clock())
        return list(await asyncio.gather(*(shared.latest() for _ in range(5))))

    assert asyncio.run(work()) == [1] * 5


def test_latest_when_the_interval_has_passed_then_it_is_computed_again() -> None:
    calls: list[int] = []
    clock = Clock()

    async def work() -> list[int]:
        shared = Shared(lambda: calls.append(1) or len(calls), seconds=1.0, clock=clock)
        seen = []
        for now in (0.0, 0.5, 1.0, 1.5):
            clock.now = now
            seen.append(await shared.latest())
        return seen

    assert asyncio.run(work()) == [1, 1, 2, 2]


def test_latest_when_it_failed_then_the_next_page_tries_again() -> None:
    calls: list[int] = []

    def compute() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("away")
        return 7

    async def work() -> int:
        shared = Shared(compute, clock=Clock())
        with pytest.raises(ValueError, match="away"):
            await shared.latest()
        return await shared.latest()

    assert asyncio.run(work()) == 7


def test_latest_when_a_page_goes_away_then_the_others_still_get_it() -> None:
    release = threading.Event()

    async def work() -> int:
        shared = Shared(lambda: release.wait(60) and 7, clock=Clock())
        gone = asyncio.ensure_future(shared.latest())
        stays = shared.latest()
        await asyncio.sleep(0)
        gone.cancel()
        release.set()
        return await stays

    assert asyncio.run(work()) == 7
