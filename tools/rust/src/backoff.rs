// SPDX-License-Identifier: MIT
//! What both consumers share: the back-off, the producer's end, the published head.

use crate::element::event_reached;
use crate::sys;
use core::sync::atomic::Ordering::{Relaxed, Release};

/// How much an element of `stride` bytes counts, see `spscring_backoff_weight()`.
#[inline(always)]
pub(crate) const fn weight(stride: u64) -> u64 {
    if stride < 32 {
        1
    } else if stride < 64 {
        stride / 16
    } else {
        4
    }
}

/// Adapt the back-off when a wait ends; see `spscring_adapt_backoff()`.
#[inline(always)]
pub(crate) fn adapt(c: &mut sys::ConsumerBase, came: u64) {
    let polls = c.fails.wrapping_sub(c.waited_fails);
    let waited = u64::from(c.waited);

    if came >= 2 * waited {
        if c.backoff < sys::BACKOFF_MAX {
            c.backoff *= 2;
        }
    } else if came <= waited {
        c.backoff = (c.backoff + 1) / 2;
    }
    c.waited = polls.wrapping_mul(c.backoff);
    c.waited_at = c.pos;
    c.waited_fails = c.fails;
}

/// The back-off itself.
pub(crate) fn spin(c: &sys::ConsumerBase) {
    for _ in 0..c.backoff {
        core::hint::spin_loop();
    }
}

/// Has the producer shut down or died?  In a ring that only polls, each 64th poll asks.
#[inline(always)]
pub(crate) fn peer_ended(c: &sys::ConsumerBase) -> bool {
    // SAFETY: the handle's pages are mapped
    c.flags & sys::CREATE_BUSY_POLL == 0
        && unsafe { (*c.kernel).producer.load(Relaxed) } as u32 > sys::HELD
}

/// Must more be done after a store of the cursor, which is `pos` now?
///
/// # Safety
/// The handle's pages are mapped.
#[inline(always)]
pub(crate) unsafe fn has_more_to_do(c: &sys::ConsumerBase, pos: u64) -> bool {
    pos.wrapping_sub(c.publish_at) as i64 >= 0 || event_reached(c.event, pos)
}

/// What is left to do after a store of the cursor: publish the head once a batch, kick a producer
/// that waits.  It is out of line, and returns `value`, so that the hot path saves no registers.
///
/// # Safety
/// The handle's pages are mapped.
#[cold]
#[inline(never)]
pub(crate) unsafe fn after_release<T>(c: &mut sys::ConsumerBase, pos: u64, value: T) -> T {
    if pos.wrapping_sub(c.publish_at) as i64 >= 0 {
        c.publish_at = pos.wrapping_add(u64::from(c.publish_batch));
        // (E) pairs with (F)
        (*c.block).published_head.store(pos, Release);
    }
    if event_reached(c.event, pos) {
        sys::spscring_wake_producer(c);
    }
    value
}
