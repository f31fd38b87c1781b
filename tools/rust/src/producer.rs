// SPDX-License-Identifier: MIT
//! The producer of elements.

use crate::element::prefetch_for_write;
use crate::element::{check_layout, check_type, copy, end_error, event_reached};
use crate::error::{check, Error, PushError};
use crate::fd::{impl_as_fd, Fd};
use crate::info::Info;
use crate::mapping::{place, Mapping};
use crate::time::{deadline, is_past, yield_now};
use crate::{sys, Plain};
use core::fmt;
use core::marker::PhantomData;
use core::mem::size_of;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering::{Acquire, Release};
use core::time::Duration;

/// The end of a ring of elements that pushes.
///
/// It moves to another thread, but only one thread at a time uses it.  When it is dropped without
/// [`shutdown`](Self::shutdown), the consumer takes what is left and then gets
/// [`Error::PeerDied`], unless the ring was made with
/// [`close_ends`](crate::RingBuilder::close_ends).
///
/// The fd is for `poll(2)`, or to hand the end on.  Do not `write(2)` to it beside this handle:
/// elements would be lost.
#[repr(C, align(128))]
pub struct Producer<T: Plain> {
    handle: sys::Producer,
    map: Mapping,
    fd: Fd,
    element: PhantomData<T>,
}

// SAFETY: it owns its mapping, and the kernel does not care which thread calls
unsafe impl<T: Plain> Send for Producer<T> {}

impl_as_fd!(Producer<T: Plain>);

impl<T: Plain> Producer<T> {
    const STRIDE: u64 = size_of::<T>() as u64;

    /// # Safety
    /// As of [`from_fd`](Self::from_fd).
    pub(crate) unsafe fn map(fd: Fd) -> Result<Self, Error> {
        check_type::<T>();
        let (mut handle, mut map) = (place::<sys::Producer>(), place());
        check(sys::spscring_map_producer_as(
            fd.raw(),
            handle.as_mut_ptr(),
            size_of::<T>() as u32,
            T::TYPE_TAG,
            map.as_mut_ptr(),
            sys::handle::<sys::Producer>(),
        ))?;
        // the library has filled both in
        let (handle, map) = (handle.assume_init(), Mapping::new(map.assume_init()));
        check_layout::<T>(handle.base.stride, handle.frame_first)?;
        Ok(Producer { handle, map, fd, element: PhantomData })
    }

    /// Map an end that another program has claimed and handed over.
    ///
    /// Errors: [`Error::Mismatch`] the ring has no elements of this size, alignment and type tag;
    /// [`Error::Os`] it is not the fd of a producer's end.
    ///
    /// # Safety
    /// No other handle, in this process or another, is in use for this end while this one is.
    #[cfg(feature = "std")]
    pub unsafe fn from_fd(fd: std::os::unix::io::OwnedFd) -> Result<Self, Error> {
        Self::map(fd.into())
    }

    /// Unmap the end without letting go of it, to hand it to another process.
    #[cfg(feature = "std")]
    pub fn into_fd(self) -> std::os::unix::io::OwnedFd {
        let Producer { map, fd, .. } = self;
        drop(map);
        fd.into()
    }

    /// End the stream: the consumer takes what is left, then gets [`Error::Ended`].  Final.
    pub fn shutdown(mut self) -> Result<(), Error> {
        // SAFETY: the handle is this end's
        check(unsafe { sys::spscring_shutdown_producer(&mut self.handle) }).map(drop)
    }

    /// The ring's state.
    pub fn info(&self) -> Result<Info, Error> {
        Info::of(self.fd.raw())
    }

    /// How many elements the ring holds.
    pub fn capacity(&self) -> u64 {
        self.handle.base.capacity
    }

    /// How many slots are free.  At least so many pushes succeed.
    ///
    /// It reads a word that the consumer often writes: not a test to make before each push.
    pub fn slots(&self) -> u64 {
        let base = &self.handle.base;
        // SAFETY: the pages are mapped.  (D) pairs with (C)
        let head = unsafe { (*base.peer_cursor).load(Acquire) };
        let used = base.pos.wrapping_sub(head);
        // a consumer that lies may store a head beyond pos
        base.capacity.saturating_sub(used)
    }

    /// Is no slot free?  As [`slots`](Self::slots).
    pub fn is_full(&self) -> bool {
        self.slots() == 0
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

    #[inline(always)]
    fn frame_after(&self, tail: *mut sys::Word, first: u64) -> sys::Frame {
        let h = &self.handle;
        let mut frame = tail.cast::<u8>().wrapping_add(h.frame_size as usize);
        if frame == h.base.end {
            frame = h.base.data;
        }
        let slots = (frame as usize + h.frame_first as usize)
            .wrapping_sub(first.wrapping_mul(Self::STRIDE) as usize);
        sys::Frame { tail: frame.cast(), slots }
    }

    /// The slot of `pos`, which is in the frame.
    #[inline(always)]
    fn slot(at: sys::Frame, pos: u64) -> *mut T {
        at.slots.wrapping_add(pos.wrapping_mul(Self::STRIDE) as usize) as *mut T
    }

    /// The address after the last slot of a frame.
    #[inline(always)]
    fn frame_last(&self, at: sys::Frame) -> usize {
        at.tail as usize + self.handle.frame_last as usize
    }

    /// The run is used up: go on in the next frame, or refresh the head, or both.
    #[inline]
    unsafe fn next_run(&mut self) -> i32 {
        let pos = self.handle.base.pos;
        // (G) pairs with (H): every tail, then the cursor
        (*self.handle.base.cursor).store(pos, Release);
        if pos == self.handle.base.cached_limit {
            let err =
                sys::spscring_refresh_head((&mut self.handle as *mut sys::Producer).cast(), 1);
            if err != 0 {
                return err;
            }
        }
        let at = self.handle.frame;
        let left = self.frame_last(at).wrapping_sub(Self::slot(at, pos) as usize);
        let frame_end = if left == 0 {
            let at = self.frame_after(at.tail, pos);
            self.handle.frame = at;
            // (A): publishes nothing, but fetches the line before the element needs it
            (*at.tail).store(pos, Release);
            pos + u64::from(self.handle.frame_elements)
        } else {
            pos + left as u64 / Self::STRIDE
        };
        let limit = self.handle.base.cached_limit;
        let beyond = (limit.wrapping_sub(frame_end) as i64) < 0;
        self.handle.base.run_end = if beyond { limit } else { frame_end };
        0
    }

    /// Publish the elements of this frame that are before `pos`.
    #[inline(always)]
    unsafe fn publish(&mut self, pos: u64) {
        self.handle.base.pos = pos;
        // (A) pairs with (B): first the elements, then the tail that publishes them
        (*self.handle.frame.tail).store(pos, Release);
        self.after_publish(pos);
    }

    #[inline(always)]
    unsafe fn after_publish(&mut self, pos: u64) {
        if event_reached(self.handle.base.event, pos) {
            self.wake(pos);
        }
    }

    /// Out of line, so that the hot path of a push saves no registers.
    #[cold]
    #[inline(never)]
    unsafe fn wake(&mut self, pos: u64) {
        sys::spscring_wake_consumer((&mut self.handle as *mut sys::Producer).cast(), pos);
    }

    /// Push one element.
    ///
    /// It does not wait: see [`push_wait`](Self::push_wait).
    #[inline(always)]
    pub fn push(&mut self, value: T) -> Result<(), PushError<T>> {
        if self.handle.base.pos == self.handle.base.run_end {
            return self.push_slow(value);
        }
        // SAFETY: a slot before run_end is free, and in this end's writable mapping
        unsafe { self.put(value) };
        Ok(())
    }

    #[inline(never)]
    fn push_slow(&mut self, value: T) -> Result<(), PushError<T>> {
        // SAFETY: as above, once next_run() succeeds
        unsafe {
            let err = self.next_run();
            if err != 0 {
                return Err(PushError::new(self.error(err), value));
            }
            self.put(value);
        }
        Ok(())
    }

    #[inline(always)]
    unsafe fn put(&mut self, value: T) {
        let pos = self.handle.base.pos;
        Self::slot(self.handle.frame, pos).write(value);
        self.publish(pos + 1);
    }

    /// Push as many elements as there is room for.
    ///
    /// Returns how many, at least 1; an error if there is room for none, and 0 only for none.
    #[inline]
    pub fn push_slice(&mut self, elements: &[T]) -> Result<usize, Error> {
        let mut rest = elements;
        // a local copy: a store to the handle would come between the stores to the ring's lines
        let mut at = self.handle.frame;
        let (mut pos, mut stop) = (self.handle.base.pos, self.handle.base.run_end);
        let frame = u64::from(self.handle.frame_elements);
        // SAFETY: slots before stop are free, and in this end's writable mapping
        unsafe {
            while !rest.is_empty() {
                if pos == stop
                    && self.handle.base.cached_limit.wrapping_sub(pos) >= frame
                    && Self::slot(at, pos) as usize == self.frame_last(at)
                {
                    // a whole frame is free: neither refresh the head nor store the cursor
                    at = self.frame_after(at.tail, pos);
                    self.prefetch_ahead(at, pos);
                    stop = pos + frame;
                } else if pos == stop {
                    self.handle.frame = at;
                    self.handle.base.pos = pos;
                    let err = self.next_run();
                    if err != 0 && rest.len() == elements.len() {
                        return Err(self.error(err));
                    }
                    if err != 0 {
                        break;
                    }
                    at = self.handle.frame;
                    stop = self.handle.base.run_end;
                }
                let some = rest.len().min((stop - pos) as usize);
                copy(rest.as_ptr(), Self::slot(at, pos), some);
                pos += some as u64;
                // (A) pairs with (B)
                (*at.tail).store(pos, Release);
                rest = &rest[some..];
            }
            if at.slots != self.handle.frame.slots {
                // (G) pairs with (H)
                (*self.handle.base.cursor).store(pos, Release);
            }
            self.handle.frame = at;
            self.handle.base.pos = pos;
            self.handle.base.run_end = stop;
            if rest.len() != elements.len() {
                self.after_publish(pos);
            }
        }
        Ok(elements.len() - rest.len())
    }

    /// When a batch enters a frame, prefetch the first line of a later one, if that is free and
    /// before the end of the data: otherwise the prefetch takes a line that the consumer reads.
    #[inline(always)]
    fn prefetch_ahead(&self, at: sys::Frame, pos: u64) {
        let h = &self.handle;
        let bytes = sys::PREFETCH_FRAMES * h.frame_size as usize;
        let elements = (sys::PREFETCH_FRAMES as u64 + 1) * u64::from(h.frame_elements);
        let left = h.base.end as usize - at.tail as usize;
        if bytes < left && h.base.cached_limit.wrapping_sub(pos) >= elements {
            prefetch_for_write(at.tail.cast::<u8>().wrapping_add(bytes));
        }
    }

    /// Reserve up to `n` slots, to write elements in place.
    ///
    /// The slots are in one frame, so there may be fewer than `n` even if more are free; there
    /// is at least one, unless `n` is 0.  They keep what they had before.
    #[inline]
    pub fn write_chunk(&mut self, n: usize) -> Result<WriteChunk<'_, T>, Error> {
        let pos = self.handle.base.pos;
        if pos == self.handle.base.run_end {
            // SAFETY: the handle is this end's
            let err = unsafe { self.next_run() };
            if err != 0 {
                return Err(self.error(err));
            }
        }
        let left = (self.handle.base.run_end - pos) as usize;
        Ok(WriteChunk { n: n.min(left), producer: self })
    }

    /// Wait until `n` slots are free, for as long as `timeout` says; `None` is for ever.
    ///
    /// It polls for a short time, then sleeps.
    ///
    /// Errors: [`Error::TimedOut`]; [`Error::Ended`], [`Error::PeerDied`] and [`Error::Broken`],
    /// if so many will not be free; [`Error::Unsupported`] a ring that only polls;
    /// [`Error::Os`]`(EINVAL)` `n` is 0 or more than the capacity.
    pub fn wait_room(&mut self, n: u64, timeout: Option<Duration>) -> Result<(), Error> {
        self.wait_until(n, deadline(timeout))
    }

    fn wait_until(&mut self, n: u64, deadline: i64) -> Result<(), Error> {
        loop {
            // SAFETY: the handle is this end's
            match unsafe { sys::spscring_wait_room(&mut self.handle, n, deadline) } {
                0 => return Ok(()),
                err if err == -sys::EINTR => continue,
                err => return Err(self.error(err)),
            }
        }
    }

    /// Push one element, and wait for room for as long as `timeout` says; `None` is for ever.
    ///
    /// It returns [`PushError::Full`] when the time is up.  In a ring that only polls it polls.
    pub fn push_wait(&mut self, value: T, timeout: Option<Duration>) -> Result<(), PushError<T>> {
        match self.push(value) {
            Err(PushError::Full(_)) => {}
            done => return done,
        }
        let deadline = deadline(timeout);
        loop {
            match self.wait_until(1, deadline) {
                Ok(()) => {}
                Err(Error::TimedOut) => return Err(PushError::Full(value)),
                Err(e @ (Error::Ended | Error::PeerDied | Error::Broken)) => {
                    return Err(PushError::new(e, value))
                }
                Err(_) if is_past(deadline) => return Err(PushError::Full(value)),
                Err(_) => yield_now(),
            }
            match self.push(value) {
                Err(PushError::Full(_)) => {}
                done => return done,
            }
        }
    }

    /// Have `poll(2)` report this end ready once `n` slots are free, or, if fewer are, `timeout`
    /// after the first is.  Errors: [`Error::Unsupported`] a ring that has no poll; or as of
    /// `SPSCRING_NOTIFY` in `<linux/spscring.h>`.
    pub fn set_watermark(&self, n: u64, timeout: Option<Duration>) -> Result<(), Error> {
        crate::set_watermark(self.fd.raw(), n, timeout)
    }
}

impl<T: Plain> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = &self.handle.base;
        f.debug_struct("Producer")
            .field("fd", &self.fd.raw())
            .field("position", &base.pos)
            .field("capacity", &base.capacity)
            .finish()
    }
}

/// Reserved slots, a slice to write to; from [`Producer::write_chunk`].
///
/// What is not committed is not published, and will be reserved again.
pub struct WriteChunk<'a, T: Plain> {
    producer: &'a mut Producer<T>,
    n: usize,
}

impl<T: Plain> WriteChunk<'_, T> {
    fn first(&self) -> *mut T {
        let h = &self.producer.handle;
        Producer::slot(h.frame, h.base.pos)
    }

    /// Publish the first `n` slots.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    #[inline]
    pub fn commit(self, n: usize) {
        assert!(n <= self.n, "more than is reserved");
        if n > 0 {
            let pos = self.producer.handle.base.pos + n as u64;
            // SAFETY: the slots are plain data, so they are valid elements
            unsafe { self.producer.publish(pos) };
        }
    }

    /// Publish all slots.
    #[inline]
    pub fn commit_all(self) {
        let n = self.n;
        self.commit(n);
    }

    /// Write elements of an iterator until the slots or the elements run out, and publish them.
    /// Returns how many.
    #[inline]
    pub fn fill_from_iter(mut self, elements: impl IntoIterator<Item = T>) -> usize {
        let mut n = 0;
        for (slot, element) in self.iter_mut().zip(elements) {
            *slot = element;
            n += 1;
        }
        self.commit(n);
        n
    }
}

impl<T: Plain> Deref for WriteChunk<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: reserved slots are this end's alone, and plain data are always valid
        unsafe { core::slice::from_raw_parts(self.first(), self.n) }
    }
}

impl<T: Plain> DerefMut for WriteChunk<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above
        unsafe { core::slice::from_raw_parts_mut(self.first(), self.n) }
    }
}
