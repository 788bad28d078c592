//! Names in their namespaces: what prefixes stand for at a place of the document.

use crate::format::xml::scan::split;
use crate::format::xml::{Name, XmlPlan};

/// A namespace that the description does not name.
const OTHER: usize = usize::MAX;

/// The declarations that hold here, the innermost last.
#[derive(Default)]
pub(super) struct Spaces {
    list: Vec<(Vec<u8>, usize)>,
    /// Prefixes stand for what the description has them for, so that its spelling is a name.
    pub plain: bool,
}

impl Spaces {
    /// How many declarations hold, to come back to.
    pub fn mark(&self) -> usize {
        self.list.len()
    }

    /// What was declared since does not hold any more.
    pub fn back_to(&mut self, plan: &XmlPlan, mark: usize) {
        if mark < self.list.len() {
            self.list.truncate(mark);
            self.compare(plan);
        }
    }

    /// Is every prefix what it is in the description?
    pub fn compare(&mut self, plan: &XmlPlan) {
        let mut prefixes = plan.prefixes.iter();
        self.plain = prefixes.all(|(prefix, space)| self.of(prefix) == Some(*space));
    }

    /// Takes an attribute in, where it is a declaration.
    pub fn declare(&mut self, plan: &XmlPlan, name: &[u8], uri: &[u8]) -> bool {
        let prefix = match split(name) {
            (b"xmlns", prefix) => prefix,
            ([], b"xmlns") => &[],
            _ => return false,
        };
        let known = plan.spaces.iter().position(|space| space.as_bytes() == uri);
        self.list.push((prefix.to_vec(), known.unwrap_or(OTHER)));
        self.compare(plan);
        true
    }

    /// The namespace of a prefix; nothing where it stands for none.
    fn of(&self, prefix: &[u8]) -> Option<usize> {
        let declared = self.list.iter().rev().find(|(known, _)| known == prefix);
        match declared {
            Some((_, space)) => Some(*space),
            None if prefix.is_empty() => Some(0),
            None if prefix == b"xml" => Some(OTHER),
            None => None,
        }
    }

    /// The namespace and local name of an element, or of an attribute: one without a prefix is in
    /// no namespace.
    pub fn resolve<'n>(&self, name: &'n [u8], element: bool) -> Option<(usize, &'n [u8])> {
        let (prefix, local) = split(name);
        if prefix.is_empty() && !element {
            return Some((0, local));
        }
        Some((self.of(prefix)?, local))
    }
}

impl Name {
    /// Is it this one?
    pub fn is(&self, (space, local): (usize, &[u8])) -> bool {
        self.space == space && self.local == local
    }
}
