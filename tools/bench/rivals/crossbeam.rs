// SPDX-License-Identifier: GPL-2.0 OR MIT
//! crossbeam's `ArrayQueue`, in shared memory: its slots are the one thing it
//! allocates, so this library's allocator takes them from there.  It has no batches.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::os::raw::c_char;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crossbeam_queue::ArrayQueue;

// as in rival.h
const CAPACITY: usize = 4096;
const MEMORY: usize = 128 << 10;
const LINE: usize = 128;

#[repr(C)]
pub struct Rival {
    name: *const c_char,
    capacity: u32,
    slow: u32,
    init: extern "C" fn(*mut c_void),
    exit: Option<extern "C" fn(*mut c_void)>,
    send: extern "C" fn(*mut c_void, u64, u64),
    receive: extern "C" fn(*mut c_void, u64, u64),
    send_n: Option<extern "C" fn(*mut c_void, u64, u64)>,
    receive_n: Option<extern "C" fn(*mut c_void, u64, u64)>,
}

// SAFETY: nothing in it is ever written
unsafe impl Sync for Rival {}

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

fn relax() {
    // SAFETY: it is written before the loops begin
    for _ in 0..unsafe { rival_pauses } {
        std::hint::spin_loop();
    }
}

#[global_allocator]
static ARENA: Arena = Arena {
    next: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
};

extern "C" fn init(memory: *mut c_void) {
    ARENA.next.store(memory as usize + std::mem::size_of::<Queue>(), Relaxed);
    ARENA.end.store(memory as usize + MEMORY, Relaxed);
    // SAFETY: memory is ours, aligned to a page
    unsafe { ptr::write(memory as *mut Queue, Queue::new(CAPACITY)) };
}

extern "C" fn send(memory: *mut c_void, from: u64, to: u64) {
    // SAFETY: init() has made it
    let queue = unsafe { &*(memory as *const Queue) };
    for v in from..to {
        while queue.push(v).is_err() {
            relax();
        }
    }
}

extern "C" fn receive(memory: *mut c_void, from: u64, to: u64) {
    // SAFETY: init() has made it
    let queue = unsafe { &*(memory as *const Queue) };
    for expected in from..to {
        let got = loop {
            match queue.pop() {
                Some(v) => break v,
                None => relax(),
            }
        };
        if got != expected {
            // SAFETY: ends the process
            unsafe { rival_wrong(got, expected) };
        }
    }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static crossbeam_rival: Rival = Rival {
    name: b"ArrayQueue\0" as *const u8 as *const c_char,
    capacity: CAPACITY as u32,
    slow: 1,
    init,
    exit: None,
    send,
    receive,
    send_n: None,
    receive_n: None,
};
