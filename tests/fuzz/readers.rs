//! Every reader of bytes that others send, behind one door each: bytes go in, and either they are
//! refused with a place, or what was read is written and read again as the same. The tests try each
//! on a kept corpus and on changed samples, a fuzzer on whatever it finds.

use std::sync::OnceLock;

use daifa::finance::wire;
use daifa::format::sample::Values;
use daifa::format::{
    DataError, Format, Key, MessageKind, Part, PartBytes, PartContent, PartRole, Problems, Record,
    Source, example, sample,
};
use serde_json::Value as Json;

use crate::dice::Dice;
use crate::layouts;

/// A reader by its name, what it does with bytes, and bytes to begin from.
pub struct Reader {
    pub name: &'static str,
    pub read: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const READERS: &[Reader] = &[
    Reader { name: "fixed", read: fixed, seeds: || seeds(fixed_shapes()) },
    Reader { name: "delimited", read: delimited, seeds: || seeds(delimited_shapes()) },
    Reader { name: "tagged", read: tagged, seeds: || seeds(tagged_shapes()) },
    Reader { name: "xml", read: xml, seeds: || seeds(xml_shapes()) },
    Reader { name: "frames", read: frames, seeds: || seeds(frame_shapes()) },
    Reader { name: "charsets", read: charsets, seeds: charset_seeds },
    Reader { name: "numbers", read: numbers, seeds: number_seeds },
    Reader { name: "description", read: description, seeds: description_seeds },
    Reader { name: "names", read: names, seeds: name_seeds },
    Reader { name: "values", read: values, seeds: value_seeds },
    Reader { name: "finance", read: finance, seeds: finance_seeds },
    Reader { name: "layouts", read: random_layout, seeds: layout_seeds },
];

/// The reader of this name.
///
/// # Panics
/// Where there is none.
pub fn reader(name: &str) -> &'static Reader {
    READERS.iter().find(|reader| reader.name == name).expect("a reader of this name")
}

/// One message of a format, with its samples.
struct Shape {
    format: Format,
    kind: MessageKind,
    /// The parts of each sample, in the order of handing over.
    samples: Vec<Vec<Part>>,
}

impl Shape {
    fn new(name: &str, text: &str, kind: MessageKind, samples: Vec<Vec<Part>>) -> Self {
        let format = Format::compile(name, text).unwrap_or_else(|problems| panic!("{problems}"));
        let format = format.with_published_secrets();
        Self { format, kind, samples }
    }
}

/// The messages of an example for which `text` says that its description is of this sort.
fn examples(of: &[&str]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for name in of {
        let text = example::example(name).expect("an example of this name");
        let format = Format::compile(name, text).unwrap_or_else(|problems| panic!("{problems}"));
        for kind in format.kinds() {
            let mut samples: Vec<(String, Vec<Part>)> = Vec::new();
            for (path, bytes) in example::files(name) {
                let Some(rest) = path.strip_prefix("samples/") else { continue };
                let Some((folder, file)) = rest.split_once('/') else { continue };
                let values = [sample::VALUES, sample::READ].contains(&file);
                if folder.split('.').next() != Some(kind.as_str()) || values {
                    continue;
                }
                let role = sample::role(&format, kind, std::path::Path::new(file));
                let Ok((role, name)) = role else { continue };
                let part = Part { role, name, bytes: bytes.to_vec(), committing: true };
                match samples.iter_mut().find(|(known, _)| known == folder) {
                    Some((_, parts)) => parts.push(part),
                    None => samples.push((folder.to_owned(), vec![part])),
                }
            }
            let order: Vec<PartRole> = format.parts(kind).map(|(role, _)| role).collect();
            for (_, parts) in &mut samples {
                parts.sort_by_key(|part| order.iter().position(|role| *role == part.role));
            }
            let samples = samples.into_iter().map(|(_, parts)| parts).collect();
            shapes.push(Shape::new(name, text, kind, samples));
        }
    }
    shapes
}

/// Descriptions made of choices, of this layout, with the message that was made beside them.
fn made(layout: &str, count: usize) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for number in 0_u64..4000 {
        if shapes.len() == count {
            break;
        }
        let bytes = noise(number, 240);
        let made = layouts::layout(&mut Dice::new(&bytes));
        if !made.text.contains(&format!("layout = \"{layout}\"")) {
            continue;
        }
        let Ok(format) = Format::compile("made", &made.text) else { continue };
        let kind = MessageKind::Statement;
        let Ok(values) = Values::parse(&format, kind, &made.lines) else { continue };
        let Ok(parts) = values.write(&format, kind) else { continue };
        shapes.push(Shape { format, kind, samples: vec![parts] });
    }
    shapes
}

/// Bytes that are the same for the same number (xorshift).
pub fn noise(number: u64, length: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// The bytes of a message behind one that says of which shape it is; where a message has several
/// parts, all but the last stand behind their length.
fn packed(at: usize, parts: &[Part]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(at).unwrap_or(0)];
    for (index, part) in parts.iter().enumerate() {
        if index + 1 < parts.len() {
            let length = u16::try_from(part.bytes.len()).unwrap_or(u16::MAX);
            bytes.extend(length.to_be_bytes());
        }
        bytes.extend(&part.bytes);
    }
    bytes
}

fn seeds(shapes: &[Shape]) -> Vec<Vec<u8>> {
    let each = shapes.iter().enumerate();
    each.flat_map(|(at, shape)| shape.samples.iter().map(move |parts| packed(at, parts))).collect()
}

/// Reads a message of one of these shapes.
fn message(shapes: &[Shape], data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let shape = &shapes[usize::from(*first) % shapes.len()];
    let Some(model) = shape.samples.first() else { return };
    let mut parts = Vec::new();
    for (index, part) in model.iter().enumerate() {
        let mut bytes = rest;
        if index + 1 < model.len() {
            let Some((length, behind)) = rest.split_first_chunk::<2>() else { return };
            let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
            (bytes, rest) = behind.split_at(length);
        }
        parts.push(Part { bytes: bytes.to_vec(), ..part.clone() });
    }
    hold(&shape.format, shape.kind, &parts);
}

/// Reads parts out of memory and out of a stream: both say the same. What was read is written and
/// reads back as the same; what was not has a place.
fn hold(format: &Format, kind: MessageKind, parts: &[Part]) {
    let here = read(format, kind, parts.iter().map(PartBytes::from).collect());
    let streams = parts.iter().map(|part| PartBytes {
        role: part.role,
        name: part.name.clone(),
        bytes: PartContent::Stream(Box::new(Trickle { bytes: &part.bytes, step: 1 })),
    });
    let stream = read(format, kind, streams.collect());
    match (&here, &stream) {
        (Ok(here), Ok(stream)) => assert!(here.0 == stream.0, "a stream reads otherwise"),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => panic!("refused as a stream alone: {error}"),
        (Err(error), Ok(_)) => panic!("taken as a stream alone: {error}"),
    }
    let values = match here {
        Ok(values) => values,
        Err(error) => return has_a_place(&error),
    };
    let mut reading = format.read(kind, parts).expect("what was opened opens");
    while reading.next().expect("what was read record by record is read by the road").is_some() {}
    let (values, faults) = values;
    if faults > 0 {
        return;
    }
    let Ok(written) = values.write(format, kind) else { return };
    let again = Values::read(format, kind, &written);
    let again = again.unwrap_or_else(|error| panic!("what was written is refused: {error}"));
    assert!(again == values, "what was written reads otherwise");
}

/// All records, and how many rows have a fault.
fn read<'f>(
    format: &'f Format,
    kind: MessageKind,
    parts: Vec<PartBytes<'f>>,
) -> Result<(Values, usize), DataError> {
    let mut reading = format.read_streams(kind, parts)?;
    reading.keep_places();
    let mut values = Values { records: Vec::new() };
    let mut faults = 0;
    while let Some(piece) = reading.next_piece()? {
        match piece.fault {
            Some(fault) => {
                has_a_place(&fault);
                faults += 1;
            }
            None => values.records.push((piece.name.to_owned(), piece.record.clone())),
        }
        assert!(
            piece.places.iter().all(|(name, place)| !name.is_empty() && place.end >= place.start)
        );
    }
    Ok((values, faults))
}

fn has_a_place(error: &DataError) {
    assert!(!error.expected.is_empty(), "what was expected is not told");
    let whole = error.record == 0 && error.field.is_empty() && error.offset.is_none();
    // What is wrong with a message as a whole has no byte: a part that is missing, or too large.
    assert!(!whole || error.part.is_some() || !error.found.is_empty(), "no place: {error}");
    assert!(error.to_string().len() < 2000, "an error is told in a line");
}

/// Gives few bytes at a time.
struct Trickle<'b> {
    bytes: &'b [u8],
    step: usize,
}

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.step.min(self.bytes.len()).min(into.len());
        let (now, rest) = self.bytes.split_at(length);
        into[..length].copy_from_slice(now);
        self.bytes = rest;
        self.step = self.step % 61 * 2 + 1;
        Ok(length)
    }
}

/// Shapes that are made once.
macro_rules! shapes {
    ($name:ident, $made:expr) => {
        fn $name() -> &'static [Shape] {
            static SHAPES: OnceLock<Vec<Shape>> = OnceLock::new();
            SHAPES.get_or_init(|| $made)
        }
    };
}

/// Those of several sources in one list.
fn together(lists: Vec<Vec<Shape>>) -> Vec<Shape> {
    lists.into_iter().flatten().collect()
}

shapes!(fixed_shapes, together(vec![examples(&["example-rural-fixed"]), made("fixed", 40)]));
shapes!(
    delimited_shapes,
    together(vec![examples(&["example-core-pipe", "example-icbc-blank"]), made("delimited", 40)])
);
shapes!(tagged_shapes, together(vec![examples(&["example-gx-tagged"]), made("tagged", 30)]));
shapes!(
    xml_shapes,
    together(vec![
        examples(&[
            "example-city-xml",
            "example-cmb-xml",
            "example-ibps-header",
            "example-iso20022-03",
            "example-iso20022-09"
        ]),
        made("xml", 40)
    ])
);
shapes!(frame_shapes, {
    let framed = together(vec![made("fixed", 40), made("delimited", 40), made("xml", 40)]);
    let framed = framed.into_iter().filter(|shape| shape.format.text().contains("part.frame"));
    together(vec![
        examples(&["example-abc-framed", "example-gx-tagged", "example-ibps-header"]),
        framed.collect(),
    ])
});

fn fixed(data: &[u8]) {
    message(fixed_shapes(), data);
}

fn delimited(data: &[u8]) {
    message(delimited_shapes(), data);
}

fn tagged(data: &[u8]) {
    message(tagged_shapes(), data);
}

fn xml(data: &[u8]) {
    message(xml_shapes(), data);
}

fn frames(data: &[u8]) {
    message(frame_shapes(), data);
}

/// A description of one part, up to its records.
fn one_part(charset: &str, part: &str) -> String {
    format!(
        r#"language = 1
title = "one"
status = "example"
source = "bytes"
charset = "{charset}"
[limits]
rows_max = 1000
amount_max = "99999.99"
sum_max = "9999999.99"
bytes_max = 1000000
[[message]]
kind = "statement"
[[message.part]]
role = "message"
committing = true
{part}
"#
    )
}

const CHARSETS: [&str; 14] = [
    "GB18030",
    "GBK",
    "GB2312",
    "UTF-8",
    "UTF-16BE",
    "UTF-16LE",
    "US-ASCII",
    "ISO-8859-1",
    "windows-1252",
    "Big5",
    "Shift_JIS",
    "cp037",
    "cp935",
    "cp1388",
];

/// How many bytes the texts of the readers of character sets have.
const TEXT_BYTES: usize = 64;

/// One text in each character set; what is cut at its end is taken in every second one.
fn charset_formats() -> &'static [Format] {
    static FORMATS: OnceLock<Vec<Format>> = OnceLock::new();
    FORMATS.get_or_init(|| {
        let both = CHARSETS.iter().flat_map(|charset| [(charset, "false"), (charset, "true")]);
        both.map(|(charset, cut)| {
            let field = format!(
                "layout = \"fixed\"\nline_end = \"none\"\n[[message.part.record]]\nis = \"head\"\nfields = [ {{ own = \"words\", width = {TEXT_BYTES}, pad = \" \", side = \"left\", cut_tail = {cut} }} ]"
            );
            let text = one_part(charset, &field);
            Format::compile(charset, &text).unwrap_or_else(|problems| panic!("{problems}"))
        })
        .collect()
    })
}

/// A text in a character set: it reads and is written as the same bytes, or it is refused.
fn charsets(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let formats = charset_formats();
    let at = usize::from(*first) % formats.len();
    let format = &formats[at];
    let mut bytes = rest.to_vec();
    bytes.truncate(TEXT_BYTES);
    let blank: &[u8] = match format.name() {
        "UTF-16BE" => b"\0 ",
        "UTF-16LE" => b" \0",
        "cp037" | "cp935" | "cp1388" => b"\x40",
        _ => b" ",
    };
    // What stands before the blanks may end anywhere.
    let before = bytes.len();
    while bytes.len() < TEXT_BYTES {
        bytes.push(blank[(bytes.len() - before) % blank.len()]);
    }
    let kind = MessageKind::Statement;
    let part = Part { role: PartRole::Message, name: String::new(), bytes, committing: true };
    hold(format, kind, std::slice::from_ref(&part));
    let Ok(read) = Values::read(format, kind, std::slice::from_ref(&part)) else { return };
    let Ok(written) = read.write(format, kind) else { return };
    // A character of which only the beginning was there is left out, nothing else.
    if at.is_multiple_of(2) {
        assert!(written[0].bytes == part.bytes, "{}: a second spelling was taken", format.name());
    }
}

fn charset_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (at, format) in charset_formats().iter().enumerate() {
        let number = u8::try_from(at).unwrap_or(0);
        for text in ["abc 12", "张三·李四", "阿卜杜热合曼·某某", "𠮷䶮", "ソ表ｱ", "é€ž", "許功蓋"]
        {
            let line = serde_json::json!({"record": "head", "words": text}).to_string();
            let kind = MessageKind::Statement;
            let written =
                Values::parse(format, kind, &line).map(|values| values.write(format, kind));
            let Ok(Ok(parts)) = written else { continue };
            seeds.push([&[number], parts[0].bytes.as_slice()].concat());
        }
    }
    seeds
}

const FIELDS: [&str; 16] = [
    "type = \"integer\"",
    "type = \"integer\", sign = \"minus\"",
    "type = \"integer\", sign = \"before\"",
    "type = \"integer\", sign = \"after\"",
    "type = \"integer\", sign = \"minus_after\"",
    "type = \"integer\", sign = \"letter_before\", signs = \"CD\"",
    "type = \"integer\", sign = \"letter_after\", signs = \"DC\"",
    "type = \"integer\", sign = \"overpunch\"",
    "type = \"decimal\", scale = 2, point = true",
    "type = \"decimal\", scale = 3, point = \",\", sign = \"minus\"",
    "type = \"decimal\", scale = 18, point = false, sign = \"overpunch\"",
    "type = \"date\", pattern = \"yyyyMMddHHmmss\"",
    "type = \"date\", pattern = \"yy/MM/dd\"",
    "type = \"date\", pattern = \"yyyy-MM-ddTHH:mm:ss\"",
    "only = \"digits\"",
    "map = { one = \"1\", two = \"22\", three = \"x3\" }",
];

/// One value in each spelling, each in a column of its own.
fn number_formats() -> &'static [Format] {
    static FORMATS: OnceLock<Vec<Format>> = OnceLock::new();
    FORMATS.get_or_init(|| {
        let one = |field: &&str| {
            let part = format!(
                "layout = \"delimited\"\nseparator = \"\\t\"\nline_end = \"LF\"\nlast_line_end = false\n[[message.part.record]]\nis = \"head\"\nfields = [ {{ own = \"value\", {field} }} ]"
            );
            let text = one_part("US-ASCII", &part);
            Format::compile("number", &text).unwrap_or_else(|problems| panic!("{problems}"))
        };
        FIELDS.iter().map(one).collect()
    })
}

fn numbers(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let formats = number_formats();
    let format = &formats[usize::from(*first) % formats.len()];
    let bytes = rest.to_vec();
    let part = Part { role: PartRole::Message, name: String::new(), bytes, committing: true };
    hold(format, MessageKind::Statement, &[part]);
}

fn number_seeds() -> Vec<Vec<u8>> {
    let values = [
        "0",
        "17",
        "-17",
        "+17",
        "17-",
        "17 ",
        "C17",
        "17D",
        "1G",
        "1P",
        "12.34",
        "-12,345",
        "000000000000000001A",
        "9223372036854775807",
        "-9223372036854775808",
        "20261123154904",
        "26/11/23",
        "2024-02-29T23:59:59",
        "22",
        "x3",
    ];
    let each = (0..FIELDS.len()).flat_map(|at| values.iter().map(move |value| (at, value)));
    each.map(|(at, value)| [&[u8::try_from(at).unwrap_or(0)], value.as_bytes()].concat()).collect()
}

/// A description: every fault has a line that is there; without any, its messages can be tried.
fn description(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Format::compile("fuzzed", text) {
        Err(problems) => faults_have_places(&problems, text),
        Ok(format) => {
            for kind in format.kinds() {
                let parts: Vec<Part> = format
                    .parts(kind)
                    .map(|(role, committing)| Part {
                        role,
                        name: String::new(),
                        bytes: b"<A>1</>|x\r\n".to_vec(),
                        committing,
                    })
                    .collect();
                hold(&format, kind, &parts);
                let mut head = Record::new();
                head.set(Key::Reference, daifa::format::Value::Text("R1"));
                // What it lacks is told; that nothing breaks is what is asked here.
                drop(format.encode::<Record>(kind, &head, &[]));
                drop(format.fitter(kind).check(&head, &head));
            }
        }
    }
}

fn faults_have_places(problems: &Problems, text: &str) {
    assert!(!problems.list.is_empty(), "refused without a fault");
    let lines = text.matches('\n').count() + 1;
    for problem in &problems.list {
        assert!(problem.line <= lines, "line {} of {lines}", problem.line);
        assert!(!problem.what.is_empty(), "a fault that says nothing");
    }
}

fn description_seeds() -> Vec<Vec<u8>> {
    let shipped =
        example::names().filter_map(example::example).map(|text| text.as_bytes().to_vec());
    let made = (0..24).map(|number| {
        let bytes = noise(number, 240);
        layouts::layout(&mut Dice::new(&bytes)).text.into_bytes()
    });
    shipped.chain(made).collect()
}

/// A pattern of file names on the first line, a file's name on the second: a name that is recognised is
/// the one that its values give.
fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((pattern, name)) = text.split_once('\n') else { return };
    let part = "layout = \"fixed\"\nline_end = \"LF\"\n[[message.part.record]]\nis = \"head\"\nfields = [ { literal = \"H\" } ]";
    let text = one_part("US-ASCII", part).replace(
        "role = \"message\"\n",
        &format!("role = \"data\"\nname = {}\n", Json::from(pattern)),
    );
    let Ok(format) = Format::compile("names", &text) else { return };
    let Some(found) = format.recognise(name) else { return };
    assert!(!name.contains(['/', '\\', '\0', '\n']), "a name that leaves its folder");
    // A date in a name is compared with the head's, and is none by itself.
    if found.keys.is_empty() || pattern.contains("moment") {
        return;
    }
    let parts = format.encode::<Record>(MessageKind::Statement, &found.keys, &[]);
    let parts = parts.unwrap_or_else(|error| panic!("{name:?} of {pattern:?}: {error}"));
    assert_eq!(parts[0].name, name, "{pattern:?}");
}

fn name_seeds() -> Vec<Vec<u8>> {
    [
        "HP{reference}[_{serial}].txt\nHPEX1_02.txt",
        "HP{reference}[_{serial}].txt\nHPEX1.txt",
        "DF{moment:yyyyMMdd}{day_sequence:4}_{reference}.txt\nDF202611230012_R7.txt",
        "A{reference}.{reference}\nA1.1",
        "A-{bank}[.{section}].ok\nA-B.C.ok",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

/// JSON lines as `format encode` takes them.
fn values(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let shapes = xml_shapes();
    let shape = &shapes[usize::from(*first) % shapes.len()];
    let Ok(values) = Values::parse(&shape.format, shape.kind, text) else { return };
    for (name, record) in &values.records {
        let line = sample::json_line(&shape.format, name, record);
        let again = Values::parse(&shape.format, shape.kind, &line).expect("it was told by us");
        assert!(again.records[0].1 == *record, "told otherwise");
        assert!(record.slots().all(|slot| record.slot(slot).is_some()));
    }
    drop(values.write(&shape.format, shape.kind));
}

fn value_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (at, shape) in xml_shapes().iter().enumerate() {
        for parts in &shape.samples {
            let Ok(values) = Values::read(&shape.format, shape.kind, parts) else { continue };
            let records = values.records.iter();
            let lines =
                records.map(|(name, record)| sample::json_line(&shape.format, name, record) + "\n");
            let text = lines.collect::<String>();
            seeds.push([&[u8::try_from(at).unwrap_or(0)], text.as_bytes()].concat());
        }
    }
    seeds
}

/// What finance sends: a line of a register, a head, a page.
fn finance(data: &[u8]) {
    match wire::read_line(data, 7) {
        Ok(line) => {
            let told = serde_json::to_vec(&wire::LineWire::from(line)).expect("it is JSON");
            let again = wire::read_line(&told, 7).expect("it was told by us");
            let again = serde_json::to_vec(&wire::LineWire::from(again)).expect("it is JSON");
            assert_eq!(told, again);
        }
        Err(fault) => assert!(fault.line.is_some(), "a fault without its line"),
    }
    drop(wire::read::<wire::HeadWire>(data));
    drop(wire::read::<wire::PageWire<wire::ListedWire>>(data));
    drop(wire::read::<wire::PageWire<wire::DecisionWire>>(data));
    drop(wire::read::<wire::Problem>(data));
}

fn finance_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"line":1,"name":"测试甲","document_kind":"居民身份证","document_number":"11010519491231002X","bank":"B1","account":"6210000000000000011","phone":"","village":"610728101001","amount":"12.34"}"#,
        r#"{"line":2,"name":"测试乙","document_kind":"居民身份证","document_number":"440524188001010014","bank":"B1","account":"1","phone":"13800000000","village":"","amount":"0.01","replaces":{"register":"R1","revision":1,"line":3}}"#,
        r#"{"id":"R1","revision":1,"programme_code":"P","programme_name":"补贴","summary":"补贴","department":"局","town":"镇","document_no":"1","period":"2026","entered_by":"a","reviewed_by":"b","approved_at":"2026-11-23T15:49:04+08:00","funded_at":null,"pool_account":"1","voucher_no":"","declared_count":1,"declared_sum":"12.34","digest":"0000000000000000000000000000000000000000000000000000000000000000"}"#,
        r#"{"items":[{"cursor":"1","id":"R1","revision":1,"event":"approved"}],"next":null}"#,
        r#"{"items":[{"cursor":"1","register":"R1","revision":1,"line":1,"action":"release","by":"a","reason":"b"}],"next":"1"}"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

fn random_layout(data: &[u8]) {
    let mut dice = Dice::new(data);
    let layout = layouts::layout(&mut dice);
    layouts::hold(&layout, &mut dice);
}

fn layout_seeds() -> Vec<Vec<u8>> {
    (0..64).map(|number| noise(number, 400)).collect()
}
