// SPDX-License-Identifier: MIT
//! What both ends of elements share: which types fit, and the hot path's small pieces.

use crate::error::Error;
use crate::{sys, Plain};
use core::mem::{align_of, size_of, MaybeUninit};
use core::sync::atomic::{compiler_fence, AtomicU64, Ordering};

/// Types that no ring can have do not compile.
struct Fits<T>(T);

impl<T> Fits<T> {
    const CHECK: () = assert!(
        size_of::<T>() > 0
            && size_of::<T>() <= sys::ELEMENT_MAX
            && align_of::<T>() <= sys::ALIGN_MAX,
        "an element has 1 to 65536 bytes, and an alignment of at most 64"
    );
}

pub(crate) const fn check_type<T: Plain>() {
    Fits::<T>::CHECK
}

/// Are slots at a distance of `stride`, from `first` in a frame on, an array of `T`?
pub(crate) fn check_layout<T: Plain>(stride: u32, first: u32) -> Result<(), Error> {
    if stride as usize == size_of::<T>() && first as usize % align_of::<T>() == 0 {
        return Ok(());
    }
    Err(Error::Mismatch)
}

/// Has `pos` reached the peer's event index, or is the fence bit set?  The bit is the sign, and
/// makes the index less than any position.
///
/// # Safety
/// `event` is the word of a mapped ring.
#[inline(always)]
pub(crate) unsafe fn event_reached(event: *const AtomicU64, pos: u64) -> bool {
    // as spscring_barrier(): the publish stays before the load
    compiler_fence(Ordering::SeqCst);
    pos as i64 >= (*event).load(Ordering::Relaxed) as i64
}

/// Ask for a line that will be written, as `spscring_prefetchw()`.
#[inline(always)]
pub(crate) fn prefetch_for_write(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is harmless
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Copy `n` elements from or to one frame.
///
/// Seven elements of 8 bytes fill a frame of one cache line: a batch of such copies mostly whole
/// frames, so these take neither a loop nor a call.
///
/// # Safety
/// Both places are valid for `n` elements, and apart.  The source may be memory that a peer
/// writes: the caller has an ordering between this and any use of the copy.
#[inline(always)]
pub(crate) unsafe fn copy<T: Plain>(from: *const T, to: *mut T, n: usize) {
    if size_of::<T>() == 8 && align_of::<T>() == 8 {
        if n == 7 {
            core::ptr::copy_nonoverlapping(from, to, 7);
        } else {
            // as volatile, or the compiler makes a call of it
            for i in 0..n {
                let value = from.add(i).cast::<u64>().read_volatile();
                to.add(i).cast::<u64>().write(value);
            }
        }
    } else {
        core::ptr::copy_nonoverlapping(from, to, n);
    }
}

/// A copy of an element that a peer may be writing: each byte is read once.
///
/// Any bytes are a value of `T`.  One that fits a register is read as a volatile number; slots of
/// 1, 2, 4 or 8 bytes are aligned to their size.  What uses a larger one comes after the fence, so
/// the compiler cannot read the slot again instead of the copy.
///
/// # Safety
/// `at` is the slot of an element, mapped for reading.
#[inline(always)]
pub(crate) unsafe fn copy_out<T: Plain>(at: *const T) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    let to = value.as_mut_ptr();
    match size_of::<T>() {
        1 => to.cast::<u8>().write_unaligned(at.cast::<u8>().read_volatile()),
        2 => to.cast::<u16>().write_unaligned(at.cast::<u16>().read_volatile()),
        4 => to.cast::<u32>().write_unaligned(at.cast::<u32>().read_volatile()),
        8 => to.cast::<u64>().write_unaligned(at.cast::<u64>().read_volatile()),
        _ => {
            core::ptr::copy_nonoverlapping(at, to, 1);
            compiler_fence(Ordering::SeqCst);
        }
    }
    value.assume_init()
}

/// The error of a result of the library, for the end whose handle has `error` and whose kernel's
/// block is `kernel`.  `again`: what EAGAIN means there.
#[cold]
pub(crate) fn end_error(
    result: i32,
    again: Error,
    error: i32,
    kernel: *const sys::KernelBlock,
) -> Error {
    match -result {
        sys::EAGAIN => again,
        // SAFETY: the handle's pages are mapped
        sys::EPIPE if error == 0 && unsafe { (*kernel).broken.load(Ordering::Relaxed) } == 0 => {
            Error::PeerDied
        }
        sys::ENOBUFS => Error::Dropped,
        sys::EBUSY => Error::Busy,
        _ => Error::from_errno(result),
    }
}
