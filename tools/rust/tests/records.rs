// SPDX-License-Identifier: MIT
//! Records: each length at each place, batches, guards, loss, ends.

mod common;

use common::{builder, messages, record, until_kicked, Draw};
use spscring::{Error, RecordConsumer, RecordProducer, RecordRing};
use std::collections::VecDeque;
use std::time::Duration;

const MOMENT: Option<Duration> = Some(Duration::from_millis(1));

fn ring(bytes: u64) -> (RecordRing, RecordProducer, RecordConsumer) {
    let ring = builder(bytes).build_records().unwrap();
    let (p, c) = ring.split().unwrap();
    (ring, p, c)
}

/// Try until it succeeds: a producer that found no room reads the exact head each 64th time.
fn insist<R>(mut call: impl FnMut() -> Result<R, Error>) -> Result<R, Error> {
    for _ in 0..64 {
        let done = call();
        if done.is_ok() {
            return done;
        }
    }
    call()
}

/// Each length, from each position: so each of them passes the end at some time.
#[test]
fn each_length_passes_the_end() {
    for (capacity, align) in [(64, 8), (72, 8), (256, 64), (8192, 4096), (1000, 8)] {
        let ring = builder(capacity).align(align).build_records().unwrap();
        let (mut p, mut c) = ring.split().unwrap();
        let longest = capacity as usize - 8;
        let step = if capacity > 256 { 61 } else { 1 };
        let mut to = vec![0; longest];
        let mut n = 0;
        for length in (0..=longest).step_by(step).chain([longest]) {
            for _ in 0..2 * capacity / u64::from(align) {
                let sent = record(n, length);
                insist(|| p.push(&sent)).unwrap();
                assert_eq!(c.pop(&mut to), Ok(length));
                assert_eq!((&to[..length], c.sequence()), (&sent[..], n));
                n += 1;
                // move on by the least, so that the next begins elsewhere
                insist(|| p.push(&[])).unwrap();
                assert_eq!(
                    c.peek().map(|r| (r.len(), r.is_empty(), r.sequence())),
                    Ok((0, true, n))
                );
                assert_eq!(c.pop(&mut []), Ok(0));
                n += 1;
            }
        }
        assert_eq!(c.pop(&mut to), Err(Error::Empty));
    }
}

#[test]
fn a_ring_holds_what_its_size_says() {
    let (ring, mut p, mut c) = ring(1000);
    assert_eq!((p.capacity(), c.capacity(), p.free()), (1000, 1000, 1000));
    assert_eq!(p.push(&[0; 993]), Err(Error::TooLong));
    assert_eq!((p.needs(0), p.needs(1), p.needs(8), p.needs(9)), (8, 16, 16, 24));
    p.push(&record(0, 992)).unwrap();
    assert_eq!((p.free(), c.bytes()), (0, 1000));
    assert_eq!(p.push(&[]), Err(Error::Full));
    assert_eq!(c.pop(&mut [0; 991]), Err(Error::TooLong));
    assert_eq!(c.pop_vec(), Ok(record(0, 992)));
    assert!(c.is_empty());
    assert_eq!(ring.info().unwrap().sequence(), 1);
}

/// On the hot path too, which a consumer takes once it has popped one.
#[test]
fn a_place_too_small_is_not_overrun() {
    let (_ring, mut p, mut c) = ring(1000);
    p.push(b"first").unwrap();
    p.push(&record(1, 16)).unwrap();
    assert_eq!(c.pop(&mut [0; 8]), Ok(5));
    let mut to = [0xff; 32];
    assert_eq!(c.pop(&mut to[..15]), Err(Error::TooLong));
    assert_eq!(c.pop_array::<15>(&mut [0; 15]), Err(Error::TooLong));
    assert_eq!(c.pop_each(&mut to[..15], 1, |_, _| ()), Err(Error::TooLong));
    assert_eq!(to, [0xff; 32]);
    assert_eq!(c.pop_array(&mut to), Ok(16));
    assert_eq!((&to[..16], &to[16..]), (&record(1, 16)[..], &[0xff; 16][..]));
    p.push(&record(2, 32)).unwrap();
    assert_eq!(c.pop_array(&mut to), Ok(32));
    assert_eq!(to[..], record(2, 32));
    p.push(&[]).unwrap();
    assert_eq!(c.pop_array(&mut []), Ok(0));
}

/// Each verb at random, against a queue of the standard library.
#[test]
fn all_verbs_agree_with_a_queue() {
    for (seed, capacity) in [64, 200, 1000, 4096, 10_000].into_iter().enumerate() {
        let (_ring, mut p, mut c) = ring(capacity);
        let mut draw = Draw(seed as u64);
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        let (mut next, mut to) = (0, vec![0; capacity as usize]);
        for _ in 0..20_000 {
            let used: u64 = model.iter().map(|r| p.needs(r.len())).sum();
            let length = draw.below(capacity / 2) as usize;
            let sent = record(next, length);
            let room = used + p.needs(length) <= capacity;
            let mut push = |put: &mut dyn FnMut() -> Result<(), Error>| {
                let done = if room { insist(put) } else { put() };
                assert_eq!(done, if room { Ok(()) } else { Err(Error::Full) });
                if room {
                    model.push_back(sent.clone());
                    next += 1;
                }
            };
            match draw.below(9) {
                0 => push(&mut || p.push(&sent)),
                1 => {
                    let (a, b) = sent.split_at(length / 3);
                    push(&mut || p.push_vectored(&[a, b, &[]]));
                }
                2 => {
                    let more = draw.below(9) as usize;
                    if used + p.needs(length + more) <= capacity {
                        push(&mut || {
                            let mut r = p.reserve(length + more)?;
                            r.fill(0xff);
                            r[..length].copy_from_slice(&sent);
                            r.commit_len(length);
                            Ok(())
                        });
                    }
                }
                3 => {
                    if let Ok(mut r) = p.reserve(length) {
                        r.fill(0xff);
                        // one that is leaked must not harm the next
                        if draw.below(2) == 0 {
                            std::mem::forget(r);
                        }
                    }
                }
                4 => {
                    let all: Vec<_> = (0..4).map(|i| record(next + i, length / 4)).collect();
                    let n = match p.push_all(&all) {
                        Err(Error::Full) => 0,
                        n => n.unwrap(),
                    };
                    model.extend(all.into_iter().take(n));
                    next += n as u64;
                }
                5 => {
                    let all: Vec<_> = (0..4).map(|i| record(next + i, length / 4)).collect();
                    let mut batch = p.batch();
                    let fits = all.iter().all(|r| batch.push(r).is_ok());
                    match draw.below(3) {
                        0 => drop(batch),
                        1 => std::mem::forget(batch),
                        _ if fits => {
                            batch.commit();
                            model.extend(all);
                            next += 4;
                        }
                        _ => drop(batch),
                    }
                }
                6 => match c.pop(&mut to) {
                    Ok(n) => assert_eq!(to[..n], model.pop_front().unwrap()),
                    Err(e) => assert_eq!((e, model.len()), (Error::Empty, 0)),
                },
                7 => match c.peek() {
                    Ok(r) => {
                        assert_eq!(r.len(), model[0].len());
                        assert_eq!(r.to_vec(), model[0]);
                        // SAFETY: the producer is this test
                        assert_eq!(unsafe { r.as_slice() }, model[0]);
                        if draw.below(2) == 0 {
                            r.release();
                            model.pop_front();
                        }
                    }
                    Err(e) => assert_eq!((e, model.len()), (Error::Empty, 0)),
                },
                _ => {
                    let popped = c.pop_each(&mut to, 3, |_, r| {
                        assert_eq!(r, model.pop_front().unwrap());
                    });
                    if let Err(e) = popped {
                        assert_eq!((e, model.len()), (Error::Empty, 0));
                    }
                }
            }
        }
        assert!(next > 1000);
        assert_eq!(p.info().unwrap().sequence(), next);
    }
}

#[test]
fn a_batch_is_seen_at_once_or_not_at_all() {
    let (_ring, mut p, mut c) = ring(256);
    let mut batch = p.batch();
    batch.push(b"one").unwrap();
    batch.reserve(3).unwrap().copy_from_slice(b"two");
    assert_eq!(c.pop_vec(), Err(Error::Empty));
    assert_eq!(batch.push(&[0; 230]).unwrap_err(), Error::Full);
    batch.commit();
    assert_eq!(c.bytes(), 32);
    assert_eq!(c.pop_vec(), Ok(b"one".to_vec()));
    assert_eq!(c.pop_vec(), Ok(b"two".to_vec()));
    let mut batch = p.batch();
    batch.push(b"three").unwrap();
    drop(batch);
    assert_eq!(c.pop_vec(), Err(Error::Empty));
    p.batch().commit();
    p.push(b"four").unwrap();
    assert_eq!((c.pop_vec(), c.sequence()), (Ok(b"four".to_vec()), 2));
}

#[test]
#[should_panic(expected = "more than is reserved")]
fn a_commit_of_too_many_bytes_panics() {
    let (_ring, mut p, _c) = ring(256);
    p.reserve(8).unwrap().commit_len(9);
}

#[test]
fn a_ring_that_drops_counts_what_is_lost() {
    let ring = builder(64).drop_when_full().build_records().unwrap();
    let (mut p, mut c) = ring.split().unwrap();
    for i in 0..10 {
        let done = p.push(&record(i, 8));
        assert_eq!(done, if i < 4 { Ok(()) } else { Err(Error::Dropped) });
    }
    assert_eq!(ring.info().unwrap().drops(), 6);
    for i in 0..4 {
        assert_eq!((c.pop_vec(), c.sequence()), (Ok(record(i, 8)), i));
    }
    p.drop_records(2);
    p.push(b"next").unwrap();
    assert_eq!((c.pop_vec(), c.sequence()), (Ok(b"next".to_vec()), 12));
    assert_eq!(ring.info().unwrap().drops(), 8);
}

#[test]
fn the_oldest_records_make_room() {
    let ring = builder(1024).overwrite().build_records().unwrap();
    let (mut p, mut c) = ring.split().unwrap();
    let mut to = [0; 1024];
    for i in 0..1000 {
        p.push(&record(i, 8 + i as usize % 50)).unwrap();
    }
    assert_eq!(c.peek().err(), Some(Error::Unsupported));
    let (mut popped, mut last) = (0, 0);
    while let Ok(length) = c.pop(&mut to) {
        last = c.sequence();
        assert_eq!(to[..length], record(last, 8 + last as usize % 50));
        popped += 1;
    }
    assert_eq!(last, 999);
    assert_eq!(ring.info().unwrap().overruns(), 1000 - popped);
    p.push(&record(0, 900)).unwrap();
    assert_eq!(c.pop_vec(), Ok(record(0, 900)));
    for i in 0..4 {
        p.push(&record(i, 8)).unwrap();
    }
    let mut seen = Vec::new();
    assert_eq!(c.pop_each(&mut to, 3, |n, r| seen.push((n, r.to_vec()))), Ok(3));
    assert_eq!(seen, (0..3).map(|i| (1001 + i, record(i, 8))).collect::<Vec<_>>());
}

#[test]
fn streams_end_and_ends_die() {
    let (ring, mut p, mut c) = ring(256);
    p.push(b"a").unwrap();
    drop(p);
    assert!(c.is_abandoned());
    let all: Vec<_> = c.iter().collect();
    assert_eq!(all, [Ok(b"a".to_vec()), Err(Error::PeerDied)]);
    let mut p = ring.producer().unwrap();
    p.push(b"b").unwrap();
    p.shutdown().unwrap();
    assert_eq!(c.iter().collect::<Vec<_>>(), [Ok(b"b".to_vec())]);
    assert_eq!(c.pop_wait(&mut [0; 9], None), Err(Error::Ended));
    assert_eq!(c.wait_bytes(1, None), Err(Error::Ended));

    let (ring, mut p, c) = self::ring(64);
    drop(c);
    p.push(&[0; 56]).unwrap();
    assert_eq!(p.push_wait(b"c", None), Err(Error::PeerDied));
    let c = ring.consumer().unwrap();
    c.shutdown().unwrap();
    assert_eq!(p.wait_room(8, None), Err(Error::Ended));
}

#[test]
fn waits_time_out() {
    let (_ring, mut p, mut c) = ring(64);
    assert_eq!(c.pop_wait(&mut [0; 64], MOMENT), Err(Error::Empty));
    assert_eq!(c.wait_bytes(1, MOMENT), Err(Error::TimedOut));
    p.push(&[1; 40]).unwrap();
    assert_eq!(p.push_wait(&[2; 40], MOMENT), Err(Error::Full));
    assert_eq!(p.wait_room(48, MOMENT), Err(Error::TimedOut));
    c.peek().unwrap().release();
    p.push_wait(&[2; 40], None).unwrap();
    assert_eq!(c.pop_wait(&mut [0; 64], MOMENT), Ok(40));
}

#[test]
fn threads_move_all_in_order() {
    for capacity in [64, 1 << 16] {
        let (_ring, mut p, mut c) = ring(capacity);
        let all = messages() / if capacity == 64 { 20 } else { 2 };
        let producer = std::thread::spawn(move || {
            for i in 0..all {
                let bytes = i.to_ne_bytes().repeat(i as usize % 6);
                p.push_wait(&bytes, None).unwrap();
            }
            p.shutdown().unwrap();
        });
        let mut to = [0; 64];
        for i in 0..all {
            let length = c.pop_wait(&mut to, None).unwrap();
            assert_eq!(length, 8 * (i as usize % 6));
            assert!(to[..length].chunks(8).all(|n| n == i.to_ne_bytes()));
        }
        assert_eq!(c.pop_wait(&mut to, None), Err(Error::Ended));
        producer.join().unwrap();
    }
}

#[test]
fn each_end_wakes_its_sleeping_peer() {
    let (ring, mut p, mut c) = ring(64_000);
    let sleeper = std::thread::spawn(move || c.iter().count());
    until_kicked(|| ring.info().unwrap().consumer_sleep(), || p.push(b"a").unwrap());
    p.shutdown().unwrap();
    assert!(sleeper.join().unwrap() > 0);

    let (ring, mut p, mut c) = self::ring(16);
    let sleeper = std::thread::spawn(move || while p.push_wait(b"a", None).is_ok() {});
    let mut to = [0; 8];
    until_kicked(|| ring.info().unwrap().producer_sleep(), || assert_eq!(c.pop(&mut to), Ok(1)));
    c.shutdown().unwrap();
    sleeper.join().unwrap();
}

#[test]
fn an_end_is_handed_on_by_its_fd() {
    let ring = builder(256).type_tag(7).build_records().unwrap();
    let (mut p, mut c) = ring.split().unwrap();
    p.push(b"a").unwrap();
    p.push(b"b").unwrap();
    assert_eq!(c.pop_vec(), Ok(b"a".to_vec()));
    let (p, c) = (p.into_fd(), c.into_fd());
    // SAFETY: into_fd() has unmapped it, and this one fails
    let refused = unsafe { RecordProducer::from_fd(p.try_clone().unwrap(), 8) };
    assert_eq!(refused.unwrap_err(), Error::Mismatch);
    // SAFETY: this is the only handle
    let mut p = unsafe { RecordProducer::from_fd(p, 7) }.unwrap();
    // SAFETY: as above
    let mut c = unsafe { RecordConsumer::from_fd(c, 7) }.unwrap();
    p.push(b"c").unwrap();
    assert_eq!(c.pop_vec(), Ok(b"b".to_vec()));
    assert_eq!(c.pop_vec(), Ok(b"c".to_vec()));
    let fd: std::os::unix::io::OwnedFd = ring.into();
    assert_eq!(RecordRing::from_fd(fd, 8).consumer().unwrap_err(), Error::Mismatch);
}
