//! From the paths of a description to the tree that is read and the steps that are written.

use crate::format::charset::Charset;
use crate::format::grammar::Item;
use crate::format::lines::LinesPlan;
use crate::format::spec::{GroupSpec, Place, RecordSpec, XmlSpec};
use crate::format::table::{Faults, Found};
use crate::format::xml::path::Step;
use crate::format::xml::program::Program;
use crate::format::xml::read::DEPTH_MAX;
use crate::format::xml::{
    Attribute, FieldRef, Name, Node, Scope, ScopeItem, ToldBy, XmlPlan, escape_from,
};

const ROOT: usize = 0;

/// A path with its place in the description.
type Path = Found<Vec<String>>;

/// The paths of a part, while its records are made a plan.
pub(crate) struct Paths {
    /// Of each field of each record, and the place of the record.
    records: Vec<(usize, Vec<Path>)>,
    /// Of each group, and what is passed over in it.
    groups: Vec<(Option<Path>, Vec<Path>)>,
}

impl Paths {
    /// Those of the groups and records as they are described.
    pub fn of(groups: &[GroupSpec], records: &[RecordSpec]) -> Self {
        let field = |field: &crate::format::spec::FieldSpec| match &field.place {
            Place::Xml { path, .. } => Found { at: field.at, value: path.clone() },
            _ => Found { at: field.at, value: Vec::new() },
        };
        let record = |record: &RecordSpec| (record.at, record.fields.iter().map(field).collect());
        Self {
            records: records.iter().map(record).collect(),
            groups: groups.iter().map(|group| (group.path.clone(), group.ignore.clone())).collect(),
        }
    }
}

/// Puts a part together; faults are noted.
pub(crate) fn build(
    charset: Charset,
    spec: &XmlSpec,
    paths: &Paths,
    order: LinesPlan,
    faults: &Faults<'_>,
) -> XmlPlan {
    let mut ascii = Vec::new();
    charset.ascii_into(b"<", &mut ascii);
    if ascii != b"<" {
        let hint = "one of which ASCII is a part";
        faults.note(spec.at, format!("{} for a document", charset.as_str()), hint);
    }
    let spelled = spec.respelled.unwrap_or(charset);
    let encoding = spec.encoding.clone().unwrap_or_else(|| spelled.as_str().to_owned());
    let prolog = if spec.declaration {
        let standalone = match spec.standalone {
            Some(true) => " standalone=\"yes\"",
            Some(false) => " standalone=\"no\"",
            None => "",
        };
        format!("<?xml version=\"1.0\" encoding=\"{encoding}\"{standalone}?>").into_bytes()
    } else {
        Vec::new()
    };
    let mut spaces = vec![String::new()];
    spaces.extend(spec.namespace.clone());
    let mut builder = Builder {
        charset,
        spec,
        paths,
        faults,
        order: &order,
        spaces,
        nodes: vec![],
        depths: vec![1],
    };
    let name = builder.name(&spec.root, spec.at, true);
    builder.nodes.push(Node { name, told: spec.root.clone(), ..Node::default() });
    let mut scopes: Vec<Scope> = order.grammar.items.iter().map(|_| Scope::default()).collect();
    builder.scope(scopes.len() - 1, ROOT, &mut scopes);
    for path in &spec.ignore {
        builder.ignore(ROOT, path);
    }
    builder.inherit(ROOT);
    builder.check_tree();
    let Builder { mut nodes, spaces, .. } = builder;
    for node in &mut nodes {
        node.start = [node.begin().as_slice(), b">"].concat();
    }
    let place = |uri: &String| spaces.iter().position(|known| known == uri).unwrap_or(0);
    let own = (Vec::new(), usize::from(spec.namespace.is_some()));
    let others = spec.prefixes.iter().map(|(prefix, uri)| (prefix.clone().into(), place(uri)));
    let prefixes = std::iter::once(own).chain(others).collect();
    let declarations = declarations(spec);
    // The steps of a tree with faults lead nowhere.
    let whole = if faults.is_empty() { scopes.len() } else { 0 };
    for at in 0..whole {
        let node = element_of(&nodes, at, scopes.len() - 1);
        let declared = if node == ROOT { declarations.as_slice() } else { &[] };
        let items = std::mem::take(&mut scopes[at].items);
        let program = Program::write(&order, &nodes, node, items, declared, spec.empty);
        scopes[at] = program.finish(spec.at, faults);
    }
    XmlPlan {
        respelled: spec.respelled,
        prolog,
        encoding,
        declared: spec.declaration,
        any_order: spec.any_order,
        spaces,
        prefixes,
        nodes,
        scopes,
        order,
    }
}

/// The namespaces as the root declares them.
fn declarations(spec: &XmlSpec) -> Vec<u8> {
    let own = spec.namespace.as_ref().map(|uri| ("xmlns".to_owned(), uri));
    let prefixed = spec.prefixes.iter().map(|(prefix, uri)| (format!("xmlns:{prefix}"), uri));
    let all = own.into_iter().chain(prefixed);
    all.flat_map(|(name, uri)| {
        let mut value = uri.clone().into_bytes();
        escape_from(0, &mut value);
        [b" ", name.as_bytes(), b"=\"", &value, b"\""].concat()
    })
    .collect()
}

/// The element in which the items of a scope stand.
fn element_of(nodes: &[Node], scope: usize, top: usize) -> usize {
    if scope == top {
        return ROOT;
    }
    nodes.iter().position(|node| node.group == Some(scope)).unwrap_or(ROOT)
}

struct Builder<'b> {
    charset: Charset,
    spec: &'b XmlSpec,
    paths: &'b Paths,
    faults: &'b Faults<'b>,
    order: &'b LinesPlan,
    spaces: Vec<String>,
    nodes: Vec<Node>,
    /// How deep each of them stands.
    depths: Vec<usize>,
}

impl Builder<'_> {
    /// A name in the namespace that its prefix stands for.
    fn name(&mut self, text: &str, at: usize, element: bool) -> Name {
        let mut spelled = Vec::new();
        if let Err(character) = self.charset.encode_into(text, &mut spelled) {
            let charset = self.charset.as_str();
            let what = format!("U+{:04X} is not in {charset}", u32::from(character));
            self.faults.note(at, what, "");
        }
        let Some((prefix, _)) = text.split_once(':') else {
            let home = usize::from(element && self.spec.namespace.is_some());
            return Name { space: home, local: spelled.clone(), spelled };
        };
        let uri = self.spec.prefixes.iter().find(|(known, _)| known == prefix);
        let space = if let Some((_, uri)) = uri {
            let known = self.spaces.iter().position(|known| known == uri);
            known.unwrap_or_else(|| {
                self.spaces.push(uri.clone());
                self.spaces.len() - 1
            })
        } else {
            let hint = "prefixes = { soap = \"http://...\" } at the part";
            self.faults.note(at, format!("there is no prefix {prefix:?}"), hint);
            0
        };
        let behind = spelled.iter().position(|byte| *byte == b':').map_or(0, |at| at + 1);
        let local = spelled.get(behind..).unwrap_or_default().to_vec();
        Name { space, local, spelled }
    }

    /// The name of an element, and what tells it from others of that name.
    fn step(&mut self, text: &str, at: usize) -> (Name, Option<ToldBy>) {
        let step = Step::parse(text).unwrap_or(Step { name: text, by: None });
        let name = self.name(step.name, at, true);
        let by = step.by.map(|(attribute, told)| {
            let name = self.name(attribute, at, false);
            let mut text = Vec::new();
            if let Err(character) = self.charset.encode_into(told, &mut text) {
                let charset = self.charset.as_str();
                let what = format!("U+{:04X} is not in {charset}", u32::from(character));
                self.faults.note(at, what, "");
            }
            let mut escaped = text.clone();
            escape_from(0, &mut escaped);
            let spelled = [b" ", name.spelled.as_slice(), b"=\"", &escaped, b"\""].concat();
            ToldBy { name, text, spelled }
        });
        (name, by)
    }

    /// The node at a path, made where it is not there yet; marked as a place of an item.
    fn descend(&mut self, from: usize, path: &[String], at: usize, item: Option<usize>) -> usize {
        let mut here = from;
        for text in path {
            if here != from && self.nodes[here].group.is_some() {
                let what = format!("a path into the group of <{}>", self.nodes[here].told);
                self.faults.note(at, what, "in = \"the group\", and a path from its element on");
            }
            let (name, by) = self.step(text, at);
            let same = |node: &Node| node.name.space == name.space && node.name.local == name.local;
            let children = self.nodes[here].children.iter().copied();
            let mut named = children.filter(|child| same(&self.nodes[*child]));
            let known = named.clone().find(|child| self.nodes[*child].is_told_by(by.as_ref()));
            let told = |by: Option<&ToldBy>| by.map(|by| (by.name.space, by.name.local.clone()));
            let apart = |child: usize| told(self.nodes[child].by.as_ref()) == told(by.as_ref());
            if known.is_none() && !named.all(apart) {
                let hint = "all elements of one name are told apart by one attribute, or none is";
                self.faults.note(at, format!("<{text}> beside others of its name"), hint);
            }
            if known.is_none() && self.depths[here] >= DEPTH_MAX {
                let what = format!("elements more than {DEPTH_MAX} deep");
                self.faults.note(at, what, "no document is read that nests deeper");
                return here;
            }
            here = if let Some(known) = known {
                if self.nodes[known].item != item {
                    self.nodes[known].item = None;
                }
                known
            } else {
                self.nodes.push(Node { name, by, told: text.clone(), item, ..Node::default() });
                let new = self.nodes.len() - 1;
                self.depths.push(self.depths[here] + 1);
                self.nodes[here].children.push(new);
                new
            };
        }
        here
    }

    /// Places what stands in the root or in the element of a group.
    fn scope(&mut self, scope: usize, node: usize, scopes: &mut [Scope]) {
        let (order, paths) = (self.order, self.paths);
        for (index, item) in order.grammar.items[scope].iter().enumerate() {
            let occurs = match *item {
                Item::Record(record) => {
                    let (at, fields) = &paths.records[record];
                    for (field, path) in fields.iter().enumerate() {
                        self.field(node, FieldRef { record, field }, path, index);
                    }
                    let occurs = order.records[record].occurs;
                    if occurs.many() {
                        let hint = "path = \"Body/Row\" at the record, or a group with one";
                        let what = "a record that repeats, without an element of its own";
                        self.faults.note(*at, what, hint);
                    }
                    occurs
                }
                Item::Group(group) => {
                    let (Some(path), ignored) = &paths.groups[group] else { continue };
                    let before = self.nodes.len();
                    let own = self.descend(node, &path.value, path.at, Some(index));
                    if own < before {
                        let what = "the path of a group is taken by something else";
                        self.faults.note(path.at, what, "each path stands once");
                    }
                    self.nodes[own].group = Some(group);
                    self.scope(group, own, scopes);
                    for path in ignored {
                        self.ignore(own, path);
                    }
                    order.grammar.groups[group].occurs
                }
            };
            let (optional, many) = (occurs.optional(), occurs.many());
            scopes[scope].items.push(ScopeItem { item: *item, optional, many, last: 0 });
        }
    }

    fn field(&mut self, from: usize, field: FieldRef, path: &Path, item: usize) {
        let (elements, attribute) = match path.value.split_last() {
            Some((end, elements)) if end.starts_with('@') => (elements, end.strip_prefix('@')),
            _ => (path.value.as_slice(), None),
        };
        let node = self.descend(from, elements, path.at, Some(item));
        let taken = match attribute {
            Some(name) => {
                let name = self.name(name, path.at, false);
                let same = |known: &Name| known.space == name.space && known.local == name.local;
                let Node { attributes, by, .. } = &mut self.nodes[node];
                let taken = attributes.iter().any(|known| same(&known.name))
                    || by.as_ref().is_some_and(|by| same(&by.name));
                attributes.push(Attribute { name, field });
                taken
            }
            None => self.nodes[node].text.replace(field).is_some(),
        };
        if taken {
            self.faults.note(path.at, "two fields in one place", "each path stands once");
        }
        if node != from && self.nodes[node].group.is_some() {
            let what = format!("a path into the group of <{}>", self.nodes[node].told);
            self.faults.note(path.at, what, "in = \"the group\", and a path from its element on");
        }
        if node == from && attribute.is_some() {
            let order = self.order;
            let first = order
                .grammar
                .items
                .iter()
                .any(|items| items.first() == Some(&Item::Record(field.record)));
            if !first || order.records[field.record].occurs.optional() {
                let hint = "they stand in the first record of the group, which is always there";
                self.faults.note(path.at, "attributes of a group in another record", hint);
            }
        }
    }

    /// What may stand in an element and says nothing to us.
    fn ignore(&mut self, from: usize, path: &Path) {
        let Some((end, elements)) = path.value.split_last() else { return };
        let at = self.descend_known(from, elements, path);
        let Some(at) = at else { return };
        match end.as_str() {
            "*" => self.nodes[at].ignores_elements = true,
            "@*" => self.nodes[at].ignores_attributes = true,
            name => {
                let attribute = name.strip_prefix('@');
                let name = self.name(attribute.unwrap_or(name), path.at, attribute.is_none());
                let node = &self.nodes[at];
                let same = |known: &Name| known.space == name.space && known.local == name.local;
                let taken = node.attributes.iter().any(|known| same(&known.name));
                let mut children = node.children.iter().copied();
                let plain = |child: &usize| self.nodes[*child].by.is_none();
                let child = children.find(|child| same(&self.nodes[*child].name) && plain(child));
                if taken && attribute.is_some() {
                    self.faults.note(path.at, format!("{end} is ignored and has a field"), "");
                } else if let Some(child) = child.filter(|_| attribute.is_none()) {
                    // The first one is described; those behind it are passed over.
                    self.nodes[child].repeats = true;
                } else if attribute.is_some() {
                    self.nodes[at].ignored_attributes.push(name);
                } else {
                    self.nodes[at].ignored.push(name);
                }
            }
        }
    }

    /// The node at a path that must lead to something that has fields.
    fn descend_known(&mut self, from: usize, elements: &[String], path: &Path) -> Option<usize> {
        let mut here = from;
        for text in elements {
            let (name, by) = self.step(text, path.at);
            let known = self.nodes[here].children.iter().copied().find(|child| {
                let node = &self.nodes[*child];
                let same = node.name.space == name.space && node.name.local == name.local;
                same && node.is_told_by(by.as_ref())
            });
            let Some(known) = known else {
                let hint = "ignore the element itself, there is no field in it";
                self.faults.note(path.at, format!("<{text}> is not described"), hint);
                return None;
            };
            here = known;
        }
        Some(here)
    }

    /// What ignores all others does so at any depth.
    fn inherit(&mut self, at: usize) {
        for child in self.nodes[at].children.clone() {
            if self.nodes[at].ignores_elements {
                self.nodes[child].ignores_elements = true;
            }
            if self.nodes[at].ignores_attributes {
                self.nodes[child].ignores_attributes = true;
            }
            self.inherit(child);
        }
    }

    /// Faults of the tree as a whole.
    fn check_tree(&self) {
        let at = self.spec.at;
        for node in &self.nodes {
            if node.text.is_some() && (!node.children.is_empty() || node.group.is_some()) {
                let what = format!("<{}> has a value and elements", node.told);
                self.faults.note(at, what, "a value stands in an element without others");
            }
            let owner = node.attributes.first().map(|attribute| attribute.field.record);
            let several =
                node.attributes.iter().any(|attribute| Some(attribute.field.record) != owner);
            let lost = node.item.is_none()
                && owner.is_some_and(|record| self.order.records[record].occurs.optional());
            if several || (lost && node.group.is_none()) {
                let what = format!("the attributes of <{}>", node.told);
                self.faults.note(at, what, "they stand in one record, which is always there");
            }
        }
    }
}
