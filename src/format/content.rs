//! What may stand in a place, and how it is spelled there: what a cell is made of.

use crate::format::charset::Charset;
use crate::format::computed::Computed;
use crate::format::moment::Piece;
use crate::format::number::{AmountShape, Shape};
use crate::format::signs::SignOf;
use crate::format::text::Only;
use crate::format::words::Slot;

/// What stands in a place.
#[derive(Debug, Clone)]
pub(crate) enum Bind {
    /// Always the same text; `bytes` is how the character set spells it.
    Literal {
        text: String,
        bytes: Vec<u8>,
    },
    Slot(Slot),
    /// Put together from other values; read back as one text of its own name.
    Joined {
        slot: Slot,
        pieces: Vec<Join>,
    },
    /// One of several texts that stand in places of their own and are one value to the road, like a
    /// status and its reason.
    Piece {
        slot: Slot,
        sign: char,
        /// Counted from 0.
        at: usize,
        of: usize,
    },
    /// Worked out from the message itself, and compared with it when read.
    Computed(Computed),
    /// The sign of a number of the same record, which stands elsewhere.
    Sign {
        /// What the description calls the number.
        name: String,
        of: SignOf,
    },
    /// Written as this, read whatever it is.
    Ignored {
        bytes: Vec<u8>,
    },
}

/// A piece of a value that is put together.
#[derive(Debug, Clone)]
pub(crate) enum Join {
    Sign(String),
    Value(Slot),
}

/// How a value is spelled.
#[derive(Debug, Clone)]
pub(crate) enum Spelling {
    Text(Only),
    Int(Shape),
    Amount(AmountShape),
    Decimal(Shape),
    Moment(Vec<Piece>),
    /// Our words and the bank's for them.
    Words(Vec<Word>),
    Literal,
    /// Hexadecimal digits.
    Hex {
        upper: bool,
    },
    /// A number of so many bytes that is no text.
    Binary {
        width: usize,
        little: bool,
    },
    Anything,
}

#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub ours: String,
    pub theirs: String,
    pub bytes: Vec<u8>,
}

/// A sign that says that there is no value, like a hyphen.
#[derive(Debug, Clone)]
pub(crate) struct Absent {
    pub text: String,
    pub bytes: Vec<u8>,
}

impl Spelling {
    /// The shape of a number, where it is one.
    pub const fn shape(&self) -> Option<Shape> {
        match self {
            Self::Int(shape) | Self::Decimal(shape) => Some(*shape),
            Self::Amount(amount) => Some(amount.shape),
            _ => None,
        }
    }
}

impl Word {
    /// Is it spelled so? A document is read as UTF-8, whatever it was written in.
    pub fn is(&self, charset: Charset, bytes: &[u8]) -> bool {
        let theirs =
            if charset == Charset::Utf8 { self.theirs.as_bytes() } else { self.bytes.as_slice() };
        theirs == bytes
    }
}
