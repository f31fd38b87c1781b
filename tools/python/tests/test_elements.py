# SPDX-License-Identifier: GPL-2.0
"""Elements of one size: what goes in comes out, once and in order."""
import itertools
import threading

import pytest

import spscring

SHAPES = list(itertools.product((1, 2, 7, 8, 100), (1, 3, 8, 24, 100)))


def element(i, size):
    return (i * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8, "little")[:size].ljust(size, b"%d" % (i % 10))


@pytest.mark.parametrize("capacity,size", SHAPES)
def test_fills_empties_wraps(pair, capacity, size):
    p, c = pair(capacity, size)
    pushed = popped = 0
    for lap in range(5):
        while p.try_push(element(pushed, size)):
            pushed += 1
        assert pushed - popped == capacity
        for _ in range(capacity - lap % capacity):
            assert c.try_pop() == element(popped, size)
            popped += 1
    if pushed > popped:
        assert c.pop_many(capacity) == b"".join(element(i, size) for i in range(popped, pushed))
    assert c.try_pop() is None


@pytest.mark.parametrize("capacity,size", SHAPES)
def test_batches(pair, capacity, size):
    p, c = pair(capacity, size)
    sent = got = 0
    room = capacity
    for n in itertools.chain(range(1, 2 * capacity + 2, max(1, capacity // 9)), (capacity,) * 3):
        batch = b"".join(element(i, size) for i in range(sent, sent + n))
        done = p.push_many(batch, 0) if room else 0
        assert done == min(n, room)
        sent += done
        place = bytearray(size * max(1, n - 1) + size - 1)
        done = c.pop_into(place)
        assert done == min(max(1, n - 1), sent - got)
        assert place[:done * size] == b"".join(element(i, size) for i in range(got, got + done))
        got += done
        room = capacity - (sent - got)


@pytest.mark.parametrize("capacity,size", SHAPES)
def test_in_place(pair, capacity, size):
    p, c = pair(capacity, size)
    sent = got = 0
    for lap in range(4 * capacity):
        with p.reserve_many(3) as room:
            assert 1 <= len(room) <= 3
            for i in range(len(room)):
                for j, byte in enumerate(element(sent + i, size)):
                    room[i, j] = byte
            room.commit(max(1, len(room) - lap % 2))
            sent += max(1, len(room) - lap % 2)
        while got < sent:
            with c.peek_many(2) as there:
                n = len(there)
                assert bytes(there) == b"".join(element(got + i, size) for i in range(n))
            got += n
    with p.reserve() as room:
        assert len(room) == size
        room[:] = element(sent, size)
    with c.peek() as there:
        assert bytes(there) == element(sent, size)


def test_release_of_a_part(pair):
    p, c = pair(4, 2)
    p.push_many(b"aabbcc")
    with c.peek_many(3) as there:
        there.release(1)
        with pytest.raises(ValueError):
            there.release()
    assert c.pop() == b"bb"
    with c.peek_many(3) as there:
        there.release(0)
    assert c.pop() == b"cc"


def test_discard(pair):
    p, c = pair(4, 2)
    with p.reserve() as room:
        room[:] = b"no"
        room.discard()
    with pytest.raises(ZeroDivisionError), p.reserve() as room:
        room[:] = b"no"
        raise ZeroDivisionError
    p.push(b"ok")
    with pytest.raises(ZeroDivisionError), c.peek():
        raise ZeroDivisionError
    assert c.pop_many(4) == b"ok"


def test_full_and_empty(pair):
    p, c = pair(1, 4)
    for timeout in (0, 0.001):
        with pytest.raises(spscring.Empty) as e:
            c.pop(timeout)
        assert isinstance(e.value, BlockingIOError) and str(e.value).endswith("the ring is empty")
    p.push(b"1234")
    for timeout in (0, 0.001):
        with pytest.raises(spscring.Full) as e:
            p.push(b"5678", timeout=timeout)
        assert isinstance(e.value, BlockingIOError) and str(e.value).endswith("the ring is full")
    with pytest.raises(spscring.Full):
        p.push_many(b"56781234", 0.001)
    with pytest.raises(spscring.Full):
        p.reserve(0)
    assert c.pop() == b"1234"
    with pytest.raises(spscring.Empty):
        c.peek(timeout=0.001)


@pytest.mark.parametrize("data", [b"", b"123", b"12345", bytearray(3), memoryview(b"12345")])
def test_wrong_size(pair, data):
    p, _ = pair(8, 4)
    with pytest.raises(ValueError, match="4 bytes"):
        p.push(data)
    if data:
        with pytest.raises(ValueError, match="4 bytes"):
            p.push_many(data)


@pytest.mark.parametrize("data", [bytearray(b"1234"), memoryview(b"1234"), memoryview(b"01234")[1:]])
def test_bytes_like(pair, data):
    p, c = pair(8, 4)
    p.push(data)
    assert c.pop() == b"1234"


def test_arguments(pair):
    p, c = pair(8, 4)
    for call in (lambda: p.push(), lambda: p.push(b"1234", 1, 2), lambda: p.push(b"1234", data=b""),
                 lambda: p.push("text"), lambda: p.push(b"1234", nosuch=1), lambda: c.pop("soon"),
                 lambda: c.pop_into(b"1234"), lambda: p.close(True), lambda: p.push(12),
                 lambda: spscring.Producer(p.fileno(), element_size=4)):
        with pytest.raises((TypeError, BufferError)):
            call()
    for call in (lambda: c.pop(-1), lambda: c.pop(float("nan")), lambda: c.pop_many(0),
                 lambda: p.reserve_many(-1), lambda: c.pop_into(bytearray(3)), lambda: c.wait(9)):
        with pytest.raises(ValueError):
            call()


def test_end_of_stream(pair):
    p, c = pair(8, 1)
    with p:
        p.push_many(b"abc")
    assert p.closed and list(c) == [b"a", b"b", b"c"]
    with pytest.raises(spscring.EndOfStream) as e:
        c.pop()
    assert isinstance(e.value, EOFError)
    with pytest.raises(spscring.EndOfStream):
        c.try_pop()
    with pytest.raises(spscring.EndOfStream):
        c.peek()


def test_consumer_shuts_down(pair):
    p, c = pair(2, 1)
    c.close()
    assert p.push_many(b"abc") == 2
    with pytest.raises(spscring.ShutDown):
        p.push(b"d")


def test_own_shutdown(pair):
    p, c = pair(2, 1)
    p.push(b"a")
    c.shutdown()
    with pytest.raises(spscring.ShutDown) as e:
        c.pop()
    p.shutdown()
    with pytest.raises(spscring.ShutDown):
        p.push(b"a")
    assert not isinstance(e.value, EOFError)
    with pytest.raises(spscring.ShutDown):
        list(c)


def test_closed(pair):
    for end in pair(2, 1):
        end.close()
        end.close()
        for call in (end.fileno, end.detach, end.shutdown, end.wait, lambda: end.set_watermark(1)):
            with pytest.raises(ValueError, match="closed"):
                call()
    assert end.closed and "closed" in repr(end)


def test_more_than_the_ring_holds(pair):
    """A batch that waits for room, beside another thread that pops."""
    p, c = pair(64, 8)
    sent = b"".join(element(i, 8) for i in range(100000))
    got = []

    def consume():
        while True:
            try:
                got.append(c.pop_many(50))
            except spscring.EndOfStream:
                return
    thread = threading.Thread(target=consume)
    thread.start()
    with p:
        assert p.push_many(sent) == 100000
    thread.join()
    assert b"".join(got) == sent


def test_large_batches(pair):
    """Batches that are copied while other threads run."""
    p, c = pair(100000, 8)
    sent = b"".join(element(i, 8) for i in range(100000))
    place = bytearray(len(sent))
    for _ in range(3):
        assert p.push_many(sent) == 100000
        assert c.pop_into(place) == 100000
        assert place == sent
