//! XML: every element and attribute is named by its path; groups of records are elements, nested to
//! any depth. Written in the order of the description, read in that order (or in any among
//! siblings, where the description says so).
//!
//! A document is records as any other part has them: `lines` knows which follow each other and what
//! they count, and here are the tags around them. Names are compared by namespace and local name,
//! whatever the prefix. An event reader with a tree of its own was tried before: bytes were decoded
//! twice, and places in them had to be searched again.

pub(crate) mod build;
mod element;
mod markup;
pub(crate) mod path;
mod program;
pub(crate) mod read;
mod record;
mod scan;
mod spaces;
mod write;

use crate::format::cell::{Cell, Pen, Spelling};
use crate::format::charset::Charset;
use crate::format::error::FieldFault;
use crate::format::lines::LinesPlan;
use crate::format::text::Only;
use crate::format::words::Source;

/// One part in XML.
#[derive(Debug)]
pub(crate) struct XmlPlan {
    pub order: LinesPlan,
    /// It is put together in UTF-8 and spelled so as a whole.
    pub respelled: Option<Charset>,
    /// The declaration as it is written; empty where there is none.
    pub prolog: Vec<u8>,
    /// The name of the character set that may stand there, beside its usual ones.
    pub encoding: String,
    /// A document must have a declaration.
    pub declared: bool,
    /// Siblings of one record stand in any order.
    pub any_order: bool,
    /// The namespaces by their place; the first is none at all.
    pub spaces: Vec<String>,
    /// What prefixes stand for where names are spelled as they are written.
    pub prefixes: Vec<(Vec<u8>, usize)>,
    /// Every element by its path; the first is the root.
    pub nodes: Vec<Node>,
    /// Of each group, and of the whole document behind them.
    pub scopes: Vec<Scope>,
}

/// A name in a namespace; `spelled` is how it is written, with its prefix.
#[derive(Debug, Clone, Default)]
pub(crate) struct Name {
    pub space: usize,
    pub local: Vec<u8>,
    pub spelled: Vec<u8>,
}

/// The attribute by which elements of one name are told apart, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct ToldBy {
    pub name: Name,
    /// As the character set spells it, without references.
    pub text: Vec<u8>,
    /// As it is written, with the blank before it.
    pub spelled: Vec<u8>,
}

/// An element that the description names.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub name: Name,
    pub by: Option<ToldBy>,
    /// Its start tag as it is written, where it has no other attributes.
    pub start: Vec<u8>,
    /// For messages.
    pub told: String,
    pub children: Vec<usize>,
    pub attributes: Vec<Attribute>,
    pub text: Option<FieldRef>,
    /// The group whose element it is.
    pub group: Option<usize>,
    /// The one item of its scope that it belongs to; nothing where several have parts in it.
    pub item: Option<usize>,
    /// Further ones behind the first say nothing to us.
    pub repeats: bool,
    /// Names in it that say nothing to us, and whether that is so of all others too.
    pub ignored: Vec<Name>,
    pub ignores_elements: bool,
    pub ignored_attributes: Vec<Name>,
    pub ignores_attributes: bool,
}

impl Node {
    /// What its start tag begins with.
    pub fn begin(&self) -> Vec<u8> {
        let by = self.by.as_ref().map(|by| by.spelled.as_slice());
        [b"<", self.name.spelled.as_slice(), by.unwrap_or_default()].concat()
    }

    /// Is it told by the same as this?
    pub fn is_told_by(&self, by: Option<&ToldBy>) -> bool {
        match (&self.by, by) {
            (None, None) => true,
            (Some(own), Some(other)) => {
                own.name.is((other.name.space, &other.name.local)) && own.text == other.text
            }
            _ => false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Attribute {
    pub name: Name,
    pub field: FieldRef,
}

/// A field by its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldRef {
    pub record: usize,
    pub field: usize,
}

/// What stands in the element of a group, or in the root.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub items: Vec<ScopeItem>,
    /// How it is written, step by step.
    pub steps: Vec<Step>,
}

/// A record or group, in its order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScopeItem {
    pub item: crate::format::grammar::Item,
    pub optional: bool,
    pub many: bool,
    /// Its last step.
    pub last: usize,
}

/// A step of writing, and the item of its scope that it belongs to; nothing where that is several.
#[derive(Debug)]
pub(crate) struct Step {
    pub item: Option<usize>,
    pub does: Does,
}

#[derive(Debug)]
pub(crate) enum Does {
    Raw(Vec<u8>),
    /// A value with its tags, or `absent` where there is none.
    Value {
        before: Vec<u8>,
        field: FieldRef,
        after: Vec<u8>,
        absent: Vec<u8>,
    },
    /// Constants that stand only where something else does beside them.
    Beside(Vec<u8>),
    /// An element that is left out again if nothing stands in it.
    Open(Vec<u8>),
    Close(Vec<u8>),
    /// Here stand the elements of a group.
    Group,
}

/// Appends a value, escaped; tells whether there is one. Widths are in bytes after encoding, before
/// escaping.
///
/// # Errors
/// What does not fit.
pub(crate) fn put(
    cell: &Cell,
    width_max: Option<usize>,
    pen: &Pen<'_>,
    source: &dyn Source,
    out: &mut Vec<u8>,
) -> Result<bool, FieldFault> {
    let from = out.len();
    let there = cell.write(pen, source, 0, out)?;
    let needed = out.len() - from;
    if let Some(most) = width_max.filter(|most| needed > *most) {
        return Err(FieldFault::TooWide { needed, there: most });
    }
    let plain = cell.is_number()
        || matches!(cell.spelling, Spelling::Moment(_) | Spelling::Text(Only::Digits));
    // What is written by default is no number, wherever it stands.
    if !plain || cell.default.is_some() {
        escape_from(from, out);
    }
    Ok(there)
}

/// Escapes what was appended since `from`. None of these signs is a later byte of a character in
/// any character set that a document may have.
#[expect(clippy::needless_bitwise_bool, reason = "without branches sixteen bytes are one step")]
fn escape_from(from: usize, out: &mut Vec<u8>) {
    // Looked at all at once, without a branch for each byte: most values have none of these signs. Five signs
    // are two comparisons: `"`, `&` and `'` are 0x27 but for bits of 5, `<` and `>` are 0x3e but for one of 2.
    // So is `#`, which then comes through the second look as it is.
    let sign = |byte: &u8| (*byte | 5 == b'\'') | (*byte | 2 == b'>');
    if !out[from..].iter().fold(false, |any, byte| any | sign(byte)) {
        return;
    }
    let plain = out.split_off(from);
    for byte in plain {
        match entity(byte) {
            Some(entity) => out.extend_from_slice(entity),
            None => out.push(byte),
        }
    }
}

const fn entity(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'"' => Some(b"&quot;"),
        b'\'' => Some(b"&apos;"),
        _ => None,
    }
}
