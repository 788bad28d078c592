//! The rooms of the daemon that read what others send, and the readers that are tried on them.

// What only other rooms use is not missed here, and lints are the daemon's own business.
#![allow(dead_code, unused, unfulfilled_lint_expectations)]

extern crate self as daifa;

#[path = "../../../src/clock.rs"]
pub mod clock;
#[path = "../../../src/finance/mod.rs"]
pub mod finance;
#[path = "../../../src/format/mod.rs"]
pub mod format;
#[path = "../../../src/guard/mod.rs"]
pub mod guard;
#[path = "../../../src/model/mod.rs"]
pub mod model;

#[path = "../dice.rs"]
pub mod dice;
#[path = "../layouts.rs"]
pub mod layouts;
#[path = "../readers.rs"]
pub mod readers;
