// SPDX-License-Identifier: MIT
//! What the tests share: where the ring is, numbers to draw, pages to lie in.
#![allow(dead_code)]

use spscring::{Plain, RingBuilder, SleepCounters};
use std::os::unix::io::{AsRawFd, BorrowedFd};

/// A ring of the device if `SPSCRING_TEST_DEVICE` is set, or else in a memfd.
pub fn builder(capacity: u64) -> RingBuilder {
    let builder = RingBuilder::new(capacity).name("rust test");
    if on_device() {
        builder
    } else {
        builder.memfd()
    }
}

/// Is the ring of [`builder`] the device's?
pub fn on_device() -> bool {
    std::env::var_os("SPSCRING_TEST_DEVICE").is_some()
}

/// How many messages a long test moves.
pub fn messages() -> u64 {
    let text = std::env::var("SPSCRING_MESSAGES").unwrap_or_default();
    if text.is_empty() {
        1_000_000
    } else {
        text.parse().expect("SPSCRING_MESSAGES")
    }
}

/// Call `act` each time that an end has gone to sleep, until some of the calls have kicked it.
///
/// An end that is about to sleep may still find what `act` did by itself, but not most times.  One
/// call in some sixty takes the slow path, which is the library's: so many kicks are not enough.
pub fn until_kicked(counters: impl Fn() -> SleepCounters, mut act: impl FnMut()) {
    let mut slept = 0;
    for _ in 0..1000 {
        while counters().sleeps == slept {
            std::thread::yield_now();
        }
        slept = counters().sleeps;
        act();
        if counters().kicks >= 20 {
            return;
        }
    }
    panic!("too few kicks");
}

/// A type that a test can number.
pub trait Value: Plain + PartialEq + std::fmt::Debug {
    fn number(n: u64) -> Self;
}

impl Value for u8 {
    fn number(n: u64) -> Self {
        n as u8
    }
}

impl Value for u64 {
    fn number(n: u64) -> Self {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl<const N: usize> Value for [u8; N] {
    fn number(n: u64) -> Self {
        let mut value = [0; N];
        for (i, byte) in value.iter_mut().enumerate() {
            *byte = n.wrapping_mul(31).wrapping_add(i as u64) as u8;
        }
        value
    }
}

/// Numbers that look random, and are the same in each run.
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// The bytes of a record.
pub fn record(n: u64, length: usize) -> Vec<u8> {
    (0..length).map(|i| (n as usize * 7 + i * 3 + 1) as u8).collect()
}

#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

extern "C" {
    fn poll(fds: *mut PollFd, n: u64, timeout: i32) -> i32;
}

pub const POLLIN: i16 = 1;
pub const POLLOUT: i16 = 4;

/// What `poll(2)` reports of these events, within so many ms; -1 is for ever.
pub fn poll_for(fd: BorrowedFd<'_>, events: i16, timeout: i32) -> i16 {
    let mut fds = PollFd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one struct, which is valid
    assert!(unsafe { poll(&mut fds, 1, timeout) } >= 0);
    fds.revents
}

const PROT_READ: i32 = 1;
const PROT_WRITE: i32 = 2;
const MAP_SHARED: i32 = 1;
const PAGE: usize = 4096;

extern "C" {
    fn mmap(at: *mut u8, size: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut u8;
}

/// Pages of a ring, mapped until the process ends.
fn map(fd: BorrowedFd<'_>, prot: i32, from: usize, pages: usize) -> *mut u8 {
    let fd = fd.as_raw_fd();
    // SAFETY: a new mapping, wherever the kernel chooses
    let at = unsafe {
        mmap(std::ptr::null_mut(), pages * PAGE, prot, MAP_SHARED, fd, (from * PAGE) as i64)
    };
    assert!(at as isize != -1, "mmap: {}", std::io::Error::last_os_error());
    at
}

/// What an end that lies can write, as words.
pub struct Liar {
    block: *mut u64,
    data: *mut u64,
}

// SAFETY: the words are written as volatile, and only tests of lies read them
unsafe impl Send for Liar {}

impl Liar {
    /// The geometry's `colour`, in bytes: where control blocks are in their pages.
    fn colour(fd: BorrowedFd<'_>) -> usize {
        let info = map(fd, PROT_READ, 1, 1);
        // SAFETY: struct spscring_info_page begins with a u64, then the geometry
        unsafe { info.add(8 + 100).cast::<u32>().read() as usize }
    }

    pub fn producer(end: BorrowedFd<'_>) -> Self {
        let colour = Self::colour(end);
        let page = map(end, PROT_READ | PROT_WRITE, 2, 2);
        // SAFETY: both are within the mapping
        unsafe { Liar { block: page.add(colour).cast(), data: page.add(PAGE).cast() } }
    }

    pub fn consumer(end: BorrowedFd<'_>) -> Self {
        let colour = Self::colour(end);
        let page = map(end, PROT_READ | PROT_WRITE, 0, 1);
        // SAFETY: as above
        unsafe { Liar { block: page.add(colour).cast(), data: std::ptr::null_mut() } }
    }

    /// Write the word `i` of the control block.
    pub fn block(&self, i: usize, value: u64) {
        assert!(i < 24);
        // SAFETY: the block has 24 words
        unsafe { self.block.add(i).write_volatile(value) }
    }

    /// Write the word `i` of the data's first page.
    pub fn data(&self, i: usize, value: u64) {
        assert!(i < PAGE / 8 && !self.data.is_null());
        // SAFETY: within the page
        unsafe { self.data.add(i).write_volatile(value) }
    }
}
