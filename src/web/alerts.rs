//! What needs attention, on top of a page.

use askama::Template;

use crate::clock::local_text;
use crate::model::alert::AlertKind;
use crate::store::view::AlertRow;
use crate::web::parts::Tone;

/// One thing that somebody must look at.
#[derive(Debug, Clone)]
pub struct Alert {
    pub tone: &'static str,
    pub kind: &'static str,
    pub text: String,
    pub at: String,
    /// Where to look, and what it is called.
    pub link: Option<(String, String)>,
}

impl Alert {
    pub fn of(row: &AlertRow) -> Self {
        let (kind, urgent) = match AlertKind::parse(&row.kind) {
            Some(AlertKind::Deadline) if row.level >= 100 => ("已超时限", true),
            Some(AlertKind::Deadline) => ("时限临近", row.level >= 95),
            Some(kind) => (kind.chinese(), kind.is_urgent()),
            None => ("提醒", false),
        };
        let link = match (row.batch, row.register) {
            (Some(batch), _) => Some((format!("/batches/{batch}"), format!("查看批次 {batch}"))),
            (None, Some(no)) => Some((format!("/registers/{no}"), format!("查看清册 {no}"))),
            (None, None) if AlertKind::parse(&row.kind) == Some(AlertKind::ResultHeld) => {
                Some(("/quarantine".to_owned(), "查看待核对的银行答复".to_owned()))
            }
            (None, None) => None,
        };
        let tone = if urgent { Tone::Bad } else { Tone::Warn }.class();
        Self { tone, kind, text: row.text.clone(), at: local_text(row.raised_at_ms), link }
    }
}

/// How many alerts are shown before the rest is folded away.
const ALERTS_SHOWN: usize = 6;

/// What needs attention, on top of a page.
#[derive(Debug, Clone, Template)]
#[template(path = "alerts.html")]
pub struct Alerts {
    pub first: Vec<Alert>,
    pub rest: Vec<Alert>,
}

impl Alerts {
    /// Urgent ones first, each kind newest first as the store gives them.
    pub fn of(rows: &[AlertRow]) -> Self {
        Self::with(rows, Vec::new())
    }

    /// The same with what is no alert and waits for somebody all the same.
    pub fn with(rows: &[AlertRow], others: Vec<Alert>) -> Self {
        let mut first: Vec<Alert> = rows.iter().map(Alert::of).chain(others).collect();
        first.sort_by_key(|alert| alert.tone != Tone::Bad.class());
        let rest = first.split_off(ALERTS_SHOWN.min(first.len()));
        Self { first, rest }
    }
}
