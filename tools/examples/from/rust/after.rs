// SPDX-License-Identifier: MIT
// Two threads, which may as well be two processes, and a ring.
use spscring::{Error, Plain, Ring};
use std::thread;

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Order {
    id: u64,
    price: f64,
}

// SAFETY: any bytes are an Order, and it has no gaps
unsafe impl Plain for Order {}

fn main() -> Result<(), Error> {
    // in memory of this process's own; Ring::new() makes one by the module
    let (mut producer, mut consumer) = Ring::memfd(4096)?.split()?;
    let sender = thread::spawn(move || {
        for id in 1..=1_000_000 {
            producer.push_wait(Order { id, price: 0.5 * id as f64 }, None).unwrap();
        }
        // a channel ends when its sender is dropped; the end of a ring is said
        producer.shutdown()
    });
    let mut sum = 0.0;
    for id in 1..=1_000_000 {
        let order = consumer.pop_wait(None)?;
        assert_eq!(order.id, id);
        sum += order.price;
    }
    assert!(consumer.pop_wait(None).is_err());
    sender.join().unwrap()?;
    println!("{sum:.1}");
    Ok(())
}
