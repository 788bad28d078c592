//! One line of a register: one person, one card, one amount.

use crate::model::money::Fen;
use crate::model::person::Person;

/// The payment that a line replaces: a failed one, released again by finance (重新发放).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    pub register_id: String,
    pub revision: i64,
    pub line: i64,
}

/// One line as finance wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, ascending through the register.
    pub line: i64,
    pub person: Person,
    pub bank: String,
    /// Twelve digits: county 6, town 3, village 3.
    pub village: String,
    pub amount: Fen,
    pub replaces: Option<Replaces>,
}
