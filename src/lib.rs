//! daifa

pub mod clock;
pub mod model;
pub mod transport;
