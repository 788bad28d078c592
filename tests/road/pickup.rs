//! A bank that does not pick its files up: the page does not say that it has them, it is not asked in
//! vain, and somebody is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use daifa::format::MessageKind;
use daifa::model::attempt::Answer;
use daifa::model::id::BatchNo;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::web::{BankName, Frame, batch};

use crate::counter::{Reply, Turn, format_named};
use crate::county::Draft;
use crate::house::{FILES, HOUR, House, MINUTE, SECOND};

/// A house whose file bank is two folders and nobody behind them.
async fn nobody_there() -> (House, PathBuf) {
    let mut house = House::open().await;
    let path = |name: &str| house.dir.path().join(name);
    for name in ["p-out", "p-in"] {
        std::fs::create_dir(path(name)).expect("made");
    }
    let door = Directory::new(DirectoryOptions {
        outgoing: path("p-out"),
        incoming: path("p-in"),
        archive: path("p-archive"),
        quarantine: path("p-quarantine"),
        completion: Completion::Control { suffix: ".ok".to_owned() },
        bytes_max: 1 << 20,
        total_ms: 30_000,
    })
    .expect("a door");
    let outgoing = path("p-out");
    house.doors.insert(FILES.to_owned(), (Arc::new(door), format_named("example-rural-fixed")));
    house.restart().await;
    (house, outgoing)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("listed");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("one").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

/// What the batch's page says, with what is known of the folder.
async fn page(house: &House) -> String {
    let page = house.store().batch_page_after(BatchNo(1), 0, 10).await.expect("read");
    let page = page.expect("a batch");
    let bank = BankName { code: FILES.to_owned(), name: "农商行".to_owned() };
    let frame = Frame {
        now_ms: house.ctx().now_ms(),
        banks: [bank].into(),
        allowed_ms: 24 * HOUR,
        funded_only: true,
    };
    let lies = |reference: &str| house.ctx().unfetched.has_reference(FILES, reference);
    batch::render(&page, &frame, &house.ctx().sealer, None, &lies).expect("draws")
}

#[tokio::test]
async fn f54_a_file_that_nobody_picked_up_is_not_called_taken() {
    let (mut house, outgoing) = nobody_there().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    let shown = page(&house).await;
    assert!(shown.contains("已送出，银行尚未取走") && !shown.contains("银行已受理"), "{shown}");
    assert!(house.alert("not_fetched").await.is_none(), "it was sent just now");
    // The bank is asked once; that question lies there like the file, and no other is put beside it.
    house.live(12 * MINUTE, MINUTE).await;
    let alert = house.alert("not_fetched").await.expect("somebody is told");
    assert!(
        alert.text.contains("示例rural 有") && alert.text.contains("没有取走"),
        "{}",
        alert.text
    );
    let lying = names(&outgoing);
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(names(&outgoing), lying);
    assert_eq!(house.number("SELECT asks FROM attempt").await, 1);
    assert_eq!(house.number("SELECT sends FROM attempt").await, 1);
    let raised =
        "SELECT COUNT(*) FROM journal WHERE kind = 'alert.raised' AND body LIKE '%not_fetched%'";
    assert_eq!(house.number(raised).await, 1);
    assert!(house.alert("overdue").await.is_some(), "its results are missed as well");
    // A restart knows it again at its first look.
    house.restart().await;
    house.run().await;
    assert!(page(&house).await.contains("已送出，银行尚未取走"));
    // The bank picks up what is for it: the alert is over, and it is asked again.
    for name in names(&outgoing) {
        std::fs::remove_file(outgoing.join(name)).expect("picked up");
    }
    house.live(2 * MINUTE, MINUTE).await;
    assert!(house.alert("not_fetched").await.is_none());
    assert!(page(&house).await.contains("已送出，等待银行回执"));
    assert!(house.number("SELECT asks FROM attempt").await > 1);
    house.sound().await;
}

#[tokio::test]
async fn f5_half_a_question_that_a_stop_left_is_not_missed() {
    let (mut house, outgoing) = nobody_there().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    house.live(12 * MINUTE, MINUTE).await;
    assert!(house.alert("not_fetched").await.is_some());
    // All was picked up, but for what nobody can read without its control file.
    let all = names(&outgoing);
    let half = all.iter().find(|name| name.starts_with("CX") && !name.contains(".ok"));
    let half = half.expect("a question").clone();
    for name in all.iter().filter(|name| **name != half) {
        std::fs::remove_file(outgoing.join(name)).expect("picked up");
    }
    house.live(30_000, 30_000).await;
    assert!(house.alert("not_fetched").await.is_none());
    assert!(names(&outgoing).contains(&half));
    house.sound().await;
}

#[tokio::test]
async fn f33_what_a_bank_crowds_out_before_it_was_read_is_told_of() {
    let (mut house, _) = nobody_there().await;
    let incoming = house.dir.path().join("p-in");
    // A stop while one was looked at; then the bank uses its name again.
    for name in [".compared-7-TH000000000007.txt", "TH000000000007.txt"] {
        std::fs::write(incoming.join(name), "half").expect("left");
    }
    house.live(MINUTE, MINUTE).await;
    let alert = house.alert("door_file").await.expect("somebody is told");
    assert!(alert.text.contains("TH000000000007.txt 之前又送来同名的新文件"), "{}", alert.text);
    assert_eq!(names(&incoming), ["TH000000000007.txt"]);
    house.sound().await;
}

#[tokio::test]
async fn i14_data_whose_control_file_does_not_come_is_told_of() {
    let (mut house, _) = nobody_there().await;
    let incoming = house.dir.path().join("p-in");
    // A return that nobody waits for, data that is none of this bank's, and a control file by itself.
    for name in ["TH000000000007.txt", "minutes.txt", "TH000000000008.ok"] {
        std::fs::write(incoming.join(name), "half").expect("left");
    }
    house.live(9 * MINUTE, MINUTE).await;
    assert!(house.alert("no_control").await.is_none(), "it may still come");
    house.live(3 * MINUTE, MINUTE).await;
    let alert = house.alert("no_control").await.expect("somebody is told");
    assert!(alert.text.contains("1 个文件（如 TH000000000007.txt）"), "{}", alert.text);
    house.live(5 * HOUR, 10 * MINUTE).await;
    let raised =
        "SELECT COUNT(*) FROM journal WHERE kind = 'alert.raised' AND body LIKE '%no_control%'";
    assert_eq!(house.number(raised).await, 1);
    assert_eq!(names(&incoming).len(), 3, "nothing of it was touched");
    std::fs::write(incoming.join("TH000000000007.ok"), "").expect("left");
    house.live(5 * MINUTE, MINUTE).await;
    assert!(house.alert("no_control").await.is_none(), "it is over");
    house.sound().await;
}

/// What was applied and lies there still says nothing new at each look: the bank is asked all the same.
#[tokio::test]
async fn i14_an_answer_that_cannot_be_put_away_keeps_no_question_back() {
    let mut house = House::open().await;
    house.files.next(Turn::Lose { booked: true });
    (0..900).for_each(|_| house.files.reply(Reply::Posted));
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let reference = house.files.batches()[0].reference.clone();
    house.files.book().fixed = true;
    let kind = MessageKind::StatusAnswer;
    house.files.leave(house.files.say(kind, &reference, Answer::Processing, "", &[], "1"));
    house.live(5 * MINUTE, SECOND).await;
    assert!(house.alert("door").await.is_some(), "somebody is told");
    let asked = house.files.book().asked.len();
    house.live(HOUR, 10 * SECOND).await;
    assert!(house.files.book().asked.len() > asked + 2, "and asks on");
    house.files.book().fixed = false;
    house.files.leave_all(0);
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert_eq!(house.files.waiting(), 0, "all is put away");
    assert!(house.alert("door").await.is_none());
}
