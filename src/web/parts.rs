//! What several pages show: money by place, progress, time left. Words and numbers are
//! made here, so that templates only lay them out; a template never sees personal data.

use std::sync::Arc;

use askama::Template;

use crate::clock::local_text;
use crate::model::batch::BatchState;
use crate::model::deadline;
use crate::model::money::Fen;
use crate::model::place::{Place, Places};
use crate::model::register::RegisterState;
use crate::store::view::{BatchRow, Counts, RegisterRow};

/// A bank's code in registers, and the name that people know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankName {
    pub code: String,
    pub name: String,
}

/// What every page is drawn with: the moment, and the names of banks.
#[derive(Debug, Clone)]
pub struct Frame {
    /// UTC epoch milliseconds.
    pub now_ms: i64,
    pub banks: Arc<[BankName]>,
    /// The time that the duty allows, in milliseconds.
    pub allowed_ms: i64,
    /// Nothing is sent before its register is funded.
    pub funded_only: bool,
}

impl Frame {
    /// The bank's name, or its code where the config names no such bank.
    pub fn bank(&self, code: &str) -> String {
        let known = self.banks.iter().find(|bank| bank.code == code);
        known.map_or_else(|| format!("未配置的银行（{code}）"), |bank| bank.name.clone())
    }

    /// What the time limit is called: by its length, as it is configured.
    pub fn limit_name(&self) -> String {
        format!("{}时限", deadline::length(self.allowed_ms))
    }

    /// How a register stands. One that waits for its money is not being paid yet.
    pub fn register_badge(&self, row: &RegisterRow) -> Badge {
        let waits =
            row.state == RegisterState::Accepted && self.funded_only && row.funded_at_ms.is_none();
        if waits {
            return Badge::new(Tone::Quiet, "等待资金到账");
        }
        let tone = match row.state {
            RegisterState::Receiving | RegisterState::Accepted => Tone::Busy,
            RegisterState::Refused => Tone::Bad,
            RegisterState::Superseded | RegisterState::Revoked => Tone::Quiet,
            RegisterState::Closed => Tone::Good,
        };
        Badge::new(tone, row.state.chinese())
    }

    /// The head of a page.
    pub fn head(&self, title: String, refresh_s: Option<u32>) -> Head {
        Head { title, now: local_text(self.now_ms), refresh_s }
    }
}

/// The head of a page.
#[derive(Debug, Clone)]
pub struct Head {
    pub title: String,
    pub now: String,
    /// After how many seconds the browser loads the page again.
    pub refresh_s: Option<u32>,
}

/// How something stands, as a colour class. Never shown without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Busy,
    Warn,
    Bad,
    Quiet,
}

impl Tone {
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }
}

/// A few words with a tone.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(source = r#"<span class="badge {{ tone.class() }}">{{ text }}</span>"#, ext = "html")]
pub struct Badge {
    pub tone: Tone,
    pub text: String,
}

impl Badge {
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }

    pub fn batch(state: BatchState) -> Self {
        let tone = match state {
            BatchState::Open => Tone::Busy,
            BatchState::Settled => Tone::Good,
            BatchState::Refused => Tone::Bad,
            BatchState::Recut => Tone::Quiet,
        };
        Self::new(tone, state.chinese())
    }
}

/// One place of money.
#[derive(Debug, Clone)]
pub struct PlaceCard {
    pub class: &'static str,
    pub name: &'static str,
    pub yuan: String,
    pub empty: bool,
    /// What it means that money is there.
    pub meaning: &'static str,
}

/// Where approved money is: the five places, and whether they add up.
#[derive(Debug, Clone, Template)]
#[template(path = "places.html")]
pub struct Whereabouts {
    pub approved: String,
    pub cards: Vec<PlaceCard>,
    pub conserved: bool,
    /// Credits beyond what was approved, where there are any.
    pub disputed: Option<String>,
}

impl Whereabouts {
    pub fn of(places: Places) -> Self {
        let card = |place: Place, fen: Fen, meaning| PlaceCard {
            class: place.as_str(),
            name: place.chinese(),
            yuan: fen.yuan_grouped(),
            empty: fen == Fen::ZERO,
            meaning,
        };
        Self {
            approved: places.approved.yuan_grouped(),
            cards: vec![
                card(Place::Unsent, places.unsent, "尚未交给银行"),
                card(Place::InFlight, places.in_flight, "已组批，待银行结果"),
                card(Place::Credited, places.credited, "已到持卡人账户"),
                card(Place::Refundable, places.refundable, "发放失败、退回或撤下"),
                card(Place::Refunded, places.refunded, "结余已退回财政"),
            ],
            conserved: places.conserved(),
            disputed: (places.disputed != Fen::ZERO).then(|| places.disputed.yuan_grouped()),
        }
    }
}

/// One part of a progress bar, in thousandths of its width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub class: &'static str,
    pub name: &'static str,
    pub count: i64,
    pub at: i64,
    pub width: i64,
}

/// How far payments have come, as stacked segments and the same in words.
#[derive(Debug, Clone, Template)]
#[template(path = "bar.html")]
pub struct Bar {
    pub segments: Vec<Segment>,
    pub total: i64,
    pub percent: i64,
}

const BAR: i64 = 1000;
/// Even one payment in a million shows.
const SLIVER: i64 = 8;

impl Bar {
    /// The bar of a register or of a bank's share.
    pub fn of_counts(counts: &Counts) -> Self {
        let back = counts.failed + counts.returned;
        let open = (counts.payments - counts.finished() - counts.held - counts.conflicts).max(0);
        let parts = [
            ("credited", "已入账", counts.credited),
            ("back", "未成功", back),
            ("dropped", "撤下", counts.dropped),
            ("dropped", "转入新版本", counts.withdrawn),
            ("held", "暂缓", counts.held),
            ("conflict", "结果矛盾", counts.conflicts),
            ("open", "办理中", open),
        ];
        Self::new(&parts, counts.payments, counts.finished())
    }

    /// The bar of a batch, which has no payments set aside. Those of a refused one are unsent.
    pub fn of_batch(batch: &BatchRow) -> Self {
        if !batch.state.is_live() {
            return Self::new(&[("dropped", "未受理", batch.payments)], batch.payments, 0);
        }
        let back = batch.failed + batch.returned;
        let parts = [
            ("credited", "已入账", batch.credited),
            ("back", "未成功", back),
            ("conflict", "结果矛盾", batch.conflicts),
            ("open", "等待结果", batch.pending),
        ];
        Self::new(&parts, batch.payments, batch.credited + back)
    }

    fn new(parts: &[(&'static str, &'static str, i64)], total: i64, finished: i64) -> Self {
        let whole = parts.iter().map(|part| part.2).sum::<i64>().max(1);
        let wide = |count: i64| if count > 0 { (count * BAR / whole).max(SLIVER) } else { 0 };
        let mut widths: Vec<i64> = parts.iter().map(|part| wide(part.2)).collect();
        let over = widths.iter().sum::<i64>() - BAR;
        // What rounding and slivers took or left comes from or goes to the widest.
        if let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > 0) {
            *widest -= over;
        }
        let mut at = 0;
        let segments = parts.iter().zip(widths).filter(|(part, _)| part.2 > 0);
        let segments = segments
            .map(|(&(class, name, count), width)| {
                at += width;
                Segment { class, name, count, at: at - width, width }
            })
            .collect();
        Self { segments, total, percent: finished.max(0) * 100 / total.max(1) }
    }
}

/// A count of milliseconds as people say it: `21 小时 03 分`.
fn span(ms: i64) -> String {
    let minutes = ms / 60_000;
    let (hours, rest) = (minutes / 60, minutes % 60);
    match hours {
        0 if minutes == 0 => "不足 1 分".to_owned(),
        0 => format!("{rest} 分"),
        1..72 => format!("{hours} 小时 {rest:02} 分"),
        _ => format!("{} 天 {} 小时", hours / 24, hours % 24),
    }
}

/// How much of the 24 hours is left (Notice, section 2.5).
pub fn time_left(row: &RegisterRow, now_ms: i64) -> Badge {
    let open = row.places.unsent.get() + row.places.in_flight.get();
    if matches!(row.state, RegisterState::Refused | RegisterState::Receiving) {
        return Badge::new(Tone::Quiet, "不计时");
    }
    if row.state == RegisterState::Closed || open == 0 {
        let late = row.alert_level >= 100;
        return if late {
            Badge::new(Tone::Warn, "已完成（曾超时）")
        } else {
            Badge::new(Tone::Good, "已完成")
        };
    }
    let (Some(start), Some(end)) = (row.start_at_ms, row.deadline_at_ms) else {
        return Badge::new(Tone::Quiet, "未开始计时");
    };
    running(start, end, now_ms)
}

/// How much of a batch's time is left; its own deadline is frozen with it.
pub fn batch_time_left(batch: &BatchRow, start_at_ms: Option<i64>, now_ms: i64) -> Badge {
    match (batch.state, batch.deadline_at_ms) {
        (BatchState::Settled, _) if batch.alert_level >= 100 => {
            Badge::new(Tone::Warn, "已完成（曾超时）")
        }
        (BatchState::Settled, _) => Badge::new(Tone::Good, "已完成"),
        (BatchState::Recut, _) => Badge::new(Tone::Quiet, "见新批次"),
        (_, None) => Badge::new(Tone::Quiet, "未开始计时"),
        (_, Some(end)) => running(start_at_ms.unwrap_or(batch.cut_at_ms), end, now_ms),
    }
}

fn running(start_ms: i64, end_ms: i64, now_ms: i64) -> Badge {
    let tone = match deadline::level(start_ms, end_ms, now_ms) {
        0 => Tone::Busy,
        50 | 80 => Tone::Warn,
        _ => Tone::Bad,
    };
    let text = if now_ms < end_ms {
        format!("剩余 {}", span(end_ms - now_ms))
    } else {
        format!("已超时 {}", span(now_ms - end_ms))
    };
    Badge::new(tone, text)
}

/// A moment, or a dash where there is none.
pub fn moment(at_ms: Option<i64>) -> String {
    at_ms.map_or_else(|| "—".to_owned(), local_text)
}

/// A count for people, `12,345`.
pub fn grouped(count: i64) -> String {
    // The same grouping as for yuan, without its decimals.
    let text = Fen::new(count.saturating_mul(100)).yuan_grouped();
    text.strip_suffix(".00").map_or_else(|| count.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(counts: &Counts) -> Vec<(&'static str, i64)> {
        Bar::of_counts(counts).segments.iter().map(|s| (s.class, s.width)).collect()
    }

    #[test]
    fn a_bar_is_filled_whatever_the_counts() {
        let some =
            Counts { payments: 1_000_000, credited: 999_999, failed: 1, ..Counts::default() };
        assert_eq!(widths(&some), [("credited", 992), ("back", 8)]);
        let third = Counts { payments: 3, credited: 1, held: 1, ..Counts::default() };
        assert_eq!(widths(&third).iter().map(|w| w.1).sum::<i64>(), BAR);
        assert!(widths(&Counts::default()).is_empty());
        for (payments, credited, failed, held, conflicts) in
            [(7, 1, 1, 1, 1), (100, 0, 0, 100, 0), (1, 0, 0, 0, 0), (5, 5, 0, 0, 0)]
        {
            let counts =
                Counts { payments, held, credited, failed, conflicts, ..Counts::default() };
            let bar = Bar::of_counts(&counts);
            assert_eq!(bar.segments.iter().map(|s| s.width).sum::<i64>(), BAR);
            assert_eq!(bar.segments.iter().map(|s| s.count).sum::<i64>(), payments);
            assert!(bar.segments.iter().all(|s| s.width >= SLIVER));
        }
    }

    #[test]
    fn a_hundred_percent_means_all() {
        let counts = Counts { payments: 1000, credited: 999, ..Counts::default() };
        assert_eq!(Bar::of_counts(&counts).percent, 99);
    }

    #[test]
    fn i28_places_that_do_not_add_up_say_so() {
        let whole = Places {
            approved: Fen::new(3),
            unsent: Fen::new(1),
            credited: Fen::new(2),
            ..Places::default()
        };
        assert!(Whereabouts::of(whole).conserved);
        assert!(!Whereabouts::of(Places { approved: Fen::new(4), ..whole }).conserved);
    }

    #[test]
    fn spans_read_as_people_say_them() {
        let minute = 60_000;
        assert_eq!(span(59_999), "不足 1 分");
        assert_eq!(span(7 * minute), "7 分");
        assert_eq!(span((21 * 60 + 3) * minute), "21 小时 03 分");
        assert_eq!(span((75 * 60 + 3) * minute), "3 天 3 小时");
    }

    #[test]
    fn time_is_left_until_it_is_over() {
        let hour = 3_600_000;
        let left = running(0, 24 * hour, 3 * hour - 180_000);
        assert_eq!(left, Badge::new(Tone::Busy, "剩余 21 小时 03 分"));
        assert_eq!(running(0, 24 * hour, 13 * hour).tone, Tone::Warn);
        assert_eq!(running(0, 24 * hour, 23 * hour).tone, Tone::Bad);
        let late = running(0, 24 * hour, 25 * hour);
        assert_eq!(late, Badge::new(Tone::Bad, "已超时 1 小时 00 分"));
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
