//! When a bank takes something in: its cut-off windows, and the days that it works.
//!
//! Outside of them nothing is handed over; asking and fetching go on, since what the bank has left is
//! there at night too. The 24 hours of the duty do not stop for a closed bank (Notice, section 2.1): the
//! deadline is what it was, and the alerts before it come as ever.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::clock::Clock;
use crate::model::attempt::Committed;
use crate::transport::calendar::Calendar;
use crate::transport::manner::Manner;
use crate::transport::{OutPart, Sent, Transport};

/// A bank that does not open within so many days has wrong hours, and is asked for again then.
const DAYS_AHEAD: i32 = 60;

/// The windows of a day, and on which days.
#[derive(Debug, Clone)]
pub struct Hours {
    /// From (inclusive) and to (exclusive), in the order of the day, none touching another.
    windows: Vec<(Time, Time)>,
    /// The days that are worked; every day, where it is nothing.
    calendar: Option<Arc<Calendar>>,
    zone: TimeZone,
}

impl Hours {
    /// Takes windows like `08:30-11:30`, of the county's time; none is all day.
    ///
    /// # Errors
    /// Which of them cannot be.
    pub fn new(windows: &[String], calendar: Option<Arc<Calendar>>) -> Result<Self, String> {
        let zone = TimeZone::get("Asia/Shanghai").map_err(|e| e.to_string())?;
        let mut read = windows.iter().map(|text| window(text)).collect::<Result<Vec<_>, _>>()?;
        read.sort_unstable();
        if read.array_windows().any(|[before, after]| after.0 <= before.1) {
            return Err("two of the windows overlap or touch".to_owned());
        }
        if read.is_empty() {
            read.push((Time::midnight(), Time::MAX));
        }
        Ok(Self { windows: read, calendar, zone })
    }

    /// When its last window of a day ends.
    pub fn closes_at(&self) -> Time {
        self.windows.last().map_or(Time::MAX, |(_, to)| *to)
    }

    /// When the bank opens next; nothing where it is open.
    pub fn opens_at(&self, now_ms: i64) -> Option<i64> {
        let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(self.zone.clone());
        let (today, time) = (now.date(), now.time());
        for ahead in 0..DAYS_AHEAD {
            let day = today.checked_add(ahead.days()).ok()?;
            if !self.is_worked(day) {
                continue;
            }
            for (from, to) in &self.windows {
                if ahead > 0 || time < *from {
                    let opens = day.to_datetime(*from).to_zoned(self.zone.clone()).ok()?;
                    return Some(opens.timestamp().as_millisecond());
                }
                if time < *to {
                    return None;
                }
            }
        }
        Some(now_ms.saturating_add(i64::from(DAYS_AHEAD) * 86_400_000))
    }

    fn is_worked(&self, day: Date) -> bool {
        self.calendar.as_ref().is_none_or(|calendar| calendar.is_worked(day))
    }
}

/// One window; `24:00` is the end of the day.
fn window(text: &str) -> Result<(Time, Time), String> {
    let wrong = || format!("{text:?} is no window like \"08:30-16:30\"");
    let time = |text: &str| -> Option<Time> {
        let (hour, minute) = text.split_once(':')?;
        let two = |digits: &str| (digits.len() == 2).then(|| digits.parse::<i8>().ok())?;
        match (two(hour)?, two(minute)?) {
            (24, 0) => Some(Time::MAX),
            (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
        }
    };
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    match (time(from.trim()), time(to.trim())) {
        (Some(from), Some(to)) if from < to => Ok((from, to)),
        _ => Err(format!("{}; one over midnight is two", wrong())),
    }
}

/// The use of a door within a bank's hours.
pub struct Opening {
    hours: Hours,
    clock: Arc<dyn Clock>,
}

impl Opening {
    pub fn new(hours: Hours, clock: Arc<dyn Clock>) -> Self {
        Self { hours, clock }
    }
}

#[async_trait]
impl Manner for Opening {
    /// The step looks first; this is for the bank that closed in between.
    async fn send(&self, door: &dyn Transport, committed: &Committed, parts: &[OutPart]) -> Sent {
        match self.hours.opens_at(self.clock.now_ms()) {
            None => door.send(committed, parts).await,
            Some(at_ms) => {
                let opens = crate::clock::local_text(at_ms);
                Sent::NotSent { cause: format!("the bank takes nothing before {opens}") }
            }
        }
    }

    fn opens_at(&self, _door: &dyn Transport, now_ms: i64) -> Option<i64> {
        self.hours.opens_at(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Invented days: no notice says these.
    const EXAMPLE: &str = "[[year]]\nyear = 2031\nsource = \"EXAMPLE, invented\"\n\
                           closed = [\"2031-05-01\", \"2031-05-02\"]\nworked = [\"2031-05-10\"]\n";

    fn ms(text: &str) -> i64 {
        let at: jiff::civil::DateTime = text.parse().expect("a moment");
        let zone = TimeZone::get("Asia/Shanghai").expect("known");
        at.to_zoned(zone).expect("a time").timestamp().as_millisecond()
    }

    fn hours(windows: &[&str], calendar: bool) -> Hours {
        let windows: Vec<String> = windows.iter().map(|text| (*text).to_owned()).collect();
        let calendar = calendar.then(|| Arc::new(Calendar::parse(EXAMPLE).expect("reads")));
        Hours::new(&windows, calendar).expect("they can be")
    }

    #[test]
    fn a_bank_opens_in_its_windows_on_the_days_that_it_works() {
        let bank = hours(&["08:30-11:30", "14:00-16:30"], true);
        for (now, opens) in [
            ("2031-04-30T08:29:59", Some("2031-04-30T08:30:00")),
            ("2031-04-30T08:30:00", None),
            ("2031-04-30T11:29:59", None),
            ("2031-04-30T11:30:00", Some("2031-04-30T14:00:00")),
            ("2031-04-30T16:29:59", None),
            // The eve of two holidays and a weekend.
            ("2031-04-30T16:30:00", Some("2031-05-05T08:30:00")),
            ("2031-05-01T09:00:00", Some("2031-05-05T08:30:00")),
            ("2031-05-09T17:00:00", Some("2031-05-10T08:30:00")), // a Saturday that is worked
            ("2031-05-10T09:00:00", None),
            ("2031-12-31T17:00:00", Some("2032-01-01T08:30:00")), // of a year that is not known
        ] {
            assert_eq!(bank.opens_at(ms(now)), opens.map(ms), "{now}");
        }
    }

    #[test]
    fn without_windows_it_is_open_all_day_and_without_a_calendar_all_week() {
        assert_eq!(hours(&[], false).opens_at(ms("2031-05-03T03:00:00")), None);
        let nights = hours(&["00:00-06:00", "22:00-24:00"], false);
        assert_eq!(nights.opens_at(ms("2031-05-03T23:59:59")), None);
        assert_eq!(nights.opens_at(ms("2031-05-03T00:00:00")), None);
        let opens = nights.opens_at(ms("2031-05-03T06:00:00"));
        assert_eq!(opens, Some(ms("2031-05-03T22:00:00")));
        let days = hours(&[], true);
        assert_eq!(days.opens_at(ms("2031-05-01T12:00:00")), Some(ms("2031-05-05T00:00:00")));
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        for bad in [
            &["8:30-16:30"][..],
            &["08:30"],
            &["16:30-08:30"],
            &["08:30-08:30"],
            &["08:30-25:00"],
            &["08:61-09:00"],
            &["24:00-24:00"],
            &["08:00-12:00", "11:00-13:00"],
            &["08:00-12:00", "12:00-13:00"],
            &[""],
        ] {
            let windows: Vec<String> = bad.iter().map(|text| (*text).to_owned()).collect();
            assert!(Hours::new(&windows, None).is_err(), "{bad:?}");
        }
    }
}
