//! Which record may follow which: records and groups of them, one, optional or repeated, nested to
//! any depth. Worked out once into a table, so that reading only ever looks at the records that may
//! come next.

/// How often a record or group stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occurs {
    pub least: usize,
    /// `usize::MAX` where there is no bound.
    pub most: usize,
}

impl Occurs {
    pub const ONE: Self = Self { least: 1, most: 1 };
    pub const ANY: Self = Self { least: 0, most: usize::MAX };

    /// Reads `1`, `0..1`, `1..n`, `0..n`, or bounds like `0..3`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
            text.parse().ok().filter(|_| plain || text == "0")
        };
        let (least, most) = match text.split_once("..") {
            None => (number(text)?, number(text)?),
            Some((least, "n")) => (number(least)?, usize::MAX),
            Some((least, most)) => (number(least)?, number(most)?),
        };
        (least <= most && most > 0).then_some(Self { least, most })
    }

    pub const fn optional(self) -> bool {
        self.least == 0
    }

    pub const fn many(self) -> bool {
        self.most > 1
    }

    /// Must it be counted? What may follow what says the rest.
    pub const fn is_counted(self) -> bool {
        self.least > 1 || (self.many() && self.most != usize::MAX)
    }
}

/// A group of records, like a batch with its head and its trailer.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub name: String,
    pub parent: Option<usize>,
    pub occurs: Occurs,
    /// Its records together are one payment.
    pub row: bool,
    /// All groups inside it, at any depth.
    pub within: Vec<usize>,
}

/// What stands in a group, or at the top, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Record(usize),
    Group(usize),
}

/// A record that may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    pub record: usize,
    /// The outermost group of which a new one begins with it.
    pub enters: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Grammar {
    pub groups: Vec<Group>,
    /// The items of each group, and of the top behind them.
    pub items: Vec<Vec<Item>>,
    /// The group of each record, and how often it stands there.
    pub records: Vec<(Option<usize>, Occurs)>,
    /// Some stand so often and no more: they are counted.
    pub counted: bool,
    /// What may begin a part.
    pub start: Vec<Next>,
    /// What may follow each record.
    pub follow: Vec<Vec<Next>>,
    /// May the part end behind this record?
    pub ends: Vec<bool>,
    /// May there be no record at all?
    pub empty: bool,
}

impl Grammar {
    /// `records` has each record's group and how often it stands; `items` are those of each group
    /// and, behind them, of the top.
    pub fn new(
        groups: Vec<Group>,
        items: Vec<Vec<Item>>,
        records: &[(Option<usize>, Occurs)],
    ) -> Self {
        let counted = groups.iter().any(|group| group.occurs.is_counted())
            || records.iter().any(|(_, occurs)| occurs.is_counted());
        let known = records.to_vec();
        let mut grammar = Self { groups, items, records: known, counted, ..Self::default() };
        for group in 0..grammar.groups.len() {
            let mut at = grammar.groups[group].parent;
            while let Some(parent) = at {
                grammar.groups[parent].within.push(group);
                at = grammar.groups[parent].parent;
            }
        }
        let (start, empty) = grammar.first(grammar.top(), 0, records);
        (grammar.start, grammar.empty) = (start, empty);
        for record in 0..records.len() {
            let (follow, ends) = grammar.after(record, records);
            grammar.follow.push(follow);
            grammar.ends.push(ends);
        }
        grammar
    }

    /// Some records are looked at only where no other one may begin.
    pub fn put_last(&mut self, last: &dyn Fn(usize) -> bool) {
        for next in self.follow.iter_mut().chain([&mut self.start]) {
            next.sort_by_key(|next| last(next.record));
        }
    }

    fn top(&self) -> &[Item] {
        self.items.last().map_or(&[], Vec::as_slice)
    }

    /// What may come first of these items, and whether nothing at all may.
    fn first(
        &self,
        items: &[Item],
        from: usize,
        records: &[(Option<usize>, Occurs)],
    ) -> (Vec<Next>, bool) {
        let mut found = Vec::new();
        for item in items.iter().skip(from) {
            let optional = match *item {
                Item::Record(record) => {
                    found.push(Next { record, enters: None });
                    records[record].1.optional()
                }
                Item::Group(group) => {
                    let (inside, empty) = self.first(&self.items[group], 0, records);
                    let entered = inside.iter().map(|next| Next { enters: Some(group), ..*next });
                    found.extend(entered);
                    empty || self.groups[group].occurs.optional()
                }
            };
            if !optional {
                return (found, false);
            }
        }
        (found, true)
    }

    /// What may follow a record, and whether the part may end there.
    fn after(&self, record: usize, records: &[(Option<usize>, Occurs)]) -> (Vec<Next>, bool) {
        let mut found: Vec<Next> = Vec::new();
        let add = |more: Vec<Next>, found: &mut Vec<Next>| {
            for next in more {
                // The inner one of two ways to the same record is the one that is meant.
                if !found.iter().any(|known| known.record == next.record) {
                    found.push(next);
                }
            }
        };
        if records[record].1.many() {
            found.push(Next { record, enters: None });
        }
        let (mut item, mut group) = (Item::Record(record), records[record].0);
        loop {
            let items = group.map_or_else(|| self.top(), |group| self.items[group].as_slice());
            let at = items.iter().position(|known| *known == item).unwrap_or(0);
            let (more, through) = self.first(items, at + 1, records);
            add(more, &mut found);
            if !through {
                return (found, false);
            }
            let Some(here) = group else { return (found, true) };
            if self.groups[here].occurs.many() {
                let (again, _) = self.first(&self.items[here], 0, records);
                let again = again.into_iter().map(|next| Next { enters: Some(here), ..next });
                add(again.collect(), &mut found);
            }
            (item, group) = (Item::Group(here), self.groups[here].parent);
        }
    }

    /// What may come now: at the start, or behind a record.
    #[inline]
    pub fn next(&self, state: Option<usize>) -> &[Next] {
        state.map_or(self.start.as_slice(), |record| self.follow[record].as_slice())
    }

    /// May the part end now?
    pub fn may_end(&self, state: Option<usize>) -> bool {
        state.map_or(self.empty, |record| self.ends[record])
    }

    /// The groups that begin anew where this one does.
    pub fn within(&self, group: usize) -> &[usize] {
        &self.groups[group].within
    }

    /// Is a group the other one, or inside it?
    pub fn is_in(&self, group: Option<usize>, outer: usize) -> bool {
        group.is_some_and(|group| group == outer || self.groups[outer].within.contains(&group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: Occurs = Occurs { least: 1, most: usize::MAX };
    const ANY: Occurs = Occurs::ANY;
    const MAYBE: Occurs = Occurs { least: 0, most: 1 };

    fn group(name: &str, parent: Option<usize>, occurs: Occurs) -> Group {
        Group { name: name.to_owned(), parent, occurs, row: false, within: Vec::new() }
    }

    /// File head, batches of head, titles (T, perhaps U) and trailer, file trailer.
    fn nested() -> Grammar {
        let groups = vec![group("batch", None, ANY), group("title", Some(0), MANY)];
        let items = vec![
            vec![Item::Record(1), Item::Group(1), Item::Record(4)],
            vec![Item::Record(2), Item::Record(3)],
            vec![Item::Record(0), Item::Group(0), Item::Record(5)],
        ];
        let records = [
            (None, Occurs::ONE),
            (Some(0), Occurs::ONE),
            (Some(1), Occurs::ONE),
            (Some(1), MAYBE),
            (Some(0), Occurs::ONE),
            (None, Occurs::ONE),
        ];
        Grammar::new(groups, items, &records)
    }

    fn next(record: usize, enters: Option<usize>) -> Next {
        Next { record, enters }
    }

    #[test]
    fn only_what_may_follow_follows() {
        let grammar = nested();
        assert_eq!(grammar.next(None), [next(0, None)]);
        assert_eq!(grammar.next(Some(0)), [next(1, Some(0)), next(5, None)]);
        assert_eq!(grammar.next(Some(1)), [next(2, Some(1))]);
        assert_eq!(grammar.next(Some(2)), [next(3, None), next(2, Some(1)), next(4, None)]);
        assert_eq!(grammar.next(Some(3)), [next(2, Some(1)), next(4, None)]);
        assert_eq!(grammar.next(Some(4)), [next(1, Some(0)), next(5, None)]);
        assert_eq!(grammar.next(Some(5)), []);
        let ends: Vec<bool> = (0..6).map(|at| grammar.may_end(Some(at))).collect();
        assert_eq!(ends, [false, false, false, false, false, true]);
        assert!(!grammar.may_end(None));
        assert!(grammar.is_in(Some(1), 0) && !grammar.is_in(Some(0), 1) && !grammar.is_in(None, 0));
    }

    #[test]
    fn a_record_may_repeat_itself() {
        let items = vec![vec![Item::Record(0), Item::Record(1)]];
        let grammar = Grammar::new(Vec::new(), items, &[(None, Occurs::ONE), (None, ANY)]);
        assert_eq!(grammar.next(Some(0)), [next(1, None)]);
        assert_eq!(grammar.next(Some(1)), [next(1, None)]);
        assert!(grammar.may_end(Some(0)) && grammar.may_end(Some(1)));
    }
}
