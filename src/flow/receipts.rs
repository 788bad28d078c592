//! What finance, department and town are told of a register that came: its receipt, and what of it was
//! set aside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::flow::Ctx;
use crate::flow::report::{recipients, report_id};
use crate::model::id::RegisterNo;
use crate::model::money::Fen;
use crate::model::register::{Fault, RegisterHead};
use crate::model::report::ReportKind;
use crate::store::intake::faults_json;
use crate::store::reports::NewReport;

/// What a receipt says.
#[derive(Default)]
pub(super) struct Receipt {
    pub faults: Vec<Fault>,
    pub count: i64,
    pub sum: Fen,
    pub held_count: i64,
    pub held_sum: Fen,
    pub warnings: Vec<String>,
}

impl Receipt {
    pub fn refused(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::default() }
    }
}

/// The receipt of a register, to each recipient.
pub(super) fn receipts(
    ctx: &Ctx,
    register: RegisterNo,
    head: &RegisterHead,
    receipt: &Receipt,
    subject: &str,
) -> Vec<NewReport> {
    let body = json!({
        "accepted": receipt.faults.is_empty(),
        "count": receipt.count,
        "sum_fen": receipt.sum.get(),
        "held_count": receipt.held_count,
        "held_sum_fen": receipt.held_sum.get(),
        "warnings": receipt.warnings,
        "faults": faults_json(&receipt.faults),
    });
    recipients(&head.department, &head.town, &[])
        .into_iter()
        .map(|recipient| NewReport {
            report_id: report_id(ctx, register, ReportKind::Receipt, subject, &recipient),
            register,
            kind: ReportKind::Receipt,
            recipient,
            subject: 0,
            body: body.to_string(),
        })
        .collect()
}

/// The list of payments set aside, to each recipient that it concerns.
pub(super) fn set_asides(
    ctx: &Ctx,
    register: RegisterNo,
    head: &RegisterHead,
    held: &BTreeMap<i64, Fen>,
    towns: &BTreeSet<i64>,
) -> Vec<NewReport> {
    if held.is_empty() {
        return Vec::new();
    }
    let towns: Vec<i64> = towns.iter().copied().filter(|town| *town > 0).collect();
    recipients(&head.department, "", &towns)
        .into_iter()
        .map(|recipient| NewReport {
            report_id: report_id(ctx, register, ReportKind::SetAside, "0", &recipient),
            register,
            kind: ReportKind::SetAside,
            recipient,
            subject: 0,
            body: String::new(),
        })
        .collect()
}
