// SPDX-License-Identifier: MIT
//! Deadlines, as the library's waits take them.

use crate::sys;
use core::time::Duration;

/// `CLOCK_MONOTONIC` in ns at the end of `timeout`, or -1 for none.
pub(crate) fn deadline(timeout: Option<Duration>) -> i64 {
    let timeout = match timeout {
        Some(timeout) => timeout,
        None => return -1,
    };
    let mut now = sys::Timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place for the result is valid
    unsafe { sys::clock_gettime(sys::CLOCK_MONOTONIC, &mut now) };
    let now = now.tv_sec as u128 * 1_000_000_000 + now.tv_nsec as u128;
    i64::try_from(now + timeout.as_nanos()).unwrap_or(-1)
}

/// Is `deadline` past?
pub(crate) fn is_past(at: i64) -> bool {
    at >= 0 && deadline(Some(Duration::ZERO)) >= at
}

/// Let others run, before the next poll.
pub(crate) fn yield_now() {
    // SAFETY: a call without arguments
    unsafe { sys::sched_yield() };
}
