# SPDX-License-Identifier: GPL-2.0
"""NumPy arrays of the ring's own memory, and copies of it."""
import numpy as np
import pytest

DTYPES = ["u1", "u8", "<i4", ">i4", "f8", "c16", "?", "S5", "U3",
          [("t", "<u8"), ("v", "<f4")],
          [("a", ">u4"), ("b", "S5"), ("c", "f8", (2, 3))],
          np.dtype([("a", "u1"), ("t", "u8"), ("b", "u1")], align=True),
          np.dtype({"names": ["a"], "formats": ["u4"], "offsets": [4], "itemsize": 17})]


def values(dtype, n):
    dt = np.dtype(dtype)
    raw = np.arange(n * dt.itemsize, dtype=np.uint64).astype(np.uint8) % 97
    if dt.kind == "U":
        return np.array([f"{i % 1000:03d}" for i in range(n)], dt)
    if dt.kind == "?" or dt == np.bool_:
        raw %= 2
    return raw.view(dt)


def same(a, b):
    if a.dtype.fields:      # what is between the fields does not count
        return a.dtype == b.dtype and all(same(a[name], b[name]) for name in a.dtype.names)
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(pair, dtype):
    p, c = pair(50, dtype=dtype)
    sent = values(dtype, 50)
    assert p.push_many(sent) == 50
    got = c.pop_array(20)
    assert same(got, sent[:20])
    n = 20
    while n < 50:
        with c.peek_many(50) as there:
            assert there.array.dtype == np.dtype(dtype) and same(there.array, sent[n:n + len(there)])
            n += len(there)
    with p.reserve_many(5) as room:
        room.array[:] = sent[:len(room)]
        n = len(room)
    assert same(c.pop_array(100), sent[:n])
    with p.reserve() as room:
        room.array[0] = sent[7]
    with c.peek() as there:
        assert same(there.array, sent[7:8])


def test_no_copy(pair):
    """An array of what is peeked is at the ring's own memory, and so is one of what is reserved."""
    p, c = pair(64, dtype="u8")
    with p.reserve_many(4) as room:
        array = room.array
        array[:] = range(len(array))
        first = array.ctypes.data
        assert first == np.asarray(room).ctypes.data == np.frombuffer(room.memory, "u8").ctypes.data
        del array
    with c.peek_many(4) as there:
        array = there.array
        assert not array.flags.writeable and array.tolist() == list(range(len(there)))
        address = array.ctypes.data
        del array
    with open("/proc/self/maps") as maps:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if start <= address < end:
                assert "spscring" in line and line.split()[1].startswith("r--")
            if start <= first < end:
                assert "spscring" in line and line.split()[1].startswith("rw-")


def test_an_array_holds_the_ring(pair):
    p, c = pair(64, dtype=[("t", "u8"), ("v", "f4")])
    p.push_many(np.zeros(3, p.dtype))
    there = c.peek_many(3)
    times = there.array["t"][1:]
    for call in (there.release, c.close):
        with pytest.raises(BufferError, match="still exist"):
            call()
    assert times.tolist() == [0] * len(times)
    del times
    there.release()
    room = p.reserve()
    values = room.array["v"]
    with pytest.raises(BufferError):
        room.commit()
    values[:] = 0.5
    del values
    room.commit()


def test_gaps(pair):
    """Elements with gaps between them are arrays with strides, and no contiguous bytes."""
    p, c = pair(60, 3, align=4)
    sent = np.arange(60, dtype=np.uint8).reshape(20, 3)
    assert p.push_many(sent) == 20
    with c.peek_many(4) as there:
        assert there.array.strides == (4, 1)
        assert (there.array == sent[:len(there)]).all()
        with pytest.raises(BufferError, match="gaps|contiguous"):
            np.frombuffer(there, np.uint8)
        with pytest.raises(BufferError, match="have gaps"):
            p.push_many(there)
    rest = c.pop_array(60)
    assert (rest == sent[-len(rest):]).all() and rest.shape[1] == 3


def test_refused(make, pair):
    p, c = pair(8, dtype="u8")
    with pytest.raises((BufferError, ValueError)):
        p.push_many(np.zeros(8, "u8")[::2])
    with pytest.raises(ValueError):
        p.push_many(np.zeros(3, "u4"))
    for dtype in (object, "S0", ("u4", (3,)), [("o", object)]):
        with pytest.raises(ValueError):
            make(8, dtype=dtype)
    with pytest.raises(ValueError, match="8 bytes"):
        make(8, 4, dtype="u8")
    p.push(np.uint64(7))
    assert c.pop() == np.uint64(7).tobytes()


def test_records(pair):
    p, c = pair(4096, records=True)
    with p.reserve(80) as room:
        room.array[:] = 1
        np.frombuffer(room, "f8")[:] = range(10)
    with c.peek() as there:
        assert there.array.dtype == np.uint8
        assert np.frombuffer(there, "f8").tolist() == list(range(10))
