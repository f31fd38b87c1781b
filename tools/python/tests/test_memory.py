# SPDX-License-Identifier: GPL-2.0
"""What Python can reach of a ring's memory stays mapped, and nothing else does."""
import gc
import os
import tracemalloc
import weakref

import pytest

import spscring


@pytest.fixture(autouse=True)
def no_garbage():
    """Of earlier tests."""
    gc.collect()


def mappings():
    with open("/proc/self/maps") as maps:
        return sum("spscring" in line for line in maps)


def fds():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(params=["elements", "records"])
def ends(request, pair):
    return pair(64, 8) if request.param == "elements" else pair(4096, records=True)


def reserve(p):
    return p.reserve(8) if isinstance(p, spscring.RecordProducer) else p.reserve()


@pytest.mark.parametrize("shape", [dict(capacity=64, element_size=8), dict(capacity=4096, records=True)])
def test_close_unmaps(pair, shape):
    seen = [(mappings(), fds())]
    ends = pair(**shape)
    for end in ends:
        seen.append((mappings(), fds()))
        end.close()
    seen.append((mappings(), fds()))
    assert seen[0] == seen[-1]
    for (maps, files), (fewer_maps, fewer_files) in zip(seen[1:], seen[2:]):
        assert fewer_maps < maps and fewer_files == files - 1


def test_the_last_reference_unmaps(pair):
    before = mappings(), fds()
    p, c = pair(64, 8)
    ends = weakref.ref(p), weakref.ref(c)
    room = p.reserve()
    del p, c
    gc.collect()
    # a reservation holds its end
    assert ends[0]() is not None and ends[1]() is None and mappings() > before[0]
    memory = memoryview(room)
    del room
    # and a memoryview its reservation
    memory[:] = b"12345678"
    assert ends[0]() is not None and mappings() > before[0]
    memory.release()
    del memory
    gc.collect()
    assert ends[0]() is None and (mappings(), fds()) == before


def test_a_slice_holds_what_is_reserved(ends):
    p, c = ends
    room = reserve(p)
    part = room[2:4]
    for call in (room.commit, room.discard, p.close, p.detach):
        with pytest.raises(BufferError):
            call()
    assert not p.closed
    part[:] = b"ok"
    part.release()
    room[:2] = room[4:6] = room[6:8] = b".."
    room.commit()
    assert c.pop() == b"..ok...."


def test_a_slice_holds_what_is_peeked(ends):
    p, c = ends
    p.push(b"12345678")
    with pytest.raises(BufferError), c.peek() as there:
        part = there[2:4]
    assert bytes(part) == b"34"
    with pytest.raises(BufferError):
        c.close()
    with pytest.raises(BufferError, match="has not been ended"):
        c.pop()
    del part
    there.release()
    assert c.try_pop() is None


def test_a_memoryview_ends_with_its_view(ends, pair):
    p, c = ends
    _, other = pair(8, 8)
    with reserve(p) as room:
        memory = room.memory
        assert room.memory is memory and not memory.readonly
        memory[:] = b"12345678"
    with pytest.raises(ValueError):
        memory[0] = 0
    with c.peek() as there:
        memory = there.memory
        assert memory.readonly and memory == b"12345678"
        with pytest.raises(TypeError):
            memory[0] = 0
        with pytest.raises(BufferError, match="cannot be written"):
            other.pop_into(there, 0)
    for use in (lambda: memory[0], lambda: there.memory, lambda: there[0], lambda: memoryview(there)):
        with pytest.raises((ValueError, BufferError)):
            use()


def test_an_open_view_keeps_all_else_out(ends):
    p, c = ends
    room = reserve(p)
    for call in (lambda: p.push(b"12345678"), lambda: p.try_push(b"12345678"), lambda: reserve(p),
                 lambda: p.push_many([b"12345678"] if p.element_size == 0 else b"12345678"),
                 p.wait, p.shutdown):
        with pytest.raises(BufferError, match="has not been ended"):
            call()
    del room        # gives it up
    p.push(b"12345678")
    there = c.peek()
    for call in (c.pop, c.try_pop, c.peek, lambda: next(c), lambda: c.pop_many(2),
                 lambda: c.pop_into(bytearray(8)), c.shutdown):
        with pytest.raises(BufferError, match="has not been ended"):
            call()
    there.release()


def test_close_gives_up_a_view(ends):
    p, c = ends
    p.push(b"12345678")
    room, there = reserve(p), c.peek()
    memory = there.memory
    c.close()
    p.close()
    for call in (room.commit, room.discard, there.release, lambda: memory[0], lambda: room[0]):
        with pytest.raises((ValueError, BufferError)):
            call()


def test_nothing_is_published_by_a_view_given_up(make):
    ring = make(4096, records=True)
    p = ring.producer()
    room = p.reserve(100)
    room[:] = bytes(100)
    p.close()
    assert list(ring.consumer()) == []


def test_after_a_fork(ends, child):
    """A forked child has no mapping: its calls raise, and its close leaves the parent's alone."""
    p, c = ends
    there = None
    p.push(b"12345678")
    there = c.peek()

    def inherits():
        for call in (lambda: p.push(b"12345678"), c.pop, p.wait, p.shutdown, c.try_pop,
                     lambda: memoryview(there), there.release):
            with pytest.raises((RuntimeError, BufferError)):
                call()
        # where the parent has the ring, the child may have memory of its own
        c.close()
        p.close()
        assert p.closed and c.closed
    assert child(inherits).wait() == 0
    assert [end.state for end in spscring.info(p)[-2:]] == ["held", "held"]
    assert bytes(there) == b"12345678"
    there.release()
    p.push(b"abcdefgh")
    assert c.pop() == b"abcdefgh"


def test_detach(make):
    ring = make(8, 4)
    p = ring.producer()
    p.push(b"1234")
    before = mappings()
    fd = p.detach()
    assert p.closed and mappings() < before
    with spscring.Producer.from_fd(fd) as p:
        assert p.fileno() == fd
        p.push(b"5678")
    assert list(ring.consumer()) == [b"1234", b"5678"]


def churn(make):
    for kind in (dict(capacity=16, element_size=8), dict(capacity=1024, records=True)):
        ring = make(**kind)
        p, c = ring.producer(), ring.consumer()
        for _ in range(20):
            p.push(b"12345678")
            with reserve(p) as room:
                room.memory[:] = b"abcdefgh"
            c.pop()
            with c.peek() as there:
                bytes(there)
            with pytest.raises(spscring.Empty):
                c.pop(0)
            with pytest.raises((ValueError, spscring.TooLong)):
                p.push(bytes(2000))
            with pytest.raises(BufferError):
                part, there = None, reserve(p)
                part = there[1:]
                there.discard()
            del part, there
            p.push_many([b"a", b"b"] if p.element_size == 0 else b"12345678")
            c.pop_many(3)
        with pytest.raises(spscring.Busy):
            ring.producer()
        p.close()
        list(c)
        repr(p), repr(c), repr(ring), ring.info()


def test_leaks_nothing(make):
    churn(make)
    gc.collect()
    before = mappings(), fds()
    tracemalloc.start()
    try:
        churn(make)
        gc.collect()
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            churn(make)
        gc.collect()
        # a reference that is lost each time would be thousands of objects
        assert tracemalloc.get_traced_memory()[0] - first < 20000
    finally:
        tracemalloc.stop()
    assert (mappings(), fds()) == before


def test_no_reference_is_kept(pair):
    """None of the calls keeps a reference to what it is given, or one too many to what it returns."""
    import sys
    p, c = pair(4096, records=True)
    data = bytearray(b"12345678")
    timeout = 1000.5
    before = sys.getrefcount(data), sys.getrefcount(timeout)
    for _ in range(10):
        p.push(data, timeout)
        p.push(data=data, timeout=timeout)
        p.try_push(data)
        p.push_many([data], timeout=timeout)
        got = [c.pop(timeout), c.try_pop(), next(c)] + c.pop_many(1)
        assert [sys.getrefcount(one) for one in got] == [3] * 4     # the list, the loop, the call
        c.wait(1, 0), p.wait(1, timeout=timeout)
        room = p.reserve(3, timeout)
        assert sys.getrefcount(room) == 2
        room.discard()
    assert (sys.getrefcount(data), sys.getrefcount(timeout)) == before
    data.append(1)      # nothing has its buffer any more
