use super::*;

const GOOD: &str = concat!(
    r#"{"line":7,"name":"甲","document_kind":"id","document_number":"11010519491231002X","#,
    r#""bank":"a","account":"6217000000000000001","phone":"","village":"610728101001","#,
    r#""amount":"12.30","replaces":{"register":"2026-001","revision":1,"line":3}}"#
);

#[test]
fn a_line_reads_and_writes_back_alike() {
    let line = read_line(GOOD.as_bytes(), 1).expect("reads");
    assert_eq!((line.line, line.amount), (7, Fen::new(1230)));
    assert_eq!(line.replaces.as_ref().map(|r| r.line), Some(3));
    assert_eq!(serde_json::to_string(&LineWire::from(line)).expect("writes"), GOOD);
}

#[test]
fn i27_a_fault_of_a_line_names_its_place_and_repeats_nothing() {
    for (from, to, line, field, what) in [
        (r#""name":"甲","#, "", 7, "name", "it is missing"),
        (r#""name":"甲""#, r#""name":5"#, 7, "name", "it is text"),
        (r#""line":7"#, r#""line":"7""#, 4, "line", "a line number is an integer"),
        (r#""line":7,"#, "", 4, "line", "it is missing"),
        (r#""12.30""#, "12.30", 7, "amount", "a decimal string"),
        (r#""12.30""#, r#""12.305""#, 7, "amount", "two decimals"),
        (r#""12.30""#, r#""11010519491231002X""#, 7, "amount", "digits"),
        (r#""12.30""#, r#""99999999999999999999""#, 7, "amount", "larger"),
        (r#""line":3}"#, r#""line":"3"}"#, 7, "replaces", "register, revision and line"),
        (r#"{"line":7"#, r#"{"extra":1,"line":7"#, 7, "line", "does not know"),
        (r#"{"line":7"#, r#"{"line":7,"line":7"#, 7, "line", "shape"),
        ("}}", "}", 4, "line", "ends too early"),
        (r#"{"line":7"#, "[", 4, "line", "not JSON"),
    ] {
        let bad = GOOD.replacen(from, to, 1);
        assert_ne!(bad, GOOD, "{from}");
        let fault = read_line(bad.as_bytes(), 4).expect_err("fault");
        assert_eq!((fault.line, fault.field), (Some(line), field), "{bad}");
        assert!(fault.what.contains(what), "{} / {what}", fault.what);
        assert!(!fault.what.contains("110105"), "{}", fault.what);
    }
    assert_eq!(read_line(b"[]", 9).expect_err("fault").line, Some(9));
}

#[test]
fn documents_name_the_field_that_is_wrong() {
    let read_it = |text: &str| read::<PageWire<ListedWire>>(text.as_bytes());
    assert!(read_it(r#"{"items":[],"next":null}"#).is_ok());
    for (bad, place) in [
        (r#"{"items":[]}"#, "missing field `next`"),
        (r#"{"items":[],"next":null,"more":1}"#, "unknown field `more`"),
        (
            r#"{"items":[{"cursor":"1","id":"a","revision":"x","event":"approved"}],"next":null}"#,
            "items[0].revision",
        ),
        (
            r#"{"items":[{"cursor":"1","id":"a","revision":1,"event":"gone"}],"next":null}"#,
            "not a word for register_event",
        ),
        (r#"{"items":[],"next":null} {}"#, "not JSON"),
        ("<html>", "not JSON"),
        ("", "ends too early"),
    ] {
        let error = read_it(bad).expect_err("refused").to_string();
        assert!(error.contains(place), "{error} / {place}");
    }
}

#[test]
fn f45_ids_that_could_leave_their_place_are_refused() {
    assert!(id_is_plain("2026-001_A.7"));
    for bad in ["", ".", "..", "a/b", "a b", "a?b", "甲", &"a".repeat(65)] {
        assert!(!id_is_plain(bad), "{bad}");
    }
}

const HEAD: &str = concat!(
    r#"{"id":"A","revision":2,"programme_code":"P","programme_name":"N","summary":"S","#,
    r#""department":"D","town":"610728101","document_no":"1","period":"2026","entered_by":"a","#,
    r#""reviewed_by":"b","approved_at":"2026-11-23T15:49:04+08:00","funded_at":null,"#,
    r#""pool_account":"1","voucher_no":"2","declared_count":3,"declared_sum":"12.30","#,
    r#""digest":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#
);

#[test]
fn f63_every_fault_of_a_head_is_named_and_the_rest_is_kept() {
    assert_eq!(read_head(HEAD.as_bytes(), "A", 2).expect("reads").declared_sum, Fen::new(1230));
    for (from, to, field) in [
        (r#""12.30""#, r#""99999999999999999999.00""#, "declared_sum"),
        (r#""12.30""#, "12.30", "declared_sum"),
        (r#""declared_count":3"#, r#""declared_count":99999999999999999999"#, "declared_count"),
        (r#""declared_count":3,"#, "", "declared_count"),
        (r#""summary":"S""#, r#""summary":"S\u0000""#, "summary"),
        (r#""period":"2026""#, r#""period":2026"#, "period"),
        (r#""id":"A""#, r#""id":"B""#, "id"),
        (r#""revision":2"#, r#""revision":3"#, "revision"),
        ("15:49:04+08:00", "15:49:04", "approved_at"),
        (r#""funded_at":null,"#, "", "funded_at"),
        (r#""digest":"a"#, r#""digest":"g"#, "digest"),
        (r#"{"id""#, r#"{"more":1,"id""#, "id"),
        (r#""id":"A""#, r#""id":"A","id":"A""#, "id"),
        ("\"}", "\"", "id"),
    ] {
        let bad = HEAD.replacen(from, to, 1);
        assert_ne!(bad, HEAD, "{from}");
        let error = read_head(bad.as_bytes(), "A", 2).expect_err(&bad);
        let FinanceError::Faulty(faulty) = error else { panic!("{error}") };
        let fields: Vec<_> = faulty.faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, [field], "{bad}");
        assert!(faulty.faults[0].chinese.contains('请'));
        assert_eq!((faulty.head.id.as_str(), faulty.head.revision), ("A", 2));
        if field != "id" {
            assert_eq!(faulty.head.programme_name, "N", "{bad}");
        }
    }
    let many = HEAD.replacen(r#""12.30""#, "1", 1).replacen("15:49", "25:49", 1);
    let error = read_head(many.as_bytes(), "A", 2).expect_err("two").to_string();
    assert!(error.contains("declared_sum") && error.contains("approved_at"), "{error}");
}
