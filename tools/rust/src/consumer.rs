// SPDX-License-Identifier: MIT
//! The consumer of elements.

use crate::element::{check_layout, check_type, copy, copy_out, end_error};
use crate::error::{check, Error, PopError};
use crate::fd::{impl_as_fd, Fd};
use crate::info::Info;
use crate::mapping::{place, Mapping};
use crate::time::{deadline, is_past, yield_now};
use crate::{backoff, sys, Plain};
use core::fmt;
use core::marker::PhantomData;
use core::mem::size_of;
use core::sync::atomic::Ordering::{Acquire, Release};
use core::time::Duration;

/// The end of a ring of elements that pops.
///
/// It moves to another thread, but only one thread at a time uses it.  When it is dropped without
/// [`shutdown`](Self::shutdown), the producer gets [`Error::PeerDied`] once the ring is full.
///
/// The producer is not trusted: whatever it writes, a pop returns some value of `T`, once, or an
/// error.
///
/// The fd is for `poll(2)`, or to hand the end on.  Do not `read(2)` from it beside this handle:
/// elements would be lost.
#[repr(C, align(128))]
pub struct Consumer<T: Plain> {
    handle: sys::Consumer,
    map: Mapping,
    fd: Fd,
    element: PhantomData<T>,
}

// SAFETY: it owns its mapping, and the kernel does not care which thread calls
unsafe impl<T: Plain> Send for Consumer<T> {}

impl_as_fd!(Consumer<T: Plain>);

impl<T: Plain> Consumer<T> {
    const STRIDE: u64 = size_of::<T>() as u64;

    /// # Safety
    /// As of [`from_fd`](Self::from_fd).
    pub(crate) unsafe fn map(fd: Fd) -> Result<Self, Error> {
        check_type::<T>();
        let (mut handle, mut map) = (place::<sys::Consumer>(), place());
        check(sys::spscring_map_consumer_as(
            fd.raw(),
            handle.as_mut_ptr(),
            size_of::<T>() as u32,
            T::TYPE_TAG,
            map.as_mut_ptr(),
            sys::handle::<sys::Consumer>(),
        ))?;
        // the library has filled both in
        let (handle, map) = (handle.assume_init(), Mapping::new(map.assume_init()));
        check_layout::<T>(handle.base.stride, handle.frame_first)?;
        Ok(Consumer { handle, map, fd, element: PhantomData })
    }

    /// Map an end that another program has claimed and handed over.
    ///
    /// Errors: [`Error::Mismatch`] the ring has no elements of this size, alignment and type tag;
    /// [`Error::Os`] it is not the fd of a consumer's end.
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
        let Consumer { map, fd, .. } = self;
        drop(map);
        fd.into()
    }

    /// Take no more: the producer gets [`Error::Ended`] once the ring is full.  Final.
    pub fn shutdown(mut self) -> Result<(), Error> {
        // SAFETY: the handle is this end's
        check(unsafe { sys::spscring_shutdown_consumer(&mut self.handle) }).map(drop)
    }

    /// The ring's state.
    pub fn info(&self) -> Result<Info, Error> {
        Info::of(self.fd.raw())
    }

    /// How many elements the ring holds; 0 once it is broken.
    pub fn capacity(&self) -> u64 {
        self.handle.base.capacity
    }

    /// How many elements are there.  At least so many pops succeed, unless the producer lies;
    /// a batch that is being pushed may count only in part.
    ///
    /// It reads words that the producer often writes: not a test to make before each pop.
    pub fn slots(&self) -> u64 {
        let h = &self.handle;
        let frame_elements = u64::from(h.frame_elements);
        let frames = (h.base.end as u64 - h.base.data as u64) / u64::from(h.frame_size);
        // SAFETY: the pages are mapped.  (H) pairs with (G)
        let cursor = unsafe { (*h.base.peer).cursor.load(Acquire) };
        let frame = cursor / frame_elements;
        let at = (frame % frames) as usize * h.frame_size as usize;
        // SAFETY: the frame is within the data.  (B) pairs with (A)
        let tail = unsafe { (*h.base.data.add(at).cast::<sys::Word>()).load(Acquire) };
        // the cursor may lag the tail of its frame
        let ahead = tail.wrapping_sub(cursor);
        let end = frame_elements - cursor % frame_elements;
        let there = cursor.wrapping_add(if ahead <= end { ahead } else { 0 });
        let there = there.wrapping_sub(h.base.pos);
        let there = if there <= h.base.capacity { there } else { 0 };
        there.max(h.cached_tail - h.base.pos)
    }

    /// Is nothing there?
    pub fn is_empty(&self) -> bool {
        // SAFETY: the handle is this end's
        unsafe { sys::spscring_has_elements(&self.handle, 1) == 0 }
    }

    /// Has the producer shut down or died?  There may still be elements.  (A system call.)
    pub fn is_abandoned(&self) -> bool {
        Info::of(self.fd.raw()).map_or(false, |info| info.producer().0.has_ended())
    }

    #[cold]
    fn error(&self, result: i32) -> Error {
        let base = &self.handle.base;
        end_error(result, Error::Empty, base.error, base.kernel)
    }

    /// `pos` is at the cached tail: step to the next frame at a frame's end, and refresh the tail.
    #[inline(always)]
    unsafe fn refresh_tail(&mut self) -> i32 {
        let h = &mut self.handle;
        let pos = h.base.pos;
        if pos == h.frame_end {
            let mut frame = h.tail.cast::<u8>().wrapping_add(h.frame_size as usize);
            if frame == h.base.end {
                frame = h.base.data;
            }
            h.tail = frame.cast();
            h.slots = (frame as usize + h.frame_first as usize)
                .wrapping_sub(pos.wrapping_mul(Self::STRIDE) as usize);
            h.frame_end = pos + u64::from(h.frame_elements);
        }
        // (B) pairs with (A)
        let n = (*h.tail).load(Acquire).wrapping_sub(pos);
        if n.wrapping_sub(1) >= h.base.capacity {
            return self.nothing(n);
        }
        if h.base.fails != h.base.waited_fails {
            let came = pos.wrapping_sub(h.base.waited_at);
            backoff::adapt(&mut h.base, came.wrapping_mul(backoff::weight(Self::STRIDE)));
        }
        let tail = pos + n;
        // in a full ring the tail may be of the frame's next lap: then this lap is complete
        h.cached_tail = if tail > h.frame_end { h.frame_end } else { tail };
        0
    }

    /// The tail is `n` from `pos`, which publishes nothing, or is impossible.
    #[inline(always)]
    unsafe fn nothing(&mut self, n: u64) -> i32 {
        let h = &mut self.handle;
        if h.base.error != 0 {
            return h.base.error;
        }
        if n as i64 > 0 {
            return sys::spscring_consumer_broken(h);
        }
        h.base.fails = h.base.fails.wrapping_add(1);
        if h.base.fails % sys::REFRESH_EVERY == 0 || backoff::peer_ended(&h.base) {
            return sys::spscring_empty_status(h);
        }
        -sys::EAGAIN
    }

    #[inline(always)]
    fn next_element(&self) -> *const T {
        let offset = self.handle.base.pos.wrapping_mul(Self::STRIDE);
        self.handle.slots.wrapping_add(offset as usize) as *const T
    }

    /// The caller has read all before `pos`.  Returns `value`.
    #[inline(always)]
    unsafe fn release_to<R>(&mut self, pos: u64, value: R) -> R {
        let base = &mut self.handle.base;
        base.pos = pos;
        // (C) pairs with (D): first read the elements, then store the cursor
        (*base.cursor).store(pos, Release);
        if backoff::has_more_to_do(base, pos) {
            return backoff::after_release(base, pos, value);
        }
        value
    }

    /// Pop one element.
    ///
    /// It does not wait: see [`pop_wait`](Self::pop_wait).
    #[inline(always)]
    pub fn pop(&mut self) -> Result<T, PopError> {
        // SAFETY: an element before the cached tail is in this end's mapping
        unsafe {
            if self.handle.base.pos == self.handle.cached_tail {
                let err = self.refresh_tail();
                if err != 0 {
                    return Err(self.pop_error(err));
                }
            }
            Ok(self.take())
        }
    }

    #[inline(always)]
    unsafe fn take(&mut self) -> T {
        let value = copy_out(self.next_element());
        self.release_to(self.handle.base.pos + 1, value)
    }

    #[inline(always)]
    fn pop_error(&self, err: i32) -> PopError {
        if err == -sys::EAGAIN {
            return PopError::Empty;
        }
        PopError::new(self.error(err))
    }

    /// Pop as many elements as are there and fit.
    ///
    /// Returns how many, at least 1; an error if there is none, and 0 only for no place.
    #[inline]
    pub fn pop_slice(&mut self, elements: &mut [T]) -> Result<usize, PopError> {
        let mut done = 0;
        // SAFETY: as in pop(); the copies are used after the release, which orders them
        unsafe {
            while done < elements.len() {
                let mut some = self.handle.cached_tail - self.handle.base.pos;
                if some == 0 {
                    let err = self.refresh_tail();
                    if err != 0 && done == 0 {
                        return Err(self.pop_error(err));
                    }
                    if err != 0 {
                        break;
                    }
                    some = self.handle.cached_tail - self.handle.base.pos;
                }
                let some = (some as usize).min(elements.len() - done);
                copy(self.next_element(), elements.as_mut_ptr().add(done), some);
                self.handle.base.pos += some as u64;
                done += some;
            }
            self.release_to(self.handle.base.pos, ());
        }
        Ok(done)
    }

    /// Find up to `n` elements, to read in place.
    ///
    /// They are in one frame, so there may be fewer than `n` even if more are there; there is at
    /// least one, unless `n` is 0.  They stay in the ring until they are released.
    #[inline]
    pub fn read_chunk(&mut self, n: usize) -> Result<ReadChunk<'_, T>, PopError> {
        if self.handle.base.pos == self.handle.cached_tail {
            // SAFETY: the handle is this end's
            let err = unsafe { self.refresh_tail() };
            if err != 0 {
                return Err(self.pop_error(err));
            }
        }
        let there = (self.handle.cached_tail - self.handle.base.pos) as usize;
        Ok(ReadChunk { n: n.min(there), consumer: self })
    }

    /// Copy the next element, and leave it in the ring.
    #[inline]
    pub fn peek(&mut self) -> Result<T, PopError> {
        let chunk = self.read_chunk(1)?;
        // SAFETY: as in pop()
        Ok(unsafe { copy_out(chunk.as_ptr()) })
    }

    /// Spin for as long as it is wise to between two tries to pop.
    ///
    /// Where elements stream, a poll too many takes the cache line that is being filled from the
    /// producer.
    pub fn backoff(&self) {
        backoff::spin(&self.handle.base);
    }

    /// Wait until `n` elements are there, for as long as `timeout` says; `None` is for ever.
    ///
    /// It polls for a short time, then sleeps.  It also returns when fewer are there, but not
    /// none, and no more can come; see "Sleep" in `<linux/spscring.h>`.
    ///
    /// Errors: [`Error::TimedOut`]; [`Error::Ended`], [`Error::PeerDied`] and [`Error::Broken`],
    /// if so many will not come; [`Error::Unsupported`] a ring that only polls;
    /// [`Error::Os`]`(EINVAL)` `n` is 0 or more than the capacity.
    pub fn wait_elements(&mut self, n: u64, timeout: Option<Duration>) -> Result<(), Error> {
        self.wait_until(n, deadline(timeout))
    }

    fn wait_until(&mut self, n: u64, deadline: i64) -> Result<(), Error> {
        loop {
            // SAFETY: the handle is this end's
            match unsafe { sys::spscring_wait_elements(&mut self.handle, n, deadline) } {
                0 => return Ok(()),
                err if err == -sys::EINTR => continue,
                err => return Err(self.error(err)),
            }
        }
    }

    /// Pop one element, and wait for it for as long as `timeout` says; `None` is for ever.
    ///
    /// It returns [`PopError::Empty`] when the time is up.  In a ring that only polls it polls.
    pub fn pop_wait(&mut self, timeout: Option<Duration>) -> Result<T, PopError> {
        match self.pop() {
            Err(PopError::Empty) => {}
            done => return done,
        }
        let deadline = deadline(timeout);
        loop {
            match self.wait_until(1, deadline) {
                Ok(()) => {}
                Err(Error::TimedOut) => return Err(PopError::Empty),
                Err(e @ (Error::Ended | Error::PeerDied | Error::Broken)) => {
                    return Err(PopError::new(e))
                }
                Err(_) if is_past(deadline) => return Err(PopError::Empty),
                Err(_) => yield_now(),
            }
            match self.pop() {
                Err(PopError::Empty) => {}
                done => return done,
            }
        }
    }

    /// The elements that are there, without waiting for more.
    pub fn try_iter(&mut self) -> impl Iterator<Item = T> + '_ {
        core::iter::from_fn(move || self.pop().ok())
    }

    /// All elements to come, until the stream ends; it waits for each.
    ///
    /// An error other than [`PopError::Ended`] is the last item.
    pub fn iter(&mut self) -> Iter<'_, T> {
        Iter { consumer: self, ended: false }
    }

    /// Have `poll(2)` report this end ready once `n` elements are there, or, if fewer are,
    /// `timeout` after the first is.  Errors: [`Error::Unsupported`] a ring that has no poll; or
    /// as of `SPSCRING_NOTIFY` in `<linux/spscring.h>`.
    pub fn set_watermark(&self, n: u64, timeout: Option<Duration>) -> Result<(), Error> {
        crate::set_watermark(self.fd.raw(), n, timeout)
    }
}

impl<T: Plain> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = &self.handle.base;
        f.debug_struct("Consumer")
            .field("fd", &self.fd.raw())
            .field("position", &base.pos)
            .field("capacity", &base.capacity)
            .finish()
    }
}

/// All elements until the stream ends; from [`Consumer::iter`].
pub struct Iter<'a, T: Plain> {
    consumer: &'a mut Consumer<T>,
    ended: bool,
}

impl<T: Plain> Iterator for Iter<'_, T> {
    type Item = Result<T, PopError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.consumer.pop_wait(None);
        self.ended = next.is_err();
        match next {
            Err(PopError::Ended) => None,
            next => Some(next),
        }
    }
}

/// Elements that are in the ring, to read in place; from [`Consumer::read_chunk`].
///
/// The producer's process can write this memory at any time, so the safe ways to read it copy.
/// What is not released stays in the ring.
pub struct ReadChunk<'a, T: Plain> {
    consumer: &'a mut Consumer<T>,
    n: usize,
}

impl<T: Plain> ReadChunk<'_, T> {
    /// How many elements there are.
    #[inline]
    #[allow(clippy::len_without_is_empty)] // it has at least one
    pub fn len(&self) -> usize {
        self.n
    }

    /// The first element, aligned; the others follow without gaps.
    #[inline]
    pub fn as_ptr(&self) -> *const T {
        self.consumer.next_element()
    }

    /// A copy of one element; `None` beyond the last.
    #[inline]
    pub fn get(&self, i: usize) -> Option<T> {
        // SAFETY: as in pop()
        (i < self.n).then(|| unsafe { copy_out(self.as_ptr().add(i)) })
    }

    /// A copy of each element.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        // SAFETY: as in pop()
        (0..self.n).map(move |i| unsafe { copy_out(self.as_ptr().add(i)) })
    }

    /// The elements, without a copy.
    ///
    /// # Safety
    /// The producer is trusted: neither its process nor any other that maps its end writes
    /// elements that are published and not released.
    #[inline]
    pub unsafe fn as_slice(&self) -> &[T] {
        core::slice::from_raw_parts(self.as_ptr(), self.n)
    }

    /// Release the first `n` elements.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    #[inline]
    pub fn release(self, n: usize) {
        assert!(n <= self.n, "more than is there");
        if n > 0 {
            let pos = self.consumer.handle.base.pos + n as u64;
            // SAFETY: all before pos is in the chunk
            unsafe { self.consumer.release_to(pos, ()) };
        }
    }

    /// Release all elements.
    #[inline]
    pub fn release_all(self) {
        let n = self.n;
        self.release(n);
    }
}
