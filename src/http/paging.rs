//! How lists are asked for in pages.

use super::problem::ApiProblem;

/// Longest page.
pub const PAGE_MAX: usize = 1000;
const OFFSET_MAX: usize = 1_000_000;

/// How many entries a page has.
///
/// # Errors
/// When none or too many are asked for.
pub fn limit(wanted: Option<usize>, preset: usize) -> Result<usize, ApiProblem> {
    match wanted.unwrap_or(preset) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(ApiProblem::bad_request(format!("`limit` goes from 1 to {PAGE_MAX}"))),
    }
}

/// How many entries stand before a page.
pub struct Offset(pub usize);

impl Offset {
    /// # Errors
    /// When it lies beyond what any list has.
    pub fn read(wanted: Option<usize>) -> Result<Offset, ApiProblem> {
        match wanted.unwrap_or(0) {
            offset @ 0..=OFFSET_MAX => Ok(Offset(offset)),
            _ => Err(ApiProblem::bad_request(format!("`offset` goes from 0 to {OFFSET_MAX}"))),
        }
    }
}
