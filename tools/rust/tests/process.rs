// SPDX-License-Identifier: MIT
//! Two processes: Rust and Rust, Rust and C, and deaths.
//!
//! A child is this program again, or the C program `peer.c` that `SPSCRING_PEER` names, with its
//! end as standard input.  So it has a `main()` of its own, which prints as the tests do that
//! have none.

mod common;

use common::{builder, messages};
use spscring::{Consumer, EndState, Error, PopError, Producer, PushError};
use spscring::{RecordConsumer, RecordProducer, Role};
use std::os::unix::io::{FromRawFd, OwnedFd};
use std::panic::catch_unwind;
use std::process::{exit, Child, Command};

/// The end that this child was started with.
fn own_end() -> OwnedFd {
    // SAFETY: standard input, which nothing else here uses
    unsafe { OwnedFd::from_raw_fd(0) }
}

/// `n` repeated, as `peer.c` has it.
fn record(n: u64) -> Vec<u8> {
    n.to_ne_bytes().repeat(n as usize % 6)
}

fn produce(all: u64) {
    // SAFETY: the parent keeps no handle
    let mut p = unsafe { Producer::<u64>::from_fd(own_end()) }.unwrap();
    (0..all).for_each(|n| p.push_wait(n, None).unwrap());
    p.shutdown().unwrap();
}

fn consume(all: u64) {
    // SAFETY: the parent keeps no handle
    let mut c = unsafe { Consumer::<u64>::from_fd(own_end()) }.unwrap();
    assert!(c.iter().map(Result::unwrap).eq(0..all));
}

fn record_produce(all: u64) {
    // SAFETY: the parent keeps no handle
    let mut p = unsafe { RecordProducer::from_fd(own_end(), 0) }.unwrap();
    (0..all).for_each(|n| p.push_wait(&record(n), None).unwrap());
    p.shutdown().unwrap();
}

fn record_consume(all: u64) {
    // SAFETY: the parent keeps no handle
    let mut c = unsafe { RecordConsumer::from_fd(own_end(), 0) }.unwrap();
    assert!(c.iter().map(Result::unwrap).eq((0..all).map(record)));
}

/// Take so many, then wait to be killed.
fn consume_some(some: u64) {
    // SAFETY: the parent keeps no handle
    let mut c = unsafe { Consumer::<u64>::from_fd(own_end()) }.unwrap();
    (0..some).for_each(|n| assert_eq!(c.pop_wait(None), Ok(n)));
    std::thread::park();
}

/// Exit without a shutdown.
fn produce_and_exit(all: u64) {
    // SAFETY: the parent keeps no handle
    let mut p = unsafe { Producer::<u64>::from_fd(own_end()) }.unwrap();
    (0..all).for_each(|n| p.push_wait(n, None).unwrap());
    exit(0);
}

type Main = fn(u64);

const ROLES: [(&str, Main); 6] = [
    ("produce", produce),
    ("consume", consume),
    ("record-produce", record_produce),
    ("record-consume", record_consume),
    ("consume-some", consume_some),
    ("produce-and-exit", produce_and_exit),
];

fn rust_child(role: &str, end: OwnedFd, n: u64) -> Child {
    let this = std::env::current_exe().unwrap();
    Command::new(this).args(["child", role, &n.to_string()]).stdin(end).spawn().unwrap()
}

fn c_child(role: &str, end: OwnedFd, n: u64) -> Child {
    let peer = std::env::var("SPSCRING_PEER").expect("SPSCRING_PEER names no program");
    Command::new(peer).args([role, &n.to_string()]).stdin(end).spawn().unwrap()
}

type Start = fn(&str, OwnedFd, u64) -> Child;

fn succeeds(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

/// Elements from a child, then to one.
fn elements_with(start: Start) {
    let all = messages();
    let ring = builder(1000).build::<u64>().unwrap();
    let child = start("produce", ring.claim(Role::Producer).unwrap(), all);
    let mut c = ring.consumer().unwrap();
    assert!(c.iter().map(Result::unwrap).eq(0..all));
    succeeds(child);

    let ring = builder(1000).build::<u64>().unwrap();
    let child = start("consume", ring.claim(Role::Consumer).unwrap(), all);
    let mut p = ring.producer().unwrap();
    (0..all).for_each(|n| p.push_wait(n, None).unwrap());
    p.shutdown().unwrap();
    succeeds(child);
}

/// Records from a child, then to one.
fn records_with(start: Start) {
    let all = messages();
    let ring = builder(10_000).build_records().unwrap();
    let child = start("record-produce", ring.claim(Role::Producer).unwrap(), all);
    let mut c = ring.consumer().unwrap();
    assert!(c.iter().map(Result::unwrap).eq((0..all).map(record)));
    succeeds(child);

    let ring = builder(10_000).build_records().unwrap();
    let child = start("record-consume", ring.claim(Role::Consumer).unwrap(), all);
    let mut p = ring.producer().unwrap();
    (0..all).for_each(|n| p.push_wait(&record(n), None).unwrap());
    p.shutdown().unwrap();
    succeeds(child);
}

fn rust_and_rust_move_elements() {
    elements_with(rust_child);
}

fn rust_and_rust_move_records() {
    records_with(rust_child);
}

fn rust_and_c_move_elements() {
    elements_with(c_child);
}

fn rust_and_c_move_records() {
    records_with(c_child);
}

/// What a killed producer had published is there, and its successor goes on after it.
fn a_killed_producer_loses_nothing() {
    let ring = builder(100).build::<u64>().unwrap();
    let mut child = rust_child("produce", ring.claim(Role::Producer).unwrap(), u64::MAX);
    let mut c = ring.consumer().unwrap();
    (0..1000).for_each(|n| assert_eq!(c.pop_wait(None), Ok(n)));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut n = 1000;
    loop {
        match c.pop_wait(None) {
            Ok(v) => assert_eq!(v, n),
            Err(PopError::PeerDied) => break,
            Err(e) => panic!("{e}"),
        }
        n += 1;
    }
    assert_eq!(ring.info().unwrap().producer(), (EndState::Dead, 1));
    let mut p = ring.producer().unwrap();
    p.push(n).unwrap();
    assert_eq!(c.pop_wait(None), Ok(n));
}

/// What a killed consumer had not released its successor takes.
fn a_killed_consumer_is_followed() {
    let ring = builder(100).build::<u64>().unwrap();
    let mut child = rust_child("consume-some", ring.claim(Role::Consumer).unwrap(), 500);
    let mut p = ring.producer().unwrap();
    (0..600).for_each(|n| p.push_wait(n, None).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(p.push_wait(600, None), Err(PushError::PeerDied(600)));
    assert_eq!(p.wait_room(1, None), Err(Error::PeerDied));
    let mut c = ring.consumer().unwrap();
    p.shutdown().unwrap();
    assert!(c.iter().map(Result::unwrap).eq(500..600));
}

/// An exit without a shutdown is a death, unless the ring says that it ends the stream.
fn an_exit_is_a_death_unless_the_ring_says_otherwise() {
    for ends in [false, true] {
        let b = builder(100);
        let ring = if ends { b.close_ends() } else { b }.build::<u64>().unwrap();
        let child = rust_child("produce-and-exit", ring.claim(Role::Producer).unwrap(), 500);
        let mut c = ring.consumer().unwrap();
        (0..500).for_each(|n| assert_eq!(c.pop_wait(None), Ok(n)));
        succeeds(child);
        let last = if ends { PopError::Ended } else { PopError::PeerDied };
        assert_eq!(c.pop_wait(None), Err(last));
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        [$((stringify!($name), $name as fn())),*]
    };
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map_or(false, |first| first == "child") {
        let (_, role) = ROLES.iter().find(|(name, _)| *name == args[2]).unwrap();
        return role(args[3].parse().unwrap());
    }
    let tests = tests! {
        rust_and_rust_move_elements
        rust_and_rust_move_records
        rust_and_c_move_elements
        rust_and_c_move_records
        a_killed_producer_loses_nothing
        a_killed_consumer_is_followed
        an_exit_is_a_death_unless_the_ring_says_otherwise
    };
    let mut failed = 0;
    for (name, test) in tests {
        let ok = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        failed += usize::from(!ok);
    }
    let passed = tests.len() - failed;
    println!("test result: {passed} passed; {failed} failed; 0 ignored");
    exit(i32::from(failed > 0));
}
