//! Whether a value or a record stands at all, which another value may decide.

use crate::format::words::{Slot, Source, Value};

/// When a value stands at all.
#[derive(Debug, Clone)]
pub(crate) struct When {
    pub slot: Slot,
    /// Any of these texts; with none of them, any value at all.
    pub is: Vec<String>,
    pub not: bool,
}

impl When {
    /// Is this so for these values?
    pub fn holds(&self, source: &dyn Source) -> bool {
        let found = match source.slot(self.slot) {
            None | Some(Value::Text("")) => false,
            Some(_) if self.is.is_empty() => true,
            Some(Value::Text(text)) => self.is.iter().any(|word| word == text),
            Some(Value::Int(number) | Value::Decimal(number)) => {
                self.is.iter().any(|word| word.parse() == Ok(number))
            }
            Some(Value::Amount(fen)) => self.is.iter().any(|word| *word == fen.yuan()),
            Some(Value::Moment(moment)) => self.is.iter().any(|word| *word == moment.to_string()),
        };
        found != self.not
    }
}
