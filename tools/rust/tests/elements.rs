// SPDX-License-Identifier: MIT
//! Elements: order, wrap-around, batches, chunks, ends.

mod common;

use common::{builder, messages, on_device, poll_for, until_kicked};
use common::{Draw, Value, POLLIN, POLLOUT};
use spscring::{Consumer, Error, Plain, PopError, Producer, PushError, Ring, RingBuilder, Role};
use std::collections::VecDeque;
use std::os::unix::io::AsFd;
use std::time::Duration;

const MOMENT: Option<Duration> = Some(Duration::from_millis(1));

fn ring<T: Plain>(capacity: u64) -> (Ring<T>, Producer<T>, Consumer<T>) {
    let ring = builder(capacity).build::<T>().unwrap();
    let (p, c) = ring.split().unwrap();
    (ring, p, c)
}

/// Fill the ring, empty it, for some laps.
fn fill_and_empty<T: Value>(capacity: u64) {
    let (_ring, mut p, mut c) = ring::<T>(capacity);
    let mut n = 0;
    for _ in 0..5 {
        assert_eq!(c.pop(), Err(PopError::Empty));
        assert!(c.is_empty() && c.slots() == 0);
        assert_eq!(p.slots(), capacity);
        for i in 0..capacity {
            assert!(!p.is_full());
            p.push(T::number(n + i)).unwrap();
            assert_eq!(c.slots(), i + 1);
        }
        assert!(p.is_full() && p.slots() == 0);
        let beyond = T::number(n + capacity);
        assert_eq!(p.push(beyond), Err(PushError::Full(beyond)));
        for i in 0..capacity {
            assert!(!c.is_empty());
            assert_eq!(c.peek(), Ok(T::number(n + i)));
            assert_eq!(c.pop(), Ok(T::number(n + i)));
        }
        n += capacity;
    }
}

#[test]
fn each_size_fills_and_empties() {
    for capacity in [1, 2, 6, 7, 8, 13, 100, 1000] {
        fill_and_empty::<u8>(capacity);
        fill_and_empty::<u64>(capacity);
        fill_and_empty::<[u8; 3]>(capacity);
        fill_and_empty::<[u8; 56]>(capacity);
        fill_and_empty::<[u8; 100]>(capacity);
        fill_and_empty::<[u8; 1000]>(capacity);
    }
    // an unoptimised build keeps many copies on the stack
    let large = std::thread::Builder::new().stack_size(64 << 20);
    large.spawn(|| fill_and_empty::<[u8; 65536]>(3)).unwrap().join().unwrap();
}

/// Try until it succeeds: a producer that found no room reads the exact head each 64th time.
fn insist<R, E>(room: usize, mut call: impl FnMut() -> Result<R, E>) -> Result<R, E> {
    for _ in 0..64 {
        let done = call();
        if done.is_ok() || room == 0 {
            return done;
        }
    }
    call()
}

/// Each verb at random, against a queue of the standard library.
fn against_a_model<T: Value>(capacity: u64, seed: u64) {
    let (_ring, mut p, mut c) = ring::<T>(capacity);
    let mut model = VecDeque::new();
    let mut draw = Draw(seed);
    let mut next = 0;
    for _ in 0..3000 {
        let n = draw.below(2 * capacity + 2) as usize;
        let room = (capacity as usize) - model.len();
        match draw.below(8) {
            0 => match insist(room, || p.push(T::number(next))) {
                Ok(()) => {
                    model.push_back(next);
                    next += 1;
                }
                Err(e) => assert_eq!((e, room), (PushError::Full(T::number(next)), 0)),
            },
            1 | 2 => {
                let batch: Vec<T> = (0..n as u64).map(|i| T::number(next + i)).collect();
                let pushed = match insist(room, || p.push_slice(&batch)) {
                    Err(Error::Full) => 0,
                    done => done.unwrap(),
                };
                assert_eq!(pushed, n.min(room));
                model.extend(next..next + pushed as u64);
                next += pushed as u64;
            }
            3 => {
                match insist(room, || p.write_chunk(n).map(drop)).and_then(|()| p.write_chunk(n)) {
                    Ok(mut chunk) => {
                        assert!(chunk.len() <= n.min(room));
                        let most = chunk.len();
                        for slot in chunk.iter_mut() {
                            *slot = T::number(next + 1_000_000);
                        }
                        let some = draw.below(most as u64 + 1) as usize;
                        for (i, slot) in chunk[..some].iter_mut().enumerate() {
                            *slot = T::number(next + i as u64);
                        }
                        chunk.commit(some);
                        model.extend(next..next + some as u64);
                        next += some as u64;
                    }
                    Err(e) => assert_eq!((e, room), (Error::Full, 0)),
                }
            }
            4 => match c.pop() {
                Ok(v) => assert_eq!(v, T::number(model.pop_front().unwrap())),
                Err(e) => assert_eq!((e, model.len()), (PopError::Empty, 0)),
            },
            5 | 6 => {
                let mut to = vec![T::number(0); n];
                match c.pop_slice(&mut to) {
                    Ok(popped) => {
                        assert_eq!(popped, n.min(model.len()));
                        for v in &to[..popped] {
                            assert_eq!(*v, T::number(model.pop_front().unwrap()));
                        }
                    }
                    Err(e) => assert_eq!((e, model.len()), (PopError::Empty, 0)),
                }
            }
            _ => match c.read_chunk(n) {
                Ok(chunk) => {
                    assert!(chunk.len() <= n.min(model.len()));
                    assert!(chunk.iter().eq(model.iter().take(chunk.len()).map(|n| T::number(*n))));
                    assert_eq!(chunk.get(chunk.len()), None);
                    // SAFETY: the producer is this test
                    assert!(unsafe { chunk.as_slice() }.iter().copied().eq(chunk.iter()));
                    let some = draw.below(chunk.len() as u64 + 1) as usize;
                    chunk.release(some);
                    model.drain(..some);
                }
                Err(e) => assert_eq!((e, model.len()), (PopError::Empty, 0)),
            },
        }
        assert_eq!(p.slots(), capacity - model.len() as u64);
        assert_eq!(c.slots(), model.len() as u64);
    }
    assert!(next > 100);
}

#[test]
fn all_verbs_agree_with_a_queue() {
    for (i, capacity) in [1, 2, 7, 8, 20, 64, 300].into_iter().enumerate() {
        against_a_model::<u64>(capacity, i as u64);
        against_a_model::<u8>(capacity, i as u64);
        against_a_model::<[u8; 24]>(capacity, i as u64);
        against_a_model::<[u8; 100]>(capacity, i as u64);
    }
}

#[test]
fn batches_go_over_frames() {
    let (_ring, mut p, mut c) = ring::<u64>(1000);
    let all: Vec<u64> = (0..2500).collect();
    assert_eq!(p.push_slice(&all[..1]), Ok(1));
    assert_eq!(p.push_slice(&all[1..]), Ok(999));
    assert_eq!(p.push_slice(&all[1000..]), Err(Error::Full));
    assert_eq!(p.push_slice(&[]), Ok(0));
    let mut to = [0; 600];
    assert_eq!(c.pop_slice(&mut to), Ok(600));
    assert!(to.iter().copied().eq(0..600));
    assert_eq!(p.push_slice(&all[1000..]), Ok(600));
    assert!(c.try_iter().eq(600..1600));
}

#[test]
fn chunks_keep_what_is_not_committed_or_released() {
    let (_ring, mut p, mut c) = ring::<u32>(100);
    assert_eq!(p.write_chunk(5).unwrap().fill_from_iter([1, 2, 3]), 3);
    assert_eq!(p.write_chunk(5).unwrap().len(), 5);
    p.push(4).unwrap();
    assert!(c.read_chunk(10).unwrap().iter().eq([1, 2, 3, 4]));
    c.read_chunk(10).unwrap().release(1);
    assert_eq!(c.pop(), Ok(2));
    c.read_chunk(10).unwrap().release_all();
    assert_eq!(c.pop(), Err(PopError::Empty));
}

#[test]
#[should_panic(expected = "more than is reserved")]
fn a_commit_of_too_many_panics() {
    let (_ring, mut p, _c) = ring::<u32>(100);
    p.write_chunk(2).unwrap().commit(3);
}

#[test]
#[should_panic(expected = "more than is there")]
fn a_release_of_too_many_panics() {
    let (_ring, mut p, mut c) = ring::<u32>(100);
    p.push(1).unwrap();
    c.read_chunk(2).unwrap().release(2);
}

#[test]
fn the_stream_ends_after_the_last_element() {
    let (_ring, mut p, mut c) = ring::<u64>(10);
    p.push(1).unwrap();
    p.push(2).unwrap();
    assert!(!c.is_abandoned());
    p.shutdown().unwrap();
    assert!(c.is_abandoned());
    assert!(c.iter().map(Result::unwrap).eq([1, 2]));
    assert_eq!(c.pop(), Err(PopError::Ended));
    assert_eq!(c.wait_elements(1, None), Err(Error::Ended));
}

#[test]
fn a_dropped_producer_has_died_and_another_goes_on() {
    let (ring, mut p, mut c) = ring::<u64>(10);
    for i in 0..4 {
        p.push(i).unwrap();
    }
    assert_eq!(ring.producer().unwrap_err().errno(), 16);
    drop(p);
    for i in 0..4 {
        assert_eq!(c.pop_wait(None), Ok(i));
    }
    assert_eq!(c.pop_wait(None), Err(PopError::PeerDied));
    let mut items = c.iter();
    assert_eq!(items.next(), Some(Err(PopError::PeerDied)));
    assert_eq!(items.next(), None);
    let mut p = ring.producer().unwrap();
    p.push(4).unwrap();
    assert_eq!(c.pop_wait(None), Ok(4));
}

#[test]
fn the_end_of_a_consumer_is_told_once_the_ring_is_full() {
    let (ring, mut p, c) = ring::<u64>(3);
    drop(c);
    for i in 0..3 {
        p.push(i).unwrap();
    }
    assert!(p.is_abandoned());
    assert_eq!(p.push_wait(3, None), Err(PushError::PeerDied(3)));
    assert_eq!(p.wait_room(1, None), Err(Error::PeerDied));
    let mut c = ring.consumer().unwrap();
    assert_eq!(c.pop(), Ok(0));
    p.push_wait(3, None).unwrap();
    c.shutdown().unwrap();
    assert_eq!(p.push_wait(4, None), Err(PushError::Ended(4)));
    assert_eq!(ring.consumer().unwrap_err(), Error::Ended);
}

#[test]
fn a_close_ends_the_stream_if_the_ring_says_so() {
    let ring = builder(10).close_ends().build::<u64>().unwrap();
    let (mut p, mut c) = ring.split().unwrap();
    p.push(1).unwrap();
    drop(p);
    assert_eq!(c.pop_wait(None), Ok(1));
    assert_eq!(c.pop_wait(None), Err(PopError::Ended));
}

#[test]
fn waits_time_out() {
    let (_ring, mut p, mut c) = ring::<u64>(2);
    assert_eq!(c.pop_wait(MOMENT), Err(PopError::Empty));
    assert_eq!(c.wait_elements(1, MOMENT), Err(Error::TimedOut));
    assert_eq!(c.wait_elements(3, None), Err(Error::Os(22)));
    p.push(1).unwrap();
    p.push(2).unwrap();
    assert_eq!(p.push_wait(3, MOMENT), Err(PushError::Full(3)));
    assert_eq!(p.wait_room(1, Some(Duration::ZERO)), Err(Error::TimedOut));
    c.wait_elements(2, None).unwrap();
    assert_eq!(c.pop_wait(MOMENT), Ok(1));
    p.wait_room(1, None).unwrap();
}

#[test]
fn a_ring_that_only_polls_is_waited_for_by_polling() {
    let ring = builder(2).busy_poll().build::<u64>().unwrap();
    let (mut p, mut c) = ring.split().unwrap();
    assert_eq!(c.wait_elements(1, MOMENT), Err(Error::Unsupported));
    assert_eq!(c.pop_wait(MOMENT), Err(PopError::Empty));
    let producer = std::thread::spawn(move || {
        for i in 0..1000 {
            p.push_wait(i, None).unwrap();
        }
        p.shutdown().unwrap();
    });
    assert!(c.iter().map(Result::unwrap).eq(0..1000));
    producer.join().unwrap();
}

/// Two threads, which sleep whenever the ring is full or empty.
#[test]
fn threads_move_all_in_order() {
    for capacity in [1, 3, 4096] {
        let (_ring, mut p, mut c) = ring::<u64>(capacity);
        let all = messages() / if capacity < 4096 { 20 } else { 1 };
        let producer = std::thread::spawn(move || {
            for i in 0..all {
                p.push_wait(i, None).unwrap();
            }
            p.shutdown().unwrap();
        });
        assert!(c.iter().map(Result::unwrap).eq(0..all));
        producer.join().unwrap();
    }
}

#[test]
fn threads_move_batches_in_order() {
    let (_ring, mut p, mut c) = ring::<u64>(500);
    let all = messages();
    let producer = std::thread::spawn(move || {
        let (mut next, mut draw) = (0, Draw(1));
        while next < all {
            let batch: Vec<u64> = (next..all.min(next + 1 + draw.below(900))).collect();
            match p.push_slice(&batch) {
                Ok(n) => next += n as u64,
                Err(Error::Full) => p.wait_room(1, None).unwrap(),
                Err(e) => panic!("{e}"),
            }
        }
        p.shutdown().unwrap();
    });
    let (mut next, mut to) = (0, [0; 700]);
    loop {
        match c.pop_slice(&mut to) {
            Ok(n) => {
                assert!(to[..n].iter().copied().eq(next..next + n as u64));
                next += n as u64;
            }
            Err(PopError::Empty) => match c.wait_elements(1, None) {
                Ok(()) | Err(Error::Ended) => {}
                Err(e) => panic!("{e}"),
            },
            Err(PopError::Ended) => break,
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(next, all);
    producer.join().unwrap();
}

#[test]
fn each_end_wakes_its_sleeping_peer() {
    let (ring, mut p, mut c) = ring::<u64>(1000);
    let sleeper = std::thread::spawn(move || c.iter().count());
    until_kicked(|| ring.info().unwrap().consumer_sleep(), || p.push(1).unwrap());
    p.shutdown().unwrap();
    assert!(sleeper.join().unwrap() > 0);

    let (ring, mut p, mut c) = self::ring::<u64>(1);
    let sleeper = std::thread::spawn(move || while p.push_wait(1, None).is_ok() {});
    until_kicked(|| ring.info().unwrap().producer_sleep(), || assert_eq!(c.pop(), Ok(1)));
    c.shutdown().unwrap();
    sleeper.join().unwrap();
}

#[test]
fn an_end_is_handed_on_by_its_fd() {
    let (_ring, mut p, mut c) = ring::<u64>(100);
    for i in 0..10 {
        p.push(i).unwrap();
    }
    assert_eq!(c.pop(), Ok(0));
    // SAFETY: into_fd() has unmapped it
    let mut p = unsafe { Producer::<u64>::from_fd(p.into_fd()) }.unwrap();
    // SAFETY: as above
    let mut c = unsafe { Consumer::<u64>::from_fd(c.into_fd()) }.unwrap();
    p.push(10).unwrap();
    assert!(c.try_iter().eq(1..=10));
}

#[test]
fn poll_reports_an_end_at_its_watermark() {
    let (_ring, mut p, mut c) = ring::<u64>(10);
    if !on_device() {
        assert_eq!(p.set_watermark(1, None), Err(Error::Unsupported));
        assert_eq!(c.set_watermark(1, None), Err(Error::Unsupported));
        return;
    }
    c.set_watermark(3, None).unwrap();
    p.push(0).unwrap();
    p.push(1).unwrap();
    assert_eq!(poll_for(c.as_fd(), POLLIN, 0), 0);
    // not polled for room meanwhile: a producer that waits ends the consumer's wait for more
    let pusher = std::thread::spawn(move || p.push(2).map(|()| p));
    assert_eq!(poll_for(c.as_fd(), POLLIN, -1), POLLIN);
    assert_eq!(c.slots(), 3);

    let p = pusher.join().unwrap().unwrap();
    p.set_watermark(9, None).unwrap();
    assert_eq!(poll_for(p.as_fd(), POLLOUT, 0), 0);
    let popper = std::thread::spawn(move || {
        assert!(c.try_iter().eq(0..3));
        c
    });
    assert_eq!(poll_for(p.as_fd(), POLLOUT, -1), POLLOUT);
    // kept until here, as its death would be reported, too
    drop(popper.join().unwrap());
    assert_eq!(p.set_watermark(11, None), Err(Error::Os(22)));
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Tagged(u64);

// SAFETY: a number
unsafe impl Plain for Tagged {
    const TYPE_TAG: u64 = 42;
}

#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Aligned([u8; 16]);

// SAFETY: 16 bytes
unsafe impl Plain for Aligned {}

#[test]
fn another_type_is_refused() {
    let ring = builder(10).build::<Tagged>().unwrap();
    let fd: std::os::unix::io::OwnedFd = ring.into();
    let tagged = Ring::<Tagged>::from_fd(fd.try_clone().unwrap());
    let untagged = Ring::<u64>::from_fd(fd.try_clone().unwrap());
    let small = Ring::<u32>::from_fd(fd);
    assert_eq!(untagged.producer().unwrap_err(), Error::Mismatch);
    assert_eq!(small.consumer().unwrap_err(), Error::Mismatch);
    let end = tagged.claim(Role::Producer).unwrap();
    // SAFETY: this is the only handle
    let refused = unsafe { Producer::<u64>::from_fd(end.try_clone().unwrap()) };
    assert_eq!(refused.unwrap_err(), Error::Mismatch);
    // SAFETY: as above
    unsafe { Producer::<Tagged>::from_fd(end) }.unwrap();
}

/// A ring whose slots are less aligned, or further apart, than the type needs.
#[test]
fn another_layout_is_refused() {
    for align in [8, 32] {
        let ring = builder(10).align(align).build::<Aligned>().unwrap();
        assert_eq!(ring.producer().unwrap_err(), Error::Mismatch, "align {align}");
        assert_eq!(ring.consumer().unwrap_err(), Error::Mismatch, "align {align}");
    }
    builder(10).build::<Aligned>().unwrap().split().unwrap();
}

#[test]
fn a_bad_value_is_named() {
    let why = |builder: RingBuilder| match builder.build::<u64>().err() {
        Some(Error::Invalid(why)) => why,
        other => panic!("{other:?}"),
    };
    // SPSCRING_WHY_CAPACITY, _ALIGN, _FRAME_SIZE and _TOO_LARGE
    assert_eq!(why(builder(0)), 11);
    assert_eq!(why(builder(1).align(3)), 12);
    assert_eq!(why(builder(1).frame_size(100)), 13);
    assert_eq!(why(builder(1 << 40)), 20);
    let text = Error::Invalid(11).to_string();
    assert!(text.contains("capacity"), "{text}");
}

#[test]
fn info_tells_what_is_in_the_ring() {
    let (ring, mut p, mut c) = ring::<u64>(10);
    for i in 0..5 {
        p.push(i).unwrap();
    }
    c.pop().unwrap();
    let info = ring.info().unwrap();
    assert_eq!(info.name(), "rust test");
    assert_eq!((info.capacity(), info.element_size(), info.length()), (10, 8, 4));
    assert_eq!((info.head(), info.tail()), (1, 5));
    assert_eq!(info.producer(), (spscring::EndState::Held, 1));
    assert!(!info.is_broken() && info.memory() > 0);
    assert!(p.info().is_ok() && c.info().is_ok());
}

#[test]
fn each_reason_of_a_failed_open_is_an_error() {
    let long = "x".repeat(100);
    builder(1).name(&long).build::<u64>().unwrap();
    if std::path::Path::new("/dev/spscring").exists() {
        return;
    }
    assert_eq!(RingBuilder::new(1).build::<u64>().err(), Some(Error::Os(2)));
}

/// What unwrap() and main() print is the text, and of an errno the number, too.
#[test]
fn debug_is_a_text() {
    let text = format!("{:?}", Error::Os(2));
    assert!(text.contains("/dev/spscring") && text.contains("(errno 2)"), "{}", text);
    assert_eq!(format!("{:?}", PopError::Ended), Error::Ended.to_string());
    assert_eq!(format!("{:?}", PushError::Full(1)), "the ring is full");
}

/// `Send`, and not `Sync`: with both, the second line would be ambiguous.
macro_rules! send_and_not_sync {
    ($t:ty) => {{
        trait NotSync<A> {
            fn check() {}
        }
        struct IfSync;
        impl<T: ?Sized> NotSync<()> for T {}
        impl<T: ?Sized + Sync> NotSync<IfSync> for T {}
        fn send<T: Send>() {}
        send::<$t>();
        <$t as NotSync<_>>::check();
    }};
}

#[test]
fn ends_are_send_and_not_sync() {
    send_and_not_sync!(Producer<u64>);
    send_and_not_sync!(Consumer<u64>);
    send_and_not_sync!(spscring::RecordProducer);
    send_and_not_sync!(spscring::RecordConsumer);
}
