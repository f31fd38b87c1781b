// SPDX-License-Identifier: MIT
//! A hostile peer writes impossible words.  The victim says so, waits, or takes garbage, but no
//! more than there can be.

mod common;

use common::{builder, Draw, Liar};
use spscring::{Consumer, Error, PopError, Producer, PushError, RecordConsumer, RecordProducer};
use spscring::{RecordRing, Ring, Role};
use std::os::unix::io::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;

/// After so many failed tries a victim has read every word at least twice.
const ENOUGH: usize = 3 * 64;

const C: u64 = 100; // capacity

/// Control blocks, in words.
const CURSOR: usize = 0;
const SEQUENCE: usize = 1;
const PUBLISHED_HEAD: usize = 16;
const OLDEST: usize = 16;
const OLDEST_SEQUENCE: usize = 17;

/// What the victim does in the end: how many it moves, and the error after that.
fn pops(c: &mut Consumer<u64>) -> (u64, PopError) {
    let (mut moved, mut tries) = (0, 0);
    loop {
        match c.pop() {
            Ok(_) => moved += 1,
            Err(PopError::Empty) if tries < ENOUGH => tries += 1,
            Err(e) => return (moved, e),
        }
        assert!(moved <= 2 * C);
    }
}

fn pushes(p: &mut Producer<u64>) -> (u64, Error) {
    let (mut moved, mut tries) = (0, 0);
    loop {
        match p.push(moved) {
            Ok(()) => moved += 1,
            Err(PushError::Full(_)) if tries < ENOUGH => tries += 1,
            Err(e) => return (moved, e.error()),
        }
        assert!(moved <= 2 * C);
    }
}

/// A consumer whose producer lies, at the start of a ring.
fn lied_to_consumer() -> (Ring<u64>, Liar, Consumer<u64>) {
    let ring = builder(C).build::<u64>().unwrap();
    let end = ring.claim(Role::Producer).unwrap();
    let liar = Liar::producer(end.as_fd());
    let consumer = ring.consumer().unwrap();
    (ring, liar, consumer)
}

/// Frames have 7 elements of 8 bytes, and the tail of the first is the data's first word.
#[test]
fn a_consumer_takes_only_what_a_tail_can_publish() {
    for (tail, moved, error) in [
        (0, 0, PopError::Empty),
        (1, 1, PopError::Empty),
        (7, 7, PopError::Empty),
        (C, 7, PopError::Empty),
        (C + 1, 0, PopError::Broken),
        (1 << 62, 0, PopError::Broken),
        (i64::MAX as u64, 0, PopError::Broken),
        (1 << 63, 0, PopError::Empty),
        (u64::MAX, 0, PopError::Empty),
    ] {
        let (_ring, liar, mut c) = lied_to_consumer();
        liar.data(0, tail);
        assert_eq!(pops(&mut c), (moved, error), "tail {tail:#x}");
        // what is broken stays so
        liar.data(0, 0);
        assert_eq!(pops(&mut c), (0, error), "after tail {tail:#x}");
        assert!(c.slots() <= C);
    }
}

#[test]
fn batches_and_chunks_take_no_more() {
    let mut to = [0; 1000];
    let (_ring, liar, mut c) = lied_to_consumer();
    liar.data(0, C);
    liar.data(8, C);
    assert_eq!(c.read_chunk(1000).unwrap().len(), 7);
    assert_eq!(c.pop_slice(&mut to), Ok(14));
    liar.data(16, 14 + C + 1);
    assert_eq!(c.read_chunk(1000).err(), Some(PopError::Broken));
    assert_eq!(c.pop_slice(&mut to), Err(PopError::Broken));
    assert_eq!(c.peek(), Err(PopError::Broken));
    assert_eq!(c.wait_elements(1, None), Err(Error::Broken));
    assert_eq!(c.pop_wait(None), Err(PopError::Broken));
}

/// A count of elements is right, whatever the producer's cursor says.
#[test]
fn a_count_is_within_the_capacity() {
    let (_ring, liar, c) = lied_to_consumer();
    let mut draw = Draw(3);
    for i in 0..10_000 {
        let wide = draw.below(1 << 31) << draw.below(33);
        liar.block(CURSOR, if i % 2 == 0 { wide } else { draw.below(2 * C) });
        liar.data(draw.below(128) as usize, draw.below(3 * C));
        assert!(c.slots() <= C);
    }
}

#[test]
fn a_producer_believes_no_impossible_head() {
    for (word, value, moved, error) in [
        (PUBLISHED_HEAD, C + 1, 0, Error::Broken),
        (PUBLISHED_HEAD, 1 << 62, 0, Error::Broken),
        (PUBLISHED_HEAD, u64::MAX, 0, Error::Full),
        (CURSOR, C, C, Error::Full),
        (CURSOR, 5, 5, Error::Full),
        (CURSOR, C + 1, 0, Error::Broken),
        (CURSOR, u64::MAX, 0, Error::Broken),
        (CURSOR, 1 << 63, 0, Error::Broken),
    ] {
        let ring = builder(C).build::<u64>().unwrap();
        let end = ring.claim(Role::Consumer).unwrap();
        let liar = Liar::consumer(end.as_fd());
        let mut p = ring.producer().unwrap();
        assert_eq!(pushes(&mut p), (C, Error::Full));
        liar.block(word, value);
        assert_eq!(pushes(&mut p), (moved, error), "word {word}, {value:#x}");
        assert!(p.slots() <= C);
        if error == Error::Broken {
            assert_eq!(p.push_slice(&[1]), Err(Error::Broken));
            assert_eq!(p.write_chunk(1).err(), Some(Error::Broken));
            assert_eq!(p.wait_room(1, None), Err(Error::Broken));
            assert_eq!(p.push_wait(1, None), Err(PushError::Broken(1)));
        }
    }
}

const BYTES: u64 = 1000;
const PUBLISHED: u64 = 1 << 32;
const DISCARDED: u64 = 1 << 33;
const LAP: u64 = 1 << 34;
const NUMBER: u32 = 35;

fn lied_to_record_consumer() -> (RecordRing, Liar, RecordConsumer) {
    let ring = builder(BYTES).build_records().unwrap();
    let end = ring.claim(Role::Producer).unwrap();
    let liar = Liar::producer(end.as_fd());
    let consumer = ring.consumer().unwrap();
    (ring, liar, consumer)
}

#[test]
fn a_consumer_takes_only_possible_records() {
    for (word, result) in [
        (0, Err(Error::Empty)),
        (PUBLISHED, Ok(0)),
        (PUBLISHED | 5, Ok(5)),
        (PUBLISHED | 992, Ok(992)),
        (PUBLISHED | 993, Err(Error::Broken)),
        (PUBLISHED | 0xffff_ffff, Err(Error::Broken)),
        (PUBLISHED | 0xffff_fff8, Err(Error::Broken)),
        (PUBLISHED | LAP | 5, Err(Error::Empty)),
        (5, Err(Error::Broken)),
        (DISCARDED | 5, Err(Error::Broken)),
        (LAP, Err(Error::Broken)),
        (PUBLISHED | DISCARDED | 8, Err(Error::Empty)),
        (PUBLISHED | DISCARDED | 993, Err(Error::Broken)),
        (PUBLISHED | (77 << NUMBER) | 5, Ok(5)),
    ] {
        for verb in 0..4 {
            let (_ring, liar, mut c) = lied_to_record_consumer();
            let mut to = [0; 2000];
            liar.data(0, word);
            let found = match verb {
                0 => c.pop(&mut to),
                1 => c.peek().map(|r| r.copy_to(&mut to)),
                2 => c.pop_vec().map(|r| r.len()),
                _ => {
                    let mut length = 0;
                    c.pop_each(&mut to, 1, |_, r| length = r.len()).map(|_| length)
                }
            };
            assert_eq!(found, result, "word {word:#x}, verb {verb}");
            if result == Err(Error::Broken) {
                liar.data(0, PUBLISHED | 5);
                assert_eq!(c.pop(&mut to), result);
                assert_eq!(c.pop_wait(&mut to, None), result);
                assert_eq!(c.peek().err(), Some(Error::Broken));
            }
        }
    }
}

#[test]
fn a_producer_of_records_believes_no_impossible_head() {
    for (word, value, error) in [
        (PUBLISHED_HEAD, BYTES + 8, Error::Broken),
        (CURSOR, BYTES + 8, Error::Broken),
        (CURSOR, u64::MAX - 7, Error::Broken),
        (PUBLISHED_HEAD, u64::MAX - 7, Error::Full),
    ] {
        let ring = builder(BYTES).build_records().unwrap();
        let end = ring.claim(Role::Consumer).unwrap();
        let liar = Liar::consumer(end.as_fd());
        let mut p: RecordProducer = ring.producer().unwrap();
        p.push(&[0; 992]).unwrap();
        liar.block(word, value);
        let mut done = Ok(());
        for _ in 0..ENOUGH {
            done = p.push(&[1]);
        }
        assert_eq!(done, Err(error), "word {word}, {value:#x}");
        assert_eq!(p.reserve(1).err(), Some(error));
        assert_eq!(p.push_all(&[[1]]), Err(error));
        assert!(p.free() <= BYTES);
    }
}

/// A thread that writes lies at full speed, until it is dropped.
struct Lies {
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lies {
    fn begin(
        liar: Liar,
        seed: u64,
        mut data: impl FnMut(&mut Draw) -> u64 + Send + 'static,
    ) -> Self {
        let (written, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, until) = (written.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut draw = Draw(seed);
            while !until.load(Ordering::Relaxed) {
                let value = data(&mut draw);
                liar.data(draw.below(130) as usize, value);
                let word = [CURSOR, SEQUENCE, OLDEST, OLDEST_SEQUENCE][draw.below(4) as usize];
                liar.block(word, draw.below(300) * 8);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Lies { written, stop, thread: Some(thread) }
    }

    /// Call `victim` until it says that the ring is broken, or has met many lies.
    fn meet(&self, mut victim: impl FnMut() -> bool) {
        while self.written.load(Ordering::Relaxed) < 50_000 && victim() {}
    }
}

impl Drop for Lies {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

const ROUNDS: u64 = 30;

#[test]
fn no_lie_about_elements_does_harm() {
    let mut to = [0; 300];
    for round in 0..ROUNDS {
        let (_ring, liar, mut c) = lied_to_consumer();
        let lies = Lies::begin(liar, round, |draw| match draw.below(1000) {
            0 => draw.below(1 << 31) << draw.below(33),
            _ => draw.below(C),
        });
        lies.meet(|| {
            assert!(c.slots() <= C);
            if let Ok(chunk) = c.read_chunk(300) {
                assert!(chunk.len() <= 7);
                chunk.release(1);
            }
            let popped = c.pop_slice(&mut to);
            assert!(popped.unwrap_or(0) <= to.len());
            c.pop() != Err(PopError::Broken) && popped != Err(PopError::Broken)
        });
    }
}

fn lies_about_records(overwrite: bool) {
    let mut to = vec![0; 2000];
    for round in 0..ROUNDS {
        let ring = if overwrite { builder(BYTES).overwrite() } else { builder(BYTES) };
        let ring = ring.build_records().unwrap();
        let end = ring.claim(Role::Producer).unwrap();
        let mut c = ring.consumer().unwrap();
        let lies = Lies::begin(Liar::producer(end.as_fd()), round, |draw| {
            let number = draw.below(40) << NUMBER;
            match draw.below(400) {
                0 => number | (draw.below(8) << 32) | draw.below(1100),
                1 => draw.below(1 << 31) << draw.below(33),
                2..=9 => number | PUBLISHED | DISCARDED | (draw.below(64) * 8),
                _ => number | PUBLISHED | (draw.below(2) * LAP) | (draw.below(64) * 8),
            }
        });
        let mut verb = 0;
        lies.meet(|| {
            verb += 1;
            let length = match verb % 3 {
                0 => c.pop(&mut to),
                1 => c.pop_vec().map(|r| r.len()),
                _ => c.peek().map(|r| {
                    let length = r.len();
                    assert_eq!(r.copy_to(&mut to), length);
                    r.release();
                    length
                }),
            };
            assert!(length.unwrap_or(0) <= BYTES as usize - 8);
            assert!(c.bytes() <= BYTES);
            length != Err(Error::Broken)
        });
    }
}

#[test]
fn no_lie_about_records_does_harm() {
    lies_about_records(false);
}

#[test]
fn no_lie_about_overwritten_records_does_harm() {
    lies_about_records(true);
}
