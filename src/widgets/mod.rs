//! Pieces of screens: pure functions of their props, which draw and know nothing of where the data comes from.

pub mod bar;
pub mod edit;
pub mod facts;
pub mod fold;
pub mod foot;
pub mod footer;
pub mod header;
pub mod line;
pub mod list;
pub mod look;
pub mod phases;
pub mod popup;
pub mod stepper;
pub mod table;
