//! The digest of a register's content (I20, I25): SHA-256 over its head and its lines, exactly as
//! finance wrote them.
//!
//! Both sides compute it: finance before it releases a register, we while the lines stream in. It
//! covers the *bytes* of each line, so that reading and writing JSON again is no part of it, and
//! the *values* of the head, whose funded time may be filled in later and therefore stays outside.
//! `finance/openapi.yaml` repeats this definition in prose for those who write the other side.

use ring::digest::{Context, SHA256, digest};

use crate::guard::chain::{finish, framed};
use crate::model::register::RegisterHead;

/// The digest of a register while its lines pass by.
#[derive(Clone)]
pub struct ContentDigest(Context);

impl ContentDigest {
    /// Begins with the head. Its digest and its funded time are not looked at.
    ///
    /// Seventeen parts, each behind its length as 8 bytes, big-endian; numbers and the approved time
    /// (UTC epoch milliseconds) as decimal text, the sum in yuan with two decimals.
    pub fn of_head(head: &RegisterHead) -> Self {
        let parts = [
            "daifa-register-1",
            &head.id,
            &head.revision.to_string(),
            &head.programme_code,
            &head.programme_name,
            &head.summary,
            &head.department,
            &head.town,
            &head.document_no,
            &head.period,
            &head.entered_by,
            &head.reviewed_by,
            &head.approved_at_ms.to_string(),
            &head.pool_account,
            &head.voucher_no,
            &head.declared_count.to_string(),
            &head.declared_sum.yuan(),
        ];
        let mut context = Context::new(&SHA256);
        for part in parts {
            framed(&mut context, part.as_bytes());
        }
        Self(context)
    }

    /// Adds one line: its bytes as they came, without the line end.
    pub fn line(&mut self, raw: &[u8]) {
        framed(&mut self.0, raw);
    }

    /// The digest of the head and the lines added so far.
    pub fn finish(self) -> [u8; 32] {
        finish(self.0)
    }
}

/// SHA-256 of a body or a part.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Are these the same bytes? How long it takes tells only how many they are.
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    let differs = ours.iter().zip(theirs).fold(0, |differs, (a, b)| differs | (a ^ b));
    ours.len() == theirs.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::key::hex;

    use crate::model::money::Fen;

    fn head() -> RegisterHead {
        RegisterHead {
            id: "2026-001".into(),
            revision: 1,
            programme_code: "P01".into(),
            programme_name: "耕地地力保护补贴".into(),
            summary: "地力补贴".into(),
            department: "县农业农村局".into(),
            town: "610728101".into(),
            document_no: "镇财发〔2026〕1号".into(),
            period: "2026".into(),
            entered_by: "e1".into(),
            reviewed_by: "r1".into(),
            approved_at_ms: 1_795_420_144_000,
            funded_at_ms: None,
            pool_account: "6107280000000000001".into(),
            voucher_no: "5201-1".into(),
            declared_count: 2,
            declared_sum: Fen::new(1230),
            digest: [0; 32],
        }
    }

    fn over(head: &RegisterHead, lines: &[&[u8]]) -> [u8; 32] {
        let mut digest = ContentDigest::of_head(head);
        for line in lines {
            digest.line(line);
        }
        digest.finish()
    }

    #[test]
    fn i25_the_digest_never_changes_between_releases() {
        // Computed with Python's hashlib over the encoding described above.
        assert_eq!(
            hex(&over(&head(), &[b"{}", "甲".as_bytes()])),
            "01c2cb74d02a5130cde9196fe60028083d0373ef531a497a748e3dcec69e3d91"
        );
    }

    #[test]
    fn i25_head_and_lines_are_covered_and_the_funded_time_is_not() {
        let base = over(&head(), &[b"ab", b"c"]);
        assert_ne!(base, over(&head(), &[b"a", b"bc"]));
        assert_ne!(base, over(&head(), &[b"ab"]));
        assert_ne!(base, over(&head(), &[b"c", b"ab"]));
        let funded = RegisterHead { funded_at_ms: Some(1), digest: [9; 32], ..head() };
        assert_eq!(base, over(&funded, &[b"ab", b"c"]));
        let changed: [fn(&mut RegisterHead); 16] = [
            |h| h.id.push('x'),
            |h| h.revision += 1,
            |h| h.programme_code.push('x'),
            |h| h.programme_name.push('x'),
            |h| h.summary.push('x'),
            |h| h.department.push('x'),
            |h| h.town.push('x'),
            |h| h.document_no.push('x'),
            |h| h.period.push('x'),
            |h| h.entered_by.push('x'),
            |h| h.reviewed_by.push('x'),
            |h| h.approved_at_ms += 1,
            |h| h.pool_account.push('x'),
            |h| h.voucher_no.push('x'),
            |h| h.declared_count += 1,
            |h| h.declared_sum = Fen::new(1),
        ];
        for (at, change) in changed.iter().enumerate() {
            let mut other = head();
            change(&mut other);
            assert_ne!(base, over(&other, &[b"ab", b"c"]), "field {at}");
        }
    }
}
