//! When something that arrives as files is whole (I14). One set of rules for all doors that take
//! files: the bank's hand differs by door, its habits do not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::names;

/// How it is known that a file which arrives is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// The bank writes `<stem><suffix>` when the data file `<stem>.*` is whole; the suffix has its
    /// point, as in `.ok`.
    Control { suffix: String },
    /// The bank writes no control file: the same file with the same size and change time has been
    /// seen for this long.
    StableMs(u64),
}

impl Completion {
    /// What cannot work about it.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self::Control { suffix } = self else { return None };
        let works =
            suffix.len() > 1 && suffix.starts_with('.') && names::is_allowed(&format!("a{suffix}"));
        (!works).then(|| format!("{suffix:?} is no suffix like .ok"))
    }
}

/// Which files exactly were read, so that these are put away and no newer ones: each with what tells
/// it from a newer one of the same name (inode and change time; size and second where there is no more).
#[derive(Debug, Clone, Default)]
pub(crate) struct Token {
    pub data: Vec<(String, u64)>,
    pub control: Option<(String, u64)>,
    /// Might a newer one be told by nothing from these, except by its bytes?
    pub like_newer: bool,
}

/// The files of one arrival.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub data: Vec<String>,
    pub control: Option<String>,
}

/// Data files with their control file, in the order of their data.
pub(crate) fn groups<S>(plain: &[(String, S)], suffix: &str) -> Vec<(String, Group)> {
    let mut controls: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, _) in plain {
        if let Some(stem) = name.strip_suffix(suffix) {
            controls.insert(stem, name);
        }
    }
    let mut place: HashMap<&str, usize> = HashMap::new();
    let mut found: Vec<(String, Group)> = Vec::new();
    for (name, _) in plain.iter().filter(|(name, _)| !name.ends_with(suffix)) {
        let stem = names::stem(name);
        let Some(control) = controls.get(stem) else { continue };
        if let Some((_, group)) = place.get(stem).and_then(|at| found.get_mut(*at)) {
            group.data.push(name.clone());
        } else {
            place.insert(stem, found.len());
            let group = Group { data: vec![name.clone()], control: Some((*control).to_owned()) };
            found.push((name.clone(), group));
        }
    }
    found
}

/// Data without its control file, so much of it as is remembered.
pub(crate) fn halves<S>(plain: &[(String, S)], suffix: &str) -> Vec<String> {
    let whole: HashSet<&str> =
        plain.iter().filter_map(|(name, _)| name.strip_suffix(suffix)).collect();
    let names = plain.iter().map(|(name, _)| name);
    let alone = names.filter(|name| !name.ends_with(suffix) && !whole.contains(names::stem(name)));
    alone.take(REMEMBERED_MAX).cloned().collect()
}

/// Where so many arrivals wait that one look does not take them all, the folder is listed again after
/// this. What changes meanwhile is seen when a file is fetched.
const LIST_AGAIN: Duration = Duration::from_secs(10);
/// Arrivals that are remembered from one look to the next.
pub(crate) const REMEMBERED_MAX: usize = 4_096;

/// Arrivals of the last look that were not put away since, oldest first. A folder in which thousands wait
/// is not listed for each few that are taken from it: that made each answer of a busy bank dearer than the
/// one before. Only an economy, never a truth.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    order: BTreeMap<usize, String>,
    groups: HashMap<String, (usize, Group)>,
    listed: Option<Instant>,
}

impl Waiting {
    /// The oldest `limit` of the last look, where it is still good for so many.
    pub fn oldest(&self, limit: usize) -> Option<Vec<String>> {
        let fresh = self.listed.is_some_and(|at| at.elapsed() < LIST_AGAIN);
        let enough = fresh && self.order.len() >= limit;
        enough.then(|| self.order.values().take(limit).cloned().collect())
    }

    /// Keeps what a look has found and gives the oldest `limit` of it.
    pub fn listed(&mut self, mut found: Vec<(String, Group)>, limit: usize) -> Vec<String> {
        found.truncate(limit.max(REMEMBERED_MAX));
        self.order = found.iter().map(|(name, _)| name.clone()).enumerate().collect();
        let numbered = found.into_iter().enumerate();
        self.groups = numbered.map(|(at, (name, group))| (name, (at, group))).collect();
        self.listed = Some(Instant::now());
        self.order.values().take(limit).cloned().collect()
    }

    /// The files of an arrival.
    pub fn group(&self, name: &str) -> Option<Group> {
        self.groups.get(name).map(|(_, group)| group.clone())
    }

    /// It does not wait any more.
    pub fn forget(&mut self, name: &str) {
        if let Some((at, _)) = self.groups.remove(name) {
            self.order.remove(&at);
        }
    }
}

/// Since when files look as they do. Watched in memory: what was never listed was never still, and a
/// restart makes the wait longer.
#[derive(Debug)]
pub(crate) struct Stillness<S>(HashMap<String, (S, Instant)>);

impl<S> Default for Stillness<S> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S: Copy + PartialEq> Stillness<S> {
    /// Files that have not changed for `rest`. Files that are not listed any more are forgotten.
    pub fn still_for(&mut self, plain: &[(String, S)], rest: Duration) -> Vec<(String, Group)> {
        let now = Instant::now();
        let mut still = HashMap::with_capacity(plain.len());
        let mut found = Vec::new();
        for (name, shape) in plain {
            let since = match self.0.get(name) {
                Some((before, since)) if before == shape => *since,
                _ => now,
            };
            still.insert(name.clone(), (*shape, since));
            if now.duration_since(since) >= rest {
                found.push((name.clone(), Group { data: vec![name.clone()], control: None }));
            }
        }
        self.0 = still;
        found
    }

    /// What the file looked like when it was last listed.
    pub fn last(&self, name: &str) -> Option<S> {
        self.0.get(name).map(|(shape, _)| *shape)
    }

    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, LIST_AGAIN, REMEMBERED_MAX, Waiting};

    fn found(count: usize) -> Vec<(String, Group)> {
        (0..count).map(|n| (format!("{n:05}"), Group::default())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_remembered_while_enough_of_it_is_left_and_it_is_young() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.oldest(1), None, "nothing was listed yet");
        assert_eq!(waiting.listed(found(5), 2), ["00000", "00001"]);
        waiting.forget("00000");
        assert_eq!(waiting.oldest(2), Some(vec!["00001".to_owned(), "00002".to_owned()]));
        assert!(waiting.group("00000").is_none() && waiting.group("00004").is_some());
        assert_eq!(waiting.oldest(5), None, "four are left: the folder may have more");
        tokio::time::advance(LIST_AGAIN).await;
        assert_eq!(waiting.oldest(2), None, "it is old");
    }

    #[tokio::test]
    async fn f43_of_a_flood_no_more_is_remembered_than_is_taken_soon() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.listed(found(REMEMBERED_MAX + 9), 1).len(), 1);
        assert_eq!(waiting.oldest(REMEMBERED_MAX).map(|names| names.len()), Some(REMEMBERED_MAX));
        assert_eq!(waiting.oldest(REMEMBERED_MAX + 1), None);
    }
}
