//! How the plain signs of ASCII are spelled in a character set.

use crate::format::charset::{BadBytes, Charset, Controls};

#[expect(clippy::unused_self, reason = "every character set spells ASCII alike so far")]
impl Charset {
    pub fn names() -> Vec<&'static str> {
        vec!["GB18030", "GBK", "UTF-8", "ASCII", "cp936", "ms936"]
    }
    pub fn respell(self, _from: usize, _out: &mut Vec<u8>) {}
    pub fn plain<'b>(self, bytes: &'b [u8], _into: &'b mut Vec<u8>) -> &'b [u8] {
        bytes
    }
    pub fn ascii_into(self, ascii: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(ascii);
    }
    pub fn count(self, bytes: &[u8]) -> usize {
        bytes.len()
    }
    pub fn characters(self, bytes: &[u8], count: usize) -> Option<usize> {
        (count <= bytes.len()).then_some(count)
    }
    /// The first byte that is this sign, and no later byte of another character.
    pub fn find(self, haystack: &[u8], from: usize, byte: u8) -> Option<usize> {
        let mut at = from;
        while let Some(found) = haystack.get(at) {
            if *found == byte {
                return Some(at);
            }
            at += match (self, *found) {
                (Self::Gbk | Self::Gb18030, 0x81..=0xFE) => {
                    if matches!(haystack.get(at + 1), Some(b'0'..=b'9')) { 4 } else { 2 }
                }
                _ => 1,
            };
        }
        None
    }
    pub fn decode_cut_tail(self, bytes: &[u8], out: &mut String) -> Result<bool, BadBytes> {
        self.decode_into(bytes, Controls::None, out).map(|()| false)
    }
}
