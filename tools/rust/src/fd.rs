// SPDX-License-Identifier: MIT
//! An fd that closes itself; with `std` it converts from and to the library's own.

use crate::sys;

/// An open file of this process.
#[derive(Debug)]
pub(crate) struct Fd(i32);

impl Fd {
    /// # Safety
    /// `raw` is open, and nobody else closes it.
    pub(crate) unsafe fn from_raw(raw: i32) -> Self {
        Fd(raw)
    }

    pub(crate) fn raw(&self) -> i32 {
        self.0
    }

    #[cfg(feature = "std")]
    pub(crate) fn into_raw(self) -> i32 {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: this is its owner
        unsafe { sys::close(self.0) };
    }
}

#[cfg(feature = "std")]
impl From<std::os::unix::io::OwnedFd> for Fd {
    fn from(fd: std::os::unix::io::OwnedFd) -> Self {
        use std::os::unix::io::IntoRawFd;
        Fd(fd.into_raw_fd())
    }
}

#[cfg(feature = "std")]
impl From<Fd> for std::os::unix::io::OwnedFd {
    fn from(fd: Fd) -> Self {
        use std::os::unix::io::FromRawFd;
        // SAFETY: into_raw() gives the ownership up
        unsafe { Self::from_raw_fd(fd.into_raw()) }
    }
}

/// `AsFd` and `AsRawFd` of a type that has its [`Fd`] in the field `fd`.
macro_rules! impl_as_fd {
    ($name:ident $(<$t:ident: $bound:ident>)?) => {
        #[cfg(feature = "std")]
        impl $(<$t: $bound>)? std::os::unix::io::AsRawFd for $name $(<$t>)? {
            fn as_raw_fd(&self) -> std::os::unix::io::RawFd {
                self.fd.raw()
            }
        }

        #[cfg(feature = "std")]
        impl $(<$t: $bound>)? std::os::unix::io::AsFd for $name $(<$t>)? {
            fn as_fd(&self) -> std::os::unix::io::BorrowedFd<'_> {
                // SAFETY: it stays open for as long as self lives
                unsafe { std::os::unix::io::BorrowedFd::borrow_raw(self.fd.raw()) }
            }
        }
    };
}
pub(crate) use impl_as_fd;
