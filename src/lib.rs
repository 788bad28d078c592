//! daifa

pub mod cli;
pub mod clock;
pub mod format;
pub mod model;
pub mod sandbox;
pub mod transport;
