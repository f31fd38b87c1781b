# SPDX-License-Identifier: MIT
"""A ring in shared memory that moves messages from one producer to one consumer.

    import spscring

    ring = spscring.Ring(1 << 20, records=True)         # a megabyte; memfd=True needs no module
    if os.fork() == 0:
        with ring.producer() as producer:
            producer.push(b"a record")
        os._exit(0)
    with ring.consumer() as consumer:
        for record in consumer:                         # until the producer ends the stream
            print(record)

A ring has elements of one size (Producer, Consumer) or records of variable size (RecordProducer,
RecordConsumer).  push() and pop() copy; reserve() and peek() return the ring's own memory by the
buffer protocol.  push_many(), pop_array() and peek_many() move batches, of NumPy arrays too.
A push or pop makes no system call unless it has to wait, or to wake the other end.

Waiting.  A call with a timeout waits so many seconds; None waits for ever, and 0 not at all.  Other
threads run meanwhile, and signals are handled: Ctrl-C ends the wait.  put() and get() wait in
asyncio.

Threads.  One thread at a time may use an end; a call beside another's wait or large copy raises
RuntimeError.  shutdown() is the exception: it may be called at any time, and ends a wait.
The two ends of a ring may well be in two threads.

Processes.  A process maps its end itself: it claims the end from a Ring that it has inherited or
received, or takes the fd of Ring.claim() (Producer.from_fd() and so on).  An end that was mapped
before a fork raises RuntimeError in the child.

Memory.  What a memoryview or an array shows of the ring stays mapped, and stays reserved or peeked,
as long as the memoryview or array exists: commit(), discard(), release() and close() raise
BufferError until it is gone.

The library's manual, and the README of spscring, say what the ring guarantees.
"""
from ._core import Peek, Reservation
from ._ends import Consumer, Producer, RecordConsumer, RecordProducer
from ._errors import (Broken, Busy, Dropped, Empty, EndOfStream, Error, Full, PeerDied, ShutDown,
                      TooLong, TypeMismatch)
from ._ring import CONSUMER, PRODUCER, EndInfo, Info, Ring, info

__all__ = [
    "CONSUMER", "PRODUCER", "Broken", "Busy", "Consumer", "Dropped", "Empty", "EndInfo",
    "EndOfStream", "Error", "Full", "Info", "Peek", "PeerDied", "Producer", "RecordConsumer",
    "RecordProducer", "Reservation", "Ring", "ShutDown", "TooLong", "TypeMismatch", "info",
]
