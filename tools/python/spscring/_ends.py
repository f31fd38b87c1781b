# SPDX-License-Identifier: MIT
"""The four kinds of end: what spscring._core has, with asyncio, NumPy and context managers."""
from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, Type, TypeVar, Union

from . import _core
from ._errors import EndOfStream

if TYPE_CHECKING:
    import numpy as np
    from ._core import _Readable

    Dtype = Union[str, np.dtype[Any], type]

_SLICE = 0.05   # seconds that a thread waits before it looks whether the waiting task was cancelled

_End = TypeVar("_End", bound="_Shared")


def layout_of(dtype: Dtype) -> tuple[int, Optional[str]]:
    """The size of a dtype in bytes, and its format as of PEP 3118 where that says all of it."""
    import numpy as np

    dt = np.dtype(dtype)
    if dt.hasobject or dt.subdtype is not None or not dt.itemsize:
        raise ValueError(f"{dt} has no size, several elements, or objects of this process")
    # NumPy writes formats of structured types that it reads differently: their padding is lost
    return dt.itemsize, np.empty(0, dt).data.format if dt.kind in "?biufcSU" else None


class _Shared(_core.End):
    """What the four kinds of end have in common, in Python."""

    __slots__ = ()
    dtype: Optional[np.dtype[Any]]
    _task: Optional[asyncio.Task[Any]]
    _watermark: int

    @classmethod
    def _map(cls: Type[_End], fd: int, element_size: Optional[int], dtype: Optional[Dtype],
             type_tag: Optional[int]) -> _End:
        format = None
        if dtype is not None:
            size, format = layout_of(dtype)
            if element_size not in (None, size):
                raise ValueError(f"a dtype of {size} bytes for elements of {element_size}")
            element_size = size
        end = cls(fd, element_size, type_tag, format)   # type: ignore[call-arg]
        end.dtype = None
        if dtype is not None:
            import numpy as np

            end.dtype = np.dtype(dtype)
        end._task = None
        end._watermark = 1
        return end

    def __enter__(self: _End) -> _End:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close(shutdown=kind is None)

    def __repr__(self) -> str:
        where = "closed" if self.closed else f"fd {self.fileno()}"
        size = f"of {self.element_size} bytes" if self.element_size else "of records"
        return f"<spscring.{type(self).__name__} {size}, {where}>"

    def __reduce__(self) -> Any:
        raise TypeError("an end belongs to one process; hand the Ring on, or the fd of claim()")

    def _array(self, view: Union[_core.Peek, _core.Reservation]) -> np.ndarray[Any, Any]:
        """What view.array is."""
        import numpy as np

        array = np.asarray(view)
        if self.dtype is None or array.dtype == self.dtype:
            return array
        array = array.view(self.dtype)
        return array if array.ndim == 1 else array[:, 0]

    async def _ready(self, n: int, add: Callable[..., None], remove: Callable[[int], Any]) -> None:
        """Wait until n elements or bytes are there, or the end has something to say."""
        if not self.pollable:
            await self._ready_by_thread(n)
            return
        if n != self._watermark:
            self.set_watermark(n)
            self._watermark = n
        fd = self.fileno()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def is_ready() -> None:
            if not ready.done():
                ready.set_result(None)
        add(fd, is_ready)
        try:
            await ready
        finally:
            remove(fd)

    async def _ready_by_thread(self, n: int) -> None:
        loop = asyncio.get_running_loop()
        found = False
        while not found:
            waits = loop.run_in_executor(None, self.wait, n, _SLICE)
            try:
                found = await asyncio.shield(waits)
            except asyncio.CancelledError:
                # the thread uses the end until its wait is over
                await asyncio.wait([waits])
                raise

    async def _until(self, done: Callable[[], Any], n: int, reads: bool) -> Any:
        """Repeat done() until it is neither None nor False, and wait in between."""
        if self._task is not None:
            raise RuntimeError("another task waits for this end")
        loop = asyncio.get_running_loop()
        add = loop.add_reader if reads else loop.add_writer
        remove = loop.remove_reader if reads else loop.remove_writer
        self._task = asyncio.current_task()
        try:
            while True:
                await self._ready(n, add, remove)
                result = done()
                if result is not None and result is not False:
                    return result
        finally:
            self._task = None


class _AnyProducer(_Shared):
    __slots__ = ()

    def _needs(self, data: _Readable) -> int:
        return 1

    async def put(self, data: _Readable) -> None:
        """Push data as push() does; while the ring is full, other tasks of the loop run.

        One task at a time may wait for an end.  An end that cannot be polled (see pollable) waits
        in a thread of the loop's default executor.
        """
        if not self.try_push(data):     # type: ignore[attr-defined]
            await self._until(lambda: self.try_push(data),  # type: ignore[attr-defined]
                              self._needs(data), False)


class _AnyConsumer(_Shared):
    __slots__ = ()

    async def get(self) -> bytes:
        """Pop as pop() does; while the ring is empty, other tasks of the loop run.

        One task at a time may wait for an end.  An end that cannot be polled (see pollable) waits
        in a thread of the loop's default executor.  `async for` gets until the end of the stream.
        """
        data = self.try_pop()       # type: ignore[attr-defined]
        if data is None:
            data = await self._until(self.try_pop, 1, True)     # type: ignore[attr-defined]
        return data                 # type: ignore[no-any-return]

    def __aiter__(self: _End) -> _End:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.get()
        except EndOfStream:
            raise StopAsyncIteration from None


_EXTRA = ("dtype", "_task", "_watermark", "__weakref__")


class Producer(_core.Producer, _AnyProducer):
    """The producer's end of a ring of elements.

    Ring.producer() and from_fd() make one.  Leaving a `with` block shuts the end down and closes
    it, so that the consumer finds the end of the stream; a block that raises only closes it, and
    the consumer finds its producer dead.
    """

    __slots__ = _EXTRA

    @classmethod
    def from_fd(cls, fd: int, *, element_size: Optional[int] = None, dtype: Optional[Dtype] = None,
                type_tag: Optional[int] = None) -> Producer:
        """Map the end of an endpoint fd, which the result owns from now on.

        element_size, dtype, type_tag: what the program expects; None: whatever the ring has.
        Raises TypeMismatch if the ring has others, and leaves fd open.
        """
        return cls._map(fd, element_size, dtype, type_tag)


class Consumer(_core.Consumer, _AnyConsumer):
    """The consumer's end of a ring of elements: an iterator over them, until the end of the stream.

    Ring.consumer() and from_fd() make one.  As a context manager it is as a Producer.
    """

    __slots__ = _EXTRA

    @classmethod
    def from_fd(cls, fd: int, *, element_size: Optional[int] = None, dtype: Optional[Dtype] = None,
                type_tag: Optional[int] = None) -> Consumer:
        """Map the end of an endpoint fd, as Producer.from_fd() does."""
        return cls._map(fd, element_size, dtype, type_tag)

    def pop_array(self, n: int, timeout: Optional[float] = None) -> np.ndarray[Any, Any]:
        """Pop up to n elements, at least one, as a NumPy array of the end's dtype.

        The array is a copy, and stays valid.  Without a dtype, each row is the bytes of an element.
        timeout: in seconds, for the first one, as of pop().  Raises as pop().
        """
        import numpy as np

        n = min(n, self.capacity)
        if self.dtype is None:
            array = np.empty((n, self.element_size), np.uint8)
        else:
            array = np.empty(n, self.dtype)
        return array[:self.pop_into(array.view(np.uint8), timeout)]


class RecordProducer(_core.RecordProducer, _AnyProducer):
    """The producer's end of a ring of records; otherwise as Producer."""

    __slots__ = _EXTRA

    @classmethod
    def from_fd(cls, fd: int, *, type_tag: Optional[int] = None) -> RecordProducer:
        """Map the end of an endpoint fd, as Producer.from_fd() does."""
        return cls._map(fd, None, None, type_tag)

    def _needs(self, data: _Readable) -> int:
        return self.needs(memoryview(data).nbytes)      # type: ignore[arg-type]

    async def put(self, data: _Readable) -> bool:      # type: ignore[override]
        """Push a record as push() does; while the ring is full, other tasks of the loop run.

        Returns False if the ring drops and has lost the record.  Otherwise as Producer.put().
        """
        while True:
            try:
                return self.push(data, 0)
            except BlockingIOError:
                await self._until(lambda: True, self._needs(data), False)


class RecordConsumer(_core.RecordConsumer, _AnyConsumer):
    """The consumer's end of a ring of records; otherwise as Consumer."""

    __slots__ = _EXTRA

    @classmethod
    def from_fd(cls, fd: int, *, type_tag: Optional[int] = None) -> RecordConsumer:
        """Map the end of an endpoint fd, as Producer.from_fd() does."""
        return cls._map(fd, None, None, type_tag)
