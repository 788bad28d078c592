//! A description with faults: all are told at once, each with line, column and a hint.

use daifa::format::{Format, MessageKind, Problems, example};

use crate::{CITY, RURAL, decode, head, row};

/// An example with one text replaced by another, once.
fn changed(name: &str, from: &str, to: &str) -> Result<Format, Problems> {
    let text = example::example(name).unwrap();
    assert!(text.contains(from), "{from}");
    Format::compile(name, &text.replacen(from, to, 1))
}

/// The line (counted from 1) in which a text stands first.
fn line_of(name: &str, what: &str) -> usize {
    let text = example::example(name).unwrap();
    let (before, _) = text.split_once(what).unwrap();
    before.matches('\n').count() + 1
}

fn told(name: &str, from: &str, to: &str) -> Problems {
    match changed(name, from, to) {
        Ok(_) => panic!("{to} was taken"),
        Err(problems) => problems,
    }
}

const ORDINAL: &str = "{ key = \"ordinal\", width = 8, pad = \"0\", side = \"right\" }";
const AMOUNT: &str = "{ key = \"amount\", width = 17, unit = \"yuan\", scale = 2, point = true,";

/// An example, a text in it, what that becomes, and what must be told about it.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    (RURAL, "language = 1", "language = 2", "language 2 is not known"),
    (RURAL, "charset = \"GB18030\"", "charset = \"EBCDIC\"", "there is no \"EBCDIC\""),
    (RURAL, "rows_max = 10000", "rows_max = 10000\nrows_min = 1", "no key \"rows_min\""),
    (RURAL, "rows_max = 10000", "rows_max = \"10000\"", "expected a whole number"),
    (RURAL, "width = 8, pad", "widht = 8, pad", "no key \"widht\""),
    (
        RURAL,
        ORDINAL,
        "{ key = \"ordinal\", at = 3, width = 8, pad = \"0\", side = \"right\" }",
        "a gap of 1 byte before ordinal",
    ),
    (
        RURAL,
        ORDINAL,
        "{ key = \"ordinal\", at = 1, width = 8, pad = \"0\", side = \"right\" }",
        "ordinal overlaps the field before it by 1 byte",
    ),
    (
        RURAL,
        ORDINAL,
        "{ key = \"ordinal\", width = 4, pad = \"0\", side = \"right\" }",
        "ordinal is too narrow: 4 bytes, 5 are needed",
    ),
    (
        RURAL,
        ORDINAL,
        "{ key = \"ordinal\", width = 8, pad = \"0\", side = \"left\" }",
        "would change the number",
    ),
    (RURAL, ORDINAL, "{ key = \"ordinal\", width = 8 }", "a field without pad"),
    (
        RURAL,
        ORDINAL,
        "{ key = \"ordinary\", width = 8, pad = \"0\", side = \"right\" }",
        "there is no \"ordinary\"",
    ),
    (
        RURAL,
        AMOUNT,
        "{ key = \"amount\", width = 9, unit = \"yuan\", scale = 2, point = true,",
        "amount is too narrow: 9 bytes, 10 are needed",
    ),
    (
        RURAL,
        AMOUNT,
        "{ key = \"amount\", width = 17, scale = 2, point = true,",
        "a field without unit",
    ),
    (
        RURAL,
        AMOUNT,
        "{ key = \"amount\", width = 17, unit = \"fen\", scale = 2, point = true,",
        "no coin below the fen",
    ),
    (
        RURAL,
        AMOUNT,
        "{ key = \"amount\", width = 17, unit = \"yuan\", scale = 2,",
        "scale and point do not fit",
    ),
    (
        RURAL,
        "{ key = \"payee_name\", width = 60,",
        "{ key = \"payee_name\", width = 3,",
        "payee_name is too narrow",
    ),
    (RURAL, "length = 198", "length = 199", "the fields take 198 bytes, the record says 199"),
    (RURAL, "codes = \"answers\"", "codes = \"answer\"", "there is no [codes.answer]"),
    (RURAL, "codes = \"answers\"", "codes = \"sms\"", "needs a table of codes with answer"),
    (
        RURAL,
        "{ key = \"code\", width = 4, only = \"ascii\", codes = \"answers\",",
        "{ key = \"code\", width = 4, only = \"ascii\",",
        "a code without its table",
    ),
    (RURAL, "committing = true", "committing = false", "the last part, and it alone"),
    (
        RURAL,
        "\"HP{reference}[_{serial}].txt\"",
        "\"DF{reference}.txt\"",
        "can have the same file name",
    ),
    (RURAL, "\"DF{reference}.txt\"", "\"{reference}.txt\"", "a name begins with letters"),
    (RURAL, "kind = \"result\"", "kind = \"notice\"", "notice is described twice"),
    (RURAL, "is = \"row\"", "is = \"line\"", "there is no \"line\""),
    (RURAL, "reason = \"account_not_found\", ", "", "an outcome without its reason"),
    (
        RURAL,
        "0001 = { answer = \"processing\" }",
        "0000 = { answer = \"processing\" }",
        "0000 stands twice",
    ),
    (RURAL, "bytes_max = 4194304", "bytes_max = 1000000", "a data part of rows_max rows takes"),
    (RURAL, "line_end = \"CRLF\"", "line_end = \"CRLF", ""),
    (CITY, "path = \"Head/Reference\"", "path = \"Head//Reference\"", "is no path"),
    (CITY, "path = \"Head/Reference\"", "path = \"Head/Code\"", "two fields in one place"),
    (CITY, "path = \"Head/Reference\"", "path = \"Head\"", "has a value and elements"),
    (CITY, "path = \"Body/List/Row\"\n", "", "a record that repeats, without an element"),
    (CITY, "unit = \"fen\", scale = 0", "unit = \"fen\"", "a field without scale"),
    (CITY, "layout = \"xml\"", "layout = \"json\"", "there is no \"json\""),
];

#[test]
fn every_fault_is_told_where_it_stands() {
    for (name, from, to, what) in FAULTS {
        let problems = told(name, from, to);
        let text = problems.to_string();
        assert!(text.contains(what), "{to}: {text}");
        let problem = problems.list.iter().find(|problem| problem.what.contains(*what)).unwrap();
        assert!(problem.line > 0 && problem.column > 0, "{text}");
        for problem in problems.list.iter().filter(|_| *name == RURAL) {
            assert!(!problem.hint.is_empty(), "nothing to do about: {}", problem.what);
        }
    }
}

#[test]
fn a_fault_has_its_line_and_column() {
    let field = "{ key = \"ordinal\", width = 8, pad = \"0\", side = \"right\" }";
    let problems =
        told(RURAL, field, "{ key = \"ordinal\", widht = 8, pad = \"0\", side = \"right\" }");
    let line = line_of(RURAL, field);
    let found: Vec<_> = problems.list.iter().map(|p| (p.line, p.column, p.what.as_str())).collect();
    assert!(found.contains(&(line, 22, "a field has no key \"widht\"")), "{problems}");
    assert!(problems.to_string().contains(&format!("{RURAL}:{line}:3: ")), "{problems}");
}

#[test]
fn all_faults_are_told_at_once() {
    let text = example::example(RURAL).unwrap();
    let text = text
        .replace("rows_max = 10000", "rows_maxi = 10000")
        .replacen("unit = \"yuan\"", "unit = \"jiao\"", 1)
        .replacen("codes = \"sms\"", "codes = \"texts\"", 1)
        .replacen("kind = \"result\"", "kind = \"results\"", 1)
        .replacen("1002 = {", "1001 = {", 1);
    let problems = Format::compile(RURAL, &text).unwrap_err();
    for what in [
        "rows_maxi",
        "without rows_max",
        "\"jiao\"",
        "[codes.texts]",
        "\"results\"",
        "1001 stands twice",
    ] {
        assert!(problems.to_string().contains(what), "{what}: {problems}");
    }
    let mut lines: Vec<usize> = problems.list.iter().map(|problem| problem.line).collect();
    assert!(lines.is_sorted());
    lines.dedup();
    assert!(lines.len() >= 4);
}

/// One mistake is told once: not what follows from it, nor what comes behind broken TOML.
#[test]
fn what_follows_from_a_mistake_is_not_told() {
    let only = |name: &str, from: &str, to: &str| {
        let problems = told(name, from, to);
        let found: Vec<String> = problems.list.iter().map(|p| p.what.clone()).collect();
        found.join("; ")
    };
    let pipe = "example-core-pipe";
    let misspelt = only(pipe, "separator = \"|\"", "seperator = \"|\"");
    assert_eq!(misspelt, "a part without separator; a part has no key \"seperator\"");
    let table = only(pipe, "codes = \"failures\"", "codes = \"failure\"");
    assert_eq!(table, "there is no [codes.failure]");
    let unit = only(pipe, "unit = \"yuan\"", "unit = \"Yuan\"");
    assert_eq!(unit, "unit: there is no \"Yuan\"");
    let broken = only(pipe, "text = \"账号不存在\" }", "text = \"账号不存在\"");
    assert!(broken.starts_with("missing comma") && !broken.contains(';'), "{broken}");
}

#[test]
fn rows_state_their_count_and_sum() {
    let without = |key: &str| {
        let text = example::example(RURAL).unwrap();
        let lines = text.lines().filter(|line| !line.contains(&format!("key = \"{key}\"")));
        let text: String = lines
            .filter(|line| !line.starts_with("length"))
            .fold(String::new(), |text, line| text + line + "\n");
        Format::compile(RURAL, &text).unwrap_err().to_string()
    };
    assert!(without("count").contains("rows without their count"));
    assert!(without("sum").contains("rows without their sum"));
    assert!(without("amount").contains("rows without amount"));
}

#[test]
fn a_text_kept_with_an_old_attempt_reads_its_answer() {
    let kept = Format::compile(RURAL, example::example(RURAL).unwrap()).unwrap();
    let kind = MessageKind::PaymentRequest;
    let parts = kept.encode(kind, &head(), &[row(1, "某", 1)]).unwrap();
    let again = Format::compile(kept.name(), kept.text()).unwrap();
    assert_eq!(again.digest(), kept.digest());
    assert!(decode(&again, kind, &parts).is_ok());
    // A bank that moved to wider names does not read the old file, and says so.
    let text = kept.text().replacen(
        "key = \"payee_name\", width = 60",
        "key = \"payee_name\", width = 80",
        1,
    );
    let newer =
        Format::compile("newer", &text.replacen("length = 198", "length = 218", 1)).unwrap();
    assert!(decode(&newer, kind, &parts).is_err());
}

#[test]
fn nothing_in_a_description_makes_the_compiler_panic() {
    let text = example::example(CITY).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        let compiled = Format::compile(CITY, &fewer.join("\n"));
        if let Err(problems) = compiled {
            assert!(!problems.list.is_empty());
        }
    }
}

#[test]
fn a_slip_is_told_with_the_word_that_was_meant() {
    let told = |name: &str, from: &str, to: &str| {
        let text = example::example(name).unwrap();
        assert!(text.contains(from), "{from}");
        Format::compile(name, &text.replacen(from, to, 1)).unwrap_err()
    };
    for (from, to, what, hint) in [
        ("charset = \"GB18030\"", "charset = \"GB-18030\"", "no \"GB-18030\"", "GB18030? one of"),
        ("charset = \"GB18030\"", "charset = \"ANSI\"", "no \"ANSI\"", "GBK, which Windows calls"),
        ("key = \"payee_name\"", "key = \"payee\\u005fnam\"", "no \"payee_nam\"", "payee_name? "),
        ("width = 8, pad", "widht = 8, pad", "no key \"widht\"", "width? keys are"),
        (
            "reason = \"account_not_found\"",
            "reason = \"no_account\"",
            "no \"no_account\"",
            "one of",
        ),
        ("title = \"", "title = \u{201C}", "", "\u{201C} is a sign of Chinese text"),
        ("width = 8, pad", "width = -8, pad", "found -8", "without"),
        (
            "[[message.part.record]]",
            "[message.part.record]",
            "message.part.record stands twice",
            "[[message.part.record]] with two brackets",
        ),
    ] {
        let problems = told(RURAL, from, to);
        let mut told = problems.list.iter();
        assert!(told.any(|p| p.what.contains(what) && p.hint.contains(hint)), "{to}: {problems}");
        let several = to.starts_with('[');
        let missing = usize::from(to.contains("widht"));
        assert!(several || problems.list.len() == 1 + missing, "{to}: {problems}");
    }
    // One field that stands wrong is one problem, whichever of the two ways it is mended.
    let text = "language = 1\ntitle = \"x\"\nstatus = \"bank\"\nsource = \"x\"\ncharset = \"GBK\"\n[limits]\nrows_max = 1\namount_max = \"1.00\"\nsum_max = \"1.00\"\nbytes_max = 100\n[[message]]\nkind = \"statement\"\n[[message.part]]\nrole = \"message\"\ncommitting = true\nlayout = \"fixed\"\nline_end = \"LF\"\n[[message.part.record]]\nis = \"head\"\nfields = [ { own = \"a\", at = 1, width = 4, full = true }, { own = \"b\", at = 4, width = 4, full = true }, { own = \"c\", at = 9, width = 4, full = true } ]\n";
    let problems = Format::compile("x", text).unwrap_err();
    assert_eq!(problems.list.len(), 1, "{problems}");
    assert_eq!(problems.list[0].what, "b overlaps the field before it by 1 byte");
}
