//! How often records and groups stood in their place, where a description bounds it: `occurs = "0..3"`.
//! What may follow what is the grammar's; it has no numbers, so that these are kept beside it, and
//! only where a number was named.

use crate::format::grammar::{Grammar, Item, Next};

/// How often each stood since the group around it began.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    records: Vec<usize>,
    groups: Vec<usize>,
    /// The record that passed by last.
    last: Option<usize>,
}

/// A record or group that stands too often, or not often enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beyond {
    pub item: Item,
    /// How often it may stand, or must.
    pub bound: usize,
    pub too_often: bool,
}

impl Bounds {
    /// A record passes by, with the groups that begin with it.
    ///
    /// # Errors
    /// One stands more often than it may, or one that ends here did not stand often enough.
    pub fn pass(&mut self, grammar: &Grammar, next: Next) -> Result<(), Beyond> {
        if !grammar.counted {
            return Ok(());
        }
        if self.last.is_none() {
            self.records = vec![0; grammar.records.len()];
            self.groups = vec![0; grammar.groups.len()];
        }
        self.left(grammar, Some(next))?;
        if let Some(outer) = next.enters {
            self.begin(grammar, outer, grammar.records[next.record].0);
        }
        self.records[next.record] += 1;
        self.last = Some(next.record);
        let over = |item: Item, count: usize, most: usize| {
            (count > most).then_some(Beyond { item, bound: most, too_often: true })
        };
        let group = next.enters.and_then(|group| {
            over(Item::Group(group), self.groups[group], grammar.groups[group].occurs.most)
        });
        let record = || {
            let most = grammar.records[next.record].1.most;
            over(Item::Record(next.record), self.records[next.record], most)
        };
        group.or_else(record).map_or(Ok(()), Err)
    }

    /// The part ends.
    ///
    /// # Errors
    /// One did not stand often enough.
    pub fn end(&mut self, grammar: &Grammar) -> Result<(), Beyond> {
        if grammar.counted { self.left(grammar, None) } else { Ok(()) }
    }

    /// A group begins anew, and with it those inside, down to the one of the record.
    fn begin(&mut self, grammar: &Grammar, outer: usize, of: Option<usize>) {
        for group in grammar.within(outer) {
            self.groups[*group] = 0;
        }
        for (record, (group, _)) in grammar.records.iter().enumerate() {
            if grammar.is_in(*group, outer) {
                self.records[record] = 0;
            }
        }
        let mut at = of;
        while let Some(group) = at {
            self.groups[group] += 1;
            at = grammar.groups[group].parent.filter(|_| group != outer);
        }
    }

    /// What does not go on with the next record stood as often as it must.
    fn left(&self, grammar: &Grammar, next: Option<Next>) -> Result<(), Beyond> {
        let Some(last) = self.last else { return Ok(()) };
        let (mut group, occurs) = grammar.records[last];
        let enough = |item: Item, count: usize, least: usize| {
            let few = Beyond { item, bound: least, too_often: false };
            if count < least { Err(few) } else { Ok(()) }
        };
        let anew = |group: Option<usize>| {
            let enters = next.and_then(|next| next.enters);
            enters.is_some_and(|outer| grammar.is_in(group, outer))
        };
        if anew(group) || next.is_none_or(|next| next.record != last) {
            enough(Item::Record(last), self.records[last], occurs.least)?;
        }
        while let Some(here) = group {
            let known = &grammar.groups[here];
            let stays =
                next.is_some_and(|next| grammar.is_in(grammar.records[next.record].0, here));
            // A group that begins anew in the same one around it goes on; it ends where that one does.
            if !stays || anew(known.parent) {
                enough(Item::Group(here), self.groups[here], known.occurs.least)?;
            }
            group = known.parent;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::grammar::{Group, Occurs};

    /// A head; twice or three times a batch of one or two details with up to two addenda each.
    fn grammar() -> Grammar {
        let group = |name: &str, parent, occurs| {
            let (name, within) = (name.to_owned(), Vec::new());
            Group { name, parent, occurs, row: false, within }
        };
        let bounds = |least, most| Occurs { least, most };
        let groups =
            vec![group("batch", None, bounds(2, 3)), group("detail", Some(0), bounds(1, 2))];
        let items = vec![
            vec![Item::Group(1)],
            vec![Item::Record(1), Item::Record(2)],
            vec![Item::Record(0), Item::Group(0), Item::Record(3)],
        ];
        let records = [
            (None, Occurs::ONE),
            (Some(1), Occurs::ONE),
            (Some(1), bounds(0, 2)),
            (None, bounds(2, 2)),
        ];
        Grammar::new(groups, items, &records)
    }

    /// Passes records: `b` a detail that begins a batch, `d` one that does not.
    fn passes(text: &str) -> Result<(), Beyond> {
        let grammar = grammar();
        let mut bounds = Bounds::default();
        for sign in text.chars() {
            let (record, enters) = match sign {
                'h' => (0, None),
                'b' => (1, Some(0)),
                'd' => (1, Some(1)),
                'a' => (2, None),
                _ => (3, None),
            };
            bounds.pass(&grammar, Next { record, enters })?;
        }
        bounds.end(&grammar)
    }

    #[test]
    fn records_and_groups_stand_so_often_and_no_more() {
        for good in ["hbbtt", "hbaadaabtt", "hbdbdbdtt", "hbaabaabaatt"] {
            assert_eq!(passes(good), Ok(()), "{good}");
        }
        let few = |item, bound| Err(Beyond { item, bound, too_often: false });
        let many = |item, bound| Err(Beyond { item, bound, too_often: true });
        for (bad, told) in [
            ("hbtt", few(Item::Group(0), 2)),
            ("hbbt", few(Item::Record(3), 2)),
            ("hbbttt", many(Item::Record(3), 2)),
            ("hbbbb", many(Item::Group(0), 3)),
            ("hbdd", many(Item::Group(1), 2)),
            ("hbaaa", many(Item::Record(2), 2)),
            ("hbaadaaa", many(Item::Record(2), 2)),
        ] {
            assert_eq!(passes(bad), told, "{bad}");
        }
    }

    #[test]
    fn bounds_are_read() {
        let bounds = |least, most| Some(Occurs { least, most });
        for (text, expected) in [
            ("1", bounds(1, 1)),
            ("0..1", bounds(0, 1)),
            ("1..n", bounds(1, usize::MAX)),
            ("0..n", bounds(0, usize::MAX)),
            ("2..n", bounds(2, usize::MAX)),
            ("0..3", bounds(0, 3)),
            ("1..99", bounds(1, 99)),
            ("5", bounds(5, 5)),
            ("0", None),
            ("0..0", None),
            ("3..2", None),
            ("01", None),
            ("n", None),
            ("1..", None),
            ("..3", None),
            ("+1..3", None),
            ("-1..3", None),
        ] {
            assert_eq!(Occurs::parse(text), expected, "{text}");
        }
    }
}
