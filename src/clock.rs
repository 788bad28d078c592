//! Time and dice: the only reader of both.
//!
//! Everything that needs the time takes a [`Clock`]; a test holds a [`ManualClock`], which stands
//! still until it is moved, so a 24-hour duty is tested in microseconds. Cryptographic randomness
//! is not dice: it is drawn in `guard` alone.
//!
//! The time of day can be set by anybody who is root, and is set by whatever keeps it right. What
//! must have *passed* is therefore measured on the machine's running time, which nobody sets (I16).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time of day, in UTC epoch milliseconds: what people and banks are told.
    fn now_ms(&self) -> i64;

    /// For how long the machine has been running, in milliseconds. Never set and never back within
    /// one [`Clock::boot`].
    fn running_ms(&self) -> i64;

    /// Names the machine's start that [`Clock::running_ms`] counts from.
    fn boot(&self) -> String;
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

    // Unlike an `Instant`, it also counts while the machine is suspended, and two processes of one
    // boot read the same.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the time")]
    fn running_ms(&self) -> i64 {
        let since = clock_gettime(ClockId::Boottime);
        since.tv_sec * 1_000 + since.tv_nsec / 1_000_000
    }

    fn boot(&self) -> String {
        static BOOT: OnceLock<String> = OnceLock::new();
        let read = || match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
            Ok(text) => text.trim().to_owned(),
            // Without it every process counts for itself.
            Err(_) => format!("process-{}-{}", std::process::id(), Self.now_ms()),
        };
        BOOT.get_or_init(read).clone()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    now: Arc<AtomicI64>,
    running: Arc<AtomicI64>,
    boots: Arc<AtomicI64>,
}

impl ManualClock {
    pub fn at(now_ms: i64) -> Self {
        let clock = Self::default();
        clock.jump_ms(now_ms);
        clock
    }

    /// Lets time pass.
    pub fn advance_ms(&self, by_ms: i64) {
        self.now.fetch_add(by_ms, Ordering::SeqCst);
        self.running.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Sets the time of day forwards or back, while no time passes.
    pub fn jump_ms(&self, by_ms: i64) {
        self.now.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Starts the machine again: its running time begins anew.
    pub fn reboot(&self) {
        self.running.store(0, Ordering::SeqCst);
        self.boots.fetch_add(1, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn running_ms(&self) -> i64 {
        self.running.load(Ordering::SeqCst)
    }

    fn boot(&self) -> String {
        format!("boot-{}", self.boots.load(Ordering::SeqCst))
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

    /// A wait between three and five quarters of `wait_ms`, so that several who wait for the same do
    /// not come back in step (F53).
    pub fn around(&mut self, wait_ms: i64) -> i64 {
        let part = i64::try_from(self.below(51)).unwrap_or_default() + 75;
        wait_ms.saturating_mul(part) / 100
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
        assert_eq!((clock.now_ms(), clock.running_ms()), (8, 3));
        clock.jump_ms(-6);
        assert_eq!((clock.now_ms(), clock.running_ms()), (2, 3));
    }

    #[test]
    fn the_machines_running_time_is_read_and_grows() {
        // The machine's own word for it, in hundredths of a second.
        let told = std::fs::read_to_string("/proc/uptime").expect("Linux");
        let told = told.split(' ').next().expect("a word").replace('.', "");
        let told_ms = told.parse::<i64>().expect("a number") * 10;
        let since_ms = SystemClock.running_ms() - told_ms;
        assert!((-20..60_000).contains(&since_ms), "{since_ms} ms after {told_ms} ms");
        let (clock, other) = (SystemClock, SystemClock);
        let before = clock.running_ms();
        assert!(before > 0 && other.running_ms() >= before && other.running_ms() < before + 60_000);
        assert_eq!(clock.boot(), other.boot());
    }
}
