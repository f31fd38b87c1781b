// SPDX-License-Identifier: GPL-2.0 OR MIT
//! crossbeam's `ArrayQueue`, in shared memory: its slots are the one thing it
//! allocates, so this library's allocator takes them from there.  It has no batches.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crossbeam_queue::ArrayQueue;

// as in bench.h
const LINE: usize = 128;

extern "C" {
    static mut rival_pauses: u32;
    fn rival_wrong(got: u64, expected: u64) -> !;
}

type Queue = ArrayQueue<u64>;

/// What is left of the memory of the queue that is being made.
struct Arena {
    next: AtomicUsize,
    end: AtomicUsize,
}

// SAFETY: what it gives out is aligned, apart and in the arena, or null
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(LINE);
        let at = (self.next.load(Relaxed) + align - 1) & !(align - 1);
        if at + layout.size() > self.end.load(Relaxed) {
            return ptr::null_mut();
        }
        self.next.store(at + layout.size(), Relaxed);
        at as *mut u8
    }

    /// The memory goes as a whole.
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ARENA: Arena = Arena {
    next: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
};

unsafe fn relax() {
    for _ in 0..rival_pauses {
        std::hint::spin_loop();
    }
}

/// A slot is a stamp and a value.
#[no_mangle]
pub extern "C" fn crossbeam_size(capacity: usize) -> usize {
    size_of::<Queue>() + LINE + capacity * 2 * size_of::<u64>()
}

/// # Safety
/// `memory` is as large as that, and aligned to a page.
#[no_mangle]
pub unsafe extern "C" fn crossbeam_init(memory: *mut c_void, capacity: usize) {
    ARENA.next.store(memory as usize + size_of::<Queue>(), Relaxed);
    ARENA.end.store(memory as usize + crossbeam_size(capacity), Relaxed);
    ptr::write(memory as *mut Queue, Queue::new(capacity));
}

/// # Safety
/// `memory` is `crossbeam_init`'s.
#[no_mangle]
pub unsafe extern "C" fn crossbeam_push(memory: *const c_void, v: u64) -> bool {
    (*(memory as *const Queue)).push(v).is_ok()
}

/// # Safety
/// `memory` is `crossbeam_init`'s, and `v` may be written.
#[no_mangle]
pub unsafe extern "C" fn crossbeam_pop(memory: *const c_void, v: *mut u64) -> bool {
    (*(memory as *const Queue)).pop().map(|got| *v = got).is_some()
}

/// # Safety
/// `memory` is `crossbeam_init`'s.
#[no_mangle]
pub unsafe extern "C" fn crossbeam_push_range(memory: *const c_void, from: u64, to: u64) {
    let queue = &*(memory as *const Queue);
    for v in from..to {
        while queue.push(v).is_err() {
            relax();
        }
    }
}

/// # Safety
/// `memory` is `crossbeam_init`'s.
#[no_mangle]
pub unsafe extern "C" fn crossbeam_pop_range(memory: *const c_void, from: u64, to: u64) {
    let queue = &*(memory as *const Queue);
    for expected in from..to {
        let got = loop {
            match queue.pop() {
                Some(v) => break v,
                None => relax(),
            }
        };
        if got != expected {
            rival_wrong(got, expected);
        }
    }
}
