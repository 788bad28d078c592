//! A description compiled once: what writing and reading walk through. Faults that only show when
//! the pieces are put together are noted here and in `check`.

use crate::format::apart;
use crate::format::cell::Bind;
use crate::format::charset::Charset;
use crate::format::check;
use crate::format::codes::{CodeTable, Meaning, TableKind};
use crate::format::computed::{Computed, DigestOf, LengthOf};
use crate::format::digests::{Digesting, SecretName};
use crate::format::grammar::{Grammar, Group, Occurs};
use crate::format::lines::tagged::Tags;
use crate::format::lines::{Field, Line, LinesPlan, Place, RecordPlan, RecordRole, Style};
use crate::format::name::NamePattern;
use crate::format::names::OwnNames;
use crate::format::order::{break_circles, items, times};
use crate::format::placing::{placed, stated_length};
use crate::format::signs;
use crate::format::spec::{
    FormatSpec, GroupSpec, LayoutSpec, MessageSpec, PartSpec, RecordSpec, TallySpec,
};
use crate::format::table::{Faults, Found};
use crate::format::tallies::{Counting, Tally};
use crate::format::words::{Key, MessageKind, PartRole, Slot};
use crate::format::xml::XmlPlan;
use crate::format::xml::build::{self, Paths};
use crate::format::{About, Limits};

/// A whole format, ready to use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub about: About,
    pub limits: Limits,
    pub own: OwnNames,
    pub secrets: Vec<SecretName>,
    pub codes: Vec<CodeTable>,
    pub messages: Vec<MessagePlan>,
}

#[derive(Debug)]
pub(crate) struct MessagePlan {
    pub kind: MessageKind,
    /// Where it begins in the description.
    pub at: usize,
    pub has_rows: bool,
    pub rows_min: usize,
    /// The road's words that its fields and names bear.
    pub keys: Vec<Key>,
    /// What tells which payment a row is about: its place in the batch, or several values that must
    /// not be the same in two payments.
    pub matching: Vec<Key>,
    /// Rows are the payments that failed; the others were credited, if the bank's own count and sum
    /// of those say so.
    pub failures_only: bool,
    /// Rows name their payment by its place alone, and no account is compared.
    pub bare: bool,
    /// In the order of handing over.
    pub parts: Vec<PartPlan>,
    /// The digests that one of its parts states of another.
    pub digests: Vec<(Digesting, PartRole)>,
    /// The tables of the head's code, of a row's code and of a row's notice code.
    pub head_codes: Option<usize>,
    pub row_codes: Option<usize>,
    pub notice_codes: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct PartPlan {
    pub role: PartRole,
    pub name: Option<NamePattern>,
    pub committing: bool,
    /// It is not there where it would have no payments.
    pub optional: bool,
    pub charset: Charset,
    /// A record in fixed width before the body, like a header with its length.
    pub frame: Option<RecordPlan>,
    pub layout: Layout,
}

#[derive(Debug)]
pub(crate) enum Layout {
    Lines(LinesPlan),
    Xml(XmlPlan),
}

impl Plan {
    pub fn message(&self, kind: MessageKind) -> Option<&MessagePlan> {
        self.messages.iter().find(|message| message.kind == kind)
    }

    /// What a code of this table means.
    pub fn meaning(&self, table: Option<usize>, code: &str) -> Option<&Meaning> {
        self.codes.get(table?)?.codes.get(code)
    }
}

impl MessagePlan {
    /// The part that has the rows; else the first that says anything.
    pub fn main(&self) -> Option<&PartPlan> {
        let with_rows = self.parts.iter().find(|part| part.layout.has_rows());
        with_rows.or_else(|| {
            let says =
                |part: &&PartPlan| !matches!(part.role, PartRole::Control | PartRole::Trigger);
            self.parts.iter().find(says)
        })
    }
}

impl Layout {
    /// Does it have payments?
    pub fn has_rows(&self) -> bool {
        self.order().has_rows()
    }

    /// The records and their order, whatever stands around them.
    pub const fn order(&self) -> &LinesPlan {
        match self {
            Self::Lines(lines) => lines,
            Self::Xml(xml) => &xml.order,
        }
    }
}

/// Compiles a description; every fault is noted, and the plan is of use only without any.
pub(crate) fn compile(spec: FormatSpec, faults: &Faults<'_>) -> Plan {
    let whole = faults.is_empty();
    check::spec(&spec, whole, faults);
    let FormatSpec { about, limits, own, secrets, codes, messages } = spec;
    let codes: Vec<CodeTable> = codes.into_iter().map(|(_, table)| table).collect();
    let messages = messages
        .into_iter()
        .map(|spec| {
            let at = spec.at;
            let plan = message(&codes, spec, whole, faults);
            check::message(&limits, &plan, (at, whole), faults);
            plan
        })
        .collect();
    Plan { about, limits, own, secrets, codes, messages }
}

fn message(
    codes: &[CodeTable],
    spec: MessageSpec,
    whole: bool,
    faults: &Faults<'_>,
) -> MessagePlan {
    let tables = |rows: bool, key: Key, kind: TableKind| {
        let fields = spec.fields().filter(|(of_row, _)| *of_row == rows).map(|(_, field)| field);
        let mut fields = fields.filter(|field| field.cell.slot() == Some(Slot::Key(key)));
        let field = fields.next()?;
        let Some(table) = field.cell.codes else {
            let hint = "codes = \"the name of a table under [codes]\"";
            if whole {
                faults.note(field.at, format!("a {key} without its table"), hint);
            }
            return None;
        };
        if codes.get(table).is_some_and(|table| table.kind != kind) {
            let what = format!("this {key} needs a table of codes with {}", kind.told());
            let hint = "answers are for a head's code, outcomes for a row's, notices for the SMS";
            faults.note(field.at, what, hint);
        }
        Some(table)
    };
    let head_codes = tables(false, Key::Code, TableKind::Answer);
    let row_codes = tables(true, Key::Code, TableKind::Outcome);
    let notice_codes = tables(true, Key::NoticeCode, TableKind::Notice);
    let digests = spec.fields().filter_map(|(_, field)| match field.cell.bind {
        Bind::Computed(Computed::Digest { how, of: DigestOf::Part(role) }) => Some((how, role)),
        _ => None,
    });
    let digests = digests.collect();
    let has_rows = spec.has_rows();
    let rows_min = spec.rows_min.as_ref().map_or(usize::from(has_rows), |found| found.value);
    let keys = spec.keys();
    let (kind, at, failures_only, bare) =
        (spec.kind, spec.at, spec.failures_only, spec.bare.is_some());
    let matching = spec.matching.as_ref().map_or_else(|| vec![Key::Ordinal], |m| m.value.clone());
    let parts = spec.parts.into_iter().map(|spec| part(spec, faults)).collect();
    MessagePlan {
        kind,
        at,
        has_rows,
        rows_min,
        keys,
        matching,
        failures_only,
        bare,
        parts,
        digests,
        head_codes,
        row_codes,
        notice_codes,
    }
}

fn part(spec: PartSpec, faults: &Faults<'_>) -> PartPlan {
    let PartSpec {
        at,
        role,
        name,
        committing,
        optional,
        charset,
        frame,
        layout,
        groups,
        records,
        tallies,
    } = spec;
    let frame = frame.map(|spec| {
        let (fields, length) = placed(spec.fields, charset, faults);
        stated_length(spec.length.as_ref(), length, faults);
        frame_plan(fields, length)
    });
    let pieces = Pieces { at, charset, groups, records, tallies };
    let layout = match layout {
        LayoutSpec::Fixed { line, characters } => {
            Layout::Lines(lines(Style::Fixed { characters }, line, 0, pieces, faults))
        }
        LayoutSpec::Delimited { line, delimited, line_max } => {
            Layout::Lines(lines(Style::Delimited(delimited), line, line_max, pieces, faults))
        }
        LayoutSpec::Tagged { line, line_max } => {
            Layout::Lines(lines(Style::Tagged(Tags::new(charset)), line, line_max, pieces, faults))
        }
        LayoutSpec::Xml(spec) => {
            let paths = Paths::of(&pieces.groups, &pieces.records);
            let order = lines(Style::Xml, Line::default(), 0, pieces, faults);
            Layout::Xml(build::build(charset, &spec, &paths, order, faults))
        }
    };
    let name = name.map(|found| found.value);
    PartPlan { role, name, committing, optional, charset, frame, layout }
}

/// What a part is put together from.
struct Pieces {
    at: usize,
    charset: Charset,
    groups: Vec<GroupSpec>,
    records: Vec<RecordSpec>,
    tallies: Vec<TallySpec>,
}

/// A length knows how much of the frame stands behind it.
fn frame_plan(mut fields: Vec<Field>, length: usize) -> RecordPlan {
    for field in &mut fields {
        let Place::Slab(slab) = &field.place else { continue };
        let after = length - slab.start - slab.width;
        if let Bind::Computed(Computed::Length(LengthOf::Rest { behind })) = &mut field.cell.bind {
            *behind = after;
        }
    }
    RecordPlan {
        name: "frame".to_owned(),
        role: Some(RecordRole::Head),
        group: None,
        occurs: Occurs::ONE,
        when: None,
        otherwise: false,
        length,
        marks: RecordPlan::find_marks(&fields, &|bytes| bytes.len()),
        conditions: Vec::new(),
        signs: Vec::new(),
        fields,
        touches: Vec::new(),
        check_digits: Vec::new(),
        computes: true,
    }
}

fn lines(
    style: Style,
    line: Line,
    line_max: usize,
    pieces: Pieces,
    faults: &Faults<'_>,
) -> LinesPlan {
    let Pieces { at, charset, groups, records, tallies } = pieces;
    let group_of = |inside: Option<&Found<String>>| {
        let inside = inside?;
        let found = groups.iter().position(|group| group.name == inside.value);
        if found.is_none() {
            let hint = "[[message.part.group]] with this name";
            faults.note(inside.at, format!("there is no group {:?}", inside.value), hint);
        }
        found
    };
    let mut of_groups: Vec<Option<usize>> =
        groups.iter().map(|group| group_of(group.inside.as_ref())).collect();
    break_circles(&groups, &mut of_groups, faults);
    let of_records: Vec<Option<usize>> =
        records.iter().map(|record| group_of(record.inside.as_ref())).collect();
    let items = items(&groups, &of_groups, &of_records, &records, faults);
    let occurs: Vec<(Option<usize>, Occurs)> =
        records.iter().zip(&of_records).map(|(spec, group)| (*group, times(spec))).collect();
    let plan_groups = groups
        .iter()
        .zip(&of_groups)
        .map(|(spec, parent)| Group {
            name: spec.name.clone(),
            parent: *parent,
            occurs: spec.occurs,
            row: spec.row,
            within: Vec::new(),
        })
        .collect();
    let mut grammar = Grammar::new(plan_groups, items, &occurs);
    grammar.put_last(&|record| records[record].otherwise.is_some());
    let places: Vec<usize> = records.iter().map(|record| record.at).collect();
    let records = records
        .into_iter()
        .zip(occurs)
        .map(|(spec, stands)| record_plan(&style, charset, spec, stands, faults));
    let plans: Vec<RecordPlan> = records.collect();
    let tallies = tallies.iter().map(|spec| tally(spec, &grammar, &plans, faults)).collect();
    let longest = match &style {
        Style::Fixed { characters: false } => {
            plans.iter().map(|record| record.length).max().unwrap_or(0)
        }
        Style::Fixed { characters: true } => {
            let most = charset.character_bytes_max();
            plans.iter().map(|record| record.length * most).max().unwrap_or(0)
        }
        Style::Delimited(_) | Style::Tagged(_) | Style::Xml => line_max,
    };
    let mut plan = LinesPlan { style, line, grammar, records: plans, tallies, longest };
    place_tallies(&mut plan);
    // The elements of a document tell its records apart.
    if !matches!(plan.style, Style::Xml) {
        apart::grammar(&plan, at, &places, faults);
    }
    plan
}

/// One record, with the group that it stands in and how often it does.
fn record_plan(
    style: &Style,
    charset: Charset,
    mut spec: RecordSpec,
    (group, occurs): (Option<usize>, Occurs),
    faults: &Faults<'_>,
) -> RecordPlan {
    signs::find(&mut spec.fields, faults);
    let (fields, length) = placed(spec.fields, charset, faults);
    if matches!(style, Style::Fixed { .. }) && spec.whole {
        stated_length(spec.length.as_ref(), length, faults);
    }
    let measure: &dyn Fn(&[u8]) -> usize = match style {
        Style::Fixed { characters: true } => &|bytes| charset.count(bytes),
        _ => &|bytes| bytes.len(),
    };
    let check_digits = fields.iter().filter_map(|field| match &field.cell.bind {
        Bind::Computed(Computed::CheckDigit(digit)) => Some(digit.clone()),
        _ => None,
    });
    let signs = fields.iter().enumerate();
    let signs = signs.filter(|(_, field)| matches!(field.cell.bind, Bind::Sign { .. }));
    RecordPlan {
        name: spec.name,
        role: spec.role,
        group,
        occurs,
        when: spec.when,
        otherwise: spec.otherwise.is_some(),
        length,
        marks: RecordPlan::find_marks(&fields, measure),
        conditions: RecordPlan::find_conditions(&fields),
        signs: signs.map(|(at, _)| at).collect(),
        touches: Vec::new(),
        check_digits: check_digits.collect(),
        computes: fields.iter().any(|field| matches!(field.cell.bind, Bind::Computed(_))),
        fields,
    }
}

fn tally(
    spec: &TallySpec,
    grammar: &Grammar,
    records: &[RecordPlan],
    faults: &Faults<'_>,
) -> Tally {
    let scope = spec.scope.as_ref().and_then(|name| {
        let found = grammar.groups.iter().position(|group| group.name == name.value);
        if found.is_none() {
            faults.note(
                name.at,
                format!("there is no group {:?}", name.value),
                "[[message.part.group]] with this name",
            );
        }
        found
    });
    let named = |name: &Found<String>| {
        let found = records.iter().position(|record| record.name == name.value);
        if found.is_none() {
            faults.note(
                name.at,
                format!("there is no record {:?}", name.value),
                "the name of a record of this part, or what it is (head, row, tail)",
            );
        }
        found
    };
    let has = |at: &usize| {
        let added = |slot: Slot| spec.what.slot() == Some(slot) || spec.also.contains(&slot);
        spec.what.slot().is_none() || records[*at].slots().any(added)
    };
    let mut of: Vec<usize> = match spec.of.as_slice() {
        [] => (0..records.len()).filter(has).collect(),
        names => names.iter().filter_map(named).collect(),
    };
    if let Some(scope) = scope {
        of.retain(|record| grammar.is_in(records[*record].group, scope));
    }
    if of.is_empty() {
        faults.note(spec.at, "there is no record that this counts", "of = [\"row\"]");
    }
    let TallySpec { what, also, only, start, per, .. } = spec;
    let also = also.clone();
    Tally {
        what: *what,
        also,
        of,
        only: only.clone(),
        scope,
        start: *start,
        per: *per,
        ahead: false,
    }
}

/// Which tallies a record adds to, and which must be known before their records come.
fn place_tallies(plan: &mut LinesPlan) {
    for (at, tally) in plan.tallies.iter_mut().enumerate() {
        for record in &tally.of {
            plan.records[*record].touches.push(at);
        }
        let mut written = (0..plan.records.len())
            .filter(|record| plan.records[*record].tallies().any(|own| own == at));
        let running = matches!(tally.what, Counting::Records { running: true });
        // Records are described in their order; a record that repeats is not the last of itself.
        tally.ahead = !running
            && written.any(|holder| {
                tally.of.iter().any(|counted| {
                    let again = *counted == holder && plan.records[holder].occurs.many();
                    *counted > holder || again
                })
            });
    }
}
