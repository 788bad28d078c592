//! The road, step by step: real steps over a real store, a finance and banks that do exactly what
//! a test says, and time that moves when it is told to. Tests are named after the invariant or
//! fault that they prove (`faults.md`), and each of them ends with books that add up.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::assigning_clones,
    reason = "tests count to a hundred, and say what a field becomes"
)]

#[path = "road/anew.rs"]
mod anew;
#[path = "road/aside.rs"]
mod aside;
#[path = "road/attempts.rs"]
mod attempts;
#[path = "store/beside.rs"]
mod beside;
#[path = "road/breaker.rs"]
mod breaker;
#[path = "road/canary.rs"]
mod canary;
#[path = "road/clock.rs"]
mod clock;
#[path = "store/cluster.rs"]
mod cluster;
#[path = "road/contradicted.rs"]
mod contradicted;
#[path = "road/counter.rs"]
mod counter;
#[path = "road/county.rs"]
mod county;
#[path = "road/deadline.rs"]
mod deadline;
#[path = "road/deciding.rs"]
mod deciding;
#[path = "road/doors.rs"]
mod doors;
#[path = "road/doubts.rs"]
mod doubts;
#[path = "road/expect.rs"]
mod expect;
#[path = "road/feed.rs"]
mod feed;
#[path = "road/front.rs"]
mod front;
#[path = "road/hours.rs"]
mod hours;
#[path = "road/house.rs"]
mod house;
#[path = "road/intake.rs"]
mod intake;
#[allow(dead_code, reason = "the tests of the door ask it more")]
#[path = "../src/transport/sftp/tests/line.rs"]
mod line;
#[path = "road/matching.rs"]
mod matching;
#[path = "road/older.rs"]
mod older;
#[path = "road/parts.rs"]
mod parts;
#[path = "road/pickup.rs"]
mod pickup;
#[path = "road/poison.rs"]
mod poison;
#[path = "road/postgres.rs"]
mod postgres;
#[path = "road/practice.rs"]
mod practice;
#[path = "road/push_tls.rs"]
mod push_tls;
#[path = "road/pushed.rs"]
mod pushed;
#[path = "road/refused.rs"]
mod refused;
#[path = "road/reports.rs"]
mod reports;
#[path = "road/results.rs"]
mod results;
#[path = "road/session.rs"]
mod session;
#[path = "road/side.rs"]
mod side;
#[path = "../src/transport/sftp/tests/sshd.rs"]
mod sshd;
#[path = "road/stuck.rs"]
mod stuck;
#[path = "road/tls.rs"]
mod tls;
#[path = "road/unreadable.rs"]
mod unreadable;
#[path = "road/window.rs"]
mod window;
#[path = "road/wire.rs"]
mod wire;
