//! The doors of a bank: most have one, some take their payments in a folder and are asked on a line.
//!
//! What is agreed with a bank - its limits, its hours, when it is stopped or left alone - is agreed with the
//! bank, whichever door a message goes by.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::format::MessageKind;
use crate::transport::Transport;

/// Which door takes what.
pub struct Doors {
    door: Arc<dyn Transport>,
    others: BTreeMap<MessageKind, Arc<dyn Transport>>,
    folders: Vec<Arc<dyn Transport>>,
}

impl Doors {
    /// One door for everything.
    pub fn one(door: Arc<dyn Transport>) -> Self {
        Self { others: BTreeMap::new(), folders: vec![Arc::clone(&door)], door }
    }

    /// `others` take the kinds of message that they are there for, and `door` the rest. `folders` are all that
    /// are looked through for what the bank leaves, each folder once.
    pub fn new(
        door: Arc<dyn Transport>,
        others: BTreeMap<MessageKind, Arc<dyn Transport>>,
        folders: Vec<Arc<dyn Transport>>,
    ) -> Self {
        Self { door, others, folders }
    }

    /// The door by which a message of this kind goes, and its answer comes back.
    pub fn of(&self, kind: MessageKind) -> &dyn Transport {
        self.others.get(&kind).unwrap_or(&self.door).as_ref()
    }

    /// What came on a line of the bank beside an answer; it is given once.
    pub fn unasked(&self) -> Vec<Bytes> {
        let others = self.others.values();
        std::iter::once(&self.door).chain(others).flat_map(|door| door.unasked()).collect()
    }

    /// The doors that are looked through for what the bank leaves.
    pub fn folders(&self) -> impl Iterator<Item = &dyn Transport> {
        self.folders.iter().map(AsRef::as_ref)
    }
}
