//! Files of a bank that lie there and cannot be opened, or not be put away: nobody says that nothing is to be
//! done, and what came after them is taken all the same.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use daifa::format::{Part, PartRole};
use daifa::model::attempt::Committed;
use daifa::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

use crate::counter::Counter;
use crate::county::Draft;
use crate::house::{FILES, House, MINUTE};

/// A bank's folders whose files do not all belong to whoever reads them.
struct Foreign {
    bank: Arc<Counter>,
    /// Cannot be opened.
    locked: Mutex<BTreeSet<String>>,
    /// Can be opened and not be moved.
    nailed: Mutex<bool>,
}

impl Foreign {
    fn denied(doing: &'static str) -> DoorError {
        let source = io::Error::from_raw_os_error(13);
        DoorError::Io { doing, path: "/srv/bank/in".into(), source }
    }
}

#[async_trait]
impl Transport for Foreign {
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent {
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

    fn can_look(&self) -> bool {
        self.bank.can_look()
    }

    async fn lies_there(&self, parts: &[OutPart]) -> bool {
        self.bank.lies_there(parts).await
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
    let door = Arc::new(Foreign { bank, locked: Mutex::default(), nailed: Mutex::new(false) });
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
