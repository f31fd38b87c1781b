# SPDX-License-Identifier: GPL-2.0
"""Rings: their making, their state, what is refused and how it is said."""
import gc
import os
import selectors

import pytest

import spscring


def test_info(make):
    ring = make(100, 24, name="a ring", type_tag=1 << 63)
    i = ring.info()
    assert (i.name, i.capacity, i.element_size, i.type_tag) == ("a ring", 100, 24, 1 << 63)
    assert (i.records, i.drop, i.overwrite, i.broken) == (False,) * 4
    assert i.id > 0 and i.stride == 24 and i.memory >= 2400
    assert i.producer == ("unclaimed",) + (0,) * 8 and i.consumer.state == "unclaimed"
    p, c = ring.producer(), ring.consumer()
    p.push_many(bytes(24 * 10))
    c.pop_many(4)
    i = spscring.info(p)
    assert i == spscring.info(c.fileno()) == ring.info()
    assert (i.head, i.tail, i.length, i.free) == (4, 10, 6, 94)
    assert i.producer[:2] == i.consumer[:2] == ("held", 1)
    assert make(1, 1).info().id != i.id


@pytest.mark.parametrize("arguments,says", [
    (dict(capacity=0, element_size=8), "capacity"),
    (dict(capacity=-1, element_size=8), "capacity"),
    (dict(capacity=1 << 64, element_size=8), "capacity"),
    (dict(capacity=1 << 40, element_size=8), ""),
    (dict(capacity=8, element_size=0), "element_size"),
    (dict(capacity=8, element_size=65537), "element_size"),
    (dict(capacity=8, element_size=8, align=3), "align"),
    (dict(capacity=8, element_size=8, frame_size=100), "frame_size"),
    (dict(capacity=8, element_size=100, frame_size=64), "frame_size"),
    (dict(capacity=8, element_size=8, busy_poll=True, fence=True), "FENCE"),
    (dict(capacity=1001, records=True), "capacity"),
    (dict(capacity=8, records=True), "capacity"),
    (dict(capacity=64, drop=True, overwrite=True), "OVERWRITE"),
    (dict(capacity=8, element_size=8, name="x" * 33), "32"),
    (dict(capacity=8, element_size=8, name="\n"), "name"),
    (dict(capacity=8, element_size=8, records=True), "element_size"),
    (dict(capacity=8), "element_size"),
])
def test_values_that_are_refused(make, arguments, says):
    with pytest.raises(ValueError, match=says):
        make(**arguments)


def test_without_arguments():
    with pytest.raises(TypeError):
        spscring.Ring()         # and nothing is left that cannot be collected
    gc.collect()


def test_ends(make):
    ring = make(8, 8)
    p, c = ring.producer(), ring.consumer()
    assert isinstance(p, spscring.Producer) and isinstance(c, spscring.Consumer)
    assert (p.capacity, p.element_size, p.type_tag, p.format, p.dtype) == (8, 8, 0, None, None)
    for claim in (ring.producer, ring.consumer, lambda: ring.claim(spscring.PRODUCER)):
        with pytest.raises(spscring.Busy) as e:
            claim()
        assert isinstance(e.value, OSError)
    records = make(64, records=True)
    assert isinstance(records.producer(), spscring.RecordProducer)
    assert isinstance(records.consumer(), spscring.RecordConsumer)
    assert repr(ring) == f"<spscring.Ring of elements of 8 bytes, fd {ring.fileno()}>"
    assert "records" in repr(records) and "of 8 bytes" in repr(p)
    with pytest.raises(OSError):
        ring.claim(3)


def test_closed(make):
    with make(8, 8) as ring:
        p = ring.producer()
    assert ring.closed and "closed" in repr(ring)
    ring.close()
    for call in (ring.fileno, ring.info, ring.producer):
        with pytest.raises(ValueError, match="closed"):
            call()
    p.push(bytes(8))        # an end goes on without it


def test_from_fd(make):
    ring = make(8, dtype="u8")
    copy = spscring.Ring.from_fd(os.dup(ring.fileno()), dtype="u8")
    with copy.producer() as p:
        p.push(bytes(8))
    assert ring.consumer().pop_array(3).tolist() == [0]
    fd = os.dup(ring.fileno())
    with pytest.raises(ValueError):
        spscring.Ring.from_fd(fd, dtype="u4")
    os.close(fd)        # it is still this program's
    with pytest.raises(OSError):
        spscring.Ring.from_fd(fd)


@pytest.mark.device
def test_poll_of_the_ring(make):
    ring = make(8, 8)
    with selectors.DefaultSelector() as selector:
        selector.register(ring, selectors.EVENT_READ | selectors.EVENT_WRITE)
        p = ring.producer()
        assert selector.select()[0][1] == selectors.EVENT_READ
        p.close(shutdown=False)
        ring.consumer()
        assert selector.select()[0][1] & selectors.EVENT_WRITE


def test_exceptions():
    for name in spscring.__all__:
        what = getattr(spscring, name)
        assert isinstance(what, int) or what.__doc__, name
        if isinstance(what, type) and issubclass(what, BaseException):
            assert issubclass(what, spscring.Error) and what.__module__ == "spscring"


@pytest.mark.parametrize("kind", [spscring.Producer, spscring.Consumer, spscring.RecordProducer,
                                  spscring.RecordConsumer, spscring.Peek, spscring.Reservation,
                                  spscring.Ring])
def test_documented(kind):
    assert kind.__doc__
    for name in dir(kind):
        if not name.startswith("_") and name != "dtype":
            assert getattr(kind, name).__doc__, name
