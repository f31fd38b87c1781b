# SPDX-License-Identifier: MIT
"""What the calls of an end raise.  Each is an OSError with its errno; see the package's names."""


class Error(OSError):
    """An error of a ring.  What the system refuses, such as memory, is a plain OSError."""


class Full(Error, BlockingIOError):
    """No room came within the timeout (EAGAIN)."""


class Empty(Error, BlockingIOError):
    """No element or record came within the timeout (EAGAIN)."""


class Dropped(Error):
    """The ring drops and has no room: the record is lost and counted (ENOBUFS)."""


class ShutDown(Error):
    """This end was shut down, or the consumer has shut down and the ring is full (ESHUTDOWN)."""


class EndOfStream(ShutDown, EOFError):
    """All was popped, and the producer has shut down (ESHUTDOWN)."""


class PeerDied(Error, BrokenPipeError):
    """The other end's holder has died, or let go of the end without a shutdown (EPIPE)."""


class Broken(Error, BrokenPipeError):
    """An end wrote impossible words to the shared memory: the ring is broken, for good (EPIPE)."""


class TooLong(Error):
    """The record is longer than the ring can hold, or than the buffer for it (EMSGSIZE)."""


class TypeMismatch(Error):
    """The ring has another element size or type tag than the program expects (EPROTOTYPE)."""


class Busy(Error):
    """Somebody holds the end (EBUSY)."""


for _error in list(vars().values()):
    if isinstance(_error, type):
        _error.__module__ = "spscring"
