// SPDX-License-Identifier: MIT
//! The consumer of records of variable size.

use crate::backoff;
use crate::element::{end_error, event_reached};
use crate::error::{check, Error};
use crate::fd::{impl_as_fd, Fd};
use crate::info::Info;
use crate::mapping::{place, Mapping};
use crate::record_producer::{record_size, word};
use crate::sys;
use crate::time::{deadline, is_past, yield_now};
use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// The end of a ring of records that pops.
///
/// It moves to another thread, but only one thread at a time uses it.  When it is dropped without
/// [`shutdown`](Self::shutdown), the producer gets [`Error::PeerDied`] once the ring is full.
///
/// The producer is not trusted: whatever it writes, a pop returns some bytes, no more than there
/// is place for, or an error.
///
/// The fd is for `poll(2)`, or to hand the end on.  Do not `read(2)` from it beside this handle:
/// records would be lost.
#[repr(C, align(128))]
pub struct RecordConsumer {
    handle: sys::RecordConsumer,
    map: Mapping,
    fd: Fd,
}

// SAFETY: it owns its mapping, and the kernel does not care which thread calls
unsafe impl Send for RecordConsumer {}

impl_as_fd!(RecordConsumer);

impl RecordConsumer {
    /// # Safety
    /// As of [`from_fd`](Self::from_fd).
    pub(crate) unsafe fn map(fd: Fd, type_tag: u64) -> Result<Self, Error> {
        let (mut handle, mut map) = (place::<sys::RecordConsumer>(), place());
        check(sys::spscring_record_map_consumer_as(
            fd.raw(),
            handle.as_mut_ptr(),
            type_tag,
            map.as_mut_ptr(),
            sys::handle::<sys::RecordConsumer>(),
        ))?;
        // the library has filled both in
        let (handle, map) = (handle.assume_init(), Mapping::new(map.assume_init()));
        Ok(RecordConsumer { handle, map, fd })
    }

    /// Map an end that another program has claimed and handed over.
    ///
    /// Errors: [`Error::Mismatch`] the ring has elements, or another type tag; [`Error::Os`] it
    /// is not the fd of a consumer's end.
    ///
    /// # Safety
    /// No other handle, in this process or another, is in use for this end while this one is.
    #[cfg(feature = "std")]
    pub unsafe fn from_fd(fd: std::os::unix::io::OwnedFd, type_tag: u64) -> Result<Self, Error> {
        Self::map(fd.into(), type_tag)
    }

    /// Unmap the end without letting go of it, to hand it to another process.
    #[cfg(feature = "std")]
    pub fn into_fd(self) -> std::os::unix::io::OwnedFd {
        let RecordConsumer { map, fd, .. } = self;
        drop(map);
        fd.into()
    }

    /// Take no more: the producer gets [`Error::Ended`] once the ring is full.  Final.
    pub fn shutdown(mut self) -> Result<(), Error> {
        // SAFETY: the handle is this end's
        check(unsafe { sys::spscring_record_shutdown_consumer(&mut self.handle) }).map(drop)
    }

    /// The ring's state.
    pub fn info(&self) -> Result<Info, Error> {
        Info::of(self.fd.raw())
    }

    /// How many bytes the ring holds, with a word of 8 bytes for each record; 0 once it is broken.
    pub fn capacity(&self) -> u64 {
        self.handle.base.capacity
    }

    /// How many bytes of records are there, with their words.
    ///
    /// It reads a word that the producer often writes: not a test to make before each pop.
    pub fn bytes(&self) -> u64 {
        let base = &self.handle.base;
        // SAFETY: the pages are mapped.  (H) pairs with (G)
        let tail = unsafe { (*base.peer).cursor.load(Acquire) };
        let there = tail.wrapping_sub(base.pos);
        // a producer that lies may store any number; one that overwrites may have overtaken
        if there as i64 > 0 {
            there.min(base.capacity)
        } else {
            0
        }
    }

    /// Is nothing there?
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Has the producer shut down or died?  There may still be records.  (A system call.)
    pub fn is_abandoned(&self) -> bool {
        Info::of(self.fd.raw()).map_or(false, |info| info.producer().0.has_ended())
    }

    /// The sequence number of the record popped or released last.
    ///
    /// The first record has number 0; each that is pushed, dropped or overwritten counts.
    pub fn sequence(&self) -> u64 {
        self.handle.sequence.wrapping_sub(1)
    }

    #[cold]
    fn error(&self, result: i64) -> Error {
        let base = &self.handle.base;
        end_error(result as i32, Error::Empty, base.error, base.kernel)
    }

    #[inline(always)]
    fn overwrites(&self) -> bool {
        self.handle.base.flags & sys::CREATE_OVERWRITE != 0
    }

    #[inline(always)]
    unsafe fn load_word(&self) -> u64 {
        // (Q) pairs with (P)
        (*self.handle.word.cast::<sys::Word>()).load(Acquire)
    }

    /// The length of the next record, which is at `word`; or a negative errno.
    #[inline(always)]
    unsafe fn next_length(&mut self) -> i64 {
        let found = self.load_word();
        let h = &mut self.handle;
        let length = found ^ word(h.sequence, h.phase);
        if length >= h.known_length {
            return sys::spscring_record_refresh(h, found);
        }
        if h.base.fails != h.base.waited_fails {
            sys::spscring_record_adapt_backoff(h);
        }
        length as i64
    }

    /// Step past a record; a release follows.  Returns the position and the sequence number that
    /// it stores, and where.
    #[inline(always)]
    unsafe fn advance(&mut self, length: u32) -> (u64, u64, *mut sys::Word) {
        let h = &mut self.handle;
        let size = record_size(h.base.stride, u64::from(length));
        let mut at = h.word.wrapping_add(size as usize);
        if at >= h.base.end {
            h.phase ^= sys::PHASE_LAP;
            at = at.wrapping_sub(h.base.end as usize - h.base.data as usize);
        }
        let (pos, sequence) = (h.base.pos.wrapping_add(size), h.sequence.wrapping_add(1));
        h.base.pos = pos;
        h.word = at;
        h.sequence = sequence;
        (pos, sequence, h.base.cursor)
    }

    #[inline(always)]
    unsafe fn release(&mut self) {
        let h = &mut self.handle;
        (*h.base.cursor.add(1)).store(h.sequence, Relaxed);
        // (C) pairs with (D)
        (*h.base.cursor).store(h.base.pos, Release);
        let pos = h.base.pos;
        if backoff::has_more_to_do(&h.base, pos) {
            backoff::after_release(&mut h.base, pos, ());
        }
    }

    #[cold]
    #[inline(never)]
    fn pop_slow(&mut self, to: &mut [u8]) -> Result<usize, Error> {
        // SAFETY: the place is valid, and the handle this end's
        let length =
            unsafe { sys::spscring_record_pop_slow(&mut self.handle, to.as_mut_ptr(), to.len()) };
        if length < 0 {
            return Err(self.error(length));
        }
        Ok(length as usize)
    }

    /// Pop one record to the start of `to`.  Returns its length.
    ///
    /// It does not wait: see [`pop_wait`](Self::pop_wait).
    ///
    /// Errors: [`Error::Empty`]; [`Error::TooLong`] the record stays; [`Error::Busy`];
    /// [`Error::Ended`] and [`Error::PeerDied`] once there is no more; [`Error::Broken`].
    #[inline]
    pub fn pop(&mut self, to: &mut [u8]) -> Result<usize, Error> {
        // SAFETY: a length that is below known_length is within this end's mapping
        unsafe {
            let length = self.expected_length();
            if length >= self.handle.known_length || length > to.len() as u64 {
                return self.pop_slow(to);
            }
            Ok(self.take(to.as_mut_ptr(), length as usize))
        }
    }

    /// As [`pop`](Self::pop), for records most of which have `N` bytes: these are copied without a
    /// call.
    #[inline]
    pub fn pop_array<const N: usize>(&mut self, to: &mut [u8; N]) -> Result<usize, Error> {
        // SAFETY: as above
        unsafe {
            let length = self.expected_length();
            if length >= self.handle.known_length || length != N as u64 {
                return self.pop_slow(to);
            }
            // the peer's word does not steer what follows
            Ok(self.take(to.as_mut_ptr(), N))
        }
    }

    /// Of the expected word nothing but the length is left; any other word is more than any
    /// length.  In a ring that overwrites, known_length is 0.
    #[inline(always)]
    unsafe fn expected_length(&self) -> u64 {
        let h = &self.handle;
        self.load_word() ^ word(h.sequence, h.phase)
    }

    /// Copy the next record, of `length` bytes, and release it; the release orders the copy before
    /// its use.  Returns `length`.
    #[inline(always)]
    unsafe fn take(&mut self, to: *mut u8, length: usize) -> usize {
        let from = self.handle.word.wrapping_add(sys::WORD as usize);
        core::ptr::copy_nonoverlapping(from, to, length);
        let (pos, sequence, cursor) = self.advance(length as u32);
        (*cursor.add(1)).store(sequence, Relaxed);
        // (C) pairs with (D)
        (*cursor).store(pos, Release);
        let h = &self.handle;
        if pos.wrapping_sub(h.base.publish_at) as i64 >= 0
            || h.base.fails != h.base.waited_fails
            || event_reached(h.base.event, pos)
        {
            return self.finish(length);
        }
        length
    }

    /// Out of line, so that the hot path of a pop saves no registers.
    #[cold]
    #[inline(never)]
    unsafe fn finish(&mut self, length: usize) -> usize {
        sys::spscring_record_pop_finish(&mut self.handle, length as i64) as usize
    }

    /// Pop up to `max` records, each copied to `buffer` and handed to `each` with its sequence
    /// number, and release them together.
    ///
    /// Returns how many, fewer than `max` if there are no more, or the next one does not fit; an
    /// error if there was none at all, as of [`pop`](Self::pop).
    pub fn pop_each(
        &mut self,
        buffer: &mut [u8],
        max: usize,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<usize, Error> {
        let mut done = 0;
        if self.overwrites() {
            while done < max {
                match self.pop(buffer) {
                    Ok(length) => each(self.sequence(), &buffer[..length]),
                    Err(e) if done == 0 => return Err(e),
                    Err(_) => break,
                }
                done += 1;
            }
            return Ok(done);
        }
        // SAFETY: as in pop(); what `each` gets is a copy, behind a fence of the compiler
        unsafe {
            while done < max {
                let length = self.next_length();
                if length < 0 && done == 0 {
                    return Err(self.error(length));
                }
                if length as usize > buffer.len() && done == 0 && length >= 0 {
                    return Err(Error::TooLong);
                }
                if length < 0 || length as usize > buffer.len() {
                    break;
                }
                let from = self.handle.word.wrapping_add(sys::WORD as usize);
                core::ptr::copy_nonoverlapping(from, buffer.as_mut_ptr(), length as usize);
                core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
                self.advance(length as u32);
                done += 1;
                each(self.sequence(), &buffer[..length as usize]);
            }
            if done > 0 {
                self.release();
            }
        }
        Ok(done)
    }

    /// Pop one record as a vector of its own.  Errors: as of [`pop`](Self::pop).
    #[cfg(feature = "std")]
    pub fn pop_vec(&mut self) -> Result<Vec<u8>, Error> {
        if !self.overwrites() {
            let record = self.peek()?;
            let copy = record.to_vec();
            record.release();
            return Ok(copy);
        }
        let mut to = vec![0; 256];
        loop {
            match self.pop(&mut to) {
                Ok(length) => {
                    to.truncate(length);
                    return Ok(to);
                }
                Err(Error::TooLong) => to.resize(to.len() * 4, 0),
                Err(e) => return Err(e),
            }
        }
    }

    /// Find the next record, to read it in place.
    ///
    /// Errors: as of [`pop`](Self::pop); [`Error::Unsupported`] a ring that overwrites.
    #[inline]
    pub fn peek(&mut self) -> Result<Record<'_>, Error> {
        if self.overwrites() {
            return Err(Error::Unsupported);
        }
        // SAFETY: the handle is this end's
        let length = unsafe { self.next_length() };
        if length < 0 {
            return Err(self.error(length));
        }
        Ok(Record { length: length as usize, consumer: self })
    }

    /// Spin for as long as it is wise to between two tries to pop.
    pub fn backoff(&self) {
        backoff::spin(&self.handle.base);
    }

    /// Wait until `bytes` of records are there, 1 for the next record, for as long as `timeout`
    /// says; `None` is for ever.
    ///
    /// It polls for a short time, then sleeps.  Errors: as of
    /// [`Consumer::wait_elements`](crate::Consumer::wait_elements).
    pub fn wait_bytes(&mut self, bytes: u64, timeout: Option<Duration>) -> Result<(), Error> {
        self.wait_until(bytes, deadline(timeout))
    }

    fn wait_until(&mut self, bytes: u64, deadline: i64) -> Result<(), Error> {
        loop {
            // SAFETY: the handle is this end's
            match unsafe { sys::spscring_record_wait_bytes(&mut self.handle, bytes, deadline) } {
                0 => return Ok(()),
                err if err == -sys::EINTR => continue,
                err => return Err(self.error(err.into())),
            }
        }
    }

    /// Wait for the next record until `deadline`: `Error::Empty` once that is past.
    fn wait_next(&mut self, deadline: i64) -> Result<(), Error> {
        match self.wait_until(1, deadline) {
            Ok(()) => Ok(()),
            Err(Error::TimedOut) => Err(Error::Empty),
            Err(e @ (Error::Ended | Error::PeerDied | Error::Broken)) => Err(e),
            Err(_) if is_past(deadline) => Err(Error::Empty),
            Err(_) => {
                yield_now();
                Ok(())
            }
        }
    }

    /// Pop one record, and wait for it for as long as `timeout` says; `None` is for ever.
    ///
    /// It returns [`Error::Empty`] when the time is up.  In a ring that only polls it polls.
    pub fn pop_wait(&mut self, to: &mut [u8], timeout: Option<Duration>) -> Result<usize, Error> {
        match self.pop(to) {
            Err(Error::Empty | Error::Busy) => {}
            done => return done,
        }
        let deadline = deadline(timeout);
        loop {
            self.wait_next(deadline)?;
            match self.pop(to) {
                Err(Error::Empty | Error::Busy) => {}
                done => return done,
            }
        }
    }

    /// All records to come, until the stream ends; it waits for each.
    ///
    /// An error other than [`Error::Ended`] is the last item.
    #[cfg(feature = "std")]
    pub fn iter(&mut self) -> Records<'_> {
        Records { consumer: self, ended: false }
    }

    /// Have `poll(2)` report this end ready once `bytes` are there, or, if fewer are, `timeout`
    /// after the first are.  Errors: as of
    /// [`Consumer::set_watermark`](crate::Consumer::set_watermark).
    pub fn set_watermark(&self, bytes: u64, timeout: Option<Duration>) -> Result<(), Error> {
        crate::set_watermark(self.fd.raw(), bytes, timeout)
    }
}

impl fmt::Debug for RecordConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = &self.handle.base;
        f.debug_struct("RecordConsumer")
            .field("fd", &self.fd.raw())
            .field("position", &base.pos)
            .field("capacity", &base.capacity)
            .finish()
    }
}

/// All records until the stream ends; from [`RecordConsumer::iter`].
#[cfg(feature = "std")]
pub struct Records<'a> {
    consumer: &'a mut RecordConsumer,
    ended: bool,
}

#[cfg(feature = "std")]
impl Iterator for Records<'_> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = loop {
            match self.consumer.pop_vec() {
                Err(Error::Empty | Error::Busy) => {}
                next => break next,
            }
            if let Err(e) = self.consumer.wait_next(-1) {
                break Err(e);
            }
        };
        self.ended = next.is_err();
        match next {
            Err(Error::Ended) => None,
            next => Some(next),
        }
    }
}

/// A record that is in the ring, to read in place; from [`RecordConsumer::peek`].
///
/// The producer's process can write this memory at any time, so the safe ways to read it copy.
/// Unless it is released it stays in the ring.
pub struct Record<'a> {
    consumer: &'a mut RecordConsumer,
    length: usize,
}

impl Record<'_> {
    /// Its length in bytes; may be 0.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Has it no bytes?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Its sequence number, see [`RecordConsumer::sequence`].
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.consumer.handle.sequence
    }

    /// Its first byte, which has the ring's alignment.
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        self.consumer.handle.word.wrapping_add(sys::WORD as usize)
    }

    /// Copy as much of it as fits to the start of `to`.  Returns how much.
    #[inline]
    pub fn copy_to(&self, to: &mut [u8]) -> usize {
        let length = self.length.min(to.len());
        // SAFETY: so much is in this end's mapping; the fence is before any use of the copy
        unsafe { core::ptr::copy_nonoverlapping(self.as_ptr(), to.as_mut_ptr(), length) };
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        length
    }

    /// A copy of it.
    #[cfg(feature = "std")]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut copy = vec![0; self.length];
        self.copy_to(&mut copy);
        copy
    }

    /// Its bytes, without a copy.
    ///
    /// # Safety
    /// The producer is trusted: neither its process nor any other that maps its end writes
    /// records that are published and not released.
    #[inline]
    pub unsafe fn as_slice(&self) -> &[u8] {
        core::slice::from_raw_parts(self.as_ptr(), self.length)
    }

    /// Release it: the next peek or pop finds the one after it.
    #[inline]
    pub fn release(self) {
        // SAFETY: the length was checked when it was peeked
        unsafe {
            self.consumer.advance(self.length as u32);
            self.consumer.release();
        }
    }
}
