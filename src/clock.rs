//! Time and dice: the only reader of both.
//!
//! Everything that needs the time takes a [`Clock`]; a test holds a [`ManualClock`], which stands
//! still until it is moved, so a 24-hour duty is tested in microseconds. Cryptographic randomness
//! is not dice: it is drawn in `guard` alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time, in UTC epoch milliseconds.
pub trait Clock: Send + Sync {
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the time")]
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn at(now_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ms)))
    }

    pub fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }

    pub fn set_ms(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Repeatable dice (SplitMix64): practice data and jitter, never a key or a nonce.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.roll() % bound }
    }
}

/// A moment as people in the county read it: `2026-11-23 15:49:04`.
pub fn local_text(at_ms: i64) -> String {
    local(at_ms).map_or_else(|| at_ms.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// The calendar day of a moment in the county, `20261123`.
pub fn local_day(at_ms: i64) -> String {
    local(at_ms).map_or_else(String::new, |t| t.strftime("%Y%m%d").to_string())
}

/// The time of day of a moment in the county, `154904`.
pub fn local_time(at_ms: i64) -> String {
    local(at_ms).map_or_else(String::new, |t| t.strftime("%H%M%S").to_string())
}

/// Year, month, day, hour, minute and second of a moment in the county.
pub fn local_parts(at_ms: i64) -> (i16, [u8; 5]) {
    local(at_ms).map_or((1970, [1, 1, 0, 0, 0]), |t| {
        let part = |value: i8| u8::try_from(value).unwrap_or_default();
        (
            t.year(),
            [part(t.month()), part(t.day()), part(t.hour()), part(t.minute()), part(t.second())],
        )
    })
}

fn local(at_ms: i64) -> Option<jiff::Zoned> {
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").ok()?;
    Some(jiff::Timestamp::from_millisecond(at_ms).ok()?.to_zoned(zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_shanghai() {
        assert_eq!(local_text(0), "1970-01-01 08:00:00");
        assert_eq!(local_day(1_795_420_144_000), "20261123");
        assert_eq!(local_time(0), "080000");
    }

    #[test]
    fn a_manual_clock_stands_still() {
        let clock = ManualClock::at(5);
        assert_eq!((clock.now_ms(), clock.now_ms()), (5, 5));
        clock.advance_ms(3);
        assert_eq!(clock.now_ms(), 8);
    }
}
