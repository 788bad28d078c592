//! Handing over to the bank: every place at which the line breaks, a crash in between, and what is in the way.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use crate::transport::placing::temporary_name;
use crate::transport::sftp::session::{Calling, Session, Trouble};
use crate::transport::sftp::tests::line::{Line, Plan};
use crate::transport::sftp::tests::{Bank, accepted, cause, pair, part, porter, send};
use crate::transport::sftp::{Proof, Sftp, SftpOptions};
use crate::transport::{Asked, DoorError, OutPart, Sent, Transport};

/// A batch of some size, that no two cuts leave alike.
fn large() -> Vec<OutPart> {
    let body: Vec<u8> = (0..20_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    vec![part("DF1.txt", &body, false), part("DF1.ok", b"20000", true)]
}

/// About how many bytes of ours a whole hand-over takes, up to and with the committing rename.
async fn measure(bank: &Bank, line: &Line, parts: &[OutPart]) -> u64 {
    line.plan(Plan::Whole);
    let sent = send(&bank.through(line, 5_000), parts).await;
    assert!(accepted(&sent), "{sent:?}");
    let bytes = line.sent();
    bank.empty();
    bytes
}

#[tokio::test]
async fn a_hand_over_leaves_exactly_its_files() {
    let bank = bank!();
    let door = bank.door();
    let sent = send(&door, &pair()).await;
    assert!(accepted(&sent), "{sent:?}");
    assert_eq!(bank.names("out"), ["DF1.ok", "DF1.txt"]);
    assert_eq!(fs::read(bank.path("out/DF1.txt")).expect("read"), b"pay these");
    for _ in 0..2 {
        assert!(matches!(door.ask(&[part("Q1.txt", b"?", true)]).await, Asked::Posted));
    }
    assert_eq!(bank.names("out"), ["DF1.ok", "DF1.txt", "Q1.txt"]);
    // An empty part, and one of several requests at once.
    let body: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 253) as u8).collect();
    let sent = send(&door, &[part("B.txt", &body, false), part("B.ok", b"", true)]).await;
    assert!(accepted(&sent), "{sent:?}");
    assert_eq!(fs::read(bank.path("out/B.txt")).expect("read"), body);
    assert_eq!(fs::read(bank.path("out/B.ok")).expect("read"), b"");
}

#[tokio::test]
async fn f47_a_line_cut_at_every_kilobyte_of_an_upload_is_not_sent_and_goes_on() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    let parts = large();
    let whole = measure(&bank, &line, &parts).await;
    assert!(whole > 20_000, "{whole}");
    let mut tries = 0;
    // The last bytes are the committing rename, which is another test.
    for after in (0..whole - 200).step_by(1_024) {
        tries += 1;
        let door = bank.through(&line, 3_000);
        line.plan(Plan::Cut { after, then_refuse: true });
        let sent = send(&door, &parts).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "cut at {after} of {whole}: {sent:?}");
        assert_eq!(bank.seen(), 0, "cut at {after}: {:?}", bank.names("out"));
        line.plan(Plan::Whole);
        let sent = send(&door, &parts).await;
        assert!(accepted(&sent), "after a cut at {after}: {sent:?}");
        assert_eq!(bank.names("out"), ["DF1.ok", "DF1.txt"], "after a cut at {after}");
        assert_eq!(fs::read(bank.path("out/DF1.txt")).expect("read"), parts[0].bytes);
        bank.empty();
    }
    assert!(tries > 20, "{tries}");
}

#[tokio::test]
async fn f47_an_upload_goes_on_where_the_line_was_cut() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    let body: Vec<u8> = (0..600_000_u32).map(|n| (n * 11 % 249) as u8).collect();
    let parts = [part("DF1.txt", &body, false), part("DF1.ok", b"1", true)];
    bank.put("out/.DF1.txt.part", &body[..590_000]);
    let sent = send(&bank.through(&line, 5_000), &parts).await;
    assert!(accepted(&sent), "{sent:?}");
    assert!(line.sent() < 60_000, "{} bytes went for the last 10,000", line.sent());
    assert_eq!(fs::read(bank.path("out/DF1.txt")).expect("read"), body);
    // Other bytes, holes and a longer leftover are written anew.
    for leftover in [vec![0_u8; 590_000], body[1..500_000].to_vec(), vec![7_u8; 700_000]] {
        bank.empty();
        bank.put("out/.DF1.txt.part", &leftover);
        let sent = send(&bank.door(), &parts).await;
        assert!(accepted(&sent), "{sent:?}");
        assert_eq!(fs::read(bank.path("out/DF1.txt")).expect("read"), body);
        assert_eq!(bank.names("out"), ["DF1.ok", "DF1.txt"]);
    }
}

#[tokio::test]
async fn f49_a_cut_at_the_rename_is_unknown_unless_the_file_is_found_there() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    for then_refuse in [true, false] {
        for there in [false, true] {
            let folder = bank.path("out");
            line.plan(if there {
                Plan::AfterRename { folder, then_refuse, stays: false }
            } else {
                Plan::BeforeRename { folder, then_refuse }
            });
            let door = bank.through(&line, 3_000);
            let sent = send(&door, &pair()).await;
            let case = format!("there: {there}, refused: {then_refuse}, {sent:?}");
            assert_eq!(bank.seen(), usize::from(there), "{case}");
            if there && !then_refuse {
                assert!(accepted(&sent), "it was looked for and found: {case}");
            } else {
                assert!(matches!(sent, Sent::Unknown { .. }), "{case}");
            }
            // Before the line is back nothing is known; afterwards only what lies there is.
            assert!(!then_refuse || !door.lies_there(&pair()).await, "{case}");
            line.plan(Plan::Whole);
            assert_eq!(door.lies_there(&pair()).await, there, "{case}");
            // Whoever sends the same again, once the bank was asked, delivers once.
            assert!(accepted(&send(&door, &pair()).await), "{case}");
            assert_eq!(bank.names("out"), ["DF1.ok", "DF1.txt"], "{case}");
            // What the bank has not taken is told; hidden names are not files yet.
            bank.put("out/.DF2.txt.part", b"half");
            let lying = door.unfetched().await.expect("listed").expect("this door can tell");
            assert_eq!(lying, ["DF1.ok", "DF1.txt"], "{case}");
            bank.empty();
            assert_eq!(door.unfetched().await.expect("listed"), Some(vec![]), "{case}");
        }
    }
}

#[tokio::test]
async fn f25_f26_a_bank_that_says_no_more_meets_the_deadline() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    let whole = measure(&bank, &line, &pair()).await;
    let folder = bank.path("out");
    for (plan, there) in [
        (Plan::Hold { after: 0 }, false),
        (Plan::Hold { after: 1_500 }, false),
        (Plan::Hold { after: whole - 600 }, false),
        (Plan::Drip { after: 0 }, false),
        (Plan::Drip { after: 1_500 }, false),
        (Plan::Drip { after: whole - 600 }, false),
        (Plan::AfterRename { folder, then_refuse: false, stays: true }, true),
    ] {
        let door = bank.through(&line, 1_000);
        line.plan(plan.clone());
        let begun = Instant::now();
        let sent = send(&door, &pair()).await;
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        match sent {
            Sent::NotSent { .. } if !there => {}
            Sent::Unknown { .. } if there => {}
            _ => panic!("{plan:?} of {whole}: {sent:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(bank.seen(), usize::from(there), "{plan:?}");
        line.plan(Plan::Whole);
        assert!(accepted(&send(&door, &pair()).await), "{plan:?}");
        assert_eq!(bank.seen(), 1);
        bank.empty();
    }
}

#[tokio::test]
async fn f24_a_bank_that_cannot_be_reached_is_not_sent() {
    let bank = bank!();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound").to_string()
    };
    for address in [closed.as_str(), "no-such-bank.invalid:22"] {
        let options = SftpOptions { address: address.to_owned(), ..bank.options() };
        let door = Sftp::new(options).expect("good settings");
        let sent = send(&door, &pair()).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
        assert!(matches!(door.arrivals(10).await, Err(DoorError::Remote { .. })));
    }
    let line = Line::to(bank.sshd.address()).await;
    line.plan(Plan::Refuse);
    let sent = send(&bank.through(&line, 2_000), &pair()).await;
    assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
}

#[tokio::test]
async fn f24_a_folder_that_is_not_there_is_not_sent() {
    let bank = bank!();
    fs::remove_dir(bank.path("out")).expect("removed");
    let sent = send(&bank.door(), &pair()).await;
    assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
    fs::remove_dir(bank.path("in")).expect("removed");
    assert!(matches!(bank.door().arrivals(10).await, Err(DoorError::Remote { .. })));
}

#[tokio::test]
async fn f24_a_wrong_password_or_key_is_not_sent() {
    let bank = bank!();
    let wrong = [Proof::Password(SecretString::from("wrong")), bank.login("stranger")];
    for proof in wrong {
        let door = Sftp::new(SftpOptions { proof, ..bank.options() }).expect("good settings");
        let sent = send(&door, &pair()).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
        assert!(cause(&sent).contains("does not let"), "{sent:?}");
        assert!(!cause(&sent).contains("wrong"), "a password is not told: {sent:?}");
    }
    assert_eq!(bank.names("out").len(), 0);
}

#[tokio::test]
async fn f24_the_right_password_lets_us_in_and_a_wrong_one_does_not() {
    let bank = bank!();
    let text = fs::read_to_string(bank.sshd.private("host")).expect("the host's key");
    let host = russh::keys::PrivateKey::from_openssh(text).expect("a key");
    let address = porter::open(host, "agent", "correct horse").await.to_string();
    for (user, password, is_let_in) in [
        ("agent", "correct horse", true),
        ("agent", "correct house", false),
        ("agent", "", false),
        ("other", "correct horse", false),
    ] {
        let proof = Proof::Password(SecretString::from(password));
        let (address, user) = (address.clone(), user.to_owned());
        let options = SftpOptions { address, user, proof, ..bank.options() };
        let door = Sftp::new(options).expect("good settings");
        let sent = send(&door, &pair()).await;
        assert_eq!(accepted(&sent), is_let_in, "{sent:?}");
        assert_eq!(bank.seen(), usize::from(is_let_in));
        if is_let_in {
            bank.put("in/HP1.txt", b"done");
            bank.put("in/HP1.ok", b"1");
            let names = door.arrivals(10).await.expect("listed");
            let arrival = door.fetch(&names[0]).await.expect("read");
            assert_eq!(arrival.parts[0].bytes, "done");
            door.archive(&arrival).await.expect("put away");
            assert_eq!(bank.names("in"), Vec::<String>::new());
        } else {
            assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
        }
        bank.empty();
    }
}

#[tokio::test]
async fn f3_f11_a_repeat_ends_in_the_same_place_from_every_step_of_a_crash() {
    let bank = bank!();
    let leftovers: [&[(&str, &str)]; 7] = [
        &[],
        &[(".DF1.txt.part", "pay th")],
        &[(".DF1.txt.part", "pay these"), (".DF1.ok.part", "")],
        &[("DF1.txt", "pay these"), (".DF1.ok.part", "1")],
        &[("DF1.txt", "pay these")],
        &[(".DF1.txt.part", "something else, and longer"), (".DF1.ok.part", "2")],
        &[("DF1.txt", "pay these"), ("DF1.ok", "1")],
    ];
    let door = bank.door();
    for (step, left) in leftovers.iter().enumerate() {
        for (name, text) in *left {
            bank.put(&format!("out/{name}"), text.as_bytes());
        }
        let sent = send(&door, &pair()).await;
        assert!(accepted(&sent), "step {step}: {sent:?}");
        assert_eq!(bank.names("out"), ["DF1.ok", "DF1.txt"], "step {step}");
        assert_eq!(fs::read(bank.path("out/DF1.txt")).expect("read"), b"pay these");
        bank.empty();
    }
}

#[tokio::test]
async fn f51_a_reader_of_the_server_s_folder_sees_all_or_nothing() {
    let bank = bank!();
    let (done, watch) = std::sync::mpsc::channel::<()>();
    let folder = bank.path("out");
    let body: Vec<u8> = (0..200_000_u32).map(|n| (n * 13 % 241) as u8).collect();
    let whole = body.clone();
    // Whoever sees the control file finds all of the data at that very moment.
    let reader = std::thread::spawn(move || {
        let mut seen = 0;
        loop {
            let over = !matches!(watch.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
            if folder.join("DF1.ok").exists() {
                seen += 1;
                assert_eq!(fs::read(folder.join("DF1.txt")).expect("its data is there"), whole);
            } else if let Ok(found) = fs::read(folder.join("DF1.txt")) {
                assert_eq!(found, whole, "never under its own name before it is whole");
            }
            if over {
                return seen;
            }
        }
    });
    let parts = [part("DF1.txt", &body, false), part("DF1.ok", b"1", true)];
    let sent = send(&bank.door(), &parts).await;
    assert!(accepted(&sent), "{sent:?}");
    drop(done);
    let seen = tokio::task::spawn_blocking(move || reader.join()).await.expect("joined");
    assert!(seen.expect("the reader saw nothing wrong") > 0);
}

#[tokio::test]
async fn f51_half_a_question_gives_way_and_a_whole_one_does_not() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    let door = bank.through(&line, 3_000);
    let question =
        |moment: &str| [part("CX1.txt", moment.as_bytes(), false), part("CX1.ok", b"whole", true)];
    let lies = || fs::read(bank.path("out/CX1.txt")).expect("read");
    // The line is cut between the data and the part that commits it.
    line.plan(Plan::BeforeRename { folder: bank.path("out"), then_refuse: true });
    assert!(matches!(door.ask(&question("10:00")).await, Asked::Failed { .. }));
    assert_eq!(bank.names("out"), [".CX1.ok.part", "CX1.txt"]);
    line.plan(Plan::Whole);
    let asked = door.ask(&question("11:00")).await;
    assert!(matches!(asked, Asked::Posted), "{asked:?}");
    assert_eq!(bank.names("out"), ["CX1.ok", "CX1.txt"]);
    assert_eq!(lies(), b"11:00");
    // This one the bank may be reading.
    assert!(matches!(door.ask(&question("12:00")).await, Asked::Failed { .. }));
    assert_eq!(lies(), b"11:00");
    // What is handed over with money in it gives way to nothing, cut at the same place.
    bank.empty();
    line.plan(Plan::BeforeRename { folder: bank.path("out"), then_refuse: true });
    assert!(matches!(send(&door, &question("13:00")).await, Sent::Unknown { .. }));
    line.plan(Plan::Whole);
    let sent = send(&door, &question("14:00")).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    assert_eq!(lies(), b"13:00");
    // A link or a folder in the way is nobody's half question.
    bank.empty();
    bank.put("victim", b"keep");
    symlink(bank.path("victim"), bank.path("out/CX1.txt")).expect("linked");
    assert!(matches!(door.ask(&question("15:00")).await, Asked::Failed { .. }));
    assert_eq!(bank.names("out"), ["CX1.txt"]);
    assert_eq!(fs::read(bank.path("victim")).expect("read"), b"keep");
}

#[tokio::test]
async fn f48_a_taken_name_is_compared_and_never_overwritten() {
    let bank = bank!();
    let door = bank.door();
    for (name, what) in [("DF1.txt", "other"), ("DF1.txt", "pay thesE"), ("DF1.ok", "2")] {
        bank.put(&format!("out/{name}"), what.as_bytes());
        let sent = send(&door, &pair()).await;
        assert!(matches!(&sent, Sent::Unknown { .. }), "{sent:?}");
        assert!(cause(&sent).contains(name), "{sent:?}");
        assert_eq!(fs::read(bank.path("out").join(name)).expect("read"), what.as_bytes());
        assert_eq!(bank.names("out"), [name], "nothing else was left");
        bank.empty();
    }
    // A control file without its data: the bank may be taking them now.
    bank.put("out/DF1.ok", b"1");
    assert!(matches!(send(&door, &pair()).await, Sent::Unknown { .. }));
    assert_eq!(bank.names("out"), ["DF1.ok"]);
}

#[tokio::test]
async fn f48_a_name_that_is_taken_in_the_last_moment_is_not_overwritten() {
    let bank = bank!();
    bank.put("out/new", b"new");
    bank.put("out/old", b"old");
    let options = bank.options();
    let calling = Calling {
        address: &options.address,
        host_keys: &options.host_keys,
        user: &options.user,
        proof: &options.proof,
        request_secs: 5,
    };
    let session = Session::open(&calling).await.expect("lets us in");
    let renamed = session.rename(&bank.text("out/new"), &bank.text("out/old")).await;
    assert!(matches!(renamed, Err(Trouble::Said(..))), "{renamed:?}");
    assert_eq!(fs::read(bank.path("out/old")).expect("read"), b"old");
}

#[tokio::test]
async fn f45_our_own_parts_and_links_in_the_way_are_refused() {
    let bank = bank!();
    let door = bank.door();
    let bad: [&[OutPart]; 4] = [
        &[],
        &[part("DF1.txt", b"x", false)],
        &[part("../DF1.ok", b"x", true)],
        &[part("a", b"x", false), part("a", b"x", true)],
    ];
    for parts in bad {
        assert!(matches!(send(&door, parts).await, Sent::NotSent { .. }), "{parts:?}");
    }
    assert!(bank.names("out").is_empty());
    bank.put("victim", b"keep");
    for name in ["DF1.txt", "DF1.ok"] {
        symlink(bank.path("victim"), bank.path("out").join(temporary_name(name))).expect("linked");
    }
    assert!(accepted(&send(&door, &pair()).await));
    symlink(bank.path("victim"), bank.path("out/DF2.ok")).expect("linked");
    let sent = send(&door, &[part("DF2.ok", b"keep", true)]).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    assert_eq!(fs::read(bank.path("victim")).expect("read"), b"keep");
}

#[tokio::test]
async fn a_connection_is_kept_and_replaced_once_it_died() {
    let bank = bank!();
    let line = Line::to(bank.sshd.address()).await;
    let door = bank.through(&line, 5_000);
    for n in 0..5 {
        let name = format!("DF{n}.ok");
        assert!(accepted(&send(&door, &[part(&name, b"1", true)]).await));
    }
    assert_eq!(line.connections(), 1, "one connection for five hand-overs");
    // The bank ends idle connections: the next hand-over finds out before it begins.
    line.plan(Plan::Cut { after: 0, then_refuse: false });
    tokio::time::sleep(Duration::from_millis(600)).await;
    let sent = send(&door, &[part("DF9.ok", b"1", true)]).await;
    assert!(accepted(&sent), "{sent:?}");
    assert_eq!(line.connections(), 2);
}
