//! The files that banks leave: which are taken, which stay, and what is told of those that cannot be
//! opened.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join3;

use crate::flow::held::{cannot_take, hold_unknown};
use crate::flow::opening::Item;
use crate::flow::spoken::door_error;
use crate::flow::submit::Turn;
use crate::flow::whose::{attempt_of, names_an_attempt, take_message};
use crate::flow::{Bank, Ctx, FlowError, beside};
use crate::format::{Format, Key, MessageKind, Part, PartRole, Record};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::id::RegisterNo;
use crate::store::StoreError;
use crate::transport::names::shown;
use crate::transport::{Arrival, DoorError, Transport};

/// Arrivals looked at in one step and bank.
const PER_STEP: usize = 64;
/// Where so many arrivals stay where they are, those that came after them wait until some are mended.
const STAYING_MAX: usize = 65_536;
/// Behind a file with more bytes than this, none is fetched ahead.
const AHEAD_BYTES_MAX: usize = 1 << 20;

/// Takes the files that a bank left. Those that cannot be taken stay and hold up none behind them; of those
/// that cannot even be opened or put away, somebody is told.
pub(super) async fn take_arrivals(ctx: &Ctx, bank: &Bank) -> Result<bool, FlowError> {
    let (mut taken, mut looked) = (false, false);
    let (mut trouble, mut lying, mut gone) = (Trouble::default(), Vec::new(), HashSet::new());
    let turn = Turn::begin(ctx);
    for (place, door) in bank.doors.folders().enumerate() {
        let (trouble, lying, gone) = (&mut trouble, &mut lying, &mut gone);
        let mut look = Look { turn: &turn, place, trouble, lying, gone };
        if let Some(some) = look.take_from(ctx, bank, door).await? {
            looked = true;
            taken |= some;
        }
        for name in door.crowded_out().await {
            let name = shown(&name);
            let text = format!(
                "{} 在系统读取 {name} 之前又送来同名的新文件，前一份可能没有读取，已移到隔离目录。请与该行核对前一份的内容是否已另行送达，必要时请其换名重送",
                bank.name
            );
            tell_of_file(ctx, bank, &name, &text).await?;
        }
    }
    if looked {
        trouble.tell(ctx, bank).await?;
        // Of what was not listed nothing is known.
        if !trouble.in_part {
            beside::look_after(ctx, bank, lying).await?;
        }
    }
    if !gone.is_empty() {
        are_taken(ctx, bank, &gone).await?;
    }
    Ok(taken)
}

/// Ends what was told of these files: they could not be taken, and are. A bank that has another code now has its
/// own alerts under the one of before.
async fn are_taken(ctx: &Ctx, bank: &Bank, gone: &HashSet<String>) -> Result<(), FlowError> {
    for subject in ctx.store.standing_alerts(AlertKind::Collect).await? {
        let Some((code, name)) = subject.split_once('/') else { continue };
        let is_its = code == bank.code || !ctx.banks.contains_key(code);
        if is_its && gone.contains(name) {
            ctx.store.clear_alert(AlertKind::Collect, &subject, ctx.now_ms()).await?;
        }
    }
    Ok(())
}

/// What is remembered of folders from one look to the next. In memory alone: all of it can be found out anew.
#[derive(Debug, Default)]
pub struct LeftOff {
    /// Where looks ended for want of time, by bank and folder: behind which arrival, and how many stayed up to it.
    /// A server that hangs at each of them would else keep those that came after them from their turn for ever.
    ends: Mutex<HashMap<(String, usize), (String, usize)>>,
    /// The SHA-256 of what was applied and could not be put away, by bank and name. To apply it at each look would
    /// be to hear the same answer each time, and nothing would be asked while the bank seems to speak.
    lies: Mutex<HashMap<(String, String), [u8; 32]>>,
    /// What the log says of each of a bank's files and of its folder, so that it says it once and not at each look.
    logged: Mutex<HashMap<(String, String), String>>,
}

impl LeftOff {
    fn take(&self, bank: &str, place: usize) -> (String, usize) {
        let mut all = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(bank.to_owned(), place)).unwrap_or_default()
    }

    fn keep(&self, bank: &str, place: usize, left: (String, usize)) {
        let mut all = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((bank.to_owned(), place), left);
    }

    /// It was applied; it was put away, or lies there still.
    fn applied(&self, bank: &Bank, arrival: &Arrival, lies: bool) {
        let mut all = self.lies.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (bank.code.clone(), arrival.name.clone());
        if !lies {
            all.remove(&name);
        } else if all.len() < STAYING_MAX {
            all.insert(name, sha256(&whole(arrival)));
        }
    }

    /// Is this new about a file of a bank, or about its folder?
    fn is_new(&self, bank: &Bank, name: &str, what: String) -> bool {
        let mut all = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let of = (bank.code.clone(), name.to_owned());
        if all.get(&of) == Some(&what) {
            return false;
        }
        if all.len() < STAYING_MAX {
            all.insert(of, what);
        }
        true
    }

    /// Nothing is wrong with a bank's folder any more.
    fn all_is_well(&self, bank: &Bank) {
        let mut all = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(code, _), _| *code != bank.code);
    }

    /// Was this very content applied, and lies there still?
    fn lies_applied(&self, bank: &Bank, arrival: &Arrival) -> bool {
        let all = self.lies.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&(bank.code.clone(), arrival.name.clone()));
        known.is_some_and(|digest| *digest == sha256(&whole(arrival)))
    }
}

/// Its parts in their order.
fn whole(arrival: &Arrival) -> Vec<u8> {
    arrival.parts.iter().flat_map(|part| part.bytes.iter().copied()).collect()
}

/// One look at a folder.
struct Look<'l> {
    turn: &'l Turn,
    place: usize,
    trouble: &'l mut Trouble,
    /// What waits for a message to name it.
    lying: &'l mut Vec<String>,
    /// What was put away, by its name as it is shown.
    gone: &'l mut HashSet<String>,
}

impl Look<'_> {
    /// Takes the files that were left at one door; nothing where it has none.
    async fn take_from(
        &mut self,
        ctx: &Ctx,
        bank: &Bank,
        door: &dyn Transport,
    ) -> Result<Option<bool>, FlowError> {
        let (last, mut seen) = ctx.left_off.take(&bank.code, self.place);
        let mut last = Some(last).filter(|_| seen > 0);
        self.trouble.in_part |= seen > 0;
        let (mut taken, mut limit) = (false, PER_STEP);
        while limit <= seen {
            limit *= 4;
        }
        loop {
            let names = match door.arrivals(limit).await {
                Ok(names) => names,
                Err(DoorError::NoArrivals) => return Ok(None),
                Err(cause) => {
                    if ctx.left_off.is_new(bank, "", cause.to_string()) {
                        tracing::warn!(bank = bank.code, error = %cause, "the bank's folder could not be read");
                    }
                    self.trouble.unread = Some(door_error(&cause));
                    return Ok(Some(false));
                }
            };
            // What came since may stand before the one that was the last.
            let at = last.take().and_then(|last| names.iter().position(|name| *name == last));
            seen = at.map_or(seen, |at| at + 1);
            let new = names.iter().skip(seen);
            let (beside, mine): (Vec<&String>, Vec<&String>) =
                new.partition(|name| beside::waits_for_its_message(bank, name));
            seen += beside.len();
            self.lying.extend(beside.into_iter().cloned());
            let (some, stayed, ended) = self.take_listed(ctx, bank, door, mine).await?;
            taken |= some;
            seen += stayed;
            if self.turn.is_over(ctx) {
                ctx.left_off.keep(&bank.code, self.place, (ended, seen));
                self.trouble.in_part = true;
                return Ok(Some(taken));
            }
            // Where all that was listed stays where it is, what came after it has its turn.
            if taken || names.len() < limit || limit >= STAYING_MAX {
                return Ok(Some(taken));
            }
            (seen, limit) = (names.len(), limit * 4);
        }
    }
}

/// Arrivals of one bank that can be opened by nobody, or not be put away.
#[derive(Default)]
struct Trouble {
    /// Why a folder could not be looked through.
    unread: Option<String>,
    /// Not all of them were looked at.
    in_part: bool,
    files: usize,
    /// The first of them, and why.
    first: Option<(String, String)>,
}

impl Trouble {
    fn note(&mut self, ctx: &Ctx, bank: &Bank, name: &str, doing: &str, cause: &DoorError) {
        let name = shown(name);
        if ctx.left_off.is_new(bank, &name, format!("{doing} {cause}")) {
            tracing::warn!(bank = bank.code, name, error = %cause, "cannot be {doing}");
        }
        self.files += 1;
        if self.first.is_none() {
            self.first = Some((name, door_error(cause)));
        }
    }

    /// Tells of them in one sentence, or that there are none any more.
    async fn tell(&self, ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
        let text = match (&self.unread, &self.first) {
            (Some(why), _) => format!("{} 的结果目录无法读取：{why}", bank.name),
            (None, Some((name, why))) => format!(
                "{} 送来的文件有 {} 个打不开或移不走（例如 {name}：{why}）。打不开的文件尚未入账；请检查文件和目录的权限，处理后系统会自动读取",
                bank.name, self.files
            ),
            (None, None) if self.in_part => return Ok(()),
            (None, None) => {
                ctx.left_off.all_is_well(bank);
                let now = ctx.now_ms();
                return Ok(ctx.store.clear_alert(AlertKind::Door, &bank.code, now).await?);
            }
        };
        ctx.store.raise_alert(AlertKind::Door, &bank.code, None, &text, ctx.now_ms()).await?;
        Ok(())
    }
}

/// A file that was listed, and what came of fetching it.
type Fetched = (String, Result<Arrival, DoorError>);

/// What becomes of a file.
enum Then {
    /// What it says is durable.
    PutAway(Arrival),
    Stays,
    /// It stays because somebody else moved its attempt meanwhile, and is read again at once.
    Again,
}

impl Look<'_> {
    /// Takes the files that were listed, in their order; says whether one is out of the way, how many stay, and
    /// which was the last.
    /// While one is applied, the one before it is put away and the one behind it is fetched: the three wait for
    /// different things, and a bank's server is far away. It ends before the others where its time is over.
    async fn take_listed(
        &mut self,
        ctx: &Ctx,
        bank: &Bank,
        door: &dyn Transport,
        names: Vec<&String>,
    ) -> Result<(bool, usize, String), FlowError> {
        let mut names = names.into_iter();
        let (mut fetched, mut applied) = (None, None);
        let (mut taken, mut stayed, mut last) = (false, 0, "");
        loop {
            let next = if leaves_room(fetched.as_ref()) && !self.turn.is_over(ctx) {
                names.next()
            } else {
                None
            };
            if next.is_none() && fetched.is_none() && applied.is_none() {
                return Ok((taken, stayed, last.to_owned()));
            }
            last = next.map_or(last, String::as_str);
            let looked_at = fetched.is_some();
            let (put, then, ahead) = join3(
                put_away(door, applied.take()),
                apply(ctx, bank, door, fetched.take(), self.trouble),
                fetch(door, next),
            )
            .await;
            match put {
                Some((arrival, Ok(()))) => {
                    ctx.left_off.applied(bank, &arrival, false);
                    self.gone.insert(shown(&arrival.name));
                    taken = true;
                }
                Some((arrival, Err(cause))) => {
                    ctx.left_off.applied(bank, &arrival, true);
                    stayed += 1;
                    self.trouble.note(ctx, bank, &arrival.name, "put away", &cause);
                }
                None => {}
            }
            match then? {
                Then::PutAway(arrival) => applied = Some(arrival),
                Then::Stays => stayed += usize::from(looked_at),
                Then::Again => taken = true,
            }
            fetched = ahead;
        }
    }
}

/// No second file is fetched beside a large one.
fn leaves_room(fetched: Option<&Fetched>) -> bool {
    let Some((_, Ok(arrival))) = fetched else { return true };
    arrival.parts.iter().map(|part| part.bytes.len()).sum::<usize>() <= AHEAD_BYTES_MAX
}

async fn fetch(door: &dyn Transport, name: Option<&String>) -> Option<Fetched> {
    let name = name?;
    Some((name.clone(), door.fetch(name).await))
}

async fn put_away(
    door: &dyn Transport,
    applied: Option<Arrival>,
) -> Option<(Arrival, Result<(), DoorError>)> {
    let arrival = applied?;
    let put = door.archive(&arrival).await;
    Some((arrival, put))
}

/// Applies one of the files that were listed, or tells of why it could not be fetched.
async fn apply(
    ctx: &Ctx,
    bank: &Bank,
    door: &dyn Transport,
    fetched: Option<Fetched>,
    trouble: &mut Trouble,
) -> Result<Then, FlowError> {
    let Some((name, fetched)) = fetched else { return Ok(Then::Stays) };
    let cause = match fetched {
        Ok(arrival) => return apply_arrival(ctx, bank, arrival).await,
        Err(cause) => cause,
    };
    match cause {
        // It went, or is not finished: the next look tells.
        DoorError::Gone(_) | DoorError::Changing(_) | DoorError::Interrupted => {
            tracing::info!(bank = bank.code, error = %cause, "not readable now");
        }
        DoorError::TooLarge { .. } | DoorError::NotAFile(_) => {
            tracing::warn!(bank = bank.code, error = %cause, "set aside unread");
            let text = format!(
                "{} 送来的文件 {} 无法读取，已移到隔离目录：{}",
                bank.name,
                shown(&name),
                door_error(&cause)
            );
            tell_of_file(ctx, bank, &name, &text).await?;
            if let Err(cause) = door.set_aside(&name).await {
                trouble.note(ctx, bank, &name, "set aside", &cause);
            }
        }
        cause => trouble.note(ctx, bank, &name, "opened", &cause),
    }
    Ok(Then::Stays)
}

/// Tells somebody of a file that lies aside.
async fn tell_of_file(ctx: &Ctx, bank: &Bank, name: &str, text: &str) -> Result<(), FlowError> {
    let subject = format!("{}/{}", bank.code, shown(name));
    ctx.store.raise_alert(AlertKind::DoorFile, &subject, None, text, ctx.now_ms()).await?;
    Ok(())
}

/// Applies one arrival, and says what becomes of its files.
async fn apply_arrival(ctx: &Ctx, bank: &Bank, arrival: Arrival) -> Result<Then, FlowError> {
    if ctx.left_off.lies_applied(bank, &arrival) {
        return Ok(Then::PutAway(arrival));
    }
    match understand(ctx, bank, &arrival).await {
        Ok(()) => Ok(Then::PutAway(arrival)),
        // Another step moved the attempt meanwhile: the file stays and is read again.
        Err(FlowError::Store(StoreError::Moved { .. })) => Ok(Then::Again),
        Err(cause) if cause.is_fatal() => Err(cause),
        // It stays too; that the answer before it is missing is told where that one is waited for.
        Err(FlowError::Early { .. }) => {
            tracing::info!(
                bank = bank.code,
                name = shown(&arrival.name),
                "it waits for the answer that tells the bank's numbers"
            );
            Ok(Then::Stays)
        }
        // It stays where it is, and does not hold up what else has come.
        Err(cause) => {
            let register = about(ctx, bank, &arrival).await?;
            cannot_take(ctx, bank, register, &shown(&arrival.name), &cause).await?;
            Ok(Then::Stays)
        }
    }
}

/// The register that an arrival is about, where that is known.
async fn about(ctx: &Ctx, bank: &Bank, arrival: &Arrival) -> Result<Option<RegisterNo>, FlowError> {
    let known = bank.format.recognise(&arrival.name);
    let reference = known.as_ref().and_then(|known| known.keys.text(Key::Reference));
    let Some(reference) = reference else { return Ok(None) };
    let attempt = ctx.store.attempt_by_reference(&bank.code, reference).await?;
    Ok(attempt.map(|attempt| attempt.register))
}

async fn understand(ctx: &Ctx, bank: &Bank, arrival: &Arrival) -> Result<(), FlowError> {
    let all = whole(arrival);
    let name = shown(&arrival.name);
    let item = || Item::new(&["head", &bank.code, &name], sha256(&all));
    let mut known = match ctx.opening.open(item, || recognised(&bank.format, arrival)) {
        Ok(known) => known,
        Err(why) => return hold_unknown(ctx, bank, &name, &all, why.chinese()).await,
    };
    if !known.as_ref().is_some_and(|(_, said, _)| names_an_attempt(said)) {
        for format in ctx.earlier_formats(bank).await? {
            let earlier = match ctx.opening.open(item, || recognised(&format, arrival)) {
                Ok(earlier) => earlier.filter(|(_, said, _)| names_an_attempt(said)),
                Err(why) => return hold_unknown(ctx, bank, &name, &all, why.chinese()).await,
            };
            if earlier.is_some() {
                known = earlier;
                break;
            }
        }
    }
    let Some((kind, said, parts)) = known else {
        return hold_unknown(ctx, bank, &name, &all, "文件名不属于该行格式").await;
    };
    let found = attempt_of(ctx, bank, &said, &name, &all).await?;
    let Some(attempt) = found else { return Ok(()) };
    take_message(ctx, bank, &attempt, kind, &name, parts).await
}

/// What an arrival is by its name and its head, and its parts; nothing where its name is none of the format.
fn recognised(format: &Format, arrival: &Arrival) -> Option<(MessageKind, Record, Vec<Part>)> {
    let known = format.recognise(&arrival.name)?;
    let parts: Vec<Part> = arrival
        .parts
        .iter()
        .map(|part| Part {
            role: format.recognise(&part.name).map_or(PartRole::Data, |known| known.role),
            name: part.name.clone(),
            bytes: part.bytes.to_vec(),
            committing: false,
        })
        .collect();
    let mut said = known.keys;
    if !names_an_attempt(&said) {
        // What the name does not tell the content may. One that cannot be read is held below.
        said = format.read_head(known.kind, &parts).unwrap_or_else(|_| Record::new());
    }
    Some((known.kind, said, parts))
}
