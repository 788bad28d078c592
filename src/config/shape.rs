//! What a config looks like, as data: every key, what its value is, and whether it must be there.
//!
//! `serde` stops at the first key that it does not know, and whoever writes a config wants to see all
//! of them. A test holds these lists against the types that serde fills.

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Several texts.
    Texts,
    /// A file or folder.
    Path,
    /// A whole number within these bounds.
    Int(i64, i64),
    /// A part of a whole, like `0.02`.
    Share,
    /// Bytes that are said on a line.
    Bytes,
    Bool,
    /// A length of time like `30s` or `24h`.
    Time,
    /// An address with a port.
    Listen,
    /// A file or a credential that holds the secret, never the secret.
    Secret,
    /// Secrets under names that the bank's format gives them.
    Secrets,
    Table(&'static [Field]),
    /// `[[name]]`, any number of times.
    Tables(&'static [Field]),
    /// A table whose `kind` says what else is in it.
    Either(&'static [(&'static str, &'static [Field])]),
    /// The same under `[[name]]`, any number of times.
    Eithers(&'static [(&'static str, &'static [Field])]),
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub key: &'static str,
    pub kind: Kind,
    pub required: bool,
}

const fn must(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, required: true }
}

const fn may(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, required: false }
}

const U8: Kind = Kind::Int(0, 255);
const SIZE: Kind = Kind::Int(0, i64::MAX);
const ONE_AND_MORE: Kind = Kind::Int(1, u32::MAX as i64);

/// The whole file.
pub const CONFIG: &[Field] = &[
    must("data", Kind::Path),
    may("listen", Kind::Listen),
    may("log", Kind::Text),
    may("database", Kind::Either(&[("sqlite", &[]), ("postgres", &[must("url", Kind::Secret)])])),
    must("keys", Kind::Table(KEYS)),
    may("source", Kind::Tables(SOURCE)),
    may("bank", Kind::Tables(BANK)),
    must("duty", Kind::Table(DUTY)),
    may("operator", Kind::Tables(&[must("name", Kind::Text), must("secret", Kind::Secret)])),
    may("pace", Kind::Table(PACE)),
    may("formats", Kind::Path),
    may("calendar", Kind::Path),
    may("restore_epoch", U8),
];

const KEYS: &[Field] = &[
    must("current", U8),
    must("seal", Kind::Tables(SEAL_KEY)),
    must("blind", Kind::Table(SEAL_KEY)),
];

const SEAL_KEY: &[Field] = &[must("id", U8), must("secret", Kind::Secret)];

const SOURCE: &[Field] = &[
    must("name", Kind::Text),
    must("url", Kind::Text),
    may("algorithm", Kind::Text),
    must("key_id", Kind::Text),
    must("secret", Kind::Secret),
    may("ca_file", Kind::Path),
];

const BANK: &[Field] = &[
    must("code", Kind::Text),
    must("name", Kind::Text),
    must("format", Kind::Text),
    must("door", Kind::Either(DOORS)),
    may("side_door", Kind::Either(DOORS)),
    may("other_door", Kind::Eithers(OTHER_DOORS)),
    may("rows_max", SIZE),
    may("visibility_delay", Kind::Time),
    may("duplicate_window", Kind::Time),
    may("ask_after", Kind::Time),
    may("ask_every", Kind::Time),
    may("return_every", Kind::Time),
    may("return_window", Kind::Time),
    may("resend_after", Kind::Time),
    may("reference_prefix", Kind::Text),
    may("limit", Kind::Table(&[must("per_second", ONE_AND_MORE), must("at_once", ONE_AND_MORE)])),
    may("retry", Kind::Table(RETRY)),
    may("hours", Kind::Table(HOURS)),
    may("secrets", Kind::Secrets),
    may("push", Kind::Table(PUSH)),
    may("answers", Kind::Table(ANSWERS)),
    may("breaker", Kind::Table(&[may("after", ONE_AND_MORE), may("rest", Kind::Time)])),
];

const ANSWERS: &[Field] = &[
    may("results", Kind::Text),
    may("ask", Kind::Text),
    may("notices", Kind::Text),
    may("acknowledged_within", Kind::Time),
    may("result_within", Kind::Time),
    may("notice_within", Kind::Time),
    may("return_within", Kind::Time),
    may("refund_within", Kind::Time),
];

const PUSH: &[Field] = &[
    must("listen", Kind::Listen),
    may("path", Kind::Text),
    may("certificate", Kind::Path),
    may("key", Kind::Secret),
    may("client_ca", Kind::Path),
    may("client_fingerprints", Kind::Texts),
    may("signing", Kind::Table(SIGNING)),
    may("answer", Kind::Text),
    may("answer_type", Kind::Text),
    may("bytes_max", SIZE),
    may("at_once", ONE_AND_MORE),
    may("total_timeout", Kind::Time),
];

const SIGNING: &[Field] =
    &[must("algorithm", Kind::Text), must("header", Kind::Text), must("secret", Kind::Secret)];

const DOORS: &[(&str, &[Field])] = &[
    ("directory", DIRECTORY.door),
    ("https", HTTPS.door),
    ("sftp", SFTP.door),
    ("socket", SOCKET.door),
];

const OTHER_DOORS: &[(&str, &[Field])] = &[
    ("directory", DIRECTORY.other),
    ("https", HTTPS.other),
    ("sftp", SFTP.other),
    ("socket", SOCKET.other),
];

/// A kind of door, and the same as one for some kinds of message alone.
struct DoorKeys {
    door: &'static [Field],
    other: &'static [Field],
}

macro_rules! door {
    ($($field:expr),+ $(,)?) => {
        DoorKeys { door: &[$($field),+], other: &[must("for", Kind::Texts), $($field),+] }
    };
}

const RETRY: &[Field] =
    &[must("tries", ONE_AND_MORE), may("wait", Kind::Time), may("wait_max", Kind::Time)];

const HOURS: &[Field] = &[may("windows", Kind::Texts), may("workdays", Kind::Bool)];

const DIRECTORY: DoorKeys = door![
    must("outgoing", Kind::Path),
    must("incoming", Kind::Path),
    must("archive", Kind::Path),
    must("quarantine", Kind::Path),
    may("control_suffix", Kind::Text),
    may("stable_for", Kind::Time),
    may("bytes_max", SIZE),
    may("total_timeout", Kind::Time),
];

const HTTPS: DoorKeys = door![
    must("url", Kind::Text),
    may("content_type", Kind::Text),
    may("ca_file", Kind::Path),
    may("client_cert", Kind::Path),
    may("client_key", Kind::Secret),
    may("signing", Kind::Table(SIGNING)),
    may("connect_timeout", Kind::Time),
    may("total_timeout", Kind::Time),
    may("answer_bytes_max", SIZE),
];

const SFTP: DoorKeys = door![
    must("address", Kind::Text),
    must("host_keys", Kind::Texts),
    must("user", Kind::Text),
    may("key", Kind::Secret),
    may("password", Kind::Secret),
    must("outgoing", Kind::Text),
    must("incoming", Kind::Text),
    may("archive", Kind::Text),
    must("quarantine", Kind::Text),
    may("control_suffix", Kind::Text),
    may("stable_for", Kind::Time),
    may("bytes_max", SIZE),
    may("connect_timeout", Kind::Time),
    may("total_timeout", Kind::Time),
];

const SOCKET: DoorKeys = door![
    must("address", Kind::Text),
    must("security", Kind::Word(&["tls", "plain"])),
    may("ca_file", Kind::Path),
    may("client_cert", Kind::Path),
    may("client_key", Kind::Secret),
    may("connect_timeout", Kind::Time),
    may("total_timeout", Kind::Time),
    may("answer_bytes_max", SIZE),
    may("session", Kind::Table(SESSION)),
];

const SESSION: &[Field] =
    &[must("heartbeat", Kind::Bytes), must("answer", Kind::Bytes), must("every", Kind::Time)];

const DUTY: &[Field] = &[
    must("start", Kind::Text),
    may("allowed", Kind::Time),
    may("funded_only", Kind::Bool),
    may("settle_after", Kind::Time),
    may("drop_held_after", Kind::Time),
    must("pool_bank", Kind::Text),
];

const PACE: &[Field] = &[
    may("pull_every", Kind::Time),
    may("arrivals_every", Kind::Time),
    may("report_retry", Kind::Time),
    may("stuck_after", Kind::Time),
];

/// The whole file of a practice bank.
pub const COUNTERPART: &[Field] = &[
    must("format", Kind::Text),
    may("formats", Kind::Path),
    must("book", Kind::Path),
    must("door", Kind::Either(COUNTERPART_DOORS)),
    may("other_door", Kind::Eithers(COUNTERPART_DOORS)),
    may("side_door", Kind::Table(SIDE_FOLDERS)),
    may("seed", SIZE),
    may("dedup", Kind::Bool),
    may("asked", Kind::Bool),
    may("result_after", Kind::Time),
    may("return_after", Kind::Time),
    may("notice_after", Kind::Time),
    may("look_every", Kind::Time),
    may("push", Kind::Table(CALLS_AT)),
    may("faults", Kind::Table(SICKNESS)),
    may("secrets", Kind::Secrets),
];

const CALLS_AT: &[Field] =
    &[must("url", Kind::Text), must("header", Kind::Text), must("secret", Kind::Path)];

const COUNTERPART_DOORS: &[(&str, &[Field])] =
    &[("directory", FOLDERS), ("sftp", FOLDERS), ("https", LISTENS), ("socket", HEARS)];

const FOLDERS: &[Field] = &[
    must("outgoing", Kind::Path),
    must("incoming", Kind::Path),
    may("control_suffix", Kind::Text),
    may("no_control", Kind::Bool),
];

const SIDE_FOLDERS: &[Field] = &[
    must("outgoing", Kind::Path),
    must("incoming", Kind::Path),
    may("control_suffix", Kind::Text),
];

const LISTENS: &[Field] = &[
    must("listen", Kind::Listen),
    may("certificate", Kind::Path),
    may("key", Kind::Path),
    may("client_ca", Kind::Path),
];

/// The same on a line, where a connection may stay.
const HEARS: &[Field] = &[
    must("listen", Kind::Listen),
    may("certificate", Kind::Path),
    may("key", Kind::Path),
    may("client_ca", Kind::Path),
    may("session", Kind::Table(SESSION)),
];

const SICKNESS: &[Field] = &[
    may("loss", Kind::Share),
    may("duplicate", Kind::Share),
    may("reorder", Kind::Share),
    may("contradiction", Kind::Share),
    may("return_after_credit", Kind::Share),
    may("busy", Kind::Share),
    may("refusal", Kind::Share),
    may("wrong_amount", Kind::Share),
    may("wrong_account", Kind::Share),
    may("unknown_row", Kind::Share),
    may("wrong_sum", Kind::Share),
    may("split", Kind::Share),
    may("refuse_row", Kind::Share),
    may("split_batch", Kind::Share),
    may("file_lost", Kind::Share),
    may("file_late", Kind::Share),
    may("file_cut", Kind::Share),
    may("delay", Kind::Time),
    may("lag", Kind::Time),
    may("outage", Kind::Table(&[must("every", Kind::Time), must("lasts", Kind::Time)])),
];

impl Kind {
    /// What is expected, for whoever wrote something else.
    pub fn expected(self) -> String {
        match self {
            Self::Text => "text between quotes".to_owned(),
            Self::Word(words) => format!("\"{}\"", words.join("\" or \"")),
            Self::Texts => "texts in brackets, like [\"a\", \"b\"]".to_owned(),
            Self::Path => "a path between quotes".to_owned(),
            Self::Int(least, i64::MAX) => format!("a whole number from {least}"),
            Self::Int(least, most) => format!("a whole number from {least} to {most}"),
            Self::Share => "a part of 1 with at most six digits, like 0.02".to_owned(),
            Self::Bytes => {
                "text between quotes, or \"hex:\" and two hexadecimal digits for each byte, like \"hex:00000001 3f\""
                    .to_owned()
            }
            Self::Bool => "true or false".to_owned(),
            Self::Time => "a time like \"30s\", \"2h 30m\" or \"24h\"".to_owned(),
            Self::Listen => "an address like \"127.0.0.1:8740\"".to_owned(),
            Self::Secret => {
                "{ file = \"...\" } or { credential = \"...\" }: the secret itself is kept out of this file"
                    .to_owned()
            }
            Self::Secrets => {
                "a table of the keys that the format names, each { file = \"...\" } or { credential = \"...\" }"
                    .to_owned()
            }
            Self::Table(_) => "a table".to_owned(),
            Self::Tables(_) => "tables, [[...]] once for each".to_owned(),
            Self::Eithers(kinds) => {
                format!("tables, [[...]] once for each, each {}", Self::Either(kinds).expected())
            }
            Self::Either(kinds) => {
                let kinds: Vec<String> =
                    kinds.iter().map(|(word, _)| format!("kind = \"{word}\"")).collect();
                format!("a table with {}", kinds.join(" or "))
            }
        }
    }
}
