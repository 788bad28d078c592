//! Samples of every page: what the store would hand over, in every state.

use daifa::flow::sealed::{PersonSealer, seal_words};
use daifa::guard::key::Key;
use daifa::guard::seal::Sealer;
use daifa::model::attempt::{AttemptKind, AttemptState};
use daifa::model::batch::BatchState;
use daifa::model::expectation::{ExpectationKind, ExpectationState};
use daifa::model::hold::{HoldEvent, HoldReason};
use daifa::model::id::{AttemptNo, BatchNo, RefundNo, RegisterNo, ResultNo};
use daifa::model::money::Fen;
use daifa::model::outcome::OutcomeKind;
use daifa::model::person::Person;
use daifa::model::place::Places;
use daifa::model::reason::Reason;
use daifa::model::refund::RefundState;
use daifa::model::register::RegisterState;
use daifa::model::report::{RecipientKind, ReportKind};
use daifa::store::view::{
    AlertRow, AttemptRow, BatchPage, BatchRow, Counts, ExpectationRow, FailureRow, HoldRow,
    Overview, QuarantineRow, RefundRow, RegisterPage, RegisterRow, ReportRow, ResultRow, ShareRow,
};
use daifa::web::{BankName, Frame};

const HOUR: i64 = 3_600_000;
/// 2026-11-23 15:49:04 in the county.
pub const NOW: i64 = 1_795_420_144_000;

/// What must never be read on a page (I27).
pub const CANARIES: [&str; 5] =
    ["阿卜杜热合曼·测试", "6228480402564890018", "61072819900101001X", "13900001111", "另一位户主"];

pub fn sealer() -> Sealer {
    Sealer::new([(1, Key::new([7; 32]))], 1).expect("one key")
}

pub fn frame() -> Frame {
    let bank = |code: &str, name: &str| BankName { code: code.to_owned(), name: name.to_owned() };
    let banks = [bank("rural", "镇巴农村商业银行"), bank("postal", "中国邮政储蓄银行镇巴县支行")];
    Frame { now_ms: NOW, banks: banks.into(), allowed_ms: 24 * HOUR, funded_only: true }
}

pub fn places(unsent: i64, in_flight: i64, credited: i64, back: i64, refunded: i64) -> Places {
    Places {
        approved: Fen::new(unsent + in_flight + credited + back + refunded),
        unsent: Fen::new(unsent),
        in_flight: Fen::new(in_flight),
        credited: Fen::new(credited),
        refundable: Fen::new(back),
        refunded: Fen::new(refunded),
        disputed: Fen::ZERO,
    }
}

const PROGRAMMES: [&str; 4] = [
    "耕地地力保护补贴",
    "农村独生子女（双女）父母及18岁以下子女参加城乡居民医疗保险补助资金",
    "残疾人两项补贴",
    "高龄老人生活保健补贴",
];

pub fn register(no: i64, state: RegisterState, counts: Counts, places: Places) -> RegisterRow {
    let received = NOW - 3 * HOUR - no * 7 * 60_000;
    let name = usize::try_from(no).expect("small") % PROGRAMMES.len();
    RegisterRow {
        no: RegisterNo(no),
        source: "county".to_owned(),
        id: format!("QC-2026-{no:05}"),
        revision: 1 + no % 2,
        programme_name: PROGRAMMES[name].to_owned(),
        document_no: format!("镇财农〔2026〕{no}号"),
        department: ["县农业农村局", "县卫生健康局", "县残疾人联合会", "县民政局"][name].to_owned(),
        town: "泾洋街道".to_owned(),
        period: "2026-08".to_owned(),
        state,
        received_at_ms: received,
        funded_at_ms: Some(received),
        start_at_ms: Some(received),
        deadline_at_ms: Some(received + 24 * HOUR),
        alert_level: 0,
        counts,
        places,
    }
}

fn counts(payments: i64, credited: i64, failed: i64, returned: i64, held: i64) -> Counts {
    Counts { payments, credited, failed, returned, held, ..Counts::default() }
}

/// A register that is being paid, with something of everything.
pub fn busy_register() -> RegisterRow {
    let mut row = register(
        2,
        RegisterState::Accepted,
        Counts { conflicts: 1, dropped: 1, ..counts(3_412, 3_100, 9, 2, 3) },
        places(45_000, 4_512_300, 51_234_500, 132_050, 20_000),
    );
    PROGRAMMES[0].clone_into(&mut row.programme_name);
    row
}

fn alert(
    kind: &str,
    register: Option<i64>,
    batch: Option<i64>,
    level: i64,
    text: &str,
) -> AlertRow {
    AlertRow {
        kind: kind.to_owned(),
        subject: "R2".to_owned(),
        register: register.map(RegisterNo),
        batch: batch.map(BatchNo),
        level,
        text: text.to_owned(),
        raised_at_ms: NOW - 20 * 60_000,
    }
}

pub fn alerts() -> Vec<AlertRow> {
    vec![
        alert(
            "deadline",
            Some(5),
            None,
            80,
            "耕地地力保护补贴已用去 80% 的时限，还有 45,000.00 元没有结果",
        ),
        alert(
            "batch_refused",
            Some(2),
            Some(12),
            0,
            "中国邮政储蓄银行镇巴县支行拒绝受理批次 B12：总笔数与明细不符。款项未动，查明后请重新组批",
        ),
        alert("quarantine", Some(2), Some(11), 0, "回盘文件中有 2 行与清册不符，已搁置待核对"),
        alert(
            "deadline",
            Some(6),
            None,
            100,
            "残疾人两项补贴已超过 24 小时时限，请立即联系代发银行",
        ),
        alert("unknown", Some(2), Some(13), 0, "批次 B13 发送后没有收到明确答复，正在向银行查询"),
        alert("conflict", Some(2), Some(11), 0, "有 1 笔银行先报成功又报失败，已冻结待核"),
        alert("result_held", None, None, 0, "文件 HP20261123001.txt 的合计与明细不符，整份暂扣"),
        alert("something_new", None, None, 0, "一个尚未归类的提醒"),
    ]
}

pub fn overview() -> Overview {
    let mut registers = vec![busy_register()];
    registers.push(register(
        3,
        RegisterState::Accepted,
        counts(120_000, 0, 0, 0, 12),
        places(1_234_567_890, 0, 0, 0, 0),
    ));
    let mut waiting =
        register(4, RegisterState::Accepted, counts(86, 0, 0, 0, 0), places(860_000, 0, 0, 0, 0));
    (waiting.funded_at_ms, waiting.start_at_ms, waiting.deadline_at_ms) = (None, None, None);
    registers.push(waiting);
    for (no, hours) in [(5, 20), (6, 26), (7, 80)] {
        let mut row = register(
            no,
            RegisterState::Accepted,
            counts(500, 480, 0, 0, 0),
            places(0, 200_000, 4_800_000, 0, 0),
        );
        let start = NOW - hours * HOUR;
        (row.start_at_ms, row.deadline_at_ms) = (Some(start), Some(start + 24 * HOUR));
        registers.push(row);
    }
    registers.push(register(8, RegisterState::Refused, Counts::default(), Places::default()));
    registers.push(register(
        9,
        RegisterState::Closed,
        counts(1_000_000, 999_999, 1, 0, 0),
        places(0, 0, 99_999_990_000, 0, 10_000),
    ));
    let mut late =
        register(10, RegisterState::Closed, counts(12, 12, 0, 0, 0), places(0, 0, 12_000, 0, 0));
    late.alert_level = 100;
    registers.push(late);
    registers.push(register(
        11,
        RegisterState::Superseded,
        Counts { withdrawn: 40, ..counts(100, 60, 0, 0, 0) },
        places(0, 0, 600_000, 0, 0),
    ));
    registers.push(register(
        12,
        RegisterState::Revoked,
        Counts { dropped: 100, ..counts(100, 0, 0, 0, 0) },
        Places::default(),
    ));
    Overview {
        places: registers.iter().map(|row| row.places).fold(Places::default(), Places::plus),
        waiting: vec![registers[1].clone(), registers[6].clone()],
        registers,
        before: None,
        older: true,
        registers_total: 412,
        alerts: alerts(),
        reports_due: 3,
    }
}

pub fn empty_overview() -> Overview {
    Overview {
        places: Places::default(),
        registers: Vec::new(),
        before: None,
        older: false,
        registers_total: 0,
        alerts: Vec::new(),
        waiting: Vec::new(),
        reports_due: 0,
    }
}

pub fn batch(no: i64, state: BatchState) -> BatchRow {
    let (pending, credited, failed, returned, conflicts) = match state {
        BatchState::Open => (120, 870, 8, 2, 1),
        BatchState::Settled => (0, 993, 6, 2, 0),
        BatchState::Refused | BatchState::Recut => (1001, 0, 0, 0, 0),
    };
    BatchRow {
        no: BatchNo(no),
        register: RegisterNo(2),
        bank: if no % 2 == 0 { "postal" } else { "rural" }.to_owned(),
        payments: 1001,
        sum: Fen::new(16_534_500),
        state,
        cut_at_ms: NOW - 2 * HOUR,
        deadline_at_ms: Some(NOW + 20 * HOUR),
        recut_of: (no == 14).then_some(BatchNo(10)),
        pending,
        credited,
        failed,
        returned,
        conflicts,
        credited_sum: Fen::new(credited * 16_500),
        alert_level: 0,
    }
}

pub fn register_page() -> RegisterPage {
    let row = busy_register();
    let share = |bank: &str, share: i64| ShareRow {
        bank: bank.to_owned(),
        counts: counts(1_700, 1_500, share, 1, 1),
        places: Places {
            disputed: Fen::new((share - 4) * 16_500),
            ..places(20_000, 2_000_000, 25_000_000, 60_000, 10_000)
        },
    };
    let hold = |line, reason: HoldReason, event| HoldRow {
        line,
        amount: Fen::new(15_000),
        bank: if reason == HoldReason::BankUnknown { "nobody" } else { "rural" }.to_owned(),
        reason,
        event,
        detail: "第 3 个字在 GBK 中没有编码".to_owned(),
        by: if event == HoldEvent::Placed { "intake" } else { "finance" }.to_owned(),
        at_ms: NOW - HOUR,
    };
    let mut holds: Vec<HoldRow> = (1..)
        .zip(HoldReason::ALL)
        .map(|(line, reason)| hold(line, *reason, HoldEvent::Placed))
        .collect();
    holds.push(hold(90, HoldReason::Double, HoldEvent::Released));
    holds.push(hold(91, HoldReason::IdCheckDigit, HoldEvent::Dropped));
    let refunds = RefundState::ALL.iter().zip(1..).map(|(state, no)| RefundRow {
        no: RefundNo(no),
        bank: "rural".to_owned(),
        via_bank: "postal".to_owned(),
        payments: 12,
        sum: Fen::new(20_000),
        state: *state,
        opened_at_ms: NOW - HOUR,
        state_at_ms: NOW - HOUR / 2,
    });
    let report = |no: i64, kind: ReportKind, to: RecipientKind, done: bool| ReportRow {
        report_id: format!("report-{no}"),
        kind,
        recipient_kind: to,
        recipient: match to {
            RecipientKind::Finance => "",
            RecipientKind::Department => "县农业农村局",
            RecipientKind::Town => "泾洋街道",
        }
        .to_owned(),
        made_at_ms: NOW - HOUR,
        tries: 4,
        trouble: if done { "" } else { "财政端返回 503" }.to_owned(),
        acknowledged_at_ms: done.then_some(NOW - HOUR / 2),
    };
    let reports = ReportKind::ALL.iter().zip(0..).flat_map(|(kind, no)| {
        let each = move |to: &RecipientKind| report(no, *kind, *to, no != 4);
        RecipientKind::ALL.iter().map(each)
    });
    RegisterPage {
        summary: "耕地地力保护补贴".to_owned(),
        voucher_no: "5201-2026-000123".to_owned(),
        pool_account: CANARIES[1].to_owned(),
        entered_by: "录入岗 01".to_owned(),
        reviewed_by: "复核岗 02".to_owned(),
        approved_at_ms: row.received_at_ms - HOUR,
        funded_at_ms: Some(row.received_at_ms),
        settle_at_ms: Some(row.received_at_ms + 72 * HOUR),
        faults: String::new(),
        twin: Some(RegisterNo(9)),
        shares: vec![share("rural", 4), share("postal", 5)],
        batches: vec![
            batch(11, BatchState::Open),
            batch(12, BatchState::Refused),
            batch(10, BatchState::Recut),
            batch(13, BatchState::Settled),
            batch(14, BatchState::Open),
        ],
        holds,
        refunds: refunds.collect(),
        reports: reports.collect(),
        alerts: alerts()
            .into_iter()
            .filter(|alert| alert.register == Some(RegisterNo(2)))
            .collect(),
        row,
    }
}

pub fn refused_page() -> RegisterPage {
    let faults = r#"[{"line":17,"field":"amount","what":"金额必须大于零，实为 0.00"},
        {"line":null,"field":"digest","what":"清册内容与所附校验摘要不一致"},
        {"line":230,"field":"line","what":"<b>行号</b>重复"}]"#;
    RegisterPage {
        row: register(8, RegisterState::Refused, Counts::default(), Places::default()),
        faults: faults.to_owned(),
        shares: Vec::new(),
        batches: Vec::new(),
        holds: Vec::new(),
        refunds: Vec::new(),
        alerts: Vec::new(),
        twin: None,
        ..register_page()
    }
}

pub const HEAD_DIGEST: [u8; 32] = [3; 32];

pub fn person() -> Person {
    Person {
        name: CANARIES[0].to_owned(),
        document_kind: "id".to_owned(),
        document_number: CANARIES[2].to_owned(),
        account: CANARIES[1].to_owned(),
        phone: CANARIES[3].to_owned(),
    }
}

pub fn batch_page(sealer: &Sealer) -> BatchPage {
    let mut people = PersonSealer::new(sealer, HEAD_DIGEST, RegisterNo(2));
    let mut failure =
        |line: i64, reason: Option<Reason>, kind, also_credited, words: &str| FailureRow {
            register: RegisterNo(2),
            attempt: AttemptNo(21),
            line,
            amount: Fen::new(16_500),
            bank: "rural".to_owned(),
            kind,
            reason,
            code: "RJ02".to_owned(),
            person: people.seal(line, Fen::new(16_500), "rural", &person(), "610728001001"),
            words: seal_words(sealer, AttemptNo(21), line, words),
            also_credited,
        };
    let said = format!("户名不符，原户名为[{}]，账号{}", CANARIES[4], CANARIES[1]);
    let mut failures: Vec<FailureRow> = (1..)
        .zip(Reason::ALL)
        .map(|(line, reason)| failure(line, Some(*reason), OutcomeKind::Failed, false, &said))
        .collect();
    failures.push(failure(40, None, OutcomeKind::Returned, true, "账户状态异常"));
    failures.push(failure(41, Some(Reason::Other), OutcomeKind::Failed, true, ""));
    let attempt = |(no, state): (i64, &AttemptState)| AttemptRow {
        no: AttemptNo(no),
        kind: AttemptKind::Payment,
        bank: "rural".to_owned(),
        reference: format!("DF20261123{no:08}"),
        state: *state,
        state_at_ms: NOW - HOUR,
        made_at_ms: NOW - 2 * HOUR,
        sends: 1,
        asks: 3,
        bank_code: "B001".to_owned(),
        bank_text: seal_words(sealer, AttemptNo(no), 0, &said),
        bank_references: vec!["YB-0001".to_owned(), "YB-0002".to_owned()],
    };
    let result = |no: i64, state: &str, why: &str| ResultRow {
        no: ResultNo(no),
        name: format!("HP2026112300{no}_镇巴县惠民补贴资金代发回盘文件.txt"),
        state: state.to_owned(),
        lines: 1001,
        applied: 999,
        quarantined: 2,
        why: why.to_owned(),
        taken_at_ms: NOW - HOUR,
    };
    let causes =
        ["unknown_payment", "amount_differs", "account_differs", "code_unknown", "unreadable"];
    let quarantined = causes.iter().zip(1..).map(|(cause, row)| QuarantineRow {
        result: ResultNo(1),
        row,
        cause: (*cause).to_owned(),
        detail: "清册金额 165.00，回盘 1,650.00".to_owned(),
        line: (row > 1).then_some(row * 7),
        at_ms: NOW - HOUR,
    });
    let states = ExpectationState::ALL.iter().cycle();
    let owed = |(kind, state): (&ExpectationKind, &ExpectationState)| ExpectationRow {
        attempt: AttemptNo(21),
        kind: *kind,
        due_at_ms: if *state == ExpectationState::Open { NOW + 2 * HOUR } else { NOW - HOUR },
        state: *state,
        state_at_ms: NOW - HOUR,
    };
    BatchPage {
        row: batch(11, BatchState::Open),
        register: busy_register(),
        head_digest: HEAD_DIGEST,
        attempts: (21..).zip(AttemptState::ALL).map(attempt).collect(),
        expectations: ExpectationKind::ALL.iter().zip(states).map(owed).collect(),
        results: vec![result(1, "applied", ""), result(2, "held", "合计金额与明细相差 0.01 元")],
        failures,
        after: 0,
        more: false,
        quarantined: quarantined.collect(),
    }
}
