//! Screens and dialogs, driven by keys and drawn in memory: what is seen, at every size and in every look.

#[cfg(test)]
mod images;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod start;
