// SPDX-License-Identifier: MIT
//! The producer of records of variable size.

use crate::element::{end_error, event_reached};
use crate::error::{check, Error};
use crate::fd::{impl_as_fd, Fd};
use crate::info::Info;
use crate::mapping::{place, Mapping};
use crate::sys;
use crate::time::{deadline, is_past, yield_now};
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// The end of a ring of records that pushes.
///
/// It moves to another thread, but only one thread at a time uses it.  When it is dropped without
/// [`shutdown`](Self::shutdown), the consumer takes what is left and then gets
/// [`Error::PeerDied`], unless the ring was made with
/// [`close_ends`](crate::RingBuilder::close_ends).
///
/// The fd is for `poll(2)`, or to hand the end on.  Do not `write(2)` to it beside this handle:
/// records would be lost.
#[repr(C, align(128))]
pub struct RecordProducer {
    handle: sys::RecordProducer,
    map: Mapping,
    fd: Fd,
}

// SAFETY: it owns its mapping, and the kernel does not care which thread calls
unsafe impl Send for RecordProducer {}

impl_as_fd!(RecordProducer);

/// How much of the ring a record uses, with its word.
#[inline(always)]
pub(crate) fn record_size(align: u32, length: u64) -> u64 {
    let align = u64::from(align);
    length.wrapping_add(sys::WORD + align - 1) & align.wrapping_neg()
}

/// The word of a published record, without its length.
#[inline(always)]
pub(crate) fn word(sequence: u64, phase: u32) -> u64 {
    ((sequence << (sys::WORD_SEQUENCE - 32)) | u64::from(phase)) << 32
}

impl RecordProducer {
    /// # Safety
    /// As of [`from_fd`](Self::from_fd).
    pub(crate) unsafe fn map(fd: Fd, type_tag: u64) -> Result<Self, Error> {
        let (mut handle, mut map) = (place::<sys::RecordProducer>(), place());
        check(sys::spscring_record_map_producer_as(
            fd.raw(),
            handle.as_mut_ptr(),
            type_tag,
            map.as_mut_ptr(),
            sys::handle::<sys::RecordProducer>(),
        ))?;
        // the library has filled both in
        let (handle, map) = (handle.assume_init(), Mapping::new(map.assume_init()));
        Ok(RecordProducer { handle, map, fd })
    }

    /// Map an end that another program has claimed and handed over.
    ///
    /// Errors: [`Error::Mismatch`] the ring has elements, or another type tag; [`Error::Os`] it
    /// is not the fd of a producer's end.
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
        let RecordProducer { map, fd, .. } = self;
        drop(map);
        fd.into()
    }

    /// End the stream: the consumer takes what is left, then gets [`Error::Ended`].  Final.
    pub fn shutdown(mut self) -> Result<(), Error> {
        // SAFETY: the handle is this end's
        check(unsafe { sys::spscring_record_shutdown_producer(&mut self.handle) }).map(drop)
    }

    /// The ring's state.
    pub fn info(&self) -> Result<Info, Error> {
        Info::of(self.fd.raw())
    }

    /// How many bytes the ring holds, with a word of 8 bytes for each record.
    pub fn capacity(&self) -> u64 {
        self.handle.base.capacity
    }

    /// How many bytes are free; a record needs [`needs`](Self::needs) of them.
    ///
    /// It reads a word that the consumer often writes: not a test to make before each push.
    pub fn free(&self) -> u64 {
        let base = &self.handle.base;
        // SAFETY: the pages are mapped.  (D) pairs with (C)
        let head = unsafe { (*base.peer_cursor).load(Acquire) };
        let used = base.pos.wrapping_sub(head);
        // a consumer that lies may store a head beyond pos
        base.capacity.saturating_sub(used)
    }

    /// How many bytes of the ring a record of `length` bytes takes.
    pub fn needs(&self, length: usize) -> u64 {
        record_size(self.handle.base.stride, length as u64)
    }

    /// Has the consumer shut down or died?  (A system call.)
    pub fn is_abandoned(&self) -> bool {
        Info::of(self.fd.raw()).map_or(false, |info| info.consumer().0.has_ended())
    }

    #[cold]
    fn error(&self, result: i32) -> Error {
        let base = &self.handle.base;
        end_error(result, Error::Full, base.error, base.kernel)
    }

    /// Is there room for a record of `length` bytes, which uses `size`, on the hot path?
    #[inline(always)]
    fn fits(&self, length: u64, size: u64) -> bool {
        let base = &self.handle.base;
        length <= sys::WORD_LENGTH
            && base.pos.wrapping_add(size).wrapping_sub(base.run_end) as i64 <= 0
    }

    /// Publish `records` records in the next `size` bytes.  All is written but the word of the
    /// first: storing that word publishes all of them.  Returns the position and the sequence
    /// number after them.
    #[inline(always)]
    unsafe fn publish(&mut self, first: u64, size: u64, records: u64) -> (u64, u64) {
        let h = &mut self.handle;
        let (at, was) = (h.word, h.sequence);
        let (pos, sequence) = (h.base.pos.wrapping_add(size), was.wrapping_add(records));
        h.base.pos = pos;
        h.word = at.wrapping_add(size as usize);
        h.sequence = sequence;
        // (P) pairs with (Q)
        (*at.cast::<sys::Word>()).store(word(was, h.phase) | first, Release);
        (pos, sequence)
    }

    #[inline(always)]
    unsafe fn publish_cursor(&self, pos: u64, sequence: u64) {
        let cursor = self.handle.base.cursor;
        (*cursor.add(1)).store(sequence, Relaxed);
        // (G) pairs with (H)
        (*cursor).store(pos, Release);
    }

    #[inline(always)]
    unsafe fn after_publish(&mut self, (pos, sequence): (u64, u64)) {
        self.publish_cursor(pos, sequence);
        if event_reached(self.handle.base.event, pos) {
            self.wake(pos);
        }
    }

    /// Out of line, so that the hot path of a push saves no registers.
    #[cold]
    #[inline(never)]
    unsafe fn wake(&mut self, pos: u64) {
        sys::spscring_wake_consumer((&mut self.handle as *mut sys::RecordProducer).cast(), pos);
    }

    #[inline(always)]
    unsafe fn write(&mut self, record: &[u8], size: u64) -> (u64, u64) {
        let to = self.handle.word.add(sys::WORD as usize);
        core::ptr::copy_nonoverlapping(record.as_ptr(), to, record.len());
        self.publish(record.len() as u64, size, 1)
    }

    /// A reservation that was leaked has left bytes where words may come: have the next call clear
    /// them.
    #[inline(always)]
    fn forget_leaked(&mut self) {
        let h = &mut self.handle;
        if h.reserved != 0 {
            h.reserved = 0;
            h.cleared = h.base.pos;
            h.base.run_end = h.base.pos;
        }
    }

    #[cold]
    #[inline(never)]
    fn push_slow(&mut self, record: &[u8]) -> Result<(), Error> {
        self.forget_leaked();
        let length = record.len() as u64;
        // SAFETY: the record is valid, and the handle this end's
        let result =
            unsafe { sys::spscring_record_push_slow(&mut self.handle, record.as_ptr(), length) };
        if result == 0 {
            return Ok(());
        }
        Err(self.error(result))
    }

    /// Push one record, which may be empty.
    ///
    /// It does not wait: see [`push_wait`](Self::push_wait).
    ///
    /// Errors: [`Error::Full`]; [`Error::Dropped`]; [`Error::TooLong`]; [`Error::Ended`],
    /// [`Error::PeerDied`] once the ring is full; [`Error::Broken`].
    #[inline]
    pub fn push(&mut self, record: &[u8]) -> Result<(), Error> {
        let length = record.len() as u64;
        let size = record_size(self.handle.base.stride, length);
        if !self.fits(length, size) {
            return self.push_slow(record);
        }
        // SAFETY: the bytes before run_end are free, and in this end's writable mapping
        unsafe {
            let at = self.write(record, size);
            self.after_publish(at);
        }
        Ok(())
    }

    /// Push one record, gathered from several places.  Errors: as of [`push`](Self::push).
    pub fn push_vectored(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        let length = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let mut room = self.reserve(length)?;
        let mut at = 0;
        for part in parts {
            room[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        room.commit();
        Ok(())
    }

    /// Push as many of the records as there is room for, in one publish of the position.
    ///
    /// Returns how many; an error if not even the first could be pushed, and 0 only for none.  In
    /// a ring that drops, only the first record that finds no room is lost.
    #[inline]
    pub fn push_all<R: AsRef<[u8]>>(&mut self, records: &[R]) -> Result<usize, Error> {
        let mut done = 0;
        for record in records {
            let record = record.as_ref();
            let length = record.len() as u64;
            let size = record_size(self.handle.base.stride, length);
            // SAFETY: as in push()
            unsafe {
                if !self.fits(length, size) {
                    // a claim relies on words leading the cursor by at most the capacity
                    self.publish_cursor(self.handle.base.pos, self.handle.sequence);
                    self.forget_leaked();
                    let handle = &mut self.handle;
                    let err = sys::spscring_record_make_room(handle, length, size);
                    if err != 0 && done == 0 {
                        return Err(self.error(err));
                    }
                    if err != 0 {
                        break;
                    }
                }
                self.write(record, size);
            }
            done += 1;
        }
        if done > 0 {
            // SAFETY: the handle is this end's
            unsafe { self.after_publish((self.handle.base.pos, self.handle.sequence)) };
        }
        Ok(done)
    }

    /// Reserve room for a record after those that are reserved already.
    ///
    /// While anything is reserved, the handle's run is empty: if the guard is leaked, the next
    /// push comes by `push_slow()`.
    fn reserve_next(&mut self, length: usize) -> Result<*mut u8, Error> {
        let length = length as u64;
        let size = record_size(self.handle.base.stride, length);
        let from = self.handle.reserved;
        if !self.fits(length, from.wrapping_add(size)) {
            // SAFETY: the handle is this end's
            let err = unsafe {
                sys::spscring_record_make_room(&mut self.handle, length, from.wrapping_add(size))
            };
            if err != 0 {
                return Err(self.error(err));
            }
        }
        let h = &mut self.handle;
        // SAFETY: the bytes before run_end are in this end's writable mapping
        let word = unsafe { h.word.add(from as usize) };
        if from == 0 {
            // kept here: the consumer polls the word itself
            h.first = length;
        } else {
            // SAFETY: as above; words are aligned
            unsafe { (*word.cast::<sys::Word>()).store(length, Relaxed) };
        }
        h.reserved = from + size;
        Ok(word.wrapping_add(sys::WORD as usize))
    }

    /// Reserve room for one record of up to `length` bytes, to write it in place.
    ///
    /// The bytes have what was there before.  Errors: as of [`push`](Self::push).
    #[inline]
    pub fn reserve(&mut self, length: usize) -> Result<Reservation<'_>, Error> {
        self.forget_leaked();
        let at = self.reserve_next(length)?;
        let run_end = self.stop_run();
        Ok(Reservation { producer: self, at, length, run_end })
    }

    /// Begin a batch of records that the consumer sees all at once, or not at all.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_> {
        self.forget_leaked();
        let run_end = self.handle.base.run_end;
        Batch { producer: self, run_end }
    }

    #[inline(always)]
    fn stop_run(&mut self) -> u64 {
        let base = &mut self.handle.base;
        core::mem::replace(&mut base.run_end, base.pos)
    }

    /// Publish all that is reserved.
    #[inline(always)]
    fn commit(&mut self) {
        let size = self.handle.reserved;
        if size == 0 {
            return;
        }
        let first = self.handle.first;
        // SAFETY: all of it is in this end's writable mapping, and free
        unsafe {
            if size != record_size(self.handle.base.stride, u64::from(first as u32))
                || first & sys::WORD_DISCARDED != 0
            {
                return sys::spscring_record_commit_many(&mut self.handle, 0);
            }
            self.handle.reserved = 0;
            let at = self.publish(first, size, 1);
            self.after_publish(at);
        }
    }

    /// Give up all that is reserved.
    fn discard(&mut self) {
        let h = &mut self.handle;
        if h.reserved != 0 {
            // SAFETY: the last bytes that are reserved, which are all
            unsafe { sys::spscring_record_trim(h, h.word, h.reserved) };
        }
    }

    /// Give up `n` records: count them as dropped, and leave a gap in the sequence numbers.
    pub fn drop_records(&mut self, n: u64) {
        // SAFETY: the handle is this end's
        unsafe { sys::spscring_record_drop(&mut self.handle, n) };
    }

    /// Wait until `bytes` of the ring are free, for as long as `timeout` says; `None` is for ever.
    ///
    /// It polls for a short time, then sleeps.  Errors: as of
    /// [`Producer::wait_room`](crate::Producer::wait_room).
    pub fn wait_room(&mut self, bytes: u64, timeout: Option<Duration>) -> Result<(), Error> {
        self.wait_until(bytes, deadline(timeout))
    }

    fn wait_until(&mut self, bytes: u64, deadline: i64) -> Result<(), Error> {
        loop {
            // SAFETY: the handle is this end's
            match unsafe { sys::spscring_record_wait_room(&mut self.handle, bytes, deadline) } {
                0 => return Ok(()),
                err if err == -sys::EINTR => continue,
                err => return Err(self.error(err)),
            }
        }
    }

    /// Push one record, and wait for room for as long as `timeout` says; `None` is for ever.
    ///
    /// It returns [`Error::Full`] when the time is up.  In a ring that only polls it polls.
    pub fn push_wait(&mut self, record: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        match self.push(record) {
            Err(Error::Full) => {}
            done => return done,
        }
        let deadline = deadline(timeout);
        loop {
            match self.wait_until(self.needs(record.len()), deadline) {
                Ok(()) => {}
                Err(Error::TimedOut) => return Err(Error::Full),
                Err(e @ (Error::Ended | Error::PeerDied | Error::Broken)) => return Err(e),
                Err(_) if is_past(deadline) => return Err(Error::Full),
                Err(_) => yield_now(),
            }
            match self.push(record) {
                Err(Error::Full) => {}
                done => return done,
            }
        }
    }

    /// Have `poll(2)` report this end ready once `bytes` are free, or, if fewer are, `timeout`
    /// after the first are.  Errors: as of
    /// [`Producer::set_watermark`](crate::Producer::set_watermark).
    pub fn set_watermark(&self, bytes: u64, timeout: Option<Duration>) -> Result<(), Error> {
        crate::set_watermark(self.fd.raw(), bytes, timeout)
    }
}

impl fmt::Debug for RecordProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = &self.handle.base;
        f.debug_struct("RecordProducer")
            .field("fd", &self.fd.raw())
            .field("position", &base.pos)
            .field("capacity", &base.capacity)
            .finish()
    }
}

/// Room for one record, a slice to write to; from [`RecordProducer::reserve`].
///
/// Dropping it gives the room back.
pub struct Reservation<'a> {
    producer: &'a mut RecordProducer,
    at: *mut u8,
    length: usize,
    run_end: u64,
}

impl Reservation<'_> {
    /// Publish the record.
    #[inline]
    pub fn commit(self) {
        let length = self.length;
        self.commit_len(length);
    }

    /// Publish the first `length` bytes as the record.
    ///
    /// # Panics
    /// If fewer are reserved.
    #[inline]
    pub fn commit_len(self, length: usize) {
        assert!(length <= self.length, "more than is reserved");
        // what follows leaves nothing reserved, so that the drop has nothing to give back
        let h = &mut self.producer.handle;
        h.base.run_end = self.run_end;
        if length != self.length {
            let was = h.reserved;
            let is = record_size(h.base.stride, length as u64);
            h.first = length as u64;
            if is != was {
                // SAFETY: the last bytes that are reserved
                unsafe {
                    sys::spscring_record_trim(h, h.word.add(is as usize), was - is);
                }
            }
        }
        self.producer.commit();
    }
}

impl Drop for Reservation<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.producer.handle.reserved != 0 {
            self.producer.handle.base.run_end = self.run_end;
            self.producer.discard();
        }
    }
}

impl Deref for Reservation<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: reserved bytes are this end's alone
        unsafe { core::slice::from_raw_parts(self.at, self.length) }
    }
}

impl DerefMut for Reservation<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above
        unsafe { core::slice::from_raw_parts_mut(self.at, self.length) }
    }
}

/// Records that are published together; from [`RecordProducer::batch`].
///
/// Dropping it gives all of them up.
pub struct Batch<'a> {
    producer: &'a mut RecordProducer,
    run_end: u64,
}

impl Batch<'_> {
    /// Reserve room for the next record, to write it in place.
    ///
    /// Errors: as of [`RecordProducer::push`].  [`Error::Full`] also if all records together are
    /// more than the ring can hold.  The records before stay reserved.
    #[inline]
    pub fn reserve(&mut self, length: usize) -> Result<&mut [u8], Error> {
        self.producer.handle.base.run_end = self.run_end;
        let at = self.producer.reserve_next(length);
        self.run_end = self.producer.stop_run();
        // SAFETY: reserved bytes are this end's alone, and each record has its own
        Ok(unsafe { core::slice::from_raw_parts_mut(at?, length) })
    }

    /// Add a record.  Errors: as of [`reserve`](Self::reserve).
    #[inline]
    pub fn push(&mut self, record: &[u8]) -> Result<(), Error> {
        self.reserve(record.len())?.copy_from_slice(record);
        Ok(())
    }

    /// Publish all records.
    #[inline]
    pub fn commit(self) {
        self.producer.handle.base.run_end = self.run_end;
        self.producer.commit();
    }
}

impl Drop for Batch<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.producer.handle.reserved != 0 {
            self.producer.handle.base.run_end = self.run_end;
            self.producer.discard();
        }
    }
}
