// SPDX-License-Identifier: MIT
//! Which types may travel through a ring.

/// A type whose bytes may come from another process.
///
/// # Safety
/// - Each pattern of bits of its size is a valid value: no `bool`, `char`, reference, or enum.
/// - It has no padding, as the peer would see what memory held there.
/// - A value means the same in each process: no pointers, indices only if they are checked.
/// - It has at least one byte and at most 65536, and its alignment is at most 64.  (Types beyond
///   these bounds do not compile.)
pub unsafe trait Plain: Copy + Send + 'static {
    /// The ring's type tag: a claim and a mapping are refused ([`Error::Mismatch`]) if the ring
    /// was made with another.  Choose a number of your own for a type of your own.
    ///
    /// [`Error::Mismatch`]: crate::Error::Mismatch
    const TYPE_TAG: u64 = 0;
}

macro_rules! plain {
    ($($t:ty)*) => { $(
        // SAFETY: numbers
        unsafe impl Plain for $t {}
    )* };
}
plain!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);

// SAFETY: an array is as plain as its elements, and has no gaps
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
