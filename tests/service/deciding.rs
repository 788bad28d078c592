//! Two operators decide at a terminal: who they are, that they are two, and what they are told.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use daifa::model::alert::AlertKind;
use daifa::store::{Location, Store};

use crate::typed::{daifa, said};

fn private(path: &Path, text: &[u8]) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("set");
}

/// What each of them alone knows.
const WANG: &str = "what wang alone knows\n";
const LI: &str = "what li alone knows\n";

/// A practice that came to its end, with two operators, and an answer of a bank that nobody can use.
fn practised(folder: &Path) -> (PathBuf, String) {
    let data = folder.join("demo");
    let at = data.display().to_string();
    let demo =
        ["demo", "--json", "--payments", "10", "--listen", "127.0.0.1:0", "--data", at.as_str()];
    let out = daifa(&demo, "");
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let config = data.join("daifa.toml");
    let mut text = std::fs::read_to_string(&config).expect("read");
    for (name, typed) in [("wang", WANG), ("li", LI)] {
        let kept = daifa(&["decide", "credential"], typed);
        assert_eq!(kept.status.code(), Some(0), "{}", said(&kept));
        let file = data.join(format!("{name}.credential"));
        private(&file, &kept.stdout);
        let file = file.display();
        text =
            format!("{text}\n[[operator]]\nname = \"{name}\"\nsecret = {{ file = \"{file}\" }}\n");
    }
    std::fs::write(&config, text).expect("written");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let location = Location::Sqlite(data.join("daifa/daifa.sqlite"));
        let store = Store::attach(&location).await.expect("attaches");
        let held = store.hold_result("rural-1", "X1.txt", &[1; 32], None, "读不懂", vec![1], 1);
        assert!(held.await.expect("writes"));
        store.close().await;
    });
    (data, config.display().to_string())
}

/// Who was not let in and why, as the journal has it; nothing that was typed is in the database.
fn noted(data: &Path) -> Vec<(String, String)> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = data.join("daifa");
    for file in std::fs::read_dir(&folder).expect("listed") {
        let Ok(bytes) = std::fs::read(file.expect("an entry").path()) else { continue };
        assert!(!bytes.windows(11).any(|words| words == b"alone knows"), "what was typed is kept");
    }
    runtime.block_on(async {
        let location = Location::Sqlite(folder.join("daifa.sqlite"));
        let store = Store::attach(&location).await.expect("attaches");
        let alerts = store.standing_alerts(AlertKind::NotLetIn).await.expect("reads");
        assert_eq!(alerts, ["wang"]);
        store.close().await;
        let sql = "SELECT body FROM journal WHERE chain = 'operators' ORDER BY seq";
        let found = crate::beside::texts(&location, sql).await;
        let word =
            |body: &serde_json::Value, name: &str| body[name].as_str().expect("a word").to_owned();
        found
            .iter()
            .map(|text| {
                let body: serde_json::Value = serde_json::from_str(text).expect("JSON");
                (word(&body, "claimed"), word(&body, "why"))
            })
            .collect()
    })
}

#[test]
fn i31_two_operators_decide_and_one_alone_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, config) = practised(folder.path());
    let decide = |verb: &str, rest: &[&str], typed: &str| {
        let out = daifa(&[&["decide", verb, "--config", config.as_str()], rest].concat(), typed);
        (out.status.code(), said(&out))
    };
    let (code, list) = decide("list", &[], "");
    assert_eq!(code, Some(0), "{list}");
    let result = list.split(' ').next().expect("a word").to_owned();
    assert!(list.contains("is held whole: 读不懂"), "{list}");
    assert!(list.contains(&format!("decide: {result} dismissed")), "{list}");

    // Nobody, and nobody's credential, are let in; what was typed is not repeated.
    let with = |name: &'static str| ["--as", name, "--evidence", "电话核实"];
    let about = [result.as_str(), "dismissed"];
    for (name, typed) in [("zhao", WANG), ("wang", LI), ("wang", "\n"), ("wang", "")] {
        let (code, words) = decide("propose", &[&with(name), &about[..]].concat(), typed);
        assert_eq!(code, Some(1), "{words}");
        assert!(!words.contains("alone knows"), "{words}");
    }
    let (_, list) = decide("list", &[], "");
    assert!(!list.contains("proposed by"), "{list}");

    let (code, words) = decide("propose", &[&with("wang"), &about[..]].concat(), WANG);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("No money moves") && words.contains("nothing has changed yet"),
        "{words}"
    );
    let (_, list) = decide("list", &[], "");
    assert!(list.contains(&format!("D1: {result} dismissed, proposed by wang")), "{list}");
    let (_, shown) = decide("show", &["D1"], "");
    assert!(shown.contains("evidence: 电话核实"), "{shown}");

    // One person alone: neither as who they are nor as somebody else.
    let (code, words) = decide("confirm", &["--as", "wang", "D1"], WANG);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("another operator has to look at it"), "{words}");
    let (code, words) = decide("confirm", &["--as", "li", "D1"], WANG);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("this is not the credential of li"), "{words}");
    assert!(decide("list", &[], "").1.contains("is held whole"));

    let file = data.join("li.typed");
    private(&file, LI.as_bytes());
    let file = file.display().to_string();
    let by_file = ["--as", "li", "--credential-file", file.as_str(), "D1"];
    let (code, words) = decide("confirm", &by_file, "");
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = decide("confirm", &by_file, "");
    assert_eq!(code, Some(1), "a second time changes nothing: {words}");
    // Who was not let in is written down, without what was typed, and told where it happened again and again.
    let (code, list) = decide("list", &[], "");
    assert!(code == Some(0) && list.starts_with("nothing waits for people\n"), "{list}");
    assert!(list.contains("wang was not let in 3 times within a day, last at "), "{list}");
    assert!(!list.contains("li was not"), "once is no more than a slip: {list}");
    let (_, words) = decide("withdraw", &["--as", "wang", "D1"], WANG);
    assert!(words.contains("wang was not let in 3 times"), "they are told themselves: {words}");
    let (code, words) = decide("withdraw", &["--as", WANG.trim(), "D1"], "");
    assert!(code == Some(1) && words.contains("there is no operator"), "{words}");
    let noted = noted(&data);
    let claimed: Vec<&str> = noted.iter().map(|(claimed, _)| claimed.as_str()).collect();
    assert_eq!(claimed, ["?", "wang", "wang", "wang", "li", "?"], "{noted:?}");
    let why: Vec<&str> = noted.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(why, ["unknown", "wrong", "wrong", "wrong", "wrong", "unknown"]);
    let verified = daifa(&["verify", "--config", &config], "");
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
}

#[test]
fn check_tells_what_is_wrong_with_operators() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, config) = practised(folder.path());
    assert_eq!(daifa(&["check", "--config", &config], "").status.code(), Some(0));
    let text = std::fs::read_to_string(&config).expect("read");
    let (before, _) = text.split_once("[[operator]]").expect("has operators");
    let at = data.display();
    let operators = format!(
        "[[operator]]\nname = \"Wang\"\nsecret = {{ file = \"{at}/wang.credential\" }}\n\
         [[operator]]\nname = \"wang\"\nsecret = {{ file = \"{at}/li.typed\" }}\n\
         [[operator]]\nname = \"a b\"\nsecret = {{ file = \"{at}/wang.credential\" }}\n"
    );
    private(&data.join("li.typed"), LI.as_bytes());
    std::fs::write(&config, before.to_owned() + &operators).expect("written");
    let words = said(&daifa(&["check", "--config", &config], ""));
    for problem in [
        "operator.2.name: \"wang\" is there twice",
        "operator.3.name: \"a b\" is not 1 to 40 letters",
        "operator.2.secret: this is no credential as argon2 keeps them",
        "operator.3.secret: is another operator's too",
    ] {
        assert!(words.contains(problem), "{problem} is not in {words}");
    }
    assert!(!words.contains("alone knows"), "{words}");
    let one = "[[operator]]\nname = \"wang\"\nsecret = { credential = \"wang\" }\n";
    std::fs::write(&config, before.to_owned() + one).expect("written");
    let words = said(&daifa(&["check", "--config", &config], ""));
    assert!(words.contains("operator: one operator alone decides nothing"), "{words}");
}
