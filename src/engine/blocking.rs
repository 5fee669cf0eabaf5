//! Work that blocks (files, hashing, signatures) runs apart from the runtime's threads; a panic in it becomes an error.

use tokio::task::JoinError;

use super::error::{Panicked, Result};

/// Runs blocking work off the runtime's threads.
///
/// # Errors
/// What the work says; [`Panicked`].
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// The outcome of work that was started with `spawn_blocking`.
///
/// # Errors
/// As [`blocking`].
pub(crate) fn joined<T>(outcome: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    outcome.unwrap_or_else(|error| Err(Panicked(error.to_string()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_as_a_defect_and_not_passed_on() {
        let error = blocking(|| -> Result<()> { panic!("a bug") }).await.unwrap_err();
        assert!(error.message().contains("a defect in airlift"), "{error}");
    }
}
