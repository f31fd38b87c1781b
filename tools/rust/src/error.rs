// SPDX-License-Identifier: MIT
//! What can go wrong, as enums.

use crate::sys;
use core::fmt;

/// Why a call did not do what it was asked to.
///
/// `Debug` prints what `Display` does: `main()` and `unwrap()` then say what is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no room now; the consumer may make some.
    Full,
    /// Nothing is there now; the producer may send more.
    Empty,
    /// The peer has shut its end down, or this end was shut down.  A consumer gets this once it
    /// has taken all that the producer had published.
    Ended,
    /// The peer has died: it let go of its end without shutting it down.  A consumer gets this
    /// once it has taken all that the producer had published.  Another holder of the ring may
    /// claim the end, and then calls succeed again.
    PeerDied,
    /// The peer wrote something impossible, or has declared the ring broken.  This is final.
    Broken,
    /// The ring drops records that find no room, and this one was dropped and counted.
    Dropped,
    /// The record is longer than the ring can ever hold, or than the place for it.
    TooLong,
    /// There is more, but this call has tried long enough; call again.
    Busy,
    /// The time is up.
    TimedOut,
    /// The ring cannot do this: wait, if it only polls; peek, if it overwrites.
    Unsupported,
    /// The ring has elements of another size or alignment, records instead of elements or the
    /// reverse, or another type tag.
    Mismatch,
    /// A bad value in a [`RingBuilder`](crate::RingBuilder): a number of `SPSCRING_WHY_*`.
    Invalid(u32),
    /// Another error of the system, as its errno.
    Os(i32),
}

impl Error {
    /// Of a negative errno, where EAGAIN and EPIPE have no meaning of their own.
    pub(crate) fn from_errno(errno: i32) -> Self {
        match -errno {
            sys::EPIPE => Error::Broken,
            sys::EMSGSIZE => Error::TooLong,
            sys::EPROTOTYPE => Error::Mismatch,
            sys::EOPNOTSUPP => Error::Unsupported,
            sys::ESHUTDOWN => Error::Ended,
            sys::ETIMEDOUT => Error::TimedOut,
            other => Error::Os(other),
        }
    }

    /// The errno that C programs get for this.
    pub fn errno(self) -> i32 {
        match self {
            Error::Full | Error::Empty => sys::EAGAIN,
            Error::Ended => sys::ESHUTDOWN,
            Error::PeerDied | Error::Broken => sys::EPIPE,
            Error::Dropped => sys::ENOBUFS,
            Error::TooLong => sys::EMSGSIZE,
            Error::Busy => sys::EBUSY,
            Error::TimedOut => sys::ETIMEDOUT,
            Error::Unsupported => sys::EOPNOTSUPP,
            Error::Mismatch => sys::EPROTOTYPE,
            Error::Invalid(_) => sys::EINVAL,
            Error::Os(errno) => errno,
        }
    }
}

/// 0 or a positive result; otherwise the error.
pub(crate) fn check(result: i32) -> Result<i32, Error> {
    if result < 0 {
        return Err(Error::from_errno(result));
    }
    Ok(result)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Full => "the ring is full",
            Error::Empty => "the ring is empty",
            Error::Ended => "the peer has ended the stream, or this end was shut down",
            Error::PeerDied => "the peer has died",
            Error::Broken => "the ring is broken",
            Error::Dropped => "the ring is full, and the record is dropped",
            Error::TooLong => "the record is longer than the ring, or the place for it",
            Error::Busy => "there is more, call again",
            Error::TimedOut => "the time is up",
            Error::Unsupported => "the ring does not support this",
            Error::Mismatch => "the ring has another element size, alignment or type tag",
            Error::Invalid(why) => why_text(*why),
            Error::Os(errno) => return os_text(*errno, f),
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text of the library's.
///
/// # Safety
///
/// It ends in a zero, and stays for `'a`.
unsafe fn text_at<'a>(text: *const u8) -> &'a str {
    core::str::from_utf8(core::slice::from_raw_parts(text, sys::strlen(text))).unwrap_or("")
}

/// The library's text for a number of `SPSCRING_WHY_*`.
fn why_text(why: u32) -> &'static str {
    // SAFETY: the library returns a constant text for each number
    unsafe { text_at(sys::spscring_why(why)) }
}

fn os_text(errno: i32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // SAFETY: the text stays at least until this thread asks for another one
    let text = unsafe { text_at(sys::spscring_strerror(0, errno.wrapping_neg())) };
    write!(f, "{} (errno {})", text, errno)
}

/// Why [`Producer::push`](crate::Producer::push) did not push; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PushError<T> {
    /// See [`Error::Full`].
    Full(T),
    /// See [`Error::Ended`].
    Ended(T),
    /// See [`Error::PeerDied`].
    PeerDied(T),
    /// See [`Error::Broken`].
    Broken(T),
}

impl<T> PushError<T> {
    #[cold]
    pub(crate) fn new(error: Error, value: T) -> Self {
        match error {
            Error::Full => PushError::Full(value),
            Error::Ended => PushError::Ended(value),
            Error::PeerDied => PushError::PeerDied(value),
            _ => PushError::Broken(value),
        }
    }

    /// The value that was not pushed.
    pub fn into_value(self) -> T {
        match self {
            PushError::Full(v)
            | PushError::Ended(v)
            | PushError::PeerDied(v)
            | PushError::Broken(v) => v,
        }
    }

    /// The reason alone.
    pub fn error(&self) -> Error {
        match self {
            PushError::Full(_) => Error::Full,
            PushError::Ended(_) => Error::Ended,
            PushError::PeerDied(_) => Error::PeerDied,
            PushError::Broken(_) => Error::Broken,
        }
    }
}

impl<T> From<PushError<T>> for Error {
    fn from(e: PushError<T>) -> Self {
        e.error()
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error(), f)
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why [`Consumer::pop`](crate::Consumer::pop) has nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PopError {
    /// See [`Error::Empty`].
    Empty,
    /// See [`Error::Ended`].
    Ended,
    /// See [`Error::PeerDied`].
    PeerDied,
    /// See [`Error::Broken`].
    Broken,
}

impl PopError {
    pub(crate) fn new(error: Error) -> Self {
        match error {
            Error::Empty => PopError::Empty,
            Error::Ended => PopError::Ended,
            Error::PeerDied => PopError::PeerDied,
            _ => PopError::Broken,
        }
    }
}

impl From<PopError> for Error {
    fn from(e: PopError) -> Self {
        match e {
            PopError::Empty => Error::Empty,
            PopError::Ended => Error::Ended,
            PopError::PeerDied => Error::PeerDied,
            PopError::Broken => Error::Broken,
        }
    }
}

impl fmt::Display for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Error::from(*self), f)
    }
}

impl fmt::Debug for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "std")]
mod with_std {
    use super::*;
    use std::io;

    impl std::error::Error for Error {}
    impl std::error::Error for PopError {}
    impl<T> std::error::Error for PushError<T> {}

    impl From<Error> for io::Error {
        fn from(e: Error) -> Self {
            match e {
                Error::Os(errno) => io::Error::from_raw_os_error(errno),
                Error::Full | Error::Empty => io::Error::new(io::ErrorKind::WouldBlock, e),
                Error::TimedOut => io::Error::new(io::ErrorKind::TimedOut, e),
                Error::Ended | Error::PeerDied => io::Error::new(io::ErrorKind::BrokenPipe, e),
                e => io::Error::new(io::ErrorKind::Other, e),
            }
        }
    }

    impl From<PopError> for io::Error {
        fn from(e: PopError) -> Self {
            Error::from(e).into()
        }
    }

    impl<T> From<PushError<T>> for io::Error {
        fn from(e: PushError<T>) -> Self {
            e.error().into()
        }
    }
}
