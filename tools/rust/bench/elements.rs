// SPDX-License-Identifier: MIT
//! One side of the comparison that `bench/run` makes: as `elements.c`, in Rust.
//!
//!     elements TEST MESSAGES
//!
//! prints the ns that a message took.

use spscring::{Error, PopError, PushError, RecordRing, Ring, RingBuilder};
use std::hint::spin_loop;

const CAPACITY: u64 = 4096;
const BATCH: usize = 64;

fn ring() -> Ring<u64> {
    let b = RingBuilder::new(CAPACITY).busy_poll();
    let device = std::env::var_os("SPSCRING_BENCH_DEVICE").is_some();
    if device { b } else { b.memfd() }.build().unwrap()
}

fn record_ring() -> RecordRing {
    let b = RingBuilder::new(CAPACITY * 16).busy_poll();
    let device = std::env::var_os("SPSCRING_BENCH_DEVICE").is_some();
    if device { b } else { b.memfd() }.build_records().unwrap()
}

fn check(got: u64, wanted: u64) {
    assert_eq!(got, wanted);
}

/// One thread fills half of the ring, then empties it.
fn single(all: u64) {
    let (mut p, mut c) = ring().split().unwrap();
    let mut n = 0;
    while n < all {
        for i in 0..CAPACITY / 2 {
            p.push(n + i).unwrap();
        }
        for i in 0..CAPACITY / 2 {
            check(c.pop().unwrap(), n + i);
        }
        n += CAPACITY / 2;
    }
}

fn single_record(all: u64) {
    let (mut p, mut c) = record_ring().split().unwrap();
    let mut n = 0;
    let mut to = [0; 8];
    while n < all {
        for i in 0..CAPACITY / 2 {
            p.push(&(n + i).to_ne_bytes()).unwrap();
        }
        for i in 0..CAPACITY / 2 {
            assert_eq!(c.pop_array(&mut to), Ok(8));
            check(u64::from_ne_bytes(to), n + i);
        }
        n += CAPACITY / 2;
    }
}

fn single_batch(all: u64) {
    let (mut p, mut c) = ring().split().unwrap();
    let (mut from, mut to) = ([0; BATCH], [0; BATCH]);
    let mut n = 0;
    while n < all {
        for i in 0..CAPACITY / 2 / BATCH as u64 {
            let first = n + i * BATCH as u64;
            (first..).zip(&mut from).for_each(|(n, v)| *v = n);
            assert_eq!(p.push_slice(&from), Ok(BATCH));
        }
        for i in 0..CAPACITY / 2 / BATCH as u64 {
            let first = n + i * BATCH as u64;
            assert_eq!(c.pop_slice(&mut to), Ok(BATCH));
            (first..).zip(&to).for_each(|(n, v)| check(*v, n));
        }
        n += CAPACITY / 2;
    }
}

/// Two threads, which poll.
fn pair(all: u64) {
    let (mut p, mut c) = ring().split().unwrap();
    let producer = std::thread::spawn(move || {
        for n in 0..all {
            while let Err(e) = p.push(n) {
                assert_eq!(e, PushError::Full(n));
                spin_loop();
            }
        }
    });
    for n in 0..all {
        let got = loop {
            match c.pop() {
                Ok(got) => break got,
                Err(PopError::Empty) => c.backoff(),
                Err(e) => panic!("{e}"),
            }
        };
        check(got, n);
    }
    producer.join().unwrap();
}

fn pair_batch(all: u64) {
    let (mut p, mut c) = ring().split().unwrap();
    let producer = std::thread::spawn(move || {
        let mut from = [0; BATCH];
        let mut n = 0;
        while n < all {
            (n..).zip(&mut from).for_each(|(n, v)| *v = n);
            let mut done = 0;
            while done < BATCH {
                match p.push_slice(&from[done..]) {
                    Ok(some) => done += some,
                    Err(Error::Full) => spin_loop(),
                    Err(e) => panic!("{e}"),
                }
            }
            n += BATCH as u64;
        }
    });
    let (mut n, mut to) = (0, [0; BATCH]);
    while n < all {
        match c.pop_slice(&mut to) {
            Ok(some) => {
                (n..).zip(&to[..some]).for_each(|(n, v)| check(*v, n));
                n += some as u64;
            }
            Err(PopError::Empty) => c.backoff(),
            Err(e) => panic!("{e}"),
        }
    }
    producer.join().unwrap();
}

#[repr(C)]
struct Timespec {
    tv_sec: i64,
    tv_nsec: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// In ns: of the CPU, so that other programs on it count as little as may be; of two threads, of
/// the wall's clock.
fn now(test: &str) -> i64 {
    let clock = if test.starts_with("single") { 2 } else { 1 };
    let mut time = Timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place for the result is valid
    unsafe { clock_gettime(clock, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let test = match args.first().map_or("", |a| a) {
        "single" => single,
        "single-batch" => single_batch,
        "single-record" => single_record,
        "pair" => pair,
        "pair-batch" => pair_batch,
        _ => panic!("elements single|single-batch|single-record|pair|pair-batch MESSAGES"),
    };
    let all: u64 = args[1].parse().unwrap();
    let start = now(&args[0]);
    test(all);
    println!("{:.3}", (now(&args[0]) - start) as f64 / all as f64);
}
