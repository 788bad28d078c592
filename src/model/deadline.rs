//! The 24-hour duty: when it starts, when it ends, and when to raise one's voice (Notice,
//! sections 2.5 and 6).

words! {
    /// The event that starts the clock. The notice says "details verified"; another text of the
    /// province starts it when the money arrives, so it is a setting.
    StartEvent {
        Received = "received",
        Approved = "approved",
        Funded = "funded",
        LaterOfReceivedAndFunded = "later_of_received_and_funded",
    }
}

/// The times of a register that can start the clock, in UTC epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartTimes {
    pub received_at_ms: i64,
    pub approved_at_ms: i64,
    pub funded_at_ms: Option<i64>,
}

impl StartEvent {
    /// When the clock started, or nothing while the event is not yet known.
    pub fn start(self, times: StartTimes) -> Option<i64> {
        match self {
            Self::Received => Some(times.received_at_ms),
            Self::Approved => Some(times.approved_at_ms),
            Self::Funded => times.funded_at_ms,
            Self::LaterOfReceivedAndFunded => {
                times.funded_at_ms.map(|funded| funded.max(times.received_at_ms))
            }
        }
    }
}

/// A length of time as people call it, `24 小时`, to the minute.
pub fn length(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{} 秒", ms.max(0) / 1000),
        (0, minutes) => format!("{minutes} 分钟"),
        (hours, 0) => format!("{hours} 小时"),
        (hours, minutes) => format!("{hours} 小时 {minutes} 分"),
    }
}

/// The percentages of the time allowed at which an alert is raised; 100 is the breach.
pub const ALERT_PERCENTS: [i64; 4] = [50, 80, 95, 100];

const DAY_MS: i64 = 24 * 3_600_000;

/// The highest alert level reached: 0, 50, 80, 95 or 100; behind the deadline one more for each whole day, so that
/// what stays open is told of every day (F54).
pub fn level(start_ms: i64, deadline_ms: i64, now_ms: i64) -> i64 {
    let days_over = now_ms.saturating_sub(deadline_ms) / DAY_MS;
    if days_over > 0 {
        return 100 + days_over;
    }
    let allowed = deadline_ms.saturating_sub(start_ms).max(1);
    let used = now_ms.saturating_sub(start_ms);
    ALERT_PERCENTS
        .into_iter()
        .rev()
        .find(|percent| used >= allowed / 100 * percent + allowed % 100 * percent / 100)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    #[test]
    fn i16_the_start_event_is_a_choice() {
        let mut times = StartTimes { received_at_ms: 10, approved_at_ms: 5, funded_at_ms: None };
        assert_eq!(StartEvent::Received.start(times), Some(10));
        assert_eq!(StartEvent::Approved.start(times), Some(5));
        assert_eq!(StartEvent::Funded.start(times), None);
        assert_eq!(StartEvent::LaterOfReceivedAndFunded.start(times), None);
        times.funded_at_ms = Some(7);
        assert_eq!(StartEvent::Funded.start(times), Some(7));
        assert_eq!(StartEvent::LaterOfReceivedAndFunded.start(times), Some(10));
        times.funded_at_ms = Some(12);
        assert_eq!(StartEvent::LaterOfReceivedAndFunded.start(times), Some(12));
    }

    #[test]
    fn lengths_read_as_people_say_them() {
        for (ms, text) in [
            (DAY, "24 小时"),
            (3 * DAY, "72 小时"),
            (90 * 60_000, "1 小时 30 分"),
            (10 * 60_000, "10 分钟"),
            (30_000, "30 秒"),
        ] {
            assert_eq!(length(ms), text);
        }
    }

    #[test]
    fn i16_levels_are_reached_to_the_millisecond() {
        for percent in ALERT_PERCENTS {
            let at = DAY / 100 * percent;
            assert_eq!(level(0, DAY, at), percent);
            assert!(level(0, DAY, at - 1) < percent);
        }
        assert_eq!(level(0, DAY, 2 * DAY - 1), 100);
        assert_eq!(level(0, DAY, 2 * DAY), 101);
        assert_eq!(level(0, DAY, 10 * DAY), 109);
        // Where less is allowed, a day is still a day.
        assert_eq!(level(0, 60_000, DAY), 100);
        assert_eq!(level(0, 60_000, DAY + 60_000), 101);
        assert_eq!(level(0, DAY, -DAY), 0);
    }
}
