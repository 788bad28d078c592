//! A register on its way, written with the store's own verbs.

use std::collections::BTreeMap;

use daifa::flow::sealed::{PersonSealer, seal_words};
use daifa::guard::seal::Sealer;
use daifa::model::attempt::AttemptEvent;
use daifa::model::expectation::{ExpectationKind, Expected};
use daifa::model::hold::HoldReason;
use daifa::model::id::{AttemptNo, RegisterNo};
use daifa::model::money::Fen;
use daifa::model::outcome::OutcomeKind;
use daifa::model::reason::Reason;
use daifa::model::register::RegisterHead;
use daifa::store::Store;
use daifa::store::attempts::Conclusion;
use daifa::store::cut::{FormatText, NewBatch};
use daifa::store::intake::{Acceptance, Begun, NewHold, NewPayment};
use daifa::store::numbers::Reference;
use daifa::store::results::{Quarantined, TakenResult, TakenRow};

use crate::samples::{CANARIES, HEAD_DIGEST, NOW, person};

const AMOUNT: Fen = Fen::new(16_500);
const LINES: i64 = 5;

fn head(id: &str) -> RegisterHead {
    RegisterHead {
        id: id.to_owned(),
        revision: 1,
        programme_code: "P001".to_owned(),
        programme_name: "耕地地力保护补贴".to_owned(),
        summary: "耕地补贴".to_owned(),
        department: "县农业农村局".to_owned(),
        town: "泾洋街道".to_owned(),
        document_no: "镇财农〔2026〕1号".to_owned(),
        period: "2026-08".to_owned(),
        entered_by: "录入岗 01".to_owned(),
        reviewed_by: "复核岗 02".to_owned(),
        approved_at_ms: NOW - 10_000,
        funded_at_ms: Some(NOW - 5_000),
        pool_account: CANARIES[1].to_owned(),
        voucher_no: "5201-1".to_owned(),
        declared_count: LINES,
        declared_sum: Fen::new(AMOUNT.get() * LINES),
        digest: [1; 32],
    }
}

/// One register that streams in and is not whole yet.
pub async fn receiving(store: &Store) -> RegisterNo {
    match store.begin_register("county", &head("streaming"), HEAD_DIGEST, NOW).await {
        Ok(Begun::Fresh(receiving)) => receiving.register,
        _ => panic!("a fresh register"),
    }
}

/// One register of five lines: the last one set aside, the others in one batch, of which one is
/// credited, one failed, one is both, and one has no answer.
pub async fn paid(store: &Store, sealer: &Sealer) {
    let begun = store.begin_register("county", &head("first"), HEAD_DIGEST, NOW).await;
    let Ok(Begun::Fresh(mut receiving)) = begun else { panic!("a fresh register") };
    let register = receiving.register;
    let mut people = PersonSealer::new(sealer, HEAD_DIGEST, register);
    let lines = (1..=LINES).map(|line| NewPayment {
        line,
        bank: "rural".to_owned(),
        town: 610_728_001,
        amount: AMOUNT,
        person: people.seal(line, AMOUNT, "rural", &person(), "610728001001"),
        hold: (line == LINES)
            .then(|| NewHold { reason: HoldReason::Double, detail: "R9-1".to_owned() }),
        replaces: None,
    });
    let lines = lines.collect();
    store.append_payments(&mut receiving, lines, NOW).await.expect("appends");
    let acceptance = Acceptance {
        start_at_ms: Some(NOW),
        deadline_at_ms: Some(NOW + 86_400_000),
        settle_at_ms: Some(NOW + 259_200_000),
        sent_earlier: std::collections::BTreeSet::new(),
        content: [0; 32],
        doubles: Vec::new(),
        reports: Vec::new(),
    };
    store.accept_register(*receiving, acceptance, 1, NOW).await.expect("accepts");
    let batch = NewBatch {
        register,
        bank: "rural".to_owned(),
        listed: false,
        recut_of: None,
        members: (1..LINES).map(|line| (line, AMOUNT)).collect(),
        cut_line: 0,
        content: [2; 32],
        reference: Reference { number: 1, text: "DF0001".to_owned() },
        numbered: None,
        format: FormatText { digest: [4; 32], name: "practice".to_owned(), text: String::new() },
        parts: Vec::new(),
    };
    let (_, attempt) = store.intend_batch(&batch, NOW).await.expect("intends");
    answer(store, sealer, attempt).await;
}

async fn answer(store: &Store, sealer: &Sealer, no: AttemptNo) {
    let read = async || {
        let attempt = store.attempt_by_reference("rural", "DF0001").await.expect("reads");
        attempt.expect("it is there")
    };
    let expected = Expected { kind: ExpectationKind::Result, due_at_ms: NOW + 3_600_000 };
    store.start(&read().await, &[expected], NOW).await.expect("starts");
    let accepted = Conclusion::of(AttemptEvent::Accepted, None);
    store.conclude(&read().await, &accepted, NOW).await.expect("concludes");
    let said = format!("原户名为[{}]，账号{}", CANARIES[4], CANARIES[1]);
    let row = |line, kind| TakenRow {
        line,
        amount: AMOUNT,
        kind: Some(kind),
        reason: (kind == OutcomeKind::Failed).then_some(Reason::NameMismatch),
        code: "RJ02".to_owned(),
        words: seal_words(sealer, no, line, &said),
        notice: None,
    };
    let stray = Quarantined {
        row: 9,
        cause: "unknown_payment",
        detail: "本批次没有第 77 行".to_owned(),
        line: None,
    };
    let results = [
        (
            vec![
                row(1, OutcomeKind::Credited),
                row(2, OutcomeKind::Failed),
                row(3, OutcomeKind::Credited),
            ],
            vec![stray],
        ),
        (vec![row(3, OutcomeKind::Failed)], Vec::new()),
    ];
    for (at, (rows, quarantined)) in (1..).zip(results) {
        let taken = TakenResult {
            name: "HP0001.txt",
            digest: [at; 32],
            rows,
            quarantined,
            evidence: None,
            next_at_ms: None,
            again_at_ms: 0,
            expects: Vec::new(),
            bank_references: Vec::new(),
            serials: BTreeMap::new(),
        };
        store.take_result(&read().await, taken, &|_, _| Vec::new(), NOW).await.expect("takes");
    }
}
