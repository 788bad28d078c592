//! A finance and banks to practise against, each with its own book.
//!
//! They stand outside the daemon: they import neither its steps nor its store, keep their own
//! durable book, and judge from it. What they say in the end is compared with what the daemon says;
//! two programs that share no state agree only when both are right.

pub mod bank;
mod bank_answers;
mod bank_beside;
pub mod bank_book;
mod bank_desk;
mod bank_faults;
mod bank_files;
mod bank_http;
pub mod bank_judge;
mod bank_line;
mod bank_push;
mod bank_socket;
mod bank_speech;
#[cfg(test)]
mod bank_tests;
#[cfg(test)]
mod bank_town;
pub mod finance;
pub mod people;
pub mod trigger;
