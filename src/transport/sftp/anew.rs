//! What a bank leaves anew on its server, under a name that was taken a moment ago. Size and second are all that
//! the protocol tells of a file, so two of them may look the same (F33): then their bytes say which is which.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::hidden::{self, Away, Mark};
use crate::transport::sftp::incoming::{Desk, remote};
use crate::transport::sftp::session::{Content, Seen};
use crate::transport::whole::Token;
use crate::transport::{DoorError, InPart, names};

/// A control file that stays alone for so long vouches for nothing that is on its way; data that bears an older
/// second for so long is not being written.
pub(super) const ALONE: Duration = Duration::from_secs(2);
/// So long after it was put away it is watched whether an answer was left once more in the same second.
pub(super) const LEFT_AGAIN: Duration = Duration::from_mins(1);
impl Desk<'_> {
    /// Has the bank left other data under one of these names since?
    pub(super) async fn is_newer(&self, token: &Token) -> Result<bool, DoorError> {
        for (name, identity) in &token.data {
            if self.look(name).await?.is_some_and(|seen| seen.identity() != *identity) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does a control file that looks as it did speak for newer data all the same? It does where it says something
    /// else than before. Where it says the same, what it said may not have been true of what was read; then it does
    /// if the data is no younger, and stays so: what is still being written does not (I14). It lies under the name
    /// `at` by now.
    pub(super) async fn speaks_for(
        &self,
        token: &Token,
        at: &str,
        seen: Seen,
        read: &[InPart],
    ) -> Result<bool, DoorError> {
        let now = self.session.read_seen(&self.incoming(at), seen).await;
        let now = now.map_err(|trouble| remote("reading a file", &trouble))?;
        let control = token.control.as_ref().map(|(name, _)| name);
        let before = read.iter().find(|part| Some(&part.name) == control);
        match (now, before) {
            (Content::Bytes(now), Some(before)) if now == before.bytes => {
                let mut there = Vec::with_capacity(token.data.len());
                for (name, _) in &token.data {
                    there.extend(self.look(name).await?.map(|seen| (name.clone(), seen)));
                }
                self.is_at_rest(seen, &there.iter().collect::<Vec<_>>()).await
            }
            // It went, or is another one by now.
            _ => Ok(true),
        }
    }

    /// Gives back a name that was taken from a file which turned out to be newer than what was read; says no
    /// where the bank has used the name again meanwhile.
    pub(super) async fn put_back(&self, from: &str, name: &str) -> Result<bool, DoorError> {
        if self.look(name).await?.is_some() {
            return Ok(false);
        }
        let back = self.session.rename(&self.incoming(from), &self.incoming(name)).await;
        back.map_err(|trouble| remote("giving a file its name back", &trouble))?;
        Ok(true)
    }

    /// Puts away control files whose data was left twice in one second: both times are put away with the first,
    /// and the second control file would vouch for what comes next under that name.
    pub(super) async fn put_away_alone(&self, plain: &[(String, Seen)]) -> Result<(), DoorError> {
        let alone: Vec<String> = {
            let mut looked = self.inbox.looked();
            if looked.left_again.is_empty() {
                return Ok(());
            }
            let mut stems: HashMap<&str, (u32, bool)> = HashMap::new();
            for (name, _) in plain {
                let (count, is_control) = stems.entry(names::stem(name)).or_default();
                *count += 1;
                *is_control |= looked.left_again.contains_key(name);
            }
            let now = Instant::now();
            looked.left_again.retain(|_, (since, _)| now.duration_since(*since) < LEFT_AGAIN);
            let watched = looked.left_again.iter_mut().filter_map(|(control, (_, alone))| {
                if stems.get(names::stem(control)) != Some(&(1, true)) {
                    *alone = None;
                    return None;
                }
                let since = *alone.get_or_insert(now);
                (now.duration_since(since) >= ALONE).then(|| control.clone())
            });
            watched.collect()
        };
        for control in alone {
            let listed = plain.iter().find(|(name, _)| *name == control);
            let Some((_, seen)) = listed else { continue };
            if self.look(&control).await?.is_none() {
                continue;
            }
            let mark = hidden::mark(Away::Archive, &[], (&control, seen.identity()));
            let marked = self.session.rename(&self.incoming(&control), &self.incoming(&mark)).await;
            marked.map_err(|trouble| remote("marking a file", &trouble))?;
            let now = self.list().await?;
            self.finish_interrupted(&mark, &now).await?;
        }
        Ok(())
    }

    /// Moves a data file that is the one that was read, and says whether it turned out to be a newer one and stayed.
    ///
    /// Between a look at a name and its renaming the bank may have left another file there. So the file is looked
    /// at once more under a hidden name, under which nobody writes, and its bytes are compared where nothing else
    /// tells. A stop in between leaves it where the next look gives it its name back.
    pub(super) async fn move_as_read(
        &self,
        name: &str,
        seen: Seen,
        as_read: Option<&InPart>,
        away: Away,
    ) -> Result<bool, DoorError> {
        let hidden = hidden::to_compare(name);
        let taken = self.session.rename(&self.incoming(name), &self.incoming(&hidden)).await;
        if let Err(trouble) = taken {
            // Somebody else took it.
            let there = self.look(name).await?.is_some();
            return if there { Err(remote("comparing a file", &trouble)) } else { Ok(false) };
        }
        let is_it = match as_read {
            None => self.look(&hidden).await? == Some(seen),
            Some(as_read) => {
                let now = self.session.read_seen(&self.incoming(&hidden), seen).await;
                let now = now.map_err(|trouble| remote("comparing a file", &trouble))?;
                matches!(now, Content::Bytes(bytes) if bytes == as_read.bytes)
            }
        };
        if is_it {
            let moved = self.move_seen(&hidden, name, away).await;
            if moved.is_err() {
                // It stays where it was, for all to see.
                self.put_back(&hidden, name).await?;
            }
            return moved.map(|_| false);
        }
        tracing::info!(
            name = names::shown(name),
            "left once more while it was put away: it is taken by itself"
        );
        self.give_back(&hidden, name).await
    }

    /// Gives data its name back, and says whether it has it. Where the bank has used the name once more, it would have
    /// written over this: it is kept as evidence.
    async fn give_back(&self, hidden: &str, name: &str) -> Result<bool, DoorError> {
        if self.put_back(hidden, name).await? {
            return Ok(true);
        }
        tracing::warn!(
            name = names::shown(name),
            "left twice more before it was read: the last of them is read"
        );
        self.move_seen(hidden, name, Away::Quarantine).await?;
        self.inbox.looked().crowded_out.push(name.to_owned());
        Ok(false)
    }

    /// Gives back what a stop left under hidden names, and says whether it did: data that was being compared, which
    /// may never have been read.
    pub(super) async fn put_back_compared(
        &self,
        listed: &[(String, Seen)],
    ) -> Result<bool, DoorError> {
        let mut any = false;
        for (hidden, _) in listed {
            if let Some(name) = hidden::compared(hidden) {
                any |= self.give_back(hidden, name).await?;
            }
        }
        Ok(any)
    }

    /// Finishes a putting away that a crash cut short (F7). What may be a newer file that was never read gets its name
    /// back, and what was applied before changes nothing; what was being put away goes where it was going.
    pub(super) async fn finish_interrupted(
        &self,
        hidden: &str,
        listed: &[(String, Seen)],
    ) -> Result<(), DoorError> {
        let Some(mark) = Mark::read(hidden) else { return Ok(()) };
        let there: Vec<&(String, Seen)> =
            listed.iter().filter(|(name, _)| mark.is_with(name)).collect();
        let Some(seen) = self.look(hidden).await? else { return Ok(()) };
        // It is not the one that was to be put away.
        let is_newer = seen.identity() != mark.control && !there.is_empty();
        // Perhaps a newer file that looks the same. Of several, some may be put away already.
        let looks_same = there.iter().any(|(_, seen)| mark.data.contains(&seen.identity()));
        let speaks = if looks_same {
            mark.data.len() < 2
        } else {
            is_newer || self.is_at_rest(seen, &there).await?
        };
        if speaks {
            if !self.put_back(hidden, mark.name).await? {
                // The bank has left another one.
                self.move_seen(hidden, mark.name, mark.away).await?;
            }
            return Ok(());
        }
        let data: Vec<(String, u64)> = there
            .into_iter()
            .flat_map(|(name, _)| mark.data.iter().map(|identity| (name.clone(), *identity)))
            .collect();
        self.move_data(&data, &[], mark.away).await?;
        self.move_seen(hidden, mark.name, mark.away).await.map(drop)
    }

    /// Is there data which is no younger than its control file, and stays so? Then it is whole, whichever of two that
    /// look the same the control file is.
    async fn is_at_rest(
        &self,
        control: Seen,
        there: &[&(String, Seen)],
    ) -> Result<bool, DoorError> {
        if there.is_empty() || there.iter().any(|(_, seen)| seen.changed > control.changed) {
            return Ok(false);
        }
        tokio::time::sleep(ALONE).await;
        for (name, seen) in there {
            if self.look(name).await? != Some(*seen) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
