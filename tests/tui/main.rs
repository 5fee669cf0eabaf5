//! Screens and dialogs, driven by keys and drawn in memory: what is seen, at every size and in every look.

#[cfg(test)]
mod assemble;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod check;
#[cfg(test)]
mod dialogs;
#[cfg(test)]
mod fits;
#[cfg(test)]
mod foot;
#[cfg(test)]
mod gone_on;
#[cfg(test)]
mod gone_since;
#[cfg(test)]
mod images;
#[cfg(test)]
mod import;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod live;
#[cfg(test)]
mod log;
#[cfg(test)]
mod made;
#[cfg(test)]
mod media;
#[cfg(test)]
mod mouse;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod onto;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod report;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod room;
#[cfg(test)]
mod start;
#[cfg(test)]
mod svg;
