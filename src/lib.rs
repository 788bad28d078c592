//! daifa

pub mod clock;
pub mod finance;
pub mod guard;
pub mod model;
pub mod sandbox;
