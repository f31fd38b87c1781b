# SPDX-License-Identifier: GPL-2.0
"""Ends in several processes: how they get there, and what happens when one dies."""
import mmap
import multiprocessing
import os
import pickle
import signal
import socket
import struct

import pytest

import spscring
from spscring import _core


def count_up(ring, first, n):
    with ring.producer() as p:
        for i in range(first, first + n):
            p.push(struct.pack("Q", i))


def values(items):
    return [struct.unpack("Q", item)[0] for item in items]


@pytest.mark.parametrize("shape", [dict(capacity=64, element_size=8), dict(capacity=1000, records=True)])
def test_forked_producer(make, child, shape):
    ring = make(**shape)
    worker = child(count_up, ring, 0, 20000)
    assert values(ring.consumer()) == list(range(20000))
    assert worker.wait() == 0


@pytest.mark.parametrize("shape", [dict(capacity=64, element_size=8), dict(capacity=1000, records=True)])
def test_killed_producer(make, child, shape):
    """Nothing that a killed producer had published is lost; its successor goes on."""
    ring = make(**shape)
    here, there = os.pipe()

    def produce():
        p = ring.producer()
        for i in range(5):
            p.push(struct.pack("Q", i))
        room = p.reserve(8) if p.element_size == 0 else p.reserve()
        room[:] = bytes(8)
        os.write(there, b"x")
        signal.pause()
    c = ring.consumer()
    worker = child(produce)
    assert values(c.pop() for _ in range(5)) == list(range(5))
    assert c.try_pop() is None
    assert os.read(here, 1) == b"x"
    with pytest.raises(spscring.Busy):
        ring.producer()
    worker.kill()
    with pytest.raises(spscring.PeerDied) as e:
        c.pop()
    assert isinstance(e.value, BrokenPipeError)
    with pytest.raises(spscring.PeerDied):
        list(c)
    assert ring.info().producer.state == "dead"
    assert child(count_up, ring, 5, 3).wait() == 0
    assert values(c) == [5, 6, 7]
    i = ring.info()
    assert i.producer.generation == 2 and i.producer.state == "shut-down"


@pytest.mark.parametrize("shape", [dict(capacity=4, element_size=8), dict(capacity=64, records=True)])
def test_killed_consumer(make, child, shape):
    """What a killed consumer was reading, its successor reads again."""
    ring = make(**shape)
    here, there = os.pipe()

    def consume():
        c = ring.consumer()
        assert values([c.pop()]) == [0]
        with c.peek() as next_one:
            os.write(there, bytes(next_one))
            signal.pause()
    p = ring.producer()
    worker = child(consume)
    for i in range(2):
        p.push(struct.pack("Q", i))
    assert values([os.read(here, 8)]) == [1]
    worker.kill()
    with pytest.raises(spscring.PeerDied):
        for i in range(2, 100):
            p.push(struct.pack("Q", i))
    c = ring.consumer()
    p.shutdown()
    assert values(c) == list(range(1, i))


def test_close_without_shutdown(make):
    ring = make(8, 8)
    c = ring.consumer()
    for _ in range(2):
        p = ring.producer()
        p.push(bytes(8))
        p.close(shutdown=False)
        assert c.pop() == bytes(8)
        with pytest.raises(spscring.PeerDied):
            c.pop()
    with pytest.raises(ZeroDivisionError), ring.producer() as p:
        raise ZeroDivisionError
    with pytest.raises(spscring.PeerDied):
        c.pop()
    ring.producer().close()
    with pytest.raises(spscring.EndOfStream):
        c.pop()
    with pytest.raises(spscring.ShutDown):
        ring.producer()


def test_passed_over_a_socket(make, child):
    ring = make(8, 8, type_tag=5)
    here, there = socket.socketpair()

    def consume():
        ring.close()
        _, fds, _, _ = socket.recv_fds(there, 1, 1)
        with spscring.Consumer.from_fd(fds[0], element_size=8, type_tag=5) as c:
            assert values(c) == list(range(1000))
    worker = child(consume)
    fd = ring.claim(spscring.CONSUMER)
    socket.send_fds(here, [b"x"], [fd])
    os.close(fd)
    here.close()
    there.close()
    count_up(ring, 0, 1000)
    assert worker.wait() == 0


def count_up_typed(ring):
    count_up(ring, 0, 1000)
    assert ring.dtype == "u8"


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_multiprocessing(make, how):
    ring = make(64, dtype="u8")
    process = multiprocessing.get_context(how).Process(target=count_up_typed, args=(ring,))
    process.start()
    assert values(ring.consumer()) == list(range(1000))
    process.join()
    assert process.exitcode == 0
    with pytest.raises(TypeError), make(8, 8).producer() as p:
        pickle.dumps(p)


def test_close_ends(make, child):
    """In a ring with close_ends, a producer's exit is the end of the stream."""
    ring = make(8, 8, close_ends=True)

    def produce():
        p = ring.producer()
        p.push(bytes(8))
        os._exit(0)
    c = ring.consumer()
    assert child(produce).wait() == 0
    assert list(c) == [bytes(8)]


@pytest.mark.parametrize("shape", [dict(capacity=8, element_size=8), dict(capacity=64, records=True)])
def test_impossible_words_break_the_ring(make, child, shape):
    """A consumer's cursor beyond all that was ever pushed: the producer does not believe it."""
    ring = make(**shape)

    def lie():
        fd = ring.claim(spscring.CONSUMER)
        i = _core.info(fd)
        with mmap.mmap(fd, mmap.PAGESIZE, offset=i["consumer_offset"]) as page:
            page[i["colour"]:i["colour"] + 8] = struct.pack("Q", 1 << 40)
    p = ring.producer()
    p.push(bytes(8))
    assert child(lie).wait() == 0
    with pytest.raises(spscring.Broken) as e:
        for _ in range(1000):
            p.push(bytes(8), 0)
    assert isinstance(e.value, BrokenPipeError)
    with pytest.raises(spscring.Broken):
        p.push(bytes(8))
    assert ring.info().broken
    with pytest.raises(spscring.Broken):
        ring.consumer()


def test_strangers(make):
    """An end that expects another ring is refused, and the fd stays the caller's."""
    ring = make(8, 8, type_tag=5)
    fd = ring.claim(spscring.PRODUCER)
    for kind, expects in ((spscring.Producer, dict(element_size=4)), (spscring.RecordProducer, {}),
                          (spscring.Producer, dict(type_tag=6)), (spscring.Producer, dict(dtype="u4"))):
        with pytest.raises(spscring.TypeMismatch):
            kind.from_fd(fd, **expects)
    with pytest.raises(OSError):
        spscring.Consumer.from_fd(fd)
    with spscring.Producer.from_fd(fd, element_size=8, type_tag=5) as p:
        p.push(bytes(8))
    with pytest.raises(OSError):
        spscring.Producer.from_fd(os.open("/dev/null", os.O_RDWR))
