//! The words of the field, and the rules that hold wherever they are spoken.
//!
//! Everything here is pure: no files, no sockets, no database, no clock, no async. What a state
//! may become, how outcomes fold and which payment is leftover is decided in this room alone, so
//! that it can be tested cell by cell and so that no step, page or command can have an opinion of
//! its own. The alternative, rules beside the SQL that applies them, was rejected: two databases
//! and a simulator would each have grown their own version.

/// Declares a closed list of words: the enum, its stored text and the way back.
///
/// The text is what the database, the journal, the API and the metrics carry; it never changes
/// once released.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every word of the list, in its declared order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored text of the word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The word with this stored text, if there is one.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

// Other rooms declare closed lists of their own with it.
pub(crate) use words;

pub mod alert;
pub mod attempt;
pub mod batch;
pub mod deadline;
pub mod decision;
pub mod expectation;
pub mod hold;
pub mod id;
pub mod money;
pub mod notice;
pub mod outcome;
pub mod payment;
pub mod person;
pub mod place;
pub mod profile;
pub mod push;
pub mod reason;
pub mod refund;
pub mod register;
pub mod report;
