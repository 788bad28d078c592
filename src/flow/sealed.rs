//! What is sealed, and to what: a payee to their payment, its amount, bank and register head; a
//! bank's words to the payment they are about; a part to its attempt. A blob that was moved to
//! another row, or whose row was altered, does not open (I20).

use crate::guard::seal::{SealError, Sealer};
use crate::model::decision::{Subject, Verdict};
use crate::model::id::{AttemptNo, RegisterNo};
use crate::model::money::Fen;
use crate::model::person::Person;
use crate::store::decide::Decision;

/// Bytes of a part that are sealed together.
const CHUNK_BYTES: usize = 256 * 1024;

fn person_aad(
    head_digest: &[u8; 32],
    register: RegisterNo,
    line: i64,
    amount: Fen,
    bank: &str,
    aad: &mut Vec<u8>,
) {
    aad.clear();
    aad.extend_from_slice(b"person");
    aad.extend_from_slice(head_digest);
    for number in [register.0, line, amount.get()] {
        aad.extend_from_slice(&number.to_be_bytes());
    }
    aad.extend_from_slice(bank.as_bytes());
}

/// Seals the payees of one register, with buffers that are used again.
pub struct PersonSealer<'s> {
    sealer: &'s Sealer,
    head_digest: [u8; 32],
    register: RegisterNo,
    aad: Vec<u8>,
    plain: zeroize::Zeroizing<Vec<u8>>,
}

impl<'s> PersonSealer<'s> {
    pub fn new(sealer: &'s Sealer, head_digest: [u8; 32], register: RegisterNo) -> Self {
        Self {
            sealer,
            head_digest,
            register,
            aad: Vec::new(),
            plain: zeroize::Zeroizing::new(Vec::new()),
        }
    }

    /// Seals one payee to their payment. No field may be longer than 65,535 bytes; intake refuses
    /// such lines long before.
    pub fn seal(
        &mut self,
        line: i64,
        amount: Fen,
        bank: &str,
        person: &Person,
        village: &str,
    ) -> Vec<u8> {
        person_aad(&self.head_digest, self.register, line, amount, bank, &mut self.aad);
        self.plain.clear();
        for field in fields(person, village) {
            let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
            self.plain.extend_from_slice(&length.to_be_bytes());
            self.plain
                .extend_from_slice(field.as_bytes().get(..usize::from(length)).unwrap_or_default());
        }
        self.sealer.seal(&self.aad, &self.plain)
    }
}

fn fields<'p>(person: &'p Person, village: &'p str) -> [&'p str; 6] {
    [
        &person.name,
        &person.document_kind,
        &person.document_number,
        &person.account,
        &person.phone,
        village,
    ]
}

/// Opens a payee: the person and their village code.
///
/// # Errors
/// Where the key is missing or anything about the payment is not as it was sealed.
pub fn open_person(
    sealer: &Sealer,
    head_digest: &[u8; 32],
    register: RegisterNo,
    line: i64,
    amount: Fen,
    bank: &str,
    blob: &[u8],
) -> Result<(Person, String), SealError> {
    let mut aad = Vec::with_capacity(80);
    person_aad(head_digest, register, line, amount, bank, &mut aad);
    let plain = sealer.open(&aad, blob)?;
    let mut rest: &[u8] = &plain;
    let mut next = || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (field, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = after;
        std::str::from_utf8(field).ok().map(str::to_owned)
    };
    let mut read = || {
        let person = Person {
            name: next()?,
            document_kind: next()?,
            document_number: next()?,
            account: next()?,
            phone: next()?,
        };
        Some((person, next()?))
    };
    read().ok_or(SealError::Refused(Sealer::key_of(blob).unwrap_or_default()))
}

fn words_aad(attempt: AttemptNo, line: i64) -> [u8; 21] {
    let mut aad = *b"words................";
    aad[5..13].copy_from_slice(&attempt.0.to_be_bytes());
    aad[13..].copy_from_slice(&line.to_be_bytes());
    aad
}

/// Seals a bank's words about a payment; line 0 is about the attempt as a whole. Empty words are
/// none.
pub fn seal_words(sealer: &Sealer, attempt: AttemptNo, line: i64, words: &str) -> Option<Vec<u8>> {
    (!words.is_empty()).then(|| sealer.seal(&words_aad(attempt, line), words.as_bytes()))
}

/// Opens a bank's words.
///
/// # Errors
/// Where the key is missing or the words belong to another payment.
pub fn open_words(
    sealer: &Sealer,
    attempt: AttemptNo,
    line: i64,
    blob: &[u8],
) -> Result<String, SealError> {
    let plain = sealer.open(&words_aad(attempt, line), blob)?;
    String::from_utf8(plain.to_vec())
        .map_err(|_| SealError::Refused(Sealer::key_of(blob).unwrap_or_default()))
}

fn part_aad(bank: &str, reference: &str, part: usize, chunk: usize) -> Vec<u8> {
    format!("part\0{bank}\0{reference}\0{part}\0{chunk}").into_bytes()
}

/// Seals the bytes of a part, piece by piece.
pub fn seal_part(
    sealer: &Sealer,
    bank: &str,
    reference: &str,
    part: usize,
    bytes: &[u8],
) -> Vec<Vec<u8>> {
    let pieces = bytes.chunks(CHUNK_BYTES).enumerate();
    pieces
        .map(|(chunk, piece)| sealer.seal(&part_aad(bank, reference, part, chunk), piece))
        .collect()
}

/// Opens a part.
///
/// # Errors
/// Where the key is missing or a piece belongs elsewhere.
pub fn open_part(
    sealer: &Sealer,
    bank: &str,
    reference: &str,
    part: usize,
    chunks: &[Vec<u8>],
) -> Result<Vec<u8>, SealError> {
    let mut bytes = Vec::new();
    for (chunk, sealed) in chunks.iter().enumerate() {
        bytes.extend_from_slice(&sealer.open(&part_aad(bank, reference, part, chunk), sealed)?);
    }
    Ok(bytes)
}

fn evidence_aad(bank: &str, digest: &[u8; 32]) -> Vec<u8> {
    [b"evidence".as_slice(), bank.as_bytes(), digest].concat()
}

/// Seals the bytes of a result that is kept as evidence, or of a message that a bank pushed.
pub fn seal_evidence(sealer: &Sealer, bank: &str, digest: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    sealer.seal(&evidence_aad(bank, digest), bytes)
}

/// Opens what was sealed as evidence.
///
/// # Errors
/// Where the key is missing, or it is another bank's or has another digest.
pub fn open_evidence(
    sealer: &Sealer,
    bank: &str,
    digest: &[u8; 32],
    blob: &[u8],
) -> Result<Vec<u8>, SealError> {
    Ok(sealer.open(&evidence_aad(bank, digest), blob)?.to_vec())
}

fn decision_aad(subject: Subject, verdict: Verdict, by: &str, at_ms: i64) -> Vec<u8> {
    format!("decision\0{subject}\0{verdict}\0{by}\0{at_ms}").into_bytes()
}

/// Seals what somebody saw or heard to the decision that they propose with it, at that time.
pub fn seal_decision(
    sealer: &Sealer,
    subject: Subject,
    verdict: Verdict,
    by: &str,
    at_ms: i64,
    evidence: &[u8],
) -> Vec<u8> {
    sealer.seal(&decision_aad(subject, verdict, by, at_ms), evidence)
}

/// Opens the evidence of a decision.
///
/// # Errors
/// Where the key is missing, or the evidence belongs to another decision.
pub fn open_decision(sealer: &Sealer, kept: &Decision) -> Result<Vec<u8>, SealError> {
    let aad = decision_aad(kept.subject, kept.verdict, &kept.proposed_by, kept.proposed_at_ms);
    Ok(sealer.open(&aad, &kept.evidence)?.to_vec())
}
