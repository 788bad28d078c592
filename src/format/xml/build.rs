//! From the paths of a description to the tree that is read and the pieces that are written.

use crate::format::charset::Charset;
use crate::format::lines::RecordRole;
use crate::format::spec::{FieldSpec, Place, RecordSpec};
use crate::format::table::{Faults, Found};
use crate::format::xml::{FieldRef, Node, Piece, XmlField, XmlPlan};

/// What the description says about a part in XML.
pub(crate) struct Outline<'s> {
    pub root: &'s str,
    pub rows: Option<&'s Found<Vec<String>>>,
    pub ignore: &'s [Vec<String>],
}

const ROOT: usize = 0;

pub(crate) fn build(
    charset: Charset,
    outline: &Outline<'_>,
    records: Vec<RecordSpec>,
    faults: &Faults<'_>,
) -> XmlPlan {
    let encoding = charset.as_str();
    let declaration = format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>").into_bytes();
    let root = Node { name: outline.root.to_owned(), ..Node::default() };
    let mut plan = XmlPlan {
        declaration,
        head: Vec::new(),
        row: Vec::new(),
        tail: Vec::new(),
        before: Vec::new(),
        each: Vec::new(),
        after: Vec::new(),
        nodes: vec![root],
        row_node: None,
    };
    // The rows stand behind what the head says and before what the tail says.
    for record in records {
        let role = record.role.unwrap_or(RecordRole::Head);
        if role != RecordRole::Head && plan.row_node.is_none() {
            plan.row_node = outline.rows.map(|rows| place_rows(&mut plan.nodes, rows, faults));
        }
        let from = if role == RecordRole::Row {
            let Some(row) = plan.row_node else {
                let hint = "rows = \"Body/Row\": the path of the element of one row";
                faults.note(record.at, "a part with a row and no path of its rows", hint);
                continue;
            };
            row
        } else {
            ROOT
        };
        for field in record.fields {
            place_field(&mut plan, from, role, field, faults);
        }
    }
    for path in outline.ignore {
        let at = descend(&mut plan.nodes, ROOT, path);
        plan.nodes[at].ignored = true;
    }
    let mut writer = Writer { plan: &plan, pieces: [const { Vec::new() }; 3], now: 0 };
    writer.element(ROOT);
    let [before, after, each] = writer.pieces;
    (plan.before, plan.after, plan.each) = (joined(before), joined(after), joined(each));
    plan
}

/// The node at a path, made where it is not there yet.
fn descend(nodes: &mut Vec<Node>, from: usize, path: &[String]) -> usize {
    path.iter().fold(from, |at, name| {
        let known = nodes[at].children.iter().copied().find(|child| nodes[*child].name == *name);
        known.unwrap_or_else(|| {
            let in_row = nodes[at].in_row;
            nodes.push(Node { name: name.clone(), in_row, ..Node::default() });
            let new = nodes.len() - 1;
            nodes[at].children.push(new);
            new
        })
    })
}

fn place_rows(nodes: &mut Vec<Node>, rows: &Found<Vec<String>>, faults: &Faults<'_>) -> usize {
    let before = nodes.len();
    let row = descend(nodes, ROOT, &rows.value);
    if row < before {
        faults.note(rows.at, "the path of the rows is taken by another field", "");
    }
    nodes[row].in_row = true;
    row
}

fn place_field(
    plan: &mut XmlPlan,
    from: usize,
    role: RecordRole,
    field: FieldSpec,
    faults: &Faults<'_>,
) {
    let FieldSpec { at, cell, place: Place::Xml { path, width_max, empty } } = field else {
        return;
    };
    let list = match role {
        RecordRole::Head => &mut plan.head,
        RecordRole::Row => &mut plan.row,
        RecordRole::Tail => &mut plan.tail,
    };
    list.push(XmlField { cell, width_max, empty });
    let index = list.len() - 1;
    let here = match role {
        RecordRole::Head => FieldRef::Head(index),
        RecordRole::Row => FieldRef::Row(index),
        RecordRole::Tail => FieldRef::Tail(index),
    };
    let (elements, attribute) = match path.split_last() {
        Some((end, elements)) if end.starts_with('@') => (elements, end.strip_prefix('@')),
        _ => (path.as_slice(), None),
    };
    let node = descend(&mut plan.nodes, from, elements);
    if role != RecordRole::Row && plan.nodes[node].in_row {
        faults.note(at, "a field of the head or tail inside the rows", "");
    }
    let node = &mut plan.nodes[node];
    let taken = match attribute {
        Some(name) => {
            let taken = node.attributes.iter().any(|(known, _)| known == name);
            node.attributes.push((name.to_owned(), here));
            taken
        }
        None => node.text.replace(here).is_some(),
    };
    if taken {
        faults.note(at, "two fields in one place", "each path stands once");
    }
}

/// Faults of the tree as a whole: an element with text and children, and the like.
pub(crate) fn check_tree(plan: &XmlPlan, at: usize, faults: &Faults<'_>) {
    for node in &plan.nodes {
        let optional = node.text.is_some_and(|text| plan.field(text).cell.optional);
        if node.text.is_some() && !node.children.is_empty() {
            let what = format!("<{}> has a value and elements", node.name);
            faults.note(at, what, "a value stands in an element without others");
        }
        if optional && !node.attributes.is_empty() {
            let what = format!("<{}> is optional and has attributes", node.name);
            faults.note(at, what, "make the attribute an element, or the value not optional");
        }
        if node.ignored && (node.text.is_some() || !node.children.is_empty()) {
            faults.note(at, format!("<{}> is ignored and has fields", node.name), "");
        }
    }
}

/// Writes the tree down as pieces: `pieces` are those before the rows, after them, and of a row.
struct Writer<'p> {
    plan: &'p XmlPlan,
    pieces: [Vec<Piece>; 3],
    now: usize,
}

const AFTER: usize = 1;
const EACH: usize = 2;

impl Writer<'_> {
    fn raw(&mut self, raw: impl AsRef<[u8]>) {
        self.pieces[self.now].push(Piece::Raw(raw.as_ref().to_vec()));
    }

    fn element(&mut self, at: usize) {
        let plan = self.plan;
        let node = &plan.nodes[at];
        if node.ignored {
            return;
        }
        let is_row = plan.row_node == Some(at);
        if is_row {
            self.now = EACH;
        }
        let name = node.name.as_str();
        match node.text {
            Some(field) if node.attributes.is_empty() => {
                let absent =
                    if plan.field(field).empty { format!("<{name}/>") } else { String::new() };
                self.pieces[self.now].push(Piece::Value {
                    before: format!("<{name}>").into_bytes(),
                    field,
                    after: format!("</{name}>").into_bytes(),
                    absent: absent.into_bytes(),
                });
            }
            _ => {
                self.raw(format!("<{name}"));
                for (name, field) in &node.attributes {
                    self.pieces[self.now].push(Piece::Value {
                        before: format!(" {name}=\"").into_bytes(),
                        field: *field,
                        after: b"\"".to_vec(),
                        absent: Vec::new(),
                    });
                }
                self.raw(">");
                if let Some(field) = node.text {
                    let (before, after, absent) = (Vec::new(), Vec::new(), Vec::new());
                    self.pieces[self.now].push(Piece::Value { before, field, after, absent });
                }
                for child in &node.children {
                    self.element(*child);
                }
                self.raw(format!("</{name}>"));
            }
        }
        if is_row {
            self.now = AFTER;
        }
    }
}

/// Neighbouring constants as one.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (out.last_mut(), piece) {
            (Some(Piece::Raw(last)), Piece::Raw(raw)) => last.extend_from_slice(&raw),
            (_, piece) => out.push(piece),
        }
    }
    out
}
