// SPDX-License-Identifier: MIT
//! Push and pop of Rust in the place of C's, for `tools/hotpath` to step through.
//!
//! The handles are C's.  An end begins with its handle, and its hot path reads nothing else.
#![no_std]

use spscring::{Consumer, Producer, RecordConsumer, RecordProducer};

/// As the compiler does not know it, a good return is a 0 in the register of results.
static FAILED: i32 = -1;

#[cold]
#[inline(never)]
fn failed() -> i32 {
    // SAFETY: a static
    unsafe { core::ptr::addr_of!(FAILED).read_volatile() }
}

/// # Safety
/// `p` is a handle, and `v` a value.
#[no_mangle]
pub unsafe extern "C" fn bench_push_probe(p: *mut Producer<u64>, v: *const u64) -> i32 {
    if (*p).push(*v).is_err() {
        return failed();
    }
    0
}

/// # Safety
/// `c` is a handle, and `v` the place for a value.
#[no_mangle]
pub unsafe extern "C" fn bench_pop_probe(c: *mut Consumer<u64>, v: *mut u64) -> i32 {
    match (*c).pop() {
        Ok(got) => {
            *v = got;
            0
        }
        Err(_) => failed(),
    }
}

/// # Safety
/// `p` is a handle, and `v` a value.
#[no_mangle]
pub unsafe extern "C" fn bench_record_push_probe(p: *mut RecordProducer, v: *const [u8; 8]) -> i32 {
    if (*p).push(&*v).is_err() {
        return failed();
    }
    0
}

/// # Safety
/// `c` is a handle, and `v` the place for a value.
#[no_mangle]
pub unsafe extern "C" fn bench_record_pop_probe(c: *mut RecordConsumer, v: *mut [u8; 8]) -> i32 {
    if (*c).pop_array(&mut *v).is_err() {
        return failed();
    }
    0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
