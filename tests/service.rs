//! The real process, as a service manager sees it: when it says that it is ready, whether it feeds the
//! watchdog, how it stops, and which system calls it makes. The manager is this test, with a socket
//! of its own.

#![expect(clippy::disallowed_methods, reason = "processes are waited for by the machine's clock")]

#[path = "service/calls.rs"]
mod calls;
#[path = "service/commands.rs"]
mod commands;
#[path = "service/process.rs"]
mod process;

use std::time::{Duration, Instant};

use crate::process::{Finance, Held, Service};

/// Longer than anything takes here.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn ready_is_said_once_the_database_is_open_and_the_page_answers() {
    let mut service = Service::prepare(Finance::Refusing, "");
    // Somebody else writes: the tables cannot be made yet.
    let database = service.data().join("daifa.sqlite");
    let held = Held::new(&database);
    service.start(Duration::from_mins(1));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(service.said(), Vec::<String>::new(), "not while the database is held");
    drop(held);
    service.await_said("READY=1", SOON);
    // The very moment that it says so.
    assert!(service.page("/health/ready").starts_with("HTTP/1.1 200"));
    assert!(service.page("/").starts_with("HTTP/1.1 200"));
    assert!(database.metadata().expect("it is there").len() > 0);

    let told = Instant::now();
    service.terminate();
    service.await_said("STOPPING=1", SOON);
    assert_eq!(service.ended(SOON).code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
    let said = service.said();
    let place = |word: &str| said.iter().position(|line| line == word).expect("it was said");
    assert!(place("READY=1") < place("STOPPING=1"), "{said:?}");
}

#[test]
fn the_watchdog_is_fed_twice_in_its_time() {
    let mut service = Service::prepare(Finance::Refusing, "");
    let within = Duration::from_secs(3);
    service.start(within);
    service.await_said("READY=1", SOON);
    std::thread::sleep(within * 2);
    let pauses = service.pauses("WATCHDOG=1");
    assert!(pauses.len() >= 4, "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= within / 2), "{pauses:?}");
    service.terminate();
    assert_eq!(service.ended(SOON).code(), Some(0));
}

#[test]
fn f59_a_stuck_step_starves_the_watchdog_and_does_not_hold_up_the_stop() {
    let mut service = Service::prepare(Finance::Trickling, "stuck_after = \"5s\"");
    let within = Duration::from_millis(1_500);
    service.start(within);
    service.await_said("READY=1", SOON);
    std::thread::sleep(Duration::from_secs(3));
    assert!(service.since("WATCHDOG=1") < within, "it is fed while nothing is late");
    let begun = Instant::now();
    while service.since("WATCHDOG=1") < within * 2 {
        assert!(begun.elapsed() < Duration::from_secs(12), "it is still fed");
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = service.log();
    assert!(log.contains("the watchdog is not fed") && log.contains("step intake"), "{log}");

    let told = Instant::now();
    service.terminate();
    service.await_said("STOPPING=1", Duration::from_secs(2));
    // Work under way is given 25 s; then the process ends and says that some was cut off.
    assert_eq!(service.ended(Duration::from_secs(27)).code(), Some(75), "{}", service.log());
    assert!(told.elapsed() > Duration::from_secs(24), "{:?}", told.elapsed());
}

/// Another blinding key under the same id would blind the same person to somebody else; another seal
/// would seal what nobody opens.
#[test]
fn another_key_under_the_same_id_is_refused_at_the_start() {
    for name in ["blind", "seal"] {
        let mut service = Service::prepare(Finance::Refusing, "");
        service.start(Duration::from_mins(1));
        service.await_said("READY=1", SOON);
        service.terminate();
        assert_eq!(service.ended(SOON).code(), Some(0));
        service.change_key(name);
        service.start(Duration::from_mins(1));
        assert_eq!(service.ended(SOON).code(), Some(78), "{}", service.log());
        let log = service.log();
        assert!(log.contains(&format!("keys.{name} 1: this is another key")), "{log}");
    }
}

#[test]
fn the_file_of_a_stopped_daemon_is_whole_by_itself() {
    let mut service = Service::prepare(Finance::Refusing, "");
    service.start(Duration::from_mins(1));
    service.await_said("READY=1", SOON);
    service.terminate();
    assert_eq!(service.ended(SOON).code(), Some(0));
    let journal = service.data().join("daifa.sqlite-wal");
    assert_eq!(journal.metadata().map_or(0, |journal| journal.len()), 0);
    let copied = service.data().join("copy.sqlite");
    std::fs::copy(service.data().join("daifa.sqlite"), &copied).expect("copied");
    // It was begun: the copy says by which daemon.
    assert!(Held::new(&copied).reads("SELECT value FROM meta WHERE name = 'install'").is_some());
}

/// A new database knows nothing of what an earlier one sent, and would send it again.
#[test]
fn a_new_database_beside_answers_of_an_earlier_one_is_refused() {
    let mut service = Service::prepare(Finance::Refusing, "");
    service.keeps_an_answer();
    service.start(Duration::from_mins(1));
    assert_eq!(service.ended(SOON).code(), Some(78), "{}", service.log());
    assert!(service.log().contains("this database is new"), "{}", service.log());
}
