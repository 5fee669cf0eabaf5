//! The program as a black box, in a cleared environment: what it prints where, and how it exits.

#[cfg(test)]
mod bundles;
#[cfg(test)]
mod every;
#[cfg(test)]
mod frame;
#[cfg(test)]
mod given;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod support;
