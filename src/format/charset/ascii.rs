//! How what a format spells in ASCII - digits, signs, the point, blanks, delimiters - stands in the
//! bytes of a character set.

use crate::format::charset::Charset;

/// A sign that parts are put together with - a separator, a quote, what ends a line - as a character
/// set spells it. All signs of one character set have the same number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign {
    /// For people.
    pub character: char,
    bytes: [u8; 2],
    length: usize,
}

impl Sign {
    /// A sign of one byte, as it is.
    pub const fn byte(byte: u8) -> Self {
        Self { character: byte as char, bytes: [byte, 0], length: 1 }
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Do the bytes begin with it?
    #[inline]
    pub fn begins(self, bytes: &[u8]) -> bool {
        match self.length {
            1 => bytes.first() == self.bytes.first(),
            _ => bytes.starts_with(&self.bytes),
        }
    }

    /// In bytes.
    pub const fn length(self) -> usize {
        self.length
    }
}

impl Charset {
    /// How it spells a sign of ASCII; nothing where it has none.
    pub fn sign(self, ascii: u8) -> Option<Sign> {
        if !ascii.is_ascii() {
            return None;
        }
        let character = char::from(ascii);
        Some(match self {
            Self::Utf16Be => Sign { character, bytes: [0, ascii], length: 2 },
            Self::Utf16Le => Sign { character, bytes: [ascii, 0], length: 2 },
            _ => match self.ebcdic() {
                None => Sign::byte(ascii),
                Some(page) => Sign { character, ..Sign::byte(page.ascii(ascii)?) },
            },
        })
    }

    /// The sign of ASCII that these bytes begin with, or the byte as it is.
    pub fn first_sign(self, bytes: &[u8]) -> Option<Sign> {
        let signs = (0..=0x7F).filter_map(|ascii| self.sign(ascii));
        let mut known = signs.filter(|sign| sign.begins(bytes));
        known.next().or_else(|| bytes.first().map(|byte| Sign::byte(*byte)))
    }

    /// Whether ASCII stands in it as it is. In character sets with pairs its letters are second
    /// bytes too; `find` knows where they are not themselves.
    #[inline]
    pub const fn has_ascii(self) -> bool {
        !matches!(self, Self::Utf16Be | Self::Utf16Le | Self::Cp037 | Self::Cp935 | Self::Cp1388)
    }

    /// Is it one of the hosts' character sets?
    pub const fn is_ebcdic(self) -> bool {
        matches!(self, Self::Cp037 | Self::Cp935 | Self::Cp1388)
    }

    /// The blank that fields are filled with.
    pub const fn blank(self) -> &'static [u8] {
        match self {
            Self::Utf16Be => &[0, b' '],
            Self::Utf16Le => &[b' ', 0],
            Self::Cp037 | Self::Cp935 | Self::Cp1388 => &[0x40],
            _ => b" ",
        }
    }

    /// Appends ASCII, line ends and tabs too, in this character set. Says `false`, and appends a part
    /// or nothing, where bytes are not ASCII.
    pub fn ascii_into(self, ascii: &[u8], out: &mut Vec<u8>) -> bool {
        if !ascii.is_ascii() {
            return false;
        }
        match self {
            Self::Utf16Be => out.extend(ascii.iter().flat_map(|byte| [0, *byte])),
            Self::Utf16Le => out.extend(ascii.iter().flat_map(|byte| [*byte, 0])),
            _ => match self.ebcdic() {
                None => out.extend_from_slice(ascii),
                Some(page) => {
                    for byte in ascii {
                        let Some(spelled) = page.ascii(*byte) else { return false };
                        out.push(spelled);
                    }
                }
            },
        }
        true
    }

    /// Appends as ASCII what is spelled in this character set. Says `false`, and appends a part or
    /// nothing, where it has something that is not ASCII.
    pub fn to_ascii(self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if self.has_ascii() {
            if bytes.is_ascii() {
                out.extend_from_slice(bytes);
            }
            return bytes.is_ascii();
        }
        if let Some(page) = self.ebcdic() {
            return bytes.iter().all(|byte| {
                let ascii = page.to_ascii(*byte);
                out.extend(ascii);
                ascii.is_some()
            });
        }
        let (units, rest) = bytes.as_chunks::<2>();
        rest.is_empty()
            && units.iter().all(|unit| {
                let [high, low] = if self == Self::Utf16Be { *unit } else { [unit[1], unit[0]] };
                let is_ascii = high == 0 && low.is_ascii();
                out.extend(is_ascii.then_some(low));
                is_ascii
            })
    }

    /// Spells anew, in this character set, the ASCII that `out` has from `from` on. Says `false`, and
    /// leaves it as it is, where something in it is not ASCII.
    pub fn respell(self, from: usize, out: &mut Vec<u8>) -> bool {
        let Some(ascii) = out.get_mut(from..).filter(|ascii| ascii.is_ascii()) else {
            return false;
        };
        if self.has_ascii() {
            return true;
        }
        if let Some(page) = self.ebcdic() {
            for byte in ascii {
                *byte = page.ascii(*byte).unwrap_or(*byte);
            }
            return true;
        }
        let count = ascii.len();
        out.resize(from + 2 * count, 0);
        // From the end on, so that nothing is overwritten before it has moved.
        for index in (0..count).rev() {
            let low = out[from + index];
            let unit = if self == Self::Utf16Be { [0, low] } else { [low, 0] };
            out[from + 2 * index..][..2].copy_from_slice(&unit);
        }
        true
    }

    /// The ASCII that bytes spell; `into` holds it where it is not they themselves. What is spelled
    /// otherwise becomes a byte that stands in no number, so that it is never taken for one.
    #[inline]
    pub fn plain<'b>(self, bytes: &'b [u8], into: &'b mut Vec<u8>) -> &'b [u8] {
        if self.has_ascii() {
            return bytes;
        }
        into.clear();
        if self.to_ascii(bytes, into) { into } else { &[0xFF] }
    }
}
