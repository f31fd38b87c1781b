// SPDX-License-Identifier: MIT
//! A ring's state, for people and tools.

use crate::error::{check, Error};
use crate::sys;
use core::fmt;

/// The state of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndState {
    /// Nobody has held it yet.
    Unclaimed,
    /// Somebody holds it.
    Held,
    /// Its holder has shut it down.
    ShutDown,
    /// Its holder let go of it without shutting it down.
    Dead,
}

impl EndState {
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, EndState::ShutDown | EndState::Dead)
    }

    fn new(state: u32) -> Self {
        match state {
            sys::HELD => EndState::Held,
            sys::SHUT_DOWN => EndState::ShutDown,
            sys::DEAD => EndState::Dead,
            _ => EndState::Unclaimed,
        }
    }
}

/// How an end has slept; see `struct spscring_sleep_counters` in `<linux/spscring.h>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SleepCounters {
    /// How often a wait went to sleep.
    pub sleeps: u64,
    /// Polls that were not ready.
    pub polls: u64,
    /// Kicks of this end by its peer.
    pub kicks: u64,
    /// Wake-ups of sleepers.
    pub wakes: u64,
    /// How often its peer's CPUs were interrupted for it.
    pub interrupts: u64,
}

impl SleepCounters {
    fn new(c: &sys::SleepCounters) -> Self {
        SleepCounters {
            sleeps: c.sleeps,
            polls: c.polls,
            kicks: c.kicks,
            wakes: c.wakes,
            interrupts: c.interrupts,
        }
    }
}

/// A ring's state at one moment.  Positions and sizes are in elements, or in bytes if the ring
/// has records.
pub struct Info(sys::Info);

impl Info {
    pub(crate) fn of(fd: i32) -> Result<Self, Error> {
        // SAFETY: all its fields are numbers, for which 0 is a value
        let mut info: sys::Info = unsafe { core::mem::zeroed() };
        // SAFETY: the place for the result is valid
        check(unsafe { sys::spscring_get_info(fd, &mut info) })?;
        Ok(Info(info))
    }

    /// The ring's id, which tracepoints and lists name.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The ring's name, as created.
    pub fn name(&self) -> &str {
        let name = &self.0.name;
        let length = name.iter().position(|b| *b == 0).unwrap_or(name.len());
        core::str::from_utf8(&name[..length]).unwrap_or("")
    }

    /// How much the ring holds.
    pub fn capacity(&self) -> u64 {
        self.0.geometry.capacity
    }

    /// The size of an element in bytes; 0 if the ring has records.
    pub fn element_size(&self) -> u32 {
        self.0.geometry.element_size
    }

    /// All the ring's memory, in bytes.
    pub fn memory(&self) -> u64 {
        self.0.geometry.memory
    }

    /// How much is published and not yet released.
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// The consumer's position: how much was released since the ring was made.
    pub fn head(&self) -> u64 {
        self.0.head
    }

    /// The producer's position: how much was published since the ring was made.
    pub fn tail(&self) -> u64 {
        self.0.tail
    }

    /// The state of the producer's end, and how often it was claimed.
    pub fn producer(&self) -> (EndState, u32) {
        (EndState::new(self.0.producer_state), self.0.producer_generation)
    }

    /// The state of the consumer's end, and how often it was claimed.
    pub fn consumer(&self) -> (EndState, u32) {
        (EndState::new(self.0.consumer_state), self.0.consumer_generation)
    }

    /// How the producer has slept.
    pub fn producer_sleep(&self) -> SleepCounters {
        SleepCounters::new(&self.0.producer_sleep)
    }

    /// How the consumer has slept.
    pub fn consumer_sleep(&self) -> SleepCounters {
        SleepCounters::new(&self.0.consumer_sleep)
    }

    /// Whether the ring is known to be broken.
    pub fn is_broken(&self) -> bool {
        self.0.broken != 0
    }

    /// Records that the producer gave up for want of room.
    pub fn drops(&self) -> u64 {
        self.0.loss.drops
    }

    /// Records that were overwritten before the consumer read them.
    pub fn overruns(&self) -> u64 {
        self.0.loss.overruns
    }

    /// The most that was in use when the producer asked for room.
    pub fn high_water(&self) -> u64 {
        self.0.loss.high_water
    }

    /// How many records were pushed, those that were dropped too; 0 of elements.
    pub fn sequence(&self) -> u64 {
        self.0.loss.sequence
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("element_size", &self.element_size())
            .field("capacity", &self.capacity())
            .field("memory", &self.memory())
            .field("head", &self.head())
            .field("tail", &self.tail())
            .field("length", &self.length())
            .field("producer", &self.producer())
            .field("consumer", &self.consumer())
            .field("producer_sleep", &self.producer_sleep())
            .field("consumer_sleep", &self.consumer_sleep())
            .field("broken", &self.is_broken())
            .field("drops", &self.drops())
            .field("overruns", &self.overruns())
            .field("high_water", &self.high_water())
            .field("sequence", &self.sequence())
            .finish()
    }
}
