//! The journal's hash chain (I18): what was written stays written, in its order.
//!
//! Every transaction of money adds one entry to one chain (one chain per register and per bank: one
//! for all would queue every writer behind one row). The entry carries the digest of the rows that
//! the transaction wrote, and its hash covers the entry before it; the head over all heads is
//! anchored outside. Whoever can write the database can forge a whole chain, but not under an
//! anchored head.
//!
//! Every part is encoded with its length or with a type byte, so that no two different entries or
//! rows have the same bytes (`"ab","c"` and `"a","bc"` differ).

use ring::digest::{Context, SHA256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What stands before the first entry of a chain.
pub const GENESIS: Hash = [0; 32];

/// The hash of an entry of a chain.
///
/// `prev` is the hash of the entry before ([`GENESIS`] for the first), `seq` its number counted
/// from 1, `at_ms` its UTC epoch milliseconds, `rows` the digest of what its transaction wrote.
pub fn link(
    prev: &Hash,
    chain: &str,
    seq: i64,
    at_ms: i64,
    kind: &str,
    body: &str,
    rows: &Hash,
) -> Hash {
    let mut context = Context::new(&SHA256);
    framed(&mut context, b"daifa-journal-1");
    context.update(prev);
    framed(&mut context, chain.as_bytes());
    context.update(&seq.to_be_bytes());
    context.update(&at_ms.to_be_bytes());
    framed(&mut context, kind.as_bytes());
    framed(&mut context, body.as_bytes());
    context.update(rows);
    finish(context)
}

/// The head over the heads of all chains: what is anchored outside. The order in which they come
/// does not matter; an empty journal has a head as well.
pub fn head_of_heads<'a>(heads: impl IntoIterator<Item = (&'a str, i64, &'a Hash)>) -> Hash {
    let mut heads: Vec<_> = heads.into_iter().collect();
    heads.sort_unstable();
    let mut context = Context::new(&SHA256);
    framed(&mut context, b"daifa-heads-1");
    context.update(&(heads.len() as u64).to_be_bytes());
    for (chain, seq, hash) in heads {
        framed(&mut context, chain.as_bytes());
        context.update(&seq.to_be_bytes());
        context.update(hash);
    }
    finish(context)
}

/// The digest of rows, field by field, as they are written or read back.
///
/// A row begins with [`RowDigest::row`] and its table's name; then come its fields in the order of
/// the table's declaration.
#[derive(Clone)]
pub struct RowDigest(Context);

const ROW: u8 = b'R';
const INT: u8 = b'I';
const BYTES: u8 = b'B';
const TEXT: u8 = b'T';
const NONE: u8 = b'N';

impl RowDigest {
    pub fn new() -> Self {
        let mut context = Context::new(&SHA256);
        framed(&mut context, b"daifa-rows-1");
        Self(context)
    }

    /// Begins a row of `table`.
    pub fn row(&mut self, table: &str) -> &mut Self {
        self.tagged(ROW, table.as_bytes())
    }

    /// Adds a number: eight bytes behind its type.
    pub fn int(&mut self, value: i64) -> &mut Self {
        let mut field = [INT; 9];
        field[1..].copy_from_slice(&value.to_be_bytes());
        self.0.update(&field);
        self
    }

    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.tagged(BYTES, value)
    }

    pub fn text(&mut self, value: &str) -> &mut Self {
        self.tagged(TEXT, value.as_bytes())
    }

    /// A field without a value.
    pub fn none(&mut self) -> &mut Self {
        self.0.update(&[NONE]);
        self
    }

    /// Adds a number, or that there is none.
    pub fn opt_int(&mut self, value: Option<i64>) -> &mut Self {
        match value {
            Some(value) => self.int(value),
            None => self.none(),
        }
    }

    /// Adds bytes, or that there are none.
    pub fn opt_bytes(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            Some(value) => self.bytes(value),
            None => self.none(),
        }
    }

    /// Adds a text, or that there is none.
    pub fn opt_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.none(),
        }
    }

    pub fn finish(self) -> Hash {
        finish(self.0)
    }

    fn tagged(&mut self, tag: u8, value: &[u8]) -> &mut Self {
        let mut head = [tag; 9];
        head[1..].copy_from_slice(&(value.len() as u64).to_be_bytes());
        self.0.update(&head);
        self.0.update(value);
        self
    }
}

impl Default for RowDigest {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds `part` behind its length (8 bytes, big-endian).
pub(in crate::guard) fn framed(context: &mut Context, part: &[u8]) {
    context.update(&(part.len() as u64).to_be_bytes());
    context.update(part);
}

pub(in crate::guard) fn finish(context: Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::key::hex;

    #[test]
    fn i18_every_part_of_an_entry_is_in_its_hash() {
        let rows = RowDigest::new().finish();
        let base = link(&GENESIS, "register 1", 1, 1000, "accepted", "{}", &rows);
        let others = [
            link(&[1; 32], "register 1", 1, 1000, "accepted", "{}", &rows),
            link(&GENESIS, "register 2", 1, 1000, "accepted", "{}", &rows),
            link(&GENESIS, "register 1", 2, 1000, "accepted", "{}", &rows),
            link(&GENESIS, "register 1", 1, 1001, "accepted", "{}", &rows),
            link(&GENESIS, "register 1", 1, 1000, "refused", "{}", &rows),
            link(&GENESIS, "register 1", 1, 1000, "accepted", "{ }", &rows),
            link(&GENESIS, "register 1", 1, 1000, "accepted", "{}", &[2; 32]),
            // The same bytes, cut elsewhere.
            link(&GENESIS, "register 1", 1, 1000, "accepte", "d{}", &rows),
        ];
        assert!(others.iter().all(|other| *other != base));
        assert_eq!(base, link(&GENESIS, "register 1", 1, 1000, "accepted", "{}", &rows));
    }

    #[test]
    fn i18_hashes_never_change_between_releases() {
        // Computed with Python's hashlib over the encoding described above.
        let mut rows = RowDigest::new();
        rows.row("payment").int(-1).bytes(&[1, 2]).text("甲").none();
        let rows = rows.finish();
        assert_eq!(hex(&rows), "c7a3d2a5ac98a752c4406f1b51ac10153a9b982f6c40ecdf45823b106d27ad73");
        let entry = link(&GENESIS, "bank a", 1, 1000, "sent", "{}", &rows);
        assert_eq!(hex(&entry), "16aabc6d09145c75346ce57cdf03e6fbe4f99a350b2911abe1a64ccce3d7b638");
        assert_eq!(
            hex(&head_of_heads([("bank a", 1, &entry)])),
            "215d3831983ffa3396b5ecf8fa2324ca2657e018847707367bda38d64572702a"
        );
    }

    #[test]
    fn i18_rows_are_encoded_unambiguously() {
        fn digest(write: impl Fn(&mut RowDigest)) -> Hash {
            let mut rows = RowDigest::new();
            write(&mut rows);
            rows.finish()
        }
        let all = [
            digest(|r| {
                r.row("t").text("ab").text("c");
            }),
            digest(|r| {
                r.row("t").text("a").text("bc");
            }),
            digest(|r| {
                r.row("t").bytes(b"ab").text("c");
            }),
            digest(|r| {
                r.row("t").text("").none();
            }),
            digest(|r| {
                r.row("t").none().text("");
            }),
            digest(|r| {
                r.row("t").int(1).row("t").int(2);
            }),
            digest(|r| {
                r.row("t").int(1).int(2);
            }),
            digest(|_| ()),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one), "{at}");
        }
    }

    #[test]
    fn i19_the_head_of_heads_does_not_depend_on_the_order() {
        let (a, b) = ([1; 32], [2; 32]);
        let head = head_of_heads([("a", 1, &a), ("b", 2, &b)]);
        assert_eq!(head, head_of_heads([("b", 2, &b), ("a", 1, &a)]));
        assert_ne!(head, head_of_heads([("a", 1, &b), ("b", 2, &a)]));
        assert_ne!(head, head_of_heads([("a", 1, &a)]));
        assert_ne!(head_of_heads([]), GENESIS);
    }
}
