# SPDX-License-Identifier: GPL-2.0
"""Waits: other threads run meanwhile, signals end them, and so do shutdowns."""
import os
import selectors
import signal
import threading
import time

import pytest

import spscring


@pytest.fixture(params=[{}, {"busy_poll": True}, {"fence": True}], ids=["sleep", "poll", "fence"])
def ends(request, pair):
    return pair(4, 8, **request.param)


class Waiter(threading.Thread):
    """A thread that makes one call on an end, and keeps what it returned or raised."""

    def __init__(self, end, call):
        super().__init__(daemon=True)
        self.end, self.call = end, call
        self.result = None
        self.start()
        # until it is within the call: then the end refuses others
        while self.is_alive():
            try:
                end.wait(1, 0)
            except RuntimeError:
                return

    def run(self):
        try:
            self.result = self.call()
        except Exception as e:
            self.result = e

    def ends(self):
        self.join()
        return self.result


def test_pop_waits(ends):
    p, c = ends
    for call, want in ((c.pop, bytes(8)), (lambda: c.pop_many(3), bytes(8)),
                       (lambda: c.pop(1e6), bytes(8)), (lambda: next(c), bytes(8)), (c.wait, True),
                       (lambda: c.wait(timeout=1e6), True)):
        waiter = Waiter(c, call)
        p.push(bytes(8))
        assert waiter.ends() == want
        c.try_pop()


def test_push_waits(ends):
    p, c = ends
    p.push_many(bytes(32))
    for call in (lambda: p.push(bytes(8)), lambda: p.push(bytes(8), 1e6), lambda: p.push_many(bytes(8))):
        waiter = Waiter(p, call)
        c.pop()
        assert waiter.ends() in (None, 1)
    waiter = Waiter(p, lambda: p.wait(4))
    c.pop_many(4)
    assert waiter.ends() is True


def test_wait_for_several(pair):
    p, c = pair(8, 8)
    waiter = Waiter(c, lambda: c.wait(3))
    for _ in range(3):
        p.push(bytes(8))
    assert waiter.ends() is True
    assert not c.wait(4, 0) and not c.wait(4, 0.001)
    # fewer end the wait where no more can come
    p.shutdown()
    assert c.wait(4) is True
    assert c.pop_many(8) == bytes(24)
    with pytest.raises(spscring.EndOfStream):
        c.wait()


def test_another_thread_is_refused(ends):
    p, c = ends
    waiter = Waiter(c, c.pop)
    for call in (c.pop, c.try_pop, c.peek, c.close, c.detach, c.wait, lambda: c.set_watermark(2)):
        with pytest.raises(RuntimeError, match="another thread"):
            call()
    p.push(bytes(8))
    assert waiter.ends() == bytes(8)
    assert c.try_pop() is None


def test_shutdown_ends_a_wait(ends):
    p, c = ends
    waiter = Waiter(c, c.pop)
    c.shutdown()
    assert type(waiter.ends()) is spscring.ShutDown
    assert p.push_many(bytes(32)) == 4
    with pytest.raises(spscring.ShutDown):
        p.push(bytes(8))


def test_a_peer_ends_a_wait(pair):
    p, c = pair(4, 8)
    waiter = Waiter(c, c.pop)
    p.close()
    assert type(waiter.ends()) is spscring.EndOfStream
    p, c = pair(4, 8)
    waiter = Waiter(c, c.pop)
    p.close(shutdown=False)
    assert type(waiter.ends()) is spscring.PeerDied
    p, c = pair(4, 8)
    p.push_many(bytes(32))
    waiter = Waiter(p, lambda: p.push(bytes(8)))
    c.close()
    assert type(waiter.ends()) is spscring.ShutDown
    p, c = pair(4, 8)
    p.push_many(bytes(32))
    waiter = Waiter(p, lambda: p.push(bytes(8)))
    c.close(shutdown=False)
    assert type(waiter.ends()) is spscring.PeerDied


@pytest.fixture
def soon():
    """Handle a signal by handler(), and send it to the main thread again and again: the first
    may come before that waits.  The last may come late, so it stays handled, by nothing."""
    stop = threading.Event()
    threads = []

    def start(number, handler):
        def run():
            while not stop.wait(0.01):
                signal.pthread_kill(threading.main_thread().ident, number)
        signal.signal(number, lambda *_: None if stop.is_set() else handler())
        threads.append(threading.Thread(target=run))
        threads[-1].start()
    yield start
    stop.set()
    for thread in threads:
        thread.join()


def test_a_handler_that_raises_ends_a_wait(ends, soon):
    p, c = ends
    armed = False

    def handler():
        nonlocal armed
        if armed and busy(c):
            armed = False
            raise InterruptedError("by a signal")
    soon(signal.SIGUSR1, handler)
    for _ in range(3):
        with pytest.raises(InterruptedError, match="by a signal"):
            armed = True
            c.pop()
    del _
    p.push(bytes(8))
    assert c.pop() == bytes(8)


def test_a_handler_that_returns_does_not(ends, soon):
    p, c = ends
    calls = 0

    def handler():
        nonlocal calls
        if calls == 3 or not busy(c):
            return
        calls += 1
        # the end that waits is in use
        with pytest.raises(RuntimeError):
            c.close()
        if calls == 3:
            p.push(bytes(8))
    soon(signal.SIGUSR2, handler)
    assert c.pop() == bytes(8)
    assert calls == 3


def busy(end):
    try:
        end.try_pop()
    except RuntimeError:
        return True
    return False


def test_ctrl_c(make, child):
    """KeyboardInterrupt, as after a Ctrl-C, ends a wait without a limit."""
    here, there = os.pipe()
    ring = make(4, 8)

    def consume():
        # a shell has what it runs in the background ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)
        end = ring.consumer()
        try:
            try:
                os.write(there, b"x")
                end.pop()
            except KeyboardInterrupt:
                os._exit(7)
        except KeyboardInterrupt:       # a second one
            os._exit(7)
    one = child(consume)
    assert os.read(here, 1) == b"x"
    while os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        os.kill(one.pid, signal.SIGINT)     # again, as the first may come before the wait
        time.sleep(0.05)
    assert one.wait() == 7


def test_pollable(memfd, pair):
    assert [end.pollable for end in pair(4, 8)] == [not memfd] * 2
    assert [end.pollable for end in pair(4, 8, busy_poll=True)] == [False] * 2


@pytest.mark.device
def test_poll(pair):
    p, c = pair(4, 8)
    with selectors.DefaultSelector() as selector:
        selector.register(c, selectors.EVENT_READ)
        assert selector.select(0) == []
        p.push(bytes(8))
        assert selector.select(0)
        c.set_watermark(2)
        assert selector.select(0) == []
        p.push(bytes(8))
        assert selector.select(0)
        c.set_watermark(4, timeout=0.001)
        assert selector.select()
        assert c.pop_many(4) == bytes(16)
        assert selector.select(0) == []
        p.close()
        assert selector.select()
