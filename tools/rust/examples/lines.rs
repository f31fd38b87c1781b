// SPDX-License-Identifier: MIT
//! Records, here lines of text, from one thread to another: copies standard input to standard
//! output.

use spscring::{Error, RecordConsumer, RecordProducer, RecordRing};
use std::io::{self, BufRead, Write};
use std::thread;

fn produce(mut producer: RecordProducer) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        producer.push_wait(&line, None)?;
        line.clear();
    }
    Ok(producer.shutdown()?)
}

fn consume(mut consumer: RecordConsumer) -> io::Result<()> {
    let mut output = io::stdout().lock();
    loop {
        match consumer.peek() {
            Ok(record) => {
                // SAFETY: the producer is this program's, and writes only what is released
                output.write_all(unsafe { record.as_slice() })?;
                record.release();
            }
            Err(Error::Empty) => match consumer.wait_bytes(1, None) {
                Ok(()) | Err(Error::Ended) => {}
                Err(e) => return Err(e.into()),
            },
            Err(Error::Ended) => return output.flush(),
            Err(e) => return Err(e.into()),
        }
    }
}

fn main() -> io::Result<()> {
    let ring = RecordRing::new(1 << 20).or_else(|_| RecordRing::memfd(1 << 20))?;
    let (producer, consumer) = ring.split()?;
    let producing = thread::spawn(|| produce(producer));
    consume(consumer)?;
    producing.join().expect("the producer does not panic")
}
