// SPDX-License-Identifier: MIT
//! Making rings, and claiming their ends.

use crate::error::{check, Error};
use crate::fd::{impl_as_fd, Fd};
use crate::info::Info;
use crate::{sys, Consumer, Plain, Producer, RecordConsumer, RecordProducer};
use core::marker::PhantomData;

/// One end of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that pushes.
    Producer,
    /// The end that pops.
    Consumer,
}

impl Role {
    fn number(self) -> u32 {
        match self {
            Role::Producer => sys::PRODUCER,
            Role::Consumer => sys::CONSUMER,
        }
    }
}

/// The shape of a ring to make.
///
/// ```
/// # fn main() -> Result<(), spscring::Error> {
/// let ring = spscring::RingBuilder::new(4096).name("ticks").memfd().build::<u64>()?;
/// assert_eq!(ring.info()?.name(), "ticks");
/// # Ok(()) }
/// ```
pub struct RingBuilder {
    want: sys::Create,
    memfd: bool,
}

impl RingBuilder {
    /// A ring of `capacity` elements, or bytes if it is to have records.
    ///
    /// It is one of `/dev/spscring`; in all else it is as `struct spscring_create` of
    /// `<linux/spscring.h>` has it where its fields are 0.
    pub fn new(capacity: u64) -> Self {
        let want = sys::Create {
            size: core::mem::size_of::<sys::Create>() as u32,
            flags: 0,
            capacity,
            element_size: 0,
            align: 0,
            frame_size: 0,
            numa_node: 0,
            type_tag: 0,
            name: [0; sys::NAME_MAX],
            why: 0,
            reserved: 0,
        };
        RingBuilder { want, memfd: false }
    }

    fn flag(mut self, flag: u32) -> Self {
        self.want.flags |= flag;
        self
    }

    /// Make the ring without the module, in a memfd: its ends trust each other, and neither
    /// `poll(2)` nor `read(2)` know it.
    pub fn memfd(mut self) -> Self {
        self.memfd = true;
        self
    }

    /// A name for people and tools: printable ASCII.  What is beyond 31 bytes is cut off.
    pub fn name(mut self, name: &str) -> Self {
        let length = name.len().min(sys::NAME_MAX - 1);
        self.want.name = [0; sys::NAME_MAX];
        self.want.name[..length].copy_from_slice(&name.as_bytes()[..length]);
        self
    }

    /// No end sleeps, or fences: a wait is [`Error::Unsupported`].
    pub fn busy_poll(self) -> Self {
        self.flag(sys::CREATE_BUSY_POLL)
    }

    /// The ends always fence, and the kernel interrupts no CPU before an end sleeps.
    pub fn fence(self) -> Self {
        self.flag(sys::CREATE_FENCE)
    }

    /// Records that find no room are dropped and counted ([`Error::Dropped`]).
    pub fn drop_when_full(self) -> Self {
        self.flag(sys::CREATE_DROP)
    }

    /// The oldest records make room for new ones, even if they were not read.
    pub fn overwrite(self) -> Self {
        self.flag(sys::CREATE_OVERWRITE)
    }

    /// The end of the producer's process, or the last close of its end, is the end of the
    /// stream, as with a pipe.  Otherwise it is a death unless the producer shuts down first.
    pub fn close_ends(self) -> Self {
        self.flag(sys::CREATE_CLOSE_ENDS)
    }

    /// Use this node's memory, one of the caller's cpuset.
    pub fn numa_node(mut self, node: i32) -> Self {
        self.want.numa_node = node;
        self.flag(sys::CREATE_NUMA_NODE)
    }

    /// The size of a frame of elements, in bytes: a power of two.
    pub fn frame_size(mut self, bytes: u32) -> Self {
        self.want.frame_size = bytes;
        self
    }

    /// The alignment of records, in bytes: a power of two, 8 to 4096.
    pub fn align(mut self, bytes: u32) -> Self {
        self.want.align = bytes;
        self
    }

    /// The type tag of a ring of records.  (Elements have that of their type.)
    pub fn type_tag(mut self, tag: u64) -> Self {
        self.want.type_tag = tag;
        self
    }

    fn create(mut self) -> Result<Fd, Error> {
        // SAFETY: want is a valid struct
        let result = unsafe {
            if self.memfd {
                sys::spscring_open_memfd(&mut self.want)
            } else {
                sys::spscring_open(&mut self.want)
            }
        };
        match check(result) {
            // SAFETY: the library has just opened it for this caller
            Ok(fd) => Ok(unsafe { Fd::from_raw(fd) }),
            Err(_) if self.want.why != 0 => Err(Error::Invalid(self.want.why)),
            Err(e) => Err(e),
        }
    }

    /// Make a ring of elements.
    ///
    /// Errors: [`Error::Invalid`] a bad value, and which; [`Error::Os`] see `SPSCRING_CREATE` in
    /// `<linux/spscring.h>`, or one of opening `/dev/spscring`.
    pub fn build<T: Plain>(mut self) -> Result<Ring<T>, Error> {
        crate::element::check_type::<T>();
        self.want.element_size = core::mem::size_of::<T>() as u32;
        self.want.type_tag = T::TYPE_TAG;
        Ok(Ring { fd: self.create()?, element: PhantomData })
    }

    /// Make a ring of records of variable size.  Errors: as of [`build`](Self::build).
    pub fn build_records(mut self) -> Result<RecordRing, Error> {
        let type_tag = self.want.type_tag;
        self.want.flags |= sys::CREATE_RECORDS;
        Ok(RecordRing { fd: self.create()?, type_tag })
    }
}

/// Claim an end.
fn claim(ring: &Fd, role: Role, element_size: u32, type_tag: u64) -> Result<Fd, Error> {
    // SAFETY: a call with numbers
    let fd =
        check(unsafe { sys::spscring_claim(ring.raw(), role.number(), element_size, type_tag) })?;
    // SAFETY: the library has just opened it for this caller
    Ok(unsafe { Fd::from_raw(fd) })
}

/// A ring of elements of type `T`, and the right to claim its ends.
///
/// It may be dropped once both ends are claimed.  While it lives, an end whose holder has died
/// can be claimed again.
pub struct Ring<T: Plain> {
    fd: Fd,
    element: PhantomData<fn(T) -> T>,
}

impl<T: Plain> Ring<T> {
    /// Make a ring of `/dev/spscring` with room for `capacity` elements.
    pub fn new(capacity: u64) -> Result<Self, Error> {
        RingBuilder::new(capacity).build()
    }

    /// Make a ring without the module, see [`RingBuilder::memfd`].
    pub fn memfd(capacity: u64) -> Result<Self, Error> {
        RingBuilder::new(capacity).memfd().build()
    }

    /// Claim and map the producer's end.
    ///
    /// Errors: [`Error::Os`]`(EBUSY)` somebody holds it; [`Error::Ended`] it was shut down;
    /// [`Error::Mismatch`]; [`Error::Broken`]; see `SPSCRING_ENDPOINT` for others.
    pub fn producer(&self) -> Result<Producer<T>, Error> {
        let fd = claim(&self.fd, Role::Producer, core::mem::size_of::<T>() as u32, T::TYPE_TAG)?;
        // SAFETY: a claim gives each end to one holder
        unsafe { Producer::map(fd) }
    }

    /// Claim and map the consumer's end.  Errors: as of [`producer`](Self::producer).
    pub fn consumer(&self) -> Result<Consumer<T>, Error> {
        let fd = claim(&self.fd, Role::Consumer, core::mem::size_of::<T>() as u32, T::TYPE_TAG)?;
        // SAFETY: as above
        unsafe { Consumer::map(fd) }
    }

    /// Claim and map both ends, for two threads.
    pub fn split(&self) -> Result<(Producer<T>, Consumer<T>), Error> {
        Ok((self.producer()?, self.consumer()?))
    }

    /// The ring's state.
    pub fn info(&self) -> Result<Info, Error> {
        Info::of(self.fd.raw())
    }
}

/// A ring of records of variable size, and the right to claim its ends; see [`Ring`].
pub struct RecordRing {
    fd: Fd,
    type_tag: u64,
}

impl RecordRing {
    /// Make a ring of `/dev/spscring` of `bytes` bytes, a multiple of 8.
    ///
    /// A record takes its length and 8 bytes, rounded up to the alignment.
    pub fn new(bytes: u64) -> Result<Self, Error> {
        RingBuilder::new(bytes).build_records()
    }

    /// Make a ring without the module, see [`RingBuilder::memfd`].
    pub fn memfd(bytes: u64) -> Result<Self, Error> {
        RingBuilder::new(bytes).memfd().build_records()
    }

    /// Claim and map the producer's end.  Errors: as of [`Ring::producer`].
    pub fn producer(&self) -> Result<RecordProducer, Error> {
        let fd = claim(&self.fd, Role::Producer, sys::VARIABLE_SIZE, self.type_tag)?;
        // SAFETY: a claim gives each end to one holder
        unsafe { RecordProducer::map(fd, self.type_tag) }
    }

    /// Claim and map the consumer's end.  Errors: as of [`Ring::producer`].
    pub fn consumer(&self) -> Result<RecordConsumer, Error> {
        let fd = claim(&self.fd, Role::Consumer, sys::VARIABLE_SIZE, self.type_tag)?;
        // SAFETY: as above
        unsafe { RecordConsumer::map(fd, self.type_tag) }
    }

    /// Claim and map both ends, for two threads.
    pub fn split(&self) -> Result<(RecordProducer, RecordConsumer), Error> {
        Ok((self.producer()?, self.consumer()?))
    }

    /// The ring's state.
    pub fn info(&self) -> Result<Info, Error> {
        Info::of(self.fd.raw())
    }
}

impl_as_fd!(Ring<T: Plain>);
impl_as_fd!(RecordRing);

#[cfg(feature = "std")]
mod with_std {
    use super::*;
    use std::os::unix::io::OwnedFd;

    impl<T: Plain> Ring<T> {
        /// A ring fd that another program has handed over.
        ///
        /// Whether its elements are of type `T` is found out when an end is claimed.
        pub fn from_fd(fd: OwnedFd) -> Self {
            Ring { fd: fd.into(), element: PhantomData }
        }

        /// Claim an end, to hand it to another process.
        ///
        /// The fd is the permission to be that end: as a child's standard input, say, by
        /// `Command::stdin()`.  Drop the own copy, or the other's death goes unnoticed.
        pub fn claim(&self, role: Role) -> Result<OwnedFd, Error> {
            let size = core::mem::size_of::<T>() as u32;
            Ok(claim(&self.fd, role, size, T::TYPE_TAG)?.into())
        }
    }

    impl RecordRing {
        /// A ring fd that another program has handed over; `type_tag` is what this program
        /// expects of the ring.
        pub fn from_fd(fd: OwnedFd, type_tag: u64) -> Self {
            RecordRing { fd: fd.into(), type_tag }
        }

        /// Claim an end, to hand it to another process; see [`Ring::claim`].
        pub fn claim(&self, role: Role) -> Result<OwnedFd, Error> {
            Ok(claim(&self.fd, role, sys::VARIABLE_SIZE, self.type_tag)?.into())
        }
    }

    impl<T: Plain> From<Ring<T>> for OwnedFd {
        fn from(ring: Ring<T>) -> Self {
            ring.fd.into()
        }
    }

    impl From<RecordRing> for OwnedFd {
        fn from(ring: RecordRing) -> Self {
            ring.fd.into()
        }
    }
}
