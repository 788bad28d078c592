//! daifa

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod finance;
pub mod flow;
pub mod format;
pub mod guard;
pub mod lifecycle;
pub mod model;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod web;
