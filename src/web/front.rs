//! The front page: what needs attention, where the money is, which registers there are.

use askama::Template;

use crate::clock::local_text;
use crate::model::register::RegisterState;
use crate::store::view::{Overview, RegisterRow};
use crate::web::alerts::{Alert, Alerts};
use crate::web::parts::{Badge, Bar, Frame, Head, Tone, Whereabouts, grouped, time_left};

/// A register in the list.
struct Item {
    no: String,
    programme: String,
    place_and_time: String,
    document_no: String,
    identity: String,
    state: Badge,
    left: Badge,
    bar: Bar,
    approved: String,
    credited: String,
    payments: String,
    refused: bool,
}

impl Item {
    fn of(row: &RegisterRow, frame: &Frame) -> Self {
        Self {
            no: row.no.to_string(),
            programme: programme(row),
            place_and_time: both(&row.town, &row.period),
            document_no: row.document_no.clone(),
            identity: identity(row),
            state: frame.register_badge(row),
            left: time_left(row, frame.now_ms),
            bar: Bar::of_counts(&row.counts),
            approved: row.places.approved.yuan_grouped(),
            credited: row.places.credited.yuan_grouped(),
            payments: grouped(row.counts.payments),
            refused: row.state == RegisterState::Refused,
        }
    }
}

/// The programme's name; a refused register may have none.
pub(super) fn programme(row: &RegisterRow) -> String {
    let name = row.programme_name.trim();
    if name.is_empty() { "补贴项目未写明".to_owned() } else { name.to_owned() }
}

/// Two words side by side; a refused register may lack either.
fn both(one: &str, other: &str) -> String {
    let words = [one, other].into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" · ")
}

/// After this a refused register is not a matter of the day any more, in milliseconds.
const REFUSED_SHOWN_MS: i64 = 30 * 86_400_000;

/// What finance must do about a register.
fn waiting(row: &RegisterRow, frame: &Frame) -> Option<Alert> {
    let what = format!("{} {}（{}）", row.no, programme(row), identity(row));
    let (tone, kind, text) = if row.state == RegisterState::Refused {
        if frame.now_ms - row.received_at_ms > REFUSED_SHOWN_MS {
            return None;
        }
        let text = format!(
            "{what}整份拒收，没有发放任何款项。请财政按所列原因更正后，以更高的版本号重新下达"
        );
        (Tone::Bad, "清册拒收", text)
    } else {
        let held = grouped(row.counts.held);
        (Tone::Warn, "明细暂缓", format!("{what}有 {held} 笔暂缓，未发送。请财政核对后放行或撤下"))
    };
    Some(Alert {
        tone: tone.class(),
        kind,
        text,
        at: local_text(row.received_at_ms),
        link: Some((format!("/registers/{}", row.no), format!("查看清册 {}", row.no))),
    })
}

/// How finance names the register.
pub(super) fn identity(row: &RegisterRow) -> String {
    if row.revision > 1 {
        format!("{}（第 {} 版）", row.id, row.revision)
    } else {
        row.id.clone()
    }
}

#[derive(Template)]
#[template(path = "front.html")]
struct Front {
    head: Head,
    alerts: Alerts,
    money: Whereabouts,
    limit: String,
    registers: Vec<Item>,
    shown: usize,
    total: String,
    more: bool,
    /// Not the first page: what comes before this register.
    before: Option<String>,
    /// Behind the last register shown there are older ones.
    older: Option<String>,
    reports_due: i64,
}

/// Draws the front page.
///
/// # Errors
/// Where the template cannot be written out.
pub fn render(overview: &Overview, frame: &Frame) -> askama::Result<String> {
    let registers: Vec<Item> = overview.registers.iter().map(|row| Item::of(row, frame)).collect();
    let waiting = overview.waiting.iter().filter_map(|row| waiting(row, frame));
    let shown = registers.len();
    Front {
        head: frame.head("代发总览".to_owned(), Some(10)),
        alerts: Alerts::with(&overview.alerts, waiting.collect()),
        limit: frame.limit_name(),
        money: Whereabouts::of(overview.places),
        before: overview.before.map(|no| no.to_string()),
        older: overview.registers.last().filter(|_| overview.older).map(|row| row.no.to_string()),
        more: i64::try_from(shown).unwrap_or(i64::MAX) < overview.registers_total,
        registers,
        shown,
        total: grouped(overview.registers_total),
        reports_due: overview.reports_due,
    }
    .render()
}
