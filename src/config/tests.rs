//! A config tells all that is wrong with it, and nothing that it should keep to itself.

use super::{Config, Counterpart, CounterpartDoor, Door, LineBytes, SocketDoor, Span};

const GOOD: &str = r#"
data = "/var/lib/daifa"
[keys]
current = 1
seal = [{ id = 1, secret = { file = "/etc/daifa/seal" } }]
blind = { id = 1, secret = { credential = "blind" } }
[[source]]
name = "county"
url = "https://finance.example/daifa"
key_id = "bank"
secret = { file = "/etc/daifa/finance" }
[[bank]]
code = "rural"
name = "Example rural bank"
format = "example-rural-fixed"
door = { kind = "directory", outgoing = "/o", incoming = "/i", archive = "/a", quarantine = "/q", control_suffix = ".ok" }
[duty]
start = "later_of_received_and_funded"
pool_bank = "rural"
"#;

#[test]
fn a_good_file_reads_with_its_defaults() {
    let config = Config::parse(GOOD).expect("good");
    assert_eq!(config.duty.allowed.0, 86_400_000);
    assert!(config.duty.funded_only);
}

/// Every key that there is: what serde takes, the survey knows, and the other way round (an unknown
/// key is refused by serde as well).
#[test]
fn every_key_is_known_to_both() {
    let full = GOOD
        .replace(
            "data = ",
            "listen = \"127.0.0.1:1\"\nlog = \"warn\"\nformats = \"f\"\nrestore_epoch = 2\n\
             database = { kind = \"postgres\", url = { file = \"/u\" } }\ndata = ",
        )
        .replace("key_id", "algorithm = \"hmac-sha256\"\nca_file = \"/c\"\nkey_id")
        .replace(
            "[duty]",
            r#"rows_max = 7
visibility_delay = "1m"
duplicate_window = "2h"
ask_after = "1s"
ask_every = "1s"
return_every = "1s"
return_window = "1s"
resend_after = "1s"
reference_prefix = "A"
push = { listen = "127.0.0.1:2", path = "/p", certificate = "/c", key = { file = "/k" }, client_ca = "/a", client_fingerprints = [], signing = { algorithm = "hmac-sha256", header = "h", secret = { file = "/s" } }, answer = "OK", answer_type = "t", bytes_max = 1, at_once = 1, total_timeout = "1s" }
limit = { per_second = 1, at_once = 2 }
side_door = { kind = "directory", outgoing = "/o2", incoming = "/i2", archive = "/a2", quarantine = "/q2", stable_for = "1s" }
other_door = [{ for = ["result"], kind = "directory", outgoing = "/o3", incoming = "/i3", archive = "/a3", quarantine = "/q3", stable_for = "1s", bytes_max = 2 }, { for = ["status_query"], kind = "socket", address = "b:1", security = "plain", session = { heartbeat = "01     ?", answer = "hex:30 FF", every = "1s" } }]
breaker = { after = 5, rest = "1m" }
[bank.answers]
results = "file"
ask = "reference"
notices = "file"
acknowledged_within = "1m"
result_within = "1h"
notice_within = "1h"
return_within = "1h"
refund_within = "1h"
[[bank]]
code = "city"
name = "n"
format = "f"
door = { kind = "https", url = "https://b", content_type = "t", ca_file = "/c", client_cert = "/c", client_key = { file = "/k" }, signing = { algorithm = "hmac-sha256", header = "h", secret = { file = "/s" } }, connect_timeout = "1s", total_timeout = "1s", answer_bytes_max = 3 }
[[operator]]
name = "wang"
secret = { file = "/etc/daifa/wang" }
[[operator]]
name = "李"
secret = { credential = "li" }
[pace]
pull_every = "1s"
arrivals_every = "1s"
report_retry = "1s"
stuck_after = "1h"
[duty]
allowed = "2h"
funded_only = false
settle_after = "3h"
drop_held_after = "4h""#,
        );
    let config = Config::parse(&full).expect("good");
    assert_eq!((config.restore_epoch, config.banks[0].rows_max), (2, 7));
    assert_eq!(config.operators.len(), 2);
    let others: Vec<_> = config.banks[0].other_doors.iter().map(|other| &other.kinds).collect();
    assert_eq!(others, [&["result"], &["status_query"]]);
    let Door::Socket(SocketDoor { session: Some(session), .. }) =
        &config.banks[0].other_doors[1].door
    else {
        panic!("a connection that stays is meant")
    };
    assert_eq!((&*session.heartbeat.0, &*session.answer.0), (&b"01     ?"[..], &[0x30, 0xff][..]));
    let (said, absent) = (&config.banks[0].breaker, &config.banks[1].breaker);
    assert_eq!(
        [(said.after, said.rest), (absent.after, absent.rest)],
        [(5, Span(60_000)), (3, Span(600_000))]
    );
    assert_eq!(config.duty.drop_held_after, Some(Span(4 * 3_600_000)));
    assert_eq!(config.pace.stuck_after, Span(3_600_000));
    let still = GOOD.replace("control_suffix = \".ok\"", "stable_for = \"1m\", bytes_max = 9");
    Config::parse(&still).expect("good");
    Config::parse(&GOOD.replace("[keys]", "[database]\nkind = \"sqlite\"\n[keys]")).expect("good");
}

/// (line, key) of each problem.
fn told(text: &str) -> Vec<(usize, String)> {
    let problems = Config::parse(text).err().map(|problems| problems.0).unwrap_or_default();
    let split = |problem: &String| {
        let mut parts = problem.split(':');
        let line = parts.nth(1).and_then(|line| line.parse().ok()).expect("a line");
        (line, parts.next().unwrap_or_default().trim().to_owned())
    };
    problems.iter().map(split).collect()
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let bad = GOOD
        .replace("data = \"/var/lib/daifa\"", "data = 7\nlissten = \"127.0.0.1:1\"")
        .replace("current = 1", "current = 9")
        .replace("blind = { id = 1,", "blind = { id = 300,")
        .replace("key_id = \"bank\"\n", "")
        .replace(
            "secret = { file = \"/etc/daifa/finance\" }",
            "secret = \"hunter2hunter2\"\nkolour = 1",
        )
        .replace("code = \"rural\"", "code = \"rural\"\nask_after = \"soon\"\nrows_max = 0")
        .replace("outgoing = \"/o\"", "outgoin = \"/o\"")
        .replace("start = \"later", "start = \"sooner")
        .replace("pool_bank = \"rural\"", "pool_bank = \"other\"\nfunded_only = \"yes\"");
    let expected = [
        (2, "data"),
        (3, "lissten"),
        (5, "keys.current"),
        (7, "keys.blind.id"),
        (8, "source.1.key_id"),
        (11, "source.1.secret"),
        (12, "source.1.kolour"),
        (15, "bank.1.ask_after"),
        (16, "bank.1.rows_max"),
        (19, "bank.1.door.outgoing"),
        (19, "bank.1.door.outgoin"),
        (21, "duty.start"),
        (22, "duty.pool_bank"),
        (23, "duty.funded_only"),
    ];
    let found = told(&bad);
    assert_eq!(found, expected.map(|(line, key)| (line, key.to_owned())));
    let all = Config::parse(&bad).expect_err("bad").to_string();
    assert!(!all.contains("hunter2"), "{all}");
    assert!(
        all.contains("did you mean listen?") && all.contains("did you mean outgoing?"),
        "{all}"
    );
    assert!(all.contains("known here: name, url"), "{all}");
}

#[test]
fn i27_a_secret_in_the_wrong_place_is_not_repeated() {
    for bad in [
        GOOD.replace(
            "[keys]",
            "[database]\nkind = \"postgres\"\nurl = \"postgres://u:hunter2@h/d\"\n[keys]",
        ),
        GOOD.replace("{ file = \"/etc/daifa/finance\" }", "\"hunter2"),
        GOOD.replace(
            "{ file = \"/etc/daifa/finance\" }",
            "{ file = \"/f\", hunter = \"hunter2\" }",
        ),
        GOOD.replace("{ file = \"/etc/daifa/finance\" }", "{ }"),
        GOOD.replace(
            "id = 1, secret = { file = \"/etc/daifa/seal\" }",
            "id = \"hunter2\", secret = 3",
        ),
    ] {
        assert_ne!(bad, GOOD);
        let problems = Config::parse(&bad).expect_err("bad").to_string();
        assert!(!problems.contains("hunter2"), "{problems}");
        assert!(problems.starts_with("config:"), "{problems}");
    }
}

#[test]
fn a_file_that_is_no_toml_says_where_it_breaks_off() {
    assert_eq!(
        told(&GOOD.replace("[duty]", "[duty")),
        [(17, "unclosed table, expected `]`".to_owned())]
    );
}

#[test]
fn a_key_that_stands_twice_is_named() {
    let twice = format!("{GOOD}\n[bank.breaker]\nafter = 3\n[bank.breaker]\nrest = \"1m\"\n");
    let problems = Config::parse(&twice).expect_err("is refused").0;
    assert!(problems[0].contains("breaker stands twice in its table"), "{problems:?}");
}

#[test]
fn i6_two_banks_that_are_met_in_one_place_are_refused() {
    let another = |door: &str, prefix: &str| {
        let bank = format!(
            "[[bank]]\ncode = \"city\"\nname = \"n\"\nformat = \"f\"\nreference_prefix = \"{prefix}\"\ndoor = {door}\n[duty]"
        );
        told(&GOOD.replace("[duty]", &bank)).into_iter().map(|(_, key)| key).collect::<Vec<_>>()
    };
    let folders = |out: &str, back: &str| {
        format!(
            "{{ kind = \"directory\", outgoing = \"{out}\", incoming = \"{back}\", archive = \"/a2\", quarantine = \"/q2\", control_suffix = \".ok\" }}"
        )
    };
    assert!(another(&folders("/o2", "/i2"), "").is_empty());
    assert_eq!(another(&folders("/o2", "/i"), ""), ["bank.2.door.incoming"]);
    assert_eq!(another(&folders("/o2", "/./i/"), ""), ["bank.2.door.incoming"]);
    assert_eq!(another(&folders("/o", "/i2"), ""), ["bank.2.reference_prefix"]);
    assert!(another(&folders("/o", "/i2"), "B").is_empty(), "each has a prefix of its own");
    // A link is not another folder.
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("in")).expect("made");
    std::os::unix::fs::symlink(dir.path().join("in"), dir.path().join("link")).expect("linked");
    let of = |name: &str| dir.path().join(name).display().to_string();
    let first = GOOD.replacen("incoming = \"/i\"", &format!("incoming = {:?}", of("in")), 1);
    let other = format!(
        "[[bank]]\ncode = \"city\"\nname = \"n\"\nformat = \"f\"\nreference_prefix = \"B\"\ndoor = {}\n[duty]",
        folders("/o2", &of("link"))
    );
    let keys: Vec<String> =
        told(&first.replace("[duty]", &other)).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys, ["bank.2.door.incoming"]);
    // The same server, called for two banks.
    let calls = "door = { kind = \"https\", url = \"https://b\" }";
    let first = "door = { kind = \"directory\", outgoing = \"/o\", incoming = \"/i\", archive = \"/a\", quarantine = \"/q\", control_suffix = \".ok\" }";
    let both = GOOD.replace(first, calls).replace(
        "[duty]",
        &format!("[[bank]]\ncode = \"city\"\nname = \"n\"\nformat = \"f\"\n{calls}\n[duty]"),
    );
    let keys: Vec<String> = told(&both).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys, ["bank.2.reference_prefix"]);
}

#[test]
fn i2_not_found_must_count_while_the_bank_still_knows_a_duplicate() {
    let with = |delay: &str, window: &str| {
        let rules = format!("visibility_delay = \"{delay}\"\nduplicate_window = \"{window}\"");
        Config::parse(&GOOD.replace("format = \"example", &format!("{rules}\nformat = \"example")))
    };
    // A bank that recognises no repeat: nothing goes again by itself, whenever "not found" counts.
    assert!(with("10m", "0s").is_ok() && with("0s", "0s").is_ok());
    assert_eq!(
        with("10m", "11m").expect("fits").banks[0].duplicate_window.map(|window| window.0),
        Some(660_000)
    );
    for (delay, window) in [("10m", "10m"), ("73h", "72h")] {
        let problems = with(delay, window).expect_err("too short").0;
        assert!(problems[0].contains("bank.1.visibility_delay"), "{problems:?}");
    }
}

#[test]
fn i31_operators_are_two_people_with_a_credential_each() {
    let with = |operators: &[(&str, &str)]| {
        let tables = operators.iter().map(|(name, file)| {
            format!("[[operator]]\nname = \"{name}\"\nsecret = {{ file = \"{file}\" }}\n")
        });
        told(&(GOOD.to_owned() + &tables.collect::<String>()))
    };
    assert_eq!(with(&[("wang", "/w"), ("li", "/l")]), []);
    let keys =
        |found: Vec<(usize, String)>| found.into_iter().map(|(_, key)| key).collect::<Vec<_>>();
    assert_eq!(keys(with(&[("wang", "/w")])), ["operator"]);
    for twice in ["wang", "Wang", "WANG"] {
        assert_eq!(keys(with(&[("wang", "/w"), (twice, "/l")])), ["operator.2.name"]);
    }
    for bad in ["", "a b", "a\\u200b", "a/b"] {
        assert_eq!(keys(with(&[("wang", "/w"), (bad, "/l")])), ["operator.2.name"], "{bad:?}");
    }
    assert_eq!(
        keys(with(&[("wang", "/w"), ("li", "/w")])),
        ["operator.1.secret", "operator.2.secret"]
    );
}

#[test]
fn f24_a_line_says_whether_it_is_sealed() {
    let socket = "door = { kind = \"socket\", address = \"b:1\" }";
    let old = GOOD.lines().find(|line| line.starts_with("door = ")).expect("a door");
    for (door, what) in [
        (socket.to_owned(), "is missing; expected \"tls\" or \"plain\""),
        (socket.replace(" }", ", security = \"ssl\" }"), "expected \"tls\" or \"plain\""),
    ] {
        let told = Config::parse(&GOOD.replace(old, &door)).expect_err("is refused").0;
        assert_eq!(told, [format!("config:16: bank.1.door.security: {what}")]);
    }
}

#[test]
fn bytes_of_a_line_are_text_or_digits() {
    let bytes = |text: &str| LineBytes::parse(text).map(|bytes| bytes.0);
    assert_eq!(bytes("000001?").as_deref(), Some(&b"000001?"[..]));
    assert_eq!(bytes("hex:00000001 3f FF").as_deref(), Some(&[0, 0, 0, 1, 0x3f, 0xff][..]));
    assert_eq!(bytes("hex:6865783a").as_deref(), Some(&b"hex:"[..]));
    for bad in ["", "hex:", "hex: ", "hex:0", "hex:00 0", "hex:0g", "hex:+1", "hex:0x00", "hex:é"]
    {
        assert_eq!(bytes(bad), None, "{bad:?}");
    }
}

#[test]
fn f55_what_leaves_no_pause_or_comes_too_late_is_refused() {
    for (place, bad, key, word) in [
        ("[duty]", "ask_every = \"0s\"\n[duty]", "bank.1.ask_every", "no pause"),
        ("[duty]", "return_every = \"0s\"\n[duty]", "bank.1.return_every", "no pause"),
        ("[duty]", "resend_after = \"1ms\"\n[duty]", "bank.1.resend_after", "no pause"),
        ("[duty]", "ask_after = \"24h\"\n[duty]", "bank.1.ask_after", "duty.allowed"),
        ("[duty]", "breaker = { rest = \"48h\" }\n[duty]", "bank.1.breaker.rest", "duty.allowed"),
        ("[duty]", "hours = { windows = [] }\n[duty]", "bank.1.hours", "says nothing"),
        ("[duty]", "[pace]\npull_every = \"0s\"\n[duty]", "pace.pull_every", "no pause"),
        ("[duty]", "[pace]\narrivals_every = \"0s\"\n[duty]", "pace.arrivals_every", "no pause"),
        ("[duty]", "[duty]\ndrop_held_after = \"0s\"", "duty.drop_held_after", "before anybody"),
        (
            "\".ok\" }",
            "\".ok\", total_timeout = \"30m\" }",
            "bank.1.door.total_timeout",
            "slow bank",
        ),
    ] {
        let told = Config::parse(&GOOD.replacen(place, bad, 1)).expect_err("is refused").0;
        assert!(told.len() == 1 && told[0].contains(key) && told[0].contains(word), "{told:?}");
    }
}

#[test]
fn a_bank_that_calls_us_is_known_by_something_and_heard_alone() {
    let with = |push: &str| GOOD.replace("[duty]", &format!("push = {{ {push} }}\n[duty]"));
    let signing = "signing = { algorithm = \"hmac-sha256\", header = \"x-code\", secret = { file = \"/s\" } }";
    let (here, there) = ("listen = \"127.0.0.1:9\"", "listen = \"0.0.0.0:9\"");
    let tls = "certificate = \"/c\", key = { file = \"/k\" }";
    for good in [
        format!("{here}, {signing}"),
        format!("{there}, {tls}, {signing}"),
        format!("{there}, {tls}, {signing}, client_ca = \"/a\""),
        format!(
            "{there}, {tls}, client_ca = \"/a\", client_fingerprints = [\"{}\"]",
            "AB:".repeat(31) + "AB"
        ),
    ] {
        assert_eq!(told(&with(&good)), [], "{good}");
    }
    for (bad, key, word) in [
        (here.to_owned(), "push", "who calls"),
        (format!("{there}, {signing}"), "push.listen", "not loopback"),
        (format!("{here}, {signing}, client_ca = \"/a\""), "push.client_ca", "TLS"),
        (format!("{there}, {tls}, client_ca = \"/a\""), "push.client_ca", "everybody"),
        (
            format!("{here}, {signing}, client_fingerprints = [\"{}\"]", "ab".repeat(32)),
            "push.client_fingerprints",
            "only with client_ca",
        ),
        (
            format!("{there}, {tls}, client_ca = \"/a\", client_fingerprints = [\"ab\"]"),
            "push.client_fingerprints",
            "64 hexadecimal",
        ),
        (format!("{here}, {signing}, key = {{ file = \"/k\" }}"), "push", "together"),
        (format!("{here}, {signing}, path = \"p\""), "push.path", "no path"),
        (format!("{here}, {signing}, bytes_max = 0"), "push.bytes_max", "nothing through"),
        (format!("{here}, {signing}, total_timeout = \"0s\""), "push.total_timeout", "nothing"),
        (here.replace(":9", ":8740") + ", " + signing, "push.listen", "taken"),
        (format!("{here}, {}", signing.replace("256", "1")), "push.signing.algorithm", "known"),
        (
            format!("{here}, {}", signing.replace("x-code", "x code")),
            "push.signing.header",
            "digits",
        ),
    ] {
        let problems = Config::parse(&with(&bad)).expect_err(&bad).0;
        let [problem] = &problems[..] else { panic!("{bad}: {problems:?}") };
        assert!(
            problem.contains(&format!("bank.1.{key}: ")) && problem.contains(word),
            "{problem}"
        );
    }
}

const COUNTERPART: &str = r#"
format = "example-city-xml"
formats = "/f"
book = "/b"
seed = 7
dedup = false
asked = false
result_after = "1s"
return_after = "2s"
notice_after = "3s"
look_every = "4ms"
push = { url = "http://127.0.0.1:1/", header = "h", secret = "/s" }
[door]
kind = "https"
listen = "127.0.0.1:7001"
certificate = "/c"
key = "/k"
[faults]
loss = 0.02
duplicate = 0.5
reorder = 1
contradiction = 0.000001
return_after_credit = 1.0
busy = 0
refusal = 0.1
wrong_amount = 0.2
wrong_account = 0.3
unknown_row = 0.4
wrong_sum = 0.6
split = 0.7
refuse_row = 0.8
split_batch = 0.9
delay = "120ms"
lag = "1s"
outage = { every = "30s", lasts = "2s" }
file_lost = 0.1
file_late = 0.2
file_cut = 0.3
[side_door]
outgoing = "/o"
incoming = "/i"
control_suffix = ".ok"
[[other_door]]
kind = "directory"
outgoing = "/o2"
incoming = "/i2"
no_control = true
"#;

#[test]
fn every_key_of_a_practice_bank_is_known_to_both() {
    let bank = Counterpart::parse(COUNTERPART).expect("good");
    assert_eq!((bank.seed, bank.dedup, bank.asked), (7, false, false));
    let shares = [bank.faults.loss, bank.faults.reorder, bank.faults.contradiction];
    assert_eq!(shares, [20_000, 1_000_000, 1]);
    assert_eq!((bank.faults.return_after_credit, bank.faults.busy), (1_000_000, 0));
    let (faults, side) = (&bank.faults, bank.side_door.as_ref().expect("it has one"));
    assert_eq!([faults.file_lost, faults.file_late, faults.file_cut], [100_000, 200_000, 300_000]);
    assert_eq!(side.control_suffix.as_deref(), Some(".ok"));
    let [CounterpartDoor::Directory(other)] = bank.other_doors.as_slice() else {
        panic!("another door is meant")
    };
    assert_eq!(other.control(), None);
    let both = COUNTERPART.replace("no_control", "control_suffix = \".ok\"\nno_control");
    let told = Counterpart::parse(&both).expect_err("both").0;
    assert!(told[0].contains("other_door.1: control_suffix says"), "{told:?}");
    let (before, rest) = COUNTERPART.split_once("push = ").expect("it calls");
    let silent = format!("{before}{}", rest.split_once('\n').expect("a line").1);
    for kind in ["directory", "sftp"] {
        let door = format!("kind = \"{kind}\"\noutgoing = \"/o\"\nincoming = \"/i\"");
        let listens =
            "kind = \"https\"\nlisten = \"127.0.0.1:7001\"\ncertificate = \"/c\"\nkey = \"/k\"";
        let bank = Counterpart::parse(&silent.replace(listens, &door)).expect("good");
        let (CounterpartDoor::Directory(folders) | CounterpartDoor::Sftp(folders)) = bank.door
        else {
            panic!("folders are meant")
        };
        assert_eq!(folders.control().as_deref(), Some(".ok"));
    }
    Counterpart::parse(&silent.replace("\"https\"", "\"socket\"")).expect("good");
    let session = "session = { heartbeat = \"01     ?\", answer = \"hex:00\", every = \"1s\" }";
    let staying = silent.replace("key = \"/k\"\n", &format!("key = \"/k\"\n{session}\n"));
    let told = Counterpart::parse(&staying).expect_err("a call has its own connection").0;
    assert!(told[0].contains("door.session: is no key"), "{told:?}");
    let staying = staying.replace("\"https\"", "\"socket\"");
    Counterpart::parse(&staying).expect("good");
    let told = Counterpart::parse(&staying.replace("every = \"1s\"", "every = \"0s\""));
    let told = told.expect_err("no time").0;
    assert!(told[0].contains("door.session.every: 0"), "{told:?}");
    let shown = "certificate = \"/c\"\nkey = \"/k\"\n";
    let asking = silent.replace(shown, &format!("{shown}client_ca = \"/a\"\n"));
    Counterpart::parse(&asking).expect("good");
    let problems = Counterpart::parse(&asking.replace(shown, ""));
    assert!(problems.expect_err("in the clear").0[0].contains("door.client_ca: needs certificate"));
    let problems = Counterpart::parse(&COUNTERPART.replace("\"https\"", "\"socket\""));
    assert!(problems.expect_err("no https").0[0].contains("push"));
}

#[test]
fn every_problem_of_a_practice_bank_is_told_with_its_line() {
    let bad = COUNTERPART
        .replace("format = \"example-city-xml\"\n", "colour = 1\n")
        .replace("loss = 0.02", "loss = 1.02")
        .replace("duplicate = 0.5", "duplicate = 0.0000001")
        .replace("reorder = 1\n", "reorder = \"often\"\n")
        .replace("contradiction = 0.000001", "contradiction = -0.5")
        .replace("refusal = 0.1", "refusal = 1e-3")
        .replace("key = \"/k\"\n", "")
        .replace("lasts = \"2s\"", "lasts = \"30s\"");
    let problems = Counterpart::parse(&bad).expect_err("bad").0;
    let expected = [
        "bank:1: format: is missing",
        "bank:2: colour: is no key",
        "bank:13: door: needs both",
        "bank:18: faults.loss: expected a part of 1",
        "bank:19: faults.duplicate: expected",
        "bank:20: faults.reorder: expected",
        "bank:21: faults.contradiction: expected",
        "bank:24: faults.refusal: expected",
        "bank:34: faults.outage: lasts",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem} is not {expected}");
    }
}

#[test]
fn i6_an_epoch_that_references_have_no_room_for_is_refused() {
    let with = |epoch: u8| Config::parse(&format!("restore_epoch = {epoch}\n{GOOD}"));
    assert!(with(99).is_ok());
    let problems = with(100).expect_err("three digits").0;
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("restore_epoch") && problem.contains("above 99")),
        "{problems:?}"
    );
}
