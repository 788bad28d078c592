use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::model::attempt::Committed;
use crate::model::id::AttemptNo;
use crate::transport::directory::files;
use crate::transport::directory::outgoing::{self, hand_over};
use crate::transport::directory::patience::Turn;
use crate::transport::directory::{Completion, Directory, DirectoryOptions};
use crate::transport::hidden::Away;
use crate::transport::placing::temporary_name;
use crate::transport::whole::REMEMBERED_MAX;
use crate::transport::{Asked, DoorError, OutPart, Sent, Transport};

struct Share {
    root: tempfile::TempDir,
    door: Directory,
}

impl Share {
    fn with(completion: Completion) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["out", "in"] {
            fs::create_dir(root.path().join(name)).expect("made");
        }
        let door = Directory::new(options(&root, completion)).expect("good settings");
        Self { root, door }
    }

    fn new() -> Self {
        Self::with(Completion::Control { suffix: ".ok".to_owned() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("written");
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("listed");
        let mut names: Vec<String> =
            entries.map(|e| e.expect("entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    fn hand_over(&self, parts: &[OutPart]) -> Sent {
        hand_over(&self.path("out"), parts)
    }
}

fn options(root: &tempfile::TempDir, completion: Completion) -> DirectoryOptions {
    DirectoryOptions {
        outgoing: root.path().join("out"),
        incoming: root.path().join("in"),
        archive: root.path().join("archive"),
        quarantine: root.path().join("quarantine"),
        completion,
        bytes_max: 1_000,
        total_ms: 30_000,
    }
}

fn part(name: &str, bytes: &str, committing: bool) -> OutPart {
    OutPart { name: name.to_owned(), bytes: Bytes::from(bytes.to_owned()), committing }
}

fn pair() -> Vec<OutPart> {
    vec![part("DF1.txt", "pay these", false), part("DF1.ok", "1", true)]
}

fn accepted(sent: &Sent) -> bool {
    matches!(sent, Sent::Accepted { answer: None })
}

/// The unit's umask keeps what is ours to ourselves; what is the bank's is for its group.
#[tokio::test]
async fn what_is_handed_over_is_for_the_banks_group_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;
    let share = Share::new();
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let sent = share.hand_over(&pair());
    rustix::process::umask(before);
    assert!(accepted(&sent), "{sent:?}");
    for part in pair() {
        let metadata = std::fs::metadata(share.path("out").join(&part.name)).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640, "{}", part.name);
    }
}

#[tokio::test]
async fn a_hand_over_leaves_exactly_its_files() {
    let share = Share::new();
    let committed = Committed::after_commit(AttemptNo(1));
    assert!(accepted(&share.door.send(&committed, &pair()).await));
    assert_eq!(share.names("out"), ["DF1.ok", "DF1.txt"]);
    assert_eq!(fs::read(share.path("out/DF1.txt")).expect("read"), b"pay these");
    assert!(matches!(share.door.ask(&[part("Q1.txt", "?", true)]).await, Asked::Posted));
    assert!(matches!(share.door.ask(&[part("Q1.txt", "?", true)]).await, Asked::Posted));
}

#[test]
fn f3_f11_a_repeat_ends_in_the_same_place_from_every_step_of_a_crash() {
    let leftovers: [&[(&str, &str)]; 7] = [
        &[],
        &[(".DF1.txt.part", "pay th")],
        &[(".DF1.txt.part", "pay these"), (".DF1.ok.part", "")],
        &[("DF1.txt", "pay these"), (".DF1.ok.part", "1")],
        &[("DF1.txt", "pay these")],
        &[("DF1.txt", "pay these"), ("DF1.ok", "1"), (".DF1.ok.part", "1")],
        &[("DF1.txt", "pay these"), ("DF1.ok", "1")],
    ];
    for (step, left) in leftovers.iter().enumerate() {
        let share = Share::new();
        for (name, text) in *left {
            share.put(&format!("out/{name}"), text.as_bytes());
        }
        let sent = share.hand_over(&pair());
        assert!(accepted(&sent), "step {step}: {sent:?}");
        assert_eq!(share.names("out"), ["DF1.ok", "DF1.txt"], "step {step}");
        assert_eq!(fs::read(share.path("out/DF1.txt")).expect("read"), b"pay these");
    }
}

#[test]
fn f48_a_taken_name_is_compared_and_never_overwritten() {
    for (name, what) in [("DF1.txt", "other"), ("DF1.txt", "pay thesE"), ("DF1.ok", "2")] {
        let share = Share::new();
        share.put(&format!("out/{name}"), what.as_bytes());
        let sent = share.hand_over(&pair());
        let Sent::Unknown { cause, evidence: None } = &sent else { panic!("{sent:?}") };
        assert!(cause.contains(name), "{cause}");
        assert_eq!(fs::read(share.path("out").join(name)).expect("read"), what.as_bytes());
        assert_eq!(share.names("out"), [name], "nothing else was left");
    }
}

#[test]
fn f48_a_name_that_is_taken_in_the_last_moment_is_not_overwritten() {
    let share = Share::new();
    share.put("out/new", b"new");
    share.put("out/old", b"old");
    let folder = files::open_folder(&share.path("out")).expect("opened");
    let error = files::rename_new(&folder, "new", &folder, "old").expect_err("it is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(share.path("out/old")).expect("read"), b"old");
}

#[test]
fn f49_a_control_file_without_its_data_is_unknown() {
    let share = Share::new();
    share.put("out/DF1.ok", b"1");
    assert!(matches!(share.hand_over(&pair()), Sent::Unknown { .. }));
    assert_eq!(share.names("out"), ["DF1.ok"], "the data is not put back under a live control");
}

#[test]
fn f13_what_fails_before_the_committing_rename_is_not_sent() {
    let share = Share::new();
    // The folder is not there (a share that is not mounted).
    let gone = hand_over(&share.path("nowhere"), &pair());
    assert!(matches!(gone, Sent::NotSent { .. }), "{gone:?}");
    // The temporary name of the control file cannot be written.
    fs::create_dir(share.path("out").join(temporary_name("DF1.ok"))).expect("made");
    let blocked = share.hand_over(&pair());
    assert!(matches!(blocked, Sent::NotSent { .. }), "{blocked:?}");
    assert!(!share.path("out/DF1.ok").exists());
    fs::remove_dir(share.path("out").join(temporary_name("DF1.ok"))).expect("removed");
    assert!(accepted(&share.hand_over(&pair())));
}

#[test]
fn f45_our_own_parts_are_checked_too() {
    let share = Share::new();
    let bad: [&[OutPart]; 6] = [
        &[],
        &[part("DF1.txt", "x", false)],
        &[part("DF1.ok", "x", true), part("DF1.txt", "x", false)],
        &[part("a", "x", true), part("b", "x", true)],
        &[part("../DF1.ok", "x", true)],
        &[part("a", "x", false), part("a", "x", true)],
    ];
    for parts in bad {
        assert!(matches!(share.hand_over(parts), Sent::NotSent { .. }), "{parts:?}");
    }
    assert!(share.names("out").is_empty());
}

#[test]
fn f45_a_link_in_the_way_is_not_written_through() {
    let share = Share::new();
    share.put("victim", b"keep");
    for name in [temporary_name("DF1.txt"), temporary_name("DF1.ok")] {
        symlink(share.path("victim"), share.path("out").join(name)).expect("linked");
    }
    assert!(accepted(&share.hand_over(&pair())));
    assert_eq!(fs::read(share.path("victim")).expect("read"), b"keep");
    symlink(share.path("victim"), share.path("out/DF2.ok")).expect("linked");
    assert!(matches!(share.hand_over(&[part("DF2.ok", "keep", true)]), Sent::Unknown { .. }));
}

#[test]
fn f51_a_racing_reader_sees_all_or_nothing() {
    let share = Share::new();
    let out = share.path("out");
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (out, stop) = (out.clone(), Arc::clone(&stop));
        move || {
            let mut taken = 0;
            while !stop.load(Ordering::SeqCst) || fs::read_dir(&out).expect("dir").count() > 0 {
                for entry in fs::read_dir(&out).expect("dir").flatten() {
                    let name = entry.file_name().into_string().expect("text");
                    if name.starts_with('.') || entry.path().extension() != Some("ok".as_ref()) {
                        continue;
                    }
                    let control = fs::read(entry.path()).expect("the control file is whole");
                    assert_eq!(control, b"20000");
                    let data_path = entry.path().with_extension("txt");
                    let data = fs::read(&data_path).expect("the data is there before its control");
                    assert_eq!(data.len(), 20_000, "the data is whole");
                    fs::remove_file(entry.path()).expect("taken");
                    fs::remove_file(data_path).expect("taken");
                    taken += 1;
                }
            }
            taken
        }
    });
    let body = "x".repeat(20_000);
    for n in 0..200 {
        let parts =
            [part(&format!("DF{n}.txt"), &body, false), part(&format!("DF{n}.ok"), "20000", true)];
        assert!(accepted(&hand_over(&out, &parts)));
    }
    stop.store(true, Ordering::SeqCst);
    assert_eq!(reader.join().expect("the reader saw nothing wrong"), 200);
}

#[test]
fn f51_a_reader_that_the_system_wakes_at_each_name_sees_all_or_nothing() {
    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
    const BATCHES: usize = 200;
    let share = Share::new();
    let out = share.path("out");
    let watch = inotify::init(CreateFlags::CLOEXEC).expect("watches");
    let told = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
    inotify::add_watch(&watch, &out, told).expect("watches");
    let reader = std::thread::spawn({
        let out = out.clone();
        move || {
            let mut buffer = vec![std::mem::MaybeUninit::uninit(); 1 << 16];
            let mut events = inotify::Reader::new(watch, &mut buffer);
            let mut taken = 0;
            while taken < BATCHES {
                let event = events.next().expect("told");
                assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW), "it keeps up");
                let name =
                    event.file_name().and_then(|name| name.to_str().ok()).unwrap_or_default();
                if name.starts_with('.') {
                    continue;
                }
                // Whatever has its own name is whole from the moment it has it.
                let path = out.join(name);
                if path.extension() == Some("txt".as_ref()) {
                    assert_eq!(fs::read(path).expect("the data is there").len(), 20_000);
                    continue;
                }
                assert_eq!(fs::read(&path).expect("the control file is there"), b"20000");
                let data = path.with_extension("txt");
                assert_eq!(fs::read(&data).expect("the data came before").len(), 20_000);
                fs::remove_file(path).expect("taken");
                fs::remove_file(data).expect("taken");
                taken += 1;
            }
        }
    });
    let body = "x".repeat(20_000);
    for n in 0..BATCHES {
        let parts =
            [part(&format!("DF{n}.txt"), &body, false), part(&format!("DF{n}.ok"), "20000", true)];
        let sent = hand_over(&out, &parts);
        assert!(accepted(&sent), "{sent:?}");
    }
    reader.join().expect("the reader saw nothing wrong");
    assert_eq!(fs::read_dir(&out).expect("listed").count(), 0);
}

#[tokio::test]
async fn i14_a_file_is_taken_only_with_its_control_file() {
    let share = Share::new();
    share.put("in/HP1.txt", b"half a res");
    assert!(share.door.arrivals(10).await.expect("listed").is_empty());
    assert!(matches!(share.door.fetch("HP1.txt").await, Err(DoorError::Gone(_))));
    share.put("in/HP1.txt", b"half a result no more");
    assert!(share.door.arrivals(10).await.expect("listed").is_empty());
    share.put("in/HP1.ok", b"21");
    share.put("in/lonely.ok", b"");
    assert_eq!(share.door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    let arrival = share.door.fetch("HP1.txt").await.expect("read");
    let names: Vec<&str> = arrival.parts.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["HP1.txt", "HP1.ok"]);
    assert_eq!(arrival.parts[0].bytes, "half a result no more");
    share.door.archive(&arrival).await.expect("put away");
    assert_eq!(share.names("in"), ["lonely.ok"]);
    assert_eq!(share.names("archive"), ["HP1.ok", "HP1.txt"]);
    share.door.archive(&arrival).await.expect("again does no harm");
}

/// Gives a file of the incoming folder a change time: so many seconds after another.
fn changed(share: &Share, name: &str, seconds: usize) {
    let file = fs::File::options().write(true).open(share.path(name)).expect("opened");
    let at = std::time::Duration::from_secs(1_700_000_000 + seconds as u64);
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + at).expect("dated");
}

#[tokio::test]
async fn f43_of_a_full_folder_the_oldest_are_held_and_the_rest_has_its_turn() {
    let share = Share::new();
    let count = REMEMBERED_MAX + 3;
    for at in 0..count {
        // The youngest come first by name.
        let stem = format!("in/HP{:05}", count - at);
        for suffix in ["txt", "ok"] {
            share.put(&format!("{stem}.{suffix}"), b"1");
            changed(&share, &format!("{stem}.{suffix}"), at);
        }
    }
    let name = |at: usize| format!("HP{:05}.txt", count - at);
    let first = share.door.arrivals(2).await.expect("listed");
    assert_eq!(first, [name(0), name(1)]);
    for name in &first {
        let arrival = share.door.fetch(name).await.expect("read");
        share.door.archive(&arrival).await.expect("put away");
    }
    let rest = share.door.arrivals(REMEMBERED_MAX).await.expect("listed");
    let all: Vec<String> = (2..count).map(name).collect();
    assert_eq!(rest, all[..REMEMBERED_MAX]);
    let more = share.door.arrivals(REMEMBERED_MAX * 2).await.expect("listed");
    assert_eq!(more, all, "as many as are asked for");
}

#[tokio::test]
async fn f43_control_files_that_stand_alone_hide_nothing() {
    let share = Share::new();
    for at in 0..=REMEMBERED_MAX {
        share.put(&format!("in/lonely{at}.ok"), b"");
        changed(&share, &format!("in/lonely{at}.ok"), at);
    }
    share.put("in/HP1.txt", b"1");
    share.put("in/HP1.ok", b"1");
    assert_eq!(share.door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
}

#[tokio::test]
async fn i14_without_control_files_only_a_still_file_is_taken() {
    let share = Share::with(Completion::StableMs(150));
    let pause = |ms| tokio::time::sleep(std::time::Duration::from_millis(ms));
    share.put("in/HP1.txt", b"a");
    for n in 2..6 {
        assert!(share.door.arrivals(10).await.expect("listed").is_empty());
        pause(60).await;
        share.put("in/HP1.txt", "a".repeat(n).as_bytes());
    }
    // An old date proves nothing: a copy tool may set it and go on writing.
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    share.put("in/old.txt", b"x");
    fs::File::options()
        .write(true)
        .open(share.path("in/old.txt"))
        .and_then(|f| f.set_modified(old))
        .expect("dated");
    assert!(share.door.arrivals(10).await.expect("listed").is_empty());
    pause(250).await;
    assert_eq!(share.door.arrivals(10).await.expect("listed"), ["old.txt", "HP1.txt"]);
    share.put("in/HP1.txt", b"changed after all");
    assert!(matches!(share.door.fetch("HP1.txt").await, Err(DoorError::Changing(_))));
    let old = share.door.fetch("old.txt").await.expect("read");
    share.door.archive(&old).await.expect("put away");
    assert_eq!(share.names("in"), ["HP1.txt"]);
}

#[tokio::test]
async fn f45_links_pipes_folders_and_hostile_names_are_left_alone() {
    let share = Share::new();
    share.put("secret", b"do not read");
    for name in ["link.txt", "name with blank.txt", "..%2fup.txt", "new\nline.txt", ".hid.txt"] {
        let path = share.path("in").join(name);
        if name == "link.txt" {
            symlink(share.path("secret"), path).expect("linked");
        } else {
            fs::write(path, b"x").expect("written");
        }
    }
    fs::create_dir(share.path("in/folder.txt")).expect("made");
    let pipe = share.path("in/pipe.txt");
    let status = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(status.success());
    for stem in ["link", "name with blank", "..%2fup", "new\nline", ".hid", "folder", "pipe"] {
        fs::write(share.path("in").join(format!("{stem}.ok")), b"").expect("written");
    }
    share.put("in/good.txt", b"x");
    symlink(share.path("secret"), share.path("in/good.ok")).expect("linked");
    assert!(share.door.arrivals(100).await.expect("listed").is_empty());
    for name in ["../secret", "/etc/passwd", "name with blank.txt", ".hid.txt", "", "a/../b"] {
        assert!(matches!(share.door.fetch(name).await, Err(DoorError::Name(_))), "{name:?}");
        assert!(matches!(share.door.set_aside(name).await, Err(DoorError::Name(_))), "{name:?}");
    }
    for name in ["link.txt", "pipe.txt", "folder.txt", "good.txt"] {
        assert!(matches!(share.door.fetch(name).await, Err(DoorError::Gone(_))), "{name:?}");
    }
}

#[tokio::test]
async fn f45_a_file_swapped_for_a_link_or_a_pipe_after_listing_is_refused() {
    let share = Share::new();
    share.put("secret", b"do not read");
    share.put("in/HP1.txt", b"x");
    share.put("in/HP1.ok", b"");
    assert_eq!(share.door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    fs::remove_file(share.path("in/HP1.txt")).expect("removed");
    symlink(share.path("secret"), share.path("in/HP1.txt")).expect("linked");
    assert!(matches!(share.door.fetch("HP1.txt").await, Err(DoorError::NotAFile(_))));
    fs::remove_file(share.path("in/HP1.txt")).expect("removed");
    let path = share.path("in/HP1.txt");
    assert!(std::process::Command::new("mkfifo").arg(path).status().expect("runs").success());
    assert!(matches!(share.door.fetch("HP1.txt").await, Err(DoorError::NotAFile(_))));
    fs::remove_file(share.path("in/HP1.txt")).expect("removed");
    // A device that would never end. Only root makes one.
    let made = std::process::Command::new("mknod")
        .arg(share.path("in/HP1.txt"))
        .args(["c", "1", "5"])
        .status();
    if made.expect("runs").success() {
        assert!(matches!(share.door.fetch("HP1.txt").await, Err(DoorError::NotAFile(_))));
    }
}

#[tokio::test]
async fn f43_a_file_beyond_the_cap_is_not_read_and_can_be_set_aside() {
    let share = Share::new();
    let file = fs::File::create(share.path("in/HP1.txt")).expect("made");
    file.set_len(2 << 30).expect("two GiB of nothing");
    share.put("in/HP1.ok", b"");
    assert_eq!(share.door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    assert!(matches!(share.door.fetch("HP1.txt").await, Err(DoorError::TooLarge { .. })));
    share.door.set_aside("HP1.txt").await.expect("set aside");
    assert!(share.names("in").is_empty());
    assert_eq!(share.names("quarantine"), ["HP1.ok", "HP1.txt"]);
}

#[tokio::test]
async fn f7_putting_away_is_finished_after_a_crash_and_spares_newer_files() {
    let share = Share::new();
    share.put("in/HP1.txt", b"first");
    share.put("in/HP1.ok", b"");
    let arrival = share.door.fetch("HP1.txt").await.expect("read");
    // A crash after the control file was marked.
    let (_, identity) = &arrival.token.data[0];
    let (_, control) = arrival.token.control.as_ref().expect("has one");
    let mark = share.path(&format!("in/.taken-7-{identity:x}-{control:x}-HP1.ok"));
    fs::rename(share.path("in/HP1.ok"), &mark).expect("marked");
    assert!(share.door.arrivals(10).await.expect("listed").is_empty());
    assert_eq!(share.names("archive"), ["HP1.ok", "HP1.txt"]);
    assert!(share.names("in").is_empty());
    // A newer file of the same name, half-written, is not taken for the one that was read, and no
    // control file is left to vouch for it.
    share.put("in/HP1.txt", b"second, half");
    fs::rename(share.path("archive/HP1.ok"), &mark).expect("a crash between data and mark");
    assert!(share.door.arrivals(10).await.expect("listed").is_empty());
    share.door.archive(&arrival).await.expect("the old token does no harm");
    assert_eq!(share.names("in"), ["HP1.txt"]);
    assert_eq!(fs::read(share.path("in/HP1.txt")).expect("read"), b"second, half");
    // One that came with it just before the older one got its mark speaks for it.
    fs::write(&mark, b"12").expect("a crash behind the mark");
    share.door.arrivals(10).await.expect("listed");
    assert_eq!(share.names("in"), ["HP1.ok", "HP1.txt"]);
    let second = share.door.fetch("HP1.txt").await.expect("read");
    assert_eq!(second.parts[0].bytes, "second, half");
    share.door.archive(&second).await.expect("put away");
    assert!(share.names("in").is_empty());
}

#[tokio::test]
async fn f7_what_a_stop_hid_is_kept_where_the_bank_used_its_name_again() {
    let share = Share::new();
    share.put("in/HP1.txt", b"first");
    share.put("in/HP1.ok", b"5");
    let first = share.door.fetch("HP1.txt").await.expect("read");
    let (_, identity) = first.token.data[0];
    let (_, control) = first.token.control.clone().expect("has one");
    // A stop while the data was looked at once more; then the bank uses the name again.
    for (name, hidden) in [
        ("HP1.txt", ".compared-7-HP1.txt".to_owned()),
        ("HP1.ok", format!(".taken-7-{identity:x}-{control:x}-HP1.ok")),
    ] {
        let path = |name: &str| share.path("in").join(name);
        fs::rename(path(name), path(&hidden)).expect("hidden");
    }
    share.put("in/HP1.txt", b"third");
    share.put("in/HP1.ok", b"5");
    assert_eq!(share.door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
    let third = share.door.fetch("HP1.txt").await.expect("read");
    assert_eq!(third.parts[0].bytes, "third");
    share.door.archive(&third).await.expect("put away");
    for _ in 0..2 {
        assert!(share.door.arrivals(10).await.expect("listed").is_empty(), "it was read before");
    }
    assert!(share.names("in").is_empty());
    assert_eq!(share.names("archive"), ["HP1.ok", "HP1.ok.1", "HP1.txt"]);
    assert_eq!(fs::read(share.path("quarantine/HP1.txt")).expect("kept"), b"first");
    for told in [&["HP1.txt"][..], &[]] {
        assert_eq!(share.door.crowded_out().await, told, "once");
    }
}

#[tokio::test]
async fn f7_what_a_stop_hid_is_put_away_with_its_control_file_whichever_is_listed_first() {
    let share = Share::new();
    // A folder lists in an order of its own, by the names.
    for n in 0..40 {
        let name = format!("HP{n}.txt");
        share.put(&format!("in/{name}"), b"first");
        share.put(&format!("in/HP{n}.ok"), b"5");
        let first = share.door.fetch(&name).await.expect("read");
        let (_, identity) = first.token.data[0];
        let (_, control) = first.token.control.clone().expect("has one");
        let path = |name: &str| share.path("in").join(name);
        fs::rename(path(&name), path(&format!(".compared-7-{name}"))).expect("hidden");
        let mark = format!(".taken-7-{identity:x}-{control:x}-HP{n}.ok");
        fs::rename(path(&format!("HP{n}.ok")), path(&mark)).expect("hidden");
    }
    share.door.arrivals(10).await.expect("listed");
    assert_eq!(share.names("in"), Vec::<String>::new());
    assert_eq!(share.names("archive").len(), 80);
}

#[test]
fn f33_what_is_not_the_file_that_was_seen_gets_its_name_back() {
    let share = Share::new();
    share.put("in/HP1.txt", b"left between the look and this");
    let inbox = &share.door.inbox;
    let folder = inbox.folder().expect("opened");
    inbox.move_as_read(&folder, "HP1.txt", 7, Away::Archive).expect("looked at");
    assert_eq!(share.names("in"), ["HP1.txt"]);
    assert!(!share.path("archive").exists() || share.names("archive").is_empty());
}

#[tokio::test]
async fn f33_what_a_bank_leaves_again_and_again_is_read_to_its_last() {
    // A bank that leaves answers under one name as fast as it can, and a door that takes them as fast.
    let share = Share::new();
    let (incoming, staging) = (share.path("in"), share.path("staging"));
    fs::create_dir(&staging).expect("made");
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ended = std::sync::Arc::clone(&done);
    let bank = std::thread::spawn(move || {
        for n in 0..3_000_u32 {
            for name in ["HP1.txt", "HP1.ok"] {
                fs::write(staging.join(name), n.to_string()).expect("written");
                fs::rename(staging.join(name), incoming.join(name)).expect("left");
            }
        }
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let (mut read, mut idle) = (HashSet::new(), 0);
    while idle < 3 {
        let over = done.load(std::sync::atomic::Ordering::SeqCst);
        let names = share.door.arrivals(10).await.expect("listed");
        idle = if over && names.is_empty() { idle + 1 } else { 0 };
        for name in names {
            let Ok(arrival) = share.door.fetch(&name).await else { continue };
            read.insert(arrival.parts[0].bytes.clone());
            match share.door.archive(&arrival).await {
                Ok(()) | Err(DoorError::Changing(_)) => {}
                Err(cause) => panic!("{cause}"),
            }
        }
    }
    bank.join().expect("wrote");
    // The bank itself wrote over those between; of the last nothing was.
    assert!(read.contains(&b"2999"[..]), "{} were read", read.len());
    let hidden = share.names("in").into_iter().find(|name| name.starts_with('.'));
    assert_eq!(hidden, None);
    assert!(read.len() > 10, "{}", read.len());
}

#[tokio::test]
async fn f33_what_a_bank_left_anew_while_the_first_was_read_is_taken_by_itself() {
    let share = Share::new();
    share.put("in/HP1.txt", b"first");
    share.put("in/HP1.ok", b"5");
    let first = share.door.fetch("HP1.txt").await.expect("read");
    // Written over in place: the inode and the size stay.
    share.put("in/HP1.txt", b"other");
    share.door.archive(&first).await.expect("put away");
    assert_eq!(share.names("in"), ["HP1.txt"], "the old control file does not vouch for it");
    share.put("in/HP1.ok", b"5");
    let second = share.door.fetch("HP1.txt").await.expect("read");
    assert_eq!(second.parts[0].bytes, "other");
    share.put("in/HP1.txt", b"third");
    share.put("in/HP1.ok", b"5");
    share.door.archive(&second).await.expect("put away");
    assert_eq!(share.names("in"), ["HP1.ok", "HP1.txt"], "a whole newer answer stays whole");
    let third = share.door.fetch("HP1.txt").await.expect("read");
    assert_eq!(third.parts[0].bytes, "third");
    // The same answer vouched for once more is no other answer.
    share.put("in/HP1.ok", b"5");
    share.door.archive(&third).await.expect("put away");
    assert!(share.names("in").is_empty());
}

#[tokio::test]
async fn f33_files_of_one_name_lie_beside_each_other_in_the_archive() {
    let share = Share::new();
    for n in 0..3 {
        share.put("in/HP1.txt", format!("take {n}").as_bytes());
        share.put("in/HP1.ok", b"");
        assert_eq!(share.door.arrivals(10).await.expect("listed"), ["HP1.txt"]);
        let arrival = share.door.fetch("HP1.txt").await.expect("read");
        share.door.archive(&arrival).await.expect("put away");
    }
    let names = share.names("archive");
    assert_eq!(names, ["HP1.ok", "HP1.ok.1", "HP1.ok.2", "HP1.txt", "HP1.txt.1", "HP1.txt.2"]);
    assert_eq!(fs::read(share.path("archive/HP1.txt.2")).expect("read"), b"take 2");
}

#[tokio::test]
async fn arrivals_come_oldest_first_and_within_the_limit() {
    let share = Share::new();
    for (n, name) in ["c", "a", "b"].iter().enumerate() {
        share.put(&format!("in/{name}.txt"), b"x");
        share.put(&format!("in/{name}.ok"), b"");
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000 + n as u64);
        let file = fs::File::options().write(true).open(share.path(&format!("in/{name}.txt")));
        file.and_then(|f| f.set_modified(at)).expect("dated");
    }
    assert_eq!(share.door.arrivals(2).await.expect("listed"), ["c.txt", "a.txt"]);
    assert!(share.door.fetch("b.txt").await.is_ok(), "a name beyond the limit can be fetched");
}

#[tokio::test]
async fn a_full_folder_is_taken_in_order_and_not_listed_for_each_few() {
    let share = Share::new();
    let put = |n: usize| {
        share.put(&format!("in/r{n:03}.txt"), b"x");
        share.put(&format!("in/r{n:03}.ok"), b"");
    };
    (0..40).for_each(put);
    let (mut taken, mut gone) = (Vec::new(), Vec::new());
    for round in 0..6 {
        let names = share.door.arrivals(8).await.expect("listed");
        if round == 1 {
            put(999);
            fs::remove_file(share.path("in/r039.txt")).expect("a bank takes one back");
        }
        if round == 3 {
            fs::remove_dir_all(share.path("archive")).expect("swept by somebody");
        }
        for name in names {
            match share.door.fetch(&name).await {
                Ok(arrival) => share.door.archive(&arrival).await.expect("put away"),
                Err(DoorError::Gone(_)) => gone.push(name.clone()),
                Err(e) => panic!("{e}"),
            }
            taken.push((round, name));
        }
    }
    let of = |round: usize| {
        let names = taken.iter().filter(|(at, _)| *at == round).map(|(_, name)| name.as_str());
        names.collect::<Vec<&str>>()
    };
    assert!((0..5).all(|round| of(round).len() == 8), "{taken:?}");
    assert_eq!(of(5), ["r999.txt"], "what came later is listed once fewer are left than wanted");
    assert_eq!(gone, ["r039.txt"], "what went meanwhile is seen when it is fetched");
    let rest = ["r039.ok"];
    assert_eq!(share.names("in"), rest);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let control = |suffix: &str| Completion::Control { suffix: suffix.to_owned() };
    let mut same = options(&root, control(".ok"));
    same.incoming = same.outgoing.clone();
    assert!(matches!(Directory::new(same), Err(DoorError::Settings(_))));
    for suffix in ["", ".", "ok", "./x"] {
        assert!(matches!(
            Directory::new(options(&root, control(suffix))),
            Err(DoorError::Settings(_))
        ));
    }
}

#[tokio::test]
async fn f51_half_a_question_gives_way_and_a_whole_one_does_not() {
    let share = Share::new();
    let question = |moment: &'static str| {
        [("CX1.txt", moment, false), ("CX1.ok", "whole", true)].map(|(name, bytes, committing)| {
            OutPart { name: name.to_owned(), bytes: Bytes::from(bytes), committing }
        })
    };
    // A stop between the data and the part that commits it.
    share.put("out/CX1.txt", b"10:00");
    share.put("out/.CX1.ok.part", b"who");
    assert!(matches!(share.door.ask(&question("11:00")).await, Asked::Posted));
    assert_eq!(share.names("out"), ["CX1.ok", "CX1.txt"]);
    assert_eq!(fs::read(share.path("out/CX1.txt")).expect("read"), b"11:00");
    // This one the bank may be reading.
    assert!(matches!(share.door.ask(&question("12:00")).await, Asked::Failed { .. }));
    assert_eq!(fs::read(share.path("out/CX1.txt")).expect("read"), b"11:00");
    // What is handed over with money in it gives way to nothing.
    fs::remove_file(share.path("out/CX1.ok")).expect("removed");
    let sent = share.hand_over(&question("13:00"));
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    assert_eq!(fs::read(share.path("out/CX1.txt")).expect("read"), b"11:00");
}

/// Whoever looks through the folder finishes what was cut short; what is being put away at that moment is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i14_nobody_finishes_what_is_being_put_away() {
    let share = Share::new();
    share.put("in/HP1.txt", b"credited");
    share.put("in/HP1.ok", b"8");
    let arrival = share.door.fetch("HP1.txt").await.expect("read");
    let (held, holds) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let inbox = Arc::clone(&share.door.inbox);
    let holder = std::thread::spawn(move || {
        let _moving = inbox.moving();
        held.send(()).expect("told");
        ended.recv().expect("ends");
    });
    holds.recv().expect("it is held");
    let moment = std::time::Duration::from_millis(300);
    let put = share.door.archive(&arrival);
    assert!(tokio::time::timeout(moment, share.door.arrivals(9)).await.is_err(), "it waits");
    assert!(tokio::time::timeout(moment, put).await.is_err(), "so does this");
    assert_eq!(share.names("in"), ["HP1.ok", "HP1.txt"]);
    end.send(()).expect("told");
    holder.join().expect("ended");
    share.door.archive(&arrival).await.expect("put away");
    assert_eq!(share.names("archive"), ["HP1.ok", "HP1.txt"]);
}

/// A share that hangs: before the commit point nothing is committed any more, and behind it nobody knows.
#[tokio::test]
async fn f25_a_share_that_hangs_is_given_up_and_commits_nothing_that_was_told_as_not_sent() {
    const HANGS: Duration = Duration::from_millis(2_500);
    fn before(folder: &Path, parts: &[OutPart], turn: &Turn) -> Sent {
        std::thread::sleep(HANGS);
        outgoing::hand_over_in_time(folder, parts, turn)
    }
    fn behind(folder: &Path, parts: &[OutPart], turn: &Turn) -> Sent {
        let sent = outgoing::hand_over_in_time(folder, parts, turn);
        std::thread::sleep(HANGS);
        sent
    }
    let root = Share::new();
    let completion = Completion::Control { suffix: ".ok".to_owned() };
    let options = DirectoryOptions { total_ms: 1_200, ..options(&root.root, completion) };
    let door = Directory::new(options).expect("good settings");
    let sent = door.leave(&pair(), before).await;
    assert!(
        matches!(&sent, Sent::NotSent { cause } if cause.contains("does not answer")),
        "{sent:?}"
    );
    tokio::time::sleep(HANGS * 2).await;
    assert!(root.names("out").iter().all(|name| name.starts_with('.')), "it was told as not sent");
    let committed = Committed::after_commit(AttemptNo(1));
    assert!(accepted(&door.send(&committed, &pair()).await), "the same bytes go again");
    fs::remove_file(root.path("out/DF1.ok")).expect("taken");
    fs::remove_file(root.path("out/DF1.txt")).expect("taken");
    let sent = door.leave(&pair(), behind).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    assert!(!door.lies_there(&pair()).await, "nothing is begun beside what hangs");
    tokio::time::sleep(HANGS * 2).await;
    assert!(door.lies_there(&pair()).await);
}
