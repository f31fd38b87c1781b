// SPDX-License-Identifier: MIT
//! What this crate shares with the C library: the ABI of `<linux/spscring.h>`, the handles of
//! `<spscring/element.h>` and `<spscring/word.h>`, and the library's functions.
//!
//! `c_struct!` also makes C assertions of each size and offset; the test at the end has a C
//! compiler check them against the headers.

use core::sync::atomic::AtomicU64;

/// A word that two ends share.
pub type Word = AtomicU64;

/// A `repr(C)` struct, and the C name by which the test compares it with the header.
macro_rules! c_struct {
    ($(#[$attribute:meta])* $name:ident = $c:literal { $($field:ident : $type:ty,)* }) => {
        $(#[$attribute])*
        #[repr(C)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        #[cfg(test)]
        impl $name {
            fn assertions(out: &mut String) {
                use core::fmt::Write;
                let at = core::mem::MaybeUninit::<Self>::uninit();
                let at = at.as_ptr();
                let size = core::mem::size_of::<Self>();
                writeln!(out, "_Static_assert(sizeof({}) == {}, \"size\");", $c, size).unwrap();
                $(
                    // SAFETY: the address of a field of a struct that is there
                    let field = unsafe { core::ptr::addr_of!((*at).$field) };
                    writeln!(
                        out,
                        "_Static_assert(offsetof({}, {}) == {}, \"offset\");",
                        $c,
                        stringify!($field),
                        field as usize - at as usize
                    )
                    .unwrap();
                    writeln!(
                        out,
                        "_Static_assert(sizeof((({} *)0)->{}) == {}, \"size\");",
                        $c,
                        stringify!($field),
                        core::mem::size_of::<$type>()
                    )
                    .unwrap();
                )*
            }
        }
    };
}

/// Constants of the headers; the test compares them, too.
macro_rules! c_consts {
    ($($name:ident = $c:literal : $type:ty = $value:expr,)*) => {
        $(pub const $name: $type = $value;)*

        #[cfg(test)]
        fn const_assertions(out: &mut String) {
            use core::fmt::Write;
            $(
                writeln!(out, "_Static_assert({} == {}, \"constant\");", $c, $name as u64).unwrap();
            )*
        }
    };
}

c_consts! {
    PRODUCER = "SPSCRING_PRODUCER": u32 = 1,
    CONSUMER = "SPSCRING_CONSUMER": u32 = 2,
    VARIABLE_SIZE = "SPSCRING_VARIABLE_SIZE": u32 = 0,
    ELEMENT_MAX = "SPSCRING_ELEMENT_MAX": usize = 65536,
    ALIGN_MAX = "SPSCRING_ALIGN_MAX": usize = 64,
    NAME_MAX = "SPSCRING_NAME_MAX": usize = 32,
    HELD = "SPSCRING_HELD": u32 = 1,
    SHUT_DOWN = "SPSCRING_SHUT_DOWN": u32 = 2,
    DEAD = "SPSCRING_DEAD": u32 = 3,
    CREATE_NUMA_NODE = "SPSCRING_CREATE_NUMA_NODE": u32 = 1 << 0,
    CREATE_BUSY_POLL = "SPSCRING_CREATE_BUSY_POLL": u32 = 1 << 1,
    CREATE_FENCE = "SPSCRING_CREATE_FENCE": u32 = 1 << 2,
    CREATE_RECORDS = "SPSCRING_CREATE_RECORDS": u32 = 1 << 3,
    CREATE_DROP = "SPSCRING_CREATE_DROP": u32 = 1 << 4,
    CREATE_OVERWRITE = "SPSCRING_CREATE_OVERWRITE": u32 = 1 << 5,
    CREATE_CLOSE_ENDS = "SPSCRING_CREATE_CLOSE_ENDS": u32 = 1 << 6,
    HANDLES = "SPSCRING_HANDLES": u64 = 1,
    REFRESH_EVERY = "SPSCRING_REFRESH_EVERY": u32 = 64,
    BACKOFF_MAX = "SPSCRING_BACKOFF_MAX": u32 = 256,
    PREFETCH_FRAMES = "SPSCRING_PREFETCH_FRAMES": usize = 16,
    WORD = "SPSCRING_WORD": u64 = 8,
    WORD_LENGTH = "SPSCRING_WORD_LENGTH": u64 = 0xffff_ffff,
    WORD_DISCARDED = "SPSCRING_WORD_DISCARDED": u64 = 1 << 33,
    WORD_SEQUENCE = "SPSCRING_WORD_SEQUENCE": u32 = 35,
    PHASE_LAP = "SPSCRING_PHASE_LAP": u32 = 1 << 2,
    EAGAIN = "EAGAIN": i32 = 11,
    EBUSY = "EBUSY": i32 = 16,
    EINTR = "EINTR": i32 = 4,
    EINVAL = "EINVAL": i32 = 22,
    EPIPE = "EPIPE": i32 = 32,
    EMSGSIZE = "EMSGSIZE": i32 = 90,
    EPROTOTYPE = "EPROTOTYPE": i32 = 91,
    EOPNOTSUPP = "EOPNOTSUPP": i32 = 95,
    ENOBUFS = "ENOBUFS": i32 = 105,
    ESHUTDOWN = "ESHUTDOWN": i32 = 108,
    ETIMEDOUT = "ETIMEDOUT": i32 = 110,
}

c_struct! { Create = "struct spscring_create" {
    size: u32,
    flags: u32,
    capacity: u64,
    element_size: u32,
    align: u32,
    frame_size: u32,
    numa_node: i32,
    type_tag: u64,
    name: [u8; NAME_MAX],
    why: u32,
    reserved: u32,
} }

c_struct! { Geometry = "struct spscring_geometry" {
    capacity: u64,
    frames: u64,
    data_bytes: u64,
    memory: u64,
    consumer_offset: u64,
    info_offset: u64,
    producer_offset: u64,
    data_offset: u64,
    type_tag: u64,
    element_size: u32,
    stride: u32,
    frame_size: u32,
    frame_elements: u32,
    frame_first: u32,
    publish_batch: u32,
    page_size: u32,
    colour: u32,
    version: u32,
    oldest_reader: u32,
    features: u32,
    flags: u32,
    reserved: u64,
} }

c_struct! { SleepCounters = "struct spscring_sleep_counters" {
    sleeps: u64,
    polls: u64,
    kicks: u64,
    wakes: u64,
    interrupts: u64,
    clears: u64,
    refused: u64,
    reserved: u64,
} }

c_struct! { Loss = "struct spscring_loss" {
    drops: u64,
    overruns: u64,
    high_water: u64,
    sequence: u64,
    reserved: [u64; 4],
} }

c_struct! { Info = "struct spscring_info" {
    size: u32,
    flags: u32,
    geometry: Geometry,
    name: [u8; NAME_MAX],
    head: u64,
    tail: u64,
    length: u64,
    free: u64,
    producer_state: u32,
    producer_generation: u32,
    consumer_state: u32,
    consumer_generation: u32,
    broken: u32,
    reserved: u32,
    producer_sleep: SleepCounters,
    consumer_sleep: SleepCounters,
    loss: Loss,
    id: u64,
} }

c_struct! { KernelBlock = "struct spscring_kernel_block" {
    consumer_event: Word,
    producer_event: Word,
    consumer: Word,
    producer: Word,
    broken: Word,
    reserved: [u64; 3],
} }

c_struct! { ConsumerBlock = "struct spscring_consumer_block" {
    cursor: Word,
    sequence: Word,
    failed: Word,
    waits: [Word; 2],
    overruns: Word,
    reserved: [u64; 10],
    published_head: Word,
    reserved_head: [u64; 7],
} }

c_struct! { ProducerBlock = "struct spscring_producer_block" {
    cursor: Word,
    sequence: Word,
    failed: Word,
    waits: [Word; 2],
    drops: Word,
    high_water: Word,
    full_at: Word,
    reserved: [u64; 8],
    oldest: Word,
    oldest_sequence: Word,
    reserved_oldest: [u64; 6],
} }

c_struct! { ProducerBase = "struct spscring_producer_base" {
    kernel: *const KernelBlock,
    last_event: u64,
    data: *mut u8,
    end: *mut u8,
    capacity: u64,
    fails: u32,
    error: i32,
    failed_at: u64,
    peer_published_head: *const Word,
    peer_cursor: *const Word,
    block: *mut ProducerBlock,
    spin: u32,
    spin_max: u32,
    flags: u32,
    features: u32,
    fd: i64,
    cached_limit: u64,
    last_kicked: u64,
    cursor: *mut Word,
    pos: u64,
    run_end: u64,
    event: *const Word,
    stride: u32,
    cpu: u32,
} }

c_struct! { ConsumerBase = "struct spscring_consumer_base" {
    kernel: *const KernelBlock,
    block: *mut ConsumerBlock,
    peer: *const ProducerBlock,
    data: *mut u8,
    end: *mut u8,
    capacity: u64,
    last_kicked: u64,
    flags: u32,
    peer_is_user: u32,
    fd: i64,
    publish_batch: u32,
    error: i32,
    spin: u32,
    spin_max: u32,
    fails: u32,
    backoff: u32,
    waited: u32,
    waited_fails: u32,
    waited_at: u64,
    features: u32,
    reserved: u32,
    pos: u64,
    cursor: *mut Word,
    publish_at: u64,
    event: *const Word,
    stride: u32,
    cpu: u32,
} }

c_struct! { #[derive(Clone, Copy)] Frame = "struct spscring_frame" {
    tail: *mut Word,
    slots: usize,
} }

c_struct! { Producer = "struct spscring_producer" {
    base: ProducerBase,
    frame: Frame,
    element_size: u32,
    frame_size: u32,
    frame_first: u32,
    frame_last: u32,
    frame_elements: u32,
} }

c_struct! { Consumer = "struct spscring_consumer" {
    base: ConsumerBase,
    cached_tail: u64,
    slots: usize,
    tail: *const Word,
    frame_end: u64,
    element_size: u32,
    frame_size: u32,
    frame_first: u32,
    frame_elements: u32,
} }

c_struct! { RecordProducer = "struct spscring_record_producer" {
    base: ProducerBase,
    word: *mut u8,
    sequence: u64,
    phase: u32,
    cleared: u64,
    reserved: u64,
    first: u64,
    oldest: u64,
    oldest_sequence: u64,
    oldest_at: *const u8,
} }

c_struct! { RecordConsumer = "struct spscring_record_consumer" {
    base: ConsumerBase,
    known_length: u64,
    word: *mut u8,
    sequence: u64,
    phase: u32,
    waited_sequence: u64,
} }

c_struct! { Mapping = "struct spscring_mapping" {
    read_only: *mut u8,
    read_only_size: usize,
    writable: *mut u8,
    writable_size: usize,
} }

c_struct! { Timespec = "struct timespec" {
    tv_sec: i64,
    tv_nsec: i64,
} }

pub const CLOCK_MONOTONIC: i32 = 1;

/// `SPSCRING_HANDLE()`: the layout and size of a handle, by which the library refuses another's.
pub const fn handle<H>() -> u64 {
    (HANDLES << 32) | core::mem::size_of::<H>() as u64
}

extern "C" {
    pub fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    pub fn close(fd: i32) -> i32;
    pub fn sched_yield() -> i32;
    pub fn strlen(text: *const u8) -> usize;

    pub fn spscring_open(want: *mut Create) -> i32;
    pub fn spscring_open_memfd(want: *mut Create) -> i32;
    pub fn spscring_why(why: u32) -> *const u8;
    pub fn spscring_strerror(role: u32, err: i32) -> *const u8;
    pub fn spscring_claim(fd: i32, role: u32, element_size: u32, type_tag: u64) -> i32;
    pub fn spscring_get_info(fd: i32, info: *mut Info) -> i32;
    pub fn spscring_notify(fd: i32, watermark: u64, timeout: u64, eventfd: i32) -> i32;
    pub fn spscring_unmap(map: *const Mapping);

    pub fn spscring_map_producer_as(
        fd: i32,
        p: *mut Producer,
        element_size: u32,
        type_tag: u64,
        map: *mut Mapping,
        handle: u64,
    ) -> i32;
    pub fn spscring_map_consumer_as(
        fd: i32,
        c: *mut Consumer,
        element_size: u32,
        type_tag: u64,
        map: *mut Mapping,
        handle: u64,
    ) -> i32;
    pub fn spscring_record_map_producer_as(
        fd: i32,
        p: *mut RecordProducer,
        type_tag: u64,
        map: *mut Mapping,
        handle: u64,
    ) -> i32;
    pub fn spscring_record_map_consumer_as(
        fd: i32,
        c: *mut RecordConsumer,
        type_tag: u64,
        map: *mut Mapping,
        handle: u64,
    ) -> i32;

    pub fn spscring_shutdown_producer(p: *mut Producer) -> i32;
    pub fn spscring_shutdown_consumer(c: *mut Consumer) -> i32;
    pub fn spscring_record_shutdown_producer(p: *mut RecordProducer) -> i32;
    pub fn spscring_record_shutdown_consumer(c: *mut RecordConsumer) -> i32;

    pub fn spscring_wait_room(p: *mut Producer, n: u64, deadline: i64) -> i32;
    pub fn spscring_wait_elements(c: *mut Consumer, n: u64, deadline: i64) -> i32;
    pub fn spscring_record_wait_room(p: *mut RecordProducer, n: u64, deadline: i64) -> i32;
    pub fn spscring_record_wait_bytes(c: *mut RecordConsumer, n: u64, deadline: i64) -> i32;

    pub fn spscring_refresh_head(p: *mut ProducerBase, n: u64) -> i32;
    pub fn spscring_wake_consumer(p: *mut ProducerBase, pos: u64) -> i32;
    pub fn spscring_wake_producer(c: *mut ConsumerBase) -> i32;
    pub fn spscring_consumer_broken(c: *mut Consumer) -> i32;
    pub fn spscring_empty_status(c: *mut Consumer) -> i32;
    pub fn spscring_has_elements(c: *const Consumer, n: u64) -> i32;

    pub fn spscring_record_push_slow(p: *mut RecordProducer, rec: *const u8, length: u64) -> i32;
    pub fn spscring_record_make_room(p: *mut RecordProducer, length: u64, size: u64) -> i32;
    pub fn spscring_record_commit_many(p: *mut RecordProducer, flags: u32);
    pub fn spscring_record_drop(p: *mut RecordProducer, n: u64);
    pub fn spscring_record_trim(p: *mut RecordProducer, end: *mut u8, bytes: u64);
    pub fn spscring_record_refresh(c: *mut RecordConsumer, word: u64) -> i64;
    pub fn spscring_record_pop_slow(c: *mut RecordConsumer, rec: *mut u8, size: usize) -> i64;
    pub fn spscring_record_pop_finish(c: *mut RecordConsumer, length: i64) -> i64;
    pub fn spscring_record_adapt_backoff(c: *mut RecordConsumer);
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// Compile the assertions against the headers of the tree that this crate is in.
    #[test]
    fn layout_is_that_of_the_headers() {
        let mut c = String::from("#include <time.h>\n#include <spscring.h>\n");
        Create::assertions(&mut c);
        Geometry::assertions(&mut c);
        SleepCounters::assertions(&mut c);
        Loss::assertions(&mut c);
        Info::assertions(&mut c);
        KernelBlock::assertions(&mut c);
        ConsumerBlock::assertions(&mut c);
        ProducerBlock::assertions(&mut c);
        ProducerBase::assertions(&mut c);
        ConsumerBase::assertions(&mut c);
        Frame::assertions(&mut c);
        Producer::assertions(&mut c);
        Consumer::assertions(&mut c);
        RecordProducer::assertions(&mut c);
        RecordConsumer::assertions(&mut c);
        Mapping::assertions(&mut c);
        Timespec::assertions(&mut c);
        const_assertions(&mut c);

        let mut compiler = Command::new("gcc")
            .args(["-std=gnu11", "-fsyntax-only", "-x", "c", "-"])
            .args(["-I../../uapi", "-I../lib"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .spawn()
            .expect("gcc");
        compiler.stdin.take().unwrap().write_all(c.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success());
    }
}
