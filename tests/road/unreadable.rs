//! Files of a bank that lie there and cannot be opened, or not be put away: nobody says that nothing is to be
//! done, and what came after them is taken all the same.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use daifa::clock::{Clock, ManualClock};
use daifa::flow::Step;
use daifa::format::{Part, PartRole};
use daifa::model::attempt::Committed;
use daifa::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

use crate::counter::{Counter, Turn};
use crate::county::Draft;
use crate::house::{FILES, House, MINUTE, SECOND};

/// A bank's folders whose files do not all belong to whoever reads them.
struct Foreign {
    bank: Arc<Counter>,
    /// Cannot be opened.
    locked: Mutex<BTreeSet<String>>,
    /// Can be opened and not be moved.
    nailed: Mutex<bool>,
    /// So long it takes until a file turns out to be locked, or the bank not to be there.
    hangs: Mutex<Option<(ManualClock, i64)>>,
}

impl Foreign {
    fn denied(doing: &'static str) -> DoorError {
        let source = io::Error::from_raw_os_error(13);
        DoorError::Io { doing, path: "/srv/bank/in".into(), source }
    }

    fn hang(&self) {
        if let Some((clock, ms)) = self.hangs.lock().expect("not poisoned").as_ref() {
            clock.advance_ms(*ms);
        }
    }
}

#[async_trait]
impl Transport for Foreign {
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent {
        self.hang();
        self.bank.send(committed, parts).await
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        self.bank.ask(parts).await
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        self.bank.arrivals(limit).await
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        if self.locked.lock().expect("not poisoned").contains(name) {
            self.hang();
            return Err(Self::denied("opening a file in"));
        }
        self.bank.fetch(name).await
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        if *self.nailed.lock().expect("not poisoned") {
            return Err(Self::denied("moving a file out of"));
        }
        self.bank.archive(arrival).await
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        self.bank.set_aside(name).await
    }

    fn may_be_earlier(&self) -> bool {
        self.bank.may_be_earlier()
    }

    fn can_look(&self) -> bool {
        self.bank.can_look()
    }

    fn unasked(&self) -> Vec<Bytes> {
        self.bank.unasked()
    }

    async fn lies_there(&self, parts: &[OutPart]) -> bool {
        self.bank.lies_there(parts).await
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        self.bank.halves().await
    }

    async fn crowded_out(&self) -> Vec<String> {
        self.bank.crowded_out().await
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        self.bank.unfetched().await
    }

    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _parts: &[OutPart]) -> Result<usize, DoorError> {
        Ok(0)
    }

    fn opens_at(&self, now_ms: i64) -> Option<i64> {
        self.bank.opens_at(now_ms)
    }

    fn commit_point(&self) -> &'static str {
        self.bank.commit_point()
    }
}

async fn house() -> (House, Arc<Foreign>) {
    let mut house = House::open().await;
    let bank = Arc::clone(&house.files);
    let (locked, nailed, hangs) = (Mutex::default(), Mutex::new(false), Mutex::default());
    let door = Arc::new(Foreign { bank, locked, nailed, hangs });
    let told = Arc::clone(&door) as Arc<dyn Transport>;
    house.doors.insert(FILES.to_owned(), (told, Arc::clone(&house.files.format)));
    house.restart().await;
    (house, door)
}

/// Files that are none of ours, each whole, with a control file.
fn leave_locked(house: &House, door: &Foreign, files: usize) {
    for number in 0..files {
        let part = |role, end, committing| Part {
            role,
            name: format!("ZZ{number:06}.{end}"),
            bytes: number.to_string().into_bytes(),
            committing,
        };
        house
            .files
            .leave(vec![part(PartRole::Data, "txt", false), part(PartRole::Control, "ok", true)]);
        door.locked.lock().expect("not poisoned").insert(format!("ZZ{number:06}.txt"));
    }
}

/// One more of them, older than all.
fn leave_older(house: &House, door: &Foreign, number: usize) {
    let part = |role, end, committing| Part {
        role,
        name: format!("ZY{number:06}.{end}"),
        bytes: b"1".to_vec(),
        committing,
    };
    house
        .files
        .leave(vec![part(PartRole::Data, "txt", false), part(PartRole::Control, "ok", true)]);
    let incoming = house.dir.path();
    for entry in walk(incoming) {
        if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ZY")) {
            let file = std::fs::File::options().write(true).open(&entry).expect("opened");
            file.set_modified(std::time::UNIX_EPOCH).expect("dated");
        }
    }
    door.locked.lock().expect("not poisoned").insert(format!("ZY{number:06}.txt"));
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn f45_files_that_cannot_be_opened_are_told_of_and_hold_up_nothing() {
    let (mut house, door) = house().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    // More of them than are looked at in one step, and all older than the answer.
    leave_locked(&house, &door, 150);
    house.live(MINUTE, MINUTE).await;
    let alert = house.alert("door").await.expect("somebody is told");
    assert!(alert.text.contains("有 150 个") && alert.text.contains("没有权限"), "{}", alert.text);
    house.files.leave_all(0);
    house.live(MINUTE, MINUTE).await;
    assert_eq!(house.page(1).await.row.counts.credited, 3, "what came after them is taken");
    assert_eq!(house.alerts().await.iter().filter(|alert| alert.kind == "door").count(), 1);
    // Nothing of them was read, moved or lost; now their owner gives them free.
    assert_eq!(house.files.waiting(), 300);
    door.locked.lock().expect("not poisoned").clear();
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.files.waiting(), 0, "they are read without anybody's doing");
    assert!(house.alert("door").await.is_none(), "and the alert is over");
    house.sound().await;
}

#[tokio::test]
async fn f7_an_applied_file_that_cannot_be_put_away_is_told_of() {
    let (mut house, door) = house().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    *door.nailed.lock().expect("not poisoned") = true;
    house.files.leave_all(0);
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(house.page(1).await.row.counts.credited, 3, "it is applied, once");
    let alert = house.alert("door").await.expect("somebody is told");
    assert!(alert.text.contains("移不走"), "{}", alert.text);
    *door.nailed.lock().expect("not poisoned") = false;
    house.live(MINUTE, MINUTE).await;
    assert_eq!(house.files.waiting(), 0);
    assert!(house.alert("door").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn f25_a_server_that_hangs_at_some_files_is_left_in_time_and_keeps_none_behind_them() {
    let (mut house, door) = house().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    // Older than the answer, and more than one look comes by.
    leave_locked(&house, &door, 9);
    let clock = house.clock.clone();
    *door.hangs.lock().expect("not poisoned") = Some((clock.clone(), 4 * SECOND));
    house.files.leave_all(0);
    let mut looks = 0;
    // One more that sorts before them comes at each look: the count of those that stayed says less than a name.
    let mut came = 9;
    while house.page(1).await.row.counts.credited < 3 {
        let began = clock.now_ms();
        house.step(Step::Collect).await.expect("the step goes on");
        let took = clock.now_ms() - began;
        assert!(
            took <= 16 * SECOND,
            "a look of {took} ms: somebody would think that the step is stuck"
        );
        looks += 1;
        assert!(looks < 6, "what came after them never has its turn");
        leave_older(&house, &door, came);
        came += 1;
        clock.advance_ms(10 * SECOND);
    }
    assert!(looks > 1, "the first look ended for want of time");
    let alert = house.alert("door").await.expect("somebody is told");
    assert!(alert.text.contains("没有权限"), "{}", alert.text);
    // A look that came by a part of them does not say that all is well.
    for _ in 0..6 {
        house.step(Step::Collect).await.expect("the step goes on");
        assert!(house.alert("door").await.is_some());
        clock.advance_ms(10 * SECOND);
    }
    *door.hangs.lock().expect("not poisoned") = None;
    door.locked.lock().expect("not poisoned").clear();
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.files.waiting(), 0, "they are read once they can be");
    assert!(house.alert("door").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn f25_one_try_that_took_long_is_enough_to_find_a_bank_not_there() {
    let (mut house, door) = house().await;
    house.rows_max = 1;
    house.restart().await;
    let clock = house.clock.clone();
    *door.hangs.lock().expect("not poisoned") = Some((clock.clone(), 12 * SECOND));
    house.files.next(Turn::NotSent);
    house.files.next(Turn::NotSent);
    house.county.offer(Draft::new("A", 1).lines(FILES, 4).declared());
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    house.step(Step::Submit).await.expect("the step goes on");
    assert_eq!(house.files.batches().len(), 1, "the others wait with the one that was tried");
    let next = house.number("SELECT MIN(next_at_ms) FROM attempt").await;
    assert!(next > clock.now_ms());
    clock.advance_ms(next - clock.now_ms());
    house.step(Step::Submit).await.expect("the step goes on");
    let tried = house.number("SELECT COUNT(*) FROM attempt WHERE sends > 0").await;
    assert_eq!((house.files.batches().len(), tried), (2, 2), "it was another's turn");
    *door.hangs.lock().expect("not poisoned") = None;
    house.live(10 * MINUTE, MINUTE).await;
    house.files.leave_all(0);
    house.live(10 * MINUTE, MINUTE).await;
    house.sound().await;
}
