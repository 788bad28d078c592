//! F43, F44: hostile input is refused, quickly and in bounded memory.

use daifa::format::{Item, Key, MessageKind, Value};

use crate::{CITY, RURAL, answered, decode, format, head, message, no_rows};

const KIND: MessageKind = MessageKind::StatusAnswer;
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"GBK\"?>";

/// A good answer, for a test to spoil.
fn answer() -> String {
    let mut head = head();
    head.set(Key::Code, Value::Text("B003"));
    let rows = [answered(1, 100, "S"), answered(2, 200, "F02")];
    let parts = format(CITY).encode(KIND, &head, &rows).unwrap();
    String::from_utf8(parts[0].bytes.clone()).unwrap()
}

fn refused(bytes: impl Into<Vec<u8>>) -> String {
    decode(&format(CITY), KIND, &message(bytes.into())).unwrap_err()
}

#[test]
fn f44_hostile_documents_are_refused() {
    let good = answer();
    assert!(decode(&format(CITY), KIND, &message(good.clone().into_bytes())).is_ok());
    let body = good.strip_prefix(DECLARATION).unwrap();
    let doctype = format!("{DECLARATION}<!DOCTYPE Message [<!ENTITY x \"y\">]>{body}");
    assert!(refused(doctype).contains("no DOCTYPE"));
    assert!(refused(format!("{good}{body}")).contains("second root"));
    assert!(refused(format!("{good}<x/>")).contains("second root"));
    assert!(refused(format!("{good}tail")).contains("elements alone"));
    assert!(refused(body).contains("a declaration of GBK"));
    assert!(refused(good.replace("GBK", "UTF-8")).contains("one declaration of GBK"));
    for not in ["&#0;", "&#8;", "&#xD800;", "&#x110000;", "&#xFFFE;", "&#x20BB7;", "&#x30", "&#;"] {
        let told = refused(good.replace("B003", &format!("B{not}03")));
        let at = good.find("B003").unwrap() + 1;
        assert!(told.contains(&format!("byte {at}: ")) && told.contains("a reference"), "{told}");
    }
    assert!(refused(good.replace("no=\"1\"", "no=\"&#x20BB7;\"")).contains("a reference"));
    assert!(refused(good.replace("<Head>", "&#48;<Head>")).contains("elements alone"));
    assert!(refused(good.replace("B003", "B&x;03")).contains("a reference"));
    // Nothing is said before the declaration, and nothing in the middle of a value.
    assert!(refused(format!("<!-- x -->{good}")).contains("a declaration of GBK, found a comment"));
    assert!(refused(format!("<?x y?>{good}")).contains("found a processing instruction"));
    assert!(refused(good.replace("B003", "B0<!-- x -->03")).contains("a comment"));
    assert!(refused(good.replace("B003", "B0<?x y?>03")).contains("a processing instruction"));
    assert!(refused(good.replace("<Head>", "<!-- x -- y --><Head>")).contains("end of a comment"));
    assert!(
        refused(good.replace("<Head>", "<?xml version=\"1.0\"?><Head>")).contains("declaration")
    );
    assert!(refused(good.replace("<Head>", "<!-- x <Head>")).contains("a comment of at most"));
    let long = format!("<!--{}--><Head>", " ".repeat(20_000));
    assert!(refused(good.replace("<Head>", &long)).contains("a comment of at most 16384 bytes"));
    assert!(refused(good.replace("<Head>", "<Head><New>1</New>")).contains("<New>"));
    assert!(refused(good.replace("<Head>", "<Head a=\"1\">")).contains("attributes of <Head>"));
    assert!(refused(good.replace("<Head>", "<Head>x")).contains("elements alone"));
    let twice = good.replace("<Status>B003</Status>", "<Status>B003</Status><Status>B404</Status>");
    assert!(refused(twice).contains("<Status> once"));
    let twice = good.replace("<Code>S</Code>", "<Code>F01</Code><Code>S</Code>");
    assert!(refused(twice).contains("<Code> once"));
    assert!(refused(good.replace("no=\"1\"", "no=\"1\" no=\"2\"")).contains("attributes"));
    assert!(refused(good.replace("<Status>B003</Status>", "")).contains("field code"));
    assert!(refused(good.replace("Message>", "Other>")).contains("<Message>"));
    assert!(refused("").contains("the whole document"));
    assert!(refused("<").contains("well-formed") || !refused("<").is_empty());
}

#[test]
fn f44_a_cut_document_is_refused_wherever_it_is_cut() {
    let good = answer();
    let format = format(CITY);
    for length in 0..good.len() {
        let cut = message(good.as_bytes()[..length].to_vec());
        assert!(decode(&format, KIND, &cut).is_err(), "{length}");
    }
}

#[test]
fn f44_many_attributes_and_great_depth_are_refused() {
    let many: Vec<String> = (0..100_000).map(|at| format!("a{at}=\"1\"")).collect();
    let many = many.join(" ");
    let error = refused(format!("{DECLARATION}<Message {many}></Message>"));
    assert!(error.contains("attributes"), "{error}");
    let deep = "<Message>".repeat(800_000);
    let error = refused(format!("{DECLARATION}{deep}"));
    assert!(error.contains("in <Message> what the format names"), "{error}");
}

#[test]
fn f44_depth_and_attributes_are_capped_inside_what_is_ignored_too() {
    let text = daifa::format::example::example(CITY).unwrap();
    let text =
        text.replacen("root = \"Message\"\n", "root = \"Message\"\nignore = [\"Any\"]\n", 99);
    let format = daifa::format::Format::compile("deep", &text).unwrap();
    let with = |inside: &str| {
        let good = answer();
        message(good.replace("<Message>", &format!("<Message><Any>{inside}</Any>")).into_bytes())
    };
    assert!(decode(&format, KIND, &with("<a b=\"1\">text<c/></a>")).is_ok());
    let deep = format!("{}{}", "<a>".repeat(500_000), "</a>".repeat(500_000));
    let error = decode(&format, KIND, &with(&deep)).unwrap_err();
    assert!(error.contains("32 elements"), "{error}");
    let many: Vec<String> = (0..100_000).map(|at| format!("a{at}=\"1\"")).collect();
    let error = decode(&format, KIND, &with(&format!("<a {}/>", many.join(" ")))).unwrap_err();
    assert!(error.contains("at most 32 attributes"), "{error}");
}

#[test]
fn f40_broken_bytes_in_a_document_are_told_with_their_offset() {
    let good = answer();
    let at = good.find("</Head>").unwrap();
    for broken in [&b"\x80"[..], b"\xFF", b"\0", b"\x81\x30\x81\x30", b"\xAA\xA1", b"\xA2\xE3"] {
        let mut bytes = good.clone().into_bytes();
        bytes.splice(at..at, broken.iter().copied());
        let error = refused(bytes);
        assert!(error.contains(&format!("byte {at}: expected text in GBK")), "{error}");
    }
    let mut bom = b"\xEF\xBB\xBF".to_vec();
    bom.extend_from_slice(good.as_bytes());
    assert!(!refused(bom).is_empty());
}

#[test]
fn f40_the_offset_of_a_row_is_one_of_the_bytes_that_came() {
    // Chinese text before the fault: characters, text bytes and the bank's bytes all differ.
    let mut head = head();
    head.set(Key::Code, Value::Text("B003"));
    head.set(Key::Text, Value::Text("处理完毕，部分失败"));
    let format = format(CITY);
    let mut row = answered(1, 100, "F02");
    row.set(Key::Text, Value::Text("户名不符"));
    let parts = format.encode(KIND, &head, &[row, answered(2, 200, "S")]).unwrap();
    let mut bytes = parts[0].bytes.clone();
    let find =
        |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what).unwrap();
    let at = find(&bytes, b"<Amount>200");
    bytes[at + 8] = b'-';
    let parts = message(bytes);
    let mut reading = format.read(KIND, &parts).unwrap();
    let mut offset = None;
    while let Some(item) = reading.next().unwrap() {
        if let Item::BadRow(error) = item {
            offset = error.offset;
        }
    }
    assert_eq!(offset, Some(at + "<Amount>".len()));
}

#[test]
fn f43_size_is_capped_before_anything_is_read() {
    for (name, kind) in [(CITY, KIND), (RURAL, MessageKind::StatusAnswer)] {
        let format = format(name);
        let mut parts = format.encode(MessageKind::StatusQuery, &head(), no_rows()).unwrap();
        parts[0].bytes = vec![b' '; format.limits().bytes_max + 1];
        let error = format.read(kind, &parts).unwrap_err();
        assert!(error.expected.contains("at most"), "{error}");
    }
}

#[test]
fn f43_more_rows_than_allowed_hold_the_message() {
    let format = format(CITY);
    let rows: usize = format.limits().rows_max + 1;
    let row = "<Row no=\"1\"><Account>1</Account><Amount>1</Amount><Code>S</Code></Row>";
    let good = answer();
    let (before, rest) = good.split_once("<Row").unwrap();
    let after = rest.rsplit_once("</Row>").unwrap().1;
    let error = refused(format!("{before}{}{after}", row.repeat(rows)));
    assert!(error.contains("at most 5000 rows"), "{error}");
}

/// Every byte of a good message changed in turn: an error or a reading, never a panic.
#[test]
fn f44_no_changed_byte_makes_a_reader_panic() {
    let format = format(CITY);
    let good = answer().into_bytes();
    for at in 0..good.len() {
        for with in [0, b'<', b'>', b'&', b'"', b' ', 0x80, 0x81, 0xFF] {
            let mut bytes = good.clone();
            bytes[at] = with;
            let parts = message(bytes);
            let mut reading = format.read(KIND, &parts).unwrap();
            while let Ok(Some(_)) = reading.next() {}
        }
    }
}
