//! One register with everything below it.

use askama::Template;
use serde::Deserialize;

use crate::clock::local_text;
use crate::model::hold::HoldEvent;
use crate::model::money::Fen;
use crate::model::person::mask_account;
use crate::model::refund::RefundState;
use crate::model::register::RegisterState;
use crate::store::view::{BatchRow, HoldRow, RefundRow, RegisterPage, ReportRow, ShareRow};
use crate::web::alerts::Alerts;
use crate::web::front::{identity, programme};
use crate::web::parts::{
    Badge, Bar, Frame, Head, Tone, Whereabouts, batch_time_left, grouped, moment, time_left,
};

struct Share {
    bank: String,
    payments: String,
    approved: String,
    unsent: String,
    in_flight: String,
    credited: String,
    back: String,
    disputed: Option<String>,
    bar: Bar,
}

impl Share {
    fn of(row: &ShareRow, frame: &Frame) -> Self {
        let back: Fen = [row.places.refundable, row.places.refunded].into_iter().sum();
        let disputed = row.places.disputed;
        Self {
            bank: frame.bank(&row.bank),
            payments: grouped(row.counts.payments),
            approved: row.places.approved.yuan_grouped(),
            unsent: row.places.unsent.yuan_grouped(),
            in_flight: row.places.in_flight.yuan_grouped(),
            credited: row.places.credited.yuan_grouped(),
            back: back.yuan_grouped(),
            disputed: (disputed != Fen::ZERO).then(|| disputed.yuan_grouped()),
            bar: Bar::of_counts(&row.counts),
        }
    }
}

struct Batch {
    no: String,
    bank: String,
    payments: String,
    sum: String,
    state: Badge,
    left: Badge,
    bar: Bar,
    cut_at: String,
    recut_of: Option<String>,
}

impl Batch {
    fn of(row: &BatchRow, start_at_ms: Option<i64>, frame: &Frame) -> Self {
        Self {
            no: row.no.to_string(),
            bank: frame.bank(&row.bank),
            payments: grouped(row.payments),
            sum: row.sum.yuan_grouped(),
            state: Badge::batch(row.state),
            left: batch_time_left(row, start_at_ms, frame.now_ms),
            bar: Bar::of_batch(row),
            cut_at: local_text(row.cut_at_ms),
            recut_of: row.recut_of.map(|no| no.to_string()),
        }
    }
}

struct Hold {
    line: i64,
    amount: String,
    bank: String,
    reason: &'static str,
    detail: String,
    /// What to do about it; nothing where it was done.
    remedy: Option<&'static str>,
    state: Badge,
    at: String,
    by: String,
}

impl Hold {
    /// `over` says how its register ended before it was sent: then there is nothing to decide.
    fn of(row: &HoldRow, over: Option<&str>, frame: &Frame) -> Self {
        let open = row.event == HoldEvent::Placed;
        let state = match (row.event, over) {
            (HoldEvent::Placed, Some(over)) => Badge::new(Tone::Quiet, over),
            (HoldEvent::Placed, None) => Badge::new(Tone::Warn, row.event.chinese()),
            (HoldEvent::Released, _) => Badge::new(Tone::Good, row.event.chinese()),
            (HoldEvent::Dropped, _) => Badge::new(Tone::Quiet, row.event.chinese()),
        };
        let by = match row.by.as_str() {
            "intake" => "接收核对",
            "convert" => "组批核对",
            "daifa" => "系统",
            "finance" => "财政",
            "operator" => "银行操作员",
            other => other,
        };
        Self {
            line: row.line,
            amount: row.amount.yuan_grouped(),
            bank: frame.bank(&row.bank),
            reason: row.reason.chinese(),
            detail: row.detail.clone(),
            remedy: (open && over.is_none()).then(|| row.reason.remedy()),
            state,
            at: local_text(row.at_ms),
            by: by.to_owned(),
        }
    }
}

struct Refund {
    no: String,
    bank: String,
    via: String,
    payments: String,
    sum: String,
    state: Badge,
    opened_at: String,
    state_at: String,
}

impl Refund {
    fn of(row: &RefundRow, frame: &Frame) -> Self {
        let tone = match row.state {
            RefundState::Open => Tone::Busy,
            RefundState::Confirmed => Tone::Good,
            RefundState::Refused => Tone::Bad,
            RefundState::Withdrawn => Tone::Quiet,
        };
        Self {
            no: row.no.to_string(),
            bank: frame.bank(&row.bank),
            via: frame.bank(&row.via_bank),
            payments: grouped(row.payments),
            sum: row.sum.yuan_grouped(),
            state: Badge::new(tone, row.state.chinese()),
            opened_at: local_text(row.opened_at_ms),
            state_at: local_text(row.state_at_ms),
        }
    }
}

struct Report {
    kind: &'static str,
    to: String,
    made_at: String,
    tries: i64,
    trouble: String,
    acknowledged_at: String,
}

impl Report {
    fn of(row: &ReportRow) -> Self {
        let to = match (row.recipient_kind.chinese(), row.recipient.as_str()) {
            (kind, "") => kind.to_owned(),
            (kind, name) => format!("{kind} · {name}"),
        };
        Self {
            kind: row.kind.chinese(),
            to,
            made_at: local_text(row.made_at_ms),
            tries: row.tries,
            trouble: row.trouble.clone(),
            acknowledged_at: moment(row.acknowledged_at_ms),
        }
    }
}

/// A fault as the store keeps it.
#[derive(Deserialize)]
struct Kept {
    line: Option<i64>,
    field: String,
    what: String,
    #[serde(default)]
    chinese: String,
}

struct Fault {
    place: String,
    field: String,
    what: String,
}

/// At most this many faults of a refused register are listed.
const FAULTS_SHOWN: usize = 200;

fn faults(json: &str) -> (Vec<Fault>, usize) {
    if json.is_empty() {
        return (Vec::new(), 0);
    }
    let Ok(kept) = serde_json::from_str::<Vec<Kept>>(json) else {
        let what = "拒收原因的记录无法读取，请联系银行技术人员".to_owned();
        return (vec![Fault { place: "—".to_owned(), field: "—".to_owned(), what }], 0);
    };
    let more = kept.len().saturating_sub(FAULTS_SHOWN);
    let shown = kept.into_iter().take(FAULTS_SHOWN).map(|fault| Fault {
        place: fault.line.map_or_else(|| "清册表头".to_owned(), |line| format!("第 {line} 行")),
        field: field_chinese(&fault.field),
        // What finance's system was told stands in for what was kept without a sentence for people.
        what: if fault.chinese.is_empty() { fault.what } else { fault.chinese },
    });
    (shown.collect(), more)
}

/// The contract's field names as people call them; the name itself stays, for whoever mends it.
fn field_chinese(field: &str) -> String {
    let name = match field {
        "amount" => "金额",
        "line" => "行号",
        "lines" | "payments" => "明细",
        "count" | "declared_count" => "笔数",
        "sum" | "declared_sum" => "金额合计",
        "digest" => "校验摘要",
        "entered_by" => "录入人",
        "reviewed_by" => "复核人",
        "name" => "姓名",
        "document_number" | "document_kind" => "证件",
        "account" => "账号",
        "bank" => "代发银行",
        "village" => "村代码",
        "phone" => "手机号",
        "revision" => "版本",
        "summary" => "摘要",
        "programme_code" | "programme_name" | "programme" => "补贴项目",
        "period" => "期间",
        "pool_account" => "内部代发账户",
        "id" => "清册编号",
        "replaces" => "替换原明细",
        _ => return field.to_owned(),
    };
    format!("{name}（{field}）")
}

#[derive(Template)]
#[template(path = "register.html")]
struct Page {
    head: Head,
    no: String,
    programme: String,
    identity: String,
    state: Badge,
    left: Badge,
    bar: Bar,
    money: Whereabouts,
    alerts: Alerts,
    refused: bool,
    faults: Vec<Fault>,
    faults_more: usize,
    /// Revoked before any money came.
    never_funded: bool,
    twin: Option<String>,
    facts: Vec<(&'static str, String)>,
    times: Vec<(String, String)>,
    shares: Vec<Share>,
    batches: Vec<Batch>,
    holds: Vec<Hold>,
    holds_open: usize,
    refunds: Vec<Refund>,
    reports_due: Vec<Report>,
    reports_done: Vec<Report>,
}

fn facts(page: &RegisterPage) -> Vec<(&'static str, String)> {
    let row = &page.row;
    vec![
        ("文号", row.document_no.clone()),
        ("存折摘要", page.summary.clone()),
        ("主管部门", row.department.clone()),
        ("镇（街道）", row.town.clone()),
        ("发放期间", row.period.clone()),
        ("录入 / 复核", format!("{} / {}", page.entered_by, page.reviewed_by)),
        ("内部代发账户", mask_account(&page.pool_account)),
        ("原凭证号", page.voucher_no.clone()),
        ("清册编号", format!("{}（第 {} 版）", row.id, row.revision)),
        ("来源", row.source.clone()),
    ]
}

fn times(page: &RegisterPage, frame: &Frame) -> Vec<(String, String)> {
    // A head without a time of its own was refused for that.
    let approved = Some(page.approved_at_ms).filter(|at| *at > 0);
    let mut times = vec![
        ("审批时间".to_owned(), moment(approved)),
        ("接收时间".to_owned(), local_text(page.row.received_at_ms)),
    ];
    if page.row.state == RegisterState::Refused {
        return times;
    }
    let funded = page.funded_at_ms.map_or_else(|| "尚未到账".to_owned(), local_text);
    times.extend([
        ("资金到账".to_owned(), funded),
        ("开始计时".to_owned(), moment(page.row.start_at_ms)),
        (frame.limit_name(), moment(page.row.deadline_at_ms)),
        ("结余退回时间".to_owned(), moment(page.settle_at_ms)),
    ]);
    times
}

/// Draws the page of a register.
///
/// # Errors
/// Where the template cannot be written out.
pub fn render(page: &RegisterPage, frame: &Frame) -> askama::Result<String> {
    let row = &page.row;
    let (faults, faults_more) = faults(&page.faults);
    let mut holds: Vec<&HoldRow> = page.holds.iter().collect();
    holds.sort_by_key(|hold| (hold.event != HoldEvent::Placed, hold.line));
    let (done, due): (Vec<&ReportRow>, Vec<&ReportRow>) =
        page.reports.iter().partition(|report| report.acknowledged_at_ms.is_some());
    let ended = matches!(row.state, RegisterState::Closed | RegisterState::Refused);
    let over = match row.state {
        RegisterState::Superseded => Some("转入新版本"),
        RegisterState::Revoked => Some("随清册撤销"),
        _ => None,
    };
    let holds_open = holds.iter().filter(|hold| hold.event == HoldEvent::Placed).count();
    Page {
        head: frame.head(format!("{} · 清册 {}", programme(row), row.no), (!ended).then_some(20)),
        no: row.no.to_string(),
        programme: programme(row),
        identity: identity(row),
        state: frame.register_badge(row),
        left: time_left(row, frame.now_ms),
        bar: Bar::of_counts(&row.counts),
        money: Whereabouts::of(row.places),
        alerts: Alerts::of(&page.alerts),
        refused: row.state == RegisterState::Refused,
        faults,
        faults_more,
        never_funded: row.state == RegisterState::Revoked && page.funded_at_ms.is_none(),
        twin: page.twin.map(|no| no.to_string()),
        facts: facts(page),
        times: times(page, frame),
        shares: page.shares.iter().map(|share| Share::of(share, frame)).collect(),
        batches: page.batches.iter().map(|b| Batch::of(b, row.start_at_ms, frame)).collect(),
        holds_open: if over.is_none() { holds_open } else { 0 },
        holds: holds.into_iter().map(|hold| Hold::of(hold, over, frame)).collect(),
        refunds: page.refunds.iter().map(|refund| Refund::of(refund, frame)).collect(),
        reports_due: due.into_iter().map(Report::of).collect(),
        reports_done: done.into_iter().map(Report::of).collect(),
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_say_where_and_what() {
        let (found, more) = faults(
            r#"[{"line":3,"field":"amount","what":"found 0"},{"line":null,"field":"digest","what":"differs"}]"#,
        );
        let shown: Vec<_> = found.iter().map(|f| (f.place.as_str(), f.field.as_str())).collect();
        assert_eq!(shown, [("第 3 行", "金额（amount）"), ("清册表头", "校验摘要（digest）")]);
        assert_eq!(more, 0);
        let (found, _) = faults(
            r#"[{"line":3,"field":"amount","what":"found 0","chinese":"金额为 0.00 元，应大于零"}]"#,
        );
        assert_eq!(found[0].what, "金额为 0.00 元，应大于零");
        assert_eq!(faults("").0.len(), 0);
        assert_eq!(faults("not json").0.len(), 1);
    }

    #[test]
    fn a_long_list_of_faults_is_cut_and_says_so() {
        let one = r#"{"line":1,"field":"amount","what":"x"}"#;
        let (found, more) = faults(&format!("[{}]", vec![one; FAULTS_SHOWN + 7].join(",")));
        assert_eq!((found.len(), more), (FAULTS_SHOWN, 7));
    }
}
