//! Opens a bank's doors: what the config says of each, as the door itself takes it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::civil::Time;
use reqwest::header::HeaderName;
use secrecy::ExposeSecret as _;

use crate::app::routes::{Routes, Told, has_folders, told};
use crate::clock::{Clock, Dice};
use crate::config::{
    Bank, Config, Door, LineSecurity, Secret, Session, SftpDoor, Signing, SocketDoor, Span, entries,
};
use crate::flow::doors::Doors;
use crate::format::{CutOff, Format, Key, MessageKind};
use crate::guard::mac::{Mac, SECRET_BYTES_MIN};
use crate::guard::sign::Algorithm;
use crate::transport::Transport;
use crate::transport::beside::Beside;
use crate::transport::calendar::Calendar;
use crate::transport::directory::{Completion, Directory, DirectoryOptions};
use crate::transport::hours::{Hours, Opening};
use crate::transport::https::{Https, HttpsOptions};
use crate::transport::limit::{Limited, Limits};
use crate::transport::manner::With;
use crate::transport::retry::{Retrying, Tries};
use crate::transport::sftp::{self, Sftp, SftpOptions};
use crate::transport::socket::{Ending, Security, Socket, SocketOptions, Staying};
use crate::transport::tls::Identity;

/// What a bank answers with on a line of its own.
const ANSWERS: [MessageKind; 5] = [
    MessageKind::Acknowledgement,
    MessageKind::StatusAnswer,
    MessageKind::LateReturn,
    MessageKind::Notice,
    MessageKind::RefundAnswer,
];

/// What doors share.
pub struct Common<'c> {
    pub clock: &'c Arc<dyn Clock>,
    /// The days that banks work, where somebody keeps them.
    pub calendar: Option<Arc<Calendar>>,
}

impl<'c> Common<'c> {
    /// Reads the calendar that a config names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn open(config: &Config, clock: &'c Arc<dyn Clock>) -> Result<Self, Vec<String>> {
        let Some(path) = &config.calendar else {
            let by_days = |bank: &&Bank| bank.hours.as_ref().is_some_and(|hours| hours.workdays);
            for bank in config.banks.iter().filter(by_days) {
                tracing::warn!(
                    bank = bank.code,
                    "workdays without a calendar: its weeks are taken as they are"
                );
            }
            return Ok(Self { clock, calendar: None });
        };
        let at = |cause: String| format!("{}: {cause}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| vec![at(e.to_string())])?;
        let calendar = Calendar::parse(&text)
            .map_err(|causes| causes.into_iter().map(at).collect::<Vec<_>>())?;
        Ok(Self { clock, calendar: Some(Arc::new(calendar)) })
    }
}

/// Opens the doors of a bank. Its format, where that could be read, tells which takes what, and where messages
/// on a line end.
///
/// # Errors
/// All that does not work of their settings: the key in the bank's table, and why.
pub fn open(
    bank: &Bank,
    format: Option<&Arc<Format>>,
    common: &Common<'_>,
) -> Result<Doors, Vec<Told>> {
    let mut problems = Vec::new();
    let routes = format.and_then(|format| match Routes::new(bank, format) {
        Ok(routes) => Some((routes, format)),
        Err(told) => {
            problems.extend(told);
            None
        }
    });
    let ending = |place| match &routes {
        Some((routes, format)) => framed_for(format, routes.answers(place)),
        // What is wrong with the format, or with what goes where, is told already.
        None => Err(String::new()),
    };
    let mut plainly = |at: &str, door: &Door, place| match plain(door, || ending(place)) {
        Ok(_)
            if let Some(kind) = routes.as_ref().and_then(|known| nameless(door, known, place)) =>
        {
            problems.push(told(at, &format!("session: {kind} need not bear a reference of ours; on a connection that stays nobody could tell whose answer it is")));
            None
        }
        Ok(door) => Some(door),
        Err(cause) if cause.is_empty() => None,
        Err(cause) => {
            problems.push(told(at, &cause));
            None
        }
    };
    let door = plainly("door", &bank.door, None);
    let side = bank.side_door.as_ref().map(|side| plainly("side_door", side, None));
    let others: Vec<Option<Arc<dyn Transport>>> = bank
        .other_doors
        .iter()
        .zip(entries("other_door"))
        .enumerate()
        .map(|(place, (other, at))| plainly(&at, &other.door, Some(place)))
        .collect();
    let cut_off = format.and_then(|format| format.limits().cut_off);
    let hours = hours(bank, cut_off, common).map_err(|cause| {
        problems.push(("hours.windows".to_owned(), cause));
    });
    let (Some((routes, _)), Some(door), Ok(hours)) = (routes, door, hours) else {
        return Err(problems);
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let agreed = Agreed::with(bank, hours, common);
    let (mut folders, mut beside) = (Vec::new(), false);
    let mut kept = |settings: &Door, door: Arc<dyn Transport>| match side.clone().flatten() {
        // The folder beside the lines is looked through once, whichever of them names what lies there.
        Some(files) if !has_folders(settings) => {
            let door = agreed.keeps(Arc::new(Beside::new(door, files)));
            if !std::mem::replace(&mut beside, true) {
                folders.push(Arc::clone(&door));
            }
            door
        }
        _ => {
            let door = agreed.keeps(door);
            if has_folders(settings) {
                folders.push(Arc::clone(&door));
            }
            door
        }
    };
    let door = kept(&bank.door, door);
    let mut by_kind = BTreeMap::new();
    for (place, (other, opened)) in bank.other_doors.iter().zip(others).enumerate() {
        let Some(opened) = opened else { continue };
        let opened = kept(&other.door, opened);
        by_kind.extend(routes.of_other(place).map(|kind| (kind, Arc::clone(&opened))));
    }
    Ok(Doors::new(door, by_kind, folders))
}

/// An answer on a connection that stays which need not bear a reference of ours: after one answer too many, each
/// would be read as what the bank says about the next message, and one that comes while the next is on its way is
/// seen by no look at the line.
fn nameless(
    door: &Door,
    (routes, format): &(Routes, &Arc<Format>),
    place: Option<usize>,
) -> Option<MessageKind> {
    let Door::Socket(SocketDoor { session: Some(_), .. }) = door else { return None };
    let mut answers = routes.answers(place).into_iter().filter(|kind| format.has(*kind));
    answers.find(|kind| !format.always_bears(*kind, Key::Reference))
}

/// What is agreed with a bank, whichever of its doors is used.
struct Agreed {
    limit: Option<Arc<Limited>>,
    retry: Option<Arc<Retrying>>,
    hours: Option<Arc<Opening>>,
}

impl Agreed {
    fn with(bank: &Bank, hours: Option<Hours>, common: &Common<'_>) -> Self {
        let limit = bank.limit.as_ref().map(|limit| {
            let limits = Limits { per_second: limit.per_second, at_once: limit.at_once };
            Arc::new(Limited::new(limits))
        });
        let retry = bank.retry.as_ref().map(|retry| {
            let tries = Tries {
                tries_max: retry.tries.get(),
                wait_ms: millis(retry.wait),
                wait_max_ms: millis(retry.wait_max),
            };
            let dice = Dice::seeded(u64::from_le_bytes(crate::guard::random::bytes()));
            Arc::new(Retrying::new(tries, dice))
        });
        let hours = hours.map(|hours| Arc::new(Opening::new(hours, Arc::clone(common.clock))));
        Self { limit, retry, hours }
    }

    /// From the inside out: a try is one of the limit's, and a closed bank is not tried.
    fn keeps(&self, mut door: Arc<dyn Transport>) -> Arc<dyn Transport> {
        if let Some(limit) = &self.limit {
            door = Arc::new(With::new(door, Arc::clone(limit)));
        }
        if let Some(retry) = &self.retry {
            door = Arc::new(With::new(door, Arc::clone(retry)));
        }
        if let Some(hours) = &self.hours {
            door = Arc::new(With::new(door, Arc::clone(hours)));
        }
        door
    }
}

/// When a bank takes something in. What holds is the config's windows alone: they say more than one time a
/// day, and are what an operator agreed upon. The format's cut-off is its interface's; it stands in for
/// windows where there are none, and windows that go beyond it are a mistake of one of the two.
fn hours(
    bank: &Bank,
    cut_off: Option<CutOff>,
    common: &Common<'_>,
) -> Result<Option<Hours>, String> {
    let windows = bank.hours.as_ref().map_or(&[][..], |hours| &hours.windows);
    if windows.is_empty() && bank.hours.is_none() && cut_off.is_none() {
        return Ok(None);
    }
    let workdays = bank.hours.as_ref().is_some_and(|hours| hours.workdays);
    let calendar = workdays.then(|| common.calendar.clone().unwrap_or_default());
    let Some(cut_off) = cut_off else {
        return Hours::new(windows, calendar).map(Some);
    };
    if windows.is_empty() {
        return Hours::new(&[format!("00:00-{cut_off}")], calendar).map(Some);
    }
    let hours = Hours::new(windows, calendar)?;
    let (hour, minute) = (i8::try_from(cut_off.hour), i8::try_from(cut_off.minute));
    let until = Time::new(hour.unwrap_or(24), minute.unwrap_or(0), 0, 0).unwrap_or(Time::MAX);
    if hours.closes_at() > until {
        return Err(format!("a window ends after {cut_off}, the cut_off of the format"));
    }
    Ok(Some(hours))
}

/// The door itself; where it is a line without a protocol of its own, `ending` tells where messages end.
fn plain(
    door: &Door,
    ending: impl FnOnce() -> Result<Arc<dyn Ending>, String>,
) -> Result<Arc<dyn Transport>, String> {
    let door: Arc<dyn Transport> = match door {
        Door::Directory {
            outgoing,
            incoming,
            archive,
            quarantine,
            control_suffix,
            stable_for,
            bytes_max,
            total_timeout,
        } => {
            let options = DirectoryOptions {
                outgoing: outgoing.clone(),
                incoming: incoming.clone(),
                archive: archive.clone(),
                quarantine: quarantine.clone(),
                completion: completion(control_suffix.as_deref(), *stable_for)?,
                bytes_max: *bytes_max,
                total_ms: millis(*total_timeout),
            };
            Arc::new(Directory::new(options).map_err(|cause| cause.to_string())?)
        }
        Door::Https {
            url,
            content_type,
            ca_file,
            client_cert,
            client_key,
            signing: code,
            connect_timeout,
            total_timeout,
            answer_bytes_max,
        } => {
            let code = code.as_ref().map(signing).transpose();
            let code = code.map_err(|cause| format!("door.signing: {cause}"))?;
            let options = HttpsOptions {
                url: url.clone(),
                content_type: content_type.clone(),
                ca_file: ca_file.clone(),
                identity: identity(client_cert.as_deref(), client_key.as_ref())?,
                signing: code.map(Arc::new),
                connect_ms: millis(*connect_timeout),
                total_ms: millis(*total_timeout),
                answer_bytes_max: *answer_bytes_max,
            };
            Arc::new(Https::new(&options).map_err(|cause| cause.to_string())?)
        }
        Door::Sftp(door) => Arc::new(sftp(door)?),
        Door::Socket(door) => Arc::new(socket(door, ending()?)?),
    };
    Ok(door)
}

fn sftp(door: &SftpDoor) -> Result<Sftp, String> {
    let told = |what: &str, cause: String| format!("door.{what}: {cause}");
    let host_keys: Result<Vec<_>, String> =
        door.host_keys.iter().map(|text| sftp::host_key(text)).collect();
    let proof = match (&door.key, &door.password) {
        (Some(key), _) => {
            let text = key.read().map_err(|cause| told("key", cause))?;
            sftp::private_key(&text).map_err(|cause| told("key", cause))?
        }
        (None, password) => {
            let read = password.as_ref().map(Secret::read);
            let read = read.unwrap_or_else(|| Err("neither key nor password".to_owned()));
            sftp::Proof::Password(read.map_err(|cause| told("password", cause))?)
        }
    };
    let options = SftpOptions {
        address: door.address.clone(),
        host_keys: host_keys.map_err(|cause| told("host_keys", cause))?,
        user: door.user.clone(),
        proof,
        outgoing: door.outgoing.clone(),
        incoming: door.incoming.clone(),
        archive: door.archive.clone(),
        quarantine: door.quarantine.clone(),
        completion: completion(door.control_suffix.as_deref(), door.stable_for)?,
        bytes_max: door.bytes_max,
        connect_ms: millis(door.connect_timeout),
        total_ms: millis(door.total_timeout),
    };
    Sftp::new(options).map_err(|cause| cause.to_string())
}

fn socket(door: &SocketDoor, ending: Arc<dyn Ending>) -> Result<Socket, String> {
    let identity = identity(door.client_cert.as_deref(), door.client_key.as_ref())?;
    let security = match door.security {
        LineSecurity::Tls => Security::Tls { ca_file: door.ca_file.clone(), identity },
        LineSecurity::Plain if door.ca_file.is_none() && identity.is_none() => Security::Plain,
        LineSecurity::Plain => {
            let cause = "door: ca_file and client_cert are for security = \"tls\"; a plain line asks nobody";
            return Err(cause.to_owned());
        }
    };
    let session = door.session.as_ref();
    let staying = session.map(|session| staying(session, ending.as_ref())).transpose()?;
    let options = SocketOptions {
        address: door.address.clone(),
        security,
        connect_ms: millis(door.connect_timeout),
        total_ms: millis(door.total_timeout),
        answer_bytes_max: door.answer_bytes_max,
        ending,
        staying,
    };
    Socket::new(options).map_err(|cause| cause.to_string())
}

/// What keeps a connection alive. The answer to a heartbeat is read like any other, up to where its frame says
/// that it ends: one that says something else would never be heard, and every pause would cost a connection.
fn staying(session: &Session, ending: &dyn Ending) -> Result<Staying, String> {
    let Session { heartbeat, answer, every } = session;
    if let Some(header) = ending.header_bytes() {
        let has = answer.0.len();
        let whole = match answer.0.get(..header) {
            None => {
                Err(format!("it has {has} bytes, and the frame of an answer alone has {header}"))
            }
            Some(frame) => match ending.message_bytes(frame) {
                Ok(stated) if u64::try_from(has) == Ok(stated) => Ok(()),
                Ok(stated) => Err(format!("its frame says {stated} bytes, and it has {has}")),
                Err(cause) => Err(cause),
            },
        };
        let expected = "expected a whole answer of the bank, frame and all";
        whole.map_err(|cause| format!("door.session.answer: {cause}; {expected}"))?;
    }
    Ok(Staying {
        heartbeat: Bytes::from(heartbeat.0.clone()),
        answer: Bytes::from(answer.0.clone()),
        every_ms: millis(*every),
    })
}

/// The header of a code, and how the code is made.
pub(super) fn signing(signing: &Signing) -> Result<(HeaderName, Mac), String> {
    let header = HeaderName::from_bytes(signing.header.as_bytes());
    let header = header.map_err(|cause| format!("header: {cause}"))?;
    let algorithm = Algorithm::parse(&signing.algorithm).ok_or("algorithm: it is not known")?;
    let secret = signing.secret.read().map_err(|cause| format!("secret: {cause}"))?;
    let mac = Mac::new(algorithm, secret.expose_secret().as_bytes());
    let mac = mac.ok_or(format!("secret: fewer than {SECRET_BYTES_MIN} bytes are guessed"))?;
    Ok((header, mac))
}

/// Our certificate and its key; one without the other is none.
fn identity(certificate: Option<&Path>, key: Option<&Secret>) -> Result<Option<Identity>, String> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(path), Some(key)) => {
            let key = key.read().map_err(|cause| format!("door.client_key: {cause}"))?;
            Ok(Some(Identity { certificate_file: path.to_owned(), key }))
        }
        (Some(_), None) | (None, Some(_)) => {
            Err("door: client_cert and client_key come together".to_owned())
        }
    }
}

fn completion(suffix: Option<&str>, still: Option<Span>) -> Result<Completion, String> {
    match (suffix, still) {
        (Some(suffix), _) => Ok(Completion::Control { suffix: suffix.to_owned() }),
        (None, Some(span)) => Ok(Completion::StableMs(millis(span))),
        (None, None) => Err("door: neither control_suffix nor stable_for".to_owned()),
    }
}

pub(super) fn millis(span: Span) -> u64 {
    u64::try_from(span.0).unwrap_or_default()
}

/// Where the answers of a format end on a line.
///
/// # Errors
/// In words why this format is not for a line.
pub fn framed(format: &Arc<Format>) -> Result<Arc<dyn Ending>, String> {
    framed_for(format, ANSWERS.to_vec())
}

/// The same, of those answers alone that come on this line.
fn framed_for(format: &Arc<Format>, kinds: Vec<MessageKind>) -> Result<Arc<dyn Ending>, String> {
    let header = format.frame_bytes(&kinds).map_err(|cause| format!("door: {cause}"))?;
    Ok(Arc::new(Framed { format: Arc::clone(format), kinds, header }))
}

/// Reads a format's frame for a door that knows no formats.
struct Framed {
    format: Arc<Format>,
    kinds: Vec<MessageKind>,
    header: Option<usize>,
}

impl Ending for Framed {
    fn header_bytes(&self) -> Option<usize> {
        self.header
    }

    fn message_bytes(&self, header: &[u8]) -> Result<u64, String> {
        self.format.framed_bytes(&self.kinds, header)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::clock::ManualClock;

    /// A config whose one bank has this format and this in its table.
    fn config(format: &str, bank: &str) -> Result<Config, String> {
        let text = format!(
            "data = \"/d\"\n[keys]\ncurrent = 1\nseal = [{{ id = 1, secret = {{ file = \"/s\" }} }}]\n\
             blind = {{ id = 1, secret = {{ file = \"/b\" }} }}\n[[source]]\nname = \"county\"\n\
             url = \"https://finance.example\"\nkey_id = \"k\"\nsecret = {{ file = \"/f\" }}\n\
             [duty]\nstart = \"received\"\npool_bank = \"bank\"\n\
             [[bank]]\ncode = \"bank\"\nname = \"Bank\"\nformat = \"{format}\"\n{bank}\n"
        );
        Config::parse(&text).map_err(|problems| problems.to_string())
    }

    fn opened(format: &str, bank: &str) -> Result<Doors, String> {
        let text = crate::format::example::example(format).expect("it ships");
        opened_by(format, text, bank)
    }

    fn opened_by(format: &str, text: &str, bank: &str) -> Result<Doors, String> {
        let config = config(format, bank)?;
        let compiled = Arc::new(Format::compile(format, text).expect("compiles"));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_795_420_144_000));
        let common = Common { clock: &clock, calendar: None };
        let line = |(key, what): (String, String)| format!("{key}: {what}");
        open(&config.banks[0], Some(&compiled), &common)
            .map_err(|told| told.into_iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    const SOCKET: &str = "[bank.door]\nkind = \"socket\"\naddress = \"127.0.0.1:1\"\n";
    const SFTP: &str = "[bank.door]\nkind = \"sftp\"\naddress = \"127.0.0.1:1\"\nuser = \"u\"\n\
                        outgoing = \"o\"\nincoming = \"i\"\nquarantine = \"q\"\ncontrol_suffix = \".ok\"\n";

    #[track_caller]
    fn refused(format: &str, bank: &str, word: &str) {
        let cause = opened(format, bank).err().expect("is refused");
        assert!(cause.contains(word), "{word}: {cause}");
    }

    #[test]
    fn a_socket_says_who_may_listen_and_takes_a_format_that_a_line_can_carry() {
        let plain = format!("{SOCKET}security = \"plain\"\n");
        assert!(opened("example-gx-tagged", &plain).is_ok());
        assert!(opened("example-city-xml", &plain).is_ok(), "to the end of the line");
        refused("example-gx-tagged", SOCKET, "security");
        refused("example-gx-tagged", &format!("{plain}ca_file = \"/c\"\n"), "ca_file");
        refused("example-gx-tagged", &format!("{plain}client_cert = \"/c\"\n"), "together");
        refused("example-gx-tagged", &format!("{plain}port = 1\n"), "port");
        refused("example-abc-framed", &plain, "several parts");
        refused("example-rural-fixed", &plain, "the format is one of files (payment_request, ");
        let told = opened("example-rural-fixed", &plain).err().expect("is refused");
        assert_eq!(told.lines().count(), 1, "once, not for each of its messages: {told}");
        // Eight digits that count what is behind them, in a frame of 58 bytes.
        let answer = format!("00000050{}", "!".repeat(50));
        let session =
            format!("session = {{ heartbeat = \"?\", answer = \"{answer}\", every = \"30s\" }}\n");
        assert!(opened("example-gx-tagged", &format!("{plain}{session}")).is_ok());
        refused("example-city-xml", &format!("{plain}{session}"), "without a frame");
        for (bad, word) in [
            (
                "00000050",
                "door.session.answer: it has 8 bytes, and the frame of an answer alone has 58",
            ),
            (&answer.replace("50", "51"), "its frame says 59 bytes, and it has 58"),
            (&answer.replace("50", "fifty"), "frame and all"),
            ("hex:00 0", "bank.1.door.session.answer: expected text between quotes, or \"hex:\""),
        ] {
            let session = session.replace(&answer, bad);
            refused("example-gx-tagged", &format!("{plain}{session}"), word);
        }
        // An answer that says not whose it is.
        let text = crate::format::example::example("example-gx-tagged").expect("it ships");
        let (before, answer_text) =
            text.split_once("kind = \"acknowledgement\"").expect("it answers");
        let answer =
            answer_text.replacen("key = \"reference\", only = \"ascii\"", "ignored = \"\"", 1);
        let nameless = format!("{before}kind = \"acknowledgement\"{answer}");
        let cause = opened_by("gx", &nameless, &format!("{plain}{session}"));
        let cause = cause.err().expect("is refused");
        assert!(cause.contains("acknowledgement need not bear a reference"), "{cause}");
        let perhaps = answer_text.replacen(
            "{ tag = \"BatchNo\", key = \"reference\", only",
            "{ tag = \"Ver\", literal = \"1\" }, { tag = \"BatchNo\", key = \"reference\", optional = true, only",
            1,
        );
        assert_ne!(perhaps, answer_text);
        let perhaps = format!("{before}kind = \"acknowledgement\"{perhaps}");
        let cause = opened_by("gx", &perhaps, &format!("{plain}{session}"));
        let cause = cause.err().expect("what may be missing will be");
        assert!(cause.contains("acknowledgement need not bear a reference"), "{cause}");
        assert!(
            opened_by("gx", &nameless, &plain).is_ok(),
            "on a connection of its own it is clear"
        );
    }

    const HTTPS: &str = "[bank.door]\nkind = \"https\"\nurl = \"http://127.0.0.1:1/\"\n";

    /// A door of folders that begin with this letter.
    fn folders(table: &str, letter: char) -> String {
        let folder = |name: &str| format!("{name} = \"/{letter}-{name}\"\n");
        let all: String = ["outgoing", "incoming", "archive", "quarantine"].map(folder).concat();
        format!("{table}\nkind = \"directory\"\n{all}control_suffix = \".ok\"\n")
    }

    #[test]
    fn a_message_and_the_file_that_it_names_go_by_doors_that_can_take_them() {
        let side = folders("[bank.side_door]", 's');
        let big = |bank: &str| opened("example-abc-framed", bank);
        let both = big(&format!("{HTTPS}{side}")).unwrap_or_else(|cause| panic!("{cause}"));
        let alone = opened("example-city-xml", HTTPS).unwrap_or_else(|cause| panic!("{cause}"));
        // A bank that makes its file anew whenever it is asked is not asked before the file was still.
        let still = side.replace("control_suffix = \".ok\"", "stable_for = \"1s\"");
        let every = |ms: u32| format!("ask_every = \"{ms}ms\"\n{HTTPS}{still}");
        assert!(big(&every(501)).is_ok());
        refused("example-abc-framed", &every(500), "longer than half of it");
        let request = MessageKind::PaymentRequest;
        assert_eq!(both.of(request).commit_point(), alone.of(request).commit_point());
        assert_eq!(both.folders().count(), 1);
        let socket = format!("{SOCKET}security = \"plain\"\n{side}");
        assert!(big(&socket).is_ok(), "{:?}", big(&socket).err());
        for (bank, word) in [
            (HTTPS.to_owned(), "side_door says where the files go"),
            (HTTPS.to_owned(), "side_door says where the bank leaves it"),
            (format!("{}{side}", folders("[bank.door]", 'd')), "takes all parts of a hand-over"),
            (
                format!("{HTTPS}{}", HTTPS.replace(".door]", ".side_door]")),
                "files are left in folders",
            ),
            (
                format!("{HTTPS}{}", side.replace("control_suffix = \".ok\"\n", "")),
                "side_door: needs either control_suffix",
            ),
            (
                format!("{HTTPS}{}", side.replace("s-archive", "s-incoming")),
                "used for two purposes",
            ),
        ] {
            let cause = big(&bank).err().expect("is refused");
            assert!(cause.contains(word), "{word}: {cause}");
        }
        refused(
            "example-city-xml",
            &format!("{HTTPS}{side}"),
            "no message of the format has a file",
        );
        let text = crate::format::example::example("example-abc-framed").expect("it ships");
        let text = text.replace("optional = true\nlayout", "layout");
        let named = "  { path = \"BatchFileName\", computed = \"part_name\", of = \"side\", optional = true },\n";
        let (before, after) = text.rsplit_once(named).expect("the answer names its file");
        let unnamed = format!("{before}{after}");
        let cause = opened_by("big", &unnamed, &format!("{HTTPS}{side}")).err();
        let cause = cause.expect("nobody could tell its file");
        assert!(cause.contains("does not name the file beside it"), "{cause}");
    }

    #[test]
    fn each_kind_of_message_goes_by_the_door_that_is_there_for_it() {
        let requests = folders("[bank.door]", 'd');
        let results = folders("[[bank.other_door]]\nfor = [\"result\", \"acknowledgement\"]", 'r');
        let asked = HTTPS.replace("[bank.door]", "[[bank.other_door]]\nfor = [\"status_query\"]");
        let pipe = |bank: &str| opened("example-core-pipe", bank);
        let doors =
            pipe(&format!("limit = {{ per_second = 1, at_once = 1 }}\n{requests}{asked}{results}"));
        let doors = doors.unwrap_or_else(|cause| panic!("{cause}"));
        assert_eq!(doors.folders().count(), 2, "two folders are looked through");
        let points = [MessageKind::PaymentRequest, MessageKind::StatusQuery]
            .map(|kind| doors.of(kind).commit_point());
        assert!(points[0].contains("folder") && points[1].contains("request"), "{points:?}");
        let other =
            |of: &str| HTTPS.replace("[bank.door]", &format!("[[bank.other_door]]\nfor = [{of}]"));
        for (more, word) in [
            (other(""), "other_door.1.for: names nothing"),
            (other("\"status_qery\""), "no message of the format; it has payment_request, acknow"),
            (other("\"refund_request\""), "\"refund_request\" is no message of the format"),
            (format!("{asked}{asked}"), "other_door.2.for: status_query goes by two doors"),
            (other("\"status_query\", \"status_query\""), "status_query goes by two doors"),
            (other("\"result\""), "a result does not go by this door"),
            (asked.replace("http://127.0.0.1:1/", "ftp://b"), "other_door.1"),
            (asked.replace("url", "urll"), "bank.1.other_door.1.urll"),
            (asked.replace("for = ", "of = "), "bank.1.other_door.1.for: is missing"),
            (
                results.replace("control_suffix = \".ok\"\n", ""),
                "other_door.1: needs either control",
            ),
        ] {
            let cause = pipe(&format!("{requests}{more}")).err().expect("is refused");
            assert!(cause.contains(word), "{word}: {cause}");
        }
        // What a message needs that this door has not.
        let big =
            format!("{HTTPS}{}", folders("[[bank.other_door]]\nfor = [\"status_query\"]", 'q'));
        refused(
            "example-abc-framed",
            &big,
            "other_door.1: the status_query of the format has a part",
        );
        let files = other("\"status_query\"");
        refused(
            "example-rural-fixed",
            &format!("{requests}{files}"),
            "one of files (status_query), and this door",
        );
    }

    #[test]
    fn i14_files_that_belong_together_are_not_taken_one_by_one() {
        let with =
            |word: &str| folders("[bank.door]", 'd').replace("control_suffix = \".ok\"", word);
        let still = with("stable_for = \"1s\"");
        refused(
            "example-rural-fixed",
            &still,
            "door: stable_for takes each file alone, and by the format several belong together (acknowledgement, ",
        );
        assert!(opened("example-rural-fixed", &with("control_suffix = \".ok\"")).is_ok());
        assert!(opened("example-core-pipe", &still).is_ok(), "one file each");
        // Results alone come through another folder.
        let other = folders("[[bank.other_door]]\nfor = [\"result\"]", 'r')
            .replace("control_suffix = \".ok\"", "stable_for = \"1s\"");
        let bank = format!("{}{other}", with("control_suffix = \".ok\""));
        refused("example-rural-fixed", &bank, "other_door.1: stable_for takes each file alone");
        refused("example-rural-fixed", &bank, "(result): use");
    }

    #[test]
    fn the_readmes_other_doors_are_good_ones() {
        let readme = include_str!("../../README.md");
        let (_, block) = readme.split_once("```toml\n[[bank.other_door]]\n").expect("a block");
        let (block, _) = block.split_once("```").expect("its end");
        let bank = format!("{}[[bank.other_door]]\n{block}", folders("[bank.door]", 'd'));
        let doors = opened("example-core-pipe", &bank).unwrap_or_else(|cause| panic!("{cause}"));
        assert_eq!(doors.folders().count(), 2);
        assert!(doors.of(MessageKind::StatusQuery).commit_point().contains("request"));
    }

    #[test]
    fn a_server_is_known_by_its_key_and_we_by_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let password = folder.path().join("password");
        std::fs::write(&password, "not a key\n").expect("written");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&password, private).expect("private");
        let known = "host_keys = [\"ssh-ed25519 \
                     AAAAC3NzaC1lZDI1NTE5AAAAIH0z/MHoPpTQEgfKkgcQl57pYVwuVnuh9HlmskHGX5Bs\"]\n";
        let secret = |what: &str| format!("{what} = {{ file = \"{}\" }}\n", password.display());
        let format = "example-rural-fixed";
        let good = opened(format, &format!("{SFTP}{known}{}", secret("password")));
        assert!(good.is_ok(), "{:?}", good.err());
        refused(format, &format!("{SFTP}{}", secret("password")), "host_keys");
        let none = format!("{SFTP}host_keys = []\n{}", secret("password"));
        refused(format, &none, "known by its key");
        refused(format, &format!("{SFTP}{known}"), "either key or password");
        let both = format!("{SFTP}{known}{}{}", secret("password"), secret("key"));
        refused(format, &both, "either key or password");
        let cause = opened(format, &format!("{SFTP}{known}{}", secret("key"))).err();
        let cause = cause.expect("is refused");
        assert!(cause.contains("door.key") && !cause.contains("not a key"), "{cause}");
        let still = SFTP.replace("control_suffix = \".ok\"\n", "");
        refused(format, &format!("{still}{known}{}", secret("password")), "control_suffix");
    }

    #[test]
    fn hours_and_tries_stand_around_any_door() {
        let door = format!("{SOCKET}security = \"plain\"\n");
        let bank = |more: &str| format!("{more}{door}");
        let format = "example-gx-tagged";
        let hours = "hours = { windows = [\"08:30-15:30\"], workdays = true }\n\
                     retry = { tries = 3 }\nlimit = { per_second = 1, at_once = 1 }\n";
        let opened = opened(format, &bank(hours)).unwrap_or_else(|cause| panic!("{cause}"));
        // 2026-11-23 15:49:04, a Monday; the next morning it opens.
        let opens = opened.of(MessageKind::PaymentRequest).opens_at(1_795_420_144_000);
        assert_eq!(opens, Some(1_795_420_144_000 + (16 * 3_600 + 40 * 60 + 56) * 1_000));
        refused(format, &bank("hours = { windows = [\"late\"] }\n"), "hours.windows");
        refused(format, &bank("retry = { tries = 0 }\n"), "tries");
    }

    #[test]
    fn a_cut_off_of_the_format_stands_in_for_windows_and_bounds_them() {
        let opened = |cut_off: &str, bank: &str| {
            let format = "example-city-xml";
            let text = crate::format::example::example(format).expect("it ships");
            let limits = format!("bytes_max = 8388608\ncut_off = \"{cut_off}\"");
            let text = text.replacen("bytes_max = 8388608", &limits, 1);
            opened_by(format, &text, &format!("{bank}{SOCKET}security = \"plain\"\n"))
        };
        // 2026-11-23 15:49:04; the next day begins at midnight.
        let now = 1_795_420_144_000;
        let midnight = now + (8 * 3_600 + 10 * 60 + 56) * 1_000;
        let request = MessageKind::PaymentRequest;
        let opens = |cut_off: &str, bank: &str| {
            opened(cut_off, bank).map(|doors| doors.of(request).opens_at(now))
        };
        assert_eq!(opens("15:50", ""), Ok(None));
        assert_eq!(opens("15:49", ""), Ok(Some(midnight)));
        assert_eq!(opens("24:00", ""), Ok(None));
        assert_eq!(opens("15:49", "hours = { workdays = true }\n"), Ok(Some(midnight)));
        let windows = "hours = { windows = [\"08:30-15:00\"] }\n";
        assert_eq!(opens("15:00", windows), Ok(Some(midnight + 8 * 3_600_000 + 1_800_000)));
        let cause = opens("14:59", windows).expect_err("goes beyond it");
        assert!(cause.contains("hours.windows: a window ends after 14:59"), "{cause}");
        for bad in ["24:01", "00:00", "9:00", "12:60", "noon"] {
            let text = crate::format::example::example("example-city-xml").expect("it ships");
            let limits = format!("bytes_max = 8388608\ncut_off = \"{bad}\"");
            let text = text.replacen("bytes_max = 8388608", &limits, 1);
            let told = Format::compile("x", &text).expect_err(bad).to_string();
            assert!(told.contains("is no time of a day"), "{told}");
        }
    }

    #[test]
    fn a_calendar_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("calendar.toml");
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_795_420_144_000));
        let door = format!("{SOCKET}security = \"plain\"\n");
        let mut config = config("example-gx-tagged", &door).expect("good");
        config.calendar = Some(path.clone());
        let cause = Common::open(&config, &clock).err().expect("it is not there");
        assert!(cause[0].contains("calendar.toml"), "{cause:?}");
        std::fs::write(&path, "[[year]]\nyear = 2031\nsource = \"\"\nclosed = []\nworked = []\n")
            .expect("written");
        let cause = Common::open(&config, &clock).err().expect("it has no source");
        assert!(cause[0].contains("source"), "{cause:?}");
    }
}
