//! A finance without a network: it lists what a test approves, decides what a test decides, and
//! keeps every report that was brought to it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use daifa::finance::stream::Rows;
use daifa::finance::wire::{HeadWire, LineWire, read_head};
use daifa::finance::{
    Acknowledged, Decision, Finance, FinanceError, Lines, Listed, Page, RegisterEvent, Verdict,
};
use daifa::guard::digest::ContentDigest;
use daifa::model::money::Fen;
use daifa::model::payment::{Line, Replaces};
use daifa::model::person::Person;
use daifa::model::register::{Fault, RegisterHead};
use daifa::sandbox::people::{Naming, People};
use daifa::sandbox::trigger::Trigger;
use serde_json::Value;

use crate::house::NOW;

pub const TOWN: &str = "610728101";
pub const OTHER_TOWN: &str = "610728102";
pub const DEPARTMENT: &str = "县农业农村局";

/// A payee that nobody is, the same for the same number.
pub fn person(number: u64) -> Person {
    People::new(9).person(number, 1, Naming::Usual, None)
}

/// The payee of this number with an account that a practice bank reacts to.
pub fn triggering(number: u64, trigger: Trigger) -> Person {
    People::new(9).person(number, 1, Naming::Usual, Some(trigger))
}

/// A register as finance writes it, before it is offered.
#[derive(Clone)]
pub struct Draft {
    pub head: RegisterHead,
    pub lines: Vec<Line>,
    /// Instead of what the lines say.
    raw: Option<Vec<String>>,
}

impl Draft {
    /// A funded register of its own period, without lines.
    pub fn new(id: &str, revision: i64) -> Self {
        let head = RegisterHead {
            id: id.to_owned(),
            revision,
            programme_code: "P01".to_owned(),
            programme_name: "耕地地力保护补贴".to_owned(),
            summary: "地力补贴".to_owned(),
            department: DEPARTMENT.to_owned(),
            town: TOWN.to_owned(),
            document_no: "示例〔2026〕1号".to_owned(),
            period: format!("2026-{id}"),
            entered_by: "录入岗01".to_owned(),
            reviewed_by: "复核岗02".to_owned(),
            approved_at_ms: NOW - 60_000,
            funded_at_ms: Some(NOW - 30_000),
            pool_account: "6107280000000000001".to_owned(),
            voucher_no: "5201-0001".to_owned(),
            declared_count: 0,
            declared_sum: Fen::ZERO,
            digest: [0; 32],
        };
        Self { head, lines: Vec::new(), raw: None }
    }

    /// Adds `count` lines of as many people, `100.00`, `101.00` and so on yuan.
    pub fn lines(mut self, bank: &str, count: i64) -> Self {
        for _ in 0..count {
            let line = self.lines.len() as i64 + 1;
            self.lines.push(Line {
                line,
                person: person(line as u64),
                bank: bank.to_owned(),
                village: format!("{TOWN}001"),
                amount: Fen::new(9_900 + line * 100),
                replaces: None,
            });
        }
        self
    }

    /// Changes a line.
    pub fn line(mut self, line: i64, change: impl FnOnce(&mut Line)) -> Self {
        let found = self.lines.iter_mut().find(|known| known.line == line).expect("a line");
        change(found);
        self
    }

    pub fn head(mut self, change: impl FnOnce(&mut RegisterHead)) -> Self {
        change(&mut self.head);
        self
    }

    pub fn replacing(self, line: i64, id: &str, revision: i64, replaced: i64) -> Self {
        let register_id = id.to_owned();
        self.line(line, |line| {
            line.replaces = Some(Replaces { register_id, revision, line: replaced });
        })
    }

    /// Spells the lines; then changes the JSON of one.
    pub fn spelled(mut self, at: usize, change: impl FnOnce(&mut Value)) -> Self {
        let mut raw = self.raw.take().unwrap_or_else(|| self.spell());
        let mut value: Value = serde_json::from_str(&raw[at]).expect("JSON");
        change(&mut value);
        raw[at] = value.to_string();
        self.raw = Some(raw);
        self
    }

    fn spell(&self) -> Vec<String> {
        let spell = |line: &Line| serde_json::to_string(&LineWire::from(line.clone()));
        self.lines.iter().map(|line| spell(line).expect("writes")).collect()
    }

    pub fn sum(&self) -> Fen {
        self.lines.iter().map(|line| line.amount).sum()
    }

    /// Declares what is there, and signs it with its digest.
    pub fn declared(mut self) -> Offer {
        self.head.declared_count = self.lines.len() as i64;
        self.head.declared_sum = self
            .lines
            .iter()
            .try_fold(Fen::ZERO, |sum, line| sum.checked_add(line.amount))
            .unwrap_or(Fen::new(i64::MAX));
        self.signed()
    }

    /// Signs what is there under the head as it stands.
    pub fn signed(mut self) -> Offer {
        let raw = self.raw.take().unwrap_or_else(|| self.spell());
        let mut digest = ContentDigest::of_head(&self.head);
        for line in &raw {
            digest.line(line.as_bytes());
        }
        self.head.digest = digest.finish();
        Offer { head: self.head, raw, breaks_after: None, unended: false }
    }
}

/// A register as finance gives it out.
#[derive(Clone)]
pub struct Offer {
    pub head: RegisterHead,
    raw: Vec<String>,
    /// The stream breaks behind so many lines.
    pub breaks_after: Option<usize>,
    /// The last line has no line end.
    pub unended: bool,
}

/// How finance takes reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ear {
    Open,
    /// It takes the report, and its answer is lost.
    Lossy,
    Refusing,
    Down,
}

/// One try to bring a report.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: String,
    pub body: Bytes,
}

impl Delivery {
    pub fn head(&self) -> Value {
        let text = std::str::from_utf8(&self.body).expect("UTF-8");
        serde_json::from_str(text.lines().next().expect("a head")).expect("JSON")
    }

    pub fn rows(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).expect("UTF-8");
        text.lines().skip(1).map(|row| serde_json::from_str(row).expect("JSON")).collect()
    }

    pub fn is(&self, kind: &str, recipient: &str) -> bool {
        let head = self.head();
        head["kind"] == kind && head["recipient"]["kind"] == recipient
    }
}

struct Desk {
    listed: Vec<Listed>,
    offers: BTreeMap<(String, i64), Offer>,
    decisions: Vec<Decision>,
    deliveries: Vec<Delivery>,
    ear: Ear,
    reachable: bool,
    /// Calls of any kind.
    calls: usize,
    /// Registers whose head cannot be read, and why.
    unreadable: BTreeMap<(String, i64), Bad>,
    /// Heads as they are spelled, where that is not what the offer says.
    spelled: BTreeMap<(String, i64), String>,
}

/// Why a head cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    Missing,
    /// What answers there is something in between.
    Garbage,
    /// Finance breaks down over it, and over nothing else.
    Breaks,
}

pub struct County {
    source: String,
    clock: daifa::clock::ManualClock,
    desk: Mutex<Desk>,
}

impl County {
    pub fn new(source: &str, clock: daifa::clock::ManualClock) -> Self {
        let desk = Desk {
            listed: Vec::new(),
            offers: BTreeMap::new(),
            decisions: Vec::new(),
            deliveries: Vec::new(),
            ear: Ear::Open,
            reachable: true,
            calls: 0,
            unreadable: BTreeMap::new(),
            spelled: BTreeMap::new(),
        };
        Self { source: source.to_owned(), clock, desk: Mutex::new(desk) }
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().expect("no test panics here")
    }

    fn list(desk: &mut Desk, id: &str, revision: i64, event: RegisterEvent) {
        let cursor = format!("{:06}", desk.listed.len() + 1);
        desk.listed.push(Listed { cursor, id: id.to_owned(), revision, event });
    }

    /// Offers a register; the same identity again is listed again, with what it is now.
    pub fn offer(&self, offer: Offer) {
        let mut desk = self.desk();
        let (id, revision) = (offer.head.id.clone(), offer.head.revision);
        Self::list(&mut desk, &id, revision, RegisterEvent::Approved);
        desk.offers.insert((id, revision), offer);
    }

    /// Changes what is offered without listing it again.
    pub fn change(&self, id: &str, revision: i64, change: impl FnOnce(&mut Offer)) {
        let mut desk = self.desk();
        change(desk.offers.get_mut(&(id.to_owned(), revision)).expect("offered"));
    }

    pub fn revoke(&self, id: &str, revision: i64) {
        Self::list(&mut self.desk(), id, revision, RegisterEvent::Revoked);
    }

    pub fn decide(&self, id: &str, revision: i64, line: i64, action: Verdict) {
        self.decide_as("财政岗03", id, revision, line, action);
    }

    pub fn decide_as(&self, by: &str, id: &str, revision: i64, line: i64, action: Verdict) {
        let mut desk = self.desk();
        let cursor = format!("{:06}", desk.decisions.len() + 1);
        desk.decisions.push(Decision {
            cursor,
            register: id.to_owned(),
            revision,
            line,
            action,
            by: by.to_owned(),
            reason: "核实".to_owned(),
        });
    }

    pub fn ear(&self, ear: Ear) {
        self.desk().ear = ear;
    }

    pub fn reachable(&self, reachable: bool) {
        self.desk().reachable = reachable;
    }

    /// Every try to bring a report, in order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.desk().deliveries.clone()
    }

    /// Reports of a kind to a recipient, in order.
    pub fn told(&self, kind: &str, recipient: &str) -> Vec<Delivery> {
        self.deliveries().into_iter().filter(|told| told.is(kind, recipient)).collect()
    }

    /// How often it was called, for whatever.
    pub fn calls(&self) -> usize {
        self.desk().calls
    }

    /// From now on this head cannot be read, or can again.
    pub fn unreadable(&self, id: &str, revision: i64, why: Option<Bad>) {
        let mut desk = self.desk();
        let key = (id.to_owned(), revision);
        match why {
            Some(why) => drop(desk.unreadable.insert(key, why)),
            None => drop(desk.unreadable.remove(&key)),
        }
    }

    /// From now on the JSON of this head is spelled in another way.
    pub fn spell(&self, id: &str, revision: i64, change: impl FnOnce(&mut Value)) {
        let mut desk = self.desk();
        let key = (id.to_owned(), revision);
        let head = HeadWire::from(&desk.offers.get(&key).expect("offered").head);
        let mut value = serde_json::to_value(&head).expect("JSON");
        change(&mut value);
        desk.spelled.insert(key, value.to_string());
    }

    fn reached(&self) -> Result<std::sync::MutexGuard<'_, Desk>, FinanceError> {
        let mut desk = self.desk();
        desk.calls += 1;
        if desk.reachable {
            return Ok(desk);
        }
        Err(FinanceError::Unreachable("connection refused".to_owned()))
    }
}

fn page<T: Clone>(all: &[T], after: Option<&str>, limit: usize, cursor: fn(&T) -> &str) -> Page<T> {
    let behind = all.iter().filter(|item| after.is_none_or(|after| cursor(item) > after));
    let items: Vec<T> = behind.clone().take(limit).cloned().collect();
    let next = items.last().map(|last| cursor(last).to_owned());
    let more = behind.count() > items.len();
    Page { items, next: next.filter(|_| more) }
}

#[async_trait]
impl Finance for County {
    fn source(&self) -> &str {
        &self.source
    }

    async fn listed(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, FinanceError> {
        Ok(page(&self.reached()?.listed, after, limit, |item| &item.cursor))
    }

    async fn head(&self, id: &str, revision: i64) -> Result<RegisterHead, FinanceError> {
        let desk = self.reached()?;
        match desk.unreadable.get(&(id.to_owned(), revision)) {
            None => {}
            Some(Bad::Missing) => {
                let words = "not_found: no such register".to_owned();
                return Err(FinanceError::Rejected { status: 404, words });
            }
            Some(Bad::Garbage) => {
                let words = "the answer is text/html, not application/json".to_owned();
                return Err(FinanceError::Protocol(words));
            }
            Some(Bad::Breaks) => {
                return Err(FinanceError::Unreachable("status 500".to_owned()));
            }
        }
        if let Some(spelled) = desk.spelled.get(&(id.to_owned(), revision)) {
            return read_head(spelled.as_bytes(), id, revision);
        }
        let found = desk.offers.get(&(id.to_owned(), revision)).map(|offer| offer.head.clone());
        found.ok_or(FinanceError::Rejected { status: 404, words: "unknown".to_owned() })
    }

    async fn lines(&self, head: &RegisterHead) -> Result<Box<dyn Lines>, FinanceError> {
        let desk = self.reached()?;
        let offer = desk.offers.get(&(head.id.clone(), head.revision)).expect("offered").clone();
        Ok(Box::new(Passing { offer, rows: Rows::new(head), at: 0 }))
    }

    async fn decisions(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Decision>, FinanceError> {
        Ok(page(&self.reached()?.decisions, after, limit, |item| &item.cursor))
    }

    async fn deliver(&self, report_id: &str, body: Bytes) -> Result<Acknowledged, FinanceError> {
        let at_ms = daifa::clock::Clock::now_ms(&self.clock);
        let mut desk = self.desk();
        desk.calls += 1;
        desk.deliveries.push(Delivery { id: report_id.to_owned(), body });
        match desk.ear {
            Ear::Open => {
                Ok(Acknowledged { report_id: report_id.to_owned(), acknowledged_at_ms: at_ms })
            }
            Ear::Lossy => Err(FinanceError::Unreachable("the answer was lost".to_owned())),
            Ear::Down => Err(FinanceError::Unreachable("connection refused".to_owned())),
            Ear::Refusing => {
                Err(FinanceError::Rejected { status: 422, words: "not understood".to_owned() })
            }
        }
    }
}

/// The lines of an offer on their way.
struct Passing {
    offer: Offer,
    rows: Rows,
    at: usize,
}

#[async_trait]
impl Lines for Passing {
    async fn next(&mut self, max: usize) -> Result<Vec<Result<Line, Fault>>, FinanceError> {
        let mut out = Vec::new();
        // Small pieces, so that a break comes behind lines that were kept.
        while out.len() < max.min(2) && self.at < self.offer.raw.len() {
            if self.offer.breaks_after == Some(self.at) {
                if out.is_empty() {
                    return Err(FinanceError::Unreachable("the stream broke".to_owned()));
                }
                break;
            }
            self.rows.push(self.offer.raw[self.at].as_bytes());
            self.at += 1;
            if self.at < self.offer.raw.len() || !self.offer.unended {
                self.rows.push(b"\n");
            }
            while let Some(line) = self.rows.take() {
                out.push(line);
            }
        }
        if self.at == self.offer.raw.len() {
            out.extend(self.rows.end().map(Err));
        }
        Ok(out)
    }

    fn digest(&self) -> [u8; 32] {
        self.rows.digest()
    }
}
