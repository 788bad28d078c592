//! Banks that are closed at times, and what is tried again at once: nothing of it moves the duty.

use std::sync::Arc;

use daifa::clock::Dice;
use daifa::transport::Transport;
use daifa::transport::calendar::Calendar;
use daifa::transport::hours::{Hours, Opening};
use daifa::transport::manner::With;
use daifa::transport::retry::{Retrying, Tries};

use crate::counter::Turn;
use crate::county::Draft;
use crate::house::{FILES, HOUR, House, MINUTE, NOW, SECOND};

/// A Tuesday that is a holiday, and the Saturday after it, that is worked. Invented days.
const EXAMPLE: &str = "[[year]]\nyear = 2026\nsource = \"EXAMPLE, invented\"\n\
                       closed = [\"2026-11-24\"]\nworked = [\"2026-11-28\"]\n";

/// Lets the bank with folders be open in these windows of worked days.
async fn opens(house: &mut House, windows: &str) {
    let calendar = Calendar::parse(EXAMPLE).expect("reads");
    let hours = Hours::new(&[windows.to_owned()], Some(Arc::new(calendar))).expect("they can be");
    let door: Arc<dyn Transport> = Arc::clone(&house.files) as Arc<dyn Transport>;
    let opening = With::new(door, Opening::new(hours, Arc::new(house.clock.clone())));
    let format = Arc::clone(&house.files.format);
    house.doors.insert(FILES.to_owned(), (Arc::new(opening), format));
    house.restart().await;
}

#[tokio::test]
async fn i16_a_closed_bank_is_waited_for_and_the_24_hours_go_on() {
    let mut house = House::open().await;
    // It is 15:49 on a Monday; Tuesday is a holiday.
    opens(&mut house, "08:30-15:30").await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    house.live(23 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.files.batches().len(), 0);
    assert_eq!(house.texts("SELECT state FROM attempt").await, Vec::<String>::new());
    assert!(house.alert("not_sent").await.is_none(), "a closed bank is nobody's fault");
    let told = house.alerts().await;
    assert!(!told.is_empty(), "that the duty runs out is told all the same");
    let deadline = house.page(1).await.row.deadline_at_ms;
    assert_eq!(deadline, Some(NOW + 24 * HOUR));
    house.live(18 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.files.batches().len(), 1, "on Wednesday morning it goes");
    let made = house.number("SELECT made_at_ms FROM attempt").await;
    let opened = NOW - (15 * HOUR + 49 * MINUTE + 4 * SECOND) + 48 * HOUR + 8 * HOUR + 30 * MINUTE;
    assert!((opened..opened + 10 * MINUTE).contains(&made), "it bears that day: {made}");
    assert_eq!(house.page(1).await.row.deadline_at_ms, deadline);
    house.sound().await;
}

#[tokio::test]
async fn f54_a_bank_that_closes_before_a_batch_went_gets_it_with_the_day_s_date_when_it_opens() {
    let mut house = House::open().await;
    opens(&mut house, "08:30-15:50").await;
    // It cannot be reached before it closes at 15:50.
    (0..50).for_each(|_| house.files.next(Turn::NotSent));
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let reference = house.texts("SELECT reference FROM attempt").await;
    house.pass(MINUTE).await;
    let sends = house.number("SELECT sends FROM attempt").await;
    house.live(12 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.number("SELECT sends FROM attempt").await, sends, "not tried while closed");
    house.files.book().turns.clear();
    house.live(36 * HOUR, 10 * MINUTE).await;
    let tries = house.files.batches();
    assert_eq!(tries.len(), 2, "once before it closed, once when it opened");
    // Nothing of the first ever left, and its day is over.
    assert_eq!(tries[0].reference, reference[0]);
    assert_ne!(tries[0].reference, tries[1].reference);
    assert_eq!(
        house.texts("SELECT state FROM attempt ORDER BY attempt_no").await,
        ["closed", "accepted"]
    );
    house.files.leave_all(1);
    house.live(HOUR, 10 * MINUTE).await;
    house.sound().await;
}

#[tokio::test]
async fn f53_what_never_left_is_tried_again_within_one_turn() {
    let mut house = House::open().await;
    let tries = Tries { tries_max: 3, wait_ms: 1, wait_max_ms: 2 };
    let door: Arc<dyn Transport> = Arc::clone(&house.files) as Arc<dyn Transport>;
    let retrying = With::new(door, Retrying::new(tries, Dice::seeded(1)));
    let format = Arc::clone(&house.files.format);
    house.doors.insert(FILES.to_owned(), (Arc::new(retrying), format));
    house.restart().await;
    (0..2).for_each(|_| house.files.next(Turn::NotSent));
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    assert_eq!(house.number("SELECT sends FROM attempt").await, 1);
    assert!(house.alert("not_sent").await.is_none());
    house.sound().await;
}

/// The days of a year are announced late in the one before: somebody is told while there is time, and until the
/// file has them.
#[tokio::test]
async fn i16_a_calendar_whose_year_runs_out_is_told_of_until_it_has_the_next() {
    let mut house = House::open().await;
    house.agreed = Some(|_, rules| rules.years = Some([2026].into()));
    house.restart().await;
    // From the end of November to the middle of December.
    house.live(15 * 24 * HOUR, 24 * HOUR).await;
    assert!(house.alert("calendar").await.is_none(), "there is time");
    house.live(10 * 24 * HOUR, 24 * HOUR).await;
    let alert = house.alert("calendar").await.expect("it runs out");
    assert!(alert.text.contains("没有 2027 年"), "{}", alert.text);
    house.live(20 * 24 * HOUR, 24 * HOUR).await;
    assert_eq!(
        house.number("SELECT COUNT(*) FROM alert WHERE kind = 'calendar'").await,
        2,
        "once for each bank"
    );
    house.agreed = Some(|_, rules| rules.years = Some([2026, 2027].into()));
    house.restart().await;
    house.run().await;
    assert!(house.alert("calendar").await.is_none());
    house.sound().await;
}
