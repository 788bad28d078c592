//! The front page: what needs attention, where the money is, which registers there are.

use askama::Template;

use crate::model::register::RegisterState;
use crate::store::view::{Overview, RegisterRow};
use crate::web::alerts::Alerts;
use crate::web::parts::{Badge, Bar, Frame, Head, Whereabouts, grouped, time_left};

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
    fn of(row: &RegisterRow, now_ms: i64) -> Self {
        Self {
            no: row.no.to_string(),
            programme: row.programme_name.clone(),
            place_and_time: format!("{} · {}", row.town, row.period),
            document_no: row.document_no.clone(),
            identity: identity(row),
            state: Badge::register(row.state),
            left: time_left(row, now_ms),
            bar: Bar::of_counts(&row.counts),
            approved: row.places.approved.yuan_grouped(),
            credited: row.places.credited.yuan_grouped(),
            payments: grouped(row.counts.payments),
            refused: row.state == RegisterState::Refused,
        }
    }
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
    let registers: Vec<Item> =
        overview.registers.iter().map(|row| Item::of(row, frame.now_ms)).collect();
    let shown = registers.len();
    Front {
        head: frame.head("代发总览".to_owned(), Some(10)),
        alerts: Alerts::of(&overview.alerts),
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
