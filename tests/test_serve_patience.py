"""`serve.patience`: a limit that is moved often."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.serve.patience import Patience


async def waits(*limits_s: float) -> None:
    """Sets limits from now, one after another, and waits for far longer."""
    now = asyncio.get_running_loop().time()
    async with Patience() as patience:
        for limit_s in limits_s:
            patience.until(now + limit_s)
        await asyncio.sleep(60)


def test_what_takes_too_long_is_cut_off() -> None:
    """Past its limit what is inside sees a `TimeoutError`, and the task lives on."""

    async def main() -> str:
        with pytest.raises(TimeoutError):
            await waits(0.01)
        await asyncio.sleep(0)
        return "alive"

    assert asyncio.run(main()) == "alive"


def test_a_limit_that_moves_on_cuts_nothing_off() -> None:
    """As long as it is moved on in time, what is inside may take many times its length."""

    async def main() -> int:
        loop, done = asyncio.get_running_loop(), 0
        async with Patience() as patience:
            for _ in range(12):
                patience.until(loop.time() + 0.25)
                await asyncio.sleep(0.03)
                done += 1
        return done

    assert asyncio.run(main()) == 12


def test_a_limit_moved_on_still_holds() -> None:
    """Moved on once and then forgotten, it cuts off at the later instant, not at the first and not never."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await waits(0.02, 0.06)
        return loop.time() - began

    assert asyncio.run(main()) >= 0.06


def test_a_limit_can_come_nearer() -> None:
    """A limit set sooner than the one before counts at once."""
    with pytest.raises(TimeoutError):
        asyncio.run(waits(3_600, 0.01))


def test_somebody_elses_cancellation_stays_one() -> None:
    """A task cancelled from outside sees that, though a limit runs, and no timer is left behind."""

    async def main() -> None:
        task = asyncio.create_task(waits(60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_without_a_limit_nothing_is_cut_off() -> None:
    """Until a limit is set there is none; an error inside comes out as it is."""

    async def main() -> None:
        async with Patience():
            await asyncio.sleep(0)
        with pytest.raises(ValueError, match="mine"):
            async with Patience():
                raise ValueError("mine")

    asyncio.run(main())
