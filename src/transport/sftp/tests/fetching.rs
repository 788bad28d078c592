//! Taking from the bank: what is whole and what is not, in which order, and putting it away.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::transport::sftp::tests::line::{Line, Plan};
use crate::transport::sftp::tests::{Bank, accepted, pair, send};
use crate::transport::sftp::{Sftp, SftpOptions};
use crate::transport::whole::Completion;
use crate::transport::{DoorError, Transport};

#[tokio::test]
async fn i14_a_file_is_taken_only_with_its_control_file_and_archived() {
    let bank = bank!();
    let door = bank.door();
    bank.put("in/HP1.txt", b"half a res");
    assert!(door.arrivals(10).await.expect("listed").is_empty());
    assert!(matches!(door.fetch("HP1.txt").await, Err(DoorError::Gone(_))));
    bank.put("in/HP1.txt", b"half a result no more");
    bank.put("in/HP1.ok", b"21");
    bank.put("in/lonely.ok", b"");
    bank.put("in/half.txt", b"");
    assert_eq!(door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    assert_eq!(door.halves().await.expect("told"), ["half.txt"]);
    fs::remove_file(bank.path("in/half.txt")).expect("removed");
    let arrival = door.fetch("HP1.txt").await.expect("read");
    let names: Vec<&str> = arrival.parts.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["HP1.txt", "HP1.ok"]);
    assert_eq!(arrival.parts[0].bytes, "half a result no more");
    assert_eq!(bank.names("in").len(), 3, "reading takes nothing away");
    door.archive(&arrival).await.expect("put away");
    assert_eq!(bank.names("in"), ["lonely.ok"]);
    assert_eq!(bank.names("archive"), ["HP1.ok", "HP1.txt"]);
    door.archive(&arrival).await.expect("again does no harm");
    // The same names again lie beside the first ones (F33).
    bank.put("in/HP1.txt", b"second");
    bank.put("in/HP1.ok", b"6");
    let second = door.fetch("HP1.txt").await.expect("read");
    door.archive(&second).await.expect("put away");
    assert_eq!(bank.names("archive"), ["HP1.ok", "HP1.ok.1", "HP1.txt", "HP1.txt.1"]);
}

#[tokio::test]
async fn a_full_folder_is_taken_in_order_and_a_swept_archive_is_made_again() {
    let bank = bank!();
    let put = |n: usize| {
        bank.put(&format!("in/r{n:03}.txt"), b"x");
        bank.put(&format!("in/r{n:03}.ok"), b"");
    };
    (0..40).for_each(put);
    let door = bank.door();
    let (mut looks, mut gone) = (Vec::new(), Vec::new());
    for round in 0..6 {
        let names = door.arrivals(8).await.expect("listed");
        if round == 1 {
            put(999);
            fs::remove_file(bank.path("in/r039.txt")).expect("a bank takes one back");
        }
        if round == 3 {
            fs::remove_dir_all(bank.path("archive")).expect("swept by somebody");
        }
        for name in &names {
            let arrival = match door.fetch(name).await {
                Ok(arrival) => arrival,
                Err(DoorError::Gone(_)) => {
                    gone.push(name.clone());
                    continue;
                }
                Err(cause) => panic!("{name}: {cause}"),
            };
            // The door thinks that the folder is still there, until a file does not go into it.
            door.archive(&arrival).await.expect("put away");
        }
        looks.push(names);
    }
    let in_order: Vec<String> = (0..40).map(|n| format!("r{n:03}.txt")).collect();
    assert_eq!(looks[..5].concat(), in_order);
    assert!(looks[..5].iter().all(|names| names.len() == 8), "{looks:?}");
    assert_eq!(looks[5], ["r999.txt"], "what came later is listed once fewer are left than wanted");
    assert_eq!(gone, ["r039.txt"], "what went meanwhile is seen when it is fetched");
    assert_eq!(bank.names("in"), ["r039.ok"]);
    let names =
        (24..39).chain([999]).flat_map(|n| ["ok", "txt"].map(|end| format!("r{n:03}.{end}")));
    assert_eq!(bank.names("archive"), names.collect::<Vec<String>>(), "nothing is lost or doubled");
}

#[tokio::test]
async fn without_an_archive_what_was_applied_is_deleted_and_nothing_newer() {
    let bank = bank!();
    let door = Sftp::new(SftpOptions { archive: None, ..bank.options() }).expect("good settings");
    bank.put("in/HP1.txt", b"first");
    bank.put("in/HP1.ok", b"5");
    let arrival = door.fetch("HP1.txt").await.expect("read");
    bank.put("in/HP1.txt", b"a newer one, half");
    let goes_on = async {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        bank.put("in/HP1.txt", b"a newer one, half and more");
    };
    let (put_away, ()) = tokio::join!(door.archive(&arrival), goes_on);
    put_away.expect("put away");
    assert_eq!(bank.names("in"), ["HP1.txt"], "no control file vouches for the newer one");
    bank.put("in/HP1.ok", b"17");
    let arrival = door.fetch("HP1.txt").await.expect("read");
    door.archive(&arrival).await.expect("put away");
    assert!(bank.names("in").is_empty());
}

/// Gives a file a second, counted from one long ago.
fn date(path: &Path, second: u64) {
    let file = fs::File::options().write(true).open(path).expect("opened");
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + second);
    file.set_modified(at).expect("dated");
}

/// Leaves an answer whole, as of one second, which is all that a server tells.
fn leave(bank: &Bank, data: &[u8], control: &[u8]) {
    leave_at(bank, data, control, 0);
}

fn leave_at(bank: &Bank, data: &[u8], control: &[u8], second: u64) {
    for (name, bytes) in [("HP1.txt", data), ("HP1.ok", control)] {
        bank.put(name, bytes);
        date(&bank.path(name), second);
        fs::rename(bank.path(name), bank.path("in").join(name)).expect("left");
    }
}

/// A file that stays, by which the door knows that the server's clock went on.
const LATER: &str = "later.dat";

/// Takes what lies there until nothing does any more, and gives the data that was read.
async fn taken(bank: &Bank, door: &Sftp) -> Vec<Bytes> {
    let mut read = Vec::new();
    for _ in 0..500 {
        for name in door.arrivals(10).await.expect("listed") {
            let arrival = door.fetch(&name).await.expect("read");
            door.archive(&arrival).await.expect("put away");
            read.push(arrival.parts[0].bytes.clone());
        }
        if bank.names("in").iter().all(|name| name == LATER) {
            return read;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} stays, and {read:?} was read", bank.names("in"));
}

/// What a bank leaves anew: data, what the control file said before and says then, and its second.
#[derive(Debug, Clone, Copy)]
struct Anew(&'static [u8], &'static [u8], &'static [u8], u64);

const ANEW: [Anew; 6] = [
    Anew(b"newer", b"5", b"9", 0),
    Anew(b"the newer", b"5", b"9", 0),
    Anew(b"newer", b"5", b"5", 0),
    Anew(b"newer", b"", b"", 0),
    Anew(b"newer", b"5", b"9", 7),
    Anew(b"the newer", b"", b"", 7),
];

/// From one moment to the next, in bytes. Where only rest tells, each try takes seconds.
fn step(anew: Anew, usual: usize) -> usize {
    if anew.1 == anew.2 { 2 * usual } else { usual }
}

/// Puts the first answer away; once `after` bytes of that have gone, `meanwhile` is done and the line goes on as
/// planned. Says whether it was put away before that.
async fn while_put_away(
    (bank, line, door): (&Bank, &Line, &Sftp),
    control: &[u8],
    after: u64,
    meanwhile: impl FnOnce(),
    then: Plan,
) -> bool {
    let breaks = matches!(then, Plan::Refuse);
    leave(bank, b"first", control);
    assert_eq!(door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    let arrival = door.fetch("HP1.txt").await.expect("read");
    line.plan(Plan::Stop { after: line.sent() + after });
    let mut away = std::pin::pin!(door.archive(&arrival));
    let ended = loop {
        tokio::select! {
            done = &mut away => break Some(done),
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                if line.has_stopped() {
                    break None;
                }
            }
        }
    };
    meanwhile();
    line.plan(then);
    let whole = ended.is_some();
    let done = match ended {
        Some(done) => done,
        None => away.await,
    };
    line.plan(Plan::Whole);
    assert!(done.is_ok() || breaks, "{done:?}");
    whole
}

#[tokio::test]
async fn f33_an_answer_left_twice_in_one_second_is_told_apart_by_its_bytes() {
    let bank = bank!();
    let options = bank.options();
    for archive in [options.archive.clone(), None] {
        let kept = archive.is_some();
        let door = Sftp::new(SftpOptions { archive, ..bank.options() }).expect("good settings");
        leave(&bank, b"first", b"5");
        let first = door.fetch("HP1.txt").await.expect("read");
        leave(&bank, b"other", b"5");
        door.archive(&first).await.expect("put away");
        assert_eq!(bank.names("in"), ["HP1.ok", "HP1.txt"], "it was never read");
        let second = door.fetch("HP1.txt").await.expect("read");
        assert_eq!(second.parts[0].bytes, "other");
        door.archive(&second).await.expect("put away");
        assert!(bank.names("in").is_empty());
        assert_eq!(bank.names("archive").len(), 2);
        assert!(!kept || fs::read(bank.path("archive/HP1.txt")).expect("kept") == b"other");
    }
}

#[tokio::test]
async fn f33_a_control_file_that_looks_as_before_stays_with_the_data_that_it_speaks_for() {
    // What the control file says, of the first and of the newer data; how much younger than it the newer data is;
    // and whether it stays.
    for (first, newer, younger, stays) in [
        (&b"5"[..], &b"9"[..], 0, true),
        (b"5", b"5", 0, true),
        (b"", b"", 0, true),
        (b"5", b"5", 1, false),
        (b"", b"", 1, false),
    ] {
        let bank = bank!();
        let door = bank.door();
        leave(&bank, b"first", first);
        let arrival = door.fetch("HP1.txt").await.expect("read");
        leave(&bank, b"the newer", newer);
        date(&bank.path("in/HP1.txt"), younger);
        door.archive(&arrival).await.expect("put away");
        let left: &[&str] = if stays { &["HP1.ok", "HP1.txt"] } else { &["HP1.txt"] };
        assert_eq!(bank.names("in"), left, "{first:?} {newer:?} {younger}");
        if stays {
            let again = door.fetch("HP1.txt").await.expect("read");
            assert_eq!(again.parts[0].bytes, "the newer");
        }
    }
}

#[tokio::test]
async fn i14_the_control_file_of_an_answer_left_twice_in_one_second_vouches_for_nothing_later() {
    let bank = bank!();
    let door = bank.door();
    leave(&bank, b"first", b"5");
    let first = door.fetch("HP1.txt").await.expect("read");
    door.archive(&first).await.expect("put away");
    bank.put("in/lonely.ok", b"");
    // The same data went away with the first; this is what was still to come of the second.
    bank.put("in/HP1.ok", b"5");
    for _ in 0..300 {
        assert!(door.arrivals(10).await.expect("listed").is_empty());
        if bank.names("in").len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bank.names("in"), ["lonely.ok"], "of which nothing is known");
    assert_eq!(bank.names("archive"), ["HP1.ok", "HP1.ok.1", "HP1.txt"]);
}

#[tokio::test]
async fn f33_a_whole_newer_answer_stays_whole_when_the_older_is_put_away() {
    let bank = bank!();
    let door = bank.door();
    leave(&bank, b"first", b"5");
    let first = door.fetch("HP1.txt").await.expect("read");
    bank.put("in/HP1.txt", b"newer");
    bank.put("in/HP1.ok", b"5");
    door.archive(&first).await.expect("put away");
    assert_eq!(bank.names("in"), ["HP1.ok", "HP1.txt"]);
    assert_eq!(door.fetch("HP1.txt").await.expect("read").parts[0].bytes, "newer");
}

/// One that is left anew at any moment of putting the first away is read, whole; `later`: the server's clock went on.
async fn left_anew(anew: Anew, later: bool) {
    let bank = Bank::open().expect("another one");
    let line = Line::to(bank.sshd.address()).await;
    if later {
        bank.put(&format!("in/{LATER}"), b"");
    }
    let door = bank.through(&line, 5_000);
    let mut moments = 0;
    for after in (0..).step_by(step(anew, 60)) {
        let leaves = || leave_at(&bank, anew.0, anew.2, anew.3);
        let at = (&bank, &line, &door);
        let whole = while_put_away(at, anew.1, after, leaves, Plan::Whole).await;
        assert_eq!(taken(&bank, &door).await, [anew.0], "{anew:?} after {after} bytes");
        if whole {
            break;
        }
        moments += 1;
    }
    assert!(moments > 2, "{moments}");
}

#[tokio::test]
async fn f33_an_answer_left_anew_at_any_moment_of_putting_away_is_read() {
    drop(bank!());
    // Where the clock went on, nothing new bears an old second.
    let after_a_while = ANEW.iter().filter(|anew| anew.3 > 0).map(|anew| left_anew(*anew, true));
    join_all(ANEW.iter().map(|anew| left_anew(*anew, false)).chain(after_a_while)).await;
}

/// The same, with a stop at that moment.
async fn left_anew_at_a_stop(anew: Anew, archived: bool) {
    let bank = Bank::open().expect("another one");
    let line = Line::to(bank.sshd.address()).await;
    let archive = archived.then(|| bank.text("archive"));
    let options = SftpOptions { archive, address: line.address(), ..bank.options() };
    let mut moments = 0;
    for after in (0..).step_by(step(anew, 220)) {
        let door = Sftp::new(options.clone()).expect("good settings");
        let leaves = || leave_at(&bank, anew.0, anew.2, anew.3);
        let at = (&bank, &line, &door);
        let whole = while_put_away(at, anew.1, after, leaves, Plan::Refuse).await;
        let restarted = Sftp::new(options.clone()).expect("good settings");
        let read = taken(&bank, &restarted).await;
        assert!(read.iter().any(|read| read == anew.0), "{anew:?} after {after}: {read:?}");
        if whole {
            break;
        }
        moments += 1;
    }
    assert!(moments > 1, "{moments}");
}

#[tokio::test]
async fn f7_a_stop_at_any_moment_of_putting_away_leaves_no_newer_answer_unread() {
    drop(bank!());
    let all = ANEW.iter().flat_map(|anew| [true, false].map(|kept| (*anew, kept)));
    join_all(all.map(|(anew, archived)| left_anew_at_a_stop(anew, archived))).await;
}

#[tokio::test]
async fn i14_an_older_control_file_vouches_for_nothing_that_is_begun_while_it_is_put_away() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    for later in [false, true] {
        if later {
            bank.put(&format!("in/{LATER}"), b"");
        }
        let door = bank.through(&line, 5_000);
        for after in (0..).step_by(100) {
            // Written over in place, and not yet whole.
            let begins = || bank.put("in/HP1.txt", b"half a");
            let at = (&bank, &line, &door);
            let whole = while_put_away(at, b"5", after, begins, Plan::Whole).await;
            assert!(door.arrivals(10).await.expect("listed").is_empty(), "after {after} bytes");
            for name in bank.names("in").iter().filter(|name| *name != LATER) {
                assert_eq!(name, "HP1.txt", "after {after} bytes");
                fs::remove_file(bank.path("in").join(name)).expect("removed");
            }
            if whole {
                break;
            }
        }
    }
}

#[tokio::test]
async fn where_nothing_can_be_put_away_an_answer_keeps_its_names() {
    let bank = bank!();
    let door = bank.door();
    bank.put("archive", b"no folder");
    leave(&bank, b"first", b"5");
    for _ in 0..3 {
        let arrival = door.fetch("HP1.txt").await.expect("read");
        door.archive(&arrival).await.expect_err("there is no archive");
        for _ in 0..2 {
            door.arrivals(10).await.expect("listed");
        }
        assert_eq!(bank.names("in"), ["HP1.ok", "HP1.txt"]);
    }
    fs::remove_file(bank.path("archive")).expect("mended");
    assert_eq!(taken(&bank, &door).await, ["first"]);
}

#[tokio::test]
async fn f7_what_a_stop_hid_is_kept_where_the_bank_used_its_name_again() {
    let bank = bank!();
    let door = bank.door();
    leave(&bank, b"first", b"5");
    let first = door.fetch("HP1.txt").await.expect("read");
    let (control, of_control) = first.token.control.clone().expect("has one");
    let (_, identity) = first.token.data[0].clone();
    // A stop while the data was compared; then the bank uses the name again.
    let hidden = [
        ("HP1.txt", ".compared-7-HP1.txt".to_owned()),
        (control.as_str(), format!(".taken-7-{identity:x}-{of_control:x}-{control}")),
    ];
    for (name, hidden) in &hidden {
        fs::rename(bank.path("in").join(name), bank.path("in").join(hidden)).expect("hidden");
    }
    leave_at(&bank, b"third", b"7", 9);
    let door = bank.door();
    assert_eq!(taken(&bank, &door).await, ["third"]);
    assert_eq!(bank.names("archive"), ["HP1.ok", "HP1.ok.1", "HP1.txt"]);
    assert_eq!(fs::read(bank.path("quarantine/HP1.txt")).expect("kept"), b"first");
    assert_eq!(door.crowded_out().await, ["HP1.txt"], "somebody can be told");
}

#[tokio::test]
async fn i14_without_control_files_only_a_still_file_is_taken() {
    let bank = bank!();
    let completion = Completion::StableMs(300);
    let door = Sftp::new(SftpOptions { completion, ..bank.options() }).expect("good settings");
    let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
    for n in 1..5 {
        bank.put("in/HP1.txt", "a".repeat(n).as_bytes());
        assert!(door.arrivals(10).await.expect("listed").is_empty());
        pause(100).await;
    }
    pause(300).await;
    assert_eq!(door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    bank.put("in/HP1.txt", b"changed after all");
    assert!(matches!(door.fetch("HP1.txt").await, Err(DoorError::Changing(_))));
}

#[tokio::test]
async fn f7_putting_away_is_finished_after_a_crash_and_spares_newer_files() {
    let bank = bank!();
    let door = bank.door();
    leave(&bank, b"first", b"");
    let arrival = door.fetch("HP1.txt").await.expect("read");
    let (name, identity) = arrival.token.data[0].clone();
    assert_eq!(name, "HP1.txt");
    let (_, control) = arrival.token.control.clone().expect("has one");
    let mark = bank.path(&format!("in/.taken-1-{identity:x}-{control:x}-HP1.ok"));
    fs::rename(bank.path("in/HP1.ok"), &mark).expect("a crash after the control file was marked");
    // It may be another one that looks the same: it is read once more.
    assert_eq!(taken(&bank, &door).await, ["first"]);
    assert_eq!(bank.names("archive"), ["HP1.ok", "HP1.txt"]);
    bank.put("in/HP1.txt", b"second, half");
    fs::rename(bank.path("archive/HP1.ok"), &mark).expect("a crash between data and mark");
    assert!(door.arrivals(10).await.expect("listed").is_empty());
    assert_eq!(bank.names("in"), ["HP1.txt"]);
}

#[tokio::test]
async fn f45_links_pipes_folders_and_hostile_names_are_left_alone() {
    let bank = bank!();
    let door = bank.door();
    bank.put("secret", b"do not read");
    for name in ["name with blank.txt", "..%2fup.txt", "new\nline.txt", ".hid.txt"] {
        fs::write(bank.path("in").join(name), b"x").expect("written");
    }
    symlink(bank.path("secret"), bank.path("in/link.txt")).expect("linked");
    fs::create_dir(bank.path("in/folder.txt")).expect("made");
    let pipe = bank.path("in/pipe.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("runs").success());
    for stem in ["link", "name with blank", "..%2fup", "new\nline", ".hid", "folder", "pipe"] {
        fs::write(bank.path("in").join(format!("{stem}.ok")), b"").expect("written");
    }
    bank.put("in/good.txt", b"x");
    symlink(bank.path("secret"), bank.path("in/good.ok")).expect("linked");
    assert!(door.arrivals(100).await.expect("listed").is_empty());
    for name in ["../secret", "/etc/passwd", "name with blank.txt", ".hid.txt", "", "a/../b"] {
        assert!(matches!(door.fetch(name).await, Err(DoorError::Name(_))), "{name:?}");
        assert!(matches!(door.set_aside(name).await, Err(DoorError::Name(_))), "{name:?}");
    }
    for name in ["link.txt", "pipe.txt", "folder.txt", "good.txt"] {
        assert!(matches!(door.fetch(name).await, Err(DoorError::Gone(_))), "{name:?}");
    }
    // Swapped between the listing and the reading.
    for swap in ["link", "pipe"] {
        bank.put("in/HP1.txt", b"x");
        bank.put("in/HP1.ok", b"");
        assert_eq!(door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
        let path = bank.path("in/HP1.txt");
        fs::remove_file(&path).expect("removed");
        if swap == "link" {
            symlink(bank.path("secret"), &path).expect("linked");
        } else {
            let made = std::process::Command::new("mkfifo").arg(&path).status().expect("runs");
            assert!(made.success());
        }
        assert!(matches!(door.fetch("HP1.txt").await, Err(DoorError::NotAFile(_))), "{swap}");
        fs::remove_file(&path).expect("removed");
    }
}

#[tokio::test]
async fn f43_a_file_beyond_the_cap_is_not_read_and_can_be_set_aside() {
    let bank = bank!();
    let door = bank.door();
    let file = fs::File::create(bank.path("in/HP1.txt")).expect("made");
    file.set_len(2 << 30).expect("two GiB of nothing");
    bank.put("in/HP1.ok", b"");
    assert_eq!(door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    let begun = Instant::now();
    assert!(matches!(door.fetch("HP1.txt").await, Err(DoorError::TooLarge { .. })));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    door.set_aside("HP1.txt").await.expect("set aside");
    assert!(bank.names("in").is_empty());
    assert_eq!(bank.names("quarantine"), ["HP1.ok", "HP1.txt"]);
}

#[tokio::test]
async fn f25_a_server_that_hangs_at_what_it_left_keeps_no_batch_back() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    let door = bank.through(&line, 1_500);
    bank.put("in/HP1.txt", b"first");
    bank.put("in/HP1.ok", b"5");
    assert_eq!(door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    let taking = line.connections();
    line.plan(Plan::HoldOf { connection: taking });
    let parts = pair();
    let sending = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        send(&door, &parts).await
    };
    let (fetched, sent) = tokio::join!(door.fetch("HP1.txt"), sending);
    assert!(matches!(fetched, Err(DoorError::Remote { .. })), "it hung");
    assert!(accepted(&sent), "{sent:?}");
    assert_eq!((bank.seen(), line.connections()), (1, taking + 1));
    let arrival = door.fetch("HP1.txt").await.expect("on another connection");
    door.archive(&arrival).await.expect("put away");
}

#[tokio::test]
async fn a_server_that_lets_in_one_login_at_a_time_is_met_by_turns() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    line.plan(Plan::One);
    let door = bank.through(&line, 5_000);
    for n in 1..4 {
        bank.put("in/HP1.txt", b"first");
        bank.put("in/HP1.ok", b"5");
        assert_eq!(door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
        let arrival = door.fetch("HP1.txt").await.expect("read");
        door.archive(&arrival).await.expect("put away");
        assert!(accepted(&send(&door, &pair()).await), "{n}");
        bank.empty();
    }
    assert!(line.connections() >= 6, "{} connections", line.connections());
    // Also where what is taken is looked for all the time.
    let looking = async {
        loop {
            drop(door.arrivals(10).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let sending = async {
        for n in 0..3 {
            assert!(accepted(&send(&door, &pair()).await), "{n}");
            bank.empty();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = looking => {}
        () = sending => {}
    }
}

/// Whoever looks through the folder finishes what was cut short; what is being put away at that moment is not.
#[tokio::test]
async fn i14_nobody_finishes_what_is_being_put_away() {
    let bank = bank!();
    let door = bank.door();
    bank.put("in/HP1.txt", b"credited");
    bank.put("in/HP1.ok", b"8");
    let arrival = door.fetch("HP1.txt").await.expect("read");
    let moment = Duration::from_millis(300);
    let moving = door.inbox.moving.lock().await;
    assert!(tokio::time::timeout(moment, door.arrivals(9)).await.is_err(), "it waits");
    assert!(tokio::time::timeout(moment, door.archive(&arrival)).await.is_err(), "so does this");
    assert_eq!(bank.names("in"), ["HP1.ok", "HP1.txt"]);
    drop(moving);
    door.archive(&arrival).await.expect("put away");
    assert_eq!(door.arrivals(9).await.expect("listed"), [""; 0]);
    assert_eq!(bank.names("archive"), ["HP1.ok", "HP1.txt"]);
}

/// A file with a time to come, of a machine whose clock is wrong, says nothing of how late it is.
#[tokio::test]
async fn f33_a_file_with_a_time_to_come_switches_no_comparison_off() {
    let bank = bank!();
    let door = bank.door();
    assert!(accepted(&send(&door, &pair()).await), "the server's clock is known");
    bank.put("in/late.txt", b"x");
    let late = fs::File::options().write(true).open(bank.path("in/late.txt")).expect("is there");
    let now = late.metadata().and_then(|file| file.modified()).expect("bears a time");
    late.set_modified(now + Duration::from_hours(24)).expect("dated");
    let answer = |bytes: &[u8]| {
        bank.put("in/HP1.txt", bytes);
        bank.put("in/HP1.ok", b"8");
    };
    answer(b"credited");
    assert_eq!(door.arrivals(9).await.expect("listed"), ["HP1.txt"]);
    let first = door.fetch("HP1.txt").await.expect("read");
    // Another one in the same second, of the same size.
    answer(b"returned");
    for name in ["in/HP1.txt", "in/HP1.ok"] {
        let file = fs::File::options().write(true).open(bank.path(name)).expect("is there");
        let second = first.token.data[0].1 & u64::from(u32::MAX);
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(second)).expect("dated");
    }
    door.archive(&first).await.expect("put away");
    let read = door.fetch("HP1.txt").await.expect("it is read by itself");
    assert_eq!(read.parts[0].bytes, "returned");
}
