// SPDX-License-Identifier: MIT
//! The pages of an end, unmapped when it is dropped.

use crate::sys;

pub(crate) struct Mapping(sys::Mapping);

impl Mapping {
    /// # Safety
    /// The library has mapped it, and nobody else unmaps it.
    pub(crate) unsafe fn new(map: sys::Mapping) -> Self {
        Mapping(map)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is its owner, and the handle goes with it
        unsafe { sys::spscring_unmap(&self.0) };
    }
}

/// A place for a result of the library.
pub(crate) fn place<T>() -> core::mem::MaybeUninit<T> {
    core::mem::MaybeUninit::zeroed()
}
