//! Which door of a bank takes what, and whether it can: told before anything is sent, not by a batch that never
//! leaves.

use std::collections::BTreeMap;

use crate::config::{Bank, Door, SftpDoor};
use crate::flow::beside::LOOKS_MAX;
use crate::format::{Format, MessageKind as M};

/// What we say to a bank, each with what it is answered with where it was said.
const SAID: [(M, M); 6] = [
    (M::PaymentRequest, M::Acknowledgement),
    (M::RefundRequest, M::RefundAnswer),
    (M::StatusQuery, M::StatusAnswer),
    (M::ReturnQuery, M::LateReturn),
    (M::NoticeQuery, M::Notice),
    (M::RefundQuery, M::RefundAnswer),
];

/// What a bank may leave in a folder.
const LEFT: [M; 6] =
    [M::Acknowledgement, M::StatusAnswer, M::Result, M::LateReturn, M::Notice, M::RefundAnswer];

/// A problem: the key in the bank's table, and what is wrong.
pub type Told = (String, String);

/// The doors of a bank, by what goes through them.
pub struct Routes<'b> {
    bank: &'b Bank,
    /// Kinds of message that go by another door, by its place among those.
    others: BTreeMap<M, usize>,
}

/// Does a door have folders, rather than a line on which messages are said?
pub const fn has_folders(door: &Door) -> bool {
    matches!(door, Door::Directory { .. } | Door::Sftp(_))
}

/// How long a file in its folders does not change before it is known to be whole, in milliseconds; nothing where a
/// control file tells.
fn stable_for(door: &Door) -> Option<i64> {
    match door {
        Door::Directory { stable_for, .. } | Door::Sftp(SftpDoor { stable_for, .. }) => {
            stable_for.map(|span| span.0)
        }
        Door::Https { .. } | Door::Socket(_) => None,
    }
}

impl<'b> Routes<'b> {
    /// Routes what a format has.
    ///
    /// # Errors
    /// Everything that a door cannot take, or that is said twice.
    pub fn new(bank: &'b Bank, format: &Format) -> Result<Self, Vec<Told>> {
        let mut problems = Vec::new();
        let mut routes = Self { bank, others: BTreeMap::new() };
        routes.read(format, &mut problems);
        let files = routes.lines_for_files(format);
        for (said, answer) in SAID {
            if !files.iter().any(|(at, _)| *at == routes.door_of(said).0) {
                routes.takes(format, said, answer, &mut problems);
            }
        }
        problems.extend(files);
        routes.lone_files(format, &mut problems);
        routes.side(format, &mut problems);
        if problems.is_empty() { Ok(routes) } else { Err(problems) }
    }

    /// Kinds of message that go by the other door of this place.
    pub fn of_other(&self, place: usize) -> impl Iterator<Item = M> {
        let of_it = move |(kind, at): (&M, &usize)| (*at == place).then_some(*kind);
        self.others.iter().filter_map(of_it)
    }

    /// What is answered on the line of the other door of this place; of the first door, where it is nothing.
    pub fn answers(&self, place: Option<usize>) -> Vec<M> {
        let at = |said: &M| self.others.get(said).copied();
        let here = SAID.into_iter().filter(|(said, _)| at(said) == place);
        here.map(|(_, answer)| answer).collect()
    }

    fn read(&mut self, format: &Format, problems: &mut Vec<Told>) {
        for (place, other) in self.bank.other_doors.iter().enumerate() {
            let mut note =
                |what: String| problems.push((format!("other_door.{}.for", place + 1), what));
            if other.kinds.is_empty() {
                note(
                    "names nothing; it names the kinds of message that go by this door".to_owned(),
                );
            }
            for word in &other.kinds {
                let kind = M::parse(word).filter(|kind| format.has(*kind));
                let Some(kind) = kind else {
                    let has: Vec<&str> = format.kinds().map(M::as_str).collect();
                    note(format!(
                        "{word:?} is no message of the format; it has {}",
                        has.join(", ")
                    ));
                    continue;
                };
                let said = SAID.iter().any(|(said, _)| *said == kind);
                let left = LEFT.contains(&kind) && has_folders(&other.door);
                if !said && !left {
                    note(format!(
                        "a {kind} does not go by this door: on a line go what we say and its answer, and what a bank \
                         leaves it leaves in folders"
                    ));
                } else if left && !format.has_file_names(kind) {
                    note(format!(
                        "the {kind} of the format has a part without a name, and a folder has files"
                    ));
                } else if self.others.insert(kind, place).is_some() {
                    note(format!("{kind} goes by two doors; name it once"));
                }
            }
        }
    }

    fn door_of(&self, kind: M) -> (String, &'b Door) {
        match self
            .others
            .get(&kind)
            .and_then(|place| Some((place, self.bank.other_doors.get(*place)?)))
        {
            Some((place, other)) => (format!("other_door.{}", place + 1), &other.door),
            None => ("door".to_owned(), &self.bank.door),
        }
    }

    /// Doors with a line where nothing that is said by them is a message: the format is one of files, and
    /// what it lacks need not be told for each of its messages.
    fn lines_for_files(&self, format: &Format) -> Vec<Told> {
        let mut told: Vec<Told> = Vec::new();
        let said = SAID.iter().map(|(said, _)| *said).filter(|said| format.has(*said));
        for (at, door) in said.clone().map(|said| self.door_of(said)) {
            let by_it = |said: &M| self.door_of(*said).0 == at;
            let is_files =
                |said: M| format.parts(said).count() > 1 && !format.has_files_beside(said);
            let known = told.iter().any(|(known, _)| *known == at);
            if known || has_folders(door) || !said.clone().filter(by_it).all(is_files) {
                continue;
            }
            let kinds: Vec<&str> = said.clone().filter(by_it).map(M::as_str).collect();
            let what = format!(
                "the format is one of files ({}), and this door takes messages: its kind is \"directory\" or \
                 \"sftp\", or the bank's format one of messages",
                kinds.join(", ")
            );
            told.push((at, what));
        }
        told
    }

    /// Can what we say go by its door, and its answer come back there?
    fn takes(&self, format: &Format, said: M, answer: M, problems: &mut Vec<Told>) {
        let (at, door) = self.door_of(said);
        let mut note = |what: String| problems.push((at.clone(), what));
        let several = |kind: M| format.parts(kind).count() > 1;
        if !format.has(said) {
            return;
        }
        if has_folders(door) {
            if !format.has_file_names(said) {
                note(format!(
                    "the {said} of the format has a part without a name, and this door takes files"
                ));
            }
            return;
        }
        if several(said) && !format.has_files_beside(said) {
            note(format!(
                "what commits the {said} of the format is no message, and this door takes messages alone"
            ));
        } else if several(said) && self.bank.side_door.is_none() {
            note(format!(
                "the {said} of the format has several parts, and this door takes messages of one; side_door \
                 says where the files go that a message names"
            ));
        }
        // What has file names throughout comes as files, wherever there are folders.
        let left =
            format.has_file_names(answer) && self.bank.doors().any(|(_, door)| has_folders(door));
        if !several(answer) || left {
            return;
        }
        if !format.has_files_beside(answer) {
            note(format!(
                "the {answer} of the format has several parts, and an answer over this door is one message"
            ));
        } else if self.bank.side_door.is_none() {
            note(format!(
                "the {answer} of the format names a file beside it; side_door says where the bank leaves it"
            ));
        } else if at_once(said) && self.still_ms().is_some() {
            note(format!(
                "the {answer} of the format names a file beside it, and comes at once: with stable_for no file is \
                 known to be whole then, and every hand-over would be of unknown fate; side_door needs control_suffix"
            ));
        } else if let Some(still) = self.still_ms()
            && self.bank.ask_every.0.saturating_mul(LOOKS_MAX - 1) <= still
        {
            // A bank that is asked anew makes its file anew.
            note(format!(
                "the {answer} of the format names a file beside it, which is looked for {LOOKS_MAX} times, ask_every apart, before the bank is asked anew: none would be still for all of stable_for; make ask_every longer than half of it, or let the side_door have a control_suffix"
            ));
        } else if !format.names_files_beside(answer) {
            note(format!(
                "the {answer} of the format does not name the file beside it (computed = \"part_name\"): nobody can \
                 say which is its own"
            ));
        }
    }

    /// What a bank leaves in several files that belong together: only a control file tells that they are all there,
    /// and without one each is read alone.
    fn lone_files(&self, format: &Format, problems: &mut Vec<Told>) {
        let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let answers = SAID.iter().map(|(said, answer)| (*answer, self.door_of(*said)));
        for (kind, (at, door)) in answers.chain(self.left_at(format)) {
            let several = format.has_file_names(kind) && format.parts(kind).count() > 1;
            let kinds = told.entry(at).or_default();
            if several && stable_for(door).is_some() && !kinds.contains(&kind.as_str()) {
                kinds.push(kind.as_str());
            }
        }
        for (at, kinds) in told.into_iter().filter(|(_, kinds)| !kinds.is_empty()) {
            let what = format!(
                "stable_for takes each file alone, and by the format several belong together ({}): use \
                 control_suffix, or a format without control files",
                kinds.join(", ")
            );
            problems.push((at, what));
        }
    }

    /// What a bank leaves by itself, and where: answers come back where their question went, unless the config names
    /// another door for them.
    fn left_at(&self, format: &Format) -> impl Iterator<Item = (M, (String, &'b Door))> {
        LEFT.into_iter().filter_map(move |kind| {
            let at = self.door_of(kind);
            let mut asked = SAID
                .iter()
                .filter(|(said, answer)| *answer == kind && format.has(*said))
                .peekable();
            let is_left = asked.peek().is_none()
                || self.others.contains_key(&kind)
                || asked.any(|(said, _)| self.door_of(*said).0 == at.0);
            is_left.then_some((kind, at))
        })
    }

    /// How long a file beside messages does not change before it is known to be whole, in milliseconds; nothing
    /// where a control file tells.
    fn still_ms(&self) -> Option<i64> {
        self.bank.side_door.as_ref().and_then(stable_for)
    }

    fn side(&self, format: &Format, problems: &mut Vec<Told>) {
        let Some(side) = &self.bank.side_door else { return };
        let on_a_line = |kind: &M| !has_folders(self.door_of(*kind).1);
        let said = SAID.iter().filter(|(said, _)| format.has(*said));
        let mut on_lines = said.filter(|(said, _)| on_a_line(said)).peekable();
        let what = if on_lines.peek().is_none() {
            "a door with folders takes all parts of a hand-over; side_door is for files that a message names, \
             where door is \"https\" or \"socket\""
        } else if !has_folders(side) {
            "files are left in folders; its kind is \"directory\" or \"sftp\""
        } else if !on_lines.any(|(said, answer)| {
            format.has_files_beside(*said) || format.has_files_beside(*answer)
        }) {
            "no message of the format has a file beside it"
        } else {
            return;
        };
        problems.push(("side_door".to_owned(), what.to_owned()));
    }
}

/// Does its answer say what became of what was handed over? A question may be put again.
const fn at_once(said: M) -> bool {
    matches!(said, M::PaymentRequest | M::RefundRequest)
}

/// Where the settings of a door are told of that stands at `at`: they speak of "door".
pub fn told(at: &str, cause: &str) -> Told {
    let Some(rest) = cause.strip_prefix("door") else { return (at.to_owned(), cause.to_owned()) };
    match rest.split_once(": ") {
        Some((key, what)) if key.is_empty() || key.starts_with('.') => {
            (format!("{at}{key}"), what.to_owned())
        }
        _ => (at.to_owned(), cause.to_owned()),
    }
}
