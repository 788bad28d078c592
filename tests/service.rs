//! The real process, as a service manager sees it: when it says that it is ready, whether it feeds the
//! watchdog, how it stops, and which system calls it makes. The manager is this test, with a socket
//! of its own.

#![expect(clippy::disallowed_methods, reason = "processes are waited for by the machine's clock")]

#[allow(dead_code, reason = "the tests of the store ask it more")]
#[path = "store/beside.rs"]
mod beside;
#[path = "service/calls.rs"]
mod calls;
#[path = "service/commands.rs"]
mod commands;
#[path = "service/deciding.rs"]
mod deciding;
#[path = "service/process.rs"]
mod process;
#[path = "service/typed.rs"]
mod typed;

use std::path::Path;
use std::process::Command;
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
        assert!(begun.elapsed() < Duration::from_secs(12), "it is still fed: {}", service.log());
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
    let log = service.log();
    assert!(
        !log.contains("defect") && !log.contains("contradicts") && !log.contains("read back"),
        "{log}"
    );
}

/// Another blinding key under the same id would blind the same person to somebody else; another seal
/// would seal what nobody opens.
#[test]
fn f60_a_damaged_database_is_seen_before_anything_is_done_with_it() {
    let mut service = Service::prepare(Finance::Refusing, "");
    service.starts_and_stops();
    service.start(Duration::from_mins(1));
    service.await_said_often("READY=1", 2, SOON);
    service.kill();
    let path = service.data().join("daifa.sqlite");
    let good = std::fs::read(&path).expect("read");
    let wal = std::fs::read(service.beside("daifa.sqlite-wal")).unwrap_or_default();
    // All pages but the first few, which the log of the last process may have anew.
    let mut bad = good.clone();
    bad[good.len() / 2..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, bad).expect("written");
    let said = service.is_refused();
    assert!(said.contains("is damaged") && said.contains("-wal"), "{said}");
    assert!(!said.contains("ready page"), "{said}");
    std::fs::write(&path, good).expect("written");
    std::fs::write(service.beside("daifa.sqlite-wal"), wal).expect("written");
    std::fs::remove_file(service.beside("daifa.sqlite-shm")).unwrap_or_default();
    service.starts_and_stops();
}

#[test]
fn what_does_not_go_on_is_in_the_log_once_and_says_why() {
    let mut service = Service::prepare(Finance::Refusing, "arrivals_every = \"50ms\"");
    let incoming = service.beside("../i");
    std::fs::remove_dir(&incoming).expect("removed");
    service.start(Duration::from_mins(1));
    service.await_said("READY=1", SOON);
    let said = "the bank's folder could not be read";
    service.await_logged(said, 1, SOON);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(service.log().matches(said).count(), 1, "{}", service.log());
    assert!(service.log().contains("No such file or directory"), "{}", service.log());
    // Mended and gone again, it is news.
    std::fs::create_dir(&incoming).expect("made");
    std::thread::sleep(Duration::from_secs(1));
    std::fs::remove_dir(&incoming).expect("removed");
    service.await_logged(said, 2, SOON);
    service.terminate();
    assert_eq!(service.ended(SOON).code(), Some(0));
}

#[test]
fn f13_logs_for_which_there_is_no_room_stop_nothing() {
    let mut service = Service::prepare(Finance::Refusing, "");
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
    service.start_logging(Duration::from_mins(1), full);
    service.await_said("READY=1", SOON);
    service.terminate();
    assert_eq!(service.ended(SOON).code(), Some(0));
}

/// The example of a rural bank as a folder of its own.
fn rural(folder: &Path) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("bank-formats/example-rural-fixed");
    let copied = Command::new("cp").arg("-r").arg(example).arg(folder).status();
    assert!(copied.expect("cp runs").success());
}

#[test]
fn f57_a_config_is_taken_anew_only_where_all_of_it_is_good() {
    let refused = "the config is not taken";
    let folder = tempfile::tempdir().expect("a folder");
    let format = folder.path().join("rural");
    rural(&format);
    let mut service = Service::prepare(Finance::Refusing, "");
    service.start(Duration::from_mins(1));
    service.await_said("READY=1", SOON);
    let gauge = |service: &Service, value: &str| {
        service.page("/metrics").contains(&format!("daifa_config_refused {value}\n"))
    };
    assert!(gauge(&service, "0"));

    // A sample that does not come out as the description says: nothing changes.
    service.format(&format);
    let sample = format.join("samples/payment_request/values.jsonl");
    let values = std::fs::read_to_string(&sample).expect("read");
    std::fs::write(&sample, values.replacen("\"amount\":\"1234.50\"", "\"amount\":\"1234.51\"", 1))
        .expect("written");
    service.hang_up();
    service.await_logged(refused, 1, SOON);
    assert!(service.log().contains("bank.1.format"), "{}", service.log());
    assert!(gauge(&service, "1"));
    assert!(service.page("/health/ready").starts_with("HTTP/1.1 200"));
    // Neither where it would be another database, nor with another key of the same id.
    std::fs::write(&sample, values).expect("written");
    let data = format!("data = \"{}\"", service.data().display());
    service.configure(&format!("data = \"{}\"", folder.path().join("other").display()));
    service.hang_up();
    service.await_logged(refused, 2, SOON);
    assert!(service.log().contains("this is another database"), "{}", service.log());
    service.configure(&data);
    service.change_key("blind");
    service.hang_up();
    service.await_logged(refused, 3, SOON);
    assert!(service.log().contains("keys.blind 1: this is another key"), "{}", service.log());
    service.bring_back_key("blind");
    // Nor where somebody else listens there.
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("an address");
    service.configure(&format!("listen = \"{taken}\""));
    service.hang_up();
    service.await_logged(refused, 4, SOON);
    assert!(service.log().contains(&format!("listen: {taken}")), "{}", service.log());
    service.configure("listen = \"127.0.0.1:0\"");
    assert_eq!(service.said(), ["READY=1"], "the service manager hears of none of it");

    // All of it is good: the same process is ready once more, with what the config says now.
    let before = service.log().matches("page=http://").count();
    service.configure("log = \"debug\"");
    service.hang_up();
    service.await_said_often("READY=1", 2, SOON);
    let said = service.said();
    let [_, reloading, since, _] = said.as_slice() else { panic!("{said:?}") };
    assert!(reloading == "RELOADING=1" && since.starts_with("MONOTONIC_USEC="), "{said:?}");
    service.await_logged("page=http://", before + 1, SOON);
    assert!(service.page("/health/ready").starts_with("HTTP/1.1 200"));
    assert!(gauge(&service, "0"));
    assert!(service.log().contains("DEBUG"), "{}", service.log());
    service.terminate();
    assert_eq!(service.ended(SOON).code(), Some(0), "{}", service.log());
}

#[test]
fn f59_whoever_is_told_to_stop_while_it_takes_its_config_stops() {
    let mut service = Service::prepare(Finance::Trickling, "");
    service.start(Duration::from_mins(1));
    service.await_said("READY=1", SOON);
    // A pull that does not end holds up the stop, and so the new beginning.
    std::thread::sleep(Duration::from_secs(1));
    service.hang_up();
    service.await_said("RELOADING=1", SOON);
    service.terminate();
    let status = service.ended(SOON);
    assert!(matches!(status.code(), Some(0 | 75)), "{status}: {}", service.log());
    assert_eq!(service.said().iter().filter(|word| *word == "READY=1").count(), 1);
}

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
fn keys_come_from_files_or_from_what_the_manager_hands_over() {
    let mut service = Service::prepare(Finance::Refusing, "");
    service.starts_and_stops();
    // The same keys from another place: one in digits with a line end, one as raw bytes with one in them.
    let seal = "a".repeat(64);
    service.hand_over("seal", "seal", format!("{seal}\n").as_bytes());
    service.starts_and_stops();
    service.hand_over("blind", "blind", &[0xbb; 32]);
    service.starts_and_stops();
    let (said, code) = service.command(&["check"]);
    assert_eq!(code, Some(3), "outside of the manager there are none: {said}");
    assert!(said.contains("CREDENTIALS_DIRECTORY is not set"), "{said}");
    assert!(!said.contains(&seal), "{said}");

    let mut raw = Service::prepare(Finance::Refusing, "");
    let mut bytes = [0xbb; 32];
    bytes[31] = b'\n';
    raw.hand_over("blind", "blind", &bytes);
    raw.starts_and_stops();

    let mut missing = Service::prepare(Finance::Refusing, "");
    missing.hand_over("seal", "sael", seal.as_bytes());
    let said = missing.is_refused();
    assert!(said.contains("sael: No such file"), "{said}");

    let mut elsewhere = Service::prepare(Finance::Refusing, "");
    elsewhere.hand_over("seal", "../seal", seal.as_bytes());
    let said = elsewhere.is_refused();
    assert!(said.contains("as after LoadCredential="), "{said}");
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

/// The one thing that the marks of a database are for: another one would send again what it sent.
#[test]
fn f16_a_database_that_is_gone_or_another_s_is_refused() {
    let mut service = Service::prepare(Finance::Refusing, "");
    service.starts_and_stops();
    service.starts_and_stops();
    let (database, mark) = (service.beside("daifa.sqlite"), service.beside("daifa.begun"));
    let kept = service.beside("kept.sqlite");
    std::fs::rename(&database, &kept).expect("moved away");
    let log = service.is_refused();
    assert!(log.contains("the database is gone") && log.contains("daifa.begun"), "{log}");
    assert!(!database.exists(), "none was made in its place");
    // A new one that somebody put there.
    let mut other = Service::prepare(Finance::Refusing, "");
    other.starts_and_stops();
    std::fs::copy(other.beside("daifa.sqlite"), &database).expect("copied");
    let log = service.is_refused();
    assert!(log.contains("this is another database"), "{log}");
    std::fs::copy(&kept, &database).expect("brought back");
    service.starts_and_stops();
    // Whoever spoils the mark is told to bring it back.
    std::fs::write(&mark, "install = 5\n").expect("written");
    assert!(service.is_refused().contains("this is not what daifa wrote"), "{}", service.log());
}

/// It was set back by so little that its journal is as long as was seen last: by a copy of a moment ago, or a server
/// that took over and had not all of it.
#[test]
fn f16_a_database_that_lacks_one_hand_over_is_refused() {
    let mut service = Service::prepare(Finance::Refusing, "");
    service.starts_and_stops();
    let sent = service.beside("daifa.sent");
    let text = std::fs::read_to_string(&sent).expect("is there");
    let more = text.replace("sends =                    0", "sends =                    1");
    assert_ne!(more, text);
    std::fs::write(&sent, &more).expect("written");
    let log = service.is_refused();
    assert!(log.contains("it knows of 0 hand-overs to banks"), "{log}");
    assert!(log.contains("raise restore_epoch to 1"), "{log}");
    let (said, code) = service.command(&["verify"]);
    assert!(said.contains("PROBLEM: this database is older than it was"), "{said}");
    assert_eq!(code, Some(3));
    // Of another database it says nothing.
    let (_, name) = more.split_once("install = ").expect("names it");
    let name = name.lines().next().expect("a line");
    std::fs::write(&sent, more.replace(name, "\"other\"")).expect("written");
    service.starts_and_stops();
    std::fs::write(&sent, &more).expect("written");
    assert!(service.is_refused().contains("knows of 0"));
    service.configure("restore_epoch = 1");
    service.starts_and_stops();
    assert_eq!(std::fs::read_to_string(&sent).expect("is there"), text, "it counts anew");
}

#[test]
fn f16_i6_a_restored_database_sends_nothing_before_an_operator_has_compared() {
    let stopped = "SELECT subject FROM alert WHERE kind = 'bank_stopped' AND cleared_at_ms IS NULL";
    let mut service = Service::prepare(Finance::Refusing, "");
    service.starts_and_stops();
    let (database, backup) = (service.beside("daifa.sqlite"), service.beside("backup.sqlite"));
    std::fs::copy(&database, &backup).expect("copied");
    // The day goes on: something is written after the backup.
    let by = ["clock", "accept", "--by", "op"];
    assert_eq!(service.command(&by).1, Some(0));
    service.starts_and_stops();
    std::fs::copy(&backup, &database).expect("restored");
    let log = service.is_refused();
    assert!(log.contains("this database is older than it was"), "{log}");
    assert!(log.contains("raise restore_epoch to 1"), "{log}");

    service.configure("restore_epoch = 1");
    service.starts_and_stops();
    assert_eq!(Held::new(&database).reads(stopped).as_deref(), Some("rural"));
    let resume = ["bank", "resume", "rural", "--by", "op", "--why", "compared"];
    let (said, code) = service.command(&resume);
    assert!(said.contains("sending to rural goes on") && code == Some(0), "{said}");
    assert_eq!(Held::new(&database).reads(stopped), None);
    let (said, _) = service.command(&resume);
    assert!(said.contains("was not stopped"), "{said}");
    assert_eq!(
        service.command(&["bank", "resume", "nobody", "--by", "op", "--why", "x"]).1,
        Some(1)
    );
    service.starts_and_stops();
    assert_eq!(Held::new(&database).reads(stopped), None, "it was restored once");
    assert_eq!(service.command(&["verify"]).1, Some(0));
    // References of before would come again.
    service.configure("restore_epoch = 0");
    let log = service.is_refused();
    assert!(log.contains("restore_epoch is 0") && log.contains("put 1 back"), "{log}");
}

/// The register of the demo whose answer is lost on the way: the bank has it and nobody hears so, until
/// it is asked.
#[test]
fn f25_the_demo_shows_an_answer_that_is_lost_and_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let daifa = |words: &[&str]| {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_daifa")).args(words).output();
        let out = out.expect("the binary starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let path = |name: &str| folder.path().join(name).display().to_string();
    daifa(&["demo", "--json", "--listen", "127.0.0.1:0", "--data", &path("")]);
    let lost = "SELECT 'R' || b.register_no || '-' || b.first_line FROM attempt a JOIN batch b ON b.batch_no = a.batch_no \
                WHERE a.lost_at_ms IS NOT NULL AND b.bank LIKE 'city%'";
    let payment = Held::new(&folder.path().join("daifa/daifa.sqlite")).reads(lost);
    let payment = payment.expect("one that was lost, of the bank that is called");
    let told = daifa(&["explain", "--config", &path("daifa.toml"), &payment]);
    let mut lines = told.lines();
    for words in [
        "goes out to the bank (send 1)",
        "is UNKNOWN",
        "the bank was asked about",
        "the bank says credited",
    ] {
        assert!(lines.any(|line| line.contains(words)), "{words} is not in its place:\n{told}");
    }
    assert!(told.contains("now: credited"), "{told}");
    // F16: every hand-over and every answer was counted beside the database, too.
    let counted =
        std::fs::read_to_string(folder.path().join("daifa/daifa.sent")).expect("is there");
    for (word, sql) in [
        ("sends = ", "SELECT CAST(SUM(sends) AS TEXT) FROM attempt"),
        ("answers = ", "SELECT CAST(MAX(result_no) AS TEXT) FROM result"),
    ] {
        let known = Held::new(&folder.path().join("daifa/daifa.sqlite")).reads(sql);
        let counted = counted.lines().find_map(|line| line.strip_prefix(word));
        assert_eq!(counted.map(str::trim), known.as_deref(), "{word}");
    }
}
