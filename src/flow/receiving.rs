//! The lines of one register on their way in: checked, sealed and kept while they stream, and accepted or
//! refused as a whole at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::finance::{Finance, FinanceError};
use crate::flow::checks::{PaymentCheck, WholeCheck};
use crate::flow::receipts::{Receipt, receipts, set_asides};
use crate::flow::sealed::PersonSealer;
use crate::flow::{Ctx, FlowError};
use crate::guard::chain::RowDigest;
use crate::model::deadline::StartTimes;
use crate::model::hold::HoldReason;
use crate::model::id::PaymentId;
use crate::model::money::Fen;
use crate::model::payment::{Line, Replaces};
use crate::model::person::{comparable_number, town_of, village_code_is_plausible};
use crate::model::register::{Fault, RegisterHead};
use crate::store::StoreError;
use crate::store::doubles::PersonKey;
use crate::store::holds::Standing;
use crate::store::intake::{Acceptance, NewHold, NewPayment, Receiving};

/// Lines kept in one transaction.
const LINES_PER_WRITE: usize = 10_000;
/// Keys of the blind index sorted and written together: what bounds memory on huge registers.
const KEYS_PER_WRITE: usize = 250_000;

/// Why a register could not be taken now.
pub(super) enum TakeError {
    Flow(FlowError),
    Finance(FinanceError),
}

impl From<FlowError> for TakeError {
    fn from(cause: FlowError) -> Self {
        Self::Flow(cause)
    }
}

impl From<StoreError> for TakeError {
    fn from(cause: StoreError) -> Self {
        Self::Flow(cause.into())
    }
}

impl From<FinanceError> for TakeError {
    fn from(cause: FinanceError) -> Self {
        Self::Finance(cause)
    }
}

/// The lines of one register on their way in.
struct Streaming<'a> {
    ctx: &'a Ctx,
    head: &'a RegisterHead,
    receiving: Receiving,
    sealer: PersonSealer<'a>,
    payments: PaymentCheck<'a>,
    whole: WholeCheck,
    keys: Vec<PersonKey>,
    /// Held payments: line, amount, and whether a double's hold would come later.
    held: BTreeMap<i64, Fen>,
    held_towns: BTreeSet<i64>,
    /// What each line replaces, so that it is not its double.
    replaced: BTreeMap<i64, PaymentId>,
    /// Over the lines alone, with persons behind the blinding key: equal content under another id
    /// is flagged (I25).
    content: RowDigest,
}

pub(super) async fn stream_in(
    ctx: &Ctx,
    finance: &dyn Finance,
    head: &RegisterHead,
    receiving: Receiving,
) -> Result<(), TakeError> {
    let register = receiving.register;
    let mut lines = finance.lines(head).await?;
    let sealer = PersonSealer::new(&ctx.sealer, receiving.head_digest, register);
    let mut streaming = Streaming {
        ctx,
        head,
        receiving,
        sealer,
        payments: PaymentCheck::new(head, &ctx.banks, &ctx.opening),
        whole: WholeCheck::of(head),
        keys: Vec::new(),
        held: BTreeMap::new(),
        held_towns: BTreeSet::new(),
        replaced: BTreeMap::new(),
        content: RowDigest::new(),
    };
    if let Some(higher) =
        ctx.store.higher_revision(finance.source(), &head.id, head.revision).await?
    {
        let what = format!("revision {higher} of it is here; a correction has a higher one");
        let chinese = format!("已收到更高的版本（第 {higher} 版）。更正请使用更高的版本号");
        streaming.whole.add(Fault::new(None, "revision", what, chinese));
    }
    loop {
        let chunk = lines.next(LINES_PER_WRITE).await?;
        if chunk.is_empty() {
            break;
        }
        streaming.chunk(chunk).await?;
    }
    streaming.whole.end(head, &lines.digest());
    streaming.finish().await?;
    Ok(())
}

impl Streaming<'_> {
    async fn chunk(&mut self, chunk: Vec<Result<Line, Fault>>) -> Result<(), FlowError> {
        let mut rows = Vec::with_capacity(chunk.len());
        for line in chunk {
            match line {
                Ok(line) => {
                    if self.whole.line(&line) {
                        rows.push(self.payment(line).await?);
                    }
                }
                Err(fault) => self.whole.unread(fault),
            }
        }
        // A register that will be refused is read on for its faults, but kept no further.
        if !self.whole.faults.is_empty() {
            return Ok(());
        }
        self.ctx.store.append_payments(&mut self.receiving, rows, self.ctx.now_ms()).await?;
        if self.keys.len() >= KEYS_PER_WRITE {
            self.flush_keys().await?;
        }
        Ok(())
    }

    async fn flush_keys(&mut self) -> Result<(), FlowError> {
        let keys = std::mem::take(&mut self.keys);
        let key_id = self.ctx.blinder.key_id();
        let receiving = &mut self.receiving;
        Ok(self.ctx.store.append_person_keys(receiving, self.head, key_id, keys).await?)
    }

    async fn payment(&mut self, line: Line) -> Result<NewPayment, FlowError> {
        let mut hold = self.payments.hold(&line);
        let mut replaces = None;
        if let Some(named) = &line.replaces {
            replaces = self.resolve(named).await?;
            if let Some(replaced) = replaces {
                self.replaced.insert(line.line, replaced);
                hold = hold.or(self.other_amount(&line, replaced).await?);
            } else {
                let detail = format!(
                    "清册 {} 第 {} 版第 {} 行不存在、资金尚未退回，或已经重新申请过",
                    named.register_id, named.revision, named.line
                );
                hold = hold.or(Some(NewHold { reason: HoldReason::ReplacedNotOpen, detail }));
            }
        }
        let town = self.town(&line.village);
        if hold.is_some() {
            self.held.insert(line.line, line.amount);
            self.held_towns.insert(town);
        }
        let document = comparable_number(&line.person.document_number);
        let blind = self.ctx.blinder.blind("document", document.as_bytes());
        self.keys.push(PersonKey { blind, line: line.line });
        self.note_content(&line);
        let person =
            self.sealer.seal(line.line, line.amount, &line.bank, &line.person, &line.village);
        Ok(NewPayment {
            line: line.line,
            bank: line.bank,
            town,
            amount: line.amount,
            person,
            hold,
            replaces,
        })
    }

    fn note_content(&mut self, line: &Line) {
        let person = &line.person;
        let texts = [&person.name, &person.document_number, &person.account, &line.village];
        let blind = self.ctx.blinder.blind("line", texts.map(String::as_str).join("\0").as_bytes());
        let row = self.content.row("line").int(line.line).text(&line.bank);
        row.int(line.amount.get()).bytes(&blind);
    }

    /// The town that a payment belongs to: its village's, or where that is no code, the one that
    /// the register's head names; a made-up town would be told nothing.
    fn town(&self, village: &str) -> i64 {
        let code = if village_code_is_plausible(village) {
            town_of(village)
        } else {
            Some(self.head.town.as_str())
        };
        code.and_then(|town| town.parse().ok()).unwrap_or(0)
    }

    /// The payment that a line replaces, where that one's money is back and was not released again
    /// before: by another line of this register, or by one whose own money is not back.
    async fn resolve(&self, named: &Replaces) -> Result<Option<PaymentId>, FlowError> {
        let store = &self.ctx.store;
        let register = self.receiving.register;
        // Lines name payments of the same source; its name is with the register.
        let source = store.register_facts(register).await?.source;
        let Some(payment) =
            store.payment_named(&source, &named.register_id, named.revision, named.line).await?
        else {
            return Ok(None);
        };
        if store.standings(&[payment]).await? != [Standing::Back]
            || self.replaced.values().any(|other| *other == payment)
        {
            return Ok(None);
        }
        let others = store.replacements(payment, register).await?;
        let standings = store.standings(&others).await?;
        let free = |standing: &Standing| match standing {
            Standing::Absent | Standing::Back | Standing::Withdrawn => true,
            Standing::Held | Standing::Unsent | Standing::Sent => false,
        };
        Ok(standings.iter().all(free).then_some(payment))
    }

    /// A payment is released again with the amount that was approved: another one is another payment,
    /// and somebody looks at it first.
    async fn other_amount(
        &self,
        line: &Line,
        replaced: PaymentId,
    ) -> Result<Option<NewHold>, FlowError> {
        let (before, _) = self.ctx.store.amount_and_town(replaced).await?;
        let detail = || format!("原明细 {replaced} 为 {before} 元，本行为 {} 元", line.amount);
        Ok((before != line.amount)
            .then(|| NewHold { reason: HoldReason::ReplacedAmount, detail: detail() }))
    }

    async fn finish(mut self) -> Result<(), FlowError> {
        let ctx = self.ctx;
        let register = self.receiving.register;
        if !self.whole.faults.is_empty() {
            let faults = std::mem::take(&mut self.whole.faults);
            tracing::warn!(%register, faults = faults.len(), "a register is refused as a whole");
            let (count, sum) = self.whole.read();
            let receipt = Receipt { count, sum, ..Receipt::refused(faults.clone()) };
            let reports = receipts(ctx, register, self.head, &receipt, "0");
            ctx.store.refuse_register(register, &faults, &reports, ctx.now_ms()).await?;
            return Ok(());
        }
        self.flush_keys().await?;
        let (doubles, sent_earlier) = self.doubles().await?;
        let (count, sum) = self.receiving.totals();
        let held: BTreeMap<i64, Fen> = self.held.clone();
        let mut warnings = Vec::new();
        if self.payments.luhn_warnings > 0 {
            warnings.push(format!(
                "{} 个账号未通过 Luhn 校验（仅提示，不影响发放）",
                self.payments.luhn_warnings
            ));
        }
        let receipt = Receipt {
            faults: Vec::new(),
            count,
            sum,
            held_count: i64::try_from(held.len()).unwrap_or(i64::MAX),
            held_sum: held.values().copied().sum(),
            warnings,
        };
        let mut reports = receipts(ctx, register, self.head, &receipt, "0");
        reports.extend(set_asides(ctx, register, self.head, &held, &self.held_towns));
        let times = StartTimes {
            received_at_ms: self.receiving.received_at_ms,
            approved_at_ms: self.head.approved_at_ms,
            funded_at_ms: self.head.funded_at_ms,
        };
        let start_at_ms = ctx.duty.start.start(times);
        let acceptance = Acceptance {
            start_at_ms,
            deadline_at_ms: start_at_ms.map(|at| at + ctx.duty.allowed_ms),
            settle_at_ms: Some(self.receiving.received_at_ms + ctx.duty.settle_after_ms),
            doubles,
            sent_earlier,
            content: self.content.finish(),
            reports,
        };
        let key_id = ctx.blinder.key_id();
        ctx.store.accept_register(self.receiving, acceptance, key_id, ctx.now_ms()).await?;
        tracing::info!(%register, payments = count, held = held.len(), "a register is accepted");
        Ok(())
    }

    /// Where a payment stands, in the words of finance, which does not know our numbers.
    async fn place(&self, payment: PaymentId) -> Result<String, FlowError> {
        let PaymentId { register, line } = payment;
        if register == self.receiving.register {
            return Ok(format!("本清册第 {line} 行"));
        }
        let other = self.ctx.store.register_facts(register).await?;
        Ok(format!("清册 {} 第 {} 版第 {line} 行（{payment}）", other.id, other.revision))
    }

    /// Sets aside lines whose person is already paid or under way for this programme and period;
    /// the first of several in one register stays. Says also which were sent under an earlier
    /// revision; those are set aside for that.
    async fn doubles(&mut self) -> Result<(Vec<(i64, NewHold)>, BTreeSet<i64>), FlowError> {
        let store = &self.ctx.store;
        let register = self.receiving.register;
        let key_id = self.ctx.blinder.key_id();
        let sent_earlier = store.sent_earlier(register, key_id).await?;
        let mut out = BTreeMap::new();
        for line in sent_earlier.iter().filter(|line| !self.held.contains_key(line)) {
            let detail = "这一行或这个人已按前一版本发送".to_owned();
            out.insert(*line, NewHold { reason: HoldReason::SentEarlier, detail });
        }
        let found = store.doubles(register, self.head, key_id).await?;
        for double in found {
            if self.held.contains_key(&double.line)
                || out.contains_key(&double.line)
                || self.replaced.get(&double.line) == Some(&double.other)
            {
                continue;
            }
            let under_way = if double.other.register == register {
                double.other.line < double.line && !self.held.contains_key(&double.other.line)
            } else {
                let standing = store.standings(&[double.other]).await?;
                matches!(standing.first(), Some(Standing::Unsent | Standing::Sent))
            };
            if under_way {
                let other = self.place(double.other).await?;
                let detail = format!("与{other}是同一人、同一项目、同一期");
                out.insert(double.line, NewHold { reason: HoldReason::Double, detail });
            }
        }
        for line in out.keys() {
            let (amount, town) = store.amount_and_town(PaymentId { register, line: *line }).await?;
            self.held.insert(*line, amount);
            self.held_towns.insert(town);
        }
        Ok((out.into_iter().collect(), sent_earlier))
    }
}
