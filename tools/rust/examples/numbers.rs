// SPDX-License-Identifier: MIT
//! Elements from a child to its parent: prints the sum of the first million numbers.
//!
//! The parent claims both ends, and hands the producer's to a child, here this program again, as
//! its standard input.

use spscring::{Consumer, Producer, Ring, Role};
use std::env;
use std::error::Error;
use std::os::unix::io::{FromRawFd, OwnedFd};
use std::process::Command;

fn produce() -> Result<(), Box<dyn Error>> {
    // SAFETY: the parent has put the end there, and nothing else here reads standard input
    let end = unsafe { OwnedFd::from_raw_fd(0) };
    // SAFETY: the parent has no handle for it
    let mut producer = unsafe { Producer::<u64>::from_fd(end)? };
    for value in 1..=1_000_000 {
        // polls, then sleeps, while the ring is full
        producer.push_wait(value, None)?;
    }
    producer.shutdown()?;
    Ok(())
}

fn consume(consumer: &mut Consumer<u64>) -> Result<u64, spscring::Error> {
    let mut sum = 0;
    for value in consumer.iter() {
        sum += value?; // PeerDied, if the child has not come to its shutdown()
    }
    Ok(sum)
}

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("produce") {
        return produce();
    }
    let ring = Ring::new(4096).or_else(|_| Ring::memfd(4096))?;
    // the fd goes to the child; a copy that stayed here would hide the child's death
    let end = ring.claim(Role::Producer)?;
    let mut child = Command::new(env::current_exe()?).arg("produce").stdin(end).spawn()?;
    println!("{}", consume(&mut ring.consumer()?)?);
    if !child.wait()?.success() {
        return Err("the child has failed".into());
    }
    Ok(())
}
