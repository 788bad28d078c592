//! The status page: every page is drawn from samples, served on a real socket, and shows nobody's
//! data.

#[path = "web/samples.rs"]
mod samples;
#[path = "web/stored.rs"]
mod stored;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use daifa::clock::ManualClock;
use daifa::flow::spoken::is_english;
use daifa::model::alert::AlertKind;
use daifa::model::attempt::AttemptState;
use daifa::model::batch::BatchState;
use daifa::model::decision::{Subject, Verdict};
use daifa::model::hold::HoldReason;
use daifa::model::id::RegisterNo;
use daifa::model::money::Fen;
use daifa::model::person::Person;
use daifa::model::reason::Reason;
use daifa::model::refund::RefundState;
use daifa::store::decide::{Effect, NewDecision};
use daifa::store::view::{AlertRow, AttemptRow, Totals};
use daifa::store::{Location, Store};
use daifa::web::{self, Frame, Health, Metrics, Pages, batch, front, register};
use samples::{CANARIES, frame, sealer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

#[track_caller]
fn says(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word} is not in:\n{html}");
    }
}

#[track_caller]
fn shows_nobody(html: &str) {
    for canary in CANARIES {
        assert!(!html.contains(canary), "a page shows {canary}");
    }
}

#[test]
fn i27_the_front_page_has_everything_and_nobody() {
    let html = front::render(&samples::overview(), &frame()).expect("draws");
    shows_nobody(&html);
    says(&html, &["待发送", "在途", "已入账", "待退回", "已退回财政", "账目相符"]);
    says(
        &html,
        &["剩余 20 小时 46 分", "已超时 2 小时 00 分", "未开始计时", "已完成（曾超时）", "不计时"],
    );
    says(&html, &["发放中", "等待资金到账", "已拒收", "已被新版本替换", "已撤销", "已办结"]);
    says(
        &html,
        &[
            "href=\"/registers/R2\"",
            "href=\"/batches/B12\"",
            "另有 4 项",
            "共 412 份，显示最近 11 份",
        ],
    );
    says(&html, &["12,345,678.90", "已入账 3,100", "结果矛盾 1", "2026-11-23 15:49:04"]);
    assert!(!html.contains("争议款"), "there is none");
    // What waits for finance is among what is to be done.
    says(&html, &["清册拒收", "整份拒收，没有发放任何款项", "有 12 笔暂缓，未发送", "24 小时时限"]);
    let other = Frame { allowed_ms: 90 * 60_000, ..frame() };
    let html = front::render(&samples::overview(), &other).expect("draws");
    says(&html, &["1 小时 30 分时限"]);
    assert!(!html.contains("24 小时时限</th>"), "another time is allowed");
    // Urgent things come first.
    let (late, near) = (html.find("已超时限"), html.find("时限临近"));
    assert!(late.is_some() && late < near, "{late:?} {near:?}");
}

/// Texts of a page, without what a browser does not show.
fn shown(html: &str) -> String {
    let tags =
        regex::Regex::new(r"(?s)<style.*?</style>|<code>.*?</code>|<[^>]*>").expect("a pattern");
    tags.replace_all(html, "\n").into_owned()
}

#[test]
fn every_kind_of_hold_alert_and_state_reads_in_chinese() {
    let mut overview = samples::overview();
    let one = overview.alerts[0].clone();
    let of_kind = |kind: &AlertKind| AlertRow { kind: kind.as_str().to_owned(), ..one.clone() };
    overview.alerts = AlertKind::ALL.iter().map(of_kind).collect();
    let sealer = sealer();
    let mut batches = samples::batch_page(&sealer);
    let attempt = batches.attempts[0].clone();
    let in_state = |state: &AttemptState| AttemptRow {
        state: *state,
        bank_code: String::new(),
        bank_references: vec!["YB-0001".to_owned(), "YB-0002".to_owned()],
        ..attempt.clone()
    };
    batches.attempts = AttemptState::ALL.iter().map(in_state).collect();
    batches.results.clear();
    for html in [
        front::render(&overview, &frame()).expect("draws"),
        register::render(&samples::register_page(), &frame()).expect("draws"),
        batch::render(&batches, &frame(), &sealer, None, &|_| true).expect("draws"),
        batch::render(&batches, &frame(), &sealer, None, &|_| false).expect("draws"),
    ] {
        for line in shown(&html).lines() {
            assert!(!is_english(line), "{line}");
        }
    }
    let html = batch::render(&batches, &frame(), &sealer, None, &|_| true).expect("draws");
    says(&html, &["已送出，银行尚未取走"]);
    let html = batch::render(&batches, &frame(), &sealer, None, &|_| false).expect("draws");
    says(&html, &["已送出，等待银行回执"]);
    assert!(!html.contains("银行已受理"), "nobody has said so");
    let html = front::render(&overview, &frame()).expect("draws");
    for kind in AlertKind::ALL.iter().filter(|kind| **kind != AlertKind::Deadline) {
        says(&html, &[kind.chinese()]);
    }
}

#[test]
fn an_empty_front_page_says_what_will_happen() {
    let html = front::render(&samples::empty_overview(), &frame()).expect("draws");
    says(&html, &["还没有收到清册", "系统会自动接收", "目前没有需要处理的事项"]);
}

#[test]
fn a_long_list_has_pages() {
    let mut overview = samples::overview();
    let html = front::render(&overview, &frame()).expect("draws");
    says(&html, &["href=\"/?before=R12#list\"", "更早的清册"]);
    assert!(!html.contains("最新的清册"), "this is the first page");
    (overview.before, overview.older) = (Some(RegisterNo(13)), false);
    let html = front::render(&overview, &frame()).expect("draws");
    says(&html, &["href=\"/#list\"", "最新的清册", "共 412 份，显示 R13 之前的 11 份"]);
    assert!(!html.contains("更早的清册"), "this is the last page");
    overview.registers.clear();
    let html = front::render(&overview, &frame()).expect("draws");
    says(&html, &["没有更早的清册", "最新的清册"]);
    assert!(!html.contains("还没有收到清册"), "there are some");

    let sealer = sealer();
    let mut page = samples::batch_page(&sealer);
    page.more = true;
    let last = page.failures.last().expect("some").line;
    let html = batch::render(&page, &frame(), &sealer, None, &|_| false).expect("draws");
    says(&html, &[&format!("href=\"/batches/B11?after={last}#failures\""), "后面的明细"]);
    assert!(!html.contains("从头显示"), "this is the first page");
    (page.after, page.more) = (last, false);
    page.failures.clear();
    let html = batch::render(&page, &frame(), &sealer, None, &|_| false).expect("draws");
    says(&html, &["后面没有失败或退回的明细了", "href=\"/batches/B11#failures\""]);
}

#[test]
fn i7_money_that_does_not_add_up_and_disputed_money_are_shouted() {
    let mut overview = samples::overview();
    overview.places.approved = overview.places.approved.checked_add(Fen::new(1)).expect("small");
    overview.places.disputed = Fen::new(16_500);
    let html = front::render(&overview, &frame()).expect("draws");
    says(&html, &["账目不符", "争议款 165.00 元"]);
    assert!(!html.contains("账目相符"));
}

#[test]
fn i27_a_register_has_everything_and_nobody() {
    let html = register::render(&samples::register_page(), &frame()).expect("draws");
    shows_nobody(&html);
    says(
        &html,
        &["622848*********0018", "5201-2026-000123", "镇财农〔2026〕2号", "录入岗 01 / 复核岗 02"],
    );
    says(&html, &["镇巴农村商业银行", "未配置的银行（nobody）", "争议款 165.00", "清册 R9"]);
    says(
        &html,
        &[
            "13 笔待财政放行或撤下",
            "15 份已确认，3 份待确认",
            "财政端返回 503",
            RefundState::Refused.chinese(),
        ],
    );
    says(&html, &["href=\"/batches/B14\"", "由 <a href=\"/batches/B10\">B10</a> 重新组批"]);
    for reason in HoldReason::ALL {
        says(&html, &[reason.chinese(), reason.remedy()]);
    }
    for state in BatchState::ALL {
        says(&html, &[state.chinese()]);
    }
}

#[test]
fn f63_a_refused_register_says_where_and_why() {
    let html = register::render(&samples::refused_page(), &frame()).expect("draws");
    says(
        &html,
        &["没有发放任何款项", "第 17 行", "金额（amount）", "清册表头", "校验摘要（digest）"],
    );
    assert!(!html.contains("<b>"), "what was found is text, not markup");
    assert!(!html.contains("http-equiv=\"refresh\""), "nothing more will happen to it");
}

#[test]
fn i27_a_batch_has_everything_and_masks_people() {
    let sealer = sealer();
    let html = batch::render(&samples::batch_page(&sealer), &frame(), &sealer, None, &|_| false)
        .expect("draws");
    shows_nobody(&html);
    says(&html, &["阿********", "622848*********0018", "户名不符，原户名为[***]，账号***", "RJ02"]);
    says(
        &html,
        &[
            "银行既报成功又报失败",
            "结果矛盾，已冻结待核",
            "已退回",
            "DF2026112300000021",
            "合计金额与明细相差 0.01 元",
        ],
    );
    for reason in Reason::ALL {
        says(&html, &[reason.chinese(), reason.remedy(), reason.actor().chinese()]);
    }
    assert!(!html.contains("无法读取："), "everything opened");
    // What the bank said about the whole batch is shown without its payees, or not at all.
    let page = samples::batch_page(&sealer);
    let with = |payees: Option<&[Person]>| {
        batch::render(&page, &frame(), &sealer, payees, &|_| false).expect("draws")
    };
    let payee = Person {
        name: "户名不符".to_owned(),
        document_kind: "id".to_owned(),
        document_number: String::new(),
        account: String::new(),
        phone: String::new(),
    };
    let words = "***，原户名为[***]，账号***";
    assert_eq!(with(Some(&[payee])).matches(words).count(), 1);
    assert_eq!(with(None).matches(words).count(), 0);
    shows_nobody(&with(Some(&[])));
}

#[test]
fn i20_a_failure_whose_row_was_altered_does_not_open() {
    let sealer = sealer();
    let mut page = samples::batch_page(&sealer);
    page.failures.truncate(2);
    page.failures[1].amount = Fen::new(16_501);
    let html = batch::render(&page, &frame(), &sealer, None, &|_| false).expect("draws");
    says(&html, &["阿********", "（无法读取）", "daifa verify"]);
    shows_nobody(&html);
}

/// A daemon's web side on a real socket, with a fresh database.
struct Served {
    addr: SocketAddr,
    store: Arc<Store>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
    server: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

const STEPS: [&str; 2] = ["intake", "submit"];

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let location = Location::Sqlite(folder.path().join("daifa.db"));
        let store = Arc::new(Store::open(&location).await.expect("opens"));
        let health = Arc::new(Health::new(STEPS.map(str::to_owned).into(), 60_000, samples::NOW));
        let metrics = Arc::new(Metrics::new("1.2.3", &STEPS));
        let pages = Pages {
            store: Arc::clone(&store),
            sealer: Arc::new(sealer()),
            clock: Arc::new(ManualClock::at(samples::NOW)),
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
            banks: frame().banks,
            unfetched: Arc::default(),
            allowed_ms: frame().allowed_ms,
            funded_only: true,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let addr = listener.local_addr().expect("address");
        let cancel = CancellationToken::new();
        let server = tokio::spawn(web::serve(listener, web::router(pages), cancel.clone()));
        Self { addr, store, health, metrics, cancel, server, _folder: folder }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.addr)).await
    }

    /// Sends a head as it is, and reads to the end.
    async fn ask(&self, head: &str) -> Answer {
        let mut stream = tokio::net::TcpStream::connect(self.addr).await.expect("connects");
        let request = format!("{head}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("reads");
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let (first, fields) = head.split_once("\r\n").expect("fields");
        let status = first.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Answer { status, fields: fields.to_lowercase(), body: body.to_owned() }
    }
}

struct Answer {
    status: u16,
    fields: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

#[tokio::test]
async fn every_answer_is_guarded_and_pages_are_not_kept() {
    let served = Served::start().await;
    for path in ["/", "/registers/R1", "/batches/x", "/nothing", "/metrics", "/health/live"] {
        let answer = served.get(path).await;
        let policy = answer.field("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.field("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.field("cache-control"), Some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn a_fresh_daemon_shows_its_empty_page() {
    let served = Served::start().await;
    let answer = served.get("/").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
    says(&answer.body, &["还没有收到清册"]);
    assert!(!answer.body.contains("<script") && !answer.body.contains(" style="));
    let head = served.ask(&format!("HEAD / HTTP/1.1\r\nHost: {}\r\n", served.addr)).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn i27_i28_what_the_store_keeps_is_what_the_pages_say() {
    let served = Served::start().await;
    let unseen = stored::receiving(&served.store).await;
    stored::paid(&served.store, &sealer()).await;
    assert_eq!(served.get(&format!("/registers/{unseen}")).await.status, 404, "not whole yet");

    let front = served.get("/").await.body;
    says(&front, &["共 1 份", "已入账 1", "未成功 1", "暂缓 1", "结果矛盾 1", "办理中 1"]);
    says(&front, &["账目相符", "825.00", "剩余 24 小时 00 分", "/registers/R2"]);

    let register = served.get("/registers/R2").await.body;
    says(&register, &["镇财农〔2026〕1号", "耕地补贴", "622848*********0018", "/batches/B1"]);
    says(&register, &["1 笔待财政放行或撤下", HoldReason::Double.chinese(), "R9-1"]);

    let batch = served.get("/batches/B1").await.body;
    says(&batch, &["银行已受理", "DF0001", "HP0001.txt", "本批次没有这一笔", "等待结果 1"]);
    says(&batch, &["阿********", "户名不符", "原户名为[***]，账号***", "第 2 行"]);
    says(&batch, &["第 3 行", "银行既报成功又报失败", "有 1 笔结果前后矛盾"]);
    assert!(!batch.contains("无法读取"), "what was sealed opens: {batch}");
    for page in [&front, &register, &batch] {
        shows_nobody(page);
    }
    let front = served.get("/?before=R2").await.body;
    assert!(!front.contains("title\" href=\"/registers/R2"), "it is not before itself");
    let batch = served.get("/batches/B1?after=2").await.body;
    assert!(!batch.contains("第 2 行") && batch.contains("第 3 行"), "behind line 2");

    let totals = served.store.totals().await.expect("totals");
    let running = served.store.running().await.expect("running");
    served.metrics.refresh(&totals, &running, samples::NOW);
    let metrics = served.get("/metrics").await.body;
    says(
        &metrics,
        &["daifa_payments{state=\"conflict\"} 1\n", "daifa_money_fen{place=\"credited\"} 16500\n"],
    );
    says(&metrics, &["daifa_deadline_remaining_seconds{} 86400\n", "daifa_quarantined 1\n"]);
    shows_nobody(&metrics);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_chinese() {
    let served = Served::start().await;
    for (path, words) in [
        ("/registers/R99", "没有这份清册"),
        ("/registers/..%2f..%2fetc", "没有这份清册"),
        ("/registers/99999999999999999999", "没有这份清册"),
        ("/batches/B99", "没有这个批次"),
        ("/batches/-1", "没有这个批次"),
        ("/registers", "没有这个页面"),
        ("/%ff", "没有这个页面"),
        ("/registers/%ff", "没有这份清册"),
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        says(&answer.body, &[words, "回到代发总览"]);
    }
}

#[tokio::test]
async fn a_page_that_is_none_is_not_found() {
    let served = Served::start().await;
    stored::paid(&served.store, &sealer()).await;
    for path in ["/?before=", "/?before=x", "/?before=R1&before=R2", "/batches/B1?after=-1"] {
        assert_eq!(served.get(path).await.status, 404, "{path}");
    }
    for path in ["/?before=R0", "/?elsewhere=1", "/batches/B1?after=4294967295"] {
        assert_eq!(served.get(path).await.status, 200, "{path}");
    }
    for path in ["/quarantine?before=", "/quarantine?before=E1", "/quarantine?all=x"] {
        assert_eq!(served.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn i27_what_was_put_aside_waits_on_a_page_and_shows_nobody() {
    let served = Served::start().await;
    let none = served.get("/quarantine").await.body;
    says(&none, &["目前没有待核对的银行答复", "没有记录"]);
    stored::paid(&served.store, &sealer()).await;
    let store = &served.store;
    let held = store.hold_result("rural", "HP0002.txt", &[9; 32], None, "合计不符", vec![1], 5);
    assert!(held.await.expect("writes"));
    let page = served.get("/quarantine").await.body;
    shows_nobody(&page);
    says(
        &page,
        &["有 2 项待核对", "E1.9", "本批次没有这一笔", "href=\"/batches/B1\"", "daifa decide"],
    );
    says(&page, &["E3", "整份暂扣", "合计不符", "HP0002.txt", "未能对应"]);
    says(&served.get("/").await.body, &["href=\"/quarantine\""]);
    // Two people find that the line says nothing; it stays among all.
    let subject = Subject::parse("E1.9").expect("a line");
    let case = store.case(subject).await.expect("reads").expect("is there");
    let (verdict, evidence) = (Verdict::Dismissed, vec![1]);
    let new = NewDecision { subject, verdict, reason: None, case: &case, evidence, by: "wang" };
    let no = store.propose(new, 6).await.expect("proposes");
    store.confirm(no, "li", Effect::Dismiss, 7).await.expect("confirms");
    let page = served.get("/quarantine").await.body;
    says(&page, &["有 1 项待核对"]);
    assert!(!page.contains("E1.9"), "{page}");
    says(&served.get("/quarantine?all=1").await.body, &["E1.9", "两人核定 D1", "只看待核对的"]);
    let behind = served.get("/quarantine?all=1&before=E3.0").await.body;
    says(&behind, &["E1.9", "« 最新的"]);
    assert!(!behind.contains("HP0002.txt"), "{behind}");
}

#[tokio::test]
async fn pages_only_read() {
    let served = Served::start().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "STRANGE"] {
        let head = format!("{method} / HTTP/1.1\r\nHost: {}\r\n", served.addr);
        let answer = served.ask(&head).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.field("allow"), Some("get, head"), "{method}");
        says(&answer.body, &["这里只能查看"]);
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_cannot_point_its_name_at_us() {
    let served = Served::start().await;
    for host in ["Host: evil.example\r\n", "", "Host: localhost\r\nHost: evil.example\r\n"] {
        for path in ["/", "/metrics", "/health/ready"] {
            let answer = served.ask(&format!("GET {path} HTTP/1.1\r\n{host}")).await;
            assert_eq!(answer.status, 403, "{host} {path}");
            says(&answer.body, &["只能在本机查看"]);
        }
    }
    let proxied = "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n";
    assert_eq!(served.ask(proxied).await.status, 403);
    assert_eq!(served.ask("GET / HTTP/1.1\r\nHost: localhost:1\r\n").await.status, 200);
}

#[test]
fn the_page_refuses_to_listen_elsewhere() {
    let refused = web::check_listen("0.0.0.0:8080".parse().expect("address"));
    let text = refused.expect_err("refused").to_string();
    assert!(text.contains("0.0.0.0:8080") && text.contains("127.0.0.1:PORT"), "{text}");
    assert!(web::check_listen("127.0.0.1:8080".parse().expect("address")).is_ok());
}

#[tokio::test]
async fn the_style_is_kept_by_browsers_and_asked_after() {
    let served = Served::start().await;
    let first = served.get("/style.css").await;
    assert_eq!((first.status, first.field("content-type")), (200, Some("text/css; charset=utf-8")));
    let tag = first.field("etag").expect("a tag");
    let again = format!(
        "GET /style.css HTTP/1.1\r\nHost: {}\r\nIf-None-Match: \"x\", {tag}\r\n",
        served.addr
    );
    let again = served.ask(&again).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(served.get("/icon.svg").await.field("content-type"), Some("image/svg+xml"));
}

#[tokio::test]
async fn health_says_why_not() {
    let served = Served::start().await;
    assert_eq!(served.get("/health/live").await.status, 200);
    let answer = served.get("/health/ready").await;
    assert_eq!(answer.status, 503);
    let json: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(json["ok"], false);
    assert_eq!(json["reasons"][0], "not ready: starting or stopping");
    served.health.set_ready(true);
    assert_eq!(served.get("/health/ready").await.body, r#"{"ok":true,"reasons":[]}"#);
    served.health.beat("submit", samples::NOW - 120_000);
    let answer = served.get("/health/live").await;
    assert_eq!(answer.status, 503);
    says(&answer.body, &["step submit was not heard of for 120 s"]);
}

/// Name, labels, value.
type Sample = (String, Vec<(String, String)>, i64);

/// Reads `OpenMetrics` text. Panics where it is none.
fn samples_of(text: &str) -> Vec<Sample> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').expect("closed");
            let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
                let (name, value) = label.split_once('=').expect("a label");
                (name.to_owned(), value.trim_matches('"').to_owned())
            });
            (name.to_owned(), labels.collect(), value.parse().expect("a whole number"))
        })
        .collect()
}

#[tokio::test]
async fn f66_metrics_are_closed_lists_out_of_memory() {
    let served = Served::start().await;
    let totals = Totals {
        places: samples::overview().places,
        counts: samples::busy_register().counts,
        attempts: vec![("unknown".to_owned(), 4), (CANARIES[0].to_owned(), 1)],
        expectations: vec![
            ("notice".to_owned(), "overdue".to_owned(), 6),
            (CANARIES[0].to_owned(), "open".to_owned(), 1),
        ],
        breakers: vec![("half_open".to_owned(), 1), (CANARIES[0].to_owned(), 1)],
        reports_due: 3,
        ..Totals::default()
    };
    served.metrics.refresh(&totals, &[], samples::NOW);
    // Without its database the page fails; a scrape does not notice.
    served.store.close().await;
    assert_eq!(served.get("/").await.status, 500);
    let answer = served.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let kind = answer.field("content-type").expect("a type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    shows_nobody(&answer.body);

    let found = samples_of(&answer.body);
    let value = |name: &str, label: &str| {
        let one = found
            .iter()
            .find(|(n, labels, _)| n == name && labels.iter().all(|(_, value)| value == label));
        one.map(|(_, _, value)| *value)
    };
    assert_eq!(value("daifa_attempts", "unknown"), Some(4));
    assert_eq!(value("daifa_reports", "due"), Some(3));
    let owed = |kind: &str, state: &str| {
        let labels = [("kind".to_owned(), kind.to_owned()), ("state".to_owned(), state.to_owned())];
        let one = found.iter().find(|(n, of, _)| n == "daifa_expectations" && of[..] == labels);
        one.map(|(_, _, value)| *value)
    };
    assert_eq!(owed("notice", "overdue"), Some(6));
    assert_eq!(owed("result", "open"), Some(0));
    assert_eq!(owed("result", "met"), None, "what came is not waited for");
    assert_eq!(value("daifa_breakers", "half_open"), Some(1));
    assert_eq!(value("daifa_breakers", "open"), Some(0));
    assert_eq!(value("daifa_payments", "open"), Some(3_412 - 3_112 - 3 - 1));
    assert_eq!(value("daifa_money_fen", "credited"), Some(totals.places.credited.get()));
    let five = ["unsent", "in_flight", "credited", "refundable", "refunded"];
    let sum: i64 = five.iter().filter_map(|place| value("daifa_money_fen", place)).sum();
    assert_eq!(value("daifa_money_approved_fen", ""), Some(sum));

    for (name, labels, _) in &found {
        for (label, value) in labels {
            let closed = matches!(
                label.as_str(),
                "place" | "state" | "step" | "result" | "version" | "kind"
            );
            assert!(closed, "{name} has a label {label}");
            let plain =
                value.bytes().all(|b| b.is_ascii_lowercase() || b"_.0123456789".contains(&b));
            assert!(plain, "{name} has {label}={value}");
        }
    }
    assert!(found.len() < 120, "{} series", found.len());
}

#[tokio::test]
async fn i28_the_page_of_a_failing_database_tells_nothing_of_the_inside() {
    let served = Served::start().await;
    served.store.close().await;
    let answer = served.get("/").await;
    assert_eq!(answer.status, 500);
    says(&answer.body, &["页面暂时打不开"]);
    for inside in ["SELECT", "sqlx", "pool", "Error"] {
        assert!(!answer.body.contains(inside), "{inside}");
    }
}

#[tokio::test]
async fn f59_serving_ends_when_it_is_told_to_even_with_an_idle_connection() {
    let served = Served::start().await;
    let idle = tokio::net::TcpStream::connect(served.addr).await.expect("connects");
    assert_eq!(served.get("/health/live").await.status, 200);
    served.cancel.cancel();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(8), served.server).await;
    ended.expect("in time").expect("joins");
    drop(idle);
}

#[test]
fn the_unit_is_one_that_systemd_reads_without_complaint() {
    let unit = std::fs::read_to_string("systemd/daifa.service").expect("the unit");
    for promise in ["Type=notify", "WatchdogSec=", "LimitCORE=0", "NoNewPrivileges=yes"] {
        assert!(unit.contains(promise), "{promise}");
    }
    let folder = tempfile::tempdir().expect("folder");
    let copy = folder.path().join("daifa.service");
    // The program is not installed here; this one is.
    let here = unit.replace("/usr/local/bin/daifa", env!("CARGO_BIN_EXE_daifa"));
    std::fs::write(&copy, here).expect("writes");
    let run = |args: &[&str]| {
        let tried = Command::new("systemd-analyze").args(args).arg(&copy).output();
        match tried {
            Ok(output) => {
                let text = [output.stdout, output.stderr].concat();
                Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
            }
            Err(cause) => {
                eprintln!("skipped: systemd-analyze does not run here ({cause})");
                None
            }
        }
    };
    let Some((good, text)) = run(&["verify", "--man=no"]) else { return };
    assert!(good && !text.contains("daifa.service"), "{text}");
    // 0 is closed, 100 (10.0) open; the project's mark is 2.0.
    let Some((good, text)) = run(&["security", "--offline=true", "--threshold=20"]) else { return };
    assert!(good, "{text}");
}

#[tokio::test]
async fn f26_callers_who_say_nothing_keep_nobody_from_the_health_check() {
    let served = Served::start().await;
    // More of them than the page has places: silent, half a head, and a head that they do not end.
    let mut slow = Vec::new();
    for at in 0..200 {
        let mut stream = tokio::net::TcpStream::connect(served.addr).await.expect("connects");
        let said =
            ["", "GET /health/live HT", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "][at % 3];
        stream.write_all(said.as_bytes()).await.expect("writes");
        slow.push(stream);
    }
    for path in ["/health/live", "/metrics", "/"] {
        let soon = std::time::Duration::from_secs(2);
        let answer = tokio::time::timeout(soon, served.get(path)).await.expect("in time");
        assert!(answer.status == 200 || answer.status == 503, "{path}: {}", answer.status);
    }
    // Whoever still has a place loses it, too: a head has a time.
    let mut last = slow.pop().expect("one");
    let mut rest = Vec::new();
    let long = std::time::Duration::from_secs(15);
    let ended = tokio::time::timeout(long, last.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a head without end is waited for");
    // Letter by letter is no way either to keep one.
    let mut stream = tokio::net::TcpStream::connect(served.addr).await.expect("connects");
    let dripping = async {
        loop {
            if stream.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    };
    assert!(tokio::time::timeout(long, dripping).await.is_ok(), "a letter a third of a second");
    served.cancel.cancel();
    served.server.await.expect("ends");
}
