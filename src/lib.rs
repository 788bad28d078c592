//! daifa

pub mod clock;
pub mod guard;
pub mod model;
pub mod store;
