# SPDX-License-Identifier: MIT
"""Rings: how they are made, who holds their ends, what state they are in."""
from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Type, Union

from . import _core
from ._ends import Consumer, Producer, RecordConsumer, RecordProducer, layout_of

if TYPE_CHECKING:
    from ._ends import Dtype

PRODUCER, CONSUMER = _core.PRODUCER, _core.CONSUMER
_STATES = ("unclaimed", "held", "shut-down", "dead")


class EndInfo(NamedTuple):
    """The state of one end of a ring, in Info."""

    #: "unclaimed", "held", "shut-down" or "dead"
    state: str
    #: how often the end was claimed
    generation: int
    #: how often it went to sleep
    sleeps: int
    #: polls that were not ready
    polls: int
    #: how often its peer, or the kernel, kicked it
    kicks: int
    #: how often a sleeper was woken
    wakes: int
    #: how often its peer's CPUs were interrupted for it
    interrupts: int
    #: how often its fence bit was cleared
    clears: int
    #: how often max_interrupts kept its fence bit set
    refused: int


class Info(NamedTuple):
    """The state of a ring, as INFO reports it; counts are in elements, or in bytes for records."""

    #: the ring's id, which the module's list and tracepoints name, too; 0 with memfd=True
    id: int
    name: str
    #: whether it has records of variable size
    records: bool
    drop: bool
    overwrite: bool
    capacity: int
    #: in bytes; 0 for records
    element_size: int
    #: from one element to the next in memory, in bytes; the alignment of records
    stride: int
    type_tag: int
    #: all pages of the ring, in bytes
    memory: int
    #: the consumer's position
    head: int
    #: the producer's position
    tail: int
    #: published and not released
    length: int
    free: int
    broken: bool
    #: records that the producer gave up
    drops: int
    #: records that were overwritten before they were read
    overruns: int
    #: the most that was in use at once, as far as the producer knows
    high_water: int
    #: the sequence number of the next record
    sequence: int
    producer: EndInfo
    consumer: EndInfo


def info(fd: Union[int, Any]) -> Info:
    """The state of a ring, by its ring fd or an endpoint fd, or by an object that has fileno()."""
    i = _core.info(fd)
    ends = [EndInfo(_STATES[state], generation, *sleep)
            for (state, generation), sleep in ((i["producer"], i["producer_sleep"]),
                                               (i["consumer"], i["consumer_sleep"]))]
    flags = i["flags"]
    return Info(i["id"], i["name"], bool(flags & _core.CREATE_RECORDS),
                bool(flags & _core.CREATE_DROP), bool(flags & _core.CREATE_OVERWRITE),
                i["capacity"], i["element_size"], i["stride"], i["type_tag"], i["memory"],
                i["head"], i["tail"], i["length"], i["free"], bool(i["broken"]), *i["loss"], *ends)


class Ring:
    """A ring, and the right to claim its ends: what a supervisor keeps.

    capacity: how many elements it holds, or how many bytes of records.
    element_size: of each element, in bytes, 1 to 65536.
    dtype: a NumPy dtype instead: its size, and the dtype of the ends' arrays.
    records: records of variable size instead of elements.
    drop: a ring of records loses a new record that finds no room.
    overwrite: a ring of records loses the oldest ones instead.
    busy_poll: no end can sleep, and a wait polls.
    fence: each publish makes a fence, and the kernel interrupts no CPU.
    close_ends: the last close of the producer's end ends the stream, even without a shutdown.
    align: of elements or records, in bytes; 0: chosen.
    frame_size: of a ring of elements, in bytes; 0: chosen.
    numa_node: whose memory to use; None: the caller's.
    type_tag: a number of the program's that identifies the type of the data.
    name: for people and tools: printable ASCII, at most 32 bytes.
    memfd: a ring in a memfd, without the module.  Its ends trust each other, poll() does not report
        them, and neither read(), write() nor kernel code can be an end.

    Raises ValueError, which names the wrong argument; OSError: FileNotFoundError if the module is
    not loaded, PermissionError if the device is not this user's.

    A ring can be pickled for a multiprocessing.Process that is being started, and a forked child
    has it, too; each process then claims the end that it wants.
    """

    __slots__ = ("_fd", "dtype", "_records", "_element_size", "_type_tag", "__weakref__")

    def __init__(self, capacity: int, element_size: Optional[int] = None, *,
                 dtype: Optional[Dtype] = None, records: bool = False, drop: bool = False,
                 overwrite: bool = False, busy_poll: bool = False, fence: bool = False,
                 close_ends: bool = False, align: int = 0, frame_size: int = 0,
                 numa_node: Optional[int] = None, type_tag: int = 0, name: str = "",
                 memfd: bool = False) -> None:
        self._fd = -1
        records = records or drop or overwrite
        if records and (element_size is not None or dtype is not None):
            raise ValueError("records have no element_size and no dtype")
        if not records and element_size is None and dtype is None:
            raise ValueError("a ring has an element_size or a dtype, or records=True")
        if dtype is not None:
            size, _ = layout_of(dtype)
            if element_size not in (None, size):
                raise ValueError(f"a dtype of {size} bytes for elements of {element_size}")
            element_size = size
        flags = (records * _core.CREATE_RECORDS | drop * _core.CREATE_DROP |
                 overwrite * _core.CREATE_OVERWRITE | busy_poll * _core.CREATE_BUSY_POLL |
                 fence * _core.CREATE_FENCE | close_ends * _core.CREATE_CLOSE_ENDS |
                 (numa_node is not None) * _core.CREATE_NUMA_NODE)
        for what, value in (("capacity", capacity), ("element_size", element_size or 0),
                            ("align", align), ("frame_size", frame_size), ("type_tag", type_tag)):
            if not 0 <= value < 1 << (64 if what in ("capacity", "type_tag") else 32):
                raise ValueError(f"{what} is out of range: {value}")
        self._fd = _core.open(flags, capacity, element_size or 0, align, frame_size, numa_node or 0,
                              type_tag, name, memfd)
        self._set(dtype)

    def _set(self, dtype: Optional[Dtype]) -> None:
        i = _core.info(self._fd)
        self._records = bool(i["flags"] & _core.CREATE_RECORDS)
        self._element_size: int = i["element_size"]
        self._type_tag: int = i["type_tag"]
        self.dtype = dtype

    @classmethod
    def from_fd(cls, fd: int, *, dtype: Optional[Dtype] = None) -> Ring:
        """The ring of a ring fd, which the result owns from now on.

        dtype: the dtype of the arrays of the ends that it claims.
        Raises TypeMismatch, and leaves fd open, if elements have another size.
        """
        ring = cls.__new__(cls)
        ring._fd = fd
        try:
            ring._set(dtype)
            if dtype is not None and layout_of(dtype)[0] != ring._element_size:
                raise ValueError(f"elements have {ring._element_size} bytes, which {dtype} has not")
        except BaseException:
            ring._fd = -1
            raise
        return ring

    def fileno(self) -> int:
        """The ring fd, which remains this object's.

        poll() reports POLLIN while nobody holds the consumer's end, and POLLOUT the producer's.
        """
        if self._fd < 0:
            raise ValueError("the ring is closed")
        return self._fd

    def claim(self, role: int) -> int:
        """Claim an end, PRODUCER or CONSUMER, and return its endpoint fd, unmapped, to hand on.

        The caller closes it: as long as any copy is open, the end is held.
        Raises as producer().
        """
        return _core.claim(self.fileno(), role, self._element_size, self._type_tag)

    def _end(self, role: int, kinds: tuple[Any, Any]) -> Any:
        fd = self.claim(role)
        expects: dict[str, Any] = {"type_tag": self._type_tag}
        if not self._records:
            expects |= {"element_size": self._element_size, "dtype": self.dtype}
        try:
            return kinds[self._records].from_fd(fd, **expects)
        except BaseException:
            os.close(fd)
            raise

    def producer(self) -> Any:
        """Claim the producer's end and map it: a Producer, or a RecordProducer.

        An end whose holder died can be claimed again, and nothing that it had published is lost.
        Raises Busy if somebody holds the end, ShutDown if it was shut down, Broken.
        """
        return self._end(PRODUCER, (Producer, RecordProducer))

    def consumer(self) -> Any:
        """Claim the consumer's end and map it: a Consumer, or a RecordConsumer.

        What a dead consumer was reading when it died, its successor reads again.
        Raises as producer().
        """
        return self._end(CONSUMER, (Consumer, RecordConsumer))

    def info(self) -> Info:
        """The ring's state."""
        return info(self.fileno())

    def close(self) -> None:
        """Close the ring fd.  Ends that are held go on.  A second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._fd < 0

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:       # a ring may have failed before it began
            self.close()

    def __repr__(self) -> str:
        if self._fd < 0:
            return "<spscring.Ring, closed>"
        what = "records" if self._records else f"elements of {self._element_size} bytes"
        return f"<spscring.Ring of {what}, fd {self._fd}>"

    def __reduce__(self) -> Any:
        from multiprocessing import reduction

        return _rebuild, (reduction.DupFd(self.fileno()), self.dtype)


def _rebuild(fd: Any, dtype: Optional[Dtype]) -> Ring:
    return Ring.from_fd(fd.detach(), dtype=dtype)
