# SPDX-License-Identifier: GPL-2.0
"""Records of variable size, and rings that lose some."""
import errno

import pytest

import spscring

WORD = 8


def record(i, length):
    return bytes((i + j) % 251 for j in range(length))


@pytest.mark.parametrize("capacity,align", [(16, 8), (64, 8), (1000, 8), (4096, 64), (8192, 4096)])
def test_all_lengths_around_the_end(pair, capacity, align):
    p, c = pair(capacity, records=True, align=align)
    longest = capacity - WORD
    lengths = sorted({*range(0, min(longest, 130) + 1), *range(max(0, longest - 70), longest + 1)})
    for i, length in enumerate(lengths * 3):
        assert p.push(record(i, length)) is True
        assert c.pop() == record(i, length)
        assert c.sequence == 2 * i
        # a short one moves the next to another place of the ring
        short = record(i, min(longest, i % 5 * align))
        p.push(short)
        with c.peek() as there:
            assert bytes(there) == short and there.sequence == 2 * i + 1
    with pytest.raises(spscring.TooLong):
        p.push(bytes(longest + 1))
    with pytest.raises(spscring.TooLong):
        p.reserve(longest + 1)
    assert c.try_pop() is None


def test_fills(pair):
    p, c = pair(128, records=True)
    sent = []
    while p.try_push(record(len(sent), len(sent) % 11)):
        sent.append(record(len(sent), len(sent) % 11))
    with pytest.raises(spscring.Full):
        p.push(bytes(100), 0.001)
    with pytest.raises(spscring.Full):
        p.reserve(100, timeout=0)
    assert len(sent) > 5 and c.pop_many(1000) == sent
    with pytest.raises(spscring.Empty):
        c.pop_many(3, 0.001)


def test_reserve(pair):
    p, c = pair(1000, records=True)
    for i in range(200):
        with p.reserve(100) as room:
            assert len(room) == 100
            room[:i % 101] = record(i, i % 101)
            if i % 3:
                room.commit(i % 101)
            else:
                room.discard()
                with pytest.raises(ValueError):
                    room.commit()
        if i % 3:
            assert c.pop() == record(i, i % 101)
        assert c.try_pop() is None
    with p.reserve(8) as room:
        room[:] = b"complete"
        with pytest.raises(ValueError):
            room.commit(9)
    with pytest.raises(ZeroDivisionError), p.reserve(8):
        raise ZeroDivisionError
    assert c.pop() == b"complete" and c.try_pop() is None


def test_peek_stays(pair):
    p, c = pair(1000, records=True)
    p.push(b"first")
    p.push(b"")
    there = c.peek()
    there.release(0)
    with c.peek() as there:
        assert there[0] == ord("f") and bytes(there[1:3]) == b"ir"
        with pytest.raises(ValueError, match="as a whole"):
            there.release(2)
    with c.peek() as there:
        assert len(there) == 0 and bytes(there) == b"" and there.sequence == 1
    assert c.try_pop() is None


def test_pop_into(pair):
    p, c = pair(1000, records=True)
    p.push(b"abcdef")
    place = bytearray(5)
    with pytest.raises(spscring.TooLong):
        c.pop_into(place)
    place = bytearray(9)
    assert c.pop_into(place) == 6 and place == b"abcdef\0\0\0"
    with pytest.raises(spscring.Empty):
        c.pop_into(place, 0)


def test_push_many(pair):
    p, c = pair(1000, records=True)
    lines = [b"a", b"", bytearray(b"ccc"), memoryview(b"dddd")]
    assert p.push_many(iter(lines)) == 4
    assert c.pop_many(3) == [b"a", b"", b"ccc"]
    with pytest.raises(spscring.TooLong):
        p.push_many([b"e", bytes(1000), b"lost"])
    with pytest.raises(TypeError):
        p.push_many([b"f", "text"])
    assert c.pop_many(9) == [b"dddd", b"e", b"f"]
    assert p.push_many([bytes(400)] * 4, 0.001) == 2
    with pytest.raises(spscring.Full):
        p.push_many([bytes(400)], 0)


def test_drop(make):
    ring = make(128, drop=True)
    p, c = ring.producer(), ring.consumer()
    pushed = sum(p.push(b"%8d" % i) for i in range(20))
    assert pushed == 8 and ring.info().drops == 12
    with pytest.raises(spscring.Dropped) as e:
        p.reserve(8)
    assert e.value.errno == errno.ENOBUFS
    assert p.try_push(b"lost") is False
    assert p.push_many([b"lost"] * 3) == 0
    assert c.pop_many(100) == [b"%8d" % i for i in range(8)]
    assert c.sequence == 7
    p.drop(3)
    p.push(b"after")
    assert c.pop() == b"after"
    assert c.sequence == 8 + 12 + 1 + 1 + 3 + 3
    i = ring.info()
    assert (i.drops, i.overruns, i.sequence, i.drop) == (20, 0, 29, True)


def test_overwrite(make):
    ring = make(128, overwrite=True)
    p, c = ring.producer(), ring.consumer()
    for i in range(20):
        assert p.push(b"%8d" % i) is True
    got = c.pop_many(100)
    assert got == [b"%8d" % i for i in range(20 - len(got), 20)] and 6 <= len(got) <= 8
    assert c.sequence == 19
    i = ring.info()
    assert (i.drops, i.overruns, i.overwrite) == (0, 20 - len(got), True)
    p.push(b"x" * 100)
    with pytest.raises(OSError) as e:
        c.peek()
    assert e.value.errno == errno.EOPNOTSUPP
    assert c.pop() == b"x" * 100


def test_needs(make):
    ring = make(1000, records=True)
    p = ring.producer()
    assert [p.needs(n) for n in (0, 1, 8, 9)] == [8, 16, 16, 24]
    assert p.wait(1000) and p.wait(p.needs(992), 0)
    p.push(b"x")
    assert not p.wait(1000, 0) and not p.wait(1000, 0.001) and p.wait(984, 0)


def test_high_water(make):
    ring = make(4096, records=True, name="a name", type_tag=7)
    p, c = ring.producer(), ring.consumer()
    for _ in range(3):
        p.push(bytes(1000))
        assert len(c.pop()) == 1000
    i = ring.info()
    assert i.head == i.tail == 3 * 1008 and i.length == 0 and i.free == 4096 and i.sequence == 3
    assert (i.name, i.type_tag, i.records, i.element_size) == ("a name", 7, True, 0)
