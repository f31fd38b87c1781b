// SPDX-License-Identifier: MIT
// Two threads, and a bounded channel.
use std::sync::mpsc;
use std::thread;

#[derive(Clone, Copy)]
struct Order {
    id: u64,
    price: f64,
}

fn main() -> Result<(), mpsc::RecvError> {
    let (producer, consumer) = mpsc::sync_channel(4096);
    thread::spawn(move || {
        for id in 1..=1_000_000 {
            producer.send(Order { id, price: 0.5 * id as f64 }).unwrap();
        }
    });
    let mut sum = 0.0;
    for id in 1..=1_000_000 {
        let order = consumer.recv()?;
        assert_eq!(order.id, id);
        sum += order.price;
    }
    assert!(consumer.recv().is_err());
    println!("{sum:.1}");
    Ok(())
}
