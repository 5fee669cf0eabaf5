//! Airlift carries container images across an air gap; this is the map of its rooms.
//!
//! `domain` holds pure types and rules, `engine` does the work and knows no terminal, `cli` and `tui` are thin
//! fronts over it. `tui` holds the workstation's state and loop, `screens` its steps, `dialogs` what asks, `widgets`
//! what draws. `failure` is what a front shows of an engine error, `actions` the one list of operations.

pub mod actions;
pub mod cli;
pub mod config;
pub mod dialogs;
pub mod domain;
pub mod engine;
pub mod failure;
pub mod logging;
pub mod screens;
pub mod tui;
pub mod widgets;
