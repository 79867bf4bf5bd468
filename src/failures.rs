//! The manual's page about failures, written from the engine's table of verdicts.

use rowsync_engine::recovery::table_md;

/// What stands above the table.
const INTRODUCTION: &str = include_str!("failures.md");

/// `docs/recovery.md`.
pub fn recovery_md() -> String {
    format!("{INTRODUCTION}\n## What is done about what\n\n{}", table_md())
}
