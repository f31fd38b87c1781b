# SPDX-License-Identifier: GPL-2.0
"""get and put in asyncio: other tasks of the loop run while they wait."""
import asyncio

import pytest

import spscring


@pytest.fixture(params=["elements", "records"])
def ends(request, pair):
    return pair(4, 8) if request.param == "elements" else pair(128, records=True)


def test_stream(ends):
    p, c = ends

    async def produce():
        with p:
            for i in range(3000):
                await p.put(b"%8d" % i)

    async def consume():
        return [one async for one in c]

    async def main():
        return (await asyncio.gather(produce(), consume()))[1]
    assert asyncio.run(main()) == [b"%8d" % i for i in range(3000)]


def test_get_waits_for_put(ends):
    p, c = ends

    async def main():
        get = asyncio.create_task(c.get())
        while c._task is None:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await c._until(lambda: None, 1, True)
        await p.put(b"12345678")
        assert await get == b"12345678"
    asyncio.run(main())


def test_put_waits_for_get(pair):
    p, c = pair(1, 8)

    async def main():
        await p.put(b"first...")
        put = asyncio.create_task(p.put(b"second.."))
        while p._task is None:
            await asyncio.sleep(0)
        assert await c.get() == b"first..."
        await put
        assert await c.get() == b"second.."
    asyncio.run(main())


def test_a_long_record_waits_for_all_its_room(pair):
    p, c = pair(1024, records=True)
    for _ in range(16):
        p.push(bytes(56))

    async def main():
        tries = 0
        put = asyncio.create_task(p.put(bytes(1000)))
        while not put.done():
            await asyncio.sleep(0)
            if p._task is not None and tries < 16:
                assert await c.get() == bytes(56)
                tries += 1
        assert tries == 16 and await put is True
        assert await c.get() == bytes(1000)
        with pytest.raises(spscring.TooLong):
            await p.put(bytes(2000))
    asyncio.run(main())


def test_drop(pair):
    p, c = pair(128, drop=True)

    async def main():
        return [await p.put(bytes(24)) for _ in range(6)]
    assert asyncio.run(main()) == [True] * 4 + [False] * 2
    assert c.pop_many(9) == [bytes(24)] * 4


def test_cancelled(ends):
    """A get that was cancelled has taken nothing, and lets go of the end."""
    p, c = ends

    async def main():
        for _ in range(3):
            get = asyncio.create_task(c.get())
            while c._task is None:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            get.cancel()
            with pytest.raises(asyncio.CancelledError):
                await get
            assert c._task is None
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(c.get(), 0.001)
        await p.put(b"12345678")
        assert await c.get() == b"12345678"
    asyncio.run(main())


@pytest.mark.parametrize("shutdown,error", [(True, spscring.EndOfStream), (False, spscring.PeerDied)])
def test_a_peer_ends_a_get(ends, shutdown, error):
    p, c = ends

    async def main():
        get = asyncio.create_task(c.get())
        while c._task is None:
            await asyncio.sleep(0)
        p.close(shutdown=shutdown)
        with pytest.raises(error):
            await get
        with pytest.raises(error):
            await c.get()
    asyncio.run(main())


@pytest.mark.parametrize("shutdown,error", [(True, spscring.ShutDown), (False, spscring.PeerDied)])
def test_a_peer_ends_a_put(pair, shutdown, error):
    p, c = pair(1, 8)
    p.push(bytes(8))

    async def main():
        put = asyncio.create_task(p.put(bytes(8)))
        while p._task is None:
            await asyncio.sleep(0)
        c.close(shutdown=shutdown)
        with pytest.raises(error):
            await put
    asyncio.run(main())
