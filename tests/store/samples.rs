//! Registers, batches, answers and refunds as the steps would make them, and what must hold after
//! every one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use daifa::guard::digest::{ContentDigest, sha256};
use daifa::model::attempt::{AttemptEvent, AttemptState};
use daifa::model::decision::Subject;
use daifa::model::expectation::{ExpectationKind, Expected};
use daifa::model::hold::HoldReason;
use daifa::model::id::{AttemptNo, PaymentId, RegisterNo};
use daifa::model::money::Fen;
use daifa::model::notice::NoticeState;
use daifa::model::outcome::OutcomeKind;
use daifa::model::place::Places;
use daifa::model::reason::Reason;
use daifa::model::register::RegisterHead;
use daifa::model::report::{Recipient, RecipientKind, ReportKind};
use daifa::store::attempts::{Attempt, Conclusion};
use daifa::store::cut::{FormatText, NewBatch, SealedPart};
use daifa::store::doubles::PersonKey;
use daifa::store::intake::{Acceptance, Begun, NewHold, NewPayment, Receiving};
use daifa::store::numbers::Reference;
use daifa::store::refunds::{NewRefund, WayBack};
use daifa::store::reports::NewReport;
use daifa::store::results::{Effects, Quarantined, Taken, TakenResult, TakenRow};
use daifa::store::verify::Verification;
use daifa::store::view::{RegisterPage, RegisterRow};
use daifa::store::{Store, StoreError};

use crate::base::Base;

/// The time at which everything happens, unless a test says otherwise.
pub const NOW: i64 = 1_795_420_000_000;
pub const HOUR: i64 = 3_600_000;
pub const SOURCE: &str = "county";
pub const BANK: &str = "alpha";
pub const OTHER: &str = "beta";
/// The blinding key.
pub const KEY: u8 = 1;

/// One line of a register.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub no: i64,
    pub fen: i64,
    bank: &'static str,
    person: u8,
    hold: Option<HoldReason>,
    replaces: Option<PaymentId>,
}

/// A line of its own person, at the first bank.
pub fn line(no: i64, fen: i64) -> Line {
    let person = u8::try_from(no).expect("small") + 100;
    Line { no, fen, bank: BANK, person, hold: None, replaces: None }
}

/// Lines 1, 2, ... with these amounts.
pub fn lines(fen: &[i64]) -> Vec<Line> {
    (1..).zip(fen).map(|(no, fen)| line(no, *fen)).collect()
}

impl Line {
    pub fn at(self, bank: &'static str) -> Self {
        Self { bank, ..self }
    }

    pub fn of(self, person: u8) -> Self {
        Self { person, ..self }
    }

    pub fn held(self) -> Self {
        Self { hold: Some(HoldReason::AccountShape), ..self }
    }

    pub fn replacing(self, payment: PaymentId) -> Self {
        Self { replaces: Some(payment), ..self }
    }

    fn payment(self) -> NewPayment {
        NewPayment {
            line: self.no,
            bank: self.bank.to_owned(),
            town: 610_728_101,
            amount: Fen::new(self.fen),
            person: format!("sealed person {} of line {}", self.person, self.no).into_bytes(),
            hold: self.hold.map(|reason| NewHold { reason, detail: "8 to 32 digits".to_owned() }),
            replaces: self.replaces,
        }
    }
}

pub fn payment(register: RegisterNo, line: i64) -> PaymentId {
    PaymentId { register, line }
}

/// The head of a register with these lines, funded, with the digest that belongs to it.
pub fn head(id: &str, revision: i64, lines: &[Line]) -> RegisterHead {
    let mut head = RegisterHead {
        id: id.to_owned(),
        revision,
        programme_code: "P01".to_owned(),
        programme_name: "耕地地力保护补贴".to_owned(),
        summary: "地力补贴".to_owned(),
        department: "县农业农村局".to_owned(),
        town: "610728101".to_owned(),
        document_no: "镇财发〔2026〕1号".to_owned(),
        period: "2026-11".to_owned(),
        entered_by: "e1".to_owned(),
        reviewed_by: "r1".to_owned(),
        approved_at_ms: NOW - HOUR,
        funded_at_ms: Some(NOW - HOUR),
        pool_account: "6107280000000000001".to_owned(),
        voucher_no: "5201-1".to_owned(),
        declared_count: i64::try_from(lines.len()).expect("few"),
        declared_sum: lines.iter().map(|line| Fen::new(line.fen)).sum(),
        digest: [0; 32],
    };
    head.digest = digest(&head, lines);
    head
}

/// The digest over head and lines.
pub fn digest(head: &RegisterHead, lines: &[Line]) -> [u8; 32] {
    let mut digest = ContentDigest::of_head(head);
    for line in lines {
        digest.line(raw(line).as_bytes());
    }
    digest.finish()
}

fn content(lines: &[Line]) -> [u8; 32] {
    let raw: String = lines.iter().map(|line| raw(line) + "\n").collect();
    sha256(raw.as_bytes())
}

/// A line as it came.
fn raw(line: &Line) -> String {
    format!("{} {} {} {}", line.no, line.bank, line.fen, line.person)
}

/// What is decided about a register of these lines.
pub fn acceptance(register: RegisterNo, lines: &[Line]) -> Acceptance {
    let receipt = NewReport {
        report_id: format!("receipt-{register}"),
        register,
        kind: ReportKind::Receipt,
        recipient: Recipient { kind: RecipientKind::Finance, name: String::new() },
        subject: 0,
        body: "{}".to_owned(),
    };
    Acceptance {
        start_at_ms: Some(NOW),
        deadline_at_ms: Some(NOW + 24 * HOUR),
        settle_at_ms: Some(NOW + 48 * HOUR),
        sent_earlier: BTreeSet::new(),
        content: content(lines),
        doubles: Vec::new(),
        reports: vec![receipt],
    }
}

/// What a bank says about one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Kind(OutcomeKind),
    Notice(NoticeState),
}

pub const CREDITED: Says = Says::Kind(OutcomeKind::Credited);
pub const FAILED: Says = Says::Kind(OutcomeKind::Failed);
pub const RETURNED: Says = Says::Kind(OutcomeKind::Returned);

/// A row of an answer as matching would make it.
pub fn row(line: i64, fen: i64, says: Says) -> TakenRow {
    let kind = match says {
        Says::Kind(kind) => Some(kind),
        Says::Notice(_) => None,
    };
    let notice = match says {
        Says::Kind(_) => None,
        Says::Notice(state) => Some(state),
    };
    let failed = matches!(kind, Some(OutcomeKind::Failed | OutcomeKind::Returned));
    TakenRow {
        line,
        amount: Fen::new(fen),
        kind,
        reason: failed.then_some(Reason::AccountClosed),
        code: if failed { "E1".to_owned() } else { String::new() },
        words: failed.then(|| format!("sealed words about {line}").into_bytes()),
        notice,
    }
}

/// An answer of bytes that were never seen before.
pub fn answer(rows: Vec<TakenRow>) -> TakenResult<'static> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let digest = sha256(&NEXT.fetch_add(1, Ordering::SeqCst).to_be_bytes());
    answer_of(rows, digest)
}

pub fn answer_of(rows: Vec<TakenRow>, digest: [u8; 32]) -> TakenResult<'static> {
    TakenResult {
        name: "answer",
        digest,
        rows,
        quarantined: Vec::new(),
        evidence: None,
        next_at_ms: None,
        again_at_ms: NOW,
        expects: expected(),
        bank_references: Vec::new(),
        serials: BTreeMap::new(),
    }
}

/// What a bank owes of a batch that may have left.
pub fn expected() -> Vec<Expected> {
    vec![Expected { kind: ExpectationKind::Result, due_at_ms: NOW + HOUR }]
}

pub fn quarantined(row: i64) -> Quarantined {
    Quarantined {
        row,
        cause: "amount_differs",
        detail: "1.00 yuan, as sent for this place".to_owned(),
        line: Some(1),
    }
}

pub fn parts() -> Vec<SealedPart> {
    let part = |role: &str, committing| SealedPart {
        role: role.to_owned(),
        name: format!("{role}.txt"),
        committing,
        size: 5,
        sha256: sha256(role.as_bytes()),
        chunks: vec![b"sealed 1".to_vec(), b"sealed 2".to_vec()],
    };
    vec![part("data", false), part("control", true)]
}

fn format_text() -> FormatText {
    FormatText { digest: sha256(b"format"), name: "fixed".to_owned(), text: "width = 5".to_owned() }
}

pub fn no_reports(_: daifa::model::id::ResultNo, _: &Effects) -> Vec<NewReport> {
    Vec::new()
}

impl Base {
    /// Verifies that nothing contradicts anything, and that money is conserved (I7, I18).
    #[track_caller]
    pub fn clean(&self) -> impl Future<Output = Verification> + '_ {
        let at = std::panic::Location::caller();
        async move {
            let found = self.store.verify().await.expect("reads");
            assert_eq!(found.problems, Vec::<String>::new(), "at {at}");
            assert!(found.places.conserved(), "at {at}: {:?}", found.places);
            found
        }
    }

    /// Offers a register, without any line of it.
    pub async fn begin(&self, head: &RegisterHead) -> Begun {
        let head_digest = ContentDigest::of_head(head).finish();
        self.store.begin_register(SOURCE, head, head_digest, NOW).await.expect("writes")
    }

    /// Streams a register in; it is not accepted yet.
    pub async fn receive(&self, head: &RegisterHead, lines: &[Line]) -> Box<Receiving> {
        let Begun::Fresh(mut receiving) = self.begin(head).await else {
            panic!("{} revision {} was here before", head.id, head.revision);
        };
        let payments = lines.iter().map(|line| line.payment()).collect();
        self.store.append_payments(&mut receiving, payments, NOW).await.expect("writes");
        let keys = lines
            .iter()
            .map(|line| PersonKey { blind: [line.person; 16], line: line.no })
            .collect();
        self.store.append_person_keys(&mut receiving, head, KEY, keys).await.expect("writes");
        receiving
    }

    pub async fn accept_head(&self, head: &RegisterHead, lines: &[Line]) -> RegisterNo {
        let receiving = self.receive(head, lines).await;
        let register = receiving.register;
        let sent_earlier = self.store.sent_earlier(register, KEY).await.expect("reads");
        let acceptance = Acceptance { sent_earlier, ..acceptance(register, lines) };
        self.store.accept_register(*receiving, acceptance, KEY, NOW).await.expect("accepts");
        self.clean().await;
        register
    }

    pub async fn accept(&self, id: &str, revision: i64, lines: &[Line]) -> RegisterNo {
        self.accept_head(&head(id, revision, lines), lines).await
    }

    /// The reference that comes next at a bank.
    pub async fn reference(&self, bank: &str) -> Reference {
        reference(&self.store, bank).await
    }

    /// What the next batch of a share would be.
    pub async fn next_batch(&self, register: RegisterNo, bank: &str, rows_max: usize) -> NewBatch {
        batch_of(&self.store, register, bank, rows_max).await
    }

    /// Cuts the next batch of a share; its attempt is INTENT.
    pub async fn cut(&self, register: RegisterNo, bank: &str, rows_max: usize) -> Attempt {
        let new = self.next_batch(register, bank, rows_max).await;
        self.store.intend_batch(&new, NOW).await.expect("cuts");
        self.clean().await;
        self.by_reference(bank, &new.reference.text).await
    }

    pub async fn by_reference(&self, bank: &str, reference: &str) -> Attempt {
        let found = self.store.attempt_by_reference(bank, reference).await.expect("reads");
        found.expect("is there")
    }

    pub async fn attempt(&self, no: AttemptNo) -> Attempt {
        let case = self.store.case(Subject::Attempt(no)).await.expect("reads");
        case.and_then(|case| case.attempt).expect("is there")
    }

    /// The attempt as it stands now.
    pub async fn again(&self, attempt: &Attempt) -> Attempt {
        self.by_reference(&attempt.bank, &attempt.reference).await
    }

    /// Makes something durable about an attempt, and returns it as it stands then.
    pub async fn concluded(&self, attempt: &Attempt, event: AttemptEvent) -> Attempt {
        let attempt = self.again(attempt).await;
        let conclusion = Conclusion { expects: expected(), ..Conclusion::of(event, None) };
        self.store.conclude(&attempt, &conclusion, NOW).await.expect("concludes");
        self.clean().await;
        self.again(&attempt).await
    }

    /// Brings an attempt into SENDING.
    pub async fn started(&self, attempt: &Attempt) -> Attempt {
        self.store.start(&self.again(attempt).await, &expected(), NOW).await.expect("starts");
        self.clean().await;
        self.again(attempt).await
    }

    /// Hands an attempt over; the bank accepts it.
    pub async fn sent(&self, attempt: &Attempt) -> Attempt {
        let sending = self.started(attempt).await;
        assert_eq!(sending.state, AttemptState::Sending);
        self.concluded(&sending, AttemptEvent::Accepted).await
    }

    /// A register of these lines, all of the first bank in one batch that the bank has.
    pub async fn under_way(&self, id: &str, lines: &[Line]) -> (RegisterNo, Attempt) {
        let register = self.accept(id, 1, lines).await;
        let attempt = self.cut(register, BANK, 1_000).await;
        (register, self.sent(&attempt).await)
    }

    /// Rows about lines of a batch, with their amounts.
    pub async fn rows(&self, attempt: &Attempt, said: &[(i64, Says)]) -> Vec<TakenRow> {
        let batch = attempt.batch.expect("carries payments");
        let members = self.store.members(batch).await.expect("reads");
        said.iter()
            .map(|(line, says)| {
                let member = members.iter().find(|member| member.line == *line).expect("a member");
                row(*line, member.amount.get(), *says)
            })
            .collect()
    }

    /// Takes an answer of bytes that were never seen before.
    pub async fn take(&self, attempt: &Attempt, said: &[(i64, Says)]) -> Taken {
        let rows = self.rows(attempt, said).await;
        let attempt = self.again(attempt).await;
        let taken = self.store.take_result(&attempt, answer(rows), &no_reports, NOW).await;
        self.clean().await;
        taken.expect("takes")
    }

    /// What a refund of all free leftover of a share would be.
    pub async fn next_refund(&self, register: RegisterNo, bank: &str) -> NewRefund {
        let open = self.store.open_leftovers(register, bank, 1_000).await.expect("reads");
        let reference = self.reference(bank).await;
        NewRefund {
            register,
            bank: bank.to_owned(),
            via_bank: bank.to_owned(),
            pool_account: "6107280000000000001".to_owned(),
            voucher_no: "5201-1".to_owned(),
            members: open.iter().map(|leftover| (leftover.line, leftover.amount)).collect(),
            format: format_text(),
            way: WayBack::Asked { reference, parts: parts() },
        }
    }

    /// Reserves all free leftover of a share in a refund; its attempt is INTENT.
    pub async fn give_back(&self, register: RegisterNo, bank: &str) -> Attempt {
        let new = self.next_refund(register, bank).await;
        let (_, attempt) = self.store.intend_refund(&new, NOW).await.expect("intends");
        self.clean().await;
        self.attempt(attempt).await
    }

    /// Makes durable what the bank says about a refund.
    pub async fn refund_answer(&self, attempt: &Attempt, event: AttemptEvent) -> Attempt {
        let attempt = self.again(attempt).await;
        let refund_done = event == AttemptEvent::Accepted;
        let conclusion = Conclusion { refund_done, ..Conclusion::of(event, None) };
        self.store.conclude(&attempt, &conclusion, NOW).await.expect("concludes");
        self.clean().await;
        self.again(&attempt).await
    }

    pub async fn page(&self, register: RegisterNo) -> RegisterPage {
        self.store.register_page(register).await.expect("reads").expect("is there")
    }

    pub async fn stands(&self, register: RegisterNo) -> RegisterRow {
        self.page(register).await.row
    }

    pub async fn places(&self, register: RegisterNo) -> Places {
        self.stands(register).await.places
    }

    /// The kinds of alert that stand.
    pub async fn alerts(&self) -> Vec<String> {
        let sql = "SELECT kind FROM alert WHERE cleared_at_ms IS NULL ORDER BY kind";
        self.texts(sql).await
    }

    /// Everything that is known about payments and money, without when and by which file.
    pub async fn state_of_things(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sql in [
            "SELECT 'outcome ' || attempt_no || ' ' || line || ' ' || kind || ' ' || COALESCE(reason, '') FROM outcome",
            "SELECT 'notice ' || attempt_no || ' ' || line || ' ' || state FROM notice",
            "SELECT 'leftover ' || line || ' ' || bank || ' ' || amount_fen || ' ' || cause || ' ' || state FROM leftover WHERE state <> 'withdrawn'",
            "SELECT 'share ' || bank || ' ' || unsent_fen || ' ' || in_flight_fen || ' ' || credited_fen || ' ' || refundable_fen || ' ' || refunded_fen || ' ' || disputed_fen || ' ' || credited || ' ' || failed || ' ' || returned || ' ' || conflicts FROM share",
            "SELECT 'batch ' || batch_no || ' ' || state || ' ' || pending || ' ' || credited || ' ' || failed || ' ' || returned || ' ' || conflicts || ' ' || credited_fen FROM batch",
            "SELECT 'attempt ' || attempt_no || ' ' || state FROM attempt",
            "SELECT 'register ' || register_no || ' ' || state FROM register",
        ] {
            all.extend(self.texts(sql).await);
        }
        all.sort();
        all
    }
}

/// The words of a refusal.
#[track_caller]
pub fn refused<T>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Refused(words)) => words,
        Err(other) => panic!("refused in another way: {other}"),
        Ok(_) => panic!("was not refused"),
    }
}

/// A guard found another state than was read.
#[track_caller]
pub fn moved<T>(result: Result<T, StoreError>) {
    match result {
        Err(StoreError::Moved { .. }) => {}
        Err(other) => panic!("failed in another way: {other}"),
        Ok(_) => panic!("nothing had moved"),
    }
}

/// The store as a task may hold it.
pub fn shared(base: &Base) -> std::sync::Arc<Store> {
    std::sync::Arc::clone(&base.store)
}

async fn reference(store: &Store, bank: &str) -> Reference {
    let number = store.reference_to_come(bank).await.expect("counts");
    Reference { number, text: format!("D00{number:010}") }
}

/// What the next batch of a share would be.
pub async fn batch_of(
    store: &Store,
    register: RegisterNo,
    bank: &str,
    rows_max: usize,
) -> NewBatch {
    let cut = store.cuttable(register, bank, rows_max).await.expect("reads");
    NewBatch {
        register,
        bank: bank.to_owned(),
        listed: cut.listed,
        recut_of: cut.recut_of,
        members: cut.payments.iter().map(|payment| (payment.line, payment.amount)).collect(),
        cut_line: cut.cut_line,
        content: sha256(b"approved"),
        reference: reference(store, bank).await,
        numbered: None,
        format: format_text(),
        parts: parts(),
    }
}
