//! The daemon without its engine: the steps over a real store in a file, with a clock that stands
//! still until it is moved. A test drives the steps until none has anything to do, looks, and ends
//! with [`House::sound`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daifa::clock::{Clock, Dice, ManualClock};
use daifa::finance::Finance;
use daifa::flow::breaker::BreakerRule;
use daifa::flow::doors::Doors;
use daifa::flow::expect::Answers;
use daifa::flow::opening::Opening;
use daifa::flow::reach::Reach;
use daifa::flow::spoken::is_english;
use daifa::flow::{self, Bank, BankRules, Ctx, Duty, FlowError, Pace, Progress, Step};
use daifa::format::Format;
use daifa::guard::blind::Blinder;
use daifa::guard::key::Key;
use daifa::guard::seal::Sealer;
use daifa::model::deadline::StartEvent;
use daifa::model::id::{PaymentId, RegisterNo};
use daifa::model::place::Places;
use daifa::store::life::Life;
use daifa::store::view::{AlertRow, RegisterPage};
use daifa::store::{Location, Store, StoreError};
use daifa::transport::Transport;
use serde_json::Value;

use crate::beside;
use crate::cluster::cluster;
use crate::counter::Counter;
use crate::county::{County, Offer};

/// 2026-11-23 15:49:04 in the county.
pub const NOW: i64 = 1_795_420_144_000;
pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
/// After sending, "not found" means nothing before this.
pub const VISIBLE: i64 = 10 * MINUTE;

/// For so long a bank knows a repeat by our reference.
pub const DUPLICATE: i64 = 72 * HOUR;

/// For so long a bank is left alone.
pub const REST: i64 = 10 * MINUTE;

/// A bank that takes files, and one that takes messages.
pub const FILES: &str = "rural";
pub const CALLS: &str = "city";

/// Names the database of every house of this run, where it is not a file: see `road/postgres.rs`.
pub const DATABASE: &str = "DAIFA_TEST_ROAD";

/// A fresh database: a file in the house, or one of its own on the cluster of this run.
async fn database(folder: &std::path::Path) -> Location {
    if std::env::var_os(DATABASE).is_some_and(|word| word == "postgres") {
        let cluster = cluster().expect("whoever asks for PostgreSQL has seen that it is installed");
        return Location::Postgres(cluster.database().await);
    }
    Location::Sqlite(folder.join("daifa.sqlite"))
}

pub fn duty() -> Duty {
    Duty {
        start: StartEvent::LaterOfReceivedAndFunded,
        allowed_ms: 24 * HOUR,
        funded_only: true,
        settle_after_ms: 72 * HOUR,
        drop_held_after_ms: None,
        pool_bank: FILES.to_owned(),
    }
}

fn rules(format: &Format, files: bool) -> BankRules {
    BankRules {
        rows_max: 1_000,
        visibility_delay_ms: VISIBLE,
        duplicate_window_ms: DUPLICATE,
        ask_after_ms: 10 * MINUTE,
        ask_every_ms: MINUTE,
        return_every_ms: 15 * MINUTE,
        return_window_ms: 240 * HOUR,
        resend_after_ms: SECOND,
        reference_prefix: "T".to_owned(),
        answers: Answers::of(format, files),
        breaker: BreakerRule { after: 3, rest_ms: REST },
        years: None,
    }
}

/// Is any text of this JSON a sentence in English?
fn tells_english(told: &Value) -> bool {
    match told {
        Value::String(text) => is_english(text),
        Value::Array(all) => all.iter().any(tells_english),
        Value::Object(fields) => fields.values().any(tells_english),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub struct House {
    pub dir: tempfile::TempDir,
    location: Location,
    pub clock: ManualClock,
    ctx: Option<Ctx>,
    pub county: Arc<County>,
    counties: Vec<Arc<County>>,
    /// The bank with folders, and the one that is called.
    pub files: Arc<Counter>,
    pub calls: Arc<Counter>,
    /// Other doors and formats than the scripted ones.
    pub doors: BTreeMap<String, (Arc<dyn Transport>, Arc<Format>)>,
    pub rows_max: usize,
    /// What else is agreed with a bank.
    pub agreed: Option<fn(&str, &mut BankRules)>,
    /// Another code of the bank with folders.
    pub renamed: Option<&'static str>,
    pub duty: Duty,
    /// How often the database was restored from a backup, as the config says.
    pub epoch: u8,
    /// How a process that starts opens what it reads and writes; as after one that ended well.
    pub opening: Option<Box<dyn Fn() -> Opening + Send + Sync>>,
    /// What steps said that passes by itself, as the engine logs it.
    pub troubles: Vec<String>,
}

/// Opens the database. A process that another test starts just now has a copy of the lock that we let go, until it
/// has become another program.
async fn opened(location: &Location) -> Store {
    for _ in 0..500 {
        match Store::open(location).await {
            Err(StoreError::SecondInstance { .. }) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            opened => return opened.expect("opens"),
        }
    }
    panic!("somebody keeps {location:?}")
}

impl House {
    pub async fn open() -> Self {
        Self::with(duty()).await
    }

    pub async fn with(duty: Duty) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let location = database(dir.path()).await;
        let bank = dir.path().join("bank");
        let mut house = Self::built(dir, location, &bank, NOW, duty);
        house.start().await;
        house
    }

    /// Another process that is to go on with the embedded database and the bank's folders of a house that has
    /// stopped, at this time. Its finance offers nothing.
    pub fn beside(home: &Path, now_ms: i64) -> Self {
        let location = Location::Sqlite(home.join("daifa.sqlite"));
        let dir = tempfile::tempdir().expect("a folder");
        Self::built(dir, location, &home.join("bank"), now_ms, duty())
    }

    fn built(
        dir: tempfile::TempDir,
        location: Location,
        bank: &Path,
        now_ms: i64,
        duty: Duty,
    ) -> Self {
        let clock = ManualClock::at(now_ms);
        let county = Arc::new(County::new("county", clock.clone()));
        Self {
            files: Arc::new(Counter::files(bank)),
            calls: Arc::new(Counter::messages()),
            location,
            dir,
            clock,
            ctx: None,
            counties: vec![Arc::clone(&county)],
            county,
            doors: BTreeMap::new(),
            rows_max: 1_000,
            agreed: None,
            renamed: None,
            duty,
            epoch: 0,
            opening: None,
            troubles: Vec::new(),
        }
    }

    /// Adds a second finance.
    pub async fn another_county(&mut self, source: &str) -> Arc<County> {
        let county = Arc::new(County::new(source, self.clock.clone()));
        self.counties.push(Arc::clone(&county));
        self.restart().await;
        county
    }

    pub const fn database(&self) -> &Location {
        &self.location
    }

    /// As the daemon starts: what was under way at the last stop is taken up.
    async fn start(&mut self) {
        let store = Arc::new(opened(&self.location).await);
        store.sweep_receiving().await.expect("swept");
        store.recover_sending(self.clock.now_ms()).await.expect("recovered");
        let mut banks = BTreeMap::new();
        let named = self.renamed.unwrap_or(FILES);
        for (code, counter) in [(named, &self.files), (CALLS, &self.calls)] {
            let door: Arc<dyn Transport> = Arc::clone(counter) as Arc<dyn Transport>;
            let scripted = (door, Arc::clone(&counter.format));
            let (door, format) = self.doors.get(code).cloned().unwrap_or(scripted);
            let mut rules = rules(&format, code == named);
            rules.rows_max = self.rows_max;
            if let Some(agree) = self.agreed {
                agree(code, &mut rules);
            }
            let bank = Bank {
                code: code.to_owned(),
                name: format!("示例{code}"),
                format,
                doors: Doors::one(door),
                rules,
            };
            banks.insert(code.to_owned(), bank);
        }
        self.ctx = Some(Ctx {
            store,
            clock: Arc::new(self.clock.clone()),
            sealer: Arc::new(Sealer::new([(1, Key::new([7; 32]))], 1).expect("a key")),
            blinder: Arc::new(Blinder::new(1, &Key::new([8; 32]))),
            sources: self
                .counties
                .iter()
                .map(|county| Arc::clone(county) as Arc<dyn Finance>)
                .collect(),
            banks,
            duty: self.duty.clone(),
            pace: Pace {
                pull_every_ms: 30 * SECOND,
                arrivals_every_ms: 5 * SECOND,
                report_retry_ms: 10 * SECOND,
            },
            install: "test".to_owned(),
            epoch: i64::from(self.epoch),
            old_formats: std::sync::Mutex::default(),
            waits: flow::waits::Waits::default(),
            unfetched: Arc::default(),
            halves: flow::halves::Halves::default(),
            opening: self.opening.as_ref().map_or_else(Opening::default, |begin| begin()),
            side_files: flow::beside::SideFiles::default(),
            left_off: flow::arrivals::LeftOff::default(),
            tally: Arc::default(),
            pulls: Reach::new(Dice::seeded(5)),
            deliveries: Reach::new(Dice::seeded(6)),
            dice: std::sync::Mutex::new(Dice::seeded(7)),
        });
    }

    /// Stops without a word and starts again: what is not durable is gone.
    pub async fn restart(&mut self) {
        self.stop();
        self.start().await;
    }

    /// A copy of the embedded database as it is now.
    pub async fn backup(&self, name: &str) -> PathBuf {
        let copy = self.dir.path().join(name);
        self.tamper(&format!("VACUUM INTO '{}'", copy.display())).await;
        copy
    }

    /// Stops, and starts again on a copy that was made before.
    pub async fn bring_back(&mut self, copy: &Path) {
        let Location::Sqlite(database) = self.location.clone() else { panic!("a file is meant") };
        // Its connections end, and with them the files beside it.
        self.store().close().await;
        self.stop();
        for suffix in ["-wal", "-shm"] {
            let mut beside = database.clone().into_os_string();
            beside.push(suffix);
            std::fs::remove_file(beside).ok();
        }
        std::fs::copy(copy, &database).expect("copied");
        self.start().await;
    }

    pub fn stop(&mut self) {
        self.ctx = None;
    }

    /// Hands the daemon over to whoever runs its engine.
    pub fn leave(&mut self) -> Ctx {
        self.ctx.take().expect("it runs")
    }

    /// A bank is not in the config any more.
    pub fn forget_bank(&mut self, code: &str) {
        let ctx = self.ctx.as_mut().expect("it runs");
        ctx.banks.remove(code).expect("such a bank");
    }

    pub fn ctx(&self) -> &Ctx {
        self.ctx.as_ref().expect("it runs")
    }

    pub fn store(&self) -> &Store {
        &self.ctx().store
    }

    pub async fn step(&mut self, step: Step) -> Result<Progress, FlowError> {
        let ctx = self.ctx();
        let (mut more, mut until_ms) = (false, None);
        for lane in flow::lanes(ctx).iter().filter(|lane| lane.step == step) {
            match flow::step(ctx, lane).await? {
                Progress::More => more = true,
                Progress::Idle { until_ms: due } => {
                    until_ms = until_ms.into_iter().chain(due).min();
                }
            }
        }
        Ok(if more { Progress::More } else { Progress::Idle { until_ms } })
    }

    /// Runs one step until it is idle.
    pub async fn only(&mut self, step: Step) {
        for _ in 0..100 {
            if self.step(step).await.expect("the step goes on") != Progress::More {
                return;
            }
        }
        panic!("{step} is never idle");
    }

    /// Runs all steps until none has anything to do now.
    pub async fn run(&mut self) {
        for _ in 0..200 {
            let mut more = false;
            for step in Step::ALL {
                match self.step(*step).await {
                    Ok(progress) => more |= progress == Progress::More,
                    Err(cause) if cause.is_fatal() => panic!("{step} must stop: {cause}"),
                    Err(cause) => self.troubles.push(format!("{step}: {cause}")),
                }
            }
            if !more {
                return;
            }
        }
        panic!("the steps are never idle: {:?}", self.troubles.last());
    }

    /// Lets time pass, then runs all steps.
    pub async fn pass(&mut self, ms: i64) {
        self.clock.advance_ms(ms);
        self.run().await;
    }

    /// Lets `total_ms` pass in pieces, so that whatever is due in between happens when it is due.
    pub async fn live(&mut self, total_ms: i64, piece_ms: i64) {
        for _ in 0..total_ms / piece_ms {
            self.pass(piece_ms).await;
        }
    }

    /// Runs a step that is cut off in the middle of a call to a bank, as a crash does; then starts
    /// again.
    pub async fn crash_while_sending(&mut self, counter: &Counter) {
        let hanging = Arc::clone(&counter.hanging);
        {
            let sending = self.step(Step::Submit);
            tokio::pin!(sending);
            tokio::select! {
                done = &mut sending => panic!("it came back: {done:?}"),
                () = hanging.notified() => {}
            }
        }
        self.restart().await;
    }

    /// Offers a register and takes it as far as it goes without time passing.
    pub async fn take(&mut self, offer: Offer) {
        self.county.offer(offer);
        self.run().await;
    }

    pub async fn places(&self) -> Places {
        self.store().totals().await.expect("read").places
    }

    /// Yuan in each place: unsent, in flight, credited, refundable, refunded.
    pub async fn five(&self, register: i64) -> [i64; 5] {
        let p = self.page(register).await.row.places;
        [p.unsent, p.in_flight, p.credited, p.refundable, p.refunded].map(|fen| fen.get() / 100)
    }

    pub async fn page(&self, register: i64) -> RegisterPage {
        let page = self.store().register_page(RegisterNo(register)).await.expect("read");
        page.expect("such a register")
    }

    pub async fn state(&self, register: i64) -> String {
        self.page(register).await.row.state.to_string()
    }

    pub async fn life(&self, register: i64, line: i64) -> Life {
        let id = PaymentId { register: RegisterNo(register), line };
        self.store().life(id).await.expect("read").expect("such a payment")
    }

    /// Reasons of the payments set aside at intake, by line.
    pub async fn holds(&self, register: i64) -> BTreeMap<i64, String> {
        let rows = self.store().set_aside_rows(RegisterNo(register)).await.expect("read");
        rows.into_iter().map(|row| (row.line, row.reason.to_string())).collect()
    }

    /// Alerts that stand.
    pub async fn alerts(&self) -> Vec<AlertRow> {
        self.store().overview(10).await.expect("read").alerts
    }

    pub async fn alert(&self, kind: &str) -> Option<AlertRow> {
        self.alerts().await.into_iter().find(|alert| alert.kind == kind)
    }

    pub async fn reports_due(&self) -> i64 {
        self.store().overview(1).await.expect("read").reports_due
    }

    /// Changes the database behind the daemon's back.
    pub async fn tamper(&self, sql: &str) {
        let done = beside::alter(&self.location, sql).await;
        done.unwrap_or_else(|cause| panic!("{sql}: {cause}"));
    }

    /// Reads a number out of the database.
    pub async fn number(&self, sql: &str) -> i64 {
        beside::number(&self.location, sql).await
    }

    /// Reads texts out of the database.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        beside::texts(&self.location, sql).await
    }

    /// What every test ends with: every fen is in one place, and every row is what the journal
    /// says.
    pub async fn sound(&self) {
        let found = self.store().verify().await.expect("verified");
        assert_eq!(found.problems, Vec::<String>::new());
        assert!(found.places.conserved(), "{:?}", found.places);
        self.reads_in_chinese().await;
    }

    /// Whatever was said to operators, clerks and finance on the way reads in Chinese.
    async fn reads_in_chinese(&self) {
        for sql in [
            "SELECT text FROM alert",
            "SELECT detail FROM hold",
            "SELECT detail FROM quarantine",
            "SELECT why FROM result",
            "SELECT trouble FROM report",
        ] {
            for text in self.texts(sql).await {
                assert!(!is_english(&text), "{sql}: {text}");
            }
        }
        for county in &self.counties {
            for delivery in county.deliveries() {
                let text = std::str::from_utf8(&delivery.body).expect("UTF-8");
                for line in text.lines() {
                    let told: Value = serde_json::from_str(line).expect("JSON");
                    assert!(!tells_english(&told), "{line}");
                }
            }
        }
    }

    /// Everything has come to an end: credited or refunded, told and acknowledged, without trouble.
    pub async fn finished(&self) {
        let places = self.places().await;
        let open = [places.unsent, places.in_flight, places.refundable, places.disputed];
        assert!(open.iter().all(|fen| fen.get() == 0), "{places:?}");
        assert_eq!(self.reports_due().await, 0);
        assert_eq!(self.troubles, Vec::<String>::new());
        self.sound().await;
    }
}
