//! daifa

pub mod clock;
pub mod model;
