//! Readers of what others send, and layouts that nobody thought of: on stable, bounded in time, over
//! a kept corpus and changes to it. The same readers stand before a fuzzer in `tests/fuzz`, which is a
//! package of its own; `tests/run --long` runs it where there is one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a test says what it saw")]
#![allow(clippy::disallowed_methods, reason = "how long a call takes is what is asked")]

#[path = "fuzz/dice.rs"]
mod dice;
#[path = "fuzz/floods.rs"]
mod floods;
#[path = "fuzz/layouts.rs"]
mod layouts;
#[path = "fuzz/mutations.rs"]
mod mutations;
#[path = "fuzz/properties.rs"]
mod properties;
#[path = "fuzz/readers.rs"]
mod readers;

use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;

/// Counts what is allocated, so that a test can say how much a reader needed.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// One test at a time: what is measured is the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does this run take its time?
fn long() -> bool {
    std::env::var_os("DAIFA_TEST_LONG").is_some()
}
