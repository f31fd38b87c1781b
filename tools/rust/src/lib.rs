// SPDX-License-Identifier: MIT
//! A ring between exactly one producer and one consumer, in memory that two processes share.
//!
//! The kernel module `spscring` provides the ring (`/dev/spscring`); without it, a ring can be in
//! a memfd.  A push or a pop is a few instructions of Rust on the shared memory, without a system
//! call.  An end that has nothing to do can sleep, and the other one wakes it.
//!
//! ```
//! use spscring::Ring;
//!
//! # fn main() -> Result<(), spscring::Error> {
//! let ring = Ring::<u64>::memfd(4096)?; // or Ring::new(4096), where there is the module
//! let (mut producer, mut consumer) = ring.split()?;
//! std::thread::spawn(move || {
//!     for value in 1..=1_000_000 {
//!         producer.push_wait(value, None).unwrap();
//!     }
//!     producer.shutdown()
//! });
//! let sum: u64 = consumer.iter().map(|value| value.unwrap()).sum();
//! assert_eq!(sum, 500_000_500_000);
//! # Ok(()) }
//! ```
//!
//! # Elements and records
//!
//! A ring of *elements* ([`Ring`], [`Producer`], [`Consumer`]) carries values of one type, which
//! is [`Plain`].  A ring of *records* ([`RecordRing`], [`RecordProducer`], [`RecordConsumer`])
//! carries slices of bytes, each of its own length.
//!
//! # Two processes
//!
//! [`Ring::claim`] returns an fd that is the permission to be one end.  Hand it to another process
//! as its standard input, by inheritance or over a UNIX socket; there, [`Producer::from_fd`] or
//! [`Consumer::from_fd`] maps it.  An end that is dropped without `shutdown()`, or whose process
//! is killed, has died: its peer gets [`Error::PeerDied`], and a holder of the ring can claim the
//! end again, with nothing lost that was published.
//!
//! # What a peer can do
//!
//! A peer in another process is not trusted.  It can send garbage, or nothing; it cannot make
//! this crate read or write other memory, nor use a value that changes while it is used: what it
//! wrote is read once, as atomic or volatile, and copied before it is looked at.  The two ways
//! around the copy, [`ReadChunk::as_slice`] and [`Record::as_slice`], are `unsafe`.  An impossible
//! word is [`Error::Broken`].  (In a memfd, the ends trust each other.)
//!
//! # Threads and signals
//!
//! Each end is `Send` and not `Sync`: it may move to another thread, and one thread at a time uses
//! it.  A signal does not end a wait.  After `fork()` a child must not use an end of its parent's.
//!
//! # Without the standard library
//!
//! Without the feature `std` the crate is `no_std`, and lacks conversions from and to
//! `OwnedFd`, and what returns a `Vec`.  It needs libspscring and the C library in any case.

#![cfg_attr(not(feature = "std"), no_std)]
#![warn(missing_docs)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("spscring serves 64-bit programs only");

mod backoff;
mod consumer;
mod element;
mod error;
mod fd;
mod info;
mod mapping;
mod plain;
mod producer;
mod record_consumer;
mod record_producer;
mod ring;
mod sys;
mod time;

pub use consumer::{Consumer, Iter, ReadChunk};
pub use error::{Error, PopError, PushError};
pub use info::{EndState, Info, SleepCounters};
pub use plain::Plain;
pub use producer::{Producer, WriteChunk};
#[cfg(feature = "std")]
pub use record_consumer::Records;
pub use record_consumer::{Record, RecordConsumer};
pub use record_producer::{Batch, RecordProducer, Reservation};
pub use ring::{RecordRing, Ring, RingBuilder, Role};

/// Set when poll reports an end ready.
fn set_watermark(fd: i32, n: u64, timeout: Option<core::time::Duration>) -> Result<(), Error> {
    let ns = timeout.map_or(0, |t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX));
    // SAFETY: a call with numbers
    error::check(unsafe { sys::spscring_notify(fd, n, ns, -1) }).map(drop)
}
